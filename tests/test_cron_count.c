/* test_cron_count.c: how many times there are between two instants, against counting them one by
 * one: random expressions in random zones, around changes of offset and over years, under every
 * policy; and that any span is counted at once.
 *
 * PAWL_TEST_SEED chooses the schedules. A sanitizer sees a tenth of them. */
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
#define DAY 86400
#define MOST 30000                      /* times of a span that are counted one by one */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NSCHEDULES 1000
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define NSCHEDULES 1000
#endif
#endif
#ifndef NSCHEDULES
#define NSCHEDULES 10000
#endif

static uint64_t seed;

static unsigned
below(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned) (seed >> 33) % n;
}

static const struct pawl_zone *
zone_of(const char *name)
{
    const struct pawl_zone *zone;

    assert_int_equal(pawl_zone_load(name, strlen(name), &zone, NULL), 0);
    return zone;
}

static struct pawl_cron
parse(const char *text, const struct pawl_cron_options *options)
{
    struct pawl_cron cron;
    struct pawl_err err;

    if (pawl_cron_parse(&cron, text, strlen(text), options, NULL, &err) != 0)
        fail_msg("[%s] is refused: %s", text, err.text);
    return cron;
}

/* One by one, but no more than MOST: *until is then the last that was counted. */
static uint64_t
count_slowly(const struct pawl_cron *cron, int64_t after, int64_t *until)
{
    uint64_t n = 0;
    int64_t t = after;

    while ((t = pawl_cron_next(cron, t)) != NEVER && t <= *until)
        if (++n == MOST)
            *until = t;
    return n;
}

static void
check_span(const struct pawl_cron *cron, const char *text, int64_t after, int64_t until)
{
    uint64_t expected = count_slowly(cron, after, &until);
    uint64_t got = pawl_cron_count(cron, after, until);

    if (got != expected)
        fail_msg("[%s] %s, dst %d, (%lld, %lld]: %llu, one by one %llu", text,
            pawl_zone_name(cron->zone), cron->dst, (long long) after, (long long) until,
            (unsigned long long) got, (unsigned long long) expected);
}

static void
random_expression(char *out, size_t cap)
{
    static const char *const seconds[] = {"", "", "*", "*/7", "0", "59", "0-30", "3,50-59"};
    static const char *const minutes[] = {"*", "*/15", "0", "30", "0-59", "7-50/9", "59", "50-9/7"};
    static const char *const hours[] = {"*", "*/2", "0", "0-23", "1-3", "2", "0-4", "23", "22-1"};
    static const char *const doms[] = {"*", "*", "*", "?", "*/2", "L", "LW", "1W,30W", "L-2", "31"};
    static const char *const dows[] = {"*", "*", "*", "sun", "mon-fri", "5L", "0#2,0L", "+sun",
        "fri#5"};
    static const char *const months[] = {"*", "*", "*", "3,4,10,11", "sep-apr", "feb"};
    static const char *const years[] = {"", "", "*", "1971-2150/3", "2011,2024"};
    static const char *const others[] = {"daily 1 at 02:30,02:30:01,2:30", "@every 61s",
        "daily 3 at 00:00,00:30,01:30,23:59:59", "weekly 1 on sun,sat at 00:30,02:00",
        "weekly 2 on sun,thu at 01:00", "monthly 1 on 1,-1 at 00:00,02:30",
        "monthly 5 on -1,31,8 at 01:30,03:00", "@every 20h", "@daily", "@reboot"};
    const char *second;
#define PICK(list) list[below(sizeof list / sizeof *list)]

    if (below(5) == 0) {
        snprintf(out, cap, "%s", PICK(others));
        return;
    }
    second = PICK(seconds);
    snprintf(out, cap, "%s %s %s %s %s %s %s", second, PICK(minutes), PICK(hours), PICK(doms),
        PICK(months), PICK(dows), *second != '\0' ? PICK(years) : "");
}

/* An instant near a change of offset, if the zone has one, or any. */
static int64_t
random_instant(const struct pawl_zone *zone)
{
    int64_t second = (int64_t) below(4200000000u) - 100000000;
    struct pawl_zone_span span;

    pawl_zone_at(zone, second, &span);
    if (below(4) == 0 || span.end_s == INT64_MAX)
        return second;
    switch (below(3)) {
    case 0:
        return span.end_s + (int64_t) below(5) - 2;
    case 1:
        return span.end_s + (int64_t) below(4 * 3600) - 2 * 3600;
    default:
        return span.end_s + (int64_t) below(4 * DAY) - 2 * DAY;
    }
}

