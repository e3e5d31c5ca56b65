/* test_schedule.c: the arithmetic of due times, and the histogram of lateness, against slow twins. */
#include "histogram.h"
#include "schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS INT64_C(1000000)

static void
test_skip_stays_on_the_grid_and_counts_each_due_time(void **state)
{
    (void) state;
    srandom(1);
    for (int round = 0; round < 100000; round++) {
        int64_t due = random() % 1000, interval = random() % 50 + 1, now = random() % 1500;
        int64_t slow = due, fast = due;
        uint64_t passed = 0;

        while (slow <= now) {
            slow += interval;
            passed++;
        }
        assert_int_equal(pawl_schedule_skip(&fast, interval, now), passed);
        assert_int_equal(fast, slow);
    }
}

static void
test_due_times_saturate_at_never(void **state)
{
    int64_t due = 5;

    (void) state;
    assert_true(pawl_schedule_after(INT64_MAX - 1, 2) == INT64_MAX);
    assert_true(pawl_schedule_after(1, INT64_MAX) == INT64_MAX);
    assert_int_equal(pawl_schedule_skip(&due, INT64_MAX, 5), 1);
    assert_true(due == INT64_MAX);
    due = 0;
    assert_true(pawl_schedule_skip(&due, 1, INT64_MAX - 1) == (uint64_t) INT64_MAX);
    assert_true(due == INT64_MAX);
    due = 5;        /* was taken for never once */
    assert_true(pawl_schedule_skip(&due, MS, INT64_C(6000000000000000000)) == 6000000000000);
    assert_true(due == INT64_C(6000000000000000000) + 5);
    due = INT64_MAX - 10;
    assert_int_equal(pawl_schedule_skip(&due, 7, INT64_MAX - 10), 1);
    assert_true(due == INT64_MAX - 3);
    due = INT64_MAX - 10;
    assert_int_equal(pawl_schedule_skip(&due, 7, INT64_MAX - 3), 2);
    assert_true(due == INT64_MAX);
}

static int
compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *) left, b = *(const int64_t *) right;

    return (a > b) - (a < b);
}

static void
test_quantile_is_at_most_a_thirtysecond_too_high(void **state)
{
    enum { N = 5000 };
    static int64_t values[N];
    static struct pawl_histogram histogram;
    uint64_t sums[PAWL_HISTOGRAM_BUCKETS] = {0};

    (void) state;
    assert_int_equal(pawl_histogram_quantile(sums, 990), 0);
    srandom(2);
    for (int i = 0; i < N; i++) {
        values[i] = (int64_t) random() << (random() % 30);
        pawl_histogram_record(&histogram, values[i]);
    }
    pawl_histogram_record(&histogram, -5);
    pawl_histogram_add(&histogram, sums);
    sums[0]--;
    qsort(values, N, sizeof values[0], compare);
    for (unsigned permille = 1; permille <= 1000; permille += 37) {
        int64_t exact = values[(N * permille + 999) / 1000 - 1];
        int64_t got = pawl_histogram_quantile(sums, permille);

        assert_true(got >= exact && got <= exact + exact / 32 + 1);
    }
    pawl_histogram_record(&histogram, INT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_skip_stays_on_the_grid_and_counts_each_due_time),
        cmocka_unit_test(test_due_times_saturate_at_never),
        cmocka_unit_test(test_quantile_is_at_most_a_thirtysecond_too_high),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
