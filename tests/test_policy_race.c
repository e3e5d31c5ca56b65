/* test_policy_race.c: what happens to a task in the very moment of something else: of its start, its end, its
 * retry, its time limit. Two threads let two events happen to one task; what comes of it must be what comes
 * of the one and then the other, or the other way round, and the answers say which. That is looked up by letting
 * them happen in both orders beforehand; test_policy_model.c says that each of these is right. */
#include "race.h"

#include "epoch.h"
#include "index.h"
#include "result.h"
#include "state.h"
#include "task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define WALL (INT64_C(1800000000) * SECOND)

/* Where the task is when the two events come. */
enum place { DUE, RUNNING, RUNNING_AND_DUE, RETRY_DUE, PAUSED, MAKES_ROOM, NPLACE };

static const char *const places[] = {
    "due", "running", "running and due", "retry due", "paused", "making room",
};

static const char *const kinds[PAWL_NEVENT] = {
    [PAWL_EVENT_START] = "start", [PAWL_EVENT_FINISH] = "end", [PAWL_EVENT_STOP] = "stop",
    [PAWL_EVENT_RUN] = "run", [PAWL_EVENT_PAUSE] = "pause", [PAWL_EVENT_RESUME] = "resume",
    [PAWL_EVENT_DELETE] = "delete", [PAWL_EVENT_EDIT] = "edit",
};

/* What is seen of a task, and what the two were told. */
struct seen {
    int left, right;                    /* codes */
    bool is_gone, is_paused, waits_for_retry, left_passes, left_kills, right_kills;
    int status, running, attempt;
    int64_t version, next_ns;
    uint64_t runs, asked, failures, skipped, missed;
    size_t nresults, script_len;
};

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
    struct pawl_policy policy;
    enum pawl_type type;
    int64_t now_ns;
    struct side sides[2];
    struct pawl_result_box *box;
};

static void
act(struct arena *arena, struct side *side, struct pawl_epoch_thread *thread)
{
    side->code = pawl_task_apply(arena->task, thread, &side->event, NULL);
    pawl_snapshot_free_unused(side->event.spare);
    side->event.spare = NULL;
}

static void
act_as(struct arena *arena, int i)
{
    struct side *side = &arena->sides[i];

    if (!side->thread)
        side->thread = pawl_epoch_register(&arena->epoch);
    act(arena, side, side->thread);
    pawl_epoch_rest(side->thread);
}

static void
act_left(void *ctx)
{
    act_as(ctx, 0);
}

static void
act_right(void *ctx)
{
    act_as(ctx, 1);
}

/* --- A round --- */

static struct pawl_def *
new_def(const struct arena *arena, const char *script)
{
    struct pawl_spec spec = {
        .id = "id", .id_len = 2, .type = arena->type, .time_ns = 10 * MINUTE, .script = script,
        .script_len = strlen(script), .keep_results = 3, .policy = &arena->policy,
    };

    return pawl_def_new(&spec, 3, NULL);
}

static struct pawl_event
event_of(const struct arena *arena, enum pawl_event_kind kind, bool failed)
{
    return (struct pawl_event) {
        .kind = kind, .now_ns = arena->now_ns, .wall_ns = WALL + arena->now_ns, .high_ns = INT64_MIN,
        .oldest_ns = INT64_MIN, .keep_ns = INT64_MAX, .box = arena->box, .failed = failed,
        .exit_code = failed, .due = {10 * MINUTE, false}, .version = -1,
    };
}

static void
let_happen(struct arena *arena, enum pawl_event_kind kind, bool failed)
{
    struct side side = {.event = event_of(arena, kind, failed)};

    act(arena, &side, arena->own);
    assert_int_equal(side.code, PAWL_OK);
    if (side.event.def)
        pawl_def_unref(side.event.def);
}

static void
prepare(struct arena *arena, enum place place)
{
    struct pawl_spec spec = {
        .id = "id", .id_len = 2, .type = arena->type, .time_ns = 10 * MINUTE, .script = "true",
        .script_len = 4, .keep_results = 3, .policy = &arena->policy,
    };
    struct pawl_snapshot *first;

    arena->task = pawl_task_new(arena->index, &spec, 3, NULL, &(struct pawl_now) {0}, &first);
    pawl_task_publish(arena->task, arena->own, first);
    arena->now_ns = 10 * MINUTE;
    if (place == PAUSED)
        let_happen(arena, PAWL_EVENT_PAUSE, false);
    if (place == DUE || place == PAUSED)
        return;
    let_happen(arena, PAWL_EVENT_START, false);
    if (place == RUNNING)
        return;
    if (place == RETRY_DUE)
        let_happen(arena, PAWL_EVENT_FINISH, true);
    arena->now_ns += 10 * MINUTE;
    if (place == MAKES_ROOM)
        let_happen(arena, PAWL_EVENT_START, false);
}

