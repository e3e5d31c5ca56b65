/* bulk.c: one change of all tasks that match. The daemon goes through them; here it is made sure that
 * they are meant. One thread. */
#define _GNU_SOURCE 1
#include "bulk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "fields.h"

#define PATIENCE_S 3600 /* the answer comes when all of it is done */

const struct pawl_flag pawl_bulk_flags[] = {PAWL_BULK_FLAGS, {0}};

/* Flags that say which tasks, named as the parameters that they become. */
static const char *const filters[] = {"tag", "group", "prefix", "type", "status"};

#define NFILTERS (sizeof filters / sizeof *filters)

void
pawl_bulk_add_all(const struct pawl_cli *cli, struct pawl_text *path, const char *name)
{
    const char *value;

    for (size_t n = 0; (value = pawl_flags_nth(&cli->args, name, n)); n++) {
        pawl_text_printf(path, "&%s=", name);
        pawl_text_percent(path, value, strlen(value));
    }
}

bool
pawl_bulk_is_asked(const struct pawl_cli *cli)
{
    for (size_t i = 0; i < NFILTERS; i++)
        if (pawl_flags_value(&cli->args, filters[i]))
            return true;
    return pawl_flags_is_set(&cli->args, "all");
}

/* Asks the daemon, and gives what it answers. */
static int
call(struct pawl_cli *cli, const char *method, const char *start, bool kill,
    bool is_dry, json_t **out_answer, struct pawl_fail *fail)
{
    static const struct pawl_wait wait = {.patience_s = PATIENCE_S};
    struct pawl_response response = {0};
    struct pawl_text path = {0};

    pawl_text_printf(&path, "%s?dryRun=%s", start, is_dry ? "true" : "false");
    for (size_t i = 0; i < NFILTERS; i++)
        pawl_bulk_add_all(cli, &path, filters[i]);
    if (pawl_flags_is_set(&cli->args, "all"))
        pawl_text_puts(&path, "&all=true");
    if (kill)
        pawl_text_puts(&path, "&kill=true");
    struct pawl_request request = {.method = method, .path = path.data, .wait = &wait};
    int status = pawl_client_call(cli->client, &request, &response, fail);
    if (!status)
        status = pawl_answer_document(&response, out_answer, fail);
    pawl_client_response_fini(&response);
    pawl_text_fini(&path);
    return status;
}

/* Whether a person at the terminal says yes. */
static bool
is_wanted(const struct pawl_cli *cli, int64_t n)
{
    char line[16] = "";

    fprintf(stderr, "%s %" PRId64 " task%s? [y/N] ", cli->command->name, n, n == 1 ? "" : "s");
    fflush(stderr);
    if (!fgets(line, sizeof line, stdin))
        fputc('\n', stderr);
    line[strcspn(line, "\n")] = '\0';
    return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0;
}

/* Asks before anything is changed. */
static int
confirm(struct pawl_cli *cli, const char *method, const char *path, bool kill,
    struct pawl_fail *fail)
{
    json_t *answer = NULL;

    if (pawl_flags_is_set(&cli->args, "yes") || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return PAWL_EXIT_OK;
    int status = call(cli, method, path, kill, true, &answer, fail);
    int64_t n = pawl_fields_number(answer, "matched", 0);
    json_decref(answer);
    if (!status && n > 0 && !is_wanted(cli, n))
        status = pawl_client_fail(fail, PAWL_EXIT_ERROR, "nothing was done");
    return status;
}

/* Says what came of it. */
static int
report(struct pawl_cli *cli, const json_t *answer, const char *done)
{
    const json_t *errors = json_object_get(answer, "errors");
    int64_t matched = pawl_fields_number(answer, "matched", 0);
    int64_t changed = pawl_fields_number(answer, "changed", 0);
    int64_t refused = pawl_fields_number(answer, "refused", 0);

    if (cli->print.format == PAWL_FORMAT_JSON || cli->print.format == PAWL_FORMAT_NDJSON) {
        pawl_print_begin(&cli->print, false);
        pawl_print_task(&cli->print, answer);
        pawl_print_end(&cli->print, NULL);
    }
    for (size_t i = 0; i < json_array_size(errors); i++) {
        const char *id = pawl_fields_string(json_array_get(errors, i), "id", NULL);
        const char *detail = pawl_fields_string(json_array_get(errors, i), "detail", NULL);

        pawl_print_message("%s %s: %s", cli->command->name, id ? id : "?", detail ? detail : "?");
    }
    if (refused > (int64_t)json_array_size(errors))
        pawl_print_message("and %" PRId64 " more", refused - (int64_t)json_array_size(errors));
    if (matched == 0)
        pawl_print_message("no task matches");
    else if (json_is_true(json_object_get(answer, "dryRun")))
        pawl_print_message("%" PRId64 " task%s would be %s", matched, matched == 1 ? "" : "s", done);
    else
        pawl_print_message("%s %" PRId64 " of %" PRId64 " task%s", done, changed, matched,
            matched == 1 ? "" : "s");
    return matched == 0 ? PAWL_EXIT_NOT_FOUND : refused > 0 ? PAWL_EXIT_PARTLY : PAWL_EXIT_OK;
}

int
pawl_bulk(
    struct pawl_cli *cli, const char *method, const char *path, bool kill, const char *done)
{
    bool is_dry = pawl_flags_is_set(&cli->args, "dry-run");
    struct pawl_fail fail;
    json_t *answer = NULL;
    int status = is_dry ? PAWL_EXIT_OK : confirm(cli, method, path, kill, &fail);

    if (!status)
        status = call(cli, method, path, kill, is_dry, &answer, &fail);
    status = status ? pawl_command_report(&fail) : report(cli, answer, done);
    json_decref(answer);
    return status;
}
