/* test_cli_moment.c: points in time as people type them (cli/moment.c), by Berlin's clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "moment.h"

/* 2026-03-28 13:00:00 in Berlin, the day before clocks are set forward. */
#define NOW 1774699200

static int
set_up(void **state)
{
    (void)state;
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    return 0;
}

static const struct {
    const char *typed;
    enum pawl_moment moment;
    const char *text;
} moments[] = {
    {"2026-03-29T01:30:00Z", PAWL_MOMENT_EXACT, "2026-03-29T03:30:00+02:00"},
    {"2026-12-24 18:00:00.5-01:00", PAWL_MOMENT_EXACT, "2026-12-24T20:00:00+01:00"},
    {"2026-12-24 18:00", PAWL_MOMENT_LOCAL, "2026-12-24T18:00:00+01:00"},
    {"2026-07-24T18:00:09", PAWL_MOMENT_LOCAL, "2026-07-24T18:00:09+02:00"},
    {"18:00", PAWL_MOMENT_LOCAL, "2026-03-28T18:00:00+01:00"},
    {"13:00", PAWL_MOMENT_LOCAL, "2026-03-29T13:00:00+02:00"},
    {"13:00:01", PAWL_MOMENT_LOCAL, "2026-03-28T13:00:01+01:00"},
    {"12:59", PAWL_MOMENT_LOCAL, "2026-03-29T12:59:00+02:00"},
    {"today 12:59", PAWL_MOMENT_LOCAL, "2026-03-28T12:59:00+01:00"},
    {"tomorrow 18:00", PAWL_MOMENT_LOCAL, "2026-03-29T18:00:00+02:00"},
    {"2:30", PAWL_MOMENT_GAP, NULL},
    {"tomorrow 02:30", PAWL_MOMENT_GAP, NULL},
    {"2026-03-29 02:00", PAWL_MOMENT_GAP, NULL},
    {"2026-03-29 03:00", PAWL_MOMENT_LOCAL, "2026-03-29T03:00:00+02:00"},
    {"2026-10-25 02:30", PAWL_MOMENT_FOLD, NULL},
    {"2026-10-25 02:00", PAWL_MOMENT_FOLD, NULL},
    {"2026-10-25 01:59:59", PAWL_MOMENT_LOCAL, "2026-10-25T01:59:59+02:00"},
    {"2026-10-25 03:00", PAWL_MOMENT_LOCAL, "2026-10-25T03:00:00+01:00"},
    {"", PAWL_MOMENT_NONE, NULL},
    {"now", PAWL_MOMENT_NONE, NULL},
    {"18", PAWL_MOMENT_NONE, NULL},
    {"18:00 ", PAWL_MOMENT_NONE, NULL},
    {" 18:00", PAWL_MOMENT_NONE, NULL},
    {"24:00", PAWL_MOMENT_NONE, NULL},
    {"18:60", PAWL_MOMENT_NONE, NULL},
    {"18:00:60", PAWL_MOMENT_NONE, NULL},
    {"yesterday 18:00", PAWL_MOMENT_NONE, NULL},
    {"tomorrow", PAWL_MOMENT_NONE, NULL},
    {"2026-12-24", PAWL_MOMENT_NONE, NULL},
    {"2026-12-24 ", PAWL_MOMENT_NONE, NULL},
    {"2026-13-24 18:00", PAWL_MOMENT_NONE, NULL},
    {"26-12-24 18:00", PAWL_MOMENT_NONE, NULL},
    {"24.12.2026 18:00", PAWL_MOMENT_NONE, NULL},
    {"30 2 * * *", PAWL_MOMENT_NONE, NULL},
};

static void
test_moment_is_read_as_it_was_meant(void **state)
{
    const struct timespec now = {.tv_sec = NOW, .tv_nsec = 500};

    (void)state;
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        char text[PAWL_TIMES_SIZE] = "";
        struct timespec point;
        enum pawl_moment moment = pawl_moment_read(moments[i].typed, &now, &point, text);

        if (moment != moments[i].moment ||
            (moments[i].text && strcmp(text, moments[i].text) != 0))
            fail_msg("%s: %d, %s", moments[i].typed, moment, text);
    }
}

static void
test_moment_of_a_day_that_is_none_is_refused(void **state)
{
    const struct timespec now = {.tv_sec = NOW};
    char text[PAWL_TIMES_SIZE];
    struct timespec point;

    (void)state;
    assert_int_equal(
        pawl_moment_read("2026-02-30 18:00", &now, &point, text), PAWL_MOMENT_NONE);
    assert_int_equal(
        pawl_moment_read("2026-04-31 18:00", &now, &point, text), PAWL_MOMENT_NONE);
    assert_int_equal(
        pawl_moment_read("2028-02-29 18:00", &now, &point, text), PAWL_MOMENT_LOCAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moment_is_read_as_it_was_meant),
        cmocka_unit_test(test_moment_of_a_day_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
