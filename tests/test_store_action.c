/* test_store_action.c: what the embedded store keeps of how a script is run, and which damage it
 * finds. */
#include "store_fixture.h"

#define LIST(...) ((const char *const[]) {__VA_ARGS__, NULL})

/* What makes a file of an older format of one that has nothing new in it. */
static const char to_format_2[] = UNDO_FORMAT_5 "DROP TABLE action; DROP TABLE tag;"
                                  "PRAGMA user_version=2";
static const char to_format_3[] = UNDO_FORMAT_5 "DROP TABLE action; PRAGMA user_version=3";

static struct pawl_write
new_acting(uint64_t seq, const char *id, const struct pawl_action *action)
{
    struct pawl_write write = new_task(seq, id);

    write.record.action = action;
    return write;
}

static const struct pawl_action *
full_action(void)
{
    static const char *const args[] = {"a", "", "two words\nand a line", NULL};
    static const char *const env[] = {"A=1", "B=", "C==\xC3\xA4", NULL};
    static const struct pawl_action action = {
        .interpreter = "python3", .args = args, .env = env, .cwd = "/srv", .umask = 027,
        .timeout_ns = 90 * SECOND, .kill_grace_ns = 0, .kill_mode = PAWL_KILL_TREE,
        .condition = "test -e /srv/ready\n",
    };

    return &action;
}

static const struct pawl_action *
full_call(void)
{
    static const char *const headers[] = {"A: 1", "B:", NULL};
    static const uint16_t codes[] = {200, 4, 599};
    static const struct pawl_http_call http = {
        .url = "https://a.example/x?y=z", .method = "POST", .headers = headers, .body = "a\0\xC3\xA4",
        .body_len = 4, .codes = codes, .ncodes = 3, .max_redirects = 0,
    };
    static const struct pawl_action action = {.umask = -1, .kill_grace_ns = -1, .http = &http};

    return &action;
}

static const struct pawl_action *
least_call(void)
{
    static const struct pawl_http_call http = {.url = "http://a.example/", .max_redirects = -1};
    static const struct pawl_action action = {.umask = -1, .kill_grace_ns = -1, .http = &http};

    return &action;
}

static void
assert_text(const char *a, const char *b)
{
    assert_true(!a == !b);
    if (a)
        assert_string_equal(a, b);
}

static void
assert_list(const char *const *a, const char *const *b)
{
    assert_true(!a == !b);
    for (; a && *a; a++, b++) {
        assert_non_null(*b);
        assert_string_equal(*a, *b);
    }
    assert_true(!b || !*b);
}

static void
assert_same_call(const struct pawl_http_call *a, const struct pawl_http_call *b)
{
    assert_true(!a == !b);
    if (!a)
        return;
    assert_text(a->url, b->url);
    assert_text(a->method, b->method);
    assert_list(a->headers, b->headers);
    assert_true(!a->body == !b->body && a->body_len == b->body_len);
    if (a->body)
        assert_memory_equal(a->body, b->body, a->body_len);
    assert_int_equal(a->ncodes, b->ncodes);
    if (a->ncodes > 0)
        assert_memory_equal(a->codes, b->codes, a->ncodes * sizeof a->codes[0]);
    assert_int_equal(a->max_redirects, b->max_redirects);
}

static void
assert_same(const struct pawl_action *a, const struct pawl_action *b)
{
    assert_non_null(a);
    assert_true(!a->interpreter == !b->interpreter);
    if (a->interpreter)
        assert_string_equal(a->interpreter, b->interpreter);
    assert_list(a->args, b->args);
    assert_list(a->env, b->env);
    assert_true(!a->cwd == !b->cwd);
    if (a->cwd)
        assert_string_equal(a->cwd, b->cwd);
    assert_int_equal(a->umask, b->umask);
    assert_true(a->timeout_ns == b->timeout_ns && a->kill_grace_ns == b->kill_grace_ns);
    assert_same_call(a->http, b->http);
    assert_int_equal(a->kill_mode, b->kill_mode);
    assert_true(!a->condition == !b->condition);
    if (a->condition)
        assert_string_equal(a->condition, b->condition);
}

