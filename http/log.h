/* log.h: the daemon's log: one line of text or JSON a message, on stderr.
 *
 * A log is set up once and then only read, so any thread may write to it; a line goes
 * out in one write(2) and is not mixed with others. */
#ifndef PAWL_LOG_H
#define PAWL_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "pawl.h"

struct pawl_log {
    int fd;                         /* I */
    bool json;                      /* I */
    enum pawl_log_level level;      /* I: the last level that is written */
};

/* A key and its value beside the message. */
struct pawl_log_field {
    const char *name;               /* a literal of letters */
    const char *text;
    bool is_number;                 /* text is a JSON number */
};

/* Whether a line of this level would be written: ask before work that only the log
 * needs. */
static inline bool
pawl_log_has(const struct pawl_log *log, enum pawl_log_level level)
{
    return level <= log->level;
}

/* Writes a line, cut at 4 KiB. Control characters come out escaped.
 * Threads: any. Blocks: as stderr does. Locks: none. Owns: borrows all. */
void pawl_log_write(const struct pawl_log *log, enum pawl_log_level level,
    const struct pawl_log_field *fields, size_t nfields, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
