/* state.c: the state table: what each event makes of each state of a task. Pure: nothing is changed
 * but the new state. */
#include "state.h"

#include "err.h"
#include "policy.h"
#include "wall.h"

#include <assert.h>

static void
end_run(const struct pawl_snapshot *old, const struct pawl_event *event,
        struct pawl_snapshot *next, enum pawl_end_reason delay_end);

static int
refuse_stop(const struct pawl_snapshot *old, struct pawl_err *err)
{
    if (old->status == PAWL_STOPPED)
        return pawl_err_set(err, PAWL_ESTATE, NULL, "the task is stopped already");
    if (old->status == PAWL_EXECUTED)
        return pawl_err_set(err, PAWL_ESTATE, NULL, "the task has run already: nothing to stop");
    return pawl_err_set(err, PAWL_ESTATE, NULL,
                        "the task is running: a delay task that has started ends by itself");
}

static const struct pawl_due none = {PAWL_NO_TIME, false};

/* So many due times that were missed are to be run one by one. */
static void
set_missed(struct pawl_snapshot *next, uint32_t n)
{
    if (!pawl_def_policy(next->def))
        return;
    pawl_wait_of(next)->has_backlog = n > 0;
    pawl_wait_of(next)->nmissed = n;
}

/* Passes over the due times that came during the run, as overlap says. */
static void
pass_overlapping(const struct pawl_event *event, struct pawl_snapshot *next)
{
    struct pawl_now now = pawl_event_now(event);
    struct pawl_due due = pawl_snapshot_due(next);

    next->skipped_overlap += pawl_snapshot_pass(next, &due, &now);
    pawl_snapshot_set_due(next, due);
}

/* A run that was asked for leaves the schedule as it is, but that one which replaces others is in
 * the place of what came before it, too; for a delay task it is its run. */
static void
begin_asked(const struct pawl_snapshot *old, struct pawl_event *event,
            struct pawl_snapshot *next)
{
    struct pawl_now now = pawl_event_now(event);
    struct pawl_due due = pawl_snapshot_due(next);

    event->due = (struct pawl_due) {event->now_ns, false};
    event->is_asked = true;
    next->is_asked = false;
    if (next->asked_count < (1u << 24) - 1)
        next->asked_count++;
    if (old->def->type == PAWL_DELAY) {
        due = none;
        set_missed(next, 0);
    } else if (pawl_policy_of(old->def)->overlap == PAWL_OVERLAP_REPLACE && !old->is_paused &&
             pawl_wait_of(old)->nmissed == 0) {
        next->skipped_overlap += pawl_def_pass(old->def, &due, &now);
    }
    pawl_snapshot_set_due(next, due);
}

/* A due time has come that is run instead of another attempt. */
static void
give_up_retry(const struct pawl_event *event, struct pawl_snapshot *next)
{
    pass_overlapping(event, next);
    next->failure_count++;
    pawl_wait_of(next)->is_retry = false;
    pawl_wait_of(next)->has_backlog = true;
}

static void
begin_retry(const struct pawl_snapshot *old, struct pawl_event *event,
            struct pawl_snapshot *next)
{
    event->due = (struct pawl_due) {pawl_wait_of(old)->retried_ns, pawl_wait_of(old)->is_retried_wall};
    pawl_wait_of(next)->is_retry = false;
    next->is_asked = false;                 /* a run that is asked for is the next attempt */
    next->run_count--;                      /* the same run, once more */
}

/* The task is over: it has no due time any more, or no run left. */
static void
end_task(const struct pawl_event *event, struct pawl_snapshot *next,
         enum pawl_end_reason delay_end)
{
    struct pawl_now now = pawl_event_now(event);

    next->status = PAWL_EXECUTED;
    next->is_paused = false;
    set_missed(next, 0);
    next->end_reason = pawl_snapshot_end_reason(next, &now, delay_end) & 7;
    pawl_snapshot_set_due(next, next->is_asked ? none : (struct pawl_due) {
        pawl_task_expiry(event->now_ns, event->keep_ns), false});
}

/* Finds the due time to be run; those that were missed are counted. False: there is none to be run
 * now. */
