/* how.c: what the flags of pawl submit say of how a script is run, as fields of a task
 * document. One thread. The daemon judges them; here only what it could not be told is
 * refused. */
#define _GNU_SOURCE 1
#include "how.h"

#include <string.h>

#include "when.h"

/* Flags that go over as they are. */
static const struct {
    const char *flag, *field;
} texts[] = {
    {"interpreter", "interpreter"},
    {"cwd", "cwd"},
    {"umask", "umask"},
    {"time-limit", "timeout"},
    {"kill-grace", "killGrace"},
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

int
pawl_how_build(struct pawl_cli *cli, json_t *task, struct pawl_fail *fail)
{
    int status = add_args(cli, task, fail);

    if (!status)
        status = add_env(cli, task, fail);
    for (size_t i = 0; !status && i < sizeof texts / sizeof *texts; i++) {
        const char *text = pawl_flags_value(&cli->args, texts[i].flag);

        if (text)
            status = pawl_when_add(task, texts[i].field, json_string(text), fail);
    }
    return status;
}
