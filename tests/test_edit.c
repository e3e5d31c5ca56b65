/* test_edit.c: a task is made another one in place, in each of its states; on the manual clock. */
#include "edit_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static char gate[64], gated[128];

static void
make_gated(void)
{
    make_gate(gate);
    snprintf(gated, sizeof gated, "read x < %s; echo old; test \"$x\" != fail", gate);
}

static void
answer_gate(const char *word)
{
    int fd = open(gate, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, word, strlen(word)), (ssize_t) strlen(word));
    close(fd);
}

static struct pawl_policy
usual(void)
{
    struct pawl_policy policy;

    pawl_policy_init(&policy);
    return policy;
}

static void
submit_policy(struct fixture *f, const char *id, int64_t time_ns, const char *script,
              const struct pawl_policy *policy)
{
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = PAWL_CRON, .time_ns = time_ns, .script = script,
        .script_len = strlen(script), .keep_results = 100, .policy = policy,
    };
    struct asked asked = {.op.done = asked_cb};

    assert_int_equal(end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, NULL)), PAWL_OK);
}

static void
pause_it(struct fixture *f, const char *id)
{
    struct asked asked = {.op.done = asked_cb};

    assert_int_equal(end_of(f, &asked, pawl_pause(f->handle, id, strlen(id), &asked.op, NULL)),
                     PAWL_OK);
}

static void
check_out(const struct pawl_view *view, size_t n, const char *out)
{
    assert_true(view->nresults > n);
    assert_string_equal(view->results[n]->out, out);
}

static void
test_edit_changes_the_script_and_keeps_all_else(void **state)
{
    struct pawl_view view, before;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, 10 * MINUTE, "echo old");
    submit(&f, "b", PAWL_CRON, HOUR, ":");
    run_edited(&f, "a");
    fixture_advance(&f, MINUTE);
    before = get(&f, "a");
    edit_script(&f, "a", "echo new");
    view = get(&f, "a");
    assert_int_equal(view.version, before.version + 1);
    assert_true(view.updated_ns == wall_now(&f));
    assert_true(view.seq == before.seq && view.created_ns == before.created_ns);
    assert_true(view.next_ns == before.next_ns);        /* the schedule is as it was */
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_int_equal(view.run_count, 1);
    check_out(&view, 0, "old\n");
    pawl_view_release(&view);
    pawl_view_release(&before);
    run_edited(&f, "a");
    view = get(&f, "a");
    check_out(&view, 1, "new\n");
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_new_interval_counts_from_the_edit(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, HOUR, ":");
    submit(&f, "d", PAWL_DELAY, HOUR, ":");
    fixture_advance(&f, 5 * MINUTE);
    edit_time(&f, "a", 10 * MINUTE);                    /* nearer: the ticker must be told */
    assert_time(next_of(&f, "a"), "2027-01-15T08:15:00Z");
    assert_time(run_edited(&f, "a"), "2027-01-15T08:15:00Z");
    assert_time(next_of(&f, "a"), "2027-01-15T08:25:00Z");
    edit_time(&f, "a", 2 * HOUR);                       /* farther: 08:25 does not come */
    edit_time(&f, "d", HOUR);                           /* the same: it stays */
    assert_time(run_edited(&f, "d"), "2027-01-15T09:00:00Z");
    view = get(&f, "a");
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.missed, 0);
    pawl_view_release(&view);
    assert_time(run_edited(&f, "a"), "2027-01-15T10:15:00Z");
    fixture_close(&f);
}

static void
test_edit_goes_between_interval_and_expression(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_CRON("30 * * * *", "UTC")), ALWAYS};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, 10 * MINUTE, ":");
    edit_when(&f, "a", &when);
    assert_time(run_edited(&f, "a"), "2027-01-15T08:30:00Z");
    set_wall(&f, 2 * HOUR);             /* 10:30: now it follows the wall clock */
    view = await_version(&f, "a", 5);
    assert_time(view.results[1]->scheduled_ns, "2027-01-15T10:30:00Z");
    assert_time(view.next_ns, "2027-01-15T11:30:00Z");
    pawl_view_release(&view);
    edit_time(&f, "a", 10 * MINUTE);
    set_wall(&f, 2 * HOUR);             /* and now it does not */
    view = get(&f, "a");
    assert_int_equal(view.run_count, 2);
    assert_time(view.next_ns, "2027-01-15T12:40:00Z");
    assert_null(view.when);
    pawl_view_release(&view);
    assert_time(run_edited(&f, "a"), "2027-01-15T12:40:00Z");
    fixture_close(&f);
}