static void
set_events(struct arena *arena, enum pawl_event_kind left, enum pawl_event_kind right, bool failed)
{
    bool gone;

    arena->sides[0].event = event_of(arena, left, failed);
    arena->sides[1].event = event_of(arena, right, failed);
    if (right != PAWL_EVENT_EDIT)
        return;
    pawl_epoch_begin(arena->own);
    arena->sides[1].event.basis = pawl_task_read_decided(arena->task, &gone)->def;
    pawl_epoch_end(arena->own);
    arena->sides[1].event.edited = new_def(arena, "another one");
}

static struct seen
end_round(struct arena *arena)
{
    const struct side *left = &arena->sides[0], *right = &arena->sides[1];
    struct seen seen;
    const struct pawl_snapshot *snapshot;
    struct pawl_now now = {arena->now_ns, WALL + arena->now_ns, INT64_MIN, INT64_MIN};
    struct pawl_view view;

    memset(&seen, 0, sizeof seen);              /* padding, too: it is compared as bytes */
    seen.left = left->code;
    seen.right = right->code;
    seen.left_passes = left->code == PAWL_OK && left->event.is_passed;
    seen.left_kills = left->code == PAWL_OK && left->event.must_kill;
    seen.right_kills = right->code == PAWL_OK && right->event.must_kill;
    pawl_epoch_begin(arena->own);
    snapshot = pawl_task_read(arena->task, &seen.is_gone);
    if (snapshot)
        pawl_task_view(arena->task, snapshot, &now, false, &view);
    pawl_epoch_end(arena->own);
    if (snapshot) {
        seen.is_paused = view.is_paused;
        seen.waits_for_retry = view.waits_for_retry;
        seen.status = view.status;
        seen.running = view.running;
        seen.attempt = view.attempt;
        seen.version = view.version;
        seen.next_ns = view.next_ns;
        seen.runs = view.run_count;
        seen.asked = view.asked_count;
        seen.failures = view.failure_count;
        seen.skipped = view.skipped_overlap;
        seen.missed = view.missed;
        seen.nresults = view.nresults;
        seen.script_len = view.script_len;
        pawl_view_release(&view);
    }
    if (left->event.def)
        pawl_def_unref(left->event.def);
    pawl_def_unref(right->event.edited);
    pawl_task_unref(arena->task);
    pawl_epoch_rest(arena->own);
    return seen;
}

/* What comes of the two one after the other; first: which side is the first. */
static struct seen
in_order(struct arena *arena, enum place place, enum pawl_event_kind left,
         enum pawl_event_kind right, bool failed, int first)
{
    prepare(arena, place);
    set_events(arena, left, right, failed);
    act(arena, &arena->sides[first], arena->own);
    act(arena, &arena->sides[!first], arena->own);
    return end_round(arena);
}

static void
race(struct arena *arena, struct race *race, enum place place, enum pawl_event_kind left,
     enum pawl_event_kind right, bool failed, unsigned rounds)
{
    struct seen wanted[2];

    for (int i = 0; i < 2; i++)
        wanted[i] = in_order(arena, place, left, right, failed, i);
    for (unsigned i = 0; i < rounds; i++) {
        struct seen seen;

        prepare(arena, place);
        set_events(arena, left, right, failed);
        race_round(race);
        seen = end_round(arena);
        if (memcmp(&seen, &wanted[0], sizeof seen) != 0 && memcmp(&seen, &wanted[1], sizeof seen) != 0)
            fail_msg("%s, %s against %s: neither order gives %d and %d, status %d, version %d, %d runs "
                     "(overlap %d, retries %d)", places[place], kinds[left], kinds[right], seen.left,
                     seen.right, seen.status, (int) seen.version, (int) seen.runs,
                     arena->policy.overlap, (int) arena->policy.retries);
    }
}

