/* test_store.c: what the embedded store promises about groups: what is written is there, once, and
 * written again it changes nothing. */
#include "store_fixture.h"

#include <limits.h>

/* Everything but what a STATE write changes. */
static void
assert_same_definition(const struct pawl_record *a, const struct pawl_record *b)
{
    assert_true(a->seq == b->seq);
    assert_int_equal(a->id_len, b->id_len);
    assert_memory_equal(a->id, b->id, b->id_len);
    assert_int_equal(a->type, b->type);
    assert_true(a->time_ns == b->time_ns);
    assert_int_equal(a->script_len, b->script_len);
    assert_memory_equal(a->script, b->script, b->script_len);
    assert_int_equal(a->keep_results, b->keep_results);
    assert_true(a->created_ns == b->created_ns);
}

static void
assert_same_state(const struct pawl_record *a, const struct pawl_record *b)
{
    assert_true(a->version == b->version);
    assert_int_equal(a->status, b->status);
    assert_true(a->updated_ns == b->updated_ns);
    assert_true(a->due_ns == b->due_ns);
    assert_true(a->previous_ns == b->previous_ns);
    assert_true(a->run_count == b->run_count);
    assert_true(a->failure_count == b->failure_count);
    assert_true(a->skipped_overlap == b->skipped_overlap);
    assert_true(a->missed == b->missed);
    assert_true(a->running == b->running);
    assert_int_equal(a->is_paused, b->is_paused);
    assert_int_equal(a->is_asked, b->is_asked);
    assert_true(a->asked_count == b->asked_count);
    assert_true(a->skipped_condition == b->skipped_condition);
    assert_true(a->skipped_group == b->skipped_group);
    assert_true(a->missed_paused == b->missed_paused);
    assert_int_equal(a->end_reason, b->end_reason);
}

static void
assert_same_result(const struct pawl_result *a, const struct pawl_result *b)
{
    assert_true(a->run == b->run);
    assert_true(a->scheduled_ns == b->scheduled_ns);
    assert_true(a->started_ns == b->started_ns);
    assert_true(a->ended_ns == b->ended_ns);
    assert_true(a->duration_ns == b->duration_ns);
    assert_int_equal(a->outcome, b->outcome);
    assert_int_equal(a->exit_code, b->exit_code);
    assert_int_equal(a->signal, b->signal);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->truncated, b->truncated);
    assert_int_equal(a->out_len, b->out_len);
    assert_memory_equal(a->out, b->out, b->out_len);
    assert_int_equal(a->err_len, b->err_len);
    assert_memory_equal(a->err, b->err, b->err_len);
    assert_int_equal(!a->error, !b->error);
    if (a->error)
        assert_string_equal(a->error, b->error);
}

static void
test_new_task_comes_back_with_all_fields_at_their_extremes(void **state)
{
    struct fixture f;
    char id[PAWL_ID_MAX];
    char *script = malloc(PAWL_SCRIPT_MAX);
    struct pawl_write writes[3];

    (void) state;
    fixture_open(&f);
    memset(id, 'i', sizeof id);
    memcpy(id, "\xF0\x9F\x90\xA6", 4);
    memset(script, '#', PAWL_SCRIPT_MAX);
    writes[0] = new_task(1, "a");
    writes[0].record.time_ns = 0;
    writes[0].record.keep_results = 0;
    writes[0].record.created_ns = writes[0].record.updated_ns = INT64_MIN;
    writes[0].record.due_ns = PAWL_NO_TIME;
    writes[1] = new_task(2, "b");
    writes[1].record.type = PAWL_CRON;
    writes[1].record.time_ns = PAWL_INTERVAL_MIN_NS;
    writes[1].record.due_ns = 0;
    writes[2] = (struct pawl_write){
        .kind = PAWL_WRITE_NEW,
        .record = {.seq = INT64_MAX, .id = id, .id_len = sizeof id, .type = PAWL_CRON,
                   .time_ns = INT64_MAX, .script = script, .script_len = PAWL_SCRIPT_MAX,
                   .keep_results = PAWL_KEEP_MAX, .created_ns = INT64_MAX, .updated_ns = INT64_MAX,
                   .due_ns = INT64_MAX, .previous_ns = PAWL_NO_TIME},
    };
    assert_int_equal(commit(&f, writes, 3), PAWL_OK);
    fixture_reopen(&f);
    load(&f);
    assert_int_equal(f.nloaded, 3);
    for (int i = 0; i < 3; i++) {
        assert_same_definition(&f.loaded[i].record, &writes[i].record);
        assert_same_state(&f.loaded[i].record, &writes[i].record);
        assert_int_equal(f.loaded[i].nresults, 0);
    }
    free(script);
    fixture_close(&f);
}

