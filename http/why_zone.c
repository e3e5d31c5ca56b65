/* why_zone.c: what changes of a zone's offset do to the times between now and a task's next run: which
 * wall times do not exist or come twice, and what the policy makes of them. Pure; any thread. */
#include <stdio.h>
#include <stdlib.h>

#include "../engine/calendar.h"
#include "why.h"

#define SECOND_NS INT64_C(1000000000)
#define GAPS_MAX 4              /* sentences about gaps */
#define CHANGES_MAX 1000        /* changes that are looked at */

/* In the order of the enumeration. */
static const char *const policies[] = {"run-after", "once", "twice", "shift"};

/* A time of day by the clock on the wall, "02:30" or "02:30:15". */
static const char *
wall_text(int64_t wall_s, char out[12])
{
    unsigned of_day = (unsigned) (wall_s - pawl_calendar_floor(wall_s, PAWL_DAY_S) * PAWL_DAY_S);
    int len = snprintf(out, 12, "%02u:%02u", of_day / 3600 % 24, of_day / 60 % 60);

    if (of_day % 60 != 0)
        snprintf(out + len, 12 - (size_t) len, ":%02u", of_day % 60);
    return out;
}

static const char *
date_text(int64_t wall_s, char out[24])
{
    struct pawl_date date = pawl_calendar_date(pawl_calendar_floor(wall_s, PAWL_DAY_S));

    snprintf(out, 24, "%04d-%02u-%02u", (int) date.year, date.month, date.day);
    return out;
}

/* The same fields without any zone: its times are seconds on the wall. */
static struct pawl_cron
without_zone(const struct pawl_cron *cron)
{
    struct pawl_cron wall = *cron;

    wall.zone = pawl_zone_utc();
    return wall;
}

static bool
follows_wall(const struct pawl_why_trigger *read)
{
    return (read->trigger->kind == PAWL_BY_CRON || read->trigger->kind == PAWL_BY_CALENDAR) &&
        read->cron.kind != PAWL_CRON_EVERY && read->cron.kind != PAWL_CRON_REBOOT;
}

/* A time of the expression that the clock on the wall jumps over where the span begins. False: there
 * is none. */
static bool
say_gap(struct pawl_buffer *out, const struct pawl_cron *cron, const struct pawl_zone_span *span)
{
    struct pawl_cron on_wall = without_zone(cron);
    int64_t wall_s = pawl_cron_next(&on_wall, span->begin_s + span->before_s - 1), runs_s;
    char lost[12], runs[12], date[24];
    const char *policy = policies[cron->dst], *zone = pawl_zone_name(cron->zone);

    if (cron->is_wild || wall_s == PAWL_CRON_NEVER || wall_s >= span->begin_s + span->offset_s)
        return false;
    runs_s = cron->dst == PAWL_CRON_SHIFT ? wall_s - span->before_s : span->begin_s;
    wall_text(wall_s, lost);
    date_text(wall_s, date);
    if ((cron->dst == PAWL_CRON_SHIFT || cron->dst == PAWL_CRON_RUN_AFTER) &&
        pawl_cron_match(cron, runs_s))
        pawl_why_say(out, "%s does not exist on %s in %s: it runs at %s (dst %s)", lost, date, zone,
            wall_text(runs_s + span->offset_s, runs), policy);
    else
        pawl_why_say(out, "%s does not exist on %s in %s: it does not run then (dst %s)", lost, date,
            zone, policy);
    return true;
}

/* A time that is one of two with the same clock on the wall. */
static void
say_fold(struct pawl_buffer *out, const struct pawl_cron *cron, int64_t due_s)
{
    struct pawl_zone_span span;
    struct pawl_zone_instants both;
    char text[12], date[24];

    pawl_zone_at(cron->zone, due_s, &span);
    both = pawl_zone_from_wall(cron->zone, due_s + span.offset_s);
    if (both.kind != PAWL_ZONE_FOLD)
        return;
    wall_text(due_s + span.offset_s, text);
    date_text(due_s + span.offset_s, date);
    pawl_why_say(out, "%s comes twice on %s in %s: it runs %s (%s%s)", text, date,
        pawl_zone_name(cron->zone),
        pawl_cron_match(cron, both.before_s) && pawl_cron_match(cron, both.after_s)
            ? "both times" : due_s == both.before_s ? "the first time" : "the second time",
        cron->is_wild ? "wildcards follow elapsed time" : "dst ",
        cron->is_wild ? "" : policies[cron->dst]);
}

static void
say_change(struct pawl_buffer *out, const struct pawl_zone *zone,
           const struct pawl_zone_span *span)
{
    int32_t by_s = span->offset_s - span->before_s;
    char time[PAWL_WHY_TIME_MAX];

    pawl_why_time(zone, span->begin_s * SECOND_NS, time);
    pawl_why_say(out, "before it, clocks in %s are set %s by %d min, to %s", pawl_zone_name(zone),
        by_s > 0 ? "forward" : "back", abs(by_s) / 60, time);
}

/* Gives the first change of the offset after a moment and not after the end; false: there is none. */
static bool
next_change(const struct pawl_zone *zone, int64_t *at_s, int64_t end_s,
            struct pawl_zone_span *out_span)
{
    do {
        pawl_zone_at(zone, *at_s, out_span);
        if (out_span->end_s == INT64_MAX || out_span->end_s > end_s)
            return false;
        *at_s = out_span->end_s;
        pawl_zone_at(zone, *at_s, out_span);
    } while (out_span->offset_s == out_span->before_s);
    return true;
}

/* Whether an earlier trigger is in the same zone, so that its changes were told. */
static bool
is_told(const struct pawl_why *why, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (follows_wall(&why->triggers[j]) &&
            why->triggers[j].cron.zone == why->triggers[i].cron.zone)
            return true;
    return false;
}

static void
say_changes_of(struct pawl_buffer *out, const struct pawl_why *why, size_t i)
{
    const struct pawl_cron *cron = &why->triggers[i].cron;
    int64_t due_s = pawl_calendar_floor(why->next_ns - why->jitter_ns, SECOND_NS);
    int64_t at_s = pawl_calendar_floor(why->now_ns, SECOND_NS);
    struct pawl_zone_span span;
    unsigned nchanges = 0, ngaps = 0;

    while (nchanges < CHANGES_MAX && next_change(cron->zone, &at_s, due_s, &span)) {
        if (nchanges++ == 0 && !is_told(why, i))
            say_change(out, cron->zone, &span);
        if (span.offset_s > span.before_s && ngaps < GAPS_MAX)
            ngaps += say_gap(out, cron, &span);
    }
    if (nchanges > 1 && !is_told(why, i))
        pawl_why_say(out, "after that, %u times more", nchanges - 1);
    if (pawl_cron_match(cron, due_s))
        say_fold(out, cron, due_s);
}

void
pawl_why_write_changes(struct pawl_buffer *out, const struct pawl_why *why)
{
    if (why->next_ns == PAWL_NO_TIME)
        return;
    for (size_t i = 0; i < why->when->ntriggers; i++)
        if (follows_wall(&why->triggers[i]))
            say_changes_of(out, why, i);
}
