/* admission.h: how the runs of a task come into its group and out of it again. */
#ifndef PAWL_ADMISSION_H
#define PAWL_ADMISSION_H

#include "concurrency.h"
#include "shared.h"

/* Makes the groups of an engine, with the sizes that its options give.
 * Errors: PAWL_ENOMEM, PAWL_EINVAL. */
int
pawl_admission_open(struct pawl *engine, struct pawl_err *err);

/* Lets START happen to a task, in its group if it has one; spare is prepared. As pawl_change(); PAWL_ESTATE
 * with event->needs_place: the task waits in its group, and is armed when its turn has come.
 * Threads: the handle's. */
int
pawl_admission_start(struct pawl_handle *handle, struct pawl_task *task, struct pawl_event *event,
                     struct pawl_concurrency_spare *spare);

/* A run of this definition has ended, or was not begun. Threads: any. */
void
pawl_admission_end(struct pawl *engine, const struct pawl_def *def);

/* The task is not to be run now, or not in the group that it waits in. Threads: any that holds it. */
void
pawl_admission_leave(struct pawl *engine, struct pawl_task *task);

/* The same, if that is so: for when not the task has changed, but time. Threads: the handle's, outside
 * a section, holding a reference. */
void
pawl_admission_look(struct pawl_handle *handle, struct pawl_task *task);

/* Has the store keep the size that op asks for, sets it then, and tells who asked. Threads: the
 * committer's. Blocks: on the disk. */
void
pawl_admission_keep(struct pawl *engine, struct pawl_op *op);

/* Loads the sizes that the store keeps. */
int
pawl_admission_load(struct pawl *engine, struct pawl_err *err);

#endif
