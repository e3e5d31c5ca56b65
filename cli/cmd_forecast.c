/* cmd_forecast.c: pawl forecast: what fires in a window of time, over all tasks. The daemon answers;
 * what is not in the answer is said on stderr. One thread. */
#define _GNU_SOURCE 1
#include "command.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "fields.h"
#include "times.h"
#include "when.h"

#define SECOND_NS INT64_C(1000000000)

const struct pawl_flag pawl_cmd_forecast_flags[] = {
    {"from", NULL, PAWL_FLAG_STRING, "TIME", "as for submit -at, or a duration from now (now)"},
    {"until", NULL, PAWL_FLAG_STRING, "TIME", "as that, or a duration after -from (24h)"},
    {"limit", NULL, PAWL_FLAG_COUNT, "N", "at most so many, the earliest (100)"},
    {"tz", NULL, PAWL_FLAG_STRING, "ZONE", "time zone to show times in (the daemon's)"},
    {"type", NULL, PAWL_FLAG_CHOICE, "delay|cron", "only tasks of this type"},
    {"prefix", NULL, PAWL_FLAG_STRING, "TEXT", "only tasks whose ID begins with it"},
    {"tag", NULL, PAWL_FLAG_STRING, "TAG",
        "only tasks with this tag; repeated: that have all of them"},
    {"group", NULL, PAWL_FLAG_STRING, "NAME", "only tasks in this group"},
    {0},
};

/* Flags and the parameters that they become as they are. */
static const char *const parameters[][2] = {
    {"limit", "limit"},
    {"tz", "timezone"},
    {"type", "type"},
    {"prefix", "prefix"},
    {"group", "group"},
};

/* --- The question --- */

static void
add_parameter(struct pawl_text *path, const char *name, const char *value)
{
    pawl_text_printf(path, "%s%s=", strchr(path->data, '?') ? "&" : "?", name);
    pawl_text_percent(path, value, strlen(value));
}

/* Adds a time that a flag gives, or a duration after base, which becomes it. */
static int
add_time(struct pawl_cli *cli, struct pawl_text *path, const char *name, struct timespec *base,
    struct pawl_fail *fail)
{
    const char *value = pawl_flags_value(&cli->args, name);
    char text[PAWL_TIMES_SIZE];
    int64_t span_ns, ns;

    if (!value)
        return PAWL_EXIT_OK;
    if (!pawl_times_parse_duration(value, &span_ns)) {
        int status = pawl_when_point(cli, name, value, base, text, fail);

        if (!status)
            add_parameter(path, name, *text ? text : value);
        return status;
    }
    if (__builtin_mul_overflow((int64_t)base->tv_sec, SECOND_NS, &ns) ||
        __builtin_add_overflow(ns, base->tv_nsec, &ns) ||
        __builtin_add_overflow(ns, span_ns, &ns) || ns < 0)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE, "-from and -until lie too far away");
    *base = (struct timespec){.tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS};
    pawl_times_format_utc(base, text);
    add_parameter(path, name, text);
    return PAWL_EXIT_OK;
}

static int
build_path(struct pawl_cli *cli, struct pawl_text *path, struct pawl_fail *fail)
{
    struct timespec base = cli->print.now;
    const char *tag;

    pawl_text_puts(path, "/api/forecast");
    int status = add_time(cli, path, "from", &base, fail);
    if (!status)
        status = add_time(cli, path, "until", &base, fail);
    if (status)
        return status;
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        const char *value = pawl_flags_value(&cli->args, parameters[i][0]);

        if (value)
            add_parameter(path, parameters[i][1], value);
    }
    for (size_t n = 0; (tag = pawl_flags_nth(&cli->args, "tag", n)); n++)
        add_parameter(path, "tag", tag);
    return PAWL_EXIT_OK;
}

/* --- The answer --- */

