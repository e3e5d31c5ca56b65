/* json_values.cc: single values of a task document, and the words for what is wrong with
 * them. A value that is not what its field takes is refused with the field's name. */
#include "json_reader.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "../engine/calendar.h"
#include "../engine/duration.h"

namespace dom = simdjson::dom;

constexpr int64_t SECOND_NS = 1000000000;

/* --- Problems --- */

const char *
pawl_json::place(task_read &read, int field)
{
    pawl_json_when &when = read.reader->when;

    if (read.trigger < 0)
        return field_name(field);
    if (field == TRIGGERS)
        snprintf(when.name, sizeof when.name, "triggers[%d]", read.trigger);
    else
        snprintf(when.name, sizeof when.name, "triggers[%d].%s", read.trigger,
                 field_name(field));
    return when.name;
}

int
pawl_json::refuse(task_read &read, int field, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    pawl_problem_vset(read.problem, 400, place(read, field), format, args);
    va_end(args);
    return PAWL_EINVAL;
}

int
pawl_json::refuse_unknown(task_read &read, std::string_view name, uint64_t known)
{
    int close = suggest_field(name, known), len = quote_len(name);
    const char *more = size_t(len) < name.size() ? "..." : "", *field = name.data();
    pawl_json_when &when = read.reader->when;

    if (read.trigger >= 0) {
        snprintf(when.name, sizeof when.name, "triggers[%d].%.*s%s", read.trigger, len,
                 name.data(), more);
        field = when.name;
    }
    if (close >= 0)
        pawl_problem_set(read.problem, 400, field,
                         "unknown field \"%.*s%s\": did you mean \"%s\"?", len,
                         name.data(), more, field_name(close));
    else if (read.trigger >= 0)
        pawl_problem_set(read.problem, 400, field,
                         "unknown field \"%.*s%s\" in triggers[%d]: a trigger has one of "
                         "cron, calendar, at and time, and timeMax, timezone, dst and "
                         "dayMatch", len, name.data(), more, read.trigger);
    else
        pawl_problem_set(read.problem, 400, field,
                         "unknown field \"%.*s%s\": a task has id, taskType, script and "
                         "keepResults, and time, at, cron, calendar or triggers to say "
                         "when; interpreter, args, env, cwd, umask, timeout, "
                         "killGrace, killMode and condition say how it is run, or action what is called; "
                         "overlap, misfire and retries what "
                         "happens when something is in the way", len, name.data(), more);
    return PAWL_EINVAL;
}

int
pawl_json::refuse_twice(task_read &read, int field, std::string_view name)
{
    const char *whole = place(read, field);

    if (name == field_name(field))
        return refuse(read, field, "the field %s is given twice", whole);
    return refuse(read, field,
                  "the field %s is given twice, the second time as \"%.*s\": case does "
                  "not matter in names", whole, quote_len(name), name.data());
}

int
pawl_json::refuse_missing(task_read &read, int field)
{
    return refuse(read, field, "%s is required", field_name(field));
}

const char *
pawl_json::type_name(dom::element value)
{
    switch (value.type()) {
    case dom::element_type::ARRAY:
        return "an array";
    case dom::element_type::OBJECT:
        return "an object";
    case dom::element_type::STRING:
        return "a string";
    case dom::element_type::BOOL:
        return "true or false";
    case dom::element_type::NULL_VALUE:
        return "null";
    case dom::element_type::DOUBLE:
        return "a number with a fraction or an exponent";
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
        break;
    }
    return "a number";
}

int
pawl_json::refuse_type(task_read &read, int field, dom::element value, const char *wanted)
{
    if (value.is_null() && read.trigger < 0)
        return refuse_missing(read, field);
    return refuse(read, field, "%s must be %s, not %s", place(read, field), wanted,
                  type_name(value));
}

/* --- Values --- */

int
pawl_json::read_string(task_read &read, int field, dom::element value,
                       const char **out_text, size_t *out_len)
{
    std::string_view text;

    if (value.get(text) != simdjson::SUCCESS)
        return refuse_type(read, field, value, "a string");
    *out_text = text.data();
    *out_len = text.size();
    return 0;
}

