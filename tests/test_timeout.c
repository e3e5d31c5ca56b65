/* test_timeout.c: time limits, grace and ending runs on purpose, on the manual clock: nothing sleeps,
 * and a script says by a FIFO how far it is. */
#include "action_fixture.h"

#include <signal.h>

#define READY "printf r > $G; "
#define WAIT "sleep 1000 & wait $!"

/* Submits a script that finds the gate in $G, and waits until it is READY. */
static void
submit_gated(struct fixture *f, struct gate *gate, const char *id, const char *script,
             const struct pawl_action *action)
{
    char text[512];

    snprintf(text, sizeof text, "G=%s; %s", gate->path, script);
    submit_action(f, id, text, action);
    assert_int_equal(gate_wait(gate), 'r');
}

static void
assert_ended(struct fixture *f, const char *id, enum pawl_outcome outcome, int exit_code, int sig)
{
    struct pawl_view view = await_result(f, id);
    const struct pawl_result *result = view.results[0];

    assert_string_equal(pawl_outcome_name(result->outcome), pawl_outcome_name(outcome));
    assert_int_equal(result->exit_code, exit_code);
    assert_int_equal(result->signal, sig);
    assert_int_equal(view.failure_count, 1);
    pawl_view_release(&view);
}

static void
test_run_at_its_limit_ends_as_timeout_and_keeps_its_output(void **state)
{
    struct pawl_action action = NO_ACTION;
    struct pawl_view view;
    struct fixture f;
    struct gate gate;

    (void) state;
    action.timeout_ns = SECOND;
    gate_open(&gate);
    fixture_open(&f);
    submit_gated(&f, &gate, "t", "echo begun; " READY WAIT, &action);
    fixture_advance(&f, SECOND);
    assert_ended(&f, "t", PAWL_TIMEOUT, -1, SIGTERM);
    view = get(&f, "t");
    assert_string_equal(view.results[0]->out, "begun\n");
    assert_int_equal(view.results[0]->duration_ns, SECOND);
    pawl_view_release(&view);
    fixture_close(&f);
    gate_close(&gate);
}

static void
test_run_that_ends_well_at_its_limit_is_a_timeout_too(void **state)
{
    struct pawl_action action = NO_ACTION;
    struct fixture f;
    struct gate gate;

    (void) state;
    action.timeout_ns = SECOND;
    gate_open(&gate);
    fixture_open(&f);
    submit_gated(&f, &gate, "t", "trap 'exit 0' TERM; " READY WAIT, &action);
    fixture_advance(&f, SECOND);
    assert_ended(&f, "t", PAWL_TIMEOUT, 0, 0);
    fixture_close(&f);
    gate_close(&gate);
}

static void
test_run_that_ends_before_its_limit_is_no_timeout(void **state)
{
    struct pawl_action action = NO_ACTION;
    struct fixture f;
    struct gate gate, go;               /* two: a script could read what it wrote itself */
    char script[128];

    (void) state;
    action.timeout_ns = SECOND;
    gate_open(&gate);
    gate_open(&go);
    snprintf(script, sizeof script, READY "read x < %s; echo $x", go.path);
    fixture_open(&f);
    submit_gated(&f, &gate, "t", script, &action);
    fixture_advance(&f, SECOND - 1);
    assert_int_equal(write(go.fd, "go\n", 3), 3);
    assert_output(&f, "t", PAWL_SUCCESS, "go\n");
    fixture_advance(&f, SECOND);
    submit_action(&f, "next", "echo next", NULL);       /* the worker goes on */
    assert_output(&f, "next", PAWL_SUCCESS, "next\n");
    fixture_close(&f);
    gate_close(&go);
    gate_close(&gate);
}

static void
test_run_that_ignores_term_gets_kill_after_its_grace(void **state)
{
    struct pawl_action action = NO_ACTION;
    struct pawl_view view;
    struct fixture f;
    struct gate gate;

    (void) state;
    action.timeout_ns = SECOND;
    action.kill_grace_ns = 20 * SECOND;
    gate_open(&gate);
    fixture_open(&f);
    submit_gated(&f, &gate, "t", "trap 'printf t > $G' TERM; " READY "while :; do " WAIT "; done",
                 &action);
    fixture_advance(&f, SECOND);
    assert_int_equal(gate_wait(&gate), 't');
    fixture_advance(&f, 20 * SECOND - 1);
    submit_action(&f, "other", "true", NULL);
    assert_output(&f, "other", PAWL_SUCCESS, "");
    view = get(&f, "t");
    assert_int_equal(view.running, 1);
    pawl_view_release(&view);
    fixture_advance(&f, 1);
    assert_ended(&f, "t", PAWL_TIMEOUT, -1, SIGKILL);
    fixture_close(&f);
    gate_close(&gate);
}

static void
test_grace_of_nothing_kills_at_once(void **state)
{
    struct pawl_action action = NO_ACTION;
    struct fixture f;
    struct gate gate;

    (void) state;
    action.timeout_ns = PAWL_TIMEOUT_MIN_NS;
    action.kill_grace_ns = 0;
    gate_open(&gate);
    fixture_open(&f);
    submit_gated(&f, &gate, "t", "trap '' TERM; " READY "while :; do " WAIT "; done", &action);
    fixture_advance(&f, PAWL_TIMEOUT_MIN_NS);
    assert_ended(&f, "t", PAWL_TIMEOUT, -1, SIGKILL);
    fixture_close(&f);
    gate_close(&gate);
}

