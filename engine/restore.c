/* restore.c: one task comes back from a store. Runs on the loaders. */
#include "restore.h"

#include "committer.h"
#include "err.h"
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

/* --- Runs that were cut --- */

static int
by_task_run_and_attempt(const void *a, const void *b)
{
    const struct pawl_lost_run *left = a, *right = b;

    if (left->seq != right->seq)
        return left->seq < right->seq ? -1 : 1;
    if (left->run != right->run)
        return left->run < right->run ? -1 : 1;
    return left->attempt < right->attempt ? -1 : left->attempt > right->attempt;
}

int
pawl_lost_runs_read(struct pawl_lost_runs *lost, const struct pawl_runtable *table)
{
    size_t n = 0;

    for (uint32_t i = 0; i < table->nslots; i++)
        n += atomic_load_explicit(&table->slots[i].state, memory_order_relaxed) != 0;
    lost->runs = calloc(n + 1, sizeof *lost->runs);
    if (!lost->runs)
        return PAWL_ENOMEM;
    for (uint32_t i = 0; i < table->nslots; i++) {
        const struct pawl_slot *slot = &table->slots[i];

        if (atomic_load_explicit(&slot->state, memory_order_relaxed) == 0)
            continue;
        lost->runs[lost->n++] = (struct pawl_lost_run) {
            .seq = slot->seq, .run = slot->run, .version = slot->version,
            .scheduled = {slot->scheduled_ns, (slot->flags & PAWL_SLOT_WALL) != 0},
            .is_asked = (slot->flags & PAWL_SLOT_ASKED) != 0,
            .is_tree = (slot->flags & PAWL_SLOT_TREE) != 0,
            .attempt = slot->flags >> PAWL_SLOT_ATTEMPT,
            .started_ns = slot->started_ns,
            .started_elapsed_ns = slot->started_elapsed_ns, .slot = i,
            .pid = atomic_load_explicit(&slot->pid, memory_order_relaxed),
        };
    }
    qsort(lost->runs, lost->n, sizeof *lost->runs, by_task_run_and_attempt);
    return PAWL_OK;
}

void
pawl_lost_runs_sort_out(const struct pawl_lost_runs *lost, struct pawl_runtable *table)
{
    for (size_t i = 0; i < lost->n; i++) {
        const struct pawl_lost_run *run = &lost->runs[i];
        bool is_chained = i > 0 && run[-1].seq == run->seq && run[-1].is_claimed;

        table->slots[run->slot].previous = is_chained ? run[-1].slot + 1 : 0;
        if (!run->is_claimed)
            pawl_slot_clear(table, run->slot);
    }
}

void
pawl_lost_runs_free(struct pawl_lost_runs *lost)
{
    free(lost->runs);
}

/* The runs of the task that the table knows, oldest first: *out_n of them; all get to know its id. */
static struct pawl_lost_run *
find_lost(const struct pawl_lost_runs *lost, const struct pawl_record *record, size_t *out_n)
{
    size_t low = 0, high = lost->n, first;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (lost->runs[middle].seq < record->seq)
            low = middle + 1;
        else
            high = middle;
    }
    for (first = low; low < lost->n && lost->runs[low].seq == record->seq; low++) {
        lost->runs[low].id_len = (uint8_t) record->id_len;
        memcpy(lost->runs[low].id, record->id, record->id_len);
    }
    *out_n = low - first;
    return lost->runs + first;
}

/* --- One task --- */

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
restore_results(struct pawl_restorer *restorer, struct pawl_snapshot *first,
                const struct pawl_result *results, size_t n)
{
    size_t keep = first->def->keep_results, from = n > keep ? n - keep : 0;

    if (n == from)
        return PAWL_OK;
    first->results = pawl_results_new((uint32_t) (n - from));
    for (size_t i = from; first->results && i < n; i++) {
        struct pawl_result_box *box = keep_result(restorer, &results[i]);

        if (!box)
            return PAWL_ENOMEM;
        pawl_results_add(first->results, &box->result);
        pawl_result_unref(&box->result);
    }
    return first->results ? PAWL_OK : PAWL_ENOMEM;
}

/* A due time of the store's scale, on this engine's. */
static struct pawl_due
from_store(const struct pawl *engine, struct pawl_due due)
{
    if (!due.is_wall && pawl_due_is_set(due))
        due.ns -= engine->scale.anchor_ns;
    return due;
}

