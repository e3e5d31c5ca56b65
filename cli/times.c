/* times.c: durations in Go's notation, RFC 3339, and local time for tables.
 * One thread. The daemon judges what a duration may be; here it is only read and written.
 */
#define _GNU_SOURCE 1
#include "times.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)

/* Longest spelling first where one begins another; both signs for micro, as Go takes
 * them. */
static const struct unit {
    const char *name;
    uint64_t ns;
} units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000},
    {"\xce\xbcs", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60000000000},
    {"h", 3600000000000},
};

/* Takes the unit at *s and moves past it; 0 if there is none. */
static uint64_t
take_unit(const char **s)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t len = strlen(units[i].name);
        if (strncmp(*s, units[i].name, len) == 0) {
            *s += len;
            return units[i].ns;
        }
    }
    return 0;
}

/* Takes one number with its unit, such as 1.5h; false if there is none or it does not
 * fit. Fractions are scaled in floating point, as Go does, so that both read the same
 * value. */
static bool
take_part(const char **s, uint64_t *out_ns)
{
    uint64_t whole = 0, fraction = 0;
    double scale = 1;
    size_t ndigits = 0;

    for (; **s >= '0' && **s <= '9'; ++*s, ndigits++)
        if (__builtin_mul_overflow(whole, 10u, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(**s - '0'), &whole))
            return false;
    if (**s == '.')
        for (++*s; **s >= '0' && **s <= '9'; ++*s, ndigits++)
            if (fraction <= (uint64_t)INT64_MAX / 10 - 1) {
                fraction = fraction * 10 + (uint64_t)(**s - '0');
                scale *= 10;
            }
    if (!ndigits)
        return false;
    uint64_t unit = take_unit(s);
    uint64_t ns;
    if (!unit || __builtin_mul_overflow(whole, unit, &ns))
        return false;
    return !__builtin_add_overflow(
        ns, (uint64_t)((double)fraction * ((double)unit / scale)), out_ns);
}

bool
pawl_times_parse_duration(const char *s, int64_t *out_ns)
{
    bool is_negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    if (strcmp(s, "0") == 0) {
        *out_ns = 0;
        return true;
    }
    uint64_t total = 0;
    if (!*s)
        return false;
    while (*s) {
        uint64_t part;
        if (!take_part(&s, &part) || __builtin_add_overflow(total, part, &total) ||
            total > (uint64_t)INT64_MAX)
            return false;
    }
    *out_ns = is_negative ? -(int64_t)total : (int64_t)total;
    return true;
}

/* Writes value/unit with as many decimals as it needs, then the unit's name. */
static void
format_decimal(uint64_t value, uint64_t unit, const char *name, char *out, size_t size)
{
    int len = snprintf(out, size, "%" PRIu64, value / unit);
    uint64_t rest = value % unit;
    if (rest)
        out[len++] = '.';
    while (rest) {
        unit /= 10;
        out[len++] = (char)('0' + rest / unit);
        rest %= unit;
    }
    snprintf(out + len, size - (size_t)len, "%s", name);
}

void
pawl_times_format_duration(int64_t ns, char out[PAWL_TIMES_SIZE])
{
    uint64_t left = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    size_t len = 0;

    if (ns < 0)
        out[len++] = '-';
    if (left < (uint64_t)SECOND_NS) {
        if (!left)
            format_decimal(0, 1, "s", out + len, PAWL_TIMES_SIZE - len);
        else if (left < 1000)
            format_decimal(left, 1, "ns", out + len, PAWL_TIMES_SIZE - len);
        else if (left < 1000000)
            format_decimal(left, 1000, "\xc2\xb5s", out + len, PAWL_TIMES_SIZE - len);
        else
            format_decimal(left, 1000000, "ms", out + len, PAWL_TIMES_SIZE - len);
        return;
    }
    uint64_t hours = left / (3600 * (uint64_t)SECOND_NS);
    uint64_t minutes = left / (60 * (uint64_t)SECOND_NS) % 60;
    uint64_t rest = left % (60 * (uint64_t)SECOND_NS);
    if (hours)
        len += (size_t)sprintf(out + len, "%" PRIu64 "h", hours);
    if (minutes)
        len += (size_t)sprintf(out + len, "%" PRIu64 "m", minutes);
    out[len] = '\0';
    if (rest)
        format_decimal(rest, (uint64_t)SECOND_NS, "s", out + len, PAWL_TIMES_SIZE - len);
}

/* Takes exactly n digits; -1 if they are not there. */
static int
take_digits(const char **s, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++, ++*s) {
        if (**s < '0' || **s > '9')
            return -1;
        value = value * 10 + (**s - '0');
    }
    return value;
}

