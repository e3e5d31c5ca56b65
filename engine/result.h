/* result.h: results of runs in memory: each in a counted block of its own, and counted arrays of
 * them, which snapshots and views share. All immutable, but for one mark of the committer's. */
#ifndef PAWL_RESULT_H
#define PAWL_RESULT_H

#include <pawl.h>
#include <stdatomic.h>

struct pawl_result_box {
    _Atomic uint32_t refs;
    _Atomic bool is_stored;             /* A: relaxed: by the committer; a copy may have it too late,
                                         * and is written again, which changes nothing */
    struct pawl_result result;
    char bytes[];
};

/* The kept results of one snapshot. */
struct pawl_results {
    _Atomic uint32_t refs;
    uint32_t n;
    uint64_t bytes;                     /* of output, in all of them */
    const struct pawl_result *items[];  /* each inside a box; newest last */
};

/* Threads of all of these: any. Blocks: no. NULL: out of memory. */

/* A box with a copy of the result, its output and error text included; counted once. */
struct pawl_result_box *
pawl_result_box_new(const struct pawl_result *result);
/* The same without the output. */
struct pawl_result_box *
pawl_result_box_bare(const struct pawl_result *result);
/* The first for callers outside: one block, freed by free(). */
struct pawl_result *
pawl_result_copy(const struct pawl_result *result);
struct pawl_result_box *
pawl_result_box_of(const struct pawl_result *result);
/* NULL is accepted. */
void
pawl_result_unref(const struct pawl_result *result);

/* An empty array with room for n, counted once. */
struct pawl_results *
pawl_results_new(uint32_t n);
/* Adds a result and counts it. */
void
pawl_results_add(struct pawl_results *results, const struct pawl_result *result);
/* The newest keep of old (or NULL) and box. NULL with *failed as it was: none are kept. */
struct pawl_results *
pawl_results_append(const struct pawl_results *old, struct pawl_result_box *box, uint32_t keep,
                    bool *failed);
/* A copy of old in which output that ended at or before the cutoff is dropped. */
struct pawl_results *
pawl_results_trim(const struct pawl_results *old, int64_t cutoff_ns);
/* The newest n of old, which has more; NULL also for 0. */
struct pawl_results *
pawl_results_newest(const struct pawl_results *old, uint32_t n);
/* NULL is accepted. */
void
pawl_results_unref(struct pawl_results *results);

#endif
