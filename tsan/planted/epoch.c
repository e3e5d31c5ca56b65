/* Reclamation: a task that left the index is freed after the sections that may hold it.
 * PLANT 1: the index's reference is given up at once, not by pawl_task_unref_later().
 * PLANT 2: the reader uses its task behind its section. */
#include "room.h"

static plant_gate put;      /* task i is in the index */
static plant_gate seen;     /* the reader holds it */
static plant_gate gone;     /* it left the index */

static void *
writer(void *unused)
{
    struct pawl_epoch_thread *epoch = handles[0]->epoch;

    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_snapshot *first;
        struct pawl_task *task = room_task(i, &first);

        must(pawl_index_put(engine->index, epoch, &task->key, pawl_task_is_live));
        gate_open(&put, i);
        gate_wait(&seen, i);
        pawl_index_remove(engine->index, epoch, &task->key);
        pawl_task_mark_gone(task, epoch, first);
        if (PLANT == 1)
            pawl_task_unref(task);
        else
            pawl_task_unref_later(task, epoch);
        while (PLANT == 2 && pawl_epoch_rest(epoch))
            sched_yield();
        gate_open(&gone, i);
        pawl_epoch_rest(epoch);
    }
    return unused;
}

static void *
reader(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        union pawl_key_probe probe;
        struct pawl_task *task;

        gate_wait(&put, i);
        pawl_index_key(engine->index, room_id(i), strlen(room_id(i)), &probe.key);
        pawl_epoch_begin(handles[1]->epoch);
        task = pawl_task_of_key(pawl_index_find(engine->index, &probe.key));
        if (PLANT == 2)
            pawl_epoch_end(handles[1]->epoch);
        gate_open(&seen, i);
        gate_wait(&gone, i);
        look((unsigned) task->created_ns);
        if (PLANT != 2)
            pawl_epoch_end(handles[1]->epoch);
    }
    return unused;
}

int
main(void)
{
    room_open(NULL, NULL);
    room_race(writer, reader);
    room_close();
    return 0;
}
