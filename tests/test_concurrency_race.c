/* test_concurrency_race.c: places in groups under races: two threads meet at one place, again and
 * again; and a whole engine whose tasks are changed by three threads in every way while they wait. */
#include "race.h"

#include "concurrency.h"
#include "durable_fixture.h"
#include "policy.h"

/* --- Two threads at one place --- */

struct arena {
    struct pawl_index *index;
    struct pawl_concurrency *groups;
    struct pawl_task *runs, *comes;         /* who has the place, who wants it */
    struct pawl_concurrency_spare spare;
    struct pawl_task *called[2];            /* what each side was given */
    enum pawl_entry entry;
    bool has_left;
    unsigned head_start;
    struct race race;
};

static struct pawl_task *
make_task(struct arena *arena, const char *id)
{
    struct pawl_spec spec = {.id = id, .id_len = strlen(id), .script = ":", .script_len = 1};
    struct pawl_snapshot *first;
    struct pawl_task *task =
        pawl_task_new(arena->index, &spec, 0, NULL, &(struct pawl_now) {0}, &first);

    assert_non_null(task);
    pawl_task_publish(task, NULL, first);
    return task;
}

static void
arena_begin(struct arena *arena, void (*left)(void *), void (*right)(void *))
{
    memset(arena, 0, sizeof *arena);
    arena->index = pawl_index_new();
    arena->groups = pawl_concurrency_new(10);
    arena->runs = make_task(arena, "runs");
    arena->comes = make_task(arena, "comes");
    race_begin(&arena->race, left, right, arena);
}

static void
arena_end(struct arena *arena)
{
    race_end(&arena->race);
    assert_true(pawl_concurrency_check(arena->groups));
    pawl_concurrency_free(arena->groups);
    pawl_concurrency_spare_free(&arena->spare);
    pawl_task_unref(arena->runs);
    pawl_task_unref(arena->comes);
    pawl_index_free(arena->index);
}

static enum pawl_entry
enter(struct arena *arena, struct pawl_task *task)
{
    struct pawl_task *next;
    enum pawl_entry entry;

    assert_true(pawl_concurrency_prepare(&arena->spare));
    entry = pawl_concurrency_enter(arena->groups, task, "g", true, &arena->spare, &next);
    assert_null(next);
    return entry;
}

static void
give_head_start(const struct arena *arena)
{
    for (volatile unsigned i = 0; i < arena->head_start; i++)
        ;
}

static void
left_enters(void *ctx)
{
    struct arena *arena = ctx;

    give_head_start(arena);
    arena->entry = pawl_concurrency_enter(arena->groups, arena->comes, "g", true, &arena->spare,
                                          &arena->called[0]);
}

static void
left_leaves(void *ctx)
{
    struct arena *arena = ctx;

    give_head_start(arena);
    arena->has_left = pawl_concurrency_leave(arena->groups, arena->comes, &arena->called[0]);
}

static void
right_exits(void *ctx)
{
    struct arena *arena = ctx;

    arena->called[1] = pawl_concurrency_exit(arena->groups, "g");
}

static void
right_enlarges(void *ctx)
{
    struct arena *arena = ctx;

    assert_int_equal(pawl_concurrency_resize(arena->groups, "g", 2), PAWL_OK);
    arena->called[1] = pawl_concurrency_next(arena->groups, "g");
}

static void
assert_idle(struct arena *arena)
{
    struct pawl_group_view view;

    pawl_concurrency_look(arena->groups, "g", &view);
    assert_int_equal(view.running, 0);
    assert_int_equal(view.waiting, 0);
    assert_int_equal(atomic_load(&arena->comes->refs), 1);
    assert_false(atomic_load(&arena->comes->is_waiting));
}

/* Who came has a place, or was called to one: now, when the other has gone. */
static void
check_has_come(struct arena *arena)
{
    assert_null(arena->called[0]);
    if (arena->entry == PAWL_ENTRY_OPEN) {
        assert_null(arena->called[1]);
    } else {
        assert_int_equal(arena->entry, PAWL_ENTRY_WAITS);
        assert_ptr_equal(arena->called[1], arena->comes);
        pawl_task_unref(arena->called[1]);
        assert_int_equal(enter(arena, arena->comes), PAWL_ENTRY_OPEN);
    }
}

