/* schedule.h: when next. Pure arithmetic on elapsed nanoseconds; saturates instead of overflowing,
 * and a due time of INT64_MAX is never. */
#ifndef PAWL_SCHEDULE_H
#define PAWL_SCHEDULE_H

#include <stdint.h>

/* from + span, or INT64_MAX. span >= 0. */
static inline int64_t
pawl_schedule_after(int64_t from, int64_t span)
{
    int64_t due;

    return __builtin_add_overflow(from, span, &due) ? INT64_MAX : due;
}

/* Moves *due to the first due time after now on the grid due + k * interval, and gives how many it
 * passed over: the due times in [*due, now]. interval > 0. */
static inline uint64_t
pawl_schedule_skip(int64_t *due, int64_t interval, int64_t now)
{
    uint64_t passed;

    if (*due > now)
        return 0;
    passed = ((uint64_t) now - (uint64_t) *due) / (uint64_t) interval + 1;
    *due = pawl_schedule_after(*due + (int64_t) (passed - 1) * interval, interval);
    return passed;
}

#endif
