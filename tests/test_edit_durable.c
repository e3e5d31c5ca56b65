/* test_edit_durable.c: an edit is kept whole or not at all: on a store that is slow, fails or is cut, and
 * over restarts. */
#include "edit_fixture.h"
#include "restart_fixture.h"

/* --- A store behind a gate --- */

static void
test_edit_is_seen_when_it_is_durable_and_built_upon_before(void **state)
{
    struct edit first, second, other;
    struct pawl_view view;
    struct fake_store fake;
    struct fixture f;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, "echo old");
    edit_begin(&f, &other, "a");
    fake_gate(&fake);
    edit_begin(&f, &first, "a");
    set_script(&first, "echo first");
    assert_int_equal(edit_ask(&f, &first, -1, NULL), PAWL_PENDING);
    fake_await_group(&fake);
    view = get(&f, "a");
    assert_string_equal(view.script, "echo old");
    assert_int_equal(view.version, 0);
    pawl_view_release(&view);
    assert_int_equal(edit_ask(&f, &other, -1, NULL), PAWL_ESTALE);      /* told at once */
    edit_begin(&f, &second, "a");
    assert_string_equal(second.view.script, "echo first");
    second.spec.keep_results = 7;
    assert_int_equal(edit_ask(&f, &second, 0, NULL), PAWL_PENDING);     /* told when it is durable */
    edit_begin(&f, &other, "a");
    other.spec.keep_results = 8;
    assert_int_equal(edit_ask(&f, &other, 1, NULL), PAWL_PENDING);
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &first.asked), PAWL_OK);
    assert_int_equal(await_end(&f, &second.asked), PAWL_ESTATE);
    assert_non_null(second.asked.op.why);
    assert_int_equal(await_end(&f, &other.asked), PAWL_OK);
    view = get(&f, "a");
    assert_string_equal(view.script, "echo first");
    assert_int_equal(view.keep_results, 8);
    assert_int_equal(view.version, 2);
    pawl_view_release(&view);
    durable_close(&f, &fake);
}

static void
test_edit_of_a_submit_that_is_not_durable_finds_no_task(void **state)
{
    struct asked asked;
    struct pawl_view view;
    struct fake_store fake;
    struct fixture f;

    (void) state;
    durable_open(&f, &fake);
    fake_gate(&fake);
    assert_int_equal(ask_submit(&f, &asked, "a", PAWL_CRON, HOUR, ":"), PAWL_PENDING);
    fake_await_group(&fake);
    assert_int_equal(pawl_edit_begin(f.handle, "a", 1, &view, NULL), PAWL_ENOENT);
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &asked), PAWL_OK);
    edit_script(&f, "a", "echo new");
    durable_close(&f, &fake);
}

static void
test_edit_of_a_deleted_task_waits_for_the_deletion(void **state)
{
    struct asked asked;
    struct edit edit;
    struct fake_store fake;
    struct fixture f;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, ":");
    fake_gate(&fake);
    assert_int_equal(ask_delete(&f, &asked, "a"), PAWL_PENDING);
    fake_await_group(&fake);
    edit_begin(&f, &edit, "a");                 /* readers see it still */
    assert_int_equal(edit_ask(&f, &edit, -1, NULL), PAWL_PENDING);
    assert_false(edit.asked.is_done);
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &asked), PAWL_OK);
    assert_int_equal(await_end(&f, &edit.asked), PAWL_ENOENT);
    durable_close(&f, &fake);
}

/* What was not written is in force and shown; each write of the task has all of it, until one comes
 * through. */
