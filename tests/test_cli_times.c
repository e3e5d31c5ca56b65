/* test_cli_times.c: durations and points in time (cli/times.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "times.h"

static void
test_times_durations_are_read_as_go_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"0", 0},
        {"0s", 0},
        {"-0", 0},
        {"+5s", 5000000000},
        {"5s", 5000000000},
        {"30s", 30000000000},
        {"1m30s", 90000000000},
        {"1.5h", 5400000000000},
        {"300ms", 300000000},
        {"-2us", -2000},
        {".5s", 500000000},
        {"5.s", 5000000000},
        {"1h1ns", 3600000000001},
        {"12\xc2\xb5s", 12000},
        {"12\xce\xbcs", 12000},
        {"3000000h0.000001ms", INT64_C(-1)},
        {"100ms1h", 3600100000000},
        {"0.1000000000000000000000h", 360000000000},
        {"9223372036854775807ns", INT64_MAX},
        {"2562047h47m16.854775807s", INT64_MAX},
        {"0.3333333333333333333h", 1200000000000},
        {"9223372036854.775807us", INT64_C(9223372036854775)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ns = -1;
        bool is_read = pawl_times_parse_duration(cases[i].text, &ns);
        assert_int_equal(is_read, cases[i].ns != -1);
        assert_true(ns == cases[i].ns);
    }
}

static void
test_times_no_durations_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "-",
        "+",
        "3",
        "10",
        "s",
        ".",
        "-.",
        ".s",
        "+.s",
        "1d",
        "1 s",
        " 1s",
        "1s ",
        "1S",
        "1e3s",
        "--1s",
        "1s-1s",
        "9223372036854775808ns",
        "9223372036854775807ns1ns",
        "3000000h",
        "99999999999999999999s",
        "1\xc2s",
        "0x1s",
        "1.2.3s",
        "inf",
        "1m30",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ns = 77;
        assert_false(pawl_times_parse_duration(cases[i], &ns));
        assert_int_equal(ns, 77);
    }
}

static void
test_times_durations_are_written_short(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "1ns"},
        {1100, "1.1\xc2\xb5s"},
        {2200000, "2.2ms"},
        {300000000, "300ms"},
        {1000000000, "1s"},
        {3300000000, "3.3s"},
        {10000000000, "10s"},
        {60000000000, "1m"},
        {90000000000, "1m30s"},
        {3600000000000, "1h"},
        {3601000000000, "1h1s"},
        {1000000001, "1.000000001s"},
        {-90000000000, "-1m30s"},
        {INT64_MAX, "2562047h47m16.854775807s"},
        {INT64_MIN, "-2562047h47m16.854775808s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[PAWL_TIMES_SIZE];
        pawl_times_format_duration(cases[i].ns, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void
test_times_a_written_duration_is_read_back(void **state)
{
    (void)state;
    uint64_t seed = 20260102, x = seed;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 20000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        int64_t ns = (int64_t)(x >> (1 + x % 62)), back = -1;
        char text[PAWL_TIMES_SIZE];
        pawl_times_format_duration(ns, text);
        assert_true(pawl_times_parse_duration(text, &back));
        /* Fractions pass through floating point, as in Go, but seconds have only nine
         * digits. */
        assert_true(back == ns);
    }
}

static void
test_times_points_are_read_with_fraction_and_offset(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t s;
        long ns;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1970-01-01T01:00:00.5+01:00", 0, 500000000},
        {"1969-12-31T23:59:59.999999999Z", -1, 999999999},
        {"2026-01-02T03:04:05.000000006-05:30", 1767342845, 6},
        {"2300-01-01T00:00:00.1234567891Z", 10413792000, 123456789},
        {"9999-12-31t23:59:59z", 253402300799, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct timespec point;
        assert_true(pawl_times_parse_point(cases[i].text, &point));
        assert_true(point.tv_sec == cases[i].s);
        assert_int_equal(point.tv_nsec, cases[i].ns);
    }
    static const char *const wrong[] = {
        "",
        "now",
        "2026",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05+0100",
        "2026-01-02T03:04Z",
        "2026-01-02T03:04:05Zx",
        "2026-1-02T03:04:05Z",
        "2026-01-02T03:04:05+01:",
        "2026-01-02T03:04:05+",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct timespec point;
        assert_false(pawl_times_parse_point(wrong[i], &point));
    }
}

