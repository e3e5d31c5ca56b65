/* timefmt.c: formats wall times; any thread.
 *
 * The calendar is arithmetic. The zone's offset comes from localtime_r, which takes a
 * lock of libc and costs hundreds of ns, so each thread keeps the offsets of the
 * windows of time it has seen: one is kept only if it is the same at both ends of its
 * window, which is exact, since no zone changes twice within four hours. */
#include "timefmt.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../engine/calendar.h"

#define SECOND_NS INT64_C(1000000000)
#define DAY_S INT64_C(86400)
#define WINDOW_S INT64_C(14400)
#define NWINDOWS 64                     /* a power of two */

/* Used by one thread. */
struct window {
    int64_t key;                        /* 2 * number + 1, so that 0 is an empty slot */
    int minutes;                        /* east of Greenwich */
};

static _Thread_local struct window windows[NWINDOWS];

static int64_t
floor_div(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

/* The offset in whole minutes, as RFC 3339 can say it. */
static int
ask_offset(int64_t second)
{
    time_t when = (time_t) second;
    struct tm tm;

    if (localtime_r(&when, &tm) == NULL)
        return 0;
    return (int) (tm.tm_gmtoff / 60);
}

static int
offset_at(int64_t second)
{
    int64_t number = floor_div(second, WINDOW_S);
    struct window *window = &windows[(uint64_t) number % NWINDOWS];

    if (window->key == 2 * number + 1)
        return window->minutes;

    int first = ask_offset(number * WINDOW_S);
    int last = ask_offset(number * WINDOW_S + WINDOW_S - 1);

    if (first != last)
        return ask_offset(second);
    window->key = 2 * number + 1;
    window->minutes = first;
    return first;
}

static char *
put_2(char *at, unsigned value)
{
    at[0] = (char) ('0' + value / 10);
    at[1] = (char) ('0' + value % 10);
    return at + 2;
}

/* The date of a day counted from 1970-01-01, in the Gregorian calendar: the year is
 * counted from March, so that the leap day ends it (Howard Hinnant, "chrono-compatible
 * low-level date algorithms"). */
static char *
put_date(char *at, int64_t day)
{
    int64_t shifted = day + 719468;     /* from 0000-03-01 */
    int64_t era = floor_div(shifted, 146097);
    unsigned doe = (unsigned) (shifted - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    unsigned month = mp < 10 ? mp + 3 : mp - 9;
    unsigned year = (unsigned) (era * 400) + yoe + (month <= 2);

    at = put_2(at, year / 100);
    at = put_2(at, year % 100);
    *at++ = '-';
    at = put_2(at, month);
    *at++ = '-';
    return put_2(at, doy - (153 * mp + 2) / 5 + 1);
}

static char *
put_time_of_day(char *at, unsigned second, unsigned nanosecond)
{
    unsigned high = nanosecond / 100000, low = nanosecond % 100000;

    at = put_2(at, second / 3600);
    *at++ = ':';
    at = put_2(at, second / 60 % 60);
    *at++ = ':';
    at = put_2(at, second % 60);
    *at++ = '.';
    at = put_2(at, high / 100);
    at = put_2(at, high % 100);
    at = put_2(at, low / 1000);
    at = put_2(at, low / 10 % 100);
    *at++ = (char) ('0' + low % 10);
    return at;
}

size_t
pawl_time_format(int64_t wall_ns, char out[PAWL_TIME_MAX])
{
    int64_t second = floor_div(wall_ns, SECOND_NS);
    int64_t rest = wall_ns % SECOND_NS;
    unsigned nanosecond = (unsigned) (rest < 0 ? rest + SECOND_NS : rest);
    int minutes = offset_at(second);
    unsigned size = (unsigned) (minutes < 0 ? -minutes : minutes);
    int64_t local = second + minutes * 60;
    int64_t day = floor_div(local, DAY_S);
    char *at = put_date(out, day);

    *at++ = 'T';
    at = put_time_of_day(at, (unsigned) (local - day * DAY_S), nanosecond);
    *at++ = minutes < 0 ? '-' : '+';
    at = put_2(at, size / 60);
    *at++ = ':';
    at = put_2(at, size % 60);
    *at = '\0';
    return (size_t) (at - out);
}

size_t
pawl_time_format_in(const struct pawl_zone *zone, int64_t wall_ns, char out[PAWL_TIME_MAX])
{
    int64_t second = floor_div(wall_ns, SECOND_NS);
    int64_t rest = wall_ns % SECOND_NS;
    unsigned nanosecond = (unsigned) (rest < 0 ? rest + SECOND_NS : rest);
    struct pawl_zone_span span;
    char text[PAWL_RFC3339_MAX];
    size_t len, whole = strlen("2027-03-28T03:00:00");

    pawl_zone_at(zone, second, &span);
    len = pawl_calendar_format(second, span.offset_s, text);
    if (nanosecond == 0)
        return (size_t) snprintf(out, PAWL_TIME_MAX, "%.*s", PAWL_TIME_MAX - 1, text);
    return (size_t) snprintf(out, PAWL_TIME_MAX, "%.*s.%09u%.*s", (int) whole, text, nanosecond,
        (int) (len - whole), text + whole);
}
