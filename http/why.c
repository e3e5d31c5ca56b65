/* why.c: why a task's next run is when it is, in sentences: its triggers, its state, its bounds, what
 * puts it off. Pure but for the zones' cache; any thread. */
#include "why.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../engine/calendar.h"
#include "../engine/duration.h"
#include "json_write.h"

#define SECOND_NS INT64_C(1000000000)
#define SENTENCE_MAX (PAWL_WHY_DESCRIPTION_MAX + 256)

void
pawl_why_say(struct pawl_buffer *out, const char *format, ...)
{
    char text[SENTENCE_MAX];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        return;
    if (!out->failed && out->len > 0 && out->data[out->len - 1] != '[')
        pawl_buffer_append_char(out, ',');
    pawl_json_write_string(out, text, strlen(text));
}

const char *
pawl_why_time(const struct pawl_zone *zone, int64_t wall_ns, char out[PAWL_WHY_TIME_MAX])
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    int64_t second = pawl_calendar_floor(wall_ns, SECOND_NS);
    struct pawl_zone_span span;
    char text[PAWL_RFC3339_MAX], *t;
    size_t len, tail;

    pawl_zone_at(zone, second, &span);
    pawl_calendar_format(second, span.offset_s, text);
    t = strchr(text, 'T');
    if (t != NULL)
        *t = ' ';
    len = strlen(text);
    tail = text[len - 1] == 'Z' ? 1 : 6;        /* the offset */
    snprintf(out, PAWL_WHY_TIME_MAX, "%s %.*s %.6s",
        days[pawl_calendar_weekday(
            pawl_calendar_floor(second + span.offset_s, PAWL_DAY_S))],
        (int) (len - tail), text, tail == 1 ? "+00:00" : text + len - tail);
    return out;
}

/* --- Triggers --- */

static const char *
span_text(int64_t ns, char out[32])
{
    pawl_duration_format(ns, out);
    return out;
}

/* The same of a time to wait, which is in days where there are some. */
static const char *
wait_text(int64_t ns, char out[32])
{
    int64_t minutes = ns / (60 * SECOND_NS);

    if (minutes < 24 * 60)
        return span_text(ns, out);
    snprintf(out, 32, "%" PRId64 "d %" PRId64 "h %" PRId64 "m", minutes / (24 * 60),
        minutes / 60 % 24, minutes % 60);
    return out;
}

/* What a span is counted from, of a task that fires again and again. */
static const char *
origin_of(const struct pawl_when *when)
{
    return when->from_completion          ? "the end of the run before"
         : when->start_ns != PAWL_NO_TIME ? "its start (startAt)"
                                          : "its submission";
}

static void
describe_span(const struct pawl_view *view, const struct pawl_when *when,
              const struct pawl_trigger *trigger, char *out)
{
    char least[32], most[32];

    span_text(trigger->time_ns, least);
    span_text(trigger->time_max_ns, most);
    if (view->type == PAWL_DELAY && trigger->time_max_ns > 0)
        snprintf(out, PAWL_WHY_DESCRIPTION_MAX, "once, between %s and %s after it was submitted",
            least, most);
    else if (view->type == PAWL_DELAY)
        snprintf(out, PAWL_WHY_DESCRIPTION_MAX, "once, %s after it was submitted", least);
    else if (trigger->time_max_ns > 0)
        snprintf(out, PAWL_WHY_DESCRIPTION_MAX, "every %s to %s, drawn anew each time, from %s",
            least, most, when->from_completion ? origin_of(when) : "the time before");
    else
        snprintf(out, PAWL_WHY_DESCRIPTION_MAX, "every %s, counted from %s", least,
            origin_of(when));
}

static bool
parse(const struct pawl_view *view, const struct pawl_when *when,
      const struct pawl_trigger *trigger, struct pawl_cron *out_cron,
      struct pawl_cron_notes *out_notes)
{
    struct pawl_cron_options options = {
        .zone = pawl_zone_local(), .dst = trigger->dst, .day_match = trigger->day_match,
        .id = view->id, .id_len = view->id_len,
        .start_s = pawl_calendar_floor(
            when->start_ns != PAWL_NO_TIME ? when->start_ns : view->created_ns, SECOND_NS),
    };

