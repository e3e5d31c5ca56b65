/* when.c: from flags to the fields of a task document that say when it fires.
 * One thread. -time, -at, -cron, -calendar and -trigger are each a trigger: one is put into
 * the document itself, several become its `triggers`. The daemon judges them; here only
 * what the daemon could not be told, or what the flags leave open, is refused. */
#define _GNU_SOURCE 1
#include "when.h"

#include <string.h>

#include "moment.h"

/* The flags that are a trigger each. */
static const char *const ways[] = {"time", "at", "cron", "calendar", "trigger"};
enum way { TIME, AT, CRON, CALENDAR, TRIGGER, NWAYS };

/* The others, and the fields that they become. */
static const struct {
    const char *flag, *field;
} fields[] = {
    {"tz", "timezone"},
    {"dst", "dst"},
    {"day-match", "dayMatch"},
    {"start", "startAt"},
    {"end", "endAt"},
    {"max-runs", "maxRuns"},
    {"run-on-start", "runOnStart"},
    {"jitter", "jitter"},
    {"jitter-mode", "jitterMode"},
    {"interval-from", "intervalFrom"},
};

int
pawl_when_add(json_t *object, const char *name, json_t *value, struct pawl_fail *fail)
{
    if (value && json_object_set_new(object, name, value) == 0)
        return PAWL_EXIT_OK;
    return pawl_client_fail(fail, PAWL_EXIT_USAGE, "%s is not valid UTF-8", name);
}

int
pawl_when_point(struct pawl_cli *cli, const char *flag, const char *value,
    struct timespec *out_point, char out_text[PAWL_TIMES_SIZE], struct pawl_fail *fail)
{
    char relative[PAWL_TIMES_SIZE];
    const struct timespec *now = &cli->print.now;

    switch (pawl_moment_read(value, now, out_point, out_text)) {
    case PAWL_MOMENT_EXACT:
        *out_text = '\0';
        return PAWL_EXIT_OK;
    case PAWL_MOMENT_LOCAL:
        break;
    case PAWL_MOMENT_GAP:
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "-%s=%.60s: there is no such time here, since clocks are set forward", flag,
            value);
    case PAWL_MOMENT_FOLD:
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "-%s=%.60s: that time comes twice here, since clocks are set back; give its "
            "offset, such as 2026-12-24T18:00:00+01:00", flag, value);
    case PAWL_MOMENT_NONE:
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "-%s=%.60s: not a time such as 18:00, tomorrow 18:00, 2026-12-24 18:00 or "
            "2026-12-24T18:00:00+01:00", flag, value);
    }
    if (pawl_flags_value(&cli->args, "tz"))
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "-%s=%.60s: with -tz give the offset, such as 2026-12-24T18:00:00+01:00", flag,
            value);
    pawl_times_format_relative(out_point, now, relative);
    pawl_print_message("-%s=%s is %s (%s)", flag, value, out_text, relative);
    return PAWL_EXIT_OK;
}

/* Adds a point in time. */
static int
add_moment(struct pawl_cli *cli, json_t *object, const char *field, const char *flag,
    const char *value, struct pawl_fail *fail)
{
    char text[PAWL_TIMES_SIZE];
    struct timespec point;
    int status = pawl_when_point(cli, flag, value, &point, text, fail);

    if (status)
        return status;
    return pawl_when_add(object, field, json_string(*text ? text : value), fail);
}

static int
read_trigger(const char *value, json_t **out, struct pawl_fail *fail)
{
    json_error_t error;

    *out = json_loads(value, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(*out))
        return PAWL_EXIT_OK;
    return pawl_client_fail(fail, PAWL_EXIT_USAGE,
        "-trigger=%.60s: not an object such as "
        "{\"cron\":\"0 9 * * *\",\"timezone\":\"UTC\"}%s%.120s", value, *out ? "" : ": ", *out ? "" : error.text);
}

/* Makes the trigger that one flag is. */
static int
make_trigger(struct pawl_cli *cli, const struct pawl_given *given, enum way way,
    json_t **out, struct pawl_fail *fail)
{
    const char *name = ways[way], *value = given->value;
    int64_t number = 0, most = pawl_flags_number(&cli->args, "time-max", -1);
    int status;

    if (way == TRIGGER)
        return read_trigger(value, out, fail);
    *out = json_object();
    if (way == AT)
        return add_moment(cli, *out, name, name, value, fail);
    if (way != TIME)
        return pawl_when_add(*out, name, json_string(value), fail);
    pawl_times_parse_duration(value, &number);
    status = pawl_when_add(*out, name, json_integer(number), fail);
    if (!status && most >= 0)
        status = pawl_when_add(*out, "timeMax", json_integer(most), fail);
    return status;
}

