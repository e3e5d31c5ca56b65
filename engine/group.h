/* group.h: what goes into one commit: operations and changed tasks, what is written for each, and
 * what comes of it when the store has answered. Used by the committer's thread. */
#ifndef PAWL_GROUP_H
#define PAWL_GROUP_H

#include "store.h"

#define PAWL_GROUP_MAX 4096u

struct pawl_handle;
struct pawl_snapshot;
struct pawl_task;

/* One entry of the group. */
struct pawl_group_item {
    struct pawl_op *op;                 /* NULL: a task that changed */
    struct pawl_task *task;             /* counted */
    struct pawl_snapshot *snapshot;     /* held; NULL: the task is gone, or it is a submit */
    bool is_refused;                    /* a write that is not tried any more: its code is set */
    struct pawl_write write;
};

struct pawl_committer_group {
    struct pawl *engine;
    struct pawl_group_item *items;
    size_t nitems;
    struct pawl_write *writes;          /* as the store is given them */
    size_t *of_write;                   /* whose item each is */
    size_t nwrites;
    struct pawl_op *singles;            /* to be done one by one behind the group, linked by first */
};

/* Errors: PAWL_ENOMEM. */
int
pawl_group_init(struct pawl_committer_group *group, struct pawl *engine);
void
pawl_group_fini(struct pawl_committer_group *group);
void
pawl_group_reset(struct pawl_committer_group *group);
bool
pawl_group_has_room(const struct pawl_committer_group *group);

/* Adds an operation. False: it cannot be told yet what it comes to, ask again later. */
bool
pawl_group_add_op(struct pawl_committer_group *group, struct pawl_handle *handle,
                  struct pawl_op *op);
/* Adds a task that changed. Owns: takes the reference. */
void
pawl_group_add_task(struct pawl_committer_group *group, struct pawl_handle *handle,
                    struct pawl_task *task);

/* The writes that are still to be tried. */
void
pawl_group_writes(struct pawl_committer_group *group, struct pawl_group *out);
/* Refuses the submits. */
void
pawl_group_refuse_new(struct pawl_committer_group *group, int code);
/* Refuses all. */
void
pawl_group_fail(struct pawl_committer_group *group, int code);

/* Whether a task is to be removed. */
bool
pawl_group_removes(const struct pawl_committer_group *group);

/* How many results were written. */
size_t
pawl_group_results(const struct pawl_committer_group *group);

/* Lets happen what was written, or was not, and tells those who wait. retry is called for each task
 * whose state is still to be written. */
void
pawl_group_settle(struct pawl_committer_group *group, struct pawl_handle *committer,
                  void (*retry)(void *ctx, struct pawl_task *task), void *ctx);

#endif
