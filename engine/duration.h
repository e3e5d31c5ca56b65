/* duration.h: spans of time as text, in the words of Go's time.Duration ("1m30s",
 * "1.5h").
 *
 * Stands alone: the daemon, its options and the client all use it. */
#ifndef PAWL_DURATION_H
#define PAWL_DURATION_H

#include <stddef.h>
#include <stdint.h>

#include "pawl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a duration exactly as Go's time.ParseDuration: numbers with a fraction and a
 * unit each (ns, us, ms, s, m, h), a sign in front, or "0". Negative spans are read;
 * err->field stays NULL.
 * Threads: any. Blocks: no. Locks: none. Errors: PAWL_EINVAL. */
int
pawl_duration_parse(const char *text, size_t len, int64_t *out_ns, struct pawl_err *err);

/* Writes a duration exactly as Go's Duration.String, with a NUL, and returns its
 * length (not more than 25). Threads: any. Blocks: no. Locks: none. */
size_t
pawl_duration_format(int64_t ns, char out[32]);

#ifdef __cplusplus
}
#endif
#endif
