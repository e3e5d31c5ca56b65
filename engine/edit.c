/* edit.c: the calls that make a task another one in place. Runs on the handle's thread.
 *
 * A specification is made from a view: from what the task was when somebody looked. The change goes
 * through only if the task still has the definition of that view, so that of two edits at the same
 * time neither is lost: the second one is told PAWL_ESTALE, and made anew. Runs that begin and end
 * meanwhile do not matter. Since an edit that is decided may not be durable yet, views to edit are of
 * the state that is decided. */
#include "call.h"

#include "err.h"
#include "policy.h"
#include "spec.h"
#include "wall.h"

#include <stdlib.h>
#include <string.h>

int
pawl_edit_begin(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_view *out_view,
                struct pawl_err *err)
{
    struct pawl_task *task = pawl_handle_find(handle, id, id_len);
    struct pawl_now now = pawl_now(handle->engine);
    const struct pawl_snapshot *snapshot;

    if (!task)
        return pawl_call_refuse_absent(id, id_len, err);
    pawl_epoch_begin(handle->epoch);
    snapshot = pawl_task_read_decided(task, NULL);
    if (!snapshot)              /* a deletion that is not durable yet: pawl_edit() says so when it is */
        snapshot = pawl_task_read(task, NULL);
    if (snapshot)
        pawl_task_view(task, snapshot, &now, pawl_engine_is_full(handle->engine), out_view);
    pawl_epoch_end(handle->epoch);
    pawl_task_unref(task);
    return snapshot ? PAWL_OK : pawl_call_refuse_absent(id, id_len, err);
}

/* --- The new definition --- */

static enum pawl_kill_mode
kill_mode_of(const struct pawl_action *action)
{
    return action ? action->kill_mode : PAWL_KILL_GROUP;
}

/* Whether it is to be run by the programs that it has. */
static bool
needs_the_same(const struct pawl_action *a, const struct pawl_action *b)
{
    const char *of_a = a && a->interpreter ? a->interpreter : "bash";
    const char *of_b = b && b->interpreter ? b->interpreter : "bash";

    return strcmp(of_a, of_b) == 0 && kill_mode_of(a) == kill_mode_of(b);
}

/* What could never be: another task, or what a submit refuses. */
static int
check(struct pawl_handle *handle, const struct pawl_view *view, const struct pawl_spec *spec,
      struct pawl_err *err)
{
    int code;

    if (spec->id_len != view->id_len || memcmp(spec->id, view->id, view->id_len) != 0)
        return pawl_err_set(err, PAWL_EINVAL, "id",
                            "id cannot be changed: submit another task, and delete this one");
    if (spec->type != view->type)
        return pawl_err_set(err, PAWL_EINVAL, "taskType",
                            "taskType cannot be changed: delete the task and submit it again");
    code = pawl_spec_check(spec, err);
    if (code == PAWL_OK && spec->action && !needs_the_same(spec->action, view->action))
        code = pawl_call_check_programs(handle->engine, spec->action, err);
    return code;
}

/* The schedule that the task has, once more. */
static int
copy_schedule(const struct pawl_view *view, const struct pawl_schedule *schedule,
              struct pawl_schedule **out_schedule, struct pawl_err *err)
{
    struct pawl_schedule_basis basis = {
        .id = view->id, .id_len = view->id_len, .type = view->type,
        .created_ns = schedule->created_ns, .origin_ns = schedule->origin_ns,
        .offset_ns = schedule->offset_ns, .is_stored = true,
    };

    return pawl_schedule_new(&schedule->when, &basis, out_schedule, err);
}

/* Compiles when the task fires. What says the same as before is the schedule that it has, counted from
 * where it was. */
static int
schedule(const struct pawl_view *view, const struct pawl_spec *spec, const struct pawl_now *now,
         struct pawl_schedule **out_schedule, bool *out_is_new, struct pawl_err *err)
{
    const struct pawl_def *basis = view->private_def;
    const struct pawl_schedule *old = pawl_def_schedule(basis);
    int code;

