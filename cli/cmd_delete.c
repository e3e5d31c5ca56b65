/* cmd_delete.c: pawl delete: stops and removes. What the daemon says about a removed task
 * is not promised, so only its id is printed, and only to who asked for data with -o. One
 * thread. */
#include "bulk.h"

#include <string.h>

const struct pawl_flag pawl_cmd_delete_flags[] = {
    {"kill", NULL, PAWL_FLAG_BOOL, NULL, "also end a script that is running"},
    PAWL_BULK_FLAGS,
    {0},
};

static int
delete_one(struct pawl_cli *cli, const char *id, struct pawl_fail *fail)
{
    const char *query = pawl_flags_is_set(&cli->args, "kill") ? "?kill=true" : "";
    int status = pawl_command_call(cli, "DELETE", id, query, NULL, NULL, fail);
    if (status)
        return status;
    if (cli->print.format == PAWL_FORMAT_DETAIL) {
        pawl_print_message("deleted %s", id);
        return status;
    }
    json_t *task = json_pack("{s:s}", "id", id);
    if (!task)
        return pawl_client_fail(fail, PAWL_EXIT_ERROR, "deleted; its id is not UTF-8");
    pawl_print_task(&cli->print, task);
    json_decref(task);
    return status;
}

int
pawl_cmd_delete(struct pawl_cli *cli)
{
    bool kill = pawl_flags_is_set(&cli->args, "kill");

    if (pawl_bulk_is_asked(cli))
        return pawl_bulk(cli, "DELETE", "/api/tasks", kill, "deleted");
    return pawl_command_each(cli, delete_one);
}
