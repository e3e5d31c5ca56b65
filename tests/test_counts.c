/* test_counts.c: every due time ends in a result or in one count, and a task that is over says why. */
#include "index.h"
#include "policy.h"
#include "restart_fixture.h"
#include "when_fixture.h"

/* --- One task without an engine --- */

struct bench {
    struct pawl_epoch epoch;
    struct pawl_epoch_thread *thread;
    struct pawl_index *index;
    struct pawl_task *task;
    int64_t now_ns;
    struct pawl_event started;          /* the newest START */
};

static void
bench_open(struct bench *b, enum pawl_type type, const struct pawl_when *when,
           const struct pawl_policy *policy)
{
    struct pawl_spec spec = {
        .id = "t", .id_len = 1, .type = type, .time_ns = 10, .script = ":", .script_len = 1,
        .keep_results = 10, .when = when, .policy = policy,
    };
    struct pawl_schedule_basis basis = {.id = "t", .id_len = 1, .type = type};
    struct pawl_schedule *schedule = NULL;
    struct pawl_snapshot *first;

    *b = (struct bench) {.now_ns = 0};
    pawl_epoch_init(&b->epoch);
    b->thread = pawl_epoch_register(&b->epoch);
    b->index = pawl_index_new();
    if (when)
        assert_int_equal(pawl_schedule_new(when, &basis, &schedule, NULL), PAWL_OK);
    b->task = pawl_task_new(b->index, &spec, 10, schedule, &(struct pawl_now) {0, 0, INT64_MIN, INT64_MIN},
                            &first);
    assert_non_null(b->task);
    pawl_task_publish(b->task, b->thread, first);
}

static void
bench_close(struct bench *b)
{
    pawl_task_unref(b->task);
    pawl_epoch_unregister(&b->epoch, b->thread);
    pawl_index_free(b->index);
    pawl_epoch_fini(&b->epoch);
}

static int
happen(struct bench *b, struct pawl_event event)
{
    struct pawl_event *kept = event.kind == PAWL_EVENT_START ? &b->started : &event;
    int code;

    if (event.kind == PAWL_EVENT_FINISH) {
        event.due = b->started.due;
        event.is_asked = b->started.is_asked;
        event.exit_code = 1;
    }
    if (event.kind == PAWL_EVENT_START)     /* with a place of the group, or an answer that there is none */
        event.group_of = atomic_load(&b->task->decided)->def;
    event.now_ns = event.wall_ns = b->now_ns;
    event.high_ns = event.oldest_ns = INT64_MIN;
    event.keep_ns = INT64_MAX;
    *kept = event;
    code = pawl_task_apply(b->task, b->thread, kept, NULL);
    pawl_snapshot_free_unused(kept->spare);
    if (kept->def)
        pawl_def_unref(kept->def);
    return code;
}

static struct pawl_view
look(struct bench *b)
{
    struct pawl_now now = {b->now_ns, b->now_ns, INT64_MIN, INT64_MIN};
    struct pawl_view view;

    pawl_epoch_begin(b->thread);
    pawl_task_view(b->task, pawl_task_read(b->task, NULL), &now, false, &view);
    pawl_epoch_end(b->thread);
    pawl_view_release(&view);           /* the task is alive: its numbers are read, not its texts */
    return view;
}

#define START(...) happen(&b, (struct pawl_event) {.kind = PAWL_EVENT_START, __VA_ARGS__})
#define FINISH(...) happen(&b, (struct pawl_event) {.kind = PAWL_EVENT_FINISH, __VA_ARGS__})
#define RUN_NOW() happen(&b, (struct pawl_event) {.kind = PAWL_EVENT_RUN})