static void
test_actions_come_back_as_they_were(void **state)
{
    const struct pawl_action actions[] = {
        *full_action(),
        {.interpreter = "sh", .umask = -1, .kill_grace_ns = -1},
        {.args = LIST(""), .umask = -1, .kill_grace_ns = -1},
        {.umask = 0, .kill_grace_ns = -1},
        {.umask = -1, .kill_grace_ns = -1, .kill_mode = PAWL_KILL_TREE},
        {.umask = -1, .kill_grace_ns = -1, .condition = "x"},
        {.umask = -1, .timeout_ns = 1000000, .kill_grace_ns = INT64_MAX},
    };
    size_t n = sizeof actions / sizeof actions[0];
    struct fixture f;
    char id[8];

    (void) state;
    fixture_open(&f);
    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof id, "t%zu", i);
        assert_int_equal(commit_one(&f, new_acting(1 + 2 * i, id, &actions[i])), PAWL_OK);
        assert_int_equal(commit_one(&f, new_acting(1 + 2 * i, id, &actions[i])), PAWL_OK);
        assert_int_equal(commit_one(&f, new_task(2 + 2 * i, id + 1)), PAWL_OK);
    }
    fixture_reopen(&f);
    load(&f);
    assert_int_equal(f.nloaded, 2 * n);
    for (size_t i = 0; i < n; i++) {
        assert_same(f.loaded[2 * i].record.action, &actions[i]);
        assert_null(f.loaded[2 * i + 1].record.action);
    }
    assert_answer(file_of(&f, "pawl.db"),
                  "SELECT interpreter || ' ' || timeout_seconds || ' ' || cwd FROM tasks"
                  " WHERE seq = 1", "python3 90.0 /srv");
    assert_answer(file_of(&f, "pawl.db"), "SELECT interpreter FROM tasks WHERE seq = 2", "bash");
    fixture_close(&f);
}

static void
test_calls_come_back_as_they_were(void **state)
{
    const struct pawl_action *actions[] = {full_call(), full_action(), least_call()};
    struct fixture f;
    char id[8];

    (void) state;
    fixture_open(&f);
    for (size_t i = 0; i < 3; i++) {
        struct pawl_write write;

        snprintf(id, sizeof id, "t%zu", i);
        write = new_acting(1 + i, id, actions[i]);
        if (actions[i]->http) {
            write.record.script = "";
            write.record.script_len = 0;
        }
        assert_int_equal(commit_one(&f, write), PAWL_OK);
    }
    fixture_reopen(&f);
    load(&f);
    assert_int_equal(f.nloaded, 3);
    for (size_t i = 0; i < 3; i++)
        assert_same(f.loaded[i].record.action, actions[i]);
    assert_answer(file_of(&f, "pawl.db"), "SELECT url FROM tasks WHERE seq = 1",
                  "https://a.example/x?y=z");
    assert_answer(file_of(&f, "pawl.db"),
                  "SELECT success_codes FROM action WHERE seq = 1", "200,4xx,599");
    assert_answer(file_of(&f, "pawl.db"),
                  "SELECT count(*) FROM tasks WHERE interpreter IS NULL", "2");
    fixture_close(&f);
}

static void
test_an_action_goes_with_its_task(void **state)
{
    struct pawl_write gone = {.kind = PAWL_WRITE_GONE, .record.seq = 1};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_acting(1, "a", full_action())), PAWL_OK);
    assert_int_equal(commit_one(&f, new_acting(2, "b", full_action())), PAWL_OK);
    assert_int_equal(commit_one(&f, gone), PAWL_OK);
    assert_answer(file_of(&f, "pawl.db"), "SELECT group_concat(seq) FROM action", "2");
    fixture_close(&f);
}

/* Loading refuses it, and so does the check. */
static void
assert_damage_of(const struct pawl_action *action, const char *sql, const char *what)
{
    struct pawl_write write = new_acting(1, "a", action);
    struct pawl_range all = {0, UINT64_MAX, INT64_MIN, INT64_MAX};
    struct pawl_err err = {0};
    char lines[4096] = "";
    struct fixture f;

    if (action->http) {
        write.record.script = "";
        write.record.script_len = 0;
    }
    fixture_open(&f);
    assert_int_equal(commit_one(&f, write), PAWL_OK);
    meddle(file_of(&f, "pawl.db"), sql);
    assert_int_equal(load_range(&f, all, &err), PAWL_EDAMAGED);
    if (!strstr(err.text, what))
        fail_msg("%s: %s", sql, err.text);
    fixture_shut(&f);
    assert_int_equal(pawl_store_check(f.dir, note_line_cb, lines, NULL), PAWL_EDAMAGED);
    if (!strstr(lines, what))
        fail_msg("%s: %s", sql, lines);
    fixture_reopen(&f);
    fixture_close(&f);
}

