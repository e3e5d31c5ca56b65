/* moment.h: points in time as people type them. Pure but for the local time zone. */
#ifndef PAWL_MOMENT_H
#define PAWL_MOMENT_H

#include <stdbool.h>
#include <time.h>

#include "times.h"

enum pawl_moment {
    PAWL_MOMENT_EXACT, /* RFC 3339: with its offset */
    PAWL_MOMENT_LOCAL, /* by the clock of this machine */
    PAWL_MOMENT_GAP,   /* as that, but clocks are set forward over it */
    PAWL_MOMENT_FOLD,  /* as that, but it comes twice, since clocks are set back */
    PAWL_MOMENT_NONE,  /* it is no time */
};

/* Reads RFC 3339, "2026-12-24 18:00", "today 18:00", "tomorrow 18:00", or "18:00", which is
 * the next time that it is so late; with seconds or without. Of EXACT and LOCAL it gives
 * the time, as RFC 3339 with the local offset in text. */
enum pawl_moment pawl_moment_read(const char *s, const struct timespec *now,
    struct timespec *out_point, char out_text[PAWL_TIMES_SIZE]);

#endif
