/* test_store_when.c: when a task fires, in the embedded store: schedules and their triggers come
 * back whole, go with their task, and are there in a store that was made without them. */
#include "store_fixture.h"

#define LAST_MOMENT (INT64_C(7258118400) * SECOND - 1)      /* of the year 2199 */

/* The tables as they were before there were schedules. Never to be changed: such files exist. */
static const char format_1[] =
    "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
    "CREATE TABLE task (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, type INTEGER NOT NULL,"
    " time_ns INTEGER NOT NULL, keep_results INTEGER NOT NULL, created_ns INTEGER NOT NULL,"
    " due_ns INTEGER, script TEXT NOT NULL) STRICT;"
    "CREATE TABLE state (seq INTEGER PRIMARY KEY, version INTEGER NOT NULL,"
    " status INTEGER NOT NULL, updated_ns INTEGER NOT NULL, due_ns INTEGER, previous_ns INTEGER,"
    " run_count INTEGER NOT NULL, failure_count INTEGER NOT NULL,"
    " skipped_overlap INTEGER NOT NULL, missed INTEGER NOT NULL, running INTEGER NOT NULL) STRICT;"
    "CREATE TABLE result (n INTEGER PRIMARY KEY, seq INTEGER NOT NULL, run INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, scheduled_ns INTEGER NOT NULL, started_ns INTEGER NOT NULL,"
    " ended_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL, outcome INTEGER NOT NULL,"
    " exit_code INTEGER NOT NULL, signal INTEGER NOT NULL, truncated INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, error TEXT, out TEXT NOT NULL, err TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX result_of_run ON result (seq, run, attempt);"
    "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), boot TEXT NOT NULL,"
    " anchor_ns INTEGER NOT NULL, offset_ns INTEGER NOT NULL, noted_ns INTEGER NOT NULL,"
    " newest_seq INTEGER NOT NULL, history_bytes INTEGER NOT NULL, probes INTEGER NOT NULL) STRICT;"
    "CREATE VIEW tasks AS SELECT t.seq, s.running FROM task AS t LEFT JOIN state AS s USING (seq);"
    "CREATE VIEW runs AS SELECT * FROM result;"
    "INSERT INTO meta VALUES (1, 'boot', 1, 2, 3, 9, 133, 0);"
    "INSERT INTO task VALUES (3, 'three', 0, 1000, 10, 5000, 6000, 'true'),"
    " (9, 'nine', 1, 1000000, 10, 5000, 7000, 'false');"
    "INSERT INTO state VALUES (9, 4, 3, 5500, 8000, 5400, 2, 1, 0, 0, 0);"
    "INSERT INTO result VALUES (1, 9, 1, 1, 5100, 5200, 5300, 100, 0, 0, 0, 0, 133, NULL, 'hello',"
    " '');"
    "PRAGMA application_id=1885435756; PRAGMA user_version=1";

static void
assert_same_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    assert_int_equal(a_len, b_len);
    if (b_len > 0)
        assert_memory_equal(a, b, b_len);
}

static void
assert_same_trigger(const struct pawl_trigger *a, const struct pawl_trigger *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(a->time_ns == b->time_ns);
    assert_true(a->time_max_ns == b->time_max_ns);
    assert_true(a->at_ns == b->at_ns);
    assert_same_text(a->expr, a->expr_len, b->expr, b->expr_len);
    assert_same_text(a->timezone, a->timezone_len, b->timezone, b->timezone_len);
    assert_int_equal(a->dst, b->dst);
    assert_int_equal(a->day_match, b->day_match);
}

static void
assert_same_schedule(const struct pawl_record *a, const struct pawl_record *b)
{
    assert_true(a->origin_ns == b->origin_ns);
    assert_true(a->due_ns == b->due_ns);
    assert_int_equal(a->is_due_wall, b->is_due_wall);
    assert_int_equal(!a->when, !b->when);
    if (!b->when)
        return;
    assert_true(a->when->start_ns == b->when->start_ns);
    assert_true(a->when->end_ns == b->when->end_ns);
    assert_true(a->when->max_runs == b->when->max_runs);
    assert_true(a->when->jitter_ns == b->when->jitter_ns);
    assert_int_equal(a->when->is_jitter_random, b->when->is_jitter_random);
    assert_int_equal(a->when->runs_on_start, b->when->runs_on_start);
    assert_int_equal(a->when->from_completion, b->when->from_completion);
    assert_int_equal(a->when->ntriggers, b->when->ntriggers);
    for (size_t i = 0; i < b->when->ntriggers; i++)
        assert_same_trigger(&a->when->triggers[i], &b->when->triggers[i]);
}

