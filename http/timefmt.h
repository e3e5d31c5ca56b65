/* timefmt.h: wall times as RFC 3339 text, with nanoseconds and the local zone's
 * offset. */
#ifndef PAWL_TIMEFMT_H
#define PAWL_TIMEFMT_H

#include <stddef.h>
#include <stdint.h>

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

#ifdef __cplusplus
}
#endif
#endif
