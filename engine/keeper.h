/* keeper.h: the one thread that keeps scripts and output within max_memory_bytes. */
#ifndef PAWL_KEEPER_H
#define PAWL_KEEPER_H

#include <pawl.h>
#include <stdint.h>

struct pawl_keeper;

/* Starts the thread. Errors: PAWL_ENOMEM, PAWL_ESYS. */
int
pawl_keeper_open(struct pawl *engine, struct pawl_keeper **out_keeper);
/* Joins the thread; others may still wake it. NULL is accepted. */
void
pawl_keeper_stop(struct pawl_keeper *keeper);
/* NULL is accepted. Threads: one, when nobody wakes it any more. */
void
pawl_keeper_free(struct pawl_keeper *keeper);

/* Has output dropped until there is room for wanted bytes more, if there is output.
 * Threads: any. Blocks: no. */
void
pawl_keeper_want(struct pawl_keeper *keeper, int64_t wanted);

/* Called when bytes were added and there are now so many in all: wakes the keeper when they pass
 * fifteen sixteenths of the bound. Threads: any. Blocks: no. */
void
pawl_keeper_added(struct pawl_keeper *keeper, int64_t bytes);

#endif
