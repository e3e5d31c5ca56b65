/* restore.c: one task comes back from a store. Runs on the loaders. */
#include "restore.h"

#include "committer.h"
#include "err.h"
#include "lost.h"
#include "policy.h"
#include "shared.h"
#include "state.h"
#include "ticker.h"
#include "wall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_EACH 256          /* tasks that one reading of the clock serves */
#define FAILURES_MAX ((UINT64_C(1) << 40) - 1)
#define ASKED_MAX ((UINT64_C(1) << 24) - 1)
#define GONE_MAX 1000           /* tasks removed in one group */

/* --- One task --- */

struct pawl_due
pawl_restorer_due(const struct pawl_restorer *restorer, struct pawl_due due)
{
    if (!due.is_wall && pawl_due_is_set(due))
        due.ns -= restorer->engine->scale.anchor_ns;
    return due;
}

struct pawl_now
pawl_restorer_now(const struct pawl_restorer *restorer)
{
    const struct pawl *engine = restorer->engine;

    return (struct pawl_now) {
        restorer->elapsed_ns, restorer->wall_ns,
        atomic_load_explicit(&engine->wall_high_ns, memory_order_acquire), INT64_MIN,
    };
}

/* Keeps a copy of a result; without its output once memory is used up. NULL: out of memory. */
static struct pawl_result_box *
keep_result(struct pawl_restorer *restorer, const struct pawl_result *result)
{
    int64_t budget = (int64_t) (restorer->engine->options.max_memory_bytes / 8 * 7 / PAWL_LOADERS_MAX);
    bool is_bare = restorer->memory > budget && result->out_len + result->err_len > 0;
    struct pawl_result_box *box = is_bare ? pawl_result_box_bare(result)
                                          : pawl_result_box_new(result);

    if (box)
        atomic_store_explicit(&box->is_stored, true, memory_order_relaxed);
    return box;
}

static int
by_end(const void *a, const void *b)
{
    const struct pawl_result *left = *(const struct pawl_result *const *) a;
    const struct pawl_result *right = *(const struct pawl_result *const *) b;

    if (left->ended_ns != right->ended_ns)
        return left->ended_ns < right->ended_ns ? -1 : 1;
    return left->run < right->run ? -1 : left->run > right->run;
}

/* Runs that overlap end in another order than that of the store. NULL: out of memory. */
static const struct pawl_result **
sort_by_end(const struct pawl_result *results, size_t n)
{
    const struct pawl_result **sorted = calloc(n, sizeof *sorted);

    for (size_t i = 0; sorted && i < n; i++)
        sorted[i] = &results[i];
    if (sorted)
        qsort(sorted, n, sizeof *sorted, by_end);
    return sorted;
}

static int
restore_results(struct pawl_restorer *restorer, struct pawl_snapshot *first,
                const struct pawl_result *results, size_t n)
{
    size_t keep = first->def->keep_results, from = n > keep ? n - keep : 0;
    const struct pawl_result **sorted = NULL;
    int code = PAWL_OK;

    if (n == from)
        return PAWL_OK;
    if (pawl_def_overlaps(first->def) && !(sorted = sort_by_end(results, n)))
        return PAWL_ENOMEM;
    first->results = pawl_results_new((uint32_t) (n - from));
    if (!first->results)
        code = PAWL_ENOMEM;
    for (size_t i = from; code == PAWL_OK && i < n; i++) {
        struct pawl_result_box *box = keep_result(restorer, sorted ? sorted[i] : &results[i]);

        if (box) {
            pawl_results_add(first->results, &box->result);
            pawl_result_unref(&box->result);
        } else {
            code = PAWL_ENOMEM;
        }
    }
    free(sorted);
    return code;
}

static bool
has_tally(const struct pawl_record *record)
{
    return record->skipped_condition > 0 || record->skipped_group > 0 || record->missed_paused > 0;
}

/* Makes room for a tally, if there is none. */
static int
make_room(const struct pawl_record *record, struct pawl_snapshot **first)
{
    struct pawl_snapshot *wide = *first;

    if (has_tally(record) && !wide->has_wait)
        wide = pawl_snapshot_widen(*first);
    if (!wide)
        return PAWL_ENOMEM;
    *first = wide;
    return PAWL_OK;
}

/* What only some tasks remembered. */
static void
restore_wait(const struct pawl_restorer *restorer, const struct pawl_record *record,
             struct pawl_snapshot *first)
{
    struct pawl_due retried = {record->retried_ns, record->is_retried_wall};

