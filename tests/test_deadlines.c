/* test_deadlines.c: the heap of deadlines, against a list that is looked through. */
#include "deadlines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define NODES 300
#define STEPS 20000

static struct pawl_deadlines heap;
static struct pawl_deadline nodes[NODES];

/* The earliest moment, and how many are set; slow and obvious. */
static size_t
look(int64_t *out_first)
{
    size_t n = 0;

    *out_first = INT64_MAX;
    for (size_t i = 0; i < NODES; i++) {
        n += nodes[i].is_set;
        if (nodes[i].is_set && nodes[i].at_ns < *out_first)
            *out_first = nodes[i].at_ns;
    }
    return n;
}

static void
assert_sound(void)
{
    int64_t first;
    size_t n = look(&first);

    assert_int_equal(pawl_deadlines_check(&heap), n);
    if (n == 0)
        assert_null(pawl_deadlines_first(&heap));
    else
        assert_int_equal(pawl_deadlines_first(&heap)->at_ns, first);
}

static void
test_deadlines_first_is_the_earliest_whatever_is_done(void **state)
{
    unsigned seed = (unsigned) getpid();

    (void) state;
    printf("seed %u\n", seed);
    for (int step = 0; step < STEPS; step++) {
        struct pawl_deadline *node = &nodes[(unsigned) rand_r(&seed) % NODES];
        unsigned what = (unsigned) rand_r(&seed) % 8;

        if (what < 4)
            pawl_deadlines_set(&heap, node, rand_r(&seed) % 1000);
        else if (what < 6 || !pawl_deadlines_first(&heap))
            pawl_deadlines_clear(&heap, node);
        else
            pawl_deadlines_clear(&heap, pawl_deadlines_first(&heap));
        if (step % 16 == 0)
            assert_sound();
    }
    while (pawl_deadlines_first(&heap))
        pawl_deadlines_clear(&heap, pawl_deadlines_first(&heap));
    assert_sound();
}

static void
test_deadlines_come_in_order_though_set_in_reverse(void **state)
{
    (void) state;
    for (int i = 0; i < NODES; i++)
        pawl_deadlines_set(&heap, &nodes[i], NODES - i);
    for (int i = 0; i < NODES; i++) {
        assert_int_equal(pawl_deadlines_first(&heap)->at_ns, i + 1);
        pawl_deadlines_clear(&heap, pawl_deadlines_first(&heap));
        assert_sound();
    }
}

static void
test_deadlines_clear_of_one_not_set_is_noop(void **state)
{
    (void) state;
    pawl_deadlines_clear(&heap, &nodes[0]);
    pawl_deadlines_set(&heap, &nodes[0], 7);
    pawl_deadlines_set(&heap, &nodes[0], 9);        /* moved */
    assert_int_equal(pawl_deadlines_check(&heap), 1);
    assert_int_equal(pawl_deadlines_first(&heap)->at_ns, 9);
    pawl_deadlines_clear(&heap, &nodes[0]);
    pawl_deadlines_clear(&heap, &nodes[0]);
    assert_null(pawl_deadlines_first(&heap));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadlines_first_is_the_earliest_whatever_is_done),
        cmocka_unit_test(test_deadlines_come_in_order_though_set_in_reverse),
        cmocka_unit_test(test_deadlines_clear_of_one_not_set_is_noop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
