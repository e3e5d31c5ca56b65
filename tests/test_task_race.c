/* test_task_race.c: every race of the state table, a hundred thousand times each: two events meet
 * on one task, and the answers must fit the state that is left. */
#include "race.h"

#include "epoch.h"
#include "index.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct side {
    struct pawl_event event;
    struct pawl_epoch_thread *thread;
    int code;
};

struct arena {
    struct pawl_epoch epoch;
    struct pawl_index *index;
    struct pawl_epoch_thread *own;
    struct pawl_task *task;
    int64_t now_ns;
    struct side left, right;
};

static void
act(struct arena *arena, struct side *side)
{
    if (!side->thread)
        side->thread = pawl_epoch_register(&arena->epoch);
    side->code = pawl_task_apply(arena->task, side->thread, &side->event, NULL);
    pawl_snapshot_free_unused(side->event.spare);
    pawl_epoch_rest(side->thread);
}

static void
act_left(void *ctx)
{
    act(ctx, &((struct arena *) ctx)->left);
}

static void
act_right(void *ctx)
{
    act(ctx, &((struct arena *) ctx)->right);
}

static struct pawl_result_box *
box_new(void)
{
    struct pawl_result_box *box = calloc(1, sizeof *box);

    atomic_init(&box->refs, 1);
    box->result.out = box->result.err = "";
    return box;
}

static int
apply(struct arena *arena, enum pawl_event_kind kind, struct pawl_result_box *box)
{
    struct pawl_event event = {.kind = kind, .now_ns = arena->now_ns, .wall_ns = 10, .box = box};
    int code = pawl_task_apply(arena->task, arena->own, &event, NULL);

    pawl_snapshot_free_unused(event.spare);
    if (event.def)
        pawl_def_unref(event.def);
    return code;
}

/* A task that is due, or already started; a cron with a result of an earlier run, so that two
 * snapshots share one. */
static void
prepare(struct arena *arena, enum pawl_type type, bool is_started)
{
    struct pawl_spec spec = {
        .id = "id", .id_len = 2, .type = type, .time_ns = PAWL_INTERVAL_MIN_NS, .script = "true",
        .script_len = 4, .keep_results = 3,
    };
    struct pawl_snapshot *first;

    arena->now_ns = 10 * PAWL_INTERVAL_MIN_NS;
    arena->task = pawl_task_new(arena->index, &spec, 10, NULL, &(struct pawl_now) {0}, &first);
    pawl_task_publish(arena->task, arena->own, first);
    if (is_started && type == PAWL_CRON) {
        struct pawl_result_box *box = box_new();

        assert_int_equal(apply(arena, PAWL_EVENT_START, NULL), PAWL_OK);
        assert_int_equal(apply(arena, PAWL_EVENT_FINISH, box), PAWL_OK);
        pawl_result_unref(&box->result);
        arena->now_ns *= 2;
    }
    if (is_started)
        assert_int_equal(apply(arena, PAWL_EVENT_START, NULL), PAWL_OK);
}

static void
set_events(struct arena *arena, enum pawl_event_kind left, enum pawl_event_kind right,
           struct pawl_result_box *box)
{
    arena->left.event = (struct pawl_event) {.kind = left, .now_ns = arena->now_ns, .wall_ns = 10};
    arena->right.event = arena->left.event;
    arena->right.event.kind = right;
    if (left == PAWL_EVENT_FINISH)
        arena->left.event.box = box;
}

static struct pawl_view
look(struct arena *arena)
{
    const struct pawl_snapshot *snapshot;
    struct pawl_view view = {0};

    pawl_epoch_begin(arena->own);
    snapshot = pawl_task_read(arena->task, NULL);
    assert_non_null(snapshot);
    pawl_task_view(arena->task, snapshot, &(struct pawl_now) {10, 10, INT64_MIN, INT64_MIN}, false, &view);
    pawl_epoch_end(arena->own);
    return view;
}

static void
end_round(struct arena *arena)
{
    if (arena->left.event.def)
        pawl_def_unref(arena->left.event.def);
    if (arena->right.event.def)
        pawl_def_unref(arena->right.event.def);
    pawl_task_unref(arena->task);
    pawl_epoch_rest(arena->own);
}

static void
arena_begin(struct arena *arena, struct race *race)
{
    *arena = (struct arena) {0};
    pawl_epoch_init(&arena->epoch);
    arena->index = pawl_index_new();
    arena->own = pawl_epoch_register(&arena->epoch);
    race_begin(race, act_left, act_right, arena);
}

static void
arena_end(struct arena *arena, struct race *race)
{
    race_end(race);
    if (arena->left.thread)
        pawl_epoch_unregister(&arena->epoch, arena->left.thread);
    if (arena->right.thread)
        pawl_epoch_unregister(&arena->epoch, arena->right.thread);
    pawl_epoch_unregister(&arena->epoch, arena->own);
    pawl_index_free(arena->index);
    pawl_epoch_fini(&arena->epoch);
}