static void
test_run_whose_condition_failed_is_counted_and_is_none_of_maxRuns(void **state)
{
    struct pawl_trigger trigger = BY_SPAN(1000000);
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS, .max_runs = 2};
    struct pawl_view view;
    struct bench b;

    (void) state;
    bench_open(&b, PAWL_CRON, &when, NULL);
    for (int i = 1; i <= 3; i++) {
        b.now_ns = i * 1000000;
        assert_int_equal(START(0), PAWL_OK);
        assert_int_equal(b.started.run, i);             /* no number is used twice */
        assert_int_equal(FINISH(.is_condition_skip = i != 2), PAWL_OK);
        assert_int_equal(look(&b).version, 2 * i);
        assert_int_equal(look(&b).status, PAWL_WAIT_FOR_NEXT);
    }
    assert_int_equal(RUN_NOW(), PAWL_OK);               /* asked for, and skipped: counted once */
    assert_int_equal(START(0), PAWL_OK);
    assert_true(b.started.is_asked);
    assert_int_equal(FINISH(.is_condition_skip = true), PAWL_OK);
    assert_int_equal(look(&b).asked_count, 0);
    b.now_ns = 4 * 1000000;
    assert_int_equal(START(0), PAWL_OK);
    assert_int_equal(look(&b).next_ns, PAWL_NO_TIME);   /* it may be the last one */
    assert_int_equal(FINISH(.is_condition_skip = true), PAWL_OK);
    assert_int_equal(look(&b).next_ns, 5 * 1000000);    /* but it was not */
    b.now_ns = 5 * 1000000;
    assert_int_equal(START(0), PAWL_OK);
    assert_int_equal(FINISH(.failed = true), PAWL_OK);
    view = look(&b);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.end_reason, PAWL_END_MAX_RUNS);
    assert_int_equal(view.skipped_condition, 4);
    assert_int_equal(view.run_count, 6);
    assert_int_equal(pawl_view_scheduled_runs(&view), 2);
    assert_int_equal(view.failure_count, 1);
    bench_close(&b);
}

static void
test_delay_whose_condition_failed_is_over_and_skipped(void **state)
{
    struct pawl_policy policy;
    struct pawl_view view;
    struct bench b;

    (void) state;
    pawl_policy_init(&policy);
    policy.retries = 3;
    policy.retry_delay_ns = 0;
    for (int i = 0; i < 2; i++) {
        bench_open(&b, PAWL_DELAY, NULL, i == 0 ? NULL : &policy);
        b.now_ns = 10;
        assert_int_equal(START(0), PAWL_OK);
        assert_int_equal(FINISH(.is_condition_skip = true, .failed = true), PAWL_OK);
        view = look(&b);
        assert_int_equal(view.status, PAWL_EXECUTED);
        assert_int_equal(view.end_reason, PAWL_END_SKIPPED);
        assert_int_equal(view.skipped_condition, 1);
        assert_int_equal(view.failure_count, 0);
        assert_int_equal(RUN_NOW(), PAWL_OK);
        assert_int_equal(look(&b).end_reason, PAWL_END_NONE);
        assert_int_equal(START(0), PAWL_OK);
        assert_int_equal(FINISH(0), PAWL_OK);
        assert_int_equal(look(&b).end_reason, PAWL_END_DONE);
        bench_close(&b);
    }
}

/* An attempt that is skipped has the results of those before it. */
static void
test_condition_that_fails_at_a_later_attempt_is_the_end_of_a_run_that_failed(void **state)
{
    struct pawl_policy policy;
    struct pawl_view view;
    struct bench b;

    (void) state;
    pawl_policy_init(&policy);
    strcpy(policy.group, "g");
    policy.retries = 3;
    policy.retry_delay_ns = 0;
    for (int i = 0; i < 2; i++) {
        bench_open(&b, PAWL_CRON, NULL, &policy);
        b.now_ns = 10;
        assert_int_equal(START(0), PAWL_OK);
        assert_int_equal(FINISH(.failed = true), PAWL_OK);
        assert_int_equal(look(&b).waiting, PAWL_WAITING_RETRY);
        if (i == 0) {
            assert_int_equal(START(0), PAWL_OK);
            assert_int_equal(b.started.attempt, 2);
            assert_int_equal(FINISH(.is_condition_skip = true), PAWL_OK);
        } else {
            assert_int_equal(START(.is_group_full = true), PAWL_OK);
            assert_true(b.started.is_passed);
        }
        view = look(&b);
        assert_int_equal(view.waiting, PAWL_WAITING_NOTHING);
        assert_int_equal(view.failure_count, 1);
        assert_int_equal(view.skipped_condition + view.skipped_group, 0);
        assert_int_equal(view.run_count, 1);
        assert_int_equal(view.next_ns, 20);
        bench_close(&b);
    }
}

