/* test_condition.c: a condition, the script that each run begins with, on the manual clock. A script says
 * by a FIFO how far it is; what must not run would write there, too. */
#include "http_server.h"

#include <signal.h>

static struct gate gate;

static int
open_gate(void **state)
{
    (void) state;
    gate_open(&gate);
    return 0;
}

static int
close_gate(void **state)
{
    (void) state;
    gate_close(&gate);
    return 0;
}

static bool
is_silent(void)
{
    struct pollfd ready = {.fd = gate.fd, .events = POLLIN};

    return poll(&ready, 1, 0) == 0;
}

/* Both scripts find the gate in $G. */
static void
submit_with(struct fixture *f, enum pawl_type type, const char *condition, const char *script,
            struct pawl_action action)
{
    char variable[128];
    const char *env[] = {variable, NULL};
    struct pawl_spec spec = {
        .id = "t", .id_len = 1, .type = type, .time_ns = SECOND, .script = script,
        .script_len = strlen(script), .keep_results = -1, .action = &action,
    };
    struct asked asked = {.op.done = asked_cb};
    struct pawl_err err = {0};

    snprintf(variable, sizeof variable, "G=%s", gate.path);
    action.env = env;
    action.condition = condition;
    if (end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, &err)) != PAWL_OK)
        fail_msg("%s", err.text);
    fixture_advance(f, SECOND);
}

static void
submit_condition(struct fixture *f, enum pawl_type type, const char *condition, const char *script)
{
    submit_with(f, type, condition, script, (struct pawl_action) NO_ACTION);
}

static void
assert_result(struct fixture *f, enum pawl_outcome outcome, const char *out)
{
    struct pawl_view view = await_version(f, "t", 2);

    assert_int_equal(view.nresults, 1);
    assert_string_equal(pawl_outcome_name(view.results[0]->outcome), pawl_outcome_name(outcome));
    assert_string_equal(view.results[0]->out, out);
    assert_string_equal(view.results[0]->err, "");
    assert_int_equal(view.skipped_condition, 0);
    pawl_view_release(&view);
}

static void
test_after_a_condition_that_succeeds_the_script_runs_and_has_the_output(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_condition(&f, PAWL_DELAY, "echo dropped; echo dropped >&2; exit 0", "echo kept");
    assert_result(&f, PAWL_SUCCESS, "kept\n");
    fixture_close(&f);
}

static void
test_whatever_failure_of_it_skips_the_run(void **state)
{
    static const char *const failures[] = {
        "false", "exit 255", "kill -KILL $$", "kill -TERM $$", "/nowhere/program",
        "head -c 1000000 /dev/zero; sleep 1000 & exit 1",
    };

    (void) state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        struct pawl_view view;
        struct fixture f;

        fixture_open(&f);
        submit_condition(&f, PAWL_DELAY, failures[i], "printf x > $G");
        view = await_version(&f, "t", 2);
        assert_int_equal(view.status, PAWL_EXECUTED);
        assert_int_equal(view.end_reason, PAWL_END_SKIPPED);
        assert_int_equal(view.nresults, 0);
        assert_int_equal(view.running, 0);
        assert_int_equal(view.run_count, 1);
        assert_int_equal(view.failure_count, 0);
        assert_int_equal(view.skipped_condition, 1);
        pawl_view_release(&view);
        fixture_close(&f);
        assert_true(is_silent());
    }
}

static void
test_it_is_asked_anew_at_each_due_time(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_condition(&f, PAWL_CRON, "test $((PAWL_RUN % 2)) = 0", "echo $PAWL_RUN");
    for (int run = 1; run <= 6; run++) {
        view = await_version(&f, "t", 2 * run);
        assert_int_equal(view.run_count, run);
        assert_int_equal(view.skipped_condition, (run + 1) / 2);
        assert_int_equal(view.nresults, run / 2);
        if (run % 2 == 0)
            assert_int_equal(view.results[view.nresults - 1]->run, run);
        pawl_view_release(&view);
        fixture_advance(&f, SECOND);
    }
    fixture_close(&f);
}