    *out_schedule = NULL;
    *out_is_new = old || spec->time_ns != basis->time_ns;
    if (!spec->when)
        return PAWL_OK;
    *out_is_new = !old || !pawl_when_equals(spec->when, &old->when);
    if (!*out_is_new)
        return copy_schedule(view, old, out_schedule, err);
    code = pawl_call_compile(spec, now, true, out_schedule, err);
    if (code != PAWL_OK || !old || !pawl_when_equals(&(*out_schedule)->when, &old->when))
        return code;
    free(*out_schedule);                /* the same by another name */
    *out_is_new = false;
    return copy_schedule(view, old, out_schedule, err);
}

/* When the task fires first by its new definition. */
static struct pawl_due
first_of(const struct pawl_def *def, const struct pawl_now *now)
{
    return pawl_def_schedule(def) ? pawl_schedule_anew(pawl_def_schedule(def), now)
                                  : pawl_def_first(def, now);
}

/* Makes what the task is to be. A task that had policies keeps a place for what they remember. */
static int
define(struct pawl_handle *handle, const struct pawl_view *view, const struct pawl_spec *spec,
       const struct pawl_now *now, struct pawl_event *event, struct pawl_err *err)
{
    struct pawl_spec kept = *spec;
    struct pawl_policy usual;
    struct pawl_schedule *compiled;
    int code = schedule(view, spec, now, &compiled, &event->is_rescheduled, err);

    if (code != PAWL_OK)
        return code;
    pawl_policy_init(&usual);
    if (!spec->policy || pawl_policy_is_usual(spec->policy))
        kept.policy = view->policy ? &usual : NULL;
    event->basis = view->private_def;
    event->edited = pawl_def_new(&kept, handle->engine->options.keep_results, compiled);
    if (!event->edited)
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    event->due = first_of(event->edited, now);
    return PAWL_OK;
}

/* --- The edit --- */

/* Lets the edit happen, and its view is that of op. */
static int
apply(struct pawl_handle *handle, struct pawl_task *task, struct pawl_event *event,
      struct pawl_op *op, struct pawl_err *err)
{
    struct pawl *engine = handle->engine;
    int64_t grows = (int64_t) pawl_def_bytes(event->edited) - (int64_t) pawl_def_bytes(event->basis);
    int code = pawl_call_check_store(engine, err);

    if (code == PAWL_OK && grows > 0)
        code = pawl_call_take_memory(engine, grows, err);
    if (code != PAWL_OK)
        return code;
    pawl_op_init(op, handle, PAWL_OP_CHANGE);
    event->view = &op->view;
    code = pawl_change(handle, task, event, err);
    pawl_snapshot_free_unused(event->spare);
    if (grows > 0)
        pawl_count(&engine->memory, -grows);        /* the change counts for itself */
    return code;
}

int
pawl_edit(struct pawl_handle *handle, const struct pawl_view *view, const struct pawl_spec *spec,
          int64_t version, struct pawl_op *op, struct pawl_err *err)
{
    struct pawl_event event = {.kind = PAWL_EVENT_EDIT, .version = version};
    struct pawl_now now = pawl_now(handle->engine);
    struct pawl_task *task = view->private_task;
    int code = check(handle, view, spec, err);
    bool is_decided = false;

    if (code == PAWL_OK)
        code = define(handle, view, spec, &now, &event, err);
    if (code != PAWL_OK)
        return code;
    pawl_task_ref(task);
    code = apply(handle, task, &event, op, err);
    if (code == PAWL_OK && pawl_def_follows_wall(event.edited))
        pawl_wall_check(handle, task, now.wall_ns - now.elapsed_ns);    /* by which it was compiled */
    is_decided = code == PAWL_ENOENT || code == PAWL_ESTATE;
    pawl_def_unref(event.edited);
    if (code == PAWL_ENOENT)
        pawl_call_refuse_absent(view->id, view->id_len, err);
    if (code != PAWL_OK)
        return pawl_call_refuse(handle, op, task, is_decided && event.is_unsettled, code,
                                code == PAWL_ENOENT ? "the task was deleted"
                                : "the task is at another version by now, stopped, or over, so that "
                                  "what you ask for cannot be changed: get it again");
    op->has_view = true;
    op->task = task;
    return pawl_call_commit(handle, op);
}
