/* timefmt.h: wall times as RFC 3339 text, with nanoseconds and the offset of the local zone,
 * or of another. */
#ifndef PAWL_TIMEFMT_H
#define PAWL_TIMEFMT_H

#include <stddef.h>
#include <stdint.h>

#include "../engine/zone.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PAWL_TIME_MAX 40            /* bytes that hold any time and its NUL */

/* Writes for example "2026-10-05T08:30:00.000000001+02:00", with a NUL, and returns
 * its length: always 35, since an int64 of nanoseconds spans the years 1677 to 2262.
 * The zone is read once by the process; its rules are cached by the thread.
 * Threads: any. Blocks: no. Locks: none, libc's for a span of time not seen before. */
size_t
pawl_time_format(int64_t wall_ns, char out[PAWL_TIME_MAX]);

/* Writes it with the offset of a zone, Z for none, and with a fraction only if it has one:
 * "2027-03-28T03:00:00+02:00"; returns its length. Threads: any. Blocks: no. Locks: none. */
size_t
pawl_time_format_in(const struct pawl_zone *zone, int64_t wall_ns, char out[PAWL_TIME_MAX]);

#ifdef __cplusplus
}
#endif
#endif
