/* fields.c: reads single fields of a task document and words them for people.
 * One thread. Pure but for the local time zone. Where they stand on the screen is
 * print.c's and detail.c's. */
#include "fields.h"

#include <inttypes.h>
#include <string.h>

#include "glyph.h"
#include "times.h"

/* By their number on the wire. */
static const struct state {
    const char *name;
    const char *colour;
} states[] = {
    {"ToBeExecuted", NULL},
    {"Executed", "32"},
    {"Executing", "33"},
    {"WaitForNextExecution", "36"},
    {"Stopped", "31"},
};

#define NSTATES (sizeof states / sizeof states[0])

const char *
pawl_fields_string(const json_t *task, const char *name, size_t *out_len)
{
    const json_t *field = json_object_get(task, name);
    if (out_len)
        *out_len = json_string_length(field);
    return json_string_value(field);
}

int64_t
pawl_fields_number(const json_t *task, const char *name, int64_t fallback)
{
    const json_t *field = json_object_get(task, name);
    return json_is_integer(field) ? json_integer_value(field) : fallback;
}

int64_t
pawl_fields_skipped(const json_t *task)
{
    const char *reason;
    json_t *n;
    int64_t all = 0;

    json_object_foreach (json_object_get(task, "skipped"), reason, n)
        all += json_integer_value(n);
    return all;
}

const char *
pawl_fields_state(const json_t *task)
{
    const char *state = pawl_fields_string(task, "state", NULL);
    int64_t number = pawl_fields_number(task, "status", -1);
    if (state)
        return state;
    return number >= 0 && number < (int64_t)NSTATES ? states[number].name : "-";
}

const char *
pawl_fields_colour(const char *state)
{
    for (size_t i = 0; i < NSTATES; i++)
        if (strcmp(states[i].name, state) == 0)
            return states[i].colour;
    return NULL;
}

bool
pawl_fields_is_final(const json_t *task)
{
    const char *state = pawl_fields_state(task);
    return strcmp(state, "Executed") == 0 ||
           (strcmp(state, "Stopped") == 0 && pawl_fields_number(task, "running", 0) <= 0);
}

void
pawl_fields_add_number(struct pawl_text *out, const json_t *task, const char *name)
{
    const json_t *field = json_object_get(task, name);
    if (json_is_integer(field))
        pawl_text_printf(out, "%" PRId64, (int64_t)json_integer_value(field));
    else
        pawl_text_puts(out, "-");
}

void
pawl_fields_add_duration(struct pawl_text *out, const json_t *task, const char *name)
{
    char text[PAWL_TIMES_SIZE] = "-";
    const json_t *field = json_object_get(task, name);
    if (json_is_integer(field))
        pawl_times_format_duration(json_integer_value(field), text);
    pawl_text_puts(out, text);
}

void
pawl_fields_add_point(struct pawl_text *out, const json_t *task, const char *name,
    const struct timespec *now, enum pawl_fields_style style)
{
    char text[PAWL_TIMES_SIZE];
    struct timespec point;
    const char *s = pawl_fields_string(task, name, NULL);

    if (!s || !pawl_times_parse_point(s, &point)) {
        pawl_glyph_escape(out, s ? s : "-", s ? strlen(s) : 1, false);
        return;
    }
    if (style == PAWL_FIELDS_SHORT)
        pawl_times_format_short(&point, now, text);
    else
        pawl_times_format_full(&point, text);
    pawl_text_puts(out, text);
    if (style == PAWL_FIELDS_RELATIVE) {
        pawl_times_format_relative(&point, now, text);
        pawl_text_printf(out, " (%s)", text);
    }
}

void
pawl_fields_add_when(struct pawl_text *out, const json_t *task, const struct timespec *now,
    enum pawl_fields_style style)
{
    const json_t *triggers = json_object_get(task, "triggers");
    size_t ntriggers = json_array_size(triggers), len;
    const json_t *first = ntriggers ? json_array_get(triggers, 0) : task;
    const char *expr = pawl_fields_string(first, "cron", &len);

    if (!expr)
        expr = pawl_fields_string(first, "calendar", &len);
    if (expr) {
        pawl_text_append(out, expr, len);
        const char *zone = pawl_fields_string(first, "timezone", &len);
        if (zone && style == PAWL_FIELDS_FULL) {
            pawl_text_puts(out, " (");
            pawl_text_append(out, zone, len);
            pawl_text_puts(out, ")");
        }
    } else if (pawl_fields_string(first, "at", NULL)) {
        pawl_text_puts(out, "at ");
        pawl_fields_add_point(out, first, "at", now, style);
    } else {
        pawl_fields_add_duration(out, first, "time");
        if (pawl_fields_number(first, "timeMax", 0) > 0) {
            pawl_text_puts(out, " to ");
            pawl_fields_add_duration(out, first, "timeMax");
        }
    }
    if (ntriggers > 1)
        pawl_text_printf(out, " and %zu more", ntriggers - 1);
}

void
pawl_fields_add_what(struct pawl_text *out, const json_t *task)
{
    const json_t *http = json_object_get(json_object_get(task, "action"), "http");
    const char *method = pawl_fields_string(http, "method", NULL), *text;
    size_t len;

    if (http) {
        if (!method)
            method = json_object_get(http, "body") ? "POST" : "GET";
        pawl_text_puts(out, method);
        pawl_text_puts(out, " ");
    }
    text = pawl_fields_string(http ? http : task, http ? "url" : "script", &len);
    pawl_text_append(out, text ? text : "-", text ? len : 1);
}