/* Writes them all at once, and reads them from the file. */
static void
write_and_load(struct fixture *f, struct pawl_write *writes, size_t n)
{
    assert_int_equal(commit(f, writes, n), PAWL_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(writes[i].code, PAWL_OK);
    fixture_reopen(f);
    load(f);
}

static void
test_schedule_comes_back_with_all_fields_at_their_extremes(void **state)
{
    struct fixture f;
    const struct pawl_trigger triggers[] = {
        {.kind = PAWL_BY_SPAN, .time_ns = PAWL_INTERVAL_MIN_NS, .time_max_ns = INT64_MAX},
        {.kind = PAWL_BY_AT, .at_ns = LAST_MOMENT},
        {.kind = PAWL_BY_CRON, .expr = "0 9 * * *", .expr_len = 9, .timezone = "Asia/Tokyo",
         .timezone_len = 10, .dst = PAWL_CRON_SHIFT, .day_match = PAWL_CRON_VIXIE},
        {.kind = PAWL_BY_CALENDAR, .expr = "daily 2 at 10:30", .expr_len = 16,
         .dst = PAWL_CRON_ONCE},
    };
    const struct pawl_when all = {
        .triggers = triggers, .ntriggers = 4, .start_ns = 0, .end_ns = LAST_MOMENT,
        .max_runs = INT64_MAX, .jitter_ns = 86400 * SECOND, .is_jitter_random = true};
    const struct pawl_when one = {
        .triggers = triggers, .ntriggers = 1, .start_ns = PAWL_NO_TIME, .end_ns = PAWL_NO_TIME,
        .runs_on_start = true, .from_completion = true};
    struct pawl_write writes[] = {new_task(1, "a"), new_scheduled(2, "b", &all),
                                  new_scheduled(3, "c", &one), new_task(4, "d")};

    (void) state;
    fixture_open(&f);
    writes[1].record.origin_ns = INT64_MIN;
    writes[2].record.origin_ns = INT64_MAX;
    writes[2].record.is_due_wall = false;
    write_and_load(&f, writes, 4);
    assert_int_equal(f.nloaded, 4);
    for (int i = 0; i < 4; i++)
        assert_same_schedule(&f.loaded[i].record, &writes[i].record);
    assert_answer(file_of(&f, "pawl.db"), "SELECT count(*) FROM state", "0");     /* all are new */
    fixture_close(&f);
}

/* As many triggers as there can be, each with the longest texts, in two tasks. */
static void
test_largest_schedule_comes_back(void **state)
{
    struct fixture f;
    struct pawl_trigger triggers[PAWL_TRIGGERS_MAX];
    struct pawl_when when = {.triggers = triggers, .ntriggers = PAWL_TRIGGERS_MAX,
                             .start_ns = PAWL_NO_TIME, .end_ns = PAWL_NO_TIME};
    struct pawl_write writes[] = {new_scheduled(1, "a", &when), new_scheduled(2, "b", &when)};
    char expr[PAWL_EXPR_MAX + 1], zone[64];

    (void) state;
    fixture_open(&f);
    for (size_t i = 0; i < PAWL_EXPR_MAX; i++)
        expr[i] = i % 2 == 0 ? '5' : ',';
    memcpy(expr + PAWL_EXPR_MAX - 9, "5 * * * *", 10);
    memset(zone, 'z', sizeof zone - 1);
    for (size_t i = 0; i < PAWL_TRIGGERS_MAX; i++)
        triggers[i] = (struct pawl_trigger) {.kind = PAWL_BY_CRON, .expr = expr,
                                             .expr_len = PAWL_EXPR_MAX, .timezone = zone,
                                             .timezone_len = sizeof zone - 1};
    write_and_load(&f, writes, 2);
    assert_int_equal(f.nloaded, 2);
    assert_same_schedule(&f.loaded[0].record, &writes[0].record);
    assert_same_schedule(&f.loaded[1].record, &writes[1].record);
    assert_string_equal(f.loaded[1].record.when->triggers[31].expr, expr);
    fixture_close(&f);
}

static void
test_state_says_which_clock_the_due_time_follows(void **state)
{
    struct fixture f;
    struct pawl_write write = new_scheduled(1, "a", when_of_cron());

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, write), PAWL_OK);
    load(&f);
    assert_true(f.loaded[0].record.is_due_wall);
    write = new_state(1, 1);
    write.record.due_ns = 5;
    assert_int_equal(commit_one(&f, write), PAWL_OK);
    load(&f);
    assert_true(f.loaded[0].record.due_ns == 5);
    assert_false(f.loaded[0].record.is_due_wall);
    write.record.version = 2;
    write.record.is_due_wall = true;
    assert_int_equal(commit_one(&f, write), PAWL_OK);
    load(&f);
    assert_true(f.loaded[0].record.is_due_wall);
    assert_true(f.loaded[0].record.origin_ns == 1);
    assert_int_equal(f.loaded[0].record.when->ntriggers, 1);
    fixture_close(&f);
}

