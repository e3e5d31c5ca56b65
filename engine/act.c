/* act.c: the changes of call.c, of the very task that a view shows: for who goes through many tasks.
 * Runs on the handle's thread. */
#include "shared.h"

int
pawl_act(struct pawl_handle *handle, const struct pawl_view *view, enum pawl_act act,
         bool kill, struct pawl_op *op, struct pawl_err *err)
{
    static int (*const calls[])(struct pawl_handle *, const char *, size_t, struct pawl_op *,
                                struct pawl_err *) = {
        [PAWL_ACT_RUN] = pawl_run, [PAWL_ACT_PAUSE] = pawl_pause, [PAWL_ACT_RESUME] = pawl_resume,
    };
    int code;

    handle->only = view->private_task;
    if (act == PAWL_ACT_DELETE)
        code = pawl_delete(handle, view->id, view->id_len, kill, op, err);
    else if (act == PAWL_ACT_STOP)
        code = pawl_stop(handle, view->id, view->id_len, kill, op, err);
    else
        code = calls[act](handle, view->id, view->id_len, op, err);
    handle->only = NULL;
    return code;
}
