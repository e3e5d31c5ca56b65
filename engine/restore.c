/* restore.c: one task comes back from a store. Runs on the loaders. */
#include "restore.h"

#include "committer.h"
#include "err.h"
#include "schedule.h"
#include "shared.h"
#include "ticker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_EACH 256          /* tasks that one reading of the clock serves */
#define NLOADERS_MAX 2          /* which share the budget of output */
#define GONE_MAX 1000           /* tasks removed in one group */

/* --- Runs that were cut --- */

static int
by_task_and_run(const void *a, const void *b)
{
    const struct pawl_lost_run *left = a, *right = b;

    if (left->seq != right->seq)
        return left->seq < right->seq ? -1 : 1;
    return left->run < right->run ? -1 : left->run > right->run;
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
            .scheduled_ns = slot->scheduled_ns, .started_ns = slot->started_ns,
            .started_elapsed_ns = slot->started_elapsed_ns, .slot = i,
            .pid = atomic_load_explicit(&slot->pid, memory_order_relaxed),
        };
    }
    qsort(lost->runs, lost->n, sizeof *lost->runs, by_task_and_run);
    return PAWL_OK;
}

void
pawl_lost_runs_clear_unclaimed(const struct pawl_lost_runs *lost, struct pawl_runtable *table)
{
    for (size_t i = 0; i < lost->n; i++) {
        if (!lost->runs[i].is_claimed)
            pawl_slot_clear(table, lost->runs[i].slot);
    }
}

void
pawl_lost_runs_free(struct pawl_lost_runs *lost)
{
    free(lost->runs);
}

/* The newest run of the task that the table knows, or NULL; all of them get to know its id. */
static struct pawl_lost_run *
find_lost(const struct pawl_lost_runs *lost, const struct pawl_record *record)
{
    size_t low = 0, high = lost->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (lost->runs[middle].seq <= record->seq)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || lost->runs[low - 1].seq != record->seq)
        return NULL;
    for (size_t i = low; i-- > 0 && lost->runs[i].seq == record->seq;) {
        lost->runs[i].id_len = (uint8_t) record->id_len;
        memcpy(lost->runs[i].id, record->id, record->id_len);
    }
    return &lost->runs[low - 1];
}

/* --- One task --- */

/* Keeps a copy of a result; without its output once memory is used up. NULL: out of memory. */
static struct pawl_result_box *
keep_result(struct pawl_restorer *restorer, const struct pawl_result *result)
{
    int64_t budget = (int64_t) (restorer->engine->options.max_memory_bytes / 8 * 7 / NLOADERS_MAX);
    struct pawl_result bare = *result;
    struct pawl_result_box *box;

    if (restorer->memory > budget && result->out_len + result->err_len > 0) {
        bare.out = bare.err = "";
        bare.out_len = bare.err_len = 0;
        bare.truncated = true;
    }
    box = pawl_result_box_new(&bare);
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
    first->failure_count = record->failure_count;
    first->skipped_overlap = record->skipped_overlap;
    first->missed = record->missed;
    first->running = record->running & 0xFFFFFF;
    first->due_ns = record->due_ns;
    if (record->due_ns != PAWL_NO_TIME && record->due_ns != INT64_MAX)
        first->due_ns = record->due_ns - engine->scale.anchor_ns;
}

/* Ends the run that was cut: it is lost. False: there was none. */
static bool
resolve_lost(struct pawl_restorer *restorer, struct pawl_snapshot *first,
             struct pawl_lost_run *run)
{
    struct pawl *engine = restorer->engine;
    struct pawl_result result = {.outcome = PAWL_LOST, .exit_code = -1, .attempt = 1};
    bool is_cron = first->def->type == PAWL_CRON, failed = false;
    struct pawl_results *before = first->results;
    struct pawl_result_box *box;
    char text[128];

