/* test_store_check.c: verifying and copying the embedded store, and what a person sees of it with
 * the sqlite3 shell. */
#include "store_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

static void
test_check_says_that_a_sound_store_is_sound(void **state)
{
    struct fixture f;
    struct pawl_err err = {0};
    char lines[4096] = "";

    (void) state;
    fixture_open(&f);
    write_some(&f);
    assert_int_equal(commit_one(&f, new_scheduled(3, "c", when_of_cron())), PAWL_OK);
    fixture_shut(&f);
    if (pawl_store_check(f.dir, note_line_cb, lines, &err) != PAWL_OK)
        fail_msg("%s %s", err.text, lines);
    assert_non_null(strstr(lines, "3 tasks, 1 results"));
    assert_non_null(strstr(lines, "the store is sound\n"));
    fixture_reopen(&f);
    fixture_close(&f);
}

/* A store that was changed in this way is unsound, for this reason. */
static void
assert_unsound(const char *sql, const char *reason)
{
    struct fixture f;
    struct pawl_err err = {0};
    char lines[8192] = "";

    fixture_open(&f);
    write_some(&f);
    assert_int_equal(commit_one(&f, new_scheduled(3, "c", when_of_cron())), PAWL_OK);
    fixture_shut(&f);
    meddle(file_of(&f, "pawl.db"), sql);
    assert_int_equal(pawl_store_check(f.dir, note_line_cb, lines, &err), PAWL_EDAMAGED);
    if (!strstr(lines, "unsound: ") || !strstr(lines, reason) || !strstr(err.text, "pawl backup"))
        fail_msg("%s: %s\n%s", sql, err.text, lines);
    assert_null(strstr(lines, "the store is sound"));
    fixture_close(&f);
}

static void
test_check_finds_what_should_not_be(void **state)
{
    (void) state;
    assert_unsound("UPDATE task SET script = '' WHERE seq = 2", "task 2: its script is none");
    assert_unsound("UPDATE task SET id = 'a'", "id a: 3 tasks have it");
    assert_unsound("DELETE FROM task WHERE seq = 1", "state of task 1: there is no such task");
    assert_unsound("DELETE FROM task WHERE seq = 1", "result of task 1: there is no such task");
    assert_unsound("UPDATE state SET version = -1", "state of task 1: a number");
    assert_unsound("UPDATE state SET failure_count = 2", "more runs failed than were started");
    assert_unsound("UPDATE result SET run = 9", "run 9 is newer than the newest run, 1");
    assert_unsound("UPDATE result SET outcome = 9", "result of task 1: a number");
    assert_unsound("UPDATE meta SET history_bytes = 1", "the results are of");
    assert_unsound("DELETE FROM meta", "there should be one");
    assert_unsound("DELETE FROM task WHERE seq = 3", "schedule of task 3: there is no such task");
    assert_unsound("DELETE FROM schedule", "trigger of task 3: there is no such schedule");
    assert_unsound("DELETE FROM due_by", "task 3: its schedule has no trigger");
    assert_unsound("UPDATE due_by SET n = 1", "task 3: a trigger of its schedule is missing");
    assert_unsound("UPDATE due_by SET kind = 9", "task 3: a number of a trigger");
    assert_unsound("UPDATE schedule SET max_runs = -1", "task 3: a number of its schedule");
    assert_unsound("UPDATE state SET is_due_wall = 2", "state of task 1: a number");
    assert_unsound("UPDATE state SET is_due_wall = 1", "its due time is a wall time, but");
    assert_unsound("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rootpage = 2"
                   " WHERE name = 'state'", "found by SQLite");
}

static void
test_check_of_no_store_makes_none(void **state)
{
    struct fixture f;
    struct pawl_err err = {0};

    (void) state;
    fixture_open(&f);
    fixture_shut(&f);
    unlink(file_of(&f, "pawl.db"));
    assert_int_equal(pawl_store_check(f.dir, NULL, NULL, &err), PAWL_ESYS);
    assert_non_null(strstr(err.text, "there is no store in"));
    assert_int_equal(access(file_of(&f, "pawl.db"), F_OK), -1);
    assert_int_equal(pawl_store_check(file_of(&f, "none"), NULL, NULL, &err), PAWL_ESYS);
    fixture_close(&f);
}

