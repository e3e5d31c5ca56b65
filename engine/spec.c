/* spec.c: what a new task may be. */
#include "spec.h"

#include "action.h"
#include "err.h"
#include "policy.h"
#include "tags.h"
#include "utf8.h"

#include <stdio.h>
#include <string.h>

#define WALL_END_NS (INT64_C(7258118400) * 1000000000)     /* the year 2200 */
#define JITTER_MAX_NS (INT64_C(86400) * 1000000000)

static int
check_id(const char *id, size_t len, struct pawl_err *err)
{
    unsigned point;

    if (len == 0)
        return pawl_err_set(err, PAWL_EINVAL, "id", "id is empty: give 1 to %d bytes", PAWL_ID_MAX);
    if (len > PAWL_ID_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "id", "id has %zu bytes: the limit is %d", len,
                            PAWL_ID_MAX);
    for (size_t i = 0, n; i < len; i += n) {
        n = pawl_utf8_next(id + i, len - i, &point);
        if (n == 0)
            return pawl_err_set(err, PAWL_EINVAL, "id", "id is not valid UTF-8 at byte %zu", i);
        if (point < 0x20 || (point >= 0x7F && point < 0xA0))
            return pawl_err_set(err, PAWL_EINVAL, "id",
                                "id has the control character U+%04X at byte %zu", point, i);
    }
    return PAWL_OK;
}

static int
check_time(const struct pawl_spec *spec, struct pawl_err *err)
{
    if (spec->time_ns < 0)
        return pawl_err_set(err, PAWL_EINVAL, "time", "time is negative: give 0 or more");
    if (spec->type == PAWL_CRON && spec->time_ns < PAWL_INTERVAL_MIN_NS)
        return pawl_err_set(err, PAWL_EINVAL, "time",
                            "time is the interval of a cron task: give 1ms (1000000) or more");
    return PAWL_OK;
}

const char *
pawl_spec_when_field(const struct pawl_when *when)
{
    static const char *const fields[PAWL_NTRIGGER_KIND] = {"time", "at", "cron", "calendar"};

    return when->ntriggers > 1 ? "triggers" : fields[when->triggers[0].kind];
}

/* A wall time from 1970 to 2199, or none. */
static int
check_wall(const char *field, int64_t ns, struct pawl_err *err)
{
    if (ns == PAWL_NO_TIME || (ns >= 0 && ns < WALL_END_NS))
        return PAWL_OK;
    return pawl_err_set(err, PAWL_EINVAL, field, "%s must be from the years 1970 to 2199", field);
}

static int
check_span(enum pawl_type type, const struct pawl_trigger *trigger, struct pawl_err *err)
{
    struct pawl_spec span = {.type = type, .time_ns = trigger->time_ns};
    int code = check_time(&span, err);

    if (code == PAWL_OK && trigger->time_max_ns != 0 && trigger->time_max_ns < trigger->time_ns)
        code = pawl_err_set(err, PAWL_EINVAL, "timeMax",
                            "timeMax is below time: give the longest span that may be drawn");
    return code;
}

static int
check_trigger(enum pawl_type type, const struct pawl_trigger *trigger, struct pawl_err *err)
{
    switch (trigger->kind) {
    case PAWL_BY_SPAN:
        return check_span(type, trigger, err);
    case PAWL_BY_AT:
        if (trigger->at_ns == PAWL_NO_TIME)
            return pawl_err_set(err, PAWL_EINVAL, "at", "at is no time");
        return check_wall("at", trigger->at_ns, err);
    case PAWL_BY_CRON:
    case PAWL_BY_CALENDAR:
        if (type == PAWL_CRON)
            return PAWL_OK;             /* the expression itself: schedule_new.c */
        return pawl_err_set(err, PAWL_EINVAL, "taskType",
                            "a delay task runs once: with cron or calendar give taskType cron");
    default:
        return pawl_err_set(err, PAWL_EINVAL, "triggers", "a trigger is of no known kind");
    }
}

/* What only tasks that run again and again can have. */
static int
check_delay(const struct pawl_when *when, struct pawl_err *err)
{
    const char *field = when->ntriggers > 1 ? "triggers"
                      : when->start_ns != PAWL_NO_TIME ? "startAt"
                      : when->end_ns != PAWL_NO_TIME ? "endAt"
                      : when->max_runs > 0 ? "maxRuns"
                      : when->runs_on_start ? "runOnStart"
                      : when->from_completion ? "intervalFrom" : NULL;

    if (!field)
        return PAWL_OK;
    return pawl_err_set(err, PAWL_EINVAL, field,
                        "%s is of tasks that run again and again: leave it out, or give taskType cron",
                        field);
}