static void
test_stopped_task_counts_a_condition_that_failed(void **state)
{
    struct bench b;

    (void) state;
    bench_open(&b, PAWL_CRON, NULL, NULL);
    b.now_ns = 10;
    assert_int_equal(START(0), PAWL_OK);
    assert_int_equal(happen(&b, (struct pawl_event) {.kind = PAWL_EVENT_STOP}), PAWL_OK);
    assert_int_equal(FINISH(.is_condition_skip = true), PAWL_OK);
    assert_int_equal(look(&b).skipped_condition, 1);
    assert_int_equal(look(&b).status, PAWL_STOPPED);
    assert_int_equal(look(&b).end_reason, PAWL_END_NONE);
    bench_close(&b);
}

static void
test_due_time_that_finds_its_group_full_passes(void **state)
{
    struct pawl_trigger trigger = BY_SPAN(1000000);
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS, .max_runs = 1};
    struct pawl_policy policy;
    struct pawl_view view;
    struct bench b;

    (void) state;
    pawl_policy_init(&policy);
    strcpy(policy.group, "g");
    bench_open(&b, PAWL_CRON, &when, &policy);
    for (int i = 1; i <= 3; i++) {
        b.now_ns = i * 1000000;
        assert_int_equal(START(.is_group_full = true), PAWL_OK);
        assert_true(b.started.is_passed && b.started.rearm);
        view = look(&b);
        assert_int_equal(view.next_ns, (i + 1) * 1000000);
        assert_int_equal(view.version + view.running, 0);
        assert_int_equal(view.skipped_group, i);
        assert_int_equal(view.run_count, 0);
    }
    assert_int_equal(RUN_NOW(), PAWL_OK);
    assert_int_equal(START(.is_group_full = true), PAWL_OK);
    view = look(&b);
    assert_int_equal(view.skipped_group, 4);
    assert_int_equal(view.asked_count, 0);
    assert_int_equal(view.next_ns, 4 * 1000000);
    b.now_ns = 4 * 1000000;
    assert_int_equal(START(0), PAWL_OK);
    assert_int_equal(FINISH(0), PAWL_OK);
    assert_int_equal(look(&b).end_reason, PAWL_END_MAX_RUNS);
    bench_close(&b);
    bench_open(&b, PAWL_DELAY, NULL, &policy);
    b.now_ns = 10;
    assert_int_equal(START(.is_group_full = true), PAWL_OK);
    view = look(&b);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.end_reason, PAWL_END_SKIPPED);
    assert_int_equal(view.version, 1);
    bench_close(&b);
}

/* Such a task has a due time in the wheel while it runs, which must not keep it alive. */
static void
test_deleted_task_leaves_the_wheel_though_it_runs(void **state)
{
    struct pawl_event gone = {.kind = PAWL_EVENT_DELETE};
    struct pawl_policy policy;
    struct bench b;

    (void) state;
    pawl_policy_init(&policy);
    policy.overlap = PAWL_OVERLAP_ALLOW;
    bench_open(&b, PAWL_CRON, NULL, &policy);
    b.now_ns = 10;
    assert_int_equal(START(0), PAWL_OK);
    assert_true(b.started.rearm);
    assert_int_equal(b.started.next_due_ns, 20);
    assert_int_equal(pawl_task_apply(b.task, b.thread, &gone, NULL), PAWL_OK);
    assert_true(gone.rearm);
    bench_close(&b);
}

/* --- With an engine and a store --- */

typedef int
change_call(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_op *op,
            struct pawl_err *err);

static int
change(struct fixture *f, change_call *call, const char *id)
{
    struct asked asked = {.op.done = asked_cb};

    return end_of(f, &asked, call(f->handle, id, strlen(id), &asked.op, NULL));
}

static enum pawl_end_reason
reason_of(struct fixture *f, const char *id)
{
    struct pawl_view view = get(f, id);
    enum pawl_end_reason reason = view.end_reason;

    assert_int_equal(view.status, PAWL_EXECUTED);
    pawl_view_release(&view);
    return reason;
}

static void
submit_bounded(struct fixture *f, const char *id, uint64_t max_runs, int64_t end_ns)
{
    struct pawl_trigger trigger = BY_SPAN(10 * MINUTE);
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS};

    when.max_runs = max_runs;
    when.end_ns = end_ns;
    submit_when(f, id, PAWL_CRON, &when);
}

