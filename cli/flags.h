/* flags.h: the command line, read by tables. A flag is one row; what it was given is
 * asked for by its name. Forms: -name=v, -name v, --name=v, --name v, in any place;
 * booleans take a value only after "=", in the words of Go's ParseBool; "--" ends the
 * flags. */
#ifndef PAWL_FLAGS_H
#define PAWL_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pawl_flag_kind {
    PAWL_FLAG_BOOL,
    PAWL_FLAG_STRING,
    PAWL_FLAG_COUNT,    /* a decimal number >= 0 */
    PAWL_FLAG_DURATION, /* as Go writes it, >= 0 */
    PAWL_FLAG_CHOICE,   /* one of the words in `value` */
};

/* A table of flags ends with a row whose name is NULL. */
struct pawl_flag {
    const char *name;
    const char *alias; /* a second name, or NULL */
    enum pawl_flag_kind kind;
    const char *value; /* what help shows for the value; of a choice, the words: a|b|c */
    const char *help;
};

/* A command line as read so far. Strings are borrowed from argv. Used by one thread. */
struct pawl_args {
    const struct pawl_flag
        *tables[3]; /* the global flags, the command's two; NULL for none */
    struct pawl_given {
        const struct pawl_flag *flag;
        const char *value;
    } * given; /* every flag met, in order */
    size_t ngiven;
    const char **words; /* everything else */
    size_t nwords;
    char error[256]; /* what is wrong, when a call below returned -1 */
};

/* Prepares for at most argc arguments. */
void pawl_flags_init(struct pawl_args *args, int argc, const struct pawl_flag *global);
void pawl_flags_fini(struct pawl_args *args);

/* Reads arguments; with one_word it stops after the first word (the command).
 * Returns how many it read, or -1 with args->error set. */
int pawl_flags_parse(struct pawl_args *args, int argc, char **argv, bool one_word);

/* What a flag was given: the last time, the nth time (NULL when it was not), whether a
 * boolean is set, and a count or duration (fallback when it was not given). */
const char *pawl_flags_value(const struct pawl_args *args, const char *name);
const char *pawl_flags_nth(const struct pawl_args *args, const char *name, size_t n);
bool pawl_flags_is_set(const struct pawl_args *args, const char *name);
int64_t pawl_flags_number(
    const struct pawl_args *args, const char *name, int64_t fallback);

#endif
