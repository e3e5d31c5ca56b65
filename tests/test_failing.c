/* test_failing.c: a store that is full, or cannot be written: what is refused, what is in force all
 * the same, and that it is written when it can be. */
#include "durable_fixture.h"

#define HOUR (3600 * SECOND)

static void
check_is_empty(struct fixture *f)
{
    struct pawl_stats stats = stats_of(f);

    assert_int_equal(stats.tasks, 0);
    assert_int_equal(stats.pending, 0);
    assert_int_equal(stats.memory_bytes, 0);
    assert_int_equal(stats.submitted, 0);
}

/* --- Full --- */

static void
test_full_store_refuses_submits_and_leaves_no_trace_of_them(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked asked;
    struct pawl_err err;

    (void) state;
    durable_open(&f, &fake);
    fake_fill(&fake, true);
    assert_int_equal(ask_submit(&f, &asked, "a", PAWL_DELAY, HOUR, "true"), PAWL_PENDING);
    assert_int_equal(await_end(&f, &asked), PAWL_EFULL);
    assert_non_null(strstr(asked.op.why, "full"));
    assert_false(is_there(&f, "a"));
    check_is_empty(&f);
    assert_int_equal(stats_of(&f).store_state, PAWL_STORE_FULL);
    assert_int_equal(ask_submit(&f, &asked, "a", PAWL_DELAY, HOUR, "true"), PAWL_EFULL);
    assert_int_equal(try_submit(&f, "a", PAWL_DELAY, HOUR, "true", &err), PAWL_EFULL);
    assert_int_equal(err.code, PAWL_EFULL);
    check_is_empty(&f);
    fake_fill(&fake, false);
    fixture_advance(&f, SECOND);
    await(stats_of(&f).store_state == PAWL_STORE_OK);
    submit(&f, "a", PAWL_DELAY, HOUR, "true");              /* the id is free */
    assert_int_equal(fake.ntasks, 1);
    durable_close(&f, &fake);
}

static void
test_stop_delete_and_finish_go_into_the_reserve(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked blocker, submitted, stopped, deleted;
    struct pawl_record record;
    struct pawl_view view;
    uint64_t seq, delay_seq;
    size_t nresults;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, "true");
    submit(&f, "b", PAWL_CRON, HOUR, "true");
    submit(&f, "c", PAWL_DELAY, SECOND, "echo x");
    seq = seq_of(&f, "a");
    delay_seq = seq_of(&f, "c");
    block_with(&f, &fake, &blocker, "d");
    assert_int_equal(ask_submit(&f, &submitted, "e", PAWL_DELAY, HOUR, "true"), PAWL_PENDING);
    assert_int_equal(ask_stop(&f, &stopped, "a"), PAWL_PENDING);
    assert_int_equal(ask_delete(&f, &deleted, "b"), PAWL_PENDING);
    fake_pass(&fake);
    fake_await_group(&fake);
    fake_fill(&fake, true);
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &submitted), PAWL_EFULL);
    assert_int_equal(await_end(&f, &stopped), PAWL_OK);
    assert_int_equal(await_end(&f, &deleted), PAWL_OK);
    assert_int_equal(await_end(&f, &blocker), PAWL_OK);
    assert_true(fake_look(&fake, seq, &record, &nresults));
    assert_int_equal(record.status, PAWL_STOPPED);
    fixture_advance(&f, SECOND);
    view = await_version(&f, "c", 2);
    pawl_view_release(&view);
    await(used_slots(&f) == 0);
    assert_true(fake_look(&fake, delay_seq, &record, &nresults));
    assert_int_equal(record.status, PAWL_EXECUTED);
    assert_int_equal(nresults, 1);
    assert_true(fake_last_write(&fake).may_use_reserve);
    assert_int_equal(stats_of(&f).store_state, PAWL_STORE_FULL);
    assert_int_equal(stats_of(&f).unsaved, 0);
    durable_close(&f, &fake);
}

