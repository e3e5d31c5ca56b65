/* cron_wall.h: which times by the clock on the wall a schedule means; private to cron_*.c.
 *
 * A wall second is day * 86400 + second of the day; see calendar.h. */
#ifndef PAWL_CRON_WALL_H
#define PAWL_CRON_WALL_H

#include "cron.h"

#define PAWL_CRON_TIME_MAX_S INT64_C(300000000000)  /* the year 11476: nothing beyond is asked */

/* The first wall second of the schedule from wall on and not after limit, the last one up to wall
 * and not before limit; PAWL_CRON_NEVER for none. Not for EVERY and REBOOT.
 * Threads: any. Blocks: no. Locks: none. */
int64_t
pawl_cron_next_wall(const struct pawl_cron *cron, int64_t wall, int64_t limit);
int64_t
pawl_cron_prev_wall(const struct pawl_cron *cron, int64_t wall, int64_t limit);

/* How many wall seconds of the schedule there are from wall to limit, both included; 0 when limit
 * is less. Not for EVERY and REBOOT. It looks at each month between them.
 * Threads: any. Blocks: no. Locks: none. */
uint64_t
pawl_cron_count_wall(const struct pawl_cron *cron, int64_t wall, int64_t limit);

#endif
