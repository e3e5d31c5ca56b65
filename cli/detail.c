/* detail.c: a task as lines for people, for `pawl get` and its watch.
 * One thread. Pure. What a script printed is escaped like everything else, so that it
 * cannot play with the terminal; -o json has it byte by byte. */
#include "detail.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "fields.h"
#include "glyph.h"

/* Appends the lines of a text, each after a mark; a last newline adds no empty line. */
static void
add_lines(struct pawl_text *out, const char *mark, const char *s, size_t len)
{
    if (len && s[len - 1] == '\n')
        len--;
    for (size_t i = 0; s && i <= len;) {
        const char *end = memchr(s + i, '\n', len - i);
        size_t n = end ? (size_t)(end - (s + i)) : len - i;
        pawl_text_puts(out, mark);
        pawl_glyph_escape(out, s + i, n, true);
        pawl_text_puts(out, "\n");
        i += n + 1;
    }
}

static void
add_output(
    struct pawl_text *out, const char *mark, const json_t *result, const char *name)
{
    size_t len;
    const char *s = pawl_fields_string(result, name, &len);
    if (s && len)
        add_lines(out, mark, s, len);
}

static void
add_string(struct pawl_text *out, const json_t *object, const char *name)
{
    size_t len;
    const char *s = pawl_fields_string(object, name, &len);
    if (s)
        pawl_glyph_escape(out, s, len, false);
    else
        pawl_text_puts(out, "-");
}

static void
add_result(struct pawl_text *out, const json_t *result, const struct timespec *now)
{
    bool is_signal = json_is_string(json_object_get(result, "signal"));

    pawl_text_puts(out, "  ");
    pawl_fields_add_point(out, result, "timestamp", now, PAWL_FIELDS_FULL);
    pawl_text_puts(out, "  ");
    add_string(out, result, "outcome");
    if (is_signal) {
        pawl_text_puts(out, ", ");
        add_string(out, result, "signal");
    } else if (json_is_integer(json_object_get(result, "httpStatus"))) {
        pawl_text_printf(
            out, ", HTTP %" PRId64, pawl_fields_number(result, "httpStatus", 0));
    } else if (json_is_integer(json_object_get(result, "exitCode"))) {
        pawl_text_printf(
            out, ", exit %" PRId64, pawl_fields_number(result, "exitCode", 0));
    }
    if (json_is_integer(json_object_get(result, "durationNs"))) {
        pawl_text_puts(out, ", took ");
        pawl_fields_add_duration(out, result, "durationNs");
    }
    if (pawl_fields_number(result, "attempt", 1) > 1)
        pawl_text_printf(
            out, ", attempt %" PRId64, pawl_fields_number(result, "attempt", 1));
    if (json_is_true(json_object_get(result, "truncated")))
        pawl_text_puts(out, ", output shortened");
    pawl_text_puts(out, "\n");
    add_output(out, "    | ", result, "result");
    add_output(out, "    ! ", result, "stderr");
}

/* " (retry 2 of 5 at 15:04:05)" while one waits, without the time while one runs. */
static void
add_retry(struct pawl_text *out, const json_t *task, const struct timespec *now)
{
    int64_t attempt = pawl_fields_number(task, "attempt", 0);
    const char *waits = pawl_fields_string(task, "waitingFor", NULL);

    if (attempt < 2)
        return;
    pawl_text_printf(out, " (retry %" PRId64 " of %" PRId64, attempt - 1,
        pawl_fields_number(task, "retries", 0));
    if (waits && strcmp(waits, "retry") == 0 && json_is_string(json_object_get(task, "nextRun"))) {
        pawl_text_puts(out, " at ");
        pawl_fields_add_point(out, task, "nextRun", now, PAWL_FIELDS_SHORT);
    }
    pawl_text_puts(out, ")");
}

