/* cmd_stop.c: pawl stop: no further runs. Prints the stopped tasks. One thread. */
#include "command.h"

static int
stop_one(struct pawl_cli *cli, const char *id, struct pawl_fail *fail)
{
    json_t *task = NULL;
    int status = pawl_command_call(cli, "PUT", id, "", NULL, &task, fail);
    if (!status)
        pawl_print_task(&cli->print, task);
    json_decref(task);
    return status;
}

int
pawl_cmd_stop(struct pawl_cli *cli)
{
    return pawl_command_each(cli, stop_one);
}
