/* call.c: the calls that change tasks: submit, stop, delete and the like; reading is read.c's.
 *
 * Runs on the caller's thread, and for a commit that took its time on the store's. A task is put
 * into the index, so that of two submissions of one id one wins, and gets its number, so that the
 * later one has the higher number; it becomes visible when its change is committed. */
#include "call.h"

#include "committer.h"
#include "err.h"
#include "keeper.h"
#include "kill.h"
#include "policy.h"
#include "spec.h"
#include "tags.h"
#include "ticker.h"
#include "wall.h"
#include "worker.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 128       /* bytes of an id in an error's text */
#define FULL_TEXT "the store's disk is full: make room on it, then submit again; stops and deletions " \
                  "are still taken"

/* --- Operations: decided now, answered when committed --- */

static void
op_deliver(struct pawl_link *link)
{
    struct pawl_op *op = (struct pawl_op *) ((char *) link - offsetof(struct pawl_op, link));

    op->done(op);
}

void
pawl_op_init(struct pawl_op *op, struct pawl_handle *handle, enum pawl_op_kind kind)
{
    op->handle = handle;
    op->kind = kind;
    op->task = NULL;
    op->first = NULL;
    op->result = NULL;
    op->has_view = false;
    op->code = op->refusal = PAWL_OK;
    op->why = NULL;
    op->link.deliver = op_deliver;
}

/* Takes back what admit() counted. */
static void
dismiss(struct pawl *engine, size_t bytes)
{
    pawl_count(&engine->pending, -1);
    pawl_count(&engine->memory, -(int64_t) bytes);
}

/* A task that was refused after it was counted and perhaps put. */
static void
undo_submit(struct pawl_handle *handle, struct pawl_op *op)
{
    struct pawl *engine = handle->engine;
    struct pawl_task *task = op->task;

    dismiss(engine, pawl_def_bytes(((struct pawl_snapshot *) op->first)->def));
    if (task->seq)
        pawl_order_remove(engine->order, handle->epoch, task->seq);
    pawl_index_remove(engine->index, handle->epoch, &task->key);
    atomic_store_explicit(&task->last_slot, PAWL_SLOT_NONE, memory_order_release);     /* G1 */
    pawl_task_mark_gone(task, handle->epoch, op->first);
    pawl_task_unref_later(task, handle->epoch);
}

/* Makes a task that was submitted visible, and arms it. */
static void
publish(struct pawl_handle *handle, struct pawl_task *task, struct pawl_snapshot *first)
{
    const struct pawl_schedule *schedule = pawl_def_schedule(first->def);
    int64_t offset_ns = schedule ? schedule->offset_ns : 0;     /* readers may free first at once */
    int64_t fires_ns = pawl_snapshot_fires_ns(first, offset_ns);
    bool is_wall = pawl_def_follows_wall(first->def);

    pawl_count(&handle->engine->tasks, 1);
    pawl_count(&handle->engine->submitted, 1);
    pawl_task_publish(task, handle->epoch, first);
    pawl_ticker_arm(handle->engine->ticker, task, fires_ns);
    if (is_wall)
        pawl_wall_check(handle, task, offset_ns);
}

/* The change of op is safe, or cannot be kept. */
static void
settle(struct pawl_handle *handle, struct pawl_op *op, int code)
{
    op->code = code;
    if (op->kind == PAWL_OP_SUBMIT && code == PAWL_OK) {
        publish(handle, op->task, op->first);
    } else if (op->kind == PAWL_OP_SUBMIT) {
        undo_submit(handle, op);
    }
    if (code != PAWL_OK && op->has_view) {
        op->has_view = false;
        pawl_view_release(&op->view);
    }
}

/* Why a change that was decided could not be kept. */
static const char *
reason(const struct pawl_op *op, int code)
{
    bool is_full = code == PAWL_EFULL;

    switch (op->kind) {
    case PAWL_OP_SUBMIT:
        return is_full ? FULL_TEXT
                       : "the store could not keep the task: see the log, then submit again";
    case PAWL_OP_STOP:
        return is_full ? "the task is stopped, but the store's disk is full: a restart before there "
                         "is room would forget it"
                       : "the task is stopped, but the store could not keep that: a restart before "
                         "it can would forget it";
    case PAWL_OP_CHANGE:
        return is_full ? "the change is in force, but the store's disk is full: a restart before there "
                         "is room would forget it"
                       : "the change is in force, but the store could not keep it: a restart before it "
                         "can would forget it";
    default:
        return is_full ? "the task is deleted, but the store's disk is full: a restart before there "
                         "is room would bring it back"
                       : "the task is deleted, but the store could not keep that: a restart before "
                         "it can would bring it back";
    }
}

