/* change.c: the one door for changes of a task. Runs on whichever thread brings the event. */
#include "shared.h"
#include "keeper.h"
#include "ticker.h"
#include "watch.h"

int
pawl_change(struct pawl_handle *handle, struct pawl_task *task, struct pawl_event *event,
            struct pawl_err *err)
{
    struct pawl *engine = handle->engine;
    struct pawl_now now = pawl_now(engine);
    int code;

    event->now_ns = now.elapsed_ns;
    event->wall_ns = now.wall_ns;
    code = pawl_task_apply(task, handle->epoch, event, err);
    if (code != PAWL_OK)
        return code;
    if (event->delta_pending)
        pawl_count(&engine->pending, event->delta_pending);
    if (event->delta_output)
        pawl_count(&engine->output, event->delta_output);
    if (event->delta_memory) {
        int64_t bytes = pawl_count(&engine->memory, event->delta_memory);

        if (event->delta_memory > 0)
            pawl_keeper_added(engine->keeper, bytes);
    }
    pawl_watch_wake(task);
    if (event->rearm)
        pawl_ticker_arm(engine->ticker, task, event->next_due_ns);
    pawl_epoch_tidy(handle->epoch);
    return PAWL_OK;
}
