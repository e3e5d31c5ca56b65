/* cron_next.c: the instants of a schedule: its wall times in its zone, by its policy.
 *
 * Pure; any thread. Within a span of one offset instants are wall times less the offset; what the
 * beginning of a span leaves out (a gap) or repeats (a fold) is the policy's. Where a span has no
 * time the search hops to the one in which the next wall time lies, so it looks at about one span
 * for each day that the schedule means. */
#include "calendar.h"
#include "cron_wall.h"

#define NEVER PAWL_CRON_NEVER
#define HORIZON_S (PAWL_DAYS_400_YEARS * PAWL_DAY_S)
#define TIME_MAX_S INT64_C(300000000000)        /* the year 11476: beyond it nothing is asked */
#define CORRECTION_S (3 * 3600)                 /* so wide a gap is none of daylight saving */
#define HOUR_S 3600

static int64_t
max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t
min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Whether a second pass through a fold has no times of its own. */
static bool
fires_once(const struct pawl_cron *cron)
{
    return cron->dst != PAWL_CRON_TWICE && !cron->is_wild;
}

/* Whether the gap at the beginning of a span adds times to it. */
static bool
fills_gap(const struct pawl_cron *cron, const struct pawl_zone_span *span)
{
    int64_t width = span->offset_s - span->before_s;

    return width > 0 && !cron->is_wild &&
           (cron->dst == PAWL_CRON_SHIFT ||
               (cron->dst == PAWL_CRON_RUN_AFTER && width < CORRECTION_S));
}

/* By how much SHIFT moves at a time: the width of the gap, but not into the hours behind it when
 * it is one of two hours: there both go into the first hour. */
static int64_t
shift_step(const struct pawl_zone_span *span)
{
    int64_t width = span->offset_s - span->before_s;

    return width > HOUR_S && width < CORRECTION_S ? HOUR_S : width;
}

/* The first instant from x on that the gap adds, or the last one up to x; NEVER for none. */
static int64_t
first_of_gap(const struct pawl_cron *cron, const struct pawl_zone_span *span, int64_t x)
{
    int64_t begin = span->begin_s + span->before_s, end = span->begin_s + span->offset_s;
    int64_t step = shift_step(span), best = NEVER;

    if (!fills_gap(cron, span))
        return NEVER;
    if (cron->dst == PAWL_CRON_RUN_AFTER)
        return x > span->begin_s || pawl_cron_next_wall(cron, begin, end - 1) == NEVER
                   ? NEVER
                   : span->begin_s;
    for (int64_t move = step; end > begin; end -= step, move += step) {
        int64_t wall = pawl_cron_next_wall(cron,
            max(max(begin, end - step), x + span->offset_s - move), end - 1);

        if (wall != NEVER && (best == NEVER || wall + move - span->offset_s < best))
            best = wall + move - span->offset_s;
    }
    return best < span->end_s ? best : NEVER;
}

static int64_t
last_of_gap(const struct pawl_cron *cron, const struct pawl_zone_span *span, int64_t x)
{
    int64_t begin = span->begin_s + span->before_s, end = span->begin_s + span->offset_s;
    int64_t step = shift_step(span), best = NEVER;

    if (!fills_gap(cron, span))
        return NEVER;
    if (cron->dst == PAWL_CRON_RUN_AFTER)
        return pawl_cron_next_wall(cron, begin, end - 1) == NEVER ? NEVER : span->begin_s;
    for (int64_t move = step; end > begin; end -= step, move += step) {
        int64_t wall = pawl_cron_prev_wall(cron, min(end - 1, x + span->offset_s - move),
            max(begin, end - step));

        if (wall != NEVER && wall + move - span->offset_s > best)
            best = wall + move - span->offset_s;
    }
    return best;
}

/* The wall time at which the span's own times begin; a second pass through a fold may not count.
 * The span has a beginning. */
