/* cron_wall.c: which times by the clock on the wall a schedule means, in whatever zone.
 *
 * Pure; any thread. The days of a month are one word of bits, made from the fields with a few
 * shifts; the times of a day are three bitmaps or a short list. A search goes from month to month
 * and never further than its limit, so 400 years of a schedule that means no day are 4,800 words. */
#include "cron_wall.h"

#include "calendar.h"

#define NEVER PAWL_CRON_NEVER
#define WEEKS 0x10204081u                       /* a bit each seventh day, five times */

static int
next_bit(uint64_t set, unsigned from)
{
    set = from < 64 ? set >> from << from : 0;
    return set == 0 ? -1 : __builtin_ctzll(set);
}

static int
last_bit(uint64_t set, int upto)
{
    if (upto < 0)
        return -1;
    set = upto < 63 ? set & ((UINT64_C(1) << (upto + 1)) - 1) : set;
    return set == 0 ? -1 : 63 - __builtin_clzll(set);
}

/* The values of a set that are less than one. */
static uint64_t
below(uint64_t set, int value)
{
    return set & ((UINT64_C(1) << value) - 1);
}

/* Bits 1 to 31: the days of a month that are one of the weekdays, given as bits from Sunday. */
static uint32_t
days_of_weekdays(unsigned weekdays, unsigned first)
{
    unsigned week = ((weekdays >> first) | (weekdays << (7 - first))) & 0x7f;

    return (uint32_t) ((uint64_t) week * WEEKS << 1);
}

/* The weekday nearest to a day, in the same month. */
static unsigned
nearest_weekday(unsigned day, unsigned first, unsigned ndays)
{
    unsigned weekday = (first + day - 1) % 7;

    if (weekday == 6)
        return day > 1 ? day - 1 : day + 2;
    if (weekday == 0)
        return day < ndays ? day + 1 : day - 2;
    return day;
}

/* Bits 1 to 31: the days that are counted from the end of the month. */
static uint32_t
days_from_end(const struct pawl_cron *cron, unsigned ndays)
{
    uint32_t days = 0;

    for (uint32_t left = cron->dom_end; left != 0; left &= left - 1)
        if ((unsigned) __builtin_ctz(left) <= ndays)
            days |= 1u << (ndays + 1 - (unsigned) __builtin_ctz(left));
    return days;
}

/* The days of the month for cron fields; first is the weekday of its first day. */
static uint32_t
days_of_fields(const struct pawl_cron *cron, unsigned first, unsigned ndays)
{
    uint32_t all = (uint32_t) (((UINT64_C(1) << ndays) - 1) << 1);
    uint32_t dom = cron->dom & all;
    uint32_t dow = days_of_weekdays(cron->dow, first);

    dom |= days_from_end(cron, ndays);
    if (cron->last_weekday)
        dom |= 1u << nearest_weekday(ndays, first, ndays);
    for (uint32_t left = cron->nearest & all; left != 0; left &= left - 1)
        dom |= 1u << nearest_weekday((unsigned) __builtin_ctz(left), first, ndays);
    for (unsigned n = 0; n < 5; n++)
        if (cron->nth_dow[n] != 0)
            dow |= days_of_weekdays(cron->nth_dow[n], first) & (0x7fu << (7 * n + 1));
    if (cron->last_dow != 0)
        dow |= days_of_weekdays(cron->last_dow, first) & all & ~(all >> 7);
    return (cron->is_day_and ? dom & dow : dom | dow) & all;
}

/* The same for calendar intervals: those that count days or weeks from the start. */
static uint32_t
days_counted(const struct pawl_cron *cron, int64_t first_day, unsigned ndays)
{
    int64_t step = cron->interval, start = cron->start_day;
    uint32_t days = 0;

    if (cron->kind == PAWL_CRON_DAILY) {
        int64_t ahead = (start - first_day) % step;

        for (ahead += ahead < 0 ? step : 0; ahead < ndays; ahead += step)
            days |= 2u << ahead;
        return days;
    }
    int64_t sunday = start - pawl_calendar_weekday(start);

    for (int64_t week = first_day - pawl_calendar_weekday(first_day); week < first_day + ndays;
         week += 7)
        if ((week - sunday) / 7 % step == 0)
            for (int weekday = 0; weekday < 7; weekday++) {
                int64_t ahead = week + weekday - first_day;

                if ((cron->dow >> weekday & 1) && ahead >= 0 && ahead < ndays)
                    days |= 2u << ahead;
            }
    return days;
}

