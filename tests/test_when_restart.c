/* test_when_restart.c: when tasks fire goes on over restarts and crashes, with the real store and the
 * manual clock. */
#include "lane.h"
#include "restart_fixture.h"
#include "when_fixture.h"

#include <sqlite3.h>

/* Waits until none of the tasks is in a run. */
static void
settle(struct fixture *f, size_t n)
{
    char id[16];

    for (size_t i = 0; i < n; i++) {
        struct pawl_view view;

        snprintf(id, sizeof id, "w%zu", i);
        await(next_of(f, id) > wall_now(f) || version_of(f, id) % 2 == 1);
        view = await_version(f, id, version_of(f, id) + version_of(f, id) % 2);
        pawl_view_release(&view);
    }
    await(stats_of(f).running == 0 && stats_of(f).waiting_ready == 0);
}

static void
test_each_way_of_saying_when_comes_back(void **state)
{
    struct pawl_when whens[] = {
        {TRIGGERS(BY_CRON("30 9 * * mon-fri", "Europe/Berlin")), ALWAYS},
        {TRIGGERS(BY_CALENDAR("weekly 2 on mon,thu at 07:00,19:30", "America/New_York")),
         .start_ns = START_WALL + DAY, .end_ns = START_WALL + 900 * DAY},
        {TRIGGERS(BY_CRON("H H * * *", "UTC")), ALWAYS, .max_runs = 7, .jitter_ns = HOUR},
        {TRIGGERS(BY_SPAN(37 * MINUTE)), ALWAYS, .from_completion = true},
        {TRIGGERS({.kind = PAWL_BY_SPAN, .time_ns = HOUR, .time_max_ns = 9 * HOUR}), ALWAYS},
        {TRIGGERS(BY_CRON("0 10 * * *", "UTC"), BY_SPAN(90 * MINUTE),
                  BY_AT(START_WALL + 20 * DAY)), ALWAYS},
        {TRIGGERS(BY_CRON("@every 90m", "UTC")), ALWAYS, .jitter_ns = MINUTE, .is_jitter_random = true},
        {TRIGGERS(BY_SPAN(HOUR)), .start_ns = START_WALL - 25 * MINUTE, .end_ns = PAWL_NO_TIME},
    };
    struct pawl_when once = {TRIGGERS(BY_AT(START_WALL + 3 * DAY)), ALWAYS};
    struct house house;
    struct fixture *f = &house.f;
    char *texts[2], id[16];

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit_when(f, "once", PAWL_DELAY, &once);
    for (size_t i = 0; i < sizeof whens / sizeof whens[0]; i++) {
        snprintf(id, sizeof id, "w%zu", i);
        submit_when(f, id, PAWL_CRON, &whens[i]);
    }
    for (int round = 0; round < 4; round++) {
        texts[0] = describe(f);
        house_restart(&house);
        texts[1] = describe(f);
        assert_string_equal(texts[0], texts[1]);
        free(texts[0]);
        free(texts[1]);
        for (size_t i = 0; i < sizeof whens / sizeof whens[0]; i++) {
            snprintf(id, sizeof id, "w%zu", i);
            if (next_of(f, id) < wall_now(f) + 12 * HOUR && i != 2)
                run_next(f, id);
        }
        settle(f, sizeof whens / sizeof whens[0]);
    }
    house_end(&house);
    house_fini(&house);
}