static void
test_state_comes_back_with_all_fields_at_their_extremes(void **state)
{
    struct fixture f;
    struct pawl_write writes[] = {new_task(1, "a"), new_task(2, "b"), new_state(1, 0),
                                  new_state(2, INT64_MAX)};

    (void) state;
    fixture_open(&f);
    writes[2].record = (struct pawl_record){
        .seq = 1, .updated_ns = INT64_MIN, .due_ns = PAWL_NO_TIME, .previous_ns = PAWL_NO_TIME};
    writes[3].record = (struct pawl_record){
        .seq = 2, .version = INT64_MAX, .status = PAWL_STOPPED, .updated_ns = INT64_MAX,
        .due_ns = INT64_MAX, .previous_ns = INT64_MAX, .run_count = INT64_MAX,
        .failure_count = INT64_MAX, .skipped_overlap = INT64_MAX, .missed = INT64_MAX,
        .running = UINT_MAX, .is_paused = true, .is_asked = true, .asked_count = INT64_MAX - 5,
        .skipped_condition = 5, .skipped_group = INT64_MAX, .missed_paused = INT64_MAX,
        .end_reason = PAWL_NEND_REASON - 1};
    assert_int_equal(commit(&f, writes, 4), PAWL_OK);
    fixture_reopen(&f);
    load(&f);
    assert_int_equal(f.nloaded, 2);
    for (int i = 0; i < 2; i++) {
        assert_same_definition(&f.loaded[i].record, &writes[i].record);
        assert_same_state(&f.loaded[i].record, &writes[2 + i].record);
    }
    fixture_close(&f);
}

static void
test_result_comes_back_with_all_fields_at_their_extremes(void **state)
{
    struct fixture f;
    struct pawl_write write = new_state(1, 5);
    char *out = malloc(PAWL_OUTPUT_MAX), *err = malloc(PAWL_OUTPUT_MAX);
    struct pawl_result small = {.run = 1, .attempt = 1, .out = "", .err = "", .exit_code = -1,
                                .scheduled_ns = INT64_MIN, .started_ns = INT64_MIN,
                                .ended_ns = INT64_MIN};
    struct pawl_result large = {
        .run = INT64_MAX, .attempt = INT_MAX, .scheduled_ns = INT64_MAX, .started_ns = INT64_MAX,
        .ended_ns = INT64_MAX, .duration_ns = INT64_MAX, .outcome = PAWL_ERROR,
        .exit_code = INT_MAX, .signal = 64, .truncated = true, .out = out,
        .out_len = PAWL_OUTPUT_MAX, .err = err, .err_len = PAWL_OUTPUT_MAX, .error = "no \xC3\xA4"};
    const struct pawl_result *results[] = {&small, &large};

    (void) state;
    fixture_open(&f);
    memset(out, '\0', PAWL_OUTPUT_MAX);
    memset(err, '\x7F', PAWL_OUTPUT_MAX);
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    write.results = results;
    write.nresults = 2;
    assert_int_equal(commit_one(&f, write), PAWL_OK);
    fixture_reopen(&f);
    load(&f);
    assert_int_equal(f.nloaded, 1);
    assert_int_equal(f.loaded[0].nresults, 2);
    assert_same_result(&f.loaded[0].results[0], &small);
    assert_same_result(&f.loaded[0].results[1], &large);
    free(out);
    free(err);
    fixture_close(&f);
}

static void
test_one_result_is_read_whole_and_newest_attempt_first(void **state)
{
    struct fixture f;
    struct pawl_result first = new_result(7, "first"), second = new_result(7, "second");
    struct pawl_result *read = NULL;

    (void) state;
    fixture_open(&f);
    second.attempt = 2;
    second.error = "why";
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    assert_int_equal(commit_result(&f, new_state(1, 1), &first), PAWL_OK);
    assert_int_equal(commit_result(&f, new_state(1, 2), &second), PAWL_OK);
    assert_int_equal(f.store->read_result(f.store, 1, 7, 2, &read), PAWL_OK);
    assert_same_result(read, &second);
    free(read);
    assert_int_equal(f.store->read_result(f.store, 1, 7, 1, &read), PAWL_OK);
    assert_same_result(read, &first);
    free(read);
    assert_int_equal(f.store->read_result(f.store, 1, 7, 3, &read), PAWL_ENOENT);
    assert_int_equal(f.store->read_result(f.store, 1, 8, 1, &read), PAWL_ENOENT);
    assert_int_equal(f.store->read_result(f.store, 2, 7, 1, &read), PAWL_ENOENT);
    assert_int_equal(f.store->read_result(f.store, UINT64_MAX, 7, 1, &read), PAWL_ENOENT);
    fixture_close(&f);
}

