/* interpreters.c: the programs that scripts are given to.
 *
 * A shell takes its script by -c, so that $0 is ours and the script needs no file; every other
 * program reads it as the file /dev/fd/3, whatever its length. node resolves the names of files that
 * it is given, which a file in memory does not have, unless it is told not to. */
#include "interpreters.h"

#include "action.h"
#include "err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLANKS " \t"
#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"

static const char *const built_in[] = {
    "awk=awk -f", "bash=bash", "groovy=groovy", "node=node --preserve-symlinks-main", "perl=perl",
    "python3=python3", "ruby=ruby", "sh=sh", NULL,
};

/* --- Looking for one --- */

/* The path of a program, by PATH: written to out, which has room for cap. */
static bool
look_up(const char *name, char *out, size_t cap)
{
    const char *path = getenv("PATH");
    const char *dir = path ? path : USUAL_PATH;

    while (*dir) {
        int len = (int) strcspn(dir, ":");

        if (dir[0] == '/' &&
            (size_t) snprintf(out, cap, "%.*s/%s", len, dir, name) < cap && access(out, X_OK) == 0)
            return true;
        dir += len + (dir[len] == ':');
    }
    return false;
}

/* Finds where the program is; where bash is not, it is said to be at the usual place, so that each
 * run says so. */
static bool
find_path(const char *name, const char *program, char *out, size_t cap)
{
    if (strchr(program, '/')) {
        snprintf(out, cap, "%s", program);
        return access(out, X_OK) == 0;
    }
    if (look_up(program, out, cap))
        return true;
    snprintf(out, cap, "%s%s", strcmp(name, "bash") == 0 ? "/bin/" : "", program);
    return false;
}

/* --- The table --- */

static struct pawl_program *
find_any(const struct pawl_interpreters *interpreters, const char *name, size_t len)
{
    for (struct pawl_program *program = interpreters->first; program; program = program->next) {
        if (strlen(program->name) == len && memcmp(program->name, name, len) == 0)
            return program;
    }
    return NULL;
}

static void
insert(struct pawl_interpreters *interpreters, struct pawl_program *program)
{
    struct pawl_program **at = &interpreters->first;

    while (*at && strcmp((*at)->name, program->name) < 0)
        at = &(*at)->next;
    program->next = *at;
    *at = program;
}

/* Cuts the text, which is the program's own, into words. False: there are too many, or none. */
static bool
split(struct pawl_program *program, char *text)
{
    char *rest = NULL;

    for (char *word = strtok_r(text, BLANKS, &rest); word; word = strtok_r(NULL, BLANKS, &rest)) {
        if (program->nwords == PAWL_PROGRAM_WORDS)
            return false;
        program->words[program->nwords++] = word;
    }
    return program->nwords > 0;
}

static void
set_shell(struct pawl_program *program)
{
    bool is_bash = strcmp(program->name, "bash") == 0;

    program->is_shell = is_bash || strcmp(program->name, "sh") == 0;
    /* bash reads the script before it runs, so that it does not see the descriptor. */
    program->long_script = is_bash ? "eval \"exec 3<&-; $(</dev/fd/3)\"" : ". /dev/fd/3";
    program->is_there = program->is_there || is_bash;
    program->words[0] = program->is_shell ? program->name : program->path;
}

/* Adds what a text says: NAME=PROGRAM [ARGUMENT...]. Behind the struct go its path and the text. */
static int
add(struct pawl_interpreters *interpreters, const char *text, bool is_built_in,
    struct pawl_err *err)
{
    size_t name_len = strcspn(text, "="), len = strlen(text);
    struct pawl_program *program;
    char *own, *path;

    if (!text[name_len] || !pawl_action_is_name(text, name_len))
        return pawl_err_set(err, PAWL_EINVAL, "interpreters",
                            "'%.80s' is no interpreter: give NAME=PROGRAM [ARGUMENT...]", text);
    if (find_any(interpreters, text, name_len))
        return is_built_in ? PAWL_OK
                           : pawl_err_set(err, PAWL_EINVAL, "interpreters",
                                          "the interpreter '%.*s' is given twice", (int) name_len, text);
    program = calloc(1, sizeof *program + len + 1 + PAWL_CWD_MAX + 1);
    if (!program)
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    path = (char *) (program + 1);
    own = path + PAWL_CWD_MAX + 1;
    memcpy(own, text, len + 1);
    own[name_len] = '\0';
    program->name = own;
    program->path = path;
    program->is_built_in = is_built_in;
    if (!split(program, own + name_len + 1)) {
        free(program);
        return pawl_err_set(err, PAWL_EINVAL, "interpreters",
                            "the interpreter '%.*s' needs a program and at most %d arguments",
                            (int) name_len, text, PAWL_PROGRAM_WORDS - 1);
    }
    program->is_there = find_path(program->name, program->words[0], path, PAWL_CWD_MAX + 1);
    set_shell(program);
    insert(interpreters, program);
    return PAWL_OK;
}

int
pawl_interpreters_init(struct pawl_interpreters *interpreters, const char *const *given,
                       struct pawl_err *err)
{
    int code = PAWL_OK;

    interpreters->first = NULL;
    for (size_t i = 0; given && given[i] && code == PAWL_OK; i++)
        code = add(interpreters, given[i], false, err);
    for (size_t i = 0; built_in[i] && code == PAWL_OK; i++)
        code = add(interpreters, built_in[i], true, err);
    return code;
}

void
pawl_interpreters_fini(struct pawl_interpreters *interpreters)
{
    struct pawl_program *program;

    while ((program = interpreters->first)) {
        interpreters->first = program->next;
        free(program);
    }
}

const struct pawl_program *
pawl_interpreters_find(const struct pawl_interpreters *interpreters, const char *name)
{
    const struct pawl_program *program;

    if (!name)
        name = "bash";
    program = find_any(interpreters, name, strlen(name));
    return program && program->is_there ? program : NULL;
}

int
pawl_interpreters_refuse(const struct pawl_interpreters *interpreters, const char *name,
                         int code, struct pawl_err *err)
{
    char names[120];
    size_t len = 0;

    names[0] = '\0';
    for (struct pawl_program *program = interpreters->first; program; program = program->next) {
        size_t name_len = strlen(program->name);

        if (!program->is_there || len + name_len + 3 > sizeof names)
            continue;
        len += (size_t) snprintf(names + len, sizeof names - len, "%s%s", len > 0 ? ", " : "",
                                 program->name);
    }
    return pawl_err_set(err, code, "interpreter", "this daemon has no interpreter '%s': it has %s",
                        name, names);
}
