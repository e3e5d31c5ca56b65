/* watch.c: shows one task, at once or when it changes. A client that waits is a suspended
 * connection and a watch of the engine, which come to an end together. */
#include "params.h"
#include "stream.h"
#include "tasks.h"

static void
answer_gone(struct pawl_request *request)
{
    const struct pawl_text *id = pawl_tasks_id(request);

    pawl_request_fail(
        request, 404, NULL, "no task has the id '%.*s'", (int) id->len, id->text);
}

static void
answer(struct pawl_request *request, const struct pawl_view *view)
{
    pawl_etag_write(view, request->http->service->epoch, request->etag);
    if (pawl_etag_matches(request->etag, request->if_none_match.text, request->if_none_match.len))
        pawl_request_answer(request, 304);
    else
        pawl_stream_task(request, view);
}

/* What the task is now. */
static void
answer_now(struct pawl_request *request)
{
    const struct pawl_text *id = pawl_tasks_id(request);
    struct pawl_view view;

    if (pawl_get(request->http->handle, id->text, id->len, &view) != PAWL_OK) {
        answer_gone(request);
        return;
    }
    answer(request, &view);
    pawl_view_release(&view);
}

static void
task_changed(struct pawl_watch *watch, const struct pawl_view *view)
{
    struct pawl_request *request =
        (struct pawl_request *) ((char *) watch - offsetof(struct pawl_request, watch));

    request->watching = false;
    if (view != NULL)
        answer(request, view);
    else
        answer_gone(request);
}

/* Starts to wait, unless the task has another version already. */
static void
watch(struct pawl_request *request, int64_t version, int64_t wait_ns)
{
    const struct pawl_text *id = pawl_tasks_id(request);
    struct pawl_http *http = request->http;
    struct pawl_view view;
    int code;

    request->watch.changed = task_changed;
    code = pawl_watch(http->handle, id->text, id->len, version, &request->watch, &view);
    switch (code) {
    case PAWL_OK:
        answer(request, &view);
        pawl_view_release(&view);
        break;
    case PAWL_PENDING:
        request->watching = true;
        if (wait_ns >= 0 && wait_ns < INT64_MAX - http->now_ns)
            pawl_request_wait(request, http->now_ns + wait_ns, answer_now);
        break;
    case PAWL_ENOENT:
        answer_gone(request);
        break;
    default:
        pawl_request_fail(request, 503, NULL, "out of memory for one more watch");
    }
}

void
pawl_tasks_get(struct pawl_request *request)
{
    bool watching = false;
    int64_t version = 0, wait_ns = -1;

    /* All are checked, also those that do not count without watch. */
    if (!pawl_param_bool(request, "watch", &watching) ||
        !pawl_param_int(request, "version", INT64_MIN, INT64_MAX, &version) ||
        !pawl_param_span(request, "wait", &wait_ns))
        return;
    if (watching && !request->http->stopping)
        watch(request, version, wait_ns);
    else
        answer_now(request);
}
