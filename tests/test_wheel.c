/* test_wheel.c: the timing wheel on a clock that is a number. The random test compares it
 * with an array that is searched from end to end. It prints its seed; PAWL_TEST_SEED
 * repeats a run and PAWL_TEST_OPS sets its length. */
#include "cells.h"
#include "wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <pawl.h>

#define US INT64_C(1000)
#define MS (1000 * US)
#define SEC (1000 * MS)
#define HOUR (3600 * SEC)
#define YEAR (8766 * HOUR)
#define ORDER_NS 262144 /* how exact the order within one expire() is */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SLOW 1
#endif
#endif
#ifndef IS_SLOW
#define IS_SLOW 0
#endif

/* Pages from the C heap, where the address sanitizer watches over them; refused on
 * demand. */
struct pages {
    size_t nleft;   /* pages still granted */
    size_t bytes;   /* mapped now */
};

static void *
pages_map(void *context, size_t bytes)
{
    struct pages *pages = context;
    void *start;

    if (pages->nleft == 0)
        return NULL;
    pages->nleft--;
    start = aligned_alloc(PAWL_PAGE_BYTES, bytes);
    assert_non_null(start);
    memset(start, 0, bytes);
    pages->bytes += bytes;
    return start;
}

static void
pages_unmap(void *context, void *start, size_t bytes)
{
    struct pages *pages = context;

    pages->bytes -= bytes;
    free(start);
}

static struct pawl_wheel *
wheel_at(int64_t now)
{
    struct pawl_wheel *wheel = NULL;

    assert_int_equal(pawl_wheel_new(now, &wheel), 0);
    return wheel;
}

/* Items are numbers here. */
static void *
item_of(size_t number)
{
    return (void *)(uintptr_t)(number + 1);
}

static size_t
number_of(const void *item)
{
    return (size_t)(uintptr_t)item - 1;
}

static uint32_t
insert(struct pawl_wheel *wheel, int64_t due, size_t number)
{
    uint32_t timer = PAWL_TIMER_NONE;

    assert_int_equal(pawl_wheel_insert(wheel, due, item_of(number), &timer), 0);
    assert_int_not_equal(timer, PAWL_TIMER_NONE);
    return timer;
}

/* The one item that is due, or SIZE_MAX. */
static size_t
expire_one(struct pawl_wheel *wheel, int64_t now)
{
    void *item = NULL;

    return pawl_wheel_expire(wheel, now, &item, 1) == 1 ? number_of(item) : SIZE_MAX;
}

/* Whether expire() is to be called again with the same now. */
static bool
is_unfinished(const struct pawl_wheel *wheel, int64_t now)
{
    return pawl_wheel_next(wheel) <= now && pawl_wheel_count(wheel) > 0;
}

/* All that is due, in batches; only counted. */
static size_t
expire_all(struct pawl_wheel *wheel, int64_t now)
{
    void *items[256];
    size_t n = 0;

    do
        n += pawl_wheel_expire(wheel, now, items, 256);
    while (is_unfinished(wheel, now));
    return n;
}

static uint64_t
random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Any distance that fits, short and long ones equally often. */
static int64_t
random_distance(uint64_t *state, unsigned bits_max)
{
    uint64_t bits = random_next(state) % (bits_max + 1);

    return bits ? (int64_t)(random_next(state) >> (64 - bits)) : 0;
}

static int64_t
add_time(int64_t time, int64_t distance)
{
    return distance < INT64_MAX - time ? time + distance : INT64_MAX;
}

static void
test_wheel_timer_fires_at_its_due_and_not_a_nanosecond_before(void **state)
{
    (void)state;
    for (int bit = 1; bit <= 63; bit++) {
        for (int off = -1; off <= 1; off++) {
            int64_t due = (int64_t)((UINT64_C(1) << bit) - 1) + (bit < 63 ? off : -1);
            struct pawl_wheel *wheel = wheel_at(0);

            insert(wheel, due, 7);
            pawl_wheel_check(wheel);
            assert_int_equal(pawl_wheel_next(wheel), due);
            if (due > 0)
                assert_int_equal(expire_one(wheel, due - 1), SIZE_MAX);
            assert_int_equal(pawl_wheel_next(wheel), due);
            pawl_wheel_check(wheel);
            assert_int_equal(expire_one(wheel, due), 7);
            assert_int_equal(pawl_wheel_next(wheel), INT64_MAX);
            pawl_wheel_free(wheel);
        }
    }
}

