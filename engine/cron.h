/* cron.h: expressions that say when, and the times that they mean.
 *
 * Three kinds of expression: cron fields (five; six with seconds first; seven with a year last)
 * and their @names; intervals (@every 90s); and calendar intervals ("daily 2 at 09:00,17:30",
 * "weekly 1 on mon,thu at 8:00", "monthly 3 on 1,-1 at 00:00"). The grammar is in docs/protocol.md.
 *
 * All of it is pure: an expression is parsed once into a value without pointers of its own, and
 * then asked. Times are whole seconds since the epoch. How many times a question costs is bounded
 * whatever the expression: days are found in bitmaps of months, and between two changes of a zone's
 * offset the clock on the wall is arithmetic. */
#ifndef PAWL_CRON_H
#define PAWL_CRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pawl.h>

#include "zone.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PAWL_CRON_LENGTH_MAX PAWL_EXPR_MAX
#define PAWL_CRON_TIMES_MAX 64      /* times of day of a calendar interval */
#define PAWL_CRON_INTERVAL_MAX 10000
#define PAWL_CRON_WARNINGS_MAX 6
#define PAWL_CRON_YEAR_MIN 1970
#define PAWL_CRON_YEAR_MAX 2199
#define PAWL_CRON_NEVER INT64_MIN   /* instead of a time: there is none */

enum pawl_cron_kind {
    PAWL_CRON_FIELDS,
    PAWL_CRON_EVERY,
    PAWL_CRON_DAILY,
    PAWL_CRON_WEEKLY,
    PAWL_CRON_MONTHLY,
    PAWL_CRON_REBOOT,       /* at each start of the daemon: has no times */
};

struct pawl_cron_options {
    const struct pawl_zone *zone;   /* unless the expression names one; NULL: UTC */
    enum pawl_cron_dst dst;
    enum pawl_cron_day_match day_match;
    const char *id;                 /* what H is hashed by */
    size_t id_len;
    int64_t start_s;                /* what intervals are counted from */
};

/* What a person should know of an expression. */
struct pawl_cron_notes {
    size_t position;        /* when refused: in bytes, from 1 */
    size_t nwarnings;
    char warnings[PAWL_CRON_WARNINGS_MAX][160];
};

/* A parsed expression: a plain value, to be copied at will; its bits are private. */
struct pawl_cron {
    enum pawl_cron_kind kind;
    enum pawl_cron_dst dst;
    const struct pawl_zone *zone;
    bool is_wild;           /* its fields follow elapsed time where they may */
    bool is_day_and;        /* both day fields, not either */
    uint8_t nfields;        /* as written: 5, 6 or 7; 0: none */
    bool has_years;
    int64_t start_s;
    int64_t start_day;      /* of it, by the clock on the wall: see calendar.h */
    int64_t every_s;        /* of EVERY */
    uint64_t second, minute;
    uint32_t hour, dom;     /* bits 0-23, 1-31 */
    uint32_t nearest;       /* nW: bits 1-31 */
    uint32_t dom_end;       /* days from the end of the month: bit 1 is the last */
    uint16_t month;         /* bits 1-12 */
    bool last_weekday;      /* LW */
    uint8_t dow;            /* bits 0-6, 0 is Sunday */
    uint8_t last_dow;       /* nL */
    uint8_t nth_dow[5];     /* n#1 to n#5 */
    uint64_t year[4];       /* bits from PAWL_CRON_YEAR_MIN */
    uint32_t interval;      /* of DAILY, WEEKLY, MONTHLY */
    uint32_t ntimes;
    uint32_t times[PAWL_CRON_TIMES_MAX];    /* of day, in seconds, in order, each once */
};

/* Parses len bytes. notes may be NULL.
 * Threads: any. Blocks: only for a zone not seen before. Locks: the zones' cache.
 * Owns: copies. Errors: PAWL_EINVAL (field "expr", or "timezone"), PAWL_ENOMEM. */
int
pawl_cron_parse(struct pawl_cron *out_cron, const char *text, size_t len,
                const struct pawl_cron_options *options, struct pawl_cron_notes *notes,
                struct pawl_err *err);

/* The first time after second (strictly), the last one before it, or PAWL_CRON_NEVER when there
 * is none within 400 years. Threads: any. Blocks: no. Locks: none. */
int64_t
pawl_cron_next(const struct pawl_cron *cron, int64_t second);
int64_t
pawl_cron_prev(const struct pawl_cron *cron, int64_t second);

/* Whether second is a time. Threads: any. Blocks: no. Locks: none. */
bool
pawl_cron_match(const struct pawl_cron *cron, int64_t second);

/* How many times there are in (after, until], as many as stepping by pawl_cron_next() finds; 0 when
 * until is not later. Quick however many they are: microseconds for ten years, milliseconds for
 * all; what is beyond the year 11000 is not counted. Threads: any. Blocks: no. Locks: none. */
uint64_t
pawl_cron_count(const struct pawl_cron *cron, int64_t after, int64_t until);

/* Says in words when it fires, cut to cap bytes with a NUL; returns the length.
 * Threads: any. Blocks: no. Locks: none. */
size_t
pawl_cron_describe(const struct pawl_cron *cron, char *out, size_t cap);

/* The policies by name ("run-after", "or"); false for a name that is none.
 * Threads: any. Blocks: no. */
bool
pawl_cron_dst_named(const char *name, size_t len, enum pawl_cron_dst *out);
bool
pawl_cron_day_match_named(const char *name, size_t len, enum pawl_cron_day_match *out);

#ifdef __cplusplus
}
#endif
#endif
