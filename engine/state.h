/* state.h: the state table of a task. What an event does in a state is decided here and nowhere else. */
#ifndef PAWL_STATE_H
#define PAWL_STATE_H

#include "task.h"

/* Decides what an event makes of a state. *next is a copy of *old, to be edited; results that it gets
 * are counted for it. The event is told what came of it. A refusal changes nothing.
 * Threads: any, inside a section. Errors: PAWL_ESTATE (err says why), PAWL_ENOMEM. */
int
pawl_decide(const struct pawl_snapshot *old, struct pawl_event *event, struct pawl_snapshot *next,
            struct pawl_err *err);

/* The same of PAWL_EVENT_EDIT alone, but that version and time are not set. In state_edit.c.
 * Errors: PAWL_ESTALE, too: the task has another definition than the basis. */
int
pawl_decide_edit(const struct pawl_snapshot *old, struct pawl_event *event,
                 struct pawl_snapshot *next, struct pawl_err *err);

/* Something of the task is still to come. */
bool
pawl_snapshot_is_pending(const struct pawl_snapshot *snapshot);

/* Its due time has come, or if it is over, the time to forget it. */
bool
pawl_snapshot_has_come(const struct pawl_snapshot *snapshot, const struct pawl_event *event);

/* Whether a due time that comes now finds runs in its way: as many as may be in progress, or one that is
 * to be tried again. */
bool
pawl_snapshot_is_busy(const struct pawl_snapshot *snapshot);

/* Whether a due time that comes now ends the run in progress, or the wait for another attempt. */
bool
pawl_snapshot_is_replacing(const struct pawl_snapshot *snapshot);

/* When the next attempt is to begin; PAWL_NO_TIME: none waits, or the next due time, which is to be fired at
 * fires_ns, comes before it and replaces it. */
int64_t
pawl_snapshot_retry_ns(const struct pawl_snapshot *snapshot, struct pawl_due due, int64_t fires_ns);

/* Moves *due on over the due times that came during the run and will not be run after it; gives how
 * many. */
uint64_t
pawl_snapshot_pass(const struct pawl_snapshot *snapshot, struct pawl_due *due,
                   const struct pawl_now *now);

/* Whether its next run is another attempt. */
bool
pawl_snapshot_is_retried(const struct pawl_snapshot *snapshot);

/* Counts for next the due times that came in the state old and are not to be run any more, by what was in
 * their way. */
void
pawl_snapshot_count_dropped(const struct pawl_snapshot *old, const struct pawl_event *event,
                            struct pawl_snapshot *next);

/* The moment of an event. */
struct pawl_now
pawl_event_now(const struct pawl_event *event);

#endif
