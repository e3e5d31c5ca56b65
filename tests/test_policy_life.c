/* test_policy_life.c: what the model of a task's life (policy_model.h) was once the first to say, case by
 * case. All times are in minutes after the submission; each step is compared with the model as well. */
#include "policy_life.h"

static struct model *
prepare(enum pawl_type type, int64_t span)
{
    clear_life(&life, 1);
    life.model.type = type;
    life.model.span_ns = span * MINUTE;
    life.model.has_policy = true;
    if (type == PAWL_DELAY)
        life.model.looked_ns = INT64_MIN / 4;
    return &life.model;
}

static void
begin_task(void)
{
    assert_true(submit_life(&life));
    check_life(&life);
}

static void
go_to(int64_t minute)
{
    life.model.now_ns = life.model.created_ns + minute * MINUTE;
    note(&life.model, "\n@%d ", (int) minute);
    check_life(&life);
}

/* The task starts at a minute, and what it starts was due at another. */
static void
start_at(int64_t minute, int64_t due)
{
    go_to(minute);
    try_start(&life);
    assert_int_equal(life.model.running, 1);
    assert_int_equal((life.model.run_due_ns - life.model.created_ns) / MINUTE, due);
}

static void
finish_at(int64_t minute, int exit_code)
{
    go_to(minute);
    finish(&life, exit_code);
}

static void
ask_at(int64_t minute, enum pawl_event_kind kind)
{
    go_to(minute);
    assert_true(ask(&life, kind));
}

/* What readers see. */
static struct pawl_view
seen(void)
{
    look(&life);
    pawl_view_release(&life.view);      /* counters and flags stay */
    return life.view;
}

static void
check_counts(uint64_t skipped, uint64_t missed, uint64_t failures)
{
    struct pawl_view view = seen();

    assert_int_equal(view.skipped_overlap, skipped);
    assert_int_equal(view.missed, missed);
    assert_int_equal(view.failure_count, failures);
}

static void
test_pause_does_not_take_back_what_a_run_skipped(void **state)
{
    (void) state;
    prepare(PAWL_CRON, 10);
    begin_task();
    start_at(10, 10);
    go_to(35);
    check_counts(2, 0, 0);
    ask_at(35, PAWL_EVENT_PAUSE);
    check_counts(2, 0, 0);
    finish_at(45, 0);
    ask_at(65, PAWL_EVENT_RESUME);
    check_counts(2, 2, 0);              /* 40 and 50 were missed, 60 is made up for */
    start_at(65, 60);
    end_life(&life);
}

static void
test_stop_counts_what_came_and_is_not_run(void **state)
{
    (void) state;
    prepare(PAWL_CRON, 10);
    begin_task();
    start_at(10, 10);
    ask_at(35, PAWL_EVENT_STOP);
    check_counts(2, 0, 0);
    end_life(&life);
    prepare(PAWL_CRON, 10);
    begin_task();
    ask_at(5, PAWL_EVENT_PAUSE);
    ask_at(35, PAWL_EVENT_STOP);
    check_counts(0, 3, 0);
    assert_int_equal(seen().missed_paused, 3);
    end_life(&life);
    prepare(PAWL_CRON, 10)->policy.overlap = PAWL_OVERLAP_QUEUE;
    begin_task();
    start_at(10, 10);
    ask_at(25, PAWL_EVENT_STOP);        /* 20 waits */
    check_counts(1, 0, 0);
    end_life(&life);
}

static void
test_stop_of_a_task_that_waits_for_a_retry_counts_the_failure(void **state)
{
    (void) state;
    prepare(PAWL_DELAY, 10)->policy.retries = 3;
    begin_task();
    start_at(10, 10);
    finish_at(11, 1);
    check_counts(0, 0, 0);
    ask_at(11, PAWL_EVENT_STOP);
    check_counts(0, 0, 1);
    end_life(&life);
}

static void
test_run_of_a_stopped_task_leaves_no_attempt_behind(void **state)
{
    (void) state;
    prepare(PAWL_CRON, 10)->policy.retries = 3;
    begin_task();
    start_at(10, 10);
    ask_at(11, PAWL_EVENT_STOP);
    assert_int_equal(seen().attempt, 1);
    finish_at(12, 1);
    assert_int_equal(seen().attempt, 0);
    check_counts(0, 0, 1);
    end_life(&life);
}