static void
test_new_again_is_ok_and_with_another_id_eexist(void **state)
{
    struct fixture f;
    struct pawl_write writes[] = {new_task(1, "b"), new_task(2, "c")};

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    assert_int_equal(commit(&f, writes, 2), PAWL_OK);
    assert_int_equal(writes[0].code, PAWL_EEXIST);
    assert_int_equal(writes[1].code, PAWL_OK);
    load(&f);
    assert_int_equal(f.nloaded, 2);
    assert_string_equal(f.loaded[0].record.id, "a");
    assert_string_equal(f.loaded[1].record.id, "c");
    fixture_close(&f);
}

static void
test_new_that_has_a_history_brings_its_state(void **state)
{
    struct fixture f;
    struct pawl_write write = new_task(1, "a");

    (void) state;
    fixture_open(&f);
    write.record.version = 3;
    write.record.status = PAWL_STOPPED;
    write.record.due_ns = PAWL_NO_TIME;
    write.record.missed = 7;
    assert_int_equal(commit_one(&f, write), PAWL_OK);
    load(&f);
    assert_same_state(&f.loaded[0].record, &write.record);
    fixture_close(&f);
}

static void
test_older_state_never_overwrites_a_newer_one(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    assert_int_equal(commit_one(&f, new_state(1, 4)), PAWL_OK);
    assert_int_equal(commit_one(&f, new_state(1, 3)), PAWL_OK);
    load(&f);
    assert_int_equal(f.loaded[0].record.version, 4);
    assert_int_equal(commit_one(&f, new_state(1, 5)), PAWL_OK);
    load(&f);
    assert_int_equal(f.loaded[0].record.version, 5);
    fixture_close(&f);
}

static void
test_state_and_gone_of_no_task_are_enoent_and_leave_nothing(void **state)
{
    struct fixture f;
    struct pawl_result result = new_result(1, "hello");
    struct pawl_write gone = {.kind = PAWL_WRITE_GONE, .record = {.seq = 1}};

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_result(&f, new_state(1, 1), &result), PAWL_ENOENT);
    assert_int_equal(commit_one(&f, gone), PAWL_ENOENT);
    assert_int_equal(history_bytes(&f), 0);
    assert_answer(file_of(&f, "pawl.db"),
                  "SELECT (SELECT count(*) FROM state) + (SELECT count(*) FROM result)", "0");
    fixture_close(&f);
}

static void
test_result_written_again_is_kept_and_counted_once(void **state)
{
    struct fixture f;
    struct pawl_result result = new_result(1, "hello");
    uint64_t bytes;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    assert_int_equal(commit_result(&f, new_state(1, 1), &result), PAWL_OK);
    bytes = history_bytes(&f);
    assert_true(bytes > result.out_len);
    assert_int_equal(commit_result(&f, new_state(1, 1), &result), PAWL_OK);
    assert_true(history_bytes(&f) == bytes);
    fixture_reopen(&f);
    assert_true(history_bytes(&f) == bytes);
    load(&f);
    assert_int_equal(f.loaded[0].nresults, 1);
    fixture_close(&f);
}

static void
test_results_below_a_run_are_dropped_with_the_state(void **state)
{
    struct fixture f;
    struct pawl_result result;
    struct pawl_write write;
    uint64_t bytes;

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    for (uint64_t run = 1; run <= 5; run++) {
        result = new_result(run, "hello");
        assert_int_equal(commit_result(&f, new_state(1, (int64_t) run), &result), PAWL_OK);
    }
    bytes = history_bytes(&f);
    write = new_state(1, 6);
    write.drop_below = 4;
    assert_int_equal(commit_one(&f, write), PAWL_OK);
    load(&f);
    assert_int_equal(f.loaded[0].nresults, 2);
    assert_true(f.loaded[0].results[0].run == 4);
    assert_true(f.loaded[0].results[1].run == 5);
    assert_true(history_bytes(&f) == bytes / 5 * 2);
    fixture_close(&f);
}