    result.scheduled_ns = first->previous_ns;
    if (run && run->version <= first->version && run->run != first->run_count)
        run = NULL;                     /* its end is durable, or it was not to start */
    if (run && run->run <= first->run_count && first->running == 0)
        run = NULL;
    if (run && run->run > first->run_count) {   /* it began after the last commit */
        first->run_count = run->run;
        first->version = run->version;
        first->previous_ns = run->started_ns;
        first->due_ns = is_cron ? pawl_schedule_after(run->scheduled_ns - engine->scale.anchor_ns,
                                                      first->def->time_ns) : PAWL_NO_TIME;
        first->running = 1;
        if (first->status != PAWL_STOPPED)
            first->status = PAWL_EXECUTING;
    }
    if (first->running == 0 && first->status != PAWL_EXECUTING)
        return false;
    if (run) {
        result.scheduled_ns = run->scheduled_ns - engine->scale.anchor_ns + engine->scale.offset_ns;
        run->is_claimed = true;
        first->slot = run->slot;
    }
    snprintf(text, sizeof text, "the daemon ended while the script ran%s",
             run ? "" : ", or its machine did");
    result.run = first->run_count;
    result.started_ns = first->previous_ns;
    result.ended_ns = restorer->wall_ns;
    result.out = "";
    result.error = result.err = text;
    result.err_len = strlen(text);
    box = pawl_result_box_new(&result);
    if (box)
        first->results = pawl_results_append(before, box, first->def->keep_results, &failed);
    if (failed)
        first->results = before;
    else if (box)
        pawl_results_unref(before);
    if (box)
        pawl_result_unref(&box->result);
    first->running = 0;
    first->version++;
    first->failure_count++;
    first->updated_ns = restorer->wall_ns;
    if (first->status == PAWL_EXECUTING)
        first->status = is_cron ? PAWL_WAIT_FOR_NEXT : PAWL_EXECUTED;
    return true;
}

/* Due times that passed meanwhile: the newest one is run, the others were missed. */
static void
catch_up(const struct pawl_restorer *restorer, struct pawl_snapshot *first)
{
    int64_t next_ns = first->due_ns;
    uint64_t passed;

    if (first->def->type != PAWL_CRON || first->due_ns == PAWL_NO_TIME)
        return;
    passed = pawl_schedule_skip(&next_ns, first->def->time_ns, restorer->elapsed_ns);
    if (passed < 2)
        return;
    first->missed += passed - 1;
    first->due_ns += (int64_t) (passed - 1) * first->def->time_ns;
}

/* When a task that is over is forgotten, in elapsed time. */
static int64_t
expiry(const struct pawl_restorer *restorer, const struct pawl_snapshot *first)
{
    int64_t keep_ns = restorer->engine->options.keep_finished_ns;

    if (keep_ns == INT64_MAX)
        return PAWL_NO_TIME;
    return pawl_schedule_after(first->updated_ns - restorer->wall_ns + restorer->elapsed_ns, keep_ns);
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
    restorer->npending += first->status != PAWL_EXECUTED && first->status != PAWL_STOPPED;
    restorer->memory += first->def->script_len + output;
    restorer->output += output;
    pawl_task_publish(task, handle->epoch, first);
    if (first->due_ns != PAWL_NO_TIME)
        pawl_ticker_arm(engine->ticker, task, first->due_ns);
    return PAWL_OK;
}

int
pawl_restore(struct pawl_restorer *restorer, struct pawl_handle *handle,
             const struct pawl_record *record, const struct pawl_result *results, size_t nresults,
             struct pawl_err *err)
{
    struct pawl *engine = restorer->engine;
    struct pawl_spec spec = {record->id, record->id_len, record->type, record->time_ns,
                             record->script, record->script_len, record->keep_results};
    struct pawl_snapshot *first;
    struct pawl_task *task;
    bool was_lost;
    int code;

    if (restorer->nseen++ % CLOCK_EACH == 0) {
        struct pawl_now now = pawl_now(engine);

        restorer->elapsed_ns = now.elapsed_ns;
        restorer->wall_ns = now.wall_ns;
        if (engine->options.is_cancelled && engine->options.is_cancelled(engine->options.ctx))
            return pawl_err_set(err, PAWL_ECLOSED, NULL, "told to stop while loading");
    }
    task = pawl_task_new(engine->index, &spec, record->keep_results, 0, 0, &first);
    if (!task)
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory while the store is loaded");
    task->seq = record->seq;
    task->created_ns = record->created_ns;
    restore_state(restorer, record, first);
    code = restore_results(restorer, first, results, nresults);
    was_lost = resolve_lost(restorer, first, find_lost(restorer->lost, record));
    if (pawl_snapshot_is_over(first))
        first->due_ns = expiry(restorer, first);
    else
        catch_up(restorer, first);
    if (code == PAWL_OK && pawl_snapshot_is_over(first) && first->due_ns != PAWL_NO_TIME &&
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
    if (code == PAWL_OK && was_lost)
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
                   const struct pawl_lost_runs *lost)
{
    *restorer = (struct pawl_restorer) {.engine = engine, .lost = lost};
}

int
pawl_restorer_end(struct pawl_restorer *restorer, struct pawl_err *err)
{
    struct pawl *engine = restorer->engine;
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
    if (code != PAWL_OK)
        pawl_err_set(err, code, NULL, "the store cannot be written");
    return code;
}

void
pawl_restorer_fini(struct pawl_restorer *restorer)
{
    free(restorer->gone);
}
