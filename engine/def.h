/* def.h: what a task is, and when it fires by that: the definition. Immutable and counted: the
 * snapshots and views of a task share it. Any thread may ask it. */
#ifndef PAWL_DEF_H
#define PAWL_DEF_H

#include "schedule.h"
#include "tags.h"

#include <pawl.h>
#include <stdatomic.h>
#include <string.h>

/* What most tasks do without. */
struct pawl_terms {
    struct pawl_schedule *schedule;     /* NULL: time_ns says when */
    struct pawl_action *action;         /* NULL: bash, without limits; one block */
    struct pawl_policy *policy;         /* NULL: the defaults */
    struct pawl_tags *tags;             /* NULL: none */
    size_t bytes;                       /* that action and tags take, as pawl_def_bytes_of() counts */
};

struct pawl_def {
    int64_t time_ns;                    /* the delay, or the interval; of a schedule the first, or 0 */
    struct pawl_terms *terms;           /* NULL: all NULL */
    _Atomic uint32_t refs;
    uint32_t script_len : 24, type : 8;
    uint16_t keep_results;
    char script[];                      /* and a NUL, for exec */
};

static inline const struct pawl_schedule *
pawl_def_schedule(const struct pawl_def *def)
{
    return def->terms ? def->terms->schedule : NULL;
}

static inline const struct pawl_action *
pawl_def_action(const struct pawl_def *def)
{
    return def->terms ? def->terms->action : NULL;
}

static inline const struct pawl_policy *
pawl_def_policy(const struct pawl_def *def)
{
    return def->terms ? def->terms->policy : NULL;
}

/* Whether several of its runs may be in progress at once. */
static inline bool
pawl_def_overlaps(const struct pawl_def *def)
{
    const struct pawl_policy *policy = pawl_def_policy(def);

    return policy && policy->overlap == PAWL_OVERLAP_ALLOW;
}

/* The name of its group; NULL: none. */
static inline const char *
pawl_def_group(const struct pawl_def *def)
{
    const struct pawl_policy *policy = pawl_def_policy(def);

    return policy && policy->group[0] != '\0' ? policy->group : NULL;
}

static inline bool
pawl_def_same_group(const struct pawl_def *a, const struct pawl_def *b)
{
    const char *left = pawl_def_group(a), *right = pawl_def_group(b);

    return left && right ? strcmp(left, right) == 0 : left == right;
}

static inline const struct pawl_tags *
pawl_def_tags(const struct pawl_def *def)
{
    return def->terms ? def->terms->tags : NULL;
}

/* What a definition takes of the memory that tasks may take: its texts; and one made of spec would. */
static inline size_t
pawl_def_bytes(const struct pawl_def *def)
{
    return def->script_len + (def->terms ? def->terms->bytes : 0);
}

size_t
pawl_def_bytes_of(const struct pawl_spec *spec);

/* Makes a definition with one reference. Owns: takes schedule, also on failure; gives.
 * NULL: out of memory. */
struct pawl_def *
pawl_def_new(const struct pawl_spec *spec, int keep_results, struct pawl_schedule *schedule);
/* NULL is accepted. */
void
pawl_def_unref(struct pawl_def *def);

/* The first due time of a new task; none: it never fires. */
struct pawl_due
pawl_def_first(const struct pawl_def *def, const struct pawl_now *now);

/* The due time after one that came; is_end: after the end of its run. None: that was the last. */
struct pawl_due
pawl_def_next(const struct pawl_def *def, struct pawl_due due, const struct pawl_now *now,
              bool is_end);

/* The due time after the end of a run, before which it was due: the same, but where spans are counted
 * from the end of a run. */
struct pawl_due
pawl_def_after_run(const struct pawl_def *def, struct pawl_due due, const struct pawl_now *now);

/* When a due time is to be fired, on elapsed time: later than it by the jitter. None and never
 * stay as they are. */
int64_t
pawl_def_fires_ns(const struct pawl_def *def, struct pawl_due due, int64_t offset_ns);

/* Whether a due time is to be fired by now. */
bool
pawl_def_has_come(const struct pawl_def *def, struct pawl_due due, const struct pawl_now *now);

/* How many due times from due on are to be fired by now. */
uint64_t
pawl_def_count(const struct pawl_def *def, struct pawl_due due, const struct pawl_now *now);

/* Moves *due on to the newest due time that is to be fired by now; gives how many it passed over. */
uint64_t
pawl_def_newest(const struct pawl_def *def, struct pawl_due *due, const struct pawl_now *now);

/* Moves *due on to the first due time that is to be fired after now; gives how many it passed over:
 * 0 when it is that already. */
uint64_t
pawl_def_pass(const struct pawl_def *def, struct pawl_due *due, const struct pawl_now *now);

/* Moves *due on, so that of the due times that are to be fired by now only the newest `keep` are
 * left from it on; gives how many it passed over. keep > 0. */
uint64_t
pawl_def_keep(const struct pawl_def *def, struct pawl_due *due, const struct pawl_now *now,
              uint32_t keep);

/* Whether the wall clock, when it is set, can move a due time. */
bool
pawl_def_follows_wall(const struct pawl_def *def);

#endif