static void
test_time_without_a_daemon_is_one_run_and_the_rest_missed(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit_cron(f, "c", "*/10 * * * *", "UTC");
    house_pass(&house, 65 * MINUTE);
    view = await_version(f, "c", 2);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.missed, 5);
    assert_time(view.results[0]->scheduled_ns, "2027-01-15T09:00:00Z");
    assert_time(view.next_ns, "2027-01-15T09:10:00Z");
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static void
test_fixed_times_do_not_repeat_though_an_engine_came_between(void **state)
{
    struct house house;
    struct fixture *f = &house.f;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit_cron(f, "c", "30 8 * * *", "UTC");
    assert_time(run_next(f, "c"), "2027-01-15T08:30:00Z");
    set_wall(f, -HOUR);
    house_restart(&house);                      /* what it knows of the clock is an hour back, too */
    assert_time(next_of(f, "c"), "2027-01-16T08:30:00Z");
    set_wall(f, 5 * MINUTE);
    submit(f, "later", PAWL_DELAY, HOUR, ":");  /* what was moved is shown before this */
    assert_time(next_of(f, "c"), "2027-01-16T08:30:00Z");
    house_end(&house);
    pawl_clock_manual_set(&f->clock, -5 * MINUTE);
    house_begin(&house);
    assert_time(next_of(f, "c"), "2027-01-16T08:30:00Z");
    set_wall(f, -3 * HOUR);                     /* a correction */
    await(next_of(f, "c") == at("2027-01-15T08:30:00Z"));
    house_end(&house);
    house_fini(&house);
}

static void
test_reboot_fires_at_each_start_of_the_daemon(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit_cron(f, "r", "@reboot", "UTC");
    view = get(f, "r");
    assert_int_equal(view.run_count, 0);
    assert_int_equal(view.status, PAWL_TO_BE_EXECUTED);
    assert_true(view.next_ns == PAWL_NO_TIME);
    pawl_view_release(&view);
    for (int64_t runs = 1; runs <= 3; runs++) {
        house_pass(&house, HOUR);
        view = await_version(f, "r", 2 * runs);
        assert_int_equal(view.run_count, runs);
        assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
        assert_int_equal(view.missed, 0);
        pawl_view_release(&view);
    }
    assert_int_equal(stop(f, "r"), PAWL_OK);
    house_pass(&house, HOUR);
    view = get(f, "r");
    assert_int_equal(view.run_count, 3);
    assert_true(view.next_ns == PAWL_NO_TIME);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static void
test_due_times_missed_before_a_reboot_are_all_counted(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_CRON("@reboot", "UTC"), BY_CRON("0 * * * *", "UTC")),
                             ALWAYS};
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit_when(f, "r", PAWL_CRON, &when);
    house_pass(&house, 3 * HOUR + 30 * MINUTE);
    view = await_version(f, "r", 2);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.missed, 3);           /* 09:00, 10:00, 11:00 */
    assert_time(view.results[0]->scheduled_ns, "2027-01-15T11:30:00Z");
    assert_time(view.next_ns, "2027-01-15T12:00:00Z");
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static void
test_reboot_waits_for_its_start(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_CRON("@reboot", "UTC")),
                             .start_ns = START_WALL + 90 * MINUTE, .end_ns = PAWL_NO_TIME};
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit_when(f, "r", PAWL_CRON, &when);
    house_pass(&house, HOUR);
    assert_true(next_of(f, "r") == PAWL_NO_TIME);
    assert_int_equal(version_of(f, "r"), 0);
    house_pass(&house, HOUR);
    view = await_version(f, "r", 2);
    assert_int_equal(view.run_count, 1);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

/* It was noted that the time had come; then the clock was set back. */
static void
test_due_time_that_waited_for_its_jitter_survives_a_clock_set_back_over_a_restart(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_AT(START_WALL + 30 * MINUTE)), ALWAYS,
                             .jitter_ns = 10 * HOUR};
    struct house house;
    struct fixture *f = &house.f;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit_when(f, "w", PAWL_CRON, &when);
    assert_true(next_of(f, "w") > START_WALL + 50 * MINUTE);
    fixture_advance(f, 45 * MINUTE);
    submit(f, "noted", PAWL_DELAY, 0, ":");
    house_end(&house);
    pawl_clock_manual_set(&f->clock, -40 * MINUTE);
    house_begin(&house);
    assert_time(run_next(f, "w"), "2027-01-15T08:30:00Z");
    house_end(&house);
    house_fini(&house);
}