static void
add_state(
    struct pawl_text *out, const json_t *task, const struct timespec *now, bool has_colour)
{
    const char *state = pawl_fields_state(task);
    const char *colour = has_colour ? pawl_fields_colour(state) : NULL;
    if (colour)
        pawl_text_printf(out, "\033[%sm", colour);
    pawl_glyph_escape(out, state, strlen(state), false);
    if (colour)
        pawl_text_puts(out, "\033[0m");
    if (json_is_true(json_object_get(task, "paused")))
        pawl_text_puts(out, " (paused)");
    const char *waits = pawl_fields_string(task, "waitingFor", NULL);
    add_retry(out, task, now);
    if (waits && strcmp(waits, "group") == 0)
        pawl_text_puts(out, " (waits for a place in its group)");
    else if (waits && strcmp(waits, "worker") == 0)
        pawl_text_puts(out, " (waits: as many runs as may be are in progress)");
}

/* "NAME       " before a field's text. */
static void
add_name(struct pawl_text *out, const char *name)
{
    pawl_text_printf(out, "%-10s", name);
}

static void
add_point_line(struct pawl_text *out, const char *title, const json_t *task,
    const char *name, const struct timespec *now)
{
    if (!json_is_string(json_object_get(task, name)))
        return;
    add_name(out, title);
    pawl_fields_add_point(out, task, name, now, PAWL_FIELDS_RELATIVE);
    pawl_text_puts(out, "\n");
}

/* What an expression depends on: its zone, and policies that are not as by default. */
static void
add_zone(struct pawl_text *out, const json_t *task)
{
    const char *dst = pawl_fields_string(task, "dst", NULL);
    const char *match = pawl_fields_string(task, "dayMatch", NULL);

    add_string(out, task, "timezone");
    if (dst && strcmp(dst, "run-after") != 0) {
        pawl_text_puts(out, ", dst ");
        add_string(out, task, "dst");
    }
    if (match && strcmp(match, "or") != 0) {
        pawl_text_puts(out, ", days as ");
        add_string(out, task, "dayMatch");
    }
}

static bool
has_expression(const json_t *task)
{
    return json_is_string(json_object_get(task, "cron")) ||
           json_is_string(json_object_get(task, "calendar"));
}

/* One trigger, or the task itself where it is the only one: a line, and the zone. */
static void
add_trigger(struct pawl_text *out, const char *title, const json_t *trigger,
    const struct timespec *now)
{
    struct pawl_text when = {0};

    pawl_fields_add_when(&when, trigger, now, PAWL_FIELDS_RELATIVE);
    add_name(out, title);
    pawl_glyph_escape(out, when.data, when.len, false);
    pawl_text_fini(&when);
    if (has_expression(trigger)) {
        pawl_text_puts(out, " (");
        add_zone(out, trigger);
        pawl_text_puts(out, ")");
    }
    pawl_text_puts(out, "\n");
}

/* What bounds and spreads the times. */
static void
add_bounds(struct pawl_text *out, const json_t *task, const struct timespec *now)
{
    const char *mode = pawl_fields_string(task, "jitterMode", NULL);
    const char *from = pawl_fields_string(task, "intervalFrom", NULL);

    add_point_line(out, "START", task, "startAt", now);
    add_point_line(out, "END", task, "endAt", now);
    if (json_is_integer(json_object_get(task, "maxRuns")))
        pawl_text_printf(out, "%-10s%" PRId64 " runs\n", "LIMIT",
            pawl_fields_number(task, "maxRuns", 0));
    if (json_is_integer(json_object_get(task, "jitter"))) {
        pawl_text_printf(out, "%-10sup to ", "JITTER");
        pawl_fields_add_duration(out, task, "jitter");
        pawl_text_puts(
            out, mode && strcmp(mode, "random") == 0 ? ", another each time\n" : "\n");
    }
    if (json_is_true(json_object_get(task, "runOnStart")))
        pawl_text_printf(out, "%-10sonce at submission, too\n", "ON START");
    if (from && strcmp(from, "completion") == 0)
        pawl_text_printf(out, "%-10scounted from the end of a run\n", "SPANS");
}

static void
add_when(struct pawl_text *out, const json_t *task, const struct timespec *now)
{
    const json_t *triggers = json_object_get(task, "triggers");

    if (!json_array_size(triggers))
        add_trigger(out, "TIME", task, now);
    for (size_t i = 0; i < json_array_size(triggers); i++)
        add_trigger(out, i == 0 ? "TIME" : "", json_array_get(triggers, i), now);
    add_bounds(out, task, now);
}

