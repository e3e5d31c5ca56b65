/* cmd_import.c: pawl import crontab: submits a cron task for each entry of a crontab, and says
 * line by line what became of it. One thread. crontab.c reads the lines; the daemon judges the
 * schedules, with -dry-run through GET /api/next. */
#define _GNU_SOURCE 1
#include "command.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "crontab.h"
#include "fields.h"

#define MINUTE_NS INT64_C(60000000000)

const struct pawl_flag pawl_cmd_import_flags[] = {
    {"dry-run", NULL, PAWL_FLAG_BOOL, NULL, "only say what would be done"},
    {"system", NULL, PAWL_FLAG_BOOL, NULL,
        "FILE has a column of users, as /etc/crontab and what is in /etc/cron.d"},
    {"user", NULL, PAWL_FLAG_BOOL, NULL, "FILE is the crontab of one user"},
    {"as-me", NULL, PAWL_FLAG_BOOL, NULL,
        "import entries of other users, too, to be run as the daemon's"},
    {"prefix", NULL, PAWL_FLAG_STRING, "TEXT", "what the IDs begin with (crontab-)"},
    {0},
};

static const struct pawl_table_column columns[] = {
    {"LINE", 0, 0},
    {"ID", 12, 0},
    {"SCHEDULE", 0, 0},
    {"NEXT", 0, 0},
    {"WHAT", 8, 0},
};

#define NCOLUMNS (sizeof columns / sizeof columns[0])

struct import {
    struct pawl_cli *cli;
    const char *file; /* as messages name it */
    bool is_dry, is_system;
    bool is_unchecked; /* dry: the daemon cannot be reached, and that was said */
    bool is_delay_said; /* dry: that NEXT is without the delay */
    char *me;          /* the user that entries may name; NULL: any */
    json_t *seen;      /* how many entries were alike so far, by their first id */
    struct pawl_table table;
    size_t ndone, nexist, nfailed;
    int first; /* exit status of the first failure */
};

static bool
is_table(const struct pawl_cli *cli)
{
    return cli->print.format <= PAWL_FORMAT_WIDE;
}

static void
add_cell(struct import *import, const char *text, const char *colour)
{
    pawl_table_add(&import->table, *text ? text : "-", *text ? strlen(text) : 1, colour);
}

/* Adds a row; task, if there is one, has its next run. */
static void
add_row(struct import *import, const struct pawl_crontab_line *line, const char *id,
    const json_t *task, const char *what, const char *colour)
{
    const struct pawl_print *print = &import->cli->print;
    bool is_wide = print->format == PAWL_FORMAT_WIDE;
    struct pawl_text cell = {0};

    if (!is_table(import->cli))
        return;
    pawl_text_printf(&cell, "%zu", line->number);
    add_cell(import, cell.data, NULL);
    add_cell(import, id, NULL);
    add_cell(import, pawl_text_string(&line->schedule), NULL);
    pawl_text_reset(&cell);
    pawl_fields_add_point(
        &cell, task, "nextRun", &print->now, is_wide ? PAWL_FIELDS_RELATIVE : PAWL_FIELDS_SHORT);
    add_cell(import, cell.data, NULL);
    add_cell(import, what, colour);
    pawl_text_fini(&cell);
}

/* A line that was not imported, and why. */
static void
fail_line(struct import *import, const struct pawl_crontab_line *line, const char *id,
    int status, const char *why)
{
    pawl_print_message("%s:%zu: %s", import->file, line->number, why);
    add_row(import, line, id, NULL, "not imported", "31");
    import->nfailed++;
    import->first = import->first ? import->first : status;
}

static void
exists_line(struct import *import, const struct pawl_crontab_line *line, const char *id)
{
    pawl_print_message("%s:%zu: %s exists already", import->file, line->number, id);
    add_row(import, line, id, NULL, "exists already", "33");
    import->nexist++;
}

/* Prints the document where documents are wanted, and the row where rows are. */
static void
done_line(struct import *import, const struct pawl_crontab_line *line, const char *id,
    const json_t *document, const json_t *task)
{
    if (is_table(import->cli))
        add_row(import, line, id, task, import->is_dry ? "would be imported" : "imported", NULL);
    else
        pawl_print_task(&import->cli->print, document);
    import->ndone++;
}