static void
test_schedule_that_says_the_same_stays(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_SPAN(7 * MINUTE), BY_CRON("0 12 * * *", "Europe/Berlin")),
                             ALWAYS, .jitter_ns = MINUTE};
    struct pawl_when other = when;
    struct pawl_view view;
    struct fixture f;
    int64_t next_ns;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "a", PAWL_CRON, &when);
    next_ns = next_of(&f, "a");
    fixture_advance(&f, MINUTE);
    edit_when(&f, "a", &when);
    assert_true(next_of(&f, "a") == next_ns);
    other.jitter_ns = 0;
    edit_when(&f, "a", &other);
    assert_time(next_of(&f, "a"), "2027-01-15T08:08:00Z");      /* counted from 08:01 */
    view = get(&f, "a");
    assert_int_equal(view.version, 2);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_run_in_progress_is_untouched(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gated();
    submit(&f, "a", PAWL_CRON, 10 * MINUTE, gated);
    fixture_advance(&f, 10 * MINUTE);
    view = await_version(&f, "a", 1);
    pawl_view_release(&view);
    edit_script(&f, "a", "echo new");
    view = get(&f, "a");
    assert_int_equal(view.version, 2);
    assert_int_equal(view.status, PAWL_EXECUTING);
    assert_int_equal(view.running, 1);
    pawl_view_release(&view);
    edit_time(&f, "a", 15 * MINUTE);
    assert_time(next_of(&f, "a"), "2027-01-15T08:25:00Z");
    fixture_advance(&f, 20 * MINUTE);           /* 08:30: 08:25 came during the run */
    answer_gate("\n");
    view = await_version(&f, "a", 4);
    check_out(&view, 0, "old\n");
    assert_int_equal(view.skipped_overlap, 1);
    assert_time(view.next_ns, "2027-01-15T08:40:00Z");
    pawl_view_release(&view);
    run_edited(&f, "a");
    view = get(&f, "a");
    check_out(&view, 1, "new\n");
    pawl_view_release(&view);
    fixture_close(&f);
    unlink(gate);
}

static void
test_due_times_that_an_edit_drops_are_counted(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gated();
    submit(&f, "r", PAWL_CRON, 10 * MINUTE, gated);
    submit(&f, "p", PAWL_CRON, 10 * MINUTE, ":");
    pause_it(&f, "p");
    fixture_advance(&f, 35 * MINUTE);
    view = await_version(&f, "r", 1);           /* 08:10, 08:20 missed or the newest run */
    pawl_view_release(&view);
    edit_time(&f, "p", HOUR);
    view = get(&f, "p");
    assert_true(view.is_paused);
    assert_int_equal(view.missed, 3);
    assert_int_equal(view.missed_paused, 3);
    pawl_view_release(&view);
    fixture_advance(&f, 20 * MINUTE);           /* 08:40 and 08:50 */
    edit_time(&f, "r", HOUR);
    view = get(&f, "r");
    assert_int_equal(view.skipped_overlap, 2);
    assert_time(view.next_ns, "2027-01-15T09:55:00Z");
    pawl_view_release(&view);
    answer_gate("\n");
    view = await_version(&f, "r", 3);
    assert_int_equal(view.skipped_overlap, 2);
    pawl_view_release(&view);
    fixture_close(&f);
    unlink(gate);
}

