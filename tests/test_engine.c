/* test_engine.c: what the engine promises, through its public header, on the manual clock. */
#include "engine_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

static void
test_delay_runs_once_and_ends_executed_at_version_2(void **state)
{
    struct fixture f;
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_DELAY, 10 * SECOND, "echo hi; echo oops >&2");
    view = get(&f, "a");
    assert_int_equal(view.version, 0);
    assert_int_equal(view.status, PAWL_TO_BE_EXECUTED);
    assert_true(view.next_ns == view.created_ns + 10 * SECOND);
    assert_true(view.created_ns == START_WALL);
    pawl_view_release(&view);
    fixture_advance(&f, 10 * SECOND);
    view = await_version(&f, "a", 2);
    assert_int_equal(view.version, 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.running, 0);
    assert_true(view.next_ns == PAWL_NO_TIME);
    assert_int_equal(view.nresults, 1);
    assert_int_equal(view.results[0]->outcome, PAWL_SUCCESS);
    assert_int_equal(view.results[0]->exit_code, 0);
    assert_int_equal(view.results[0]->out_len, 3);
    assert_memory_equal(view.results[0]->out, "hi\n", 3);
    assert_memory_equal(view.results[0]->err, "oops\n", 5);
    assert_true(view.results[0]->scheduled_ns == START_WALL + 10 * SECOND);
    assert_true(view.results[0]->started_ns == view.previous_ns);
    pawl_view_release(&view);
    assert_int_equal(stop(&f, "a"), PAWL_ESTATE);
    fixture_close(&f);
}

