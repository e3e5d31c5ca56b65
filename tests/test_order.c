/* test_order.c: the order of submission as a store brings it back: numbers with gaps, then new
 * ones. It looks into the tree, so it has that file in it. */
#include "../engine/order.c"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct room {
    struct pawl_epoch epoch;
    struct pawl_epoch_thread *thread;
    struct pawl_order *order;
};

static struct pawl_task *const some = (struct pawl_task *) 64;     /* it is never looked at */

static void
room_begin(struct room *room)
{
    pawl_epoch_init(&room->epoch);
    room->thread = pawl_epoch_register(&room->epoch);
    room->order = pawl_order_new();
    assert_non_null(room->order);
}

static void
room_end(struct room *room)
{
    pawl_order_free(room->order);
    while (pawl_epoch_rest(room->thread))
        ;
    pawl_epoch_unregister(&room->epoch, room->thread);
    pawl_epoch_fini(&room->epoch);
}

static unsigned
count_nodes(const struct node *node, int level)
{
    unsigned n = 1;

    for (unsigned i = 0; level > 0 && i < FANOUT; i++) {
        const struct node *below = child(node, i);

        n += below ? count_nodes(below, level - 1) : 0;
    }
    return n;
}

static uint64_t
next_of(struct room *room, uint64_t after)
{
    uint64_t seq = 0;

    return pawl_order_next(room->order, after, PAWL_SEQ_MAX, &seq) ? seq : 0;
}

static void
test_restored_numbers_are_listed_and_their_leaves_freed(void **state)
{
    static const uint64_t seqs[] = {64, 65, 127, 128, 4095, 4096, 300000, 300001, 16777216,
                                    1000000000000};
    const size_t n = sizeof seqs / sizeof seqs[0];
    struct room room;
    uint64_t seq = 0;

    (void) state;
    room_begin(&room);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pawl_order_restore(room.order, room.thread, seqs[i], some), PAWL_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(seq = next_of(&room, seq), seqs[i]);
    assert_int_equal(next_of(&room, seq), 0);
    pawl_order_begin_above(room.order, seqs[n - 1]);
    for (size_t i = 0; i < n; i += 2)
        pawl_order_remove(room.order, room.thread, seqs[i]);
    seq = 0;
    for (size_t i = 1; i < n; i += 2)
        assert_int_equal(seq = next_of(&room, seq), seqs[i]);
    for (size_t i = 1; i < n; i += 2)
        pawl_order_remove(room.order, room.thread, seqs[i]);
    assert_int_equal(next_of(&room, 0), 0);
    assert_int_equal(count_nodes(room.order->root, LEVELS - 1), 1);
    room_end(&room);
}

static void
test_new_numbers_come_after_restored_ones_in_leaves_of_their_own(void **state)
{
    static const uint64_t newest[] = {0, 1, 62, 63, 64, 127, 4095, 4096, 999999};
    struct room room;

    (void) state;
    for (size_t i = 0; i < sizeof newest / sizeof newest[0]; i++) {
        uint64_t first, seq;

        room_begin(&room);
        if (newest[i] > 0)
            assert_int_equal(pawl_order_restore(room.order, room.thread, newest[i], some), PAWL_OK);
        pawl_order_begin_above(room.order, newest[i]);
        first = pawl_order_append(room.order, room.thread, some);
        assert_true(first > newest[i]);
        assert_int_equal(first % FANOUT, 0);
        for (unsigned n = 1; n < FANOUT; n++)
            assert_int_equal(seq = pawl_order_append(room.order, room.thread, some), first + n);
        if (newest[i] > 0)
            pawl_order_remove(room.order, room.thread, newest[i]);
        assert_int_equal(next_of(&room, 0), first);
        for (unsigned n = 0; n < FANOUT; n++)
            pawl_order_remove(room.order, room.thread, first + n);
        assert_int_equal(next_of(&room, 0), 0);
        assert_int_equal(count_nodes(room.order->root, LEVELS - 1), 1);
        room_end(&room);
    }
}

static void
test_restored_leaf_that_was_full_is_freed_with_its_last_task(void **state)
{
    struct room room;

    (void) state;
    room_begin(&room);
    for (uint64_t seq = 64; seq < 192; seq++)
        assert_int_equal(pawl_order_restore(room.order, room.thread, seq, some), PAWL_OK);
    pawl_order_begin_above(room.order, 191);
    for (uint64_t seq = 64; seq < 191; seq++)
        pawl_order_remove(room.order, room.thread, seq);
    assert_int_equal(next_of(&room, 0), 191);
    assert_int_equal(count_nodes(room.order->root, LEVELS - 1), LEVELS);
    pawl_order_remove(room.order, room.thread, 191);
    assert_int_equal(count_nodes(room.order->root, LEVELS - 1), 1);
    assert_int_equal(pawl_order_append(room.order, room.thread, some), 192);
    assert_int_equal(next_of(&room, 0), 192);
    room_end(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restored_numbers_are_listed_and_their_leaves_freed),
        cmocka_unit_test(test_new_numbers_come_after_restored_ones_in_leaves_of_their_own),
        cmocka_unit_test(test_restored_leaf_that_was_full_is_freed_with_its_last_task),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
