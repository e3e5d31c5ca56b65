/* test_durable.c: nothing is shown, and nobody is told, before it is durable. */
#include "durable_fixture.h"

#define HOUR (3600 * SECOND)

static int64_t
listed_version(struct fixture *f)
{
    struct pawl_cursor cursor = {0};
    struct pawl_view view;

    if (pawl_list_next(f->handle, NULL, &cursor, &view) != PAWL_OK)
        return -1;
    pawl_view_release(&view);
    return view.version;
}

static void
watch(struct fixture *f, struct awaited *awaited, const char *id, int64_t version)
{
    struct pawl_view view;

    *awaited = (struct awaited) {.watch.changed = awaited_cb};
    assert_int_equal(pawl_watch(f->handle, id, strlen(id), version, &awaited->watch, &view),
                     PAWL_PENDING);
}

/* --- Submit, stop, delete --- */

static void
test_submit_is_unseen_until_it_is_durable(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked asked;

    (void) state;
    durable_open(&f, &fake);
    block_with(&f, &fake, &asked, "a");
    assert_false(is_there(&f, "a"));
    assert_int_equal(listed_version(&f), -1);
    assert_int_equal(stats_of(&f).tasks, 0);
    assert_false(is_woken(&f));
    fake_pass(&fake);
    assert_int_equal(await_end(&f, &asked), PAWL_OK);
    assert_int_equal(version_of(&f, "a"), 0);
    assert_int_equal(listed_version(&f), 0);
    assert_int_equal(stats_of(&f).tasks, 1);
    durable_close(&f, &fake);
}

static void
test_stop_is_unseen_until_it_is_durable(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked first, second;
    struct awaited awaited;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, "true");
    watch(&f, &awaited, "a", 0);
    fake_gate(&fake);
    assert_int_equal(ask_stop(&f, &first, "a"), PAWL_PENDING);
    assert_true(first.op.has_view);
    assert_int_equal(first.op.view.version, 1);
    fake_await_group(&fake);
    assert_int_equal(version_of(&f, "a"), 0);
    assert_int_equal(listed_version(&f), 0);
    assert_false(is_woken(&f));
    assert_int_equal(ask_stop(&f, &second, "a"), PAWL_PENDING);     /* it lost to the first one */
    assert_false(is_woken(&f));
    fake_pass(&fake);
    assert_int_equal(await_end(&f, &first), PAWL_OK);
    assert_int_equal(version_of(&f, "a"), 1);
    while (!awaited.is_over)
        fixture_deliver(&f);
    assert_int_equal(awaited.version, 1);
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &second), PAWL_ESTATE);
    assert_non_null(second.op.why);
    assert_int_equal(stop(&f, "a"), PAWL_ESTATE);
    durable_close(&f, &fake);
}

/* A refusal is told with the group of what it was refused for, or a later one; never before. */
static void
test_refused_stop_waits_for_the_stop_that_it_lost_to(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked blocker, first, second;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, "true");
    block_with(&f, &fake, &blocker, "b");
    assert_int_equal(ask_stop(&f, &first, "a"), PAWL_PENDING);
    assert_int_equal(ask_stop(&f, &second, "a"), PAWL_PENDING);
    fake_pass(&fake);
    assert_int_equal(await_end(&f, &blocker), PAWL_OK);
    fake_await_group(&fake);                    /* of the two stops */
    pawl_deliver(f.handle);
    assert_false(first.is_done);
    assert_false(second.is_done);
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &second), PAWL_ESTATE);
    assert_int_equal(await_end(&f, &first), PAWL_OK);
    durable_close(&f, &fake);
}

static void
test_deleted_task_is_seen_and_keeps_its_id_until_that_is_durable(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked first, second, third;
    struct awaited awaited;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, "true");
    watch(&f, &awaited, "a", 0);
    fake_gate(&fake);
    assert_int_equal(ask_delete(&f, &first, "a"), PAWL_PENDING);
    fake_await_group(&fake);
    assert_int_equal(version_of(&f, "a"), 0);
    assert_int_equal(listed_version(&f), 0);
    assert_int_equal(try_submit(&f, "a", PAWL_DELAY, HOUR, "true", NULL), PAWL_EEXIST);
    assert_int_equal(ask_delete(&f, &second, "a"), PAWL_PENDING);
    assert_int_equal(ask_stop(&f, &third, "a"), PAWL_PENDING);
    assert_false(is_woken(&f));
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &first), PAWL_OK);
    assert_false(is_there(&f, "a"));
    assert_int_equal(listed_version(&f), -1);
    assert_int_equal(await_end(&f, &second), PAWL_ENOENT);
    assert_int_equal(await_end(&f, &third), PAWL_ENOENT);
    while (!awaited.is_over)
        fixture_deliver(&f);
    assert_true(awaited.is_gone);
    submit(&f, "a", PAWL_DELAY, HOUR, "true");
    assert_int_equal(stats_of(&f).tasks, 1);
    assert_int_equal(fake.ntasks, 1);
    durable_close(&f, &fake);
}

