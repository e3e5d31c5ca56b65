/* main.c: pawl, the command-line client of pawld.
 * Has the table of commands and that of the global flags, reads the command line, opens
 * the client where the command needs it, and decides the exit status. One thread. A new
 * command is a file cmd_<name>.c, a row here and a line in command.h. */
#define _GNU_SOURCE 1
#include "bulk.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "glyph.h"
#include "suggest.h"

#define DEFAULT_TIMEOUT_S 30
#define SECOND_NS 1000000000

static const struct pawl_flag global_flags[] = {
    {"o", "output", PAWL_FLAG_CHOICE, PAWL_PRINT_FORMATS, "how to print tasks"},
    {"server", NULL, PAWL_FLAG_STRING, "URL|unix:/path",
        "where the daemon is (PAWL_SERVER)"},
    {"timeout", NULL, PAWL_FLAG_DURATION, "DURATION",
        "give up when the daemon is silent for so long (30s)"},
    {"help", "h", PAWL_FLAG_BOOL, NULL, "print this help"},
    {"version", NULL, PAWL_FLAG_BOOL, NULL, "print the version"},
    {0},
};

static const struct pawl_command commands[] = {
    {.name = "submit",
        .alias = "s",
        .run = pawl_cmd_submit,
        .summary = "hand a task to the daemon",
        .usage = "ID [-type=delay|cron] (-time=DURATION | -at=TIME | -cron=EXPR | -calendar=EXPR) "
                 "(-script=TEXT | -script-file=FILE | -url=URL)",
        .examples = "  pawl submit hello -type=delay -time=10s -script=\"echo hi\"\n"
                    "  pawl submit beat -type=cron -time=1m30s -script-file=beat.sh\n"
                    "  pawl submit report -cron='30 2 * * mon-fri' -tz=Europe/Berlin "
                    "-script=./report\n"
                    "  pawl submit call -at='tomorrow 18:00' -script='echo call'\n"
                    "  pawl submit ping -type=cron -time=1m -url=https://example.org/hook -body='{}'\n"
                    "  echo 'date; uptime' | pawl submit now -type=delay -time=0 "
                    "-script-file=-\n",
        .flags = pawl_cmd_submit_flags,
        .least = 1,
        .most = 1,
        .needs_daemon = true,
        .format = PAWL_FORMAT_TABLE},
    {.name = "list",
        .alias = "l",
        .run = pawl_cmd_list,
        .summary = "list the tasks in order of submission",
        .usage = "[flags]",
        .examples = "  pawl list\n"
                    "  pawl list -status=Executing -o wide\n"
                    "  pawl list -prefix=backup/ -o name\n"
                    "  pawl list -o ndjson | jq -r 'select(.failureCount > 0) | .id'\n",
        .flags = pawl_cmd_list_flags,
        .least = 0,
        .most = 0,
        .needs_daemon = true,
        .format = PAWL_FORMAT_TABLE},
    {.name = "get",
        .alias = "g",
        .run = pawl_cmd_get,
        .summary = "print a task with its results, or follow it",
        .usage = "ID... [-watch=true]",
        .examples = "  pawl get hello\n"
                    "  pawl get hello -watch=true\n"
                    "  pawl get hello -o json | jq -r '.results[-1].result'\n",
        .flags = pawl_cmd_get_flags,
        .least = 1,
        .most = SIZE_MAX,
        .needs_daemon = true,
        .format = PAWL_FORMAT_DETAIL},
    {.name = "runs",
        .alias = "r",
        .run = pawl_cmd_runs,
        .summary = "list the runs of a task, the newest first",
        .usage = "ID [-limit=N]",
        .examples = "  pawl runs beat\n"
                    "  pawl runs beat -limit=3 -o wide\n"
                    "  pawl runs beat -o ndjson | jq -r 'select(.outcome != \"success\") | .run'\n",
        .flags = pawl_cmd_runs_flags,
        .least = 1,
        .most = 1,
        .needs_daemon = true,
        .format = PAWL_FORMAT_TABLE},
    {.name = "logs",
        .run = pawl_cmd_logs,
        .summary = "print what a run of a task wrote",
        .usage = "ID [RUN[.ATTEMPT]] [-stderr]",
        .examples = "  pawl logs beat\n"
                    "  pawl logs beat 17 -stderr\n"
                    "  pawl logs beat 17.2\n",
        .flags = pawl_cmd_logs_flags,
        .least = 1,
        .most = 2,
        .needs_daemon = true,
        .format = PAWL_FORMAT_DETAIL},
    {.name = "stop",
        .run = pawl_cmd_stop,
        .summary = "let a task not run any more",
        .usage = "ID... | -tag=TAG [-prefix=TEXT] [-type=TYPE] [-status=STATE] | -all",
        .examples = "  pawl stop beat\n"
                    "  pawl stop beat -kill\n"
                    "  pawl stop -tag=nightly -type=cron\n"
                    "  pawl stop -prefix=test/ -dry-run\n",
        .flags = pawl_cmd_stop_flags,
        .least = 1,
        .most = SIZE_MAX,
        .takes_filter = true,
        .needs_daemon = true,
        .format = PAWL_FORMAT_TABLE},
    {.name = "run",
        .run = pawl_cmd_run,
        .summary = "run a task now, beside its schedule",
        .usage = "ID... | -tag=TAG [-prefix=TEXT] [-type=TYPE] [-status=STATE] | -all",
        .examples = "  pawl run backup\n",
        .flags = pawl_bulk_flags,
        .least = 1,
        .most = SIZE_MAX,
        .takes_filter = true,
        .needs_daemon = true,
        .format = PAWL_FORMAT_TABLE},
    {.name = "pause",
        .run = pawl_cmd_pause,
        .summary = "let a task's due times pass until it is resumed",
        .usage = "ID... | -tag=TAG [-prefix=TEXT] [-type=TYPE] [-status=STATE] | -all",
        .examples = "  pawl pause backup\n"
                    "  pawl pause -tag=db\n",
        .flags = pawl_bulk_flags,
        .least = 1,
        .most = SIZE_MAX,
        .takes_filter = true,
        .needs_daemon = true,
        .format = PAWL_FORMAT_TABLE},
    {.name = "resume",
        .run = pawl_cmd_resume,
        .summary = "let a paused task go on; what it missed is one run, at once",
        .usage = "ID... | -tag=TAG [-prefix=TEXT] [-type=TYPE] [-status=STATE] | -all",
        .examples = "  pawl resume backup\n",
        .flags = pawl_bulk_flags,
        .least = 1,
        .most = SIZE_MAX,
        .takes_filter = true,
        .needs_daemon = true,
        .format = PAWL_FORMAT_TABLE},
    {.name = "edit",
        .run = pawl_cmd_edit,
        .summary = "change a task in place; without flags, in an editor",
        .usage = "ID [flags of submit] [-unset=FIELD]",
        .examples = "  pawl edit backup\n"
                    "  pawl edit backup -cron='0 4 * * *' -tz=Europe/Berlin\n"
                    "  pawl edit backup -script-file=backup.sh -retries=3 -unset=timeout\n",
        .flags = pawl_cmd_edit_flags,
        .more_flags = pawl_cmd_submit_flags,
        .least = 1,
        .most = 1,
        .needs_daemon = true,
        .format = PAWL_FORMAT_TABLE},
    {.name = "delete",
        .alias = "del",
        .run = pawl_cmd_delete,
        .summary = "stop a task and remove it with its results",
        .usage = "ID... | -tag=TAG [-prefix=TEXT] [-type=TYPE] [-status=STATE] | -all [-kill]",
        .examples = "  pawl delete beat\n"
                    "  pawl delete beat -kill\n"
                    "  pawl delete -tag=test -status=Stopped\n",
        .flags = pawl_cmd_delete_flags,
        .least = 1,
        .most = SIZE_MAX,
        .takes_filter = true,
        .needs_daemon = true,
        .format = PAWL_FORMAT_DETAIL},
    {.name = "group",
        .run = pawl_cmd_group,
        .summary = "list groups of tasks, and set how many of one run at once",
        .usage = "list | set NAME SIZE | delete NAME",
        .examples = "  pawl group list\n"
                    "  pawl group set db 4\n"
                    "  pawl group set db 0                 nothing of it begins\n"
                    "  pawl group delete db                back to the size of the configuration, or 1\n",
        .least = 0,
        .most = 3,
        .needs_daemon = true,
        .format = PAWL_FORMAT_TABLE},
    {.name = "next",
        .run = pawl_cmd_next,
        .summary = "show when an expression fires",
        .usage = "EXPR [-tz=ZONE] [-n=N] [-from=TIME]",
        .examples = "  pawl next '30 2 * * mon-fri' -tz=Europe/Berlin\n"
                    "  pawl next '0 9 L * *' -n=-3 -from=2026-01-01T00:00:00Z\n"
                    "  pawl next 'weekly 2 on mon at 08:00' -o name\n",
        .flags = pawl_cmd_next_flags,
        .least = 1,
        .most = 1,
        .needs_daemon = true,
        .format = PAWL_FORMAT_TABLE},
    {.name = "explain",
        .alias = "e",
        .run = pawl_cmd_explain,
        .summary = "say why the next run of a task is when it is",
        .usage = "ID",
        .examples = "  pawl explain report\n"
                    "  pawl explain report -o json | jq -r '.next[]'\n",
        .least = 1,
        .most = 1,
        .needs_daemon = true,
        .format = PAWL_FORMAT_DETAIL},
    {.name = "forecast",
        .alias = "f",
        .run = pawl_cmd_forecast,
        .summary = "list what fires in a window of time, over all tasks",
        .usage = "[-from=TIME] [-until=TIME] [-limit=N] [-tz=ZONE]",
        .examples = "  pawl forecast -until=36h\n"
                    "  pawl forecast -from=2027-03-28T00:00:00+01:00 -until=4h -tz=Europe/Berlin\n"
                    "  pawl forecast -prefix=backup/ -o name | sort | uniq -c\n",
        .flags = pawl_cmd_forecast_flags,
        .least = 0,
        .most = 0,
        .needs_daemon = true,
        .format = PAWL_FORMAT_TABLE},
    {.name = "import",
        .run = pawl_cmd_import,
        .summary = "submit a task for each entry of a crontab",
        .usage = "crontab FILE|- [-dry-run]",
        .examples = "  crontab -l | pawl import crontab - -dry-run\n"
                    "  pawl import crontab /etc/cron.d/certbot\n"
                    "  pawl import crontab my.crontab -dry-run -o ndjson > tasks.ndjson\n",
        .flags = pawl_cmd_import_flags,
        .least = 0,
        .most = 2,
        .needs_daemon = true,
        .format = PAWL_FORMAT_TABLE},
    {.name = "backup",
        .run = pawl_cmd_backup,
        .summary = "write a consistent copy of the daemon's store",
        .usage = "FILE [-force]",
        .examples = "  pawl backup pawl-$(date +%F).db\n"
                    "  pawl backup - | zstd > pawl.db.zst\n",
        .flags = pawl_cmd_backup_flags,
        .least = 1,
        .most = 1,
        .needs_daemon = true,
        .format = PAWL_FORMAT_DETAIL},
    {.name = "bench",
        .run = pawl_cmd_bench,
        .summary = "measure how the daemon does under load",
        .usage = "[-work=submit|ndjson|get|list] [-connections=N] [-rate=N] [-duration=DURATION]",
        .examples = "  pawl bench\n"
                    "  pawl bench -work=ndjson -connections=2 -duration=5s\n"
                    "  pawl bench -work=get -tasks=1000000 -rate=20000 -o json\n",
        .flags = pawl_cmd_bench_flags,
        .needs_daemon = true,
        .format = PAWL_FORMAT_DETAIL},
    {.name = "help",
        .run = pawl_cmd_help,
        .summary = "print the help of a command",
        .usage = "[COMMAND]",
        .examples = "  pawl help submit\n",
        .most = 1},
    {.name = "version",
        .run = pawl_cmd_version,
        .summary = "print the version",
        .usage = "",
        .examples = "  pawl version -o json\n"},
    {0},
};