static void
test_due_times_are_shown_as_skipped_while_a_retry_waits(void **state)
{
    struct model *m = prepare(PAWL_CRON, 10);

    (void) state;
    m->policy.retries = 1;
    m->policy.retry_delay_ns = 20 * MINUTE;
    begin_task();
    start_at(10, 10);
    go_to(25);
    check_counts(1, 0, 0);
    finish_at(25, 1);
    check_counts(1, 0, 0);
    go_to(31);
    check_counts(2, 0, 0);
    end_life(&life);
}

static void
test_delay_that_runs_in_a_pause_ends_without_it(void **state)
{
    (void) state;
    prepare(PAWL_DELAY, 10);
    begin_task();
    ask_at(1, PAWL_EVENT_PAUSE);
    ask_at(2, PAWL_EVENT_RUN);
    go_to(2);
    try_start(&life);
    finish_at(3, 0);
    assert_int_equal(seen().status, PAWL_EXECUTED);
    assert_false(seen().is_paused);
    assert_false(ask(&life, PAWL_EVENT_RESUME));
    end_life(&life);
}

static void
test_delay_with_attempts_left_can_be_paused_in_its_run(void **state)
{
    (void) state;
    prepare(PAWL_DELAY, 10);
    begin_task();
    start_at(10, 10);
    assert_false(ask(&life, PAWL_EVENT_PAUSE));
    end_life(&life);
    prepare(PAWL_DELAY, 10)->policy.retries = 1;
    begin_task();
    start_at(10, 10);
    assert_true(ask(&life, PAWL_EVENT_PAUSE));
    finish_at(11, 1);
    go_to(60);
    try_start(&life);
    assert_int_equal(life.model.running, 0);
    ask_at(60, PAWL_EVENT_RESUME);
    start_at(60, 10);
    end_life(&life);
}

static void
test_resume_keeps_the_retry_of_a_task_without_a_further_due_time(void **state)
{
    struct model *m = prepare(PAWL_CRON, 10);

    (void) state;
    m->end_ns = m->created_ns + 25 * MINUTE;
    m->policy.retries = 1;
    m->policy.retry_delay_ns = HOUR;
    m->policy.misfire = PAWL_MISFIRE_SKIP;
    begin_task();
    start_at(10, 10);
    finish_at(11, 1);
    ask_at(12, PAWL_EVENT_PAUSE);
    ask_at(30, PAWL_EVENT_RESUME);
    assert_int_equal(seen().status, PAWL_WAIT_FOR_NEXT);
    start_at(71, 10);
    finish_at(72, 0);
    assert_int_equal(seen().status, PAWL_EXECUTED);
    end_life(&life);
}

static void
test_due_time_that_replaces_runs_also_if_the_run_ends_first(void **state)
{
    (void) state;
    prepare(PAWL_CRON, 10)->policy.overlap = PAWL_OVERLAP_REPLACE;
    life.model.policy.retries = 5;
    begin_task();
    start_at(10, 10);
    finish_at(20, 1);                   /* before anybody saw that it is 20 */
    start_at(20, 20);
    check_counts(0, 0, 1);
    end_life(&life);
}

static void
test_due_time_replaces_the_retry_that_waits(void **state)
{
    struct model *m = prepare(PAWL_CRON, 10);

    (void) state;
    m->policy.overlap = PAWL_OVERLAP_REPLACE;
    m->policy.retries = 5;
    m->policy.retry_delay_ns = HOUR;
    begin_task();
    start_at(10, 10);
    finish_at(11, 1);
    assert_int_equal(seen().next_ns, wall_of(m, m->created_ns + 20 * MINUTE));
    start_at(20, 20);
    assert_int_equal(seen().attempt, 1);
    check_counts(0, 0, 1);
    end_life(&life);
}

static void
test_run_that_is_asked_for_is_not_replaced_by_what_came_before_it(void **state)
{
    (void) state;
    prepare(PAWL_CRON, 10)->policy.overlap = PAWL_OVERLAP_REPLACE;
    begin_task();
    start_at(10, 10);
    go_to(21);
    try_start(&life);                   /* 20 ends the run */
    ask_at(22, PAWL_EVENT_RUN);
    finish_at(22, -1);
    start_at(22, 22);
    check_counts(1, 0, 1);
    go_to(29);
    try_start(&life);
    assert_false(life.model.is_replaced);
    end_life(&life);
}