static void
test_backup_is_a_sound_store_and_leaves_its_target_alone(void **state)
{
    struct fixture f, g;
    struct pawl_err err = {0};
    char lines[4096] = "", path[512];

    (void) state;
    fixture_open(&f);
    fixture_open(&g);
    write_some(&f);
    snprintf(path, sizeof path, "%s", file_of(&g, "copy"));
    if (f.store->backup(f.store, path, &err) != PAWL_OK)
        fail_msg("%s", err.text);
    assert_int_equal(mode_of(path), 0600);
    assert_answer(path, "PRAGMA journal_mode", "delete");
    assert_int_equal(f.store->backup(f.store, path, &err), PAWL_ESYS);
    assert_non_null(strstr(err.text, "File exists"));
    fixture_shut(&g);
    assert_int_equal(rename(path, file_of(&g, "pawl.db")), 0);
    assert_int_equal(pawl_store_check(g.dir, note_line_cb, lines, &err), PAWL_OK);
    fixture_reopen(&g);
    load(&g);
    assert_int_equal(g.nloaded, 2);
    assert_string_equal(g.loaded[0].results[0].out, "hello\n");
    fixture_close(&g);
    fixture_close(&f);
}

struct copying {
    struct fixture *f;
    char path[512];
    int code;
};

static void *
copy_beside(void *arg)
{
    struct copying *copying = arg;

    copying->code = copying->f->store->backup(copying->f->store, copying->path, NULL);
    return NULL;
}

static void
test_backup_beside_a_writer_has_whole_groups_only(void **state)
{
    struct fixture f, g;
    struct copying copying = {.f = &f, .code = 1};
    struct pawl_write pair[2];
    struct pawl_result result = new_result(1, "hello");
    const struct pawl_result *results[] = {&result};
    char lines[4096] = "";
    pthread_t thread;

    (void) state;
    fixture_open(&f);
    fixture_open(&g);
    snprintf(copying.path, sizeof copying.path, "%s", file_of(&g, "copy"));
    for (uint64_t i = 1; i <= 2000; i++) {
        pair[0] = new_task(i, "both");
        pair[1] = new_state(i, 1);
        pair[1].results = results;
        pair[1].nresults = 1;
        assert_int_equal(commit(&f, pair, 2), PAWL_OK);
        if (i == 200)
            assert_int_equal(pthread_create(&thread, NULL, copy_beside, &copying), 0);
    }
    pthread_join(thread, NULL);
    assert_int_equal(copying.code, PAWL_OK);
    fixture_shut(&g);
    assert_int_equal(rename(copying.path, file_of(&g, "pawl.db")), 0);
    meddle(file_of(&g, "pawl.db"), "UPDATE task SET id = seq");     /* no two may be the same */
    if (pawl_store_check(g.dir, note_line_cb, lines, NULL) != PAWL_OK)
        fail_msg("%s", lines);
    fixture_reopen(&g);
    load(&g);
    assert_in_range(g.nloaded, 200, 2000);
    for (size_t i = 0; i < g.nloaded; i++)
        assert_int_equal(g.loaded[i].nresults, 1);
    fixture_close(&g);
    fixture_close(&f);
}

