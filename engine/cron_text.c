/* cron_text.c: what a schedule means, in words.
 *
 * Pure. The words come from what was understood, not from what was typed, so that a mistake
 * shows. Text that does not fit is cut. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cron.h"
#include "duration.h"

#define LISTED 6                    /* so many times of day are listed one by one */

struct out {
    char *text;
    size_t len, cap;
};

/* One value in words; index counts from 0 in the set. */
typedef void name_value(struct out *out, unsigned value);

/* A set of values, or of words, that is written as "a, b to d and e". */
struct list {
    struct out *out;
    unsigned n, left;
};

static const char *const weekdays[] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"", "January", "February", "March", "April", "May",
    "June", "July", "August", "September", "October", "November", "December"};
static const char *const ordinals[] = {"first", "second", "third", "fourth", "fifth"};

static void __attribute__((format(printf, 2, 3)))
put(struct out *out, const char *format, ...)
{
    va_list args;
    int len;

    if (out->len + 1 >= out->cap)
        return;
    va_start(args, format);
    len = vsnprintf(out->text + out->len, out->cap - out->len, format, args);
    va_end(args);
    if (len > 0)
        out->len += (size_t) len < out->cap - out->len ? (size_t) len : out->cap - out->len - 1;
}

static void
name_number(struct out *out, unsigned value)
{
    put(out, "%u", value);
}

static void
name_weekday(struct out *out, unsigned value)
{
    put(out, "%s", weekdays[value]);
}

static void
name_month(struct out *out, unsigned value)
{
    put(out, "%s", months[value]);
}

/* What stands between two items. */
static void
separate(struct list *list)
{
    list->left--;
    if (list->n++ > 0)
        put(list->out, list->left == 0 ? " and " : ", ");
}

static bool
has(uint64_t set, unsigned bit)
{
    return bit < 64 && (set >> bit & 1);
}

/* The length of the run of values that begins at first; two in a row are two items. */
static unsigned
run_of(uint64_t set, unsigned first)
{
    unsigned n = 1;

    while (has(set, first + n))
        n++;
    return n == 2 ? 1 : n;
}

static unsigned
count_items(uint64_t set)
{
    unsigned n = 0;

    for (unsigned bit = 0; bit < 64; bit++)
        if (has(set, bit)) {
            n++;
            bit += run_of(set, bit) - 1;
        }
    return n;
}

static void
put_items(struct list *list, uint64_t set, name_value *name)
{
    for (unsigned bit = 0; bit < 64; bit++)
        if (has(set, bit)) {
            unsigned run = run_of(set, bit);

            separate(list);
            name(list->out, bit);
            if (run > 1) {
                put(list->out, " to ");
                name(list->out, bit + run - 1);
            }
            bit += run - 1;
        }
}

static void
put_set(struct out *out, uint64_t set, name_value *name)
{
    struct list list = {out, 0, count_items(set)};

    put_items(&list, set, name);
}

static void
put_time(struct out *out, unsigned tod)
{
    put(out, "%02u:%02u", tod / 3600, tod / 60 % 60);
    if (tod % 60 != 0)
        put(out, ":%02u", tod % 60);
}

/* n if the set is 0, n, 2n, ... up to size; 0 otherwise. */
static unsigned
step_of(uint64_t set, unsigned size)
{
    unsigned step = 1;

    while (step < size && !has(set, step))
        step++;
    for (unsigned bit = 0; bit < size; bit++)
        if (has(set, bit) != (bit % step == 0))
            return 0;
    return step < size ? step : 0;
}

/* n if the set comes round every n, as "every n minutes" says; 0 otherwise. */
static unsigned
period_of(uint64_t set, unsigned size)
{
    unsigned step = step_of(set, size);

    return step > 0 && size % step == 0 ? step : 0;
}

/* "every 5 minutes", or "at minute 5 and 35". */
static void
put_unit(struct out *out, uint64_t set, unsigned size, const char *unit)
{
    unsigned period = period_of(set, size);

    if (period == 1)
        put(out, "every %s", unit);
    else if (period > 1)
        put(out, "every %u %ss", period, unit);
    else {
        put(out, "at %s ", unit);
        put_set(out, set, name_number);
    }
}

static void
put_times_of_day(struct out *out, const struct pawl_cron *cron)
{
    int nhours = __builtin_popcount(cron->hour), nminutes = __builtin_popcountll(cron->minute);
    int nseconds = __builtin_popcountll(cron->second);
    const char *comma = "";

    if (nhours * nminutes * nseconds <= LISTED) {
        struct list list = {out, 0, (unsigned) (nhours * nminutes * nseconds)};

        put(out, "at ");
        for (unsigned hour = 0; hour < 24; hour++)
            for (unsigned minute = 0; has(cron->hour, hour) && minute < 60; minute++)
                for (unsigned second = 0; has(cron->minute, minute) && second < 60; second++)
                    if (has(cron->second, second)) {
                        separate(&list);
                        put_time(out, hour * 3600 + minute * 60 + second);
                    }
        return;
    }
    if (cron->second != 1) {
        put_unit(out, cron->second, 60, "second");
        comma = ", ";
    }
    if (period_of(cron->minute, 60) != 1 || cron->second == 1) {
        put(out, "%s", comma);
        put_unit(out, cron->minute, 60, "minute");
        comma = ", ";
    } else if (period_of(cron->second, 60) == 0) {
        put(out, " of every minute");
    }
    if (nhours == 24) {
        if (period_of(cron->minute, 60) == 0)
            put(out, " of every hour");
    } else {
        unsigned period = period_of(cron->hour, 24);

        put(out, "%s", comma);
        if (period > 1)
            put(out, "every %u hours", period);
        else {
            put(out, nhours == 1 ? "in the hour " : "in the hours ");
            put_set(out, cron->hour, name_number);
        }
    }
}

