/* calendar.c: RFC 3339 in and out. Pure; any thread. */
#include "calendar.h"

#include <inttypes.h>
#include <stdio.h>

struct input {
    const char *at, *end;
};

/* Reads ndigits digits into *out. */
static bool
digits(struct input *in, int ndigits, unsigned *out)
{
    unsigned value = 0;

    for (; ndigits > 0; ndigits--, in->at++) {
        if (in->at == in->end || *in->at < '0' || *in->at > '9')
            return false;
        value = value * 10 + (unsigned) (*in->at - '0');
    }
    *out = value;
    return true;
}

static bool
one_of(struct input *in, const char *set)
{
    for (; in->at < in->end && *set != '\0'; set++)
        if (*in->at == *set) {
            in->at++;
            return true;
        }
    return false;
}

static bool
read_offset(struct input *in, int64_t *out_s)
{
    unsigned hours, minutes;
    bool is_west = in->at < in->end && *in->at == '-';

    *out_s = 0;
    if (one_of(in, "Zz"))
        return true;
    if (!one_of(in, "+-") || !digits(in, 2, &hours) || !one_of(in, ":") ||
        !digits(in, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *out_s = (int64_t) (hours * 3600 + minutes * 60) * (is_west ? -1 : 1);
    return true;
}

bool
pawl_calendar_parse(const char *text, size_t len, int64_t *out_s, uint32_t *out_ns)
{
    struct input in = {text, text + len};
    unsigned year, month, day, hour, minute, second;
    uint32_t ns = 0, unit = 100000000;
    int64_t offset;

    if (!digits(&in, 4, &year) || !one_of(&in, "-") || !digits(&in, 2, &month) ||
        !one_of(&in, "-") || !digits(&in, 2, &day) || !one_of(&in, "Tt ") ||
        !digits(&in, 2, &hour) || !one_of(&in, ":") || !digits(&in, 2, &minute) ||
        !one_of(&in, ":") || !digits(&in, 2, &second))
        return false;
    if (one_of(&in, ".")) {
        const char *first = in.at;

        for (; in.at < in.end && *in.at >= '0' && *in.at <= '9'; in.at++, unit /= 10)
            ns += unit * (uint32_t) (*in.at - '0');
        if (in.at == first)
            return false;
    }
    if (!read_offset(&in, &offset) || in.at != in.end || month < 1 || month > 12 ||
        day < 1 || day > pawl_calendar_month_days(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    *out_s = pawl_calendar_day(year, month, day) * PAWL_DAY_S + hour * 3600 +
             minute * 60 + second - offset;
    *out_ns = ns;
    return true;
}

size_t
pawl_calendar_format(int64_t second, int32_t offset_s, char out[PAWL_RFC3339_MAX])
{
    int minutes = offset_s / 60;
    int64_t wall = second + minutes * 60;
    int64_t day = pawl_calendar_floor(wall, PAWL_DAY_S);
    unsigned tod = (unsigned) (wall - day * PAWL_DAY_S);
    unsigned size = (unsigned) (minutes < 0 ? -minutes : minutes);
    struct pawl_date date = pawl_calendar_date(day);
    int len = snprintf(out, PAWL_RFC3339_MAX, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02u",
        date.year, date.month, date.day, tod / 3600, tod / 60 % 60, tod % 60);

    if (minutes == 0)
        len += snprintf(out + len, PAWL_RFC3339_MAX - (size_t) len, "Z");
    else
        len += snprintf(out + len, PAWL_RFC3339_MAX - (size_t) len, "%c%02u:%02u",
            minutes < 0 ? '-' : '+', size / 60, size % 60);
    return (size_t) len;
}

size_t
pawl_calendar_format_ns(int64_t wall_ns, char out[PAWL_RFC3339_NS_MAX])
{
    int64_t second = pawl_calendar_floor(wall_ns, 1000000000);
    size_t len = pawl_calendar_format(second, 0, out) - 1;      /* without the Z */

    return len + (size_t) snprintf(out + len, PAWL_RFC3339_NS_MAX - len, ".%09uZ",
                                   (unsigned) (wall_ns - second * 1000000000));
}
