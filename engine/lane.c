/* lane.c: see lane.h. */
#include "lane.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#define CAP_MIN 64

void
pawl_lane_init(struct pawl_lane *lane, unsigned nworkers, unsigned max_running, int wake_fd)
{
    *lane = (struct pawl_lane) {
        .fed_ns = INT64_MIN / 2, .nfast = (nworkers + 1) / 2, .nmax = (max_running + 1) / 2,
        .wake_fd = wake_fd,
    };
    if (lane->nfast > lane->nmax)
        lane->nfast = lane->nmax;
    atomic_init(&lane->nrunning, 0);
    atomic_init(&lane->is_waiting, false);
}

void
pawl_lane_fini(struct pawl_lane *lane)
{
    free(lane->tasks);
}

static bool
grow(struct pawl_lane *lane)
{
    size_t cap = lane->cap > 0 ? 2 * lane->cap : CAP_MIN;
    struct pawl_task **tasks = calloc(cap, sizeof(struct pawl_task *));

    if (!tasks)
        return false;
    for (size_t i = 0; i < lane->n; i++)
        tasks[i] = lane->tasks[(lane->first + i) & (lane->cap - 1)];
    free(lane->tasks);
    lane->tasks = tasks;
    lane->first = 0;
    lane->cap = cap;
    return true;
}

bool
pawl_lane_put(struct pawl_lane *lane, struct pawl_task *task)
{
    if (lane->n == lane->cap && !grow(lane))
        return false;
    lane->tasks[(lane->first + lane->n++) & (lane->cap - 1)] = task;
    return true;
}

struct pawl_task *
pawl_lane_take(struct pawl_lane *lane)
{
    struct pawl_task *task;

    if (lane->n == 0)
        return NULL;
    task = lane->tasks[lane->first];
    lane->first = (lane->first + 1) & (lane->cap - 1);
    if (--lane->n == 0) {               /* the memory of a peak is given back */
        free(lane->tasks);
        lane->tasks = NULL;
        lane->cap = 0;
    }
    return task;
}

/* When the next one may go on while so many are in progress. */
static int64_t
next_with(const struct pawl_lane *lane, int64_t nrunning, int64_t now_ns)
{
    if (nrunning < lane->nfast)
        return now_ns;
    return lane->fed_ns + (nrunning < lane->nmax ? PAWL_LANE_SLOW_NS : PAWL_LANE_STUCK_NS);
}

int64_t
pawl_lane_next(struct pawl_lane *lane, int64_t now_ns)
{
    int64_t next_ns;

    if (lane->n == 0)
        return INT64_MAX;
    next_ns = next_with(lane, atomic_load_explicit(&lane->nrunning, memory_order_seq_cst), now_ns);
    if (next_ns <= now_ns)
        return next_ns;
    atomic_store_explicit(&lane->is_waiting, true, memory_order_seq_cst);                   /* L1 */
    return next_with(lane, atomic_load_explicit(&lane->nrunning, memory_order_seq_cst), now_ns);
}

void
pawl_lane_begin(struct pawl_lane *lane, int64_t now_ns)
{
    lane->fed_ns = now_ns;
    atomic_fetch_add_explicit(&lane->nrunning, 1, memory_order_seq_cst);
}

void
pawl_lane_end(struct pawl_lane *lane)
{
    atomic_fetch_sub_explicit(&lane->nrunning, 1, memory_order_seq_cst);                    /* L1 */
    if (atomic_load_explicit(&lane->is_waiting, memory_order_seq_cst) &&
        atomic_exchange_explicit(&lane->is_waiting, false, memory_order_seq_cst))
        eventfd_write(lane->wake_fd, 1);
}
