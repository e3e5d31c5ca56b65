/* test_store_load.c: reading the embedded store: ranges, several threads at once, what was damaged,
 * and what is removed from the history. */
#include "store_fixture.h"

#include <pthread.h>

#define NTASKS 1000

/* Tasks 1 to n, every second one with a state and two results. */
static void
fill(struct fixture *f, uint64_t n)
{
    struct pawl_write *writes = calloc(n, sizeof *writes);
    char (*ids)[24] = calloc(n, sizeof *ids);
    struct pawl_result results[] = {new_result(1, "one"), new_result(2, "two")};
    const struct pawl_result *both[] = {&results[0], &results[1]};

    for (uint64_t i = 0; i < n; i++) {
        snprintf(ids[i], sizeof ids[i], "t%llu", (unsigned long long) i + 1);
        writes[i] = new_task(i + 1, ids[i]);
    }
    assert_int_equal(commit(f, writes, n), PAWL_OK);
    for (uint64_t i = 0; i < n / 2; i++) {
        writes[i] = new_state(2 * i + 2, 2);
        writes[i].record.due_ns = (int64_t) n * SECOND;
        writes[i].results = both;
        writes[i].nresults = 2;
    }
    assert_int_equal(commit(f, writes, n / 2), PAWL_OK);
    free(writes);
    free(ids);
}

static void
test_load_gives_tasks_by_seq_with_state_and_results(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    fill(&f, NTASKS);
    load(&f);
    assert_int_equal(f.nloaded, NTASKS);
    for (uint64_t i = 0; i < NTASKS; i++) {
        const struct loaded *task = &f.loaded[i];

        assert_true(task->record.seq == i + 1);
        assert_int_equal(task->record.version, i % 2 == 0 ? 0 : 2);
        assert_int_equal(task->nresults, i % 2 == 0 ? 0 : 2);
        if (task->nresults == 2) {
            assert_string_equal(task->results[0].out, "one");
            assert_string_equal(task->results[1].out, "two");
        }
    }
    fixture_close(&f);
}

static void
test_load_keeps_to_its_range_of_seq(void **state)
{
    struct fixture f;
    struct pawl_range range = {10, 20, INT64_MIN, INT64_MAX};

    (void) state;
    fixture_open(&f);
    fill(&f, 30);
    assert_int_equal(load_range(&f, range, NULL), PAWL_OK);
    assert_int_equal(f.nloaded, 11);
    assert_int_equal(f.loaded[0].record.seq, 10);
    assert_int_equal(f.loaded[0].nresults, 2);
    assert_int_equal(f.loaded[10].record.seq, 20);
    range = (struct pawl_range){31, UINT64_MAX, INT64_MIN, INT64_MAX};
    assert_int_equal(load_range(&f, range, NULL), PAWL_OK);
    assert_int_equal(f.nloaded, 0);
    range.seq_from = UINT64_MAX;
    assert_int_equal(load_range(&f, range, NULL), PAWL_OK);
    fixture_close(&f);
}

static void
test_load_keeps_to_its_range_of_due_times_by_the_newest_state(void **state)
{
    struct fixture f;
    struct pawl_range range = {0, UINT64_MAX, 3 * SECOND, 7 * SECOND};
    struct pawl_write stopped = new_state(5, 3);

    (void) state;
    fixture_open(&f);
    fill(&f, 10);       /* 2, 4, ...: due at 10 s; the others when they were submitted for */
    assert_int_equal(commit_one(&f, stopped), PAWL_OK);
    assert_int_equal(load_range(&f, range, NULL), PAWL_OK);
    assert_int_equal(f.nloaded, 2);
    assert_int_equal(f.loaded[0].record.seq, 3);
    assert_int_equal(f.loaded[1].record.seq, 7);
    range = (struct pawl_range){0, UINT64_MAX, INT64_MIN, 2 * SECOND};
    assert_int_equal(load_range(&f, range, NULL), PAWL_OK);
    assert_int_equal(f.nloaded, 2);
    assert_true(f.loaded[1].record.due_ns == PAWL_NO_TIME);
    fixture_close(&f);
}