void
pawl_op_settle(struct pawl_handle *committer, struct pawl_op *op, int code)
{
    struct pawl_task *task = op->task;

    if (op->kind == PAWL_OP_REFUSED)
        code = op->refusal;
    else if (op->kind != PAWL_OP_READ && code != PAWL_OK)
        op->why = reason(op, code);
    settle(committer, op, code);
    pawl_task_unref(task);
}

int
pawl_call_commit(struct pawl_handle *handle, struct pawl_op *op)
{
    struct pawl *engine = handle->engine;
    struct pawl_task *task = op->task;

    if (engine->committer) {
        op->link.entry = handle->asked;
        handle->asked = &op->link;
        return PAWL_PENDING;
    }
    settle(handle, op, PAWL_OK);
    pawl_task_unref(task);
    return PAWL_OK;
}

int
pawl_call_refuse(struct pawl_handle *handle, struct pawl_op *op, struct pawl_task *task,
                 bool is_unsettled, int code, const char *why)
{
    struct pawl *engine = handle->engine;

    if (!engine->committer || !is_unsettled) {
        pawl_task_unref(task);
        return code;
    }
    pawl_op_init(op, handle, PAWL_OP_REFUSED);
    op->task = task;
    op->refusal = code;
    op->why = why;
    return pawl_call_commit(handle, op);
}

int
pawl_call_check_store(const struct pawl *engine, struct pawl_err *err)
{
    enum pawl_store_state state = engine->committer ? pawl_committer_state(engine->committer)
                                                    : PAWL_STORE_NONE;

    if (state == PAWL_STORE_FULL)
        return pawl_err_set(err, PAWL_EFULL, NULL, FULL_TEXT);
    if (state == PAWL_STORE_FAILING)
        return pawl_err_set(err, PAWL_ESTORE, NULL, "the store cannot be written: see the log");
    return PAWL_OK;
}

int
pawl_call_take_memory(struct pawl *engine, int64_t bytes, struct pawl_err *err)
{
    int64_t max_bytes = (int64_t) engine->options.max_memory_bytes;
    int64_t all = pawl_count(&engine->memory, bytes);

    if (all <= max_bytes) {
        pawl_keeper_added(engine->keeper, all);
        return PAWL_OK;
    }
    pawl_count(&engine->memory, -bytes);
    pawl_keeper_want(engine->keeper, bytes);
    return pawl_err_set(err, PAWL_EBUDGET, NULL,
                        "scripts and kept output fill max-memory (%llu bytes): delete tasks, "
                        "or try again later", (unsigned long long) max_bytes);
}

/* Counts the task against the limits. */
static int
admit(struct pawl *engine, const struct pawl_spec *spec, struct pawl_err *err)
{
    const struct pawl_options *options = &engine->options;
    int code;

    if (atomic_load_explicit(&engine->is_closing, memory_order_relaxed))
        return pawl_err_set(err, PAWL_ECLOSED, NULL, "the daemon is shutting down");
    code = pawl_call_check_store(engine, err);
    if (code != PAWL_OK)
        return code;
    if (pawl_count(&engine->pending, 1) > (int64_t) options->max_pending) {
        pawl_count(&engine->pending, -1);
        return pawl_err_set(err, PAWL_ELIMIT, NULL,
                            "%llu tasks are pending, the limit of max-pending: try again later",
                            (unsigned long long) options->max_pending);
    }
    code = pawl_call_take_memory(engine, (int64_t) pawl_def_bytes_of(spec), err);
    if (code != PAWL_OK)
        pawl_count(&engine->pending, -1);
    return code;
}

