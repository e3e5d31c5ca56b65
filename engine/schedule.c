/* schedule.c: the due times of a schedule. Pure; any thread.
 *
 * Each trigger is asked for its first time after a moment, which is known on both scales; the
 * earliest one is the schedule's. Times of day come from cron.h, in whole seconds. A span is counted
 * from the due time before it when the schedule has no other trigger, else from the schedule's origin,
 * so that the other triggers do not move it. What is drawn is a hash of the id and of the moment that
 * it is drawn for: nothing need be remembered of it. */
#include "schedule_pace.h"

#include <xxhash.h>

#define NS_PER_S INT64_C(1000000000)
#define WALL_MAX_S (INT64_MAX / NS_PER_S)
#define STEPS_MAX 1000          /* due times that are looked at one by one */

static const struct pawl_due none = {PAWL_NO_TIME, false}, never = {INT64_MAX, false};

/* A moment on both scales. */
struct moment {
    int64_t elapsed_ns, wall_ns;
};

static int64_t
offset_of(const struct pawl_now *now)
{
    return now->wall_ns - now->elapsed_ns;
}

static int64_t
shift(int64_t ns, int64_t by)
{
    int64_t sum;

    if (__builtin_add_overflow(ns, by, &sum))
        return by > 0 ? INT64_MAX : INT64_MIN + 1;
    return sum;
}

int64_t
pawl_due_elapsed(struct pawl_due due, int64_t offset_ns)
{
    return due.is_wall && pawl_due_is_set(due) ? shift(due.ns, -offset_ns) : due.ns;
}

int64_t
pawl_due_wall(struct pawl_due due, int64_t offset_ns)
{
    return !due.is_wall && pawl_due_is_set(due) ? shift(due.ns, offset_ns) : due.ns;
}

static struct moment
moment_of(struct pawl_due due, int64_t offset_ns)
{
    return (struct moment) {pawl_due_elapsed(due, offset_ns), pawl_due_wall(due, offset_ns)};
}

static int64_t
floor_s(int64_t ns)
{
    return ns / NS_PER_S - (ns % NS_PER_S < 0);
}

/* A number from 0 to most, by the id and by what it is drawn for. */
static int64_t
draw(uint64_t seed, int64_t ns, int64_t most)
{
    return (int64_t) (XXH3_64bits_withSeed(&ns, sizeof ns, seed) % ((uint64_t) most + 1));
}

static int64_t
span_at(const struct pawl_schedule *schedule, const struct pawl_pace *pace, int64_t ns)
{
    if (pace->span_max_ns == 0)
        return pace->span_ns;
    return pace->span_ns + draw(schedule->seed, ns, pace->span_max_ns - pace->span_ns);
}

/* Whether the times of a span do not depend on runs: not drawn, not from the end of a run. */
static bool
is_grid(const struct pawl_schedule *schedule, const struct pawl_pace *pace)
{
    return pace->span_max_ns == 0 && !schedule->when.from_completion;
}

/* Whether a grid is counted from the schedule's origin, not from the due time before: where something
 * else may have come between. */
static bool
is_from_origin(const struct pawl_schedule *schedule, const struct pawl_pace *pace)
{
    return pace->span_max_ns == 0 &&
           (schedule->when.ntriggers > 1 ||
            (schedule->when.runs_on_start && schedule->when.start_ns != PAWL_NO_TIME));
}

/* --- One trigger --- */

/* The last time of a grid not after a moment. There is none before the origin, but that a start is
 * where the wall clock shows it: it may have been set over it. */
static int64_t
grid_floor(const struct pawl_schedule *schedule, const struct pawl_pace *pace, int64_t elapsed_ns)
{
    int64_t beyond = (elapsed_ns - schedule->origin_ns) % pace->span_ns;

    if (elapsed_ns < schedule->origin_ns && schedule->when.start_ns == PAWL_NO_TIME)
        return schedule->origin_ns;
    return elapsed_ns - (beyond < 0 ? beyond + pace->span_ns : beyond);
}

