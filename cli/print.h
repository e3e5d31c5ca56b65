/* print.h: everything that goes to stdout: documents in the format that was asked for.
 * Data is gathered and written with write(2), so that a full disk or a reader that left
 * is noticed for certain. Messages go to stderr. Used by one thread. */
#ifndef PAWL_PRINT_H
#define PAWL_PRINT_H

#include "table.h"
#include "text.h"

#include <jansson.h>
#include <stdbool.h>
#include <time.h>

enum pawl_format {
    PAWL_FORMAT_DETAIL, /* lines for people; -o has no word for it */
    PAWL_FORMAT_TABLE,
    PAWL_FORMAT_WIDE,
    PAWL_FORMAT_JSON,
    PAWL_FORMAT_NDJSON,
    PAWL_FORMAT_NAME,
};

struct pawl_print {
    enum pawl_format format;
    int fd;
    bool is_terminal;
    bool is_smart; /* a terminal that moves its cursor (not TERM=dumb) */
    bool has_colour;
    struct timespec now; /* of the page being printed */
    struct pawl_table table;
    struct pawl_text out;
    bool is_array;   /* json: the documents stand in one array */
    size_t ntasks;   /* printed so far */
    int write_errno; /* of the first write that failed */
};

/* The words of -o, for its flag. */
#define PAWL_PRINT_FORMATS "table|wide|json|ndjson|name"

/* Prepares printing to fd. word: one of the formats, NULL for the fallback. */
void pawl_print_init(
    struct pawl_print *print, const char *word, enum pawl_format fallback, int fd);
void pawl_print_fini(struct pawl_print *print);

/* Begins the output of tasks; is_array: of any number of them, not of one. */
void pawl_print_begin(struct pawl_print *print, bool is_array);

/* Prints one task. */
void pawl_print_task(struct pawl_print *print, const json_t *task);

/* Ends the output; empty is what tables say when nothing was printed, NULL for nothing.
 */
void pawl_print_end(struct pawl_print *print, const char *empty);

/* Writes what is gathered. False if nobody takes it any more: stop. Blocks: yes. */
bool pawl_print_flush(struct pawl_print *print);

/* The exit status for what became of the output; says on stderr what went wrong.
 * A reader that left early (head) is not an error. */
int pawl_print_status(const struct pawl_print *print);

/* Says the document's `warnings` on stderr, behind place ("" or "file:3: "). */
void pawl_print_warnings(const json_t *document, const char *place);

/* "pawl: ..." on stderr, with control characters escaped. */
void pawl_print_message(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
