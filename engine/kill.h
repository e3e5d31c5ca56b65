/* kill.h: ending the run of a task: a request to each worker, since one of them has it. */
#ifndef PAWL_KILL_H
#define PAWL_KILL_H

#include "shared.h"

struct pawl_kill;

/* Requests for all workers, made before anything is changed. All zero: none. */
struct pawl_kills {
    struct pawl_kill **kills;
    unsigned n;
};

/* Errors: PAWL_ENOMEM; pawl_kills_send() frees what was made. */
int
pawl_kills_make(struct pawl *engine, struct pawl_kills *kills);
/* Sends them: the task's run of this number is ended (0: any), or frees them if task is NULL.
 * Threads: any that holds a reference. Blocks: no. */
void
pawl_kills_send(struct pawl *engine, struct pawl_kills *kills, struct pawl_task *task,
                uint64_t run);

/* Both at once. Without memory for it the run goes on to its end. */
void
pawl_kill_run(struct pawl *engine, struct pawl_task *task, uint64_t run);

#endif
