/* watch.h: who waits for a change of a task. */
#ifndef PAWL_WATCH_H
#define PAWL_WATCH_H

struct pawl_handle;
struct pawl_task;

/* Sends the posts that stand at the task to their handles; called after every change.
 * Threads: any. Blocks: no. Locks: none. */
void
pawl_watch_wake(struct pawl_task *task);

/* Forgets all waits of a handle. Threads: the handle's. Blocks: a moment: until posts that another
 * thread is just sending have come. */
void
pawl_watch_fini(struct pawl_handle *handle);

#endif
