/* test_scale.c: how the scale of due times goes on over restarts, boots and clocks that are set. */
#include "scale.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define WALL (INT64_C(1800000000) * SECOND)

/* A store that was last noted at elapsed 1000 s of the boot "first", at WALL. */
static struct pawl_scale
noted(void)
{
    struct pawl_scale scale = {0};

    assert_int_equal(pawl_scale_begin(&scale, "first", 0, WALL - 1000 * SECOND), 0);
    scale.noted_ns = WALL;
    return scale;
}

static void
test_new_store_counts_from_the_wall_clock(void **state)
{
    struct pawl_scale scale = noted();

    (void) state;
    assert_int_equal(scale.anchor_ns, WALL - 1000 * SECOND);
    assert_int_equal(scale.offset_ns, WALL - 1000 * SECOND);
    assert_string_equal(scale.boot, "first");
}

static void
test_same_boot_keeps_the_anchor_whatever_the_wall_clock_says(void **state)
{
    static const int64_t jumps[] = {0, 3600 * SECOND, -3600 * SECOND, -WALL};

    (void) state;
    for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
        struct pawl_scale scale = noted();
        int64_t anchor_ns = scale.anchor_ns, offset_ns = scale.offset_ns + jumps[i];

        assert_int_equal(pawl_scale_begin(&scale, "first", 1100 * SECOND, offset_ns), 0);
        assert_int_equal(scale.anchor_ns, anchor_ns);
        assert_int_equal(scale.offset_ns, offset_ns);
    }
}

/* Elapsed 1500 s of the first boot is WALL + 500 s; so it is by the second one. */
static void
test_other_boot_keeps_wall_times(void **state)
{
    struct pawl_scale scale = noted();
    int64_t due_ns = 1500 * SECOND + scale.anchor_ns;

    (void) state;
    assert_int_equal(pawl_scale_begin(&scale, "second", 7 * SECOND, WALL + 93 * SECOND), 0);
    assert_string_equal(scale.boot, "second");
    assert_int_equal(due_ns - scale.anchor_ns + scale.offset_ns, WALL + 500 * SECOND);
    /* And by a third, after the wall clock was set in the second one and noted. */
    scale.offset_ns += 3600 * SECOND;
    scale.noted_ns = WALL + 3800 * SECOND;
    assert_int_equal(pawl_scale_begin(&scale, "third", 0, WALL + 3900 * SECOND), 0);
    assert_int_equal(due_ns - scale.anchor_ns + scale.offset_ns, WALL + 4100 * SECOND);
}

static void
test_unknown_boot_is_another_one_each_time(void **state)
{
    struct pawl_scale scale = {0};
    int64_t due_ns;

    (void) state;
    pawl_scale_begin(&scale, "", 0, WALL);
    scale.noted_ns = WALL;
    due_ns = 500 * SECOND + scale.anchor_ns;
    assert_int_equal(pawl_scale_begin(&scale, "", 9000 * SECOND, WALL - 8900 * SECOND), 0);
    assert_int_equal(due_ns - scale.anchor_ns + scale.offset_ns, WALL + 500 * SECOND);
}

/* 500 s were left at the last noted moment; as many are left now. */
static void
test_wall_clock_behind_the_last_moment_lets_no_time_pass(void **state)
{
    struct pawl_scale scale = noted();
    int64_t due_ns = 1500 * SECOND + scale.anchor_ns, elapsed_ns = 40 * SECOND;
    int64_t behind_ns = pawl_scale_begin(&scale, "second", elapsed_ns,
                                         WALL - 86400 * SECOND - elapsed_ns);

    (void) state;
    assert_int_equal(behind_ns, 86400 * SECOND);
    assert_int_equal(due_ns - scale.anchor_ns - elapsed_ns, 500 * SECOND);
}

static void
test_boot_id_fits_whole(void **state)
{
    static const char boot[] = "01234567-89ab-cdef-0123-456789abcdef";
    struct pawl_scale scale = {0};

    (void) state;
    pawl_scale_begin(&scale, boot, 5, 10);
    assert_string_equal(scale.boot, boot);
    pawl_scale_begin(&scale, boot, 9, 99);
    assert_int_equal(scale.anchor_ns, 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_store_counts_from_the_wall_clock),
        cmocka_unit_test(test_same_boot_keeps_the_anchor_whatever_the_wall_clock_says),
        cmocka_unit_test(test_other_boot_keeps_wall_times),
        cmocka_unit_test(test_unknown_boot_is_another_one_each_time),
        cmocka_unit_test(test_wall_clock_behind_the_last_moment_lets_no_time_pass),
        cmocka_unit_test(test_boot_id_fits_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
