/* test_store_tags.c: tags in the embedded store: written with their task, read back, gone with it. */
#include "store_fixture.h"

static const char *const two_tags[] = {"db", "m\xc3\xbcnchen"};

static struct pawl_write
new_tagged(uint64_t seq, const char *id, const char *const *tags, size_t ntags)
{
    struct pawl_write write = new_task(seq, id);

    write.record.tags = tags;
    write.record.ntags = ntags;
    return write;
}

/* "ID:tag,tag;" of each task. */
static int
list_cb(void *ctx, const struct pawl_record *record, const struct pawl_result *results,
        size_t nresults)
{
    char *all = ctx;

    (void) results, (void) nresults;
    sprintf(all + strlen(all), "%s:", record->id);
    for (size_t i = 0; i < record->ntags; i++)
        sprintf(all + strlen(all), "%s%s", i > 0 ? "," : "", record->tags[i]);
    strcat(all, ";");
    return PAWL_OK;
}

static void
assert_loads(struct fixture *f, const char *expected)
{
    struct pawl_range all = {0, UINT64_MAX, INT64_MIN, INT64_MAX};
    struct pawl_err err = {0};
    char listed[8192] = "";

    if (f->store->load(f->store, &all, list_cb, listed, &err) != PAWL_OK)
        fail_msg("load: %s", err.text);
    assert_string_equal(listed, expected);
}

static void
test_tags_come_back_in_their_order(void **state)
{
    struct fixture f;
    struct pawl_write writes[] = {new_tagged(1, "a", two_tags, 2), new_task(2, "b"),
                                  new_tagged(3, "c", two_tags + 1, 1)};

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit(&f, writes, 3), PAWL_OK);
    assert_int_equal(commit_one(&f, writes[0]), PAWL_OK);       /* again: they are there once */
    fixture_reopen(&f);
    assert_loads(&f, "a:db,m\xc3\xbcnchen;b:;c:m\xc3\xbcnchen;");
    assert_answer(file_of(&f, "pawl.db"), "SELECT tags FROM tasks WHERE id = 'a'",
                  "db,m\xc3\xbcnchen");
    assert_answer(file_of(&f, "pawl.db"),
                  "SELECT count(*) FROM tasks WHERE id = 'b' AND tags IS NULL", "1");
    fixture_close(&f);
}

static void
test_most_and_longest_tags_come_back(void **state)
{
    struct fixture f;
    const char *tags[PAWL_TAGS_MAX];
    char text[PAWL_TAGS_MAX][PAWL_TAG_MAX + 1], expected[4096] = "a:";

    (void) state;
    fixture_open(&f);
    for (int i = 0; i < PAWL_TAGS_MAX; i++) {
        memset(text[i], 'a' + i % 26, PAWL_TAG_MAX);
        sprintf(text[i] + PAWL_TAG_MAX - 2, "%02d", i);
        tags[i] = text[i];
        sprintf(expected + strlen(expected), "%s%s", i > 0 ? "," : "", text[i]);
    }
    assert_int_equal(commit_one(&f, new_tagged(1, "a", tags, PAWL_TAGS_MAX)), PAWL_OK);
    fixture_reopen(&f);
    assert_loads(&f, strcat(expected, ";"));
    fixture_close(&f);
}

static void
test_tags_are_gone_with_their_task(void **state)
{
    struct fixture f;
    struct pawl_write gone = {.kind = PAWL_WRITE_GONE, .record = {.seq = 1}};

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_tagged(1, "a", two_tags, 2)), PAWL_OK);
    assert_int_equal(commit_one(&f, new_tagged(2, "b", two_tags, 2)), PAWL_OK);
    fixture_reopen(&f);                 /* it is found out that there are any */
    assert_int_equal(commit_one(&f, gone), PAWL_OK);
    assert_answer(file_of(&f, "pawl.db"), "SELECT group_concat(seq) FROM tag", "2,2");
    gone.record.seq = 2;
    assert_int_equal(commit_one(&f, gone), PAWL_OK);
    assert_answer(file_of(&f, "pawl.db"), "SELECT count(*) FROM tag", "0");
    fixture_close(&f);
}

static void
test_task_that_is_refused_leaves_no_tags(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    assert_int_equal(commit_one(&f, new_tagged(1, "b", two_tags, 2)), PAWL_EEXIST);
    assert_answer(file_of(&f, "pawl.db"), "SELECT count(*) FROM tag", "0");
    fixture_close(&f);
}

/* What a damaged row makes of loading, and of verifying. */
static void
assert_refused(const char *sql, const char *what)
{
    struct fixture f;
    struct pawl_range all = {0, UINT64_MAX, INT64_MIN, INT64_MAX};
    struct pawl_err err = {0};
    char lines[8192] = "";

    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_tagged(1, "a", two_tags, 2)), PAWL_OK);
    meddle(file_of(&f, "pawl.db"), sql);
    assert_int_equal(load_range(&f, all, &err), PAWL_EDAMAGED);
    if (!strstr(err.text, "table tag, task 1: ") || !strstr(err.text, what))
        fail_msg("%s: %s", sql, err.text);
    fixture_shut(&f);
    assert_int_equal(pawl_store_check(f.dir, note_line_cb, lines, &err), PAWL_EDAMAGED);
    if (!strstr(lines, "unsound: tag of task 1: ") || !strstr(lines, what))
        fail_msg("%s: %s", sql, lines);
    fixture_close(&f);
}

static void
test_row_that_cannot_be_is_refused_and_named(void **state)
{
    (void) state;
    assert_refused("UPDATE tag SET tag = 'a b' WHERE n = 1", "a tag is none");
    assert_refused("UPDATE tag SET tag = '' WHERE n = 0", "a tag is none");
    assert_refused("UPDATE tag SET tag = hex(zeroblob(32)) WHERE n = 0", "a tag is none");
    assert_refused("UPDATE tag SET n = 2 WHERE n = 1", "one of its tags is missing");
    assert_refused("DELETE FROM tag WHERE n = 0", "one of its tags is missing");
    assert_refused("WITH RECURSIVE c (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM c LIMIT 31)"
                   " INSERT INTO tag SELECT 1, i, 'x' FROM c", "more tags than can be");
}

static void
test_check_finds_tags_of_no_task(void **state)
{
    struct fixture f;
    struct pawl_err err = {0};
    char lines[8192] = "";

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_tagged(1, "a", two_tags, 2)), PAWL_OK);
    assert_int_equal(commit_one(&f, new_tagged(2, "b", two_tags, 2)), PAWL_OK);
    fixture_shut(&f);
    assert_int_equal(pawl_store_check(f.dir, note_line_cb, lines, &err), PAWL_OK);
    meddle(file_of(&f, "pawl.db"), "DELETE FROM task WHERE seq = 2");
    assert_int_equal(pawl_store_check(f.dir, note_line_cb, lines, &err), PAWL_EDAMAGED);
    assert_non_null(strstr(lines, "tag of task 2: there is no such task"));
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tags_come_back_in_their_order),
        cmocka_unit_test(test_most_and_longest_tags_come_back),
        cmocka_unit_test(test_tags_are_gone_with_their_task),
        cmocka_unit_test(test_task_that_is_refused_leaves_no_tags),
        cmocka_unit_test(test_row_that_cannot_be_is_refused_and_named),
        cmocka_unit_test(test_check_finds_tags_of_no_task),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
