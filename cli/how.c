/* how.c: what the flags of pawl submit say of how a script is run, and of what happens when
 * something is in the way, as fields of a task document. One thread. The daemon judges them; here only what it could not be told is
 * refused. */
#define _GNU_SOURCE 1
#include "how.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "when.h"

/* Flags that become one field each. */
static const struct {
    const char *flag, *field;
    enum { TEXT, WHOLE, REAL, CODES } kind;
} fields[] = {
    {"interpreter", "interpreter", TEXT},
    {"cwd", "cwd", TEXT},
    {"umask", "umask", TEXT},
    {"time-limit", "timeout", TEXT},
    {"kill-grace", "killGrace", TEXT},
    {"kill-mode", "killMode", TEXT},
    {"condition", "condition", TEXT},
    {"overlap", "overlap", TEXT},
    {"queue-limit", "queueLimit", WHOLE},
    {"max-running", "maxRunning", WHOLE},
    {"misfire", "misfire", TEXT},
    {"misfire-grace", "misfireGrace", TEXT},
    {"misfire-limit", "misfireLimit", WHOLE},
    {"retries", "retries", WHOLE},
    {"retry-delay", "retryDelay", TEXT},
    {"retry-backoff", "retryBackoff", REAL},
    {"retry-max-delay", "retryMaxDelay", TEXT},
    {"retry-jitter", "retryJitter", TEXT},
    {"retry-on", "retryOn", CODES},
    {"group", "group", TEXT},
    {"group-overflow", "groupOverflow", TEXT},
};

static int
add_args(const struct pawl_cli *cli, json_t *task, struct pawl_fail *fail)
{
    json_t *args = json_array();
    const char *arg;
    int status = PAWL_EXIT_OK;

    for (size_t n = 0; !status && (arg = pawl_flags_nth(&cli->args, "arg", n)); n++)
        if (json_array_append_new(args, json_string(arg)) != 0)
            status = pawl_client_fail(
                fail, PAWL_EXIT_USAGE, "-arg number %zu is not valid UTF-8", n + 1);
    if (!status && json_array_size(args) > 0)
        return pawl_when_add(task, "args", args, fail);
    json_decref(args);
    return status;
}

static int
add_variable(json_t *env, const char *text, struct pawl_fail *fail)
{
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : 0;

    if (len == 0)
        return pawl_client_fail(
            fail, PAWL_EXIT_USAGE, "-env=%.60s: give -env=NAME=VALUE", text);
    if (json_object_getn(env, text, len))
        return pawl_client_fail(
            fail, PAWL_EXIT_USAGE, "-env=%.*s is given twice", (int)len, text);
    if (json_object_setn_new(env, text, len, json_string(equals + 1)) != 0)
        return pawl_client_fail(
            fail, PAWL_EXIT_USAGE, "-env=%.60s: it is not valid UTF-8", text);
    return PAWL_EXIT_OK;
}

static int
add_env(const struct pawl_cli *cli, json_t *task, struct pawl_fail *fail)
{
    json_t *env = json_object();
    const char *text;
    int status = PAWL_EXIT_OK;

    for (size_t n = 0; !status && (text = pawl_flags_nth(&cli->args, "env", n)); n++)
        status = add_variable(env, text, fail);
    if (!status && json_object_size(env) > 0)
        return pawl_when_add(task, "env", env, fail);
    json_decref(env);
    return status;
}

static int
add_real(const struct pawl_cli *cli, size_t i, json_t *task, struct pawl_fail *fail)
{
    const char *text = pawl_flags_value(&cli->args, fields[i].flag);
    char *end;
    double number = strtod(text, &end);

    if (end == text || *end || !isfinite(number))
        return pawl_client_fail(fail, PAWL_EXIT_USAGE, "-%s=%.60s: not a number such as 2 or 1.5",
            fields[i].flag, text);
    return pawl_when_add(task, fields[i].field, json_real(number), fail);
}

/* Adds the numbers of a list such as 1,75. */
static int
add_codes_of(json_t *codes, const char *flag, const char *text, struct pawl_fail *fail)
{
    for (const char *at = text;; at++) {
        char *end;
        long code = *at >= '0' && *at <= '9' ? strtol(at, &end, 10) : -1;

        if (code < 0 || (*end && *end != ','))
            return pawl_client_fail(fail, PAWL_EXIT_USAGE,
                "-%s=%.60s: not exit codes such as 75 or 1,75", flag, text);
        json_array_append_new(codes, json_integer(code));
        if (!*end)
            return PAWL_EXIT_OK;
        at = end;
    }
}

static int
add_codes(const struct pawl_cli *cli, size_t i, json_t *task, struct pawl_fail *fail)
{
    json_t *codes = json_array();
    const char *text;
    int status = PAWL_EXIT_OK;

    for (size_t n = 0; !status && (text = pawl_flags_nth(&cli->args, fields[i].flag, n)); n++)
        status = add_codes_of(codes, fields[i].flag, text, fail);
    if (!status)
        return pawl_when_add(task, fields[i].field, codes, fail);
    json_decref(codes);
    return status;
}

static int
add_field(struct pawl_cli *cli, size_t i, json_t *task, struct pawl_fail *fail)
{
    const char *flag = fields[i].flag, *text = pawl_flags_value(&cli->args, flag);

    if (!text)
        return PAWL_EXIT_OK;
    switch (fields[i].kind) {
    case WHOLE:
        return pawl_when_add(
            task, fields[i].field, json_integer(pawl_flags_number(&cli->args, flag, 0)), fail);
    case REAL:
        return add_real(cli, i, task, fail);
    case CODES:
        return add_codes(cli, i, task, fail);
    default:
        return pawl_when_add(task, fields[i].field, json_string(text), fail);
    }
}

int
pawl_how_build(struct pawl_cli *cli, json_t *task, struct pawl_fail *fail)
{
    int status = add_args(cli, task, fail);

    if (!status)
        status = add_env(cli, task, fail);
    for (size_t i = 0; !status && i < sizeof fields / sizeof *fields; i++)
        status = add_field(cli, i, task, fail);
    return status;
}
