/* command.c: what the commands share: finding one, one task after the other, reporting.
 * One thread. */
#include "command.h"

#include <string.h>

#include "answer.h"

const struct pawl_command *
pawl_command_find(const struct pawl_command *commands, const char *name)
{
    for (const struct pawl_command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0 || (c->alias && strcmp(c->alias, name) == 0))
            return c;
    return NULL;
}

int
pawl_command_ask(struct pawl_cli *cli,
    int (*path)(struct pawl_cli *cli, struct pawl_text *out, struct pawl_fail *fail),
    void (*print)(struct pawl_cli *cli, const json_t *answer))
{
    struct pawl_response response = {0};
    struct pawl_text text = {0};
    struct pawl_fail fail;
    json_t *answer = NULL;
    int status = path(cli, &text, &fail);

    struct pawl_request request = {.method = "GET", .path = text.data};
    if (!status)
        status = pawl_client_call(cli->client, &request, &response, &fail);
    if (!status)
        status = pawl_answer_document(&response, &answer, &fail);
    if (status)
        pawl_command_report(&fail);
    else
        print(cli, answer);
    json_decref(answer);
    pawl_client_response_fini(&response);
    pawl_text_fini(&text);
    return status;
}

int
pawl_command_report(const struct pawl_fail *fail)
{
    pawl_print_message("%s", fail->text);
    return fail->exit_status;
}

int
pawl_command_each(struct pawl_cli *cli, pawl_command_one *one)
{
    struct pawl_fail fail;
    size_t ndone = 0;
    int first = PAWL_EXIT_OK;

    pawl_print_begin(&cli->print, cli->nwords > 1);
    for (size_t i = 0; i < cli->nwords; i++) {
        int status = one(cli, cli->words[i], &fail);
        if (!status) {
            ndone++;
            continue;
        }
        pawl_print_message("%s %s: %s", cli->command->name, cli->words[i], fail.text);
        first = first ? first : status;
        if (status == PAWL_EXIT_UNREACHABLE) /* nor will the others reach it */
            break;
    }
    if (ndone || cli->nwords > 1)
        pawl_print_end(&cli->print, NULL);
    return first && ndone ? PAWL_EXIT_PARTLY : first;
}

int
pawl_command_call(struct pawl_cli *cli, const char *method, const char *id,
    const char *query, const struct pawl_wait *wait, json_t **out_task,
    struct pawl_fail *fail)
{
    struct pawl_response response = {0};
    struct pawl_text path = {0};

    pawl_client_task_path(&path, id);
    pawl_text_puts(&path, query);
    struct pawl_request request = {.method = method, .path = path.data, .wait = wait};
    int status = pawl_client_call(cli->client, &request, &response, fail);
    if (!status && out_task)
        status = pawl_answer_document(&response, out_task, fail);
    pawl_client_response_fini(&response);
    pawl_text_fini(&path);
    return status;
}