/* Descriptors 0 to 2 must be taken, or a socket becomes our stdout. They are opened so
 * that writing to a stdout that was closed still fails. */
static void
take_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
            exit(PAWL_EXIT_ERROR);
}

static int
fail_usage(const struct pawl_cli *cli, const char *text)
{
    const char *name = cli->command ? cli->command->name : NULL;
    pawl_print_message("%s%s%s; see pawl help%s%s", name ? name : "", name ? ": " : "",
        text, name ? " " : "", name ? name : "");
    return PAWL_EXIT_USAGE;
}

static int
fail_command(const struct pawl_cli *cli, const char *name)
{
    const char *near = NULL;
    size_t best = PAWL_SUGGEST_NONE;
    struct pawl_text text = {0};

    for (const struct pawl_command *c = commands; c->name; c++)
        if (pawl_suggest_is_closer(name, c->name, &best))
            near = c->name;
    pawl_text_printf(&text, "there is no command %s", name);
    if (near)
        pawl_text_printf(&text, "; did you mean %s?", near);
    int status = fail_usage(cli, text.data);
    pawl_text_fini(&text);
    return status;
}

/* Reads the command line into cli. */
static int
read_arguments(struct pawl_cli *cli, int argc, char **argv)
{
    int used = pawl_flags_parse(&cli->args, argc, argv, true);
    if (used >= 0 && cli->args.nwords) {
        cli->command = pawl_command_find(commands, cli->args.words[0]);
        if (!cli->command)
            return fail_command(cli, cli->args.words[0]);
        cli->args.tables[1] = cli->command->flags;
        cli->args.tables[2] = cli->command->more_flags;
        used = pawl_flags_parse(&cli->args, argc - used, argv + used, false);
    }
    if (used < 0)
        return fail_usage(cli, cli->args.error);
    cli->words = cli->args.words + (cli->args.nwords > 0);
    cli->nwords = cli->args.nwords - (cli->args.nwords > 0);
    return PAWL_EXIT_OK;
}