/* Was taken for a failure of the store: the second removal finds nothing to remove. */
static void
test_stop_and_delete_in_one_group_are_no_failure_of_the_store(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked blocker, stopped, deleted;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, "true");
    block_with(&f, &fake, &blocker, "b");
    assert_int_equal(ask_stop(&f, &stopped, "a"), PAWL_PENDING);
    assert_int_equal(ask_delete(&f, &deleted, "a"), PAWL_PENDING);
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &stopped), PAWL_OK);
    assert_int_equal(await_end(&f, &deleted), PAWL_OK);
    assert_int_equal(await_end(&f, &blocker), PAWL_OK);
    assert_int_equal(stats_of(&f).store_state, PAWL_STORE_OK);
    submit(&f, "a", PAWL_CRON, HOUR, "true");
    durable_close(&f, &fake);
}

/* --- Runs --- */

static void
test_start_is_seen_at_once_and_the_end_once_it_is_durable(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct pawl_view view;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_DELAY, SECOND, "echo ran");
    fake_gate(&fake);
    fixture_advance(&f, SECOND);
    view = await_version(&f, "a", 1);
    assert_int_equal(view.status, PAWL_EXECUTING);
    pawl_view_release(&view);
    fake_await_group(&fake);            /* of the start */
    await(stats_of(&f).finished == 1);
    assert_int_equal(version_of(&f, "a"), 1);
    fake_pass(&fake);
    fake_await_group(&fake);            /* of the end */
    assert_int_equal(version_of(&f, "a"), 1);
    assert_int_equal(used_slots(&f), 1);
    fake_pass(&fake);
    view = await_version(&f, "a", 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.nresults, 1);
    assert_int_equal(view.results[0]->out_len, 4);
    pawl_view_release(&view);
    fake_open_gate(&fake);
    fence(&f);
    assert_int_equal(used_slots(&f), 0);
    durable_close(&f, &fake);
}

static void
test_start_behind_a_change_that_is_not_durable_is_unseen(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct pawl_view view;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, SECOND, "true");
    fake_gate(&fake);
    fixture_advance(&f, SECOND);
    await(stats_of(&f).finished == 1);
    fixture_advance(&f, SECOND);
    await(stats_of(&f).finished == 2);
    view = get(&f, "a");
    assert_int_equal(view.version, 1);
    assert_int_equal(view.run_count, 1);
    pawl_view_release(&view);
    assert_int_equal(used_slots(&f), 2);        /* each tells of its run */
    fake_open_gate(&fake);
    view = await_version(&f, "a", 4);
    assert_int_equal(view.run_count, 2);
    assert_int_equal(view.nresults, 2);
    pawl_view_release(&view);
    fence(&f);
    assert_int_equal(used_slots(&f), 0);
    durable_close(&f, &fake);
}

static void
test_slots_of_runs_that_are_not_durable_are_bounded(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct pawl_view view;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, SECOND, "true");
    fake_gate(&fake);
    for (unsigned i = 1; i <= 2 * PAWL_SLOT_CHAIN_MAX + 3; i++) {
        fixture_advance(&f, SECOND);
        await(stats_of(&f).finished == i);
        assert_true(used_slots(&f) <= PAWL_SLOT_CHAIN_MAX);
    }
    fake_open_gate(&fake);
    view = await_version(&f, "a", 2 * (2 * PAWL_SLOT_CHAIN_MAX + 3));
    pawl_view_release(&view);
    fence(&f);
    assert_int_equal(used_slots(&f), 0);
    durable_close(&f, &fake);
}