    if (has_tally(record))
        pawl_snapshot_make_wait(first)->tally = (struct pawl_tally) {
            record->skipped_condition, record->skipped_group, record->missed_paused,
        };
    if (!pawl_def_policy(first->def))
        return;
    *pawl_wait_of(first) = (struct pawl_wait) {
        .tally = pawl_wait_of(first)->tally,
        .attempt = record->attempt & 0xFFFF, .is_retry = record->is_retry,
        .is_retried_wall = record->is_retried_wall,
    };
    if (!record->is_retry)
        return;
    pawl_wait_of(first)->not_before_ns = record->not_before_ns - restorer->engine->scale.anchor_ns;
    pawl_wait_of(first)->retried_ns = pawl_restorer_due(restorer, retried).ns;
}

/* The state of a record, on this engine's clock. */
static void
restore_state(const struct pawl_restorer *restorer, const struct pawl_record *record,
              struct pawl_snapshot *first)
{
    first->version = record->version;
    first->status = record->status;
    first->updated_ns = record->updated_ns;
    first->previous_ns = record->previous_ns;
    first->run_count = record->run_count;
    first->failure_count = record->failure_count & FAILURES_MAX;
    first->asked_count = record->asked_count & ASKED_MAX;
    first->is_paused = record->is_paused;
    first->is_asked = record->is_asked;
    first->skipped_overlap = record->skipped_overlap;
    first->missed = record->missed;
    first->end_reason = record->end_reason & 7;
    first->running = record->running & 0xFFFFF;
    pawl_snapshot_set_due(first, pawl_restorer_due(restorer, (struct pawl_due) {record->due_ns,
                                                                      record->is_due_wall}));
    restore_wait(restorer, record, first);
}

/* Whether a start of the daemon at this moment is a due time. */
static bool
is_reboot_due(const struct pawl_schedule *schedule, const struct pawl_now *now)
{
    const struct pawl_when *when = &schedule->when;

    return schedule->has_reboot &&
           (when->start_ns == PAWL_NO_TIME || now->wall_ns >= when->start_ns) &&
           (when->end_ns == PAWL_NO_TIME || now->wall_ns <= when->end_ns);
}

/* The due time of a clock that was set back since the store noted the time. */
static struct pawl_due
follow_back(const struct pawl_restorer *restorer, const struct pawl_schedule *schedule,
            struct pawl_due due, const struct pawl_now *now)
{
    int64_t behind_ns = restorer->engine->behind_ns;
    struct pawl_due moved = due;

    if (schedule && behind_ns > 0)
        moved = pawl_schedule_retime(schedule, due, now, now->wall_ns + behind_ns, false);
    return moved.ns == PAWL_NO_TIME ? due : moved;
}

/* The store knows the time as of some moment, and after an orderly end in an hour that the clock repeats,
 * as of that hour. When the newest run of the task began the clock had come at least so far. */
static void
raise_high_mark(const struct pawl_restorer *restorer, const struct pawl_snapshot *first)
{
    struct pawl *engine = restorer->engine;
    int64_t mark_ns = pawl_wall_high(first->previous_ns, restorer->wall_ns, restorer->wall_ns);
    int64_t high_ns = atomic_load_explicit(&engine->wall_high_ns, memory_order_acquire);

    while (mark_ns > restorer->wall_ns && mark_ns > high_ns &&
           !atomic_compare_exchange_weak_explicit(&engine->wall_high_ns, &high_ns, mark_ns,
                                                  memory_order_release, memory_order_acquire))
        ;
}

/* Due times that passed meanwhile: the newest one is run, the others were missed. A clock that was
 * set back is followed, and a start of the daemon is a due time of those that ask for it. False:
 * nothing of it was the case. */
static bool
catch_up(struct pawl_restorer *restorer, struct pawl_snapshot *first)
{
    const struct pawl_schedule *schedule = pawl_def_schedule(first->def);
    struct pawl_due due = pawl_snapshot_due(first), before = due;
    struct pawl_now now;
    uint64_t missed;
    uint32_t nmissed;

    raise_high_mark(restorer, first);
    now = pawl_restorer_now(restorer);
    if (first->status == PAWL_STOPPED || first->is_paused)
        return false;
    if (schedule && due.ns == INT64_MAX && !schedule->has_reboot)      /* it was not known */
        due = pawl_schedule_next(schedule, (struct pawl_due) {PAWL_NO_TIME, false}, &now, false);
    due = follow_back(restorer, schedule, due, &now);
    missed = pawl_policy_make_up(first->def, &due, &now, true, &nmissed);
    if (schedule && is_reboot_due(schedule, &now)) {
        missed += pawl_def_count(first->def, due, &now);
        nmissed = 0;
        due = (struct pawl_due) {now.elapsed_ns, false};
    }
    first->missed += missed;
    restorer->nmissed += missed;
    pawl_snapshot_set_due(first, due);
    if (pawl_def_policy(first->def)) {
        pawl_wait_of(first)->has_backlog = nmissed > 0;
        pawl_wait_of(first)->nmissed = nmissed;
    }
    if (due.ns == PAWL_NO_TIME && before.ns != PAWL_NO_TIME &&     /* missed, and the last one */
        !pawl_snapshot_is_busy(first)) {
        first->status = PAWL_EXECUTED;
        first->end_reason = pawl_snapshot_end_reason(first, &now, PAWL_END_MISSED) & 7;
        if (!first->is_asked)
            first->due_ns = pawl_task_expiry(now.elapsed_ns, restorer->engine->options.keep_finished_ns);
        first->version++;
        first->updated_ns = now.wall_ns;
    }
    return due.ns != before.ns || due.is_wall != before.is_wall;
}