static int
check_words(const struct pawl_cli *cli)
{
    struct pawl_text text = {0};

    for (size_t i = 0; i < cli->nwords; i++)
        if (!*cli->words[i])
            return fail_usage(cli, cli->command->run == pawl_cmd_next
                                       ? "an expression has at least one character"
                                   : cli->command->run == pawl_cmd_backup ||
                                           cli->command->run == pawl_cmd_import
                                       ? "a FILE has at least one character"
                                       : "an ID has at least one character");
    if (cli->command->takes_filter && pawl_bulk_is_asked(cli))
        return cli->nwords == 0
                   ? PAWL_EXIT_OK
                   : fail_usage(cli, "give IDs, or flags that say which tasks, not both");
    if (cli->command->takes_filter && pawl_flags_is_set(&cli->args, "dry-run"))
        return fail_usage(cli, "-dry-run goes with -tag, -group, -prefix, -type, -status or -all");
    if (cli->nwords >= cli->command->least && cli->nwords <= cli->command->most)
        return PAWL_EXIT_OK;
    if (cli->nwords < cli->command->least)
        pawl_text_printf(&text, "the %.*s is missing",
            (int) strcspn(cli->command->usage, " ."), cli->command->usage);
    else
        pawl_text_printf(
            &text, "\"%s\" is one word too many", cli->words[cli->command->most]);
    int status = fail_usage(cli, text.data);
    pawl_text_fini(&text);
    return status;
}

