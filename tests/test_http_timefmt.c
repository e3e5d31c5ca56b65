/* test_http_timefmt.c: times as text in several zones, against strftime. Each zone
 * gets a thread of its own, since a thread keeps what it has seen of the zone. The
 * zones are POSIX rules, so that no time zone data is needed. */
#include "timefmt.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define SECOND_NS INT64_C(1000000000)

struct job {
    const char *zone;
    uint64_t seed;
    char wrong[256];                    /* what was wrong, empty: nothing */
};

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The slow, obvious way. */
static void
reference(int64_t wall_ns, char out[PAWL_TIME_MAX])
{
    time_t second = (time_t) (wall_ns / SECOND_NS - (wall_ns % SECOND_NS < 0));
    long nanosecond = (long) ((wall_ns % SECOND_NS + SECOND_NS) % SECOND_NS);
    char date[64], offset[16];
    struct tm tm;

    localtime_r(&second, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(offset, sizeof offset, "%z", &tm);
    snprintf(out, PAWL_TIME_MAX, "%.19s.%09ld%.3s:%.2s", date, nanosecond, offset,
             offset + 3);
}

static bool
check(struct job *job, int64_t wall_ns)
{
    char text[PAWL_TIME_MAX], wanted[PAWL_TIME_MAX];
    size_t len = pawl_time_format(wall_ns, text);

    reference(wall_ns, wanted);
    if (len == 35 && strcmp(text, wanted) == 0)
        return true;
    snprintf(job->wrong, sizeof job->wrong, "%s, %lld ns: \"%s\" instead of \"%s\"",
             job->zone,
             (long long) wall_ns, text, wanted);
    return false;
}

static void *
run_zone(void *arg)
{
    struct job *job = arg;
    uint64_t random = job->seed;
    /* 2026-03-29T01:00:00Z and 2026-10-25T01:00:00Z, where Berlin changes. */
    static const int64_t changes[] = {1774746000, 1792890000};

    if (!check(job, 0) || !check(job, -1) || !check(job, INT64_MAX) ||
        !check(job, INT64_MIN))
        return NULL;
    for (int i = 0; i < 2; i++)
        for (int64_t away = -20000; away <= 20000; away++)
            if (!check(job, (changes[i] + away) * SECOND_NS + away + 20000))
                return NULL;
    for (int i = 0; i < 100000; i++)
        if (!check(job, (int64_t) next_random(&random) >> next_random(&random) % 40))
            return NULL;
    for (int i = 0; i < 100000; i++)    /* of our century, where the rules are */
        if (!check(job, (int64_t) (next_random(&random) % 4000000000u) * SECOND_NS + i))
            return NULL;
    return NULL;
}

static void
in_zone(const char *zone, void *(*run)(void *), void *arg)
{
    pthread_t thread;

    setenv("TZ", zone, 1);
    tzset();
    assert_int_equal(pthread_create(&thread, NULL, run, arg), 0);
    pthread_join(thread, NULL);
}

static void
test_timefmt_agrees_with_strftime_in_every_zone(void **state)
{
    static const char *const zones[] = {
        "UTC0", BERLIN, "EST5EDT,M3.2.0,M11.1.0", "NPT-5:45", "NST3:30NDT,M3.2.0,M11.1.0",
        "LHST-10:30LHDT-11,M10.1.0,M4.1.0", "CHAST-12:45CHADT,M9.5.0/2:45,M4.1.0/3:45",
        "AAA-14", "BBB12",
    };
    struct job job = {.seed = (uint64_t) time(NULL) * 2654435761u | 1};

    (void) state;
    printf("seed %llu\n", (unsigned long long) job.seed);
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        job.zone = zones[i];
        in_zone(job.zone, run_zone, &job);
        if (job.wrong[0] != '\0')
            fail_msg("%s", job.wrong);
    }
}

static void *
format_known(void *arg)
{
    char (*texts)[PAWL_TIME_MAX] = arg;

    pawl_time_format(INT64_C(1774745999999999999), texts[0]);
    pawl_time_format(INT64_C(1774746000000000000), texts[1]);
    pawl_time_format(INT64_C(1792889999000000007), texts[2]);
    pawl_time_format(INT64_C(1792890000000000000), texts[3]);
    return NULL;
}

static void
test_timefmt_follows_a_change_of_summer_time_to_the_ns(void **state)
{
    char texts[4][PAWL_TIME_MAX];

    (void) state;
    in_zone(BERLIN, format_known, texts);
    assert_string_equal(texts[0], "2026-03-29T01:59:59.999999999+01:00");
    assert_string_equal(texts[1], "2026-03-29T03:00:00.000000000+02:00");
    assert_string_equal(texts[2], "2026-10-25T02:59:59.000000007+02:00");
    assert_string_equal(texts[3], "2026-10-25T02:00:00.000000000+01:00");
}

/* Monrovia's offset had seconds once: the minutes are said, and the instant stays
 * right. */
static void *
format_odd(void *arg)
{
    pawl_time_format(0, arg);
    return NULL;
}

static void
test_timefmt_of_an_offset_with_seconds_keeps_the_instant(void **state)
{
    char text[PAWL_TIME_MAX];

    (void) state;
    in_zone("MMT0:44:30", format_odd, text);
    assert_string_equal(text, "1969-12-31T23:16:00.000000000-00:44");
}

static void
test_timefmt_of_another_zone_has_a_fraction_only_where_there_is_one(void **state)
{
    const struct pawl_zone *zone;
    char text[PAWL_TIME_MAX];

    (void) state;
    assert_int_equal(pawl_time_format_in(pawl_zone_utc(), 1500000000, text), 30);
    assert_string_equal(text, "1970-01-01T00:00:01.500000000Z");
    assert_int_equal(pawl_time_format_in(pawl_zone_utc(), -1, text), 30);
    assert_string_equal(text, "1969-12-31T23:59:59.999999999Z");
    pawl_time_format_in(pawl_zone_utc(), 0, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    pawl_time_format_in(pawl_zone_utc(), INT64_MAX, text);
    assert_string_equal(text, "2262-04-11T23:47:16.854775807Z");
    pawl_time_format_in(pawl_zone_utc(), INT64_MIN, text);
    assert_string_equal(text, "1677-09-21T00:12:43.145224192Z");
    if (pawl_zone_load("Europe/Berlin", strlen("Europe/Berlin"), &zone, NULL) != PAWL_OK)
        skip();
    pawl_time_format_in(zone, INT64_C(1774745999999999999), text);
    assert_string_equal(text, "2026-03-29T01:59:59.999999999+01:00");
    pawl_time_format_in(zone, INT64_C(1774746000000000000), text);
    assert_string_equal(text, "2026-03-29T03:00:00+02:00");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timefmt_agrees_with_strftime_in_every_zone),
        cmocka_unit_test(test_timefmt_follows_a_change_of_summer_time_to_the_ns),
        cmocka_unit_test(test_timefmt_of_an_offset_with_seconds_keeps_the_instant),
        cmocka_unit_test(test_timefmt_of_another_zone_has_a_fraction_only_where_there_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
