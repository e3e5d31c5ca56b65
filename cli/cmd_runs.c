/* cmd_runs.c: pawl runs: the history of a task, page by page, each printed before the next is
 * asked for. One thread. */
#include "command.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "answer.h"
#include "fields.h"

#define PAGE 100

const struct pawl_flag pawl_cmd_runs_flags[] = {
    {"limit", NULL, PAWL_FLAG_COUNT, "N", "at most so many runs"},
    {0},
};

/* The narrow table has the first ones. */
static const struct pawl_table_column columns[] = {
    {"RUN", 0, 0},
    {"STARTED", 0, 0},
    {"DURATION", 0, 0},
    {"OUTCOME", 0, 0},
    {"EXIT", 0, 0},
    {"OUTPUT", 8, 0},
    {"STDERR", 8, 0},
    {"DUE", 0, 0},
    {"ENDED", 0, 0},
    {"ATTEMPT", 0, 0},
};

#define NCOLUMNS (sizeof columns / sizeof columns[0])
#define NCOLUMNS_NARROW 6

struct listing {
    struct pawl_cli *cli;
    struct pawl_table table;
    int64_t left; /* so many more */
    int64_t retried; /* the run before, if that was a later attempt: the same may follow */
};

static bool
is_table(const struct pawl_cli *cli)
{
    return cli->print.format == PAWL_FORMAT_TABLE || cli->print.format == PAWL_FORMAT_WIDE;
}

/* "17", or of a run of several attempts "17.2": what pawl logs takes. */
static void
add_run(const struct listing *listing, struct pawl_text *out, const json_t *result)
{
    int64_t attempt = pawl_fields_number(result, "attempt", 1);

    pawl_fields_add_number(out, result, "run");
    if (attempt > 1 || pawl_fields_number(result, "run", 0) == listing->retried)
        pawl_text_printf(out, ".%" PRId64, attempt);
}

/* The first line of an output, for a table. */
static void
add_line(struct pawl_text *cell, const json_t *result, const char *name)
{
    size_t len;
    const char *s = pawl_fields_string(result, name, &len);
    const char *end = s ? memchr(s, '\n', len) : NULL;

    pawl_text_append(cell, s, end ? (size_t)(end - s) : len);
}

static void
add_exit(struct pawl_text *cell, const json_t *result)
{
    const char *name = pawl_fields_string(result, "signal", NULL);

    if (name)
        pawl_text_puts(cell, name);
    else if (json_is_integer(json_object_get(result, "httpStatus")))
        pawl_text_printf(cell, "HTTP %" PRId64, pawl_fields_number(result, "httpStatus", 0));
    else
        pawl_fields_add_number(cell, result, "exitCode");
}

static void
add_cell(struct listing *listing, size_t column, const json_t *result, struct pawl_text *cell)
{
    const struct timespec *now = &listing->cli->print.now;
    enum pawl_fields_style style =
        listing->table.keeps_all ? PAWL_FIELDS_FULL : PAWL_FIELDS_SHORT;
    const char *outcome;

    switch (column) {
    case 0:
        add_run(listing, cell, result);
        break;
    case 1:
        pawl_fields_add_point(cell, result, "startedAt", now, style);
        break;
    case 2:
        pawl_fields_add_duration(cell, result, "durationNs");
        break;
    case 3:
        outcome = pawl_fields_string(result, "outcome", NULL);
        pawl_text_puts(cell, outcome ? outcome : "-");
        break;
    case 4:
        add_exit(cell, result);
        break;
    case 5:
    case 6:
        add_line(cell, result, column == 5 ? "result" : "stderr");
        break;
    case 7:
    case 8:
        pawl_fields_add_point(
            cell, result, column == 7 ? "scheduledFor" : "timestamp", now, style);
        break;
    default:
        pawl_fields_add_number(cell, result, "attempt");
    }
}

static void
print_run(struct listing *listing, const json_t *result)
{
    struct pawl_cli *cli = listing->cli;
    struct pawl_text cell = {0};

    if (cli->print.format == PAWL_FORMAT_NAME) {
        add_run(listing, &cli->print.out, result);
        pawl_text_puts(&cli->print.out, "\n");
        cli->print.ntasks++;
        return;
    }
    if (!is_table(cli)) {
        pawl_print_task(&cli->print, result);
        return;
    }
    for (size_t i = 0; i < listing->table.ncolumns; i++) {
        const char *outcome = pawl_fields_string(result, "outcome", NULL);
        bool is_bad = i == 3 && outcome && strcmp(outcome, "success") != 0;

        pawl_text_reset(&cell);
        add_cell(listing, i, result, &cell);
        pawl_table_add(
            &listing->table, pawl_text_string(&cell), cell.len, is_bad ? "31" : NULL);
    }
    pawl_text_fini(&cell);
    cli->print.ntasks++;
}

/* Prints the runs of one page. */
static int
print_page(
    struct listing *listing, const struct pawl_response *response, struct pawl_fail *fail)
{
    size_t position = 0;
    int status = PAWL_EXIT_OK;
    json_t *result = NULL;

    while (listing->left > 0 &&
           !(status = pawl_answer_element(response, &position, &result, fail)) && result) {
        print_run(listing, result);
        listing->retried = pawl_fields_number(result, "attempt", 1) > 1
                               ? pawl_fields_number(result, "run", 0) : 0;
        json_decref(result);
        listing->left--;
    }
    pawl_table_flush(&listing->table, &listing->cli->print.out);
    return status;
}

static int
list(struct listing *listing, struct pawl_fail *fail)
{
    struct pawl_cli *cli = listing->cli;
    struct pawl_response response = {0};
    struct pawl_text base = {0}, path = {0};
    bool is_first = true;
    int status;

    pawl_client_task_path(&base, cli->words[0]);
    pawl_text_printf(&path, "%s/runs?limit=%" PRId64, base.data,
        listing->left < PAGE ? listing->left : PAGE);
    for (;;) {
        struct pawl_request request = {.method = "GET", .path = path.data};

        status = pawl_client_call(cli->client, &request, &response, fail);
        if (!status && is_first)
            pawl_print_begin(&cli->print, true);
        is_first = false;
        if (!status)
            status = print_page(listing, &response, fail);
        if (status || !pawl_print_flush(&cli->print) || listing->left < 1 || !response.next.len)
            break;
        pawl_text_reset(&path);
        pawl_text_printf(&path, "%s/runs?%s", base.data, response.next.data);
    }
    pawl_client_response_fini(&response);
    pawl_text_fini(&base);
    pawl_text_fini(&path);
    return status;
}

int
pawl_cmd_runs(struct pawl_cli *cli)
{
    bool is_wide = cli->print.format == PAWL_FORMAT_WIDE;
    struct listing listing = {
        .cli = cli, .left = pawl_flags_number(&cli->args, "limit", INT64_MAX)};
    struct pawl_fail fail;

    if (listing.left < 1) {
        pawl_client_fail(&fail, PAWL_EXIT_USAGE, "-limit must be at least 1");
        return pawl_command_report(&fail);
    }
    pawl_table_init(&listing.table, columns, is_wide ? NCOLUMNS : NCOLUMNS_NARROW,
        cli->print.table.width, cli->print.has_colour);
    listing.table.keeps_all = is_wide;
    int status = list(&listing, &fail);
    if (status)
        pawl_print_message("runs %s: %s", cli->words[0], fail.text);
    else if (!cli->print.write_errno)
        pawl_print_end(&cli->print, "no runs");
    pawl_table_fini(&listing.table);
    return status;
}
