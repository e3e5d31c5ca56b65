/* Correct: heap items through an mpmc ring (2 to 2) and an spmc ring (1 to 2). */
#include <ck_ring.h>

#include "plant.h"

#define NITEMS 20000

struct item {
    unsigned long number;
};

static ck_ring_t mpmc, spmc;
static ck_ring_buffer_t mpmc_slots[64], spmc_slots[64];
static _Atomic unsigned long sum;
static _Atomic unsigned ntaken;

static struct item *
item_new(unsigned long number)
{
    struct item *item = must_alloc(sizeof *item);

    item->number = number;
    return item;
}

static void *
produce_mpmc(void *unused)
{
    for (unsigned long i = 1; i <= NITEMS; i++) {
        struct item *item = item_new(i);
        while (!ck_ring_enqueue_mpmc(&mpmc, mpmc_slots, item))
            sched_yield();
    }
    return unused;
}

static void *
produce_spmc(void *unused)
{
    for (unsigned long i = 1; i <= NITEMS; i++) {
        struct item *item = item_new(i);
        while (!ck_ring_enqueue_spmc(&spmc, spmc_slots, item))
            sched_yield();
    }
    return unused;
}

static void *
consume(void *unused)
{
    unsigned long mine = 0;

    while (atomic_load_explicit(&ntaken, memory_order_relaxed) < 3 * NITEMS) {
        struct item *item;
        if (!ck_ring_dequeue_mpmc(&mpmc, mpmc_slots, &item) &&
            !ck_ring_dequeue_spmc(&spmc, spmc_slots, &item)) {
            sched_yield();
            continue;
        }
        atomic_fetch_add_explicit(&ntaken, 1, memory_order_relaxed);
        mine += item->number;
        item->number = 0;
        free(item);
    }
    atomic_fetch_add_explicit(&sum, mine, memory_order_relaxed);
    return unused;
}

int
main(void)
{
    void *(*run[])(void *) = {produce_mpmc, produce_mpmc, produce_spmc, consume, consume};
    pthread_t threads[5];

    ck_ring_init(&mpmc, 64);
    ck_ring_init(&spmc, 64);
    for (int i = 0; i < 5; i++)
        threads[i] = thread_start(run[i]);
    for (int i = 0; i < 5; i++)
        thread_join(threads[i]);
    return sum == 3UL * NITEMS * (NITEMS + 1) / 2 ? 0 : 1;
}