static void
test_stop_against_start_of_a_delay_lets_exactly_one_win(void **state)
{
    struct arena arena;
    struct race race;
    unsigned started = 0;

    (void) state;
    arena_begin(&arena, &race);
    for (unsigned i = 0; i < race_rounds(); i++) {
        struct pawl_view view;

        prepare(&arena, PAWL_DELAY, false);
        set_events(&arena, PAWL_EVENT_START, PAWL_EVENT_STOP, NULL);
        race_round(&race);
        view = look(&arena);
        assert_true((arena.left.code == PAWL_OK) != (arena.right.code == PAWL_OK));
        assert_int_equal(view.version, 1);
        if (arena.left.code == PAWL_OK) {
            assert_int_equal(arena.right.code, PAWL_ESTATE);
            assert_int_equal(view.status, PAWL_EXECUTING);
            assert_int_equal(view.running, 1);
            started++;
        } else {
            assert_int_equal(view.status, PAWL_STOPPED);
            assert_int_equal(view.running, 0);
            assert_true(view.next_ns == PAWL_NO_TIME);
        }
        pawl_view_release(&view);
        end_round(&arena);
    }
    print_message("start won %u of %u\n", started, race_rounds());
    arena_end(&arena, &race);
}

static void
test_stop_against_start_of_a_cron_is_stopped_either_way(void **state)
{
    struct arena arena;
    struct race race;

    (void) state;
    arena_begin(&arena, &race);
    for (unsigned i = 0; i < race_rounds(); i++) {
        bool started;
        struct pawl_view view;

        prepare(&arena, PAWL_CRON, false);
        set_events(&arena, PAWL_EVENT_START, PAWL_EVENT_STOP, NULL);
        race_round(&race);
        view = look(&arena);
        started = arena.left.code == PAWL_OK;
        assert_int_equal(arena.right.code, PAWL_OK);
        assert_int_equal(view.status, PAWL_STOPPED);
        assert_int_equal(view.running, started);
        assert_int_equal(view.version, started ? 2 : 1);
        assert_true(view.next_ns == PAWL_NO_TIME);
        pawl_view_release(&view);
        if (started) {
            assert_int_equal(apply(&arena, PAWL_EVENT_FINISH, NULL), PAWL_OK);
            view = look(&arena);
            assert_int_equal(view.status, PAWL_STOPPED);
            assert_int_equal(view.running, 0);
            assert_int_equal(view.version, 3);
            pawl_view_release(&view);
        }
        end_round(&arena);
    }
    arena_end(&arena, &race);
}

static void
race_finish_against(enum pawl_event_kind other, enum pawl_type type)
{
    struct arena arena;
    struct race race;

    arena_begin(&arena, &race);
    for (unsigned i = 0; i < race_rounds(); i++) {
        struct pawl_result_box *box = box_new();
        bool gone;

        prepare(&arena, type, true);
        set_events(&arena, PAWL_EVENT_FINISH, other, box);
        race_round(&race);
        pawl_epoch_begin(arena.own);
        pawl_task_read(arena.task, &gone);
        pawl_epoch_end(arena.own);
        assert_int_equal(gone, other == PAWL_EVENT_DELETE);
        if (other == PAWL_EVENT_DELETE) {
            assert_int_equal(arena.right.code, PAWL_OK);
            assert_true(arena.left.code == PAWL_OK || arena.left.code == PAWL_ENOENT);
        } else {
            struct pawl_view view = look(&arena);

            assert_int_equal(arena.left.code, PAWL_OK);
            assert_int_equal(arena.right.code, type == PAWL_CRON ? PAWL_OK : PAWL_ESTATE);
            assert_int_equal(view.status, type == PAWL_CRON ? PAWL_STOPPED : PAWL_EXECUTED);
            assert_int_equal(view.version, type == PAWL_CRON ? 5 : 2);
            assert_int_equal(view.running, 0);
            assert_int_equal(view.nresults, type == PAWL_CRON ? 2 : 1);
            pawl_view_release(&view);
        }
        pawl_result_unref(&box->result);
        end_round(&arena);
    }
    arena_end(&arena, &race);
}

static void
test_delete_against_finish_leaves_nothing(void **state)
{
    (void) state;
    race_finish_against(PAWL_EVENT_DELETE, PAWL_DELAY);
    race_finish_against(PAWL_EVENT_DELETE, PAWL_CRON);
}

static void
test_stop_against_finish_keeps_the_result(void **state)
{
    (void) state;
    race_finish_against(PAWL_EVENT_STOP, PAWL_CRON);
    race_finish_against(PAWL_EVENT_STOP, PAWL_DELAY);
}

