/* test_concurrency.c: groups of tasks of which only so many run at once, on the manual clock. */
#include "concurrency.h"
#include "policy.h"
#include "restart_fixture.h"
#include "when_fixture.h"

/* --- Runs that end when the test lets them --- */

static char holds[64];

static int
make_holds(void **state)
{
    (void) state;
    strcpy(holds, "/tmp/pawl-groups-XXXXXX");
    return mkdtemp(holds) ? 0 : -1;
}

static int
remove_holds(void **state)
{
    char command[128];

    (void) state;
    snprintf(command, sizeof command, "rm -r %s", holds);
    return system(command);
}

/* The task's run waits for release(). */
static const char *
held(const char *id)
{
    static char script[160];
    char path[96];

    snprintf(path, sizeof path, "%s/%s", holds, id);
    if (mkfifo(path, 0600) != 0)
        assert_int_equal(errno, EEXIST);
    snprintf(script, sizeof script, "read x <%s; test \"$x\" != fail", path);
    return script;
}

static void
release_with(const char *id, const char *word)
{
    char path[96];
    int fd;

    snprintf(path, sizeof path, "%s/%s", holds, id);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, word, strlen(word)), (ssize_t) strlen(word));
    close(fd);
}

static void
release(const char *id)
{
    release_with(id, "\n");
}

/* --- Tasks in groups --- */

static struct pawl_policy
in_group(const char *group)
{
    struct pawl_policy policy;

    pawl_policy_init(&policy);
    strcpy(policy.group, group);
    return policy;
}

static void
submit_with(struct fixture *f, const char *id, enum pawl_type type, int64_t time_ns,
            const char *script, const struct pawl_policy *policy, const struct pawl_action *action)
{
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = type, .time_ns = time_ns, .script = script,
        .script_len = strlen(script), .keep_results = 100, .policy = policy, .action = action,
    };
    struct asked asked = {.op.done = asked_cb};
    struct pawl_err err = {0};

    if (end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, &err)) != PAWL_OK)
        fail_msg("submit of %s: %s", id, err.text);
}

/* One run, after this many seconds, that ends when it is released. */
static void
submit_held(struct fixture *f, const char *id, int64_t seconds, const char *group)
{
    struct pawl_policy policy = in_group(group);

    submit_with(f, id, PAWL_DELAY, seconds * SECOND, held(id), &policy, NULL);
}

static struct pawl_group_view
group_of(struct fixture *f, const char *name)
{
    struct pawl_group_view view;

    assert_int_equal(pawl_group_get(f->engine, name, strlen(name), &view, NULL), PAWL_OK);
    return view;
}

static bool
is_group(struct fixture *f, const char *name, uint32_t running, uint32_t waiting)
{
    struct pawl_group_view view = group_of(f, name);

    return view.running == running && view.waiting == waiting &&
           pawl_concurrency_check(f->engine->concurrency);
}

static void
await_running(struct fixture *f, const char *id)
{
    struct pawl_view view = get(f, id);

    while (view.status != PAWL_EXECUTING) {
        int64_t version = view.version;

        pawl_view_release(&view);
        view = await_version(f, id, version + 1);
    }
    pawl_view_release(&view);
}

static enum pawl_waiting
waiting_of(struct fixture *f, const char *id)
{
    struct pawl_view view = get(f, id);

    pawl_view_release(&view);
    return view.waiting;
}

static enum pawl_status
status_of(struct fixture *f, const char *id)
{
    struct pawl_view view = get(f, id);

    pawl_view_release(&view);
    return view.status;
}

static int
ask(struct fixture *f, const char *id,
    int (*call)(struct pawl_handle *, const char *, size_t, struct pawl_op *, struct pawl_err *))
{
    struct asked asked = {.op.done = asked_cb};

    return end_of(f, &asked, call(f->handle, id, strlen(id), &asked.op, NULL));
}