static bool
has_tally(const struct pawl_record *record)
{
    return record->skipped_condition > 0 || record->skipped_group > 0 || record->missed_paused > 0;
}

/* Makes room for a tally; tasks with policies have it. */
static int
make_room(const struct pawl_record *record, struct pawl_snapshot **first)
{
    struct pawl_snapshot *wide = *first;

    if (has_tally(record) && !record->policy)
        wide = pawl_snapshot_widen(*first);
    if (!wide)
        return PAWL_ENOMEM;
    *first = wide;
    return PAWL_OK;
}

/* What only some tasks remembered. */
static void
restore_wait(const struct pawl *engine, const struct pawl_record *record,
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
        .is_retried_wall = record->is_retried_wall, .has_backlog = record->has_backlog,
        .is_catching_up = record->is_catching_up, .must_replace = record->must_replace,
    };
    if (!record->is_retry)
        return;
    pawl_wait_of(first)->not_before_ns = record->not_before_ns - engine->scale.anchor_ns;
    pawl_wait_of(first)->retried_ns = from_store(engine, retried).ns;
}

static struct pawl_now
now_of(const struct pawl_restorer *restorer)
{
    const struct pawl *engine = restorer->engine;

    return (struct pawl_now) {
        restorer->elapsed_ns, restorer->wall_ns,
        atomic_load_explicit(&engine->wall_high_ns, memory_order_acquire), INT64_MIN,
    };
}

/* The state of a record, on this engine's clock. */
static void
restore_state(const struct pawl_restorer *restorer, const struct pawl_record *record,
              struct pawl_snapshot *first)
{
    const struct pawl *engine = restorer->engine;

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
    pawl_snapshot_set_due(first, from_store(engine, (struct pawl_due) {record->due_ns,
                                                                      record->is_due_wall}));
    restore_wait(engine, record, first);
}

/* Whether the slot tells more than the record: that run began after the last commit, or it is the
 * one that is in progress by the record. */
static bool
is_news(const struct pawl_lost_run *run, const struct pawl_snapshot *first)
{
    if (run->run > first->run_count ||
        (run->run == first->run_count && first->running == 0 && run->attempt > 1))
        return run->version > first->version;   /* else it was not to start after all */
    return run->run == first->run_count && first->running > 0;
}

/* The due times from the record's next one to that of the slot's run, of which nruns were run: the
 * others passed during a run. */
static uint64_t
count_skipped(const struct pawl_restorer *restorer, const struct pawl_snapshot *first,
              struct pawl_due scheduled, uint64_t nruns)
{
    int64_t offset_ns = restorer->engine->scale.offset_ns;
    int64_t fired_ns = pawl_def_fires_ns(first->def, scheduled, offset_ns);
    struct pawl_now then = {fired_ns, fired_ns + offset_ns, INT64_MIN, INT64_MIN};
    struct pawl_due next = pawl_snapshot_due(first);
    uint64_t passed = pawl_def_pass(first->def, &next, &then);

    return passed > nruns ? passed - nruns : 0;
}

/* The slot's run is a new one: the schedule goes on behind it. */
static void
begin_lost_run(const struct pawl_restorer *restorer, struct pawl_snapshot *first,
               const struct pawl_lost_run *run)
{
    struct pawl_due scheduled = from_store(restorer->engine, run->scheduled);
    struct pawl_now now = now_of(restorer);

    if (first->def->type == PAWL_CRON && !first->is_paused)
        first->skipped_overlap += count_skipped(restorer, first, scheduled,
                                                run->run - first->run_count);
    first->run_count = run->run;
    first->asked_count += run->is_asked;
    if (first->status == PAWL_STOPPED || pawl_snapshot_is_used_up(first) ||
        first->def->type == PAWL_DELAY)
        pawl_snapshot_set_due(first, (struct pawl_due) {PAWL_NO_TIME, false});
    else if (!run->is_asked)
        pawl_snapshot_set_due(first, pawl_def_next(first->def, scheduled, &now, false));
}

/* Brings the state to the start of the slot's run, which began after the last commit. */
static void
catch_up_with_slot(const struct pawl_restorer *restorer, struct pawl_snapshot *first,
                   const struct pawl_lost_run *run)
{
    if (run->run > first->run_count)
        begin_lost_run(restorer, first, run);   /* else another attempt of the newest run */
    if (first->has_wait)
        pawl_wait_reset(pawl_wait_of(first));
    if (pawl_def_policy(first->def))
        pawl_wait_of(first)->attempt = run->attempt & 0xFFFF;
    first->is_asked = false;
    first->version = run->version;
    first->previous_ns = run->started_ns;
    first->running = 1;
    if (first->status != PAWL_STOPPED)
        first->status = PAWL_EXECUTING;
}

