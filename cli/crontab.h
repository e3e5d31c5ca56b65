/* crontab.h: a crontab, line by line: what each line says, and the task that it becomes.
 *
 * Reads what cron(8) of cronie and its ancestor of Paul Vixie read: variables, five fields or an
 * @name, in a system crontab a user, a command with its % signs. Pure and total: any bytes give
 * lines and notes, in time and memory that the limits below bound. Whether a schedule means
 * anything is the daemon's to say. Used by one thread. */
#ifndef PAWL_CRONTAB_H
#define PAWL_CRONTAB_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAWL_CRONTAB_MAX ((size_t) 1 << 20)         /* bytes of a crontab */
#define PAWL_CRONTAB_LINE_MAX ((size_t) 128 << 10)  /* bytes of a line */
#define PAWL_CRONTAB_VARIABLES_MAX 256
#define PAWL_CRONTAB_VARIABLES_BYTES ((size_t) 64 << 10)
#define PAWL_CRONTAB_NOTES_MAX 6

enum pawl_crontab_kind {
    PAWL_CRONTAB_VARIABLE,
    PAWL_CRONTAB_ENTRY,
    PAWL_CRONTAB_BROKEN, /* neither: the last note says why */
};

/* One line that is neither blank nor a comment. All zero is an empty one. */
struct pawl_crontab_line {
    enum pawl_crontab_kind kind;
    size_t number;             /* from 1 */
    size_t nnotes;             /* what a person should know of it */
    char notes[PAWL_CRONTAB_NOTES_MAX][240];
    struct pawl_text name;     /* of a variable */
    struct pawl_text schedule; /* of an entry: an expression of docs/protocol.md */
    struct pawl_text user;     /* whom it runs as; empty in a user crontab */
    struct pawl_text command;  /* as written */
    struct pawl_text script;   /* for bash */
    struct pawl_text timezone; /* empty: none is set */
    int64_t jitter_minutes;        /* 0: none */
};

/* A crontab being read. */
struct pawl_crontab {
    const char *text;
    size_t len, at;
    size_t number;          /* of the line before at */
    bool is_system;
    bool is_over;           /* a variable was left out: no entry below it can be right */
    bool has_said_shell, has_said_return;
    int64_t jitter_minutes;
    struct pawl_text timezone;
    struct pawl_crontab_variable {
        char *name, *value;
    } variables[PAWL_CRONTAB_VARIABLES_MAX]; /* those of the lines so far, in order */
    size_t nvariables, nbytes;
};

/* Begins to read len bytes. Owns: borrows text. */
void pawl_crontab_init(
    struct pawl_crontab *crontab, const char *text, size_t len, bool is_system);
void pawl_crontab_fini(struct pawl_crontab *crontab);

/* Reads the next line into line, which may be used again and again; false after the last. */
bool pawl_crontab_next(struct pawl_crontab *crontab, struct pawl_crontab_line *line);
void pawl_crontab_line_fini(struct pawl_crontab_line *line);

/* The value of a variable, NULL when none is set. Owns: borrows. */
const char *pawl_crontab_value(const struct pawl_crontab *crontab, const char *name);

/* Appends the script that does for bash what cron does with a command: variables, the home
 * directory, the shell, and what stands behind a % as its stdin. */
void pawl_crontab_script(const struct pawl_crontab *crontab, const char *command, size_t len,
    struct pawl_text *out);

/* Whether the command is run by another shell than the bash that reads the script. */
bool pawl_crontab_has_own_shell(const struct pawl_crontab *crontab);

/* Appends a name for the nth entry (from 0) of this schedule and command: some of its words
 * and a hash. It is the same whenever and wherever the crontab is read. */
void pawl_crontab_id(
    const struct pawl_crontab_line *line, unsigned nth, struct pawl_text *out);

#endif