static void
test_wheel_past_due_is_due_at_once(void **state)
{
    struct pawl_wheel *wheel = wheel_at(HOUR);

    (void)state;
    insert(wheel, HOUR - 1, 1);
    assert_true(pawl_wheel_next(wheel) <= HOUR);
    assert_int_equal(expire_one(wheel, HOUR), 1);
    insert(wheel, 0, 2);
    insert(wheel, INT64_MIN, 3);
    pawl_wheel_check(wheel);
    assert_int_equal(expire_all(wheel, HOUR), 2);
    pawl_wheel_free(wheel);
}

static void
test_wheel_cancel_gives_the_item_and_it_never_fires(void **state)
{
    struct pawl_wheel *wheel = wheel_at(0);
    uint32_t kept = insert(wheel, 5 * MS, 1);
    uint32_t gone = insert(wheel, 5 * MS, 2);

    (void)state;
    assert_int_equal(number_of(pawl_wheel_cancel(wheel, gone)), 2);
    assert_int_equal(pawl_wheel_count(wheel), 1);
    gone = insert(wheel, 6 * MS, 3);
    pawl_wheel_check(wheel);
    assert_int_equal(expire_one(wheel, 5 * MS), 1);
    assert_int_equal(expire_one(wheel, 5 * MS), SIZE_MAX);
    kept = insert(wheel, 5 * MS, 4);
    assert_int_equal(number_of(pawl_wheel_cancel(wheel, kept)), 4);
    assert_int_equal(number_of(pawl_wheel_cancel(wheel, gone)), 3);
    assert_int_equal(expire_one(wheel, HOUR), SIZE_MAX);
    pawl_wheel_free(wheel);
}

static void
test_wheel_without_timers_never_asks_to_be_called(void **state)
{
    struct pawl_wheel *wheel = wheel_at(123);

    (void)state;
    assert_int_equal(pawl_wheel_next(wheel), INT64_MAX);
    pawl_wheel_cancel(wheel, insert(wheel, 5 * HOUR, 1));
    assert_int_equal(pawl_wheel_next(wheel), INT64_MAX);
    assert_int_equal(expire_one(wheel, INT64_MAX), SIZE_MAX);
    pawl_wheel_free(wheel);
    pawl_wheel_free(NULL);
}

/* Ten thousand timers over a year, none of its slots crowded: each wake-up fires. */
static void
test_wheel_sleeps_until_exactly_the_next_due(void **state)
{
    struct pawl_wheel *wheel = wheel_at(17);
    uint64_t random = 1;
    size_t nfired = 0, nwakes = 0;

    (void)state;
    insert(wheel, 10 * HOUR, 0);
    assert_int_equal(pawl_wheel_next(wheel), 10 * HOUR);
    for (size_t i = 1; i < 5000; i++)
        insert(wheel, (int64_t)(random_next(&random) % (uint64_t)YEAR), i);
    while (pawl_wheel_next(wheel) != INT64_MAX) {
        size_t n = expire_all(wheel, pawl_wheel_next(wheel));

        assert_true(n > 0);
        nfired += n;
        nwakes++;
        if (nwakes % 256 == 0)
            pawl_wheel_check(wheel);
    }
    assert_int_equal(nfired, 5000);
    pawl_wheel_free(wheel);
}

static void
test_wheel_cancelled_timer_costs_at_most_one_wake(void **state)
{
    struct pawl_wheel *wheel = wheel_at(0);
    uint32_t timers[100];
    size_t nwakes = 0, nfired = 0;

    (void)state;
    for (size_t i = 0; i < 100; i++)
        timers[i] = insert(wheel, HOUR + (int64_t)i * SEC, i);
    insert(wheel, 10 * HOUR, 100);
    for (size_t i = 0; i < 100; i++)
        pawl_wheel_cancel(wheel, timers[i]);
    for (; pawl_wheel_next(wheel) != INT64_MAX; nwakes++)
        nfired += expire_all(wheel, pawl_wheel_next(wheel));
    assert_int_equal(nfired, 1);
    assert_true(nwakes <= 101);
    pawl_wheel_free(wheel);
}