static int64_t
first_wall_of(const struct pawl_cron *cron, const struct pawl_zone_span *span)
{
    return span->begin_s +
           (fires_once(cron) ? max(span->before_s, span->offset_s) : span->offset_s);
}

/* The first instant of the schedule from x to last. */
static int64_t
first_in(const struct pawl_cron *cron, int64_t x, int64_t last)
{
    struct pawl_zone_span span;

    while (x <= last) {
        int64_t wall, best;

        pawl_zone_at(cron->zone, x, &span);
        wall = x + span.offset_s;
        if (span.begin_s != INT64_MIN)
            wall = max(wall, first_wall_of(cron, &span));
        wall = pawl_cron_next_wall(cron, wall, min(span.end_s - 1, last) + span.offset_s);
        best = wall == NEVER ? NEVER : wall - span.offset_s;
        if (span.before_s < span.offset_s) {
            int64_t added = first_of_gap(cron, &span, x);

            if (added != NEVER && added <= last && (best == NEVER || added < best))
                best = added;
        }
        if (best != NEVER || span.end_s > last)
            return best;
        wall = pawl_cron_next_wall(
            cron, span.end_s - PAWL_ZONE_OFFSET_MAX, last + PAWL_ZONE_OFFSET_MAX);
        if (wall == NEVER)
            return NEVER;
        x = max(span.end_s, wall - PAWL_ZONE_OFFSET_MAX);
    }
    return NEVER;
}

/* The last instant of the schedule from x back to first. */
static int64_t
last_in(const struct pawl_cron *cron, int64_t x, int64_t first)
{
    struct pawl_zone_span span;

    while (x >= first) {
        int64_t wall, best;

        pawl_zone_at(cron->zone, x, &span);
        wall = max(span.begin_s, first) + span.offset_s;
        if (span.begin_s != INT64_MIN)
            wall = max(wall, first_wall_of(cron, &span));
        wall = pawl_cron_prev_wall(cron, x + span.offset_s, wall);
        best = wall == NEVER ? NEVER : wall - span.offset_s;
        if (span.before_s < span.offset_s) {
            int64_t added = last_of_gap(cron, &span, x);

            if (added != NEVER && added >= first)
                best = max(best, added);
        }
        if (best != NEVER || span.begin_s <= first)
            return best;
        wall = pawl_cron_prev_wall(
            cron, span.begin_s + PAWL_ZONE_OFFSET_MAX, first - PAWL_ZONE_OFFSET_MAX);
        if (wall == NEVER)
            return NEVER;
        x = min(span.begin_s - 1, wall + PAWL_ZONE_OFFSET_MAX);
    }
    return NEVER;
}

static bool
has_times(const struct pawl_cron *cron, int64_t second)
{
    return cron->kind != PAWL_CRON_REBOOT && second >= -TIME_MAX_S && second <= TIME_MAX_S;
}

/* The last time of an interval that is not after second. */
static int64_t
grid(const struct pawl_cron *cron, int64_t second)
{
    return cron->start_s +
           pawl_calendar_floor(second - cron->start_s, cron->every_s) * cron->every_s;
}

int64_t
pawl_cron_next(const struct pawl_cron *cron, int64_t second)
{
    if (!has_times(cron, second))
        return NEVER;
    if (cron->kind == PAWL_CRON_EVERY)
        return grid(cron, second) + cron->every_s;
    return first_in(cron, second + 1, second + HORIZON_S);
}

int64_t
pawl_cron_prev(const struct pawl_cron *cron, int64_t second)
{
    if (!has_times(cron, second))
        return NEVER;
    if (cron->kind == PAWL_CRON_EVERY)
        return grid(cron, second - 1);
    return last_in(cron, second - 1, second - HORIZON_S);
}

bool
pawl_cron_match(const struct pawl_cron *cron, int64_t second)
{
    if (!has_times(cron, second))
        return false;
    if (cron->kind == PAWL_CRON_EVERY)
        return grid(cron, second) == second;
    return first_in(cron, second, second) == second;
}
