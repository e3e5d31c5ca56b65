/* test_pause.c: a task is paused, resumed and run at once, in each of its states; on the manual clock. */
#include "restart_fixture.h"
#include "when_fixture.h"

typedef int change_call(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_op *op,
                        struct pawl_err *err);

/* Asks for a change, and gives its code; the text of a refusal must have `text` in it. */
static int
change(struct fixture *f, change_call *call, const char *id, const char *text)
{
    struct asked asked = {.op.done = asked_cb};
    struct pawl_err err = {0};
    int code = end_of(f, &asked, call(f->handle, id, strlen(id), &asked.op, &err));

    if (text && !strstr(err.text, text))
        fail_msg("'%s' does not say '%s'", err.text, text);
    return code;
}

static void
test_paused_task_does_not_run_and_resumed_runs_once(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "i", PAWL_CRON, 10 * MINUTE, ":");
    run_next(&f, "i");
    assert_int_equal(change(&f, pawl_pause, "i", NULL), PAWL_OK);
    view = get(&f, "i");
    assert_true(view.is_paused);
    assert_int_equal(view.version, 3);
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_true(view.next_ns == PAWL_NO_TIME);
    pawl_view_release(&view);
    fixture_advance(&f, 45 * MINUTE);           /* 08:55: 08:20, 08:30, 08:40 and 08:50 passed */
    submit(&f, "other", PAWL_DELAY, 0, ":");
    view = await_version(&f, "other", 2);
    pawl_view_release(&view);
    assert_int_equal(version_of(&f, "i"), 3);
    assert_int_equal(change(&f, pawl_resume, "i", NULL), PAWL_OK);
    view = await_version(&f, "i", 6);
    assert_false(view.is_paused);
    assert_int_equal(view.run_count, 2);
    assert_int_equal(view.missed, 3);
    assert_int_equal(view.missed_paused, 3);
    assert_time(view.results[1]->scheduled_ns, "2027-01-15T08:50:00Z");
    assert_time(view.next_ns, "2027-01-15T09:00:00Z");
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_resumed_before_its_time_waits_for_it(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "d", PAWL_DELAY, HOUR, ":");
    submit_cron(&f, "c", "0 * * * *", "UTC");
    assert_int_equal(change(&f, pawl_pause, "d", NULL), PAWL_OK);
    assert_int_equal(change(&f, pawl_pause, "c", NULL), PAWL_OK);
    fixture_advance(&f, 30 * MINUTE);
    assert_int_equal(change(&f, pawl_resume, "d", NULL), PAWL_OK);
    assert_int_equal(change(&f, pawl_resume, "c", NULL), PAWL_OK);
    assert_time(next_of(&f, "d"), "2027-01-15T09:00:00Z");
    assert_time(run_next(&f, "c"), "2027-01-15T09:00:00Z");
    fixture_close(&f);
}

static void
test_delay_that_came_due_while_paused_runs_when_resumed(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "d", PAWL_DELAY, HOUR, ":");
    assert_int_equal(change(&f, pawl_pause, "d", NULL), PAWL_OK);
    fixture_advance(&f, 5 * HOUR);
    assert_int_equal(change(&f, pawl_resume, "d", NULL), PAWL_OK);
    view = await_version(&f, "d", 4);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_time(view.results[0]->scheduled_ns, "2027-01-15T09:00:00Z");
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_run_now_leaves_the_schedule_as_it_is(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_CRON("0 * * * *", "UTC")), ALWAYS, .max_runs = 2};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "c", PAWL_CRON, &when);
    fixture_advance(&f, 10 * MINUTE);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(change(&f, pawl_run, "c", NULL), PAWL_OK);
        view = await_version(&f, "c", 2 * i);
        assert_int_equal(view.run_count, i);
        assert_time(view.results[i - 1]->scheduled_ns, "2027-01-15T08:10:00Z");
        assert_time(view.next_ns, "2027-01-15T09:00:00Z");
        pawl_view_release(&view);
    }
    assert_time(run_next(&f, "c"), "2027-01-15T09:00:00Z");     /* none of them counts for maxRuns */
    assert_time(run_next(&f, "c"), "2027-01-15T10:00:00Z");
    view = get(&f, "c");
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.run_count, 7);
    assert_int_equal(view.asked_count, 5);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_run_now_of_a_delay_is_its_run_and_of_one_that_ran_another(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "d", PAWL_DELAY, HOUR, ":");
    assert_int_equal(change(&f, pawl_run, "d", NULL), PAWL_OK);
    view = await_version(&f, "d", 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    pawl_view_release(&view);
    fixture_advance(&f, 2 * HOUR);
    assert_int_equal(version_of(&f, "d"), 2);       /* not again at its time */
    assert_int_equal(change(&f, pawl_run, "d", NULL), PAWL_OK);
    view = await_version(&f, "d", 4);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.run_count, 2);
    pawl_view_release(&view);
    assert_int_equal(stats_of(&f).pending, 0);
    fixture_advance(&f, 200 * HOUR);                /* it is forgotten as every other one */
    await(!is_there(&f, "d"));
    fixture_close(&f);
}

