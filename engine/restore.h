/* restore.h: one task comes back from a store. */
#ifndef PAWL_RESTORE_H
#define PAWL_RESTORE_H

#include "runtable.h"
#include "schedule.h"
#include "store.h"

#define PAWL_LOADERS_MAX 2              /* which share the budget of output */

struct pawl_handle;

/* A run that was in progress, or whose end was not durable, when the last daemon ended. */
struct pawl_lost_run {
    uint64_t seq, run;
    int64_t version, started_ns, started_elapsed_ns;
    struct pawl_due scheduled;          /* on the store's scale, or wall */
    pid_t pid;
    uint32_t slot;
    unsigned attempt;                   /* from 1 */
    bool is_asked;                      /* it was not of the schedule */
    bool is_tree;                       /* pid is a pawl-tree's */
    bool is_claimed;                    /* by the loader of its task: its end is to be stored */
    uint8_t id_len;
    char id[PAWL_ID_MAX];               /* of the task, once it is found */
};

/* All of them, by seq and run. */
struct pawl_lost_runs {
    struct pawl_lost_run *runs;
    size_t n;
};

/* Reads the table of runs. Errors: PAWL_ENOMEM. */
int
pawl_lost_runs_read(struct pawl_lost_runs *lost, const struct pawl_runtable *table);
/* Clears the slots that no task needs: nothing of them is to become durable. Chains the others. */
void
pawl_lost_runs_sort_out(const struct pawl_lost_runs *lost, struct pawl_runtable *table);
void
pawl_lost_runs_free(struct pawl_lost_runs *lost);

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
