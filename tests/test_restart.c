/* test_restart.c: all tasks come back as they were, with the real store and the manual clock. */
#include "restart_fixture.h"

static void
run_once(struct fixture *f, const char *id, int64_t by_ns)
{
    int64_t version = version_of(f, id);
    struct pawl_view view;

    fixture_advance(f, by_ns);
    view = await_version(f, id, version + 2);
    pawl_view_release(&view);
}

static void
test_everything_comes_back_as_it_was(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_spec spec = {
        .id = "k", .id_len = 1, .type = PAWL_CRON, .time_ns = 7 * SECOND,
        .script = "echo out; echo err >&2; exit 3", .script_len = 30, .keep_results = 2,
    };
    struct asked asked = {.op.done = asked_cb};
    struct pawl_stats before, after;
    struct pawl_view view;
    char *texts[2];

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(f, "delay \xc3\xa4 1", PAWL_DELAY, 100 * HOUR, "echo later");
    assert_int_equal(end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, NULL)), PAWL_OK);
    submit(f, "never", PAWL_DELAY, INT64_MAX, "true");
    submit(f, "rarely", PAWL_CRON, INT64_MAX, "true");
    submit(f, "ran", PAWL_DELAY, 0, "printf 'a\\0b'");
    view = await_version(f, "ran", 2);
    pawl_view_release(&view);
    submit(f, "gone", PAWL_DELAY, HOUR, "true");
    submit(f, "stopped", PAWL_DELAY, HOUR, "true");
    submit(f, "stopped cron", PAWL_CRON, HOUR, "true");
    for (int i = 0; i < 3; i++)
        run_once(f, "k", 7 * SECOND);
    assert_int_equal(stop(f, "stopped"), PAWL_OK);
    assert_int_equal(stop(f, "stopped cron"), PAWL_OK);
    assert_int_equal(delete(f, "gone"), PAWL_OK);
    texts[0] = describe(f);
    before = stats_of(f);
    for (int i = 0; i < 3; i++) {
        house_restart(&house);
        texts[1] = describe(f);
        assert_string_equal(texts[0], texts[1]);
        after = stats_of(f);
        assert_int_equal(after.tasks, before.tasks);
        assert_int_equal(after.pending, before.pending);
        assert_int_equal(after.memory_bytes, before.memory_bytes);
        assert_int_equal(used_slots(f), 0);
        free(texts[1]);
    }
    free(texts[0]);
    house_end(&house);
    house_fini(&house);
}

static void
test_order_goes_on_behind_what_there_was(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    uint64_t newest, seq;
    char id[16];

    (void) state;
    house_init(&house);
    house_begin(&house);
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "t%d", i);
        submit(f, id, PAWL_DELAY, HOUR, "true");
    }
    newest = seq_of(f, "t199");
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "t%d", i);
        if (i % 7 != 0)
            assert_int_equal(delete(f, id), PAWL_OK);
    }
    house_restart(&house);
    submit(f, "new", PAWL_DELAY, HOUR, "true");
    seq = seq_of(f, "new");
    assert_true(seq > newest);          /* also of those that are gone */
    for (int i = 0; i < 200; i += 7) {
        snprintf(id, sizeof id, "t%d", i);
        assert_int_equal(delete(f, id), PAWL_OK);
    }
    assert_int_equal(delete(f, "new"), PAWL_OK);
    house_restart(&house);
    submit(f, "newer", PAWL_DELAY, HOUR, "true");
    assert_true(seq_of(f, "newer") > seq);
    assert_int_equal(stats_of(f).tasks, 1);
    house_end(&house);
    house_fini(&house);
}