/* Prefix, words and hash; of entries that are alike each has its own. */
static void
build_id(struct import *import, const struct pawl_crontab_line *line, struct pawl_text *out)
{
    const char *prefix = pawl_flags_value(&import->cli->args, "prefix");
    struct pawl_text base = {0};

    pawl_crontab_id(line, 0, &base);
    json_int_t nth = json_integer_value(json_object_get(import->seen, base.data));
    if (json_object_set_new(import->seen, base.data, json_integer(nth + 1)) != 0)
        pawl_text_oom();
    pawl_text_puts(out, prefix ? prefix : "crontab-");
    pawl_crontab_id(line, (unsigned) nth, out);
    pawl_text_fini(&base);
}

/* The document to be submitted; NULL: the line is not UTF-8. */
static json_t *
build_task(const struct pawl_crontab_line *line, const struct pawl_text *id)
{
    json_t *zone = NULL, *jitter = NULL;

    if (line->timezone.len)
        zone = json_stringn(line->timezone.data, line->timezone.len);
    if (line->jitter_minutes)
        jitter = json_integer(line->jitter_minutes * MINUTE_NS);
    if (line->timezone.len && !zone)
        return NULL;
    return json_pack("{s:s%, s:s, s:s%, s:o*, s:s, s:o*, s:s%}", "id", id->data, id->len,
        "taskType", "cron", "cron", line->schedule.data, line->schedule.len, "timezone", zone,
        "dayMatch", "vixie", "jitter", jitter, "script", line->script.data, line->script.len);
}

static int
submit(struct import *import, const json_t *document, json_t **out_task, bool *out_exists,
    struct pawl_fail *fail)
{
    struct pawl_response response = {0};
    char *body = json_dumps(document, JSON_COMPACT);

    if (!body)
        pawl_text_oom();
    struct pawl_request request = {
        .method = "POST", .path = "/api/tasks", .body = body, .body_len = strlen(body)};
    int status = pawl_client_call(import->cli->client, &request, &response, fail);
    *out_exists = response.status == 409;
    if (!status)
        status = pawl_answer_document(&response, out_task, fail);
    pawl_client_response_fini(&response);
    free(body);
    return status;
}

static void
add_parameter(struct pawl_text *path, const char *name, const struct pawl_text *value)
{
    pawl_text_printf(path, "&%s=", name);
    pawl_text_percent(path, pawl_text_string(value), value->len);
}

/* What is legal in the schedule but surely not meant. */
static void
warn_line(const struct import *import, const struct pawl_crontab_line *line, const json_t *answer)
{
    struct pawl_text place = {0};

    pawl_text_printf(&place, "%s:%zu: ", import->file, line->number);
    pawl_print_warnings(answer, place.data);
    pawl_text_fini(&place);
}

/* Takes what the daemon says of a schedule: warnings, and the next time as a task's nextRun. What
 * never fires would be refused; only @reboot has no times and is taken. */
static int
take_preview(struct import *import, const struct pawl_crontab_line *line, const json_t *answer,
    json_t **out_task, struct pawl_fail *fail)
{
    json_t *time = json_array_get(json_object_get(answer, "times"), 0);
    bool is_reboot = strcmp(line->schedule.data, "@reboot") == 0;

    if (!time && !is_reboot)
        return pawl_client_fail(fail, PAWL_EXIT_ERROR, "the schedule never fires");
    if (!is_reboot)
        warn_line(import, line, answer);
    *out_task = json_pack("{s:O*}", "nextRun", time);
    return PAWL_EXIT_OK;
}

/* Before there is a task only the time is known that its delay puts off. */
static void
note_delay(struct import *import, const struct pawl_crontab_line *line)
{
    if (!line->jitter_minutes || import->is_delay_said || !is_table(import->cli))
        return;
    pawl_print_message("%s:%zu: NEXT is without the delay of RANDOM_DELAY, here up to %lld min",
        import->file, line->number, (long long) line->jitter_minutes);
    import->is_delay_said = true;
}

/* Asks when the schedule fires. */
static int
preview(struct import *import, const struct pawl_crontab_line *line, const struct pawl_text *id,
    json_t **out_task, struct pawl_fail *fail)
{
    struct pawl_response response = {0};
    struct pawl_text path = {0};
    json_t *answer = NULL;

    pawl_text_puts(&path, "/api/next?n=1&dayMatch=vixie");
    add_parameter(&path, "expr", &line->schedule);
    add_parameter(&path, "id", id);
    if (line->timezone.len)
        add_parameter(&path, "timezone", &line->timezone);
    struct pawl_request request = {.method = "GET", .path = path.data};
    int status = pawl_client_call(import->cli->client, &request, &response, fail);
    if (!status)
        status = pawl_answer_document(&response, &answer, fail);
    if (!status)
        status = take_preview(import, line, answer, out_task, fail);
    if (!status && *out_task && json_object_get(*out_task, "nextRun"))
        note_delay(import, line);
    json_decref(answer);
    pawl_client_response_fini(&response);
    pawl_text_fini(&path);
    return status;
}

