/* test_wall.c: the wall clock is set, on the manual clock: times of day follow it, spans do not. */
#include "wall.h"
#include "when_fixture.h"

static void
test_times_of_day_follow_and_spans_do_not(void **state)
{
    static const int64_t steps[] = {HOUR, -HOUR, 26 * HOUR, -26 * HOUR, 400 * DAY, 7};

    (void) state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct pawl_view view;
        struct fixture f;

        fixture_open(&f);
        submit(&f, "delay", PAWL_DELAY, 10 * HOUR, ":");
        submit(&f, "interval", PAWL_CRON, 40 * HOUR, ":");
        set_wall(&f, steps[i]);
        assert_true(next_of(&f, "delay") == START_WALL + 10 * HOUR + steps[i]);
        assert_true(next_of(&f, "interval") == START_WALL + 40 * HOUR + steps[i]);
        submit_cron(&f, "cron", "17 */2 * * *", "UTC");
        assert_true(next_of(&f, "cron") > wall_now(&f));
        fixture_advance(&f, 10 * HOUR - 1);
        assert_int_equal(version_of(&f, "delay"), 0);
        fixture_advance(&f, 1);
        view = await_version(&f, "delay", 2);
        assert_true(view.results[0]->scheduled_ns == START_WALL + 10 * HOUR + steps[i]);
        pawl_view_release(&view);
        fixture_close(&f);
    }
}

static void
test_set_forward_runs_once_what_was_jumped_over(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_cron(&f, "hourly", "30 * * * *", "UTC");
    submit_cron(&f, "later", "0 23 * * *", "UTC");
    set_wall(&f, 3 * HOUR);                     /* 11:00 */
    view = await_version(&f, "hourly", 2);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.missed, 2);
    assert_time(view.results[0]->scheduled_ns, "2027-01-15T10:30:00Z");
    assert_time(view.next_ns, "2027-01-15T11:30:00Z");
    pawl_view_release(&view);
    assert_int_equal(version_of(&f, "later"), 0);
    fixture_advance(&f, 12 * HOUR);             /* of 15: twelve have passed by the new clock */
    view = await_version(&f, "later", 2);
    assert_time(view.results[0]->scheduled_ns, "2027-01-15T23:00:00Z");
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_set_back_a_little_repeats_no_fixed_time(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_cron(&f, "fixed", "30 8,9 * * *", "UTC");
    submit_cron(&f, "wild", "*/20 * * * *", "UTC");
    assert_time(run_next(&f, "wild"), "2027-01-15T08:20:00Z");
    assert_time(run_next(&f, "fixed"), "2027-01-15T08:30:00Z");
    assert_time(run_next(&f, "wild"), "2027-01-15T08:40:00Z");
    advance_to(&f, "2027-01-15T08:50:00Z");
    set_wall(&f, -HOUR);                        /* 07:50 */
    assert_time(next_of(&f, "fixed"), "2027-01-15T09:30:00Z");      /* not 08:30 again */
    assert_time(run_next(&f, "wild"), "2027-01-15T08:00:00Z");      /* at once by the new clock */
    submit_cron(&f, "new", "30 8 * * *", "UTC");
    assert_time(run_next(&f, "wild"), "2027-01-15T08:20:00Z");
    assert_time(run_next(&f, "fixed"), "2027-01-15T09:30:00Z");
    fixture_close(&f);
}

static void
test_set_on_over_the_high_mark_repeats_no_fixed_time(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_cron(&f, "fixed", "30 8 * * *", "UTC");
    submit_cron(&f, "passed", "20 8 * * *", "UTC");
    assert_time(run_next(&f, "fixed"), "2027-01-15T08:30:00Z");
    submit_cron(&f, "new", "10 8 * * *", "UTC");
    set_wall(&f, -HOUR);
    set_wall(&f, 2 * HOUR);                     /* 09:30 */
    assert_time(next_of(&f, "fixed"), "2027-01-16T08:30:00Z");
    assert_time(next_of(&f, "passed"), "2027-01-16T08:20:00Z");
    assert_time(next_of(&f, "new"), "2027-01-16T08:10:00Z");
    fixture_close(&f);
}

static void
test_fixed_times_do_not_repeat_though_a_task_is_moved_before_the_mark(void **state)
{
    struct pawl_view view;
    int64_t old_offset_ns;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_cron(&f, "fixed", "30 8 * * *", "UTC");
    assert_time(run_next(&f, "fixed"), "2027-01-15T08:30:00Z");
    view = get(&f, "fixed");
    old_offset_ns = atomic_fetch_add(&f.clock.offset, -HOUR);   /* the thread is not told yet */
    pawl_wall_check(f.handle, view.private_task, old_offset_ns);
    pawl_view_release(&view);
    assert_time(next_of(&f, "fixed"), "2027-01-16T08:30:00Z");
    set_wall(&f, 0);
    assert_time(next_of(&f, "fixed"), "2027-01-16T08:30:00Z");
    fixture_close(&f);
}