static void
test_place_that_is_given_back_is_not_overlooked_by_who_comes(void **state)
{
    unsigned waited = 0, rounds = race_rounds();
    struct arena arena;

    (void) state;
    arena_begin(&arena, left_enters, right_exits);
    for (unsigned i = 0; i < rounds; i++) {
        assert_int_equal(enter(&arena, arena.runs), PAWL_ENTRY_OPEN);
        assert_true(pawl_concurrency_prepare(&arena.spare));
        arena.head_start = i % 200;
        race_round(&arena.race);
        waited += arena.entry == PAWL_ENTRY_WAITS;
        check_has_come(&arena);
        assert_null(pawl_concurrency_exit(arena.groups, "g"));
        assert_idle(&arena);
    }
    assert_in_range(waited, 1, rounds - 1);         /* both orders came */
    arena_end(&arena);
}

static void
test_who_leaves_as_a_place_comes_free_takes_none_with_it(void **state)
{
    unsigned called = 0, rounds = race_rounds();
    struct arena arena;

    (void) state;
    arena_begin(&arena, left_leaves, right_exits);
    for (unsigned i = 0; i < rounds; i++) {
        assert_int_equal(enter(&arena, arena.runs), PAWL_ENTRY_OPEN);
        assert_int_equal(enter(&arena, arena.comes), PAWL_ENTRY_WAITS);
        arena.head_start = i % 200;
        race_round(&arena.race);
        assert_true(arena.has_left);
        assert_null(arena.called[0]);
        if (arena.called[1]) {
            assert_ptr_equal(arena.called[1], arena.comes);
            pawl_task_unref(arena.called[1]);
            called++;
        }
        assert_idle(&arena);
    }
    assert_in_range(called, 1, rounds - 1);
    arena_end(&arena);
}

static void
test_place_of_a_size_that_grows_is_not_overlooked_by_who_comes(void **state)
{
    unsigned rounds = race_rounds();
    struct arena arena;

    (void) state;
    arena_begin(&arena, left_enters, right_enlarges);
    for (unsigned i = 0; i < rounds; i++) {
        assert_int_equal(enter(&arena, arena.runs), PAWL_ENTRY_OPEN);
        assert_true(pawl_concurrency_prepare(&arena.spare));
        arena.head_start = i % 200;
        race_round(&arena.race);
        check_has_come(&arena);
        assert_null(pawl_concurrency_exit(arena.groups, "g"));
        assert_null(pawl_concurrency_exit(arena.groups, "g"));
        assert_int_equal(pawl_concurrency_resize(arena.groups, "g", -1), PAWL_OK);
        assert_idle(&arena);
    }
    arena_end(&arena);
}

/* --- A whole engine --- */

#define NTASKS 60
#define NTHREADS 3
#define NGROUPS 4
#define SIZE_MOST 3             /* of group 3; of the others 1 */
#define INTERVAL (10 * SECOND)

static char dir[64];
static const char *const names[NGROUPS] = {"g0", "g1", "g2", "g3"};

struct hand {
    struct pawl *engine;
    struct pawl_handle *handle;
    uint64_t seed;
    pthread_t thread;
    struct pace *pace;
};

/* How much may be done: so much for each second, that runs come to something meanwhile. */
struct pace {
    _Atomic int steps;
    _Atomic bool is_over;
};

static unsigned
draw(struct hand *hand, unsigned n)
{
    hand->seed = hand->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned) (hand->seed >> 33) % n;
}

/* Takes one of the places of its group, of which a directory each can be made: there must be one. */
static void
write_script(char script[512], unsigned group)
{
    snprintf(script, 512,
             "for i in %s; do mkdir %s/g%u.$i 2>%s/err && { rmdir %s/g%u.$i; exit; }; done; "
             "echo $PAWL_TASK_ID >>%s/bad", group == 3 ? "1 2 3" : "1", dir, group, dir, dir, group,
             dir);
}

