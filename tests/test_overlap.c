/* test_overlap.c: tasks whose runs may be in progress beside each other (overlap allow): how many, what
 * becomes of the task, and what is left of them after a crash. */
#include "durable_fixture.h"
#include "policy.h"
#include "restart_fixture.h"
#include "when_fixture.h"

#define NGATES 16

static char gated[128];         /* a script that waits for the gate of its run */
static char gates[64];

static void
gate_path(char path[96], int run)
{
    snprintf(path, 96, "%s.%d", gates, run);
}

static void
make_gates(void)
{
    char path[96];

    snprintf(gates, sizeof gates, "/tmp/pawl-overlap-%d", (int) getpid());
    snprintf(gated, sizeof gated, "read x < %s.$PAWL_RUN; test \"$x\" != fail", gates);
    for (int run = 1; run <= NGATES; run++) {
        gate_path(path, run);
        unlink(path);
        assert_int_equal(mkfifo(path, 0600), 0);
    }
}

static void
end_run(int run, const char *word)
{
    char path[96];
    int fd;

    gate_path(path, run);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, word, strlen(word)), (ssize_t) strlen(word));
    close(fd);
}

/* Lets scripts end that nobody waits for any more. */
static void
remove_gates(void)
{
    char path[96];
    int fd;

    for (int run = 1; run <= NGATES; run++) {
        gate_path(path, run);
        fd = open(path, O_WRONLY | O_NONBLOCK);
        if (fd >= 0)
            close(fd);
        unlink(path);
    }
}

static struct pawl_policy
allowing(uint32_t max_running)
{
    struct pawl_policy policy;

    pawl_policy_init(&policy);
    policy.overlap = PAWL_OVERLAP_ALLOW;
    policy.max_running = max_running;
    return policy;
}

static int
try_submit_allowing(struct fixture *f, const char *id, enum pawl_type type, int64_t time_ns,
                    const struct pawl_when *when, const struct pawl_policy *policy,
                    struct pawl_err *err)
{
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = type, .time_ns = time_ns, .script = gated,
        .script_len = strlen(gated), .keep_results = 100, .policy = policy, .when = when,
    };
    struct asked asked = {.op.done = asked_cb};

    return end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, err));
}

static void
submit_allowing(struct fixture *f, const char *id, enum pawl_type type, uint32_t max_running)
{
    struct pawl_policy policy = allowing(max_running);
    struct pawl_err err = {0};

    if (try_submit_allowing(f, id, type, 10 * MINUTE, NULL, &policy, &err) != PAWL_OK)
        fail_msg("submit of %s: %s", id, err.text);
}

typedef int
change_call(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_op *op,
            struct pawl_err *err);

static int
change(struct fixture *f, change_call *call, const char *id)
{
    struct asked asked = {.op.done = asked_cb};

    return end_of(f, &asked, call(f->handle, id, strlen(id), &asked.op, NULL));
}

/* Waits for a version, and looks how many runs there are in progress then, and in which status. */
static void
check(struct fixture *f, const char *id, int64_t version, int running, enum pawl_status status)
{
    struct pawl_view view = await_version(f, id, version);

    assert_int_equal(view.version, version);
    assert_int_equal(view.running, running);
    assert_int_equal(view.status, status);
    pawl_view_release(&view);
}

