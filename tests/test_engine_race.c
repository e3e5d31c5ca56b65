/* test_engine_race.c: two threads meet on one task of a whole engine, again and again, and the
 * answers must fit what is left. Clients' calls race on the manual clock, where nothing runs;
 * stop and delete race against real starts on the system's. */
#include "race.h"

#include "engine_fixture.h"

#define REAL_ROUNDS (race_rounds() / 25)    /* each starts a process */
#define REAL_HEAD_START 200000              /* turns: some hundred microseconds */

struct side {
    struct pawl_handle *handle;
    int wake_fd;
    int code;
    uint64_t seq;                   /* of the task that a submit made */
    bool has_watch;
    struct awaited awaited;
};

struct arena {
    struct pawl_clock_manual clock;
    struct pawl *engine;
    struct side sides[2];
    unsigned head_start;            /* of the other side, in turns of a loop: varied, so that the
                                     * two meet at every place */
    struct race race;
};

static void
arena_wake(void *ctx)
{
    eventfd_write(((struct side *) ctx)->wake_fd, 1);
}

static void
arena_begin(struct arena *arena, bool is_real, void (*left)(void *), void (*right)(void *))
{
    struct pawl_options options;
    struct pawl_err err = {0};

    *arena = (struct arena) {0};
    pawl_clock_manual_init(&arena->clock, 1000 * SECOND, START_WALL - 1000 * SECOND);
    pawl_options_init(&options);
    options.nworkers = 2;
    options.clock = is_real ? NULL : &arena->clock.clock;
    if (pawl_open(&options, &arena->engine, &err) != PAWL_OK)
        fail_msg("pawl_open: %s", err.text);
    for (int i = 0; i < 2; i++) {
        struct side *side = &arena->sides[i];

        side->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_int_equal(pawl_attach(arena->engine, arena_wake, side, &side->handle), PAWL_OK);
    }
    race_begin(&arena->race, left, right, arena);
}

/* All that was submitted is deleted, so nothing may be left. */
static void
arena_end(struct arena *arena)
{
    struct pawl_stats stats;

    race_end(&arena->race);
    pawl_stats(arena->engine, &stats);
    for (int ms = 0; ms < WAIT_MS && (stats.running > 0 || stats.started != stats.finished); ms++) {
        usleep(1000);
        pawl_stats(arena->engine, &stats);
    }
    assert_int_equal(stats.tasks, 0);
    assert_int_equal(stats.pending, 0);
    assert_int_equal(stats.running, 0);
    assert_int_equal(stats.memory_bytes, 0);
    assert_int_equal(stats.started, stats.finished);
    for (int i = 0; i < 2; i++) {
        pawl_detach(arena->sides[i].handle);
        close(arena->sides[i].wake_fd);
    }
    pawl_close(arena->engine);
}

/* --- What a side does --- */

static void
give_head_start(const struct arena *arena)
{
    for (volatile unsigned i = 0; i < arena->head_start; i++)
        ;
}

static void
do_submit(struct side *side, int64_t time_ns)
{
    struct pawl_spec spec = {
        .id = "id", .id_len = 2, .type = PAWL_DELAY, .time_ns = time_ns, .script = ":",
        .script_len = 1, .keep_results = -1,
    };
    struct pawl_op op = {0};

    side->code = pawl_submit(side->handle, &spec, &op, NULL);
    side->seq = side->code == PAWL_OK ? op.view.seq : 0;
    if (op.has_view)
        pawl_view_release(&op.view);
}

static void
do_delete(struct side *side)
{
    struct pawl_op op = {0};

    side->code = pawl_delete(side->handle, "id", 2, false, &op, NULL);
}

static void
do_stop(struct side *side)
{
    struct pawl_op op = {0};

    side->code = pawl_stop(side->handle, "id", 2, false, &op, NULL);
    if (op.has_view)
        pawl_view_release(&op.view);
}

static void
do_watch(struct side *side)
{
    struct pawl_view view;

    side->awaited = (struct awaited) {.watch.changed = awaited_cb};
    side->code = pawl_watch(side->handle, "id", 2, 0, &side->awaited.watch, &view);
    if (side->code == PAWL_OK) {
        side->awaited.version = view.version;
        pawl_view_release(&view);
    }
}

static void
left_submits(void *ctx)
{
    give_head_start(ctx);
    do_submit(&((struct arena *) ctx)->sides[0], 10 * SECOND);
    pawl_rest(((struct arena *) ctx)->sides[0].handle);
}

static void
right_submits(void *ctx)
{
    do_submit(&((struct arena *) ctx)->sides[1], 10 * SECOND);
    pawl_rest(((struct arena *) ctx)->sides[1].handle);
}

static void
left_submits_at_once(void *ctx)
{
    do_submit(&((struct arena *) ctx)->sides[0], 0);
}

static void
right_deletes(void *ctx)
{
    do_delete(&((struct arena *) ctx)->sides[1]);
    pawl_rest(((struct arena *) ctx)->sides[1].handle);
}

