/* test_lane.c: due times that were missed are made up for a few at a time, and new work does not wait for
 * them. */
#include "lane.h"
#include "restart_fixture.h"
#include "task.h"
#include "when_fixture.h"

#define MANY 40

static void
test_lane_gives_the_oldest_and_grows(void **state)
{
    struct pawl_task *tasks = calloc(1000, sizeof *tasks);     /* only their addresses count */
    struct pawl_lane lane;
    size_t put = 0, taken = 0;

    (void) state;
    pawl_lane_init(&lane, 1, 2, -1);
    assert_null(pawl_lane_take(&lane));
    for (size_t round = 1; put < 1000; round++) {
        for (size_t i = 0; i < 2 * round && put < 1000; i++)
            assert_true(pawl_lane_put(&lane, &tasks[put++]));
        for (size_t i = 0; i < round; i++)
            assert_ptr_equal(pawl_lane_take(&lane), &tasks[taken++]);
    }
    while (taken < put)
        assert_ptr_equal(pawl_lane_take(&lane), &tasks[taken++]);
    assert_null(pawl_lane_take(&lane));
    assert_int_equal(lane.cap, 0);
    pawl_lane_fini(&lane);
    free(tasks);
}

static void
test_lane_lets_few_go_on_and_more_where_they_take_long(void **state)
{
    struct pawl_lane lane;
    struct pawl_task task;

    (void) state;
    pawl_lane_init(&lane, 4, 8, -1);                    /* 2 at once, 4 at most */
    assert_true(pawl_lane_next(&lane, 100) == INT64_MAX);
    assert_true(pawl_lane_put(&lane, &task));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pawl_lane_next(&lane, 100), 100);
        pawl_lane_begin(&lane, 100);
    }
    for (int i = 0; i < 2; i++) {
        int64_t next_ns = 100 + (i + 1) * PAWL_LANE_SLOW_NS;

        assert_int_equal(pawl_lane_next(&lane, 100), next_ns);
        pawl_lane_begin(&lane, next_ns);
    }
    assert_int_equal(pawl_lane_next(&lane, 200), 100 + 2 * PAWL_LANE_SLOW_NS + PAWL_LANE_STUCK_NS);
    atomic_store(&lane.is_waiting, false);              /* there is no descriptor to wake by */
    for (int i = 0; i < 3; i++)
        pawl_lane_end(&lane);
    assert_int_equal(pawl_lane_next(&lane, 200), 200);
    assert_ptr_equal(pawl_lane_take(&lane), &task);
    pawl_lane_fini(&lane);
}

static void
submit_many(struct fixture *f, const char *script)
{
    char id[16];

    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "c%02d", i);
        submit(f, id, PAWL_CRON, HOUR, script);
    }
}

