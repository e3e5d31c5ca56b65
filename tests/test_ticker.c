/* test_ticker.c: arming, oversleeping, a full ready ring, and sleep that costs nothing. */
#include "engine_fixture.h"
#include "ready.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

static void
test_nearer_task_wakes_a_ticker_that_sleeps_for_a_farther_one(void **state)
{
    struct fixture f;
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    submit(&f, "far", PAWL_DELAY, 3600 * SECOND, "true");
    fixture_advance(&f, SECOND);        /* wherever the ticker is: about to sleep, or asleep */
    submit(&f, "near", PAWL_DELAY, MS, "true");
    fixture_advance(&f, MS);
    view = await_version(&f, "near", 2);
    pawl_view_release(&view);
    view = get(&f, "far");
    assert_int_equal(view.version, 0);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_each_of_many_rounds_is_woken_for(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    for (int i = 0; i < 300; i++) {     /* every round races the ticker's falling asleep */
        struct pawl_view view;

        submit(&f, "t", PAWL_DELAY, i % 3 * MS, ":");
        if (i % 3)
            fixture_advance(&f, i % 3 * MS);
        view = await_version(&f, "t", 2);
        pawl_view_release(&view);
        assert_int_equal(delete(&f, "t"), PAWL_OK);
    }
    fixture_close(&f);
}

static void
test_jump_of_a_year_fires_each_task_once(void **state)
{
    struct fixture f;
    struct pawl_view view;
    char id[16];

    (void) state;
    fixture_open(&f);
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "j%d", i);
        submit(&f, id, i % 2 ? PAWL_CRON : PAWL_DELAY, (i + 1) * 86400 * SECOND, ":");
    }
    fixture_advance(&f, 365 * 86400 * SECOND);
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "j%d", i);
        view = await_version(&f, id, 2);
        assert_int_equal(view.run_count, 1);
        if (i % 2) {    /* one run; the other due times of the year were missed */
            assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
            assert_int_equal(view.run_count + view.missed, 365 / (i + 1));
            assert_true(view.next_ns > START_WALL + 365 * 86400 * SECOND);
        }
        pawl_view_release(&view);
    }
    fixture_close(&f);
}

static void
test_delay_of_292_years_never_fires_and_is_told_as_it_is(void **state)
{
    struct fixture f;
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    submit(&f, "d", PAWL_DELAY, INT64_MAX, "true");
    submit(&f, "c", PAWL_CRON, INT64_MAX, "true");
    view = get(&f, "d");
    assert_true(view.next_ns == INT64_MAX);
    assert_true(view.time_ns == INT64_MAX);
    pawl_view_release(&view);
    fixture_advance(&f, 100 * (365 * 86400 * SECOND));
    submit(&f, "n", PAWL_DELAY, 0, "true");
    view = await_version(&f, "n", 2);
    pawl_view_release(&view);
    view = get(&f, "d");
    assert_int_equal(view.version, 0);
    pawl_view_release(&view);
    assert_int_equal(stop(&f, "c"), PAWL_OK);
    fixture_close(&f);
}

static void
test_full_ring_keeps_the_rest_in_the_wheel_and_loses_none(void **state)
{
    struct pawl_options options;
    struct fixture f;
    struct pawl_stats stats;
    struct pawl_view view;
    char gate[] = "/tmp/pawl-gate-XXXXXX", path[64], script[128], id[16];
    int n = (int) PAWL_READY_SLOTS + 1000;

    (void) state;
    assert_non_null(mkdtemp(gate));
    snprintf(path, sizeof path, "%s/g", gate);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(script, sizeof script, "read x < %s", path);
    pawl_options_init(&options);
    options.max_running = 1;
    options.nworkers = 2;
    fixture_open_with(&f, &options);
    submit(&f, "first", PAWL_DELAY, 0, script);
    view = await_version(&f, "first", 1);
    pawl_view_release(&view);
    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof id, "r%d", i);
        submit(&f, id, PAWL_DELAY, SECOND, "echo ran");
    }
    fixture_advance(&f, SECOND);
    do {
        sched_yield();
        pawl_stats(f.engine, &stats);
    } while (stats.waiting_ready < PAWL_READY_SLOTS - 1);
    for (int i = 5; i < n - 5; i++) {   /* those in the ring and those in the wheel alike */
        snprintf(id, sizeof id, "r%d", i);
        assert_int_equal(i % 2 ? stop(&f, id) : delete(&f, id), PAWL_OK);
    }
    fclose(fopen(path, "w"));
    for (int i = 0; i < n; i++) {
        if (i == 5)
            i = n - 5;
        snprintf(id, sizeof id, "r%d", i);
        view = await_version(&f, id, 2);
        assert_memory_equal(view.results[0]->out, "ran\n", 4);
        pawl_view_release(&view);
    }
    pawl_stats(f.engine, &stats);
    assert_int_equal(stats.started, 11);
    unlink(path);
    rmdir(gate);
    fixture_close(&f);
}

/* How often the engine's threads gave up the processor of their own will. */
static unsigned long
count_sleeps(void)
{
    unsigned long sum = 0;
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;

    while ((entry = readdir(dir))) {
        char path[300], line[128];
        bool is_ours = false;
        FILE *file;

        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        file = fopen(path, "r");
        while (file && fgets(line, sizeof line, file)) {
            unsigned long n;

            if (strncmp(line, "Name:\tpawl-", 11) == 0)
                is_ours = true;
            if (is_ours && sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1)
                sum += n;
        }
        if (file)
            fclose(file);
    }
    closedir(dir);
    return sum;
}

static void
test_idle_engine_does_not_wake_up(void **state)
{
    struct pawl_options options;
    struct fixture f;
    struct pollfd nothing = {.fd = -1};
    unsigned long before;
    bool was_quiet = false;
    char id[16];

    (void) state;
    pawl_options_init(&options);
    options.clock = pawl_clock_system();
    fixture_open_with(&f, &options);
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "i%d", i);
        submit(&f, id, PAWL_DELAY, (3600 + i) * SECOND, "true");
    }
    /* Real time, since it is real sleep that is measured. A thread may come late to its first
     * sleep on a machine that is busy; after that a whole second must be quiet. */
    for (int tries = 0; tries < 20 && !was_quiet; tries++) {
        before = count_sleeps();
        poll(&nothing, 0, 1000);
        was_quiet = count_sleeps() == before;
    }
    assert_true(was_quiet);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearer_task_wakes_a_ticker_that_sleeps_for_a_farther_one),
        cmocka_unit_test(test_each_of_many_rounds_is_woken_for),
        cmocka_unit_test(test_jump_of_a_year_fires_each_task_once),
        cmocka_unit_test(test_delay_of_292_years_never_fires_and_is_told_as_it_is),
        cmocka_unit_test(test_full_ring_keeps_the_rest_in_the_wheel_and_loses_none),
        cmocka_unit_test(test_idle_engine_does_not_wake_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