static bool
begin_due(const struct pawl_snapshot *old, struct pawl_event *event, struct pawl_snapshot *next)
{
    struct pawl_now now = pawl_event_now(event);
    struct pawl_due due = pawl_snapshot_due(next);
    const struct pawl_wait *wait = pawl_snapshot_wait(next);
    uint32_t nmissed;

    if (!wait || !wait->has_backlog) {
        next->missed += pawl_policy_make_up(old->def, &due, &now, false, &nmissed);
        set_missed(next, nmissed);
    }
    event->due = due;
    pawl_snapshot_set_due(next, due);
    if (!pawl_def_has_come(old->def, due, &now))
        return false;
    if (pawl_def_policy(old->def))
        pawl_wait_of(next)->nmissed -= pawl_wait_of(next)->nmissed > 0;
    if (pawl_snapshot_is_used_up(next)) {
        pawl_snapshot_set_due(next, none);
        set_missed(next, 0);
    } else {
        pawl_snapshot_set_due(next, pawl_def_next(old->def, event->due, &now, false));
    }
    return true;
}

/* A due time has come during a run that is to make room for it. */
static void
begin_replacing(const struct pawl_snapshot *old, struct pawl_event *event,
                struct pawl_snapshot *next)
{
    event->run = old->run_count;
    pawl_wait_of(next)->must_replace = true;
    event->must_kill = event->is_passed = true;
}

/* Whether the event names no place of the group that the task is in now. What it says of another group
 * that the task was in before is no matter then. */
static bool
needs_place(const struct pawl_snapshot *old, struct pawl_event *event)
{
    if (event->group_of && pawl_def_same_group(old->def, event->group_of))
        return false;
    event->is_group_full = false;
    return pawl_def_group(old->def) != NULL;
}

/* A run that was counted was none: the due time passes. If it had been the last one that the task may
 * have, there are others: those behind what was run meanwhile, if runs overlap. */
static void
uncount_run(const struct pawl_snapshot *old, const struct pawl_event *event,
            struct pawl_snapshot *next, bool was_used_up)
{
    struct pawl_now now = pawl_event_now(event), then = now;
    struct pawl_due due;

    if (event->is_asked) {
        next->asked_count -= next->asked_count > 0;
        return;
    }
    if (!was_used_up || pawl_snapshot_is_used_up(next) || next->status == PAWL_STOPPED)
        return;
    due = pawl_def_next(old->def, event->due, &now, true);
    if (event->kind == PAWL_EVENT_FINISH && pawl_def_overlaps(old->def)) {
        then.wall_ns = old->previous_ns;
        then.elapsed_ns -= now.wall_ns - old->previous_ns;
        pawl_def_pass(old->def, &due, &then);
    }
    pawl_snapshot_set_due(next, due);
}

/* The group of the task is full. A due time that has had an attempt has its results, and no count
 * beside them. */
static void
skip_for_group(const struct pawl_snapshot *old, struct pawl_event *event,
               struct pawl_snapshot *next, bool is_retry)
{
    enum pawl_end_reason was = (enum pawl_end_reason) old->end_reason;
    struct pawl_now now = pawl_event_now(event);
    bool was_used_up;

    event->is_passed = true;
    if (is_retry) {
        next->failure_count++;
        end_run(old, event, next, PAWL_END_DONE);
        return;
    }
    was_used_up = pawl_snapshot_is_used_up(next);
    next->run_count--;
    pawl_snapshot_make_wait(next)->tally.skipped_group++;
    uncount_run(old, event, next, was_used_up);
    if (!pawl_snapshot_is_used_up(next))
        pawl_snapshot_set_due(next, pawl_def_after_run(old->def, pawl_snapshot_due(next), &now));
    pawl_wait_of(next)->has_backlog &= pawl_def_has_come(old->def, pawl_snapshot_due(next), &now);
    if (next->due_ns == PAWL_NO_TIME && next->running == 0)
        end_task(event, next, old->status == PAWL_EXECUTED ? was : PAWL_END_SKIPPED);
}

