/* Order of submission: a submitter appends a task, a listing comes by.
 * PLANT 1: the task is written to after it was appended.
 * PLANT 2: a removed task is freed at once, under the listing. */
#include "room.h"

static plant_gate seen;     /* the listing is at task i */
static plant_gate gone;     /* task i was removed */

static void *
submitter(void *unused)
{
    struct pawl_epoch_thread *epoch = handles[0]->epoch;

    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_snapshot *first;
        struct pawl_task *task = room_task(i, &first);

        pawl_task_publish(task, NULL, first);
        if (pawl_order_append(engine->order, epoch, task) != i)
            abort();
        gate_wait(&seen, i);
        if (PLANT == 1)
            task->created_ns = 0;
        pawl_order_remove(engine->order, epoch, i);
        if (PLANT == 2)
            pawl_task_unref(task);
        else
            pawl_task_unref_later(task, epoch);
        gate_open(&gone, i);
        pawl_epoch_rest(epoch);
    }
    return unused;
}

static void *
lister(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_task *task;
        uint64_t seq;

        pawl_epoch_begin(handles[1]->epoch);
        while (!(task = pawl_order_next(engine->order, i - 1, i, &seq))) {
            pawl_epoch_end(handles[1]->epoch);
            sched_yield();
            pawl_epoch_begin(handles[1]->epoch);
        }
        gate_open(&seen, i);
        gate_wait(&gone, i);
        look((unsigned) task->created_ns);
        pawl_epoch_end(handles[1]->epoch);
    }
    return unused;
}

int
main(void)
{
    room_open(NULL, NULL);
    room_race(submitter, lister);
    room_close();
    return 0;
}