/* The task is over: since when, and why, which stores up to format 4 did not tell. */
static void
restore_end(const struct pawl_restorer *restorer, struct pawl_snapshot *first)
{
    struct pawl_now now = pawl_restorer_now(restorer);

    first->due_ns = pawl_task_expiry(first->updated_ns - now.wall_ns + now.elapsed_ns,
                                     restorer->engine->options.keep_finished_ns);
    if (first->status == PAWL_EXECUTED && first->end_reason == PAWL_END_NONE)
        first->end_reason = pawl_snapshot_end_reason(
            first, &now, first->run_count > 0 ? PAWL_END_DONE : PAWL_END_MISSED) & 7;
}

/* Notes a task to be removed from the store. */
static int
add_gone(struct pawl_restorer *restorer, uint64_t seq)
{
    if (restorer->ngone == restorer->gone_cap) {
        size_t cap = restorer->gone_cap ? restorer->gone_cap * 2 : 64;
        struct pawl_write *gone = realloc(restorer->gone, cap * sizeof *gone);

        if (!gone)
            return PAWL_ENOMEM;
        restorer->gone = gone;
        restorer->gone_cap = cap;
    }
    restorer->gone[restorer->ngone++] =
        (struct pawl_write) {.kind = PAWL_WRITE_GONE, .record.seq = seq};
    return PAWL_OK;
}

/* Places the task in index and order, publishes and arms it. */
static int
place(struct pawl_restorer *restorer, struct pawl_handle *handle, struct pawl_task *task,
      struct pawl_snapshot *first, struct pawl_err *err)
{
    struct pawl *engine = restorer->engine;
    int64_t output = first->results ? (int64_t) first->results->bytes : 0;
    int64_t fires_ns = pawl_snapshot_fires_ns(first, restorer->wall_ns - restorer->elapsed_ns);
    int code = pawl_index_put(engine->index, handle->epoch, &task->key, pawl_task_is_live);

    if (code == PAWL_EEXIST)
        return pawl_err_set(err, PAWL_EDAMAGED, NULL,
                            "the store has two tasks with the id '%.*s' (seq %llu is the second): "
                            "remove one with sqlite3, or put a backup in its place",
                            task->key.len < 100 ? (int) task->key.len : 100, task->key.bytes,
                            (unsigned long long) task->seq);
    if (code == PAWL_OK) {
        code = pawl_order_restore(engine->order, handle->epoch, task->seq, task);
        if (code != PAWL_OK)
            pawl_index_remove(engine->index, handle->epoch, &task->key);
    }
    if (code != PAWL_OK)
        return pawl_err_set(err, code, NULL, "out of memory while the store is loaded");
    restorer->ntasks++;
    restorer->npending += pawl_snapshot_is_pending(first);
    restorer->memory += (int64_t) pawl_def_bytes(first->def) + output;
    restorer->output += output;
    pawl_task_publish(task, handle->epoch, first);
    if (fires_ns != PAWL_NO_TIME)
        pawl_ticker_arm(engine->ticker, task, fires_ns);
    return PAWL_OK;
}

static int
restore_schedule(struct pawl *engine, const struct pawl_record *record,
                 const struct pawl_now *now, struct pawl_schedule **out_schedule,
                 struct pawl_err *err)
{
    struct pawl_schedule_basis basis = {
        .id = record->id, .id_len = record->id_len, .type = record->type,
        .created_ns = record->since_ns, .origin_ns = record->origin_ns - engine->scale.anchor_ns,
        .offset_ns = now->wall_ns - now->elapsed_ns, .is_stored = true,
    };
    struct pawl_err said;
    int code = pawl_schedule_new(record->when, &basis, out_schedule, &said);