/* What a submit would come to, without one. */
static int
rehearse(struct import *import, const struct pawl_crontab_line *line, const struct pawl_text *id,
    json_t **out_task, bool *out_exists, struct pawl_fail *fail)
{
    int status;

    if (import->is_unchecked)
        return PAWL_EXIT_OK;
    status = pawl_command_call(import->cli, "GET", id->data, "", NULL, NULL, fail);
    *out_exists = status == PAWL_EXIT_OK;
    if (*out_exists)
        return PAWL_EXIT_REFUSED;
    if (status == PAWL_EXIT_NOT_FOUND)
        status = preview(import, line, id, out_task, fail);
    if (status != PAWL_EXIT_UNREACHABLE)
        return status;
    pawl_print_message("%s; schedules are not checked", fail->text);
    import->is_unchecked = true;
    return PAWL_EXIT_OK;
}

static int
import_entry(struct import *import, const struct pawl_crontab_line *line)
{
    struct pawl_text id = {0}, why = {0};
    struct pawl_fail fail = {0};
    json_t *document, *task = NULL;
    bool exists = false;
    int status = PAWL_EXIT_ERROR;

    build_id(import, line, &id);
    document = build_task(line, &id);
    if (line->user.len && import->me && strcmp(line->user.data, import->me) != 0) {
        pawl_text_printf(&why,
            "is run as %s, and you are %s: import it as %s, into a pawld of theirs, or with "
            "-as-me to run it as the user of this one",
            line->user.data, import->me, line->user.data);
        fail_line(import, line, id.data, status, why.data);
    } else if (!document) {
        fail_line(import, line, id.data, status, "the line is not UTF-8");
    } else {
        status = import->is_dry ? rehearse(import, line, &id, &task, &exists, &fail)
                                : submit(import, document, &task, &exists, &fail);
        if (exists)
            exists_line(import, line, id.data);
        else if (status)
            fail_line(import, line, id.data, PAWL_EXIT_ERROR, fail.text);
        else {
            warn_line(import, line, import->is_dry ? NULL : task);
            done_line(import, line, id.data, import->is_dry ? document : task, task);
        }
    }
    json_decref(task);
    json_decref(document);
    pawl_text_fini(&why);
    pawl_text_fini(&id);
    return exists ? PAWL_EXIT_OK : status;
}

/* Says a line's notes; the last one of a broken line is why it fails. */
static void
say_notes(const struct import *import, const struct pawl_crontab_line *line)
{
    size_t n = line->nnotes - (line->kind == PAWL_CRONTAB_BROKEN);

    for (size_t i = 0; i < n; i++)
        pawl_print_message("%s:%zu: note: %s", import->file, line->number, line->notes[i]);
}

static void
import_lines(struct import *import, const struct pawl_text *text)
{
    struct pawl_crontab crontab;
    struct pawl_crontab_line line = {0};
    struct pawl_text what = {0};
    int status = PAWL_EXIT_OK;

    pawl_crontab_init(&crontab, text->data, text->len, import->is_system);
    while (status != PAWL_EXIT_UNREACHABLE && pawl_crontab_next(&crontab, &line)) {
        say_notes(import, &line);
        switch (line.kind) {
        case PAWL_CRONTAB_VARIABLE:
            pawl_text_reset(&what);
            pawl_text_printf(&what, "variable %s", line.name.data);
            add_row(import, &line, "", NULL, what.data, NULL);
            break;
        case PAWL_CRONTAB_ENTRY:
            status = import_entry(import, &line);
            break;
        case PAWL_CRONTAB_BROKEN:
            fail_line(import, &line, "", PAWL_EXIT_ERROR, line.notes[line.nnotes - 1]);
            break;
        }
    }
    if (status == PAWL_EXIT_UNREACHABLE) {
        import->first = status;
        if (crontab.at < crontab.len)
            pawl_print_message("%s: the lines below were not tried", import->file);
    }
    pawl_crontab_line_fini(&line);
    pawl_crontab_fini(&crontab);
    pawl_text_fini(&what);
}