static void
add_string_line(
    struct pawl_text *out, const char *title, const json_t *task, const char *name)
{
    if (!json_is_string(json_object_get(task, name)))
        return;
    add_name(out, title);
    add_string(out, task, name);
    pawl_text_puts(out, "\n");
}

/* The call that is made instead of running a script. */
static void
add_call(struct pawl_text *out, const json_t *task, json_t *http)
{
    json_t *headers = json_object_get(http, "headers"), *value;
    const json_t *codes = json_object_get(http, "successCodes");
    const char *name, *title = "HEADERS";
    struct pawl_text what = {0};

    add_name(out, "CALL");
    pawl_fields_add_what(&what, task);
    pawl_glyph_escape(out, what.data, what.len, false);
    pawl_text_fini(&what);
    pawl_text_puts(out, "\n");
    json_object_foreach(headers, name, value)
    {
        add_name(out, title);
        pawl_glyph_escape(out, name, strlen(name), false);
        pawl_text_puts(out, ": ");
        pawl_glyph_escape(out, json_string_value(value), json_string_length(value), false);
        pawl_text_puts(out, "\n");
        title = "";
    }
    add_string_line(out, "BODY", http, "body");
    for (size_t i = 0; i < json_array_size(codes); i++) {
        const json_t *code = json_array_get(codes, i);

        pawl_text_printf(out, i == 0 ? "%-10s" : "%s", i == 0 ? "SUCCESS" : ", ");
        if (json_is_string(code))
            pawl_glyph_escape(out, json_string_value(code), json_string_length(code), false);
        else
            pawl_text_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(code));
    }
    pawl_text_puts(out, json_array_size(codes) > 0 ? "\n" : "");
    if (json_is_integer(json_object_get(http, "maxRedirects")))
        pawl_text_printf(out, "%-10sat most %" PRId64 "\n", "REDIRECTS",
            pawl_fields_number(http, "maxRedirects", 0));
}

static void
add_script(struct pawl_text *out, const json_t *task)
{
    size_t len;
    const char *s = pawl_fields_string(task, "script", &len);
    size_t trimmed = s && len && s[len - 1] == '\n' ? len - 1 : len;

    if (s && memchr(s, '\n', trimmed)) {
        pawl_text_puts(out, "SCRIPT\n");
        add_lines(out, "    ", s, len);
    } else {
        add_name(out, "SCRIPT");
        pawl_glyph_escape(out, s ? s : "-", s ? trimmed : 1, true);
        pawl_text_puts(out, "\n");
    }
}

static void
add_tags(struct pawl_text *out, const json_t *task)
{
    const json_t *tags = json_object_get(task, "tags");

    for (size_t i = 0; i < json_array_size(tags); i++) {
        const char *tag = json_string_value(json_array_get(tags, i));

        if (i == 0)
            add_name(out, "TAGS");
        else
            pawl_text_puts(out, ", ");
        if (tag)
            pawl_glyph_escape(out, tag, strlen(tag), false);
    }
    pawl_text_puts(out, json_array_size(tags) > 0 ? "\n" : "");
}

static void
add_span_line(
    struct pawl_text *out, const char *title, const json_t *task, const char *name)
{
    if (!json_is_integer(json_object_get(task, name)))
        return;
    add_name(out, title);
    pawl_fields_add_duration(out, task, name);
    pawl_text_puts(out, "\n");
}

/* How the script is run, as far as the task says it. */
static void
add_how(struct pawl_text *out, const json_t *task)
{
    json_t *args = json_object_get(task, "args"), *env = json_object_get(task, "env");
    const char *name, *title = "ENV";
    json_t *value;

    add_string_line(out, "PROGRAM", task, "interpreter");
    for (size_t i = 0; i < json_array_size(args); i++) {
        value = json_array_get(args, i);
        add_name(out, i == 0 ? "ARGS" : "");
        pawl_glyph_escape(out, json_string_value(value), json_string_length(value), false);
        pawl_text_puts(out, "\n");
    }
    json_object_foreach(env, name, value)
    {
        add_name(out, title);
        pawl_glyph_escape(out, name, strlen(name), false);
        pawl_text_puts(out, "=");
        pawl_glyph_escape(out, json_string_value(value), json_string_length(value), false);
        pawl_text_puts(out, "\n");
        title = "";
    }
    add_string_line(out, "CWD", task, "cwd");
    add_string_line(out, "UMASK", task, "umask");
    add_span_line(out, "TIMEOUT", task, "timeout");
    add_span_line(out, "GRACE", task, "killGrace");
    add_string_line(out, "KILLS", task, "killMode");
    add_string_line(out, "CONDITION", task, "condition");
}

