/* cron_gap.h: what becomes of wall times in a gap and in a fold; private to cron_*.c. */
#ifndef PAWL_CRON_GAP_H
#define PAWL_CRON_GAP_H

#include "cron.h"

static inline int64_t
max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t
min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The first instant from x on that the gap at the beginning of a span adds to it, or the last one
 * up to x; PAWL_CRON_NEVER for none. It may be one that the span has anyway.
 * Threads: any. Blocks: no. Locks: none. */
int64_t
pawl_cron_first_of_gap(const struct pawl_cron *cron, const struct pawl_zone_span *span, int64_t x);
int64_t
pawl_cron_last_of_gap(const struct pawl_cron *cron, const struct pawl_zone_span *span, int64_t x);

/* The wall time at which the span's own times begin; a second pass through a fold may not count.
 * The span has a beginning. Threads: any. Blocks: no. Locks: none. */
int64_t
pawl_cron_first_wall(const struct pawl_cron *cron, const struct pawl_zone_span *span);

#endif