/* The newest run is in progress when the task is deleted; those before it have slots, too. */
static void
test_slots_before_the_run_of_a_deleted_task_are_freed(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct latch latch;
    struct asked deleted;

    (void) state;
    for (int order = 0; order < 2; order++) {
        durable_open(&f, &fake);
        latch_init(&latch, fake.dir);
        submit(&f, "a", PAWL_CRON, SECOND, latch.script);
        fake_gate(&fake);
        for (unsigned i = 1; i <= 3; i++) {
            fixture_advance(&f, SECOND);
            await(stats_of(&f).started == i);
            if (i < 3) {
                latch_open(&latch);
                await(stats_of(&f).finished == i);
            }
        }
        assert_int_equal(used_slots(&f), 3);
        assert_int_equal(ask_delete(&f, &deleted, "a"), PAWL_PENDING);
        if (order == 0) {
            latch_open(&latch);
            await(stats_of(&f).finished == 3);
            assert_int_equal(used_slots(&f), 3);
        }
        fake_open_gate(&fake);
        assert_int_equal(await_end(&f, &deleted), PAWL_OK);
        fence(&f);
        if (order == 1) {
            assert_int_equal(used_slots(&f), 1);
            latch_open(&latch);
            await(stats_of(&f).finished == 3);
        }
        assert_int_equal(used_slots(&f), 0);
        latch_fini(&latch);
        durable_close(&f, &fake);
    }
}

static void
test_changes_that_wait_become_one_write(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked blocker;
    struct pawl_record record;
    struct pawl_view view;
    size_t nresults;
    uint64_t seq;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, SECOND, "true");
    seq = seq_of(&f, "a");
    block_with(&f, &fake, &blocker, "b");
    for (unsigned i = 1; i <= 3; i++) {
        fixture_advance(&f, SECOND);
        await(stats_of(&f).finished == i);
    }
    fake_open_gate(&fake);
    view = await_version(&f, "a", 6);
    assert_int_equal(view.nresults, 3);
    pawl_view_release(&view);
    fence(&f);
    assert_int_equal(fake_count(&fake, PAWL_WRITE_STATE, seq), 1);
    assert_true(fake_look(&fake, seq, &record, &nresults));
    assert_int_equal(record.version, 6);
    assert_int_equal(record.run_count, 3);
    assert_int_equal(nresults, 3);
    assert_int_equal(await_end(&f, &blocker), PAWL_OK);
    durable_close(&f, &fake);
}

static void
test_operations_of_one_group_are_all_told(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked blocker, asked[60];
    unsigned ngroups;
    char id[16];

    (void) state;
    durable_open(&f, &fake);
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "t%d", i);
        submit(&f, id, PAWL_CRON, HOUR, "true");
    }
    block_with(&f, &fake, &blocker, "b");
    ngroups = fake.ngroups;
    for (int i = 0; i < 60; i++) {
        snprintf(id, sizeof id, "t%d", i);
        assert_int_equal(i < 20   ? ask_delete(&f, &asked[i], id)
                         : i < 40 ? ask_stop(&f, &asked[i], id)
                                  : ask_submit(&f, &asked[i], id, PAWL_DELAY, HOUR, "true"),
                         PAWL_PENDING);
    }
    fake_open_gate(&fake);
    for (int i = 59; i >= 0; i--)
        assert_int_equal(await_end(&f, &asked[i]), PAWL_OK);
    assert_int_equal(fake.ngroups, ngroups + 1);
    assert_int_equal(await_end(&f, &blocker), PAWL_OK);
    assert_int_equal(stats_of(&f).tasks, 41);
    assert_int_equal(fake.ntasks, 41);
    durable_close(&f, &fake);
}

static void
test_engine_is_idle_when_the_ends_of_all_runs_are_shown(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct pollfd idle = {.events = POLLIN};

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_DELAY, SECOND, "true");
    fake_gate(&fake);
    fixture_advance(&f, SECOND);
    await(stats_of(&f).finished == 1);
    pawl_close_begin(f.engine);
    idle.fd = pawl_idle_fd(f.engine);
    assert_int_equal(poll(&idle, 1, 0), 0);
    fake_await_group(&fake);            /* of the start, perhaps of the end as well */
    assert_int_equal(poll(&idle, 1, 0), 0);
    assert_int_equal(version_of(&f, "a"), 1);
    fake_open_gate(&fake);
    assert_int_equal(poll(&idle, 1, WAIT_MS), 1);
    assert_int_equal(version_of(&f, "a"), 2);
    durable_close(&f, &fake);
}

/* --- The table of runs --- */

