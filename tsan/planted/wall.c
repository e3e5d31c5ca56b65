/* Wall clock: the thread that follows it moves due times by events, as everybody does, and keeps what
 * it knows of the clock to itself.
 * PLANT 1: it changes the due time of a snapshot in place.
 * PLANT 2: a submitter looks at the offset that the thread last saw. */
#include "shared.h"
#include "ticker.h"

static void arm(struct pawl_ticker *ticker, struct pawl_task *task);

#define pawl_ticker_arm_sooner arm
#include "../../engine/wall.c"
#undef pawl_ticker_arm_sooner

#include "room.h"

static struct pawl_clock_manual clock_of_room;

static void
arm(struct pawl_ticker *ticker, struct pawl_task *task)
{
    if (PLANT == 1)
        atomic_load_explicit(&task->decided, memory_order_relaxed)->due_ns++;
    pawl_ticker_arm_sooner(ticker, task);
}

static void
submit(void)
{
    struct pawl_trigger trigger = {.kind = PAWL_BY_CRON, .expr = "0 0 1 1 *", .expr_len = 9,
                                   .timezone = "UTC", .timezone_len = 3};
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, .start_ns = PAWL_NO_TIME,
                             .end_ns = PAWL_NO_TIME};
    struct pawl_spec spec = {
        .id = "w", .id_len = 1, .type = PAWL_CRON, .time_ns = 0, .script = ":", .script_len = 1,
        .keep_results = 0, .when = &when,
    };
    struct pawl_op op = {0};

    must(pawl_submit(handles[0], &spec, &op, NULL));
    pawl_view_release(&op.view);
}

int
main(void)
{
    pawl_clock_manual_init(&clock_of_room, 0, 0);
    room_open(NULL, &clock_of_room.clock);
    submit();
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_view view;

        pawl_clock_manual_set(&clock_of_room, 1000000000);
        /* relaxed, a gate: the thread has followed the clock. */
        while (atomic_load_explicit(&engine->wall_steps, memory_order_relaxed) < i)
            sched_yield();
        if (PLANT == 2)
            look((unsigned) engine->wall->offset_ns);
        must(pawl_get(handles[0], "w", 1, &view));
        pawl_view_release(&view);
    }
    room_close();
    return 0;
}