static void
test_it_is_run_as_the_script_is(void **state)
{
    static const char *const args[] = {"a", "b c", NULL};
    static const char all[] = "\"$0|$1|$2|$PWD|$(umask)|$PAWL_TASK_ID|$PAWL_RUN|$PAWL_ATTEMPT|"
                              "$PAWL_SCHEDULED_AT|$BASH_VERSION\"";
    struct pawl_action action = NO_ACTION;
    char condition[512], script[512];
    struct pawl_view view;
    struct fixture f;
    char told[256];

    (void) state;
    action.interpreter = "sh";
    action.args = args;
    action.cwd = "/usr";
    action.umask = 027;
    for (int mode = PAWL_KILL_GROUP; mode < PAWL_NKILL_MODE; mode++) {
        struct pawl_options options;

        pawl_options_init(&options);
        options.nworkers = 1;
        options.tree_program = PAWL_TEST_TREE;
        fixture_open_with(&f, &options);
        action.kill_mode = (enum pawl_kill_mode) mode;
        snprintf(condition, sizeof condition, "printf %%s %s > $G; printf ! > $G", all);
        snprintf(script, sizeof script, "printf %%s %s", all);
        submit_with(&f, PAWL_DELAY, condition, script, action);
        for (size_t n = 0; n < sizeof told; n++) {
            if ((told[n] = gate_wait(&gate)) == '!') {
                told[n] = '\0';
                break;
            }
        }
        view = await_result(&f, "t");
        assert_string_equal(view.results[0]->out, told);
        assert_memory_equal(told, "pawl|a|b c|/usr|0027|t|1|1|20", 29);
        pawl_view_release(&view);
        fixture_close(&f);
    }
}

static void
test_a_long_one_is_run_and_what_is_none_is_refused(void **state)
{
    size_t len = PAWL_SCRIPT_MAX;
    char *text = malloc(len + 2);
    struct pawl_action action = NO_ACTION;
    struct pawl_err err;
    struct fixture f;

    (void) state;
    assert_non_null(text);
    memset(text, '#', len + 1);
    memcpy(text, "exit 0\n", 7);
    text[len] = '\0';
    fixture_open(&f);
    submit_condition(&f, PAWL_DELAY, text, "echo ran");
    assert_result(&f, PAWL_SUCCESS, "ran\n");
    action.condition = text;
    text[len] = '#';
    text[len + 1] = '\0';
    for (int i = 0; i < 3; i++) {
        err = (struct pawl_err) {0};
        assert_int_equal(try_submit_action(&f, "u", "true", &action, &err), PAWL_EINVAL);
        assert_string_equal(err.field, "condition");
        action.condition = i == 0 ? "" : "\xff";
    }
    fixture_close(&f);
    free(text);
}

/* --- The time limit --- */

static void
test_the_time_limit_ends_a_condition_and_is_an_outcome(void **state)
{
    struct pawl_action action = NO_ACTION;
    struct fixture f;

    (void) state;
    action.timeout_ns = SECOND;
    fixture_open(&f);
    submit_with(&f, PAWL_DELAY, "echo dropped; printf c > $G; exec sleep 1000", "printf x > $G",
                action);
    assert_int_equal(gate_wait(&gate), 'c');
    fixture_advance(&f, SECOND);
    assert_result(&f, PAWL_TIMEOUT, "");
    assert_true(is_silent());
    fixture_close(&f);
}

/* Also one that ends well when it is told to. */
static void
test_the_script_does_not_begin_behind_the_time_limit(void **state)
{
    struct pawl_action action = NO_ACTION;
    struct fixture f;

    (void) state;
    action.timeout_ns = SECOND;
    fixture_open(&f);
    submit_with(&f, PAWL_DELAY, "trap 'exit 0' TERM; printf c > $G; sleep 1000 & wait",
                "printf x > $G", action);
    assert_int_equal(gate_wait(&gate), 'c');
    fixture_advance(&f, SECOND);
    assert_result(&f, PAWL_TIMEOUT, "");
    assert_true(is_silent());
    fixture_close(&f);
}