/* Of each id: what it is, for the end. */
static bool
is_cron(unsigned task)
{
    return task % 2 == 1;
}

static bool
skips(unsigned task)
{
    return task % 3 == 0;
}

static void
do_submit(struct hand *hand, unsigned task, const char *id)
{
    unsigned group = task % NGROUPS;
    struct pawl_policy policy;
    struct pawl_op op = {0};
    char script[512];
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = is_cron(task) ? PAWL_CRON : PAWL_DELAY,
        .time_ns = is_cron(task) ? INTERVAL : draw(hand, 3) * SECOND, .script = script,
        .keep_results = 1, .policy = &policy,
    };

    write_script(script, group);
    spec.script_len = strlen(script);
    pawl_policy_init(&policy);
    strcpy(policy.group, names[group]);
    policy.group_overflow = skips(task) ? PAWL_GROUP_SKIP : PAWL_GROUP_WAIT;
    pawl_submit(hand->handle, &spec, &op, NULL);
    if (op.has_view)
        pawl_view_release(&op.view);
}

static void
do_resize(struct hand *hand)
{
    unsigned group = draw(hand, NGROUPS);
    struct pawl_op op = {0};

    pawl_group_resize(hand->handle, names[group], 2, draw(hand, (group == 3 ? SIZE_MOST : 1) + 1),
                      &op, NULL);
}

static void
do_change(struct hand *hand, unsigned task, const char *id)
{
    static int (*const calls[])(struct pawl_handle *, const char *, size_t, struct pawl_op *,
                                struct pawl_err *) = {pawl_pause, pawl_resume, pawl_resume};
    struct pawl_op op = {0};

    switch (draw(hand, 6)) {
    case 0:
        pawl_stop(hand->handle, id, strlen(id), false, &op, NULL);
        break;
    case 1:
        pawl_delete(hand->handle, id, strlen(id), false, &op, NULL);
        break;
    case 2:         /* a run that was asked for and skipped would be counted as a due time */
        if (is_cron(task) && !skips(task))
            pawl_run(hand->handle, id, strlen(id), &op, NULL);
        break;
    default:
        calls[draw(hand, 3)](hand->handle, id, strlen(id), &op, NULL);
    }
    if (op.has_view)
        pawl_view_release(&op.view);
}

static void *
meddle(void *arg)
{
    struct hand *hand = arg;

    while (!atomic_load(&hand->pace->is_over)) {
        unsigned task = draw(hand, NTASKS);
        char id[16];

        if (atomic_load(&hand->pace->steps) <= 0) {
            sched_yield();
            continue;
        }
        atomic_fetch_sub(&hand->pace->steps, 1);
        snprintf(id, sizeof id, "t%u", task);
        if (draw(hand, 20) == 0)
            do_resize(hand);
        else if (draw(hand, 3) == 0)
            do_submit(hand, task, id);
        else
            do_change(hand, task, id);
        pawl_rest(hand->handle);
        pawl_deliver(hand->handle);
    }
    return NULL;
}

static int64_t
wall_of(struct fixture *f)
{
    return atomic_load(&f->clock.elapsed) + atomic_load(&f->clock.offset);
}

static bool
is_idle(struct fixture *f)
{
    struct pawl_stats stats = stats_of(f);

    if (stats.running > 0 || stats.waiting_ready > 0 || stats.waiting_group > 0 ||
        stats.started != stats.finished)
        return false;
    for (unsigned group = 0; group < NGROUPS; group++) {
        struct pawl_group_view view;

        pawl_group_get(f->engine, names[group], 2, &view, NULL);
        if (view.running > 0)
            return false;
    }
    return true;
}

/* Whether all that is due by now has been run or counted. */
static bool
is_settled(struct fixture *f)
{
    struct pawl_cursor cursor = {0};
    struct pawl_view view;
    bool is_settled = true;
    int code;

    while ((code = pawl_list_next(f->handle, NULL, &cursor, &view)) != PAWL_ENOENT) {
        if (code != PAWL_OK)
            continue;
        is_settled &= view.running == 0 && view.waiting == PAWL_WAITING_NOTHING &&
                      (view.next_ns == PAWL_NO_TIME || view.next_ns > wall_of(f));
        pawl_view_release(&view);
    }
    return is_settled && is_idle(f);
}