static struct pawl_due
next_span(const struct pawl_schedule *schedule, const struct pawl_pace *pace, struct moment after,
          const struct pawl_now *now, bool is_end)
{
    int64_t start_ns = schedule->when.start_ns, due_ns;

    if (start_ns != PAWL_NO_TIME && after.wall_ns < start_ns)
        return (struct pawl_due) {start_ns, true};
    if (schedule->when.from_completion)
        return is_end ? (struct pawl_due) {
            pawl_schedule_after(now->elapsed_ns, span_at(schedule, pace, now->elapsed_ns)), false}
                      : none;
    if (is_from_origin(schedule, pace))
        due_ns = pawl_schedule_after(grid_floor(schedule, pace, after.elapsed_ns), pace->span_ns);
    else
        due_ns = pawl_schedule_after(after.elapsed_ns,
                                     span_at(schedule, pace, after.elapsed_ns));
    if (pace->span_max_ns > 0 && due_ns <= now->elapsed_ns && after.elapsed_ns < now->elapsed_ns)
        due_ns = pawl_schedule_after(now->elapsed_ns, span_at(schedule, pace, now->elapsed_ns));
    return due_ns == INT64_MAX ? never : (struct pawl_due) {due_ns, false};
}

/* The high mark for a schedule of which due is not run yet, or was run just now. A time below the mark
 * can only have waited, for room or for its jitter, while the clock was set back: then none behind it
 * was run. */
static struct pawl_now
marked(const struct pawl_schedule *schedule, struct pawl_due due, const struct pawl_now *now)
{
    struct pawl_now result = *now;

    if (due.is_wall && due.ns <= now->high_ns && !schedule->has_wild)
        result.high_ns = due.ns;
    return result;
}

/* From where on times of day are looked for: fixed ones do not come again where the clock was set
 * back. */
static int64_t
wall_from(const struct pawl_schedule *schedule, const struct pawl_pace *pace, int64_t wall_ns,
          const struct pawl_now *now)
{
    int64_t start_ns = schedule->when.start_ns;
    bool is_wild = pace->kind == PAWL_PACE_WALL && pace->cron->is_wild;

    if (start_ns != PAWL_NO_TIME && wall_ns < start_ns)
        wall_ns = start_ns - 1;
    return !is_wild && now->high_ns > wall_ns ? now->high_ns : wall_ns;
}

static struct pawl_due
next_wall(const struct pawl_schedule *schedule, const struct pawl_pace *pace, int64_t wall_ns,
          const struct pawl_now *now)
{
    int64_t from_ns = wall_from(schedule, pace, wall_ns, now), second;

    if (pace->kind == PAWL_PACE_AT)
        return pace->at_ns > from_ns ? (struct pawl_due) {pace->at_ns, true} : none;
    second = pawl_cron_next(pace->cron, floor_s(from_ns));
    if (second == PAWL_CRON_NEVER || second >= WALL_MAX_S)
        return none;
    return (struct pawl_due) {second * NS_PER_S, true};
}

static struct pawl_due
next_of(const struct pawl_schedule *schedule, const struct pawl_pace *pace, struct moment after,
        const struct pawl_now *now, bool is_end)
{
    switch (pace->kind) {
    case PAWL_PACE_SPAN:
        return next_span(schedule, pace, after, now, is_end);
    case PAWL_PACE_AT:
    case PAWL_PACE_WALL:
        return next_wall(schedule, pace, after.wall_ns, now);
    case PAWL_PACE_REBOOT:
    case PAWL_PACE_UNKNOWN:
        break;
    }
    return never;
}

/* --- All of them --- */

/* The earlier one; none is later than never, and that than all others. */
static struct pawl_due
earlier(struct pawl_due a, struct pawl_due b, int64_t offset_ns)
{
    if (!pawl_due_is_set(a) || !pawl_due_is_set(b))
        return pawl_due_is_set(a) || b.ns == PAWL_NO_TIME ? a : b;
    return pawl_due_elapsed(b, offset_ns) < pawl_due_elapsed(a, offset_ns) ? b : a;
}

/* None once it is after the schedule's end. */
static struct pawl_due
until_end(const struct pawl_schedule *schedule, struct pawl_due due, int64_t offset_ns)
{
    if (schedule->when.end_ns != PAWL_NO_TIME && pawl_due_is_set(due) &&
        pawl_due_wall(due, offset_ns) > schedule->when.end_ns)
        return schedule->has_reboot ? never : none;
    return due;
}

static struct pawl_due
next_after(const struct pawl_schedule *schedule, struct moment after, const struct pawl_now *now,
           bool is_end)
{
    struct pawl_due due = none;

    for (size_t i = 0; i < schedule->when.ntriggers; i++)
        due = earlier(due, next_of(schedule, &schedule->paces[i], after, now, is_end),
                      offset_of(now));
    return until_end(schedule, due, offset_of(now));
}

