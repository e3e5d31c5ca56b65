/* test_commit.c: changes that take their time to become durable, and waits for changes: what
 * comes back to a handle later. The store of this test writes a group when the test opens a gate. */
#include "engine_fixture.h"
#include "fake_store.h"
#include "shared.h"

static void
open_gated(struct fixture *f, struct fake_store *fake)
{
    struct pawl_options options;

    fake_store_init(fake);
    fake_gate(fake);
    pawl_options_init(&options);
    options.store = &fake->store;
    options.nworkers = 2;
    fixture_open_with(f, &options);
}

static void
close_gated(struct fixture *f, struct fake_store *fake)
{
    fake_open_gate(fake);
    fixture_close(f);
    assert_int_equal(fake->nclosed, 1);
    fake_store_fini(fake);
}

static int
ask(struct fixture *f, struct asked *asked, const char *id, int64_t time_ns)
{
    return ask_submit(f, asked, id, PAWL_DELAY, time_ns, "echo ran");
}

/* Lets groups pass until the operation has ended. */
static int
pass_until(struct fixture *f, struct fake_store *fake, struct asked *asked)
{
    struct pollfd poll_fd = {.fd = f->wake_fd, .events = POLLIN};

    while (!asked->is_done) {
        if (sem_trywait(&fake->arrived) == 0)
            fake_pass(fake);
        if (poll(&poll_fd, 1, 10) == 1)
            fixture_deliver(f);
    }
    return await_end(f, asked);
}

static void
test_task_is_reserved_but_unseen_until_it_is_committed(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked first, second, third;
    struct pawl_cursor cursor = {0};
    struct pawl_view view;

    (void) state;
    open_gated(&f, &fake);
    assert_int_equal(ask(&f, &first, "a", 0), PAWL_PENDING);
    fake_await_group(&fake);
    assert_true(first.op.has_view);
    assert_int_equal(first.op.view.version, 0);
    assert_int_equal(ask(&f, &second, "a", 0), PAWL_PENDING);
    assert_int_equal(pawl_get(f.handle, "a", 1, &view), PAWL_ENOENT);
    assert_int_equal(pawl_list_next(f.handle, NULL, &cursor, &view), PAWL_ENOENT);
    assert_int_equal(delete(&f, "a"), PAWL_ENOENT);
    assert_int_equal(stop(&f, "a"), PAWL_ENOENT);
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &first), PAWL_OK);
    assert_int_equal(await_end(&f, &second), PAWL_EEXIST);
    view = await_version(&f, "a", 2);           /* armed by the commit, on the store's thread */
    assert_int_equal(view.results[0]->outcome, PAWL_SUCCESS);
    pawl_view_release(&view);
    assert_int_equal(ask(&f, &third, "b", 0), PAWL_PENDING);
    assert_int_equal(await_end(&f, &third), PAWL_OK);
    close_gated(&f, &fake);
}

static void
test_commit_that_fails_leaves_no_trace_of_the_task(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked asked;
    struct pawl_stats stats;
    struct pawl_view view;

    (void) state;
    open_gated(&f, &fake);
    fake_fail(&fake, PAWL_ESTORE, 1);
    assert_int_equal(ask(&f, &asked, "a", 0), PAWL_PENDING);
    fake_open_gate(&fake);
    assert_int_equal(await_end(&f, &asked), PAWL_ESTORE);
    assert_int_equal(pawl_get(f.handle, "a", 1, &view), PAWL_ENOENT);
    pawl_stats(f.engine, &stats);
    assert_int_equal(stats.tasks, 0);
    assert_int_equal(stats.pending, 0);
    assert_int_equal(stats.memory_bytes, 0);
    close_gated(&f, &fake);
}

