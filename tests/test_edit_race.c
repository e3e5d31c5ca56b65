/* test_edit_race.c: an edit of a task meets another change of it, or its run, again and again; the answers
 * must fit what is left, and tell which came first. */
#include "edit_fixture.h"
#include "race.h"

#define REAL_ROUNDS (race_rounds() / 25)    /* each starts a process */

struct side {
    struct fixture f;                       /* its handle; the engine is shared */
    int code;
    bool has_view;
    struct pawl_view view;                  /* of the change, if it was made */
};

struct arena {
    struct fixture f;
    struct side sides[2];
    struct race race;
    unsigned head_start;
};

static struct arena *
arena_of(void *ctx)
{
    return ctx;
}

static void
arena_begin(struct arena *arena, bool is_real, void (*left)(void *), void (*right)(void *))
{
    struct pawl_options options;

    *arena = (struct arena) {0};
    pawl_options_init(&options);
    options.nworkers = 2;
    pawl_clock_manual_init(&arena->f.clock, 1000 * SECOND, START_WALL - 1000 * SECOND);
    options.clock = is_real ? NULL : &arena->f.clock.clock;
    assert_int_equal(pawl_open(&options, &arena->f.engine, NULL), PAWL_OK);
    fixture_attach(&arena->f);
    for (int i = 0; i < 2; i++) {
        arena->sides[i].f.engine = arena->f.engine;
        fixture_attach(&arena->sides[i].f);
    }
    race_begin(&arena->race, left, right, arena);
}

static void
arena_end(struct arena *arena)
{
    race_end(&arena->race);
    for (int i = 0; i < 2; i++) {
        pawl_detach(arena->sides[i].f.handle);
        close(arena->sides[i].f.wake_fd);
    }
    assert_int_equal(stats_of(&arena->f).memory_bytes, 0);
    assert_int_equal(stats_of(&arena->f).pending, 0);
    assert_int_equal(stats_of(&arena->f).tasks, 0);
    fixture_close(&arena->f);
}

/* A round: both sides, one of them a little later than the other. */
static void
arena_round(struct arena *arena, unsigned round)
{
    arena->head_start = round % 8 * 20;
    race_round(&arena->race);
}

static void
arena_forget(struct arena *arena)
{
    for (int i = 0; i < 2; i++) {
        if (arena->sides[i].has_view)
            pawl_view_release(&arena->sides[i].view);
        arena->sides[i].has_view = false;
    }
}

static void
wait_turns(unsigned turns)
{
    for (volatile unsigned i = 0; i < turns; i++)
        ;
}

static void
take(struct side *side, struct pawl_op *op, int code)
{
    side->code = code;
    side->has_view = code == PAWL_OK && op->has_view;
    if (side->has_view)
        side->view = op->view;
}

/* Edits the task as change() says, anew where another edit came between. */
static void
do_edit(struct side *side, void (*change)(struct edit *))
{
    struct edit edit;
    int code = PAWL_ESTALE;

    side->has_view = false;
    while (code == PAWL_ESTALE) {
        code = pawl_edit_begin(side->f.handle, "a", 1, &edit.view, NULL);
        if (code != PAWL_OK)
            break;
        edit.spec = spec_of_view(&edit.view);
        edit.asked = (struct asked) {.op.done = asked_cb};
        change(&edit);
        code = pawl_edit(side->f.handle, &edit.view, &edit.spec, -1, &edit.asked.op, NULL);
        pawl_view_release(&edit.view);
    }
    take(side, &edit.asked.op, code);
}

static void
change_script(struct edit *edit)
{
    set_script(edit, "echo new");
}

static void
change_keep(struct edit *edit)
{
    static struct pawl_policy policy;

    pawl_policy_init(&policy);
    policy.overlap = PAWL_OVERLAP_QUEUE;
    edit->spec.keep_results = 3;
    edit->spec.policy = &policy;
    edit->spec.time_ns = 2 * HOUR;
}

static void
left_edits(void *ctx)
{
    do_edit(&arena_of(ctx)->sides[0], change_script);
}

static void
right_edits(void *ctx)
{
    wait_turns(arena_of(ctx)->head_start);
    do_edit(&arena_of(ctx)->sides[1], change_keep);
}

static void
right_calls(void *ctx, int (*call)(struct pawl_handle *, const char *, size_t, struct pawl_op *,
                                   struct pawl_err *))
{
    struct side *side = &arena_of(ctx)->sides[1];
    struct pawl_op op = {.done = asked_cb};

    wait_turns(arena_of(ctx)->head_start);
    take(side, &op, call(side->f.handle, "a", 1, &op, NULL));
}

static void
right_pauses(void *ctx)
{
    right_calls(ctx, pawl_pause);
}

static void
right_runs(void *ctx)
{
    right_calls(ctx, pawl_run);
}

static int
call_stop(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_op *op,
          struct pawl_err *err)
{
    return pawl_stop(handle, id, id_len, false, op, err);
}

static int
call_delete(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_op *op,
            struct pawl_err *err)
{
    return pawl_delete(handle, id, id_len, false, op, err);
}

static void
right_stops(void *ctx)
{
    right_calls(ctx, call_stop);
}

static void
right_deletes(void *ctx)
{
    right_calls(ctx, call_delete);
}

