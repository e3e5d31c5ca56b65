/* Commit: the store's thread tells the handle that asked; in between the op is the engine's.
 * PLANT 1: the store's thread writes to an op that it has told.
 * PLANT 2: the caller looks at its op before done().
 * PLANT 3: the store's thread commits through the caller's handle, not its own. */
#include "room.h"

static _Atomic(struct pawl_op *) queued; /* release, acquire: to the store's thread */
static plant_gate ended;

static int
queue_cb(struct pawl_store *store, struct pawl_op *op)
{
    (void) store;
    atomic_store_explicit(&queued, op, memory_order_release);
    return PAWL_PENDING;
}

static void
close_cb(struct pawl_store *store)
{
    (void) store;
}

static void
done_cb(struct pawl_op *op)
{
    static unsigned n;

    gate_open(&ended, ++n);
    look((unsigned) op->code);
}

static void *
caller(void *unused)
{
    static struct pawl_op ops[PLANT_ROUNDS + 1];

    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_spec spec = room_spec(i);

        ops[i].done = done_cb;
        if (pawl_submit(handles[0], &spec, &ops[i], NULL) != PAWL_PENDING)
            abort();
        if (PLANT == 2)
            look((unsigned) ops[i].code);
        while (atomic_load_explicit(&ended, memory_order_relaxed) < i) {
            sched_yield();
            pawl_deliver(handles[0]);
        }
    }
    return unused;
}

static void *
store_thread(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_op *op;

        while (!(op = atomic_exchange_explicit(&queued, NULL, memory_order_acquire)))
            sched_yield();
        pawl_op_committed(handles[PLANT == 3 ? 0 : 1], op, PAWL_ESTORE);
        gate_wait(&ended, i);
        if (PLANT == 1)
            op->code = 0;
        pawl_rest(handles[1]);
    }
    return unused;
}

int
main(void)
{
    static struct pawl_store store = {"planted", queue_cb, close_cb};

    room_open(&store, NULL);
    room_race(caller, store_thread);
    room_close();
    return 0;
}