static void
format_local(const char *text, char out[PAWL_TIMES_SIZE])
{
    struct timespec point;
    struct tm tm;

    if (!pawl_times_parse_point(text, &point) || !localtime_r(&point.tv_sec, &tm) ||
        !strftime(out, PAWL_TIMES_SIZE, "%a %Y-%m-%d %H:%M:%S %z", &tm)) {
        strcpy(out, "?");
        return;
    }
    size_t len = strlen(out); /* +0200 as +02:00 */
    memmove(out + len - 1, out + len - 2, 3);
    out[len - 2] = ':';
}

/* Whether the clock on this machine's wall shows other times. */
static bool
is_elsewhere(const json_t *fires)
{
    const json_t *fire;
    size_t i;

    json_array_foreach (fires, i, fire) {
        const char *at = pawl_fields_string(fire, "at", NULL);
        char theirs[PAWL_TIMES_SIZE], ours[PAWL_TIMES_SIZE];

        if (!at)
            continue;
        pawl_times_format_sent(at, theirs);
        format_local(at, ours);
        if (strcmp(theirs, ours) != 0)
            return true;
    }
    return false;
}

static void
add_string(struct pawl_table *table, const json_t *object, const char *name)
{
    size_t len;
    const char *s = pawl_fields_string(object, name, &len);

    pawl_table_add(table, s ? s : "-", s ? len : 1, NULL);
}

static void
print_table(struct pawl_cli *cli, const json_t *answer)
{
    const json_t *fires = json_object_get(answer, "fires"), *fire;
    bool has_local = is_elsewhere(fires), is_wide = cli->print.format == PAWL_FORMAT_WIDE;
    const char *zone = pawl_fields_string(answer, "timezone", NULL);
    struct pawl_table_column columns[] = {{zone ? zone : "AT", 0, 0}, {"LOCAL", 0, 0},
        {"ID", 12, 0}, {"TYPE", 0, 0}};
    size_t skipped = has_local ? 0 : 1, i;
    struct pawl_table table;

    columns[skipped] = columns[0]; /* without LOCAL the zone takes its place */
    pawl_table_init(&table, columns + skipped, 3 - skipped + is_wide, cli->print.table.width,
        cli->print.has_colour);
    table.keeps_all = is_wide;
    json_array_foreach (fires, i, fire) {
        const char *at = pawl_fields_string(fire, "at", NULL);
        char cell[PAWL_TIMES_SIZE];

        pawl_times_format_sent(at ? at : "-", cell);
        pawl_table_add(&table, cell, strlen(cell), NULL);
        if (has_local) {
            format_local(at ? at : "-", cell);
            pawl_table_add(&table, cell, strlen(cell), NULL);
        }
        add_string(&table, fire, "id");
        if (is_wide)
            add_string(&table, fire, "taskType");
    }
    pawl_table_flush(&table, &cli->print.out);
    pawl_table_fini(&table);
    if (json_array_size(fires) == 0)
        pawl_text_puts(&cli->print.out, "nothing fires\n");
}

/* What the table has not. */
static void
print_words(const json_t *answer)
{
    int64_t nopen = pawl_fields_number(answer, "unpredictable", 0);

    if (json_is_true(json_object_get(answer, "truncated")))
        pawl_print_message("there is more: these are the first %zu (-limit)",
            json_array_size(json_object_get(answer, "fires")));
    if (nopen > 0)
        pawl_print_message("of %" PRId64 " task%s not all times can be told beforehand", nopen,
            nopen > 1 ? "s" : "");
}

static void
print_answer(struct pawl_cli *cli, const json_t *answer)
{
    enum pawl_format format = cli->print.format;
    const json_t *fire;
    size_t i;

    if (format == PAWL_FORMAT_TABLE || format == PAWL_FORMAT_WIDE) {
        print_table(cli, answer);
        pawl_print_flush(&cli->print);
        print_words(answer);
        return;
    }
    pawl_print_begin(&cli->print, false);
    if (format == PAWL_FORMAT_JSON)
        pawl_print_task(&cli->print, answer);
    else
        json_array_foreach (json_object_get(answer, "fires"), i, fire)
            pawl_print_task(&cli->print, fire);
    pawl_print_end(&cli->print, NULL);
}

int
pawl_cmd_forecast(struct pawl_cli *cli)
{
    return pawl_command_ask(cli, build_path, print_answer);
}
