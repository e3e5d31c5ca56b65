/* next.c: previews: what an expression means, when it fires, and whether a time is one of its
 * times. Asks the same code that fires tasks; needs no task. */
#include <string.h>
#include <time.h>

#include "../engine/calendar.h"
#include "../engine/cron.h"
#include "json_write.h"
#include "params.h"
#include "tasks.h"

#define TIMES_MAX 1000              /* in one answer */
#define TIMES_DEFAULT 5
#define DESCRIPTION_MAX 1024
#define YEAR_0_S INT64_C(-62167219200)
#define YEAR_10000_S INT64_C(253402300800)

#define SHOWN(value) (int) ((value)->len < 64 ? (value)->len : 64), (value)->text

/* What the parameters ask, and what the expression is. */
struct question {
    struct pawl_cron_options options;
    struct pawl_cron_notes notes;
    struct pawl_cron cron;
    bool has_start;
};

static bool
read_policies(struct pawl_request *request, struct pawl_cron_options *options)
{
    const struct pawl_text *dst = pawl_uri_param(&request->uri, "dst");
    const struct pawl_text *match = pawl_uri_param(&request->uri, "dayMatch");

    if (dst != NULL && !pawl_cron_dst_named(dst->text, dst->len, &options->dst)) {
        pawl_request_fail(request, 400, "dst",
            "dst must be run-after, once, twice or shift, not '%.*s'", SHOWN(dst));
        return false;
    }
    if (match != NULL &&
        !pawl_cron_day_match_named(match->text, match->len, &options->day_match)) {
        pawl_request_fail(request, 400, "dayMatch", "dayMatch must be 'or' or 'vixie', not '%.*s'",
            SHOWN(match));
        return false;
    }
    return true;
}

static void
refuse(struct pawl_request *request, const struct pawl_err *err, size_t position)
{
    struct pawl_problem problem;

    pawl_problem_from_err(&problem, err);
    problem.position = (int) position;
    pawl_request_refuse(request, &problem);
}

/* Reads everything but the time that is asked for; intervals are counted from start_s unless
 * `start` says otherwise. False: it was refused. */
static bool
read_question(struct pawl_request *request, int64_t start_s, struct question *question)
{
    const struct pawl_text *expr = pawl_uri_param(&request->uri, "expr");
    const struct pawl_text *id = pawl_uri_param(&request->uri, "id");
    struct pawl_cron_options *options = &question->options;
    struct pawl_err err;
    uint32_t ns = 0;

    *options = (struct pawl_cron_options){.zone = pawl_zone_local(), .start_s = start_s};
    question->has_start = pawl_uri_param(&request->uri, "start") != NULL;
    if (expr == NULL) {
        pawl_request_fail(request, 400, "expr", "expr is missing: the expression that is asked "
            "about, such as expr=0+9+*+*+mon-fri");
        return false;
    }
    if (!read_policies(request, options) ||
        !pawl_param_time(request, "start", &options->start_s, &ns) ||
        !pawl_param_zone(request, &options->zone))
        return false;
    if (id != NULL) {
        options->id = id->text;
        options->id_len = id->len;
    }
    if (pawl_cron_parse(&question->cron, expr->text, expr->len, options, &question->notes, &err) !=
        PAWL_OK) {
        refuse(request, &err, question->notes.position);
        return false;
    }
    return true;
}

static void
put_string(struct pawl_buffer *out, const char *text)
{
    pawl_json_write_string(out, text, strlen(text));
}

/* The members that both answers end with. extra is one warning more, or NULL. */
static void
put_explanation(struct pawl_buffer *out, const struct question *question, const char *extra)
{
    char description[DESCRIPTION_MAX];
    size_t len = pawl_cron_describe(&question->cron, description, sizeof description);

    pawl_buffer_append_str(out, ",\"timezone\":");
    put_string(out, pawl_zone_name(question->cron.zone));
    pawl_buffer_append_str(out, ",\"description\":");
    pawl_json_write_string(out, description, len);
    pawl_buffer_append_str(out, ",\"warnings\":[");
    for (size_t i = 0; i < question->notes.nwarnings; i++) {
        pawl_buffer_append_str(out, i > 0 ? "," : "");
        put_string(out, question->notes.warnings[i]);
    }
    if (extra != NULL) {
        pawl_buffer_append_str(out, question->notes.nwarnings > 0 ? "," : "");
        put_string(out, extra);
    }
    pawl_buffer_append_str(out, "]}");
}

