/* lane.h: tasks that make up for due times that were missed, paced so that new work is not late for
 * them.
 *
 * After downtime, a pause or the machine's sleep thousands may be due at once. They wait here, in the
 * order in which the ticker found them, and go into the ready ring few at a time: another one whenever fewer than `nfast` of them are in
 * progress, so that half of the processors are left to new work; and where they take long, one each
 * PAWL_LANE_SLOW_NS, up to half of the runs that there may be; from there on one each PAWL_LANE_STUCK_NS,
 * so that runs that never end hold up nobody for ever.
 *
 * L1: the lane is not left waiting. Who ends such a run counts down, then looks whether the ticker waits;
 * the ticker says that it waits, then looks at the count; both are seq_cst. */
#ifndef PAWL_LANE_H
#define PAWL_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAWL_LANE_LATE_NS INT64_C(1000000000)   /* what is later than this was missed */
#define PAWL_LANE_SLOW_NS INT64_C(50000000)
#define PAWL_LANE_STUCK_NS INT64_C(60000000000)

struct pawl_task;

struct pawl_lane {
    struct pawl_task **tasks;           /* T: a circle, as large as it had to be */
    size_t first, n, cap;               /* T: cap is a power of two, or 0 */
    int64_t fed_ns;                     /* T: when the newest one went on */
    int64_t nfast, nmax;                /* I */
    int wake_fd;                        /* I: the ticker's eventfd, borrowed */
    _Alignas(64) _Atomic int64_t nrunning;      /* A: L1: those that went on and have not ended */
    _Atomic bool is_waiting;            /* A: L1 */
};

void
pawl_lane_init(struct pawl_lane *lane, unsigned nworkers, unsigned max_running, int wake_fd);
/* The tasks must have been taken. */
void
pawl_lane_fini(struct pawl_lane *lane);

/* Puts a task behind the others. Threads: ticker. Owns: takes the caller's reference if true; false: out
 * of memory. */
bool
pawl_lane_put(struct pawl_lane *lane, struct pawl_task *task);

/* Takes the oldest task, or NULL. Threads: ticker. Owns: gives the reference. */
struct pawl_task *
pawl_lane_take(struct pawl_lane *lane);

/* When the next one may go on, unless another one ends before, of which the ticker is told: at now_ns or
 * before it, now; INT64_MAX: there is none. Threads: ticker. */
int64_t
pawl_lane_next(struct pawl_lane *lane, int64_t now_ns);

/* One goes on. Threads: ticker. */
void
pawl_lane_begin(struct pawl_lane *lane, int64_t now_ns);

/* Its run has ended, or was not to begin. Threads: any. Blocks: no. */
void
pawl_lane_end(struct pawl_lane *lane);

#endif