static void
test_what_is_made_up_for_is_not_replaced(void **state)
{
    struct model *m = prepare(PAWL_CRON, 10);

    (void) state;
    m->policy.overlap = PAWL_OVERLAP_REPLACE;
    m->policy.misfire = PAWL_MISFIRE_ALL;
    begin_task();
    ask_at(1, PAWL_EVENT_PAUSE);
    ask_at(35, PAWL_EVENT_RESUME);
    for (int64_t due = 10; due <= 30; due += 10) {
        start_at(36, due);
        try_start(&life);
        assert_false(life.model.is_replaced);
        finish_at(36, 0);
    }
    check_counts(0, 0, 0);
    end_life(&life);
}

static void
test_runs_that_are_made_up_for_come_to_an_end(void **state)
{
    struct model *m = prepare(PAWL_CRON, 10);

    (void) state;
    m->policy.misfire = PAWL_MISFIRE_ALL;
    begin_task();
    ask_at(1, PAWL_EVENT_PAUSE);
    ask_at(25, PAWL_EVENT_RESUME);
    start_at(25, 10);
    finish_at(40, 0);                   /* each run is longer than the interval */
    check_counts(0, 0, 0);
    start_at(40, 20);                   /* the last one of them */
    check_counts(2, 0, 0);
    finish_at(55, 0);
    check_counts(3, 0, 0);              /* 30, 40 and 50 came during runs: they are skipped, as ever */
    start_at(60, 60);
    end_life(&life);
}

static void
test_what_was_missed_in_a_pause_is_made_up_for_after_the_run(void **state)
{
    (void) state;
    for (int n = 1; n <= 2; n++) {
        prepare(PAWL_CRON, 10)->policy.misfire = PAWL_MISFIRE_ALL;
        begin_task();
        start_at(10, 10);
        ask_at(11, PAWL_EVENT_PAUSE);
        ask_at(15 + 10 * n, PAWL_EVENT_RESUME);
        finish_at(15 + 10 * n, 0);
        for (int i = 1; i <= n; i++) {
            start_at(15 + 10 * n, 10 + 10 * i);
            finish_at(15 + 10 * n, 0);
        }
        check_counts(0, 0, 0);
        end_life(&life);
    }
}

static void
test_span_from_completion_does_not_hide_a_due_time_that_waits(void **state)
{
    struct model *m = prepare(PAWL_CRON, 7);

    (void) state;
    m->policy.overlap = PAWL_OVERLAP_QUEUE;
    m->from_completion = true;
    m->cron_ns = 10 * MINUTE;
    m->span_due_ns = m->created_ns + 7 * MINUTE;
    begin_task();
    start_at(7, 7);
    finish_at(12, 0);                   /* 10 came meanwhile */
    start_at(12, 10);
    finish_at(12, 0);
    start_at(19, 19);
    check_counts(0, 0, 0);
    end_life(&life);
}

static void
test_failed_condition_of_a_stopped_task_gives_it_no_due_time(void **state)
{
    (void) state;
    prepare(PAWL_CRON, 10);
    begin_task();
    start_at(10, 10);
    ask_at(11, PAWL_EVENT_STOP);
    go_to(12);
    finish_one(&life, 0, 1, true);
    assert_true(seen().next_ns == PAWL_NO_TIME);
    assert_true(fires_ns(&life) == PAWL_NO_TIME);
    end_life(&life);
}

static void
test_failed_condition_brings_nothing_back_that_ran_beside_it(void **state)
{
    struct model *m = prepare(PAWL_CRON, 10);

    (void) state;
    m->policy.overlap = PAWL_OVERLAP_ALLOW;
    m->policy.max_running = 2;
    m->max_runs = 2;
    begin_task();
    start_at(10, 10);
    go_to(20);
    try_start(&life);
    assert_int_equal(m->running, 2);
    go_to(21);
    finish_one(&life, 0, 1, true);
    assert_int_equal(seen().next_ns, wall_of(m, m->created_ns + 30 * MINUTE));
    end_life(&life);
    m = prepare(PAWL_CRON, 10);
    m->policy.overlap = PAWL_OVERLAP_ALLOW;
    m->policy.max_running = 2;
    m->end_ns = m->created_ns + 20 * MINUTE;
    begin_task();
    start_at(10, 10);
    go_to(20);
    try_start(&life);
    go_to(21);
    finish_one(&life, 0, 1, true);
    assert_true(seen().next_ns == PAWL_NO_TIME);
    finish(&life, 0);
    assert_int_equal(seen().status, PAWL_EXECUTED);
    end_life(&life);
}