static int
resize(struct fixture *f, const char *group, int64_t size)
{
    struct asked asked = {.op.done = asked_cb};
    int code = end_of(f, &asked, pawl_group_resize(f->handle, group, strlen(group), size,
                                                   &asked.op, NULL));

    if (code == PAWL_OK) {
        assert_string_equal(asked.op.group.name, group);
        if (size >= 0)
            assert_int_equal(asked.op.group.size, size);
    }
    return code;
}

static void
open_with_groups(struct fixture *f, const char *const *groups, unsigned queue_max)
{
    struct pawl_options options;

    pawl_options_init(&options);
    options.nworkers = 2;
    options.groups = groups;
    if (queue_max > 0)
        options.group_queue = queue_max;
    fixture_open_with(f, &options);
}

/* Lets a run end, and waits until it has. */
static void
finish(struct fixture *f, const char *id)
{
    int64_t version = version_of(f, id);
    struct pawl_view view;

    release(id);
    view = await_version(f, id, version + 1);
    pawl_view_release(&view);
}

static void
test_as_many_run_as_fit_and_the_rest_in_order(void **state)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    struct fixture f;

    (void) state;
    open_with_groups(&f, (const char *const[]) {"db=2", NULL}, 0);
    for (int i = 0; i < 5; i++)
        submit_held(&f, ids[i], i + 1, "db");
    for (int i = 0; i < 5; i++) {
        fixture_advance(&f, SECOND);
        await(is_group(&f, "db", i < 2 ? i + 1 : 2, i < 2 ? 0 : i - 1));
    }
    assert_int_equal(stats_of(&f).waiting_group, 3);
    assert_int_equal(waiting_of(&f, "b"), PAWL_WAITING_NOTHING);
    assert_int_equal(waiting_of(&f, "e"), PAWL_WAITING_GROUP);
    assert_int_equal(version_of(&f, "e"), 0);       /* waiting is no change */
    for (int i = 0; i < 5; i++) {
        await_running(&f, ids[i]);
        if (i + 2 < 5)
            assert_int_equal(status_of(&f, ids[i + 2]), PAWL_TO_BE_EXECUTED);
        finish(&f, ids[i]);
    }
    await(is_group(&f, "db", 0, 0));
    assert_int_equal(group_of(&f, "db").source, PAWL_GROUP_CONFIGURED);
    fixture_close(&f);
}

static void
test_group_without_a_size_is_one_at_a_time_and_holds_up_no_other(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_held(&f, "a", 1, "x");
    submit_held(&f, "b", 2, "x");
    submit_held(&f, "c", 3, "y");
    submit(&f, "plain", PAWL_DELAY, 3 * SECOND, ":");
    fixture_advance(&f, SECOND);
    await_running(&f, "a");
    fixture_advance(&f, 2 * SECOND);
    await_running(&f, "c");
    struct pawl_view plain = await_version(&f, "plain", 2);
    pawl_view_release(&plain);
    await(is_group(&f, "x", 1, 1));
    assert_int_equal(group_of(&f, "x").size, 1);
    assert_int_equal(group_of(&f, "x").source, PAWL_GROUP_USUAL);
    assert_true(is_group(&f, "nobody", 0, 0));
    finish(&f, "a");
    await_running(&f, "b");
    release("b");
    release("c");
    await(is_group(&f, "x", 0, 0) && is_group(&f, "y", 0, 0));
    fixture_close(&f);
}