static void
test_many_commits_come_back_each_once(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct asked asked[50];
    char id[16];

    (void) state;
    open_gated(&f, &fake);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 50; i++) {
            snprintf(id, sizeof id, "m%d", i);
            assert_int_equal(ask(&f, &asked[i], id, 3600 * SECOND), PAWL_PENDING);
        }
        for (int i = 0; i < 50; i++)
            assert_int_equal(pass_until(&f, &fake, &asked[i]), PAWL_OK);
        for (int i = 0; i < 50; i++) {
            snprintf(id, sizeof id, "m%d", i);
            assert_int_equal(ask_delete(&f, &asked[i], id), PAWL_PENDING);
        }
        for (int i = 0; i < 50; i++)
            assert_int_equal(pass_until(&f, &fake, &asked[i]), PAWL_OK);
    }
    assert_int_equal(fake.ntasks, 0);
    close_gated(&f, &fake);
}

/* --- Watches --- */

static void
test_thousands_of_watches_of_one_task_end_at_its_next_change(void **state)
{
    static struct awaited awaited[5000];
    struct fixture f;
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    submit(&f, "w", PAWL_CRON, SECOND, "true");
    for (int i = 0; i < 5000; i++) {
        awaited[i] = (struct awaited) {.watch.changed = awaited_cb};
        assert_int_equal(pawl_watch(f.handle, "w", 1, 0, &awaited[i].watch, &view), PAWL_PENDING);
    }
    for (int i = 0; i < 5000; i += 2)
        pawl_unwatch(f.handle, &awaited[i].watch);
    assert_int_equal(stop(&f, "w"), PAWL_OK);
    while (!awaited[4999].is_over || !awaited[1].is_over)
        fixture_deliver(&f);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(awaited[i].is_over, i % 2);
        if (i % 2)
            assert_int_equal(awaited[i].version, 1);
    }
    fixture_close(&f);
}

static void
test_watch_of_another_version_ends_at_once(void **state)
{
    struct fixture f;
    struct awaited awaited = {.watch.changed = awaited_cb};
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    submit(&f, "w", PAWL_CRON, SECOND, "true");
    assert_int_equal(pawl_watch(f.handle, "w", 1, 7, &awaited.watch, &view), PAWL_OK);
    assert_int_equal(view.version, 0);
    pawl_view_release(&view);
    assert_int_equal(pawl_watch(f.handle, "none", 4, 0, &awaited.watch, &view), PAWL_ENOENT);
    fixture_close(&f);
}

static void
test_watchers_that_come_and_go_leave_one_post(void **state)
{
    struct fixture f;
    struct awaited awaited = {.watch.changed = awaited_cb};
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    submit(&f, "w", PAWL_CRON, SECOND, "true");
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(pawl_watch(f.handle, "w", 1, 0, &awaited.watch, &view), PAWL_PENDING);
        pawl_unwatch(f.handle, &awaited.watch);
    }
    assert_int_equal(((struct pawl_handle *) f.handle)->nposts, 1);
    assert_int_equal(delete(&f, "w"), PAWL_OK);
    fixture_deliver(&f);
    assert_int_equal(((struct pawl_handle *) f.handle)->nposts, 0);
    fixture_close(&f);
}

static void
test_detach_with_open_watches_forgets_them(void **state)
{
    struct fixture f, other = {0};
    struct awaited awaited[2] = {{.watch.changed = awaited_cb}, {.watch.changed = awaited_cb}};
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    other.engine = f.engine;
    fixture_attach(&other);
    submit(&f, "w", PAWL_CRON, SECOND, "true");
    assert_int_equal(pawl_watch(f.handle, "w", 1, 0, &awaited[0].watch, &view), PAWL_PENDING);
    assert_int_equal(pawl_watch(other.handle, "w", 1, 0, &awaited[1].watch, &view), PAWL_PENDING);
    pawl_detach(other.handle);
    close(other.wake_fd);
    assert_int_equal(stop(&f, "w"), PAWL_OK);
    while (!awaited[0].is_over)
        fixture_deliver(&f);
    assert_false(awaited[1].is_over);
    fixture_close(&f);
}

