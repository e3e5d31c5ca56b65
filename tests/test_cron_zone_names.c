/* test_cron_zone_names.c: which names of zones are taken, loading from many threads at once, and
 * RFC 3339. What the zones say is in test_cron_zones.c. */
#include "zone.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "calendar.h"

static const char *bad_zones[] = {"", "/etc/localtime", "../zoneinfo/UTC", "Europe/../UTC",
    "europe/berlin", "Europe/Berlin ", "Fixed/UTC+05:00:00", "localtime", "posix/UTC", "tzdata.zi",
    "Europe", "Europe/", "UTC\n", "libc:localtime", "posixrules"};

static void
test_zone_names_that_are_not_installed_are_refused(void **state)
{
    const struct pawl_zone *zone;
    struct pawl_err err;

    (void) state;
    for (size_t i = 0; i < sizeof bad_zones / sizeof *bad_zones; i++)
        if (pawl_zone_load(bad_zones[i], strlen(bad_zones[i]), &zone, &err) != PAWL_EINVAL)
            fail_msg("\"%s\" was taken", bad_zones[i]);
    pawl_zone_load("europe/berlin", 13, &zone, &err);
    assert_non_null(strstr(err.text, "did you mean Europe/Berlin?"));
    assert_int_equal(pawl_zone_load("UTC\0/x", 6, &zone, &err), PAWL_EINVAL);
}

static void *
load_many(void *arg)
{
    size_t nnames;
    const char *const *names = pawl_zone_names(&nnames);
    const struct pawl_zone *zone;
    struct pawl_zone_span span;

    for (size_t i = 0; i < nnames; i += 7)
        if (pawl_zone_load(names[i], strlen(names[i]), &zone, NULL) != 0)
            return arg;
        else
            pawl_zone_at(zone, (int64_t) i * 1000000, &span);
    return pawl_zone_local() == NULL ? arg : NULL;
}

static void
test_zone_many_threads_load_at_once(void **state)
{
    pthread_t threads[8];
    void *result;

    (void) state;
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load_many, bad_zones), 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], &result);
        assert_null(result);
    }
}

static void
test_calendar_reads_and_writes_rfc_3339(void **state)
{
    static const char *const bad[] = {"", "2026-01-01", "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+1:00", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00Zx"};
    char text[PAWL_RFC3339_MAX];
    int64_t second;
    uint32_t ns;

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(pawl_calendar_parse(bad[i], strlen(bad[i]), &second, &ns));
    assert_true(pawl_calendar_parse("2026-03-29T03:30:00.25+02:00", 28, &second, &ns));
    assert_int_equal(ns, 250000000);
    pawl_calendar_format(second, 7200, text);
    assert_string_equal(text, "2026-03-29T03:30:00+02:00");
    pawl_calendar_format(second, 0, text);
    assert_string_equal(text, "2026-03-29T01:30:00Z");
    pawl_calendar_format(0, -2670, text);
    assert_true(pawl_calendar_parse(text, strlen(text), &second, &ns));
    assert_int_equal(second, 0);
    for (int64_t day = -800000; day < 800000; day += 13) {
        struct pawl_date date = pawl_calendar_date(day);

        assert_int_equal(pawl_calendar_day(date.year, date.month, date.day), day);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zone_many_threads_load_at_once),
        cmocka_unit_test(test_zone_names_that_are_not_installed_are_refused),
        cmocka_unit_test(test_calendar_reads_and_writes_rfc_3339),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