static void
test_due_times_run_beside_each_other_up_to_maxRunning(void **state)
{
    static const uint64_t order[] = {2, 1, 3, 4};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gates();
    submit_allowing(&f, "a", PAWL_CRON, 3);
    for (int i = 1; i <= 3; i++) {
        fixture_advance(&f, 10 * MINUTE);
        check(&f, "a", i, i, PAWL_EXECUTING);
    }
    fixture_advance(&f, 25 * MINUTE);           /* 55: 40 and 50 pass */
    view = get(&f, "a");
    assert_int_equal(view.skipped_overlap, 2);
    assert_int_equal(view.run_count, 3);
    pawl_view_release(&view);
    end_run(2, "\n");
    check(&f, "a", 4, 2, PAWL_EXECUTING);
    fixture_advance(&f, 5 * MINUTE);            /* 60 */
    check(&f, "a", 5, 3, PAWL_EXECUTING);
    end_run(1, "fail\n");
    check(&f, "a", 6, 2, PAWL_EXECUTING);
    end_run(3, "\n");
    check(&f, "a", 7, 1, PAWL_EXECUTING);
    end_run(4, "\n");
    check(&f, "a", 8, 0, PAWL_WAIT_FOR_NEXT);
    view = get(&f, "a");
    assert_int_equal(view.skipped_overlap, 2);
    assert_int_equal(view.missed, 0);
    assert_int_equal(view.failure_count, 1);
    assert_int_equal(view.nresults, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(view.results[i]->run, order[i]);
    assert_time(view.results[3]->scheduled_ns, "2027-01-15T09:00:00Z");
    assert_time(view.next_ns, "2027-01-15T09:10:00Z");
    pawl_view_release(&view);
    remove_gates();
    fixture_close(&f);
}

static void
test_run_now_is_beside_the_others_and_refused_beyond_maxRunning(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gates();
    submit_allowing(&f, "d", PAWL_DELAY, 2);
    fixture_advance(&f, 10 * MINUTE);
    check(&f, "d", 1, 1, PAWL_EXECUTING);
    assert_int_equal(change(&f, pawl_run, "d"), PAWL_OK);
    check(&f, "d", 2, 2, PAWL_EXECUTING);
    assert_int_equal(change(&f, pawl_run, "d"), PAWL_ESTATE);
    end_run(1, "\n");
    check(&f, "d", 3, 1, PAWL_EXECUTING);
    assert_int_equal(change(&f, pawl_run, "d"), PAWL_OK);
    check(&f, "d", 4, 2, PAWL_EXECUTING);
    end_run(3, "\n");
    end_run(2, "\n");
    check(&f, "d", 6, 0, PAWL_EXECUTED);
    view = get(&f, "d");
    assert_int_equal(view.end_reason, PAWL_END_DONE);
    assert_int_equal(view.asked_count, 2);
    pawl_view_release(&view);
    remove_gates();
    fixture_close(&f);
}

static void
test_last_run_of_maxRuns_that_ends_is_the_end(void **state)
{
    struct pawl_trigger trigger = BY_SPAN(10 * MINUTE);
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS, .max_runs = 2};
    struct pawl_policy policy = allowing(5);
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gates();
    assert_int_equal(try_submit_allowing(&f, "m", PAWL_CRON, 0, &when, &policy, NULL), PAWL_OK);
    fixture_advance(&f, 10 * MINUTE);
    check(&f, "m", 1, 1, PAWL_EXECUTING);
    fixture_advance(&f, 10 * MINUTE);
    check(&f, "m", 2, 2, PAWL_EXECUTING);
    fixture_advance(&f, HOUR);
    end_run(2, "\n");
    check(&f, "m", 3, 1, PAWL_EXECUTING);
    end_run(1, "\n");
    check(&f, "m", 4, 0, PAWL_EXECUTED);
    view = get(&f, "m");
    assert_int_equal(view.end_reason, PAWL_END_MAX_RUNS);
    assert_int_equal(view.skipped_overlap, 0);
    pawl_view_release(&view);
    remove_gates();
    fixture_close(&f);
}

static void
test_stop_pause_and_delete_with_several_runs_in_progress(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gates();
    submit_allowing(&f, "s", PAWL_CRON, 4);
    for (int i = 1; i <= 2; i++) {
        fixture_advance(&f, 10 * MINUTE);
        check(&f, "s", i, i, PAWL_EXECUTING);
    }
    assert_int_equal(change(&f, pawl_pause, "s"), PAWL_OK);
    fixture_advance(&f, 25 * MINUTE);           /* 45: 30 and 40 are missed, but one */
    end_run(2, "\n");
    check(&f, "s", 4, 1, PAWL_EXECUTING);
    assert_int_equal(change(&f, pawl_resume, "s"), PAWL_OK);
    check(&f, "s", 6, 2, PAWL_EXECUTING);       /* at once, beside the other */
    view = get(&f, "s");
    assert_int_equal(view.missed, 1);
    assert_int_equal(view.missed_paused, 1);
    assert_int_equal(view.skipped_overlap, 0);
    pawl_view_release(&view);
    assert_int_equal(stop(&f, "s"), PAWL_OK);
    check(&f, "s", 7, 2, PAWL_STOPPED);
    fixture_advance(&f, HOUR);
    end_run(1, "\n");
    check(&f, "s", 8, 1, PAWL_STOPPED);
    assert_int_equal(delete(&f, "s"), PAWL_OK);
    submit_allowing(&f, "s", PAWL_CRON, 4);
    end_run(3, "\n");                           /* of the task that is gone */
    await(stats_of(&f).running == 0);
    check(&f, "s", 0, 0, PAWL_TO_BE_EXECUTED);
    remove_gates();
    fixture_close(&f);
}