static void
test_edit_is_refused_in_states_that_end(void **state)
{
    struct pawl_when never = {TRIGGERS(BY_CRON("0 0 1 1 *", "UTC")), .start_ns = PAWL_NO_TIME};
    struct edit edit;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "s", PAWL_CRON, HOUR, ":");
    submit(&f, "d", PAWL_DELAY, MINUTE, ":");
    submit(&f, "c", PAWL_CRON, HOUR, ":");
    assert_int_equal(stop(&f, "s"), PAWL_OK);
    edit_begin(&f, &edit, "s");
    edit_refused(&f, &edit, PAWL_ESTATE, "stopped");
    run_edited(&f, "d");
    edit_script(&f, "d", "echo again");
    edit_begin(&f, &edit, "d");
    edit.spec.time_ns = HOUR;
    edit_refused(&f, &edit, PAWL_ESTATE, "the task is over");
    edit_begin(&f, &edit, "c");
    edit.spec.id = "e";
    edit_refused(&f, &edit, PAWL_EINVAL, "id cannot be changed");
    edit_begin(&f, &edit, "c");
    edit.spec.type = PAWL_DELAY;
    edit_refused(&f, &edit, PAWL_EINVAL, "taskType cannot be changed");
    never.end_ns = wall_now(&f) + DAY;
    edit_begin(&f, &edit, "c");
    edit.spec.when = &never;
    edit_refused(&f, &edit, PAWL_EINVAL, "this never fires");
    edit_begin(&f, &edit, "c");
    edit.spec.script_len = 0;
    edit_refused(&f, &edit, PAWL_EINVAL, "script is empty");
    edit_begin(&f, &edit, "c");
    assert_int_equal(delete(&f, "c"), PAWL_OK);
    edit_refused(&f, &edit, PAWL_ENOENT, "no task has the id 'c'");
    fixture_close(&f);
}

static void
test_delay_in_its_run_keeps_its_schedule(void **state)
{
    struct pawl_policy policy = usual();
    struct pawl_view view;
    struct edit edit;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gated();
    policy.retries = 1;
    policy.retry_delay_ns = HOUR;
    submit(&f, "d", PAWL_DELAY, MINUTE, gated);
    fixture_advance(&f, MINUTE);
    view = await_version(&f, "d", 1);
    pawl_view_release(&view);
    edit_begin(&f, &edit, "d");
    edit.spec.time_ns = HOUR;
    edit_refused(&f, &edit, PAWL_ESTATE, "only run");
    edit_policy(&f, "d", &policy);              /* this one may fail once */
    answer_gate("fail");
    view = await_version(&f, "d", 3);
    assert_true(view.waits_for_retry);
    assert_int_equal(view.attempt, 1);
    assert_int_equal(view.status, PAWL_TO_BE_EXECUTED);
    pawl_view_release(&view);
    edit_begin(&f, &edit, "d");
    edit.spec.time_ns = HOUR;
    edit_refused(&f, &edit, PAWL_ESTATE, "only run");
    edit_script(&f, "d", "echo new");           /* the next attempt's */
    fixture_advance(&f, HOUR);
    view = await_version(&f, "d", 6);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.run_count, 1);
    check_out(&view, 1, "new\n");
    assert_int_equal(view.results[1]->attempt, 2);
    pawl_view_release(&view);
    fixture_close(&f);
    unlink(gate);
}

static void
test_version_that_is_edited_can_be_asked_for(void **state)
{
    struct pawl_err err = {0};
    struct edit edit, other;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, HOUR, ":");
    edit_begin(&f, &edit, "a");
    assert_int_equal(end_of(&f, &edit.asked, edit_ask(&f, &edit, 1, &err)), PAWL_ESTATE);
    assert_non_null(strstr(err.text, "at version 0, not 1"));
    edit_begin(&f, &edit, "a");
    edit_begin(&f, &other, "a");
    assert_int_equal(end_of(&f, &edit.asked, edit_ask(&f, &edit, 0, &err)), PAWL_OK);
    edit_refused(&f, &other, PAWL_ESTALE, "others edit the task");
    assert_int_equal(version_of(&f, "a"), 1);
    fixture_close(&f);
}

