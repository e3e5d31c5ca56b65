/* Table of runs: who finds that a run is done with clears its slot, its worker fills it anew.
 * PLANT 1: the slot is read after it was cleared.
 * PLANT 2: the slot is written to after its second half clear. */
#include "plant.h"

#include "runtable.h"

#include <fcntl.h>
#include <unistd.h>

static struct pawl_runtable table;
static plant_gate filled;       /* the worker has filled the slot for round i */
static plant_gate cleared;      /* the other one has cleared it */

static void *
worker(void *unused)
{
    struct pawl_slot_part part;

    pawl_slot_part_init(&part, &table, 0, 1);
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_slot values = {.seq = i};
        uint32_t slot;

        while ((slot = pawl_slot_take(&part)) == PAWL_SLOT_NONE)
            sched_yield();
        pawl_slot_fill(&table, slot, &values);
        gate_open(&filled, i);
        gate_wait(&cleared, i);
    }
    return unused;
}

static void *
clearer(void *unused)
{
    struct pawl_slot *slot = &table.slots[0];

    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        gate_wait(&filled, i);
        while (atomic_load_explicit(&slot->state, memory_order_acquire) == 0)
            sched_yield();
        look((unsigned) slot->seq);
        if (i % 2 == 0) {
            pawl_slot_clear(&table, 0);
        } else {
            pawl_slot_half_clear(&table, 0, PAWL_SLOT_FORGOTTEN);
            pawl_slot_half_clear(&table, 0, PAWL_SLOT_ENDED);
        }
        gate_open(&cleared, i);
        if (i < PLANT_ROUNDS)
            gate_wait(&filled, i + 1);
        if (PLANT == 1)
            look((unsigned) slot->seq);
        if (PLANT == 2 && i % 2 != 0)
            slot->run = 0;
    }
    return unused;
}

int
main(void)
{
    char dir[] = "/tmp/pawl-plant-XXXXXX";
    pthread_t threads[2];
    int dir_fd;

    if (!mkdtemp(dir) || (dir_fd = open(dir, O_RDONLY | O_DIRECTORY)) < 0 ||
        pawl_runtable_open(&table, dir_fd, 1, NULL) != PAWL_OK)
        abort();
    threads[0] = thread_start(worker);
    threads[1] = thread_start(clearer);
    thread_join(threads[0]);
    thread_join(threads[1]);
    pawl_runtable_close(&table);
    unlinkat(dir_fd, "runs", 0);
    close(dir_fd);
    rmdir(dir);
    return 0;
}