static void
test_jumped_over_times_run_once_though_they_ran_before_they_were_moved(void **state)
{
    static const char *const expressions[] = {"30 * * * *", "30 8,9,10,11 * * *"};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    for (size_t i = 0; i < 2; i++) {
        int64_t old_offset_ns = atomic_load(&f.clock.offset);
        struct pawl_view view;

        submit_cron(&f, expressions[i], expressions[i], "UTC");
        set_wall(&f, 3 * HOUR);                 /* 11:00 */
        view = await_version(&f, expressions[i], 2);
        pawl_wall_check(f.handle, view.private_task, old_offset_ns);
        pawl_view_release(&view);
        view = get(&f, expressions[i]);
        assert_time(view.next_ns, "2027-01-15T11:30:00Z");
        assert_int_equal(view.run_count, 1);
        assert_int_equal(view.missed, 2);
        pawl_view_release(&view);
        set_wall(&f, -3 * HOUR);
    }
    fixture_close(&f);
}

static void
test_set_back_far_is_a_correction_that_all_follow(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_cron(&f, "fixed", "30 8 * * *", "UTC");
    assert_time(run_next(&f, "fixed"), "2027-01-15T08:30:00Z");
    set_wall(&f, -48 * HOUR);
    assert_time(run_next(&f, "fixed"), "2027-01-14T08:30:00Z");     /* not a wait of three days */
    fixture_close(&f);
}

static void
test_several_small_steps_back_become_a_correction(void **state)
{
    struct fixture f;

    (void) state;
    assert_true(pawl_wall_high(INT64_MIN, 100 * HOUR, 98 * HOUR) == 100 * HOUR);
    assert_true(pawl_wall_high(100 * HOUR, 98 * HOUR, 98 * HOUR + 5) == 100 * HOUR);
    assert_true(pawl_wall_high(100 * HOUR, 98 * HOUR, 97 * HOUR) == INT64_MIN);
    assert_true(pawl_wall_high(100 * HOUR, 98 * HOUR, 101 * HOUR) == 100 * HOUR);
    assert_true(pawl_wall_high(INT64_MIN, 98 * HOUR, 101 * HOUR) == INT64_MIN);
    fixture_open(&f);
    submit_cron(&f, "fixed", "0 7,8 * * *", "UTC");
    set_wall(&f, -2 * HOUR);                    /* 06:00 */
    assert_time(next_of(&f, "fixed"), "2027-01-16T07:00:00Z");
    set_wall(&f, -2 * HOUR);                    /* 04:00 */
    assert_time(next_of(&f, "fixed"), "2027-01-15T07:00:00Z");
    fixture_close(&f);
}

static void
test_at_and_start_follow_the_wall_clock(void **state)
{
    struct pawl_trigger once = BY_AT(START_WALL + 10 * HOUR), span = BY_SPAN(HOUR);
    struct pawl_when at_ten = {.triggers = &once, .ntriggers = 1, ALWAYS};
    struct pawl_when from_ten = {.triggers = &span, .ntriggers = 1,
                                 .start_ns = START_WALL + 10 * HOUR, .end_ns = PAWL_NO_TIME};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "at", PAWL_DELAY, &at_ten);
    submit_when(&f, "start", PAWL_CRON, &from_ten);
    set_wall(&f, 6 * HOUR);
    fixture_advance(&f, 4 * HOUR);
    view = await_version(&f, "at", 2);
    assert_true(view.results[0]->scheduled_ns == START_WALL + 10 * HOUR);
    pawl_view_release(&view);
    view = await_version(&f, "start", 2);
    assert_true(view.results[0]->scheduled_ns == START_WALL + 10 * HOUR);
    pawl_view_release(&view);
    set_wall(&f, -6 * HOUR);                    /* now a span is under way */
    assert_true(next_of(&f, "start") == START_WALL + 5 * HOUR);
    fixture_close(&f);
}

static void
test_a_mixed_schedule_keeps_the_phase_of_its_span(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_CRON("45 * * * *", "UTC"), BY_SPAN(30 * MINUTE)), ALWAYS};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "m", PAWL_CRON, &when);
    assert_time(next_of(&f, "m"), "2027-01-15T08:30:00Z");
    set_wall(&f, 40 * MINUTE);                  /* 08:40 */
    assert_time(run_next(&f, "m"), "2027-01-15T08:45:00Z");
    assert_time(run_next(&f, "m"), "2027-01-15T09:10:00Z");     /* 30 minutes after the start */
    assert_time(run_next(&f, "m"), "2027-01-15T09:40:00Z");
    assert_time(run_next(&f, "m"), "2027-01-15T09:45:00Z");
    fixture_close(&f);
}

