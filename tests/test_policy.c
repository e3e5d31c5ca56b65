/* test_policy.c: what becomes of due times that are in the way of each other, of those that were
 * missed, and of runs that fail; on the manual clock. */
#include "policy.h"
#include "restart_fixture.h"
#include "when_fixture.h"

static struct pawl_policy
usual(void)
{
    struct pawl_policy policy;

    pawl_policy_init(&policy);
    return policy;
}

static int
try_submit_policy(struct fixture *f, const char *id, enum pawl_type type, int64_t time_ns,
                  const char *script, const struct pawl_policy *policy, struct pawl_err *err)
{
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = type, .time_ns = time_ns, .script = script,
        .script_len = strlen(script), .keep_results = 100, .policy = policy,
    };
    struct asked asked = {.op.done = asked_cb};

    return end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, err));
}

static void
submit_policy(struct fixture *f, const char *id, enum pawl_type type, int64_t time_ns,
              const char *script, const struct pawl_policy *policy)
{
    struct pawl_err err = {0};

    if (try_submit_policy(f, id, type, time_ns, script, policy, &err) != PAWL_OK)
        fail_msg("submit of %s: %s", id, err.text);
}

/* Scripts that wait until the test lets them end: one at a time. */
static char gate[64], gated[128];

static void
make_gated(void)
{
    make_gate(gate);
    snprintf(gated, sizeof gated, "read x < %s; test \"$x\" != fail", gate);
}

static void
answer_gate(const char *word)
{
    int fd = open(gate, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, word, strlen(word)), (ssize_t) strlen(word));
    close(fd);
}

static int64_t
minutes(int64_t wall_ns)
{
    return (wall_ns - START_WALL) / MINUTE;
}

