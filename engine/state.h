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

/* How many of the due times that come during its run are to be run after it. */
uint32_t
pawl_snapshot_kept_after(const struct pawl_snapshot *snapshot);

/* Whether its next run is another attempt. */
bool
pawl_snapshot_is_retried(const struct pawl_snapshot *snapshot);

/* The moment of an event. */
struct pawl_now
pawl_event_now(const struct pawl_event *event);

#endif
