/* cmd_stop.c: pawl stop, run, pause, resume: one change of each task that is named, or of all that match.
 * Prints the tasks that were named as the change left them. One thread. */
#include "bulk.h"

static int
change_one(struct pawl_cli *cli, const char *method, const char *id, const char *what,
           struct pawl_fail *fail)
{
    json_t *task = NULL;
    int status = pawl_command_call(cli, method, id, what, NULL, &task, fail);

    if (!status)
        pawl_print_task(&cli->print, task);
    json_decref(task);
    return status;
}

const struct pawl_flag pawl_cmd_stop_flags[] = {
    {"kill", NULL, PAWL_FLAG_BOOL, NULL, "also end a script that is running"},
    PAWL_BULK_FLAGS,
    {0},
};

static int
stop_one(struct pawl_cli *cli, const char *id, struct pawl_fail *fail)
{
    const char *query = pawl_flags_is_set(&cli->args, "kill") ? "?kill=true" : "";

    return change_one(cli, "PUT", id, query, fail);
}

static int
run_one(struct pawl_cli *cli, const char *id, struct pawl_fail *fail)
{
    return change_one(cli, "POST", id, "/run", fail);
}

static int
pause_one(struct pawl_cli *cli, const char *id, struct pawl_fail *fail)
{
    return change_one(cli, "POST", id, "/pause", fail);
}

static int
resume_one(struct pawl_cli *cli, const char *id, struct pawl_fail *fail)
{
    return change_one(cli, "POST", id, "/resume", fail);
}

int
pawl_cmd_stop(struct pawl_cli *cli)
{
    if (pawl_bulk_is_asked(cli))
        return pawl_bulk(
            cli, "PUT", "/api/tasks", pawl_flags_is_set(&cli->args, "kill"), "stopped");
    return pawl_command_each(cli, stop_one);
}

int
pawl_cmd_run(struct pawl_cli *cli)
{
    if (pawl_bulk_is_asked(cli))
        return pawl_bulk(cli, "POST", "/api/tasks:run", false, "asked to run");
    return pawl_command_each(cli, run_one);
}

int
pawl_cmd_pause(struct pawl_cli *cli)
{
    if (pawl_bulk_is_asked(cli))
        return pawl_bulk(cli, "POST", "/api/tasks:pause", false, "paused");
    return pawl_command_each(cli, pause_one);
}

int
pawl_cmd_resume(struct pawl_cli *cli)
{
    if (pawl_bulk_is_asked(cli))
        return pawl_bulk(cli, "POST", "/api/tasks:resume", false, "resumed");
    return pawl_command_each(cli, resume_one);
}
