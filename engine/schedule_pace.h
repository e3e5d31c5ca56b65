/* schedule_pace.h: the parts of a schedule, for the files that it is made of. */
#ifndef PAWL_SCHEDULE_PACE_H
#define PAWL_SCHEDULE_PACE_H

#include "cron.h"
#include "schedule.h"

enum pawl_pace_kind {
    PAWL_PACE_SPAN,             /* on elapsed time */
    PAWL_PACE_AT,
    PAWL_PACE_WALL,             /* by cron->... */
    PAWL_PACE_REBOOT,           /* has no times */
    PAWL_PACE_UNKNOWN,          /* of a task that was stored: its expression means nothing here, for
                                 * example because its zone is not installed any more */
};

/* What one trigger means. */
struct pawl_pace {
    enum pawl_pace_kind kind;
    int64_t span_ns, span_max_ns;       /* SPAN; the second is 0 or above the first */
    int64_t at_ns;                      /* AT: wall */
    const struct pawl_cron *cron;       /* WALL */
};

#endif
