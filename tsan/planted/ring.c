/* Ready ring: the ticker gives a due task to a worker.
 * PLANT 1: the ticker writes into the task after its put.
 * PLANT 2: the ticker gives up the reference that went with the task. */
#include "room.h"

static struct pawl_ready ready;
static plant_gate taken;

static void *
ticker(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_snapshot *first;
        struct pawl_task *task = room_task(i, &first);

        pawl_task_publish(task, NULL, first);
        while (!pawl_ready_put(&ready, task, false))
            sched_yield();
        pawl_ready_wake(&ready, 1);
        gate_wait(&taken, i);
        if (PLANT == 1)
            task->created_ns = 0;
        if (PLANT == 2)
            pawl_task_unref(task);
    }
    return unused;
}

static void *
worker(void *unused)
{
    static struct pawl_task *tasks[PLANT_ROUNDS + 1];
    bool is_late;

    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        while (!(tasks[i] = pawl_ready_take(&ready, &is_late)))
            sched_yield();
        gate_open(&taken, i);
        look((unsigned) tasks[i]->created_ns);
    }
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++)
        pawl_task_unref(tasks[i]);
    return unused;
}

int
main(void)
{
    room_open(NULL, NULL);
    must(pawl_ready_init(&ready, 1));
    room_race(ticker, worker);
    pawl_ready_fini(&ready);
    room_close();
    return 0;
}