static void
test_edit_does_not_mind_runs_between(void **state)
{
    struct edit edit;
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, HOUR, ":");
    edit_begin(&f, &edit, "a");
    run_edited(&f, "a");
    set_script(&edit, "echo new");
    edit_accepted(&f, &edit);
    view = get(&f, "a");
    assert_int_equal(view.version, 3);
    assert_int_equal(view.run_count, 1);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_tags_and_kept_results_follow_the_edit(void **state)
{
    static const char *const tags[] = {"new", "both"}, *const before[] = {"old", "both"};
    struct pawl_filter filter = {.tags = {{"new", 3}}, .ntags = 1};
    struct pawl_cursor cursor = {0};
    struct pawl_view view;
    struct edit edit;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, HOUR, "echo $PAWL_RUN");
    for (int i = 0; i < 5; i++)
        run_edited(&f, "a");
    edit_begin(&f, &edit, "a");
    edit.spec.tags = before;
    edit.spec.ntags = 2;
    edit_accepted(&f, &edit);
    assert_int_equal(pawl_list_next(f.handle, &filter, &cursor, &view), PAWL_ENOENT);
    edit_begin(&f, &edit, "a");
    edit.spec.tags = tags;
    edit.spec.keep_results = 2;
    edit_accepted(&f, &edit);
    cursor = (struct pawl_cursor) {0};
    assert_int_equal(pawl_list_next(f.handle, &filter, &cursor, &view), PAWL_OK);
    assert_int_equal(view.nresults, 2);
    check_out(&view, 0, "4\n");
    check_out(&view, 1, "5\n");
    pawl_view_release(&view);
    edit_begin(&f, &edit, "a");
    edit.spec.keep_results = 0;
    edit_accepted(&f, &edit);
    view = get(&f, "a");
    assert_int_equal(view.nresults, 0);
    assert_int_equal(view.run_count, 5);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_memory_is_counted_by_what_the_task_is_now(void **state)
{
    struct pawl_options options;
    struct pawl_err err = {0};
    struct edit edit;
    struct fixture f;
    char *big = malloc(60001);

    (void) state;
    assert_non_null(big);
    memset(big, ':', 60000);
    big[60000] = '\0';
    pawl_options_init(&options);
    options.nworkers = 1;
    options.max_memory_bytes = 100000;
    fixture_open_with(&f, &options);
    submit(&f, "a", PAWL_CRON, HOUR, ":");
    submit(&f, "b", PAWL_CRON, HOUR, ":");
    assert_int_equal(stats_of(&f).memory_bytes, 2);
    edit_script(&f, "a", big);
    assert_int_equal(stats_of(&f).memory_bytes, 60001);
    edit_begin(&f, &edit, "b");
    set_script(&edit, big);
    assert_int_equal(edit_end(&f, &edit, &err), PAWL_EBUDGET);
    assert_int_equal(stats_of(&f).memory_bytes, 60001);
    edit_begin(&f, &edit, "a");
    edit.spec.script_len = 20;
    edit_accepted(&f, &edit);
    assert_int_equal(stats_of(&f).memory_bytes, 21);
    edit_script(&f, "b", big);
    assert_int_equal(delete(&f, "b"), PAWL_OK);
    assert_int_equal(delete(&f, "a"), PAWL_OK);
    assert_int_equal(stats_of(&f).memory_bytes, 0);
    assert_int_equal(stats_of(&f).pending, 0);
    fixture_close(&f);
    free(big);
}

static void
test_max_runs_goes_on_counting(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_SPAN(HOUR)), ALWAYS, .max_runs = 3};
    struct pawl_view view;
    struct edit edit;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, HOUR, ":");
    run_edited(&f, "a");
    run_edited(&f, "a");
    when.max_runs = 2;
    edit_begin(&f, &edit, "a");
    edit.spec.when = &when;
    edit_refused(&f, &edit, PAWL_ESTATE, "maxRuns");
    when.max_runs = 3;
    edit_when(&f, "a", &when);
    fixture_advance(&f, HOUR);
    view = await_version(&f, "a", 7);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.run_count, 3);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_run_on_start_does_not_fire_again(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_SPAN(HOUR)), ALWAYS, .runs_on_start = true};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "a", PAWL_CRON, &when);
    view = await_version(&f, "a", 2);
    pawl_view_release(&view);
    when.triggers = (struct pawl_trigger[]) {BY_SPAN(2 * HOUR)};
    edit_when(&f, "a", &when);
    assert_time(next_of(&f, "a"), "2027-01-15T10:00:00Z");
    assert_time(run_edited(&f, "a"), "2027-01-15T10:00:00Z");
    fixture_close(&f);
}

