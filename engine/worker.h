/* worker.h: the event loops that take due tasks from the ready ring and supervise their runs. */
#ifndef PAWL_WORKER_H
#define PAWL_WORKER_H

#include "histogram.h"
#include "spawn.h"

#include <pawl.h>

struct pawl_task;
struct pawl_worker;

/* How late a worker's runs were; see pawl_stats(). */
struct pawl_lateness {
    struct pawl_histogram due_to_worker, due_to_spawn;
};

/* Starts worker i of the engine. Owns: borrows spawner. Errors: PAWL_ENOMEM, PAWL_ESYS. */
int
pawl_worker_open(struct pawl *engine, unsigned i, const struct pawl_spawner *spawner,
                 struct pawl_worker **out_worker);

/* Kills what runs and joins. Other workers may still wake this one. Blocks: until its runs ended. */
void
pawl_worker_stop(struct pawl_worker *worker);
/* Threads: one, when all workers have stopped. */
void
pawl_worker_free(struct pawl_worker *worker);

/* Lets the worker look around: for room for a run, or for what was asked of it.
 * Threads: any. Blocks: no. */
void
pawl_worker_wake(struct pawl_worker *worker);

/* One request to end the run of a task, for one worker; freed by it. NULL: out of memory. */
struct pawl_kill;

struct pawl_kill *
pawl_kill_new(void);
/* NULL is accepted. */
void
pawl_kill_free(struct pawl_kill *kill);
/* run: its number; 0: any. Threads: any. Blocks: no. Owns: takes kill, borrows the task. */
void
pawl_worker_kill(struct pawl_worker *worker, struct pawl_kill *kill, struct pawl_task *task,
                 uint64_t run);

/* Has the worker send a signal to the groups of its runs. Threads: any. Blocks: no. */
void
pawl_worker_signal(struct pawl_worker *worker, int sig);

/* Threads: any. */
const struct pawl_lateness *
pawl_worker_lateness(const struct pawl_worker *worker);

#endif
