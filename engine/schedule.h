/* schedule.h: when next: what a `struct pawl_when` means, compiled, and the arithmetic of spans.
 *
 * Pure: no clock is read, no state is kept. Due times are on one of two scales: those of spans on
 * elapsed time, those of the clock on the wall as wall times, so that a wall clock that is set moves
 * the ones and not the others. A schedule is immutable; any thread may ask it at any time. */
#ifndef PAWL_SCHEDULE_H
#define PAWL_SCHEDULE_H

#include <pawl.h>

/* What time it is: both scales from one reading. */
struct pawl_now {
    int64_t elapsed_ns, wall_ns;
    int64_t high_ns;            /* wall: up to here fixed times of day have fired, though the clock was
                                 * set back since; INT64_MIN: see wall.h */
    int64_t oldest_ns;          /* wall: the age to which results are kept */
};

struct pawl_due {
    int64_t ns;                 /* PAWL_NO_TIME: none; INT64_MAX: never, for now */
    bool is_wall;               /* the scale; false where there is no time */
};

static inline bool
pawl_due_is_set(struct pawl_due due)
{
    return due.ns != PAWL_NO_TIME && due.ns != INT64_MAX;
}

/* --- Spans --- */

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

/* --- Schedules --- */

struct pawl_pace;

struct pawl_schedule {
    struct pawl_when when;              /* in full: zones by name; all in the schedule's block */
    uint64_t seed;                      /* hash of the id: for jitter and drawn spans */
    int64_t origin_ns;                  /* elapsed: what spans are counted from */
    int64_t created_ns;                 /* wall: what calendar intervals are, without startAt */
    int64_t offset_ns;                  /* wall - elapsed when it was made */
    bool is_delay;                      /* one run: its first due time */
    bool has_wall;                      /* something in it follows the wall clock */
    bool is_unknown;                    /* some of its times are not known: PAWL_PACE_UNKNOWN */
    bool has_wild;                      /* something of that has wildcards: see wall.h */
    bool has_reboot;                    /* fires at each start of the daemon, too */
    struct pawl_pace *paces;            /* one a trigger */
};

/* What a schedule is made from. */
struct pawl_schedule_basis {
    const char *id;
    size_t id_len;
    enum pawl_type type;
    int64_t created_ns;                 /* wall: what calendar intervals are counted from without startAt */
    int64_t origin_ns;                  /* elapsed */
    int64_t offset_ns;                  /* wall - elapsed, now */
    bool is_stored;                     /* it was accepted once: what means nothing now has no times,
                                         * and err says why, beside PAWL_OK */
};

/* Compiles when, which is not NULL. Threads: any. Blocks: only for a zone not seen before.
 * Owns: gives, free(). Errors: PAWL_EINVAL (the field is named), PAWL_ENOMEM. */
int
pawl_schedule_new(const struct pawl_when *when, const struct pawl_schedule_basis *basis,
                  struct pawl_schedule **out_schedule, struct pawl_err *err);

/* The first due time of a new task; none: it never fires. */
struct pawl_due
pawl_schedule_first(const struct pawl_schedule *schedule, const struct pawl_now *now);

/* The same of a task that was there before it had this schedule: runs_on_start counts for nothing. */
struct pawl_due
pawl_schedule_anew(const struct pawl_schedule *schedule, const struct pawl_now *now);

/* Whether two say the same. Pure. */
bool
pawl_when_equals(const struct pawl_when *a, const struct pawl_when *b);

/* The first due time after one that came (is_end: after the end of its run). */
struct pawl_due
pawl_schedule_next(const struct pawl_schedule *schedule, struct pawl_due due,
                   const struct pawl_now *now, bool is_end);

/* Moves *due on to the newest due time that has come by now, and gives how many it passed over: 0
 * when *due is the newest, or has not come itself. How long it takes does not depend on how
 * many there were; where several triggers meet in one moment, such a moment may count for more than
 * one once there are thousands. */
uint64_t
pawl_schedule_newest(const struct pawl_schedule *schedule, struct pawl_due *due,
                     const struct pawl_now *now);

/* The next due time when the wall clock was set: by then it had shown old_wall_ns. One that came and
 * was not run stays. is_running: in a run. */
struct pawl_due
pawl_schedule_retime(const struct pawl_schedule *schedule, struct pawl_due due,
                     const struct pawl_now *now, int64_t old_wall_ns, bool is_running);

/* How much later than due it fires. */
int64_t
pawl_schedule_jitter(const struct pawl_schedule *schedule, struct pawl_due due);

/* A due time on the other scale; none and never stay. offset_ns: wall - elapsed. */
int64_t
pawl_due_elapsed(struct pawl_due due, int64_t offset_ns);
int64_t
pawl_due_wall(struct pawl_due due, int64_t offset_ns);

#endif