/* Due times of the numbers that timers carry in the tests that look at the order. */
static void
expire_in_order(struct pawl_wheel *wheel, int64_t now, const int64_t *dues, size_t max,
    size_t *nfired)
{
    void *items[1000];
    int64_t latest = -INT64_MAX / 2;

    assert_true(max <= 1000);
    do {
        size_t n = pawl_wheel_expire(wheel, now, items, max);

        assert_true(n <= max);
        for (size_t i = 0; i < n; i++) {
            int64_t due = dues[number_of(items[i])];

            assert_true(due <= now && due > latest - ORDER_NS);
            latest = due > latest ? due : latest;
        }
        *nfired += n;
    } while (is_unfinished(wheel, now));
}

static void
test_wheel_jump_of_years_gives_all_in_order_and_batches(void **state)
{
    enum { N = 50000 };
    static int64_t dues[N];
    struct pawl_wheel *wheel = wheel_at(HOUR);
    struct pawl_wheel_stats stats;
    uint64_t random = 2;
    size_t nfired = 0;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        dues[i] = HOUR + 1 + (int64_t)(random_next(&random) % (uint64_t)(10 * YEAR));
        insert(wheel, dues[i], i);
    }
    expire_in_order(wheel, 5 * YEAR, dues, 1000, &nfired);
    pawl_wheel_check(wheel);
    assert_true(nfired > N / 3 && nfired < 2 * N / 3);
    expire_in_order(wheel, 50 * YEAR, dues, 7, &nfired);
    assert_int_equal(nfired, N);
    /* From 10 years to 262 us are six levels, whatever the number of slots skipped. */
    pawl_wheel_stats(wheel, &stats);
    assert_true(stats.nmoves <= (uint64_t)7 * N);
    pawl_wheel_free(wheel);
}

static void
test_wheel_many_due_at_once_come_in_batches_without_moves(void **state)
{
    enum { N = 100000 };
    struct pawl_wheel *wheel = wheel_at(0);
    struct pawl_wheel_stats stats;
    void *items[512];
    size_t nfired = 0, n;

    (void)state;
    for (size_t i = 0; i < N; i++)
        insert(wheel, 200 * US, i);
    assert_int_equal(pawl_wheel_next(wheel), 200 * US);
    while ((n = pawl_wheel_expire(wheel, 200 * US, items, 512)) == 512)
        nfired += n;
    assert_int_equal(nfired + n, N);
    pawl_wheel_stats(wheel, &stats);
    assert_true(stats.nmoves <= N);
    pawl_wheel_free(wheel);
}

/* 200,000 timers in one slot of 68 s: the wake-ups before it move a portion each, and the
 * call at its start has little left to do. */
static void
test_wheel_crowded_slot_is_moved_ahead_in_portions(void **state)
{
    enum { N = 200000 };
    const int64_t start = INT64_C(3) << 36;
    struct pawl_wheel *wheel = wheel_at(0);
    struct pawl_wheel_stats stats;
    uint64_t random = 3, before = 0, most = 0;
    size_t nwakes = 0;
    void *item;

    (void)state;
    for (size_t i = 0; i < N; i++)
        insert(wheel, start + (int64_t)(random_next(&random) >> (64 - 36)), i);
    while (pawl_wheel_next(wheel) < start) {
        assert_int_equal(pawl_wheel_expire(wheel, pawl_wheel_next(wheel), &item, 1), 0);
        pawl_wheel_stats(wheel, &stats);
        most = stats.nmoves - before > most ? stats.nmoves - before : most;
        before = stats.nmoves;
        nwakes++;
        if (nwakes % 64 == 0)
            pawl_wheel_check(wheel);
    }
    assert_true(nwakes <= 3 * N / PAWL_WHEEL_PORTION);
    assert_true(most <= 3 * PAWL_WHEEL_PORTION);
    assert_true(before > N - N / 100);
    assert_int_equal(expire_all(wheel, INT64_MAX), N);
    pawl_wheel_free(wheel);
}

/* The same without a call in the meantime: each call is bounded, the last one told by
 * next(). */
