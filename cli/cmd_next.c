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

static void
add_row(struct pawl_table *table, const char *text)
{
    char cell[PAWL_TIMES_SIZE];
    struct timespec point;
    struct tm tm;

    if (!pawl_times_parse_point(text, &point)) {
        for (int i = 0; i < 3; i++)
            pawl_table_add(table, text, strlen(text), NULL);
        return;
    }
    pawl_times_format_sent(text, cell);
    pawl_table_add(table, cell, strlen(cell), NULL);
    gmtime_r(&point.tv_sec, &tm);
    strftime(cell, sizeof cell, "%a %Y-%m-%d %H:%M:%S", &tm);
    pawl_table_add(table, cell, strlen(cell), NULL);
    localtime_r(&point.tv_sec, &tm);
    strftime(cell, sizeof cell, "%a %Y-%m-%d %H:%M:%S %Z", &tm);
    pawl_table_add(table, cell, strlen(cell), NULL);
}

static void
print_table(struct pawl_cli *cli, const json_t *answer)
{
    const char *zone = pawl_fields_string(answer, "timezone", NULL);
    const struct pawl_table_column columns[] = {
        {zone ? zone : "ZONE", 0, 0}, {"UTC", 0, 0}, {"LOCAL", 0, 0}};
    const json_t *times = json_object_get(answer, "times");
    struct pawl_table table;
    const json_t *time;
    size_t i;

    pawl_table_init(&table, columns, 3, 0, cli->print.has_colour);
    json_array_foreach (times, i, time)
        if (json_is_string(time))
            add_row(&table, json_string_value(time));
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
    struct pawl_response response = {0};
    struct pawl_text path = {0};
    struct pawl_fail fail;
    json_t *answer = NULL;

    int status = build_path(cli, &path, &fail);
    struct pawl_request request = {.method = "GET", .path = path.data};
    if (!status)
        status = pawl_client_call(cli->client, &request, &response, &fail);
    if (!status)
        status = pawl_answer_document(&response, &answer, &fail);
    if (status)
        pawl_command_report(&fail);
    else
        print_answer(cli, answer);
    json_decref(answer);
    pawl_client_response_fini(&response);
    pawl_text_fini(&path);
    return status;
}