static void
test_the_time_of_a_condition_counts_within_the_limit(void **state)
{
    struct pawl_action action = NO_ACTION;
    struct pawl_view view;
    struct fixture f;
    char go[64];
    int fd;

    (void) state;
    action.timeout_ns = 10 * SECOND;
    fixture_open(&f);
    snprintf(go, sizeof go, "%s/go", gate.dir);
    assert_int_equal(mkfifo(go, 0600), 0);
    submit_with(&f, PAWL_DELAY, "printf c > $G; read < ${G%/*}/go", "printf s > $G; exec sleep 1000",
                action);
    assert_int_equal(gate_wait(&gate), 'c');
    fixture_advance(&f, 6 * SECOND);
    fd = open(go, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "\n", 1), 1);
    close(fd);
    assert_int_equal(gate_wait(&gate), 's');
    fixture_advance(&f, 4 * SECOND);
    view = await_result(&f, "t");
    assert_int_equal(view.results[0]->outcome, PAWL_TIMEOUT);
    assert_int_equal(view.results[0]->duration_ns, 10 * SECOND);
    pawl_view_release(&view);
    unlink(go);
    fixture_close(&f);
}

/* --- Stop, kill, the end --- */

static void
test_stop_with_kill_during_a_condition_ends_the_run(void **state)
{
    struct asked asked = {.op.done = asked_cb};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_condition(&f, PAWL_DELAY, "printf c > $G; exec sleep 1000", "printf x > $G");
    assert_int_equal(gate_wait(&gate), 'c');
    assert_int_equal(stop(&f, "t"), PAWL_ESTATE);               /* it is running */
    assert_int_equal(end_of(&f, &asked, pawl_stop(f.handle, "t", 1, true, &asked.op, NULL)), PAWL_OK);
    assert_result(&f, PAWL_KILLED, "");
    assert_true(is_silent());
    fixture_close(&f);
}

static void
test_stop_during_a_condition_lets_the_run_go_on(void **state)
{
    struct pawl_view view;
    struct fixture f;
    char go[64];
    int fd;

    (void) state;
    fixture_open(&f);
    snprintf(go, sizeof go, "%s/go", gate.dir);
    assert_int_equal(mkfifo(go, 0600), 0);
    submit_condition(&f, PAWL_CRON, "printf c > $G; read < ${G%/*}/go", "echo ran");
    assert_int_equal(gate_wait(&gate), 'c');
    assert_int_equal(stop(&f, "t"), PAWL_OK);
    fd = open(go, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "\n", 1), 1);
    close(fd);
    view = await_version(&f, "t", 3);
    assert_int_equal(view.status, PAWL_STOPPED);
    assert_int_equal(view.nresults, 1);
    assert_string_equal(view.results[0]->out, "ran\n");
    pawl_view_release(&view);
    unlink(go);
    fixture_close(&f);
}

/* The end of the engine says nothing about what the condition is about. */
static void
test_a_condition_that_is_ended_with_all_runs_is_no_skip(void **state)
{
    static const char *const conditions[] = {
        "printf c > $G; exec sleep 1000",
        "trap 'exit 0' TERM; printf c > $G; sleep 1000 & wait",
    };

    (void) state;
    for (int i = 0; i < 2; i++) {
        struct fixture f;

        fixture_open(&f);
        submit_condition(&f, PAWL_DELAY, conditions[i], "printf x > $G");
        assert_int_equal(gate_wait(&gate), 'c');
        pawl_close_begin(f.engine);
        pawl_signal_runs(f.engine, SIGTERM);
        assert_result(&f, PAWL_KILLED, "");
        assert_true(is_silent());
        fixture_close(&f);
    }
}

static void
test_due_times_during_a_condition_are_skipped_for_the_run(void **state)
{
    struct pawl_view view;
    struct fixture f;
    char go[64];
    int fd;

    (void) state;
    fixture_open(&f);
    snprintf(go, sizeof go, "%s/go", gate.dir);
    assert_int_equal(mkfifo(go, 0600), 0);
    submit_condition(&f, PAWL_CRON, "printf c > $G; read < ${G%/*}/go; false", "true");
    assert_int_equal(gate_wait(&gate), 'c');
    fixture_advance(&f, 3 * SECOND + SECOND / 2);
    fd = open(go, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "\n", 1), 1);
    close(fd);
    view = await_version(&f, "t", 2);
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_int_equal(view.skipped_condition, 1);
    assert_int_equal(view.skipped_overlap, 3);
    pawl_view_release(&view);
    unlink(go);
    fixture_close(&f);
}

