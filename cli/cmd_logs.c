/* cmd_logs.c: pawl logs: what a run wrote, byte by byte as it was kept; only on a terminal are
 * control characters escaped. Without a number it is the newest run that has ended, without an
 * attempt the newest of the run. One thread. */
#include "command.h"

#include <inttypes.h>
#include <string.h>

#include "answer.h"
#include "fields.h"
#include "glyph.h"

const struct pawl_flag pawl_cmd_logs_flags[] = {
    {"stderr", NULL, PAWL_FLAG_BOOL, NULL, "what it wrote to standard error instead"},
    {0},
};

/* Gives the number of the newest run as text. */
static int
find_newest(struct pawl_cli *cli, struct pawl_text *out_run, struct pawl_fail *fail)
{
    struct pawl_response response = {0};
    struct pawl_text path = {0};
    size_t position = 0;
    json_t *result = NULL;

    pawl_client_task_path(&path, cli->words[0]);
    pawl_text_puts(&path, "/runs?limit=1");
    struct pawl_request request = {.method = "GET", .path = path.data};
    int status = pawl_client_call(cli->client, &request, &response, fail);
    if (!status)
        status = pawl_answer_element(&response, &position, &result, fail);
    if (!status && !result)
        status = pawl_client_fail(
            fail, PAWL_EXIT_NOT_FOUND, "no run of it has ended, or none is kept");
    if (!status)
        pawl_fields_add_number(out_run, result, "run");
    json_decref(result);
    pawl_client_response_fini(&response);
    pawl_text_fini(&path);
    return status;
}

static int
print_output(struct pawl_cli *cli, const char *run, struct pawl_fail *fail)
{
    struct pawl_response response = {0};
    struct pawl_text path = {0};

    pawl_client_task_path(&path, cli->words[0]);
    pawl_text_puts(&path, "/runs/");
    pawl_text_append(&path, run, strcspn(run, "."));
    pawl_text_printf(&path, "/output?stream=%s",
        pawl_flags_is_set(&cli->args, "stderr") ? "stderr" : "stdout");
    if (strchr(run, '.'))
        pawl_text_printf(&path, "&attempt=%s", strchr(run, '.') + 1);
    struct pawl_request request = {.method = "GET", .path = path.data};
    int status = pawl_client_call(cli->client, &request, &response, fail);
    if (!status && cli->print.is_terminal)
        pawl_glyph_escape(
            &cli->print.out, pawl_text_string(&response.body), response.body.len, true);
    else if (!status)
        pawl_text_append(&cli->print.out, response.body.data, response.body.len);
    pawl_client_response_fini(&response);
    pawl_text_fini(&path);
    return status;
}

/* "17", or "17.2": of the second attempt. */
static bool
is_run(const char *text)
{
    size_t ndigits = strspn(text, "0123456789");
    const char *attempt = text + ndigits + (text[ndigits] == '.');

    return ndigits > 0 && (!text[ndigits] || *attempt) &&
           strspn(attempt, "0123456789") == strlen(attempt);
}

int
pawl_cmd_logs(struct pawl_cli *cli)
{
    const char *run = cli->nwords > 1 ? cli->words[1] : NULL;
    struct pawl_text newest = {0};
    struct pawl_fail fail;
    int status = PAWL_EXIT_OK;

    if (run && !is_run(run)) {
        pawl_client_fail(&fail, PAWL_EXIT_USAGE,
            "%.60s is no number of a run, such as those of pawl runs", run);
        return pawl_command_report(&fail);
    }
    if (!run && !(status = find_newest(cli, &newest, &fail)))
        run = newest.data;
    if (!status)
        status = print_output(cli, run, &fail);
    if (status)
        pawl_print_message("logs %s: %s", cli->words[0], fail.text);
    pawl_text_fini(&newest);
    return status;
}
