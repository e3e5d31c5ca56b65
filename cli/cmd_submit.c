/* cmd_submit.c: pawl submit: hands a task to the daemon and prints it as accepted.
 * One thread. The daemon judges the task; here only what it could not even be told is
 * refused. */
#define _GNU_SOURCE 1
#include "command.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "submit.h"
#include "call.h"
#include "file.h"
#include "how.h"
#include "when.h"

const struct pawl_flag pawl_cmd_submit_flags[] = {
    {"type", NULL, PAWL_FLAG_CHOICE, "delay|cron",
        "runs once, or again and again; follows from -at, -cron and -calendar"},
    {"time", NULL, PAWL_FLAG_DURATION, "DURATION",
        "the delay or the interval: 10s, 1m30s, 500ms"},
    {"at", NULL, PAWL_FLAG_STRING, "TIME",
        "once at a time: RFC 3339; by this machine 18:00, tomorrow 18:00, 2026-12-24 18:00"},
    {"cron", NULL, PAWL_FLAG_STRING, "EXPR",
        "a cron expression: '30 2 * * mon-fri', @daily; pawl next shows its times"},
    {"calendar", NULL, PAWL_FLAG_STRING, "EXPR",
        "a calendar interval: 'daily 2 at 09:00', 'monthly 1 on -1 at 00:00'"},
    {"tz", "timezone", PAWL_FLAG_STRING, "ZONE",
        "of -cron and -calendar, such as Europe/Berlin (the daemon's)"},
    {"dst", NULL, PAWL_FLAG_CHOICE, "run-after|once|twice|shift",
        "what becomes of times that a change of the clock leaves out or repeats"},
    {"day-match", NULL, PAWL_FLAG_CHOICE, "or|vixie",
        "when both day fields are restricted: either of them, or as Vixie cron"},
    {"start", NULL, PAWL_FLAG_STRING, "TIME", "not before this time, written as for -at"},
    {"end", NULL, PAWL_FLAG_STRING, "TIME", "not after this time"},
    {"max-runs", NULL, PAWL_FLAG_COUNT, "N", "so many runs, and no more"},
    {"run-on-start", NULL, PAWL_FLAG_BOOL, NULL, "once at submission, too"},
    {"jitter", NULL, PAWL_FLAG_DURATION, "DURATION", "each time later by up to so much"},
    {"jitter-mode", NULL, PAWL_FLAG_CHOICE, "hash|random",
        "by an amount that depends on the ID, or another one each time"},
    {"time-max", NULL, PAWL_FLAG_DURATION, "DURATION",
        "with -time: each span is drawn anew, between that and this"},
    {"interval-from", NULL, PAWL_FLAG_CHOICE, "schedule|completion",
        "spans count from due time to due time, or from the end of a run"},
    {"trigger", NULL, PAWL_FLAG_STRING, "JSON",
        "one of several, as in `triggers` of a document; or repeat -time, -cron, -calendar"},
    {"script", NULL, PAWL_FLAG_STRING, "TEXT", "what bash, or -interpreter, runs"},
    {"script-file", NULL, PAWL_FLAG_STRING, "FILE",
        "the script from a file, - for stdin"},
    {"url", NULL, PAWL_FLAG_STRING, "URL", "instead of a script: http or https, is called"},
    {"method", NULL, PAWL_FLAG_STRING, "METHOD", "of -url (GET; POST with -body)"},
    {"header", NULL, PAWL_FLAG_STRING, "'NAME: VALUE'", "of -url; repeat it for more"},
    {"body", NULL, PAWL_FLAG_STRING, "TEXT|@FILE", "what is sent to -url; @- is stdin"},
    {"success-codes", NULL, PAWL_FLAG_STRING, "CODES",
        "answers of -url that are a success, such as 204 or 200,4xx (2xx)"},
    {"max-redirects", NULL, PAWL_FLAG_COUNT, "N", "of -url, so many are followed (5)"},
    {"tag", NULL, PAWL_FLAG_STRING, "TAG", "a word to find it by; may be repeated"},
    {"interpreter", NULL, PAWL_FLAG_STRING, "NAME",
        "what runs it: bash, sh, python3, node, perl, ... as far as the daemon has them"},
    {"arg", NULL, PAWL_FLAG_STRING, "TEXT", "an argument of the script; repeat it for more"},
    {"env", NULL, PAWL_FLAG_STRING, "NAME=VALUE",
        "a variable over those of the daemon; repeat it for more"},
    {"cwd", NULL, PAWL_FLAG_STRING, "DIR", "the directory that it runs in"},
    {"umask", NULL, PAWL_FLAG_STRING, "OCTAL", "its umask, such as 027"},
    {"time-limit", "timeout", PAWL_FLAG_DURATION, "DURATION",
        "`timeout` of the task: a run that takes longer is ended"},
    {"kill-grace", NULL, PAWL_FLAG_DURATION, "DURATION",
        "from SIGTERM to SIGKILL when a run is ended (5s)"},
    {"kill-mode", NULL, PAWL_FLAG_CHOICE, "group|tree",
        "what is ended then: its process group, or all that it has started"},
    {"condition", NULL, PAWL_FLAG_STRING, "SCRIPT",
        "what each run begins with: if it fails, the run is skipped"},
    {"overlap", NULL, PAWL_FLAG_CHOICE, "skip|queue|replace|allow",
        "a due time during a run passes (skip), runs afterwards, ends the run, or runs beside it"},
    {"queue-limit", NULL, PAWL_FLAG_COUNT, "N", "with -overlap=queue: so many wait (1)"},
    {"max-running", NULL, PAWL_FLAG_COUNT, "N", "with -overlap=allow: so many run at once (10)"},
    {"misfire", NULL, PAWL_FLAG_CHOICE, "once|skip|all",
        "which due times run that were missed, without a daemon or paused: the newest, none, all"},
    {"misfire-grace", NULL, PAWL_FLAG_DURATION, "DURATION",
        "a due time that is later than this does not run"},
    {"misfire-limit", NULL, PAWL_FLAG_COUNT, "N", "with -misfire=all: the newest N (100)"},
    {"retries", NULL, PAWL_FLAG_COUNT, "N", "attempts after one that failed"},
    {"retry-delay", NULL, PAWL_FLAG_DURATION, "DURATION",
        "from the end of an attempt to the next one (1s)"},
    {"retry-backoff", NULL, PAWL_FLAG_STRING, "FACTOR",
        "each delay is so many times the one before, such as 2 or 1.5 (1)"},
    {"retry-max-delay", NULL, PAWL_FLAG_DURATION, "DURATION", "no delay is longer"},
    {"retry-jitter", NULL, PAWL_FLAG_DURATION, "DURATION", "each delay is up to so much longer"},
    {"retry-on", NULL, PAWL_FLAG_STRING, "CODES",
        "only these exit codes are tried again, such as 75 or 1,75 (any failure)"},
    {"group", NULL, PAWL_FLAG_STRING, "NAME",
        "of the tasks of this group only so many run at once: see pawl group"},
    {"group-overflow", NULL, PAWL_FLAG_CHOICE, "wait|skip",
        "where there is no place in the group: wait for one, or let the due time pass (wait)"},
    {"keep-results", NULL, PAWL_FLAG_COUNT, "N", "how many results are kept"},
    {0},
};

