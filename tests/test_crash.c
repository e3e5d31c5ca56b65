/* test_crash.c: an engine is killed with SIGKILL, in a process of its own, and what the next one
 * makes of it. */
#include "restart_fixture.h"

#define NRUNS_FILE "nruns"      /* grows by a byte with each run of COUNTED */

static struct latch latch;
static char counted[160];       /* a script that counts its runs */

static void
set_up_house(struct house *house)
{
    house_init(house);
    latch_init(&latch, house->dir);
    snprintf(counted, sizeof counted, "printf x >>%s/" NRUNS_FILE, house->dir);
}

static void
tear_down_house(struct house *house)
{
    house_end(house);
    latch_fini(&latch);
    house_fini(house);
}

static long
count_runs(const struct house *house)
{
    struct stat stat = {0};
    char path[96];

    snprintf(path, sizeof path, "%s/" NRUNS_FILE, house->dir);
    return lstat(path, &stat) == 0 ? (long) stat.st_size : 0;
}

static void
await_start(struct fixture *f, const char *id, int64_t version)
{
    struct pawl_view view = await_version(f, id, version);

    assert_int_equal(view.status, PAWL_EXECUTING);
    pawl_view_release(&view);
}

static void
check_lost(const struct pawl_result *result, uint64_t run, int64_t scheduled_ns)
{
    assert_int_equal(result->outcome, PAWL_LOST);
    assert_int_equal(result->run, run);
    assert_int_equal(result->scheduled_ns, scheduled_ns);
    assert_int_equal(result->exit_code, -1);
    assert_non_null(result->error);
    assert_true(result->err_len > 0);
}

/* --- Runs in progress --- */

static void
live_with_runs(struct house *house)
{
    struct fixture *f = &house->f;
    struct pawl_view view;

    submit(f, "delay", PAWL_DELAY, 10 * SECOND, latch.script);
    submit(f, "cron", PAWL_CRON, 5 * SECOND, "echo one");
    fixture_advance(f, 5 * SECOND);
    view = await_version(f, "cron", 2);
    pawl_view_release(&view);
    assert_int_equal(delete(f, "cron"), PAWL_OK);
    submit(f, "cron", PAWL_CRON, 5 * SECOND, latch.script);
    submit(f, "mixed", PAWL_CRON, 4 * SECOND, "echo kept");
    fixture_advance(f, 4 * SECOND);
    view = await_version(f, "mixed", 2);
    pawl_view_release(&view);
    fixture_advance(f, SECOND);
    await_start(f, "delay", 1);
    await_start(f, "cron", 1);
    fence(f);                           /* the starts are durable, too */
}

static void
test_runs_in_progress_are_lost_and_told_so_once(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;
    char *texts[2];

    (void) state;
    set_up_house(&house);
    house_crash(&house, live_with_runs);
    fixture_advance(f, 11 * SECOND);    /* one second after the crash */
    house_begin(&house);
    view = get(f, "delay");
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.version, 2);
    assert_int_equal(view.running, 0);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.failure_count, 1);
    assert_int_equal(view.nresults, 1);
    check_lost(view.results[0], 1, START_WALL + 10 * SECOND);
    assert_int_equal(view.results[0]->started_ns, START_WALL + 10 * SECOND);
    assert_int_equal(view.updated_ns, START_WALL + 11 * SECOND);
    pawl_view_release(&view);
    view = get(f, "cron");
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_int_equal(view.version, 2);
    assert_int_equal(view.next_ns, START_WALL + 15 * SECOND);
    assert_int_equal(view.nresults, 1);
    check_lost(view.results[0], 1, START_WALL + 10 * SECOND);
    pawl_view_release(&view);
    view = get(f, "mixed");
    assert_int_equal(view.nresults, 1);
    assert_int_equal(view.results[0]->outcome, PAWL_SUCCESS);
    assert_memory_equal(view.results[0]->out, "kept\n", 5);
    pawl_view_release(&view);
    assert_int_equal(stats_of(f).pending, 2);
    fence(f);
    assert_int_equal(used_slots(f), 0);
    texts[0] = describe(f);
    house_restart(&house);
    texts[1] = describe(f);
    assert_string_equal(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
    latch_open(&latch);
    latch_open(&latch);
    latch_open(&latch);
    fixture_advance(f, 4 * SECOND);     /* it goes on firing */
    view = await_version(f, "cron", 4);
    assert_int_equal(view.nresults, 2);
    assert_int_equal(view.results[1]->run, 2);
    assert_int_equal(view.results[1]->outcome, PAWL_SUCCESS);
    pawl_view_release(&view);
    tear_down_house(&house);
}

