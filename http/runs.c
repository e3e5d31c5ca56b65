/* runs.c: the history of a task: its runs page by page, one of them, and what it wrote. The page
 * is taken from the task's state, as it is at that moment; a single run comes with its whole
 * output, which may have to be read from the store first. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_write.h"
#include "params.h"
#include "stream.h"
#include "tasks.h"

/* "/api/tasks/{id}/runs/{n}": the number in the path, 0 for what is none. */
static uint64_t
run_of(const struct pawl_request *request)
{
    const struct pawl_text *text = &request->uri.segments[4];
    uint64_t run = 0;

    if (text->len > 19)
        return 0;
    for (size_t i = 0; i < text->len; i++) {
        if (text->text[i] < '0' || text->text[i] > '9')
            return 0;
        run = run * 10 + (uint64_t) (text->text[i] - '0');
    }
    return run;
}

static void
fail_no_task(struct pawl_request *request)
{
    const struct pawl_text *id = pawl_tasks_id(request);

    pawl_request_fail(
        request, 404, NULL, "no task has the id '%.*s'", (int) id->len, id->text);
}

/* --- The list --- */

/* How many results stand before that of this attempt of this run; where it is not there, up to the last
 * one with a smaller number. They stand in the order of their ends, which with overlap allow is not that
 * of their numbers. */
static size_t
count_before(const struct pawl_view *view, uint64_t run, int64_t attempt)
{
    size_t end = 0;

    for (size_t i = 0; i < view->nresults; i++) {
        const struct pawl_result *result = view->results[i];

        if (result->run == run && result->attempt == attempt)
            return i;
        if (result->run < run || (result->run == run && result->attempt < attempt))
            end = i + 1;
    }
    return end;
}

static void
link_next(struct pawl_request *request, int64_t limit, const struct pawl_result *before)
{
    const struct pawl_text *id = pawl_tasks_id(request);
    struct pawl_buffer *link = &request->link;
    char query[120], attempt[40] = "";

    pawl_buffer_append_str(link, "</api/tasks/");
    pawl_uri_encode(link, id->text, id->len);
    if (before->attempt > 1)
        snprintf(attempt, sizeof attempt, "&attempt=%d", before->attempt);
    snprintf(query, sizeof query, "/runs?limit=%lld&before=%llu%s>; rel=\"next\"",
        (long long) limit, (unsigned long long) before->run, attempt);
    pawl_buffer_append_str(link, query);
}

void
pawl_tasks_runs(struct pawl_request *request)
{
    const struct pawl_text *id = pawl_tasks_id(request);
    int64_t limit = PAWL_KEEP_MAX, before = INT64_MAX, attempt = 1;
    struct pawl_view view;
    size_t end, n;

    if (!pawl_param_int(request, "limit", 1, PAWL_KEEP_MAX, &limit) ||
        !pawl_param_int(request, "before", 1, INT64_MAX, &before) ||
        !pawl_param_int(request, "attempt", 1, INT_MAX, &attempt))
        return;
    if (attempt > 1 && before == INT64_MAX) {
        pawl_request_fail(request, 400, "attempt", "attempt goes with before: attempts of which run?");
        return;
    }
    if (pawl_get(request->http->handle, id->text, id->len, &view) != PAWL_OK) {
        fail_no_task(request);
        return;
    }
    end = count_before(&view, (uint64_t) before, attempt);
    n = end < (size_t) limit ? end : (size_t) limit;
    if (n < end)
        link_next(request, limit, view.results[end - n]);
    pawl_stream_runs(request, &view, end, n);
    pawl_view_release(&view);
}

/* --- One run --- */

/* What became of reading it. */
static void
answer_read(struct pawl_request *request,
            void (*answer)(struct pawl_request *request, const struct pawl_result *result))
{
    const struct pawl_text *id = pawl_tasks_id(request), *run = &request->uri.segments[4];
    int code = request->op.code;

    if (code == PAWL_OK) {
        answer(request, request->op.result);
    } else if (code == PAWL_ENOENT) {
        pawl_request_fail(request, 404, NULL, "no %srun %.*s of the task '%.*s' is kept",
            pawl_uri_param(&request->uri, "attempt") != NULL ? "such attempt of " : "", (int) (run->len < 20 ? run->len : 20), run->text, (int) id->len, id->text);
    } else {
        struct pawl_problem problem;

        pawl_problem_from_op(&problem, &request->op);
        pawl_request_refuse(request, &problem);
    }
}

/* Begins to read it, or answers why not. */
static void
read_run(struct pawl_request *request, void (*done)(struct pawl_op *op))
{
    const struct pawl_text *id = pawl_tasks_id(request);
    struct pawl_op *op = &request->op;
    int64_t attempt = 0;                /* the newest */
    struct pawl_view view;
    struct pawl_err err;
    int code;

    if (!pawl_param_int(request, "attempt", 1, INT_MAX, &attempt))
        return;
    if (pawl_get(request->http->handle, id->text, id->len, &view) != PAWL_OK) {
        fail_no_task(request);
        return;
    }
    pawl_view_release(&view);
    op->done = done;
    op->has_view = false;
    op->result = NULL;
    code = pawl_read_run(
        request->http->handle, id->text, id->len, run_of(request), (int) attempt, op, &err);
    if (code != PAWL_OK && code != PAWL_ENOENT && code != PAWL_PENDING) {
        pawl_request_fail_err(request, &err);
        return;
    }
    pawl_request_op_begin(request);
    if (code == PAWL_PENDING)
        return;
    op->code = code;
    done(op);
}

/* The end of it; the request may be gone after this, or wait for it with nobody there. */
static void
end_read(struct pawl_op *op,
         void (*answer)(struct pawl_request *request, const struct pawl_result *result))
{
    struct pawl_request *request =
        (struct pawl_request *) ((char *) op - offsetof(struct pawl_request, op));

    if (request->conn != NULL)
        answer_read(request, answer);
    free(op->result);
    op->result = NULL;
    pawl_request_op_end(request);
}

static void
answer_document(struct pawl_request *request, const struct pawl_result *result)
{
    pawl_json_write_result(&request->answer, result);
    pawl_request_answer(request, 200);
}

static void
answer_output(struct pawl_request *request, const struct pawl_result *result)
{
    const struct pawl_text *stream = pawl_uri_param(&request->uri, "stream");
    bool is_err = stream != NULL && pawl_text_is(stream, "stderr");

    request->content_type = "text/plain; charset=utf-8";
    if (is_err)
        pawl_buffer_append(&request->answer, result->err, result->err_len);
    else
        pawl_buffer_append(&request->answer, result->out, result->out_len);
    pawl_request_answer(request, 200);
}

static void
document_read(struct pawl_op *op)
{
    end_read(op, answer_document);
}

static void
output_read(struct pawl_op *op)
{
    end_read(op, answer_output);
}

void
pawl_tasks_run(struct pawl_request *request)
{
    read_run(request, document_read);
}

void
pawl_tasks_output(struct pawl_request *request)
{
    const struct pawl_text *stream = pawl_uri_param(&request->uri, "stream");

    if (stream != NULL && !pawl_text_is(stream, "stdout") && !pawl_text_is(stream, "stderr")) {
        pawl_request_fail(request, 400, "stream", "stream must be stdout or stderr, not '%.*s'",
            (int) (stream->len < 64 ? stream->len : 64), stream->text);
        return;
    }
    read_run(request, output_read);
}