static void
check_results(const struct pawl_view *view, const int64_t *due, size_t n)
{
    assert_int_equal(view->nresults, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(minutes(view->results[i]->scheduled_ns), due[i]);
}

static void
test_queue_runs_the_newest_that_came_during_a_run(void **state)
{
    struct pawl_policy policy = usual();
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gated();
    policy.overlap = PAWL_OVERLAP_QUEUE;
    policy.queue_limit = 2;
    submit_policy(&f, "q", PAWL_CRON, 10 * MINUTE, gated, &policy);
    fixture_advance(&f, 10 * MINUTE);
    view = await_version(&f, "q", 1);
    pawl_view_release(&view);
    fixture_advance(&f, 35 * MINUTE);           /* 45: 20, 30 and 40 came */
    view = get(&f, "q");
    assert_int_equal(view.skipped_overlap, 1);
    pawl_view_release(&view);
    answer_gate("\n");
    view = await_version(&f, "q", 3);           /* the next one begins at once */
    pawl_view_release(&view);
    answer_gate("\n");
    view = await_version(&f, "q", 5);
    pawl_view_release(&view);
    answer_gate("\n");
    view = await_version(&f, "q", 6);
    check_results(&view, (int64_t[]) {10, 30, 40}, 3);
    assert_int_equal(view.skipped_overlap, 1);
    assert_int_equal(view.missed, 0);
    assert_int_equal(minutes(view.next_ns), 50);
    pawl_view_release(&view);
    fixture_close(&f);
    unlink(gate);
}

static void
test_queue_is_the_exact_one_over_many_due_times(void **state)
{
    static const uint32_t limits[] = {1, 2, 7, 100};

    (void) state;
    for (size_t i = 0; i < 4; i++) {
        struct pawl_spec spec = {.type = PAWL_CRON, .time_ns = 7, .script = "", .keep_results = 0};
        struct pawl_def *def = pawl_def_new(&spec, 0, NULL);

        for (int64_t now_ns = 0; now_ns < 2000; now_ns += 13) {
            struct pawl_now now = {now_ns, now_ns, INT64_MIN, INT64_MIN};
            struct pawl_due due = {100, false};
            int64_t came = now_ns < 100 ? 0 : (now_ns - 100) / 7 + 1;
            int64_t dropped = came > limits[i] ? came - limits[i] : 0;

            assert_int_equal(pawl_def_keep(def, &due, &now, limits[i]), dropped);
            assert_int_equal(due.ns, 100 + 7 * dropped);
        }
        pawl_def_unref(def);
    }
}

static void
test_queue_of_a_task_without_a_due_time_is_empty(void **state)
{
    struct pawl_spec spec = {.type = PAWL_DELAY, .time_ns = 7, .script = "", .keep_results = 0};
    struct pawl_def *def = pawl_def_new(&spec, 0, NULL);
    struct pawl_due none = {PAWL_NO_TIME, false}, never = {INT64_MAX, false};
    struct pawl_now now = {9, 9, INT64_MIN, INT64_MIN};

    (void) state;
    assert_int_equal(pawl_def_keep(def, &none, &now, 2), 0);
    assert_int_equal(pawl_def_keep(def, &never, &now, 2), 0);
    assert_true(none.ns == PAWL_NO_TIME && never.ns == INT64_MAX);
    pawl_def_unref(def);
}

static void
test_replace_ends_the_run_for_the_newest_due_time(void **state)
{
    struct pawl_policy policy = usual();
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.overlap = PAWL_OVERLAP_REPLACE;
    submit_policy(&f, "r", PAWL_CRON, 10 * MINUTE, "sleep 1000", &policy);
    fixture_advance(&f, 10 * MINUTE);
    view = await_version(&f, "r", 1);
    pawl_view_release(&view);
    for (int i = 2; i <= 4; i++) {
        fixture_advance(&f, 10 * MINUTE);
        view = await_version(&f, "r", 2 * i - 1);       /* ended, and begun again */
        assert_int_equal(view.run_count, i);
        assert_int_equal(view.running, 1);
        assert_int_equal(view.results[i - 2]->outcome, PAWL_KILLED);
        assert_int_equal(minutes(view.results[i - 2]->scheduled_ns), 10 * (i - 1));
        pawl_view_release(&view);
    }
    assert_int_equal(delete(&f, "r"), PAWL_OK);
    pawl_signal_runs(f.engine, SIGKILL);
    fixture_close(&f);
}

static void
test_run_asked_for_during_a_run_follows_the_policy(void **state)
{
    struct pawl_policy policy = usual();
    struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gated();
    policy.overlap = PAWL_OVERLAP_QUEUE;
    submit_policy(&f, "q", PAWL_CRON, HOUR, gated, &policy);
    assert_int_equal(end_of(&f, &asked, pawl_run(f.handle, "q", 1, &asked.op, NULL)), PAWL_OK);
    view = await_version(&f, "q", 1);
    pawl_view_release(&view);
    asked = (struct asked) {.op.done = asked_cb};
    assert_int_equal(end_of(&f, &asked, pawl_run(f.handle, "q", 1, &asked.op, NULL)), PAWL_OK);
    answer_gate("\n");
    view = await_version(&f, "q", 3);
    assert_int_equal(view.run_count, 2);
    pawl_view_release(&view);
    answer_gate("\n");
    view = await_version(&f, "q", 4);
    assert_int_equal(view.asked_count, 2);
    assert_int_equal(minutes(view.next_ns), 60);
    pawl_view_release(&view);
    fixture_close(&f);
    unlink(gate);
}

static void
test_failed_run_is_tried_again_with_longer_delays(void **state)
{
    static const int64_t delays[] = {10, 20, 35};       /* the third is cut */
    struct pawl_policy policy = usual();
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.retries = 3;
    policy.retry_delay_ns = 10 * SECOND;
    policy.retry_backoff = 2;
    policy.retry_max_delay_ns = 35 * SECOND;
    submit_policy(&f, "d", PAWL_DELAY, MINUTE, "echo $PAWL_ATTEMPT; exit 3", &policy);
    fixture_advance(&f, MINUTE);
    for (int i = 1; i <= 3; i++) {
        view = await_version(&f, "d", 2 * i);
        assert_int_equal(view.status, PAWL_TO_BE_EXECUTED);
        assert_int_equal(view.waiting, PAWL_WAITING_RETRY);
        assert_int_equal(view.attempt, i);
        assert_int_equal(view.run_count, 1);
        assert_int_equal(view.failure_count, 0);
        assert_true(view.next_ns == wall_now(&f) + delays[i - 1] * SECOND);
        pawl_view_release(&view);
        fixture_advance(&f, delays[i - 1] * SECOND);
    }
    view = await_version(&f, "d", 8);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.failure_count, 1);
    assert_int_equal(view.nresults, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(view.results[i]->run, 1);
        assert_int_equal(view.results[i]->attempt, i + 1);
        assert_int_equal(view.results[i]->out[0], '1' + i);
        assert_int_equal(minutes(view.results[i]->scheduled_ns), 1);
    }
    pawl_view_release(&view);
    assert_int_equal(stats_of(&f).pending, 0);
    fixture_close(&f);
}