/* A new task runs though many wait. */
static void
check_new_work(struct fixture *f, const char *id)
{
    struct pawl_view view;

    submit(f, id, PAWL_DELAY, 0, ":");
    view = await_version(f, id, 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    pawl_view_release(&view);
}

static void
test_new_work_does_not_wait_for_what_was_missed(void **state)
{
    char path[64], script[128];
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;
    int fd;

    (void) state;
    house_init(&house);
    make_gate(path);
    snprintf(script, sizeof script, "read x < %s", path);
    house_begin(&house);
    submit_many(f, script);
    house_pass(&house, 90 * MINUTE);                    /* each is half an hour late */
    await(stats_of(f).started == 1);                    /* of two processors one */
    check_new_work(f, "new");
    assert_int_equal(stats_of(f).started, 2);
    for (uint64_t i = 2; i <= 5; i++) {
        fixture_advance(f, PAWL_LANE_SLOW_NS);
        await(stats_of(f).started == i + 1);
    }
    check_new_work(f, "newer");
    assert_int_equal(stats_of(f).started, 7);
    fd = open(path, O_RDWR);                            /* from here on all of them end */
    assert_true(fd >= 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(write(fd, "\n", 1), 1);
    await(stats_of(f).finished == MANY + 2);
    for (int i = 0; i < MANY; i++) {
        char id[16];

        snprintf(id, sizeof id, "c%02d", i);
        view = await_version(f, id, 2);
        assert_int_equal(view.run_count, 1);
        assert_int_equal(view.missed, 0);
        pawl_view_release(&view);
    }
    close(fd);
    unlink(path);
    house_end(&house);
    house_fini(&house);
}

static void
test_what_waits_may_be_stopped_deleted_and_asked_for(void **state)
{
    char path[64], script[128];
    struct pawl_op op = {0};
    struct fixture f;
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    make_gate(path);
    snprintf(script, sizeof script, "read x < %s", path);
    submit(&f, "first", PAWL_CRON, HOUR, script);
    submit(&f, "stopped", PAWL_CRON, 61 * MINUTE, ":");
    submit(&f, "deleted", PAWL_CRON, 62 * MINUTE, ":");
    submit(&f, "asked", PAWL_CRON, 63 * MINUTE, ":");
    submit(&f, "last", PAWL_CRON, 64 * MINUTE, ":");
    check_new_work(&f, "new");                          /* all of them are in the wheel */
    fixture_advance(&f, 90 * MINUTE);                   /* as if the machine had slept */
    view = await_version(&f, "first", 1);
    pawl_view_release(&view);
    assert_int_equal(stop(&f, "stopped"), PAWL_OK);
    assert_int_equal(delete(&f, "deleted"), PAWL_OK);
    assert_int_equal(pawl_run(f.handle, "asked", 5, &op, NULL), PAWL_OK);
    pawl_view_release(&op.view);
    view = await_version(&f, "asked", 2);
    assert_int_equal(view.asked_count, 1);
    pawl_view_release(&view);
    assert_int_equal(version_of(&f, "last"), 0);
    open_gate(path);
    view = await_version(&f, "last", 2);
    pawl_view_release(&view);
    view = get(&f, "asked");
    assert_int_equal(view.skipped_overlap, 1);          /* by the run that was asked for */
    pawl_view_release(&view);
    assert_int_equal(version_of(&f, "stopped"), 1);
    unlink(path);
    fixture_close(&f);
}

/* Each of them would else wait for ever, and its further due times with it. */
static void
test_runs_that_never_end_hold_up_nobody_for_ever(void **state)
{
    struct pawl_options options;
    struct fixture f;

    (void) state;
    pawl_options_init(&options);
    options.nworkers = 1;
    options.max_running = 3;                            /* of which two make up */
    fixture_open_with(&f, &options);
    submit(&f, "a", PAWL_CRON, HOUR, "exec sleep 600");
    submit(&f, "b", PAWL_CRON, HOUR, "exec sleep 600");
    submit(&f, "c", PAWL_CRON, HOUR, "exec sleep 600");
    check_new_work(&f, "new");                          /* all of them are in the wheel */
    fixture_advance(&f, 90 * MINUTE);
    await(stats_of(&f).started == 2);
    fixture_advance(&f, PAWL_LANE_SLOW_NS);
    await(stats_of(&f).started == 3);
    check_new_work(&f, "newer");
    fixture_advance(&f, PAWL_LANE_STUCK_NS);
    await(stats_of(&f).started == 5);
    assert_int_equal(stats_of(&f).running, 3);
    fixture_close(&f);
}

/* --- A ring that is full --- */

static void (*clock_timer_set)(struct pawl_clock *clock, int fd, int64_t at_ns);
static _Atomic unsigned nsets;

static void
count_set(struct pawl_clock *clock, int fd, int64_t at_ns)
{
    atomic_fetch_add(&nsets, 1);
    clock_timer_set(clock, fd, at_ns);
}

static void
test_ticker_rests_while_the_lane_waits_for_room_in_the_ring(void **state)
{
    struct pawl_options options;
    struct asked asked = {.op.done = asked_cb};
    unsigned before;
    struct fixture f;
    char id[16];

    (void) state;
    pawl_options_init(&options);
    options.nworkers = 2;
    options.max_running = 1;
    pawl_clock_manual_init(&f.clock, 1000 * SECOND, START_WALL - 1000 * SECOND);
    clock_timer_set = f.clock.clock.timer_set;
    f.clock.clock.timer_set = count_set;
    fixture_resume(&f, &options);
    submit(&f, "blocker", PAWL_DELAY, 0, "exec sleep 600");
    await(stats_of(&f).started == 1);
    submit(&f, "missed", PAWL_CRON, HOUR, ":");
    assert_int_equal(end_of(&f, &asked, pawl_pause(f.handle, "missed", 6, &asked.op, NULL)), PAWL_OK);
    fixture_advance(&f, 90 * MINUTE);
    for (unsigned i = 0; i <= PAWL_READY_SLOTS; i++) {
        snprintf(id, sizeof id, "%u", i);
        submit(&f, id, PAWL_DELAY, 0, ":");
    }
    await(stats_of(&f).waiting_ready == PAWL_READY_SLOTS - 1);
    before = atomic_load(&nsets);
    asked = (struct asked) {.op.done = asked_cb};
    assert_int_equal(end_of(&f, &asked, pawl_resume(f.handle, "missed", 6, &asked.op, NULL)), PAWL_OK);
    for (int i = 0; i < 20000; i++)             /* thousands of times were it awake */
        sched_yield();
    assert_in_range(atomic_load(&nsets), before, before + 100);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lane_gives_the_oldest_and_grows),
        cmocka_unit_test(test_lane_lets_few_go_on_and_more_where_they_take_long),
        cmocka_unit_test(test_new_work_does_not_wait_for_what_was_missed),
        cmocka_unit_test(test_what_waits_may_be_stopped_deleted_and_asked_for),
        cmocka_unit_test(test_runs_that_never_end_hold_up_nobody_for_ever),
        cmocka_unit_test(test_ticker_rests_while_the_lane_waits_for_room_in_the_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