static int
end_cb(void *ctx, const struct pawl_record *record, const struct pawl_result *results, size_t n)
{
    (void) record;
    (void) results;
    (void) n;
    return ++*(int *) ctx == 3 ? PAWL_ENOMEM : PAWL_OK;
}

static void
test_visit_ends_loading_with_its_code(void **state)
{
    struct fixture f;
    struct pawl_range all = {0, UINT64_MAX, INT64_MIN, INT64_MAX};
    int calls = 0;

    (void) state;
    fixture_open(&f);
    fill(&f, 10);
    assert_int_equal(f.store->load(f.store, &all, end_cb, &calls, NULL), PAWL_ENOMEM);
    assert_int_equal(calls, 3);
    fixture_close(&f);
}

struct loading {
    struct pawl_store *store;
    struct pawl_range range;
    uint64_t next, results;
    int code;
};

static int
count_cb(void *ctx, const struct pawl_record *record, const struct pawl_result *results, size_t n)
{
    struct loading *loading = ctx;

    (void) results;
    loading->results += n;
    return record->seq == loading->next++ ? PAWL_OK : PAWL_EINVAL;
}

static void *
load_part(void *arg)
{
    struct loading *loading = arg;

    loading->next = loading->range.seq_from;
    loading->code = loading->store->load(loading->store, &loading->range, count_cb, loading, NULL);
    return NULL;
}