static void
test_retry_that_succeeds_is_the_end_of_the_run(void **state)
{
    struct pawl_policy policy = usual();
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.retries = 5;
    policy.retry_delay_ns = 0;
    submit_policy(&f, "c", PAWL_CRON, 10 * MINUTE, "test $PAWL_ATTEMPT -ge 3", &policy);
    fixture_advance(&f, 10 * MINUTE);
    view = await_version(&f, "c", 6);
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_int_equal(view.waiting, PAWL_WAITING_NOTHING);
    assert_int_equal(view.failure_count, 0);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(minutes(view.next_ns), 20);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_only_the_named_statuses_are_tried_again(void **state)
{
    struct pawl_policy policy = usual();
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.retries = 2;
    policy.retry_delay_ns = 0;
    policy.retry_on[75 / 8] |= 1 << 75 % 8;
    submit_policy(&f, "no", PAWL_DELAY, 0, "exit 1", &policy);
    submit_policy(&f, "killed", PAWL_DELAY, 0, "kill -9 $$", &policy);
    submit_policy(&f, "yes", PAWL_DELAY, 0, "exit 75", &policy);
    view = await_version(&f, "yes", 6);
    assert_int_equal(view.nresults, 3);
    pawl_view_release(&view);
    view = await_version(&f, "no", 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    pawl_view_release(&view);
    view = await_version(&f, "killed", 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_stop_ends_the_wait_for_a_retry_and_run_now_cuts_it_short(void **state)
{
    struct pawl_policy policy = usual();
    struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.retries = 9;
    policy.retry_delay_ns = HOUR;
    submit_policy(&f, "s", PAWL_DELAY, 0, "false", &policy);
    view = await_version(&f, "s", 2);
    pawl_view_release(&view);
    assert_int_equal(end_of(&f, &asked, pawl_run(f.handle, "s", 1, &asked.op, NULL)), PAWL_OK);
    view = await_version(&f, "s", 4);
    assert_int_equal(view.results[1]->attempt, 2);
    assert_int_equal(view.run_count, 1);
    pawl_view_release(&view);
    assert_int_equal(stop(&f, "s"), PAWL_OK);
    fixture_advance(&f, 3 * HOUR);
    view = get(&f, "s");
    assert_int_equal(view.status, PAWL_STOPPED);
    assert_int_equal(view.version, 5);
    assert_int_equal(view.waiting, PAWL_WAITING_NOTHING);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_run_asked_for_in_a_pause_is_the_attempt_that_waits(void **state)
{
    struct pawl_policy policy = usual();
    struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.retries = 9;
    policy.retry_delay_ns = HOUR;
    submit_policy(&f, "p", PAWL_CRON, MINUTE, "test $PAWL_ATTEMPT = 2", &policy);
    fixture_advance(&f, MINUTE);
    view = await_version(&f, "p", 2);
    pawl_view_release(&view);
    assert_int_equal(end_of(&f, &asked, pawl_pause(f.handle, "p", 1, &asked.op, NULL)), PAWL_OK);
    asked = (struct asked) {.op.done = asked_cb};
    assert_int_equal(end_of(&f, &asked, pawl_run(f.handle, "p", 1, &asked.op, NULL)), PAWL_OK);
    view = await_version(&f, "p", 5);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.asked_count, 0);
    assert_int_equal(view.nresults, 2);
    assert_int_equal(view.results[1]->attempt, 2);
    assert_int_equal(view.failure_count, 0);
    assert_int_equal(view.waiting, PAWL_WAITING_NOTHING);
    assert_int_equal(view.attempt, 0);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_run_that_another_one_replaces_is_not_tried_again(void **state)
{
    struct pawl_policy policy = usual();
    struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.overlap = PAWL_OVERLAP_REPLACE;
    policy.retries = 9;
    submit_policy(&f, "r", PAWL_DELAY, 0, "test $PAWL_RUN = 2 || sleep 1000", &policy);
    view = await_version(&f, "r", 1);
    pawl_view_release(&view);
    assert_int_equal(end_of(&f, &asked, pawl_run(f.handle, "r", 1, &asked.op, NULL)), PAWL_OK);
    view = await_version(&f, "r", 4);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.run_count, 2);
    assert_int_equal(view.failure_count, 1);
    assert_int_equal(view.nresults, 2);
    assert_int_equal(view.results[0]->outcome, PAWL_KILLED);
    assert_int_equal(view.results[1]->attempt, 1);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_run_of_a_delay_that_is_killed_is_not_tried_again(void **state)
{
    struct pawl_policy policy = usual();
    struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.retries = 9;
    policy.retry_delay_ns = 0;
    submit_policy(&f, "k", PAWL_DELAY, 0, "test $PAWL_ATTEMPT = 1 || sleep 1000; exit 1", &policy);
    view = await_version(&f, "k", 3);
    assert_int_equal(view.attempt, 2);
    pawl_view_release(&view);
    assert_int_equal(end_of(&f, &asked, pawl_stop(f.handle, "k", 1, true, &asked.op, NULL)), PAWL_OK);
    view = await_version(&f, "k", 4);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.failure_count, 1);
    assert_int_equal(view.nresults, 2);
    assert_int_equal(view.results[1]->outcome, PAWL_KILLED);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_due_times_while_a_retry_waits_are_skipped(void **state)
{
    struct pawl_policy policy = usual();
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.retries = 1;
    policy.retry_delay_ns = 25 * MINUTE;
    submit_policy(&f, "c", PAWL_CRON, 10 * MINUTE, "test $PAWL_ATTEMPT = 2", &policy);
    fixture_advance(&f, 10 * MINUTE);
    view = await_version(&f, "c", 2);
    assert_int_equal(minutes(view.next_ns), 35);
    pawl_view_release(&view);
    fixture_advance(&f, 25 * MINUTE);
    view = await_version(&f, "c", 4);
    assert_int_equal(view.skipped_overlap, 2);          /* 20 and 30 */
    assert_int_equal(minutes(view.next_ns), 40);
    check_results(&view, (int64_t[]) {10, 10}, 2);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
assert_refused(const struct pawl_policy *policy, const char *field, const char *word)
{
    struct pawl_err err = {0};

    assert_int_equal(pawl_policy_check(policy, &err), PAWL_EINVAL);
    assert_string_equal(err.field, field);
    if (!strstr(err.text, word))
        fail_msg("'%s' does not say '%s'", err.text, word);
}

static void
test_policy_that_would_come_to_nothing_is_refused(void **state)
{
    static const struct {
        struct pawl_policy policy;
        const char *field, *word;
    } cases[] = {
        {{.queue_limit = 2}, "queueLimit", "overlap queue"},
        {{.overlap = PAWL_OVERLAP_REPLACE, .queue_limit = 2}, "queueLimit", "overlap queue"},
        {{.max_running = 2}, "maxRunning", "overlap allow"},
        {{.overlap = PAWL_OVERLAP_QUEUE, .max_running = 2}, "maxRunning", "overlap allow"},
        {{.overlap = PAWL_OVERLAP_ALLOW, .retries = 1}, "retries", "overlap"},
        {{.misfire_limit = 2}, "misfireLimit", "misfire all"},
        {{.retry_delay_ns = 1}, "retryDelay", "without retries"},
        {{.retry_backoff = 2}, "retryBackoff", "without retries"},
        {{.retry_max_delay_ns = HOUR}, "retryMaxDelay", "without retries"},
        {{.retry_jitter_ns = 1}, "retryJitter", "without retries"},
        {{.retry_on = {2}}, "retryOn", "without retries"},
        {{.retries = 1, .retry_on = {3}}, "retryOn", "success"},
        {{.retries = 1, .retry_delay_ns = MINUTE, .retry_max_delay_ns = SECOND}, "retryMaxDelay", "below"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pawl_policy policy = cases[i].policy, by_default = usual();

        policy.queue_limit = policy.queue_limit ? policy.queue_limit : by_default.queue_limit;
        policy.max_running = policy.max_running ? policy.max_running : by_default.max_running;
        policy.misfire_limit = policy.misfire_limit ? policy.misfire_limit : by_default.misfire_limit;
        policy.retry_backoff = policy.retry_backoff > 0 ? policy.retry_backoff : by_default.retry_backoff;
        policy.retry_delay_ns = policy.retry_delay_ns ? policy.retry_delay_ns : by_default.retry_delay_ns;
        assert_refused(&policy, cases[i].field, cases[i].word);
        assert_false(pawl_policy_is_usual(&policy));
    }
    assert_int_equal(pawl_policy_check(&(struct pawl_policy) {.overlap = PAWL_OVERLAP_QUEUE,
        .queue_limit = 2, .max_running = 10, .misfire = PAWL_MISFIRE_ALL, .misfire_limit = 1,
        .retries = 1,
        .retry_backoff = 1, .retry_on = {2}}, NULL), PAWL_OK);
}

/* It needs no room to remember anything in. */
static void
test_policy_that_says_the_defaults_is_none(void **state)
{
    struct pawl_policy policy = usual();
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_policy(&f, "u", PAWL_DELAY, HOUR, ":", &policy);
    view = get(&f, "u");
    assert_null(view.policy);
    pawl_view_release(&view);
    fixture_close(&f);
}

/* --- Due times that were missed --- */

static void
check_missed(enum pawl_misfire misfire, uint32_t limit, uint64_t runs, uint64_t missed,
             const int64_t *due)
{
    struct pawl_policy policy = usual();
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    policy.misfire = misfire;
    policy.misfire_limit = limit;
    house_init(&house);
    house_begin(&house);
    submit_policy(f, "m", PAWL_CRON, 10 * MINUTE, ":", &policy);
    house_pass(&house, 65 * MINUTE);            /* 10 to 60 passed */
    view = await_version(f, "m", 2 * (int64_t) runs);
    check_results(&view, due, runs);
    assert_int_equal(view.missed, missed);
    assert_int_equal(minutes(view.next_ns), 70);
    pawl_view_release(&view);
    run_next(f, "m");
    house_end(&house);
    house_fini(&house);
}

static void
test_what_passed_without_a_daemon_follows_the_policy(void **state)
{
    (void) state;
    check_missed(PAWL_MISFIRE_ONCE, 100, 1, 5, (int64_t[]) {60});
    check_missed(PAWL_MISFIRE_SKIP, 100, 0, 6, NULL);
    check_missed(PAWL_MISFIRE_ALL, 100, 6, 0, (int64_t[]) {10, 20, 30, 40, 50, 60});
    check_missed(PAWL_MISFIRE_ALL, 2, 2, 4, (int64_t[]) {50, 60});
}

static void
test_delay_that_was_missed_ends_without_a_run(void **state)
{
    struct pawl_policy policy = usual();
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    policy.misfire = PAWL_MISFIRE_SKIP;
    house_init(&house);
    house_begin(&house);
    submit_policy(f, "d", PAWL_DELAY, 10 * MINUTE, ":", &policy);
    house_pass(&house, HOUR);
    view = get(f, "d");
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.run_count, 0);
    assert_int_equal(view.missed, 1);
    assert_true(view.next_ns == PAWL_NO_TIME);
    pawl_view_release(&view);
    house_restart(&house);
    view = get(f, "d");
    assert_int_equal(view.status, PAWL_EXECUTED);
    pawl_view_release(&view);
    assert_int_equal(stats_of(f).pending, 0);
    house_end(&house);
    house_fini(&house);
}

static void
test_what_passed_while_paused_follows_the_policy(void **state)
{
    struct pawl_policy policy = usual();
    struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.misfire = PAWL_MISFIRE_ALL;
    policy.misfire_limit = 3;
    submit_policy(&f, "p", PAWL_CRON, 10 * MINUTE, ":", &policy);
    assert_int_equal(end_of(&f, &asked, pawl_pause(f.handle, "p", 1, &asked.op, NULL)), PAWL_OK);
    fixture_advance(&f, 65 * MINUTE);
    asked = (struct asked) {.op.done = asked_cb};
    assert_int_equal(end_of(&f, &asked, pawl_resume(f.handle, "p", 1, &asked.op, NULL)), PAWL_OK);
    view = await_version(&f, "p", 8);
    check_results(&view, (int64_t[]) {40, 50, 60}, 3);
    assert_int_equal(view.missed, 3);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_grace_decides_what_a_sleep_of_the_machine_leaves(void **state)
{
    struct pawl_policy policy = usual();
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.misfire_grace_ns = 2 * MINUTE;
    submit_policy(&f, "g", PAWL_CRON, 10 * MINUTE, ":", &policy);
    policy.misfire = PAWL_MISFIRE_SKIP;
    policy.misfire_grace_ns = 0;
    submit_policy(&f, "s", PAWL_CRON, 10 * MINUTE, ":", &policy);
    fixture_advance(&f, 25 * MINUTE);           /* 20 was five minutes ago */
    await(next_of(&f, "g") > wall_now(&f) && next_of(&f, "s") > wall_now(&f));
    view = get(&f, "g");
    assert_int_equal(view.run_count, 0);
    assert_int_equal(view.missed, 2);
    assert_int_equal(view.version, 0);
    pawl_view_release(&view);
    view = get(&f, "s");
    assert_int_equal(view.run_count, 0);
    assert_int_equal(view.missed, 2);
    pawl_view_release(&view);
    assert_int_equal(minutes(run_next(&f, "g")), 30);
    fixture_close(&f);
}

/* --- Restarts --- */

static void
test_wait_for_a_retry_goes_on_over_a_restart(void **state)
{
    struct pawl_policy policy = usual();
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    policy.retries = 2;
    policy.retry_delay_ns = 30 * MINUTE;
    policy.overlap = PAWL_OVERLAP_QUEUE;
    house_init(&house);
    house_begin(&house);
    submit_policy(f, "r", PAWL_DELAY, MINUTE, "exit 9", &policy);
    fixture_advance(f, MINUTE);
    view = await_version(f, "r", 2);
    pawl_view_release(&view);
    house_pass(&house, 10 * MINUTE);
    view = get(f, "r");
    assert_int_equal(view.waiting, PAWL_WAITING_RETRY);
    assert_int_equal(view.attempt, 1);
    assert_int_equal(minutes(view.next_ns), 31);
    assert_int_equal(view.policy->overlap, PAWL_OVERLAP_QUEUE);
    pawl_view_release(&view);
    house_pass(&house, 40 * MINUTE);            /* its time passed: at once */
    view = await_version(f, "r", 4);
    assert_int_equal(view.results[1]->attempt, 2);
    assert_int_equal(minutes(view.results[1]->scheduled_ns), 1);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

/* A start of the daemon once ended such a task, and its retry with it. */
static void
test_start_keeps_the_retry_of_a_task_without_a_further_due_time(void **state)
{
    struct pawl_policy policy = usual();
    struct pawl_trigger trigger = BY_SPAN(10 * MINUTE);
    struct pawl_when when = {
        .triggers = &trigger, .ntriggers = 1, .start_ns = PAWL_NO_TIME, .end_ns = START_WALL + 25 * MINUTE,
    };
    struct pawl_spec spec = {
        .id = "e", .id_len = 1, .type = PAWL_CRON, .script = "test $PAWL_ATTEMPT = 2", .script_len = 22,
        .keep_results = -1, .when = &when, .policy = &policy,
    };
    struct asked asked = {.op.done = asked_cb};
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    policy.retries = 1;
    policy.retry_delay_ns = HOUR;
    policy.misfire = PAWL_MISFIRE_SKIP;
    house_init(&house);
    house_begin(&house);
    assert_int_equal(end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, NULL)), PAWL_OK);
    fixture_advance(f, 10 * MINUTE);
    view = await_version(f, "e", 2);
    pawl_view_release(&view);
    house_pass(&house, 30 * MINUTE);            /* 20 was missed, and there is no other */
    view = get(f, "e");
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_true(view.waits_for_retry);
    assert_int_equal(view.missed, 1);
    pawl_view_release(&view);
    fixture_advance(f, 30 * MINUTE);
    view = await_version(f, "e", 4);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.failure_count, 0);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static void
live_into_the_second_attempt(struct house *house)
{
    struct pawl_policy policy = usual();
    struct pawl_view view;

    policy.retries = 3;
    policy.retry_delay_ns = MINUTE;
    submit_policy(&house->f, "a", PAWL_CRON, HOUR, "test $PAWL_ATTEMPT = 2 && sleep 60; exit 1", &policy);
    fixture_advance(&house->f, HOUR);
    view = await_version(&house->f, "a", 2);
    pawl_view_release(&view);
    house_block();
    fixture_advance(&house->f, MINUTE);
    view = await_version(&house->f, "a", 3);
    pawl_view_release(&view);
}

static void
test_attempt_that_a_crash_cut_is_lost_and_tried_again(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_crash(&house, live_into_the_second_attempt);
    fixture_advance(f, 62 * MINUTE);
    house_begin(&house);
    view = get(f, "a");
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.failure_count, 0);    /* it is not over */
    assert_int_equal(view.nresults, 2);
    assert_int_equal(view.results[1]->outcome, PAWL_LOST);
    assert_int_equal(view.results[1]->attempt, 2);
    assert_int_equal(view.waiting, PAWL_WAITING_RETRY);
    assert_int_equal(minutes(view.next_ns), 63);
    pawl_view_release(&view);
    run_next(f, "a");
    view = get(f, "a");
    assert_int_equal(view.results[2]->attempt, 3);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_runs_the_newest_that_came_during_a_run),
        cmocka_unit_test(test_queue_is_the_exact_one_over_many_due_times),
        cmocka_unit_test(test_queue_of_a_task_without_a_due_time_is_empty),
        cmocka_unit_test(test_replace_ends_the_run_for_the_newest_due_time),
        cmocka_unit_test(test_run_asked_for_during_a_run_follows_the_policy),
        cmocka_unit_test(test_failed_run_is_tried_again_with_longer_delays),
        cmocka_unit_test(test_retry_that_succeeds_is_the_end_of_the_run),
        cmocka_unit_test(test_only_the_named_statuses_are_tried_again),
        cmocka_unit_test(test_stop_ends_the_wait_for_a_retry_and_run_now_cuts_it_short),
        cmocka_unit_test(test_run_asked_for_in_a_pause_is_the_attempt_that_waits),
        cmocka_unit_test(test_run_that_another_one_replaces_is_not_tried_again),
        cmocka_unit_test(test_run_of_a_delay_that_is_killed_is_not_tried_again),
        cmocka_unit_test(test_due_times_while_a_retry_waits_are_skipped),
        cmocka_unit_test(test_policy_that_would_come_to_nothing_is_refused),
        cmocka_unit_test(test_policy_that_says_the_defaults_is_none),
        cmocka_unit_test(test_what_passed_without_a_daemon_follows_the_policy),
        cmocka_unit_test(test_delay_that_was_missed_ends_without_a_run),
        cmocka_unit_test(test_what_passed_while_paused_follows_the_policy),
        cmocka_unit_test(test_grace_decides_what_a_sleep_of_the_machine_leaves),
        cmocka_unit_test(test_wait_for_a_retry_goes_on_over_a_restart),
        cmocka_unit_test(test_start_keeps_the_retry_of_a_task_without_a_further_due_time),
        cmocka_unit_test(test_attempt_that_a_crash_cut_is_lost_and_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