static void
test_interval_from_completion_waits_for_the_end_of_the_run(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_SPAN(10 * MINUTE)), ALWAYS, .from_completion = true};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gated();
    submit(&f, "a", PAWL_CRON, 10 * MINUTE, gated);
    fixture_advance(&f, 10 * MINUTE);
    view = await_version(&f, "a", 1);
    pawl_view_release(&view);
    edit_when(&f, "a", &when);
    fixture_advance(&f, HOUR);
    answer_gate("\n");
    view = await_version(&f, "a", 3);
    assert_int_equal(view.skipped_overlap, 0);
    assert_time(view.next_ns, "2027-01-15T09:20:00Z");
    pawl_view_release(&view);
    fixture_close(&f);
    unlink(gate);
}

static void
test_policy_comes_during_a_run_and_goes(void **state)
{
    struct pawl_policy policy = usual();
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gated();
    submit(&f, "a", PAWL_CRON, 10 * MINUTE, gated);
    fixture_advance(&f, 10 * MINUTE);
    view = await_version(&f, "a", 1);
    assert_int_equal(view.attempt, 0);
    pawl_view_release(&view);
    policy.overlap = PAWL_OVERLAP_QUEUE;
    policy.queue_limit = 5;
    edit_policy(&f, "a", &policy);
    fixture_advance(&f, 30 * MINUTE);           /* three wait */
    answer_gate("\n");
    view = await_version(&f, "a", 4);
    assert_int_equal(view.attempt, 1);
    pawl_view_release(&view);
    edit_policy(&f, "a", NULL);                 /* in the first of them: the others wait no more */
    answer_gate("\n");
    view = await_version(&f, "a", 6);
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_int_equal(view.run_count, 2);
    assert_int_equal(view.skipped_overlap, 2);
    assert_time(view.next_ns, "2027-01-15T08:50:00Z");
    pawl_view_release(&view);
    fixture_close(&f);
    unlink(gate);
}

static void
test_replace_is_told_when_it_comes_during_a_run(void **state)
{
    struct pawl_policy policy = usual();
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gated();
    submit(&f, "a", PAWL_CRON, 10 * MINUTE, gated);
    fixture_advance(&f, 10 * MINUTE);
    view = await_version(&f, "a", 1);
    pawl_view_release(&view);
    policy.overlap = PAWL_OVERLAP_REPLACE;
    edit_policy(&f, "a", &policy);
    edit_script(&f, "a", "echo new");
    fixture_advance(&f, 10 * MINUTE);           /* the run is ended, and the next one begins */
    view = await_version(&f, "a", 6);
    assert_int_equal(view.results[0]->outcome, PAWL_KILLED);
    check_out(&view, 1, "new\n");
    pawl_view_release(&view);
    fixture_close(&f);
    unlink(gate);
}

