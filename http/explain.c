/* explain.c: why a task's next run is when it is: its triggers in words, what bounds and moves their
 * times, and the next of them. Expressions are parsed again; times come from the engine's forecast. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json_write.h"
#include "tasks.h"
#include "timefmt.h"
#include "why.h"

#define NTIMES 5

/* What an answer is made from. */
struct explanation {
    struct pawl_why why;
    struct pawl_trigger span;           /* of a task without a schedule */
    struct pawl_when when;
    struct pawl_why_trigger *triggers;
    int64_t times[NTIMES];
    size_t ntimes;
};

/* --- Gathering --- */

static void
foretell(struct explanation *explanation, struct pawl *engine)
{
    struct pawl_why *why = &explanation->why;
    struct pawl_forecast forecast;
    int64_t at_ns;

    why->next_ns = PAWL_NO_TIME;
    pawl_forecast_begin(engine, why->view, why->now_ns, &forecast);
    while (explanation->ntimes < NTIMES &&
           (at_ns = pawl_forecast_next(&forecast)) != PAWL_NO_TIME) {
        explanation->times[explanation->ntimes++] = at_ns;
        if (explanation->ntimes == 1) {
            why->next_ns = at_ns;
            why->jitter_ns = forecast.jitter_ns;
        }
        why->nwaiting += at_ns <= why->now_ns;
    }
    if (why->nwaiting < NTIMES)
        return;
    while (why->nwaiting < PAWL_WHY_WAITING_MAX && (at_ns = pawl_forecast_next(&forecast)) <= why->now_ns &&
           at_ns != PAWL_NO_TIME)
        why->nwaiting++;
}

/* The zone of the first expression, as in the task document. */
static const struct pawl_zone *
zone_of(const struct explanation *explanation)
{
    for (size_t i = 0; i < explanation->why.when->ntriggers; i++) {
        enum pawl_trigger_kind kind = explanation->why.when->triggers[i].kind;

        if (kind == PAWL_BY_CRON || kind == PAWL_BY_CALENDAR)
            return explanation->triggers[i].cron.zone;
    }
    return pawl_zone_local();
}

/* False: out of memory. */
static bool
gather(struct explanation *explanation, struct pawl *engine, const struct pawl_view *view)
{
    struct pawl_why *why = &explanation->why;
    struct timespec now;

    explanation->span =
        (struct pawl_trigger) {.kind = PAWL_BY_SPAN, .time_ns = view->time_ns};
    explanation->when = (struct pawl_when) {.triggers = &explanation->span, .ntriggers = 1,
        .start_ns = PAWL_NO_TIME, .end_ns = PAWL_NO_TIME};
    clock_gettime(CLOCK_REALTIME, &now);
    why->view = view;
    why->when = view->when != NULL ? view->when : &explanation->when;
    why->now_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
    explanation->triggers = calloc(why->when->ntriggers, sizeof *explanation->triggers);
    if (explanation->triggers == NULL)
        return false;
    why->triggers = explanation->triggers;
    for (size_t i = 0; i < why->when->ntriggers; i++)
        if (!pawl_why_read(
                view, why->when, &why->when->triggers[i], &explanation->triggers[i]))
            return false;
    why->zone = zone_of(explanation);
    foretell(explanation, engine);
    return true;
}

/* --- Writing --- */

static void
put_text(struct pawl_buffer *out, const char *name, const char *text)
{
    pawl_buffer_append_str(out, name);
    pawl_json_write_string(out, text, strlen(text));
}

static void
put_time(struct pawl_buffer *out, const char *name, const struct pawl_zone *zone, int64_t wall_ns)
{
    char text[PAWL_TIME_MAX];

    pawl_buffer_append_str(out, name);
    if (wall_ns == PAWL_NO_TIME)
        pawl_buffer_append_str(out, "null");
    else
        pawl_json_write_string(out, text, pawl_time_format_in(zone, wall_ns, text));
}

static void
put_uint(struct pawl_buffer *out, const char *name, uint64_t value)
{
    pawl_buffer_append_str(out, name);
    pawl_json_write_uint(out, value);
}