static void
test_size_is_changed_while_runs_go_on(void **state)
{
    static const char *const ids[] = {"a", "b", "c", "d"};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(resize(&f, "g", 0), PAWL_OK);
    for (int i = 0; i < 4; i++) {
        submit_held(&f, ids[i], i + 1, "g");
        fixture_advance(&f, SECOND * (i + 1));
        await(is_group(&f, "g", 0, i + 1));
    }
    assert_int_equal(resize(&f, "g", 3), PAWL_OK);
    await_running(&f, "a");
    await_running(&f, "b");
    await_running(&f, "c");
    assert_true(is_group(&f, "g", 3, 1));
    assert_int_equal(resize(&f, "g", 1), PAWL_OK);
    finish(&f, "a");
    finish(&f, "b");
    await(is_group(&f, "g", 1, 1));
    finish(&f, "c");
    await_running(&f, "d");
    assert_int_equal(resize(&f, "g", -1), PAWL_OK);
    assert_int_equal(resize(&f, "g", -1), PAWL_ENOENT);
    assert_int_equal(resize(&f, "g", PAWL_GROUP_SIZE_MAX + 1), PAWL_EINVAL);
    assert_int_equal(resize(&f, "a b", 1), PAWL_EINVAL);
    assert_int_equal(group_of(&f, "g").source, PAWL_GROUP_USUAL);
    release("d");
    await(is_group(&f, "g", 0, 0));
    fixture_close(&f);
}

static void
test_who_is_stopped_or_paused_or_deleted_passes_its_turn_on(void **state)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    for (int i = 0; i < 5; i++) {
        submit_held(&f, ids[i], 0, "g");
        await(is_group(&f, "g", 1, i));
    }
    assert_int_equal(stop(&f, "b"), PAWL_OK);
    assert_true(is_group(&f, "g", 1, 3));           /* at once, not when its turn comes */
    assert_int_equal(ask(&f, "c", pawl_pause), PAWL_OK);
    assert_int_equal(waiting_of(&f, "c"), PAWL_WAITING_NOTHING);
    assert_int_equal(delete(&f, "d"), PAWL_OK);
    assert_true(is_group(&f, "g", 1, 1));
    finish(&f, "a");
    await_running(&f, "e");
    assert_int_equal(ask(&f, "c", pawl_resume), PAWL_OK);
    await(is_group(&f, "g", 1, 1));
    finish(&f, "e");
    await_running(&f, "c");
    release("c");
    await(is_group(&f, "g", 0, 0));
    fixture_close(&f);
}

static void
test_who_is_resumed_or_asked_to_run_stands_in_the_queue_once(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_held(&f, "a", 0, "g");
    await_running(&f, "a");
    submit_held(&f, "b", 0, "g");
    submit_held(&f, "c", 0, "g");
    await(is_group(&f, "g", 1, 2));
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask(&f, "b", pawl_pause), PAWL_OK);
        await(is_group(&f, "g", 1, 1));     /* a worker may be about to see that it is paused */
        assert_int_equal(ask(&f, "b", pawl_resume), PAWL_OK);
        await(is_group(&f, "g", 1, 2));
    }
    assert_int_equal(ask(&f, "b", pawl_run), PAWL_OK);      /* it stays where it stands */
    await(stats_of(&f).waiting_ready == 0);
    await(is_group(&f, "g", 1, 2));
    finish(&f, "a");
    await_running(&f, "c");
    finish(&f, "c");
    await_running(&f, "b");
    finish(&f, "b");
    await(is_group(&f, "g", 0, 0));
    fixture_close(&f);
}

static void
test_group_overflow_skip_counts_and_goes_on(void **state)
{
    struct pawl_policy policy = in_group("g");
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.group_overflow = PAWL_GROUP_SKIP;
    submit_held(&f, "a", 0, "g");
    await_running(&f, "a");
    submit_with(&f, "cron", PAWL_CRON, 10 * MINUTE, ":", &policy, NULL);
    submit_with(&f, "once", PAWL_DELAY, 15 * MINUTE, ":", &policy, NULL);
    fixture_advance(&f, 10 * MINUTE);
    await((view = get(&f, "cron"), pawl_view_release(&view), view.skipped_group == 1));
    assert_int_equal(view.version, 0);
    assert_int_equal(view.run_count, 0);
    assert_int_equal(view.status, PAWL_TO_BE_EXECUTED);
    assert_int_equal(view.next_ns, START_WALL + 20 * MINUTE);
    fixture_advance(&f, 5 * MINUTE);
    view = await_version(&f, "once", 1);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.skipped_group, 1);
    assert_int_equal(view.end_reason, PAWL_END_SKIPPED);
    pawl_view_release(&view);
    finish(&f, "a");
    fixture_advance(&f, 5 * MINUTE);
    view = await_version(&f, "cron", 2);
    assert_int_equal(view.run_count, 1);
    pawl_view_release(&view);
    await(is_group(&f, "g", 0, 0));
    fixture_close(&f);
}