/* The id is taken: by a task that is visible, or by one whose submit is being committed. */
static int
refuse_taken(struct pawl_handle *handle, const struct pawl_spec *spec, struct pawl_op *op,
             struct pawl_err *err)
{
    static const char why[] = "a task with this id exists already: delete it or choose another id";
    struct pawl_task *other = pawl_handle_find(handle, spec->id, spec->id_len);

    pawl_err_set(err, PAWL_EEXIST, "id", why);
    if (!other)
        return PAWL_EEXIST;
    return pawl_call_refuse(handle, op, other, pawl_task_is_reserved(other), PAWL_EEXIST, why);
}

int
pawl_call_compile(const struct pawl_spec *spec, const struct pawl_now *now, bool is_anew,
                  struct pawl_schedule **out_schedule, struct pawl_err *err)
{
    int64_t start_ns = spec->when->start_ns;
    struct pawl_schedule_basis basis = {
        .id = spec->id, .id_len = spec->id_len, .type = spec->type, .created_ns = now->wall_ns,
        .origin_ns = start_ns == PAWL_NO_TIME ? now->elapsed_ns
                                              : start_ns - now->wall_ns + now->elapsed_ns,
        .offset_ns = now->wall_ns - now->elapsed_ns,
    };
    int code = pawl_schedule_new(spec->when, &basis, out_schedule, err);
    struct pawl_due first;

    if (code != PAWL_OK)
        return code;
    first = is_anew ? pawl_schedule_anew(*out_schedule, now)
                    : pawl_schedule_first(*out_schedule, now);
    if (pawl_due_is_set(first) || (first.ns != PAWL_NO_TIME && (*out_schedule)->has_reboot))
        return PAWL_OK;
    free(*out_schedule);
    *out_schedule = NULL;
    if (first.ns != PAWL_NO_TIME)
        return pawl_err_set(err, PAWL_EINVAL, pawl_spec_when_field(spec->when),
                            "this never fires: its first time is more than 200 years ahead");
    return pawl_err_set(err, PAWL_EINVAL, pawl_spec_when_field(spec->when),
                        spec->when->end_ns != PAWL_NO_TIME
                            ? "this never fires: it has no time before endAt"
                            : "this never fires: it has no time in the 400 years ahead");
}

int
pawl_call_check_programs(const struct pawl *engine, const struct pawl_action *action,
                         struct pawl_err *err)
{
    if (!pawl_interpreters_find(&engine->interpreters, action->interpreter))
        return pawl_interpreters_refuse(&engine->interpreters, action->interpreter, PAWL_EINVAL, err);
    if (action->kill_mode == PAWL_KILL_TREE && !engine->tree.program)
        return pawl_tree_refuse(PAWL_EINVAL, err);
    return PAWL_OK;
}

int
pawl_submit(struct pawl_handle *handle, const struct pawl_spec *spec, struct pawl_op *op,
            struct pawl_err *err)
{
    struct pawl *engine = handle->engine;
    struct pawl_schedule *schedule = NULL;
    struct pawl_snapshot *first;
    struct pawl_task *task;
    struct pawl_now now = pawl_now(engine);
    struct pawl_spec plain;
    int code = pawl_spec_check(spec, err);

    if (code == PAWL_OK && spec->policy && pawl_policy_is_usual(spec->policy)) {
        plain = *spec;
        plain.policy = NULL;            /* one that only says the defaults is none */
        spec = &plain;
    }
    if (code == PAWL_OK && spec->action)
        code = pawl_call_check_programs(engine, spec->action, err);
    if (code == PAWL_OK && spec->when)
        code = pawl_call_compile(spec, &now, false, &schedule, err);
    if (code == PAWL_OK)
        code = admit(engine, spec, err);
    if (code != PAWL_OK) {
        free(schedule);
        return code;
    }
    task = pawl_task_new(engine->index, spec, engine->options.keep_results, schedule, &now,
                         &first);
    if (!task) {
        dismiss(engine, pawl_def_bytes_of(spec));
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    }
    pawl_op_init(op, handle, PAWL_OP_SUBMIT);
    op->task = task;
    op->first = first;
    code = pawl_index_put(engine->index, handle->epoch, &task->key, pawl_task_is_live);
    if (code == PAWL_OK) {
        task->seq = pawl_order_append(engine->order, handle->epoch, task);
        code = task->seq ? PAWL_OK : PAWL_ENOMEM;
    }
    if (code != PAWL_OK) {
        pawl_task_ref(task);
        undo_submit(handle, op);
        if (engine->committer && code != PAWL_EEXIST)   /* others of its id may wait for it */
            pawl_committer_mark(engine->committer, task);
        pawl_task_unref(task);
        pawl_epoch_tidy(handle->epoch);
        return code == PAWL_EEXIST ? refuse_taken(handle, spec, op, err)
                                   : pawl_err_set(err, code, NULL, "out of memory");
    }
    pawl_task_ref(task);
    pawl_task_view(task, first, &now, pawl_engine_is_full(engine), &op->view);
    op->has_view = true;
    code = pawl_call_commit(handle, op);
    pawl_epoch_tidy(handle->epoch);
    return code;
}

