/* test_when_forecast.c: what a forecast says is what happens then; on the manual clock, which begins
 * at 2027-01-15T08:00:00Z, a Friday. */
#include "when_fixture.h"

#define NTIMES 8

static size_t
forecast_of(struct fixture *f, const char *id, int64_t from_ns, int64_t times[NTIMES],
            struct pawl_forecast *out_forecast)
{
    struct pawl_view view = get(f, id);
    size_t n = 0;

    pawl_forecast_begin(f->engine, &view, from_ns, out_forecast);
    while (n < NTIMES && (times[n] = pawl_forecast_next(out_forecast)) != PAWL_NO_TIME)
        n++;
    pawl_view_release(&view);
    return n;
}

/* Lets the task run at all of its next times, and compares; before that, from each of them on. */
static void
assert_comes_true(struct fixture *f, const char *id, size_t wanted)
{
    int64_t times[NTIMES], later[NTIMES];
    struct pawl_forecast forecast;
    size_t n = forecast_of(f, id, wall_now(f), times, &forecast);

    assert_int_equal(n, wanted);
    for (size_t i = 0; i < n; i++) {
        assert_true(forecast_of(f, id, times[i], later, &forecast) >= n - i);
        for (size_t j = i; j < n; j++)
            assert_true(later[j - i] == times[j]);
    }
    for (size_t i = 0; i < n; i++) {
        assert_true(next_of(f, id) == times[i]);
        run_next(f, id);
        assert_true(wall_now(f) == times[i]);
    }
    if (n < NTIMES)
        assert_true(next_of(f, id) == PAWL_NO_TIME);
}

static void
test_forecast_comes_true(void **state)
{
    struct pawl_trigger span = BY_SPAN(7 * MINUTE), drawn = BY_SPAN(MINUTE),
                        cron = BY_CRON("30 2 * * *", "Europe/Berlin");
    struct pawl_trigger several[] = {BY_CRON("*/20 9 * * *", "UTC"), BY_SPAN(25 * MINUTE),
                                     BY_AT(START_WALL + 70 * MINUTE)};
    struct pawl_when whens[] = {
        {.triggers = &span, .ntriggers = 1, ALWAYS},
        {.triggers = &span, .ntriggers = 1, ALWAYS, .jitter_ns = 3 * MINUTE},
        {.triggers = &drawn, .ntriggers = 1, ALWAYS, .jitter_ns = 10 * MINUTE,
         .is_jitter_random = true},
        {.triggers = &drawn, .ntriggers = 1, ALWAYS},
        {.triggers = &cron, .ntriggers = 1, .start_ns = at("2027-03-25T00:00:00Z"),
         .end_ns = PAWL_NO_TIME},
        {.triggers = &cron, .ntriggers = 1, .start_ns = PAWL_NO_TIME,
         .end_ns = at("2027-01-20T00:00:00Z")},
        {.triggers = several, .ntriggers = 3, ALWAYS},
        {.triggers = several, .ntriggers = 3, ALWAYS, .max_runs = 3},
    };
    static const size_t wanted[] = {8, 8, 8, 8, 8, 4, 8, 3};

    (void) state;
    for (size_t i = 0; i < sizeof whens / sizeof whens[0]; i++) {
        struct fixture f;

        fixture_open(&f);
        drawn.time_max_ns = whens[i].is_jitter_random ? 0 : 3 * MINUTE;
        submit_when(&f, "t", PAWL_CRON, &whens[i]);
        assert_comes_true(&f, "t", wanted[i]);
        fixture_close(&f);
    }
}

static void
test_forecast_of_a_gap_and_a_fold_comes_true(void **state)
{
    static const char *const nights[] = {"2027-03-27T12:00:00Z", "2027-10-30T12:00:00Z"};

    (void) state;
    for (int dst = PAWL_CRON_RUN_AFTER; dst <= PAWL_CRON_SHIFT; dst++)
        for (size_t i = 0; i < 2; i++) {
            struct pawl_trigger trigger = BY_CRON("0,30 1,2,3 * * *", "Europe/Berlin");
            struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS};
            struct fixture f;

            trigger.dst = (enum pawl_cron_dst) dst;
            fixture_open(&f);
            advance_to(&f, nights[i]);
            submit_when(&f, "t", PAWL_CRON, &when);
            assert_comes_true(&f, "t", NTIMES);
            fixture_close(&f);
        }
}