static void
test_queue_is_bounded(void **state)
{
    static const char *const ids[] = {"a", "b", "c", "d"};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    open_with_groups(&f, NULL, 2);
    for (int i = 0; i < 3; i++) {
        submit_held(&f, ids[i], 0, "g");
        await(is_group(&f, "g", 1, i));
    }
    submit_held(&f, "d", 0, "g");
    view = await_version(&f, "d", 1);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.skipped_group, 1);
    pawl_view_release(&view);
    assert_true(is_group(&f, "g", 1, 2));
    for (int i = 0; i < 3; i++) {
        await_running(&f, ids[i]);
        finish(&f, ids[i]);
    }
    fixture_close(&f);
}

static void
test_due_times_that_pass_while_it_waits_are_missed_but_the_newest(void **state)
{
    struct pawl_policy policy = in_group("g");
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_held(&f, "a", 0, "g");
    await_running(&f, "a");
    submit_with(&f, "cron", PAWL_CRON, 10 * MINUTE, ":", &policy, NULL);
    fixture_advance(&f, 10 * MINUTE);
    await(is_group(&f, "g", 1, 1));
    fixture_advance(&f, 35 * MINUTE);
    assert_true(is_group(&f, "g", 1, 1));
    finish(&f, "a");
    view = await_version(&f, "cron", 2);
    assert_int_equal(view.nresults, 1);
    assert_int_equal(view.results[0]->scheduled_ns, START_WALL + 40 * MINUTE);
    assert_int_equal(view.missed, 3);
    assert_int_equal(view.skipped_overlap, 0);
    assert_int_equal(view.next_ns, START_WALL + 50 * MINUTE);
    pawl_view_release(&view);
    await(is_group(&f, "g", 0, 0));
    fixture_close(&f);
}

static void
test_due_time_that_became_too_late_in_the_queue_gives_its_place_on(void **state)
{
    struct pawl_policy policy = in_group("g");
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.misfire_grace_ns = MINUTE;
    submit_held(&f, "a", 0, "g");
    await_running(&f, "a");
    submit_with(&f, "late", PAWL_DELAY, MINUTE, ":", &policy, NULL);
    fixture_advance(&f, MINUTE);
    await(is_group(&f, "g", 1, 1));
    submit_held(&f, "b", 0, "g");
    await(is_group(&f, "g", 1, 2));
    fixture_advance(&f, 2 * MINUTE);
    finish(&f, "a");
    view = await_version(&f, "late", 1);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.missed, 1);
    assert_int_equal(view.run_count, 0);
    pawl_view_release(&view);
    await_running(&f, "b");
    finish(&f, "b");
    await(is_group(&f, "g", 0, 0));
    fixture_close(&f);
}

static void
test_place_belongs_to_the_run_not_to_the_task(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_held(&f, "a", 0, "g");
    await_running(&f, "a");
    assert_int_equal(delete(&f, "a"), PAWL_OK);
    submit_held(&f, "b", 0, "g");
    await(is_group(&f, "g", 1, 1));
    release("a");
    await_running(&f, "b");
    finish(&f, "b");
    await(is_group(&f, "g", 0, 0));
    fixture_close(&f);
}

static void
test_run_that_cannot_be_started_gives_its_place_back(void **state)
{
    struct pawl_action action = {.cwd = "/nowhere/at/all", .umask = -1, .kill_grace_ns = -1};
    struct pawl_policy policy = in_group("g");
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_with(&f, "bad", PAWL_DELAY, 0, ":", &policy, &action);
    view = await_version(&f, "bad", 2);
    assert_int_equal(view.results[0]->outcome, PAWL_ERROR);
    pawl_view_release(&view);
    await(is_group(&f, "g", 0, 0));
    fixture_close(&f);
}

