/* def.c: what a task is. Pure but for the count. */
#include "def.h"

#include "action.h"
#include "count.h"

#include <stdlib.h>
#include <string.h>

static const struct pawl_due none = {PAWL_NO_TIME, false};

/* The first span that a schedule names; 0: there is none. */
static int64_t
span_of(const struct pawl_when *when)
{
    for (size_t i = 0; i < when->ntriggers; i++) {
        if (when->triggers[i].kind == PAWL_BY_SPAN)
            return when->triggers[i].time_ns;
    }
    return 0;
}

static void
terms_free(struct pawl_terms *terms)
{
    if (!terms)
        return;
    free(terms->schedule);
    free(terms->tags);
    free(terms->action);
    free(terms->policy);
    free(terms);
}

/* NULL: out of memory. Owns: takes schedule, also on failure. */
static struct pawl_terms *
terms_new(const struct pawl_spec *spec, struct pawl_schedule *schedule)
{
    struct pawl_terms *terms = calloc(1, sizeof *terms);
    size_t action_bytes = pawl_action_bytes(spec->action);

    if (!terms) {
        free(schedule);
        return NULL;
    }
    terms->schedule = schedule;
    if (spec->ntags > 0)
        terms->tags = pawl_tags_new(spec->tags, spec->ntags);
    if (action_bytes > 0)
        terms->action = pawl_action_copy(spec->action, action_bytes);
    if (spec->policy && (terms->policy = malloc(sizeof *terms->policy)))
        *terms->policy = *spec->policy;
    terms->bytes = action_bytes + pawl_tags_bytes(spec->tags, spec->ntags);
    if ((spec->ntags == 0 || terms->tags) && (action_bytes == 0 || terms->action) &&
        (!spec->policy || terms->policy))
        return terms;
    terms_free(terms);
    return NULL;
}

size_t
pawl_def_bytes_of(const struct pawl_spec *spec)
{
    return spec->script_len + pawl_action_bytes(spec->action) +
           pawl_tags_bytes(spec->tags, spec->ntags);
}

struct pawl_def *
pawl_def_new(const struct pawl_spec *spec, int keep_results, struct pawl_schedule *schedule)
{
    struct pawl_def *def = malloc(offsetof(struct pawl_def, script) + spec->script_len + 1);
    bool has_terms = schedule || spec->policy || spec->ntags > 0 ||
                     pawl_action_bytes(spec->action) > 0;
    struct pawl_terms *terms = has_terms ? terms_new(spec, schedule) : NULL;

    if (!def || (has_terms && !terms)) {
        free(def);
        terms_free(terms);
        return NULL;
    }
    atomic_init(&def->refs, 1);
    def->time_ns = schedule ? span_of(&schedule->when) : spec->time_ns;
    def->terms = terms;
    def->type = spec->type;
    def->keep_results = (uint16_t) (spec->keep_results >= 0 ? spec->keep_results : keep_results);
    def->script_len = (uint32_t) spec->script_len;
    if (spec->script_len > 0)           /* else there may be none */
        memcpy(def->script, spec->script, spec->script_len);
    def->script[spec->script_len] = '\0';
    return def;
}

void
pawl_def_unref(struct pawl_def *def)
{
    if (!def || !pawl_count_down(&def->refs))
        return;
    terms_free(def->terms);
    free(def);
}

struct pawl_due
pawl_def_first(const struct pawl_def *def, const struct pawl_now *now)
{
    if (pawl_def_schedule(def))
        return pawl_schedule_first(pawl_def_schedule(def), now);
    return (struct pawl_due) {pawl_schedule_after(now->elapsed_ns, def->time_ns), false};
}

struct pawl_due
pawl_def_next(const struct pawl_def *def, struct pawl_due due, const struct pawl_now *now,
              bool is_end)
{
    if (pawl_def_schedule(def))
        return pawl_schedule_next(pawl_def_schedule(def), due, now, is_end);
    if (def->type == PAWL_DELAY)
        return none;
    return (struct pawl_due) {pawl_schedule_after(due.ns, def->time_ns), false};
}

