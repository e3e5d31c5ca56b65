/* forecast.c: when a task will fire, by what fires it: the due times of its definition, from a view. */
#include "policy.h"
#include "schedule_pace.h"
#include "shared.h"

#define STEPS_MAX 1000          /* times that are passed one by one */

static struct pawl_now
now_of(const struct pawl_forecast *forecast)
{
    return (struct pawl_now) {forecast->elapsed_ns, forecast->wall_ns, forecast->high_ns, INT64_MIN};
}

static void
set_due(struct pawl_forecast *forecast, struct pawl_due due)
{
    forecast->due_ns = due.ns;
    forecast->is_due_wall = due.is_wall;
}

static struct pawl_due
due_of(const struct pawl_forecast *forecast)
{
    return (struct pawl_due) {forecast->due_ns, forecast->is_due_wall};
}

/* The moment at which the wall clock shows wall_ns, if nobody sets it. */
static struct pawl_now
moment_at(const struct pawl_forecast *forecast, int64_t wall_ns)
{
    struct pawl_now now = now_of(forecast);

    now.elapsed_ns = pawl_due_elapsed((struct pawl_due) {wall_ns, true}, now.wall_ns - now.elapsed_ns);
    now.wall_ns = wall_ns;
    return now;
}

/* Whether spans are drawn anew, each from the time before it: what comes is known only step by step. */
static bool
is_drawn(const struct pawl_schedule *schedule)
{
    for (size_t i = 0; schedule && i < schedule->when.ntriggers; i++) {
        if (schedule->paces[i].span_max_ns > 0)
            return true;
    }
    return false;
}

static bool
is_open(const struct pawl_schedule *schedule, const struct pawl_view *view, int64_t from_ns)
{
    if (!schedule || !schedule->when.from_completion || schedule->is_delay ||
        view->status == PAWL_EXECUTED || view->status == PAWL_STOPPED ||
        (schedule->when.end_ns != PAWL_NO_TIME && schedule->when.end_ns < from_ns))
        return false;
    for (size_t i = 0; i < schedule->when.ntriggers; i++) {
        if (schedule->paces[i].kind == PAWL_PACE_SPAN)
            return true;
    }
    return false;
}

/* What follows once due was fired at fires_ns and its run has ended. Due times that are put off at
 * random may come in another order: those that have come by then are passed over, as after any run. */
static struct pawl_due
next_due(const struct pawl_forecast *forecast, struct pawl_due due, int64_t fires_ns)
{
    const struct pawl_def *def = forecast->view->private_def;
    struct pawl_now now = now_of(forecast);

    if (!pawl_def_schedule(def) || !pawl_def_schedule(def)->when.is_jitter_random)
        return pawl_def_next(def, due, &now, false);
    now = moment_at(forecast, fires_ns);
    pawl_def_pass(def, &due, &now);
    return due;
}

/* The retry that waits is tried at its time, and ends then: of what has come by then that is left which
 * its policy keeps. */
static void
pass_retry(struct pawl_forecast *forecast)
{
    const struct pawl_def *def = forecast->view->private_def;
    const struct pawl_policy *policy = pawl_policy_of(def);
    struct pawl_now then = moment_at(forecast, forecast->retry_ns);
    struct pawl_due due = due_of(forecast);

    pawl_policy_pass(def, &due, &then,
                     policy->overlap == PAWL_OVERLAP_QUEUE ? policy->queue_limit : 0);
    set_due(forecast, due);
}

/* All that is to be fired before from_ns has been; of what can only be told step by step, and takes
 * too many steps, nothing is told. */