static void
test_wheel_jump_into_a_crowded_slot_is_cut_into_bounded_calls(void **state)
{
    enum { N = 100000 };
    struct pawl_wheel *wheel = wheel_at(0);
    struct pawl_wheel_stats stats;
    uint64_t random = 4, before = 0;
    const int64_t now = HOUR + HOUR / 2;
    size_t nfired = 0, ndue = 0;
    void *items[64];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        int64_t due = HOUR + (int64_t)(random_next(&random) % (uint64_t)HOUR);

        ndue += due <= now;
        insert(wheel, due, i);
    }
    do {
        nfired += pawl_wheel_expire(wheel, now, items, 64);
        pawl_wheel_stats(wheel, &stats);
        assert_true(stats.nmoves - before <= PAWL_WHEEL_MOVES_MAX);
        before = stats.nmoves;
    } while (is_unfinished(wheel, now));
    assert_int_equal(nfired, ndue);
    pawl_wheel_check(wheel);
    assert_int_equal(expire_all(wheel, 2 * HOUR), N - ndue);
    pawl_wheel_free(wheel);
}

static void
test_wheel_dead_entries_stay_fewer_than_live_ones(void **state)
{
    enum { N = 40000 };
    static uint32_t timers[N];
    struct pawl_wheel *wheel = wheel_at(0);
    struct pawl_wheel_stats stats;
    uint64_t random = 5;
    size_t most = 0;

    (void)state;
    for (size_t i = 0; i < N; i++)
        timers[i] = insert(wheel, random_distance(&random, 45), i);
    for (size_t k = 0; k < 10 * N; k++) {
        size_t i = random_next(&random) % N;

        assert_int_equal(number_of(pawl_wheel_cancel(wheel, timers[i])), i);
        timers[i] = insert(wheel, random_distance(&random, 45), i);
        pawl_wheel_stats(wheel, &stats);
        assert_true(stats.ndead <= stats.nlive + PAWL_WHEEL_DEAD_MAX);
        most = stats.ndead > most ? stats.ndead : most;
        if (k % N == 0)
            pawl_wheel_check(wheel);
    }
    assert_true(most > N / 4);
    for (size_t i = 0; i < N; i++) {
        pawl_wheel_cancel(wheel, timers[i]);
        pawl_wheel_stats(wheel, &stats);
        assert_true(stats.ndead <= stats.nlive + PAWL_WHEEL_DEAD_MAX);
    }
    pawl_wheel_check(wheel);
    pawl_wheel_free(wheel);
}

/* A peak that is cancelled, then one that fires. */
static void
test_wheel_gives_memory_back_after_a_peak(void **state)
{
    const size_t n = IS_SLOW ? 200000 : 1000000;
    uint32_t *timers = malloc(n * sizeof *timers);
    struct pages pages = {.nleft = SIZE_MAX};
    const struct pawl_page_source source = {pages_map, pages_unmap, &pages};
    struct pawl_wheel *wheel;
    uint64_t random = 6;
    size_t idle, peak;

    (void)state;
    assert_non_null(timers);
    assert_int_equal(pawl_wheel_new_from(0, &source, 1, &wheel), 0);
    idle = pages.bytes;
    for (int is_fired = 0; is_fired < 2; is_fired++) {
        for (size_t i = 0; i < n; i++)
            timers[i] = insert(wheel, random_distance(&random, 40), i);
        peak = pages.bytes - idle;
        assert_true(peak < 34 * n + 8 * PAWL_PAGE_BYTES);
        if (is_fired)
            assert_int_equal(expire_all(wheel, INT64_C(1) << 41), n);
        for (size_t i = n; !is_fired && i > 0; i--) {
            size_t other = random_next(&random) % i;
            uint32_t timer = timers[other];

            timers[other] = timers[i - 1];
            pawl_wheel_cancel(wheel, timer);
        }
        assert_int_equal(pawl_wheel_count(wheel), 0);
        for (int64_t now = INT64_C(1) << 41; pawl_wheel_next(wheel) != INT64_MAX;)
            expire_all(wheel, now += SEC);
        assert_true(pages.bytes - idle <= 6 * PAWL_PAGE_BYTES);
        assert_true(IS_SLOW || pages.bytes - idle <= peak / 10);
        pawl_wheel_check(wheel);
    }
    pawl_wheel_free(wheel);
    assert_int_equal(pages.bytes, 0);
    free(timers);
}

