/* test_show_race.c: the hand-overs between a task's events and the committer, a hundred thousand
 * times each: what is shown never goes backwards, a slot of the table of runs has one who clears it, and
 * no change is left unwritten. */
#include "durable_fixture.h"
#include "race.h"

#include "committer.h"

struct arena {
    struct pawl_epoch epoch;
    struct pawl_index *index;
    struct pawl_epoch_thread *own, *threads[2];
    struct pawl_task *task;
    struct pawl_runtable table;
    struct pawl_snapshot *held[2];      /* by the test: two states that are not shown */
    struct pawl_event event;            /* of the right side */
    bool shown[2];
    uint32_t released;
    int code;
};

static struct pawl_epoch_thread *
thread_of(struct arena *arena, int side)
{
    if (!arena->threads[side])
        arena->threads[side] = pawl_epoch_register(&arena->epoch);
    return arena->threads[side];
}

static int
apply(struct arena *arena, struct pawl_epoch_thread *thread, struct pawl_event *event)
{
    int code = pawl_task_apply(arena->task, thread, event, NULL);

    pawl_snapshot_free_unused(event->spare);
    if (event->def)
        pawl_def_unref(event->def);
    return code;
}

/* --- The sides --- */

static void
show_first(void *ctx)
{
    struct arena *arena = ctx;

    arena->shown[0] = pawl_task_show(arena->task, thread_of(arena, 0), arena->held[0]);
    pawl_epoch_rest(arena->threads[0]);
}

static void
show_second(void *ctx)
{
    struct arena *arena = ctx;

    arena->shown[1] = pawl_task_show(arena->task, thread_of(arena, 1), arena->held[1]);
    pawl_epoch_rest(arena->threads[1]);
}

static void
release(void *ctx)
{
    struct arena *arena = ctx;

    arena->released = pawl_task_release_slot(arena->task, thread_of(arena, 0), arena->held[0]);
    pawl_epoch_rest(arena->threads[0]);
}

static void
hold_and_let_go(void *ctx)
{
    struct arena *arena = ctx;

    arena->held[0] = pawl_task_hold(arena->task, thread_of(arena, 0));
    arena->code = arena->held[0] ? (int) arena->held[0]->version : -1;
    pawl_task_let_go(arena->threads[0], arena->held[0]);
    pawl_epoch_rest(arena->threads[0]);
}

static void
apply_event(void *ctx)
{
    struct arena *arena = ctx;

    arena->code = apply(arena, thread_of(arena, 1), &arena->event);
    pawl_epoch_rest(arena->threads[1]);
}

static void
apply_beside_hold(void *ctx)
{
    struct arena *arena = ctx;

    assert_int_equal(apply(arena, thread_of(arena, 1), &arena->event), PAWL_OK);
    pawl_epoch_rest(arena->threads[1]);
}

/* --- A round --- */

static struct pawl_event
event_of(enum pawl_event_kind kind, int64_t now_ns)
{
    return (struct pawl_event) {.kind = kind, .now_ns = now_ns, .wall_ns = now_ns,
                                .is_deferred = true, .slot = PAWL_SLOT_NONE};
}

static struct pawl_result_box *
new_box(void)
{
    struct pawl_result result = {.run = 1, .out = "output", .out_len = 6, .err = ""};
    struct pawl_result_box *box = pawl_result_box_new(&result);

    assert_non_null(box);
    return box;
}

/* A cron task whose first run was shown to begin, and whose end is decided, but not shown: held[0].
 * The next run is due at twice the interval. */
static void
prepare(struct arena *arena, bool has_slot)
{
    struct pawl_spec spec = {
        .id = "id", .id_len = 2, .type = PAWL_CRON, .time_ns = PAWL_INTERVAL_MIN_NS,
        .script = "true", .script_len = 4, .keep_results = 3,
    };
    struct pawl_event started = event_of(PAWL_EVENT_START, PAWL_INTERVAL_MIN_NS);
    struct pawl_event finished = event_of(PAWL_EVENT_FINISH, PAWL_INTERVAL_MIN_NS);
    struct pawl_snapshot *first;

    arena->task = pawl_task_new(arena->index, &spec, 10, NULL, &(struct pawl_now) {0}, &first);
    arena->task->seq = 1;
    pawl_task_publish(arena->task, arena->own, first);
    if (has_slot) {
        started.table = &arena->table;
        started.slot = 0;
    }
    assert_int_equal(apply(arena, arena->own, &started), PAWL_OK);
    assert_true(started.is_shown);
    finished.box = new_box();
    assert_int_equal(apply(arena, arena->own, &finished), PAWL_OK);
    assert_false(finished.is_shown);
    pawl_result_unref(&finished.box->result);
    arena->held[0] = pawl_task_hold(arena->task, arena->own);
    arena->held[1] = NULL;
    assert_int_equal(arena->held[0]->version, 2);
}

