/* action.c: how a task's script is run, or what is called instead of one. */
#include "action.h"

#include "err.h"
#include "http_call.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 64            /* bytes of a name in an error's text */
#define UMASK_MAX 0777

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The entries of a list, which may be NULL. */
static size_t
count(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static size_t
bytes_of(const char *const *list)
{
    size_t bytes = 0;

    for (size_t i = 0; list && list[i]; i++)
        bytes += strlen(list[i]) + 1;
    return bytes;
}

/* --- The bounds --- */

bool
pawl_action_is_name(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_letter(name[i]) && !is_digit(name[i]) && !strchr("_.+-", name[i]))
            return false;
    }
    return len > 0 && len <= PAWL_INTERPRETER_MAX;
}

static int
check_interpreter(const char *name, struct pawl_err *err)
{
    if (!name || pawl_action_is_name(name, strlen(name)))
        return PAWL_OK;
    return pawl_err_set(err, PAWL_EINVAL, "interpreter",
                        "interpreter is a name of 1 to %d letters, digits, '_', '.', '+' and '-', "
                        "such as bash or python3", PAWL_INTERPRETER_MAX);
}

static int
check_args(const char *const *args, struct pawl_err *err)
{
    for (size_t i = 0; args && args[i]; i++) {
        if (!pawl_utf8_valid(args[i], strlen(args[i])))
            return pawl_err_set(err, PAWL_EINVAL, "args", "args[%zu] is not valid UTF-8", i);
    }
    return PAWL_OK;
}

static int
check_variable(const char *variable, struct pawl_err *err)
{
    size_t len = strcspn(variable, "=");
    int shown = (int) (len < SHOWN_MAX ? len : SHOWN_MAX);

    if (!pawl_utf8_valid(variable, strlen(variable)))
        return pawl_err_set(err, PAWL_EINVAL, "env", "env.%.*s is not valid UTF-8",
                            pawl_utf8_valid(variable, (size_t) shown) ? shown : 0, variable);
    for (size_t i = 0; i < len; i++) {
        if (!is_letter(variable[i]) && variable[i] != '_' && (i == 0 || !is_digit(variable[i])))
            len = 0;
    }
    if (len == 0 || variable[len] != '=')
        return pawl_err_set(err, PAWL_EINVAL, "env",
                            "env.%.*s: a name is made of letters, digits and '_', and begins with "
                            "no digit", shown, variable);
    if (strncmp(variable, "PAWL_", 5) == 0)
        return pawl_err_set(err, PAWL_EINVAL, "env",
                            "env.%.*s: names that begin with PAWL_ are set by the daemon", shown,
                            variable);
    return PAWL_OK;
}

static int
compare_names(const void *a, const void *b)
{
    const char *x = *(const char *const *) a, *y = *(const char *const *) b;
    size_t x_len = strcspn(x, "="), y_len = strcspn(y, "=");
    int order = memcmp(x, y, x_len < y_len ? x_len : y_len);

    return order != 0 ? order : (x_len > y_len) - (x_len < y_len);
}

static int
check_env(const char *const *env, struct pawl_err *err)
{
    const char *sorted[PAWL_ARGUMENTS_MAX];
    size_t n = count(env);
    int code = PAWL_OK;

    for (size_t i = 0; i < n && code == PAWL_OK; i++) {
        code = check_variable(env[i], err);
        sorted[i] = env[i];
    }
    if (code != PAWL_OK || n == 0)
        return code;
    qsort(sorted, n, sizeof sorted[0], compare_names);
    for (size_t i = 1; i < n; i++) {
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
            return pawl_err_set(err, PAWL_EINVAL, "env", "env.%.*s is given twice", SHOWN_MAX,
                                sorted[i]);
    }
    return PAWL_OK;
}

static int
check_size(const struct pawl_action *action, struct pawl_err *err)
{
    size_t nargs = count(action->args), nenv = count(action->env);
    size_t bytes = bytes_of(action->args) + bytes_of(action->env);
    const char *field = bytes_of(action->env) > bytes_of(action->args) ? "env" : "args";

    if (nargs + nenv > PAWL_ARGUMENTS_MAX)
        return pawl_err_set(err, PAWL_EINVAL, nenv > nargs ? "env" : "args",
                            "args and env have %zu entries together: the limit is %d",
                            nargs + nenv, PAWL_ARGUMENTS_MAX);
    if (bytes > PAWL_ARGUMENTS_BYTES)
        return pawl_err_set(err, PAWL_EINVAL, field,
                            "args and env have %zu bytes together: the limit is %zu (64 KiB)",
                            bytes, PAWL_ARGUMENTS_BYTES);
    return PAWL_OK;
}

static int
check_cwd(const char *cwd, struct pawl_err *err)
{
    if (!cwd)
        return PAWL_OK;
    if (cwd[0] != '/')
        return pawl_err_set(err, PAWL_EINVAL, "cwd",
                            "cwd must be an absolute path: it begins with no /");
    if (strlen(cwd) > PAWL_CWD_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "cwd", "cwd has %zu bytes: the limit is %d",
                            strlen(cwd), PAWL_CWD_MAX);
    if (!pawl_utf8_valid(cwd, strlen(cwd)))
        return pawl_err_set(err, PAWL_EINVAL, "cwd", "cwd is not valid UTF-8");
    return PAWL_OK;
}

