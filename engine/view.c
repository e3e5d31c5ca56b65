/* view.c: copies of one state of a task for those outside, and the words of the wire. */
#include "count.h"
#include "policy.h"
#include "state.h"
#include "task.h"

/* What a task waits for whose time has come, or will. */
static enum pawl_waiting
waits_for(const struct pawl_task *task, const struct pawl_snapshot *snapshot,
          const struct pawl_now *now, bool is_full)
{
    int64_t fires_ns = pawl_snapshot_fires_ns(snapshot, now->wall_ns - now->elapsed_ns);
    const struct pawl_wait *wait = pawl_snapshot_wait(snapshot);
    bool is_due = fires_ns != PAWL_NO_TIME && fires_ns <= now->elapsed_ns &&
                  !pawl_snapshot_is_over(snapshot);

    if (is_due && atomic_load_explicit(&task->is_waiting, memory_order_relaxed))
        return PAWL_WAITING_GROUP;
    if (is_due && is_full)
        return PAWL_WAITING_WORKER;
    return wait && wait->is_retry ? PAWL_WAITING_RETRY : PAWL_WAITING_NOTHING;
}

void
pawl_task_view(struct pawl_task *task, const struct pawl_snapshot *snapshot,
               const struct pawl_now *now, bool is_full, struct pawl_view *out_view)
{
    struct pawl_def *def = snapshot->def;
    const struct pawl_tags *tags = pawl_def_tags(def);
    bool is_over = pawl_snapshot_is_over(snapshot);
    struct pawl_due due = {is_over ? PAWL_NO_TIME : snapshot->due_ns, snapshot->is_due_wall};
    int64_t offset_ns = now->wall_ns - now->elapsed_ns, fires_ns, retry_ns;
    uint64_t skipped = snapshot->skipped_overlap;
    const struct pawl_wait *wait = pawl_snapshot_wait(snapshot);
    uint32_t old = 0;

    if (!is_over && pawl_snapshot_is_busy(snapshot) && !snapshot->is_paused)
        skipped += pawl_snapshot_pass(snapshot, &due, now);     /* as FINISH would now */
    fires_ns = pawl_def_fires_ns(def, due, offset_ns);
    retry_ns = pawl_snapshot_retry_ns(snapshot, due, fires_ns);
    if (retry_ns != PAWL_NO_TIME)
        fires_ns = retry_ns;
    if (pawl_def_schedule(def) && !pawl_due_is_set((struct pawl_due) {fires_ns, false}))    /* at the start of a daemon, which has no time */
        fires_ns = PAWL_NO_TIME;
    if (snapshot->is_paused)
        fires_ns = retry_ns = PAWL_NO_TIME;
    while (snapshot->results && old < snapshot->results->n &&
           snapshot->results->items[old]->ended_ns < now->oldest_ns)
        old++;
    pawl_count_up(&task->refs);
    pawl_count_up(&def->refs);
    if (snapshot->results)
        pawl_count_up(&snapshot->results->refs);
    *out_view = (struct pawl_view) {
        .id = task->key.bytes, .id_len = task->key.len, .type = def->type,
        .time_ns = def->time_ns, .when = pawl_def_schedule(def) ? &pawl_def_schedule(def)->when : NULL,
        .tags = tags ? tags->tags : NULL, .ntags = tags ? tags->n : 0,
        .action = pawl_def_action(def), .script = def->script, .script_len = def->script_len,
        .keep_results = def->keep_results, .status = snapshot->status,
        .policy = pawl_def_policy(def),
        .waits_for_retry = wait && wait->is_retry,
        .retry_ns = pawl_due_wall((struct pawl_due) {retry_ns, false}, offset_ns),
        .waiting = waits_for(task, snapshot, now, is_full),
        .attempt = wait ? (int) wait->attempt : 0,
        .is_paused = snapshot->is_paused, .asked_count = snapshot->asked_count,
        .version = snapshot->version, .serial = snapshot->serial,
        .running = (int) snapshot->running,
        .created_ns = task->created_ns, .updated_ns = snapshot->updated_ns,
        .next_ns = pawl_due_wall((struct pawl_due) {fires_ns, false}, offset_ns),
        .previous_ns = snapshot->previous_ns, .run_count = snapshot->run_count,
        .failure_count = snapshot->failure_count, .skipped_overlap = skipped,
        .skipped_condition = wait ? wait->tally.skipped_condition : 0,
        .skipped_group = wait ? wait->tally.skipped_group : 0,
        .missed = snapshot->missed, .missed_paused = wait ? wait->tally.missed_paused : 0,
        .end_reason = is_over && snapshot->status == PAWL_EXECUTED
            ? (enum pawl_end_reason) snapshot->end_reason : PAWL_END_NONE,
        .results = snapshot->results ? snapshot->results->items + old : NULL,
        .nresults = snapshot->results ? snapshot->results->n - old : 0, .seq = task->seq,
        .private_task = task, .private_def = def, .private_results = snapshot->results,
        .private_due_ns = snapshot->is_paused ? PAWL_NO_TIME : due.ns,
        .private_is_due_wall = due.is_wall,
    };
}

void
pawl_view_share(const struct pawl_view *view, struct pawl_view *out_view)
{
    struct pawl_results *results = view->private_results;

    pawl_count_up(&((struct pawl_task *) view->private_task)->refs);
    pawl_count_up(&((struct pawl_def *) view->private_def)->refs);
    if (results)
        pawl_count_up(&results->refs);
    *out_view = *view;
}

uint64_t
pawl_view_scheduled_runs(const struct pawl_view *view)
{
    return view->run_count - view->asked_count - view->skipped_condition;
}

void
pawl_view_release(struct pawl_view *view)
{
    pawl_results_unref(view->private_results);
    pawl_def_unref(view->private_def);
    pawl_task_unref(view->private_task);
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

const char *
pawl_kill_mode_name(enum pawl_kill_mode mode)
{
    static const char *const names[PAWL_NKILL_MODE] = {"group", "tree"};

    return mode < PAWL_NKILL_MODE ? names[mode] : NULL;
}

const char *
pawl_end_reason_name(enum pawl_end_reason reason)
{
    static const char *const names[PAWL_NEND_REASON] = {
        NULL, "done", "maxRuns", "endAt", "noMoreTimes", "missed", "lost", "skipped",
    };

    return names[reason];
}