static void
right_stops(void *ctx)
{
    do_stop(&((struct arena *) ctx)->sides[1]);
    pawl_rest(((struct arena *) ctx)->sides[1].handle);
}

static void
left_watches(void *ctx)
{
    give_head_start(ctx);
    do_watch(&((struct arena *) ctx)->sides[0]);
}

/* Stops or deletes the task as soon as it is there, as near to its start as may be. */
static void
right_stops_what_starts(void *ctx)
{
    struct side *side = &((struct arena *) ctx)->sides[1];

    give_head_start(ctx);
    do {
        do_stop(side);
    } while (side->code == PAWL_ENOENT);
}

static void
right_deletes_what_starts(void *ctx)
{
    struct side *side = &((struct arena *) ctx)->sides[1];

    give_head_start(ctx);
    do {
        do_delete(side);
    } while (side->code == PAWL_ENOENT);
}

/* --- Between rounds: the sides rest, so their handles are the test's --- */

static bool
exists(struct side *side, struct pawl_view *out_view)
{
    return pawl_get(side->handle, "id", 2, out_view) == PAWL_OK;
}

/* Waits until the watch of the side is over. */
static void
await(struct side *side)
{
    struct pollfd poll_fd = {.fd = side->wake_fd, .events = POLLIN};
    eventfd_t ignored;

    while (!side->awaited.is_over) {
        if (poll(&poll_fd, 1, WAIT_MS) != 1)
            fail_msg("a wake-up was missed: nothing came in %d ms", WAIT_MS);
        eventfd_read(side->wake_fd, &ignored);
        pawl_deliver(side->handle);
    }
}

/* --- The races --- */

static void
test_submit_against_submit_lets_exactly_one_win(void **state)
{
    struct arena arena;

    (void) state;
    arena_begin(&arena, false, left_submits, right_submits);
    for (unsigned i = 0; i < race_rounds(); i++) {
        struct side *winner, *loser;
        struct pawl_view view;

        race_round(&arena.race);
        winner = &arena.sides[arena.sides[0].code == PAWL_OK ? 0 : 1];
        loser = &arena.sides[winner == arena.sides];
        assert_int_equal(winner->code, PAWL_OK);
        assert_int_equal(loser->code, PAWL_EEXIST);
        assert_true(exists(loser, &view));
        assert_true(view.seq == winner->seq);
        pawl_view_release(&view);
        do_delete(loser);
        assert_int_equal(loser->code, PAWL_OK);
        assert_false(exists(winner, &view));
    }
    arena_end(&arena);
}

static void
test_submit_against_delete_leaves_what_the_answers_say(void **state)
{
    struct arena arena;
    unsigned replaced = 0;

    (void) state;
    arena_begin(&arena, false, left_submits, right_deletes);
    for (unsigned i = 0; i < race_rounds(); i++) {
        struct side *left = &arena.sides[0], *right = &arena.sides[1];
        bool was_there = i % 2 == 0, is_there;
        uint64_t old_seq = 0;
        struct pawl_view view;

        arena.head_start = i % 997;
        if (was_there) {
            do_submit(left, SECOND);
            assert_int_equal(left->code, PAWL_OK);
            old_seq = left->seq;
        }
        race_round(&arena.race);
        is_there = exists(left, &view);
        assert_int_equal(is_there, was_there + (left->code == PAWL_OK) - (right->code == PAWL_OK));
        if (was_there) {
            assert_int_equal(right->code, PAWL_OK);
            assert_true(left->code == PAWL_OK || left->code == PAWL_EEXIST);
            replaced += left->code == PAWL_OK;
        } else {
            assert_int_equal(left->code, PAWL_OK);
        }
        if (is_there) {
            assert_true(view.seq == left->seq && view.seq != old_seq);
            pawl_view_release(&view);
            do_delete(right);
            assert_int_equal(right->code, PAWL_OK);
        }
    }
    print_message("replaced %u of %u\n", replaced, race_rounds() / 2);
    arena_end(&arena);
}

static void
race_watch(void (*right)(void *), bool is_delete)
{
    struct arena arena;
    unsigned waited = 0;

    arena_begin(&arena, false, left_watches, right);
    for (unsigned i = 0; i < race_rounds(); i++) {
        struct side *left = &arena.sides[0], *other = &arena.sides[1];

        arena.head_start = i % 997;
        do_submit(left, SECOND);
        assert_int_equal(left->code, PAWL_OK);
        race_round(&arena.race);
        assert_int_equal(other->code, PAWL_OK);
        if (left->code == PAWL_PENDING) {
            waited++;
            await(left);
            assert_int_equal(left->awaited.is_gone, is_delete);
            assert_int_equal(left->awaited.version, is_delete ? -1 : 1);
        } else if (is_delete) {
            assert_int_equal(left->code, PAWL_ENOENT);
        } else {
            assert_int_equal(left->code, PAWL_OK);
            assert_int_equal(left->awaited.version, 1);
        }
        if (!is_delete) {
            do_delete(other);
            assert_int_equal(other->code, PAWL_OK);
        }
    }
    print_message("waited in %u of %u\n", waited, race_rounds());
    arena_end(&arena);
}

