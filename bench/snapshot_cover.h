/* snapshot_cover.h: one task and its snapshots for C++, which cannot read the engine's C11
 * atomics. The loops are here, so that no call between the two languages is measured. */
#ifndef PAWL_SNAPSHOT_COVER_H
#define PAWL_SNAPSHOT_COVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pawl_snapshot_cover;
struct pawl_epoch_thread;

/* What a reader copies of a task; the rivals copy as much under their locks. */
struct pawl_snapshot_copy {
    int64_t version, updated_ns, due_ns, previous_ns;
    uint64_t run_count, failure_count, skipped_overlap;
    uint32_t running, status;
};

/* NULL: out of memory. */
struct pawl_snapshot_cover *
pawl_snapshot_cover_new(void);
/* All threads must have left. NULL is accepted. */
void
pawl_snapshot_cover_free(struct pawl_snapshot_cover *cover);

/* A thread's place in the epoch. */
struct pawl_epoch_thread *
pawl_snapshot_cover_join(struct pawl_snapshot_cover *cover);
void
pawl_snapshot_cover_leave(struct pawl_snapshot_cover *cover, struct pawl_epoch_thread *thread);

/* Opens a section and copies the snapshot, n times. */
void
pawl_snapshot_cover_read(struct pawl_snapshot_cover *cover, struct pawl_epoch_thread *thread,
                         size_t n, struct pawl_snapshot_copy *out_copy);
/* Finds the task by its id and makes and releases a view, n times: pawl_get() but for the clock. */
void
pawl_snapshot_cover_get(struct pawl_snapshot_cover *cover, struct pawl_epoch_thread *thread,
                        size_t n);
/* Changes the task n times, as starts and ends of runs do. Threads: one. */
void
pawl_snapshot_cover_change(struct pawl_snapshot_cover *cover, struct pawl_epoch_thread *thread,
                           size_t n);

#ifdef __cplusplus
}
#endif
#endif
