/* cron_count.c: how many times a schedule has between two instants.
 *
 * Pure; any thread. The times that a span of one offset has by itself are the bits of its days, by
 * those of a day; what a gap adds is counted by minutes. So ten years are some hundred months and
 * twenty changes, whatever the expression. */
#include "calendar.h"
#include "cron_gap.h"
#include "cron_wall.h"

#define NEVER PAWL_CRON_NEVER
#define MINUTE_S 60

/* Whether all that a gap moves into a minute of its span are the seconds of the fields, and all
 * that the minute has itself are the same ones. */
static bool
moves_minutes(const struct pawl_cron *cron, const struct pawl_zone_span *span)
{
    return cron->kind == PAWL_CRON_FIELDS && cron->dst == PAWL_CRON_SHIFT &&
           span->begin_s % MINUTE_S == 0 && span->offset_s % MINUTE_S == 0 &&
           span->before_s % MINUTE_S == 0;
}

/* How many instants from x to last the gap adds to those that its span has anyway: by minutes where
 * it moves whole ones, or one by one. */
static uint64_t
count_added(const struct pawl_cron *cron, const struct pawl_zone_span *span, int64_t x,
            int64_t last)
{
    int64_t unit = moves_minutes(cron, span) ? MINUTE_S : 1, end;
    uint64_t n = 0;

    for (int64_t at; (at = pawl_cron_first_of_gap(cron, span, x)) != NEVER && at <= last; x = end) {
        int64_t begin = pawl_calendar_floor(at, unit) * unit;
        uint64_t seconds = 1;

        end = begin + unit;
        if (pawl_cron_next_wall(cron, begin + span->offset_s, end - 1 + span->offset_s) != NEVER)
            continue;
        if (unit == MINUTE_S) {
            seconds = cron->second >> (at - begin) << (at - begin);
            seconds &= (UINT64_C(2) << (min(last, end - 1) - begin)) - 1;
        }
        n += (uint64_t) __builtin_popcountll(seconds);
    }
    return n;
}

/* How many instants from x to last. */
static uint64_t
count_in(const struct pawl_cron *cron, int64_t x, int64_t last)
{
    struct pawl_zone_span span;
    uint64_t n = 0;

    for (; x <= last; x = span.end_s) {
        int64_t wall, until;

        pawl_zone_at(cron->zone, x, &span);
        until = min(span.end_s - 1, last);
        wall = x + span.offset_s;
        if (span.begin_s != INT64_MIN)
            wall = max(wall, pawl_cron_first_wall(cron, &span));
        n += pawl_cron_count_wall(cron, wall, until + span.offset_s);
        if (span.before_s < span.offset_s)
            n += count_added(cron, &span, x, until);
        if (until == last)
            break;
    }
    return n;
}

/* How many times of an interval there are from its start to second, less when before it. */
static int64_t
steps(const struct pawl_cron *cron, int64_t second)
{
    return pawl_calendar_floor(second - cron->start_s, cron->every_s);
}

uint64_t
pawl_cron_count(const struct pawl_cron *cron, int64_t after, int64_t until)
{
    after = max(after, -PAWL_CRON_TIME_MAX_S - 1);
    until = min(until, PAWL_CRON_TIME_MAX_S);
    if (until <= after || cron->kind == PAWL_CRON_REBOOT)
        return 0;
    if (cron->kind == PAWL_CRON_EVERY)
        return (uint64_t) (steps(cron, until) - steps(cron, after));
    return count_in(cron, after + 1, until);
}
