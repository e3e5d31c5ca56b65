/* store.h: what makes changes durable. Memory decides what is unique and what is due; the store
 * only remembers. One interface, so that an engine in memory and one on disk are the same engine.
 *
 * A change is committed after it was decided and before its caller is answered. commit() either
 * says at once that the change is safe (PAWL_OK) or that it cannot be kept (PAWL_ESTORE), or takes
 * it into a group (PAWL_PENDING) and calls pawl_op_committed() later, once, from a thread that has
 * a handle of its own. The op is the caller's storage until then. */
#ifndef PAWL_STORE_H
#define PAWL_STORE_H

#include <pawl.h>

enum pawl_op_kind { PAWL_OP_SUBMIT, PAWL_OP_STOP, PAWL_OP_DELETE };

struct pawl_store {
    const char *name;                   /* for people: "memory" */
    /* Threads: any. Blocks: no. */
    int (*commit)(struct pawl_store *store, struct pawl_op *op);
    /* Commits what is waiting, then frees the store. Threads: one, when no handle but its own is
     * left. */
    void (*close)(struct pawl_store *store);
};

/* The store that remembers nothing: a change is as safe as the process. Lives for ever. */
struct pawl_store *
pawl_store_memory(void);

#endif
