/* lost.h: runs that the end of the last daemon cut: what the table of runs and a task's record tell of
 * them. */
#ifndef PAWL_LOST_H
#define PAWL_LOST_H

#include "restore.h"
#include "runtable.h"
#include "task.h"

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
    bool overlaps;                      /* others of the task may have run beside it */
    bool has_ended;                     /* it had ended, as far as is known */
    bool is_written;                    /* its end was in a state that was written, or was about to be */
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

/* Brings the state of a task, which is as its record says, to the end of all runs that have none in
 * what was stored: they are lost. results: all that were stored, by run and attempt. False: there is
 * none. Threads: the loader's. */
bool
pawl_lost_resolve(struct pawl_restorer *restorer, const struct pawl_record *record,
                  const struct pawl_result *results, size_t nresults, struct pawl_snapshot *first);

/* --- Between lost.c and lost_overlap.c --- */

/* The slot's run is a new one: the schedule goes on behind it. */
void
pawl_lost_begin(const struct pawl_restorer *restorer, struct pawl_snapshot *first,
                const struct pawl_lost_run *run);
/* Adds the result of a lost run, of which its number, attempt and times are given; without memory for it
 * the count alone stays. */
void
pawl_lost_add(struct pawl_restorer *restorer, struct pawl_snapshot *first,
              const struct pawl_result *known, const char *why);
/* What comes after the run that is lost. */
void
pawl_lost_end(const struct pawl_restorer *restorer, struct pawl_snapshot *first);
/* The same as pawl_lost_resolve() for runs that overlap, and so do not end in their order; runs: what
 * the table tells. */
bool
pawl_lost_resolve_overlapping(struct pawl_restorer *restorer, const struct pawl_result *results,
                              size_t nresults, struct pawl_lost_run *runs, size_t nruns,
                              struct pawl_snapshot *first);

#endif