/* "5, after 10s, each 2 times the one before, at most 1m0s, and up to 1s more, on exit 1, 75". */
static void
add_retries(struct pawl_text *out, const json_t *task)
{
    const json_t *codes = json_object_get(task, "retryOn"),
                 *backoff = json_object_get(task, "retryBackoff");

    pawl_text_printf(
        out, "%-10s%" PRId64 ", after ", "RETRIES", pawl_fields_number(task, "retries", 0));
    if (json_object_get(task, "retryDelay"))
        pawl_fields_add_duration(out, task, "retryDelay");
    else
        pawl_text_puts(out, "1s");
    if (backoff)
        pawl_text_printf(out, ", each %g times the one before", json_number_value(backoff));
    if (json_object_get(task, "retryMaxDelay")) {
        pawl_text_puts(out, ", at most ");
        pawl_fields_add_duration(out, task, "retryMaxDelay");
    }
    if (json_object_get(task, "retryJitter")) {
        pawl_text_puts(out, ", and up to ");
        pawl_fields_add_duration(out, task, "retryJitter");
        pawl_text_puts(out, " more");
    }
    for (size_t i = 0; i < json_array_size(codes); i++)
        pawl_text_printf(out, "%s%" JSON_INTEGER_FORMAT, i == 0 ? ", on exit " : ", ",
            json_integer_value(json_array_get(codes, i)));
    pawl_text_puts(out, "\n");
}

/* What happens when something is in the way, as far as it is not as by default. */
static void
add_policies(struct pawl_text *out, const json_t *task)
{
    const char *overlap = pawl_fields_string(task, "overlap", NULL);
    const char *misfire = pawl_fields_string(task, "misfire", NULL);

    if (overlap) {
        add_name(out, "OVERLAP");
        add_string(out, task, "overlap");
        if (strcmp(overlap, "queue") == 0)
            pawl_text_printf(
                out, ", at most %" PRId64 " wait", pawl_fields_number(task, "queueLimit", 1));
        if (strcmp(overlap, "allow") == 0)
            pawl_text_printf(
                out, ", at most %" PRId64 " at once", pawl_fields_number(task, "maxRunning", 10));
        pawl_text_puts(out, "\n");
    }
    if (misfire || json_object_get(task, "misfireGrace")) {
        pawl_text_printf(out, "%-10s", "MISFIRE");
        if (misfire)
            add_string(out, task, "misfire");
        else
            pawl_text_puts(out, "once");
        if (misfire && strcmp(misfire, "all") == 0)
            pawl_text_printf(
                out, ", the newest %" PRId64, pawl_fields_number(task, "misfireLimit", 100));
        if (json_object_get(task, "misfireGrace")) {
            pawl_text_puts(out, ", none later than ");
            pawl_fields_add_duration(out, task, "misfireGrace");
        }
        pawl_text_puts(out, "\n");
    }
    if (json_object_get(task, "retries"))
        add_retries(out, task);
    if (json_object_get(task, "group")) {
        add_name(out, "GROUP");
        add_string(out, task, "group");
        if (json_object_get(task, "groupOverflow"))
            pawl_text_puts(out, ", skipped when it is full");
        pawl_text_puts(out, "\n");
    }
}

/* " (1 failed, 3 missed, 2 skipped)": runs that failed, and due times without a run. */
static void
add_counts(struct pawl_text *out, const json_t *task)
{
    const struct {
        int64_t n;
        const char *what;
    } counts[] = {
        {pawl_fields_number(task, "failureCount", 0), "failed"},
        {pawl_fields_number(task, "missed", 0), "missed"},
        {pawl_fields_skipped(task), "skipped"},
    };
    const char *before = " (";

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].n > 0) {
            pawl_text_printf(out, "%s%" PRId64 " %s", before, counts[i].n, counts[i].what);
            before = ", ";
        }
    pawl_text_puts(out, *before == ',' ? ")" : "");
}