static const struct pawl_snapshot *
shown(struct arena *arena)
{
    const struct pawl_snapshot *snapshot;

    pawl_epoch_begin(arena->own);
    snapshot = pawl_task_read(arena->task, NULL);
    pawl_epoch_end(arena->own);
    return snapshot;            /* it stays: nothing else happens between two rounds */
}

static void
end_round(struct arena *arena)
{
    for (int i = 0; i < 2; i++)
        pawl_task_let_go(arena->own, arena->held[i]);
    pawl_task_unref(arena->task);
    pawl_epoch_rest(arena->own);
}

static void
arena_begin(struct arena *arena, struct race *race, void (*left)(void *), void (*right)(void *))
{
    char dir[] = "/tmp/pawl-race-XXXXXX";
    int dir_fd;

    *arena = (struct arena) {0};
    pawl_epoch_init(&arena->epoch);
    arena->index = pawl_index_new();
    arena->own = pawl_epoch_register(&arena->epoch);
    assert_non_null(mkdtemp(dir));
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(pawl_runtable_open(&arena->table, dir_fd, 2, NULL), PAWL_OK);
    unlinkat(dir_fd, "runs", 0);
    close(dir_fd);
    rmdir(dir);
    race_begin(race, left, right, arena);
}

static void
arena_end(struct arena *arena, struct race *race)
{
    race_end(race);
    for (int i = 0; i < 2; i++) {
        if (arena->threads[i])
            pawl_epoch_unregister(&arena->epoch, arena->threads[i]);
    }
    pawl_epoch_unregister(&arena->epoch, arena->own);
    pawl_runtable_close(&arena->table);
    pawl_index_free(arena->index);
    pawl_epoch_fini(&arena->epoch);
}

/* --- The races --- */

static void
test_show_against_show_never_goes_backwards(void **state)
{
    struct arena arena;
    struct race race;

    (void) state;
    arena_begin(&arena, &race, show_first, show_second);
    for (unsigned i = 0; i < race_rounds(); i++) {
        prepare(&arena, false);
        arena.event = event_of(PAWL_EVENT_STOP, PAWL_INTERVAL_MIN_NS);
        assert_int_equal(apply(&arena, arena.own, &arena.event), PAWL_OK);
        arena.held[1] = pawl_task_hold(arena.task, arena.own);
        race_round(&race);
        assert_true(arena.shown[1]);
        assert_ptr_equal(shown(&arena), arena.held[1]);
        assert_false(pawl_task_show(arena.task, arena.own, arena.held[0]));
        end_round(&arena);
    }
    arena_end(&arena, &race);
}

static void
test_show_against_gone_ends_gone(void **state)
{
    struct arena arena;
    struct race race;

    (void) state;
    arena_begin(&arena, &race, show_first, show_second);    /* the second one holds nothing: gone */
    for (unsigned i = 0; i < race_rounds(); i++) {
        prepare(&arena, false);
        arena.event = event_of(PAWL_EVENT_DELETE, PAWL_INTERVAL_MIN_NS);
        assert_int_equal(apply(&arena, arena.own, &arena.event), PAWL_OK);
        race_round(&race);
        assert_true(arena.shown[1]);
        assert_null(shown(&arena));
        end_round(&arena);
    }
    arena_end(&arena, &race);
}

static void
test_show_against_start_is_shown_by_one_of_them(void **state)
{
    struct arena arena;
    struct race race;
    unsigned nshown = 0;

    (void) state;
    arena_begin(&arena, &race, show_first, apply_event);
    for (unsigned i = 0; i < race_rounds(); i++) {
        prepare(&arena, false);
        arena.event = event_of(PAWL_EVENT_START, 2 * PAWL_INTERVAL_MIN_NS);
        race_round(&race);
        assert_int_equal(arena.code, PAWL_OK);
        assert_true(arena.shown[0]);
        assert_int_equal(shown(&arena)->version, arena.event.is_shown ? 3 : 2);
        nshown += arena.event.is_shown;
        arena.held[1] = pawl_task_hold(arena.task, arena.own);
        assert_int_equal(pawl_task_show(arena.task, arena.own, arena.held[1]),
                         !arena.event.is_shown);
        assert_int_equal(shown(&arena)->version, 3);
        end_round(&arena);
    }
    print_message("%u of %u starts were shown at once\n", nshown, race_rounds());
    arena_end(&arena, &race);
}

static void
test_show_against_trim_loses_neither(void **state)
{
    struct arena arena;
    struct race race;

    (void) state;
    arena_begin(&arena, &race, show_first, apply_event);
    for (unsigned i = 0; i < race_rounds(); i++) {
        prepare(&arena, false);
        arena.event = event_of(PAWL_EVENT_TRIM, 2 * PAWL_INTERVAL_MIN_NS);
        arena.event.cutoff_ns = INT64_MAX;
        race_round(&race);
        assert_int_equal(arena.code, PAWL_OK);
        assert_true(arena.shown[0]);
        assert_int_equal(shown(&arena)->version, 2);
        assert_int_equal(shown(&arena)->results->bytes, arena.event.is_shown ? 0 : 6);
        arena.held[1] = pawl_task_hold(arena.task, arena.own);
        pawl_task_show(arena.task, arena.own, arena.held[1]);
        assert_int_equal(shown(&arena)->results->bytes, 0);
        end_round(&arena);
    }
    arena_end(&arena, &race);
}