int
pawl_json::read_bool(task_read &read, int field, dom::element value, bool *out_value)
{
    if (value.get(*out_value) != simdjson::SUCCESS)
        return refuse_type(read, field, value, "true or false");
    return 0;
}

/* "a", "b" or "c". */
static void
list_names(const char *const *names, size_t nnames, char *out, size_t cap)
{
    size_t len = 0;

    for (size_t i = 0; i < nnames && len < cap; i++)
        len += size_t(snprintf(out + len, cap - len, "%s\"%s\"",
                               i == 0 ? "" : i + 1 == nnames ? " or " : ", ", names[i]));
}

int
pawl_json::read_choice(task_read &read, int field, dom::element value,
                       const char *const *names, size_t nnames, size_t *out_choice)
{
    char wanted[80];
    std::string_view text;

    if (value.get(text) == simdjson::SUCCESS)
        for (size_t i = 0; i < nnames; i++)
            if (text == names[i]) {
                *out_choice = i;
                return 0;
            }
    list_names(names, nnames, wanted, sizeof wanted);
    if (!value.is_string())
        return refuse_type(read, field, value, wanted);
    return refuse(read, field, "%s must be %s, not \"%.*s\"", place(read, field), wanted,
                  quote_len(text), text.data());
}

/* Whether it was perhaps meant as one: a name, or five words. */
static bool
is_expression(std::string_view text)
{
    return text.substr(0, 1) == "@" || std::count(text.begin(), text.end(), ' ') >= 4;
}

int
pawl_json::read_duration(task_read &read, int field, dom::element value, int64_t *out_ns)
{
    std::string_view text;
    pawl_err err;

    switch (value.type()) {
    case dom::element_type::INT64:
        *out_ns = value.get_int64().value_unsafe();
        return 0;
    case dom::element_type::STRING:
        text = value.get_string().value_unsafe();
        if (pawl_duration_parse(text.data(), text.size(), out_ns, &err) == 0)
            return 0;
        if (field == TIME && is_expression(text))
            return refuse(read, field, "%s must be a duration: \"%.*s\" looks like an "
                          "expression, which goes into cron or calendar",
                          place(read, field), quote_len(text), text.data());
        return refuse(read, field, "%s: %s", place(read, field), err.text);
    case dom::element_type::UINT64:
        return refuse(read, field,
                      "%s is too large: it is at most 9223372036854775807 ns",
                      place(read, field));
    default:
        return refuse_type(read, field, value, DURATION_HINT);
    }
}

int
pawl_json::read_count(task_read &read, int field, dom::element value, uint64_t *out_count)
{
    int64_t number;

    if (value.get(*out_count) == simdjson::SUCCESS)
        return 0;
    if (value.get(number) == simdjson::SUCCESS)
        return refuse(read, field, "%s is negative: give 0 or more", place(read, field));
    return refuse_type(read, field, value, "a whole number");
}

int
pawl_json::read_moment(task_read &read, int field, dom::element value,
                       int64_t *out_wall_ns)
{
    std::string_view text;
    int64_t second, wall_ns;
    uint32_t ns;

    if (value.get(text) != simdjson::SUCCESS)
        return refuse_type(read, field, value, "a string with a time in RFC 3339");
    if (!pawl_calendar_parse(text.data(), text.size(), &second, &ns))
        return refuse(read, field,
                      "%s must be a time such as 2026-03-29T01:30:00Z or "
                      "2026-03-29T03:30:00+02:00, not \"%.*s\"", place(read, field),
                      quote_len(text), text.data());
    if (__builtin_mul_overflow(second, SECOND_NS, &wall_ns) ||
        __builtin_add_overflow(wall_ns, int64_t(ns), &wall_ns) || wall_ns == PAWL_NO_TIME)
        return refuse(read, field, "%s must be from the years 1970 to 2199, not %.*s",
                      place(read, field), quote_len(text), text.data());
    *out_wall_ns = wall_ns;
    return 0;
}
