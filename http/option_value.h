/* option_value.h: the values of options as text: read, write, describe one. Private to
 * options.c, which owns the table. Used by the main thread only. */
#ifndef PAWL_OPTION_VALUE_H
#define PAWL_OPTION_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "options.h"
#include "pawl.h"

enum pawl_option_kind {
    PAWL_OPTION_TEXTS,              /* struct pawl_option_list; the others: */
    PAWL_OPTION_TEXT,               /* char * */
    PAWL_OPTION_BOOL,               /* bool */
    PAWL_OPTION_WORD,               /* int64_t: which of words */
    PAWL_OPTION_COUNT,              /* int64_t, from min to max */
    PAWL_OPTION_SIZE,               /* the same in bytes: 512k, 8MiB */
    PAWL_OPTION_SPAN,               /* the same in nanoseconds: 30s */
};

struct pawl_option {
    const char *name;
    enum pawl_option_kind kind;
    size_t offset;                  /* of the value in struct pawl_settings */
    const char *argument;           /* in --help */
    const char *help;
    const char *fallback;           /* the default as text, NULL: empty */
    const char *const *words;       /* ended by NULL */
    int64_t min, max;
    bool no_key;                    /* no key of the file */
    bool is_request;                /* asks for something to be done: a flag, and no more */
};

struct pawl_text_span {
    const char *text;
    size_t len;
};

/* Sets err->text; returns PAWL_EINVAL. */
int
pawl_option_fail(struct pawl_err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sets a value from text, adds one to a list. where stands in front of what is wrong
 * with it.
 * Errors: PAWL_EINVAL, PAWL_ENOMEM. */
int
pawl_option_set(const struct pawl_option *option, struct pawl_settings *settings,
                const char *text, size_t len, const char *where, struct pawl_err *err);

/* Frees a value. */
void
pawl_option_clear(const struct pawl_option *option, struct pawl_settings *settings);

/* The text without the blanks around it. */
struct pawl_text_span
pawl_option_trim(const char *text, size_t len);

/* Splits a line of a config file; an empty key for a line that sets nothing. False:
 * malformed. */
bool
pawl_option_split(const char *line, struct pawl_text_span *out_key,
                  struct pawl_text_span *out_value);

/* Writes the lines of a config file that give this value. */
void
pawl_option_print(const struct pawl_option *option, const struct pawl_settings *settings,
                  struct pawl_buffer *buffer);

/* Writes the option's lines of --help. */
void
pawl_option_help(const struct pawl_option *option, struct pawl_buffer *buffer);

/* How many letters to change, add or drop until one name is the other. */
size_t
pawl_option_distance(const char *name, const char *other, size_t len);

#endif
