/* Snapshot: immutable once published, swapped in whole, read in an epoch section.
 * PLANT 1: a field is written after publication.
 * PLANT 2: published by a relaxed compare-and-swap. */
#include <ck_epoch.h>

#include "plant.h"

struct snapshot {
    ck_epoch_entry_t reclaim;
    unsigned version;
};

static ck_epoch_t epoch;
static ck_epoch_record_t records[2];
static _Atomic(struct snapshot *) current;
static plant_gate seen;

CK_EPOCH_CONTAINER(struct snapshot, reclaim, snapshot_of)

static void
reclaim_cb(ck_epoch_entry_t *entry)
{
    free(snapshot_of(entry));
}

static struct snapshot *
snapshot_new(unsigned version)
{
    struct snapshot *snapshot = must_alloc(sizeof *snapshot);

    snapshot->version = version;
    return snapshot;
}

static void *
writer(void *unused)
{
    struct snapshot *old = atomic_load_explicit(&current, memory_order_relaxed);

    gate_wait(&seen, 1);
    for (unsigned i = 2; i <= PLANT_ROUNDS; i++) {
        struct snapshot *fresh = snapshot_new(i);
        if (!atomic_compare_exchange_strong_explicit(&current, &old, fresh,
                PLANT == 2 ? memory_order_relaxed : memory_order_acq_rel,
                memory_order_relaxed))
            abort();
        ck_pr_fence_memory();
        ck_epoch_call(&records[0], &old->reclaim, reclaim_cb);
        gate_wait(&seen, i);
        if (PLANT == 1)
            fresh->version = 0;
        ck_epoch_poll(&records[0]);
        old = fresh;
    }
    return unused;
}

static void *
reader(void *unused)
{
    struct snapshot *last = NULL;

    for (unsigned i = 1; i <= PLANT_ROUNDS;) {
        ck_epoch_begin(&records[1], NULL);
        struct snapshot *snapshot = atomic_load_explicit(&current, memory_order_acquire);
        if (snapshot != last) {
            last = snapshot;
            gate_open(&seen, i++);
            look(snapshot->version);
        }
        ck_epoch_end(&records[1], NULL);
    }
    return unused;
}

int
main(void)
{
    ck_epoch_init(&epoch);
    ck_epoch_register(&epoch, &records[0], NULL);
    ck_epoch_register(&epoch, &records[1], NULL);
    atomic_store_explicit(&current, snapshot_new(0), memory_order_release);
    pthread_t r = thread_start(reader);
    pthread_t w = thread_start(writer);
    thread_join(w);
    thread_join(r);
    ck_epoch_barrier(&records[0]);
    free(atomic_load_explicit(&current, memory_order_relaxed));
    return 0;
}