static const enum pawl_event_kind asked[] = {
    PAWL_EVENT_STOP, PAWL_EVENT_DELETE, PAWL_EVENT_PAUSE, PAWL_EVENT_RESUME, PAWL_EVENT_RUN,
    PAWL_EVENT_EDIT,
};

#define NASKED (sizeof asked / sizeof asked[0])

/* All that can be asked of a task that is at one place, in the moment of what happens to it by itself. */
static void
race_all(enum pawl_type type, enum pawl_overlap overlap, uint32_t retries, const enum place *at, size_t nat)
{
    unsigned rounds = race_rounds() / 100;
    struct arena arena = {.type = type};
    struct race threads;

    pawl_policy_init(&arena.policy);
    arena.policy.overlap = overlap;
    arena.policy.max_running = 2;
    arena.policy.retries = retries;
    arena.policy.misfire_limit = 7;             /* not as by default: it is remembered what waits */
    arena.policy.misfire = PAWL_MISFIRE_ALL;
    arena.box = pawl_result_box_new(&(struct pawl_result) {.run = 1, .attempt = 1, .out = "", .err = ""});
    pawl_epoch_init(&arena.epoch);
    arena.index = pawl_index_new();
    arena.own = pawl_epoch_register(&arena.epoch);
    race_begin(&threads, act_left, act_right, &arena);
    for (size_t i = 0; i < nat; i++) {
        bool runs = at[i] == RUNNING || at[i] == RUNNING_AND_DUE || at[i] == MAKES_ROOM;

        for (size_t j = 0; j < NASKED; j++) {
            if (runs) {
                race(&arena, &threads, at[i], PAWL_EVENT_FINISH, asked[j], false, rounds);
                race(&arena, &threads, at[i], PAWL_EVENT_FINISH, asked[j], true, rounds);
            }
            race(&arena, &threads, at[i], PAWL_EVENT_START, asked[j], false, rounds);
        }
    }
    race_end(&threads);
    for (int i = 0; i < 2; i++)
        pawl_epoch_unregister(&arena.epoch, arena.sides[i].thread);
    pawl_epoch_unregister(&arena.epoch, arena.own);
    pawl_index_free(arena.index);
    pawl_epoch_fini(&arena.epoch);
    pawl_result_unref(&arena.box->result);
}

#define RACE_ALL(type, overlap, retries, ...)                                                    \
    race_all(type, overlap, retries, (const enum place[]) {__VA_ARGS__},                         \
             sizeof((const enum place[]) {__VA_ARGS__}) / sizeof(enum place))

static void
test_changes_in_the_moment_of_a_start_or_an_end_come_before_it_or_after_it(void **state)
{
    (void) state;
    RACE_ALL(PAWL_DELAY, PAWL_OVERLAP_SKIP, 0, DUE, RUNNING, PAUSED);
    RACE_ALL(PAWL_CRON, PAWL_OVERLAP_SKIP, 0, DUE, RUNNING, RUNNING_AND_DUE, PAUSED);
}

static void
test_changes_in_the_moment_of_a_retry_come_before_it_or_after_it(void **state)
{
    (void) state;
    RACE_ALL(PAWL_DELAY, PAWL_OVERLAP_SKIP, 2, RUNNING, RETRY_DUE);
    RACE_ALL(PAWL_CRON, PAWL_OVERLAP_SKIP, 2, RUNNING_AND_DUE, RETRY_DUE);
    RACE_ALL(PAWL_CRON, PAWL_OVERLAP_REPLACE, 2, RUNNING_AND_DUE, RETRY_DUE);
}

static void
test_changes_in_the_moment_of_a_run_in_the_way_come_before_it_or_after_it(void **state)
{
    (void) state;
    RACE_ALL(PAWL_CRON, PAWL_OVERLAP_QUEUE, 0, RUNNING_AND_DUE);
    RACE_ALL(PAWL_CRON, PAWL_OVERLAP_REPLACE, 0, RUNNING_AND_DUE, MAKES_ROOM);
    RACE_ALL(PAWL_CRON, PAWL_OVERLAP_ALLOW, 0, RUNNING, RUNNING_AND_DUE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_in_the_moment_of_a_start_or_an_end_come_before_it_or_after_it),
        cmocka_unit_test(test_changes_in_the_moment_of_a_retry_come_before_it_or_after_it),
        cmocka_unit_test(test_changes_in_the_moment_of_a_run_in_the_way_come_before_it_or_after_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