static void
test_edit_against_edit_makes_both(void **state)
{
    struct arena arena;

    (void) state;
    arena_begin(&arena, false, left_edits, right_edits);
    for (unsigned i = 0; i < race_rounds(); i++) {
        struct pawl_view view;

        submit(&arena.f, "a", PAWL_CRON, HOUR, "echo old");
        arena_round(&arena, i);
        assert_int_equal(arena.sides[0].code, PAWL_OK);
        assert_int_equal(arena.sides[1].code, PAWL_OK);
        assert_int_equal(arena.sides[0].view.version + arena.sides[1].view.version, 3);
        view = get(&arena.f, "a");
        assert_int_equal(view.version, 2);
        assert_string_equal(view.script, "echo new");
        assert_int_equal(view.keep_results, 3);
        assert_non_null(view.policy);
        assert_true(view.time_ns == 2 * HOUR);
        pawl_view_release(&view);
        arena_forget(&arena);
        assert_int_equal(delete(&arena.f, "a"), PAWL_OK);
    }
    arena_end(&arena);
}

static void
test_edit_against_pause_makes_both(void **state)
{
    struct arena arena;

    (void) state;
    arena_begin(&arena, false, left_edits, right_pauses);
    for (unsigned i = 0; i < race_rounds(); i++) {
        struct pawl_view view;

        submit(&arena.f, "a", PAWL_CRON, HOUR, "echo old");
        arena_round(&arena, i);
        assert_int_equal(arena.sides[0].code, PAWL_OK);
        assert_int_equal(arena.sides[1].code, PAWL_OK);
        view = get(&arena.f, "a");
        assert_int_equal(view.version, 2);
        assert_string_equal(view.script, "echo new");
        assert_true(view.is_paused);
        pawl_view_release(&view);
        arena_forget(&arena);
        assert_int_equal(delete(&arena.f, "a"), PAWL_OK);
    }
    arena_end(&arena);
}

static void
test_edit_against_stop_comes_before_it_or_is_refused(void **state)
{
    struct arena arena;

    (void) state;
    arena_begin(&arena, false, left_edits, right_stops);
    for (unsigned i = 0; i < race_rounds(); i++) {
        struct pawl_view view;
        bool is_edited;

        submit(&arena.f, "a", PAWL_CRON, HOUR, "echo old");
        arena_round(&arena, i);
        is_edited = arena.sides[0].code == PAWL_OK;
        assert_true(is_edited || arena.sides[0].code == PAWL_ESTATE);
        assert_int_equal(arena.sides[1].code, PAWL_OK);
        assert_int_equal(arena.sides[1].view.version, is_edited ? 2 : 1);
        view = get(&arena.f, "a");
        assert_int_equal(view.status, PAWL_STOPPED);
        assert_string_equal(view.script, is_edited ? "echo new" : "echo old");
        pawl_view_release(&view);
        arena_forget(&arena);
        assert_int_equal(delete(&arena.f, "a"), PAWL_OK);
    }
    arena_end(&arena);
}

static void
test_edit_against_delete_leaves_nothing(void **state)
{
    struct arena arena;

    (void) state;
    arena_begin(&arena, false, left_edits, right_deletes);
    for (unsigned i = 0; i < race_rounds(); i++) {
        submit(&arena.f, "a", PAWL_CRON, HOUR, "echo old");
        arena_round(&arena, i);
        assert_true(arena.sides[0].code == PAWL_OK || arena.sides[0].code == PAWL_ENOENT);
        assert_int_equal(arena.sides[1].code, PAWL_OK);
        assert_false(is_there(&arena.f, "a"));
        arena_forget(&arena);
    }
    arena_end(&arena);
}

/* The answer tells which script the run has: what was running, or had run, when it was edited is of the old
 * one. */
static void
test_edit_against_a_real_run_tells_which_came_first(void **state)
{
    unsigned nnew = 0;
    struct arena arena;

    (void) state;
    arena_begin(&arena, true, left_edits, right_runs);
    for (unsigned i = 0; i < REAL_ROUNDS; i++) {
        struct pawl_view view;
        bool is_new;

        submit(&arena.f, "a", PAWL_CRON, HOUR, "echo old");
        arena_round(&arena, i);
        assert_int_equal(arena.sides[0].code, PAWL_OK);
        assert_int_equal(arena.sides[1].code, PAWL_OK);
        is_new = arena.sides[0].view.run_count == 0;
        view = await_version(&arena.f, "a", 3);
        assert_int_equal(view.run_count, 1);
        assert_int_equal(view.nresults, 1);
        assert_string_equal(view.results[0]->out, is_new ? "new\n" : "old\n");
        nnew += is_new;
        pawl_view_release(&view);
        arena_forget(&arena);
        assert_int_equal(delete(&arena.f, "a"), PAWL_OK);
    }
    print_message("of %u runs %u had the new script\n", REAL_ROUNDS, nnew);
    arena_end(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit_against_edit_makes_both),
        cmocka_unit_test(test_edit_against_pause_makes_both),
        cmocka_unit_test(test_edit_against_stop_comes_before_it_or_is_refused),
        cmocka_unit_test(test_edit_against_delete_leaves_nothing),
        cmocka_unit_test(test_edit_against_a_real_run_tells_which_came_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