/* --- What came after the last commit --- */

static void
live_with_unstored_starts(struct house *house)
{
    struct fixture *f = &house->f;

    submit(f, "delay", PAWL_DELAY, 10 * SECOND, counted);
    submit(f, "cron", PAWL_CRON, 10 * SECOND, counted);
    fence(f);
    house_block();
    fixture_advance(f, 10 * SECOND);
    await(stats_of(f).finished == 2);
    assert_int_equal(version_of(f, "delay"), 1);
    assert_int_equal(version_of(f, "cron"), 1);
}

static void
test_run_after_the_last_commit_is_lost_and_not_started_again(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    set_up_house(&house);
    house_crash(&house, live_with_unstored_starts);
    assert_int_equal(count_runs(&house), 2);
    fixture_advance(f, 12 * SECOND);
    house_begin(&house);
    view = get(f, "delay");
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.version, 2);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.previous_ns, START_WALL + 10 * SECOND);
    check_lost(view.results[0], 1, START_WALL + 10 * SECOND);
    pawl_view_release(&view);
    view = get(f, "cron");
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_int_equal(view.version, 2);
    assert_int_equal(view.next_ns, START_WALL + 20 * SECOND);
    check_lost(view.results[0], 1, START_WALL + 10 * SECOND);
    pawl_view_release(&view);
    submit(f, "now", PAWL_DELAY, 0, "true");        /* the ticker has looked */
    view = await_version(f, "now", 2);
    pawl_view_release(&view);
    assert_int_equal(count_runs(&house), 2);
    fence(f);
    assert_int_equal(used_slots(f), 0);
    fixture_advance(f, 8 * SECOND);
    view = await_version(f, "cron", 4);
    assert_int_equal(view.results[1]->scheduled_ns, START_WALL + 20 * SECOND);
    pawl_view_release(&view);
    assert_int_equal(count_runs(&house), 3);
    tear_down_house(&house);
}

static void
live_with_unstored_runs(struct house *house, unsigned n)
{
    struct fixture *f = &house->f;

    submit(f, "cron", PAWL_CRON, 10 * SECOND, counted);
    fence(f);
    house_block();
    for (unsigned i = 1; i <= n; i++) {
        fixture_advance(f, 10 * SECOND);
        await(stats_of(f).finished == i);
    }
}

static void
live_with_three_unstored_runs(struct house *house)
{
    live_with_unstored_runs(house, 3);
}

static void
live_with_many_unstored_runs(struct house *house)
{
    live_with_unstored_runs(house, 21);
}

static void
check_unstored_runs(void (*live)(struct house *house), unsigned n)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    set_up_house(&house);
    house_crash(&house, live);
    fixture_advance(f, 10 * n * SECOND + SECOND);
    house_begin(&house);
    view = get(f, "cron");
    assert_int_equal(view.run_count, n);
    assert_int_equal(view.failure_count, n);
    assert_true(view.version >= 2 * n);
    assert_int_equal(view.next_ns, START_WALL + 10 * (n + 1) * SECOND);
    assert_int_equal(view.skipped_overlap, 0);
    assert_int_equal(view.missed, 0);
    assert_int_equal(view.nresults, n < 10 ? n : 10);
    for (size_t i = 0; i < view.nresults; i++) {
        uint64_t run = n - view.nresults + i + 1;
        bool has_slot = run > n / PAWL_SLOT_CHAIN_MAX * PAWL_SLOT_CHAIN_MAX;

        check_lost(view.results[i], run, has_slot ? START_WALL + (int64_t) run * 10 * SECOND
                                                  : view.results[i]->scheduled_ns);
    }
    pawl_view_release(&view);
    assert_int_equal(count_runs(&house), n);
    fence(f);
    assert_int_equal(used_slots(f), 0);
    tear_down_house(&house);
}