int
pawl_call_refuse_absent(const char *id, size_t id_len, struct pawl_err *err)
{
    int shown = (int) (id_len < SHOWN_MAX ? id_len : SHOWN_MAX);

    return pawl_err_set(err, PAWL_ENOENT, NULL, "no task has the id '%.*s'%s", shown, id,
                        id_len > SHOWN_MAX ? " (cut)" : "");
}

/* A task that cannot be stopped any more, but has a run in progress: gives what readers see of it.
 * False: it has none. */
static bool
is_left_running(struct pawl_handle *handle, struct pawl_task *task, struct pawl_view *out_view)
{
    struct pawl_now now = pawl_now(handle->engine);
    const struct pawl_snapshot *snapshot;
    bool is_running;

    pawl_epoch_begin(handle->epoch);
    snapshot = pawl_task_read(task, NULL);
    is_running = snapshot && snapshot->running > 0;
    if (is_running)
        pawl_task_view(task, snapshot, &now, pawl_engine_is_full(handle->engine), out_view);
    pawl_epoch_end(handle->epoch);
    return is_running;
}

/* Applies an event that somebody asks for; why: a refusal, in general; kills: NULL, or to be sent if
 * there is a run, even if the event is refused. */
static int
change(struct pawl_handle *handle, struct pawl_task *task, struct pawl_event *event,
       struct pawl_kills *kills, struct pawl_op *op, const char *why, struct pawl_err *err)
{
    bool is_left = false;
    int code;

    pawl_op_init(op, handle, event->kind == PAWL_EVENT_STOP ? PAWL_OP_STOP : PAWL_OP_CHANGE);
    event->view = &op->view;
    code = pawl_change(handle, task, event, err);
    pawl_snapshot_free_unused(event->spare);
    if (kills) {
        is_left = code == PAWL_ESTATE && is_left_running(handle, task, &op->view);
        pawl_kills_send(handle->engine, kills,
                        is_left || (code == PAWL_OK && event->was_running) ? task : NULL, 0);
    }
    if (is_left) {
        op->has_view = true;
        pawl_task_unref(task);
        return PAWL_OK;
    }
    if (code == PAWL_ENOENT)
        pawl_call_refuse_absent(task->key.bytes, task->key.len, err);
    if (code != PAWL_OK)
        return pawl_call_refuse(handle, op, task, event->is_unsettled, code,
                                code == PAWL_ENOENT ? "the task was deleted" : why);
    if (event->must_kill)
        pawl_kill_run(handle->engine, task, event->run);
    op->has_view = true;
    op->task = task;
    return pawl_call_commit(handle, op);
}

int
pawl_stop(struct pawl_handle *handle, const char *id, size_t id_len, bool kill,
          struct pawl_op *op, struct pawl_err *err)
{
    struct pawl_task *task = pawl_handle_find(handle, id, id_len);
    struct pawl_event event = {.kind = PAWL_EVENT_STOP, .is_kill = kill};
    struct pawl_kills kills;

    if (!task)
        return pawl_call_refuse_absent(id, id_len, err);
    if (kill && pawl_kills_make(handle->engine, &kills) != PAWL_OK) {
        pawl_kills_send(handle->engine, &kills, NULL, 0);
        pawl_task_unref(task);
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    }
    return change(handle, task, &event, kill ? &kills : NULL, op,
                  "the task is stopped or has run already", err);
}