static void
test_two_threads_load_disjoint_ranges_at_once(void **state)
{
    struct fixture f;
    struct loading parts[2];
    pthread_t threads[2];

    (void) state;
    fixture_open(&f);
    fill(&f, NTASKS);
    for (int i = 0; i < 2; i++) {
        parts[i] = (struct loading){.store = f.store, .code = 1};
        parts[i].range = (struct pawl_range){i == 0 ? 1 : NTASKS / 2 + 1,
                                             i == 0 ? NTASKS / 2 : UINT64_MAX, INT64_MIN,
                                             INT64_MAX};
        assert_int_equal(pthread_create(&threads[i], NULL, load_part, &parts[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(parts[i].code, PAWL_OK);
        assert_int_equal(parts[i].next, i == 0 ? NTASKS / 2 + 1 : NTASKS + 1);
        assert_int_equal(parts[i].results, NTASKS / 2);
    }
    fixture_close(&f);
}

/* What a damaged row makes of loading: the message has to name the row and the way out. */
static void
assert_load_refuses(const char *sql, const char *what)
{
    struct fixture f;
    struct pawl_range all = {0, UINT64_MAX, INT64_MIN, INT64_MAX};
    struct pawl_err err = {0};

    fixture_open(&f);
    fill(&f, 10);
    meddle(file_of(&f, "pawl.db"), sql);
    assert_int_equal(load_range(&f, all, &err), PAWL_EDAMAGED);
    assert_int_equal(err.code, PAWL_EDAMAGED);
    if (!strstr(err.text, what) || !strstr(err.text, "pawld --check") ||
        !strstr(err.text, "pawl backup"))
        fail_msg("%s: %s", sql, err.text);
    fixture_close(&f);
}

static void
test_row_that_cannot_be_is_refused_and_named(void **state)
{
    (void) state;
    assert_load_refuses("UPDATE task SET type = 2 WHERE seq = 4", "table task, task 4: ");
    assert_load_refuses("UPDATE task SET id = '' WHERE seq = 4", "its id is none");
    assert_load_refuses("UPDATE task SET id = CAST(x'ff' AS TEXT)", "task 1: its id is none");
    assert_load_refuses("UPDATE task SET script = '' WHERE seq = 4", "its script is none");
    assert_load_refuses("UPDATE task SET time_ns = -1 WHERE seq = 4", "its time");
    assert_load_refuses("UPDATE task SET keep_results = 10001", "a number");
    assert_load_refuses("UPDATE task SET seq = -5 WHERE seq = 4; UPDATE task SET seq = 0"
                        " WHERE seq = 1", "a number is out of its range");
    assert_load_refuses("UPDATE state SET status = 5 WHERE seq = 4", "table state, task 4: ");
    assert_load_refuses("UPDATE state SET run_count = -1", "a number is out of its range");
    assert_load_refuses("UPDATE state SET running = 3", "more runs are in progress");
    assert_load_refuses("UPDATE result SET outcome = 6 WHERE seq = 4", "table result, task 4: ");
    assert_load_refuses("UPDATE result SET run = 0 WHERE run = 1", "a number is out of its range");
    assert_load_refuses("UPDATE result SET out = CAST(x'ff' AS TEXT)", "not valid UTF-8");
    assert_load_refuses("UPDATE result SET err = 'longer'", "shorter or longer");
}

static void
count_line_cb(void *ctx, const char *line)
{
    if (strncmp(line, "unsound: ", 9) == 0)
        ++*(int *) ctx;
}

static void
test_garbage_in_the_middle_of_the_file_is_found(void **state)
{
    struct fixture f;
    struct pawl_range all = {0, UINT64_MAX, INT64_MIN, INT64_MAX};
    struct pawl_err err = {0};
    char garbage[3 * 4096];
    struct stat stat_of;
    int fd, findings = 0;

    (void) state;
    fixture_open(&f);
    fill(&f, 20 * NTASKS);
    f.store->close(f.store);
    f.store = NULL;
    memset(garbage, 0xA5, sizeof garbage);
    fd = open(file_of(&f, "pawl.db"), O_RDWR);
    assert_int_equal(fstat(fd, &stat_of), 0);
    assert_int_equal(pwrite(fd, garbage, sizeof garbage, stat_of.st_size / 8192 * 4096),
                     sizeof garbage);
    close(fd);
    assert_int_equal(pawl_store_check(f.dir, count_line_cb, &findings, &err), PAWL_EDAMAGED);
    assert_true(findings > 0);
    fixture_reopen(&f);
    assert_int_equal(load_range(&f, all, &err), PAWL_EDAMAGED);
    assert_non_null(strstr(err.text, "pawld --check"));
    fixture_close(&f);
}

static void
test_file_that_was_cut_is_refused(void **state)
{
    struct fixture f;
    struct pawl_err err = {0};

    (void) state;
    fixture_open(&f);
    fill(&f, NTASKS);
    f.store->close(f.store);
    f.store = NULL;
    assert_int_equal(truncate(file_of(&f, "pawl.db"), 4 * 4096), 0);
    assert_int_equal(fixture_try_open(&f, &err), PAWL_EDAMAGED);
    assert_non_null(strstr(err.text, "pawl backup"));
    fixture_close(&f);
}

static void
test_prune_removes_what_ended_before_and_says_until_when(void **state)
{
    struct fixture f;
    struct pawl_result result;
    int64_t cutoff_ns = INT64_MIN;
    uint64_t bytes;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    for (uint64_t run = 1; run <= 10; run++) {
        result = new_result(run, "hello");
        assert_int_equal(commit_result(&f, new_state(1, 10), &result), PAWL_OK);
    }
    bytes = history_bytes(&f);
    assert_int_equal(f.store->prune(f.store, WALL + 5 * SECOND, UINT64_MAX, 3, &cutoff_ns),
                     PAWL_PENDING);
    assert_true(cutoff_ns == WALL + 3 * SECOND);
    assert_int_equal(f.store->prune(f.store, WALL + 5 * SECOND, UINT64_MAX, 3, &cutoff_ns),
                     PAWL_OK);
    assert_true(cutoff_ns == WALL + 4 * SECOND);
    assert_true(history_bytes(&f) == bytes / 10 * 6);
    load(&f);
    assert_int_equal(f.loaded[0].nresults, 6);
    assert_int_equal(f.loaded[0].results[0].run, 5);
    fixture_close(&f);
}

static void
test_prune_removes_the_oldest_while_there_are_too_many_bytes(void **state)
{
    struct fixture f;
    struct pawl_result result;
    int64_t cutoff_ns = WALL + 100 * SECOND;
    uint64_t bytes;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    for (uint64_t run = 1; run <= 10; run++) {
        result = new_result(run, "hello");
        assert_int_equal(commit_result(&f, new_state(1, 10), &result), PAWL_OK);
    }
    bytes = history_bytes(&f);
    assert_int_equal(f.store->prune(f.store, INT64_MIN, bytes, 100, &cutoff_ns), PAWL_OK);
    assert_true(history_bytes(&f) == bytes);
    assert_int_equal(f.store->prune(f.store, INT64_MIN, bytes / 2 - 1, 100, &cutoff_ns), PAWL_OK);
    assert_true(history_bytes(&f) == bytes / 10 * 4);
    assert_true(cutoff_ns == WALL + 100 * SECOND);      /* it only grows */
    fixture_reopen(&f);
    assert_true(history_bytes(&f) == bytes / 10 * 4);
    assert_int_equal(f.store->prune(f.store, INT64_MIN, 0, 100, &cutoff_ns), PAWL_OK);
    assert_int_equal(history_bytes(&f), 0);
    fixture_close(&f);
}

static void
test_prune_passes_over_results_that_end_in_the_future(void **state)
{
    struct fixture f;
    struct pawl_result result = new_result(1, "the clock was wrong");
    int64_t cutoff_ns = INT64_MIN;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    result.ended_ns = WALL + 1000000 * SECOND;
    assert_int_equal(commit_result(&f, new_state(1, 2), &result), PAWL_OK);
    result = new_result(2, "now it is right");
    assert_int_equal(commit_result(&f, new_state(1, 2), &result), PAWL_OK);
    assert_int_equal(f.store->prune(f.store, WALL + 10 * SECOND, UINT64_MAX, 100, &cutoff_ns),
                     PAWL_OK);
    assert_true(cutoff_ns == WALL + 2 * SECOND);
    load(&f);
    assert_int_equal(f.loaded[0].nresults, 1);
    assert_int_equal(f.loaded[0].results[0].run, 1);
    fixture_close(&f);
}

/* What was freed is used again: many rounds of the same load do not make the file grow. */
static void
test_file_does_not_grow_under_churn(void **state)
{
    struct fixture f;
    struct pawl_store_health first, last;
    struct pawl_write gone[100];

    (void) state;
    fixture_open(&f);
    for (int round = 0; round < 30; round++) {
        fill(&f, 100);
        for (uint64_t i = 0; i < 100; i++)
            gone[i] = (struct pawl_write){.kind = PAWL_WRITE_GONE, .record = {.seq = i + 1}};
        assert_int_equal(commit(&f, gone, 100), PAWL_OK);
        f.store->idle(f.store);
        f.store->health(f.store, round < 3 ? &first : &last);
    }
    assert_true(last.bytes <= first.bytes + first.bytes / 2);
    assert_int_equal(last.history_bytes, 0);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_gives_tasks_by_seq_with_state_and_results),
        cmocka_unit_test(test_load_keeps_to_its_range_of_seq),
        cmocka_unit_test(test_load_keeps_to_its_range_of_due_times_by_the_newest_state),
        cmocka_unit_test(test_visit_ends_loading_with_its_code),
        cmocka_unit_test(test_two_threads_load_disjoint_ranges_at_once),
        cmocka_unit_test(test_row_that_cannot_be_is_refused_and_named),
        cmocka_unit_test(test_garbage_in_the_middle_of_the_file_is_found),
        cmocka_unit_test(test_file_that_was_cut_is_refused),
        cmocka_unit_test(test_prune_removes_what_ended_before_and_says_until_when),
        cmocka_unit_test(test_prune_removes_the_oldest_while_there_are_too_many_bytes),
        cmocka_unit_test(test_prune_passes_over_results_that_end_in_the_future),
        cmocka_unit_test(test_file_does_not_grow_under_churn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
