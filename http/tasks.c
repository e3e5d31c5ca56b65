/* tasks.c: submit, stop, run, pause, resume and delete one task, each one change of the engine. */
#include "tasks.h"

#include "json_write.h"
#include "params.h"
#include "stream.h"

/* The engine's last word on a change. */
static void
answer_op(struct pawl_request *request)
{
    struct pawl_op *op = &request->op;

    if (op->code == PAWL_OK && op->has_view)
        pawl_request_log(request, request->done, op->view.id, op->view.id_len);
    else if (op->code == PAWL_OK)
        pawl_request_log(request, request->done, pawl_tasks_id(request)->text,
            pawl_tasks_id(request)->len);
    if (op->code != PAWL_OK) {
        struct pawl_problem problem;

        pawl_problem_from_op(&problem, op);
        pawl_request_refuse(request, &problem);
    } else if (op->has_view && request->is_submit) {
        pawl_stream_submitted(request, &op->view);
    } else if (op->has_view) {
        pawl_stream_task(request, &op->view);
    } else {
        pawl_buffer_append_str(&request->answer, "{\"id\":");
        pawl_json_write_string(&request->answer, pawl_tasks_id(request)->text,
            pawl_tasks_id(request)->len);
        pawl_buffer_append_str(&request->answer, ",\"deleted\":true}");
        pawl_request_answer(request, 200);
    }
}

static void
release_view(struct pawl_op *op)
{
    if (op->has_view)
        pawl_view_release(&op->view);
    op->has_view = false;
}

static void
op_done(struct pawl_op *op)
{
    struct pawl_request *request =
        (struct pawl_request *) ((char *) op - offsetof(struct pawl_request, op));

    if (request->conn != NULL)
        answer_op(request);
    release_view(op);
    pawl_request_op_end(request);
}

void
pawl_tasks_answer_call(struct pawl_request *request, int code, const struct pawl_err *err)
{
    if (code == PAWL_PENDING) {
        request->waits_for_store = true;
        pawl_request_op_begin(request);
    } else if (code == PAWL_OK) {
        request->op.code = PAWL_OK;
        answer_op(request);
        release_view(&request->op);
    } else {
        pawl_request_fail_err(request, err);
    }
}

void
pawl_tasks_begin_op(struct pawl_request *request, const char *done)
{
    request->done = done;
    request->is_submit = false;
    request->op.done = op_done;
    request->op.has_view = false;
}

void
pawl_tasks_refuse_spec(struct pawl_request *request, const struct pawl_spec *spec,
                       const struct pawl_err *err)
{
    struct pawl_problem problem;

    pawl_problem_from_err(&problem, err);
    pawl_json_locate_refusal(request->http->reader, spec, &problem);
    pawl_request_refuse(request, &problem);
}

void
pawl_tasks_submit(struct pawl_request *request)
{
    struct pawl_buffer *body = &request->body;
    struct pawl_problem problem;
    struct pawl_spec spec;
    struct pawl_err err;
    int code;

    if (pawl_buffer_reserve(body, PAWL_JSON_PADDING) == NULL) {
        pawl_request_fail(request, 503, NULL, "out of memory for the body");
        return;
    }
    if (pawl_json_read_task(request->http->reader, body->data, body->len, body->cap,
            &spec, &problem) == PAWL_OK) {
        pawl_tasks_begin_op(request, "submitted");
        request->is_submit = true;
        code = pawl_submit(request->http->handle, &spec, &request->op, &err);
        if (code == PAWL_EINVAL)
            pawl_tasks_refuse_spec(request, &spec, &err);
        else
            pawl_tasks_answer_call(request, code, &err);
    } else {
        pawl_request_refuse(request, &problem);
    }
    if (body->len > PAWL_BUFFER_KEEP)
        pawl_json_reader_trim(request->http->reader);
}

/* A change of the task that the path names. */
static void
change(struct pawl_request *request, const char *done,
       int (*call)(struct pawl_handle *, const char *, size_t, struct pawl_op *, struct pawl_err *))
{
    const struct pawl_text *id = pawl_tasks_id(request);
    struct pawl_err err;

    pawl_tasks_begin_op(request, done);
    pawl_tasks_answer_call(request, call(request->http->handle, id->text, id->len, &request->op, &err), &err);
}

void
pawl_tasks_stop(struct pawl_request *request)
{
    const struct pawl_text *id = pawl_tasks_id(request);
    struct pawl_err err;
    bool kill = false;

    if (!pawl_param_bool(request, "kill", &kill))
        return;
    pawl_tasks_begin_op(request, "stopped");
    pawl_tasks_answer_call(request,
        pawl_stop(request->http->handle, id->text, id->len, kill, &request->op, &err), &err);
}

void
pawl_tasks_ask(struct pawl_request *request)
{
    change(request, "asked to run", pawl_run);
}

void
pawl_tasks_pause(struct pawl_request *request)
{
    change(request, "paused", pawl_pause);
}

void
pawl_tasks_resume(struct pawl_request *request)
{
    change(request, "resumed", pawl_resume);
}

void
pawl_tasks_delete(struct pawl_request *request)
{
    const struct pawl_text *id = pawl_tasks_id(request);
    struct pawl_err err;
    bool kill = false;

    if (!pawl_param_bool(request, "kill", &kill))
        return;
    pawl_tasks_begin_op(request, "deleted");
    pawl_tasks_answer_call(request,
        pawl_delete(request->http->handle, id->text, id->len, kill, &request->op, &err),
        &err);
}