/* A start that has passed is still what a span is counted from. */
static struct pawl_due
first_of(const struct pawl_schedule *schedule, const struct pawl_pace *pace,
         const struct pawl_now *now)
{
    int64_t start_ns = schedule->when.start_ns;
    struct moment at = {now->elapsed_ns, now->wall_ns};

    if (schedule->is_delay && pace->kind == PAWL_PACE_AT)
        return (struct pawl_due) {pace->at_ns, true};       /* also one that has passed */
    if (pace->kind != PAWL_PACE_SPAN)
        return next_of(schedule, pace, at, now, false);
    if (start_ns != PAWL_NO_TIME && start_ns <= now->wall_ns && is_grid(schedule, pace))
        at.elapsed_ns = grid_floor(schedule, pace, now->elapsed_ns);
    return next_span(schedule, pace, at, now, true);
}

struct pawl_due
pawl_schedule_anew(const struct pawl_schedule *schedule, const struct pawl_now *now)
{
    struct pawl_now unmarked = *now;
    struct pawl_due due = none;

    unmarked.high_ns = INT64_MIN;           /* it has fired nothing yet */
    for (size_t i = 0; i < schedule->when.ntriggers; i++)
        due = earlier(due, first_of(schedule, &schedule->paces[i], &unmarked), offset_of(now));
    return until_end(schedule, due, offset_of(now));
}

struct pawl_due
pawl_schedule_first(const struct pawl_schedule *schedule, const struct pawl_now *now)
{
    struct pawl_due due = pawl_schedule_anew(schedule, now);

    if (due.ns != PAWL_NO_TIME && schedule->when.runs_on_start)
        due = (struct pawl_due) {now->elapsed_ns, false};
    return due;
}

struct pawl_due
pawl_schedule_next(const struct pawl_schedule *schedule, struct pawl_due due,
                   const struct pawl_now *now, bool is_end)
{
    struct moment after = {now->elapsed_ns, now->wall_ns};
    struct pawl_now at = marked(schedule, due, now);

    if (schedule->is_delay)
        return none;
    if (pawl_due_is_set(due))
        after = moment_of(due, offset_of(now));
    return next_after(schedule, after, &at, is_end);
}

int64_t
pawl_schedule_jitter(const struct pawl_schedule *schedule, struct pawl_due due)
{
    if (schedule->when.jitter_ns == 0)
        return 0;
    return draw(schedule->seed, schedule->when.is_jitter_random ? due.ns : 0,
                schedule->when.jitter_ns);
}

/* --- Many at once --- */

static bool
has_come(const struct pawl_schedule *schedule, struct pawl_due due, const struct pawl_now *now)
{
    return pawl_due_is_set(due) &&
           pawl_schedule_after(pawl_due_elapsed(due, offset_of(now)),
                               pawl_schedule_jitter(schedule, due)) <= now->elapsed_ns;
}

static struct pawl_due
later(struct pawl_due a, struct pawl_due b, int64_t offset_ns)
{
    if (!pawl_due_is_set(a) || !pawl_due_is_set(b))
        return pawl_due_is_set(a) ? a : b;
    return pawl_due_elapsed(b, offset_ns) > pawl_due_elapsed(a, offset_ns) ? b : a;
}

static uint64_t
count_spans(const struct pawl_schedule *schedule, const struct pawl_pace *pace,
            struct moment after, struct moment until, struct pawl_due *out_last)
{
    struct pawl_due start = {schedule->when.start_ns, true};
    int64_t base_ns;
    uint64_t n, is_started = 0;

    if (start.ns != PAWL_NO_TIME && after.wall_ns < start.ns) {
        if (until.wall_ns < start.ns)
            return 0;
        after = moment_of(start, until.wall_ns - until.elapsed_ns);
        *out_last = start;
        is_started = 1;
    }
    base_ns = is_from_origin(schedule, pace) ? grid_floor(schedule, pace, after.elapsed_ns)
                                           : after.elapsed_ns;
    if (until.elapsed_ns <= base_ns)
        return is_started;
    n = ((uint64_t) until.elapsed_ns - (uint64_t) base_ns) / (uint64_t) pace->span_ns;
    if (n > 0)
        *out_last = (struct pawl_due) {base_ns + (int64_t) n * pace->span_ns, false};
    return n + is_started;
}

/* Counts the times of one trigger in (after, until], and gives the last of them, or none. */
static uint64_t
count_of(const struct pawl_schedule *schedule, const struct pawl_pace *pace, struct moment after,
         struct moment until, const struct pawl_now *now, struct pawl_due *out_last)
{
    int64_t from_ns, second;
    uint64_t n = 0;

