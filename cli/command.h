/* command.h: what a command of pawl is, and what all of them share.
 * One thread. main.c has the table; cmd_<name>.c has the handler and the flags of one. */
#ifndef PAWL_COMMAND_H
#define PAWL_COMMAND_H

#include "client.h"
#include "flags.h"
#include "print.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct pawl_cli;

/* A table of commands ends with a row whose name is NULL. */
struct pawl_command {
    const char *name;
    const char *alias;                /* NULL for none */
    int (*run)(struct pawl_cli *cli); /* returns the exit status, says errors itself */
    const char *summary;
    const char *usage;             /* what follows the name */
    const char *examples;          /* lines, each with its newline */
    const struct pawl_flag *flags; /* NULL for none */
    const struct pawl_flag *more_flags; /* the same: those of another command, too */
    size_t least, most;            /* how many words may follow the name */
    bool takes_filter;             /* flags of bulk.h say which tasks, in place of words */
    bool needs_daemon;             /* cli->client is open when run is called */
    enum pawl_format format;       /* without -o */
};

/* One run of the program. */
struct pawl_cli {
    const struct pawl_command *commands;
    const struct pawl_flag *flags; /* the global ones */
    const struct pawl_command *command;
    struct pawl_args args;
    const char *const *words; /* those after the command's name */
    size_t nwords;
    struct pawl_print print;
    struct pawl_client *client;
    long timeout_s;
};

/* The command of that name or alias, NULL if there is none. */
const struct pawl_command *pawl_command_find(
    const struct pawl_command *commands, const char *name);

/* What is done to one task; prints it if it is to be printed. Returns the exit status. */
typedef int pawl_command_one(
    struct pawl_cli *cli, const char *id, struct pawl_fail *fail);

/* Does it to each ID on the command line, says what failed, and returns the exit status:
 * PAWL_EXIT_PARTLY when some were done and some were not. */
int pawl_command_each(struct pawl_cli *cli, pawl_command_one *one);

/* Sends method to the path of a task, query and all, and gives the document it answers;
 * wait may be NULL. Owns: gives *out_task, json_decref(); NULL: the answer is not wanted.
 */
int pawl_command_call(struct pawl_cli *cli, const char *method, const char *id,
    const char *query, const struct pawl_wait *wait, json_t **out_task,
    struct pawl_fail *fail);

/* A command that asks one question and prints the answer: path() makes the path with its query,
 * print() shows the document. Returns the exit status; what failed is said. */
int pawl_command_ask(struct pawl_cli *cli,
    int (*path)(struct pawl_cli *cli, struct pawl_text *out, struct pawl_fail *fail),
    void (*print)(struct pawl_cli *cli, const json_t *answer));

/* Says fail on stderr and returns its exit status. */
int pawl_command_report(const struct pawl_fail *fail);

/* Prints the help of one command, or of all, to out. */
void pawl_command_help(const struct pawl_cli *cli, const struct pawl_command *command,
    struct pawl_text *out);

/* The handlers, and the flags of those that have any. */
int pawl_cmd_submit(struct pawl_cli *cli);
int pawl_cmd_list(struct pawl_cli *cli);
int pawl_cmd_get(struct pawl_cli *cli);
int pawl_cmd_stop(struct pawl_cli *cli);
int pawl_cmd_run(struct pawl_cli *cli);
int pawl_cmd_pause(struct pawl_cli *cli);
int pawl_cmd_resume(struct pawl_cli *cli);
int pawl_cmd_edit(struct pawl_cli *cli);
int pawl_cmd_delete(struct pawl_cli *cli);
int pawl_cmd_runs(struct pawl_cli *cli);
int pawl_cmd_logs(struct pawl_cli *cli);
int pawl_cmd_group(struct pawl_cli *cli);
int pawl_cmd_next(struct pawl_cli *cli);
int pawl_cmd_forecast(struct pawl_cli *cli);
int pawl_cmd_explain(struct pawl_cli *cli);
int pawl_cmd_import(struct pawl_cli *cli);
int pawl_cmd_backup(struct pawl_cli *cli);
int pawl_cmd_bench(struct pawl_cli *cli);
int pawl_cmd_help(struct pawl_cli *cli);
int pawl_cmd_version(struct pawl_cli *cli);
extern const struct pawl_flag pawl_cmd_submit_flags[];
extern const struct pawl_flag pawl_cmd_list_flags[];
extern const struct pawl_flag pawl_cmd_get_flags[];
extern const struct pawl_flag pawl_cmd_stop_flags[];
extern const struct pawl_flag pawl_cmd_edit_flags[];
extern const struct pawl_flag pawl_cmd_delete_flags[];
extern const struct pawl_flag pawl_cmd_runs_flags[];
extern const struct pawl_flag pawl_cmd_logs_flags[];
extern const struct pawl_flag pawl_cmd_next_flags[];
extern const struct pawl_flag pawl_cmd_forecast_flags[];
extern const struct pawl_flag pawl_cmd_import_flags[];
extern const struct pawl_flag pawl_cmd_backup_flags[];
extern const struct pawl_flag pawl_cmd_bench_flags[];

#endif