static void
test_max_runs_count_over_restarts(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_CRON("0 * * * *", "UTC")), ALWAYS, .max_runs = 2};
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit_when(f, "m", PAWL_CRON, &when);
    run_next(f, "m");
    house_pass(&house, 10 * HOUR);
    view = await_version(f, "m", 4);
    assert_int_equal(view.run_count, 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    pawl_view_release(&view);
    house_pass(&house, 10 * HOUR);
    view = get(f, "m");
    assert_int_equal(view.run_count, 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_true(view.next_ns == PAWL_NO_TIME);
    pawl_view_release(&view);
    house_pass(&house, 200 * HOUR);             /* longer than it is kept */
    assert_int_equal(stats_of(f).tasks, 0);
    house_end(&house);
    house_fini(&house);
}

static void
test_wall_clock_that_was_set_while_no_daemon_ran(void **state)
{
    struct house house;
    struct fixture *f = &house.f;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit_cron(f, "fixed", "30 8 * * *", "UTC");
    submit_cron(f, "wild", "*/20 * * * *", "UTC");
    submit(f, "span", PAWL_DELAY, 1000 * HOUR, ":");
    run_next(f, "wild");
    run_next(f, "fixed");
    fixture_advance(f, 5 * MINUTE);             /* 08:35, noted by the restart */
    house_restart(&house);
    house_end(&house);
    pawl_clock_manual_set(&f->clock, -HOUR);    /* 07:35 */
    house_begin(&house);
    assert_time(next_of(f, "fixed"), "2027-01-16T08:30:00Z");
    assert_time(next_of(f, "wild"), "2027-01-15T07:40:00Z");
    assert_true(next_of(f, "span") == START_WALL + 999 * HOUR);
    house_end(&house);
    pawl_clock_manual_set(&f->clock, -47 * HOUR);   /* two days back */
    house_begin(&house);
    assert_time(next_of(f, "fixed"), "2027-01-14T08:30:00Z");
    house_end(&house);
    house_fini(&house);
}

/* The clock is set, and then the machine loses its power: spans go on by the new offset. */
static void
live_through_a_set_clock(struct house *house)
{
    uint64_t commits;

    submit(&house->f, "span", PAWL_DELAY, 10 * HOUR, ":");
    submit_cron(&house->f, "c", "0 20 * * *", "UTC");
    commits = stats_of(&house->f).commits;
    set_wall(&house->f, 5 * HOUR);
    await(stats_of(&house->f).commits > commits);
}

static void
test_set_clock_is_durable_without_another_change(void **state)
{
    struct house house;
    struct fixture *f = &house.f;

    (void) state;
    house_init(&house);
    house_crash(&house, live_through_a_set_clock);
    f->clock.name = "another boot";
    atomic_store(&f->clock.elapsed, 5 * SECOND);
    atomic_store(&f->clock.offset, START_WALL + 6 * HOUR - 5 * SECOND);     /* one hour later */
    house_begin(&house);
    assert_true(next_of(f, "span") == START_WALL + 15 * HOUR);
    assert_time(next_of(f, "c"), "2027-01-15T20:00:00Z");
    house_end(&house);
    house_fini(&house);
}

static void
live_into_a_run(struct house *house)
{
    struct pawl_when when = {TRIGGERS(BY_SPAN(HOUR)), ALWAYS, .from_completion = true};
    struct pawl_view view;

    submit_cron(&house->f, "c", "*/10 * * * *", "UTC");
    assert_int_equal(try_submit_when(&house->f, "e", PAWL_CRON, "sleep 60", &when, NULL), PAWL_OK);
    run_next(&house->f, "c");
    assert_int_equal(try_submit_when(&house->f, "l", PAWL_CRON, "sleep 60",
                                     &(struct pawl_when) {TRIGGERS(BY_CRON("15 * * * *", "UTC")),
                                                          ALWAYS}, NULL), PAWL_OK);
    house_block();
    advance_to(&house->f, "2027-01-15T09:15:00Z");
    view = await_version(&house->f, "l", 1);            /* 08:15: what was missed runs one by one */
    pawl_view_release(&view);
    fixture_advance(&house->f, PAWL_LANE_SLOW_NS);
    view = await_version(&house->f, "c", 3);
    pawl_view_release(&view);
    fixture_advance(&house->f, PAWL_LANE_SLOW_NS);
    view = await_version(&house->f, "e", 1);
    pawl_view_release(&view);
}

static void
test_run_that_a_crash_cut_is_lost_and_the_schedule_goes_on(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_crash(&house, live_into_a_run);
    fixture_advance(f, 20 * MINUTE + 75 * MINUTE);      /* the child's time was its own */
    house_begin(&house);
    view = get(f, "l");
    assert_int_equal(view.results[0]->outcome, PAWL_LOST);
    assert_time(view.results[0]->scheduled_ns, "2027-01-15T09:15:00Z");
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.missed + view.skipped_overlap, 1);    /* 08:15 */
    assert_time(view.next_ns, "2027-01-15T10:15:00Z");
    pawl_view_release(&view);
    view = get(f, "e");
    assert_int_equal(view.results[0]->outcome, PAWL_LOST);
    assert_true(view.next_ns == wall_now(f) + HOUR);            /* from the moment it was found */
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

/* A zone may be gone with the next version of the database: nothing is lost. */
static void
test_task_of_a_zone_that_is_gone_is_kept(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;
    char statement[200];
    sqlite3 *db;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit_cron(f, "z", "0 12 * * *", "Europe/Berlin");
    submit_cron(f, "other", "0 12 * * *", "UTC");
    house_end(&house);
    snprintf(statement, sizeof statement, "%s/pawl.db", house.dir);
    assert_int_equal(sqlite3_open(statement, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE due_by SET timezone = 'Mars/Base' WHERE timezone <> 'UTC'",
                                  NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    house_begin(&house);
    view = get(f, "z");
    assert_string_equal(view.when->triggers[0].timezone, "Mars/Base");
    assert_string_equal(view.when->triggers[0].expr, "0 12 * * *");
    pawl_view_release(&view);
    assert_time(run_next(f, "z"), "2027-01-15T11:00:00Z");      /* which was known already */
    view = get(f, "z");
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_true(view.next_ns == PAWL_NO_TIME);
    pawl_view_release(&view);
    assert_time(run_next(f, "other"), "2027-01-15T12:00:00Z");
    house_end(&house);
    snprintf(statement, sizeof statement, "%s/pawl.db", house.dir);
    assert_int_equal(sqlite3_open(statement, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE due_by SET timezone = 'Europe/Berlin' WHERE timezone <> 'UTC'",
                                  NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    house_begin(&house);
    assert_time(next_of(f, "z"), "2027-01-16T11:00:00Z");
    house_end(&house);
    house_fini(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_way_of_saying_when_comes_back),
        cmocka_unit_test(test_time_without_a_daemon_is_one_run_and_the_rest_missed),
        cmocka_unit_test(test_fixed_times_do_not_repeat_though_an_engine_came_between),
        cmocka_unit_test(test_reboot_fires_at_each_start_of_the_daemon),
        cmocka_unit_test(test_due_times_missed_before_a_reboot_are_all_counted),
        cmocka_unit_test(test_reboot_waits_for_its_start),
        cmocka_unit_test(
            test_due_time_that_waited_for_its_jitter_survives_a_clock_set_back_over_a_restart),
        cmocka_unit_test(test_max_runs_count_over_restarts),
        cmocka_unit_test(test_wall_clock_that_was_set_while_no_daemon_ran),
        cmocka_unit_test(test_set_clock_is_durable_without_another_change),
        cmocka_unit_test(test_run_that_a_crash_cut_is_lost_and_the_schedule_goes_on),
        cmocka_unit_test(test_task_of_a_zone_that_is_gone_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
