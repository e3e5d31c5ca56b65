/* Ring hand-over: the wheel gives items to a worker through an spmc ring.
 * PLANT 1: the payload is written after the enqueue. */
#include <ck_ring.h>

#include "plant.h"

static ck_ring_t ring;
static ck_ring_buffer_t slots[8];
static struct item {
    unsigned payload;
} items[PLANT_ROUNDS + 1];
static plant_gate taken;

static void *
wheel(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        items[i].payload = i;
        while (!ck_ring_enqueue_spmc(&ring, slots, &items[i]))
            sched_yield();
        gate_wait(&taken, i);
        if (PLANT == 1)
            items[i].payload = 0;
    }
    return unused;
}

static void *
worker(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct item *item;
        while (!ck_ring_dequeue_spmc(&ring, slots, &item))
            sched_yield();
        gate_open(&taken, i);
        look(item->payload);
    }
    return unused;
}

int
main(void)
{
    ck_ring_init(&ring, 8);
    pthread_t threads[] = {thread_start(wheel), thread_start(worker)};
    thread_join(threads[0]);
    thread_join(threads[1]);
    return 0;
}