void
pawl_detail_task(struct pawl_text *out, const json_t *task, const struct timespec *now,
    bool has_colour)
{
    const json_t *results = json_object_get(task, "results");
    json_t *http = json_object_get(json_object_get(task, "action"), "http");
    const char *reason = json_string_value(json_object_get(task, "endReason"));
    int64_t nrunning = pawl_fields_number(task, "running", 0);

    add_name(out, "ID");
    add_string(out, task, "id");
    pawl_text_puts(out, "\n");
    add_name(out, "TYPE");
    add_string(out, task, "taskType");
    pawl_text_puts(out, "\n");
    add_when(out, task, now);
    if (http)
        add_call(out, task, http);
    else
        add_script(out, task);
    add_tags(out, task);
    add_how(out, task);
    add_policies(out, task);
    add_name(out, "STATUS");
    add_state(out, task, now, has_colour);
    if (nrunning > 0 && strcmp(pawl_fields_state(task), "Executing") != 0)
        pawl_text_printf(out, " (%" PRId64 " still running)", nrunning);
    if (reason && strcmp(reason, "done") != 0) {
        pawl_text_puts(out, " (");
        pawl_glyph_escape(out, reason, strlen(reason), false);
        pawl_text_puts(out, ")");
    }
    pawl_text_puts(out, "\n");
    add_name(out, "VERSION");
    pawl_fields_add_number(out, task, "version");
    pawl_text_puts(out, "\n");
    add_point_line(out, "CREATED", task, "createdAt", now);
    add_point_line(out, "UPDATED", task, "lastStatusUpdated", now);
    add_point_line(out, "PREVIOUS", task, "previousRun", now);
    add_point_line(out, "NEXT", task, "nextRun", now);
    add_name(out, "RUNS");
    pawl_fields_add_number(out, task, "runCount");
    add_counts(out, task);
    pawl_text_puts(out, "\n");
    add_name(out, "RESULTS");
    pawl_text_printf(out, "%zu (the newest ", json_array_size(results));
    pawl_fields_add_number(out, task, "keepResults");
    pawl_text_puts(out, " are kept)\n");
    for (size_t i = 0; i < json_array_size(results); i++)
        add_result(out, json_array_get(results, i), now);
}

/* Results have no number; these fields together name a run. */
static bool
is_same_run(const json_t *a, const json_t *b)
{
    static const char *const fields[] = {
        "startedAt", "scheduledFor", "timestamp", "attempt"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const json_t *x = json_object_get(a, fields[i]),
                     *y = json_object_get(b, fields[i]);
        if (x != y && !json_equal(x, y))
            return false;
    }
    return true;
}

size_t
pawl_detail_first_new(const json_t *before, const json_t *task)
{
    const json_t *old = json_object_get(before, "results");
    const json_t *new = json_object_get(task, "results");
    size_t nold = json_array_size(old), i = json_array_size(new);

    if (!nold)
        return 0;
    const json_t *last = json_array_get(old, nold - 1);
    while (i > 0 && !is_same_run(last, json_array_get(new, i - 1)))
        i--;
    return i;
}

void
pawl_detail_change(struct pawl_text *out, const json_t *before, const json_t *task,
    const struct timespec *now, bool has_colour)
{
    const json_t *results = json_object_get(task, "results");

    pawl_fields_add_point(out, task, "lastStatusUpdated", now, PAWL_FIELDS_FULL);
    pawl_text_puts(out, "  ");
    add_state(out, task, now, has_colour);
    pawl_text_puts(out, "  version ");
    pawl_fields_add_number(out, task, "version");
    if (json_is_string(json_object_get(task, "nextRun"))) {
        pawl_text_puts(out, "  next ");
        pawl_fields_add_point(out, task, "nextRun", now, PAWL_FIELDS_FULL);
    }
    pawl_text_puts(out, "\n");
    for (size_t i = pawl_detail_first_new(before, task); i < json_array_size(results);
         i++)
        add_result(out, json_array_get(results, i), now);
}
