/* cmd_help.c: pawl help and pawl version; also the help that -h prints for any command.
 * One thread. Everything shown comes from the tables of commands and flags. */
#include "command.h"

#include <string.h>

#include "version.h"

static void
add_flags(struct pawl_text *out, const char *title, const struct pawl_flag *flags)
{
    if (!flags)
        return;
    pawl_text_printf(out, "\n%s:\n", title);
    for (const struct pawl_flag *f = flags; f->name; f++) {
        struct pawl_text left = {0};
        pawl_text_printf(&left, "-%s", f->name);
        if (f->alias)
            pawl_text_printf(&left, ", -%s", f->alias);
        if (f->value)
            pawl_text_printf(&left, "=%s", f->value);
        if (left.len > 24)
            pawl_text_printf(out, "  %s\n  %-24s  %s\n", left.data, "", f->help);
        else
            pawl_text_printf(out, "  %-24s  %s\n", left.data, f->help);
        pawl_text_fini(&left);
    }
}

static void
add_all(struct pawl_text *out, const struct pawl_cli *cli)
{
    pawl_text_puts(out, "pawl: schedules scripts with pawld\n\nExamples:\n");
    for (const struct pawl_command *c = cli->commands; c->name; c++)
        pawl_text_append(out, c->examples, strcspn(c->examples, "\n") + 1);
    pawl_text_puts(out, "\nUsage: pawl COMMAND [ID] [flags]\n\nCommands:\n");
    for (const struct pawl_command *c = cli->commands; c->name; c++)
        pawl_text_printf(
            out, "  %-8s %-4s %s\n", c->name, c->alias ? c->alias : "", c->summary);
    add_flags(out, "Global flags", cli->flags);
    pawl_text_puts(out,
        "\nWithout --server and PAWL_SERVER the daemon is looked for at\n"
        "/run/pawl/pawl.sock (root) or $XDG_RUNTIME_DIR/pawl/pawl.sock, and if\n"
        "there is no such socket at http://127.0.0.1:8865.\n"
        "\nExit status: 0 done, 1 error, 2 usage, 3 not found, 4 refused or exists,\n"
        "5 not allowed, 6 unreachable, 7 timed out, 8 partly done.\n"
        "\nMore: pawl help COMMAND, man pawl\n");
}

void
pawl_command_help(
    const struct pawl_cli *cli, const struct pawl_command *command, struct pawl_text *out)
{
    if (!command) {
        add_all(out, cli);
        return;
    }
    pawl_text_printf(out, "pawl %s: %s\n\nExamples:\n%s\nUsage: pawl %s%s%s\n",
        command->name, command->summary, command->examples, command->name,
        *command->usage ? " " : "", command->usage);
    if (command->alias)
        pawl_text_printf(out, "Alias: pawl %s\n", command->alias);
    add_flags(out, "Flags", command->flags);
    add_flags(out, "Flags of submit", command->more_flags);
    add_flags(out, "Global flags", cli->flags);
}

int
pawl_cmd_help(struct pawl_cli *cli)
{
    const struct pawl_command *about = NULL;
    if (cli->nwords && !(about = pawl_command_find(cli->commands, cli->words[0]))) {
        pawl_print_message("no help for %s: there is no such command", cli->words[0]);
        return PAWL_EXIT_USAGE;
    }
    pawl_command_help(cli, about, &cli->print.out);
    return PAWL_EXIT_OK;
}

int
pawl_cmd_version(struct pawl_cli *cli)
{
    if (cli->print.format == PAWL_FORMAT_JSON || cli->print.format == PAWL_FORMAT_NDJSON)
        pawl_text_puts(&cli->print.out, "{\"version\":\"" PAWL_VERSION "\"}\n");
    else
        pawl_text_puts(&cli->print.out, "pawl " PAWL_VERSION "\n");
    return PAWL_EXIT_OK;
}