/* Gathers the triggers in the order of the flags; counts[] says how many of each. */
static int
gather(struct pawl_cli *cli, json_t *triggers, size_t counts[NWAYS], struct pawl_fail *fail)
{
    int status = PAWL_EXIT_OK;

    for (size_t i = 0; i < cli->args.ngiven && !status; i++)
        for (enum way way = 0; way < NWAYS && !status; way++) {
            json_t *trigger = NULL;

            if (strcmp(cli->args.given[i].flag->name, ways[way]) != 0)
                continue;
            status = make_trigger(cli, &cli->args.given[i], way, &trigger, fail);
            json_array_append_new(triggers, trigger);
            counts[way]++;
        }
    if (!status && !counts[TIME] && pawl_flags_value(&cli->args, "time-max"))
        return pawl_client_fail(fail, PAWL_EXIT_USAGE, "-time-max goes with -time");
    return status;
}

/* The task's type: as it was given, else as it follows from what says when; or NULL. */
static const char *
choose_type(const struct pawl_cli *cli, const size_t counts[NWAYS])
{
    const char *type = pawl_flags_value(&cli->args, "type");

    if (type)
        return type;
    if (counts[CRON] || counts[CALENDAR] || counts[TRIGGER] || counts[AT] > 1)
        return "cron";
    return counts[AT] && !counts[TIME] ? "delay" : NULL;
}

static int
check_count(const char *type, size_t n, struct pawl_fail *fail)
{
    if (!type)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "-type=delay or -type=cron is missing (-at alone is a delay, -cron and -calendar "
            "are cron)");
    if (n == 0 && strcmp(type, "delay") == 0)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "-time is missing, such as -time=10s, or -at, such as -at=18:00");
    if (n == 0)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "-time is missing, such as -time=10s, or -cron, such as -cron='30 2 * * *', or "
            "-calendar");
    if (n > 1 && strcmp(type, "delay") == 0)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "-type=delay runs once: give one of -time and -at, or -type=cron");
    return PAWL_EXIT_OK;
}

/* Puts the triggers into the document: the only one as fields of its own, but for those
 * that a cron task has in a list alone. */
static int
add_triggers(json_t *task, json_t *triggers, bool is_cron, const size_t counts[NWAYS],
    struct pawl_fail *fail)
{
    bool is_list =
        json_array_size(triggers) > 1 || counts[TRIGGER] || (is_cron && counts[AT]);

    if (is_list)
        return pawl_when_add(task, "triggers", json_incref(triggers), fail);
    if (json_object_update(task, json_array_get(triggers, 0)) != 0)
        pawl_text_oom();
    return PAWL_EXIT_OK;
}

static int
add_fields(struct pawl_cli *cli, json_t *task, struct pawl_fail *fail)
{
    const struct pawl_args *args = &cli->args;
    int status = PAWL_EXIT_OK;

    for (size_t i = 0; i < sizeof fields / sizeof *fields && !status; i++) {
        const char *flag = fields[i].flag, *field = fields[i].field;
        const char *value = pawl_flags_value(args, flag);

        if (!value)
            continue;
        if (strcmp(flag, "start") == 0 || strcmp(flag, "end") == 0)
            status = add_moment(cli, task, field, flag, value, fail);
        else if (strcmp(flag, "run-on-start") == 0)
            status = pawl_when_add(task, field, json_boolean(*value == 't'), fail);
        else if (strcmp(flag, "max-runs") == 0 || strcmp(flag, "jitter") == 0)
            status = pawl_when_add(
                task, field, json_integer(pawl_flags_number(args, flag, 0)), fail);
        else
            status = pawl_when_add(task, field, json_string(value), fail);
    }
    return status;
}

/* Of -time given twice to a task that runs once the last one counts, as of other flags. */
static void
keep_last_time(json_t *triggers, const char *type, size_t counts[NWAYS])
{
    bool is_once = type && strcmp(type, "delay") == 0;

    while (is_once && counts[TIME] > 1 && json_array_size(triggers) == counts[TIME]) {
        json_array_remove(triggers, 0);
        counts[TIME]--;
    }
}

int
pawl_when_build(struct pawl_cli *cli, json_t *task, struct pawl_fail *fail)
{
    size_t counts[NWAYS] = {0};
    json_t *triggers = json_array();
    int status = gather(cli, triggers, counts, fail);
    const char *type = choose_type(cli, counts);

    keep_last_time(triggers, type, counts);
    if (!status)
        status = check_count(type, json_array_size(triggers), fail);
    if (!status)
        status = pawl_when_add(task, "taskType", json_string(type), fail);
    if (!status)
        status = add_triggers(task, triggers, strcmp(type, "cron") == 0, counts, fail);
    if (!status)
        status = add_fields(cli, task, fail);
    json_decref(triggers);
    return status;
}

int
pawl_when_change(
    struct pawl_cli *cli, const char *type, json_t *change, struct pawl_fail *fail)
{
    size_t counts[NWAYS] = {0};
    json_t *triggers = json_array();
    int status = gather(cli, triggers, counts, fail);

    keep_last_time(triggers, type, counts);
    if (!status && json_array_size(triggers) > 0)
        status = check_count(type, json_array_size(triggers), fail);
    if (!status && json_array_size(triggers) > 0)
        status = add_triggers(change, triggers, strcmp(type, "cron") == 0, counts, fail);
    if (!status)
        status = add_fields(cli, change, fail);
    json_decref(triggers);
    return status;
}
