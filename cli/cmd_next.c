/* cmd_next.c: pawl next: when an expression fires, by the clocks of its zone, of Greenwich and of
 * this machine. The daemon answers; what it says in words goes to stderr. One thread. */
#define _GNU_SOURCE 1
#include "command.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "fields.h"
#include "times.h"
#include "when.h"

const struct pawl_flag pawl_cmd_next_flags[] = {
    {"tz", NULL, PAWL_FLAG_STRING, "ZONE", "time zone, such as Europe/Berlin (the daemon's)"},
    {"n", NULL, PAWL_FLAG_STRING, "N", "so many times (5); -N: the last ones before"},
    {"from", NULL, PAWL_FLAG_STRING, "TIME", "after this time, written as for submit -at (now)"},
    {"dst", NULL, PAWL_FLAG_CHOICE, "run-after|once|twice|shift",
        "what becomes of times that a change of the clock leaves out or repeats"},
    {"day-match", NULL, PAWL_FLAG_CHOICE, "or|vixie",
        "when both day fields are restricted: either of them, or as Vixie cron"},
    {"id", NULL, PAWL_FLAG_STRING, "ID", "of the task, for expressions with H"},
    {"start", NULL, PAWL_FLAG_STRING, "TIME", "what intervals are counted from, written as that (-from)"},
    {0},
};

/* Flags and the parameters that they become. */
static const char *const parameters[][2] = {
    {"tz", "timezone"},
    {"n", "n"},
    {"from", "from"},
    {"dst", "dst"},
    {"day-match", "dayMatch"},
    {"id", "id"},
    {"start", "start"},
};

static int
build_path(struct pawl_cli *cli, struct pawl_text *path, struct pawl_fail *fail)
{
    pawl_text_puts(path, "/api/next?expr=");
    pawl_text_percent(path, cli->words[0], strlen(cli->words[0]));
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        const char *name = parameters[i][1];
        const char *value = pawl_flags_value(&cli->args, parameters[i][0]);
        char text[PAWL_TIMES_SIZE] = "";
        struct timespec point;
        int status = PAWL_EXIT_OK;

        if (!value)
            continue;
        if (strcmp(name, "from") == 0 || strcmp(name, "start") == 0)
            status = pawl_when_point(cli, name, value, &point, text, fail);
        if (status)
            return status;
        if (*text)
            value = text;
        pawl_text_printf(path, "&%s=", name);
        pawl_text_percent(path, value, strlen(value));
    }
    return PAWL_EXIT_OK;
}

/* The columns of the table; of UTC and of here only those that say something else. */
enum { SENT, UTC, HERE, NCOLUMNS };

/* How far the clock that wrote text is ahead of Greenwich, in seconds. */
static long
offset_of(const char *text, const struct timespec *point)
{
    struct tm tm = {0};

    return strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? (long) (timegm(&tm) - point->tv_sec) : 0;
}

static void
choose_columns(const json_t *times, bool out_is_shown[NCOLUMNS])
{
    bool is_here_sent = true, is_here_utc = true;
    const json_t *time;
    size_t i;

    out_is_shown[SENT] = true;
    out_is_shown[UTC] = false;
    json_array_foreach (times, i, time) {
        const char *text = json_string_value(time);
        struct timespec point;
        struct tm tm;

        if (!text || !pawl_times_parse_point(text, &point))
            continue;
        localtime_r(&point.tv_sec, &tm);
        out_is_shown[UTC] |= offset_of(text, &point) != 0;
        is_here_sent &= tm.tm_gmtoff == offset_of(text, &point);
        is_here_utc &= tm.tm_gmtoff == 0;
    }
    out_is_shown[HERE] = !is_here_sent && !is_here_utc;
}

/* The cell of a column; a time that is none is given as it is. */
static void
format_cell(const char *text, int column, char out[PAWL_TIMES_SIZE])
{
    struct timespec point;
    struct tm tm;

    if (!pawl_times_parse_point(text, &point) || column == SENT) {
        pawl_times_format_sent(text, out);
    } else if (column == UTC) {
        gmtime_r(&point.tv_sec, &tm);
        strftime(out, PAWL_TIMES_SIZE, "%a %Y-%m-%d %H:%M:%S", &tm);
    } else {
        localtime_r(&point.tv_sec, &tm);
        strftime(out, PAWL_TIMES_SIZE, "%a %Y-%m-%d %H:%M:%S %Z", &tm);
    }
}

static void
print_table(struct pawl_cli *cli, const json_t *answer)
{
    const char *zone = pawl_fields_string(answer, "timezone", NULL);
    const char *const titles[NCOLUMNS] = {zone ? zone : "ZONE", "UTC", "LOCAL"};
    const json_t *times = json_object_get(answer, "times");
    struct pawl_table_column columns[NCOLUMNS];
    bool is_shown[NCOLUMNS];
    struct pawl_table table;
    size_t i, ncolumns = 0;
    const json_t *time;

    choose_columns(times, is_shown);
    for (int column = 0; column < NCOLUMNS; column++)
        if (is_shown[column])
            columns[ncolumns++] = (struct pawl_table_column) {titles[column], 0, 0};
    pawl_table_init(&table, columns, ncolumns, 0, cli->print.has_colour);
    json_array_foreach (times, i, time)
        for (int column = 0; json_is_string(time) && column < NCOLUMNS; column++)
            if (is_shown[column]) {
                char cell[PAWL_TIMES_SIZE];

                format_cell(json_string_value(time), column, cell);
                pawl_table_add(&table, cell, strlen(cell), NULL);
            }
    if (json_array_size(times) > 0)
        pawl_table_flush(&table, &cli->print.out);
    pawl_table_fini(&table);
}

/* What the answer says in words. */
static void
print_words(const json_t *answer)
{
    const char *description = pawl_fields_string(answer, "description", NULL);

    if (description)
        pawl_print_message("%s", description);
    pawl_print_warnings(answer, "");
}

static void
print_answer(struct pawl_cli *cli, const json_t *answer)
{
    const json_t *time;
    size_t i;

    switch (cli->print.format) {
    case PAWL_FORMAT_JSON:
    case PAWL_FORMAT_NDJSON:
        pawl_print_begin(&cli->print, false);
        pawl_print_task(&cli->print, answer);
        pawl_print_end(&cli->print, NULL);
        break;
    case PAWL_FORMAT_NAME:
        json_array_foreach (json_object_get(answer, "times"), i, time)
            pawl_text_printf(&cli->print.out, "%s\n", json_string_value(time));
        break;
    default:
        print_words(answer);
        print_table(cli, answer);
    }
}

int
pawl_cmd_next(struct pawl_cli *cli)
{
    return pawl_command_ask(cli, build_path, print_answer);
}