    if (trigger->timezone_len > 0 &&
        pawl_zone_load(trigger->timezone, trigger->timezone_len, &options.zone, NULL) != PAWL_OK)
        return false;
    return pawl_cron_parse(out_cron, trigger->expr, trigger->expr_len, &options, out_notes,
        NULL) == PAWL_OK;
}

static bool
read_expression(const struct pawl_view *view, const struct pawl_when *when,
                const struct pawl_trigger *trigger, struct pawl_why_trigger *out)
{
    size_t len;

    if (!parse(view, when, trigger, &out->cron, &out->notes))
        return false;
    len = pawl_cron_describe(&out->cron, out->description, sizeof out->description);
    if (out->cron.kind == PAWL_CRON_EVERY)
        snprintf(out->description + len, sizeof out->description - len, ", counted from %s",
            origin_of(when));
    return true;
}

bool
pawl_why_read(const struct pawl_view *view, const struct pawl_when *when,
              const struct pawl_trigger *trigger, struct pawl_why_trigger *out)
{
    char time[PAWL_WHY_TIME_MAX];

    out->trigger = trigger;
    switch (trigger->kind) {
    case PAWL_BY_SPAN:
        describe_span(view, when, trigger, out->description);
        return true;
    case PAWL_BY_AT:
        snprintf(out->description, sizeof out->description, "once, at %s",
            pawl_why_time(pawl_zone_local(), trigger->at_ns, time));
        return true;
    default:
        return read_expression(view, when, trigger, out);
    }
}

void
pawl_why_add_warnings(struct pawl_buffer *out, const struct pawl_view *view)
{
    size_t nsaid = 0;

    for (size_t i = 0; view->when != NULL && i < view->when->ntriggers; i++) {
        const struct pawl_trigger *trigger = &view->when->triggers[i];
        struct pawl_cron_notes notes;
        struct pawl_cron cron;

        if ((trigger->kind != PAWL_BY_CRON && trigger->kind != PAWL_BY_CALENDAR) ||
            !parse(view, view->when, trigger, &cron, &notes))
            continue;
        for (size_t j = 0; j < notes.nwarnings && !out->failed; j++) {
            if (nsaid++ == 0) {
                out->len--;
                pawl_buffer_append_str(out, ",\"warnings\":[");
            }
            pawl_why_say(out, "%s", notes.warnings[j]);
        }
    }
    if (nsaid > 0)
        pawl_buffer_append_str(out, "]}");
}

/* --- Sentences --- */

static bool
is_pending(const struct pawl_view *view)
{
    return view->status != PAWL_STOPPED && view->status != PAWL_EXECUTED;
}

static struct pawl_policy
policy_of(const struct pawl_view *view)
{
    struct pawl_policy policy;

    if (view->policy != NULL)
        return *view->policy;
    pawl_policy_init(&policy);
    return policy;
}

static bool
has_reboot(const struct pawl_why *why)
{
    for (size_t i = 0; i < why->when->ntriggers; i++) {
        const struct pawl_why_trigger *read = &why->triggers[i];

        if (read->trigger->kind == PAWL_BY_CRON && read->cron.kind == PAWL_CRON_REBOOT)
            return true;
    }
    return false;
}

/* What becomes of a pause's due times, and of a retry in it. */
static void
say_paused(struct pawl_buffer *out, const struct pawl_why *why)
{
    struct pawl_policy policy = policy_of(why->view);
    static const char start[] = "there is no next run while the task is paused; resumed, ";

    if (why->view->waits_for_retry)
        pawl_why_say(out, "%sit makes attempt %d of run %llu, which waits", start,
            why->view->attempt + 1, (unsigned long long) why->view->run_count);
    else if (policy.misfire == PAWL_MISFIRE_SKIP)
        pawl_why_say(out, "%sit runs nothing of what it missed (misfire skip)", start);
    else if (policy.misfire == PAWL_MISFIRE_ALL)
        pawl_why_say(out, "%sit runs for each time that it missed, at most the newest %u (misfire all)",
            start, policy.misfire_limit);
    else
        pawl_why_say(out, "%sit runs once for all that it missed", start);
}