static void
test_times_short_form_drops_what_is_clear(void **state)
{
    (void)state;
    const struct timespec now = {.tv_sec = 1767323045}; /* 2026-01-02 03:04:05 UTC */
    static const struct {
        int64_t s;
        const char *text;
    } cases[] = {{1767323045, "03:04:05"}, {1767398399, "23:59:59"},
        {1767398400, "Jan  3 00:00"}, {1767225599, "2025-12-31"},
        {1798761600, "2027-01-01"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct timespec t = {.tv_sec = cases[i].s};
        char text[PAWL_TIMES_SIZE];
        pawl_times_format_short(&t, &now, text);
        assert_string_equal(text, cases[i].text);
    }
    char text[PAWL_TIMES_SIZE];
    pawl_times_format_full(&now, text);
    assert_string_equal(text, "2026-01-02 03:04:05");
}

static void
test_times_sent_keep_their_own_clock(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"2027-03-28T03:00:00+02:00", "Sun 2027-03-28 03:00:00 +02:00"},
        {"2027-03-28T01:00:00Z", "Sun 2027-03-28 01:00:00 +00:00"},
        {"2027-03-28T03:00:00.123456789-04:30", "Sun 2027-03-28 03:00:00 -04:30"},
        {"never", "never"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[PAWL_TIMES_SIZE];
        pawl_times_format_sent(cases[i][0], text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void
test_times_in_UTC_are_read_back(void **state)
{
    (void)state;
    static const struct timespec cases[] = {{0, 0}, {1767323045, 0}, {1767323045, 7}};
    static const char *const texts[] = {
        "1970-01-01T00:00:00Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000007Z"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[PAWL_TIMES_SIZE];
        struct timespec back;
        pawl_times_format_utc(&cases[i], text);
        assert_string_equal(text, texts[i]);
        assert_true(pawl_times_parse_point(text, &back));
        assert_true(back.tv_sec == cases[i].tv_sec && back.tv_nsec == cases[i].tv_nsec);
    }
}

static void
test_times_relative_form_has_two_units(void **state)
{
    (void)state;
    static const struct {
        int64_t s;
        long ns;
        const char *text;
    } cases[] = {
        {1000, 0, "now"},
        {1000, 400000000, "now"},
        {1009, 980000000, "in 10s"},
        {1009, 0, "in 9s"},
        {997, 0, "3s ago"},
        {999, 400000000, "1s ago"},
        {1200, 0, "in 3m20s"},
        {1060, 0, "in 1m"},
        {4601, 0, "in 1h"},
        {4660, 0, "in 1h1m"},
        {87400, 0, "in 1d"},
        {1000 + 86400 * 400 + 7300, 0, "in 400d2h"},
        {-89000, 0, "1d1h ago"},
    };
    const struct timespec now = {.tv_sec = 1000};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct timespec t = {.tv_sec = cases[i].s, .tv_nsec = cases[i].ns};
        char text[PAWL_TIMES_SIZE];
        pawl_times_format_relative(&t, &now, text);
        assert_string_equal(text, cases[i].text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_durations_are_read_as_go_reads_them),
        cmocka_unit_test(test_times_no_durations_are_refused),
        cmocka_unit_test(test_times_durations_are_written_short),
        cmocka_unit_test(test_times_a_written_duration_is_read_back),
        cmocka_unit_test(test_times_points_are_read_with_fraction_and_offset),
        cmocka_unit_test(test_times_short_form_drops_what_is_clear),
        cmocka_unit_test(test_times_sent_keep_their_own_clock),
        cmocka_unit_test(test_times_in_UTC_are_read_back),
        cmocka_unit_test(test_times_relative_form_has_two_units),
    };
    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
