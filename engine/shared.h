/* shared.h: the engine from inside: what all rooms share, and the one door for changes. */
#ifndef PAWL_SHARED_H
#define PAWL_SHARED_H

#include "clock.h"
#include "epoch.h"
#include "inbox.h"
#include "index.h"
#include "interpreters.h"
#include "order.h"
#include "ready.h"
#include "store.h"
#include "task.h"
#include "tree.h"

#include <pawl.h>

struct pawl_committer;
struct pawl_concurrency;
struct pawl_ticker;
struct pawl_wall;
struct pawl_keeper;
struct pawl_worker;

/* Counters; each on a line of its own, because different threads write them. All relaxed unless
 * stated: they order nothing. */
struct pawl_counter {
    _Alignas(64) _Atomic int64_t n;
};

struct pawl {
    struct pawl_options options;            /* I: with all defaults filled in */
    struct pawl_clock *clock;               /* I */
    struct pawl_store *store;               /* I; NULL: memory only */
    struct pawl_committer *committer;       /* I; NULL without a store */
    struct pawl_runtable table;             /* I: of a store */
    struct pawl_scale scale;                /* I: the anchor; the rest: by the committer */
    struct pawl_backups *backup;            /* I */
    struct pawl_epoch epoch;
    struct pawl_index *index;               /* I */
    struct pawl_order *order;               /* I */
    struct pawl_ready ready;
    struct pawl_ticker *ticker;             /* I */
    struct pawl_wall *wall;                 /* I */
    int64_t opened_offset_ns;               /* I: wall - elapsed when it was opened */
    int64_t behind_ns;                      /* I: how far the wall clock was then behind the store's */
    struct pawl_keeper *keeper;             /* I */
    struct pawl_worker **workers;           /* I */
    unsigned nworkers;                      /* I: started */
    char **environment;                     /* I: of runs: the process's, less PAWL_* */
    struct pawl_interpreters interpreters;  /* I */
    struct pawl_concurrency *concurrency;   /* I */
    struct pawl_tree tree;                  /* I */
    int idle_fd;                            /* I: an eventfd, see pawl_idle_fd() */
    int committer_fd;                       /* I: an eventfd that wakes the committer; -1: there is none */
    struct pawl_counter tasks;
    struct pawl_counter pending;
    struct pawl_counter memory;             /* bytes: scripts and kept output */
    struct pawl_counter output;             /* bytes: kept output alone */
    struct pawl_counter submitted, started, finished;
    struct pawl_counter running;            /* seq_cst: C1 in shared.c */
    _Atomic int64_t wall_high_ns;           /* A: acquire/release: see struct pawl_now, and wall.h */
    _Atomic uint64_t wall_steps;            /* A: release: how often all tasks have followed it; for tests */
    _Alignas(64) _Atomic bool is_closing;   /* A: seq_cst: C1 in shared.c */
    _Atomic bool is_starved;                /* A: seq_cst: a worker waits for a run to end */
    _Atomic bool wants_quiet;               /* A: R1/A1 in shared.c */
};

/* A thread's way into the engine. All fields are the owner's, but inbox. */
struct pawl_handle {
    struct pawl *engine;                    /* I */
    struct pawl_epoch_thread *epoch;        /* I */
    struct pawl_inbox inbox;                /* any thread puts links */
    _Atomic bool is_told;                   /* A: wake() was called since the last delivery */
    _Atomic unsigned nsenders;              /* A: D1 in handle.c: threads that are just sending */
    void (*wake)(void *ctx);                /* I */
    void *wake_ctx;                         /* I */
    struct pawl_link *asked;                /* of the store, not handed over yet; newest first */
    struct pawl_post **posts;               /* by task: see watch.c */
    size_t nposts, nbuckets;
    const struct pawl_task *only;           /* in pawl_act(): no other task is found */
};

struct pawl_now
pawl_now(struct pawl *engine);

/* The start and the end of a handle that another object embeds; wake may be NULL for one that no
 * link is ever sent to. Errors: PAWL_ENOMEM. */
int
pawl_handle_init(struct pawl_handle *handle, struct pawl *engine, void (*wake)(void *wake_ctx),
                 void *wake_ctx);
void
pawl_handle_fini(struct pawl_handle *handle);

/* Finds a task and holds it, or NULL. Threads: the handle's. Owns: gives a reference. */
struct pawl_task *
pawl_handle_find(struct pawl_handle *handle, const char *id, size_t id_len);

