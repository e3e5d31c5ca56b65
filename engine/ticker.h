/* ticker.h: the one thread that turns the wheel and feeds the ready ring. */
#ifndef PAWL_TICKER_H
#define PAWL_TICKER_H

#include <pawl.h>
#include <stdint.h>

struct pawl_task;
struct pawl_ticker;

/* Starts the thread. Errors: PAWL_ENOMEM, PAWL_ESYS. */
int
pawl_ticker_open(struct pawl *engine, struct pawl_ticker **out_ticker);
/* Joins the thread; others may still arm. NULL is accepted. */
void
pawl_ticker_stop(struct pawl_ticker *ticker);
/* Lets go of all tasks. NULL is accepted. Threads: one, when nobody arms any more. */
void
pawl_ticker_free(struct pawl_ticker *ticker);

/* The task's due time has changed to due_ns (PAWL_NO_TIME: none): the ticker will look at the
 * task's snapshot, soon enough for due_ns. Threads: any that holds a reference. Blocks: no. */
void
pawl_ticker_arm(struct pawl_ticker *ticker, struct pawl_task *task, int64_t due_ns);

/* The same for a due time that may have come nearer: the ticker looks at once. Blocks: a moment, while
 * another thread is about to say the same of the task. */
void
pawl_ticker_arm_sooner(struct pawl_ticker *ticker, struct pawl_task *task);

/* A run that makes up for a due time has ended, or was not begun: the next one may begin. Threads: any. */
void
pawl_ticker_end_late(struct pawl_ticker *ticker);

#endif
