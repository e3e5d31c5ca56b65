/* cmd_submit.c: pawl submit: hands a task to the daemon and prints it as accepted.
 * One thread. The daemon judges the task; here only what it could not even be told is
 * refused. */
#define _GNU_SOURCE 1
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"

/* Far above what the daemon takes: it only keeps us from reading /dev/zero for ever. */
#define MOST_SCRIPT_BYTES (64u << 20)

const struct pawl_flag pawl_cmd_submit_flags[] = {
    {"type", NULL, PAWL_FLAG_CHOICE, "delay|cron", "runs once, or again and again"},
    {"time", NULL, PAWL_FLAG_DURATION, "DURATION",
        "the delay or the interval: 10s, 1m30s, 500ms"},
    {"script", NULL, PAWL_FLAG_STRING, "TEXT", "what bash runs"},
    {"script-file", NULL, PAWL_FLAG_STRING, "FILE",
        "the script from a file, - for stdin"},
    {"keep-results", NULL, PAWL_FLAG_COUNT, "N", "how many results are kept"},
    {0},
};

static int
read_script(const char *file, struct pawl_text *out, struct pawl_fail *fail)
{
    bool is_stdin = strcmp(file, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd;
    char buffer[16384];

    while (n >= 0 && out->len <= MOST_SCRIPT_BYTES) {
        n = read(fd, buffer, sizeof buffer);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        if (n > 0)
            pawl_text_append(out, buffer, (size_t)n);
        n = 0;
    }
    int error = errno;
    if (fd >= 0 && !is_stdin)
        close(fd);
    if (n < 0)
        return pawl_client_fail(fail, PAWL_EXIT_ERROR, "cannot read %s: %s",
            is_stdin ? "stdin" : file, strerror(error));
    if (out->len > MOST_SCRIPT_BYTES)
        return pawl_client_fail(
            fail, PAWL_EXIT_ERROR, "%s is too long for a script", file);
    return PAWL_EXIT_OK;
}

static int
take_script(struct pawl_cli *cli, struct pawl_text *out, struct pawl_fail *fail)
{
    const char *text = pawl_flags_value(&cli->args, "script");
    const char *file = pawl_flags_value(&cli->args, "script-file");

    if (!text == !file)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "give the script with -script=TEXT or -script-file=FILE%s",
            text ? ", not with both" : "");
    if (file)
        return read_script(file, out, fail);
    pawl_text_puts(out, text);
    return PAWL_EXIT_OK;
}

/* Adds value to object and takes it. A string that is not UTF-8 is NULL here. */
static int
add_member(json_t *object, const char *name, json_t *value, struct pawl_fail *fail)
{
    if (value && json_object_set_new(object, name, value) == 0)
        return PAWL_EXIT_OK;
    return pawl_client_fail(fail, PAWL_EXIT_USAGE, "%s is not valid UTF-8", name);
}

static int
build_task(struct pawl_cli *cli, json_t *task, struct pawl_fail *fail)
{
    const struct pawl_args *args = &cli->args;
    const char *type = pawl_flags_value(args, "type");
    int64_t keep = pawl_flags_number(args, "keep-results", -1);
    struct pawl_text script = {0};

    if (!type)
        return pawl_client_fail(
            fail, PAWL_EXIT_USAGE, "-type=delay or -type=cron is missing");
    if (!pawl_flags_value(args, "time"))
        return pawl_client_fail(
            fail, PAWL_EXIT_USAGE, "-time is missing, such as -time=10s");
    int status = take_script(cli, &script, fail);
    if (!status)
        status = add_member(task, "id", json_string(cli->words[0]), fail);
    if (!status)
        status = add_member(task, "taskType", json_string(type), fail);
    if (!status)
        status = add_member(
            task, "time", json_integer(pawl_flags_number(args, "time", 0)), fail);
    if (!status)
        status = add_member(
            task, "script", json_stringn(pawl_text_string(&script), script.len), fail);
    if (!status && keep >= 0)
        status = add_member(task, "keepResults", json_integer(keep), fail);
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