/* Why there is no next run that could be told. */
static void
say_none(struct pawl_buffer *out, const struct pawl_why *why)
{
    const struct pawl_view *view = why->view;
    const struct pawl_when *when = why->when;
    char time[PAWL_WHY_TIME_MAX];

    if (view->status == PAWL_STOPPED)
        pawl_why_say(out, "there is no next run: the task was stopped");
    else if (view->is_paused)
        say_paused(out, why);
    else if (view->type == PAWL_DELAY)
        pawl_why_say(out, "there is no next run: a delay task runs once, and it %s",
            view->status != PAWL_EXECUTED ? "is running"
            : view->end_reason == PAWL_END_MISSED ? "was missed"
            : view->end_reason == PAWL_END_SKIPPED ? "was skipped" : "has");
    else if (when->max_runs > 0 && pawl_view_scheduled_runs(view) >= when->max_runs)
        pawl_why_say(out, "there is no next run: the task has had all of its %llu (maxRuns)",
            (unsigned long long) when->max_runs);
    else if (view->status == PAWL_EXECUTED && when->end_ns != PAWL_NO_TIME)
        pawl_why_say(out, "there is no next run: no time is left before %s (endAt)",
            pawl_why_time(why->zone, when->end_ns, time));
    else if (view->status == PAWL_EXECUTED)
        pawl_why_say(out, "there is no next run: no time is left");
    else if (view->status == PAWL_EXECUTING && when->from_completion)
        pawl_why_say(out, "when the next run is cannot be told: it is counted from the end of the "
                          "one in progress");
    else if (has_reboot(why))
        pawl_why_say(out, "when the next run is cannot be told: it fires at each start of the daemon");
    else
        pawl_why_say(out, "there is no next run: no time is left");
}

/* What a run waits for whose time has come. */
static void
say_since(struct pawl_buffer *out, const struct pawl_view *view, const char *time)
{
    if (view->waiting == PAWL_WAITING_GROUP)
        pawl_why_say(out, "the next run is due since %s: it waits for a place in the group %s", time,
            policy_of(view).group);
    else if (view->waiting == PAWL_WAITING_WORKER)
        pawl_why_say(out, "the next run is due since %s: it waits for other runs to end, since as many "
                          "are in progress as the daemon may have", time);
    else
        pawl_why_say(out, "the next run is due since %s: it waits for its turn", time);
}

static void
say_next(struct pawl_buffer *out, const struct pawl_why *why)
{
    int64_t left_ns = why->next_ns - why->now_ns;
    char time[PAWL_WHY_TIME_MAX], span[32];

    pawl_why_time(why->zone, why->next_ns, time);
    if (left_ns >= SECOND_NS)
        left_ns -= left_ns % SECOND_NS;
    if (left_ns > 0)
        pawl_why_say(out, "the next run is at %s, in %s", time, wait_text(left_ns, span));
    else
        say_since(out, why->view, time);
}

/* Whether the next run is one of this trigger's, as far as the clock on the wall tells. */
static bool
is_its_time(const struct pawl_why *why, const struct pawl_why_trigger *read)
{
    int64_t due_ns = why->next_ns - why->jitter_ns;

    if (read->trigger->kind == PAWL_BY_AT)
        return read->trigger->at_ns == due_ns;
    return read->trigger->kind != PAWL_BY_SPAN && read->cron.kind != PAWL_CRON_EVERY &&
        due_ns % SECOND_NS == 0 && pawl_cron_match(&read->cron, due_ns / SECOND_NS);
}