/* Waited for ever, and kept the committer busy. */
static void
test_second_submit_of_an_id_ends_when_the_first_is_refused(void **state)
{
    static const int codes[] = {PAWL_EFULL, PAWL_ESTORE};

    (void) state;
    for (int i = 0; i < 2; i++) {
        struct fake_store fake;
        struct fixture f;
        struct asked blocker, first, second;

        durable_open(&f, &fake);
        block_with(&f, &fake, &blocker, "b");
        assert_int_equal(ask_submit(&f, &first, "a", PAWL_DELAY, HOUR, "true"), PAWL_PENDING);
        assert_int_equal(ask_submit(&f, &second, "a", PAWL_DELAY, HOUR, "true"), PAWL_PENDING);
        fake_pass(&fake);
        fake_await_group(&fake);
        if (codes[i] == PAWL_EFULL)
            fake_fill(&fake, true);
        else
            fake_fail(&fake, PAWL_ESTORE, -1);
        fake_open_gate(&fake);
        assert_int_equal(await_end(&f, &first), codes[i]);
        assert_int_not_equal(await_end(&f, &second), PAWL_OK);
        assert_int_equal(await_end(&f, &blocker), PAWL_OK);
        assert_false(is_there(&f, "a"));
        fake_fill(&fake, false);
        fake_fail(&fake, PAWL_OK, 0);
        durable_close(&f, &fake);
    }
}

/* --- Failing --- */

static void
test_stop_that_cannot_be_stored_is_in_force_and_says_so(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked asked;
    struct pawl_record record;
    struct pawl_err err;
    struct pawl_view view;
    uint64_t seq;
    size_t nresults;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, "true");
    seq = seq_of(&f, "a");
    fake_fail(&fake, PAWL_ESTORE, -1);
    assert_int_equal(ask_stop(&f, &asked, "a"), PAWL_PENDING);
    assert_int_equal(await_end(&f, &asked), PAWL_ESTORE);
    assert_non_null(strstr(asked.op.why, "the task is stopped, but"));
    view = get(&f, "a");
    assert_int_equal(view.status, PAWL_STOPPED);
    pawl_view_release(&view);
    assert_int_equal(stats_of(&f).store_state, PAWL_STORE_FAILING);
    assert_int_equal(stats_of(&f).unsaved, 1);
    assert_int_equal(try_submit(&f, "b", PAWL_DELAY, HOUR, "true", &err), PAWL_ESTORE);
    assert_int_equal(stats_of(&f).pending, 0);
    fake_fail(&fake, PAWL_OK, 0);
    assert_int_equal(try_submit(&f, "b", PAWL_DELAY, HOUR, "true", &err), PAWL_ESTORE);
    assert_true(fake_look(&fake, seq, &record, &nresults));
    assert_int_equal(record.version, 0);
    fixture_advance(&f, SECOND);
    await(stats_of(&f).store_state == PAWL_STORE_OK);
    await(stats_of(&f).unsaved == 0);
    assert_true(fake_look(&fake, seq, &record, &nresults));
    assert_int_equal(record.version, 1);
    assert_int_equal(record.status, PAWL_STOPPED);
    submit(&f, "b", PAWL_DELAY, HOUR, "true");
    durable_close(&f, &fake);
}

static void
test_deletion_that_cannot_be_stored_is_in_force_and_stored_later(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked asked;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, "true");
    fake_fail(&fake, PAWL_ESTORE, -1);
    assert_int_equal(ask_delete(&f, &asked, "a"), PAWL_PENDING);
    assert_int_equal(await_end(&f, &asked), PAWL_ESTORE);
    assert_non_null(strstr(asked.op.why, "the task is deleted, but"));
    assert_false(is_there(&f, "a"));
    assert_int_equal(fake.ntasks, 1);
    fixture_advance(&f, SECOND);
    await(fake_count(&fake, PAWL_WRITE_GONE, 0) == 2);      /* tried again, in vain */
    fake_fail(&fake, PAWL_OK, 0);
    fixture_advance(&f, SECOND);
    await(stats_of(&f).store_state == PAWL_STORE_OK);
    fence(&f);
    assert_int_equal(fake.ntasks, 0);
    durable_close(&f, &fake);
}