static void
test_unstored_runs_are_each_lost(void **state)
{
    (void) state;
    check_unstored_runs(live_with_three_unstored_runs, 3);
}

static void
test_many_unstored_runs_are_counted(void **state)
{
    (void) state;
    check_unstored_runs(live_with_many_unstored_runs, 21);
}

static void
live_with_an_unstored_end(struct house *house)
{
    struct fixture *f = &house->f;

    submit(f, "delay", PAWL_DELAY, 10 * SECOND, latch.script);
    fixture_advance(f, 10 * SECOND);
    await_start(f, "delay", 1);
    fence(f);
    house_block();
    latch_open(&latch);
    await(stats_of(f).finished == 1);
    assert_int_equal(version_of(f, "delay"), 1);
}

static void
test_run_whose_end_is_not_stored_is_lost(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    set_up_house(&house);
    house_crash(&house, live_with_an_unstored_end);
    fixture_advance(f, 20 * SECOND);
    house_begin(&house);
    view = get(f, "delay");
    assert_int_equal(view.version, 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    check_lost(view.results[0], 1, START_WALL + 10 * SECOND);
    pawl_view_release(&view);
    tear_down_house(&house);
}

/* --- Submits, stops and deletions --- */

static void
live_with_deletions(struct house *house)
{
    struct fixture *f = &house->f;

    submit(f, "kept", PAWL_DELAY, HOUR, "true");
    submit(f, "gone", PAWL_DELAY, HOUR, "true");
    submit(f, "running", PAWL_CRON, 10 * SECOND, latch.script);
    submit(f, "stopped", PAWL_CRON, 10 * SECOND, latch.script);
    submit(f, "idle", PAWL_CRON, HOUR, "true");
    fixture_advance(f, 10 * SECOND);
    await_start(f, "running", 1);
    await_start(f, "stopped", 1);
    assert_int_equal(delete(f, "gone"), PAWL_OK);
    assert_int_equal(delete(f, "running"), PAWL_OK);
    assert_int_equal(stop(f, "stopped"), PAWL_OK);
    assert_int_equal(stop(f, "idle"), PAWL_OK);
    assert_int_equal(used_slots(f), 2);
}

static void
test_what_was_told_holds(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    set_up_house(&house);
    house_crash(&house, live_with_deletions);
    fixture_advance(f, 100 * SECOND);
    house_begin(&house);
    assert_true(is_there(f, "kept"));
    assert_false(is_there(f, "gone"));
    assert_false(is_there(f, "running"));
    view = get(f, "stopped");
    assert_int_equal(view.status, PAWL_STOPPED);
    assert_int_equal(view.version, 3);
    assert_int_equal(view.running, 0);
    assert_true(view.next_ns == PAWL_NO_TIME);
    check_lost(view.results[0], 1, START_WALL + 10 * SECOND);
    pawl_view_release(&view);
    view = get(f, "idle");
    assert_int_equal(view.status, PAWL_STOPPED);
    assert_int_equal(view.version, 1);
    assert_int_equal(view.nresults, 0);
    pawl_view_release(&view);
    assert_int_equal(stats_of(f).tasks, 3);
    assert_int_equal(stats_of(f).pending, 1);
    fence(f);
    assert_int_equal(used_slots(f), 0);
    latch_open(&latch);
    latch_open(&latch);
    tear_down_house(&house);
}

static void
live_with_untold_changes(struct house *house)
{
    static struct asked asked[3];
    struct fixture *f = &house->f;

    submit(f, "deleted", PAWL_DELAY, 10 * SECOND, latch.script);
    submit(f, "stopped", PAWL_CRON, HOUR, "true");
    fixture_advance(f, 10 * SECOND);
    await_start(f, "deleted", 1);
    fence(f);
    house_block();
    assert_int_equal(ask_delete(f, &asked[0], "deleted"), PAWL_PENDING);
    assert_int_equal(ask_stop(f, &asked[1], "stopped"), PAWL_PENDING);
    assert_int_equal(ask_submit(f, &asked[2], "new", PAWL_DELAY, HOUR, "true"), PAWL_PENDING);
    latch_open(&latch);
    await(stats_of(f).finished == 1);
}

static void
test_what_was_not_told_has_not_happened(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    set_up_house(&house);
    house_crash(&house, live_with_untold_changes);
    fixture_advance(f, 11 * SECOND);
    house_begin(&house);
    assert_false(is_there(f, "new"));
    view = get(f, "deleted");
    assert_int_equal(view.version, 2);
    check_lost(view.results[0], 1, START_WALL + 10 * SECOND);
    pawl_view_release(&view);
    view = get(f, "stopped");
    assert_int_equal(view.status, PAWL_TO_BE_EXECUTED);
    assert_int_equal(view.version, 0);
    assert_int_equal(view.next_ns, START_WALL + HOUR);
    pawl_view_release(&view);
    tear_down_house(&house);
}

/* --- Another boot --- */

static void
test_runs_are_lost_over_a_boot_too(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    set_up_house(&house);
    house_crash(&house, live_with_unstored_starts);
    f->clock.name = "second";
    atomic_store(&f->clock.elapsed, 3 * SECOND);
    atomic_store(&f->clock.offset, START_WALL + 12 * SECOND - 3 * SECOND);
    house_begin(&house);
    view = get(f, "delay");
    assert_int_equal(view.version, 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    check_lost(view.results[0], 1, START_WALL + 10 * SECOND);
    pawl_view_release(&view);
    view = get(f, "cron");
    assert_int_equal(view.next_ns, START_WALL + 20 * SECOND);
    check_lost(view.results[0], 1, START_WALL + 10 * SECOND);
    pawl_view_release(&view);
    tear_down_house(&house);
}

/* --- Crash upon crash --- */

static void
live_and_do_nothing(struct house *house)
{
    assert_true(is_there(&house->f, "delay"));
}

static void
live_without_a_commit(struct house *house)
{
    house_block();
    assert_true(is_there(&house->f, "delay"));
}

static void
test_crash_of_the_recovered_engine_changes_nothing(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    char *texts[2];

    (void) state;
    set_up_house(&house);
    house_crash(&house, live_with_unstored_starts);
    fixture_advance(f, 11 * SECOND);
    house_begin(&house);
    texts[0] = describe(f);
    house_end(&house);
    for (int i = 0; i < 4; i++) {
        house_crash(&house, i % 2 ? live_without_a_commit : live_and_do_nothing);
        house_begin(&house);
        texts[1] = describe(f);
        assert_string_equal(texts[0], texts[1]);
        free(texts[1]);
        house_end(&house);
    }
    free(texts[0]);
    house_begin(&house);
    tear_down_house(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_in_progress_are_lost_and_told_so_once),
        cmocka_unit_test(test_run_after_the_last_commit_is_lost_and_not_started_again),
        cmocka_unit_test(test_unstored_runs_are_each_lost),
        cmocka_unit_test(test_many_unstored_runs_are_counted),
        cmocka_unit_test(test_run_whose_end_is_not_stored_is_lost),
        cmocka_unit_test(test_what_was_told_holds),
        cmocka_unit_test(test_what_was_not_told_has_not_happened),
        cmocka_unit_test(test_runs_are_lost_over_a_boot_too),
        cmocka_unit_test(test_crash_of_the_recovered_engine_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
