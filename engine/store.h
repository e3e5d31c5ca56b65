/* store.h: what makes changes durable. Memory decides what is unique and what is due; a store only
 * remembers. Behind this interface stands an embedded database (store_sqlite.c); a networked one
 * would fit as well. An engine without a store is one in memory, and the same engine.
 *
 * Changes go in by groups: the committer (committer.c) collects what waits while one group is being
 * committed into the next. A group is durable whole or not at all; each write carries a key that
 * makes it idempotent, (seq, version) of its task and (seq, run) of a result, so that a group whose
 * end is unknown can be written again, and comes back with a code of its own:
 *
 *   PAWL_OK      done, now or by an earlier try
 *   PAWL_EEXIST  NEW: another task has this seq
 *   PAWL_ENOENT  STATE, EDIT, GONE: no task has this seq any more
 *   PAWL_EFULL   there is no room for it: nothing was written
 *   PAWL_ESTORE  unknown: it may be there or not; write it again
 *
 * Times. Wall times are as they are. A due time that follows the wall clock is one. Others are on the
 * store's own scale, which runs evenly over restarts and whatever happens to the wall clock; scale.c
 * says how it is found. */
#ifndef PAWL_STORE_H
#define PAWL_STORE_H

#include <pawl.h>

/* A task as stores know it. Strings are borrowed. */
struct pawl_record {
    uint64_t seq;                   /* the key: ascending, never used twice */
    /* What never changes. */
    const char *id;
    size_t id_len;
    enum pawl_type type;
    int64_t created_ns;             /* wall */
    /* What an edit changes. */
    int64_t time_ns;
    const char *script;             /* with a NUL behind it */
    size_t script_len;
    int keep_results;
    const struct pawl_action *action;   /* NULL: bash, without limits */
    const struct pawl_when *when;   /* NULL: after time_ns */
    const char *const *tags;
    size_t ntags;
    int64_t origin_ns;              /* with when: what spans are counted from, on the store's scale */
    int64_t since_ns;               /* with when: what calendar intervals are, wall */
    const struct pawl_policy *policy;   /* NULL: the defaults */
    /* What all else changes. */
    int64_t version;
    enum pawl_status status;
    int64_t updated_ns;             /* wall */
    int64_t due_ns;                 /* the store's scale; PAWL_NO_TIME: none; INT64_MAX: never */
    bool is_due_wall;               /* it is a wall time instead */
    int64_t previous_ns;            /* wall; PAWL_NO_TIME: none */
    uint64_t run_count, failure_count, skipped_overlap, missed;
    uint64_t skipped_condition, skipped_group, missed_paused;       /* see struct pawl_tally */
    enum pawl_end_reason end_reason;    /* of its newest end */
    uint64_t asked_count;           /* of run_count: runs that were asked for */
    bool is_paused;
    bool is_asked;                  /* a run was asked for, and has not begun */
    /* With policies: see struct pawl_wait. */
    unsigned attempt;
    bool is_retry, is_retried_wall, has_backlog, is_catching_up, must_replace;
    int64_t not_before_ns;          /* the store's scale; 0 without is_retry */
    int64_t retried_ns;             /* the store's scale, or wall; 0 without is_retry */
    unsigned running;               /* runs in progress: the newest ones of run_count */
};

enum pawl_write_kind {
    PAWL_WRITE_NEW,                 /* the whole record: a task that was submitted */
    PAWL_WRITE_STATE,               /* what changes of it but by an edit, and results that are new */
    PAWL_WRITE_EDIT,                /* all of the record that can change, and the same: together or not
                                     * at all, and nothing where a newer version is */
    PAWL_WRITE_GONE,                /* the task and all its results are removed; seq alone is set */
};

struct pawl_write {
    enum pawl_write_kind kind;
    int code;                       /* out */
    struct pawl_record record;
    const struct pawl_result *const *results;   /* STATE, EDIT: to be kept beside the others */
    size_t nresults;
    uint64_t drop_below;            /* STATE, EDIT: results of runs below this number are removed */
};