static void
test_slot_of_a_deleted_task_stays_until_the_deletion_is_durable(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct latch latch;
    struct asked deleted;

    (void) state;
    durable_open(&f, &fake);
    latch_init(&latch, fake.dir);
    submit(&f, "a", PAWL_DELAY, 0, latch.script);
    await(stats_of(&f).started == 1);
    fence(&f);
    fake_gate(&fake);
    assert_int_equal(ask_delete(&f, &deleted, "a"), PAWL_PENDING);
    fake_await_group(&fake);
    latch_open(&latch);
    await(stats_of(&f).finished == 1);
    assert_int_equal(used_slots(&f), 1);
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &deleted), PAWL_OK);
    assert_int_equal(used_slots(&f), 0);
    latch_fini(&latch);
    durable_close(&f, &fake);
}

static void
test_slot_of_a_deleted_task_stays_until_its_run_has_ended(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct latch latch;

    (void) state;
    durable_open(&f, &fake);
    latch_init(&latch, fake.dir);
    submit(&f, "a", PAWL_CRON, SECOND, latch.script);
    fixture_advance(&f, SECOND);
    await(stats_of(&f).started == 1);
    assert_int_equal(delete(&f, "a"), PAWL_OK);
    fence(&f);
    assert_int_equal(used_slots(&f), 1);
    latch_open(&latch);
    await(stats_of(&f).finished == 1);
    assert_int_equal(used_slots(&f), 0);
    latch_fini(&latch);
    durable_close(&f, &fake);
}

/* The run had ended before the deletion: its slot goes with the deletion. */
static void
test_slot_of_a_run_that_ended_goes_with_the_deletion(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked deleted;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_DELAY, SECOND, "true");
    fake_gate(&fake);
    fixture_advance(&f, SECOND);
    await(stats_of(&f).finished == 1);
    assert_int_equal(ask_delete(&f, &deleted, "a"), PAWL_PENDING);
    fake_await_group(&fake);
    assert_int_equal(used_slots(&f), 1);
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &deleted), PAWL_OK);
    fence(&f);
    assert_int_equal(used_slots(&f), 0);
    assert_int_equal(fake.ntasks, 0);
    durable_close(&f, &fake);
}

/* --- What is over is forgotten --- */

static void
open_keeping(struct fixture *f, struct fake_store *fake, int64_t keep_ns)
{
    struct pawl_options options;

    pawl_options_init(&options);
    options.keep_finished_ns = keep_ns;
    if (fake) {
        fake_store_init(fake);
        durable_open_with(f, fake, &options);
    } else {
        fixture_open_with(f, &options);
    }
}

static void
check_forgetting(struct fake_store *fake)
{
    struct fixture f;
    struct pawl_view view;

    open_keeping(&f, fake, 10 * SECOND);
    submit(&f, "ran", PAWL_DELAY, 0, "true");
    view = await_version(&f, "ran", 2);
    pawl_view_release(&view);
    submit(&f, "stopped", PAWL_DELAY, HOUR, "true");
    submit(&f, "cron", PAWL_CRON, HOUR, "true");
    assert_int_equal(stop(&f, "stopped"), PAWL_OK);
    assert_int_equal(stop(&f, "cron"), PAWL_OK);
    view = get(&f, "ran");
    assert_true(view.next_ns == PAWL_NO_TIME);      /* nothing of it is still to come */
    pawl_view_release(&view);
    fixture_advance(&f, 10 * SECOND - 1);
    submit(&f, "now", PAWL_DELAY, 0, "true");       /* the ticker has looked */
    view = await_version(&f, "now", 2);
    pawl_view_release(&view);
    assert_true(is_there(&f, "ran"));
    assert_true(is_there(&f, "stopped"));
    fixture_advance(&f, 1);
    await(!is_there(&f, "ran") && !is_there(&f, "stopped"));
    assert_true(is_there(&f, "now"));
    assert_true(is_there(&f, "cron"));
    assert_int_equal(stats_of(&f).tasks, 2);
    assert_int_equal(stats_of(&f).pending, 0);
    submit(&f, "ran", PAWL_DELAY, HOUR, "true");
    if (fake) {
        fence(&f);
        assert_int_equal(fake->ntasks, 3);
        assert_int_equal(used_slots(&f), 0);
        durable_close(&f, fake);
    } else {
        fixture_close(&f);
    }
}