/* Adds the result of a lost run; without memory for it the count alone stays. */
static void
add_lost(struct pawl_restorer *restorer, struct pawl_snapshot *first, uint64_t number,
         unsigned attempt, int64_t scheduled_ns, int64_t started_ns, const char *why)
{
    struct pawl_result result = {
        .run = number, .attempt = attempt > 0 ? (int) attempt : 1, .outcome = PAWL_LOST, .exit_code = -1,
        .scheduled_ns = scheduled_ns, .started_ns = started_ns, .ended_ns = restorer->wall_ns,
        .out = "", .err = why, .err_len = strlen(why), .error = why,
    };
    struct pawl_result_box *box = pawl_result_box_new(&result);
    struct pawl_results *before = first->results, *results = NULL;
    bool failed = !box;

    if (box)
        results = pawl_results_append(before, box, first->def->keep_results, &failed);
    if (!failed) {
        first->results = results;
        pawl_results_unref(before);
    }
    if (box)
        pawl_result_unref(&box->result);
}

/* When the newest run was due, as far as the record tells (wall). */
static int64_t
due_of_newest(const struct pawl_restorer *restorer, const struct pawl_record *record,
              const struct pawl_snapshot *first)
{
    if (pawl_def_schedule(first->def))
        return first->previous_ns;
    if (first->def->type == PAWL_DELAY)
        return pawl_schedule_after(record->created_ns, first->def->time_ns);
    if (!pawl_due_is_set(pawl_snapshot_due(first)))
        return PAWL_NO_TIME;
    return first->due_ns - first->def->time_ns + restorer->engine->scale.offset_ns;
}

/* What the table tells of a run; NULL: nothing. The run is claimed. */
static const struct pawl_lost_run *
claim(struct pawl_lost_run *runs, size_t n, uint64_t number)
{
    for (size_t i = n; i-- > 0;) {          /* of several attempts the newest */
        if (runs[i].run == number) {
            runs[i].is_claimed = true;
            return &runs[i];
        }
    }
    return NULL;
}

/* A run that is lost has failed. False: it is not tried again. */
static bool
retry_lost(const struct pawl_restorer *restorer, const struct pawl_lost_run *run,
           struct pawl_snapshot *first)
{
    const struct pawl_policy *policy = pawl_def_policy(first->def);
    struct pawl_due due = run ? from_store(restorer->engine, run->scheduled)
                              : (struct pawl_due) {first->previous_ns, true};
    unsigned attempt = policy ? pawl_wait_of(first)->attempt : 0;

    if (!policy || !pawl_policy_retries(policy, attempt, -1))
        return false;
    *pawl_wait_of(first) = (struct pawl_wait) {
        .tally = pawl_wait_of(first)->tally,
        .attempt = attempt & 0xFFFF, .is_retry = true, .retried_ns = due.ns,
        .is_retried_wall = due.is_wall,
        .not_before_ns = pawl_schedule_after(
            restorer->elapsed_ns,
            pawl_policy_retry_delay(policy, attempt, (uint64_t) first->previous_ns)),
    };
    first->status = first->def->type == PAWL_CRON ? PAWL_WAIT_FOR_NEXT : PAWL_TO_BE_EXECUTED;
    return true;
}

/* What comes after the run that is lost. */
static void
end_lost(const struct pawl_restorer *restorer, struct pawl_snapshot *first)
{
    const struct pawl_schedule *schedule = pawl_def_schedule(first->def);
    struct pawl_now now = now_of(restorer);

    if (first->has_wait)
        pawl_wait_reset(pawl_wait_of(first));
    if (schedule && schedule->when.from_completion && !pawl_snapshot_is_used_up(first))
        pawl_snapshot_set_due(first, pawl_def_next(
            first->def, (struct pawl_due) {PAWL_NO_TIME, false}, &now, true));
    first->status = first->due_ns != PAWL_NO_TIME ? PAWL_WAIT_FOR_NEXT : PAWL_EXECUTED;
    if (first->status == PAWL_EXECUTED)
        first->end_reason = pawl_snapshot_end_reason(first, &now, PAWL_END_LOST) & 7;
}

