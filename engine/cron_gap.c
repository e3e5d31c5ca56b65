/* cron_gap.c: what becomes of the wall times that the clock jumps over, and of those that it shows
 * twice, by the policy of a schedule.
 *
 * Pure; any thread. A span (zone.h) answers for its own beginning: what the gap there adds to it,
 * and what of the fold there it leaves to the span before. */
#include "cron_gap.h"

#include "cron_wall.h"

#define NEVER PAWL_CRON_NEVER
#define CORRECTION_S (3 * 3600)                 /* so wide a gap is none of daylight saving */
#define HOUR_S 3600

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

int64_t
pawl_cron_first_of_gap(const struct pawl_cron *cron, const struct pawl_zone_span *span, int64_t x)
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

int64_t
pawl_cron_last_of_gap(const struct pawl_cron *cron, const struct pawl_zone_span *span, int64_t x)
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

int64_t
pawl_cron_first_wall(const struct pawl_cron *cron, const struct pawl_zone_span *span)
{
    return span->begin_s +
           (fires_once(cron) ? max(span->before_s, span->offset_s) : span->offset_s);
}
