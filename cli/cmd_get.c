/* cmd_get.c: pawl get: prints tasks, or hands one to watch.c. One thread. */
#include "command.h"

#include "watch.h"

const struct pawl_flag pawl_cmd_get_flags[] = {
    {"watch", "w", PAWL_FLAG_BOOL, NULL,
        "print what changes, each time, until the task is final or deleted"},
    {0},
};

static int
get_one(struct pawl_cli *cli, const char *id, struct pawl_fail *fail)
{
    json_t *task = NULL;
    int status = pawl_command_call(cli, "GET", id, "", NULL, &task, fail);
    if (!status)
        pawl_print_task(&cli->print, task);
    json_decref(task);
    return status;
}

int
pawl_cmd_get(struct pawl_cli *cli)
{
    if (!pawl_flags_is_set(&cli->args, "watch"))
        return pawl_command_each(cli, get_one);
    if (cli->nwords > 1) {
        pawl_print_message("get: -watch follows one task, not %zu", cli->nwords);
        return PAWL_EXIT_USAGE;
    }
    return pawl_watch_follow(cli, cli->words[0]);
}
