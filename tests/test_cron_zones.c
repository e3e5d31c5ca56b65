/* test_cron_zones.c: the times of random schedules in every zone of the database, against a slow
 * and obvious reference: the C library's idea of the zone, and a look at each minute. Around the
 * changes of offset from 1970 to 2100, under every policy, forward and back.
 *
 * PAWL_TEST_SEED chooses the schedules. A sanitizer sees each eighth zone. */
#include "cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "calendar.h"

#define NEVER PAWL_CRON_NEVER
#define HOUR 3600
#define DAY 86400
#define MOST 4000                       /* changes of a zone, times of a window */
#define NAROUND 6                       /* changes of a zone that are looked at */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EACH 8
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define EACH 8
#endif
#endif
#ifndef EACH
#define EACH 1
#endif

static uint64_t seed;

/* The zone as the C library knows it. */
static struct {
    int64_t at[MOST];
    long before[MOST], after[MOST];
    size_t n;
} changes;

static unsigned
below(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned) (seed >> 33) % n;
}

static long
ask_offset(int64_t second)
{
    time_t when = (time_t) second;
    struct tm tm;

    localtime_r(&when, &tm);
    return tm.tm_gmtoff;
}

static void
find_changes(const char *name)
{
    int64_t end = pawl_calendar_day(2100, 1, 1) * DAY;

    setenv("TZ", name, 1);
    tzset();
    changes.n = 0;
    for (int64_t low = 0; low < end; low += 5 * DAY) {
        int64_t a = low, b = low + 5 * DAY;

        if (ask_offset(a) == ask_offset(b))
            continue;
        while (b - a > 1) {
            int64_t middle = a + (b - a) / 2;

            if (ask_offset(middle) == ask_offset(low))
                a = middle;
            else
                b = middle;
        }
        assert_true(changes.n < MOST);
        changes.at[changes.n] = b;
        changes.before[changes.n] = ask_offset(a);
        changes.after[changes.n++] = ask_offset(b);
    }
}

/* The place of the last change up to an instant, -1 for none. */
static ptrdiff_t
change_before(int64_t second)
{
    ptrdiff_t found = -1;

    for (size_t i = 0; i < changes.n && changes.at[i] <= second; i++)
        found = (ptrdiff_t) i;
    return found;
}

static bool
has(uint64_t set, int bit)
{
    return set >> bit & 1;
}

/* Whether a day is the weekday nearest to day n of its month. */
static bool
is_nearest(const struct tm *tm, int ndays, int n)
{
    int weekday = ((tm->tm_wday + n - tm->tm_mday) % 7 + 7) % 7;

    if (n > ndays)
        return false;
    if (weekday == 6)
        n = n == 1 ? 3 : n - 1;
    else if (weekday == 0)
        n = n == ndays ? n - 2 : n + 1;
    return tm->tm_mday == n;
}

static bool
is_day_of_fields(const struct pawl_cron *c, const struct tm *tm, int ndays)
{
    bool dom = has(c->dom, tm->tm_mday) || has(c->dom_end, ndays + 1 - tm->tm_mday) ||
               (c->last_weekday && is_nearest(tm, ndays, ndays));
    bool dow = has(c->dow, tm->tm_wday) || has(c->nth_dow[(tm->tm_mday - 1) / 7], tm->tm_wday) ||
               (tm->tm_mday + 7 > ndays && has(c->last_dow, tm->tm_wday));

    for (int n = 1; n <= 31; n++)
        dom |= has(c->nearest, n) && is_nearest(tm, ndays, n);
    return c->is_day_and ? dom && dow : dom || dow;
}

/* Whether a wall time is one of the schedule. */
static bool
is_wall(const struct pawl_cron *c, int64_t wall)
{
    time_t when = (time_t) wall;
    struct tm tm, from;
    int64_t start = c->start_s + ask_offset(c->start_s), day, start_day;
    bool is_time = false;
    int ndays;

    gmtime_r(&when, &tm);
    ndays = (int) pawl_calendar_month_days(tm.tm_year + 1900, (unsigned) tm.tm_mon + 1);
    if (c->kind == PAWL_CRON_FIELDS)
        return has(c->second, tm.tm_sec) && has(c->minute, tm.tm_min) &&
               has(c->hour, tm.tm_hour) && has(c->month, tm.tm_mon + 1) &&
               is_day_of_fields(c, &tm, ndays);
    for (uint32_t i = 0; i < c->ntimes; i++)
        is_time |= (int64_t) c->times[i] == tm.tm_hour * HOUR + tm.tm_min * 60 + tm.tm_sec;
    if (!is_time)
        return false;
    day = pawl_calendar_floor(wall, DAY);
    start_day = pawl_calendar_floor(start, DAY);
    if (c->kind == PAWL_CRON_DAILY)
        return (day - start_day) % c->interval == 0;
    if (c->kind == PAWL_CRON_WEEKLY)
        return has(c->dow, tm.tm_wday) && (pawl_calendar_floor(day + 4, 7) -
               pawl_calendar_floor(start_day + 4, 7)) % c->interval == 0;
    when = (time_t) start;
    gmtime_r(&when, &from);
    return (has(c->dom, tm.tm_mday) || has(c->dom_end, ndays + 1 - tm.tm_mday)) &&
           ((tm.tm_year - from.tm_year) * 12 + tm.tm_mon - from.tm_mon) % (int) c->interval == 0;
}

