/* Detach: a sender uses the handle and its wake_ctx behind its put, so the owner waits for it.
 * PLANT 1: the owner frees both without waiting. */
#include "room.h"

struct bell {
    unsigned number;
};

static _Atomic(struct pawl_handle *) attached; /* release, acquire: to the sender */
static plant_gate delivered, freed;

static void
wake_cb(void *ctx)
{
    struct bell *bell = ctx;

    if (PLANT == 1)
        gate_wait(&freed, bell->number);
    look(bell->number);
}

static void
deliver_cb(struct pawl_link *link)
{
    (void) link;
    gate_open(&delivered, atomic_load_explicit(&delivered, memory_order_relaxed) + 1);
}

static void *
sender(void *unused)
{
    static struct pawl_link links[PLANT_ROUNDS + 1];

    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_handle *handle;

        while (!(handle = atomic_exchange_explicit(&attached, NULL, memory_order_acquire)))
            sched_yield();
        links[i].deliver = deliver_cb;
        pawl_handle_send(handle, &links[i]);
    }
    return unused;
}

static void *
owner(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct bell *bell = must_alloc(sizeof *bell);
        struct pawl_handle *handle;

        bell->number = i;
        must(pawl_attach(engine, wake_cb, bell, &handle));
        atomic_store_explicit(&attached, handle, memory_order_release);
        while (atomic_load_explicit(&delivered, memory_order_relaxed) < i) {
            pawl_deliver(handle);
            sched_yield();
        }
        if (PLANT == 1) {
            pawl_epoch_unregister(&engine->epoch, handle->epoch);
            free(handle);
        } else {
            pawl_detach(handle);
        }
        free(bell);
        gate_open(&freed, i);
    }
    return unused;
}

int
main(void)
{
    room_open(NULL, NULL);
    room_race(sender, owner);
    room_close();
    return 0;
}