/* Sends a link to a handle: its deliver() runs on the handle's thread. The link's memory is the
 * receiver's from here. Threads: any. Blocks: no. */
void
pawl_handle_send(struct pawl_handle *handle, struct pawl_link *link);

/* Many links to few handles: put them all, then wake each handle's thread once. All zero: empty. */
#define PAWL_BAG_MAX 16
struct pawl_post_bag {
    struct pawl_handle *handles[PAWL_BAG_MAX];
    unsigned n;
};

void
pawl_post_bag_put(struct pawl_post_bag *bag, struct pawl_handle *handle, struct pawl_link *link);
void
pawl_post_bag_tell(struct pawl_post_bag *bag);

/* The one door for changes: applies the event, counts what it means, wakes those who watch the
 * task and tells the ticker of a new due time. The times of the event are filled in.
 * Threads: the handle's, outside a section, holding a reference. Errors: as pawl_task_apply(). */
int
pawl_change(struct pawl_handle *handle, struct pawl_task *task, struct pawl_event *event,
            struct pawl_err *err);

/* Readers see a new state of the task, or that it is gone: takes it out of the rooms, wakes those who
 * watch it. Threads: the handle's, outside a section, once a state. */
void
pawl_shown(struct pawl_handle *handle, struct pawl_task *task, bool is_gone);

/* A due time of a delay task that is over has come: it is forgotten. Threads: the handle's. */
void
pawl_expire(struct pawl_handle *handle, struct pawl_task *task);

/* What an operation asks of the committer. */
enum pawl_op_kind {
    PAWL_OP_SUBMIT, PAWL_OP_STOP, PAWL_OP_DELETE,
    PAWL_OP_CHANGE,             /* run, pause, resume */
    PAWL_OP_REFUSED,            /* nothing; but what it was refused for is to be durable first */
    PAWL_OP_READ,               /* one result */
    PAWL_OP_RESIZE,             /* the size of a group */
    PAWL_OP_BACKUP,
};

/* Fills in the engine's part of an operation, the end of which is sent to handle. */
void
pawl_op_init(struct pawl_op *op, struct pawl_handle *handle, enum pawl_op_kind kind);

/* The store has made op's change durable, or could not (code): lets it happen; the caller is to be
 * sent op->link then. committer is the calling thread's own handle. Threads: the committer's, once
 * an op. */
void
pawl_op_settle(struct pawl_handle *committer, struct pawl_op *op, int code);

/* Hands what the handle's thread has asked of the store over to the committer, together: a group
 * of many costs hardly more than one of one. Threads: the handle's. */
void
pawl_handle_flush(struct pawl_handle *handle);

/* Counts one run in progress, if there is room for it and the engine is not closing.
 * Threads: workers. */
bool
pawl_engine_begin_run(struct pawl *engine);
/* The committer has nothing to write: if no run is in progress and the engine is closing, whoever
 * waits for that is told. Threads: the committer's. */
void
pawl_engine_is_quiet(struct pawl *engine);
/* No run is in progress and none will start: tells the one who waits for that, by the committer once
 * the ends of all runs are shown. Threads: any. */
void
pawl_engine_tell_idle(struct pawl *engine);
/* Whether the committer is asked to say when it has nothing to write. Threads: the committer's. */
bool
pawl_engine_wants_quiet(struct pawl *engine);
/* Counts it down. Threads: workers. */
void
pawl_engine_end_run(struct pawl *engine);
/* Whether there is no room for another one now. Threads: any; a hint. */
bool
pawl_engine_is_full(struct pawl *engine);

/* Reports through options.log, if set. Threads: any. */
void
pawl_engine_log(struct pawl *engine, enum pawl_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Reports that a thread cannot go on. Threads: any. */
void
pawl_engine_failed(struct pawl *engine, const char *what);

/* Starts a named thread with all signals blocked. Errors: PAWL_ESYS. */
int
pawl_engine_thread(pthread_t *out_thread, const char *name, void *(*body)(void *), void *arg);

/* Asks the kernel (Linux 6.12 and newer; others ignore it) to run the calling thread soon when it wakes
 * up, for a short time: its slice is 0.1 ms, so that its turn comes before those of threads that
 * compute. What it starts gets the usual slice. Threads: any. */
void
pawl_engine_prompt(void);

static inline int64_t
pawl_count(struct pawl_counter *counter, int64_t by)
{
    return atomic_fetch_add_explicit(&counter->n, by, memory_order_relaxed) + by;
}

#endif
