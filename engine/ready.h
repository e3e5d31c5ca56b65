/* ready.h: the ring between the ticker and the workers, and who sleeps on it.
 *
 * One ck_ring, single producer (the ticker), many consumers (the workers). A full ring refuses: the
 * ticker keeps the rest. A worker that finds nothing sleeps in its own epoll with its eventfd in
 * it; the ticker wakes as many sleepers as it has put tasks. */
#ifndef PAWL_READY_H
#define PAWL_READY_H

#include <ck_ring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define PAWL_READY_SLOTS (1u << 18)     /* one is always left free; 2 MiB */

struct pawl_task;

/* A worker as the ticker sees it. */
struct pawl_sleeper {
    _Alignas(64) _Atomic bool asleep;   /* A: W1 in ready.c */
    int fd;                             /* I: the worker's eventfd, borrowed */
};

struct pawl_ready {
    ck_ring_t ring;
    ck_ring_buffer_t *buffer;           /* I */
    _Atomic bool is_backed_up;          /* A: W1: the ticker holds tasks that did not fit */
    int producer_fd;                    /* I: the ticker's eventfd, borrowed */
    unsigned nsleepers;                 /* I */
    struct pawl_sleeper *sleepers;      /* I */
};

/* Errors: PAWL_ENOMEM. */
int
pawl_ready_init(struct pawl_ready *ready, unsigned nworkers);
void
pawl_ready_fini(struct pawl_ready *ready);

/* Puts a task, which makes up for a due time or not; false: full. Threads: ticker. Owns: takes the
 * caller's reference if true. */
bool
pawl_ready_put(struct pawl_ready *ready, struct pawl_task *task, bool is_late);

/* Wakes up to n sleeping workers. Threads: any. Blocks: no. */
void
pawl_ready_wake(struct pawl_ready *ready, size_t n);

/* Wakes all workers, also those that do not sleep for want of tasks. Threads: any. Blocks: no. */
void
pawl_ready_rouse(struct pawl_ready *ready);

/* The ticker is about to wait for room. False: there is some by now.
 * Threads: ticker. */
bool
pawl_ready_wait_for_room(struct pawl_ready *ready);

/* Takes the oldest task, or NULL. Threads: workers. Owns: gives the reference. */
struct pawl_task *
pawl_ready_take(struct pawl_ready *ready, bool *out_is_late);

/* Worker i is about to sleep for want of tasks. False: there is one by now. Threads: worker i. */
bool
pawl_ready_sleep(struct pawl_ready *ready, unsigned i);

/* Worker i is up again. Threads: worker i. */
void
pawl_ready_rise(struct pawl_ready *ready, unsigned i);

/* How many wait. Threads: any; a hint. */
size_t
pawl_ready_count(struct pawl_ready *ready);

#endif