static void
skip_to(struct pawl_forecast *forecast, int64_t from_ns)
{
    const struct pawl_def *def = forecast->view->private_def;
    const struct pawl_schedule *schedule = pawl_def_schedule(def);
    struct pawl_now before = moment_at(forecast, from_ns - 1);
    struct pawl_due due = due_of(forecast);
    uint64_t passed = 0;

    if (forecast->retry_ns != PAWL_NO_TIME && forecast->retry_ns < from_ns)
        forecast->retry_ns = PAWL_NO_TIME;
    if (is_drawn(schedule) || (schedule && schedule->when.is_jitter_random)) {
        for (int steps = 0; steps < STEPS_MAX && forecast->nleft > 0; steps++) {
            struct pawl_forecast next = *forecast;
            int64_t fires_ns = pawl_forecast_next(&next);

            if (fires_ns == PAWL_NO_TIME || fires_ns >= from_ns)
                return;
            *forecast = next;
        }
        due = due_of(forecast);
    }
    if (is_drawn(schedule)) {
        forecast->is_open |= pawl_due_is_set(due);
        due.ns = PAWL_NO_TIME;
    } else if (forecast->view->type == PAWL_CRON) {
        passed = pawl_def_pass(def, &due, &before);
    } else {
        due.ns = PAWL_NO_TIME;
    }
    forecast->nleft -= passed < forecast->nleft ? passed : forecast->nleft;
    set_due(forecast, due);
}

void
pawl_forecast_begin(struct pawl *engine, const struct pawl_view *view, int64_t from_ns,
                    struct pawl_forecast *out_forecast)
{
    const struct pawl_schedule *schedule = pawl_def_schedule(view->private_def);
    uint64_t max_runs = view->when ? view->when->max_runs : 0;
    uint64_t nruns = pawl_view_scheduled_runs(view);
    struct pawl_now now = pawl_now(engine);

    *out_forecast = (struct pawl_forecast) {
        .view = view, .elapsed_ns = now.elapsed_ns, .wall_ns = now.wall_ns, .high_ns = now.high_ns,
        .nleft = max_runs == 0 ? UINT64_MAX
               : max_runs > nruns ? max_runs - nruns : 0,
        .due_ns = view->private_due_ns, .is_due_wall = view->private_is_due_wall,
        .retry_ns = view->retry_ns,
    };
    if (out_forecast->retry_ns != PAWL_NO_TIME && view->type == PAWL_CRON)
        pass_retry(out_forecast);
    if (from_ns > now.wall_ns && view->next_ns != PAWL_NO_TIME && view->next_ns < from_ns)
        skip_to(out_forecast, from_ns);
    out_forecast->is_open |= out_forecast->nleft > pawl_due_is_set(due_of(out_forecast)) &&
                             is_open(schedule, view, from_ns);
}

/* A plain span of centuries is never over, but shown as the latest time that there is. */
static bool
is_shown(const struct pawl_schedule *schedule, struct pawl_due due)
{
    return pawl_due_is_set(due) || (!schedule && due.ns == INT64_MAX);
}

int64_t
pawl_forecast_next(struct pawl_forecast *forecast)
{
    const struct pawl_def *def = forecast->view->private_def;
    const struct pawl_schedule *schedule = pawl_def_schedule(def);
    int64_t offset_ns = forecast->wall_ns - forecast->elapsed_ns, fires_ns;
    struct pawl_due due = due_of(forecast);
    int64_t retry_ns = forecast->retry_ns;

    if (retry_ns != PAWL_NO_TIME && !forecast->is_retry_given) {
        forecast->is_retry_given = true;
        forecast->jitter_ns = 0;
        return retry_ns;
    }
    if (!is_shown(schedule, due) || forecast->nleft == 0)
        return PAWL_NO_TIME;
    fires_ns = pawl_due_wall((struct pawl_due) {pawl_def_fires_ns(def, due, offset_ns), false},
                             offset_ns);
    forecast->jitter_ns = schedule ? pawl_schedule_jitter(schedule, due) : 0;
    forecast->nleft--;
    set_due(forecast, due.ns == INT64_MAX ? (struct pawl_due) {PAWL_NO_TIME, false}
                                          : next_due(forecast, due, fires_ns));
    return fires_ns < retry_ns ? retry_ns : fires_ns;   /* it waited for the end of that run */
}
