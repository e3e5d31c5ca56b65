/* forecast.c: when a task will fire, by what fires it: the due times of its definition, from a view. */
#include "shared.h"

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

/* A moment at which all that was to be fired before from_ns has been. */
static struct pawl_now
just_before(const struct pawl_forecast *forecast, int64_t from_ns)
{
    struct pawl_now now = now_of(forecast);
    int64_t by_ns = from_ns - 1 - now.wall_ns;

    now.wall_ns += by_ns;
    now.elapsed_ns += by_ns;
    return now;
}

void
pawl_forecast_begin(struct pawl *engine, const struct pawl_view *view, int64_t from_ns,
                    struct pawl_forecast *out_forecast)
{
    const struct pawl_def *def = view->private_def;
    uint64_t max_runs = view->when ? view->when->max_runs : 0, passed = 0;
    struct pawl_due due = {view->private_due_ns, view->private_is_due_wall};
    struct pawl_now now = pawl_now(engine), before;

    *out_forecast = (struct pawl_forecast) {
        .view = view, .elapsed_ns = now.elapsed_ns, .wall_ns = now.wall_ns, .high_ns = now.high_ns,
        .nleft = max_runs == 0 ? UINT64_MAX
               : max_runs > view->run_count ? max_runs - view->run_count : 0,
    };
    if (from_ns > now.wall_ns && view->next_ns != PAWL_NO_TIME && view->next_ns < from_ns) {
        before = just_before(out_forecast, from_ns);
        if (view->type == PAWL_CRON)
            passed = pawl_def_pass(def, &due, &before);
        else
            due.ns = PAWL_NO_TIME;
    }
    out_forecast->nleft -= passed < out_forecast->nleft ? passed : out_forecast->nleft;
    set_due(out_forecast, due);
}

int64_t
pawl_forecast_next(struct pawl_forecast *forecast)
{
    const struct pawl_def *def = forecast->view->private_def;
    struct pawl_due due = due_of(forecast);
    struct pawl_now now = now_of(forecast);
    int64_t fires_ns;

    if (!pawl_due_is_set(due) || forecast->nleft == 0)
        return PAWL_NO_TIME;
    fires_ns = pawl_due_wall(
        (struct pawl_due) {pawl_def_fires_ns(def, due, now.wall_ns - now.elapsed_ns), false},
        now.wall_ns - now.elapsed_ns);
    forecast->nleft--;
    set_due(forecast, pawl_def_next(def, due, &now, false));
    return fires_ns;
}