static void
begin_run(const struct pawl_snapshot *old, struct pawl_event *event, struct pawl_snapshot *next)
{
    bool is_retry = pawl_snapshot_is_retried(old);
    struct pawl_now now = pawl_event_now(event);

    event->is_asked = event->is_passed = event->must_kill = false;
    if (pawl_snapshot_is_full(old)) {
        begin_replacing(old, event, next);
        return;
    }
    if (is_retry && pawl_snapshot_is_replacing(old) &&
        pawl_def_has_come(old->def, pawl_snapshot_due(old), &now)) {
        give_up_retry(event, next);
        is_retry = false;
    }
    next->run_count++;
    if (is_retry) {
        begin_retry(old, event, next);
    } else if (old->is_asked) {
        begin_asked(old, event, next);
    } else if (!begin_due(old, event, next)) {
        next->run_count--;
        event->is_passed = true;
        if (next->due_ns == PAWL_NO_TIME && next->running == 0)
            end_task(event, next, PAWL_END_MISSED);
        return;
    }
    if (event->is_group_full) {
        skip_for_group(old, event, next, is_retry);
        return;
    }
    event->attempt = is_retry ? pawl_wait_of(old)->attempt + 1u : 1;
    if (pawl_def_policy(old->def)) {
        pawl_wait_of(next)->attempt = event->attempt & 0xFFFF;
        pawl_wait_of(next)->is_shared = pawl_def_overlaps(old->def);
    }
    next->status = PAWL_EXECUTING;
    next->running++;
    next->previous_ns = event->wall_ns;
}

/* A run that failed is to be tried again. */
static void
wait_for_retry(const struct pawl_snapshot *old, const struct pawl_event *event,
               struct pawl_snapshot *next)
{
    struct pawl_wait *wait = pawl_wait_of(next);

    wait->is_retry = true;
    wait->retried_ns = event->due.ns;
    wait->is_retried_wall = event->due.is_wall;
    wait->not_before_ns = pawl_schedule_after(event->now_ns, pawl_policy_retry_delay(
        pawl_def_policy(old->def), wait->attempt, (uint64_t) old->previous_ns));
    next->status = old->def->type == PAWL_CRON ? PAWL_WAIT_FOR_NEXT : PAWL_TO_BE_EXECUTED;
}

/* What comes after a run: of a cron task the next due time that has not passed meanwhile. */
static void
end_run(const struct pawl_snapshot *old, const struct pawl_event *event,
        struct pawl_snapshot *next, enum pawl_end_reason delay_end)
{
    struct pawl_now now = pawl_event_now(event);
    bool has_more;

    if (!old->is_paused && pawl_snapshot_is_busy(old))      /* what comes in a pause is missed */
        pass_overlapping(event, next);
    has_more = pawl_def_has_come(old->def, pawl_snapshot_due(next), &now);
    if (!pawl_snapshot_is_used_up(next))
        pawl_snapshot_set_due(next, pawl_def_after_run(old->def, pawl_snapshot_due(next), &now));
    if (pawl_def_policy(old->def)) {
        pawl_wait_of(next)->has_backlog = has_more && !old->is_paused && pawl_snapshot_is_busy(old);
        pawl_wait_of(next)->must_replace = pawl_wait_of(next)->is_given_up = false;
        pawl_wait_of(next)->is_retry = false;
        pawl_wait_of(next)->attempt = next->running > 0;
    }
    next->status = next->running > 0 ? PAWL_EXECUTING : PAWL_WAIT_FOR_NEXT;
    if (next->due_ns == PAWL_NO_TIME && next->running == 0)
        end_task(event, next, delay_end);
}

/* How a run that is not tried again counts. True: not as a run. */
static bool
count_end(const struct pawl_snapshot *old, const struct pawl_event *event,
          struct pawl_snapshot *next)
{
    const struct pawl_wait *wait = pawl_snapshot_wait(old);
    bool is_skipped = event->is_condition_skip && !(wait && wait->attempt > 1);
    bool was_used_up = pawl_snapshot_is_used_up(next);

    if (is_skipped) {
        pawl_snapshot_make_wait(next)->tally.skipped_condition++;
        uncount_run(old, event, next, was_used_up);
    } else {
        next->failure_count += event->failed || event->is_condition_skip;
    }
    return is_skipped;
}

/* The end of a run in progress, which was not stopped. One that began beside others may have any number,
 * so that it is not tried again, though the task have retries by now. */