static void
test_watch_against_change_misses_none(void **state)
{
    (void) state;
    race_watch(right_stops, false);
}

static void
test_watch_against_delete_misses_none(void **state)
{
    (void) state;
    race_watch(right_deletes, true);
}

static void
test_stop_against_real_start_runs_or_stops(void **state)
{
    struct arena arena;
    unsigned stopped = 0;

    (void) state;
    arena_begin(&arena, true, left_submits_at_once, right_stops_what_starts);
    for (unsigned i = 0; i < REAL_ROUNDS; i++) {
        struct side *left = &arena.sides[0], *right = &arena.sides[1];
        struct pawl_view view;

        arena.head_start = i * 97 % REAL_HEAD_START;
        race_round(&arena.race);
        assert_int_equal(left->code, PAWL_OK);
        assert_true(right->code == PAWL_OK || right->code == PAWL_ESTATE);
        assert_true(exists(left, &view));
        while (right->code == PAWL_ESTATE && view.status != PAWL_EXECUTED) {
            int64_t seen = view.version;

            assert_true(view.status == PAWL_EXECUTING);
            pawl_view_release(&view);
            left->awaited = (struct awaited) {.watch.changed = awaited_cb};
            left->code = pawl_watch(left->handle, "id", 2, seen, &left->awaited.watch, &view);
            if (left->code == PAWL_PENDING) {
                await(left);
                assert_true(exists(left, &view));
            } else {
                assert_int_equal(left->code, PAWL_OK);
            }
        }
        assert_int_equal(view.version, right->code == PAWL_OK ? 1 : 2);
        assert_int_equal(view.run_count, right->code == PAWL_OK ? 0 : 1);
        assert_int_equal(view.status, right->code == PAWL_OK ? PAWL_STOPPED : PAWL_EXECUTED);
        stopped += right->code == PAWL_OK;
        pawl_view_release(&view);
        do_delete(left);
        assert_int_equal(left->code, PAWL_OK);
    }
    print_message("stop won %u of %u\n", stopped, REAL_ROUNDS);
    arena_end(&arena);
}

static void
test_delete_against_real_start_leaves_nothing(void **state)
{
    struct arena arena;
    struct pawl_view view;

    (void) state;
    arena_begin(&arena, true, left_submits_at_once, right_deletes_what_starts);
    for (unsigned i = 0; i < REAL_ROUNDS; i++) {
        arena.head_start = i * 97 % REAL_HEAD_START;
        race_round(&arena.race);
        assert_int_equal(arena.sides[0].code, PAWL_OK);
        assert_int_equal(arena.sides[1].code, PAWL_OK);
        assert_false(exists(&arena.sides[0], &view));
    }
    arena_end(&arena);
}

/* --- Detaching --- */

struct bell {
    struct pawl_handle *handle;
    struct awaited awaited;
    _Atomic bool is_detached, is_late;
};

static struct bell bell;        /* of the round; the sides of a race know no more than the arena */

/* A wake-up that takes its time, as one does whose thread has lost the processor. */
static void
slow_wake(void *ctx)
{
    struct bell *rung = ctx;

    for (int i = 0; i < 3; i++)
        sched_yield();
    if (atomic_load(&rung->is_detached))
        atomic_store(&rung->is_late, true);
}

static void
left_detaches(void *ctx)
{
    (void) ctx;
    pawl_detach(bell.handle);
    atomic_store(&bell.is_detached, true);
}

/* After a detach nobody wakes: what wake() was given may be gone. */
static void
test_detach_waits_for_wake_ups_under_way(void **state)
{
    struct arena arena;

    (void) state;
    arena_begin(&arena, false, left_detaches, right_deletes);
    for (unsigned i = 0; i < race_rounds(); i++) {
        struct side *other = &arena.sides[1];
        struct pawl_view view;

        bell = (struct bell) {.awaited.watch.changed = awaited_cb};
        assert_int_equal(pawl_attach(arena.engine, slow_wake, &bell, &bell.handle), PAWL_OK);
        do_submit(other, SECOND);
        assert_int_equal(other->code, PAWL_OK);
        assert_int_equal(pawl_watch(bell.handle, "id", 2, 0, &bell.awaited.watch, &view),
                         PAWL_PENDING);
        race_round(&arena.race);
        assert_int_equal(other->code, PAWL_OK);
        assert_false(atomic_load(&bell.is_late));
    }
    arena_end(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submit_against_submit_lets_exactly_one_win),
        cmocka_unit_test(test_submit_against_delete_leaves_what_the_answers_say),
        cmocka_unit_test(test_watch_against_change_misses_none),
        cmocka_unit_test(test_watch_against_delete_misses_none),
        cmocka_unit_test(test_stop_against_real_start_runs_or_stops),
        cmocka_unit_test(test_delete_against_real_start_leaves_nothing),
        cmocka_unit_test(test_detach_waits_for_wake_ups_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
