/* lost_overlap.c: runs of a task that overlap and were cut.
 *
 * They end in any order, so the record says how many of those it knows were in progress, not which.
 * All that began after the record are lost: an end that is durable is in a record that knows the
 * start. Of those before it as many are lost as the record says; the table of runs names them, but may
 * name some, too, whose end was durable and whose slot was not cleared yet: these have a result, or came to
 * nothing by their condition.
 * Where the table names too few, after a loss of power, it is the newest runs without a result. */
#include "lost.h"

#include "shared.h"

#include <stdlib.h>

/* Results are by run and attempt. */
static bool
has_result(const struct pawl_result *results, size_t n, uint64_t run)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (results[middle].run < run)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && results[low].run == run;
}

/* Brings the state to the starts that came after the record. A slot of which the start was not to be
 * has a version that something else took, or a number that another slot has. */
static void
catch_up(const struct pawl_restorer *restorer, struct pawl_snapshot *first,
         struct pawl_lost_run *runs, size_t n)
{
    int64_t version = first->version;

    for (size_t i = 0; i < n; i++) {
        if (runs[i].run <= first->run_count || runs[i].version <= version)
            continue;
        runs[i].is_claimed = true;
        pawl_lost_begin(restorer, first, &runs[i]);
        if (runs[i].version > first->version)
            first->version = runs[i].version;
        first->previous_ns = runs[i].started_ns;
        first->is_asked &= !runs[i].is_asked;
        if (first->status != PAWL_STOPPED)
            first->status = PAWL_EXECUTING;
    }
}

/* How sure it is that a run without a result was in progress by the record, 0: it was, since it has not
 * ended yet. One that had come to nothing by its condition has no result, though it had ended. */
static int
doubt_of(const struct pawl_lost_run *run)
{
    return !run->has_ended ? 0 : !run->is_written ? 1 : 2;
}

/* Claims slots of runs that were in progress by the record, the surest first, and of those the newest; gives
 * how many. */
static uint64_t
claim_known(const struct pawl_result *results, size_t nresults, struct pawl_lost_run *runs, size_t n,
            uint64_t newest, uint64_t nrunning)
{
    uint64_t nclaimed = 0;

    for (int doubt = 0; doubt <= 2; doubt++) {
        for (size_t i = n; i-- > 0 && nclaimed < nrunning;) {
            if (runs[i].run > newest || doubt_of(&runs[i]) != doubt ||
                has_result(results, nresults, runs[i].run) ||
                (i + 1 < n && runs[i + 1].run == runs[i].run))
                continue;
            runs[i].is_claimed = true;
            nclaimed++;
        }
    }
    return nclaimed;
}

/* A run that is lost, and what the table tells of it, or NULL. */
struct cut {
    uint64_t number;
    const struct pawl_lost_run *run;
};

/* Which runs are lost, newest first, at most max: those that were claimed, all behind newest_known, and
 * of the others the newest nunnamed without a result. Gives how many. */
static size_t
list_cuts(const struct pawl_snapshot *first, const struct pawl_result *results, size_t nresults,
          const struct pawl_lost_run *runs, size_t nruns, uint64_t newest_known, uint64_t nunnamed,
          struct cut *cuts, size_t max)
{
    uint64_t number = first->run_count;
    size_t n = 0;

    while (n < max && number > 0) {
        const struct pawl_lost_run *run = NULL;

        while (nruns > 0 && (runs[nruns - 1].run > number || !runs[nruns - 1].is_claimed))
            nruns--;
        if (nruns > 0 && runs[nruns - 1].run == number)
            run = &runs[nruns - 1];
        if (!run && number <= newest_known && nunnamed == 0) {
            number = nruns > 0 ? runs[nruns - 1].run : 0;       /* only claimed ones are left */
            continue;
        }
        if (run || number > newest_known) {
            cuts[n++] = (struct cut) {number, run};
        } else if (!has_result(results, nresults, number)) {
            cuts[n++] = (struct cut) {number, NULL};
            nunnamed--;
        }
        number--;
    }
    return n;
}

static void
add_result(struct pawl_restorer *restorer, struct pawl_snapshot *first, const struct cut *cut,
           uint64_t newest_known)
{
    int64_t offset_ns = restorer->engine->scale.offset_ns;
    const struct pawl_lost_run *run = cut->run;

    pawl_lost_add(restorer, first, &(struct pawl_result) {
        .run = cut->number, .attempt = 1,
        .scheduled_ns = run ? pawl_due_wall(pawl_restorer_due(restorer, run->scheduled), offset_ns)
                            : PAWL_NO_TIME,
        .started_ns = run ? run->started_ns : PAWL_NO_TIME,
    }, run && !run->has_ended ? "the daemon ended while the script ran"
       : run || cut->number > newest_known
           ? "the daemon ended before the result of the run was stored"
           : "the daemon or its machine ended while the script ran");
}

bool
pawl_lost_resolve_overlapping(struct pawl_restorer *restorer, const struct pawl_result *results,
                              size_t nresults, struct pawl_lost_run *runs, size_t nruns,
                              struct pawl_snapshot *first)
{
    uint64_t newest_known = first->run_count, nknown = first->running, nclaimed, nlost;
    size_t keep = first->def->keep_results, ncuts;
    struct cut *cuts;

    nclaimed = claim_known(results, nresults, runs, nruns, newest_known, nknown);
    catch_up(restorer, first, runs, nruns);
    nlost = nknown + first->run_count - newest_known;
    if (nlost == 0)
        return false;
    keep = keep < nlost ? keep : nlost;
    cuts = calloc(keep + 1, sizeof *cuts);
    ncuts = cuts ? list_cuts(first, results, nresults, runs, nruns, newest_known, nknown - nclaimed,
                             cuts, keep) : 0;
    while (ncuts-- > 0)
        add_result(restorer, first, &cuts[ncuts], newest_known);
    free(cuts);
    for (size_t i = 0; i < nruns; i++) {        /* the newest one; the others are chained to it */
        if (runs[i].is_claimed)
            first->slot = runs[i].slot;
    }
    first->depth = first->slot != PAWL_SLOT_NONE;
    first->failure_count += nlost;
    restorer->nlost += nlost;
    first->running = 0;
    first->version++;
    first->updated_ns = restorer->wall_ns;
    if (first->status == PAWL_EXECUTING)
        pawl_lost_end(restorer, first);
    return true;
}