static int
read_file(const char *name, struct pawl_text *out, struct pawl_fail *fail)
{
    bool is_stdin = strcmp(name, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(name, "re");
    char buffer[16384];
    size_t n = 1;
    int error = errno;

    while (file && n && out->len <= PAWL_CRONTAB_MAX) {
        errno = 0;
        n = fread(buffer, 1, sizeof buffer, file);
        error = ferror(file) ? errno : 0;
        pawl_text_append(out, buffer, n);
    }
    if (file && !is_stdin)
        fclose(file);
    if (error)
        return pawl_client_fail(fail, PAWL_EXIT_ERROR, "cannot read %s: %s",
            is_stdin ? "stdin" : name, strerror(error));
    if (out->len > PAWL_CRONTAB_MAX)
        return pawl_client_fail(fail, PAWL_EXIT_ERROR, "%s is more than 1 MiB: no crontab is",
            is_stdin ? "stdin" : name);
    return PAWL_EXIT_OK;
}

/* Whether the place of a file makes it a crontab with a column of users. */
static bool
is_system_place(const char *name)
{
    char *path = realpath(name, NULL);
    bool is_one = path && (strcmp(path, "/etc/crontab") == 0 ||
                              strncmp(path, "/etc/cron.d/", strlen("/etc/cron.d/")) == 0);

    free(path);
    return is_one;
}

/* Decides which kind of crontab it is, and says so when nobody has. */
static int
choose_kind(struct import *import, const char *name, struct pawl_fail *fail)
{
    const struct pawl_args *args = &import->cli->args;
    bool is_system = pawl_flags_is_set(args, "system"), is_user = pawl_flags_is_set(args, "user");

    if (is_system && is_user)
        return pawl_client_fail(
            fail, PAWL_EXIT_USAGE, "-system or -user: a crontab is one or the other");
    import->is_system = is_system || (!is_user && is_system_place(name));
    if (!is_system && !is_user)
        pawl_print_message(import->is_system
                               ? "%s: read as a system crontab, with a column of users; "
                                 "-user if it has none"
                               : "%s: read as the crontab of one user; "
                                 "-system if it has a column of users",
            import->file);
    return PAWL_EXIT_OK;
}

/* The name of the user who runs this, or the number. */
static char *
find_me(void)
{
    const struct passwd *user = getpwuid(geteuid());
    char number[24];

    snprintf(number, sizeof number, "%lu", (unsigned long) geteuid());
    return pawl_text_copy(user ? user->pw_name : number);
}

static int
exit_status(const struct import *import)
{
    if (import->is_unchecked)
        return PAWL_EXIT_UNREACHABLE;
    if (!import->nfailed && !import->nexist)
        return import->first;
    return import->ndone || import->nexist ? PAWL_EXIT_PARTLY : import->first;
}

static int
import_crontab(struct import *import, const char *name, struct pawl_fail *fail)
{
    struct pawl_cli *cli = import->cli;
    struct pawl_text text = {0};
    int status = read_file(name, &text, fail);

    if (!status)
        status = choose_kind(import, name, fail);
    if (!status) {
        import->seen = json_object();
        import->me = pawl_flags_is_set(&cli->args, "as-me") ? NULL : find_me();
        pawl_table_init(&import->table, columns, NCOLUMNS, cli->print.table.width,
            cli->print.has_colour);
        import->table.keeps_all = cli->print.format == PAWL_FORMAT_WIDE;
        pawl_print_begin(&cli->print, true);
        import_lines(import, &text);
        bool is_empty = !import->table.ncells;
        if (!is_empty)
            pawl_table_flush(&import->table, &cli->print.out);
        cli->print.ntasks += !is_empty;
        pawl_print_end(&cli->print, "no tasks");
        pawl_table_fini(&import->table);
        free(import->me);
        json_decref(import->seen);
        status = exit_status(import);
    }
    pawl_text_fini(&text);
    return status;
}

int
pawl_cmd_import(struct pawl_cli *cli)
{
    struct import import = {.cli = cli, .is_dry = pawl_flags_is_set(&cli->args, "dry-run")};
    struct pawl_fail fail = {0};
    int status;

    if (cli->nwords < 2 || strcmp(cli->words[0], "crontab") != 0) {
        status = pawl_client_fail(&fail, PAWL_EXIT_USAGE,
            cli->nwords && strcmp(cli->words[0], "crontab") != 0
                ? "import: a crontab can be imported, no \"%.60s\": pawl import crontab FILE"
                : "import: the file is missing: pawl import crontab FILE",
            cli->nwords ? cli->words[0] : "");
        return pawl_command_report(&fail);
    }
    import.file = strcmp(cli->words[1], "-") == 0 ? "stdin" : cli->words[1];
    status = import_crontab(&import, cli->words[1], &fail);
    if (*fail.text)
        pawl_command_report(&fail);
    return status;
}