static void
test_edit_that_could_not_be_kept_is_written_with_what_follows(void **state)
{
    struct pawl_record record;
    struct edit edit;
    struct asked asked;
    struct fake_store fake;
    struct fixture f;
    size_t nresults;
    uint64_t seq;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, "echo old");
    seq = seq_of(&f, "a");
    fake_gate(&fake);
    fake_fail(&fake, PAWL_ESTORE, 1);
    edit_begin(&f, &edit, "a");
    set_script(&edit, "echo new");
    assert_int_equal(edit_ask(&f, &edit, -1, NULL), PAWL_PENDING);
    fake_await_group(&fake);
    asked = (struct asked) {.op.done = asked_cb};       /* comes behind the group that fails */
    assert_int_equal(handed_over(&f, pawl_pause(f.handle, "a", 1, &asked.op, NULL)), PAWL_PENDING);
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &edit.asked), PAWL_ESTORE);
    assert_int_equal(edit.asked.op.has_view, false);
    await_end(&f, &asked);
    assert_int_equal(version_of(&f, "a"), 2);
    fixture_advance(&f, 2 * SECOND);
    await(stats_of(&f).unsaved == 0 && stats_of(&f).store_state == PAWL_STORE_OK);
    assert_true(fake_look(&fake, seq, &record, &nresults));
    assert_string_equal(record.script, "echo new");
    assert_int_equal(record.version, 2);
    assert_int_equal(fake_count(&fake, PAWL_WRITE_STATE, seq), 0);
    asked = (struct asked) {.op.done = asked_cb};
    assert_int_equal(end_of(&f, &asked, pawl_resume(f.handle, "a", 1, &asked.op, NULL)), PAWL_OK);
    assert_int_equal(fake_count(&fake, PAWL_WRITE_STATE, seq), 1);      /* and now it is short again */
    durable_close(&f, &fake);
}

static void
test_full_or_failing_store_takes_no_edit(void **state)
{
    struct pawl_err err = {0};
    struct edit edit;
    struct fake_store fake;
    struct fixture f;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, ":");
    fake_fill(&fake, true);
    assert_int_equal(try_submit(&f, "b", PAWL_CRON, HOUR, ":", &err), PAWL_EFULL);
    edit_begin(&f, &edit, "a");
    assert_int_equal(edit_end(&f, &edit, &err), PAWL_EFULL);
    assert_int_equal(version_of(&f, "a"), 0);
    fake_fill(&fake, false);
    fixture_advance(&f, 2 * SECOND);
    await(stats_of(&f).store_state == PAWL_STORE_OK);
    edit_script(&f, "a", "echo new");
    durable_close(&f, &fake);
}

static void
test_plain_changes_are_written_without_the_definition(void **state)
{
    struct fake_store fake;
    struct fixture f;
    uint64_t seq;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, ":");
    seq = seq_of(&f, "a");
    run_edited(&f, "a");
    fence(&f);
    assert_int_equal(fake_count(&fake, PAWL_WRITE_EDIT, seq), 0);
    edit_script(&f, "a", "echo new");
    assert_int_equal(fake_count(&fake, PAWL_WRITE_EDIT, seq), 1);
    run_edited(&f, "a");
    fence(&f);
    assert_int_equal(fake_count(&fake, PAWL_WRITE_EDIT, seq), 1);
    durable_close(&f, &fake);
}

/* --- Restarts --- */

static const char *const new_tags[] = {"x", "y"};
static const char *const new_args[] = {"one", NULL};
static const struct pawl_action new_action = {
    .interpreter = "sh", .args = new_args, .umask = 7, .timeout_ns = HOUR, .kill_grace_ns = 1};

/* Makes a plain task one with all that a task can have. */
static void
edit_all(struct fixture *f, const char *id, const struct pawl_when *when,
         const struct pawl_policy *policy)
{
    struct edit edit;

    edit_begin(f, &edit, id);
    set_script(&edit, "echo $1");
    edit.spec.when = when;
    edit.spec.policy = policy;
    edit.spec.action = &new_action;
    edit.spec.tags = new_tags;
    edit.spec.ntags = 2;
    edit.spec.keep_results = 2;
    edit_accepted(f, &edit);
}

static struct pawl_policy
some_policy(void)
{
    struct pawl_policy policy;

    pawl_policy_init(&policy);
    policy.misfire = PAWL_MISFIRE_ALL;
    policy.misfire_limit = 9;
    return policy;
}

static void
assert_all(const struct pawl_view *view)
{
    assert_string_equal(view->script, "echo $1");
    assert_non_null(view->when);
    assert_non_null(view->policy);
    assert_int_equal(view->policy->misfire_limit, 9);
    assert_non_null(view->action);
    assert_string_equal(view->action->args[0], "one");
    assert_int_equal(view->ntags, 2);
    assert_string_equal(view->tags[1], "y");
    assert_int_equal(view->keep_results, 2);
}

static void
note_line(void *ctx, const char *line)
{
    (void) ctx;
    if (strncmp(line, "unsound", 7) == 0)
        fprintf(stderr, "%s\n", line);
}

/* Verifies the store between two lives. */
static void
assert_sound(struct house *house)
{
    struct pawl_err err = {0};

    house_end(house);
    if (pawl_store_check(house->dir, note_line, NULL, &err) != PAWL_OK)
        fail_msg("%s", err.text);
    house_begin(house);
}