/* Grants n pages, for n = 0, 1, ... A refused insert changes nothing, and firing what was
 * accepted never asks for a page. */
static void
test_wheel_out_of_memory_changes_nothing_and_expire_needs_none(void **state)
{
    enum { N = 60000 };

    (void)state;
    for (size_t granted = 0;; granted++) {
        struct pages pages = {.nleft = granted};
        const struct pawl_page_source source = {pages_map, pages_unmap, &pages};
        struct pawl_wheel *wheel = NULL;
        uint64_t random = granted;
        size_t n, nfired = 0;

        if (pawl_wheel_new_from(0, &source, 1, &wheel) != 0) {
            assert_int_equal(granted, 0);
            assert_null(wheel);
            continue;
        }
        for (n = 0; n < N; n++) {
            uint32_t timer = 12345;
            int64_t next = pawl_wheel_next(wheel);
            int64_t due = random_distance(&random, 43);

            if (pawl_wheel_insert(wheel, due, item_of(n), &timer) == 0)
                continue;
            assert_int_equal(pawl_wheel_insert(wheel, due, item_of(n), &timer),
                PAWL_ENOMEM);
            assert_int_equal(timer, 12345);
            assert_int_equal(pawl_wheel_count(wheel), n);
            assert_int_equal(pawl_wheel_next(wheel), next);
            break;
        }
        pawl_wheel_check(wheel);
        pages.nleft = 0;
        for (int64_t now = 0; now < INT64_C(1) << 44; now += now / 8 + MS)
            nfired += expire_all(wheel, now);
        assert_int_equal(nfired, n);
        pawl_wheel_check(wheel);
        pawl_wheel_free(wheel);
        assert_int_equal(pages.bytes, 0);
        if (n == N)
            break;
    }
}

/* A record two uses before its generation would be used up: its dead entries must not
 * come to life when the number is used again, or when its page is. */
static void
test_wheel_worn_out_timer_is_never_reused(void **state)
{
    struct pages pages = {.nleft = SIZE_MAX};
    const struct pawl_page_source source = {pages_map, pages_unmap, &pages};
    struct pawl_wheel *wheel;
    uint32_t first, timer;

    (void)state;
    assert_int_equal(pawl_wheel_new_from(0, &source, UINT32_MAX - 2, &wheel), 0);
    first = insert(wheel, HOUR, 0);
    for (int uses = 1; uses <= 2; uses++) {
        pawl_wheel_cancel(wheel, first);
        timer = insert(wheel, HOUR, 1);
        assert_int_equal(timer == first, uses < 2);
    }
    for (size_t i = 0; i < 100000; i++)
        pawl_wheel_cancel(wheel, insert(wheel, HOUR, i));
    pawl_wheel_check(wheel);
    assert_int_equal(expire_all(wheel, HOUR), 1);
    pawl_wheel_free(wheel);
    assert_int_equal(pages.bytes, 0);
}

/* Eight pages of timers; two are cancelled, so one goes back, and filled anew. The dead
 * entries of before name the same numbers and are due first. */
static void
test_wheel_records_of_a_page_mapped_again_are_new(void **state)
{
    enum { PAGE = PAWL_PAGE_BYTES / 16, N = 8 * PAGE, KEPT = 6 * PAGE };
    static uint32_t timers[N];
    struct pages pages = {.nleft = SIZE_MAX};
    const struct pawl_page_source source = {pages_map, pages_unmap, &pages};
    struct pawl_wheel_stats stats;
    struct pawl_wheel *wheel;
    size_t before;

    (void)state;
    assert_int_equal(pawl_wheel_new_from(0, &source, 1, &wheel), 0);
    for (size_t i = 0; i < N; i++)
        timers[i] = insert(wheel, HOUR, i);
    before = pages.bytes;
    for (size_t i = KEPT; i < N; i++)
        pawl_wheel_cancel(wheel, timers[i]);
    assert_true(pages.bytes < before);
    pawl_wheel_stats(wheel, &stats);
    assert_int_equal(stats.ndead, N - KEPT);
    for (size_t i = KEPT; i < N; i++)
        insert(wheel, 2 * HOUR, i);
    pawl_wheel_check(wheel);
    assert_int_equal(expire_all(wheel, HOUR), KEPT);
    assert_int_equal(expire_all(wheel, 2 * HOUR), N - KEPT);
    pawl_wheel_free(wheel);
    assert_int_equal(pages.bytes, 0);
}

