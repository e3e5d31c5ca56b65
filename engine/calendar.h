/* calendar.h: the proleptic Gregorian calendar as arithmetic on days, and RFC 3339.
 *
 * Pure. Days are counted from 1970-01-01; a wall second is day * 86400 + second of the day,
 * without any zone. */
#ifndef PAWL_CALENDAR_H
#define PAWL_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAWL_DAY_S INT64_C(86400)
#define PAWL_DAYS_400_YEARS INT64_C(146097)
#define PAWL_RFC3339_MAX 48         /* bytes that hold any time and its NUL */

struct pawl_date {
    int64_t year;
    unsigned month, day;            /* from 1 */
};

/* The day of a date; month from 1 to 12, day any small number.
 * After Howard Hinnant, "chrono-compatible low-level date algorithms". */
static inline int64_t
pawl_calendar_day(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned) (y - era * 400);
    unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * PAWL_DAYS_400_YEARS + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* The date of a day. */
static inline struct pawl_date
pawl_calendar_date(int64_t day)
{
    int64_t shifted = day + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - (PAWL_DAYS_400_YEARS - 1)) /
                  PAWL_DAYS_400_YEARS;
    unsigned doe = (unsigned) (shifted - era * PAWL_DAYS_400_YEARS);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    unsigned month = mp < 10 ? mp + 3 : mp - 9;
    struct pawl_date date = {
        era * 400 + yoe + (month <= 2), month, doy - (153 * mp + 2) / 5 + 1};

    return date;
}

static inline bool
pawl_calendar_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static inline unsigned
pawl_calendar_month_days(int64_t year, unsigned month)
{
    return month == 2 ? 28u + pawl_calendar_is_leap(year)
                      : 30u + ((month ^ (month >> 3)) & 1);
}

/* 0 is Sunday. */
static inline unsigned
pawl_calendar_weekday(int64_t day)
{
    return (unsigned) (((day + 4) % 7 + 7) % 7);
}

static inline int64_t
pawl_calendar_floor(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

/* Reads RFC 3339 (years 0000 to 9999, any fraction and offset; `t`, `z` and a blank for
 * `T` are taken, a leap second is the second after it). Digits of the fraction past the
 * ninth count for nothing. False when it is none. Threads: any. Blocks: no. */
bool
pawl_calendar_parse(const char *text, size_t len, int64_t *out_s, uint32_t *out_ns);

/* Writes a whole second with an offset in seconds, for example 2026-03-29T03:30:00+02:00
 * (an offset of zero is written as Z), and returns the length. Parts of a minute in an offset
 * are left out, and the wall time moved, so that the instant is right.
 * Threads: any. Blocks: no. */
size_t
pawl_calendar_format(int64_t second, int32_t offset_s, char out[PAWL_RFC3339_MAX]);

/* The same of a wall time in nanoseconds, in UTC and to the nanosecond, with a NUL behind it. */
#define PAWL_RFC3339_NS_MAX (PAWL_RFC3339_MAX + 11)
size_t
pawl_calendar_format_ns(int64_t wall_ns, char out[PAWL_RFC3339_NS_MAX]);

#ifdef __cplusplus
}
#endif
#endif
