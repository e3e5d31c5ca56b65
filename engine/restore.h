/* restore.h: one task comes back from a store. */
#ifndef PAWL_RESTORE_H
#define PAWL_RESTORE_H

#include "schedule.h"
#include "store.h"

#define PAWL_LOADERS_MAX 2              /* which share the budget of output */

struct pawl_handle;
struct pawl_lost_runs;

/* What one loader adds up. Used by one thread. */
struct pawl_restorer {
    struct pawl *engine;
    const struct pawl_lost_runs *lost;
    bool can_remove;                    /* tasks, while loading; else they go later */
    uint64_t nseen;
    int64_t elapsed_ns, wall_ns;        /* now, about */
    int64_t ntasks, npending, memory, output;
    uint64_t nlost, nmissed;            /* runs, due times */
    struct pawl_write *gone;            /* tasks that were kept for long enough */
    size_t ngone, gone_cap;
};

void
pawl_restorer_init(struct pawl_restorer *restorer, struct pawl *engine,
                   const struct pawl_lost_runs *lost, bool can_remove);
/* A due time of the store's scale, on this engine's; and its time of this moment. */
struct pawl_due
pawl_restorer_due(const struct pawl_restorer *restorer, struct pawl_due due);
struct pawl_now
pawl_restorer_now(const struct pawl_restorer *restorer);
/* Makes one task of a record and places it in all rooms.
 * Errors: PAWL_ENOMEM, PAWL_EDAMAGED (its id is there already). */
int
pawl_restore(struct pawl_restorer *restorer, struct pawl_handle *handle,
             const struct pawl_record *record, const struct pawl_result *results, size_t nresults,
             struct pawl_err *err);
/* Counts what was restored, and removes what is not to be. */
int
pawl_restorer_end(struct pawl_restorer *restorer, struct pawl_err *err);
void
pawl_restorer_fini(struct pawl_restorer *restorer);

#endif