/* The reference: live timers in any order, and the number of each timer's place. */
struct model {
    struct {
        int64_t due;
        size_t number;
        uint32_t timer;
        bool is_late;           /* inserted when it was due: comes in no order */
    } live[20000];
    size_t n;
    size_t place[1 << 16];      /* of number % 65536 in live[] */
    size_t ninserted;
    unsigned bits;              /* of the longest distance; a long one soon ends time */
};

static void
model_remove(struct model *model, size_t number)
{
    size_t at = model->place[number % 65536];

    assert_true(at < model->n && model->live[at].number == number);
    model->live[at] = model->live[--model->n];
    model->place[model->live[at].number % 65536] = at;
}

static int64_t
model_earliest(const struct model *model)
{
    int64_t earliest = INT64_MAX;

    for (size_t i = 0; i < model->n; i++)
        earliest = model->live[i].due < earliest ? model->live[i].due : earliest;
    return earliest;
}

static void
random_insert(struct pawl_wheel *wheel, struct model *model, int64_t now,
    uint64_t *random)
{
    size_t number = model->ninserted;
    size_t at = model->n;

    /* Numbers that lie 65536 inserts apart share a place. */
    if (at > 0 && model->place[number % 65536] < at &&
        model->live[model->place[number % 65536]].number % 65536 == number % 65536) {
        model->ninserted++;
        return;
    }
    switch (random_next(random) % 8) {
    case 0:
        model->live[at].due = now - random_distance(random, 20);
        break;
    case 1:
        model->live[at].due = at > 0 ? model->live[0].due : now;
        break;
    default:
        model->live[at].due = add_time(now, random_distance(random, model->bits));
    }
    model->live[at].is_late = model->live[at].due <= now;
    model->live[at].number = number;
    model->live[at].timer = insert(wheel, model->live[at].due, number);
    model->place[number % 65536] = at;
    model->n++;
    model->ninserted++;
}

static void
random_cancel(struct pawl_wheel *wheel, struct model *model, uint64_t *random)
{
    size_t at = random_next(random) % model->n;
    size_t number = model->live[at].number;

    assert_int_equal(number_of(pawl_wheel_cancel(wheel, model->live[at].timer)), number);
    model_remove(model, number);
}

/* Expires to the end of it, or leaves off after a batch. Returns true if it was the end.
 * */
static bool
random_expire(struct pawl_wheel *wheel, struct model *model, int64_t now,
    uint64_t *random)
{
    void *items[300];
    size_t max = 1 + random_next(random) % 300;
    bool is_cut = random_next(random) % 16 == 0;
    int64_t latest = -INT64_MAX / 2;
    size_t ncalls = 0;

    do {
        size_t n = pawl_wheel_expire(wheel, now, items, max);

        assert_true(n <= max);
        for (size_t i = 0; i < n; i++) {
            size_t number = number_of(items[i]);
            size_t at = model->place[number % 65536];
            int64_t due = model->live[at].due;

            assert_true(due <= now);
            assert_true(due > latest - ORDER_NS || model->live[at].is_late);
            latest = due > latest && !model->live[at].is_late ? due : latest;
            model_remove(model, number);
        }
        assert_true(ncalls++ < 100000);
    } while (!is_cut && is_unfinished(wheel, now));
    return pawl_wheel_next(wheel) > now;
}

static int64_t
random_step(const struct pawl_wheel *wheel, const struct model *model, int64_t now,
    uint64_t *random)
{
    int64_t next = pawl_wheel_next(wheel);

    switch (random_next(random) % 8) {
    case 0:
        return now;
    case 1:
    case 2:
        if (next <= now || next == INT64_MAX)
            return now;
        return next - (int64_t)(random_next(random) % 2);
    case 3:
        return add_time(now, random_distance(random, model->bits - 4));
    case 4:
        return add_time(now, random_next(random) % 64 == 0 ?
            random_distance(random, model->bits) : 1);
    default:
        return add_time(now, random_distance(random, model->bits / 2 + 8));
    }
}

