/* change.c: the one door for changes of a task. Runs on whichever thread brings the event.
 *
 * G1: who deleted a task says in last_slot what slot its last run had, before it hands the task to
 * the committer; the committer takes no deletion whose last_slot it does not know. */
#include "shared.h"
#include "admission.h"
#include "committer.h"
#include "keeper.h"
#include "ticker.h"
#include "wall.h"
#include "watch.h"

/* What the change means for the counters. */
static void
count(struct pawl *engine, const struct pawl_event *event)
{
    if (event->delta_pending)
        pawl_count(&engine->pending, event->delta_pending);
    if (event->delta_output)
        pawl_count(&engine->output, event->delta_output);
    if (event->delta_memory) {
        int64_t bytes = pawl_count(&engine->memory, event->delta_memory);

        if (event->delta_memory > 0)
            pawl_keeper_added(engine->keeper, bytes);
    }
}

void
pawl_shown(struct pawl_handle *handle, struct pawl_task *task, bool is_gone)
{
    struct pawl *engine = handle->engine;

    if (is_gone) {
        pawl_count(&engine->tasks, -1);
        pawl_index_remove(engine->index, handle->epoch, &task->key);
        pawl_order_remove(engine->order, handle->epoch, task->seq);
        pawl_task_unref_later(task, handle->epoch);
    }
    pawl_watch_wake(task);
}

/* Whether somebody asks for the change, and waits for it to be durable. */
static bool
is_asked_for(enum pawl_event_kind kind)
{
    return kind == PAWL_EVENT_STOP || kind == PAWL_EVENT_RUN || kind == PAWL_EVENT_PAUSE ||
           kind == PAWL_EVENT_RESUME || kind == PAWL_EVENT_EDIT || kind == PAWL_EVENT_DELETE;
}

/* What the store has to know of the change. Of what is asked for it is told by who waits for it. */
static void
tell_committer(struct pawl *engine, struct pawl_task *task, const struct pawl_event *event)
{
    if (event->kind == PAWL_EVENT_DELETE || event->kind == PAWL_EVENT_EXPIRE)
        atomic_store_explicit(&task->last_slot,                                         /* G1 */
                              event->slot == PAWL_SLOT_NONE || !event->was_running
                                  ? event->slot : event->slot | PAWL_SLOT_RUNNING,
                              memory_order_release);
    if (!is_asked_for(event->kind) &&
        !(event->kind == PAWL_EVENT_TRIM && event->is_shown))
        pawl_committer_mark(engine->committer, task);
}

static bool
brings_nearer(enum pawl_event_kind kind)
{
    return kind == PAWL_EVENT_RETIME || kind == PAWL_EVENT_RUN || kind == PAWL_EVENT_RESUME ||
           kind == PAWL_EVENT_EDIT;
}

int
pawl_change(struct pawl_handle *handle, struct pawl_task *task, struct pawl_event *event,
            struct pawl_err *err)
{
    struct pawl *engine = handle->engine;
    struct pawl_now now = pawl_now(engine);
    int code;

    event->now_ns = now.elapsed_ns;
    event->wall_ns = now.wall_ns;
    event->high_ns = now.high_ns;
    event->oldest_ns = now.oldest_ns;
    event->keep_ns = engine->options.keep_finished_ns;
    event->is_deferred = engine->committer != NULL;
    event->table = engine->committer ? &engine->table : NULL;
    event->anchor_ns = engine->scale.anchor_ns;
    event->is_full = pawl_engine_is_full(engine);
    /* While the store fails for long, every task that fires must find a slot. */
    event->chain_max = engine->committer &&
                       pawl_committer_state(engine->committer) == PAWL_STORE_FAILING
                       ? 1 : PAWL_SLOT_CHAIN_MAX;
    code = pawl_task_apply(task, handle->epoch, event, err);
    if (code != PAWL_OK)
        return code;
    count(engine, event);
    if (event->is_shown)
        pawl_shown(handle, task, event->kind == PAWL_EVENT_DELETE ||
                                 event->kind == PAWL_EVENT_EXPIRE);
    if (engine->committer)
        tell_committer(engine, task, event);
    if (event->leaves_group)
        pawl_admission_leave(engine, task);
    if (event->rearm && brings_nearer(event->kind))
        pawl_ticker_arm_sooner(engine->ticker, task);
    else if (event->rearm)
        pawl_ticker_arm(engine->ticker, task, event->next_due_ns);
    if (event->is_wall)
        pawl_wall_check(handle, task, now.wall_ns - now.elapsed_ns);
    pawl_epoch_tidy(handle->epoch);
    return PAWL_OK;
}
