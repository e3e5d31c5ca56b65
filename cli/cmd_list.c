/* cmd_list.c: pawl list: all tasks, or those that match.
 * Reads the list page by page and prints each page before it asks for the next, so that
 * memory does not grow with the number of tasks. One thread. */
#define _GNU_SOURCE 1
#include "bulk.h"

#include <inttypes.h>
#include <string.h>

#include "answer.h"

/* Tasks a page. Documents with all their results may be large, rows are not. */
#define PAGE_ROWS 1000
#define PAGE_DOCUMENTS 250

const struct pawl_flag pawl_cmd_list_flags[] = {
    {"status", NULL, PAWL_FLAG_STRING, "STATE",
        "only tasks in this state; may be repeated"},
    {"type", NULL, PAWL_FLAG_CHOICE, "delay|cron", "only tasks of this type"},
    {"tag", NULL, PAWL_FLAG_STRING, "TAG",
        "only tasks with this tag; repeated: that have all of them"},
    {"group", NULL, PAWL_FLAG_STRING, "NAME", "only tasks in this group"},
    {"prefix", NULL, PAWL_FLAG_STRING, "TEXT", "only tasks whose ID begins with it"},
    {"limit", NULL, PAWL_FLAG_COUNT, "N", "at most so many tasks"},
    {"results", NULL, PAWL_FLAG_COUNT, "N",
        "with -o json: only the newest N results of each"},
    {0},
};

static void
add_parameter(struct pawl_text *path, const char *name, const char *value)
{
    if (value) {
        pawl_text_printf(path, "&%s=", name);
        pawl_text_percent(path, value, strlen(value));
    }
}

static void
build_path(const struct pawl_cli *cli, int64_t limit, struct pawl_text *path)
{
    bool is_documents =
        cli->print.format == PAWL_FORMAT_JSON || cli->print.format == PAWL_FORMAT_NDJSON;
    int64_t page = is_documents ? PAGE_DOCUMENTS : PAGE_ROWS;

    pawl_text_printf(path, "/api/tasks?limit=%" PRId64, limit < page ? limit : page);
    if (is_documents)
        add_parameter(path, "results", pawl_flags_value(&cli->args, "results"));
    else
        pawl_text_puts(path, "&results=0");
    pawl_bulk_add_all(cli, path, "status");
    pawl_bulk_add_all(cli, path, "tag");
    add_parameter(path, "type", pawl_flags_value(&cli->args, "type"));
    add_parameter(path, "prefix", pawl_flags_value(&cli->args, "prefix"));
    add_parameter(path, "group", pawl_flags_value(&cli->args, "group"));
}

/* Prints the tasks of one page, at most *left of them. */
static int
print_page(struct pawl_cli *cli, const struct pawl_response *response, int64_t *left,
    struct pawl_fail *fail)
{
    size_t position = 0;
    int status = PAWL_EXIT_OK;
    json_t *task = NULL;

    while (*left > 0 &&
           !(status = pawl_answer_element(response, &position, &task, fail)) && task) {
        pawl_print_task(&cli->print, task);
        json_decref(task);
        --*left;
    }
    return status;
}

int
pawl_cmd_list(struct pawl_cli *cli)
{
    struct pawl_response response = {0};
    struct pawl_text path = {0}, next = {0};
    struct pawl_fail fail;
    int64_t left = pawl_flags_number(&cli->args, "limit", INT64_MAX);
    bool is_read = true;

    if (left < 1) {
        pawl_client_fail(&fail, PAWL_EXIT_USAGE, "-limit must be at least 1");
        return pawl_command_report(&fail);
    }
    build_path(cli, left, &path);
    int status = PAWL_EXIT_OK;
    for (bool is_first = true;; is_first = false) {
        struct pawl_request request = {.method = "GET", .path = path.data};
        status = pawl_client_call(cli->client, &request, &response, &fail);
        if (status)
            break;
        if (is_first)
            pawl_print_begin(&cli->print, true);
        status = print_page(cli, &response, &left, &fail);
        is_read = pawl_print_flush(&cli->print);
        if (status || !is_read || left < 1 || !response.next.len)
            break;
        pawl_text_printf(&next, "/api/tasks?%s", response.next.data);
        if (strcmp(next.data, path.data) == 0) {
            status = pawl_client_fail(&fail, PAWL_EXIT_ERROR,
                "the daemon names a page as the one after itself");
            break;
        }
        pawl_text_reset(&path);
        pawl_text_append(&path, next.data, next.len);
        pawl_text_reset(&next);
    }
    /* An array that was cut off stays open, so that nobody takes it for a whole one. */
    if (status)
        pawl_command_report(&fail);
    else if (is_read)
        pawl_print_end(&cli->print, "no tasks");
    pawl_client_response_fini(&response);
    pawl_text_fini(&path);
    pawl_text_fini(&next);
    return status;
}
