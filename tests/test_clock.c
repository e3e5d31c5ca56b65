/* test_clock.c: the system's clock, with a wall clock that the test sets and a processor that it takes
 * away between two readings. */
#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static int64_t set_s;           /* by so much the wall clock is ahead */
static int ninterrupts;         /* so many readings of it take long */

/* In the place of the C library's. */
int
clock_gettime(clockid_t id, struct timespec *now)
{
    struct timespec pause = {.tv_nsec = 3000000};
    int code = (int) syscall(SYS_clock_gettime, id, now);

    if (id != CLOCK_REALTIME)
        return code;
    now->tv_sec += set_s;
    if (ninterrupts > 0) {
        ninterrupts--;
        nanosleep(&pause, NULL);
    }
    return code;
}

static void
test_offset_stays_to_the_nanosecond_until_the_clock_is_set(void **state)
{
    struct pawl_clock *clock = pawl_clock_system();
    int64_t offset = clock->offset_ns(clock);

    (void) state;
    for (int i = 0; i < 10000; i++)
        assert_true(clock->offset_ns(clock) == offset);
}

static void
test_set_clock_is_seen_at_once_though_the_sample_was_interrupted(void **state)
{
    struct pawl_clock *clock = pawl_clock_system();
    int64_t before = clock->offset_ns(clock), after;

    (void) state;
    set_s += 10;
    ninterrupts = 3;
    after = clock->offset_ns(clock);
    assert_true(after - before > 10 * SECOND - 1000000 && after - before < 10 * SECOND + 1000000);
    assert_true(clock->offset_ns(clock) == after);
}

static void
test_slow_machine_has_an_offset_too(void **state)
{
    struct pawl_clock *clock = pawl_clock_system();
    int64_t before = clock->offset_ns(clock), after;

    (void) state;
    set_s -= 100;
    ninterrupts = 1000;
    after = clock->offset_ns(clock);
    ninterrupts = 0;
    assert_true(after - before < -99 * SECOND && after - before > -101 * SECOND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offset_stays_to_the_nanosecond_until_the_clock_is_set),
        cmocka_unit_test(test_set_clock_is_seen_at_once_though_the_sample_was_interrupted),
        cmocka_unit_test(test_slow_machine_has_an_offset_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
