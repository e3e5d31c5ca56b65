/* state_edit.c: the part of the state table that says what an edit makes of a state. Pure.
 *
 * An edit changes the definition of a task; its status, its history and what is counted stay. A run in
 * progress goes on by the old definition to its end, and what comes after it follows the new one. Where
 * what says when is new, the due times of the old one that have come and were not run are counted, and
 * nothing of them runs any more; a run that was asked for and a retry that waits stay. */
#include "state.h"

#include "err.h"

#include <assert.h>

static int
refuse(struct pawl_err *err, const char *why)
{
    return pawl_err_set(err, PAWL_ESTATE, NULL, "%s", why);
}

/* Whether the task is what the edit was made from, and still to be edited. */
static int
check(const struct pawl_snapshot *old, const struct pawl_event *event, struct pawl_err *err)
{
    if (event->version >= 0 && event->version != old->version)
        return pawl_err_set(err, PAWL_ESTATE, NULL,
                            "the task is at version %lld, not %lld: get it again, then edit that",
                            (long long) old->version, (long long) event->version);
    if (old->status == PAWL_STOPPED)
        return refuse(err, "the task is stopped: delete it and submit it again");
    if (old->def != event->basis)
        return pawl_err_set(err, PAWL_ESTALE, NULL, "others edit the task at the same time: try again");
    if (old->running > 1 && pawl_def_policy(event->edited) &&
        pawl_def_policy(event->edited)->retries > 0)
        return refuse(err, "several runs of the task are in progress: it can have retries once they have "
                           "ended");
    if (!event->is_rescheduled)
        return PAWL_OK;
    if (old->status == PAWL_EXECUTED)
        return refuse(err, "the task is over, so that when it runs cannot be changed: delete it and "
                           "submit it again, or ask for a run");
    if (old->def->type == PAWL_DELAY &&
        (old->status != PAWL_TO_BE_EXECUTED || pawl_snapshot_is_retried(old)))
        return refuse(err, "the task is in its only run, so that when it runs cannot be changed");
    return PAWL_OK;
}

/* What the policies remember of due times that wait one by one. */
static void
forget_backlog(struct pawl_snapshot *next)
{
    if (!next->has_wait)
        return;
    pawl_wait_of(next)->has_backlog = false;
    pawl_wait_of(next)->nmissed = 0;
}

/* Whether due times that wait are to be treated in another way. */
static bool
has_other_ways(const struct pawl_snapshot *old, const struct pawl_snapshot *next)
{
    const struct pawl_policy *before = pawl_def_policy(old->def);
    const struct pawl_policy *after = pawl_def_policy(next->def);

    return before && (before->overlap != after->overlap || before->misfire != after->misfire);
}

static void
reschedule(const struct pawl_snapshot *old, const struct pawl_event *event,
           struct pawl_snapshot *next)
{
    const struct pawl_schedule *schedule = pawl_def_schedule(next->def);
    struct pawl_due none = {PAWL_NO_TIME, false}, due = event->due;
    struct pawl_now now = pawl_event_now(event);

    if (schedule && schedule->when.from_completion &&
        (old->status == PAWL_EXECUTING || pawl_snapshot_is_retried(old)))
        due = pawl_schedule_next(schedule, none, &now, false);      /* the end of the run says more */
    if (old->def->type == PAWL_CRON)                /* else its only one is moved */
        pawl_snapshot_count_dropped(old, event, next);
    pawl_snapshot_set_due(next, due);
    forget_backlog(next);
}

int
pawl_decide_edit(const struct pawl_snapshot *old, struct pawl_event *event,
                 struct pawl_snapshot *next, struct pawl_err *err)
{
    int code = check(old, event, err);

    if (code != PAWL_OK)
        return code;
    assert(!pawl_def_policy(old->def) || pawl_def_policy(event->edited));
    next->def = event->edited;
    if (event->is_rescheduled && pawl_snapshot_is_used_up(next))
        return refuse(err, "the task has had as many runs as maxRuns says already: give more, or "
                           "stop the task");
    if (pawl_def_policy(next->def) && !pawl_def_policy(old->def))
        pawl_snapshot_make_wait(next)->attempt = old->running > 0;
    if (event->is_rescheduled)
        reschedule(old, event, next);
    else if (has_other_ways(old, next))
        forget_backlog(next);
    if (pawl_snapshot_is_over(next))    /* it is kept for as long from now on, as after a restart */
        pawl_snapshot_set_due(next, (struct pawl_due) {
            pawl_task_expiry(event->now_ns, event->keep_ns), false});
    if (old->results && old->results->n > next->def->keep_results) {
        next->results = pawl_results_newest(old->results, next->def->keep_results);
        if (!next->results && next->def->keep_results > 0)
            return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    }
    return PAWL_OK;
}