/* What a gap of less than three hours adds at an instant. */
static bool
is_added(const struct pawl_cron *c, int64_t second, ptrdiff_t change)
{
    long width = changes.after[change] - changes.before[change];
    int64_t at = changes.at[change];
    int64_t gap = at + changes.before[change];
    long step = width > HOUR && width < 3 * HOUR ? HOUR : width;

    if (width <= 0 || c->is_wild)
        return false;
    if (c->dst == PAWL_CRON_RUN_AFTER && second == at && width < 3 * HOUR)
        for (int64_t wall = gap; wall < gap + width; wall++)
            if (is_wall(c, wall))
                return true;
    if (c->dst == PAWL_CRON_SHIFT)
        for (int64_t wall = second + changes.after[change] - step; wall >= gap; wall -= step)
            if (wall < gap + width && second < at + step && is_wall(c, wall))
                return true;
    return false;
}

static bool
is_time(const struct pawl_cron *c, int64_t second)
{
    ptrdiff_t change = change_before(second);
    long offset = change >= 0 ? changes.after[change] : ask_offset(0);
    bool is_second_pass = change >= 0 && changes.after[change] < changes.before[change] &&
                          second + offset < changes.at[change] + changes.before[change];

    if (is_wall(c, second + offset) &&
        (!is_second_pass || c->is_wild || c->dst == PAWL_CRON_TWICE))
        return true;
    return change >= 0 && is_added(c, second, change);
}

static void
random_expression(char *out, size_t cap)
{
    static const char *const minutes[] = {"*", "*/15", "0", "30", "0,45", "7-50/9", "59", "50-10/7"};
    static const char *const hours[] = {"*", "*/2", "0", "1", "2", "3", "0-4", "23", "22-1", "12"};
    static const char *const doms[] = {"*", "*", "*", "?", "*/2", "L", "LW", "15W", "1W,30W", "L-2",
        "1-15", "31", "25-7"};
    static const char *const dows[] = {"*", "*", "*", "0", "sun", "mon-fri", "5L", "0#2,0L", "+sun",
        "sat-1", "*/2", "fri#L"};
    static const char *const months[] = {"*", "*", "*", "3,4,10,11", "sep-apr", "*/2"};
    static const char *const calendars[] = {"daily 1 at 02:30", "daily 2 at 00:00,02:15,03:10",
        "daily 3 at 01:30,23:59", "weekly 1 on sun,sat at 00:30,02:00",
        "weekly 2 on sun,thu at 01:00", "monthly 1 on 1,-1 at 00:00,02:30",
        "monthly 1 on -1,31,8 at 01:30,03:00"};
#define PICK(list) list[below(sizeof list / sizeof *list)]

    if (below(5) == 0)
        snprintf(out, cap, "%s", PICK(calendars));
    else
        snprintf(out, cap, "%s %s %s %s %s", PICK(minutes), PICK(hours), PICK(doms), PICK(months),
            PICK(dows));
}

static int64_t slow[MOST];

/* Compares all times in [begin, end). */
static void
check_window(const struct pawl_cron *c, const char *text, int64_t begin, int64_t end)
{
    size_t n = 0, i = 0;
    int64_t t, step = begin < INT64_C(94694400) ? 30 : 60;      /* Monrovia, until 1972 */

    for (t = begin; t < end; t += step)
        if (is_time(c, t)) {
            assert_true(n < MOST);
            slow[n++] = t;
        }
    for (t = pawl_cron_next(c, begin - 1); t != NEVER && t < end; t = pawl_cron_next(c, t)) {
        if (i == n || slow[i] != t || !pawl_cron_match(c, t))
            fail_msg("[%s] %s, dst %d: next says %lld, the reference %lld", text,
                pawl_zone_name(c->zone), c->dst, (long long) t, i < n ? (long long) slow[i] : -1LL);
        i++;
    }
    if (i != n)
        fail_msg("[%s] %s, dst %d: next passes over %lld", text, pawl_zone_name(c->zone), c->dst,
            (long long) slow[i]);
    for (t = pawl_cron_prev(c, end); t != NEVER && t >= begin; t = pawl_cron_prev(c, t))
        if (i == 0 || slow[--i] != t)
            fail_msg("[%s] %s, dst %d: prev says %lld, the reference %lld", text,
                pawl_zone_name(c->zone), c->dst, (long long) t, (long long) slow[i]);
    if (i != 0)
        fail_msg("[%s] %s, dst %d: prev passes over %lld", text, pawl_zone_name(c->zone), c->dst,
            (long long) slow[i - 1]);
}