static void
test_range_of_due_times_takes_wall_times_as_they_are(void **state)
{
    struct fixture f;
    struct pawl_range range = {0, UINT64_MAX, WALL, INT64_MAX};
    struct pawl_write writes[] = {new_task(1, "a"), new_scheduled(2, "b", when_of_cron()),
                                  new_task(3, "c"), new_scheduled(4, "d", when_of_cron())};

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit(&f, writes, 4), PAWL_OK);
    assert_int_equal(load_range(&f, range, NULL), PAWL_OK);
    assert_int_equal(f.nloaded, 2);
    assert_int_equal(f.loaded[0].record.seq, 2);
    range.due_to_ns = WALL + 3 * SECOND;
    assert_int_equal(load_range(&f, range, NULL), PAWL_OK);
    assert_int_equal(f.nloaded, 1);
    range = (struct pawl_range){3, 4, INT64_MIN, INT64_MAX};
    assert_int_equal(load_range(&f, range, NULL), PAWL_OK);
    assert_int_equal(f.nloaded, 2);
    assert_null(f.loaded[0].record.when);
    assert_non_null(f.loaded[1].record.when);
    fixture_close(&f);
}

static void
test_schedule_written_again_is_there_once(void **state)
{
    struct fixture f;
    struct pawl_write write = new_scheduled(1, "a", when_of_cron());
    const char *rows = "SELECT (SELECT count(*) FROM schedule) || (SELECT count(*) FROM due_by)";

    (void) state;
    fixture_open(&f);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(commit_one(&f, write), PAWL_OK);
        assert_answer(file_of(&f, "pawl.db"), rows, "11");
    }
    assert_int_equal(commit_one(&f, new_task(2, "b")), PAWL_OK);
    write = new_scheduled(2, "c", when_of_cron());
    assert_int_equal(commit_one(&f, write), PAWL_EEXIST);
    assert_answer(file_of(&f, "pawl.db"), rows, "11");
    fixture_close(&f);
}

static void
test_schedule_is_gone_with_its_task(void **state)
{
    struct fixture f;
    struct pawl_trigger triggers[] = {when_of_cron()->triggers[0], when_of_cron()->triggers[0]};
    struct pawl_when two = {.triggers = triggers, .ntriggers = 2, .start_ns = PAWL_NO_TIME,
                            .end_ns = PAWL_NO_TIME};
    struct pawl_write writes[] = {new_scheduled(1, "a", &two), new_scheduled(2, "b", &two)};
    struct pawl_write gone = {.kind = PAWL_WRITE_GONE, .record = {.seq = 1}};
    const char *rows = "SELECT (SELECT count(*) FROM schedule) || (SELECT count(*) FROM due_by)";

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit(&f, writes, 2), PAWL_OK);
    assert_answer(file_of(&f, "pawl.db"), rows, "24");
    assert_int_equal(commit_one(&f, gone), PAWL_OK);
    assert_answer(file_of(&f, "pawl.db"), rows, "12");
    assert_int_equal(commit_one(&f, gone), PAWL_ENOENT);
    gone.record.seq = 2;
    assert_int_equal(commit_one(&f, gone), PAWL_OK);
    assert_answer(file_of(&f, "pawl.db"), rows, "00");
    fixture_close(&f);
}

static void
test_task_without_schedule_writes_only_its_own_row(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    write_some(&f);
    assert_answer(file_of(&f, "pawl.db"),
                  "SELECT (SELECT count(*) FROM schedule) + (SELECT count(*) FROM due_by)", "0");
    fixture_close(&f);
}

/* What a damaged row makes of loading. */
static void
assert_load_refuses(const char *sql, const char *what)
{
    struct fixture f;
    struct pawl_range all = {0, UINT64_MAX, INT64_MIN, INT64_MAX};
    struct pawl_err err = {0};

    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    assert_int_equal(commit_one(&f, new_scheduled(4, "b", when_of_cron())), PAWL_OK);
    meddle(file_of(&f, "pawl.db"), sql);
    assert_int_equal(load_range(&f, all, &err), PAWL_EDAMAGED);
    if (!strstr(err.text, what) || !strstr(err.text, "pawld --check"))
        fail_msg("%s: %s", sql, err.text);
    fixture_close(&f);
}

