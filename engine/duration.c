/* duration.c: Go's time.ParseDuration and Duration.String, step by step.
 *
 * Pure functions, any thread. One departure: a sum that wraps past 2^64 ns, which Go
 * reads as a small span, is refused like any other that is too long. */
#include "duration.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NS_LIMIT (UINT64_C(1) << 63)    /* the size of the most negative int64 */
#define QUOTE_MAX 40                    /* bytes of the text that an error quotes */

/* What is left to read. */
struct input {
    const char *at, *end;
};

static const struct unit {
    const char *name;
    uint64_t ns;
} units[] = {
    {"s", UINT64_C(1000000000)},
    {"ms", 1000000},
    {"m", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000},                /* U+00B5, the micro sign */
    {"\xce\xbcs", 1000},                /* U+03BC, the Greek letter mu */
};

static int __attribute__((format(printf, 2, 3)))
refuse(struct pawl_err *err, const char *format, ...)
{
    if (err != NULL) {
        va_list args;

        err->code = PAWL_EINVAL;
        err->field = NULL;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return PAWL_EINVAL;
}

/* The length of what an error may quote of len bytes: cut at a character. */
static int
quote_len(const char *text, size_t len)
{
    if (len > QUOTE_MAX) {
        len = QUOTE_MAX;
        while (len > 0 && ((unsigned char) text[len] & 0xc0) == 0x80)
            len--;
    }
    return (int) len;
}

static bool
at_digit(const struct input *in)
{
    return in->at < in->end && *in->at >= '0' && *in->at <= '9';
}

/* Reads digits; false when they pass the limit. */
static bool
read_int(struct input *in, uint64_t *out_value)
{
    uint64_t value = 0;

    for (; at_digit(in); in->at++) {
        if (value > NS_LIMIT / 10)
            return false;
        value = value * 10 + (uint64_t) (*in->at - '0');
        if (value > NS_LIMIT)
            return false;
    }
    *out_value = value;
    return true;
}

/* Reads the digits of a fraction; those past 63 bits count for nothing, as in Go. */
static uint64_t
read_fraction(struct input *in, double *out_scale)
{
    uint64_t value = 0;
    double scale = 1;
    bool full = false;

    for (; at_digit(in); in->at++) {
        if (full || value > (NS_LIMIT - 1) / 10) {
            full = true;
            continue;
        }
        uint64_t next = value * 10 + (uint64_t) (*in->at - '0');
        if (next > NS_LIMIT) {
            full = true;
            continue;
        }
        value = next;
        scale *= 10;
    }
    *out_scale = scale;
    return value;
}

/* Reads the unit, which is all up to the next digit or point; 0 when there is no such
 * unit. */
static uint64_t
read_unit(struct input *in, size_t *out_len)
{
    const char *start = in->at;

    while (in->at < in->end && *in->at != '.' && !at_digit(in))
        in->at++;
    *out_len = (size_t) (in->at - start);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const char *name = units[i].name;

        if (strlen(name) == *out_len && memcmp(name, start, *out_len) == 0)
            return units[i].ns;
    }
    return 0;
}

/* Reads one number and its unit. */
static int
read_part(struct input *in, uint64_t *out_ns, const char *whole, int whole_len,
          struct pawl_err *err)
{
    const char *start = in->at;
    uint64_t value, fraction = 0;
    double scale = 1;
    bool is_number;

    if (!read_int(in, &value))
        return refuse(err, "the duration \"%.*s\" is too long", whole_len, whole);
    is_number = in->at > start;
    if (in->at < in->end && *in->at == '.') {
        const char *point = in->at++;

        fraction = read_fraction(in, &scale);
        is_number = is_number || in->at > point + 1;
    }
    if (!is_number)
        return refuse(err, "\"%.*s\" is not a duration; write it as \"1m30s\", \"1.5h\" "
                      "or \"300ms\"", whole_len, whole);

    size_t name_len;
    uint64_t unit = read_unit(in, &name_len);
    const char *name = in->at - name_len;

