/* A place in a group: who waits for one is given to whoever ends a run.
 * PLANT 1: who waits writes into the task after it was queued.
 * PLANT 2: who waits gives up the reference that the queue holds. */
#include "room.h"

#include "concurrency.h"

static struct pawl_concurrency *groups;
static plant_gate taken, queued, over;

static enum pawl_entry
enter(struct pawl_task *task, struct pawl_concurrency_spare *spare)
{
    struct pawl_task *next;

    if (!pawl_concurrency_prepare(spare))
        abort();
    return pawl_concurrency_enter(groups, task, "g", true, spare, &next);
}

static void *
waits(void *unused)
{
    struct pawl_concurrency_spare spare = {0};

    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_snapshot *first;
        struct pawl_task *task = room_task(2 * i, &first);

        pawl_task_publish(task, NULL, first);
        gate_wait(&taken, i);
        if (enter(task, &spare) != PAWL_ENTRY_WAITS)
            abort();
        gate_open(&queued, i);
        if (PLANT == 1)
            task->created_ns = 0;
        if (PLANT == 2)
            pawl_task_unref(task);
        gate_wait(&over, i);
        pawl_task_unref(task);
    }
    pawl_concurrency_spare_free(&spare);
    return unused;
}

static void *
ends(void *unused)
{
    struct pawl_concurrency_spare spare = {0};

    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_snapshot *first;
        struct pawl_task *own = room_task(2 * i + 1, &first), *next;

        pawl_task_publish(own, NULL, first);
        if (enter(own, &spare) != PAWL_ENTRY_OPEN)
            abort();
        gate_open(&taken, i);
        gate_wait(&queued, i);
        next = pawl_concurrency_exit(groups, "g");
        look((unsigned) next->created_ns);
        if (enter(next, &spare) != PAWL_ENTRY_OPEN)
            abort();
        pawl_task_unref(next);
        pawl_concurrency_exit(groups, "g");
        gate_open(&over, i);
        pawl_task_unref(own);
    }
    pawl_concurrency_spare_free(&spare);
    return unused;
}

int
main(void)
{
    room_open(NULL, NULL);
    groups = pawl_concurrency_new(10);
    if (!groups)
        abort();
    room_race(waits, ends);
    pawl_concurrency_free(groups);
    room_close();
    return 0;
}