/* Bits 1 to 31: the days that the schedule means in a month. */
static uint32_t
days_of_month(const struct pawl_cron *cron, int64_t year, unsigned month, int64_t first_day)
{
    unsigned ndays = pawl_calendar_month_days(year, month);

    if (cron->kind == PAWL_CRON_FIELDS)
        return days_of_fields(cron, pawl_calendar_weekday(first_day), ndays);
    if (cron->kind != PAWL_CRON_MONTHLY)
        return days_counted(cron, first_day, ndays);

    struct pawl_date from = pawl_calendar_date(cron->start_day);
    int64_t months = (year - from.year) * 12 + (int64_t) month - (int64_t) from.month;

    if (months % (int64_t) cron->interval != 0)
        return 0;
    return (cron->dom & (uint32_t) (((UINT64_C(1) << ndays) - 1) << 1)) |
           days_from_end(cron, ndays);
}

/* The first time of day from tod on, the last up to it; -1 for none. */
static int
next_of_day(const struct pawl_cron *cron, int tod)
{
    if (cron->kind != PAWL_CRON_FIELDS) {
        for (uint32_t i = 0; i < cron->ntimes; i++)
            if ((int) cron->times[i] >= tod)
                return (int) cron->times[i];
        return -1;
    }
    unsigned hour = (unsigned) tod / 3600, minute = (unsigned) tod / 60 % 60;
    int first_second = next_bit(cron->second, 0);

    if (cron->hour >> hour & 1) {
        if (cron->minute >> minute & 1) {
            int second = next_bit(cron->second, (unsigned) tod % 60);

            if (second >= 0)
                return tod - tod % 60 + second;
        }
        int later = next_bit(cron->minute, minute + 1);

        if (later >= 0)
            return (int) hour * 3600 + later * 60 + first_second;
    }
    int later = next_bit(cron->hour, hour + 1);

    return later < 0 ? -1 : later * 3600 + next_bit(cron->minute, 0) * 60 + first_second;
}

static int
prev_of_day(const struct pawl_cron *cron, int tod)
{
    if (cron->kind != PAWL_CRON_FIELDS) {
        for (uint32_t i = cron->ntimes; i-- > 0;)
            if ((int) cron->times[i] <= tod)
                return (int) cron->times[i];
        return -1;
    }
    int hour = tod / 3600, minute = tod / 60 % 60;
    int last_second = last_bit(cron->second, 59);

    if (cron->hour >> hour & 1) {
        if (cron->minute >> minute & 1) {
            int second = last_bit(cron->second, tod % 60);

            if (second >= 0)
                return tod - tod % 60 + second;
        }
        int earlier = last_bit(cron->minute, minute - 1);

        if (earlier >= 0)
            return hour * 3600 + earlier * 60 + last_second;
    }
    int earlier = last_bit(cron->hour, hour - 1);

    return earlier < 0 ? -1
                       : earlier * 3600 + last_bit(cron->minute, 59) * 60 + last_second;
}

/* Whether the schedule means a year, if it names any. */
static bool
has_year(const struct pawl_cron *cron, int64_t year)
{
    int64_t bit = year - PAWL_CRON_YEAR_MIN;

    return !cron->has_years ||
           (bit >= 0 && year <= PAWL_CRON_YEAR_MAX && (cron->year[bit / 64] >> bit % 64 & 1));
}

int64_t
pawl_cron_next_wall(const struct pawl_cron *cron, int64_t wall, int64_t limit)
{
    int64_t day = pawl_calendar_floor(wall, PAWL_DAY_S);
    int64_t last_day = pawl_calendar_floor(limit, PAWL_DAY_S);
    struct pawl_date date = pawl_calendar_date(day);
    int tod = (int) (wall - day * PAWL_DAY_S);
    unsigned from = date.day;

    for (int64_t year = date.year; ; year++, date.month = 1) {
        int month = has_year(cron, year) ? next_bit(cron->month, date.month) : -1;

        for (; month >= 0; month = next_bit(cron->month, (unsigned) month + 1)) {
            int64_t first_day = pawl_calendar_day(year, (unsigned) month, 1);
            uint32_t days;

            if (first_day > last_day)
                return NEVER;
            days = days_of_month(cron, year, (unsigned) month, first_day);
            if (first_day + from - 1 != day)
                from = 1, tod = 0;
            for (int at; (at = next_bit(days, from)) >= 0; from = (unsigned) at + 1) {
                int time = next_of_day(cron, (unsigned) at == from ? tod : 0);

                tod = 0;
                if (time >= 0) {
                    int64_t found = (first_day + at - 1) * PAWL_DAY_S + time;

                    return found > limit ? NEVER : found;
                }
            }
            from = 1;
            tod = 0;
        }
        if (pawl_calendar_day(year + 1, 1, 1) > last_day)
            return NEVER;
    }
}