/* The days of the month, as the words behind "on". */
static void
put_dom(struct out *out, const struct pawl_cron *cron)
{
    unsigned ndays = count_items(cron->dom), nnearest = count_items(cron->nearest);
    unsigned nend = (unsigned) __builtin_popcount(cron->dom_end);
    struct list list = {out, 0, (ndays > 0) + (nnearest > 0) + cron->last_weekday + nend};

    if (ndays > 0) {
        separate(&list);
        put(out, "day ");
        put_set(out, cron->dom, name_number);
    }
    if (nnearest > 0) {
        separate(&list);
        put(out, "the weekday nearest to day ");
        put_set(out, cron->nearest, name_number);
    }
    for (unsigned day = 31; day > 0; day--)
        if (has(cron->dom_end, day)) {
            separate(&list);
            if (day == 1)
                put(out, "the last day");
            else
                put(out, "day %u from the end", day);
        }
    if (cron->last_weekday) {
        separate(&list);
        put(out, "the last weekday");
    }
    put(out, " of the month");
}

static void
put_dow(struct out *out, const struct pawl_cron *cron)
{
    struct list list = {out, 0, count_items(cron->dow) + (cron->last_dow != 0)};

    for (unsigned n = 0; n < 5; n++)
        list.left += cron->nth_dow[n] != 0;
    put_items(&list, cron->dow, name_weekday);
    for (unsigned n = 0; n < 5; n++)
        if (cron->nth_dow[n] != 0) {
            separate(&list);
            put(out, "the %s ", ordinals[n]);
            put_set(out, cron->nth_dow[n], name_weekday);
            put(out, " of the month");
        }
    if (cron->last_dow != 0) {
        separate(&list);
        put(out, "the last ");
        put_set(out, cron->last_dow, name_weekday);
        put(out, " of the month");
    }
}

static void
put_days(struct out *out, const struct pawl_cron *cron)
{
    bool every_dom = cron->dom == 0xfffffffe, every_dow = cron->dow == 0x7f;

    if (every_dom || every_dow) {
        if ((every_dom && every_dow) || !cron->is_day_and) {
            if (cron->hour != 0xffffff)
                put(out, " every day");
            return;
        }
        put(out, " on ");
        if (every_dom)
            put_dow(out, cron);
        else
            put_dom(out, cron);
        return;
    }
    put(out, " on ");
    put_dom(out, cron);
    put(out, cron->is_day_and ? ", if it is " : ", and on ");
    put_dow(out, cron);
}

static void
put_years(struct out *out, const struct pawl_cron *cron)
{
    unsigned nruns = 0, n = PAWL_CRON_YEAR_MAX - PAWL_CRON_YEAR_MIN + 1;

    put(out, " in");
    for (unsigned i = 0; i < n; i++) {
        unsigned first = i;

        while (i < n && has(cron->year[i / 64], i % 64))
            i++;
        if (i == first)
            continue;
        if (nruns++ == LISTED) {
            put(out, ", ...");
            return;
        }
        put(out, "%s%u", nruns > 1 ? ", " : " ", first + PAWL_CRON_YEAR_MIN);
        if (i - first > 1)
            put(out, " to %u", i - 1 + PAWL_CRON_YEAR_MIN);
    }
}

static void
put_interval(struct out *out, const struct pawl_cron *cron)
{
    const char *unit = cron->kind == PAWL_CRON_DAILY    ? "day"
                       : cron->kind == PAWL_CRON_WEEKLY ? "week"
                                                        : "month";
    struct list list = {out, 0, cron->ntimes};

    if (cron->interval == 1)
        put(out, "every %s", unit);
    else
        put(out, "every %u %ss", cron->interval, unit);
    if (cron->kind != PAWL_CRON_DAILY)
        put(out, " on ");
    if (cron->kind == PAWL_CRON_WEEKLY)
        put_dow(out, cron);
    if (cron->kind == PAWL_CRON_MONTHLY)
        put_dom(out, cron);
    put(out, " at ");
    for (unsigned i = 0; i < cron->ntimes; i++) {
        separate(&list);
        put_time(out, cron->times[i]);
    }
}

size_t
pawl_cron_describe(const struct pawl_cron *cron, char *text, size_t cap)
{
    struct out out = {text, 0, cap};
    char span[32];

    if (cap == 0)
        return 0;
    text[0] = '\0';
    switch (cron->kind) {
    case PAWL_CRON_REBOOT:
        put(&out, "at each start of the daemon");
        return out.len;
    case PAWL_CRON_EVERY:
        pawl_duration_format(cron->every_s * 1000000000, span);
        put(&out, "every %s", span);
        return out.len;
    case PAWL_CRON_FIELDS:
        put_times_of_day(&out, cron);
        put_days(&out, cron);
        if (cron->month != 0x1ffe) {
            put(&out, " in ");
            put_set(&out, cron->month, name_month);
        }
        if (cron->has_years)
            put_years(&out, cron);
        break;
    default:
        put_interval(&out, cron);
    }
    put(&out, ", %s", pawl_zone_name(cron->zone));
    return out.len;
}
