/* supervise.h: one worker from inside: its state, and what its loop (worker.c) has done to the runs that
 * are in progress (supervise.c). Used by the worker's own thread. */
#ifndef PAWL_SUPERVISE_H
#define PAWL_SUPERVISE_H

#include "concurrency.h"
#include "deadlines.h"
#include "fetch.h"
#include "run.h"
#include "shared.h"
#include "worker.h"

struct pawl_worker {
    struct pawl_handle handle;          /* the worker's own */
    struct pawl *engine;                /* I */
    const struct pawl_spawner *spawner; /* I */
    unsigned number;                    /* I */
    pthread_t thread;                   /* I */
    int epoll_fd, wake_fd, timer_fd;    /* I */
    struct pawl_spawn_room *room;       /* I: of children until exec */
    char *buffer;                       /* W: 2 * PAWL_OUTPUT_MAX, for reading and for results */
    struct pawl_run *spare;             /* W: made before a task is taken, so that none is lost */
    struct pawl_concurrency_spare entry;    /* W: the same */
    struct pawl_slot_part part;         /* W: of the table of runs, if there is one */
    uint32_t slot;                      /* W: a free one for the next run, or PAWL_SLOT_NONE */
    struct pawl_run *live;              /* W: processes that run, and calls */
    struct pawl_fetcher *fetcher;       /* W: of its calls; NULL: it made none yet */
    bool has_failed;                    /* W: its epoll */
    struct pawl_deadlines deadlines;    /* W: of live and lingering runs */
    int64_t timer_ns;                   /* W: when timer_fd rings; INT64_MAX: never */
    bool has_rung;                      /* W: it rang, and still does */
    struct pawl_run *lingering;         /* W: ended, pipes open; the newest first */
    struct pawl_run *over;              /* W: to be freed when no event of this batch is left */
    struct pawl_lateness lateness;      /* W writes, any reads */
    _Alignas(64) _Atomic uint64_t signals;      /* A: R1/A1: bit n - 1: signal n is asked for */
    _Atomic bool is_ending;             /* A: R1/A1 */
};

/* Puts a run at the head of a list. */
void
pawl_worker_push(struct pawl_run **list, struct pawl_run *run);

/* Starts the next process of a run that is among the live ones, or its call; one that cannot be started is
 * over. */
void
pawl_worker_begin_process(struct pawl_worker *worker, struct pawl_run *run);

/* The ticker counts runs that make up for a due time: this one not any more. */
void
pawl_worker_end_late(struct pawl *engine, struct pawl_run *run);

/* Something happened to a process or pipe, to calls; deadlines may have come; signals are asked for, a
 * bit each. */
void
pawl_worker_on_event(struct pawl_worker *worker, struct pawl_source *source);
void
pawl_worker_on_calls(struct pawl_worker *worker);
void
pawl_worker_on_time(struct pawl_worker *worker);
void
pawl_worker_signal_runs(struct pawl_worker *worker, uint64_t signals);

/* Frees the runs that are over, when no event of this batch is left. */
void
pawl_worker_free_over(struct pawl_worker *worker);

#endif