static void
finish(const struct pawl_snapshot *old, const struct pawl_event *event, struct pawl_snapshot *next)
{
    const struct pawl_policy *policy = pawl_def_policy(old->def);
    const struct pawl_wait *wait = pawl_snapshot_wait(old);
    struct pawl_now now = pawl_event_now(event);
    bool makes_room = policy && (wait->must_replace || wait->is_given_up ||
        (old->is_asked && policy->overlap == PAWL_OVERLAP_REPLACE) ||
        (pawl_snapshot_is_replacing(old) &&
         pawl_def_has_come(old->def, pawl_snapshot_due(old), &now)));

    if (event->failed && policy && !event->is_condition_skip && !makes_room && !wait->is_shared &&
        pawl_policy_retries(policy, wait->attempt, event->exit_code))
        wait_for_retry(old, event, next);
    else
        end_run(old, event, next,
                count_end(old, event, next) ? PAWL_END_SKIPPED : PAWL_END_DONE);
}

static void
finish_stopped(const struct pawl_snapshot *old, const struct pawl_event *event,
               struct pawl_snapshot *next)
{
    count_end(old, event, next);
    if (pawl_def_policy(old->def))
        pawl_wait_of(next)->attempt = next->running > 0;
}

/* Whether the clock was set beyond the end of the schedule, so that the due time lies behind it. */
static bool
is_past_end(const struct pawl_snapshot *old, const struct pawl_now *now)
{
    int64_t end_ns = pawl_def_schedule(old->def)->when.end_ns;

    return end_ns != PAWL_NO_TIME &&
           pawl_due_wall(pawl_snapshot_due(old), now->wall_ns - now->elapsed_ns) > end_ns;
}

/* Moves the due time of a task that follows the wall clock. One that was jumped over may have been run
 * already: nothing up to that run comes again. */
static int
retime(const struct pawl_snapshot *old, const struct pawl_event *event,
       struct pawl_snapshot *next)
{
    struct pawl_now now = pawl_event_now(event);
    int64_t from_ns = event->old_wall_ns;
    struct pawl_due due;

    if (!pawl_snapshot_is_pending(old) || !pawl_def_follows_wall(old->def))
        return PAWL_ESTATE;
    /* The thread that keeps the mark may not have seen yet that the clock was set. */
    now.high_ns = pawl_wall_high(now.high_ns, from_ns, now.wall_ns);
    if (old->previous_ns > from_ns && old->previous_ns <= now.wall_ns)
        from_ns = old->previous_ns;
    due = pawl_schedule_retime(pawl_def_schedule(old->def), pawl_snapshot_due(old), &now, from_ns,
                               old->status == PAWL_EXECUTING);
    if (due.ns == PAWL_NO_TIME && !is_past_end(old, &now))
        return PAWL_ESTATE;
    if (due.ns == old->due_ns && due.is_wall == old->is_due_wall)
        return PAWL_ESTATE;
    pawl_snapshot_set_due(next, due);
    if (due.ns == PAWL_NO_TIME && old->status != PAWL_EXECUTING &&
        !pawl_snapshot_is_retried(old)) {     /* else the task ends after that run */
        end_task(event, next, PAWL_END_AT);
        next->version++;
        next->updated_ns = event->wall_ns;
    }
    return PAWL_OK;
}

/* A run is asked for during another one. */
static int
ask_more(const struct pawl_snapshot *old, struct pawl_event *event, struct pawl_snapshot *next,
         struct pawl_err *err)
{
    switch (pawl_policy_of(old->def)->overlap) {
    case PAWL_OVERLAP_QUEUE:
        next->is_asked = true;
        return PAWL_OK;
    case PAWL_OVERLAP_ALLOW:
        if (pawl_snapshot_is_full(old))
            return pawl_err_set(err, PAWL_ESTATE, NULL, "as many runs of the task are in progress as it "
                                "may have (%u): wait for one to end", (unsigned) old->running);
        next->is_asked = true;
        return PAWL_OK;
    case PAWL_OVERLAP_REPLACE:
        next->is_asked = event->must_kill = true;
        event->run = old->run_count;
        return PAWL_OK;
    default:
        return pawl_err_set(err, PAWL_ESTATE, NULL,
                            "the task is running already, and does not overlap itself");
    }
}

/* Whether the run in progress, of a task that runs once, may be tried again, so that ending it would not
 * be its end. */
static bool
can_give_up(const struct pawl_snapshot *old)
{
    const struct pawl_policy *policy = pawl_def_policy(old->def);

    return old->def->type == PAWL_DELAY && old->status == PAWL_EXECUTING && policy &&
           policy->retries > 0 && !pawl_wait_of(old)->is_given_up;
}