static void
test_retry_that_waits_has_no_place(void **state)
{
    struct pawl_policy policy = in_group("g");
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.retries = 1;
    policy.retry_delay_ns = MINUTE;
    submit_with(&f, "again", PAWL_DELAY, 0, held("again"), &policy, NULL);
    await_running(&f, "again");
    submit_held(&f, "b", 0, "g");
    await(is_group(&f, "g", 1, 1));
    release_with("again", "fail\n");
    await_running(&f, "b");
    await(waiting_of(&f, "again") == PAWL_WAITING_RETRY);
    fixture_advance(&f, MINUTE);
    await(is_group(&f, "g", 1, 1));
    assert_int_equal(waiting_of(&f, "again"), PAWL_WAITING_GROUP);
    finish(&f, "b");
    await_running(&f, "again");
    release("again");
    view = await_version(&f, "again", 4);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.nresults, 2);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_replacing_run_takes_the_place_of_the_one_that_it_ends(void **state)
{
    struct pawl_policy policy = in_group("g");
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.overlap = PAWL_OVERLAP_REPLACE;
    submit_with(&f, "r", PAWL_CRON, 10 * MINUTE, held("r"), &policy, NULL);
    fixture_advance(&f, 10 * MINUTE);
    await_running(&f, "r");
    fixture_advance(&f, 10 * MINUTE);
    view = await_version(&f, "r", 3);
    assert_int_equal(view.results[0]->outcome, PAWL_KILLED);
    assert_int_equal(view.running, 1);
    pawl_view_release(&view);
    assert_true(is_group(&f, "g", 1, 0));
    finish(&f, "r");
    await(is_group(&f, "g", 0, 0));
    fixture_close(&f);
}

static void
test_runs_of_one_task_that_may_overlap_have_a_place_each(void **state)
{
    struct pawl_policy policy = in_group("g");
    struct pawl_view view;
    struct latch latch;
    struct fixture f;

    (void) state;
    latch_init(&latch, holds);
    open_with_groups(&f, (const char *const[]) {"g=2", NULL}, 0);
    policy.overlap = PAWL_OVERLAP_ALLOW;
    policy.max_running = 5;
    submit_with(&f, "r", PAWL_CRON, 10 * MINUTE, latch.script, &policy, NULL);
    for (int i = 1; i <= 2; i++) {
        fixture_advance(&f, 10 * MINUTE);
        await(is_group(&f, "g", i, 0));
    }
    fixture_advance(&f, 10 * MINUTE);
    await(is_group(&f, "g", 2, 1));
    view = get(&f, "r");
    assert_int_equal(view.running, 2);
    assert_int_equal(view.waiting, PAWL_WAITING_GROUP);
    assert_int_equal(view.skipped_overlap, 0);
    pawl_view_release(&view);
    latch_open(&latch);
    await((view = get(&f, "r"), pawl_view_release(&view), view.run_count == 3));
    await(is_group(&f, "g", 2, 0));
    assert_int_equal(stop(&f, "r"), PAWL_OK);
    latch_open(&latch);
    await(is_group(&f, "g", 1, 0));
    latch_open(&latch);
    await(is_group(&f, "g", 0, 0));
    fixture_close(&f);
    latch_fini(&latch);
}

static void
test_condition_that_fails_gives_the_place_back(void **state)
{
    struct pawl_action action = {.condition = "false", .umask = -1, .kill_grace_ns = -1};
    struct pawl_policy policy = in_group("g");
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_with(&f, "c", PAWL_DELAY, 0, ":", &policy, &action);
    view = await_version(&f, "c", 2);
    assert_int_equal(view.skipped_condition, 1);
    assert_int_equal(view.skipped_group, 0);
    pawl_view_release(&view);
    await(is_group(&f, "g", 0, 0));
    fixture_close(&f);
}