    *out_last = none;
    switch (pace->kind) {
    case PAWL_PACE_SPAN:
        if (!is_grid(schedule, pace) || until.elapsed_ns <= after.elapsed_ns)
            return 0;
        return count_spans(schedule, pace, after, until, out_last);
    case PAWL_PACE_AT:
        from_ns = wall_from(schedule, pace, after.wall_ns, now);
        if (pace->at_ns <= from_ns || pace->at_ns > until.wall_ns)
            return 0;
        *out_last = (struct pawl_due) {pace->at_ns, true};
        return 1;
    case PAWL_PACE_WALL:
        from_ns = wall_from(schedule, pace, after.wall_ns, now);
        n = pawl_cron_count(pace->cron, floor_s(from_ns), floor_s(until.wall_ns));
        second = n > 0 ? pawl_cron_prev(pace->cron, floor_s(until.wall_ns) + 1) : PAWL_CRON_NEVER;
        if (second != PAWL_CRON_NEVER)
            *out_last = (struct pawl_due) {second * NS_PER_S, true};
        return n;
    case PAWL_PACE_REBOOT:
    case PAWL_PACE_UNKNOWN:
        break;
    }
    return 0;
}

/* Moves *due to the newest time by the end of the schedule and by until_ns (elapsed); gives how many it
 * passed over. */
static uint64_t
leap(const struct pawl_schedule *schedule, struct pawl_due *due, const struct pawl_now *now,
     int64_t until_ns)
{
    struct moment after = moment_of(*due, offset_of(now)), until;
    struct pawl_due last = none;
    uint64_t n = 0;

    until = moment_of((struct pawl_due) {until_ns, false}, offset_of(now));
    if (schedule->when.end_ns != PAWL_NO_TIME && until.wall_ns > schedule->when.end_ns)
        until = moment_of((struct pawl_due) {schedule->when.end_ns, true}, offset_of(now));
    for (size_t i = 0; i < schedule->when.ntriggers; i++) {
        struct pawl_due last_of;

        n += count_of(schedule, &schedule->paces[i], after, until, now, &last_of);
        last = later(last, last_of, offset_of(now));
    }
    if (n > 0)
        *due = last;
    return n;
}

/* By when all has come that was due before, however random its jitter. */
static int64_t
surely_come_ns(const struct pawl_schedule *schedule, struct pawl_due due,
               const struct pawl_now *now)
{
    return shift(now->elapsed_ns, schedule->when.is_jitter_random
                                      ? -schedule->when.jitter_ns
                                      : -pawl_schedule_jitter(schedule, due));
}

uint64_t
pawl_schedule_newest(const struct pawl_schedule *schedule, struct pawl_due *due,
                     const struct pawl_now *now)
{
    struct pawl_now at = marked(schedule, *due, now);
    uint64_t passed = 0;

    if (schedule->is_delay || !has_come(schedule, *due, now))
        return 0;
    for (int steps = 0;; steps++) {
        struct pawl_due next;

        if (steps == STEPS_MAX || (steps == 0 && schedule->when.ntriggers == 1))
            passed += leap(schedule, due, &at, surely_come_ns(schedule, *due, now));
        if (steps == 2 * STEPS_MAX)         /* so near to each other that jitter mixes them all */
            passed += leap(schedule, due, &at, now->elapsed_ns);
        next = pawl_schedule_next(schedule, *due, &at, false);
        if (!has_come(schedule, next, now) || steps > 2 * STEPS_MAX)
            return passed;
        *due = next;
        passed++;
    }
}

struct pawl_due
pawl_schedule_retime(const struct pawl_schedule *schedule, struct pawl_due due,
                     const struct pawl_now *now, int64_t old_wall_ns, bool is_running)
{
    int64_t wall_ns = old_wall_ns < now->wall_ns ? old_wall_ns : now->wall_ns;
    struct pawl_due best = none;

    if (schedule->is_delay || !schedule->has_wall || !pawl_due_is_set(due) ||
        has_come(schedule, due, now))
        return due;
    if (due.is_wall && (due.ns <= wall_ns || (due.ns <= now->high_ns && !schedule->has_wild)))
        return due;                         /* came already, and waits for room or for its jitter */
    for (size_t i = 0; i < schedule->when.ntriggers; i++) {
        const struct pawl_pace *pace = &schedule->paces[i];
        struct moment at = {now->elapsed_ns, wall_ns};
        struct pawl_due of_pace;

        if (pace->kind != PAWL_PACE_SPAN)
            of_pace = next_of(schedule, pace, at, now, false);
        else if (!due.is_wall || schedule->when.start_ns == due.ns)
            of_pace = due;                  /* a span under way, or its start */
        else
            of_pace = next_span(schedule, pace, at, now, !is_grid(schedule, pace) && !is_running);
        best = earlier(best, of_pace, offset_of(now));
    }
    return until_end(schedule, best, offset_of(now));
}