static int
ask(const struct pawl_snapshot *old, struct pawl_event *event, struct pawl_snapshot *next,
    struct pawl_err *err)
{
    const struct pawl_wait *wait = pawl_snapshot_wait(old);

    event->must_kill = false;
    if (old->status == PAWL_STOPPED)
        return pawl_err_set(err, PAWL_ESTATE, NULL,
                            "the task is stopped: delete it and submit it again");
    if (old->is_asked)
        return pawl_err_set(err, PAWL_ESTATE, NULL, "a run was asked for already: it is about to begin");
    if (old->status == PAWL_EXECUTING)
        return ask_more(old, event, next, err);
    if (wait && wait->is_retry && !old->is_paused) {
        pawl_wait_of(next)->not_before_ns = event->now_ns;    /* it has waited for long enough */
        return PAWL_OK;
    }
    next->is_asked = true;
    if (pawl_snapshot_is_over(old))
        pawl_snapshot_set_due(next, none);
    return PAWL_OK;
}

static int
pause_it(const struct pawl_snapshot *old, const struct pawl_event *event,
         struct pawl_snapshot *next, struct pawl_err *err)
{
    if (old->is_paused)
        return pawl_err_set(err, PAWL_ESTATE, NULL, "the task is paused already");
    if (old->status == PAWL_STOPPED || old->status == PAWL_EXECUTED)
        return pawl_err_set(err, PAWL_ESTATE, NULL, old->status == PAWL_STOPPED
                            ? "the task is stopped: nothing to pause"
                            : "the task has run already: nothing to pause");
    if (old->status == PAWL_EXECUTING && old->def->type == PAWL_DELAY &&
        pawl_policy_of(old->def)->retries == 0)
        return pawl_err_set(err, PAWL_ESTATE, NULL,
                            "the task is in its only run: nothing to pause");
    if (pawl_snapshot_is_busy(old))
        pass_overlapping(event, next);          /* what comes from now on is missed */
    next->is_paused = true;
    return PAWL_OK;
}

/* Of the due times that passed meanwhile those are run that the policy says. */
static int
resume(const struct pawl_snapshot *old, const struct pawl_event *event,
       struct pawl_snapshot *next, struct pawl_err *err)
{
    struct pawl_due due = pawl_snapshot_due(old);
    struct pawl_now now = pawl_event_now(event);
    uint64_t missed;
    uint32_t nmissed;

    if (!old->is_paused)
        return pawl_err_set(err, PAWL_ESTATE, NULL, "the task is not paused");
    next->is_paused = false;
    missed = pawl_policy_make_up(old->def, &due, &now, true, &nmissed);
    next->missed += missed;
    if (missed > 0)
        pawl_snapshot_make_wait(next)->tally.missed_paused += missed;
    pawl_snapshot_set_due(next, due);
    set_missed(next, nmissed);
    if (due.ns == PAWL_NO_TIME && old->due_ns != PAWL_NO_TIME && old->running == 0 &&
        !pawl_snapshot_is_retried(old))
        end_task(event, next, PAWL_END_MISSED);
    return PAWL_OK;
}

void
pawl_snapshot_count_dropped(const struct pawl_snapshot *old, const struct pawl_event *event,
                            struct pawl_snapshot *next)
{
    const struct pawl_wait *wait = pawl_snapshot_wait(old);
    struct pawl_now now = pawl_event_now(event);
    uint64_t n = pawl_def_count(old->def, pawl_snapshot_due(old), &now), missed = n;

    if (!old->is_paused && (pawl_snapshot_is_busy(old) || (wait && wait->has_backlog)))
        missed = wait && wait->nmissed < n ? wait->nmissed : wait ? n : 0;
    next->missed += missed;
    next->skipped_overlap += n - missed;
    if (old->is_paused && missed > 0)
        pawl_snapshot_make_wait(next)->tally.missed_paused += missed;
}

static void
stop(const struct pawl_snapshot *old, const struct pawl_event *event, struct pawl_snapshot *next)
{
    pawl_snapshot_count_dropped(old, event, next);
    next->failure_count += pawl_snapshot_is_retried(old);
    next->status = PAWL_STOPPED;
    next->due_ns = old->def->type == PAWL_CRON ? PAWL_NO_TIME
                                               : pawl_task_expiry(event->now_ns, event->keep_ns);
    next->is_due_wall = next->is_asked = next->is_paused = false;
    if (next->has_wait)
        pawl_wait_reset(pawl_wait_of(next));
    if (pawl_def_policy(old->def) && old->running > 0)
        pawl_wait_of(next)->attempt = pawl_wait_of(old)->attempt;
}

