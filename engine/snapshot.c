/* snapshot.c: what a state of a task says: whether it is over, what is in the way of its due times, when it is to be
 * looked at. Pure; any thread. */
#include "state.h"

#include "policy.h"

#define AT_ONCE 1               /* elapsed ns: has come whenever it is looked at */

bool
pawl_snapshot_is_over(const struct pawl_snapshot *snapshot)
{
    return (snapshot->status == PAWL_EXECUTED && !snapshot->is_asked) ||
           (snapshot->status == PAWL_STOPPED && snapshot->def->type == PAWL_DELAY);
}

uint64_t
pawl_snapshot_scheduled_runs(const struct pawl_snapshot *snapshot)
{
    const struct pawl_wait *wait = pawl_snapshot_wait(snapshot);

    return snapshot->run_count - snapshot->asked_count - (wait ? wait->tally.skipped_condition : 0);
}

bool
pawl_snapshot_is_used_up(const struct pawl_snapshot *snapshot)
{
    const struct pawl_schedule *schedule = pawl_def_schedule(snapshot->def);

    return schedule && schedule->when.max_runs > 0 &&
           pawl_snapshot_scheduled_runs(snapshot) >= schedule->when.max_runs;
}

enum pawl_end_reason
pawl_snapshot_end_reason(const struct pawl_snapshot *snapshot, const struct pawl_now *now,
                         enum pawl_end_reason delay_end)
{
    const struct pawl_schedule *schedule = pawl_def_schedule(snapshot->def);
    struct pawl_due none = {PAWL_NO_TIME, false};
    struct pawl_schedule endless;

    if (snapshot->def->type == PAWL_DELAY)
        return delay_end;
    if (pawl_snapshot_is_used_up(snapshot))
        return PAWL_END_MAX_RUNS;
    if (!schedule || schedule->when.end_ns == PAWL_NO_TIME)
        return PAWL_END_NO_TIMES;
    endless = *schedule;
    endless.when.end_ns = PAWL_NO_TIME;
    return pawl_schedule_next(&endless, none, now, true).ns == PAWL_NO_TIME ? PAWL_END_NO_TIMES
                                                                           : PAWL_END_AT;
}

bool
pawl_snapshot_is_pending(const struct pawl_snapshot *snapshot)
{
    return (snapshot->status != PAWL_EXECUTED && snapshot->status != PAWL_STOPPED) ||
           snapshot->is_asked;
}

bool
pawl_snapshot_is_retried(const struct pawl_snapshot *snapshot)
{
    return pawl_def_policy(snapshot->def) && pawl_wait_of(snapshot)->is_retry;
}

bool
pawl_snapshot_is_full(const struct pawl_snapshot *snapshot)
{
    bool overlaps = pawl_def_overlaps(snapshot->def) && pawl_wait_of(snapshot)->nmissed == 0 &&
                    (snapshot->running == 0 || pawl_wait_of(snapshot)->is_shared);

    return snapshot->running >= (overlaps ? pawl_def_policy(snapshot->def)->max_running : 1);
}

bool
pawl_snapshot_is_busy(const struct pawl_snapshot *snapshot)
{
    return pawl_snapshot_is_full(snapshot) || pawl_snapshot_is_retried(snapshot);
}

bool
pawl_snapshot_is_replacing(const struct pawl_snapshot *snapshot)
{
    return pawl_policy_of(snapshot->def)->overlap == PAWL_OVERLAP_REPLACE &&
           pawl_snapshot_is_busy(snapshot) && !snapshot->is_paused &&
           !pawl_wait_of(snapshot)->must_replace && pawl_wait_of(snapshot)->nmissed == 0;
}

uint64_t
pawl_snapshot_pass(const struct pawl_snapshot *snapshot, struct pawl_due *due,
                   const struct pawl_now *now)
{
    const struct pawl_policy *policy = pawl_policy_of(snapshot->def);
    uint32_t keep = policy->overlap == PAWL_OVERLAP_QUEUE ? policy->queue_limit
                    : policy->overlap == PAWL_OVERLAP_REPLACE ? 1 : 0;

    if (pawl_def_policy(snapshot->def) && pawl_wait_of(snapshot)->nmissed > 0)
        return 0;                               /* not before those that were missed are run */
    return pawl_policy_pass(snapshot->def, due, now, keep);
}

int64_t
pawl_snapshot_retry_ns(const struct pawl_snapshot *snapshot, struct pawl_due due, int64_t fires_ns)
{
    if (!pawl_snapshot_is_retried(snapshot) ||
        (pawl_snapshot_is_replacing(snapshot) && pawl_due_is_set(due) &&
         fires_ns < pawl_wait_of(snapshot)->not_before_ns))
        return PAWL_NO_TIME;
    return pawl_wait_of(snapshot)->not_before_ns;
}

int64_t
pawl_snapshot_fires_ns(const struct pawl_snapshot *snapshot, int64_t offset_ns)
{
    bool is_replacing = pawl_snapshot_is_replacing(snapshot);
    struct pawl_due due = pawl_snapshot_due(snapshot);
    int64_t fires_ns, retry_ns;

    if (snapshot->is_asked && !pawl_snapshot_is_full(snapshot))
        return AT_ONCE;
    if (pawl_snapshot_is_over(snapshot))
        return snapshot->due_ns;
    if (snapshot->is_paused || (pawl_snapshot_is_full(snapshot) && !is_replacing))
        return PAWL_NO_TIME;
    fires_ns = pawl_def_fires_ns(snapshot->def, due, offset_ns);
    retry_ns = pawl_snapshot_retry_ns(snapshot, due, fires_ns);
    return retry_ns == PAWL_NO_TIME ? fires_ns : retry_ns;
}

int64_t
pawl_task_expiry(int64_t over_ns, int64_t keep_ns)
{
    return keep_ns == INT64_MAX ? PAWL_NO_TIME : pawl_schedule_after(over_ns, keep_ns);
}

struct pawl_now
pawl_event_now(const struct pawl_event *event)
{
    return (struct pawl_now) {event->now_ns, event->wall_ns, event->high_ns, event->oldest_ns};
}

bool
pawl_snapshot_has_come(const struct pawl_snapshot *old, const struct pawl_event *event)
{
    int64_t fires_ns = pawl_snapshot_fires_ns(old, event->wall_ns - event->now_ns);

    return fires_ns != PAWL_NO_TIME && fires_ns <= event->now_ns;
}