int
pawl_submit_script(struct pawl_cli *cli, struct pawl_text *out, struct pawl_fail *fail)
{
    const char *text = pawl_flags_value(&cli->args, "script");
    const char *file = pawl_flags_value(&cli->args, "script-file");

    if (!text == !file)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "give the script with -script=TEXT or -script-file=FILE%s",
            text ? ", not with both" : ", or -url=URL to call");
    if (file)
        return pawl_file_read(file, "a script", out, fail);
    pawl_text_puts(out, text);
    return PAWL_EXIT_OK;
}

int
pawl_submit_tags(const struct pawl_cli *cli, json_t *task, struct pawl_fail *fail)
{
    json_t *tags = json_array();
    const char *tag;
    int status = PAWL_EXIT_OK;

    for (size_t n = 0; (tag = pawl_flags_nth(&cli->args, "tag", n)) && !status; n++)
        if (json_array_append_new(tags, json_string(tag)) != 0)
            status = pawl_client_fail(fail, PAWL_EXIT_USAGE, "a tag must be UTF-8");
    if (!status && json_array_size(tags) > 0)
        status = pawl_when_add(task, "tags", json_incref(tags), fail);
    json_decref(tags);
    return status;
}

static int
build_task(struct pawl_cli *cli, json_t *task, struct pawl_fail *fail)
{
    int64_t keep = pawl_flags_number(&cli->args, "keep-results", -1);
    struct pawl_text script = {0};
    bool has_script = !pawl_call_is_given(cli);
    int status = pawl_when_add(task, "id", json_string(cli->words[0]), fail);

    if (!status)
        status = pawl_when_build(cli, task, fail);
    if (!status)
        status = pawl_call_build(cli, false, task, fail);
    if (!status && has_script)
        status = pawl_submit_script(cli, &script, fail);
    if (!status)
        status = pawl_how_build(cli, task, fail);
    if (!status && has_script)
        status = pawl_when_add(
            task, "script", json_stringn(pawl_text_string(&script), script.len), fail);
    if (!status)
        status = pawl_submit_tags(cli, task, fail);
    if (!status && keep >= 0)
        status = pawl_when_add(task, "keepResults", json_integer(keep), fail);
    pawl_text_fini(&script);
    return status;
}

int
pawl_cmd_submit(struct pawl_cli *cli)
{
    struct pawl_response response = {0};
    struct pawl_fail fail;
    json_t *task = json_object(), *accepted = NULL;
    char *body = NULL;
    int status = build_task(cli, task, &fail);

    if (!status && !(body = json_dumps(task, JSON_COMPACT)))
        pawl_text_oom();
    if (!status) {
        struct pawl_request request = {.method = "POST",
            .path = "/api/tasks",
            .body = body,
            .body_len = strlen(body)};
        status = pawl_client_call(cli->client, &request, &response, &fail);
    }
    if (!status)
        status = pawl_answer_document(&response, &accepted, &fail);
    if (status) {
        pawl_print_message("submit %s: %s", cli->words[0], fail.text);
    } else {
        pawl_print_warnings(accepted, "");
        pawl_print_begin(&cli->print, false);
        pawl_print_task(&cli->print, accepted);
        pawl_print_end(&cli->print, NULL);
    }
    pawl_client_response_fini(&response);
    free(body);
    json_decref(accepted);
    json_decref(task);
    return status;
}