/* Each of many at its own limit, whatever the order of their starts. */
static void
test_many_runs_end_each_at_its_own_limit(void **state)
{
    enum { NRUNS = 40 };
    struct pawl_view view;
    struct fixture f;
    struct gate gate;
    char id[16];

    (void) state;
    gate_open(&gate);
    fixture_open(&f);
    for (int i = 0; i < NRUNS; i++) {
        struct pawl_action action = NO_ACTION;

        action.timeout_ns = (1 + i * 17 % NRUNS) * SECOND;      /* 17 and 40 share no factor */
        snprintf(id, sizeof id, "%d", 1 + i * 17 % NRUNS);
        submit_gated(&f, &gate, id, READY "exec sleep 1000", &action);
    }
    for (int i = 1; i <= NRUNS; i++) {
        fixture_advance(&f, SECOND);
        snprintf(id, sizeof id, "%d", i);
        assert_ended(&f, id, PAWL_TIMEOUT, -1, SIGTERM);
        view = await_result(&f, id);
        assert_int_equal(view.results[0]->duration_ns, i * SECOND);
        pawl_view_release(&view);
    }
    fixture_close(&f);
    gate_close(&gate);
}

/* --- Stop with kill --- */

static int
stop_and_kill(struct fixture *f, const char *id, enum pawl_status *out_status)
{
    struct asked asked = {.op.done = asked_cb};
    int code = pawl_stop(f->handle, id, strlen(id), true, &asked.op, NULL);

    assert_int_not_equal(code, PAWL_PENDING);
    if (code == PAWL_OK) {
        *out_status = asked.op.view.status;
        pawl_view_release(&asked.op.view);
    }
    return code;
}

static void
test_stop_with_kill_ends_the_run_of_a_task_that_runs_once(void **state)
{
    enum pawl_status status;
    struct fixture f;
    struct gate gate;

    (void) state;
    gate_open(&gate);
    fixture_open(&f);
    submit_gated(&f, &gate, "t", READY "exec sleep 1000", NULL);
    assert_int_equal(stop(&f, "t"), PAWL_ESTATE);
    assert_int_equal(stop_and_kill(&f, "t", &status), PAWL_OK);
    assert_int_equal(status, PAWL_EXECUTING);
    assert_ended(&f, "t", PAWL_KILLED, -1, SIGTERM);
    assert_int_equal(stop_and_kill(&f, "t", &status), PAWL_ESTATE);
    assert_int_equal(stop_and_kill(&f, "none", &status), PAWL_ENOENT);
    fixture_close(&f);
    gate_close(&gate);
}

static void
test_stop_with_kill_ends_the_run_of_a_task_that_was_stopped(void **state)
{
    enum pawl_status status;
    struct pawl_view view;
    struct fixture f;
    struct gate gate;
    char script[128];

    (void) state;
    gate_open(&gate);
    fixture_open(&f);
    snprintf(script, sizeof script, "G=%s; trap 'exit 0' TERM; " READY WAIT, gate.path);
    submit(&f, "t", PAWL_CRON, SECOND, script);
    fixture_advance(&f, SECOND);
    assert_int_equal(gate_wait(&gate), 'r');
    assert_int_equal(stop(&f, "t"), PAWL_OK);
    assert_int_equal(stop_and_kill(&f, "t", &status), PAWL_OK);
    assert_int_equal(status, PAWL_STOPPED);
    view = await_version(&f, "t", 3);
    assert_int_equal(view.status, PAWL_STOPPED);
    assert_int_equal(view.results[0]->outcome, PAWL_KILLED);    /* though it ended well */
    assert_int_equal(view.results[0]->exit_code, 0);
    pawl_view_release(&view);
    assert_int_equal(stop_and_kill(&f, "t", &status), PAWL_ESTATE);
    fixture_close(&f);
    gate_close(&gate);
}

static void
test_stop_with_kill_stops_and_ends_in_one(void **state)
{
    enum pawl_status status;
    struct pawl_view view;
    struct fixture f;
    struct gate gate;
    char script[128];

    (void) state;
    gate_open(&gate);
    fixture_open(&f);
    snprintf(script, sizeof script, "G=%s; " READY "exec sleep 1000", gate.path);
    submit(&f, "t", PAWL_CRON, SECOND, script);
    fixture_advance(&f, SECOND);
    assert_int_equal(gate_wait(&gate), 'r');
    assert_int_equal(stop_and_kill(&f, "t", &status), PAWL_OK);
    assert_int_equal(status, PAWL_STOPPED);
    view = await_version(&f, "t", 3);
    assert_int_equal(view.results[0]->outcome, PAWL_KILLED);
    pawl_view_release(&view);
    submit(&f, "waits", PAWL_CRON, SECOND, "true");
    assert_int_equal(stop_and_kill(&f, "waits", &status), PAWL_OK);
    assert_int_equal(status, PAWL_STOPPED);
    fixture_close(&f);
    gate_close(&gate);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_at_its_limit_ends_as_timeout_and_keeps_its_output),
        cmocka_unit_test(test_run_that_ends_well_at_its_limit_is_a_timeout_too),
        cmocka_unit_test(test_run_that_ends_before_its_limit_is_no_timeout),
        cmocka_unit_test(test_run_that_ignores_term_gets_kill_after_its_grace),
        cmocka_unit_test(test_grace_of_nothing_kills_at_once),
        cmocka_unit_test(test_many_runs_end_each_at_its_own_limit),
        cmocka_unit_test(test_stop_with_kill_ends_the_run_of_a_task_that_runs_once),
        cmocka_unit_test(test_stop_with_kill_ends_the_run_of_a_task_that_was_stopped),
        cmocka_unit_test(test_stop_with_kill_stops_and_ends_in_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
