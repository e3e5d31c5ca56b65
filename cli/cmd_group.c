/* cmd_group.c: pawl group: the groups of tasks of which only so many run at once: list them, set the
 * size of one, take it back. One thread. */
#include "command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "fields.h"

static const struct pawl_table_column columns[] = {
    {"NAME", 8, 0},
    {"SIZE", 0, 0},
    {"RUNNING", 0, 0},
    {"WAITING", 0, 0},
    {"SOURCE", 0, 1},
};

#define NCOLUMNS (sizeof columns / sizeof columns[0])

static void
add_row(struct pawl_table *table, const json_t *group)
{
    static const char *const numbers[] = {"size", "running", "waiting"};
    struct pawl_text cell = {0};
    size_t len;
    const char *text = pawl_fields_string(group, "name", &len);

    pawl_table_add(table, text, text ? len : 0, NULL);
    for (size_t i = 0; i < 3; i++) {
        bool is_held = i == 2 && pawl_fields_number(group, "waiting", 0) > 0;

        pawl_text_reset(&cell);
        pawl_fields_add_number(&cell, group, numbers[i]);
        pawl_table_add(table, pawl_text_string(&cell), cell.len, is_held ? "33" : NULL);
    }
    text = pawl_fields_string(group, "source", &len);
    pawl_table_add(table, text, text ? len : 0, NULL);
    pawl_text_fini(&cell);
}

static void
print_group(struct pawl_cli *cli, struct pawl_table *table, const json_t *group)
{
    size_t len;
    const char *name = pawl_fields_string(group, "name", &len);

    if (cli->print.format == PAWL_FORMAT_NAME) {
        pawl_text_append(&cli->print.out, name, name ? len : 0);
        pawl_text_puts(&cli->print.out, "\n");
        cli->print.ntasks++;
    } else if (cli->print.format == PAWL_FORMAT_TABLE || cli->print.format == PAWL_FORMAT_WIDE) {
        add_row(table, group);
        cli->print.ntasks++;
    } else {
        pawl_print_task(&cli->print, group);
    }
}

/* Prints one group, or an array of them. */
static int
print_answer(struct pawl_cli *cli, const struct pawl_response *response, bool is_array,
    struct pawl_fail *fail)
{
    struct pawl_table table;
    json_t *group = NULL;
    size_t position = 0;
    int status = PAWL_EXIT_OK;

    pawl_table_init(
        &table, columns, NCOLUMNS, cli->print.table.width, cli->print.has_colour);
    table.keeps_all = cli->print.format == PAWL_FORMAT_WIDE;
    pawl_print_begin(&cli->print, is_array);
    while (!(status = is_array ? pawl_answer_element(response, &position, &group, fail)
                               : pawl_answer_document(response, &group, fail)) &&
           group) {
        print_group(cli, &table, group);
        json_decref(group);
        group = NULL;
        if (!is_array)
            break;
    }
    pawl_table_flush(&table, &cli->print.out);
    if (!status)
        pawl_print_end(&cli->print, "no group has a size of its own, or a run");
    pawl_table_fini(&table);
    return status;
}

/* name: NULL: all. */
static int
call(struct pawl_cli *cli, const char *method, const char *name, const char *body,
    struct pawl_fail *fail)
{
    struct pawl_response response = {0};
    struct pawl_text path = {0};

    pawl_text_puts(&path, name ? "/api/groups/" : "/api/groups");
    if (name)
        pawl_text_percent(&path, name, strlen(name));
    struct pawl_request request = {
        .method = method, .path = path.data, .body = body, .body_len = body ? strlen(body) : 0};
    int status = pawl_client_call(cli->client, &request, &response, fail);
    if (!status)
        status = print_answer(cli, &response, !name, fail);
    pawl_client_response_fini(&response);
    pawl_text_fini(&path);
    return status;
}

static int
set(struct pawl_cli *cli, struct pawl_fail *fail)
{
    const char *size = cli->words[2];
    char body[64];

    if (!*size || strlen(size) > 20 || strspn(size, "0123456789") != strlen(size))
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "%.60s is no size: give how many runs of the group may be in progress, 0 or more", size);
    while (size[0] == '0' && size[1])
        size++;
    snprintf(body, sizeof body, "{\"size\":%s}", size);
    return call(cli, "PUT", cli->words[1], body, fail);
}

int
pawl_cmd_group(struct pawl_cli *cli)
{
    const char *verb = cli->nwords > 0 ? cli->words[0] : "";
    struct pawl_fail fail;
    int status;

    if (strcmp(verb, "list") == 0 && cli->nwords == 1)
        status = call(cli, "GET", NULL, NULL, &fail);
    else if (strcmp(verb, "set") == 0 && cli->nwords == 3)
        status = set(cli, &fail);
    else if (strcmp(verb, "delete") == 0 && cli->nwords == 2)
        status = call(cli, "DELETE", cli->words[1], NULL, &fail);
    else
        status = pawl_client_fail(&fail, PAWL_EXIT_USAGE,
            "give `pawl group list`, `pawl group set NAME SIZE` or `pawl group delete NAME`");
    return status ? pawl_command_report(&fail) : status;
}