static bool
is_span(const struct pawl_why_trigger *read)
{
    return read->trigger->kind == PAWL_BY_SPAN ||
        (read->trigger->kind == PAWL_BY_CRON && read->cron.kind == PAWL_CRON_EVERY);
}

/* Which of several triggers comes next. What no other one explains is a span's. */
static void
say_which(struct pawl_buffer *out, const struct pawl_why *why)
{
    bool is_found = false;

    if (why->view->run_count == 0 && why->when->runs_on_start) {
        pawl_why_say(out, "the next run is the one at its submission");
        return;
    }
    for (int spans = 0; spans < 2 && !is_found; spans++)
        for (size_t i = 0; i < why->when->ntriggers; i++) {
            const struct pawl_why_trigger *read = &why->triggers[i];

            if (spans ? !is_span(read) : !is_its_time(why, read))
                continue;
            pawl_why_say(out, "%s %s", is_found ? "or" : "the next run is of:",
                read->description);
            is_found = true;
        }
}

/* Which attempt it is, and what became of the one before. */
static void
say_retry(struct pawl_buffer *out, const struct pawl_why *why)
{
    const struct pawl_view *view = why->view;
    const struct pawl_result *last = view->nresults > 0 ? view->results[view->nresults - 1] : NULL;
    char code[40] = "";

    pawl_why_say(out, "it is attempt %d of %u of run %llu, which failed", view->attempt + 1,
        view->policy->retries + 1, (unsigned long long) view->run_count);
    if (last == NULL || last->attempt != view->attempt || last->run != view->run_count)
        return;
    if (last->exit_code >= 0)
        snprintf(code, sizeof code, ", exit %d", last->exit_code);
    pawl_why_say(out, "attempt %d ended in %s%s", last->attempt, pawl_outcome_name(last->outcome),
        code);
}

/* What becomes of due times before the end of the run that is in progress, or is tried again. */
static void
say_overlap(struct pawl_buffer *out, const struct pawl_why *why)
{
    const struct pawl_view *view = why->view;
    struct pawl_policy policy = policy_of(view);
    unsigned long long run = view->run_count;
    const char *state = view->waits_for_retry ? "is tried again" : "is in progress";

    if (policy.overlap == PAWL_OVERLAP_QUEUE)
        pawl_why_say(out, "run %llu %s: of what falls due before its end, the newest %u run after it "
                          "(overlap queue)", run, state, policy.queue_limit);
    else if (policy.overlap == PAWL_OVERLAP_REPLACE)
        pawl_why_say(out, "run %llu %s: what falls due before its end ends it (overlap replace)", run,
            state);
    else if (policy.overlap == PAWL_OVERLAP_ALLOW)
        pawl_why_say(out, "%d runs are in progress: what falls due runs beside them while there are "
                          "fewer than %u (overlap allow)", view->running, policy.max_running);
    else
        pawl_why_say(out, "run %llu %s: what falls due before its end is skipped", run, state);
}

/* Due times that have come and run one after the other. */
static void
say_waiting(struct pawl_buffer *out, const struct pawl_why *why)
{
    struct pawl_policy policy = policy_of(why->view);
    bool is_queue = policy.overlap == PAWL_OVERLAP_QUEUE, is_all = policy.misfire == PAWL_MISFIRE_ALL;
    const char *cause = is_queue && is_all ? " (overlap queue, misfire all)"
                      : is_queue           ? " (overlap queue)"
                      : is_all             ? " (misfire all)" : "";
    size_t n = why->nwaiting;

    if (why->view->running > 0 && n == 1)
        pawl_why_say(out, "a due time has come and waits for the end of the run%s", cause);
    else if (n > 1)
        pawl_why_say(out, "%s%zu due times have come and run one after the other%s",
            n == PAWL_WHY_WAITING_MAX ? "at least " : "", n, cause);
}

