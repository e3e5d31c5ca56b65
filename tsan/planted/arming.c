/* Arming: who changed a due time puts the task into the ticker's inbox; the ticker reads the
 * task's snapshot and keeps its timer in the wheel. The view is released last: counting down a
 * reference comes after the ticker's, and would order the race away.
 * PLANT 1: the submitter looks at the timer, which is the ticker's.
 * PLANT 2: the submitter changes the due time in place. */
#include "room.h"

static void
submit(unsigned i)
{
    struct pawl_spec spec = room_spec(i);
    struct pawl_op op = {0};
    struct pawl_task *task;

    must(pawl_submit(handles[0], &spec, &op, NULL));
    task = op.view.private_task;
    /* relaxed, a gate: the ticker has taken the task from its inbox. */
    while (atomic_load_explicit(&task->is_queued, memory_order_relaxed))
        sched_yield();
    if (PLANT == 1)
        look(task->timer);
    if (PLANT == 2)
        atomic_load_explicit(&task->decided, memory_order_relaxed)->due_ns--;
    pawl_view_release(&op.view);
}

int
main(void)
{
    room_open(NULL, NULL);
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++)
        submit(i);
    room_close();
    return 0;
}
