/* json_write_when.c: what a task document says of when the task fires; any thread.
 *
 * A submit takes it as it stands. One trigger is shown by fields of the task, several as
 * `triggers`; so is a single time of a cron task, which has no field of its own there.
 * What is as by default is left out, but for the policies of an expression. */
#include "json_write.h"

#include <string.h>

#include "../engine/zone.h"

/* In the order of their enumerations. */
static const char *const dst_names[] = {"run-after", "once", "twice", "shift"};
static const char *const day_match_names[] = {"or", "vixie"};

static bool
follows_zone(const struct pawl_trigger *trigger)
{
    return trigger->kind == PAWL_BY_CRON || trigger->kind == PAWL_BY_CALENDAR;
}

static void
write_zone(struct pawl_buffer *buffer, const struct pawl_trigger *trigger)
{
    const char *name = pawl_zone_name(pawl_zone_local());

    if (trigger != NULL && trigger->timezone_len > 0)
        pawl_json_write_string(buffer, trigger->timezone, trigger->timezone_len);
    else
        pawl_json_write_string(buffer, name, strlen(name));
}

/* A member that is a number, and one that is a time; name is with its punctuation. */
static void
write_number(struct pawl_buffer *buffer, const char *name, int64_t value)
{
    pawl_buffer_append_str(buffer, name);
    pawl_json_write_int(buffer, value);
}

static void
write_moment(struct pawl_buffer *buffer, const char *name, int64_t wall_ns)
{
    pawl_buffer_append_str(buffer, name);
    pawl_json_write_time(buffer, wall_ns);
}

static void
write_policies(struct pawl_buffer *buffer, const struct pawl_trigger *trigger)
{
    pawl_buffer_append_str(buffer, ",\"dst\":\"");
    pawl_buffer_append_str(buffer, dst_names[trigger->dst]);
    pawl_buffer_append_str(buffer, "\",\"dayMatch\":\"");
    pawl_buffer_append_str(buffer, day_match_names[trigger->day_match]);
    pawl_buffer_append_str(buffer, "\"");
}

/* The members of the one trigger of a task, which has shown its time and its zone. */
static void
write_single(struct pawl_buffer *buffer, const struct pawl_trigger *trigger)
{
    if (follows_zone(trigger)) {
        pawl_buffer_append_str(
            buffer, trigger->kind == PAWL_BY_CRON ? ",\"cron\":" : ",\"calendar\":");
        pawl_json_write_string(buffer, trigger->expr, trigger->expr_len);
        write_policies(buffer, trigger);
    } else if (trigger->kind == PAWL_BY_AT) {
        write_moment(buffer, ",\"at\":", trigger->at_ns);
    } else if (trigger->time_max_ns != 0) {
        write_number(buffer, ",\"timeMax\":", trigger->time_max_ns);
    }
}

static void
write_element(struct pawl_buffer *buffer, const struct pawl_trigger *trigger)
{
    switch (trigger->kind) {
    case PAWL_BY_AT:
        write_moment(buffer, "{\"at\":", trigger->at_ns);
        break;
    case PAWL_BY_CRON:
    case PAWL_BY_CALENDAR:
        pawl_buffer_append_str(
            buffer, trigger->kind == PAWL_BY_CRON ? "{\"cron\":" : "{\"calendar\":");
        pawl_json_write_string(buffer, trigger->expr, trigger->expr_len);
        pawl_buffer_append_str(buffer, ",\"timezone\":");
        write_zone(buffer, trigger);
        write_policies(buffer, trigger);
        break;
    default:
        write_number(buffer, "{\"time\":", trigger->time_ns);
        if (trigger->time_max_ns != 0)
            write_number(buffer, ",\"timeMax\":", trigger->time_max_ns);
    }
    pawl_buffer_append_char(buffer, '}');
}

static void
write_triggers(struct pawl_buffer *buffer, const struct pawl_when *when)
{
    pawl_buffer_append_str(buffer, ",\"triggers\":[");
    for (size_t i = 0; i < when->ntriggers; i++) {
        if (i > 0)
            pawl_buffer_append_char(buffer, ',');
        write_element(buffer, &when->triggers[i]);
    }
    pawl_buffer_append_char(buffer, ']');
}

/* What bounds and spreads the times. */
static void
write_bounds(struct pawl_buffer *buffer, const struct pawl_when *when)
{
    if (when->start_ns != PAWL_NO_TIME)
        write_moment(buffer, ",\"startAt\":", when->start_ns);
    if (when->end_ns != PAWL_NO_TIME)
        write_moment(buffer, ",\"endAt\":", when->end_ns);
    if (when->max_runs != 0) {
        pawl_buffer_append_str(buffer, ",\"maxRuns\":");
        pawl_json_write_uint(buffer, when->max_runs);
    }
    if (when->runs_on_start)
        pawl_buffer_append_str(buffer, ",\"runOnStart\":true");
    if (when->jitter_ns != 0)
        write_number(buffer, ",\"jitter\":", when->jitter_ns);
    if (when->is_jitter_random)
        pawl_buffer_append_str(buffer, ",\"jitterMode\":\"random\"");
    if (when->from_completion)
        pawl_buffer_append_str(buffer, ",\"intervalFrom\":\"completion\"");
}

void
pawl_json_write_when(struct pawl_buffer *buffer, const struct pawl_view *view)
{
    const struct pawl_when *when = view->when;
    const struct pawl_trigger *first = NULL;

    for (size_t i = when->ntriggers; i-- > 0;)
        if (follows_zone(&when->triggers[i]))
            first = &when->triggers[i];
    write_zone(buffer, first);
    if (when->ntriggers == 1 &&
        (view->type == PAWL_DELAY || when->triggers[0].kind != PAWL_BY_AT))
        write_single(buffer, &when->triggers[0]);
    else
        write_triggers(buffer, when);
    write_bounds(buffer, when);
}