static void
say_triggers(struct pawl_buffer *out, const struct pawl_why *why)
{
    const struct pawl_view *view = why->view;

    for (size_t i = 0; i < why->when->ntriggers; i++)
        pawl_why_say(out, "%s %s", i == 0 ? "it fires" : "and", why->triggers[i].description);
    if (why->when->runs_on_start)
        pawl_why_say(out, "and once at its submission (runOnStart)");
    if (why->next_ns != PAWL_NO_TIME && view->retry_ns == PAWL_NO_TIME && (why->when->ntriggers > 1 || why->when->runs_on_start))
        say_which(out, why);
    if ((view->status == PAWL_EXECUTING || view->waits_for_retry) && view->type == PAWL_CRON &&
        !why->when->from_completion)
        say_overlap(out, why);
    else if (view->status == PAWL_STOPPED && view->running > 0)
        pawl_why_say(out, "run %llu is left to end", (unsigned long long) view->run_count);
}

static void
say_bounds(struct pawl_buffer *out, const struct pawl_why *why)
{
    const struct pawl_when *when = why->when;
    uint64_t nruns = pawl_view_scheduled_runs(why->view);
    char time[PAWL_WHY_TIME_MAX];

    if (when->start_ns > why->now_ns)
        pawl_why_say(out, "nothing before %s (startAt)",
            pawl_why_time(why->zone, when->start_ns, time));
    if (when->end_ns != PAWL_NO_TIME)
        pawl_why_say(out, "nothing after %s (endAt)",
            pawl_why_time(why->zone, when->end_ns, time));
    if (when->max_runs > nruns)
        pawl_why_say(out, "%llu of %llu runs are left (maxRuns)",
            (unsigned long long) (when->max_runs - nruns), (unsigned long long) when->max_runs);
    if (why->view->action != NULL && why->view->action->condition != NULL)
        pawl_why_say(out, "each run begins with its condition, and is skipped if that fails (condition)");
}

static void
say_jitter(struct pawl_buffer *out, const struct pawl_why *why)
{
    char time[PAWL_WHY_TIME_MAX], applied[32], most[32];

    if (why->when->jitter_ns == 0 || why->next_ns == PAWL_NO_TIME)
        return;
    pawl_why_say(out, "its time is %s; it is put off by %s of up to %s (jitter), %s",
        pawl_why_time(why->zone, why->next_ns - why->jitter_ns, time),
        span_text(why->jitter_ns, applied), span_text(why->when->jitter_ns, most),
        why->when->is_jitter_random ? "drawn anew for each time" : "which the id decides");
}

static void
say_counters(struct pawl_buffer *out, const struct pawl_why *why)
{
    if (why->view->skipped_overlap > 0)
        pawl_why_say(out, "%llu due times passed during a run and were skipped",
            (unsigned long long) why->view->skipped_overlap);
    if (why->view->skipped_condition > 0)
        pawl_why_say(out, "%llu due times were skipped because the condition failed",
            (unsigned long long) why->view->skipped_condition);
    if (why->view->skipped_group > 0)
        pawl_why_say(out, "%llu due times were skipped because the group of the task was full",
            (unsigned long long) why->view->skipped_group);
    if (why->view->missed > 0)
        pawl_why_say(out, "%llu due times passed while no daemon ran, the machine slept, the clock was "
                          "set over them, or the task was paused%s",
            (unsigned long long) why->view->missed,
            why->when->is_jitter_random && why->when->jitter_ns > 0
                ? ", or were overtaken by later ones (jitterMode random)" : "");
}

void
pawl_why_write(struct pawl_buffer *out, const struct pawl_why *why)
{
    if (why->next_ns == PAWL_NO_TIME)
        say_none(out, why);
    else
        say_next(out, why);
    if (why->view->retry_ns != PAWL_NO_TIME)
        say_retry(out, why);
    say_triggers(out, why);
    say_waiting(out, why);
    if (is_pending(why->view))
        say_bounds(out, why);
    if (is_pending(why->view) && why->view->retry_ns == PAWL_NO_TIME) {
        say_jitter(out, why);
        pawl_why_write_changes(out, why);
    }
    say_counters(out, why);
}