static void
test_stop_with_kill_ends_all_runs(void **state)
{
    struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gates();
    submit_allowing(&f, "k", PAWL_CRON, 5);
    for (int i = 1; i <= 5; i++) {
        fixture_advance(&f, 10 * MINUTE);
        check(&f, "k", i, i, PAWL_EXECUTING);
    }
    assert_int_equal(end_of(&f, &asked, pawl_stop(f.handle, "k", 1, true, &asked.op, NULL)), PAWL_OK);
    check(&f, "k", 11, 0, PAWL_STOPPED);
    view = get(&f, "k");
    assert_int_equal(view.nresults, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(view.results[i]->outcome, PAWL_KILLED);
    pawl_view_release(&view);
    remove_gates();
    fixture_close(&f);
}

static void
test_missed_due_times_run_one_after_the_other(void **state)
{
    struct pawl_policy policy = allowing(5);
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gates();
    policy.misfire = PAWL_MISFIRE_ALL;
    policy.misfire_limit = 3;
    assert_int_equal(try_submit_allowing(&f, "c", PAWL_CRON, 10 * MINUTE, NULL, &policy, NULL), PAWL_OK);
    assert_int_equal(change(&f, pawl_pause, "c"), PAWL_OK);
    fixture_advance(&f, 45 * MINUTE);           /* 10 is missed; 20, 30, 40 */
    assert_int_equal(change(&f, pawl_resume, "c"), PAWL_OK);
    for (int i = 1; i <= 3; i++) {
        check(&f, "c", 2 * i + 1, 1, PAWL_EXECUTING);
        submit(&f, i == 1 ? "x" : i == 2 ? "y" : "z", PAWL_DELAY, 0, ":");  /* the ticker has looked */
        view = await_version(&f, i == 1 ? "x" : i == 2 ? "y" : "z", 2);
        pawl_view_release(&view);
        check(&f, "c", 2 * i + 1, 1, PAWL_EXECUTING);
        end_run(i, "\n");
    }
    check(&f, "c", 8, 0, PAWL_WAIT_FOR_NEXT);
    fixture_advance(&f, 5 * MINUTE);            /* 50 */
    check(&f, "c", 9, 1, PAWL_EXECUTING);
    fixture_advance(&f, 10 * MINUTE);           /* and beside it 60 */
    check(&f, "c", 10, 2, PAWL_EXECUTING);
    end_run(4, "\n");
    check(&f, "c", 11, 1, PAWL_EXECUTING);
    end_run(5, "\n");
    check(&f, "c", 12, 0, PAWL_WAIT_FOR_NEXT);
    view = get(&f, "c");
    assert_int_equal(view.missed, 1);
    assert_int_equal(view.skipped_overlap, 0);
    for (int i = 0; i < 5; i++)
        assert_true(view.results[i]->scheduled_ns == START_WALL + (i + 2) * 10 * MINUTE);
    pawl_view_release(&view);
    remove_gates();
    fixture_close(&f);
}

static void
test_what_cannot_be_is_refused_by_name(void **state)
{
    struct pawl_policy policy = allowing(0);
    struct pawl_err err = {0};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(try_submit_allowing(&f, "x", PAWL_CRON, HOUR, NULL, &policy, &err), PAWL_EINVAL);
    assert_string_equal(err.field, "maxRunning");
    policy.max_running = PAWL_RUNNING_MAX + 1;
    assert_int_equal(try_submit_allowing(&f, "x", PAWL_CRON, HOUR, NULL, &policy, &err), PAWL_EINVAL);
    assert_string_equal(err.field, "maxRunning");
    policy = allowing(PAWL_RUNNING_MAX);
    policy.retries = 1;
    assert_int_equal(try_submit_allowing(&f, "x", PAWL_CRON, HOUR, NULL, &policy, &err), PAWL_EINVAL);
    assert_string_equal(err.field, "retries");
    fixture_close(&f);
}

/* --- The table of runs --- */

static void
test_slots_of_runs_that_ended_are_freed_while_others_go_on(void **state)
{
    struct house house;
    struct fixture *f = &house.f;

    (void) state;
    house_init(&house);
    house_begin(&house);
    make_gates();
    submit_allowing(f, "t", PAWL_CRON, 8);
    for (int i = 1; i <= 8; i++) {
        fixture_advance(f, 10 * MINUTE);
        check(f, "t", i, i, PAWL_EXECUTING);
    }
    assert_int_equal(used_slots(f), 8);
    for (int i = 2; i <= 7; i++) {
        end_run(i, "\n");
        check(f, "t", 7 + i, 9 - i, PAWL_EXECUTING);
    }
    /* What ends just when a state is written is seen with the next. */
    for (int i = 0; used_slots(f) > 2 && i < 1000; i++) {
        assert_int_equal(change(f, i % 2 == 0 ? pawl_pause : pawl_resume, "t"), PAWL_OK);
        fence(f);
    }
    assert_int_equal(used_slots(f), 2);
    end_run(8, "\n");
    end_run(1, "\n");
    await(stats_of(f).running == 0);
    fence(f);
    await(used_slots(f) == 0);
    assert_int_equal(stop(f, "t"), PAWL_OK);
    submit_allowing(f, "gone", PAWL_DELAY, 4);
    fixture_advance(f, 10 * MINUTE);
    check(f, "gone", 1, 1, PAWL_EXECUTING);
    assert_int_equal(change(f, pawl_run, "gone"), PAWL_OK);
    check(f, "gone", 2, 2, PAWL_EXECUTING);
    assert_int_equal(delete(f, "gone"), PAWL_OK);
    fence(f);
    assert_int_equal(used_slots(f) >= 2, 1);
    end_run(2, "\n");
    end_run(1, "\n");
    await(stats_of(f).running == 0);
    fence(f);
    await(used_slots(f) == 0);
    remove_gates();
    house_end(&house);
    house_fini(&house);
}

/* Runs 1 to 4 have begun, 2 has ended: that is durable. 3 has ended and 5 has begun: that is not. */
static void
live_with_runs(struct house *house)
{
    struct fixture *f = &house->f;

    submit_allowing(f, "t", PAWL_CRON, 8);
    for (int i = 1; i <= 4; i++) {
        fixture_advance(f, 10 * MINUTE);
        check(f, "t", i, i, PAWL_EXECUTING);
    }
    end_run(2, "\n");
    check(f, "t", 5, 3, PAWL_EXECUTING);
    fence(f);
    house_block();
    end_run(3, "\n");
    await(stats_of(f).finished == 2);
    fixture_advance(f, 10 * MINUTE);
    await(stats_of(f).started == 5);
}

static void
check_lost(const struct pawl_view *view, const uint64_t *runs, const bool *has_ended, size_t n)
{
    assert_int_equal(view->nresults, n + 1);
    assert_int_equal(view->results[0]->run, 2);
    assert_int_equal(view->results[0]->outcome, PAWL_SUCCESS);
    for (size_t i = 0; i < n; i++) {
        const struct pawl_result *result = view->results[i + 1];

        assert_int_equal(result->run, runs[i]);
        assert_int_equal(result->outcome, PAWL_LOST);
        assert_true(has_ended == NULL || has_ended[i] == (strstr(result->error, "before the result") != NULL));
        if (has_ended)
            assert_true(result->scheduled_ns == START_WALL + (int64_t) runs[i] * 10 * MINUTE);
    }
}

static void
test_runs_that_a_kill_cut_are_lost_each_by_its_number(void **state)
{
    static const uint64_t runs[] = {1, 3, 4, 5};
    static const bool has_ended[] = {false, true, false, false};
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    make_gates();
    house_crash(&house, live_with_runs);
    fixture_advance(f, 55 * MINUTE);
    house_begin(&house);
    for (int i = 0; i < 2; i++) {
        view = get(f, "t");
        assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
        assert_int_equal(view.run_count, 5);
        assert_int_equal(view.running, 0);
        assert_int_equal(view.failure_count, 4);
        assert_int_equal(view.skipped_overlap + view.missed, 0);
        assert_true(view.next_ns == START_WALL + HOUR);
        check_lost(&view, runs, has_ended, 4);
        pawl_view_release(&view);
        fence(f);
        assert_int_equal(used_slots(f), 0);
        house_restart(&house);
    }
    fixture_advance(f, 5 * MINUTE);
    view = await_version(f, "t", 9);
    assert_int_equal(view.run_count, 6);                /* no number is used twice */
    pawl_view_release(&view);
    end_run(6, "\n");
    await(stats_of(f).running == 0);
    remove_gates();
    house_end(&house);
    house_fini(&house);
}

/* After a loss of power the store alone tells. */
static void
test_runs_that_no_table_names_are_the_newest_without_a_result(void **state)
{
    static const uint64_t runs[] = {1, 3, 4};
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;
    char path[160];

    (void) state;
    house_init(&house);
    make_gates();
    house_crash(&house, live_with_runs);
    snprintf(path, sizeof path, "%s/runs", house.dir);
    assert_int_equal(unlink(path), 0);
    fixture_advance(f, 45 * MINUTE);
    house_begin(&house);
    view = get(f, "t");
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_int_equal(view.run_count, 4);
    assert_int_equal(view.failure_count, 3);
    assert_int_equal(view.running, 0);
    check_lost(&view, runs, NULL, 3);
    pawl_view_release(&view);
    remove_gates();
    house_end(&house);
    house_fini(&house);
}

/* All that the task was and is lives in the table alone: a run that was asked for, too. */
static void
live_without_a_commit(struct house *house)
{
    struct fixture *f = &house->f;

    submit_allowing(f, "t", PAWL_CRON, 8);
    fence(f);
    house_block();
    for (int i = 1; i <= 3; i++) {
        fixture_advance(f, 10 * MINUTE);
        await(stats_of(f).started == (uint64_t) i);
    }
    end_run(1, "\n");
    await(stats_of(f).finished == 1);
}

static void
test_runs_after_the_last_commit_are_lost_and_not_started_again(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    make_gates();
    house_crash(&house, live_without_a_commit);
    fixture_advance(f, 35 * MINUTE);
    house_begin(&house);
    view = get(f, "t");
    assert_int_equal(view.run_count, 3);
    assert_int_equal(view.failure_count, 3);
    assert_int_equal(view.nresults, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(view.results[i]->run, i + 1);
        assert_int_equal(view.results[i]->outcome, PAWL_LOST);
        assert_true(view.results[i]->scheduled_ns == START_WALL + (i + 1) * 10 * MINUTE);
    }
    assert_true(view.next_ns == START_WALL + 40 * MINUTE);
    assert_int_equal(view.skipped_overlap + view.missed, 0);
    pawl_view_release(&view);
    remove_gates();
    house_end(&house);
    house_fini(&house);
}

/* Runs end in another order than they began: the kept ones are those that ended last. */
static void
test_results_come_back_in_the_order_of_their_ends(void **state)
{
    static const int order[] = {4, 2, 5, 1, 3};
    struct pawl_policy policy = allowing(8);
    struct pawl_spec spec = {
        .id = "r", .id_len = 1, .type = PAWL_CRON, .time_ns = 10 * MINUTE, .keep_results = 3,
        .policy = &policy,
    };
    struct asked asked = {.op.done = asked_cb};
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    make_gates();
    spec.script = gated;
    spec.script_len = strlen(gated);
    assert_int_equal(end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, NULL)), PAWL_OK);
    for (int i = 1; i <= 5; i++) {
        fixture_advance(f, 10 * MINUTE);
        check(f, "r", i, i, PAWL_EXECUTING);
    }
    for (int i = 0; i < 5; i++) {
        fixture_advance(f, SECOND);
        end_run(order[i], "\n");
        check(f, "r", 6 + i, 4 - i, i < 4 ? PAWL_EXECUTING : PAWL_WAIT_FOR_NEXT);
    }
    for (int restarts = 0; restarts < 2; restarts++) {
        view = get(f, "r");
        assert_int_equal(view.nresults, 3);
        for (int i = 0; i < 3; i++)
            assert_int_equal(view.results[i]->run, order[2 + i]);
        pawl_view_release(&view);
        house_restart(&house);
    }
    remove_gates();
    house_end(&house);
    house_fini(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due_times_run_beside_each_other_up_to_maxRunning),
        cmocka_unit_test(test_run_now_is_beside_the_others_and_refused_beyond_maxRunning),
        cmocka_unit_test(test_last_run_of_maxRuns_that_ends_is_the_end),
        cmocka_unit_test(test_stop_pause_and_delete_with_several_runs_in_progress),
        cmocka_unit_test(test_stop_with_kill_ends_all_runs),
        cmocka_unit_test(test_missed_due_times_run_one_after_the_other),
        cmocka_unit_test(test_what_cannot_be_is_refused_by_name),
        cmocka_unit_test(test_slots_of_runs_that_ended_are_freed_while_others_go_on),
        cmocka_unit_test(test_runs_that_a_kill_cut_are_lost_each_by_its_number),
        cmocka_unit_test(test_runs_that_no_table_names_are_the_newest_without_a_result),
        cmocka_unit_test(test_runs_after_the_last_commit_are_lost_and_not_started_again),
        cmocka_unit_test(test_results_come_back_in_the_order_of_their_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