/* Runs the command that the arguments name. */
static int
run_command(struct pawl_cli *cli)
{
    struct pawl_fail fail;

    if (pawl_flags_is_set(&cli->args, "version"))
        return pawl_cmd_version(cli);
    if (pawl_flags_is_set(&cli->args, "help")) {
        pawl_command_help(cli, cli->command, &cli->print.out);
        return PAWL_EXIT_OK;
    }
    if (!cli->command)
        return fail_usage(cli, "a command is missing, such as list or submit");
    int status = check_words(cli);
    if (status || !cli->command->needs_daemon)
        return status ? status : cli->command->run(cli);
    int64_t timeout_ns = pawl_flags_number(&cli->args, "timeout", 0);
    int64_t seconds = timeout_ns / SECOND_NS + (timeout_ns % SECOND_NS > 0);
    cli->timeout_s = seconds > INT_MAX ? INT_MAX
                     : seconds         ? (long)seconds
                                       : DEFAULT_TIMEOUT_S;
    status = pawl_client_open(
        pawl_flags_value(&cli->args, "server"), cli->timeout_s, &cli->client, &fail);
    if (status)
        return pawl_command_report(&fail);
    status = cli->command->run(cli);
    pawl_client_close(cli->client);
    return status;
}

int
main(int argc, char **argv)
{
    struct pawl_cli cli = {.commands = commands, .flags = global_flags};

    take_descriptors();
    signal(SIGPIPE, SIG_IGN);
    pawl_glyph_init();
    pawl_flags_init(&cli.args, argc, global_flags);
    int status = read_arguments(&cli, argc - 1, argv + 1);
    if (!status) {
        pawl_print_init(&cli.print, pawl_flags_value(&cli.args, "o"),
            cli.command ? cli.command->format : PAWL_FORMAT_DETAIL, STDOUT_FILENO);
        status = run_command(&cli);
        pawl_print_flush(&cli.print);
        int written = pawl_print_status(&cli.print);
        status = written ? written : status;
        pawl_print_fini(&cli.print);
    }
    pawl_flags_fini(&cli.args);
    return status;
}