    if (code != PAWL_OK)
        return pawl_err_set(err, code, NULL, "out of memory while the store is loaded");
    if ((*out_schedule)->is_unknown)
        pawl_engine_log(engine, PAWL_LOG_ERROR,
                        "the task '%.*s' does not fire by one of its triggers: %s; it is kept: put that "
                        "right and restart pawld", record->id_len < 80 ? (int) record->id_len : 80,
                        record->id, said.text);
    return PAWL_OK;
}

int
pawl_restore(struct pawl_restorer *restorer, struct pawl_handle *handle,
             const struct pawl_record *record, const struct pawl_result *results, size_t nresults,
             struct pawl_err *err)
{
    struct pawl *engine = restorer->engine;
    struct pawl_spec spec = {
        .id = record->id, .id_len = record->id_len, .type = record->type,
        .time_ns = record->time_ns, .script = record->script, .script_len = record->script_len,
        .keep_results = record->keep_results, .when = record->when, .action = record->action,
        .tags = record->tags, .ntags = record->ntags, .policy = record->policy,
    };
    struct pawl_schedule *schedule = NULL;
    struct pawl_snapshot *first;
    struct pawl_task *task;
    struct pawl_now now;
    bool was_lost, has_missed = false;
    int code;

    if (restorer->nseen++ % CLOCK_EACH == 0) {
        now = pawl_now(engine);
        restorer->elapsed_ns = now.elapsed_ns;
        restorer->wall_ns = now.wall_ns;
        if (engine->options.is_cancelled && engine->options.is_cancelled(engine->options.ctx))
            return pawl_err_set(err, PAWL_ECLOSED, NULL, "told to stop while loading");
    }
    now = pawl_restorer_now(restorer);
    code = record->when ? restore_schedule(engine, record, &now, &schedule, err) : PAWL_OK;
    if (code != PAWL_OK)
        return code;
    task = pawl_task_new(engine->index, &spec, record->keep_results, schedule, &now, &first);
    if (!task)
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory while the store is loaded");
    task->seq = record->seq;
    task->created_ns = record->created_ns;
    code = make_room(record, &first);
    if (code == PAWL_OK) {
        restore_state(restorer, record, first);
        code = restore_results(restorer, first, results, nresults);
    }
    was_lost = pawl_lost_resolve(restorer, record, results, nresults, first);
    if (pawl_snapshot_is_over(first))
        restore_end(restorer, first);
    else
        has_missed = catch_up(restorer, first);
    if (code == PAWL_OK && restorer->can_remove && pawl_snapshot_is_over(first) && first->due_ns != PAWL_NO_TIME &&
        first->due_ns <= restorer->elapsed_ns && !was_lost) {
        code = add_gone(restorer, task->seq);
        pawl_task_mark_gone(task, handle->epoch, first);
        pawl_task_unref(task);
        return code;
    }
    if (code != PAWL_OK)
        pawl_err_set(err, code, NULL, "out of memory while the store is loaded");
    else
        code = place(restorer, handle, task, first, err);
    if (code == PAWL_OK && (was_lost || has_missed))    /* what is shown from the start is durable */
        pawl_committer_mark(engine->committer, task);
    if (code != PAWL_OK) {
        pawl_task_mark_gone(task, handle->epoch, first);
        pawl_task_unref_later(task, handle->epoch);
    }
    return code;
}

/* --- One loader's sum --- */

void
pawl_restorer_init(struct pawl_restorer *restorer, struct pawl *engine,
                   const struct pawl_lost_runs *lost, bool can_remove)
{
    *restorer = (struct pawl_restorer) {.engine = engine, .lost = lost, .can_remove = can_remove};
}

int
pawl_restorer_end(struct pawl_restorer *restorer, struct pawl_err *err)
{
    struct pawl *engine = restorer->engine;
    struct pawl_store_health health;
    int code = PAWL_OK;

    pawl_count(&engine->tasks, restorer->ntasks);
    pawl_count(&engine->pending, restorer->npending);
    pawl_count(&engine->memory, restorer->memory);
    pawl_count(&engine->output, restorer->output);
    for (size_t i = 0; i < restorer->ngone && code == PAWL_OK; i += GONE_MAX) {
        struct pawl_group group = {
            .writes = restorer->gone + i, .may_use_reserve = true,
            .nwrites = restorer->ngone - i < GONE_MAX ? restorer->ngone - i : GONE_MAX,
        };

        code = engine->store->commit(engine->store, &group);
    }
    if (code == PAWL_OK)
        return code;
    engine->store->health(engine->store, &health);
    return pawl_err_set(err, code, NULL, "%s",
                        health.problem[0] ? health.problem : "the store cannot be written");
}

void
pawl_restorer_fini(struct pawl_restorer *restorer)
{
    free(restorer->gone);
}
