/* zone.h: time zones of the IANA database, many at once, from any thread.
 *
 * A zone is loaded once, through cctz (zone_cctz.cc), into an immutable table of the spans of
 * time in which its offset is the same; it lives until the program ends, and there are no more
 * of them than the database has names. Nothing here reads or sets the process's own zone, but
 * for pawl_zone_local(), which reads where it is configured. */
#ifndef PAWL_ZONE_H
#define PAWL_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pawl.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAWL_ZONE_NAME_MAX 63
#define PAWL_ZONE_OFFSET_MAX (26 * 3600)    /* no zone is ever further from Greenwich */

struct pawl_zone;

/* A span of time with one offset. Its beginning is a gap when before_s < offset_s and a fold
 * when before_s > offset_s. */
struct pawl_zone_span {
    int64_t begin_s, end_s;     /* [begin, end); INT64_MIN and INT64_MAX: unbounded */
    int32_t offset_s;           /* east of Greenwich */
    int32_t before_s;           /* the offset before begin_s; offset_s if there is none */
};

enum pawl_zone_kind { PAWL_ZONE_UNIQUE, PAWL_ZONE_GAP, PAWL_ZONE_FOLD };

/* The instants of a wall time. In a gap before_s is later than change_s, and after_s earlier;
 * in a fold they are the first and the second of the two. */
struct pawl_zone_instants {
    enum pawl_zone_kind kind;
    int64_t before_s;           /* by the offset before the change */
    int64_t change_s;           /* the change itself */
    int64_t after_s;            /* by the offset after it; all three equal when unique */
};

/* The zone of a name, which must be one of the installed database's.
 * Threads: any. Blocks: the first time for a name, on files. Locks: the cache's. Owns: the zone
 * lives for ever. Errors: PAWL_EINVAL (field "timezone"), PAWL_ENOMEM. */
int
pawl_zone_load(const char *name, size_t len, const struct pawl_zone **out_zone,
               struct pawl_err *err);

/* UTC, which needs no database. Threads: any. Blocks: no. Locks: none. */
const struct pawl_zone *
pawl_zone_utc(void);

/* The machine's zone: TZ, /etc/localtime, /etc/timezone; UTC when none of them names one.
 * Found once. Threads: any. Blocks: the first time, on files. */
const struct pawl_zone *
pawl_zone_local(void);

/* Its name. Threads: any. Blocks: no. Owns: borrows. */
const char *
pawl_zone_name(const struct pawl_zone *zone);

/* The span that an instant is in. Threads: any. Blocks: no. Locks: none. */
void
pawl_zone_at(const struct pawl_zone *zone, int64_t second,
             struct pawl_zone_span *out_span);

/* The instants of a wall second. Threads: any. Blocks: no. Locks: none. */
struct pawl_zone_instants
pawl_zone_from_wall(const struct pawl_zone *zone, int64_t wall);

/* The names of the installed database, sorted; NULL and 0 when there is none.
 * Threads: any. Blocks: the first time, on files. Owns: borrows, for ever. */
const char *const *
pawl_zone_names(size_t *out_nnames);

/* Private: zone_cctz.cc gives the changes of offset of a zone in order, the first with
 * begin_s INT64_MIN. Owns: gives *out, free(). */
struct pawl_zone_change {
    int64_t begin_s;
    int32_t offset_s;
};
int
pawl_zone_changes(const char *name, struct pawl_zone_change **out, size_t *out_n);

#ifdef __cplusplus
}
#endif
#endif