static void
test_paused_task_runs_when_asked_for(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "i", PAWL_CRON, HOUR, ":");
    assert_int_equal(change(&f, pawl_pause, "i", NULL), PAWL_OK);
    fixture_advance(&f, 90 * MINUTE);
    assert_int_equal(change(&f, pawl_run, "i", NULL), PAWL_OK);
    view = await_version(&f, "i", 3);
    assert_true(view.is_paused);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.skipped_overlap, 0);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_pause_during_a_run_lets_it_end_and_counts_later(void **state)
{
    struct pawl_view view;
    struct fixture f;
    char gate[64], script[128];

    (void) state;
    fixture_open(&f);
    make_gate(gate);
    snprintf(script, sizeof script, "read x < %s; :", gate);
    submit(&f, "i", PAWL_CRON, 10 * MINUTE, script);
    fixture_advance(&f, 10 * MINUTE);
    view = await_version(&f, "i", 1);
    pawl_view_release(&view);
    assert_int_equal(change(&f, pawl_pause, "i", NULL), PAWL_OK);
    assert_int_equal(change(&f, pawl_run, "i", "running already"), PAWL_ESTATE);
    fixture_advance(&f, 25 * MINUTE);
    open_gate(gate);
    view = await_version(&f, "i", 3);
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_int_equal(view.skipped_overlap + view.missed, 0);
    pawl_view_release(&view);
    assert_int_equal(change(&f, pawl_resume, "i", NULL), PAWL_OK);
    view = await_version(&f, "i", 5);
    assert_int_equal(view.missed, 1);               /* 08:20; 08:30 runs */
    pawl_view_release(&view);
    open_gate(gate);
    view = await_version(&f, "i", 6);
    assert_time(view.results[1]->scheduled_ns, "2027-01-15T08:30:00Z");
    pawl_view_release(&view);
    fixture_close(&f);
    unlink(gate);
}

static void
test_what_cannot_be_paused_or_run_says_why(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(change(&f, pawl_pause, "x", "no task"), PAWL_ENOENT);
    assert_int_equal(change(&f, pawl_run, "x", "no task"), PAWL_ENOENT);
    submit(&f, "c", PAWL_CRON, HOUR, ":");
    assert_int_equal(change(&f, pawl_resume, "c", "not paused"), PAWL_ESTATE);
    assert_int_equal(change(&f, pawl_pause, "c", NULL), PAWL_OK);
    assert_int_equal(change(&f, pawl_pause, "c", "paused already"), PAWL_ESTATE);
    assert_int_equal(stop(&f, "c"), PAWL_OK);
    assert_int_equal(change(&f, pawl_resume, "c", "not paused"), PAWL_ESTATE);
    assert_int_equal(change(&f, pawl_pause, "c", "stopped"), PAWL_ESTATE);
    assert_int_equal(change(&f, pawl_run, "c", "stopped"), PAWL_ESTATE);
    submit(&f, "d", PAWL_DELAY, 0, ":");
    view = await_version(&f, "d", 2);
    pawl_view_release(&view);
    assert_int_equal(change(&f, pawl_pause, "d", "has run"), PAWL_ESTATE);
    fixture_close(&f);
}

static void
test_pause_and_what_was_asked_for_come_back(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(f, "p", PAWL_CRON, 10 * MINUTE, ":");
    assert_int_equal(change(f, pawl_pause, "p", NULL), PAWL_OK);
    house_pass(&house, 45 * MINUTE);
    view = get(f, "p");
    assert_true(view.is_paused);
    assert_int_equal(view.missed, 0);
    assert_int_equal(view.run_count, 0);
    pawl_view_release(&view);
    assert_int_equal(change(f, pawl_run, "p", NULL), PAWL_OK);
    view = await_version(f, "p", 3);
    pawl_view_release(&view);
    assert_int_equal(change(f, pawl_resume, "p", NULL), PAWL_OK);
    view = await_version(f, "p", 6);
    assert_int_equal(view.missed, 3);
    assert_int_equal(view.asked_count, 1);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static bool
is_running(struct fixture *f, struct pawl_task *task)
{
    const struct pawl_snapshot *snapshot;
    bool result;

    pawl_epoch_begin(f->handle->epoch);
    snapshot = pawl_task_read_decided(task, NULL);
    result = snapshot && snapshot->running > 0;
    pawl_epoch_end(f->handle->epoch);
    return result;
}

/* A run that was asked for begins, and then all ends: only the table of runs knows of it. */
static void
live_into_an_asked_run(struct house *house)
{
    static struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;

    submit(&house->f, "a", PAWL_CRON, HOUR, "sleep 60");
    fixture_advance(&house->f, 10 * MINUTE);
    view = get(&house->f, "a");
    house_block();
    assert_int_equal(pawl_run(house->f.handle, "a", 1, &asked.op, NULL), PAWL_PENDING);
    await(is_running(&house->f, view.private_task));
}

static void
test_asked_run_that_a_crash_cut_keeps_the_phase(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_crash(&house, live_into_an_asked_run);
    fixture_advance(f, 20 * MINUTE);
    house_begin(&house);
    view = get(f, "a");
    assert_int_equal(view.run_count, 1);            /* lost, and not run again */
    assert_int_equal(view.asked_count, 1);
    assert_int_equal(view.results[0]->outcome, PAWL_LOST);
    assert_time(view.next_ns, "2027-01-15T09:00:00Z");
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paused_task_does_not_run_and_resumed_runs_once),
        cmocka_unit_test(test_resumed_before_its_time_waits_for_it),
        cmocka_unit_test(test_delay_that_came_due_while_paused_runs_when_resumed),
        cmocka_unit_test(test_run_now_leaves_the_schedule_as_it_is),
        cmocka_unit_test(test_run_now_of_a_delay_is_its_run_and_of_one_that_ran_another),
        cmocka_unit_test(test_paused_task_runs_when_asked_for),
        cmocka_unit_test(test_pause_during_a_run_lets_it_end_and_counts_later),
        cmocka_unit_test(test_what_cannot_be_paused_or_run_says_why),
        cmocka_unit_test(test_pause_and_what_was_asked_for_come_back),
        cmocka_unit_test(test_asked_run_that_a_crash_cut_keeps_the_phase),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
