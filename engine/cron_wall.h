/* cron_wall.h: which times by the clock on the wall a schedule means; private to cron_*.c.
 *
 * A wall second is day * 86400 + second of the day; see calendar.h. */
#ifndef PAWL_CRON_WALL_H
#define PAWL_CRON_WALL_H

#include "cron.h"

/* The first wall second of the schedule from wall on and not after limit, the last one up to wall
 * and not before limit; PAWL_CRON_NEVER for none. Not for EVERY and REBOOT.
 * Threads: any. Blocks: no. Locks: none. */
int64_t
pawl_cron_next_wall(const struct pawl_cron *cron, int64_t wall, int64_t limit);
int64_t
pawl_cron_prev_wall(const struct pawl_cron *cron, int64_t wall, int64_t limit);

#endif