/* Every due time is a run or a count. */
static void
check_counts(struct fixture *f, const struct pawl_view *view)
{
    uint64_t accounted = view->run_count - view->asked_count + view->skipped_overlap +
                         view->skipped_group + view->missed, came = 1;

    if (view->status == PAWL_STOPPED)
        return;
    if (view->type == PAWL_CRON)
        came = (uint64_t) ((wall_of(f) - view->created_ns) / INTERVAL);
    else
        assert_int_equal(view->status, PAWL_EXECUTED);
    if (accounted != came)
        fail_msg("%.*s: %d due times came, %d runs, %d skipped for overlap, %d for the group, %d "
                 "missed", (int) view->id_len, view->id, (int) came,
                 (int) (view->run_count - view->asked_count), (int) view->skipped_overlap,
                 (int) view->skipped_group, (int) view->missed);
}

/* Lets all that waits go on, and waits for it. */
static void
settle(struct fixture *f)
{
    struct pawl_cursor cursor = {0};
    struct pawl_view view;
    int code;

    for (unsigned group = 0; group < NGROUPS; group++) {
        struct asked asked = {.op.done = asked_cb};

        end_of(f, &asked, pawl_group_resize(f->handle, names[group], 2, group == 3 ? SIZE_MOST : 1,
                                            &asked.op, NULL));
    }
    while ((code = pawl_list_next(f->handle, NULL, &cursor, &view)) != PAWL_ENOENT) {
        struct asked asked = {.op.done = asked_cb};

        if (code != PAWL_OK)
            continue;
        end_of(f, &asked, pawl_act(f->handle, &view, PAWL_ACT_RESUME, false, &asked.op, NULL));
        pawl_view_release(&view);
    }
    fixture_advance(f, 5 * SECOND);
    await(is_settled(f));
    assert_true(pawl_concurrency_check(f->engine->concurrency));
}

/* --- A task that is changed just as its turn comes --- */

static void
submit_in(struct fixture *f, const char *id, const char *group)
{
    struct pawl_policy policy;
    struct asked asked = {.op.done = asked_cb};
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = PAWL_DELAY, .script = ":", .script_len = 1,
        .keep_results = 1, .policy = &policy,
    };

    pawl_policy_init(&policy);
    strcpy(policy.group, group);
    assert_int_equal(end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, NULL)), PAWL_OK);
}

static void
set_size(struct fixture *f, const char *group, int64_t size)
{
    struct asked asked = {.op.done = asked_cb};

    assert_int_equal(end_of(f, &asked, pawl_group_resize(f->handle, group, strlen(group), size,
                                                         &asked.op, NULL)), PAWL_OK);
}

static bool
has(struct fixture *f, const char *group, uint32_t running, uint32_t waiting)
{
    struct pawl_group_view view;

    assert_int_equal(pawl_group_get(f->engine, group, strlen(group), &view, NULL), PAWL_OK);
    return view.running == running && view.waiting == waiting;
}

static void
pass_time(unsigned turns)
{
    for (volatile unsigned i = 0; i < turns; i++)
        ;
}

static void
test_who_is_deleted_as_its_turn_comes_passes_it_on(void **state)
{
    unsigned rounds = race_rounds() / 100;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    for (unsigned i = 0; i < rounds; i++) {
        set_size(&f, "g", 0);
        submit_in(&f, "first", "g");
        await(has(&f, "g", 0, 1));
        submit_in(&f, "second", "g");
        await(has(&f, "g", 0, 2));
        set_size(&f, "g", 1);
        pass_time(i * 37 % 20000);              /* until a worker has it */
        assert_int_equal(delete(&f, "first"), PAWL_OK);

        struct pawl_view view = await_version(&f, "second", 2);
        pawl_view_release(&view);
        await(has(&f, "g", 0, 0));
        assert_int_equal(delete(&f, "second"), PAWL_OK);
    }
    fixture_close(&f);
}