static void
test_backup_that_fails_leaves_nothing(void **state)
{
    struct fixture f;
    struct rlimit old, small = {.rlim_cur = 8192};
    struct pawl_err err = {0};

    (void) state;
    fixture_open(&f);
    write_some(&f);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(f.store->backup(f.store, file_of(&f, "copy"), &err), PAWL_EFULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_non_null(strstr(err.text, "there is no room for it"));
    assert_int_equal(access(file_of(&f, "copy"), F_OK), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(f.store->backup(f.store, file_of(&f, "no/copy"), &err), PAWL_ESYS);
    fixture_close(&f);
}

static void
test_views_can_be_read_by_a_person(void **state)
{
    struct fixture f;
    struct pawl_write cron = new_task(3, "c");
    const char *db;

    (void) state;
    fixture_open(&f);
    write_some(&f);
    cron.record.type = PAWL_CRON;
    assert_int_equal(commit_one(&f, cron), PAWL_OK);
    cron = new_state(3, 1);
    cron.record.due_ns = INT64_MAX;
    assert_int_equal(commit_one(&f, cron), PAWL_OK);
    db = file_of(&f, "pawl.db");
    assert_answer(db, "SELECT count(*) FROM tasks", "3");
    assert_answer(db, "SELECT count(*) FROM runs", "1");
    assert_answer(db, "SELECT type || ' ' || status || ' ' || results || ' ' || script FROM tasks"
                      " WHERE id = 'a'", "delay Executed 1 true");
    assert_answer(db, "SELECT type || ' ' || next_run FROM tasks WHERE id = 'c'", "cron never");
    assert_answer(db, "SELECT created FROM tasks WHERE id = 'b'", "2027-01-15T08:00:00.000Z");
    assert_answer(db, "SELECT next_run FROM tasks WHERE id = 'b'", "1970-01-01T00:00:02.000Z");
    assert_answer(db, "SELECT coalesce(previous_run, 'none') FROM tasks WHERE id = 'b'", "none");
    assert_answer(db, "SELECT coalesce(next_run, 'none') FROM tasks WHERE id = 'a'", "none");
    assert_answer(db, "SELECT id || run || outcome || ended || seconds || stdout FROM runs",
                  "a1success2027-01-15T08:00:01.000Z1.0hello\n");
    fixture_close(&f);
}

static void
test_view_says_when_tasks_fire(void **state)
{
    struct fixture f;
    const struct pawl_trigger triggers[] = {
        {.kind = PAWL_BY_CALENDAR, .expr = "daily 2 at 10:30", .expr_len = 16, .timezone = "UTC",
         .timezone_len = 3},
        {.kind = PAWL_BY_AT, .at_ns = WALL},
        when_of_cron()->triggers[0],
        {.kind = PAWL_BY_SPAN, .time_ns = 3 * SECOND},
    };
    const struct pawl_when when = {.triggers = triggers, .ntriggers = 4, .start_ns = WALL,
                                   .end_ns = PAWL_NO_TIME, .max_runs = 7, .jitter_ns = SECOND};
    const struct pawl_scale scale = {.anchor_ns = 1, .offset_ns = SECOND + 1};
    struct pawl_group group = {.ticket = 1, .scale = &scale};
    struct pawl_write changed = new_state(2, 1);
    const char *db;

    (void) state;
    fixture_open(&f);
    db = file_of(&f, "pawl.db");
    changed.record.due_ns = WALL + 1000000;
    changed.record.is_due_wall = true;
    assert_int_equal(commit_one(&f, new_scheduled(1, "a", &when)), PAWL_OK);
    assert_int_equal(commit_one(&f, new_scheduled(2, "b", when_of_cron())), PAWL_OK);
    assert_int_equal(commit_one(&f, new_task(3, "c")), PAWL_OK);
    assert_int_equal(commit_one(&f, changed), PAWL_OK);
    assert_int_equal(f.store->commit(f.store, &group), PAWL_OK);
    assert_answer(db, "SELECT cron || '; ' || timezone || '; ' || at || '; ' || seconds FROM tasks"
                      " WHERE id = 'a'",
                  "daily 2 at 10:30 | */5 * * * *; UTC,Europe/Rome; 2027-01-15T08:00:00.000Z; 3.0");
    assert_answer(db, "SELECT starts || '; ' || max_runs || '; ' || jitter_seconds FROM tasks"
                      " WHERE id = 'a'",
                  "2027-01-15T08:00:00.000Z; 7; 1.0");
    assert_answer(db, "SELECT next_run FROM tasks WHERE id = 'a'", "2027-01-15T08:00:01.000Z");
    assert_answer(db, "SELECT next_run FROM tasks WHERE id = 'b'", "2027-01-15T08:00:00.001Z");
    assert_answer(db, "SELECT coalesce(seconds, 'none') FROM tasks WHERE id = 'b'", "none");
    assert_answer(db, "SELECT next_run || seconds FROM tasks WHERE id = 'c'",
                  "1970-01-01T00:00:04.000Z1.0");
    assert_answer(db, "SELECT coalesce(cron, timezone, at, starts, ends, max_runs, jitter_seconds,"
                      " 'none') FROM tasks WHERE id = 'c'", "none");
    fixture_close(&f);
}

static void
test_views_have_the_words_of_the_interface(void **state)
{
    struct fixture f;
    char sql[96];

    (void) state;
    fixture_open(&f);
    write_some(&f);
    for (int i = 0; i < PAWL_NSTATUS; i++) {
        snprintf(sql, sizeof sql, "UPDATE state SET status = %d", i);
        meddle(file_of(&f, "pawl.db"), sql);
        assert_answer(file_of(&f, "pawl.db"), "SELECT status FROM tasks", pawl_status_name(i));
    }
    for (int i = 0; i < PAWL_NOUTCOME; i++) {
        snprintf(sql, sizeof sql, "UPDATE result SET outcome = %d", i);
        meddle(file_of(&f, "pawl.db"), sql);
        assert_answer(file_of(&f, "pawl.db"), "SELECT outcome FROM runs", pawl_outcome_name(i));
    }
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_says_that_a_sound_store_is_sound),
        cmocka_unit_test(test_check_finds_what_should_not_be),
        cmocka_unit_test(test_check_of_no_store_makes_none),
        cmocka_unit_test(test_backup_is_a_sound_store_and_leaves_its_target_alone),
        cmocka_unit_test(test_backup_beside_a_writer_has_whole_groups_only),
        cmocka_unit_test(test_backup_that_fails_leaves_nothing),
        cmocka_unit_test(test_views_can_be_read_by_a_person),
        cmocka_unit_test(test_view_says_when_tasks_fire),
        cmocka_unit_test(test_views_have_the_words_of_the_interface),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
