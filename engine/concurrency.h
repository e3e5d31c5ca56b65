/* concurrency.h: the groups that tasks name, in each of which only so many runs are in progress at
 * once: who has a place, and who waits for one, first come, first served. It knows no engine: whose
 * turn has come is given to the caller, who arms it. */
#ifndef PAWL_CONCURRENCY_H
#define PAWL_CONCURRENCY_H

#include <pawl.h>

struct pawl_concurrency;
struct pawl_task;

/* What entering may need, made before a task is taken, so that none is lost for want of memory. */
struct pawl_concurrency_spare {
    void *waiter, *group;
};

enum pawl_entry {
    PAWL_ENTRY_OPEN,        /* it has a place, to be given back by pawl_concurrency_exit() */
    PAWL_ENTRY_WAITS,       /* it stands in the queue, once, where it stood if it did already */
    PAWL_ENTRY_FULL,        /* neither */
};

/* queue_max: how many may wait in each group. NULL: out of memory. */
struct pawl_concurrency *
pawl_concurrency_new(uint32_t queue_max);
/* Lets go of those that wait. NULL is accepted. Threads: one, last. */
void
pawl_concurrency_free(struct pawl_concurrency *groups);

/* Fills in what is not there. False: out of memory. Threads: the spare's. */
bool
pawl_concurrency_prepare(struct pawl_concurrency_spare *spare);
void
pawl_concurrency_spare_free(struct pawl_concurrency_spare *spare);

/* All that follow: Threads: any, outside a section. Locks: takes the lock of the groups. A task that
 * is given as *out_next or returned has a place from now on and is counted for the caller, who arms it:
 * whoever is about to start it then enters with it, or it leaves. NULL: nobody's turn has come. */

/* A run of the task is about to begin, spare is prepared. may_wait: else it is FULL where it would
 * wait. Of another group that the task waited in it has left then. */
enum pawl_entry
pawl_concurrency_enter(struct pawl_concurrency *groups, struct pawl_task *task, const char *group,
                       bool may_wait, struct pawl_concurrency_spare *spare,
                       struct pawl_task **out_next);

/* A place is given back. */
struct pawl_task *
pawl_concurrency_exit(struct pawl_concurrency *groups, const char *group);

/* The task is not to be run now: it waits no more, and gives back the place that it was called to.
 * False: it did neither. True: the caller arms it, since it may have become due again meanwhile. */
bool
pawl_concurrency_leave(struct pawl_concurrency *groups, struct pawl_task *task,
                       struct pawl_task **out_next);

/* Sets the size that the configuration gives, or the one that was asked for, which counts before it;
 * negative: none. The caller then calls pawl_concurrency_next() until it gives NULL.
 * Errors: PAWL_ENOMEM. */
int
pawl_concurrency_configure(struct pawl_concurrency *groups, const char *group, int64_t size);
int
pawl_concurrency_resize(struct pawl_concurrency *groups, const char *group, int64_t size);
struct pawl_task *
pawl_concurrency_next(struct pawl_concurrency *groups, const char *group);

/* A group as it is now; one that nobody uses or gave a size is as any other. */
void
pawl_concurrency_look(struct pawl_concurrency *groups, const char *group,
                      struct pawl_group_view *out_view);

/* All that have a size of their own, or are in use, by name. Owns: gives, to free().
 * Errors: PAWL_ENOMEM. */
int
pawl_concurrency_list(struct pawl_concurrency *groups, struct pawl_group_view **out_views,
                      size_t *out_n);

/* How many wait, in all groups; how many sizes were asked for. */
uint64_t
pawl_concurrency_waiting(struct pawl_concurrency *groups);
uint64_t
pawl_concurrency_resized(struct pawl_concurrency *groups);

/* Verifies that the counts are those of the queues, and that nobody waits where there is a place; slow.
 * False: they are not. */
bool
pawl_concurrency_check(struct pawl_concurrency *groups);

#endif