static void
test_due_time_that_waits_for_its_jitter_is_not_lost_when_the_clock_is_set(void **state)
{
    static const int64_t steps[] = {MINUTE, -MINUTE, -40 * MINUTE, 30 * MINUTE};
    struct pawl_when whens[] = {
        {TRIGGERS(BY_CRON("30 8 * * *", "UTC")), ALWAYS, .jitter_ns = 10 * HOUR},
        {TRIGGERS(BY_CRON("30 8 * * *", "UTC")), ALWAYS, .jitter_ns = 10 * HOUR,
         .is_jitter_random = true},
        {TRIGGERS(BY_AT(START_WALL + 30 * MINUTE)), ALWAYS, .jitter_ns = 10 * HOUR},
    };

    (void) state;
    for (size_t i = 0; i < 12; i++) {
        struct fixture f;
        int64_t next_ns;

        fixture_open(&f);
        submit_when(&f, "w", PAWL_CRON, &whens[i % 3]);
        next_ns = next_of(&f, "w");
        assert_true(next_ns > START_WALL + 50 * MINUTE);
        fixture_advance(&f, 45 * MINUTE);           /* 08:45: it came, and waits */
        set_wall(&f, steps[i / 3]);
        assert_true(next_of(&f, "w") == next_ns || next_ns <= wall_now(&f));
        assert_time(run_next(&f, "w"), "2027-01-15T08:30:00Z");
        fixture_close(&f);
    }
}

static void
test_new_task_fires_in_the_time_that_the_clock_repeats(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    set_wall(&f, -HOUR);                            /* 07:00 */
    submit_cron(&f, "new", "0 9 * * *", "UTC");
    submit_cron(&f, "soon", "15,30 7 * * *", "UTC");
    assert_time(next_of(&f, "soon"), "2027-01-15T07:15:00Z");
    set_wall(&f, SECOND);
    assert_time(run_next(&f, "soon"), "2027-01-15T07:15:00Z");
    assert_time(run_next(&f, "soon"), "2027-01-15T07:30:00Z");
    assert_time(run_next(&f, "soon"), "2027-01-16T07:15:00Z");
    fixture_close(&f);
}

static void
test_set_forward_fires_no_span_before_it_began(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_CRON("20 9 * * *", "UTC"), BY_SPAN(50 * MINUTE)), ALWAYS};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "m", PAWL_CRON, &when);
    set_wall(&f, 2 * HOUR);                     /* 10:00; the span is due 50 minutes from now */
    view = await_version(&f, "m", 2);
    assert_int_equal(view.missed, 0);
    assert_time(view.results[0]->scheduled_ns, "2027-01-15T09:20:00Z");
    assert_time(view.next_ns, "2027-01-15T10:50:00Z");
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_what_is_over_or_stopped_stays_so(void **state)
{
    struct fixture f;
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    submit_cron(&f, "c", "0 * * * *", "UTC");
    assert_int_equal(stop(&f, "c"), PAWL_OK);
    set_wall(&f, 5 * HOUR);
    view = get(&f, "c");
    assert_int_equal(view.version, 1);
    assert_int_equal(view.run_count, 0);
    assert_true(view.next_ns == PAWL_NO_TIME);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_set_forward_past_the_end_ends_a_span(void **state)
{
    struct pawl_trigger trigger = BY_SPAN(HOUR);
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, .start_ns = PAWL_NO_TIME,
                             .end_ns = START_WALL + 5 * HOUR};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "e", PAWL_CRON, &when);
    run_next(&f, "e");
    set_wall(&f, 10 * HOUR);
    view = await_version(&f, "e", 3);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.run_count, 1);
    assert_true(view.next_ns == PAWL_NO_TIME);
    pawl_view_release(&view);
    assert_int_equal(stats_of(&f).pending, 0);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_of_day_follow_and_spans_do_not),
        cmocka_unit_test(test_set_forward_runs_once_what_was_jumped_over),
        cmocka_unit_test(test_set_back_a_little_repeats_no_fixed_time),
        cmocka_unit_test(test_set_on_over_the_high_mark_repeats_no_fixed_time),
        cmocka_unit_test(test_fixed_times_do_not_repeat_though_a_task_is_moved_before_the_mark),
        cmocka_unit_test(test_jumped_over_times_run_once_though_they_ran_before_they_were_moved),
        cmocka_unit_test(test_set_back_far_is_a_correction_that_all_follow),
        cmocka_unit_test(test_several_small_steps_back_become_a_correction),
        cmocka_unit_test(test_at_and_start_follow_the_wall_clock),
        cmocka_unit_test(test_a_mixed_schedule_keeps_the_phase_of_its_span),
        cmocka_unit_test(
            test_due_time_that_waits_for_its_jitter_is_not_lost_when_the_clock_is_set),
        cmocka_unit_test(test_new_task_fires_in_the_time_that_the_clock_repeats),
        cmocka_unit_test(test_set_forward_fires_no_span_before_it_began),
        cmocka_unit_test(test_what_is_over_or_stopped_stays_so),
        cmocka_unit_test(test_set_forward_past_the_end_ends_a_span),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