/* Ends the runs that have no end in the record: they are lost. False: there is none. */
static bool
resolve_lost(struct pawl_restorer *restorer, const struct pawl_record *record,
             struct pawl_snapshot *first, struct pawl_lost_run *runs, size_t nruns)
{
    uint64_t known_before = first->run_count - first->running, known;
    uint64_t keep = first->def->keep_results;
    const struct pawl_scale *scale = &restorer->engine->scale;
    const struct pawl_lost_run *newest = nruns > 0 ? &runs[nruns - 1] : NULL;
    const struct pawl_wait *wait = pawl_snapshot_wait(first);
    const struct pawl_lost_run *last = NULL;
    int64_t due_ns;

    if (newest && is_news(newest, first) && (newest->run > first->run_count || first->running == 0))
        catch_up_with_slot(restorer, first, newest);
    if (first->running == 0 && first->status == PAWL_EXECUTING)
        first->running = 1;
    if (first->running == 0)
        return false;
    known = known_before < first->run_count - 1 ? known_before : first->run_count - 1;
    due_ns = due_of_newest(restorer, record, first);
    for (uint64_t number = known + 1; number <= first->run_count; number++) {
        const struct pawl_lost_run *run = claim(runs, nruns, number);
        bool is_newest = number == first->run_count;

        if (run && is_newest) {
            first->slot = run->slot;
            last = run;
        }
        if (first->run_count - number >= keep)
            continue;
        add_lost(restorer, first, number,
                 run ? run->attempt : is_newest && wait ? wait->attempt : 1,
                 run ? pawl_due_wall(from_store(restorer->engine, run->scheduled), scale->offset_ns)
                     : is_newest ? due_ns : PAWL_NO_TIME,
                 run ? run->started_ns : is_newest ? first->previous_ns : PAWL_NO_TIME,
                 !is_newest ? "the daemon ended before the result of the run was stored"
                 : run ? "the daemon ended while the script ran"
                       : "the daemon or its machine ended while the script ran");
    }
    first->failure_count += first->run_count - known;
    restorer->nlost += first->run_count - known;
    first->running = 0;
    first->version++;
    first->updated_ns = restorer->wall_ns;
    if (first->status != PAWL_EXECUTING)
        return true;
    if (retry_lost(restorer, last, first))
        first->failure_count--;                 /* it is for its last attempt to fail */
    else
        end_lost(restorer, first);
    return true;
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
    bool has_more;

    raise_high_mark(restorer, first);
    now = now_of(restorer);
    if (first->status == PAWL_STOPPED || first->is_paused)
        return false;
    if (schedule && due.ns == INT64_MAX && !schedule->has_reboot)      /* it was not known */
        due = pawl_schedule_next(schedule, (struct pawl_due) {PAWL_NO_TIME, false}, &now, false);
    due = follow_back(restorer, schedule, due, &now);
    missed = pawl_policy_make_up(first->def, &due, &now, true, &has_more);
    if (schedule && is_reboot_due(schedule, &now)) {
        missed += pawl_due_is_set(due) &&
                  pawl_def_fires_ns(first->def, due, now.wall_ns - now.elapsed_ns) <= now.elapsed_ns;
        due = (struct pawl_due) {now.elapsed_ns, false};
    }
    first->missed += missed;
    restorer->nmissed += missed;
    pawl_snapshot_set_due(first, due);
    if (pawl_def_policy(first->def))
        pawl_wait_of(first)->has_backlog = pawl_wait_of(first)->is_catching_up = has_more;
    if (due.ns == PAWL_NO_TIME && before.ns != PAWL_NO_TIME) {     /* missed, and the last one */
        first->status = PAWL_EXECUTED;
        first->end_reason = pawl_snapshot_end_reason(first, &now, PAWL_END_MISSED) & 7;
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
    struct pawl_now now = now_of(restorer);

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
    struct pawl_lost_run *runs;
    struct pawl_task *task;
    struct pawl_now now;
    bool was_lost, has_missed = false;
    size_t nruns;
    int code;

    if (restorer->nseen++ % CLOCK_EACH == 0) {
        now = pawl_now(engine);
        restorer->elapsed_ns = now.elapsed_ns;
        restorer->wall_ns = now.wall_ns;
        if (engine->options.is_cancelled && engine->options.is_cancelled(engine->options.ctx))
            return pawl_err_set(err, PAWL_ECLOSED, NULL, "told to stop while loading");
    }
    now = now_of(restorer);
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
    runs = find_lost(restorer->lost, record, &nruns);
    was_lost = resolve_lost(restorer, record, first, runs, nruns);
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
