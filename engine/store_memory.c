/* store_memory.c: the store that remembers nothing. Every change is done when it is decided. */
#include "store.h"

static int
memory_commit(struct pawl_store *store, struct pawl_op *op)
{
    (void) store;
    (void) op;
    return PAWL_OK;
}

static void
memory_close(struct pawl_store *store)
{
    (void) store;
}

struct pawl_store *
pawl_store_memory(void)
{
    static struct pawl_store store = {"memory", memory_commit, memory_close};

    return &store;
}