/* Takes "Z" or "+hh:mm" and gives it in seconds. */
static bool
take_offset(const char **s, int *out_seconds)
{
    *out_seconds = 0;
    if (**s == 'Z' || **s == 'z') {
        ++*s;
        return true;
    }
    int sign = **s == '+' ? 1 : **s == '-' ? -1 : 0;
    if (!sign)
        return false;
    ++*s;
    int hours = take_digits(s, 2);
    if (hours < 0 || *(*s)++ != ':')
        return false;
    int minutes = take_digits(s, 2);
    *out_seconds = sign * (hours * 3600 + minutes * 60);
    return minutes >= 0;
}

bool
pawl_times_parse_point(const char *s, struct timespec *out_point)
{
    struct tm tm = {0};
    long ns = 0;
    int offset;

    if ((tm.tm_year = take_digits(&s, 4)) < 0 || *s++ != '-' ||
        (tm.tm_mon = take_digits(&s, 2)) < 1 || *s++ != '-' ||
        (tm.tm_mday = take_digits(&s, 2)) < 1 || (*s != 'T' && *s != 't' && *s != ' '))
        return false;
    s++;
    if ((tm.tm_hour = take_digits(&s, 2)) < 0 || *s++ != ':' ||
        (tm.tm_min = take_digits(&s, 2)) < 0 || *s++ != ':' ||
        (tm.tm_sec = take_digits(&s, 2)) < 0)
        return false;
    if (*s == '.') {
        long unit = 100000000;
        for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
            ns += unit * (*s - '0');
    }
    if (!take_offset(&s, &offset) || *s)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    out_point->tv_sec = timegm(&tm) - offset;
    out_point->tv_nsec = ns;
    return true;
}

static void
format_local(const struct timespec *t, const char *format, char out[PAWL_TIMES_SIZE])
{
    struct tm tm;
    if (!localtime_r(&t->tv_sec, &tm) || !strftime(out, PAWL_TIMES_SIZE, format, &tm))
        strcpy(out, "?");
}

void
pawl_times_format_short(
    const struct timespec *t, const struct timespec *now, char out[PAWL_TIMES_SIZE])
{
    struct tm a, b;
    if (!localtime_r(&t->tv_sec, &a) || !localtime_r(&now->tv_sec, &b))
        strcpy(out, "?");
    else if (a.tm_year != b.tm_year)
        format_local(t, "%Y-%m-%d", out);
    else if (a.tm_yday != b.tm_yday)
        format_local(t, "%b %e %H:%M", out);
    else
        format_local(t, "%H:%M:%S", out);
}

void
pawl_times_format_full(const struct timespec *t, char out[PAWL_TIMES_SIZE])
{
    format_local(t, "%Y-%m-%d %H:%M:%S", out);
}

void
pawl_times_format_sent(const char *s, char out[PAWL_TIMES_SIZE])
{
    struct tm tm = {0};
    const char *offset = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
    size_t len = offset ? strftime(out, PAWL_TIMES_SIZE, "%a %Y-%m-%d %H:%M:%S ", &tm) : 0;

    if (offset && *offset == '.')
        offset += 1 + strspn(offset + 1, "0123456789");
    if (!len)
        offset = s;
    else if (strcmp(offset, "Z") == 0)
        offset = "+00:00";
    snprintf(out + len, PAWL_TIMES_SIZE - len, "%s", offset);
}

void
pawl_times_format_utc(const struct timespec *t, char out[PAWL_TIMES_SIZE])
{
    struct tm tm;
    size_t len = gmtime_r(&t->tv_sec, &tm)
                     ? strftime(out, PAWL_TIMES_SIZE, "%Y-%m-%dT%H:%M:%S", &tm) : 0;

    if (t->tv_nsec)
        len += (size_t)snprintf(out + len, PAWL_TIMES_SIZE - len, ".%09ld", t->tv_nsec);
    snprintf(out + len, PAWL_TIMES_SIZE - len, "Z");
}

void
pawl_times_format_relative(
    const struct timespec *t, const struct timespec *now, char out[PAWL_TIMES_SIZE])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } steps[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    int64_t far = (int64_t)t->tv_sec - (int64_t)now->tv_sec;
    int64_t nanos = t->tv_nsec - now->tv_nsec;
    char text[32] = "";

    /* Rounded to the nearest second: what is due in 9.98s is due "in 10s". */
    far += nanos >= SECOND_NS / 2 ? 1 : nanos < -(SECOND_NS / 2) ? -1 : 0;
    int64_t left = far < 0 ? -far : far;
    for (size_t i = 0, shown = 0; i < 4 && shown < 2; i++) {
        if (left < steps[i].seconds && !shown)
            continue;
        shown++;
        if (left / steps[i].seconds)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%" PRId64 "%s",
                left / steps[i].seconds, steps[i].name);
        left %= steps[i].seconds;
    }
    if (!far)
        strcpy(out, "now");
    else
        snprintf(out, PAWL_TIMES_SIZE, far > 0 ? "in %s" : "%s ago", text);
}
