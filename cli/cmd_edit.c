/* cmd_edit.c: pawl edit: changes a task in place, by flags or in an editor. One thread.
 * What goes to the daemon is the difference (RFC 7396), so what others change meanwhile stays. */
#define _GNU_SOURCE 1
#include "command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "call.h"
#include "editor.h"
#include "how.h"
#include "submit.h"
#include "when.h"

const struct pawl_flag pawl_cmd_edit_flags[] = {
    {"unset", NULL, PAWL_FLAG_STRING, "FIELD",
        "a field of the document that is to be as by default again; may be repeated"},
    {"if-version", NULL, PAWL_FLAG_COUNT, "N", "only if the task is at this version"},
    {0},
};

/* What answers have and a submit does not take. */
static const char *const out_fields[] = {"id", "taskType", "status", "state", "paused", "version",
    "lastStatusUpdated", "createdAt", "nextRun", "previousRun", "runCount", "failureCount",
    "running", "skipped", "missed", "missedPaused", "waitingFor", "attempt", "endReason",
    "warnings", "results"};

/* --- By flags --- */

static bool
has_flags(const struct pawl_cli *cli)
{
    for (size_t i = 0; i < cli->args.ngiven; i++)
        for (int t = 1; t < 3; t++)
            for (const struct pawl_flag *f = cli->args.tables[t]; f && f->name; f++)
                if (cli->args.given[i].flag == f && strcmp(f->name, "if-version") != 0)
                    return true;
    return false;
}

/* What the task does: its script, or what it calls instead; the one takes the place of the other. */
static int
add_action(struct pawl_cli *cli, const json_t *task, json_t *change, struct pawl_fail *fail)
{
    bool has_script = pawl_flags_value(&cli->args, "script") || pawl_flags_value(&cli->args, "script-file");
    bool has_call = json_object_get(task, "action") && !has_script;
    struct pawl_text script = {0};
    int status = pawl_call_build(cli, has_call, change, fail);

    if (!status && pawl_call_is_given(cli) && json_object_get(task, "script"))
        status = pawl_when_add(change, "script", json_null(), fail);
    if (status || !has_script)
        return status;
    status = pawl_submit_script(cli, &script, fail);
    if (!status)
        status = pawl_when_add(
            change, "script", json_stringn(pawl_text_string(&script), script.len), fail);
    if (!status && json_object_get(task, "action"))
        status = pawl_when_add(change, "action", json_null(), fail);
    pawl_text_fini(&script);
    return status;
}

static int
change_by_flags(struct pawl_cli *cli, const json_t *task, json_t *change, struct pawl_fail *fail)
{
    int64_t keep = pawl_flags_number(&cli->args, "keep-results", -1);
    const char *type = pawl_flags_value(&cli->args, "type"), *name;
    int status = add_action(cli, task, change, fail);

    if (!status && type)
        status = pawl_when_add(change, "taskType", json_string(type), fail);
    if (!status)
        status = pawl_when_change(
            cli, json_string_value(json_object_get(task, "taskType")), change, fail);
    if (!status)
        status = pawl_how_build(cli, change, fail);
    if (!status)
        status = pawl_submit_tags(cli, change, fail);
    if (!status && keep >= 0)
        status = pawl_when_add(change, "keepResults", json_integer(keep), fail);
    for (size_t n = 0; !status && (name = pawl_flags_nth(&cli->args, "unset", n)); n++)
        status = pawl_when_add(change, name, json_null(), fail);
    return status;
}

/* --- The request --- */

static int
send_change(struct pawl_cli *cli, const json_t *change, json_t **out_task, struct pawl_fail *fail)
{
    struct pawl_response response = {0};
    struct pawl_text path = {0};
    char *body = json_dumps(change, JSON_COMPACT);
    int64_t version = pawl_flags_number(&cli->args, "if-version", -1);
    int status;

    if (!body)
        pawl_text_oom();
    pawl_client_task_path(&path, cli->words[0]);
    if (version >= 0)
        pawl_text_printf(&path, "?version=%" PRId64, version);
    struct pawl_request request = {
        .method = "PATCH", .path = path.data, .body = body, .body_len = strlen(body)};
    status = pawl_client_call(cli->client, &request, &response, fail);
    if (!status)
        status = pawl_answer_document(&response, out_task, fail);
    pawl_client_response_fini(&response);
    pawl_text_fini(&path);
    free(body);
    return status;
}

/* --- In an editor --- */

/* What of a document can be changed, and is not only there because answers always have it. */
static json_t *
editable(const json_t *task)
{
    json_t *document = json_deep_copy(task);
    bool is_cron = strcmp(json_string_value(json_object_get(task, "taskType")), "cron") == 0;

    if (!document)
        pawl_text_oom();
    for (size_t i = 0; i < sizeof out_fields / sizeof *out_fields; i++)
        json_object_del(document, out_fields[i]);
    if (json_integer_value(json_object_get(document, "time")) == 0 &&
        (is_cron || json_object_get(document, "at")))
        json_object_del(document, "time");
    if (json_object_get(document, "action"))
        json_object_del(document, "script");    /* which is empty */
    if (!json_object_get(document, "cron") && !json_object_get(document, "calendar") &&
        !json_object_get(document, "triggers"))
        json_object_del(document, "timezone");
    return document;
}

