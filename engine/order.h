/* order.h: the order of submission: sequence number -> task, walked by listings.
 *
 * A radix tree of 64-way nodes over 48 bits. Leaves are made once per 64 submissions and go when
 * all of their 64 tasks are gone, so memory follows the live tasks, not the numbers handed out.
 * Readers and single slots need no lock; a leaf that comes or goes is linked under one. */
#ifndef PAWL_ORDER_H
#define PAWL_ORDER_H

#include "epoch.h"

#include <stdint.h>

struct pawl_task;
struct pawl_order;

/* The first sequence number is 1, the last one this: nine years at a million a second. */
#define PAWL_SEQ_MAX ((UINT64_C(1) << 48) - 1)

struct pawl_order *
pawl_order_new(void);
/* NULL is accepted. Threads: one, last. */
void
pawl_order_free(struct pawl_order *order);

/* Takes the next sequence number and places the task there; 0: out of memory.
 * Threads: any registered. Locks: one in 64 calls. Owns: borrows the task until removed. */
uint64_t
pawl_order_append(struct pawl_order *order, struct pawl_epoch_thread *thread,
                  struct pawl_task *task);

/* Places a task at the number that it had in an earlier life. Threads: several, each in blocks of 64
 * numbers of its own (64 * n to 64 * n + 63), before the first append. Errors: PAWL_ENOMEM. */
int
pawl_order_restore(struct pawl_order *order, struct pawl_epoch_thread *thread, uint64_t seq,
                   struct pawl_task *task);
/* Numbers handed out from now on are above this one. Threads: one, before the first append. */
void
pawl_order_begin_above(struct pawl_order *order, uint64_t seq);

/* Threads: any registered, once for each number. Locks: one in 64 calls. */
void
pawl_order_remove(struct pawl_order *order, struct pawl_epoch_thread *thread, uint64_t seq);

/* The task with the smallest number above after and at most until, or NULL; its number goes to
 * *out_seq. Threads: any, inside a section. Locks: none. */
struct pawl_task *
pawl_order_next(const struct pawl_order *order, uint64_t after, uint64_t until,
                uint64_t *out_seq);

/* The newest number handed out. Threads: any. */
uint64_t
pawl_order_newest(const struct pawl_order *order);

#endif