static void
test_retry_that_waits_stays_when_policies_go(void **state)
{
    struct pawl_policy policy = usual();
    struct pawl_view view;
    struct edit edit;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    policy.retries = 3;
    policy.retry_delay_ns = MINUTE;
    submit_policy(&f, "a", HOUR, "exit 1", &policy);
    fixture_advance(&f, HOUR);
    view = await_version(&f, "a", 2);
    assert_true(view.waits_for_retry);
    pawl_view_release(&view);
    edit_begin(&f, &edit, "a");
    edit.spec.policy = NULL;
    set_script(&edit, "exit 2");
    edit_accepted(&f, &edit);
    view = get(&f, "a");
    assert_true(view.waits_for_retry);
    assert_time(view.next_ns, "2027-01-15T09:01:00Z");
    pawl_view_release(&view);
    fixture_advance(&f, MINUTE);
    view = await_version(&f, "a", 5);
    assert_false(view.waits_for_retry);         /* there are no further retries */
    assert_int_equal(view.results[1]->exit_code, 2);
    assert_int_equal(view.results[1]->attempt, 2);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.failure_count, 1);
    assert_time(view.next_ns, "2027-01-15T10:00:00Z");
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_task_with_several_runs_does_not_get_retries(void **state)
{
    struct pawl_policy policy = usual(), retries = usual();
    struct pawl_view view;
    struct edit edit;
    struct fixture f;
    int fd;

    (void) state;
    fixture_open(&f);
    make_gated();
    fd = open(gate, O_RDWR | O_CLOEXEC);        /* no end of file: a line lets one of them end */
    assert_true(fd >= 0);
    policy.overlap = PAWL_OVERLAP_ALLOW;
    retries.retries = 2;
    submit_policy(&f, "a", 10 * MINUTE, gated, &policy);
    for (int i = 1; i <= 3; i++) {
        fixture_advance(&f, 10 * MINUTE);
        view = await_version(&f, "a", i);
        pawl_view_release(&view);
    }
    edit_begin(&f, &edit, "a");
    edit.spec.policy = &retries;
    edit_refused(&f, &edit, PAWL_ESTATE, "several runs");
    edit_policy(&f, "a", NULL);                 /* to skip: the three go on, and no fourth begins */
    fixture_advance(&f, 10 * MINUTE);
    for (int i = 0; i < 3; i++) {
        view = get(&f, "a");
        assert_int_equal(view.status, PAWL_EXECUTING);
        assert_int_equal(view.running, 3 - i);
        pawl_view_release(&view);
        assert_int_equal(write(fd, "\n", 1), 1);
        view = await_version(&f, "a", 5 + i);
        pawl_view_release(&view);
    }
    view = get(&f, "a");
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_int_equal(view.run_count, 3);
    assert_int_equal(view.skipped_overlap, 1);
    assert_time(view.next_ns, "2027-01-15T08:50:00Z");
    pawl_view_release(&view);
    edit_policy(&f, "a", &retries);
    fixture_close(&f);
    close(fd);
    unlink(gate);
}

static void
test_watch_is_told_of_an_edit(void **state)
{
    struct awaited awaited = {.watch.changed = awaited_cb};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, HOUR, ":");
    assert_int_equal(pawl_watch(f.handle, "a", 1, 0, &awaited.watch, &view), PAWL_PENDING);
    edit_script(&f, "a", "echo new");
    while (!awaited.is_over)
        fixture_deliver(&f);
    assert_int_equal(awaited.version, 1);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit_changes_the_script_and_keeps_all_else),
        cmocka_unit_test(test_new_interval_counts_from_the_edit),
        cmocka_unit_test(test_edit_goes_between_interval_and_expression),
        cmocka_unit_test(test_schedule_that_says_the_same_stays),
        cmocka_unit_test(test_run_in_progress_is_untouched),
        cmocka_unit_test(test_due_times_that_an_edit_drops_are_counted),
        cmocka_unit_test(test_edit_is_refused_in_states_that_end),
        cmocka_unit_test(test_delay_in_its_run_keeps_its_schedule),
        cmocka_unit_test(test_version_that_is_edited_can_be_asked_for),
        cmocka_unit_test(test_edit_does_not_mind_runs_between),
        cmocka_unit_test(test_tags_and_kept_results_follow_the_edit),
        cmocka_unit_test(test_memory_is_counted_by_what_the_task_is_now),
        cmocka_unit_test(test_max_runs_goes_on_counting),
        cmocka_unit_test(test_run_on_start_does_not_fire_again),
        cmocka_unit_test(test_interval_from_completion_waits_for_the_end_of_the_run),
        cmocka_unit_test(test_policy_comes_during_a_run_and_goes),
        cmocka_unit_test(test_replace_is_told_when_it_comes_during_a_run),
        cmocka_unit_test(test_retry_that_waits_stays_when_policies_go),
        cmocka_unit_test(test_task_with_several_runs_does_not_get_retries),
        cmocka_unit_test(test_watch_is_told_of_an_edit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