int64_t
pawl_cron_prev_wall(const struct pawl_cron *cron, int64_t wall, int64_t limit)
{
    int64_t day = pawl_calendar_floor(wall, PAWL_DAY_S);
    int64_t first = pawl_calendar_floor(limit, PAWL_DAY_S);
    struct pawl_date date = pawl_calendar_date(day);
    int tod = (int) (wall - day * PAWL_DAY_S);
    int upto = (int) date.day;

    for (int64_t year = date.year; ; year--, date.month = 12) {
        int month = has_year(cron, year) ? last_bit(cron->month, (int) date.month) : -1;

        for (; month >= 0; month = last_bit(cron->month, month - 1)) {
            int64_t first_day = pawl_calendar_day(year, (unsigned) month, 1);
            uint32_t days;

            if (first_day + 31 < first)
                return NEVER;
            days = days_of_month(cron, year, (unsigned) month, first_day);
            if (first_day + upto - 1 != day)
                upto = 31, tod = PAWL_DAY_S - 1;
            for (int at; (at = last_bit(days, upto)) >= 0; upto = at - 1) {
                int time = prev_of_day(cron, at == upto ? tod : (int) PAWL_DAY_S - 1);

                tod = PAWL_DAY_S - 1;
                if (time >= 0) {
                    int64_t found = (first_day + at - 1) * PAWL_DAY_S + time;

                    return found < limit ? NEVER : found;
                }
            }
            upto = 31;
            tod = PAWL_DAY_S - 1;
        }
        if (pawl_calendar_day(year, 1, 1) < first)
            return NEVER;
    }
}

/* How many times of day are earlier than tod, which may be the end of the day. */
static uint64_t
count_of_day(const struct pawl_cron *cron, int tod)
{
    uint64_t n = 0;

    if (cron->kind != PAWL_CRON_FIELDS) {
        while (n < cron->ntimes && (int) cron->times[n] < tod)
            n++;
        return n;
    }
    int hour = tod / 3600, minute = tod / 60 % 60, second = tod % 60;

    n = (uint64_t) __builtin_popcountll(below(cron->hour, hour));
    n = n * (uint64_t) __builtin_popcountll(cron->minute);
    if (cron->hour >> hour & 1)
        n += (uint64_t) __builtin_popcountll(below(cron->minute, minute));
    n *= (uint64_t) __builtin_popcountll(cron->second);
    if ((cron->hour >> hour & 1) && (cron->minute >> minute & 1))
        n += (uint64_t) __builtin_popcountll(below(cron->second, second));
    return n;
}

/* How many days the schedule means from day to last_day; *out_has_day and *out_has_last say whether
 * these are two of them. */
static uint64_t
count_days(const struct pawl_cron *cron, int64_t day, int64_t last_day, bool *out_has_day,
           bool *out_has_last)
{
    struct pawl_date date = pawl_calendar_date(day);
    uint64_t n = 0;

    *out_has_day = *out_has_last = false;
    for (int64_t year = date.year; ; year++, date.month = 1) {
        int month = has_year(cron, year) ? next_bit(cron->month, date.month) : -1;

        for (; month >= 0; month = next_bit(cron->month, (unsigned) month + 1)) {
            int64_t before = pawl_calendar_day(year, (unsigned) month, 1) - 1;
            uint32_t days;

            if (before >= last_day)
                return n;
            days = days_of_month(cron, year, (unsigned) month, before + 1);
            if (day > before)
                days = days >> (day - before) << (day - before);
            if (last_day - before < 31)
                days &= (2u << (last_day - before)) - 1;
            if (day > before)
                *out_has_day = days >> (day - before) & 1;
            if (last_day - before <= 31)
                *out_has_last = days >> (last_day - before) & 1;
            n += (uint64_t) __builtin_popcount(days);
        }
        if (pawl_calendar_day(year + 1, 1, 1) > last_day)
            return n;
    }
}

uint64_t
pawl_cron_count_wall(const struct pawl_cron *cron, int64_t wall, int64_t limit)
{
    int64_t day = pawl_calendar_floor(wall, PAWL_DAY_S);
    int64_t last_day = pawl_calendar_floor(limit, PAWL_DAY_S);
    uint64_t of_day = count_of_day(cron, PAWL_DAY_S), n;
    bool has_day, has_last;

    if (limit < wall)
        return 0;
    n = of_day * count_days(cron, day, last_day, &has_day, &has_last);
    if (has_day)
        n -= count_of_day(cron, (int) (wall - day * PAWL_DAY_S));
    if (has_last)
        n -= of_day - count_of_day(cron, (int) (limit - last_day * PAWL_DAY_S) + 1);
    return n;
}