static void
test_clock_set_back_while_it_waits_does_not_hold_the_others_up(void **state)
{
    struct pawl_policy policy = in_group("g");
    struct pawl_trigger trigger = BY_CALENDAR("", "");
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS};
    struct asked asked = {.op.done = asked_cb};
    struct pawl_err err = {0};
    struct fixture f;
    struct pawl_spec spec = {
        .id = "wall", .id_len = 4, .type = PAWL_DELAY, .script = ":", .script_len = 1,
        .keep_results = 1, .when = &when, .policy = &policy,
    };

    (void) state;
    fixture_open(&f);
    trigger = (struct pawl_trigger) BY_AT(START_WALL + 10 * MINUTE);
    submit_held(&f, "a", 0, "g");
    await_running(&f, "a");
    if (end_of(&f, &asked, pawl_submit(f.handle, &spec, &asked.op, &err)) != PAWL_OK)
        fail_msg("%s", err.text);
    fixture_advance(&f, 10 * MINUTE);
    await(is_group(&f, "g", 1, 1));
    submit_held(&f, "b", 0, "g");
    await(is_group(&f, "g", 1, 2));
    set_wall(&f, -5 * MINUTE);
    await(is_group(&f, "g", 1, 1));         /* its time is to come again */
    assert_int_equal(waiting_of(&f, "wall"), PAWL_WAITING_NOTHING);
    finish(&f, "a");
    await_running(&f, "b");
    fixture_advance(&f, 5 * MINUTE);
    await(is_group(&f, "g", 1, 1));
    finish(&f, "b");
    struct pawl_view view = await_version(&f, "wall", 2);
    pawl_view_release(&view);
    await(is_group(&f, "g", 0, 0));
    fixture_close(&f);
}

static void
test_full_daemon_is_told_from_a_full_group(void **state)
{
    struct pawl_options options;
    struct fixture f;

    (void) state;
    pawl_options_init(&options);
    options.nworkers = 2;
    options.max_running = 1;
    fixture_open_with(&f, &options);
    submit_held(&f, "a", 0, "g");
    await_running(&f, "a");
    submit(&f, "plain", PAWL_DELAY, 0, ":");
    assert_int_equal(waiting_of(&f, "plain"), PAWL_WAITING_WORKER);
    assert_int_equal(waiting_of(&f, "a"), PAWL_WAITING_NOTHING);
    finish(&f, "a");
    struct pawl_view view = await_version(&f, "plain", 2);
    assert_int_equal(view.waiting, PAWL_WAITING_NOTHING);
    pawl_view_release(&view);
    fixture_close(&f);
}

/* Makes the task one of another group; empty: of none. */
static void
edit_group(struct fixture *f, const char *id, const char *group)
{
    struct pawl_policy policy = in_group(group);
    struct asked asked = {.op.done = asked_cb};
    struct pawl_err err = {0};
    struct pawl_view view;
    int code = pawl_edit_begin(f->handle, id, strlen(id), &view, &err);

    assert_int_equal(code, PAWL_OK);

    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = view.type, .time_ns = view.time_ns,
        .script = view.script, .script_len = view.script_len, .keep_results = view.keep_results,
        .policy = &policy,
    };

    code = end_of(f, &asked, pawl_edit(f->handle, &view, &spec, -1, &asked.op, &err));
    pawl_view_release(&view);
    if (code != PAWL_OK)
        fail_msg("the edit of %s: %s", id, err.text);
}