static void
check_unknown_submit(bool is_kept)
{
    struct fake_store fake;
    struct fixture f;
    struct asked asked;

    durable_open(&f, &fake);
    fake.is_kept_all_the_same = is_kept;
    fake_fail(&fake, PAWL_ESTORE, 1);
    assert_int_equal(ask_submit(&f, &asked, "a", PAWL_DELAY, HOUR, "true"), PAWL_PENDING);
    assert_int_equal(await_end(&f, &asked), PAWL_ESTORE);
    assert_false(is_there(&f, "a"));
    check_is_empty(&f);
    assert_int_equal(fake.ntasks, is_kept);
    fixture_advance(&f, SECOND);
    await(fake_count(&fake, PAWL_WRITE_GONE, 0) == 1);
    await(stats_of(&f).unsaved == 0 && stats_of(&f).store_state == PAWL_STORE_OK);
    assert_int_equal(fake_count(&fake, PAWL_WRITE_GONE, 0), 1);
    submit(&f, "a", PAWL_DELAY, HOUR, "true");
    assert_int_equal(fake.ntasks, 1);
    durable_close(&f, &fake);
}

static void
test_submit_of_unknown_fate_is_removed_from_the_store(void **state)
{
    (void) state;
    check_unknown_submit(true);
}

/* Was taken for another failure: there was nothing to remove. */
static void
test_submit_of_unknown_fate_may_have_left_nothing(void **state)
{
    (void) state;
    check_unknown_submit(false);
}

static void
check_results(bool is_kept)
{
    struct fake_store fake;
    struct fixture f;
    struct pawl_record record;
    struct pawl_view view;
    uint64_t seq;
    size_t nresults;

    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, "echo x");
    seq = seq_of(&f, "a");
    fixture_advance(&f, HOUR);
    view = await_version(&f, "a", 2);
    pawl_view_release(&view);
    fence(&f);
    fixture_advance(&f, SECOND);
    fake.is_kept_all_the_same = is_kept;
    fake_fail(&fake, PAWL_ESTORE, -1);
    for (int i = 2; i <= 4; i++) {
        fixture_advance(&f, HOUR - SECOND);
        await(stats_of(&f).finished == (uint64_t) i);
        fixture_advance(&f, SECOND);                /* to the next try, which fails, too */
        view = await_version(&f, "a", 2 * i);       /* shown: it is in force */
        assert_int_equal(view.nresults, i);
        pawl_view_release(&view);
    }
    assert_int_equal(used_slots(&f), 1);           /* of a task, while the store fails */
    assert_int_equal(stop(&f, "a"), PAWL_ESTORE);
    assert_true(fake_look(&fake, seq, &record, &nresults));
    if (!is_kept)
        assert_int_equal(nresults, 1);
    fake_fail(&fake, PAWL_OK, 0);
    fixture_advance(&f, SECOND);
    await(stats_of(&f).unsaved == 0 && stats_of(&f).store_state == PAWL_STORE_OK);
    fence(&f);
    assert_true(fake_look(&fake, seq, &record, &nresults));
    assert_int_equal(record.version, 9);
    assert_int_equal(record.run_count, 4);
    assert_int_equal(nresults, 4);
    if (!is_kept)
        assert_int_equal(fake.nrepeated, 0);
    assert_int_equal(used_slots(&f), 0);
    durable_close(&f, &fake);
}

static void
test_results_that_could_not_be_stored_are_stored_later_once_each(void **state)
{
    (void) state;
    check_results(false);
}

static void
test_results_of_unknown_fate_are_written_again(void **state)
{
    (void) state;
    check_results(true);
}

/* While the store fails, a slot keeps a run that only memory knows the end of. */
static void
test_slot_stays_while_the_end_of_the_run_is_not_durable(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct pawl_view view;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_DELAY, SECOND, "true");
    fake_fail(&fake, PAWL_ESTORE, -1);
    fixture_advance(&f, SECOND);
    await(stats_of(&f).finished == 1);
    fixture_advance(&f, SECOND);                    /* to the next try, which fails, too */
    view = await_version(&f, "a", 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    pawl_view_release(&view);
    assert_int_equal(used_slots(&f), 1);
    fake_fail(&fake, PAWL_OK, 0);
    fixture_advance(&f, SECOND);
    await(used_slots(&f) == 0);
    durable_close(&f, &fake);
}