static void
test_who_is_paused_as_it_comes_does_not_stand_in_the_queue(void **state)
{
    unsigned rounds = race_rounds() / 4;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    set_size(&f, "g", 0);
    submit_in(&f, "t", "g");
    await(has(&f, "g", 0, 1));
    for (unsigned i = 0; i < rounds; i++) {
        struct pawl_op op = {0};

        assert_int_equal(pawl_pause(f.handle, "t", 1, &op, NULL), PAWL_OK);
        pawl_view_release(&op.view);
        if (i % 8 == 0)
            await(has(&f, "g", 0, 0));
        assert_int_equal(pawl_resume(f.handle, "t", 1, &op, NULL), PAWL_OK);
        pawl_view_release(&op.view);
        pass_time(i * 37 % 40000);              /* until a worker has it */
    }
    await(has(&f, "g", 0, 1));                  /* it came in the end */
    set_size(&f, "g", 1);

    struct pawl_view view = await_version(&f, "t", 2 * (int64_t) rounds + 2);
    assert_int_equal(view.status, PAWL_EXECUTED);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_no_place_is_lost_and_nobody_forgotten_whatever_is_done(void **state)
{
    const char *seed = getenv("PAWL_TEST_SEED");
    uint64_t first = seed ? strtoull(seed, NULL, 0) : (uint64_t) time(NULL);
    struct hand hands[NTHREADS];
    struct pawl_cursor cursor = {0};
    unsigned nruns = race_rounds() / 200;
    struct pace pace = {0};
    struct pawl_view view;
    struct fixture f;
    char path[96];
    int code;

    (void) state;
    print_message("PAWL_TEST_SEED=%llu\n", (unsigned long long) first);
    strcpy(dir, "/tmp/pawl-groups-XXXXXX");
    assert_non_null(mkdtemp(dir));
    fixture_open(&f);
    for (int i = 0; i < NTHREADS; i++) {
        hands[i] = (struct hand) {.engine = f.engine, .seed = first + (uint64_t) i, .pace = &pace};
        assert_int_equal(pawl_attach(f.engine, NULL, NULL, &hands[i].handle), PAWL_OK);
        pthread_create(&hands[i].thread, NULL, meddle, &hands[i]);
    }
    while (stats_of(&f).started < nruns) {
        uint64_t started = stats_of(&f).started;

        atomic_store(&pace.steps, 30);
        fixture_advance(&f, SECOND);
        for (int i = 0; i < 200 && stats_of(&f).started < started + 4; i++)
            sched_yield();
    }
    atomic_store(&pace.is_over, true);
    for (int i = 0; i < NTHREADS; i++)
        pthread_join(hands[i].thread, NULL);
    settle(&f);
    while ((code = pawl_list_next(f.handle, NULL, &cursor, &view)) != PAWL_ENOENT) {
        if (code != PAWL_OK)
            continue;
        check_counts(&f, &view);
        pawl_view_release(&view);
    }
    snprintf(path, sizeof path, "%s/bad", dir);
    assert_int_not_equal(access(path, F_OK), 0);    /* never more than the size */
    snprintf(path, sizeof path, "%s/err", dir);
    unlink(path);
    for (int i = 0; i < NTHREADS; i++)
        pawl_detach(hands[i].handle);
    fixture_close(&f);
    assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place_that_is_given_back_is_not_overlooked_by_who_comes),
        cmocka_unit_test(test_who_leaves_as_a_place_comes_free_takes_none_with_it),
        cmocka_unit_test(test_place_of_a_size_that_grows_is_not_overlooked_by_who_comes),
        cmocka_unit_test(test_who_is_deleted_as_its_turn_comes_passes_it_on),
        cmocka_unit_test(test_who_is_paused_as_it_comes_does_not_stand_in_the_queue),
        cmocka_unit_test(test_no_place_is_lost_and_nobody_forgotten_whatever_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