static void
test_task_that_is_over_says_why_also_after_a_restart(void **state)
{
    struct pawl_trigger times[] = {BY_AT(START_WALL + MINUTE), BY_AT(START_WALL + 2 * MINUTE)};
    struct pawl_when when = {.triggers = times, .ntriggers = 2, ALWAYS};
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(f, "done", PAWL_DELAY, MINUTE, "false");
    submit_bounded(f, "runs", 1, PAWL_NO_TIME);
    submit_bounded(f, "end", 0, START_WALL + 15 * MINUTE);
    submit_when(f, "times", PAWL_CRON, &when);
    submit(f, "alive", PAWL_CRON, HOUR, ":");
    for (int i = 0; i < 10; i++) {
        fixture_advance(f, MINUTE);
        view = await_version(f, "times", i == 0 ? 2 : 4);
        pawl_view_release(&view);
    }
    view = await_version(f, "runs", 2);
    pawl_view_release(&view);
    view = await_version(f, "end", 2);
    pawl_view_release(&view);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(reason_of(f, "done"), PAWL_END_DONE);
        assert_int_equal(reason_of(f, "runs"), PAWL_END_MAX_RUNS);
        assert_int_equal(reason_of(f, "end"), PAWL_END_AT);
        assert_int_equal(reason_of(f, "times"), PAWL_END_NO_TIMES);
        view = get(f, "alive");
        assert_int_equal(view.end_reason, PAWL_END_NONE);
        pawl_view_release(&view);
        house_restart(&house);
    }
    house_end(&house);
    house_fini(&house);
}

static void
test_delay_that_was_missed_says_so(void **state)
{
    struct pawl_policy policy;
    struct pawl_spec spec = {
        .id = "m", .id_len = 1, .type = PAWL_DELAY, .time_ns = MINUTE, .script = ":",
        .script_len = 1, .policy = &policy,
    };
    struct asked asked = {.op.done = asked_cb};
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    pawl_policy_init(&policy);
    policy.misfire = PAWL_MISFIRE_SKIP;
    house_init(&house);
    house_begin(&house);
    assert_int_equal(end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, NULL)), PAWL_OK);
    spec.id = "p";
    asked = (struct asked) {.op.done = asked_cb};
    assert_int_equal(end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, NULL)), PAWL_OK);
    assert_int_equal(change(f, pawl_pause, "p"), PAWL_OK);
    house_pass(&house, HOUR);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(reason_of(f, "m"), PAWL_END_MISSED);
        view = get(f, "m");
        assert_int_equal(view.missed, 1);
        assert_int_equal(view.missed_paused, 0);
        pawl_view_release(&view);
        if (i == 0)
            assert_int_equal(change(f, pawl_resume, "p"), PAWL_OK);
        assert_int_equal(reason_of(f, "p"), PAWL_END_MISSED);
        view = get(f, "p");
        assert_int_equal(view.missed_paused, 1);
        pawl_view_release(&view);
        house_restart(&house);
    }
    house_end(&house);
    house_fini(&house);
}

/* A plain task has no room for the count in its snapshot before it needs it. */
static void
test_what_a_plain_task_missed_in_a_pause_comes_back(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(f, "p", PAWL_CRON, 10 * MINUTE, ":");
    assert_int_equal(change(f, pawl_pause, "p"), PAWL_OK);
    fixture_advance(f, 45 * MINUTE);
    assert_int_equal(change(f, pawl_resume, "p"), PAWL_OK);
    view = await_version(f, "p", 4);
    pawl_view_release(&view);
    for (int i = 0; i < 3; i++) {
        house_restart(&house);
        view = get(f, "p");
        assert_int_equal(view.missed, 3);
        assert_int_equal(view.missed_paused, 3);
        assert_int_equal(view.attempt, 0);
        pawl_view_release(&view);
        if (i == 1)
            run_next(f, "p");
    }
    house_end(&house);
    house_fini(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_whose_condition_failed_is_counted_and_is_none_of_maxRuns),
        cmocka_unit_test(test_delay_whose_condition_failed_is_over_and_skipped),
        cmocka_unit_test(
            test_condition_that_fails_at_a_later_attempt_is_the_end_of_a_run_that_failed),
        cmocka_unit_test(test_stopped_task_counts_a_condition_that_failed),
        cmocka_unit_test(test_due_time_that_finds_its_group_full_passes),
        cmocka_unit_test(test_deleted_task_leaves_the_wheel_though_it_runs),
        cmocka_unit_test(test_task_that_is_over_says_why_also_after_a_restart),
        cmocka_unit_test(test_delay_that_was_missed_says_so),
        cmocka_unit_test(test_what_a_plain_task_missed_in_a_pause_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