static struct pawl_cron
random_schedule(const struct pawl_zone *zone, char *text, size_t cap)
{
    struct pawl_cron_options options = {.zone = zone,
        .dst = (enum pawl_cron_dst) below(4),
        .day_match = (enum pawl_cron_day_match) below(2),
        .start_s = (int64_t) below(1u << 30) * 3};
    struct pawl_cron cron;
    struct pawl_err err;

    random_expression(text, cap);
    if (pawl_cron_parse(&cron, text, strlen(text), &options, NULL, &err) != 0)
        fail_msg("[%s] %s", text, err.text);
    return cron;
}

static void
test_cron_times_are_those_of_the_reference_in_every_zone(void **state)
{
    size_t nnames;
    const char *const *names = pawl_zone_names(&nnames);
    char text[128];

    (void) state;
    assert_true(nnames > 300);
    for (size_t z = below(EACH); z < nnames; z += EACH) {
        const struct pawl_zone *zone;

        assert_int_equal(pawl_zone_load(names[z], strlen(names[z]), &zone, NULL), 0);
        find_changes(names[z]);
        for (int i = 0; i < NAROUND; i++) {
            struct pawl_cron cron = random_schedule(zone, text, sizeof text);
            int64_t middle = changes.n > 0 ? changes.at[below((unsigned) changes.n)]
                                           : (int64_t) below(4000000000u);

            middle -= middle % 60;
            if (middle > 3 * DAY && middle < pawl_calendar_day(2099, 12, 1) * DAY)
                check_window(&cron, text, middle - 30 * HOUR, middle + 30 * HOUR);
        }
    }
}

static void
test_cron_next_is_later_and_prev_is_its_inverse(void **state)
{
    size_t nnames;
    const char *const *names = pawl_zone_names(&nnames);
    char text[128];

    (void) state;
    for (size_t z = below(EACH); z < nnames; z += EACH) {
        const struct pawl_zone *zone;

        assert_int_equal(pawl_zone_load(names[z], strlen(names[z]), &zone, NULL), 0);
        for (int i = 0; i < 50; i++) {
            struct pawl_cron cron = random_schedule(zone, text, sizeof text);
            int64_t t = (int64_t) below(4100000000u), first = pawl_cron_next(&cron, t), second;

            if (first == NEVER)
                continue;
            second = pawl_cron_next(&cron, first);
            assert_true(first > t && second > first);
            assert_true(pawl_cron_match(&cron, first) && pawl_cron_match(&cron, second));
            assert_int_equal(pawl_cron_prev(&cron, second), first);
            assert_true(pawl_cron_prev(&cron, first) <= t);
        }
    }
}

/* The look-ups of a wall time agree with those of an instant, and cctz with the C library. */
static void
test_zone_changes_are_those_of_the_c_library(void **state)
{
    size_t nnames;
    const char *const *names = pawl_zone_names(&nnames);

    (void) state;
    for (size_t z = below(EACH); z < nnames; z += EACH) {
        const struct pawl_zone *zone;
        struct pawl_zone_span span;

        assert_int_equal(pawl_zone_load(names[z], strlen(names[z]), &zone, NULL), 0);
        find_changes(names[z]);
        for (size_t i = 0; i < changes.n; i++) {
            int64_t at = changes.at[i];
            long before = changes.before[i], after = changes.after[i];
            int64_t wall = at + (before < after ? before : after);
            struct pawl_zone_instants found = pawl_zone_from_wall(zone, wall);

            pawl_zone_at(zone, at, &span);
            if (span.begin_s != at || span.before_s != before || span.offset_s != after)
                fail_msg("%s: a change at %lld from %ld to %ld", names[z], (long long) at, before,
                    after);
            assert_int_equal(found.kind, before < after ? PAWL_ZONE_GAP : PAWL_ZONE_FOLD);
            assert_int_equal(found.change_s, at);
            assert_int_equal(found.before_s, wall - before);
            assert_int_equal(found.after_s, wall - after);
            assert_int_equal(
                pawl_zone_from_wall(zone, at + (before < after ? after : before)).kind,
                PAWL_ZONE_UNIQUE);
        }
    }
}

static int
choose_seed(void **state)
{
    const char *given = getenv("PAWL_TEST_SEED");

    (void) state;
    seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t) time(NULL) * 2654435761u;
    seed |= 1;
    printf("PAWL_TEST_SEED=%llu\n", (unsigned long long) seed);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cron_times_are_those_of_the_reference_in_every_zone),
        cmocka_unit_test(test_cron_next_is_later_and_prev_is_its_inverse),
        cmocka_unit_test(test_zone_changes_are_those_of_the_c_library),
    };

    return cmocka_run_group_tests(tests, choose_seed, NULL);
}
