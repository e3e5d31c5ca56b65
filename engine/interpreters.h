/* interpreters.h: the programs that scripts are given to, by name: those built in that PATH has when
 * the engine is opened, and those it is opened with. Read-only from then on; any thread. */
#ifndef PAWL_INTERPRETERS_H
#define PAWL_INTERPRETERS_H

#include <pawl.h>

#define PAWL_PROGRAM_WORDS 16           /* of a program: itself and its arguments */

struct pawl_program {
    struct pawl_program *next;          /* by name */
    const char *name;
    const char *path;                   /* as it was given, if it was not found */
    bool is_there;                      /* it was when the engine was opened; bash counts as it */
    bool is_built_in;
    bool is_shell;                      /* takes its script by -c, else as a file */
    const char *long_script;            /* of a shell: runs the script behind descriptor 3 */
    size_t nwords;
    const char *words[PAWL_PROGRAM_WORDS];      /* argv[0], and what stands before the script */
};

struct pawl_interpreters {
    struct pawl_program *first;         /* sorted by name */
};

/* Reads PATH, and the words of struct pawl_options, which may be NULL.
 * Owns: the caller calls pawl_interpreters_fini(), also on failure. Errors: PAWL_EINVAL, PAWL_ENOMEM. */
int
pawl_interpreters_init(struct pawl_interpreters *interpreters, const char *const *given,
                       struct pawl_err *err);
void
pawl_interpreters_fini(struct pawl_interpreters *interpreters);

/* The program of a name that is there, or NULL; NULL: of bash, which there always is. */
const struct pawl_program *
pawl_interpreters_find(const struct pawl_interpreters *interpreters, const char *name);

/* Says that there is none of this name, and which there are. */
int
pawl_interpreters_refuse(const struct pawl_interpreters *interpreters, const char *name,
                         int code, struct pawl_err *err);

#endif
