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

/* The number of bytes from which on the keeper is to be woken: fifteen sixteenths of the bound. */
int64_t
pawl_keeper_starts_at(const struct pawl *engine);

/* Lets it look whether output is to be dropped. Threads: any. Blocks: no. */
void
pawl_keeper_wake(struct pawl_keeper *keeper);

#endif