static void
race_for_slot(enum pawl_event_kind kind)
{
    struct arena arena;
    struct race race;
    unsigned nreleased = 0;

    arena_begin(&arena, &race, release, apply_event);
    for (unsigned i = 0; i < race_rounds(); i++) {
        prepare(&arena, true);
        assert_true(pawl_task_show(arena.task, arena.own, arena.held[0]));
        arena.event = event_of(kind, 2 * PAWL_INTERVAL_MIN_NS);
        if (kind == PAWL_EVENT_START) {
            arena.event.table = &arena.table;
            arena.event.slot = 1;
            arena.event.chain_max = PAWL_SLOT_CHAIN_MAX;
        }
        race_round(&race);
        assert_int_equal(arena.code, PAWL_OK);
        assert_true(arena.released == 0 || arena.released == PAWL_SLOT_NONE);
        if (kind == PAWL_EVENT_START) {         /* it keeps the slot, too, if it was not released */
            assert_int_equal(arena.event.slot, PAWL_SLOT_NONE);
            assert_int_equal(arena.table.slots[1].previous, arena.released == 0 ? 0 : 1);
        } else {
            assert_int_equal(arena.event.slot, arena.released == 0 ? PAWL_SLOT_NONE : 0);
        }
        nreleased += arena.released == 0;
        pawl_slot_clear(&arena.table, 0);
        arena.held[1] = pawl_task_hold(arena.task, arena.own);
        if (kind == PAWL_EVENT_START) {
            assert_int_equal(arena.held[1]->slot, 1);
            assert_int_equal(arena.held[1]->version, 3);
            pawl_slot_clear(&arena.table, 1);
        } else {
            assert_null(arena.held[1]);
        }
        end_round(&arena);
    }
    print_message("released %u of %u times\n", nreleased, race_rounds());
    arena_end(&arena, &race);
}

static void
test_release_against_start_clears_the_slot_once(void **state)
{
    (void) state;
    race_for_slot(PAWL_EVENT_START);
}

static void
test_release_against_delete_clears_the_slot_once(void **state)
{
    (void) state;
    race_for_slot(PAWL_EVENT_DELETE);
}

static void
race_hold(enum pawl_event_kind kind, int code)
{
    struct arena arena;
    struct race race;

    arena_begin(&arena, &race, hold_and_let_go, apply_beside_hold);
    for (unsigned i = 0; i < race_rounds(); i++) {
        prepare(&arena, false);
        pawl_task_let_go(arena.own, arena.held[0]);
        arena.event = event_of(kind, 2 * PAWL_INTERVAL_MIN_NS);
        race_round(&race);
        assert_true(arena.code == 2 || arena.code == code);
        arena.held[0] = NULL;
        end_round(&arena);
    }
    arena_end(&arena, &race);
}

static void
test_hold_against_a_change_holds_what_was_decided(void **state)
{
    (void) state;
    race_hold(PAWL_EVENT_STOP, 3);
    race_hold(PAWL_EVENT_DELETE, -1);
}

/* Each end is marked while the committer may be at the start before it: it must be shown, though
 * nothing comes after it. */
static void
test_mark_against_collect_leaves_nothing_unshown(void **state)
{
    struct fake_store fake;
    struct fixture f;
    struct pawl_view view;
    struct pawl_task *task;

    (void) state;
    durable_open(&f, &fake);
    submit(&f, "a", PAWL_CRON, 3600 * SECOND, "true");
    view = get(&f, "a");
    task = view.private_task;
    for (unsigned i = 1; i <= race_rounds(); i++) {
        for (int kind = PAWL_EVENT_START; kind <= PAWL_EVENT_FINISH; kind++) {
            struct pawl_event event = event_of((enum pawl_event_kind) kind,
                                               (1 + i) * 3600 * SECOND);

            assert_int_equal(pawl_task_apply(task, f.handle->epoch, &event, NULL), PAWL_OK);
            if (event.def)
                pawl_def_unref(event.def);
            pawl_committer_mark(f.engine->committer, task);
        }
        await(version_of(&f, "a") == 2 * i);
        pawl_rest(f.handle);
    }
    pawl_view_release(&view);
    durable_close(&f, &fake);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_show_against_show_never_goes_backwards),
        cmocka_unit_test(test_show_against_gone_ends_gone),
        cmocka_unit_test(test_show_against_start_is_shown_by_one_of_them),
        cmocka_unit_test(test_show_against_trim_loses_neither),
        cmocka_unit_test(test_release_against_start_clears_the_slot_once),
        cmocka_unit_test(test_release_against_delete_clears_the_slot_once),
        cmocka_unit_test(test_hold_against_a_change_holds_what_was_decided),
        cmocka_unit_test(test_mark_against_collect_leaves_nothing_unshown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