static void
test_edit_comes_back_after_a_restart(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_CALENDAR("daily 3 at 10:00", "UTC")), ALWAYS};
    struct pawl_policy policy = some_policy();
    struct house house;
    struct pawl_view view;
    char *before, *after;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(&house.f, "a", PAWL_CRON, HOUR, ":");
    for (int i = 0; i < 4; i++)
        run_edited(&house.f, "a");
    fixture_advance(&house.f, 10 * MINUTE);
    fixture_advance(&house.f, DAY);             /* intervals of days are counted from the edit's, the 16th */
    await(version_of(&house.f, "a") % 2 == 0 && version_of(&house.f, "a") > 8);
    edit_all(&house.f, "a", &when, &policy);
    assert_time(next_of(&house.f, "a"), "2027-01-19T10:00:00Z");
    before = describe(&house.f);
    assert_sound(&house);
    after = describe(&house.f);
    assert_string_equal(before, after);
    view = get(&house.f, "a");
    assert_all(&view);
    assert_int_equal(view.nresults, 2);
    pawl_view_release(&view);
    assert_time(run_edited(&house.f, "a"), "2027-01-19T10:00:00Z");
    assert_time(next_of(&house.f, "a"), "2027-01-22T10:00:00Z");
    edit_time(&house.f, "a", HOUR);             /* and back, with the rest as it is */
    assert_sound(&house);
    view = get(&house.f, "a");
    assert_null(view.when);
    assert_non_null(view.action);
    assert_time(view.next_ns, "2027-01-19T11:00:00Z");
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
    free(before);
    free(after);
}

static void
live_an_edit(struct house *house)
{
    struct pawl_when when = {TRIGGERS(BY_CRON("30 * * * *", "UTC")), ALWAYS};
    struct pawl_policy policy = some_policy();

    edit_all(&house->f, "a", &when, &policy);
}

