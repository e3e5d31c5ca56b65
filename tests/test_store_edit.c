/* test_store_edit.c: what the embedded store makes of a task that was edited: all of it anew, or nothing. */
#include "store_fixture.h"

/* A task with all that a task can have. */
static struct pawl_write
edit_of_all(uint64_t seq, int64_t version, const char *script)
{
    static struct pawl_policy policy;
    static const char *const tags[] = {"x", "y"}, *const args[] = {"-n", NULL};
    static const struct pawl_action action = {
        .interpreter = "sh", .args = args, .umask = 2, .timeout_ns = SECOND, .kill_grace_ns = 7};
    struct pawl_write write = new_state(seq, version);

    pawl_policy_init(&policy);
    policy.overlap = PAWL_OVERLAP_QUEUE;
    policy.queue_limit = 3;
    write.kind = PAWL_WRITE_EDIT;
    write.record.id = "a";
    write.record.id_len = 1;
    write.record.type = PAWL_CRON;
    write.record.created_ns = WALL;
    write.record.script = script;
    write.record.script_len = strlen(script);
    write.record.keep_results = 3;
    write.record.when = when_of_cron();
    write.record.origin_ns = 17;
    write.record.since_ns = WALL + 5;
    write.record.tags = tags;
    write.record.ntags = 2;
    write.record.action = &action;
    write.record.policy = &policy;
    write.record.attempt = 1;
    write.record.status = PAWL_WAIT_FOR_NEXT;
    write.record.due_ns = WALL + 99;
    write.record.is_due_wall = true;
    return write;
}

/* The same with nothing but a script and an interval. */
static struct pawl_write
edit_of_little(uint64_t seq, int64_t version, const char *script)
{
    struct pawl_write write = edit_of_all(seq, version, script);

    write.record.when = NULL;
    write.record.tags = NULL;
    write.record.ntags = 0;
    write.record.action = NULL;
    write.record.policy = NULL;
    write.record.attempt = 0;
    write.record.time_ns = 5 * SECOND;
    write.record.due_ns = 42;
    write.record.is_due_wall = false;
    return write;
}

static struct pawl_write
plain_cron(void)
{
    struct pawl_write write = new_task(1, "a");

    write.record.type = PAWL_CRON;
    return write;
}

static void
assert_sound(struct fixture *f)
{
    char lines[4096] = "";

    fixture_shut(f);
    if (pawl_store_check(f->dir, note_line_cb, lines, NULL) != PAWL_OK)
        fail_msg("%s", lines);
    fixture_reopen(f);
}

static void
assert_all(const struct pawl_record *record, int64_t version, const char *script)
{
    assert_int_equal(record->version, version);
    assert_string_equal(record->script, script);
    assert_int_equal(record->keep_results, 3);
    assert_non_null(record->when);
    assert_int_equal(record->when->ntriggers, 1);
    assert_true(record->origin_ns == 17);
    assert_true(record->since_ns == WALL + 5);
    assert_int_equal(record->ntags, 2);
    assert_non_null(record->action);
    assert_non_null(record->policy);
    assert_int_equal(record->policy->queue_limit, 3);
    assert_int_equal(record->attempt, 1);
    assert_true(record->due_ns == WALL + 99 && record->is_due_wall);
    assert_true(record->created_ns == WALL);
}

static void
assert_little(const struct pawl_record *record, int64_t version, const char *script)
{
    assert_int_equal(record->version, version);
    assert_string_equal(record->script, script);
    assert_true(record->time_ns == 5 * SECOND);
    assert_null(record->when);
    assert_null(record->action);
    assert_null(record->policy);
    assert_int_equal(record->ntags, 0);
    assert_true(record->due_ns == 42 && !record->is_due_wall);
}