static void
assert_damage(const char *sql, const char *what)
{
    assert_damage_of(full_action(), sql, what);
}

static void
test_a_damaged_action_is_found(void **state)
{
    static const char value[] = "a value of its action is none", none[] = "its action is none";

    (void) state;
    assert_damage("UPDATE action SET args = x'4142'", value);         /* no NUL behind it */
    assert_damage("UPDATE action SET umask = -5", value);
    assert_damage("UPDATE action SET timeout_ns = -1", value);
    assert_damage("UPDATE action SET cwd = '/a' || char(0) || 'b'", value);
    assert_damage("UPDATE action SET args = zeroblob(1001)", value);
    assert_damage("UPDATE action SET umask = 4096", none);
    assert_damage("UPDATE action SET cwd = 'tmp'", none);
    assert_damage("UPDATE action SET env = x'4100'", none);
    assert_damage("UPDATE action SET interpreter = '../sh'", none);
}

static void
test_a_damaged_call_is_found(void **state)
{
    static const char value[] = "a value of its action is none", none[] = "its action is none";

    (void) state;
    assert_damage_of(full_call(), "UPDATE action SET headers = x'4142'", value);
    assert_damage_of(full_call(), "UPDATE action SET success_codes = '200,'", value);
    assert_damage_of(full_call(), "UPDATE action SET success_codes = '200;201'", value);
    assert_damage_of(full_call(), "UPDATE action SET success_codes = '65736'", value);
    assert_damage_of(full_call(), "UPDATE action SET success_codes = '99'", none);
    assert_damage_of(full_call(), "UPDATE action SET max_redirects = 51", none);
    assert_damage_of(full_call(), "UPDATE action SET url = 'file:///etc/passwd'", none);
    assert_damage_of(full_call(), "UPDATE action SET url = NULL", "its script is none");
}

static void
test_an_action_without_a_task_is_found(void **state)
{
    char lines[4096] = "";
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_acting(1, "a", full_action())), PAWL_OK);
    meddle(file_of(&f, "pawl.db"), "UPDATE action SET seq = 7");
    fixture_shut(&f);
    assert_int_equal(pawl_store_check(f.dir, note_line_cb, lines, NULL), PAWL_EDAMAGED);
    assert_non_null(strstr(lines, "action of task 7: there is no such task"));
    fixture_reopen(&f);
    fixture_close(&f);
}

static void
assert_brought_up_to_date(const char *to_format, const char *told)
{
    char lines[4096] = "";
    struct fixture f;

    fixture_open(&f);
    write_some(&f);
    assert_int_equal(commit_one(&f, new_scheduled(3, "c", when_of_cron())), PAWL_OK);
    fixture_shut(&f);
    meddle(file_of(&f, "pawl.db"), to_format);
    if (pawl_store_check(f.dir, note_line_cb, lines, NULL) != PAWL_OK ||
        !strstr(lines, told))
        fail_msg("%s", lines);
    fixture_reopen(&f);
    assert_int_equal(commit_one(&f, new_acting(4, "d", full_action())), PAWL_OK);
    load(&f);
    assert_int_equal(f.nloaded, 4);
    assert_string_equal(f.loaded[0].results[0].out, "hello\n");
    assert_null(f.loaded[0].record.action);
    assert_int_equal(f.loaded[2].record.when->ntriggers, 1);
    assert_same(f.loaded[3].record.action, full_action());
    fixture_shut(&f);
    lines[0] = '\0';
    if (pawl_store_check(f.dir, note_line_cb, lines, NULL) != PAWL_OK)
        fail_msg("%s", lines);
    fixture_reopen(&f);
    fixture_close(&f);
}

static void
test_store_of_an_older_format_is_brought_up_to_date(void **state)
{
    (void) state;
    assert_brought_up_to_date(to_format_2, "format 2 is older than this pawld's");
    assert_brought_up_to_date(to_format_3, "format 3 is older than this pawld's");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actions_come_back_as_they_were),
        cmocka_unit_test(test_calls_come_back_as_they_were),
        cmocka_unit_test(test_an_action_goes_with_its_task),
        cmocka_unit_test(test_a_damaged_action_is_found),
        cmocka_unit_test(test_a_damaged_call_is_found),
        cmocka_unit_test(test_an_action_without_a_task_is_found),
        cmocka_unit_test(test_store_of_an_older_format_is_brought_up_to_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