    if (name_len == 0)
        return refuse(err, "the duration \"%.*s\" lacks a unit: ns, us, ms, s, m or h",
                      whole_len, whole);
    if (unit == 0)
        return refuse(err, "unknown unit \"%.*s\" in the duration \"%.*s\": it is ns, "
                      "us, ms, s, m or h", quote_len(name, name_len), name, whole_len,
                      whole);
    if (value > NS_LIMIT / unit)
        return refuse(err, "the duration \"%.*s\" is too long", whole_len, whole);
    value *= unit;
    if (fraction > 0)
        value += (uint64_t) ((double) fraction * ((double) unit / scale));
    *out_ns = value;
    return 0;
}

int
pawl_duration_parse(const char *text, size_t len, int64_t *out_ns, struct pawl_err *err)
{
    struct input in = {text, text + len};
    int quoted = quote_len(text, len);
    bool negative = false;
    uint64_t sum = 0;

    if (len > 0 && (*in.at == '-' || *in.at == '+'))
        negative = *in.at++ == '-';
    if (in.at == in.end)
        return refuse(err, "the duration is empty; write it as \"1m30s\", \"1.5h\" or "
                      "\"300ms\"");
    if (in.end - in.at == 1 && *in.at == '0') {
        *out_ns = 0;
        return 0;
    }
    while (in.at < in.end) {
        uint64_t part = 0;
        int code = read_part(&in, &part, text, quoted, err);

        if (code != 0)
            return code;
        if (part > NS_LIMIT || (sum += part) > NS_LIMIT || sum < part)
            return refuse(err, "the duration \"%.*s\" is too long", quoted, text);
    }
    if (!negative && sum == NS_LIMIT)
        return refuse(err, "the duration \"%.*s\" is too long", quoted, text);
    *out_ns = !negative ? (int64_t) sum : sum == NS_LIMIT ? INT64_MIN : -(int64_t) sum;
    return 0;
}

/* The writing half goes from the end to the front; each returns the new front. */

static char *
put_int(char *front, uint64_t value)
{
    do
        *--front = (char) ('0' + value % 10);
    while ((value /= 10) > 0);
    return front;
}

/* The last ndigits digits of *value as a fraction without trailing zeros; *value loses
 * them. */
static char *
put_fraction(char *front, uint64_t *value, int ndigits)
{
    bool is_needed = false;

    for (int i = 0; i < ndigits; i++) {
        unsigned digit = (unsigned) (*value % 10);

        is_needed = is_needed || digit != 0;
        if (is_needed)
            *--front = (char) ('0' + digit);
        *value /= 10;
    }
    if (is_needed)
        *--front = '.';
    return front;
}

/* Less than a second: in the largest unit that leaves a whole part. */
static char *
put_small(char *front, uint64_t ns)
{
    int ndigits = 0;

    *--front = 's';
    if (ns == 0)
        return put_int(front, 0);
    if (ns < 1000) {
        *--front = 'n';
    } else if (ns < 1000000) {
        ndigits = 3;
        *--front = '\xb5';
        *--front = '\xc2';
    } else {
        ndigits = 6;
        *--front = 'm';
    }
    front = put_fraction(front, &ns, ndigits);
    return put_int(front, ns);
}

static char *
put_large(char *front, uint64_t ns)
{
    uint64_t rest = ns;

    *--front = 's';
    front = put_fraction(front, &rest, 9);
    front = put_int(front, rest % 60);
    rest /= 60;
    if (rest > 0) {
        *--front = 'm';
        front = put_int(front, rest % 60);
        rest /= 60;
    }
    if (rest > 0) {
        *--front = 'h';
        front = put_int(front, rest);
    }
    return front;
}

size_t
pawl_duration_format(int64_t ns, char out[32])
{
    char text[32], *end = text + sizeof text, *front = end;
    uint64_t size = ns < 0 ? -(uint64_t) ns : (uint64_t) ns;

    front = size < UINT64_C(1000000000) ? put_small(front, size) : put_large(front, size);
    if (ns < 0)
        *--front = '-';
    size_t len = (size_t) (end - front);
    memcpy(out, front, len);
    out[len] = '\0';
    return len;
}