static void
test_row_that_cannot_be_is_refused_and_named(void **state)
{
    (void) state;
    assert_load_refuses("UPDATE schedule SET max_runs = -1", "table schedule, task 4: a number");
    assert_load_refuses("UPDATE schedule SET jitter_ns = -1", "a number of its schedule");
    assert_load_refuses("UPDATE schedule SET is_due_wall = 2", "a number of its schedule");
    assert_load_refuses("UPDATE due_by SET kind = 4", "table due_by, task 4: a number of a");
    assert_load_refuses("UPDATE due_by SET time_ns = -1", "a number of a trigger");
    assert_load_refuses("UPDATE due_by SET dst = 4", "a number of a trigger");
    assert_load_refuses("UPDATE due_by SET day_match = 2", "a number of a trigger");
    assert_load_refuses("UPDATE due_by SET kind = 0", "table task, task 4: its schedule is none");
    assert_load_refuses("UPDATE schedule SET start_ns = -1", "its schedule is none");
    assert_load_refuses("UPDATE due_by SET n = 1", "a trigger of its schedule is missing");
    assert_load_refuses("UPDATE due_by SET n = 32", "a trigger of its schedule is missing");
    assert_load_refuses("UPDATE due_by SET expr = hex(zeroblob(513))", "too long");
    assert_load_refuses("UPDATE due_by SET timezone = hex(zeroblob(32))", "too long");
    assert_load_refuses("DELETE FROM due_by", "table task, task 4: its schedule has no trigger");
    assert_load_refuses("DELETE FROM schedule", "it has a trigger, but no schedule");
    assert_load_refuses("WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 32)"
                        " INSERT INTO due_by SELECT seq, i, kind, time_ns, time_max_ns, at_ns,"
                        " expr, timezone, dst, day_match FROM due_by, c",
                        "more triggers than can be");
}

static void
test_store_of_format_1_is_brought_up_to_date(void **state)
{
    struct fixture f;
    struct pawl_inventory inventory;
    struct pawl_write tagged = new_task(11, "eleven");
    char lines[4096] = "";
    const char *db;

    (void) state;
    fixture_open(&f);
    fixture_shut(&f);
    db = file_of(&f, "pawl.db");
    unlink(db);
    close(open(db, O_CREAT | O_RDWR, 0600));
    meddle(db, format_1);
    if (pawl_store_check(f.dir, note_line_cb, lines, NULL) != PAWL_OK ||
        !strstr(lines, "format 1 is older than this pawld's"))
        fail_msg("%s", lines);
    fixture_reopen(&f);
    load(&f);
    assert_int_equal(f.nloaded, 2);
    assert_string_equal(f.loaded[0].record.id, "three");
    assert_null(f.loaded[0].record.when);
    assert_int_equal(f.loaded[1].record.version, 4);
    assert_true(f.loaded[1].record.due_ns == 8000);
    assert_false(f.loaded[1].record.is_due_wall);
    assert_string_equal(f.loaded[1].results[0].out, "hello");
    assert_int_equal(f.store->inventory(f.store, &inventory, NULL), PAWL_OK);
    assert_string_equal(inventory.scale.boot, "boot");
    assert_int_equal(inventory.scale.newest_seq, 9);
    assert_answer(file_of(&f, "pawl.db"), "SELECT type || status FROM tasks WHERE seq = 9",
                  "cronWaitForNextExecution");
    assert_int_equal(commit_one(&f, new_scheduled(10, "ten", when_of_cron())), PAWL_OK);
    tagged.record.tags = (const char *const[]) {"new"};
    tagged.record.ntags = 1;
    assert_int_equal(commit_one(&f, tagged), PAWL_OK);
    assert_answer(file_of(&f, "pawl.db"), "SELECT tags FROM tasks WHERE seq = 11", "new");
    fixture_shut(&f);
    lines[0] = '\0';
    if (pawl_store_check(f.dir, note_line_cb, lines, NULL) != PAWL_OK)
        fail_msg("%s", lines);
    fixture_reopen(&f);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule_comes_back_with_all_fields_at_their_extremes),
        cmocka_unit_test(test_largest_schedule_comes_back),
        cmocka_unit_test(test_state_says_which_clock_the_due_time_follows),
        cmocka_unit_test(test_range_of_due_times_takes_wall_times_as_they_are),
        cmocka_unit_test(test_schedule_written_again_is_there_once),
        cmocka_unit_test(test_schedule_is_gone_with_its_task),
        cmocka_unit_test(test_task_without_schedule_writes_only_its_own_row),
        cmocka_unit_test(test_row_that_cannot_be_is_refused_and_named),
        cmocka_unit_test(test_store_of_format_1_is_brought_up_to_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