static int
check_condition(const char *condition, struct pawl_err *err)
{
    if (!condition)
        return PAWL_OK;
    if (condition[0] == '\0')
        return pawl_err_set(err, PAWL_EINVAL, "condition",
                            "condition is empty: give a script, or leave it out");
    if (strlen(condition) > PAWL_SCRIPT_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "condition",
                            "condition has %zu bytes: the limit is %zu (1 MiB)", strlen(condition),
                            PAWL_SCRIPT_MAX);
    if (!pawl_utf8_valid(condition, strlen(condition)))
        return pawl_err_set(err, PAWL_EINVAL, "condition", "condition is not valid UTF-8");
    return PAWL_OK;
}

/* A call has no process but its condition's: what is said of one would be for nothing. */
static int
check_call(const struct pawl_action *action, struct pawl_err *err)
{
    const char *field = action->interpreter          ? "interpreter"
                      : count(action->args) > 0      ? "args"
                      : count(action->env) > 0       ? "env"
                      : action->cwd                  ? "cwd"
                      : action->umask >= 0           ? "umask"
                      : action->kill_grace_ns >= 0   ? "killGrace"
                      : action->kill_mode != PAWL_KILL_GROUP ? "killMode" : NULL;

    if (action->http && field && !action->condition)
        return pawl_err_set(err, PAWL_EINVAL, field,
                            "%s is of scripts: leave it out, because action.http runs none", field);
    return action->http ? pawl_http_call_check(action->http, err) : PAWL_OK;
}

int
pawl_action_check(const struct pawl_action *action, struct pawl_err *err)
{
    int code = check_interpreter(action->interpreter, err);

    if (code == PAWL_OK)
        code = check_size(action, err);
    if (code == PAWL_OK)
        code = check_args(action->args, err);
    if (code == PAWL_OK)
        code = check_env(action->env, err);
    if (code == PAWL_OK)
        code = check_cwd(action->cwd, err);
    if (code == PAWL_OK && action->umask > UMASK_MAX)
        code = pawl_err_set(err, PAWL_EINVAL, "umask", "umask must be 000 to 777, in octal");
    if (code == PAWL_OK && action->timeout_ns != 0 && action->timeout_ns < PAWL_TIMEOUT_MIN_NS)
        code = pawl_err_set(err, PAWL_EINVAL, "timeout",
                            "timeout must be 1ms (1000000) or more; without one there is no limit");
    if (code == PAWL_OK && action->kill_mode >= PAWL_NKILL_MODE)
        code = pawl_err_set(err, PAWL_EINVAL, "killMode", "killMode must be group or tree");
    if (code == PAWL_OK)
        code = check_condition(action->condition, err);
    if (code == PAWL_OK)
        code = check_call(action, err);
    return code;
}

/* --- The copy --- */

static bool
is_plain(const struct pawl_action *action)
{
    return !action->interpreter && count(action->args) == 0 && count(action->env) == 0 &&
           !action->cwd && action->umask < 0 && action->timeout_ns == 0 &&
           action->kill_grace_ns < 0 && action->kill_mode == PAWL_KILL_GROUP &&
           !action->condition && !action->http;
}

/* In the copy: the struct, the two lists, each with its NULL, the call, the strings. */
size_t
pawl_action_bytes(const struct pawl_action *action)
{
    if (!action || is_plain(action))
        return 0;
    return sizeof *action + (count(action->args) + count(action->env) + 2) * sizeof(char *) +
           bytes_of(action->args) + bytes_of(action->env) +
           (action->interpreter ? strlen(action->interpreter) + 1 : 0) +
           (action->cwd ? strlen(action->cwd) + 1 : 0) +
           (action->condition ? strlen(action->condition) + 1 : 0) +
           (action->http ? pawl_http_call_bytes(action->http) : 0);
}

/* Copies a string to *at, and moves it on. */
static const char *
put(char **at, const char *text)
{
    char *copy = *at;

    if (!text)
        return NULL;
    *at = stpcpy(copy, text) + 1;
    return copy;
}

static const char *const *
put_list(const char **into, char **at, const char *const *list)
{
    size_t n = count(list);

    for (size_t i = 0; i < n; i++)
        into[i] = put(at, list[i]);
    into[n] = NULL;
    return n > 0 ? into : NULL;
}

struct pawl_action *
pawl_action_copy(const struct pawl_action *action, size_t bytes)
{
    struct pawl_action *copy = malloc(bytes);
    size_t nargs = count(action->args), nenv = count(action->env);
    const char **lists;
    char *at;

    if (!copy)
        return NULL;
    lists = (const char **) (copy + 1);
    at = (char *) (lists + nargs + nenv + 2);
    *copy = *action;
    if (action->http) {
        copy->http = pawl_http_call_copy(at, action->http);
        at += pawl_http_call_bytes(action->http);
    }
    copy->args = put_list(lists, &at, action->args);
    copy->env = put_list(lists + nargs + 1, &at, action->env);
    copy->interpreter = put(&at, action->interpreter);
    copy->cwd = put(&at, action->cwd);
    copy->condition = put(&at, action->condition);
    return copy;
}