static int
check_when(enum pawl_type type, const struct pawl_when *when, struct pawl_err *err)
{
    int code = PAWL_OK;

    if (when->ntriggers < 1 || when->ntriggers > PAWL_TRIGGERS_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "triggers", "%zu triggers are given: give 1 to %d",
                            when->ntriggers, PAWL_TRIGGERS_MAX);
    for (size_t i = 0; i < when->ntriggers && code == PAWL_OK; i++) {
        code = check_trigger(type, &when->triggers[i], err);
        if (code != PAWL_OK && err && when->ntriggers > 1) {
            size_t len = strlen(err->text);

            snprintf(err->text + len, sizeof err->text - len, " (triggers[%zu])", i);
        }
    }
    if (code == PAWL_OK && type == PAWL_DELAY)
        code = check_delay(when, err);
    if (code == PAWL_OK)
        code = check_wall("startAt", when->start_ns, err);
    if (code == PAWL_OK)
        code = check_wall("endAt", when->end_ns, err);
    if (code == PAWL_OK && when->start_ns != PAWL_NO_TIME && when->end_ns != PAWL_NO_TIME &&
        when->end_ns < when->start_ns)
        code = pawl_err_set(err, PAWL_EINVAL, "endAt", "endAt is before startAt");
    if (code == PAWL_OK && when->max_runs > INT64_MAX)
        code = pawl_err_set(err, PAWL_EINVAL, "maxRuns",
                            "maxRuns is too large: it is at most 9223372036854775807");
    if (code == PAWL_OK && (when->jitter_ns < 0 || when->jitter_ns > JITTER_MAX_NS))
        code = pawl_err_set(err, PAWL_EINVAL, "jitter", "jitter must be from 0 to 24h");
    return code;
}

/* What a task does: one of the two. */
static int
check_script(const char *script, size_t len, bool has_call, struct pawl_err *err)
{
    const char *nul;

    if (has_call && len > 0)
        return pawl_err_set(err, PAWL_EINVAL, "script",
                            "a task runs a script or calls action.http, not both: leave one out");
    if (has_call)
        return PAWL_OK;
    if (len == 0)
        return pawl_err_set(err, PAWL_EINVAL, "script",
                            "script is empty: give what shall run, or an action.http to call");
    if (len > PAWL_SCRIPT_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "script",
                            "script has %zu bytes: the limit is %zu (1 MiB)", len, PAWL_SCRIPT_MAX);
    nul = memchr(script, '\0', len);
    if (nul)
        return pawl_err_set(err, PAWL_EINVAL, "script",
                            "script has a NUL at byte %zu: a script is text",
                            (size_t) (nul - script));
    if (!pawl_utf8_valid(script, len))
        return pawl_err_set(err, PAWL_EINVAL, "script", "script is not valid UTF-8");
    return PAWL_OK;
}

int
pawl_spec_check(const struct pawl_spec *spec, struct pawl_err *err)
{
    bool has_call = spec->action && spec->action->http;
    int code = check_id(spec->id, spec->id_len, err);

    if (code == PAWL_OK && spec->type != PAWL_DELAY && spec->type != PAWL_CRON)
        code = pawl_err_set(err, PAWL_EINVAL, "taskType", "taskType is neither delay nor cron");
    if (code == PAWL_OK)
        code = spec->when ? check_when(spec->type, spec->when, err) : check_time(spec, err);
    if (code == PAWL_OK)
        code = check_script(spec->script, spec->script_len, has_call, err);
    if (code == PAWL_OK && spec->action)
        code = pawl_action_check(spec->action, err);
    if (code == PAWL_OK && spec->keep_results > PAWL_KEEP_MAX)
        code = pawl_err_set(err, PAWL_EINVAL, "keepResults",
                            "keepResults must be 0 to %d", PAWL_KEEP_MAX);
    if (code == PAWL_OK && spec->policy)
        code = pawl_policy_check(spec->policy, err);
    if (code == PAWL_OK && has_call && spec->policy && pawl_policy_has_statuses(spec->policy))
        code = pawl_err_set(err, PAWL_EINVAL, "retryOn",
                            "retryOn names exit statuses, which action.http has none of: leave it "
                            "out, and say with successCodes what is no failure");
    if (code == PAWL_OK)
        code = pawl_tags_check(spec->tags, spec->ntags, err);
    return code;
}