static void
test_task_that_never_ran_has_not_had_its_max_runs(void **state)
{
    struct model *m = prepare(PAWL_CRON, 10);

    (void) state;
    m->policy.misfire = PAWL_MISFIRE_SKIP;
    m->end_ns = m->created_ns + 25 * MINUTE;
    m->max_runs = 1;
    begin_task();
    go_to(60);
    try_start(&life);
    assert_int_equal(seen().status, PAWL_EXECUTED);
    assert_int_equal(seen().end_reason, PAWL_END_AT);
    end_life(&life);
}

/* Where nothing had run yet, what came then was told from the start of no run. */
static void
test_full_group_of_the_last_run_leaves_the_due_times_behind_it(void **state)
{
    struct model *m = prepare(PAWL_CRON, 10);

    (void) state;
    m->policy.overlap = PAWL_OVERLAP_ALLOW;
    m->policy.max_running = 2;
    m->max_runs = 1;
    begin_task();
    go_to(10);
    try_start_in(&life, true);
    assert_int_equal(seen().skipped_group, 1);
    start_at(20, 20);
    end_life(&life);
}

static void
test_full_group_leaves_no_due_time_that_is_run_whatever_its_age(void **state)
{
    (void) state;
    prepare(PAWL_CRON, 10)->policy.overlap = PAWL_OVERLAP_QUEUE;
    begin_task();
    start_at(10, 10);
    finish_at(21, 0);                   /* 20 waits */
    try_start_in(&life, true);
    assert_int_equal(seen().skipped_group, 1);
    start_at(55, 50);                   /* the machine slept */
    check_counts(0, 2, 0);
    end_life(&life);
}

static int
open_cb(void **state)
{
    (void) state;
    open_lives();
    return 0;
}

static int
close_cb(void **state)
{
    (void) state;
    close_lives();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pause_does_not_take_back_what_a_run_skipped),
        cmocka_unit_test(test_stop_counts_what_came_and_is_not_run),
        cmocka_unit_test(test_stop_of_a_task_that_waits_for_a_retry_counts_the_failure),
        cmocka_unit_test(test_run_of_a_stopped_task_leaves_no_attempt_behind),
        cmocka_unit_test(test_due_times_are_shown_as_skipped_while_a_retry_waits),
        cmocka_unit_test(test_delay_that_runs_in_a_pause_ends_without_it),
        cmocka_unit_test(test_delay_with_attempts_left_can_be_paused_in_its_run),
        cmocka_unit_test(test_resume_keeps_the_retry_of_a_task_without_a_further_due_time),
        cmocka_unit_test(test_due_time_that_replaces_runs_also_if_the_run_ends_first),
        cmocka_unit_test(test_due_time_replaces_the_retry_that_waits),
        cmocka_unit_test(test_run_that_is_asked_for_is_not_replaced_by_what_came_before_it),
        cmocka_unit_test(test_what_is_made_up_for_is_not_replaced),
        cmocka_unit_test(test_runs_that_are_made_up_for_come_to_an_end),
        cmocka_unit_test(test_what_was_missed_in_a_pause_is_made_up_for_after_the_run),
        cmocka_unit_test(test_span_from_completion_does_not_hide_a_due_time_that_waits),
        cmocka_unit_test(test_failed_condition_of_a_stopped_task_gives_it_no_due_time),
        cmocka_unit_test(test_failed_condition_brings_nothing_back_that_ran_beside_it),
        cmocka_unit_test(test_task_that_never_ran_has_not_had_its_max_runs),
        cmocka_unit_test(test_full_group_of_the_last_run_leaves_the_due_times_behind_it),
        cmocka_unit_test(test_full_group_leaves_no_due_time_that_is_run_whatever_its_age),
    };

    return cmocka_run_group_tests(tests, open_cb, close_cb);
}