static void
test_edit_that_was_answered_survives_a_kill(void **state)
{
    struct house house;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(&house.f, "a", PAWL_CRON, HOUR, ":");
    house_end(&house);
    house_crash(&house, live_an_edit);
    house_begin(&house);
    assert_sound(&house);
    view = get(&house.f, "a");
    assert_all(&view);
    assert_int_equal(view.version, 1);
    assert_time(view.next_ns, "2027-01-15T08:30:00Z");
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

/* An edit is decided, and a run begins by it, of which the table of runs knows; then the daemon dies. */
static void
live_a_run_by_an_edit_that_is_not_durable(struct house *house)
{
    struct pawl_policy policy = some_policy();
    struct fixture *f = &house->f;
    struct edit edit;
    struct pawl_view view;

    house_block();
    edit_begin(f, &edit, "a");
    set_script(&edit, "sleep 1000");
    edit.spec.time_ns = MINUTE;
    edit.spec.policy = &policy;
    assert_int_equal(edit_ask(f, &edit, -1, NULL), PAWL_PENDING);
    fixture_advance(f, MINUTE);
    await(used_slots(f) == 1);
    view = get(f, "a");
    assert_int_equal(view.version, 0);          /* nobody has seen any of it */
    pawl_view_release(&view);
}

static void
test_edit_that_was_not_durable_is_as_if_it_had_not_been(void **state)
{
    struct house house;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(&house.f, "a", PAWL_CRON, HOUR, ":");
    house_end(&house);
    house_crash(&house, live_a_run_by_an_edit_that_is_not_durable);
    house_begin(&house);
    assert_sound(&house);
    view = get(&house.f, "a");
    assert_string_equal(view.script, ":");
    assert_true(view.time_ns == HOUR);
    assert_null(view.policy);
    assert_int_equal(view.run_count, 1);        /* but the run began */
    assert_int_equal(view.results[0]->outcome, PAWL_LOST);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static void
live_a_run_during_an_edit(struct house *house)
{
    struct fixture *f = &house->f;
    struct pawl_policy policy;
    struct pawl_view view;

    pawl_policy_init(&policy);
    policy.retries = 2;
    edit_script(f, "a", "sleep 1000");
    fixture_advance(f, HOUR);
    view = await_version(f, "a", 2);
    pawl_view_release(&view);
    edit_policy(f, "a", &policy);
}

static void
test_run_that_is_lost_is_tried_again_by_the_edited_policy(void **state)
{
    struct house house;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(&house.f, "a", PAWL_CRON, HOUR, ":");
    house_end(&house);
    house_crash(&house, live_a_run_during_an_edit);
    house_begin(&house);
    view = get(&house.f, "a");
    assert_string_equal(view.script, "sleep 1000");
    assert_true(view.waits_for_retry);
    assert_int_equal(view.attempt, 1);
    assert_int_equal(view.results[0]->attempt, 1);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static void
test_retry_that_waits_survives_that_policies_go_and_a_restart(void **state)
{
    struct pawl_policy policy;
    struct house house;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    pawl_policy_init(&policy);
    policy.retries = 3;
    policy.retry_delay_ns = MINUTE;
    submit(&house.f, "d", PAWL_DELAY, HOUR, "exit 1");
    edit_policy(&house.f, "d", &policy);
    fixture_advance(&house.f, HOUR);
    view = await_version(&house.f, "d", 3);
    pawl_view_release(&view);
    edit_policy(&house.f, "d", NULL);
    assert_sound(&house);
    view = get(&house.f, "d");
    assert_true(view.waits_for_retry);
    assert_int_equal(view.status, PAWL_TO_BE_EXECUTED);
    pawl_view_release(&view);
    fixture_advance(&house.f, MINUTE);
    view = await_version(&house.f, "d", 6);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.failure_count, 1);
    assert_int_equal(view.results[1]->attempt, 2);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static void
test_results_that_an_edit_drops_are_gone_after_a_restart(void **state)
{
    struct house house;
    struct pawl_view view;
    struct edit edit;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(&house.f, "a", PAWL_CRON, HOUR, "echo $PAWL_RUN");
    for (int i = 0; i < 5; i++)
        run_edited(&house.f, "a");
    edit_begin(&house.f, &edit, "a");
    edit.spec.keep_results = 2;
    edit_accepted(&house.f, &edit);
    edit_begin(&house.f, &edit, "a");
    edit.spec.keep_results = 10;
    edit_accepted(&house.f, &edit);
    assert_sound(&house);
    view = get(&house.f, "a");
    assert_int_equal(view.nresults, 2);
    assert_string_equal(view.results[0]->out, "4\n");
    pawl_view_release(&view);
    edit_begin(&house.f, &edit, "a");
    edit.spec.keep_results = 0;
    edit_accepted(&house.f, &edit);
    edit_begin(&house.f, &edit, "a");
    edit.spec.keep_results = 10;
    edit_accepted(&house.f, &edit);
    assert_sound(&house);
    view = get(&house.f, "a");
    assert_int_equal(view.nresults, 0);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static void
test_edited_task_that_is_over_is_kept_for_as_long_again(void **state)
{
    struct house house;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(&house.f, "d", PAWL_DELAY, MINUTE, ":");
    run_edited(&house.f, "d");
    fixture_advance(&house.f, 100 * HOUR);
    edit_script(&house.f, "d", "echo new");
    fixture_advance(&house.f, 100 * HOUR);      /* past the 168 of the end of its run */
    fence(&house.f);
    assert_true(is_there(&house.f, "d"));
    house_restart(&house);
    assert_true(is_there(&house.f, "d"));
    fixture_advance(&house.f, 69 * HOUR);
    await(!is_there(&house.f, "d"));
    house_end(&house);
    house_fini(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit_is_seen_when_it_is_durable_and_built_upon_before),
        cmocka_unit_test(test_edit_of_a_submit_that_is_not_durable_finds_no_task),
        cmocka_unit_test(test_edit_of_a_deleted_task_waits_for_the_deletion),
        cmocka_unit_test(test_edit_that_could_not_be_kept_is_written_with_what_follows),
        cmocka_unit_test(test_full_or_failing_store_takes_no_edit),
        cmocka_unit_test(test_plain_changes_are_written_without_the_definition),
        cmocka_unit_test(test_edit_comes_back_after_a_restart),
        cmocka_unit_test(test_edit_that_was_answered_survives_a_kill),
        cmocka_unit_test(test_edit_that_was_not_durable_is_as_if_it_had_not_been),
        cmocka_unit_test(test_run_that_is_lost_is_tried_again_by_the_edited_policy),
        cmocka_unit_test(test_retry_that_waits_survives_that_policies_go_and_a_restart),
        cmocka_unit_test(test_results_that_an_edit_drops_are_gone_after_a_restart),
        cmocka_unit_test(test_edited_task_that_is_over_is_kept_for_as_long_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