/* The same of the task that has an id, without kills. */
static int
change_by_id(struct pawl_handle *handle, const char *id, size_t id_len, enum pawl_event_kind kind,
             struct pawl_op *op, const char *why, struct pawl_err *err)
{
    struct pawl_task *task = pawl_handle_find(handle, id, id_len);
    struct pawl_event event = {.kind = kind};

    if (!task)
        return pawl_call_refuse_absent(id, id_len, err);
    return change(handle, task, &event, NULL, op, why, err);
}

int
pawl_run(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_op *op,
         struct pawl_err *err)
{
    return change_by_id(handle, id, id_len, PAWL_EVENT_RUN, op, "the task is running or stopped",
                        err);
}

int
pawl_pause(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_op *op,
           struct pawl_err *err)
{
    return change_by_id(handle, id, id_len, PAWL_EVENT_PAUSE, op,
                        "the task is paused, stopped or over", err);
}

int
pawl_resume(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_op *op,
            struct pawl_err *err)
{
    return change_by_id(handle, id, id_len, PAWL_EVENT_RESUME, op, "the task is not paused", err);
}

int
pawl_delete(struct pawl_handle *handle, const char *id, size_t id_len, bool kill,
            struct pawl_op *op, struct pawl_err *err)
{
    struct pawl *engine = handle->engine;
    struct pawl_task *task = pawl_handle_find(handle, id, id_len);
    struct pawl_event event = {.kind = PAWL_EVENT_DELETE};
    struct pawl_kills kills = {0};
    int code = task ? PAWL_OK : PAWL_ENOENT;

    pawl_op_init(op, handle, PAWL_OP_DELETE);
    if (code == PAWL_OK && kill)
        code = pawl_kills_make(engine, &kills);
    if (code == PAWL_OK)
        code = pawl_change(handle, task, &event, err);
    pawl_kills_send(engine, &kills, code == PAWL_OK && event.was_running ? task : NULL, 0);
    if (code == PAWL_ENOENT)
        pawl_call_refuse_absent(id, id_len, err);
    else if (code != PAWL_OK)
        pawl_err_set(err, code, NULL, "out of memory");
    if (code != PAWL_OK && !task)
        return code;
    if (code != PAWL_OK)
        return pawl_call_refuse(handle, op, task, event.is_unsettled, code, "the task was deleted");
    op->task = task;
    return pawl_call_commit(handle, op);
}

void
pawl_expire(struct pawl_handle *handle, struct pawl_task *task)
{
    struct pawl_event event = {.kind = PAWL_EVENT_EXPIRE};

    pawl_change(handle, task, &event, NULL);    /* or it was deleted by somebody else */
}

/* --- Reading --- */

/* attempt: 0: the newest. */
static const struct pawl_result *
find_result(const struct pawl_view *view, uint64_t run, int attempt)
{
    for (size_t i = view->nresults; i-- > 0;) {
        if (view->results[i]->run == run && (attempt == 0 || view->results[i]->attempt == attempt))
            return view->results[i];
    }
    return NULL;
}

int
pawl_read_run(struct pawl_handle *handle, const char *id, size_t id_len, uint64_t run, int attempt,
              struct pawl_op *op, struct pawl_err *err)
{
    const struct pawl_result *result;
    struct pawl_view view;
    int code = PAWL_OK;

    pawl_op_init(op, handle, PAWL_OP_READ);
    if (pawl_get(handle, id, id_len, &view) != PAWL_OK)
        return pawl_call_refuse_absent(id, id_len, err);
    result = find_result(&view, run, attempt);
    if (!result) {
        code = pawl_err_set(err, PAWL_ENOENT, NULL, "the task has no result of a run %llu",
                            (unsigned long long) run);
    } else if (result->truncated && handle->engine->committer) {   /* the store may have it whole */
        op->task = view.private_task;
        op->run = run;
        op->attempt = result->attempt;
        pawl_task_ref(op->task);
        code = pawl_call_commit(handle, op);
    } else {
        op->result = pawl_result_copy(result);
        if (!op->result)
            code = pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    }
    pawl_view_release(&view);
    return code;
}
