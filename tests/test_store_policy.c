/* test_store_policy.c: what the embedded store keeps of policies and of what they remember, and which
 * damage it finds. */
#include "store_fixture.h"

static const char to_format_4[] = UNDO_FORMAT_5 "PRAGMA user_version=4";

static struct pawl_policy
usual(void)
{
    struct pawl_policy policy;

    pawl_policy_init(&policy);
    return policy;
}

/* One that is nowhere as usual. */
static const struct pawl_policy *
full_policy(void)
{
    static const struct pawl_policy policy = {
        .overlap = PAWL_OVERLAP_REPLACE, .queue_limit = PAWL_QUEUE_MAX,
        .max_running = PAWL_RUNNING_MAX, .misfire = PAWL_MISFIRE_ALL,
        .misfire_grace_ns = 5 * SECOND, .misfire_limit = 7, .retries = PAWL_RETRIES_MAX,
        .retry_delay_ns = 1, .retry_backoff = 1.1, .retry_max_delay_ns = 60 * SECOND,
        .retry_jitter_ns = 3, .retry_on = {[0] = 2, [9] = 8, [31] = 0x80},
        .group = "db-\xc3\xa9", .group_overflow = PAWL_GROUP_SKIP,
    };

    return &policy;
}

static struct pawl_write
new_with(uint64_t seq, const char *id, const struct pawl_policy *policy)
{
    struct pawl_write write = new_task(seq, id);

    write.record.policy = policy;
    return write;
}

/* A state in which an attempt has failed. */
static struct pawl_write
state_waiting(uint64_t seq, int64_t version, unsigned attempt)
{
    struct pawl_write write = new_state(seq, version);

    write.record.policy = full_policy();
    write.record.attempt = attempt;
    write.record.is_retry = write.record.is_retried_wall = true;
    write.record.has_backlog = write.record.is_catching_up = write.record.must_replace = true;
    write.record.not_before_ns = -5;
    write.record.retried_ns = 1234567890123456789;
    return write;
}

static void
assert_same(const struct pawl_policy *a, const struct pawl_policy *b)
{
    assert_non_null(a);
    assert_int_equal(a->overlap, b->overlap);
    assert_int_equal(a->queue_limit, b->queue_limit);
    assert_int_equal(a->max_running, b->max_running);
    assert_int_equal(a->misfire, b->misfire);
    assert_true(a->misfire_grace_ns == b->misfire_grace_ns);
    assert_int_equal(a->misfire_limit, b->misfire_limit);
    assert_int_equal(a->retries, b->retries);
    assert_true(a->retry_delay_ns == b->retry_delay_ns);
    assert_true(a->retry_backoff == b->retry_backoff);
    assert_true(a->retry_max_delay_ns == b->retry_max_delay_ns);
    assert_true(a->retry_jitter_ns == b->retry_jitter_ns);
    assert_memory_equal(a->retry_on, b->retry_on, sizeof a->retry_on);
    assert_string_equal(a->group, b->group);
    assert_int_equal(a->group_overflow, b->group_overflow);
}

static void
assert_waits(const struct pawl_record *a, const struct pawl_record *b)
{
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->is_retry, b->is_retry);
    assert_int_equal(a->is_retried_wall, b->is_retried_wall);
    assert_int_equal(a->has_backlog, b->has_backlog);
    assert_int_equal(a->is_catching_up, b->is_catching_up);
    assert_int_equal(a->must_replace, b->must_replace);
    assert_true(a->not_before_ns == b->not_before_ns);
    assert_true(a->retried_ns == b->retried_ns);
}

static void
test_policies_come_back_as_they_were(void **state)
{
    struct pawl_policy policies[] = {usual(), *full_policy(), usual(), usual()};
    size_t n = sizeof policies / sizeof policies[0];
    struct fixture f;
    char id[8];

    (void) state;
    policies[2].overlap = PAWL_OVERLAP_QUEUE;
    policies[2].retry_on[0] = 1;
    memset(policies[3].retry_on, 0xFF, sizeof policies[3].retry_on);
    fixture_open(&f);
    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof id, "t%zu", i);
        assert_int_equal(commit_one(&f, new_with(1 + 2 * i, id, &policies[i])), PAWL_OK);
        assert_int_equal(commit_one(&f, new_with(1 + 2 * i, id, &policies[i])), PAWL_OK);
        assert_int_equal(commit_one(&f, new_task(2 + 2 * i, id + 1)), PAWL_OK);
    }
    fixture_reopen(&f);
    load(&f);
    assert_int_equal(f.nloaded, 2 * n);
    for (size_t i = 0; i < n; i++) {
        assert_same(f.loaded[2 * i].record.policy, &policies[i]);
        assert_waits(&f.loaded[2 * i].record, &(struct pawl_record) {.seq = 0});
        assert_null(f.loaded[2 * i + 1].record.policy);
    }
    assert_answer(file_of(&f, "pawl.db"),
                  "SELECT group_concat(overlap || ' ' || retries, ';') FROM"
                  " (SELECT * FROM tasks WHERE seq IN (1, 2, 3, 5) ORDER BY seq)",
                  "skip 0;skip 0;replace 1000;queue 0");
    assert_answer(file_of(&f, "pawl.db"), "SELECT retry_on FROM policy WHERE seq = 3",
                  "1,75,255");
    fixture_close(&f);
}