/* The state table: what an event makes of a state. *next is a copy of *old, to be edited, and
 * results that it gets are counted for it. A refusal changes nothing.
 *
 *   state                  START            FINISH             STOP     RUN      PAUSE, RESUME  EXPIRE
 *   0 ToBeExecuted         2 if due, asked  -                  4        asked    same           refused
 *   1 Executed             2 if asked       -                  refused  asked    refused        gone if due
 *   2 Executing, delay     refused          1                  refused  refused  refused        refused
 *   2 Executing, cron      refused          3, or 1: the last  4        refused  same           refused
 *   3 WaitForNextExecution 2 if due, asked  -                  4        asked    same           refused
 *   4 Stopped              refused          4 (it was running) refused  refused  refused        delay: if due
 *
 * EDIT: same, as state_edit.c says; of 4 refused.
 * DELETE: gone. TRIM: same. RETIME: same, or 1 when the clock was set beyond the schedule's end.
 * "Due" is never while the task is paused. With overlap allow a START in 2 is as in 3 while fewer than
 * max_running run, and a FINISH leads out of 2 when it was the last run in progress. */
int
pawl_decide(const struct pawl_snapshot *old, struct pawl_event *event, struct pawl_snapshot *next,
            struct pawl_err *err)
{
    bool failed = false;
    int code = PAWL_OK;

    switch (event->kind) {
    case PAWL_EVENT_START:
        if (!pawl_snapshot_is_pending(old) || !pawl_snapshot_has_come(old, event))
            return PAWL_ESTATE;
        event->needs_place = needs_place(old, event);
        begin_run(old, event, next);
        event->needs_place &= !event->is_passed;
        if (event->needs_place)
            return PAWL_ESTATE;
        if (event->is_passed && next->status == old->status)
            return PAWL_OK;                             /* no run begins: the version stays */
        break;
    case PAWL_EVENT_FINISH:
        assert(old->running > 0);
        next->running--;
        if (old->status == PAWL_EXECUTING)
            finish(old, event, next);
        else
            finish_stopped(old, event, next);
        if (event->box)
            next->results = pawl_results_append(old->results, event->box, old->def->keep_results,
                                           &failed);
        if (failed)
            next->results = old->results;   /* no memory to keep it: the state goes on */
        break;
    case PAWL_EVENT_STOP:
        if (event->is_kill && can_give_up(old)) {
            pawl_wait_of(next)->is_given_up = true;
            return PAWL_OK;                             /* the version grows when it has ended */
        }
        if (old->status == PAWL_STOPPED || old->status == PAWL_EXECUTED ||
            (old->status == PAWL_EXECUTING && old->def->type == PAWL_DELAY))
            return refuse_stop(old, err);
        stop(old, event, next);
        break;
    case PAWL_EVENT_RUN:
        return ask(old, event, next, err);              /* the version grows when it begins */
    case PAWL_EVENT_PAUSE:
        code = pause_it(old, event, next, err);
        break;
    case PAWL_EVENT_RESUME:
        code = resume(old, event, next, err);
        break;
    case PAWL_EVENT_EDIT:
        code = pawl_decide_edit(old, event, next, err);
        break;
    case PAWL_EVENT_EXPIRE:
        return pawl_snapshot_is_over(old) && pawl_snapshot_has_come(old, event) ? PAWL_OK : PAWL_ESTATE;
    case PAWL_EVENT_RETIME:
        return retime(old, event, next);                /* the version stays, but at the end */
    case PAWL_EVENT_TRIM:
        if (!old->results || old->results->bytes == 0)
            return PAWL_ESTATE;
        next->results = pawl_results_trim(old->results, event->cutoff_ns);
        return next->results ? PAWL_OK : PAWL_ENOMEM;   /* the version stays */
    case PAWL_EVENT_DELETE:
    case PAWL_NEVENT:
        return PAWL_OK;                                 /* no next: apply() puts the marker */
    }
    next->version++;
    next->updated_ns = event->wall_ns;
    return code;
}