static void
test_edit_gives_a_task_all_and_takes_it_again(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, plain_cron()), PAWL_OK);
    assert_int_equal(commit_one(&f, new_task(2, "b")), PAWL_OK);
    assert_int_equal(commit_one(&f, edit_of_all(1, 1, "echo 1")), PAWL_OK);
    assert_int_equal(commit_one(&f, edit_of_all(1, 1, "echo 1")), PAWL_OK);    /* again */
    assert_sound(&f);
    load(&f);
    assert_int_equal(f.nloaded, 2);
    assert_all(&f.loaded[0].record, 1, "echo 1");
    assert_string_equal(f.loaded[1].record.script, "true");
    assert_int_equal(commit_one(&f, edit_of_little(1, 2, "echo 2")), PAWL_OK);
    assert_sound(&f);
    load(&f);
    assert_little(&f.loaded[0].record, 2, "echo 2");
    fixture_close(&f);
}

static void
test_older_edit_changes_nothing(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, plain_cron()), PAWL_OK);
    assert_int_equal(commit_one(&f, edit_of_all(1, 4, "echo 4")), PAWL_OK);
    assert_int_equal(commit_one(&f, edit_of_little(1, 3, "echo 3")), PAWL_OK);
    load(&f);
    assert_all(&f.loaded[0].record, 4, "echo 4");
    assert_int_equal(commit_one(&f, edit_of_all(9, 3, "echo 3")), PAWL_ENOENT);
    assert_sound(&f);
    fixture_close(&f);
}

static void
test_edit_drops_results_and_adds_new_ones_at_once(void **state)
{
    struct pawl_result results[5];
    struct pawl_write write;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, plain_cron()), PAWL_OK);
    for (uint64_t i = 0; i < 5; i++)
        results[i] = new_result(i + 1, "out");
    for (int64_t i = 0; i < 4; i++)
        assert_int_equal(commit_result(&f, new_state(1, 2 * i + 2), &results[i]), PAWL_OK);
    write = edit_of_all(1, 11, "echo 4");
    write.drop_below = 4;
    assert_int_equal(commit_result(&f, write, &results[4]), PAWL_OK);
    load(&f);
    assert_all(&f.loaded[0].record, 11, "echo 4");
    assert_int_equal(f.loaded[0].nresults, 2);
    assert_int_equal(f.loaded[0].results[0].run, 4);
    write = edit_of_all(1, 12, "echo 5");
    write.drop_below = write.record.run_count + 1;
    assert_int_equal(commit_one(&f, write), PAWL_OK);
    load(&f);
    assert_int_equal(f.loaded[0].nresults, 0);
    assert_int_equal(history_bytes(&f), 0);
    assert_sound(&f);
    fixture_close(&f);
}

static void
test_task_that_was_edited_goes_whole(void **state)
{
    struct pawl_write gone = {.kind = PAWL_WRITE_GONE, .record.seq = 1};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, plain_cron()), PAWL_OK);
    assert_int_equal(commit_one(&f, edit_of_all(1, 1, "echo 1")), PAWL_OK);
    assert_int_equal(commit_one(&f, gone), PAWL_OK);
    assert_sound(&f);
    load(&f);
    assert_int_equal(f.nloaded, 0);
    fixture_close(&f);
}

/* A format 4 file has no time that a schedule counts from: it was the task's creation. */
static void
test_schedule_of_an_older_format_counts_from_the_creation(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_scheduled(1, "a", when_of_cron())), PAWL_OK);
    fixture_shut(&f);
    meddle(file_of(&f, "pawl.db"), "UPDATE schedule SET since_ns = NULL");
    fixture_reopen(&f);
    load(&f);
    assert_true(f.loaded[0].record.since_ns == WALL);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit_gives_a_task_all_and_takes_it_again),
        cmocka_unit_test(test_older_edit_changes_nothing),
        cmocka_unit_test(test_edit_drops_results_and_adds_new_ones_at_once),
        cmocka_unit_test(test_task_that_was_edited_goes_whole),
        cmocka_unit_test(test_schedule_of_an_older_format_counts_from_the_creation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