static void
test_what_policies_remember_is_written_with_the_state(void **state)
{
    struct pawl_write first = state_waiting(1, 5, 3), older = state_waiting(1, 4, 2);
    struct pawl_write whole = new_with(2, "b", full_policy());
    struct fixture f;

    (void) state;
    whole.record = state_waiting(2, 3, 9).record;
    whole.record.id = "b";
    whole.record.id_len = 1;
    whole.record.script = ":";
    whole.record.script_len = 1;
    whole.record.time_ns = SECOND;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_with(1, "a", full_policy())), PAWL_OK);
    assert_int_equal(commit_one(&f, first), PAWL_OK);
    assert_int_equal(commit_one(&f, older), PAWL_OK);       /* a newer state is there */
    assert_int_equal(commit_one(&f, whole), PAWL_OK);
    fixture_reopen(&f);
    load(&f);
    assert_int_equal(f.nloaded, 2);
    assert_waits(&f.loaded[0].record, &first.record);
    assert_waits(&f.loaded[1].record, &whole.record);
    assert_answer(file_of(&f, "pawl.db"), "SELECT group_concat(waiting_for) FROM tasks",
                  "retry,retry");
    first.record.attempt = 4;                               /* the version stays */
    first.record.is_retry = false;
    assert_int_equal(commit_one(&f, first), PAWL_OK);
    fixture_reopen(&f);
    load(&f);
    assert_waits(&f.loaded[0].record, &first.record);
    fixture_close(&f);
}

static void
test_policies_are_gone_with_their_task(void **state)
{
    struct pawl_write gone = {.kind = PAWL_WRITE_GONE, .record.seq = 1};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_with(1, "a", full_policy())), PAWL_OK);
    assert_int_equal(commit_one(&f, new_with(2, "b", full_policy())), PAWL_OK);
    assert_int_equal(commit_one(&f, new_with(2, "c", full_policy())), PAWL_EEXIST);
    fixture_reopen(&f);                 /* it is found out that there are any */
    assert_int_equal(commit_one(&f, gone), PAWL_OK);
    assert_int_equal(commit_one(&f, state_waiting(1, 3, 1)), PAWL_ENOENT);
    assert_answer(file_of(&f, "pawl.db"), "SELECT group_concat(seq) FROM policy", "2");
    fixture_close(&f);
}

/* Loading refuses it, and so does the check. */
static void
assert_damage(const char *sql, const char *what)
{
    struct pawl_range all = {0, UINT64_MAX, INT64_MIN, INT64_MAX};
    struct pawl_err err = {0};
    char lines[4096] = "";
    struct fixture f;

    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_with(1, "a", full_policy())), PAWL_OK);
    meddle(file_of(&f, "pawl.db"), sql);
    assert_int_equal(load_range(&f, all, &err), PAWL_EDAMAGED);
    if (!strstr(err.text, "table policy, task 1: ") || !strstr(err.text, what))
        fail_msg("%s: %s", sql, err.text);
    fixture_shut(&f);
    assert_int_equal(pawl_store_check(f.dir, note_line_cb, lines, NULL), PAWL_EDAMAGED);
    if (!strstr(lines, "unsound: policy of task 1: ") || !strstr(lines, what))
        fail_msg("%s: %s", sql, lines);
    fixture_reopen(&f);
    fixture_close(&f);
}

static void
test_damaged_policy_is_found(void **state)
{
    static const char range[] = "a number of its policies is out of its range";
    static const char statuses[] = "what its retries are for cannot be read";

    (void) state;
    assert_damage("UPDATE policy SET overlap = 4", range);
    assert_damage("UPDATE policy SET overlap = -1", range);
    assert_damage("UPDATE policy SET queue_limit = 0", range);
    assert_damage("UPDATE policy SET queue_limit = 4294967297", range);
    assert_damage("UPDATE policy SET misfire = 3", range);
    assert_damage("UPDATE policy SET misfire_limit = 10001", range);
    assert_damage("UPDATE policy SET retries = 1001", range);
    assert_damage("UPDATE policy SET retry_delay_ns = -1", range);
    assert_damage("UPDATE policy SET retry_max_delay_ns = 9223372036854775807", range);
    assert_damage("UPDATE policy SET retry_backoff = 0.5", range);
    assert_damage("UPDATE policy SET attempt = 1002", range);
    assert_damage("UPDATE policy SET has_backlog = 2", range);
    assert_damage("UPDATE policy SET must_replace = -1", range);
    assert_damage("UPDATE policy SET is_retry = 1, attempt = 0", "before it was tried");
    assert_damage("UPDATE policy SET retry_on = '256'", statuses);
    assert_damage("UPDATE policy SET retry_on = '75,1'", statuses);
    assert_damage("UPDATE policy SET retry_on = '1,'", statuses);
    assert_damage("UPDATE policy SET retry_on = '1,,2'", statuses);
    assert_damage("UPDATE policy SET retry_on = 'x'", statuses);
    assert_damage("UPDATE policy SET retry_on = hex(zeroblob(1000))", statuses);
    assert_damage("UPDATE policy SET group_overflow = 2", range);
    assert_damage("UPDATE policy SET group_name = 'a b'", "its group cannot be read");
    assert_damage("UPDATE policy SET group_name = hex(zeroblob(32))", "its group cannot be read");
}