static void
test_each_attempt_begins_with_its_condition(void **state)
{
    struct pawl_policy policy;
    struct pawl_action action = NO_ACTION;
    struct pawl_spec spec = {
        .id = "t", .id_len = 1, .type = PAWL_DELAY, .script = "exit 3", .script_len = 6,
        .keep_results = -1, .action = &action, .policy = &policy,
    };
    struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    pawl_policy_init(&policy);
    policy.retries = 5;
    policy.retry_delay_ns = 0;
    action.condition = "test $PAWL_ATTEMPT -lt 3";
    fixture_open(&f);
    assert_int_equal(end_of(&f, &asked, pawl_submit(f.handle, &spec, &asked.op, NULL)), PAWL_OK);
    view = await_version(&f, "t", 6);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.nresults, 2);                         /* of the third there is none */
    assert_int_equal(view.results[1]->attempt, 2);
    assert_int_equal(view.failure_count, 1);
    assert_int_equal(view.skipped_condition, 0);
    pawl_view_release(&view);
    fixture_close(&f);
}

/* --- Before a call --- */

static void
test_a_call_has_a_condition_too(void **state)
{
    static const char *const conditions[] = {"exit 0", "exit 9", "printf c > $PWD/fifo; exec sleep 1000"};
    struct server server;

    (void) state;
    server_open(&server);
    for (int i = 0; i < 3; i++) {
        struct pawl_http_call http = {.max_redirects = -1};
        struct pawl_action action = NO_ACTION;
        struct asked asked = {.op.done = asked_cb};
        struct pawl_view view;
        struct fixture f;
        char url[64], condition[256];

        snprintf(url, sizeof url, "http://127.0.0.1:%d/status/404", server.port);
        snprintf(condition, sizeof condition, "cd %s; %s", gate.dir, conditions[i]);
        http.url = url;
        action.http = &http;
        action.condition = condition;
        fixture_open(&f);
        submit_action(&f, "t", "", &action);
        if (i == 2) {
            assert_int_equal(gate_wait(&gate), 'c');
            assert_int_equal(end_of(&f, &asked, pawl_stop(f.handle, "t", 1, true, &asked.op, NULL)),
                             PAWL_OK);
        }
        view = await_version(&f, "t", 2);
        assert_int_equal(view.skipped_condition, i == 1);
        assert_int_equal(view.nresults, i != 1);
        if (i != 1) {
            assert_int_equal(view.results[0]->outcome, i == 0 ? PAWL_FAILURE : PAWL_KILLED);
            assert_int_equal(view.results[0]->http_status, i == 0 ? 404 : 0);
            assert_int_equal(view.results[0]->exit_code, -1);
        }
        pawl_view_release(&view);
        fixture_close(&f);
    }
    server_close(&server);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_gate, close_gate)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_after_a_condition_that_succeeds_the_script_runs_and_has_the_output),
        TEST(test_whatever_failure_of_it_skips_the_run),
        TEST(test_it_is_asked_anew_at_each_due_time),
        TEST(test_it_is_run_as_the_script_is),
        TEST(test_a_long_one_is_run_and_what_is_none_is_refused),
        TEST(test_the_time_limit_ends_a_condition_and_is_an_outcome),
        TEST(test_the_script_does_not_begin_behind_the_time_limit),
        TEST(test_the_time_of_a_condition_counts_within_the_limit),
        TEST(test_stop_with_kill_during_a_condition_ends_the_run),
        TEST(test_stop_during_a_condition_lets_the_run_go_on),
        TEST(test_a_condition_that_is_ended_with_all_runs_is_no_skip),
        TEST(test_due_times_during_a_condition_are_skipped_for_the_run),
        TEST(test_each_attempt_begins_with_its_condition),
        TEST(test_a_call_has_a_condition_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