static void
test_interval_keeps_its_phase(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(f, "a", PAWL_CRON, 60 * SECOND, "true");
    fixture_advance(f, 61 * SECOND);                /* a second late */
    view = await_version(f, "a", 2);
    assert_int_equal(view.next_ns, START_WALL + 120 * SECOND);
    pawl_view_release(&view);
    house_pass(&house, 30 * SECOND);
    view = get(f, "a");
    assert_int_equal(view.next_ns, START_WALL + 120 * SECOND);
    assert_int_equal(view.run_count, 1);
    pawl_view_release(&view);
    fixture_advance(f, 29 * SECOND);
    view = await_version(f, "a", 4);
    assert_int_equal(view.results[1]->scheduled_ns, START_WALL + 120 * SECOND);
    assert_int_equal(view.next_ns, START_WALL + 180 * SECOND);
    assert_int_equal(view.missed, 0);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static void
test_what_is_overdue_runs_once_at_once(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(f, "delay", PAWL_DELAY, 100 * SECOND, "true");
    submit(f, "later", PAWL_DELAY, 11 * HOUR, "true");
    submit(f, "cron", PAWL_CRON, HOUR, "true");
    house_pass(&house, 10 * HOUR + SECOND);
    view = await_version(f, "delay", 2);
    assert_int_equal(view.results[0]->scheduled_ns, START_WALL + 100 * SECOND);
    assert_int_equal(view.results[0]->started_ns, START_WALL + 10 * HOUR + SECOND);
    assert_int_equal(view.run_count, 1);
    pawl_view_release(&view);
    view = await_version(f, "cron", 2);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.missed, 9);
    assert_int_equal(view.skipped_overlap, 0);
    assert_int_equal(view.results[0]->scheduled_ns, START_WALL + 10 * HOUR);
    assert_int_equal(view.next_ns, START_WALL + 11 * HOUR);
    pawl_view_release(&view);
    house_restart(&house);
    view = get(f, "cron");
    assert_int_equal(view.version, 2);
    assert_int_equal(view.missed, 9);
    pawl_view_release(&view);
    view = get(f, "later");
    assert_int_equal(view.next_ns, START_WALL + 11 * HOUR);
    pawl_view_release(&view);
    fixture_advance(f, HOUR - SECOND);
    view = await_version(f, "later", 2);
    assert_int_equal(view.results[0]->scheduled_ns, START_WALL + 11 * HOUR);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static void
test_what_is_over_for_long_is_gone(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house.keep_finished_ns = 10 * SECOND;
    house_begin(&house);
    submit(f, "ran", PAWL_DELAY, 0, "true");
    view = await_version(f, "ran", 2);
    pawl_view_release(&view);
    submit(f, "stopped", PAWL_DELAY, HOUR, "true");
    assert_int_equal(stop(f, "stopped"), PAWL_OK);
    submit(f, "cron", PAWL_CRON, HOUR, "true");
    assert_int_equal(stop(f, "cron"), PAWL_OK);
    fixture_advance(f, 6 * SECOND);
    submit(f, "young", PAWL_DELAY, HOUR, "true");
    assert_int_equal(stop(f, "young"), PAWL_OK);
    house_pass(&house, 5 * SECOND);
    assert_false(is_there(f, "ran"));
    assert_false(is_there(f, "stopped"));
    assert_true(is_there(f, "young"));
    assert_true(is_there(f, "cron"));
    assert_int_equal(stats_of(f).tasks, 2);
    assert_int_equal(stats_of(f).memory_bytes, 8);
    house.keep_finished_ns = INT64_MAX;
    house_restart(&house);
    assert_false(is_there(f, "ran"));           /* in the store, too */
    assert_true(is_there(f, "young"));
    house.keep_finished_ns = 10 * SECOND;
    house_restart(&house);
    fixture_advance(f, 5 * SECOND);             /* ten in all, whatever was restarted meanwhile */
    await(!is_there(f, "young"));
    house_end(&house);
    house_fini(&house);
}

static void
test_id_of_a_restored_task_is_taken_and_freed(void **state)
{
    struct house house;
    struct fixture *f = &house.f;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(f, "a", PAWL_CRON, HOUR, "true");
    house_restart(&house);
    assert_int_equal(try_submit(f, "a", PAWL_DELAY, HOUR, "true", NULL), PAWL_EEXIST);
    assert_int_equal(stop(f, "a"), PAWL_OK);
    assert_int_equal(delete(f, "a"), PAWL_OK);
    submit(f, "a", PAWL_DELAY, HOUR, "true");
    house_restart(&house);
    assert_int_equal(version_of(f, "a"), 0);
    assert_int_equal(stats_of(f).tasks, 1);
    house_end(&house);
    house_fini(&house);
}

/* --- Clocks --- */

static void
set_clock(struct house *house, const char *boot, int64_t elapsed_ns, int64_t wall_ns)
{
    house->f.clock.name = boot;
    atomic_store(&house->f.clock.elapsed, elapsed_ns);
    atomic_store(&house->f.clock.offset, wall_ns - elapsed_ns);
}

/* Whether the task runs after exactly so long. */
static void
check_span(struct fixture *f, const char *id, int64_t left_ns)
{
    struct pawl_view view;

    fixture_advance(f, left_ns - 1);
    submit(f, "now", PAWL_DELAY, 0, "true");        /* the ticker has looked */
    view = await_version(f, "now", 2);
    pawl_view_release(&view);
    view = get(f, id);
    assert_int_equal(view.run_count, 0);
    pawl_view_release(&view);
    fixture_advance(f, 1);
    view = await_version(f, id, 2);
    assert_int_equal(view.run_count, 1);
    pawl_view_release(&view);
}

static void
test_wall_clock_that_was_set_meanwhile_moves_nothing(void **state)
{
    static const int64_t jumps[] = {HOUR, -HOUR, 1000 * HOUR, -1000 * HOUR};

    (void) state;
    for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
        struct house house;
        struct fixture *f = &house.f;

        house_init(&house);
        house_begin(&house);
        submit(f, "a", PAWL_DELAY, 100 * SECOND, "true");
        fixture_advance(f, 10 * SECOND);
        house_end(&house);
        set_clock(&house, "manual", 1050 * SECOND, START_WALL + 50 * SECOND + jumps[i]);
        house_begin(&house);
        check_span(f, "a", 50 * SECOND);
        house_end(&house);
        house_fini(&house);
    }
}

