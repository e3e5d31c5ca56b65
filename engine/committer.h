/* committer.h: the one thread that writes to the store ("pawl-store"), by groups. */
#ifndef PAWL_COMMITTER_H
#define PAWL_COMMITTER_H

#include "store.h"

struct pawl_committer;
struct pawl_op;
struct pawl_task;

/* Makes the committer, without its thread: what is marked is written by pawl_committer_flush().
 * The engine's store, scale and table are there. Errors: PAWL_ENOMEM, PAWL_ESYS. */
int
pawl_committer_new(struct pawl *engine, struct pawl_committer **out_committer);
/* Writes all that is marked, on the calling thread. Threads: one, before the start. */
void
pawl_committer_flush(struct pawl_committer *committer);
/* Starts the thread. Errors: PAWL_ESYS. */
int
pawl_committer_start(struct pawl_committer *committer);
/* Writes what is left, if the store takes it, and joins. NULL is accepted. Threads: one, when the
 * others have stopped. Blocks: until it is written. */
void
pawl_committer_stop(struct pawl_committer *committer);
/* NULL is accepted. */
void
pawl_committer_free(struct pawl_committer *committer);

/* Hands over operations by their links, chained by entry, the newest first: each is settled once it is durable,
 * and then sent to its handle. op->task is counted for it. Threads: any. Blocks: no. */
void
pawl_committer_add(struct pawl_committer *committer, struct pawl_link *newest);

/* The task has changed: its state is to be written, and then shown. Threads: any that holds the
 * task. Blocks: no. */
void
pawl_committer_mark(struct pawl_committer *committer, struct pawl_task *task);

/* Has the time noted durably, now. Threads: any. Blocks: no. */
void
pawl_committer_note(struct pawl_committer *committer);

/* How the store does. Threads: any. */
enum pawl_store_state
pawl_committer_state(const struct pawl_committer *committer);
void
pawl_committer_stats(struct pawl_committer *committer, struct pawl_stats *stats);

#endif