/* A lost swap once gave up a count of the winner's results. */
static void
test_stop_against_delete_shares_results_safely(void **state)
{
    struct arena arena;
    struct race race;

    (void) state;
    arena_begin(&arena, &race);
    for (unsigned i = 0; i < race_rounds(); i++) {
        prepare(&arena, PAWL_CRON, true);
        set_events(&arena, PAWL_EVENT_STOP, PAWL_EVENT_DELETE, NULL);
        race_round(&race);
        assert_int_equal(arena.right.code, PAWL_OK);
        assert_true(arena.left.code == PAWL_OK || arena.left.code == PAWL_ENOENT);
        end_round(&arena);
    }
    arena_end(&arena, &race);
}

static void
race_twins(enum pawl_event_kind kind, int loser_code)
{
    struct arena arena;
    struct race race;

    arena_begin(&arena, &race);
    for (unsigned i = 0; i < race_rounds(); i++) {
        prepare(&arena, PAWL_CRON, false);
        set_events(&arena, kind, kind, NULL);
        race_round(&race);
        assert_true((arena.left.code == PAWL_OK) != (arena.right.code == PAWL_OK));
        assert_int_equal(arena.left.code == PAWL_OK ? arena.right.code : arena.left.code,
                         loser_code);
        end_round(&arena);
    }
    arena_end(&arena, &race);
}

static void
test_stop_against_stop_lets_exactly_one_win(void **state)
{
    (void) state;
    race_twins(PAWL_EVENT_STOP, PAWL_ESTATE);
}

static void
test_start_against_start_lets_exactly_one_win(void **state)
{
    (void) state;
    race_twins(PAWL_EVENT_START, PAWL_ESTATE);
}

static void
test_delete_against_delete_lets_exactly_one_win(void **state)
{
    (void) state;
    race_twins(PAWL_EVENT_DELETE, PAWL_ENOENT);
}

static void
test_run_now_against_run_now_lets_exactly_one_win(void **state)
{
    (void) state;
    race_twins(PAWL_EVENT_RUN, PAWL_ESTATE);
}

static void
test_pause_against_pause_lets_exactly_one_win(void **state)
{
    (void) state;
    race_twins(PAWL_EVENT_PAUSE, PAWL_ESTATE);
}

/* Either it starts, and then nothing more of its schedule, or it does not: the answers say which. */
static void
test_pause_against_start_is_paused_either_way(void **state)
{
    struct arena arena;
    struct race race;

    (void) state;
    arena_begin(&arena, &race);
    for (unsigned i = 0; i < race_rounds(); i++) {
        struct pawl_view view;
        bool started;

        prepare(&arena, PAWL_CRON, false);
        set_events(&arena, PAWL_EVENT_START, PAWL_EVENT_PAUSE, NULL);
        race_round(&race);
        view = look(&arena);
        started = arena.left.code == PAWL_OK;
        assert_int_equal(arena.right.code, PAWL_OK);
        assert_true(view.is_paused);
        assert_int_equal(view.running, started);
        assert_int_equal(view.version, started ? 2 : 1);
        assert_true(view.next_ns == PAWL_NO_TIME);
        pawl_view_release(&view);
        end_round(&arena);
    }
    arena_end(&arena, &race);
}

/* A run is asked for in the moment of the end of another one: it is refused, or there is one more. */
static void
test_run_now_against_finish_is_one_run_or_a_refusal(void **state)
{
    struct arena arena;
    struct race race;

    (void) state;
    arena_begin(&arena, &race);
    for (unsigned i = 0; i < race_rounds(); i++) {
        struct pawl_result_box *box = box_new();
        int again;

        prepare(&arena, PAWL_CRON, true);
        set_events(&arena, PAWL_EVENT_FINISH, PAWL_EVENT_RUN, box);
        race_round(&race);
        assert_int_equal(arena.left.code, PAWL_OK);
        again = apply(&arena, PAWL_EVENT_START, NULL);
        assert_int_equal(again, arena.right.code);
        pawl_result_unref(&box->result);
        end_round(&arena);
    }
    arena_end(&arena, &race);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_against_start_of_a_delay_lets_exactly_one_win),
        cmocka_unit_test(test_stop_against_start_of_a_cron_is_stopped_either_way),
        cmocka_unit_test(test_delete_against_finish_leaves_nothing),
        cmocka_unit_test(test_stop_against_finish_keeps_the_result),
        cmocka_unit_test(test_stop_against_delete_shares_results_safely),
        cmocka_unit_test(test_stop_against_stop_lets_exactly_one_win),
        cmocka_unit_test(test_start_against_start_lets_exactly_one_win),
        cmocka_unit_test(test_delete_against_delete_lets_exactly_one_win),
        cmocka_unit_test(test_run_now_against_run_now_lets_exactly_one_win),
        cmocka_unit_test(test_pause_against_pause_lets_exactly_one_win),
        cmocka_unit_test(test_pause_against_start_is_paused_either_way),
        cmocka_unit_test(test_run_now_against_finish_is_one_run_or_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