/* What a store remembers about time: see scale.c. */
struct pawl_scale {
    char boot[40];                  /* the boot's id; empty: a new store */
    int64_t anchor_ns;              /* elapsed time + this = the store's scale, in that boot */
    int64_t offset_ns;              /* elapsed time + this = wall time, when last noted */
    int64_t noted_ns;               /* that moment, wall */
    uint64_t newest_seq;            /* the newest number handed out, when last noted */
};

struct pawl_group {
    uint64_t ticket;                /* 1, 2, ...: the number of the group */
    struct pawl_write *writes;
    size_t nwrites;
    const struct pawl_scale *scale; /* to be remembered from now on; NULL: as it is */
    bool may_use_reserve;           /* when the disk is full: these writes must not fail for it */
};

/* Which tasks are loaded: those in both ranges, ends included. */
struct pawl_range {
    uint64_t seq_from, seq_to;
    int64_t due_from_ns, due_to_ns; /* INT64_MIN to INT64_MAX: all, those without one, too */
};

/* What is there, before it is loaded. */
struct pawl_inventory {
    uint64_t seq_min, seq_max;      /* 0, 0: no task */
    struct pawl_scale scale;
};

/* Takes one task and its results, oldest first; all borrowed. Anything but PAWL_OK ends loading. */
typedef int
pawl_load_cb(void *ctx, const struct pawl_record *record, const struct pawl_result *results,
             size_t nresults);

/* How a store does, for people. */
struct pawl_store_health {
    uint64_t bytes;                 /* on disk */
    uint64_t history_bytes;         /* of results: output and what is around it */
    char problem[232];              /* empty: none; else the last error and what to do */
};

struct pawl_store {
    const char *name;               /* for people: "sqlite" */
    bool is_sync;                   /* a commit survives loss of power, not only kill -9 */
    const char *dir;                /* where the store and the table of runs live; NULL: nowhere */

    /* --- At the start, before any commit --- */
    int (*inventory)(struct pawl_store *store, struct pawl_inventory *out, struct pawl_err *err);
    /* Calls visit for every task in the range, by ascending seq, on the calling thread.
     * Threads: any, several at once for ranges that do not overlap. */
    int (*load)(struct pawl_store *store, const struct pawl_range *range, pawl_load_cb *visit,
                void *ctx, struct pawl_err *err);

    /* Calls visit for each size of a group that is kept. */
    int (*sizes)(struct pawl_store *store,
                 int (*visit)(void *ctx, const char *group, uint32_t size), void *ctx,
                 struct pawl_err *err);

    /* --- Threads: the committer's. Blocks: until it is done --- */
    /* PAWL_OK: the group is durable, each write as its own code says. PAWL_EFULL, PAWL_ESTORE: none is
     * known to be, and each has this code. */
    int (*commit)(struct pawl_store *store, struct pawl_group *group);
    /* After PAWL_EFULL: whether there is room again, the reserve included. */
    bool (*has_room)(struct pawl_store *store);
    /* Removes results that ended before older_ns, and the oldest while results take more than
     * max_bytes; at most max_rows. PAWL_PENDING: there are more. *out_cutoff_ns grows to the end
     * of the newest one removed. */
    int (*prune)(struct pawl_store *store, int64_t older_ns, uint64_t max_bytes, unsigned max_rows,
                 int64_t *out_cutoff_ns);
    /* Reads one result, that of an attempt of a run, its output whole. Owns: gives; one block, freed by free().
     * Errors: PAWL_ENOENT, PAWL_ENOMEM, PAWL_ESTORE. */
    int (*read_result)(struct pawl_store *store, uint64_t seq, uint64_t run, int attempt,
                       struct pawl_result **out_result);
    /* Keeps the size of a group from now on; negative: none. Errors: PAWL_EFULL, PAWL_ESTORE. */
    int (*resize)(struct pawl_store *store, const char *group, int64_t size);
    /* Tidies up a little while nothing waits. True: there is more to do. */
    bool (*idle)(struct pawl_store *store);

    /* --- Threads: any --- */
    void (*health)(struct pawl_store *store, struct pawl_store_health *out);
    /* Writes a consistent copy to path, which must not exist. Blocks: long. */
    int (*backup)(struct pawl_store *store, const char *path, struct pawl_err *err);

    /* Threads: one, last. */
    void (*close)(struct pawl_store *store);
};

#endif