static void
test_cron_count_is_that_of_one_by_one(void **state)
{
    static const char *const odd[] = {"Pacific/Apia", "Pacific/Kwajalein", "Australia/Lord_Howe",
        "Antarctica/Troll", "Africa/Monrovia", "America/Havana", "Africa/Casablanca", "UTC"};
    static const unsigned spans[] = {2, 60, 3600, 5 * 3600, 2 * DAY, 40 * DAY, 4000u * DAY,
        40000u * DAY};
    size_t nnames;
    const char *const *names = pawl_zone_names(&nnames);
    char text[128];

    (void) state;
    for (int i = 0; i < NSCHEDULES; i++) {
        struct pawl_cron_options options = {
            .zone = zone_of(below(2) == 0 ? PICK(odd) : names[below((unsigned) nnames)]),
            .dst = (enum pawl_cron_dst) below(4),
            .start_s = (int64_t) below(1u << 30) * 3};
        struct pawl_cron cron;
        int64_t after = random_instant(options.zone);

        random_expression(text, sizeof text);
        cron = parse(text, &options);
        check_span(&cron, text, after, after + (int64_t) below(PICK(spans)));
        check_span(&cron, text, after - (int64_t) below(2 * DAY), after);
    }
}

/* A gap of two hours goes into one hour; what falls on a time that is there counts once. */
static void
test_cron_count_of_shifted_times_counts_each_instant_once(void **state)
{
    struct pawl_cron_options options = {
        .zone = zone_of("Antarctica/Troll"), .dst = PAWL_CRON_SHIFT};
    struct pawl_cron all = parse("0-29 0-59 0-23 * * *", &options);
    struct pawl_cron one = parse("30 1-3 * * *", &options);
    int64_t begin = pawl_calendar_day(2026, 3, 29) * DAY;           /* the gap: at 01:00 UTC */

    (void) state;
    assert_int_equal(pawl_cron_count(&all, begin, begin + DAY), 1440 * 30);
    assert_int_equal(pawl_cron_count(&one, begin, begin + DAY / 2), 1);
    assert_int_equal(pawl_cron_count(&one, begin + DAY / 2, begin + DAY / 2 + 2 * DAY), 6);
}

static void
test_cron_count_of_no_span_is_0(void **state)
{
    struct pawl_cron cron = parse("* * * * * *", NULL), reboot = parse("@reboot", NULL);
    struct pawl_cron every = parse("@every 1s", NULL);

    (void) state;
    assert_int_equal(pawl_cron_count(&cron, 100, 100), 0);
    assert_int_equal(pawl_cron_count(&cron, 100, 99), 0);
    assert_int_equal(pawl_cron_count(&every, 100, NEVER), 0);
    assert_int_equal(pawl_cron_count(&every, INT64_MAX, INT64_MIN), 0);
    assert_int_equal(pawl_cron_count(&cron, INT64_MAX - 1, INT64_MAX), 0);
    assert_int_equal(pawl_cron_count(&reboot, 0, INT64_MAX), 0);
}

/* Processor time, the least of some tries. */
static int64_t
cost_ns(const struct pawl_cron *cron, int64_t after, int64_t until)
{
    int64_t best = INT64_MAX;

    for (int i = 0; i < 5; i++) {
        struct timespec a, b;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
        pawl_cron_count(cron, after, until);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
        int64_t ns = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;
        best = ns < best ? ns : best;
    }
    return best;
}

static void
test_cron_count_of_any_span_is_found_at_once(void **state)
{
    static const char *const texts[] = {"* * * * * *", "* 0-59 0-23 * * *",
        "*/7 1-59/2 * L,15W * ?", "0 0 30 2 *", "daily 1 at 00:00,02:30",
        "weekly 3 on sun at 02:30", "@every 1s"};
    static const char *const zones[] = {"UTC", "America/New_York", "Africa/Casablanca"};
    int64_t now = pawl_calendar_day(2026, 11, 20) * DAY;

    (void) state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t z = 0; z < 3; z++) {
            struct pawl_cron_options options = {.zone = zone_of(zones[z]), .dst = PAWL_CRON_SHIFT};
            struct pawl_cron cron = parse(texts[i], &options);
            int64_t ten = cost_ns(&cron, now, now + 3652 * DAY);
            int64_t all = cost_ns(&cron, INT64_MIN, INT64_MAX);

            printf("%-24s %-18s ten years %lld ns, all %lld ns\n", texts[i], zones[z],
                (long long) ten, (long long) all);
            assert_true(ten < 20000000 && all < INT64_C(2000000000));
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
        cmocka_unit_test(test_cron_count_is_that_of_one_by_one),
        cmocka_unit_test(test_cron_count_of_shifted_times_counts_each_instant_once),
        cmocka_unit_test(test_cron_count_of_no_span_is_0),
        cmocka_unit_test(test_cron_count_of_any_span_is_found_at_once),
    };

    return cmocka_run_group_tests(tests, choose_seed, NULL);
}
