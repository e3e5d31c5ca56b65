/* cron_next.c: the instants of a schedule: its wall times in its zone, by its policy.
 *
 * Pure; any thread. Within a span of one offset instants are wall times less the offset; what the
 * beginning of a span leaves out or repeats is in cron_gap.c. Where a span has no time the search
 * hops to the one in which the next wall time lies, so it looks at about one span for each day that
 * the schedule means. */
#include "calendar.h"
#include "cron_gap.h"
#include "cron_wall.h"

#define NEVER PAWL_CRON_NEVER
#define HORIZON_S (PAWL_DAYS_400_YEARS * PAWL_DAY_S)

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
            wall = max(wall, pawl_cron_first_wall(cron, &span));
        wall = pawl_cron_next_wall(cron, wall, min(span.end_s - 1, last) + span.offset_s);
        best = wall == NEVER ? NEVER : wall - span.offset_s;
        if (span.before_s < span.offset_s) {
            int64_t added = pawl_cron_first_of_gap(cron, &span, x);

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
            wall = max(wall, pawl_cron_first_wall(cron, &span));
        wall = pawl_cron_prev_wall(cron, x + span.offset_s, wall);
        best = wall == NEVER ? NEVER : wall - span.offset_s;
        if (span.before_s < span.offset_s) {
            int64_t added = pawl_cron_last_of_gap(cron, &span, x);

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
    return cron->kind != PAWL_CRON_REBOOT && second >= -PAWL_CRON_TIME_MAX_S &&
           second <= PAWL_CRON_TIME_MAX_S;
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