static void
test_task_one_nanosecond_early_does_not_run(void **state)
{
    struct fixture f;
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    submit(&f, "late", PAWL_DELAY, 2 * SECOND, "true");
    submit(&f, "soon", PAWL_DELAY, 2 * SECOND - 1, "true");
    fixture_advance(&f, 2 * SECOND - 1);
    view = await_version(&f, "soon", 2);
    pawl_view_release(&view);
    view = get(&f, "late");
    assert_int_equal(view.version, 0);
    pawl_view_release(&view);
    fixture_advance(&f, 1);
    view = await_version(&f, "late", 2);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_interval_is_fixed_rate_and_counts_what_it_skips(void **state)
{
    struct fixture f;
    struct pawl_view view;
    int64_t start;

    (void) state;
    fixture_open(&f);
    submit(&f, "c", PAWL_CRON, SECOND, "true");
    view = get(&f, "c");
    start = view.created_ns;
    assert_true(view.next_ns == start + SECOND);
    pawl_view_release(&view);
    fixture_advance(&f, SECOND + 300 * MS);
    view = await_version(&f, "c", 2);
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_true(view.next_ns == start + 2 * SECOND);
    assert_true(view.results[0]->scheduled_ns == start + SECOND);
    assert_int_equal(view.skipped_overlap, 0);
    pawl_view_release(&view);
    fixture_advance(&f, 700 * MS);
    view = await_version(&f, "c", 4);
    assert_true(view.next_ns == start + 3 * SECOND);
    assert_int_equal(view.run_count, 2);
    pawl_view_release(&view);
    assert_int_equal(stop(&f, "c"), PAWL_OK);
    assert_int_equal(stop(&f, "c"), PAWL_ESTATE);
    view = get(&f, "c");
    assert_int_equal(view.version, 5);
    assert_int_equal(view.status, PAWL_STOPPED);
    assert_true(view.next_ns == PAWL_NO_TIME);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
make_gate(char gate[64])
{
    strcpy(gate, "/tmp/pawl-gate-XXXXXX");
    assert_non_null(mkdtemp(gate));
    strcat(gate, "/g");
    assert_int_equal(mkfifo(gate, 0600), 0);
}

static void
open_gate(char gate[64])
{
    FILE *file = fopen(gate, "w");

    fclose(file);
    unlink(gate);
    *strrchr(gate, '/') = '\0';
    rmdir(gate);
}

static void
test_due_times_that_pass_during_a_run_are_skipped(void **state)
{
    struct fixture f;
    struct pawl_view view;
    char gate[64], script[96];
    int64_t start;

    (void) state;
    make_gate(gate);
    snprintf(script, sizeof script, "read x < %s", gate);
    fixture_open(&f);
    submit(&f, "c", PAWL_CRON, SECOND, script);
    fixture_advance(&f, SECOND);
    view = await_version(&f, "c", 1);
    start = view.created_ns;
    assert_int_equal(view.status, PAWL_EXECUTING);
    assert_int_equal(view.running, 1);
    pawl_view_release(&view);
    fixture_advance(&f, 3 * SECOND + 500 * MS);     /* 2, 3 and 4 s pass */
    view = get(&f, "c");
    assert_int_equal(view.skipped_overlap, 3);
    assert_true(view.next_ns == start + 5 * SECOND);
    pawl_view_release(&view);
    open_gate(gate);
    view = await_version(&f, "c", 2);
    assert_int_equal(view.skipped_overlap, 3);
    assert_true(view.next_ns == start + 5 * SECOND);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_stop_during_a_cron_run_keeps_the_run_and_its_result(void **state)
{
    struct fixture f;
    struct pawl_view view;
    char gate[64], script[96];

    (void) state;
    make_gate(gate);
    snprintf(script, sizeof script, "read x < %s; echo done", gate);
    fixture_open(&f);
    submit(&f, "c", PAWL_CRON, SECOND, script);
    fixture_advance(&f, SECOND);
    view = await_version(&f, "c", 1);
    pawl_view_release(&view);
    assert_int_equal(stop(&f, "c"), PAWL_OK);
    view = get(&f, "c");
    assert_int_equal(view.status, PAWL_STOPPED);
    assert_int_equal(view.running, 1);
    assert_int_equal(view.version, 2);
    pawl_view_release(&view);
    open_gate(gate);
    view = await_version(&f, "c", 3);
    assert_int_equal(view.status, PAWL_STOPPED);
    assert_int_equal(view.running, 0);
    assert_int_equal(view.nresults, 1);
    assert_memory_equal(view.results[0]->out, "done\n", 5);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_stop_during_a_delay_run_is_refused(void **state)
{
    struct fixture f;
    struct pawl_view view;
    char gate[64], script[96];

    (void) state;
    make_gate(gate);
    snprintf(script, sizeof script, "read x < %s", gate);
    fixture_open(&f);
    submit(&f, "d", PAWL_DELAY, 0, script);
    view = await_version(&f, "d", 1);
    pawl_view_release(&view);
    assert_int_equal(stop(&f, "d"), PAWL_ESTATE);
    open_gate(gate);
    view = await_version(&f, "d", 2);
    assert_int_equal(view.version, 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_id_is_free_after_delete_and_the_old_run_leaves_no_trace(void **state)
{
    struct fixture f;
    struct pawl_view view;
    struct awaited awaited = {.watch.changed = awaited_cb};
    char gate[64], script[96];

    (void) state;
    make_gate(gate);
    snprintf(script, sizeof script, "read x < %s; echo old", gate);
    fixture_open(&f);
    submit(&f, "x", PAWL_DELAY, 0, script);
    view = await_version(&f, "x", 1);
    pawl_view_release(&view);
    assert_int_equal(pawl_watch(f.handle, "x", 1, 1, &awaited.watch, &view), PAWL_PENDING);
    assert_int_equal(try_submit(&f, "x", PAWL_DELAY, 0, "true", NULL), PAWL_EEXIST);
    assert_int_equal(delete(&f, "x"), PAWL_OK);
    assert_int_equal(delete(&f, "x"), PAWL_ENOENT);
    submit(&f, "x", PAWL_DELAY, SECOND, "echo new");
    while (!awaited.is_over)
        fixture_deliver(&f);
    assert_true(awaited.is_gone);
    open_gate(gate);
    fixture_advance(&f, SECOND);
    view = await_version(&f, "x", 2);
    assert_int_equal(view.version, 2);
    assert_int_equal(view.nresults, 1);
    assert_memory_equal(view.results[0]->out, "new\n", 4);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_results_keep_the_newest_and_no_more(void **state)
{
    struct fixture f;
    struct pawl_spec spec = {
        .id = "k", .id_len = 1, .type = PAWL_CRON, .time_ns = SECOND, .script = "echo run",
        .script_len = 8, .keep_results = 2,
    };
    struct pawl_op op;
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    assert_int_equal(pawl_submit(f.handle, &spec, &op, NULL), PAWL_OK);
    pawl_view_release(&op.view);
    for (int i = 1; i <= 4; i++) {
        fixture_advance(&f, SECOND);
        view = await_version(&f, "k", 2 * i);
        pawl_view_release(&view);
    }
    view = get(&f, "k");
    assert_int_equal(view.nresults, 2);
    assert_int_equal(view.results[0]->run, 3);
    assert_int_equal(view.results[1]->run, 4);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_outcomes_tell_failure_from_signal(void **state)
{
    struct fixture f;
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    submit(&f, "f", PAWL_DELAY, 0, "exit 3");
    submit(&f, "k", PAWL_DELAY, 0, "kill -KILL $$");
    view = await_version(&f, "f", 2);
    assert_int_equal(view.results[0]->outcome, PAWL_FAILURE);
    assert_int_equal(view.results[0]->exit_code, 3);
    assert_int_equal(view.failure_count, 1);
    pawl_view_release(&view);
    view = await_version(&f, "k", 2);
    assert_int_equal(view.results[0]->outcome, PAWL_KILLED);
    assert_int_equal(view.results[0]->signal, 9);
    assert_int_equal(view.results[0]->exit_code, -1);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_list_is_in_order_of_submission_and_filters(void **state)
{
    struct fixture f;
    struct pawl_cursor cursor = {0};
    struct pawl_filter filter = {.prefix = "t1", .prefix_len = 2};
    struct pawl_view view;
    char id[16];
    int n = 0, code;

    (void) state;
    fixture_open(&f);
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "t%d", i);
        submit(&f, id, i % 2 ? PAWL_CRON : PAWL_DELAY, SECOND, "true");
    }
    assert_int_equal(delete(&f, "t500"), PAWL_OK);
    for (int i = 0; (code = pawl_list_next(f.handle, NULL, &cursor, &view)) == PAWL_OK; i++) {
        i += i == 500;
        snprintf(id, sizeof id, "t%d", i);
        assert_int_equal(view.id_len, strlen(id));
        assert_memory_equal(view.id, id, view.id_len);
        pawl_view_release(&view);
        n++;
    }
    assert_int_equal(code, PAWL_ENOENT);
    assert_int_equal(n, 999);
    cursor = (struct pawl_cursor) {0};
    for (n = 0; pawl_list_next(f.handle, &filter, &cursor, &view) == PAWL_OK; n++)
        pawl_view_release(&view);
    assert_int_equal(n, 111);
    fixture_close(&f);
}

static void
test_limits_refuse_early(void **state)
{
    struct fixture f;
    struct pawl_options options;
    struct pawl_err err;

    (void) state;
    pawl_options_init(&options);
    options.max_pending = 2;
    options.max_memory_bytes = 100;
    fixture_open_with(&f, &options);
    submit(&f, "1", PAWL_DELAY, SECOND, "true");
    submit(&f, "2", PAWL_DELAY, SECOND, "true");
    assert_int_equal(try_submit(&f, "3", PAWL_DELAY, SECOND, "true", &err), PAWL_ELIMIT);
    assert_int_equal(stop(&f, "1"), PAWL_OK);
    submit(&f, "3", PAWL_DELAY, SECOND, "true");
    assert_int_equal(delete(&f, "3"), PAWL_OK);
    assert_int_equal(try_submit(&f, "4", PAWL_DELAY, SECOND,
                                "echo 0123456789012345678901234567890123456789012345678901234567890"
                                "123456789012345678901234567890", &err), PAWL_EBUDGET);
    submit(&f, "5", PAWL_DELAY, SECOND, "true");
    pawl_close_begin(f.engine);
    assert_int_equal(try_submit(&f, "6", PAWL_DELAY, SECOND, "true", &err), PAWL_ECLOSED);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delay_runs_once_and_ends_executed_at_version_2),
        cmocka_unit_test(test_task_one_nanosecond_early_does_not_run),
        cmocka_unit_test(test_interval_is_fixed_rate_and_counts_what_it_skips),
        cmocka_unit_test(test_due_times_that_pass_during_a_run_are_skipped),
        cmocka_unit_test(test_stop_during_a_cron_run_keeps_the_run_and_its_result),
        cmocka_unit_test(test_stop_during_a_delay_run_is_refused),
        cmocka_unit_test(test_id_is_free_after_delete_and_the_old_run_leaves_no_trace),
        cmocka_unit_test(test_results_keep_the_newest_and_no_more),
        cmocka_unit_test(test_outcomes_tell_failure_from_signal),
        cmocka_unit_test(test_list_is_in_order_of_submission_and_filters),
        cmocka_unit_test(test_limits_refuse_early),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