static void
test_who_is_edited_into_another_group_goes_on_there(void **state)
{
    static const char *const ids[] = {"a", "b", "c", "d"};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    for (int i = 0; i < 4; i++) {
        submit_held(&f, ids[i], 0, "g");
        await(is_group(&f, "g", 1, i));
    }
    edit_group(&f, "b", "h");
    await_running(&f, "b");
    assert_true(is_group(&f, "g", 1, 2));
    assert_true(is_group(&f, "h", 1, 0));
    edit_group(&f, "c", "");
    await_running(&f, "c");
    assert_true(is_group(&f, "g", 1, 1));
    edit_group(&f, "a", "");                        /* its run keeps its place */
    assert_true(is_group(&f, "g", 1, 1));
    edit_group(&f, "d", "h");
    await(is_group(&f, "g", 1, 0) && is_group(&f, "h", 1, 1));
    finish(&f, "b");
    await_running(&f, "d");
    release("a");
    release("c");
    release("d");
    await(is_group(&f, "g", 0, 0) && is_group(&f, "h", 0, 0));
    fixture_close(&f);
}

static void
test_engine_closes_while_some_wait(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_held(&f, "a", 0, "g");
    await_running(&f, "a");
    submit_held(&f, "b", 0, "g");
    submit_held(&f, "c", 0, "g");
    await(is_group(&f, "g", 1, 2));
    assert_int_equal(delete(&f, "c"), PAWL_OK);
    fixture_close(&f);
}

static void
test_groups_are_listed_by_name(void **state)
{
    struct pawl_group_view *views;
    struct fixture f;
    size_t n;

    (void) state;
    open_with_groups(&f, (const char *const[]) {"z=9", "b=0", NULL}, 0);
    submit_held(&f, "a", 0, "m");
    await_running(&f, "a");
    assert_int_equal(resize(&f, "z", 7), PAWL_OK);
    assert_int_equal(pawl_groups(f.engine, &views, &n), PAWL_OK);
    assert_int_equal(n, 3);
    assert_string_equal(views[0].name, "b");
    assert_int_equal(views[0].size, 0);
    assert_string_equal(views[1].name, "m");
    assert_int_equal(views[1].running, 1);
    assert_string_equal(views[2].name, "z");
    assert_int_equal(views[2].size, 7);
    assert_int_equal(views[2].source, PAWL_GROUP_ASKED);
    free(views);
    assert_int_equal(resize(&f, "z", -1), PAWL_OK);
    assert_int_equal(group_of(&f, "z").size, 9);
    release("a");
    fixture_close(&f);
}

static void
test_configured_size_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {"db", "db=", "=3", "db=x", "db=-1", "db=1000001", "a b=1",
                                      "db=3 ", "db=99999999999999999999"};

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *groups[] = {bad[i], NULL};
        struct pawl_options options;
        struct pawl_err err = {0};
        struct pawl *engine;

        pawl_options_init(&options);
        options.groups = groups;
        if (pawl_open(&options, &engine, &err) != PAWL_EINVAL)
            fail_msg("%s was taken", bad[i]);
        assert_string_equal(err.field, "group");
    }
}

/* --- With a store --- */

static void
test_sizes_and_who_waits_come_through_a_restart(void **state)
{
    struct house house;
    struct fixture *f = &house.f;

    (void) state;
    house_init(&house);
    house_begin(&house);
    assert_int_equal(resize(f, "g", 0), PAWL_OK);
    assert_int_equal(resize(f, "h", 3), PAWL_OK);
    assert_int_equal(resize(f, "h", -1), PAWL_OK);
    submit_held(f, "a", 0, "g");
    submit_held(f, "b", 1, "g");
    await(is_group(f, "g", 0, 1));
    fixture_advance(f, SECOND);
    await(is_group(f, "g", 0, 2));
    house_restart(&house);
    await(is_group(f, "g", 0, 2));
    assert_int_equal(group_of(f, "g").source, PAWL_GROUP_ASKED);
    assert_int_equal(group_of(f, "h").source, PAWL_GROUP_USUAL);
    assert_int_equal(resize(f, "g", 2), PAWL_OK);
    await_running(f, "a");
    await_running(f, "b");
    release("a");
    release("b");
    await(is_group(f, "g", 0, 0));
    house_end(&house);
    house_fini(&house);
}