static void
test_memory_bound_drops_the_oldest_output_first(void **state)
{
    struct pawl_options options;
    struct fixture f;
    struct pawl_stats stats;
    struct pawl_view view;
    char id[16];
    int dropped = 0;

    (void) state;
    pawl_options_init(&options);
    options.max_memory_bytes = 1 << 20;         /* sixteen full outputs */
    fixture_open_with(&f, &options);
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "o%02d", i);
        submit(&f, id, PAWL_DELAY, 0, "head -c 60000 /dev/zero | tr '\\0' x");
        view = await_version(&f, id, 2);
        pawl_view_release(&view);
        fixture_advance(&f, SECOND);
        do
            pawl_stats(f.engine, &stats);       /* the keeper has its say before the next */
        while (stats.memory_bytes > options.max_memory_bytes / 16 * 15);
    }
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "o%02d", i);
        view = get(&f, id);
        assert_int_equal(view.nresults, 1);
        assert_int_equal(view.version, 2);      /* dropping output is no change of the task */
        if (view.results[0]->out_len == 0) {
            assert_int_equal(dropped, i);       /* all older ones were dropped before */
            assert_true(view.results[0]->truncated);
            dropped++;
        }
        pawl_view_release(&view);
    }
    assert_true(dropped >= 24 && dropped < 40);
    fixture_close(&f);
}

static void
test_old_run_without_output_does_not_cost_the_others_theirs(void **state)
{
    struct pawl_options options;
    struct fixture f;
    struct pawl_stats stats;
    struct pawl_view view;
    char id[16];
    int kept = 0;

    (void) state;
    pawl_options_init(&options);
    options.max_memory_bytes = 1 << 20;
    fixture_open_with(&f, &options);
    submit(&f, "silent", PAWL_DELAY, 0, ":");
    view = await_version(&f, "silent", 2);
    pawl_view_release(&view);
    fixture_advance(&f, 30 * 86400 * SECOND);
    for (int i = 0; i < 17; i++) {
        snprintf(id, sizeof id, "o%02d", i);
        submit(&f, id, PAWL_DELAY, 0, "head -c 60000 /dev/zero | tr '\\0' x");
        view = await_version(&f, id, 2);
        pawl_view_release(&view);
        fixture_advance(&f, 20 * SECOND);
        do
            pawl_stats(f.engine, &stats);
        while (stats.memory_bytes > options.max_memory_bytes / 16 * 15);
    }
    for (int i = 0; i < 17; i++) {
        snprintf(id, sizeof id, "o%02d", i);
        view = get(&f, id);
        kept += view.results[0]->out_len > 0;
        pawl_view_release(&view);
    }
    assert_true(kept >= 13);        /* was 1 */
    fixture_close(&f);
}

static void
test_script_that_has_no_room_gets_the_room_of_old_output(void **state)
{
    static char big[200001];
    struct pawl_options options;
    struct fixture f;
    struct pawl_view view;
    char id[16];
    int code;

    (void) state;
    memset(big, ' ', sizeof big - 1);
    big[0] = ':';
    pawl_options_init(&options);
    options.max_memory_bytes = 1 << 20;
    fixture_open_with(&f, &options);
    for (int i = 0; i < 15; i++) {
        snprintf(id, sizeof id, "o%02d", i);
        submit(&f, id, PAWL_DELAY, 0, "head -c 60000 /dev/zero | tr '\\0' x");
        view = await_version(&f, id, 2);
        pawl_view_release(&view);
    }
    do                              /* was refused for ever */
        code = try_submit(&f, "big", PAWL_DELAY, SECOND, big, NULL);
    while (code == PAWL_EBUDGET);
    assert_int_equal(code, PAWL_OK);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_task_is_reserved_but_unseen_until_it_is_committed),
        cmocka_unit_test(test_commit_that_fails_leaves_no_trace_of_the_task),
        cmocka_unit_test(test_many_commits_come_back_each_once),
        cmocka_unit_test(test_thousands_of_watches_of_one_task_end_at_its_next_change),
        cmocka_unit_test(test_watch_of_another_version_ends_at_once),
        cmocka_unit_test(test_watchers_that_come_and_go_leave_one_post),
        cmocka_unit_test(test_detach_with_open_watches_forgets_them),
        cmocka_unit_test(test_memory_bound_drops_the_oldest_output_first),
        cmocka_unit_test(test_old_run_without_output_does_not_cost_the_others_theirs),
        cmocka_unit_test(test_script_that_has_no_room_gets_the_room_of_old_output),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