static void
test_policy_without_a_task_is_found(void **state)
{
    char lines[4096] = "";
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_with(1, "a", full_policy())), PAWL_OK);
    meddle(file_of(&f, "pawl.db"), "UPDATE policy SET seq = 7");
    fixture_shut(&f);
    assert_int_equal(pawl_store_check(f.dir, note_line_cb, lines, NULL), PAWL_EDAMAGED);
    assert_non_null(strstr(lines, "policy of task 7: there is no such task"));
    fixture_reopen(&f);
    fixture_close(&f);
}

static void
test_store_of_format_4_is_brought_up_to_date(void **state)
{
    char lines[4096] = "";
    struct fixture f;

    (void) state;
    fixture_open(&f);
    write_some(&f);
    fixture_shut(&f);
    meddle(file_of(&f, "pawl.db"), to_format_4);
    if (pawl_store_check(f.dir, note_line_cb, lines, NULL) != PAWL_OK ||
        !strstr(lines, "format 4 is older than this pawld's"))
        fail_msg("%s", lines);
    fixture_reopen(&f);
    assert_int_equal(commit_one(&f, new_with(4, "d", full_policy())), PAWL_OK);
    load(&f);
    assert_int_equal(f.nloaded, 3);
    assert_null(f.loaded[0].record.policy);
    assert_same(f.loaded[2].record.policy, full_policy());
    fixture_close(&f);
}

struct sizes {
    char text[256];
    int code;               /* what visiting ends with */
};

static int
note_size(void *ctx, const char *group, uint32_t size)
{
    struct sizes *sizes = ctx;
    size_t len = strlen(sizes->text);

    snprintf(sizes->text + len, sizeof sizes->text - len, "%s=%u;", group, size);
    return sizes->code;
}

static void
test_sizes_of_groups_come_back_until_they_are_taken_back(void **state)
{
    struct sizes sizes = {.text = ""};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(f.store->resize(f.store, "db", 4), PAWL_OK);
    assert_int_equal(f.store->resize(f.store, "db", 5), PAWL_OK);
    assert_int_equal(f.store->resize(f.store, "none", 0), PAWL_OK);
    assert_int_equal(f.store->resize(f.store, "x", 1), PAWL_OK);
    assert_int_equal(f.store->resize(f.store, "x", -1), PAWL_OK);
    assert_int_equal(f.store->resize(f.store, "x", -1), PAWL_OK);
    fixture_reopen(&f);
    assert_int_equal(f.store->sizes(f.store, note_size, &sizes, NULL), PAWL_OK);
    assert_string_equal(sizes.text, "db=5;none=0;");
    sizes = (struct sizes) {.code = PAWL_ENOMEM};
    assert_int_equal(f.store->sizes(f.store, note_size, &sizes, NULL), PAWL_ENOMEM);
    assert_string_equal(sizes.text, "db=5;");
    fixture_close(&f);
}

static void
test_damaged_size_of_a_group_is_found(void **state)
{
    static const char *const damages[] = {
        "UPDATE group_size SET size = 1000001", "UPDATE group_size SET size = -1",
        "UPDATE group_size SET name = 'a b'", "UPDATE group_size SET name = ''",
    };

    (void) state;
    for (size_t i = 0; i < 4; i++) {
        struct sizes sizes = {.text = ""};
        struct pawl_err err = {0};
        char lines[4096] = "";
        struct fixture f;

        fixture_open(&f);
        assert_int_equal(f.store->resize(f.store, "db", 4), PAWL_OK);
        meddle(file_of(&f, "pawl.db"), damages[i]);
        assert_int_equal(f.store->sizes(f.store, note_size, &sizes, &err), PAWL_EDAMAGED);
        assert_non_null(strstr(err.text, "table group_size: "));
        assert_string_equal(sizes.text, "");
        fixture_shut(&f);
        assert_int_equal(pawl_store_check(f.dir, note_line_cb, lines, NULL), PAWL_EDAMAGED);
        assert_non_null(strstr(lines, "unsound: size of group "));
        fixture_reopen(&f);
        fixture_close(&f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies_come_back_as_they_were),
        cmocka_unit_test(test_what_policies_remember_is_written_with_the_state),
        cmocka_unit_test(test_policies_are_gone_with_their_task),
        cmocka_unit_test(test_damaged_policy_is_found),
        cmocka_unit_test(test_policy_without_a_task_is_found),
        cmocka_unit_test(test_sizes_of_groups_come_back_until_they_are_taken_back),
        cmocka_unit_test(test_damaged_size_of_a_group_is_found),
        cmocka_unit_test(test_store_of_format_4_is_brought_up_to_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