static void
live_with_a_run(struct house *house)
{
    assert_int_equal(resize(&house->f, "g", 1), PAWL_OK);
    submit_held(&house->f, "a", 0, "g");
    await_running(&house->f, "a");
    submit_held(&house->f, "b", 0, "g");
    await(is_group(&house->f, "g", 1, 1));
}

static void
test_run_that_a_crash_cut_has_no_place_afterwards(void **state)
{
    struct house house;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_crash(&house, live_with_a_run);
    house_begin(&house);
    await_running(&house.f, "b");
    view = get(&house.f, "a");
    assert_int_equal(view.results[0]->outcome, PAWL_LOST);
    pawl_view_release(&view);
    assert_true(is_group(&house.f, "g", 1, 0));
    release("b");
    await(is_group(&house.f, "g", 0, 0));
    house_end(&house);
    house_fini(&house);
}

static void
test_size_that_the_store_does_not_keep_stays_as_it_was(void **state)
{
    struct fake_store fake;
    struct fixture f;

    (void) state;
    durable_open(&f, &fake);
    assert_int_equal(resize(&f, "g", 4), PAWL_OK);
    fake_fail(&fake, PAWL_EFULL, 1);
    assert_int_equal(resize(&f, "g", 5), PAWL_EFULL);
    assert_int_equal(group_of(&f, "g").size, 4);
    fake_fail(&fake, PAWL_ESTORE, 1);
    assert_int_equal(resize(&f, "g", -1), PAWL_ESTORE);
    assert_int_equal(group_of(&f, "g").size, 4);
    assert_int_equal(resize(&f, "g", -1), PAWL_OK);
    assert_int_equal(group_of(&f, "g").size, 1);
    durable_close(&f, &fake);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_many_run_as_fit_and_the_rest_in_order),
        cmocka_unit_test(test_group_without_a_size_is_one_at_a_time_and_holds_up_no_other),
        cmocka_unit_test(test_size_is_changed_while_runs_go_on),
        cmocka_unit_test(test_who_is_stopped_or_paused_or_deleted_passes_its_turn_on),
        cmocka_unit_test(test_who_is_resumed_or_asked_to_run_stands_in_the_queue_once),
        cmocka_unit_test(test_group_overflow_skip_counts_and_goes_on),
        cmocka_unit_test(test_queue_is_bounded),
        cmocka_unit_test(test_due_times_that_pass_while_it_waits_are_missed_but_the_newest),
        cmocka_unit_test(test_due_time_that_became_too_late_in_the_queue_gives_its_place_on),
        cmocka_unit_test(test_place_belongs_to_the_run_not_to_the_task),
        cmocka_unit_test(test_run_that_cannot_be_started_gives_its_place_back),
        cmocka_unit_test(test_retry_that_waits_has_no_place),
        cmocka_unit_test(test_replacing_run_takes_the_place_of_the_one_that_it_ends),
        cmocka_unit_test(test_runs_of_one_task_that_may_overlap_have_a_place_each),
        cmocka_unit_test(test_condition_that_fails_gives_the_place_back),
        cmocka_unit_test(test_clock_set_back_while_it_waits_does_not_hold_the_others_up),
        cmocka_unit_test(test_full_daemon_is_told_from_a_full_group),
        cmocka_unit_test(test_who_is_edited_into_another_group_goes_on_there),
        cmocka_unit_test(test_engine_closes_while_some_wait),
        cmocka_unit_test(test_groups_are_listed_by_name),
        cmocka_unit_test(test_configured_size_that_is_none_is_refused),
        cmocka_unit_test(test_sizes_and_who_waits_come_through_a_restart),
        cmocka_unit_test(test_run_that_a_crash_cut_has_no_place_afterwards),
        cmocka_unit_test(test_size_that_the_store_does_not_keep_stays_as_it_was),
    };

    return cmocka_run_group_tests(tests, make_holds, remove_holds);
}