static void
test_forecast_ends_where_no_more_can_be_told(void **state)
{
    struct pawl_trigger span = BY_SPAN(MINUTE);
    struct pawl_when when = {.triggers = &span, .ntriggers = 1, ALWAYS, .from_completion = true};
    struct pawl_forecast forecast;
    int64_t times[NTIMES];
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "t", PAWL_CRON, &when);
    assert_int_equal(forecast_of(&f, "t", wall_now(&f), times, &forecast), 1);
    assert_true(forecast.is_open);
    assert_int_equal(forecast_of(&f, "t", wall_now(&f) + HOUR, times, &forecast), 0);
    assert_true(forecast.is_open);
    run_next(&f, "t");
    assert_int_equal(forecast_of(&f, "t", wall_now(&f), times, &forecast), 1);
    assert_true(times[0] == wall_now(&f) + MINUTE);
    when.max_runs = 1;
    submit_when(&f, "last", PAWL_CRON, &when);
    assert_int_equal(forecast_of(&f, "last", wall_now(&f), times, &forecast), 1);
    assert_false(forecast.is_open);
    when = (struct pawl_when) {.triggers = &span, .ntriggers = 1, ALWAYS};
    span.time_max_ns = 2 * MINUTE;
    submit_when(&f, "drawn", PAWL_CRON, &when);
    assert_int_equal(forecast_of(&f, "drawn", wall_now(&f) + 12 * HOUR, times, &forecast), NTIMES);
    assert_false(forecast.is_open);
    assert_int_equal(forecast_of(&f, "drawn", wall_now(&f) + 365 * DAY, times, &forecast), 0);
    assert_true(forecast.is_open);
    fixture_close(&f);
}

static void
test_forecast_says_what_of_a_time_is_jitter(void **state)
{
    struct pawl_trigger cron = BY_CRON("0 * * * *", "UTC");
    struct pawl_when when = {.triggers = &cron, .ntriggers = 1, ALWAYS, .jitter_ns = 20 * MINUTE};
    struct pawl_forecast forecast;
    int64_t times[NTIMES];
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "t", PAWL_CRON, &when);
    assert_int_equal(forecast_of(&f, "t", wall_now(&f), times, &forecast), NTIMES);
    assert_true(forecast.jitter_ns > 0 && forecast.jitter_ns <= 20 * MINUTE);
    assert_true((times[NTIMES - 1] - forecast.jitter_ns) % HOUR == 0);
    fixture_close(&f);
}

static void
test_forecast_of_a_delay_is_one_time_or_none(void **state)
{
    struct pawl_forecast forecast;
    int64_t times[NTIMES];
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit(&f, "t", PAWL_DELAY, HOUR, ":");
    assert_int_equal(forecast_of(&f, "t", wall_now(&f) + HOUR, times, &forecast), 1);
    assert_true(times[0] == wall_now(&f) + HOUR);
    assert_int_equal(forecast_of(&f, "t", wall_now(&f) + HOUR + 1, times, &forecast), 0);
    fixture_advance(&f, HOUR);
    view = await_version(&f, "t", 2);
    pawl_view_release(&view);
    assert_int_equal(forecast_of(&f, "t", wall_now(&f), times, &forecast), 0);
    assert_false(forecast.is_open);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forecast_comes_true),
        cmocka_unit_test(test_forecast_of_a_gap_and_a_fold_comes_true),
        cmocka_unit_test(test_forecast_ends_where_no_more_can_be_told),
        cmocka_unit_test(test_forecast_says_what_of_a_time_is_jitter),
        cmocka_unit_test(test_forecast_of_a_delay_is_one_time_or_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