/* One wheel's life, with up to nlive_max timers at once; its number of operations. */
static size_t
random_life(struct model *model, uint64_t *random, size_t nlive_max, size_t nops)
{
    int64_t now = random_distance(random, 62);
    struct pawl_wheel *wheel = wheel_at(now);
    size_t op;

    model->n = 0;
    model->bits = 24 + (unsigned)(random_next(random) % 40);
    for (op = 0; op < nops && now < INT64_MAX; op++) {
        uint64_t dice = random_next(random) % (16 + nlive_max / 16);
        bool is_growing = op / nlive_max % 2 == 0;

        if (dice == 0) {
            bool is_all;

            now = random_step(wheel, model, now, random);
            is_all = random_expire(wheel, model, now, random);
            if (is_all || pawl_wheel_next(wheel) == INT64_MAX) {
                int64_t earliest = model_earliest(model);

                assert_true(earliest > now || now == INT64_MAX);
                assert_true(pawl_wheel_next(wheel) <= earliest);
            }
        } else if (model->n < nlive_max && dice % 8 < (is_growing ? 6 : 2)) {
            random_insert(wheel, model, now, random);
        } else if (model->n > 0) {
            random_cancel(wheel, model, random);
        }
        assert_int_equal(pawl_wheel_count(wheel), model->n);
        if (op % (64 + 64 * nlive_max) == 0)
            pawl_wheel_check(wheel);
    }
    while (pawl_wheel_count(wheel) > 0)
        random_expire(wheel, model, INT64_MAX, random);
    assert_int_equal(model->n, 0);
    pawl_wheel_check(wheel);
    pawl_wheel_free(wheel);
    return op;
}

static void
test_wheel_agrees_with_a_linear_search(void **state)
{
    static const size_t nlive_max[] = {1, 3, 10, 100, 1000, 20000};
    const char *seed_text = getenv("PAWL_TEST_SEED");
    const char *ops_text = getenv("PAWL_TEST_OPS");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : (uint64_t)time(NULL);
    size_t nops = ops_text ? strtoull(ops_text, NULL, 0) : IS_SLOW ? 3000000 : 30000000;
    struct model *model = calloc(1, sizeof *model);
    uint64_t random = seed;

    (void)state;
    assert_non_null(model);
    print_message("PAWL_TEST_SEED=%llu\n", (unsigned long long)seed);
    for (size_t life = 0, done = 0; done < nops; life++) {
        size_t max = nlive_max[life % (sizeof nlive_max / sizeof nlive_max[0])];

        done += random_life(model, &random, max, 1000 + 50 * max) + 1;
    }
    free(model);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wheel_timer_fires_at_its_due_and_not_a_nanosecond_before),
        cmocka_unit_test(test_wheel_past_due_is_due_at_once),
        cmocka_unit_test(test_wheel_cancel_gives_the_item_and_it_never_fires),
        cmocka_unit_test(test_wheel_without_timers_never_asks_to_be_called),
        cmocka_unit_test(test_wheel_sleeps_until_exactly_the_next_due),
        cmocka_unit_test(test_wheel_cancelled_timer_costs_at_most_one_wake),
        cmocka_unit_test(test_wheel_jump_of_years_gives_all_in_order_and_batches),
        cmocka_unit_test(test_wheel_many_due_at_once_come_in_batches_without_moves),
        cmocka_unit_test(test_wheel_crowded_slot_is_moved_ahead_in_portions),
        cmocka_unit_test(test_wheel_jump_into_a_crowded_slot_is_cut_into_bounded_calls),
        cmocka_unit_test(test_wheel_dead_entries_stay_fewer_than_live_ones),
        cmocka_unit_test(test_wheel_gives_memory_back_after_a_peak),
        cmocka_unit_test(test_wheel_out_of_memory_changes_nothing_and_expire_needs_none),
        cmocka_unit_test(test_wheel_worn_out_timer_is_never_reused),
        cmocka_unit_test(test_wheel_records_of_a_page_mapped_again_are_new),
        cmocka_unit_test(test_wheel_agrees_with_a_linear_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