static void
test_delay_task_that_is_over_is_forgotten_in_time(void **state)
{
    (void) state;
    check_forgetting(NULL);
}

static void
test_delay_task_that_is_over_is_forgotten_in_the_store_too(void **state)
{
    struct fake_store fake;

    (void) state;
    check_forgetting(&fake);
}

static int64_t
decided_due(struct fixture *f, const char *id)
{
    struct pawl_view view = get(f, id);
    int64_t due_ns;

    pawl_epoch_begin(f->handle->epoch);
    due_ns = pawl_task_read_decided(view.private_task, NULL)->due_ns;
    pawl_epoch_end(f->handle->epoch);
    pawl_view_release(&view);
    return due_ns;
}

static void
test_delay_task_is_kept_for_ever_if_wanted(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct pawl_view view;

    (void) state;
    open_keeping(&f, &fake, INT64_MAX);
    submit(&f, "ran", PAWL_DELAY, 0, "true");
    view = await_version(&f, "ran", 2);
    pawl_view_release(&view);
    submit(&f, "stopped", PAWL_DELAY, HOUR, "true");
    assert_int_equal(stop(&f, "stopped"), PAWL_OK);
    assert_true(decided_due(&f, "ran") == PAWL_NO_TIME);
    assert_true(decided_due(&f, "stopped") == PAWL_NO_TIME);
    fixture_advance(&f, 100 * 366 * 24 * HOUR);
    submit(&f, "now", PAWL_DELAY, 0, "true");
    view = await_version(&f, "now", 2);
    pawl_view_release(&view);
    assert_true(is_there(&f, "ran"));
    assert_true(is_there(&f, "stopped"));
    durable_close(&f, &fake);
}

/* Was shown from the start, and counted otherwise by the start after a crash. */
static void
test_due_times_that_were_missed_are_durable_before_they_are_shown(void **state)
{
    struct pawl_options options;
    struct pawl_clock_manual late;
    struct fake_store fake;
    struct fixture f;
    struct pawl_view view;
    size_t nbefore;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, HOUR, "true");
    fixture_close(&f);
    nbefore = fake.nwrites;
    pawl_clock_manual_init(&late, 1000 * SECOND + 10 * HOUR, START_WALL - 1000 * SECOND);
    pawl_options_init(&options);
    options.clock = &late.clock;
    durable_open_with(&f, &fake, &options);
    view = await_version(&f, "a", 2);
    assert_int_equal(view.missed, 9);
    pawl_view_release(&view);
    assert_int_equal(fake.writes[nbefore].kind, PAWL_WRITE_STATE);
    assert_int_equal(fake.writes[nbefore].version, 0);      /* before the start of the run */
    durable_close(&f, &fake);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submit_is_unseen_until_it_is_durable),
        cmocka_unit_test(test_stop_is_unseen_until_it_is_durable),
        cmocka_unit_test(test_refused_stop_waits_for_the_stop_that_it_lost_to),
        cmocka_unit_test(test_deleted_task_is_seen_and_keeps_its_id_until_that_is_durable),
        cmocka_unit_test(test_stop_and_delete_in_one_group_are_no_failure_of_the_store),
        cmocka_unit_test(test_start_is_seen_at_once_and_the_end_once_it_is_durable),
        cmocka_unit_test(test_start_behind_a_change_that_is_not_durable_is_unseen),
        cmocka_unit_test(test_slots_of_runs_that_are_not_durable_are_bounded),
        cmocka_unit_test(test_slots_before_the_run_of_a_deleted_task_are_freed),
        cmocka_unit_test(test_changes_that_wait_become_one_write),
        cmocka_unit_test(test_operations_of_one_group_are_all_told),
        cmocka_unit_test(test_engine_is_idle_when_the_ends_of_all_runs_are_shown),
        cmocka_unit_test(test_slot_of_a_deleted_task_stays_until_the_deletion_is_durable),
        cmocka_unit_test(test_slot_of_a_deleted_task_stays_until_its_run_has_ended),
        cmocka_unit_test(test_slot_of_a_run_that_ended_goes_with_the_deletion),
        cmocka_unit_test(test_delay_task_that_is_over_is_forgotten_in_time),
        cmocka_unit_test(test_delay_task_that_is_over_is_forgotten_in_the_store_too),
        cmocka_unit_test(test_delay_task_is_kept_for_ever_if_wanted),
        cmocka_unit_test(test_due_times_that_were_missed_are_durable_before_they_are_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