/* What makes `to` of `from`. */
static json_t *
difference(const json_t *from, const json_t *to)
{
    json_t *change = json_object(), *value;
    const char *name;

    json_object_foreach ((json_t *)from, name, value)
        if (!json_object_get(to, name))
            json_object_set_new(change, name, json_null());
    json_object_foreach ((json_t *)to, name, value) {
        const json_t *before = json_object_get(from, name);

        if (json_is_object(value) && json_is_object(before)) {
            json_t *inner = difference(before, value);

            if (json_object_size(inner) > 0)
                json_object_set(change, name, inner);
            json_decref(inner);
        } else if (!before || !json_equal(before, value)) {
            json_object_set(change, name, value);
        }
    }
    return change;
}

/* Appends text as lines that are ignored. */
static void
add_comment(struct pawl_text *out, const char *text)
{
    while (*text) {
        int len = (int)strcspn(text, "\n");

        pawl_text_printf(out, "# %.*s\n", len, text);
        text += len + (text[len] == '\n');
    }
}

static void
write_text(const struct pawl_cli *cli, const char *error, const char *document, struct pawl_text *out)
{
    out->len = 0;
    if (*error)
        pawl_text_puts(out, "# It was not taken:\n");
    add_comment(out, error);
    pawl_text_printf(out, "# The task %s: save it and leave the editor. A field that you remove is as by default\n"
                          "# again. Lines that begin with # are ignored; without others nothing is changed.\n",
        cli->words[0]);
    pawl_text_puts(out, document);
    pawl_text_puts(out, "\n");
}

/* The text without the lines that are ignored, and without blanks at its end. Owns: gives. */
static char *
strip(struct pawl_text *text)
{
    struct pawl_text kept = {0};
    char *result;

    pawl_text_append(text, "", 1);
    for (const char *line = text->data; *line;) {
        size_t len = strcspn(line, "\n");

        len += line[len] == '\n';
        if (line[strspn(line, " \t")] != '#')
            pawl_text_append(&kept, line, len);
        line += len;
    }
    while (kept.len > 0 && strchr(" \t\r\n", kept.data[kept.len - 1]))
        kept.len--;
    pawl_text_append(&kept, "", 1);
    result = pawl_text_copy(kept.data);
    pawl_text_fini(&kept);
    return result;
}

/* One turn: reads what was written and sends the difference. *out_task stays NULL when there is none. */
static int
try_text(struct pawl_cli *cli, const json_t *before, const char *text,
    json_t **out_task, struct pawl_fail *fail)
{
    json_error_t error;
    json_t *after = json_loads(text, JSON_REJECT_DUPLICATES, &error), *change;
    int status = PAWL_EXIT_OK;

    if (!after)
        return pawl_client_fail(fail, PAWL_EXIT_ERROR,
            "this is no JSON: line %d of the document, column %d: %s", error.line, error.column,
            error.text);
    if (!json_is_object(after)) {
        json_decref(after);
        return pawl_client_fail(fail, PAWL_EXIT_ERROR, "a task document is a JSON object, which this is not");
    }
    change = difference(before, after);
    if (json_object_size(change) > 0)
        status = send_change(cli, change, out_task, fail);
    json_decref(change);
    json_decref(after);
    return status;
}

static int
change_in_editor(struct pawl_cli *cli, const json_t *task, json_t **out_task, struct pawl_fail *fail)
{
    json_t *before = editable(task);
    char *original = json_dumps(before, JSON_INDENT(2)), *document;
    struct pawl_editor editor = {.path = ""};
    struct pawl_text text = {0};
    bool is_over = false;
    int status = PAWL_EXIT_OK;

    if (!original)
        pawl_text_oom();
    document = pawl_text_copy(original);
    fail->text[0] = '\0';
    while (!is_over) {
        bool has_failed;
        char *written;

        write_text(cli, fail->text, document, &text);
        status = pawl_editor_open(&editor, &text, fail);
        has_failed = status != PAWL_EXIT_OK;
        written = strip(&text);
        if (!has_failed && *written)
            status = try_text(cli, before, written, out_task, fail);
        is_over = !status || has_failed || strcmp(document, written) == 0;  /* as it was refused: given up */
        free(document);
        document = written;
    }
    if (status && *document && strcmp(document, original) != 0)
        pawl_print_message("what you wrote is in %s", editor.path);
    else
        pawl_editor_remove(&editor);
    free(original);
    pawl_text_fini(&text);
    free(document);
    json_decref(before);
    return status;
}

int
pawl_cmd_edit(struct pawl_cli *cli)
{
    json_t *task = NULL, *edited = NULL, *change = json_object();
    bool is_by_flags = has_flags(cli);
    struct pawl_fail fail;
    int status = is_by_flags || isatty(STDIN_FILENO)
                     ? pawl_command_call(cli, "GET", cli->words[0], "", NULL, &task, &fail)
                     : pawl_client_fail(&fail, PAWL_EXIT_USAGE,
                           "say by flags what is to change: without a terminal there is no editor");

    if (!status && is_by_flags)
        status = change_by_flags(cli, task, change, &fail);
    if (!status && is_by_flags)
        status = send_change(cli, change, &edited, &fail);
    else if (!status)
        status = change_in_editor(cli, task, &edited, &fail);
    if (status) {
        pawl_print_message("edit %s: %s", cli->words[0], fail.text);
    } else if (!edited) {
        pawl_print_message("%s: nothing was changed", cli->words[0]);
    } else {
        pawl_print_warnings(edited, "");
        pawl_print_begin(&cli->print, false);
        pawl_print_task(&cli->print, edited);
        pawl_print_end(&cli->print, NULL);
    }
    json_decref(edited);
    json_decref(change);
    json_decref(task);
    return status;
}
