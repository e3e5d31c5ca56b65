/* Snapshot: immutable once published, swapped in whole, read in a section.
 * PLANT 1: a field is written in place after pawl_task_publish().
 * PLANT 2: published by a relaxed store.
 * PLANT 3: the reader keeps it behind its section, while an event replaces it. */
#include "room.h"

static struct pawl_task *tasks[PLANT_ROUNDS + 1];
static struct pawl_snapshot *firsts[PLANT_ROUNDS + 1];
static plant_gate seen;     /* the reader has snapshot i */
static plant_gate replaced; /* by the next one */

static void *
writer(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_event stop = {.kind = PAWL_EVENT_STOP};
        struct pawl_snapshot *first = firsts[i];

        first->updated_ns = i;
        if (PLANT == 2) {
            atomic_store_explicit(&tasks[i]->shown, first, memory_order_relaxed);
            atomic_store_explicit(&tasks[i]->decided, first, memory_order_release);
        } else {
            pawl_task_publish(tasks[i], NULL, first);
        }
        gate_wait(&seen, i);
        if (PLANT == 1)
            first->updated_ns = 0;
        must(pawl_task_apply(tasks[i], handles[0]->epoch, &stop, NULL));
        while (PLANT == 3 && pawl_epoch_rest(handles[0]->epoch))
            sched_yield();
        gate_open(&replaced, i);
        pawl_epoch_rest(handles[0]->epoch);
    }
    return unused;
}

static void *
reader(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        const struct pawl_snapshot *snapshot;

        pawl_epoch_begin(handles[1]->epoch);
        while (!(snapshot = pawl_task_read(tasks[i], NULL)))
            sched_yield();
        if (PLANT == 3)
            pawl_epoch_end(handles[1]->epoch);
        gate_open(&seen, i);
        gate_wait(&replaced, i);
        look((unsigned) snapshot->updated_ns);
        if (PLANT != 3)
            pawl_epoch_end(handles[1]->epoch);
    }
    return unused;
}

int
main(void)
{
    room_open(NULL, NULL);
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++)
        tasks[i] = room_task(i, &firsts[i]);
    room_race(writer, reader);
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++)
        pawl_task_unref(tasks[i]);
    room_close();
    return 0;
}