/* One write is left of it: its removal. */
static void
test_task_whose_state_waits_can_be_deleted(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked asked;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, "true");
    fake_fail(&fake, PAWL_ESTORE, -1);
    assert_int_equal(stop(&f, "a"), PAWL_ESTORE);
    assert_int_equal(ask_delete(&f, &asked, "a"), PAWL_PENDING);
    assert_int_equal(await_end(&f, &asked), PAWL_ESTORE);
    fake_fail(&fake, PAWL_OK, 0);
    fixture_advance(&f, SECOND);
    await(stats_of(&f).unsaved == 0 && stats_of(&f).store_state == PAWL_STORE_OK);
    fence(&f);
    assert_int_equal(fake.ntasks, 0);
    assert_int_equal(stats_of(&f).store_state, PAWL_STORE_OK);
    durable_close(&f, &fake);
}

/* Was said not to be kept: what is cut in memory was looked for in the store alone. */
static void
test_result_that_is_not_stored_is_read_from_memory(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_DELAY, SECOND, "head -c 200000 /dev/zero | tr '\\0' x");
    fake_fail(&fake, PAWL_ESTORE, -1);
    fixture_advance(&f, SECOND);
    await(stats_of(&f).finished == 1);
    fixture_advance(&f, SECOND);
    view = await_version(&f, "a", 2);
    assert_true(view.results[0]->truncated);
    pawl_view_release(&view);
    assert_int_equal(end_of(&f, &asked, pawl_read_run(f.handle, "a", 1, 1, 0, &asked.op, NULL)),
                     PAWL_OK);
    assert_non_null(asked.op.result);
    assert_true(asked.op.result->out_len > 0);
    free(asked.op.result);
    fake_fail(&fake, PAWL_OK, 0);
    durable_close(&f, &fake);
}

struct said {
    unsigned nlost;
};

static void
said_cb(void *ctx, enum pawl_log_level level, const char *text)
{
    ((struct said *) ctx)->nlost += level == PAWL_LOG_ERROR && strstr(text, "are lost") != NULL;
}

static void
test_close_writes_what_waits_or_says_what_is_lost(void **state)
{
    struct pawl_options options;
    struct fake_store fake;
    struct fixture f;

    (void) state;
    for (int can_write = 0; can_write < 2; can_write++) {
        struct said said = {0};

        fake_store_init(&fake);
        pawl_options_init(&options);
        options.log = said_cb;
        options.ctx = &said;
        durable_open_with(&f, &fake, &options);
        submit(&f, "a", PAWL_CRON, HOUR, "true");
        fake_fail(&fake, PAWL_ESTORE, -1);
        assert_int_equal(stop(&f, "a"), PAWL_ESTORE);
        if (can_write)
            fake_fail(&fake, PAWL_OK, 0);
        fixture_close(&f);
        assert_int_equal(said.nlost, !can_write);
        assert_int_equal(fake.tasks[0].record.version, can_write);
        fake_store_fini(&fake);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_store_refuses_submits_and_leaves_no_trace_of_them),
        cmocka_unit_test(test_stop_delete_and_finish_go_into_the_reserve),
        cmocka_unit_test(test_second_submit_of_an_id_ends_when_the_first_is_refused),
        cmocka_unit_test(test_stop_that_cannot_be_stored_is_in_force_and_says_so),
        cmocka_unit_test(test_deletion_that_cannot_be_stored_is_in_force_and_stored_later),
        cmocka_unit_test(test_submit_of_unknown_fate_is_removed_from_the_store),
        cmocka_unit_test(test_submit_of_unknown_fate_may_have_left_nothing),
        cmocka_unit_test(test_results_that_could_not_be_stored_are_stored_later_once_each),
        cmocka_unit_test(test_results_of_unknown_fate_are_written_again),
        cmocka_unit_test(test_slot_stays_while_the_end_of_the_run_is_not_durable),
        cmocka_unit_test(test_task_whose_state_waits_can_be_deleted),
        cmocka_unit_test(test_result_that_is_not_stored_is_read_from_memory),
        cmocka_unit_test(test_close_writes_what_waits_or_says_what_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
