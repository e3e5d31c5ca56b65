/* task.c: the task, its snapshots and its state table; the only file that changes a task's state.
 *
 * Any registered thread applies events. An applied event replaces the snapshot; what the new one
 * shares with the old one (the definition, the results) goes over with its count, so the old
 * one's shell is all that the epoch frees later.
 *
 * R1: publishes a snapshot and all it points to; pairs with A1, every read of task->snapshot. */
#include "task.h"

#include "err.h"
#include "schedule.h"
#include "wheel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Markers: a task that is not visible yet, and one that was deleted. */
static struct pawl_snapshot reserved, gone;

/* --- Counted parts --- */

static void
count_up(_Atomic uint32_t *refs)
{
    /* relaxed: who counts up holds a reference already, or is in a section that keeps one alive. */
    atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* True for the last: acq_rel, so that it comes after every use by the others. */
static bool
count_down(_Atomic uint32_t *refs)
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

static struct pawl_def *
def_new(const struct pawl_spec *spec, int keep_results)
{
    struct pawl_def *def = malloc(offsetof(struct pawl_def, script) + spec->script_len + 1);

    if (!def)
        return NULL;
    atomic_init(&def->refs, 1);
    def->time_ns = spec->time_ns;
    def->type = spec->type;
    def->keep_results = (uint16_t) (spec->keep_results >= 0 ? spec->keep_results : keep_results);
    def->script_len = (uint32_t) spec->script_len;
    memcpy(def->script, spec->script, spec->script_len);
    def->script[spec->script_len] = '\0';
    return def;
}

void
pawl_def_unref(struct pawl_def *def)
{
    if (def && count_down(&def->refs))
        free(def);
}

static struct pawl_result_box *
box_of(const struct pawl_result *result)
{
    return (struct pawl_result_box *) ((char *) result - offsetof(struct pawl_result_box, result));
}

void
pawl_result_unref(const struct pawl_result *result)
{
    if (result && count_down(&box_of(result)->refs))
        free(box_of(result));
}

static void
results_unref(struct pawl_results *results)
{
    if (!results || !count_down(&results->refs))
        return;
    for (uint32_t i = 0; i < results->n; i++)
        pawl_result_unref(results->items[i]);
    free(results);
}

static struct pawl_results *
results_new(uint32_t n)
{
    struct pawl_results *results = malloc(sizeof *results + n * sizeof results->items[0]);

    if (results) {
        atomic_init(&results->refs, 1);
        results->n = 0;
        results->bytes = 0;
    }
    return results;
}

static void
results_add(struct pawl_results *results, const struct pawl_result *result)
{
    count_up(&box_of(result)->refs);
    results->items[results->n++] = result;
    results->bytes += result->out_len + result->err_len;
}

/* The newest keep of old and box; NULL with *failed clear: none are kept. */
static struct pawl_results *
results_append(const struct pawl_results *old, struct pawl_result_box *box, uint32_t keep,
               bool *failed)
{
    uint32_t had = old ? old->n : 0, stay = had < keep ? had : keep - 1;
    struct pawl_results *results;

    if (keep == 0)
        return NULL;
    results = results_new(stay + 1);
    *failed = results == NULL;
    for (uint32_t i = had - stay; results && i < had; i++)
        results_add(results, old->items[i]);
    if (results)
        results_add(results, &box->result);
    return results;
}

/* A copy of a result without its output. */
static struct pawl_result_box *
box_without_output(const struct pawl_result *result)
{
    size_t error_size = result->error ? strlen(result->error) + 1 : 0;
    struct pawl_result_box *box = malloc(sizeof *box + error_size);

    if (!box)
        return NULL;
    atomic_init(&box->refs, 0);
    box->result = *result;
    box->result.out = box->result.err = "";
    box->result.out_len = box->result.err_len = 0;
    box->result.truncated = true;
    if (result->error)
        box->result.error = memcpy(box->bytes, result->error, error_size);
    return box;
}

/* A copy of old in which output that ended at or before the cutoff is dropped. */
static struct pawl_results *
results_trim(const struct pawl_results *old, int64_t cutoff_ns)
{
    struct pawl_results *results = results_new(old->n);

    for (uint32_t i = 0; results && i < old->n; i++) {
        const struct pawl_result *result = old->items[i];
        struct pawl_result_box *box = NULL;

        if (result->ended_ns <= cutoff_ns && result->out_len + result->err_len > 0)
            box = box_without_output(result);
        results_add(results, box ? &box->result : result);
    }
    return results;
}

/* --- Snapshots --- */

struct pawl_snapshot *
pawl_snapshot_new(void)
{
    return malloc(sizeof(struct pawl_snapshot));
}

void
pawl_snapshot_free_unused(struct pawl_snapshot *snapshot)
{
    free(snapshot);
}

static void
snapshot_free(struct pawl_snapshot *snapshot)
{
    pawl_def_unref(snapshot->def);
    results_unref(snapshot->results);
    free(snapshot);
}

static void
free_all_cb(ck_epoch_entry_t *deferred)
{
    snapshot_free((struct pawl_snapshot *) deferred);
}

static void
free_shell_and_results_cb(ck_epoch_entry_t *deferred)
{
    results_unref(((struct pawl_snapshot *) deferred)->results);
    free(deferred);
}

static void
free_shell_cb(ck_epoch_entry_t *deferred)
{
    free(deferred);
}

/* What of the old snapshot does not live on in the next one (NULL: the task is gone). */
static ck_epoch_cb_t *
rest_of(const struct pawl_snapshot *old, const struct pawl_snapshot *next)
{
    if (!next)
        return free_all_cb;
    return next->results == old->results ? free_shell_cb : free_shell_and_results_cb;
}

static struct pawl_snapshot *
load(const struct pawl_task *task)
{
    return atomic_load_explicit(&task->snapshot, memory_order_acquire);    /* A1 */
}

const struct pawl_snapshot *
pawl_task_read(const struct pawl_task *task, bool *out_gone)
{
    const struct pawl_snapshot *snapshot = load(task);

    if (out_gone)
        *out_gone = snapshot == &gone;
    return snapshot == &gone || snapshot == &reserved ? NULL : snapshot;
}

/* --- The state table --- */

/* Pending: something of the task is still to come. */
static bool
is_pending(const struct pawl_snapshot *snapshot)
{
    return snapshot->status != PAWL_EXECUTED && snapshot->status != PAWL_STOPPED;
}

static int64_t
output_of(const struct pawl_snapshot *snapshot)
{
    return snapshot && snapshot->results ? (int64_t) snapshot->results->bytes : 0;
}

static int
refuse_stop(const struct pawl_snapshot *old, struct pawl_err *err)
{
    if (old->status == PAWL_STOPPED)
        return pawl_err_set(err, PAWL_ESTATE, NULL, "the task is stopped already");
    if (old->status == PAWL_EXECUTED)
        return pawl_err_set(err, PAWL_ESTATE, NULL, "the task has run already: nothing to stop");
    return pawl_err_set(err, PAWL_ESTATE, NULL,
                        "the task is running: a delay task that has started ends by itself");
}

/* The state table: what an event makes of a state. *next is a copy of *old, to be edited, and
 * results that it gets are counted for it. A refusal changes nothing.
 *
 *   state                  START            FINISH             STOP            DELETE  TRIM
 *   0 ToBeExecuted         2 if due         -                  4               gone    same
 *   1 Executed             refused          -                  refused         gone    same
 *   2 Executing, delay     refused          1                  refused         gone    same
 *   2 Executing, cron      refused          3, next due time   4               gone    same
 *   3 WaitForNextExecution 2 if due         -                  4               gone    same
 *   4 Stopped              refused          4 (it was running) refused         gone    same */
static int
decide(const struct pawl_snapshot *old, const struct pawl_event *event,
       struct pawl_snapshot *next, struct pawl_err *err)
{
    bool is_cron = old->def->type == PAWL_CRON, failed = false;

    switch (event->kind) {
    case PAWL_EVENT_START:
        if (old->status != PAWL_TO_BE_EXECUTED && old->status != PAWL_WAIT_FOR_NEXT)
            return PAWL_ESTATE;
        if (old->due_ns == PAWL_NO_TIME || old->due_ns > event->now_ns)
            return PAWL_ESTATE;
        next->status = PAWL_EXECUTING;
        next->running++;
        next->run_count++;
        next->previous_ns = event->wall_ns;
        next->due_ns = is_cron ? pawl_schedule_after(old->due_ns, old->def->time_ns)
                               : PAWL_NO_TIME;
        break;
    case PAWL_EVENT_FINISH:
        assert(old->running > 0);
        next->running--;
        next->failure_count += event->failed;
        if (old->status == PAWL_EXECUTING && is_cron) {
            next->status = PAWL_WAIT_FOR_NEXT;
            next->skipped_overlap += pawl_schedule_skip(&next->due_ns, old->def->time_ns,
                                                        event->now_ns);
        } else if (old->status == PAWL_EXECUTING) {
            next->status = PAWL_EXECUTED;
        }
        if (event->box)
            next->results = results_append(old->results, event->box, old->def->keep_results,
                                           &failed);
        if (failed)
            next->results = old->results;   /* no memory to keep it: the state goes on */
        break;
    case PAWL_EVENT_STOP:
        if (old->status == PAWL_STOPPED || old->status == PAWL_EXECUTED ||
            (old->status == PAWL_EXECUTING && !is_cron))
            return refuse_stop(old, err);
        next->status = PAWL_STOPPED;
        next->due_ns = PAWL_NO_TIME;
        break;
    case PAWL_EVENT_TRIM:
        if (!old->results || old->results->bytes == 0)
            return PAWL_ESTATE;
        next->results = results_trim(old->results, event->cutoff_ns);
        return next->results ? PAWL_OK : PAWL_ENOMEM;   /* the version stays */
    case PAWL_EVENT_DELETE:
    case PAWL_NEVENT:
        return PAWL_OK;                                 /* no next: apply() puts the marker */
    }
    next->version++;
    next->updated_ns = event->wall_ns;
    return PAWL_OK;
}

/* --- Applying --- */

/* Tells the caller what the change from old to next (NULL: gone) means outside of the task. */
static void
report(const struct pawl_snapshot *old, const struct pawl_snapshot *next,
       struct pawl_event *event)
{
    event->delta_pending = (next && is_pending(next)) - is_pending(old);
    event->was_running = old->running;
    event->delta_output = output_of(next) - output_of(old);
    event->delta_memory = event->delta_output - (next ? 0 : (int64_t) old->def->script_len);
    event->next_due_ns = next && next->status != PAWL_EXECUTING ? next->due_ns : PAWL_NO_TIME;
    event->rearm = event->kind != PAWL_EVENT_START && event->kind != PAWL_EVENT_TRIM &&
                   (old->status == PAWL_EXECUTING ? event->next_due_ns != PAWL_NO_TIME
                                                  : event->next_due_ns != old->due_ns);
    if (event->kind == PAWL_EVENT_START) {
        event->due_ns = old->due_ns;
        event->run = next->run_count;
        event->def = next->def;
        count_up(&next->def->refs);
    }
}

/* Copies all but the epoch's link: whoever has just replaced the old snapshot writes that one. */
static void
copy_state(const struct pawl_snapshot *old, struct pawl_snapshot *next)
{
    const size_t state = offsetof(struct pawl_snapshot, def);

    memcpy((char *) next + state, (const char *) old + state, sizeof *old - state);
}

/* One try, inside a section: PAWL_OK, an error, or PAWL_PENDING when another change came first. */
static int
try_apply(struct pawl_task *task, struct pawl_snapshot *old, struct pawl_snapshot *next,
          struct pawl_event *event, struct pawl_err *err)
{
    struct pawl_snapshot *want = event->kind == PAWL_EVENT_DELETE ? &gone : next;
    struct pawl_snapshot *expected = old;       /* a failed swap writes to it */
    int code;

    if (next)
        copy_state(old, next);
    code = decide(old, event, next, err);
    if (code != PAWL_OK)
        return code;
    /* R1; seq_cst, because watchers rely on it: W1 in watch.c. */
    if (atomic_compare_exchange_strong_explicit(&task->snapshot, &expected, want,
                                                memory_order_seq_cst, memory_order_relaxed)) {
        return PAWL_OK;
    }
    if (next && next->results != old->results)
        results_unref(next->results);
    return PAWL_PENDING;
}

int
pawl_task_apply(struct pawl_task *task, struct pawl_epoch_thread *thread,
                struct pawl_event *event, struct pawl_err *err)
{
    struct pawl_snapshot *old, *next = NULL;
    ck_epoch_cb_t *free_cb = NULL;
    int code;

    if (event->kind != PAWL_EVENT_DELETE) {
        next = event->spare ? event->spare : pawl_snapshot_new();
        if (!next)
            return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
        event->spare = NULL;
    }
    pawl_epoch_begin(thread);
    do {
        old = load(task);
        code = old == &reserved || old == &gone ? PAWL_ENOENT
                                                : try_apply(task, old, next, event, err);
    } while (code == PAWL_PENDING);
    if (code == PAWL_OK) {
        free_cb = rest_of(old, next);       /* behind the section next may be gone already */
        report(old, next, event);
        if (event->view)
            pawl_task_view(task, next, event->now_ns, event->wall_ns - event->now_ns,
                           event->view);
    }
    pawl_epoch_end(thread);
    if (code == PAWL_OK)
        pawl_epoch_defer(thread, &old->deferred, free_cb);
    else
        event->spare = next;
    return code;
}

void
pawl_task_view(struct pawl_task *task, const struct pawl_snapshot *snapshot, int64_t now_ns,
               int64_t offset_ns, struct pawl_view *out_view)
{
    struct pawl_def *def = snapshot->def;
    int64_t due = snapshot->due_ns;
    uint64_t skipped = snapshot->skipped_overlap;

    if (snapshot->status == PAWL_EXECUTING && def->type == PAWL_CRON)
        skipped += pawl_schedule_skip(&due, def->time_ns, now_ns);   /* as FINISH would now */
    count_up(&task->refs);
    count_up(&def->refs);
    if (snapshot->results)
        count_up(&snapshot->results->refs);
    *out_view = (struct pawl_view) {
        .id = task->key.bytes, .id_len = task->key.len, .type = def->type,
        .time_ns = def->time_ns, .script = def->script, .script_len = def->script_len,
        .keep_results = def->keep_results, .status = snapshot->status,
        .version = snapshot->version, .running = (int) snapshot->running,
        .created_ns = task->created_ns, .updated_ns = snapshot->updated_ns,
        .next_ns = due == PAWL_NO_TIME ? PAWL_NO_TIME : pawl_schedule_after(offset_ns, due),
        .previous_ns = snapshot->previous_ns, .run_count = snapshot->run_count,
        .failure_count = snapshot->failure_count, .skipped_overlap = skipped,
        .results = snapshot->results ? snapshot->results->items : NULL,
        .nresults = snapshot->results ? snapshot->results->n : 0, .seq = task->seq,
        .private_task = task, .private_def = def, .private_results = snapshot->results,
    };
}

void
pawl_view_share(const struct pawl_view *view, struct pawl_view *out_view)
{
    struct pawl_results *results = view->private_results;

    count_up(&((struct pawl_task *) view->private_task)->refs);
    count_up(&((struct pawl_def *) view->private_def)->refs);
    if (results)
        count_up(&results->refs);
    *out_view = *view;
}

void
pawl_view_release(struct pawl_view *view)
{
    results_unref(view->private_results);
    pawl_def_unref(view->private_def);
    pawl_task_unref(view->private_task);
}

/* --- Life --- */

struct pawl_task *
pawl_task_new(const struct pawl_index *index, const struct pawl_spec *spec, int keep_results,
              int64_t now_ns, int64_t offset_ns, struct pawl_snapshot **out_first)
{
    size_t size = offsetof(struct pawl_task, key.bytes) + spec->id_len;
    struct pawl_task *task = malloc(size > sizeof *task ? size : sizeof *task);
    struct pawl_snapshot *first = pawl_snapshot_new();
    struct pawl_def *def = def_new(spec, keep_results);

    if (!task || !first || !def) {
        free(task);
        free(first);
        pawl_def_unref(def);
        return NULL;
    }
    *task = (struct pawl_task) {.created_ns = now_ns + offset_ns, .timer = PAWL_TIMER_NONE};
    atomic_init(&task->snapshot, &reserved);
    atomic_init(&task->refs, 1);
    atomic_init(&task->is_queued, false);
    pawl_inbox_init(&task->posts);
    pawl_index_key(index, spec->id, spec->id_len, &task->key);
    *first = (struct pawl_snapshot) {
        .def = def, .updated_ns = task->created_ns, .status = PAWL_TO_BE_EXECUTED,
        .due_ns = pawl_schedule_after(now_ns, spec->time_ns), .previous_ns = PAWL_NO_TIME,
    };
    *out_first = first;
    return task;
}

void
pawl_task_publish(struct pawl_task *task, struct pawl_snapshot *first)
{
    atomic_store_explicit(&task->snapshot, first, memory_order_release);   /* R1 */
}

void
pawl_task_mark_gone(struct pawl_task *task, struct pawl_epoch_thread *thread,
                    struct pawl_snapshot *first)
{
    atomic_store_explicit(&task->snapshot, &gone, memory_order_release);
    pawl_epoch_defer(thread, &first->deferred, free_all_cb);
}

bool
pawl_task_is_live(const struct pawl_key *key)
{
    return load(pawl_task_of_key(key)) != &gone;
}

void
pawl_task_ref(struct pawl_task *task)
{
    count_up(&task->refs);
}

void
pawl_task_unref(struct pawl_task *task)
{
    struct pawl_snapshot *last;

    if (!count_down(&task->refs))
        return;
    last = load(task);
    if (last != &gone && last != &reserved)
        snapshot_free(last);
    free(task);
}

static void
unref_cb(ck_epoch_entry_t *deferred)
{
    pawl_task_unref((struct pawl_task *) ((char *) deferred -
                                          offsetof(struct pawl_task, deferred)));
}

void
pawl_task_unref_later(struct pawl_task *task, struct pawl_epoch_thread *thread)
{
    pawl_epoch_defer(thread, &task->deferred, unref_cb);
}

/* --- Names --- */

const char *
pawl_status_name(enum pawl_status status)
{
    static const char *const names[PAWL_NSTATUS] = {
        "ToBeExecuted", "Executed", "Executing", "WaitForNextExecution", "Stopped",
    };

    return names[status];
}

const char *
pawl_type_name(enum pawl_type type)
{
    return type == PAWL_CRON ? "cron" : "delay";
}

const char *
pawl_outcome_name(enum pawl_outcome outcome)
{
    static const char *const names[PAWL_NOUTCOME] = {
        "success", "failure", "timeout", "killed", "lost", "error",
    };

    return names[outcome];
}