struct pawl_due
pawl_def_after_run(const struct pawl_def *def, struct pawl_due due, const struct pawl_now *now)
{
    const struct pawl_schedule *schedule = pawl_def_schedule(def);

    if (!schedule || !schedule->when.from_completion)
        return due;
    if (pawl_due_is_set(due) && pawl_due_elapsed(due, now->wall_ns - now->elapsed_ns) <= now->elapsed_ns)
        return due;                             /* it waits: to be run, or for its jitter */
    return pawl_schedule_next(schedule, none, now, true);
}

int64_t
pawl_def_fires_ns(const struct pawl_def *def, struct pawl_due due, int64_t offset_ns)
{
    if (!pawl_def_schedule(def) || !pawl_due_is_set(due))
        return due.ns;
    return pawl_schedule_after(pawl_due_elapsed(due, offset_ns),
                               pawl_schedule_jitter(pawl_def_schedule(def), due));
}

bool
pawl_def_has_come(const struct pawl_def *def, struct pawl_due due, const struct pawl_now *now)
{
    return pawl_due_is_set(due) &&
           pawl_def_fires_ns(def, due, now->wall_ns - now->elapsed_ns) <= now->elapsed_ns;
}

uint64_t
pawl_def_count(const struct pawl_def *def, struct pawl_due due, const struct pawl_now *now)
{
    return pawl_def_has_come(def, due, now) ? pawl_def_newest(def, &due, now) + 1 : 0;
}

uint64_t
pawl_def_newest(const struct pawl_def *def, struct pawl_due *due, const struct pawl_now *now)
{
    int64_t next_ns = due->ns;
    uint64_t passed;

    if (pawl_def_schedule(def))
        return pawl_schedule_newest(pawl_def_schedule(def), due, now);
    if (def->type == PAWL_DELAY || !pawl_due_is_set(*due))
        return 0;
    passed = pawl_schedule_skip(&next_ns, def->time_ns, now->elapsed_ns);
    if (passed < 2)
        return 0;
    due->ns += (int64_t) (passed - 1) * def->time_ns;
    return passed - 1;
}

uint64_t
pawl_def_pass(const struct pawl_def *def, struct pawl_due *due, const struct pawl_now *now)
{
    uint64_t passed = 0;

    if (!pawl_def_schedule(def))
        return def->type == PAWL_DELAY || !pawl_due_is_set(*due)
            ? 0 : pawl_schedule_skip(&due->ns, def->time_ns, now->elapsed_ns);
    while (pawl_def_has_come(def, *due, now)) {
        passed += pawl_def_newest(def, due, now) + 1;
        *due = pawl_def_next(def, *due, now, false);
    }
    return passed;
}

/* How many due times after the first are to be fired by a moment that lies so much before now. */
static uint64_t
count_by(const struct pawl_def *def, struct pawl_due due, const struct pawl_now *now, int64_t ago_ns)
{
    struct pawl_now then = *now;

    then.elapsed_ns -= ago_ns;
    then.wall_ns -= ago_ns;
    return pawl_def_newest(def, &due, &then);
}

uint64_t
pawl_def_keep(const struct pawl_def *def, struct pawl_due *due, const struct pawl_now *now,
              uint32_t keep)
{
    int64_t offset_ns = now->wall_ns - now->elapsed_ns;
    int64_t low = 0, high;
    struct pawl_now then = *now;
    uint64_t total, drop;

    if (!pawl_due_is_set(*due))
        return 0;
    high = now->elapsed_ns - pawl_def_fires_ns(def, *due, offset_ns);
    if (high < 0)
        return 0;
    if (keep == 1)
        return pawl_def_newest(def, due, now);
    total = count_by(def, *due, now, 0) + 1;
    if (total <= keep)
        return 0;
    drop = total - keep;
    while (low < high) {        /* the longest time ago at which so many were passed over */
        int64_t middle = low + (high - low) / 2 + (high - low) % 2;

        if (count_by(def, *due, now, middle) >= drop)
            low = middle;
        else
            high = middle - 1;
    }
    then.elapsed_ns -= low;
    then.wall_ns -= low;
    return pawl_def_newest(def, due, &then);
}

bool
pawl_def_follows_wall(const struct pawl_def *def)
{
    return pawl_def_schedule(def) && pawl_def_schedule(def)->has_wall;
}