static void
test_other_boot_keeps_wall_due_times(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(f, "a", PAWL_DELAY, 100 * SECOND, "true");
    submit(f, "cron", PAWL_CRON, 30 * SECOND, "true");
    house_end(&house);
    set_clock(&house, "second", 7 * SECOND, START_WALL + 20 * SECOND);
    house_begin(&house);
    view = get(f, "a");
    assert_int_equal(view.next_ns, START_WALL + 100 * SECOND);
    pawl_view_release(&view);
    house_end(&house);
    set_clock(&house, "third", 900000 * SECOND, START_WALL + 25 * SECOND);
    house_begin(&house);
    view = get(f, "cron");
    assert_int_equal(view.next_ns, START_WALL + 30 * SECOND);
    assert_int_equal(view.run_count, 0);
    pawl_view_release(&view);
    check_span(f, "a", 75 * SECOND);
    house_end(&house);
    house_fini(&house);
}

static void
test_other_boot_behind_the_last_moment_goes_on_from_there(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(f, "a", PAWL_DELAY, 100 * SECOND, "true");
    submit(f, "ran", PAWL_DELAY, 5 * SECOND, "true");
    submit(f, "cron", PAWL_CRON, 60 * SECOND, "true");
    run_once(f, "ran", 5 * SECOND);
    fixture_advance(f, 35 * SECOND);
    house_end(&house);                              /* at 40 s */
    set_clock(&house, "second", 3 * SECOND, START_WALL - 24 * HOUR);
    house_begin(&house);
    assert_int_equal(version_of(f, "ran"), 2);
    view = get(f, "cron");
    assert_int_equal(view.next_ns, START_WALL - 24 * HOUR + 20 * SECOND);
    pawl_view_release(&view);
    check_span(f, "a", 60 * SECOND);
    view = get(f, "ran");
    assert_int_equal(view.run_count, 1);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static void
test_other_boot_while_the_engine_ran_for_long(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(f, "cron", PAWL_CRON, 60 * SECOND, "true");
    run_once(f, "cron", 60 * SECOND);
    atomic_fetch_add(&f->clock.offset, HOUR);       /* the wall clock is set under the engine */
    run_once(f, "cron", 60 * SECOND);
    house_end(&house);
    set_clock(&house, "second", 0, START_WALL + HOUR + 150 * SECOND);
    house_begin(&house);
    view = get(f, "cron");
    assert_int_equal(view.run_count, 2);
    assert_int_equal(view.next_ns, START_WALL + HOUR + 180 * SECOND);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

/* --- Stores that cannot be read --- */

static char *
read_whole(const struct house *house, const char *name, size_t *out_size)
{
    char path[96], *bytes = NULL;
    struct stat stat;
    int fd;

    snprintf(path, sizeof path, "%s/%s", house->dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &stat) == 0);
    *out_size = (size_t) stat.st_size;
    bytes = malloc(*out_size + 1);
    assert_int_equal(read(fd, bytes, *out_size), stat.st_size);
    close(fd);
    return bytes;
}

static void
write_at(const struct house *house, const char *name, off_t at, const void *bytes, size_t n)
{
    char path[96];
    int fd;

    snprintf(path, sizeof path, "%s/%s", house->dir, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

/* Where n bytes are in the file. */
static off_t
place_of(const struct house *house, const char *name, const char *text)
{
    size_t size;
    char *bytes = read_whole(house, name, &size), *found;
    off_t at;

    found = memmem(bytes, size, text, strlen(text));
    assert_non_null(found);
    at = found - bytes;
    free(bytes);
    return at;
}

static void
check_is_refused_untouched(struct house *house, int code)
{
    struct pawl_err err = {0};
    size_t sizes[2];
    char *bytes[2];

    bytes[0] = read_whole(house, "pawl.db", &sizes[0]);
    assert_int_equal(house_try_begin(house, &err), code);
    assert_int_equal(err.code, code);
    assert_true(strlen(err.text) > 20);
    bytes[1] = read_whole(house, "pawl.db", &sizes[1]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void
test_store_of_a_newer_version_is_left_alone(void **state)
{
    struct house house;
    unsigned char version[4] = {0, 0, 0, 99}, old[4];
    size_t size;
    char *bytes;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(&house.f, "a", PAWL_DELAY, HOUR, "true");
    house_end(&house);
    bytes = read_whole(&house, "pawl.db", &size);
    memcpy(old, bytes + 60, 4);                     /* PRAGMA user_version */
    free(bytes);
    write_at(&house, "pawl.db", 60, version, 4);
    check_is_refused_untouched(&house, PAWL_EDAMAGED);
    write_at(&house, "pawl.db", 60, old, 4);
    house_begin(&house);
    assert_true(is_there(&house.f, "a"));
    house_end(&house);
    house_fini(&house);
}

static void
test_damaged_store_is_left_alone(void **state)
{
    struct house house;
    off_t at;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(&house.f, "unmistakable", PAWL_DELAY, HOUR, "true");
    submit(&house.f, "other", PAWL_DELAY, HOUR, "true");
    house_end(&house);
    at = place_of(&house, "pawl.db", "unmistakable");
    write_at(&house, "pawl.db", at, "un\377istakable", 12);     /* no UTF-8 */
    check_is_refused_untouched(&house, PAWL_EDAMAGED);
    write_at(&house, "pawl.db", at, "unmistakable", 12);
    write_at(&house, "pawl.db", 0, "no database at all", 18);
    check_is_refused_untouched(&house, PAWL_EDAMAGED);
    write_at(&house, "pawl.db", 0, "SQLite format 3\0\020", 18);
    house_begin(&house);
    assert_true(is_there(&house.f, "unmistakable"));
    house_end(&house);
    house_fini(&house);
}

static void
test_two_tasks_of_one_id_are_refused_and_left_alone(void **state)
{
    struct house house;
    off_t at;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(&house.f, "a", PAWL_DELAY, HOUR, "true");
    submit(&house.f, "twin one", PAWL_DELAY, HOUR, "true");
    submit(&house.f, "twin two", PAWL_DELAY, HOUR, "true");
    house_end(&house);
    at = place_of(&house, "pawl.db", "twin two");
    write_at(&house, "pawl.db", at, "twin one", 8);
    check_is_refused_untouched(&house, PAWL_EDAMAGED);
    write_at(&house, "pawl.db", at, "twin two", 8);
    house_begin(&house);
    house_end(&house);
    house_fini(&house);
}

static void
test_damaged_table_of_runs_is_left_alone(void **state)
{
    struct house house;
    struct pawl_err err = {0};
    char *bytes;
    size_t size;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit(&house.f, "a", PAWL_DELAY, HOUR, "true");
    house_end(&house);
    bytes = read_whole(&house, "runs", &size);
    write_at(&house, "runs", 0, "garbage!", 8);
    assert_int_equal(house_try_begin(&house, &err), PAWL_EDAMAGED);
    write_at(&house, "runs", 0, bytes, 8);
    free(bytes);
    house_begin(&house);
    assert_true(is_there(&house.f, "a"));
    house_end(&house);
    house_fini(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_comes_back_as_it_was),
        cmocka_unit_test(test_order_goes_on_behind_what_there_was),
        cmocka_unit_test(test_interval_keeps_its_phase),
        cmocka_unit_test(test_what_is_overdue_runs_once_at_once),
        cmocka_unit_test(test_what_is_over_for_long_is_gone),
        cmocka_unit_test(test_id_of_a_restored_task_is_taken_and_freed),
        cmocka_unit_test(test_wall_clock_that_was_set_meanwhile_moves_nothing),
        cmocka_unit_test(test_other_boot_keeps_wall_due_times),
        cmocka_unit_test(test_other_boot_behind_the_last_moment_goes_on_from_there),
        cmocka_unit_test(test_other_boot_while_the_engine_ran_for_long),
        cmocka_unit_test(test_store_of_a_newer_version_is_left_alone),
        cmocka_unit_test(test_damaged_store_is_left_alone),
        cmocka_unit_test(test_two_tasks_of_one_id_are_refused_and_left_alone),
        cmocka_unit_test(test_damaged_table_of_runs_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