static void
put_trigger(struct pawl_buffer *out, const struct pawl_why_trigger *read)
{
    const struct pawl_trigger *trigger = read->trigger;

    switch (trigger->kind) {
    case PAWL_BY_AT:
        put_time(out, "{\"at\":", pawl_zone_local(), trigger->at_ns);
        break;
    case PAWL_BY_CRON:
    case PAWL_BY_CALENDAR:
        pawl_buffer_append_str(
            out, trigger->kind == PAWL_BY_CRON ? "{\"cron\":" : "{\"calendar\":");
        pawl_json_write_string(out, trigger->expr, trigger->expr_len);
        put_text(out, ",\"timezone\":", pawl_zone_name(read->cron.zone));
        break;
    default:
        put_uint(out, "{\"time\":", (uint64_t) trigger->time_ns);
    }
    put_text(out, ",\"description\":", read->description);
    pawl_buffer_append_char(out, '}');
}

static void
put_triggers(struct pawl_buffer *out, const struct pawl_why *why)
{
    const char *comma = "";

    pawl_buffer_append_str(out, ",\"triggers\":[");
    for (size_t i = 0; i < why->when->ntriggers; i++) {
        pawl_buffer_append_str(out, i > 0 ? "," : "");
        put_trigger(out, &why->triggers[i]);
    }
    pawl_buffer_append_str(out, "],\"warnings\":[");
    for (size_t i = 0; i < why->when->ntriggers; i++)
        for (size_t j = 0; j < why->triggers[i].notes.nwarnings; j++) {
            put_text(out, comma, why->triggers[i].notes.warnings[j]);
            comma = ",";
        }
    pawl_buffer_append_str(out, "]");
}

static void
put_bounds(struct pawl_buffer *out, const struct pawl_why *why)
{
    const struct pawl_when *when = why->when;
    const struct pawl_view *view = why->view;
    uint64_t nruns = pawl_view_scheduled_runs(view);

    put_time(out, ",\"startAt\":", why->zone, when->start_ns);
    put_time(out, ",\"endAt\":", why->zone, when->end_ns);
    if (when->max_runs == 0)
        pawl_buffer_append_str(out, ",\"runsLeft\":null");
    else
        put_uint(out, ",\"runsLeft\":",
            when->max_runs > nruns ? when->max_runs - nruns : 0);
    put_uint(out, ",\"jitter\":", (uint64_t) when->jitter_ns);
    put_uint(out, ",\"jitterApplied\":", (uint64_t) why->jitter_ns);
    put_uint(out, ",\"runCount\":", view->run_count);
    pawl_json_write_passed(out, view);
}

static void
put_explanation(struct pawl_buffer *out, const struct explanation *explanation)
{
    const struct pawl_why *why = &explanation->why;
    const struct pawl_view *view = why->view;

    pawl_buffer_append_str(out, "{\"id\":");
    pawl_json_write_string(out, view->id, view->id_len);
    put_text(out, ",\"taskType\":", pawl_type_name(view->type));
    put_text(out, ",\"state\":", pawl_status_name(view->status));
    put_time(out, ",\"nextRun\":", why->zone, why->next_ns);
    put_text(out, ",\"timezone\":", pawl_zone_name(why->zone));
    pawl_buffer_append_str(out, ",\"why\":[");
    pawl_why_write(out, why);
    pawl_buffer_append_str(out, "]");
    put_triggers(out, why);
    put_bounds(out, why);
    pawl_buffer_append_str(out, ",\"next\":[");
    for (size_t i = 0; i < explanation->ntimes; i++)
        put_time(out, i > 0 ? "," : "", why->zone, explanation->times[i]);
    pawl_buffer_append_str(out, "]}");
}

void
pawl_tasks_explain(struct pawl_request *request)
{
    const struct pawl_text *id = pawl_tasks_id(request);
    struct explanation explanation = {.triggers = NULL};
    struct pawl_view view;

    if (pawl_get(request->http->handle, id->text, id->len, &view) != PAWL_OK) {
        pawl_request_fail(
            request, 404, NULL, "no task has the id '%.*s'", (int) id->len, id->text);
        return;
    }
    if (gather(&explanation, request->http->service->engine, &view)) {
        put_explanation(&request->answer, &explanation);
        pawl_request_answer(request, 200);
    } else {
        pawl_request_fail(request, 503, NULL, "out of memory");
    }
    free(explanation.triggers);
    pawl_view_release(&view);
}
