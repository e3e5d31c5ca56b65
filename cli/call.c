/* call.c: the flags of an HTTP call, as `action.http` of a task document. One thread. The
 * daemon judges them; here only what it could not be told is refused. */
#define _GNU_SOURCE 1
#include "call.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "when.h"

bool
pawl_call_is_given(const struct pawl_cli *cli)
{
    return pawl_flags_value(&cli->args, "url") != NULL;
}

/* "Name: value" */
static int
add_header(json_t *headers, const char *text, struct pawl_fail *fail)
{
    const char *colon = strchr(text, ':'), *value;
    size_t len = colon ? (size_t)(colon - text) : 0;

    if (len == 0)
        return pawl_client_fail(
            fail, PAWL_EXIT_USAGE, "-header=%.60s: give -header='NAME: VALUE'", text);
    if (json_object_getn(headers, text, len))
        return pawl_client_fail(
            fail, PAWL_EXIT_USAGE, "-header=%.*s is given twice", (int)len, text);
    value = colon + 1 + strspn(colon + 1, " \t");
    if (json_object_setn_new(headers, text, len, json_string(value)) != 0)
        return pawl_client_fail(
            fail, PAWL_EXIT_USAGE, "-header=%.60s: it is not valid UTF-8", text);
    return PAWL_EXIT_OK;
}

static int
add_headers(const struct pawl_cli *cli, json_t *http, struct pawl_fail *fail)
{
    json_t *headers = json_object();
    const char *text;
    int status = PAWL_EXIT_OK;

    for (size_t n = 0; !status && (text = pawl_flags_nth(&cli->args, "header", n)); n++)
        status = add_header(headers, text, fail);
    if (!status && json_object_size(headers) > 0)
        return pawl_when_add(http, "headers", headers, fail);
    json_decref(headers);
    return status;
}

/* TEXT or @FILE */
static int
add_body(const struct pawl_cli *cli, json_t *http, struct pawl_fail *fail)
{
    const char *text = pawl_flags_value(&cli->args, "body");
    struct pawl_text body = {0};
    int status = PAWL_EXIT_OK;

    if (!text)
        return PAWL_EXIT_OK;
    if (text[0] == '@')
        status = pawl_file_read(text + 1, "a body", &body, fail);
    else
        pawl_text_puts(&body, text);
    if (!status)
        status = pawl_when_add(
            http, "body", json_stringn(pawl_text_string(&body), body.len), fail);
    pawl_text_fini(&body);
    return status;
}

/* One of a list such as 200,4xx; gives what follows it, or NULL when it is none. */
static const char *
add_code(json_t *codes, const char *at)
{
    size_t len = strcspn(at, ",");
    char *end;

    if (len == 3 && strncasecmp(at + 1, "xx", 2) == 0) {
        json_array_append_new(codes, json_stringn(at, len));
    } else {
        long code = isdigit((unsigned char)*at) ? strtol(at, &end, 10) : -1;

        if (code < 0 || end != at + len)
            return NULL;
        json_array_append_new(codes, json_integer(code));
    }
    return at + len;
}

static int
add_codes(const struct pawl_cli *cli, json_t *http, struct pawl_fail *fail)
{
    json_t *codes = json_array();
    const char *text;

    for (size_t n = 0; (text = pawl_flags_nth(&cli->args, "success-codes", n)); n++)
        for (const char *at = text; at; at = *at ? at + 1 : NULL)
            if (!(at = add_code(codes, at))) {
                json_decref(codes);
                return pawl_client_fail(fail, PAWL_EXIT_USAGE,
                    "-success-codes=%.60s: not status codes such as 204 or 200,4xx", text);
            }
    if (json_array_size(codes) > 0)
        return pawl_when_add(http, "successCodes", codes, fail);
    json_decref(codes);
    return PAWL_EXIT_OK;
}

/* Flags that say more of a call than there is one. */
static int
refuse_without_url(const struct pawl_cli *cli, struct pawl_fail *fail)
{
    static const char *const flags[] = {
        "method", "header", "body", "success-codes", "max-redirects"};

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (pawl_flags_value(&cli->args, flags[i]))
            return pawl_client_fail(
                fail, PAWL_EXIT_USAGE, "-%s is of a call: give -url=URL", flags[i]);
    return PAWL_EXIT_OK;
}

static int
build(struct pawl_cli *cli, json_t *http, struct pawl_fail *fail)
{
    const char *method = pawl_flags_value(&cli->args, "method");
    int64_t redirects = pawl_flags_number(&cli->args, "max-redirects", -1);
    const char *url = pawl_flags_value(&cli->args, "url");
    int status = PAWL_EXIT_OK;

    if (url)
        status = pawl_when_add(http, "url", json_string(url), fail);
    if (!status && method)
        status = pawl_when_add(http, "method", json_string(method), fail);
    if (!status)
        status = add_headers(cli, http, fail);
    if (!status)
        status = add_body(cli, http, fail);
    if (!status)
        status = add_codes(cli, http, fail);
    if (!status && redirects >= 0)
        status = pawl_when_add(http, "maxRedirects", json_integer(redirects), fail);
    return status;
}

int
pawl_call_build(struct pawl_cli *cli, bool has_call, json_t *task, struct pawl_fail *fail)
{
    json_t *http, *action;
    int status;

    if (!pawl_call_is_given(cli) && !has_call)
        return refuse_without_url(cli, fail);
    if (pawl_flags_value(&cli->args, "script") || pawl_flags_value(&cli->args, "script-file"))
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "a task runs a script or calls a URL: give -script or -url, not both");
    http = json_object();
    status = build(cli, http, fail);
    if (status || json_object_size(http) == 0) {
        json_decref(http);
        return status;
    }
    action = json_object();
    json_object_set_new(action, "http", http);
    return pawl_when_add(task, "action", action, fail);
}