/* Appends up to n times (-n of them, going back) and returns how many there are. */
static int64_t
put_times(struct pawl_buffer *out, const struct pawl_cron *cron, int64_t from_s, uint32_t from_ns,
          int64_t n)
{
    bool is_back = n < 0;
    int64_t time = is_back && from_ns > 0 ? from_s + 1 : from_s, count = 0;

    for (n = is_back ? -n : n; count < n; count++) {
        struct pawl_zone_span span;
        char text[PAWL_RFC3339_MAX];

        time = is_back ? pawl_cron_prev(cron, time) : pawl_cron_next(cron, time);
        if (time == PAWL_CRON_NEVER)
            break;
        pawl_zone_at(cron->zone, time, &span);
        if (time + span.offset_s < YEAR_0_S || time + span.offset_s >= YEAR_10000_S)
            break;                          /* RFC 3339 has no such year */
        pawl_buffer_append_str(out, count > 0 ? "," : "");
        pawl_json_write_string(out, text, pawl_calendar_format(time, span.offset_s, text));
    }
    return count;
}

static const char *
why_none(const struct pawl_cron *cron, bool is_back)
{
    if (cron->kind == PAWL_CRON_REBOOT)
        return "this fires at each start of the daemon, which is at no known time";
    return is_back ? "this has no time in the 400 years before"
                   : "this never fires: it has no time in the 400 years ahead";
}

void
pawl_tasks_next(struct pawl_request *request)
{
    struct pawl_buffer *out = &request->answer;
    struct question question;
    struct timespec now;
    int64_t from_s, n = TIMES_DEFAULT, count;
    uint32_t from_ns;

    clock_gettime(CLOCK_REALTIME, &now);
    from_s = now.tv_sec;
    from_ns = (uint32_t) now.tv_nsec;
    if (!pawl_param_time(request, "from", &from_s, &from_ns) ||
        !pawl_param_int(request, "n", -TIMES_MAX, TIMES_MAX, &n) ||
        !read_question(request, from_s, &question))
        return;
    pawl_buffer_append_str(out, "{\"times\":[");
    count = put_times(out, &question.cron, from_s, from_ns, n);
    pawl_buffer_append_str(out, "]");
    put_explanation(
        out, &question, count == 0 && n != 0 ? why_none(&question.cron, n < 0) : NULL);
    pawl_request_answer(request, 200);
}

/* Whether its times depend on what they are counted from. */
static bool
needs_start(const struct pawl_cron *cron)
{
    return cron->kind == PAWL_CRON_EVERY || cron->interval > 1;
}

void
pawl_tasks_match(struct pawl_request *request)
{
    struct pawl_buffer *out = &request->answer;
    struct question question;
    int64_t at_s = 0;
    uint32_t at_ns = 0;

    if (pawl_uri_param(&request->uri, "at") == NULL) {
        pawl_request_fail(request, 400, "at",
            "at is missing: the time that is asked about, such as at=2026-03-29T01:30:00Z");
        return;
    }
    if (!pawl_param_time(request, "at", &at_s, &at_ns) || !read_question(request, at_s, &question))
        return;
    if (!question.has_start && needs_start(&question.cron)) {
        pawl_request_fail(request, 400, "start",
            "start is missing: the times of an interval depend on what it is counted from");
        return;
    }
    pawl_buffer_append_str(out, at_ns == 0 && pawl_cron_match(&question.cron, at_s)
                                    ? "{\"match\":true"
                                    : "{\"match\":false");
    put_explanation(out, &question, NULL);
    pawl_request_answer(request, 200);
}