static void
test_gone_removes_task_state_and_results(void **state)
{
    struct fixture f;
    struct pawl_result result = new_result(1, "hello");
    struct pawl_write gone = {.kind = PAWL_WRITE_GONE, .record = {.seq = 1}};
    const char *rows = "SELECT (SELECT count(*) FROM task) || (SELECT count(*) FROM state)"
                       " || (SELECT count(*) FROM result)";

    (void) state;
    fixture_open(&f);
    assert_int_equal(commit_one(&f, new_task(1, "a")), PAWL_OK);
    assert_int_equal(commit_one(&f, new_task(2, "b")), PAWL_OK);
    assert_int_equal(commit_result(&f, new_state(1, 1), &result), PAWL_OK);
    assert_int_equal(commit_result(&f, new_state(2, 1), &result), PAWL_OK);
    assert_int_equal(commit_one(&f, gone), PAWL_OK);
    assert_answer(file_of(&f, "pawl.db"), rows, "111");
    assert_int_equal(commit_one(&f, gone), PAWL_ENOENT);
    load(&f);
    assert_int_equal(f.nloaded, 1);
    assert_string_equal(f.loaded[0].record.id, "b");
    gone.record.seq = 2;
    assert_int_equal(commit_one(&f, gone), PAWL_OK);
    assert_int_equal(history_bytes(&f), 0);
    fixture_close(&f);
}

static void
test_whole_group_written_again_changes_nothing(void **state)
{
    struct fixture f;
    struct pawl_result result = new_result(1, "hello");
    const struct pawl_result *results[] = {&result};
    struct pawl_write writes[] = {
        new_task(1, "a"), new_task(2, "b"), new_state(1, 1), new_state(1, 2),
        {.kind = PAWL_WRITE_GONE, .record = {.seq = 2}},
    };
    uint64_t bytes;

    (void) state;
    fixture_open(&f);
    writes[2].results = results;
    writes[2].nresults = 1;
    assert_int_equal(commit(&f, writes, 5), PAWL_OK);
    bytes = history_bytes(&f);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(commit(&f, writes, 5), PAWL_OK);
        load(&f);
        assert_int_equal(f.nloaded, 1);
        assert_int_equal(f.loaded[0].record.version, 2);
        assert_int_equal(f.loaded[0].nresults, 1);
        assert_true(history_bytes(&f) == bytes);
    }
    fixture_close(&f);
}

static void
test_scale_and_numbers_come_back(void **state)
{
    struct fixture f;
    struct pawl_scale scale = {.boot = "01234567-89ab-cdef-0123-456789abcdef",
                               .anchor_ns = INT64_MIN, .offset_ns = INT64_MAX,
                               .newest_seq = INT64_MAX};
    struct pawl_write writes[] = {new_task(3, "a"), new_task(9, "b")};
    struct pawl_group group = {.ticket = 1, .scale = &scale};
    struct pawl_inventory inventory;

    (void) state;
    fixture_open(&f);
    assert_int_equal(f.store->inventory(f.store, &inventory, NULL), PAWL_OK);
    assert_int_equal(inventory.seq_min, 0);
    assert_int_equal(inventory.seq_max, 0);
    assert_string_equal(inventory.scale.boot, "");
    assert_int_equal(f.store->commit(f.store, &group), PAWL_OK);
    assert_int_equal(commit(&f, writes, 2), PAWL_OK);
    fixture_reopen(&f);
    assert_int_equal(f.store->inventory(f.store, &inventory, NULL), PAWL_OK);
    assert_int_equal(inventory.seq_min, 3);
    assert_int_equal(inventory.seq_max, 9);
    assert_string_equal(inventory.scale.boot, scale.boot);
    assert_true(inventory.scale.anchor_ns == scale.anchor_ns);
    assert_true(inventory.scale.offset_ns == scale.offset_ns);
    assert_true(inventory.scale.newest_seq == scale.newest_seq);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_task_comes_back_with_all_fields_at_their_extremes),
        cmocka_unit_test(test_state_comes_back_with_all_fields_at_their_extremes),
        cmocka_unit_test(test_result_comes_back_with_all_fields_at_their_extremes),
        cmocka_unit_test(test_one_result_is_read_whole_and_newest_attempt_first),
        cmocka_unit_test(test_new_again_is_ok_and_with_another_id_eexist),
        cmocka_unit_test(test_new_that_has_a_history_brings_its_state),
        cmocka_unit_test(test_older_state_never_overwrites_a_newer_one),
        cmocka_unit_test(test_state_and_gone_of_no_task_are_enoent_and_leave_nothing),
        cmocka_unit_test(test_result_written_again_is_kept_and_counted_once),
        cmocka_unit_test(test_results_below_a_run_are_dropped_with_the_state),
        cmocka_unit_test(test_gone_removes_task_state_and_results),
        cmocka_unit_test(test_whole_group_written_again_changes_nothing),
        cmocka_unit_test(test_scale_and_numbers_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
