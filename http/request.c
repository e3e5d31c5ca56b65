/* request.c: see request.h. The life of a request without libmicrohttpd: its pool, its
 * answer, its waits. exchange.c connects it with a connection. */
#include "request.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bulk.h"
#include "copy.h"
#include "forecast.h"
#include "ndjson.h"
#include "stream.h"

#define POOL_MAX 64             /* unused requests that a thread keeps, */
#define KEEP_BYTES ((size_t) 32 << 10)  /* with buffers no larger than this */

struct pawl_request *
pawl_request_take(struct pawl_http *http)
{
    struct pawl_request *request = http->pool;

    if (request != NULL) {
        http->pool = request->next;
        http->npool--;
    } else {
        request = calloc(1, sizeof *request);
        if (request == NULL)
            return NULL;
        pawl_buffer_init(&request->target);
        pawl_buffer_init(&request->body);
        pawl_buffer_init(&request->answer);
        pawl_buffer_init(&request->link);
        request->http = http;
    }
    request->begun_ns = http->now_ns;
    http->nactive++;
    return request;
}

static void
free_request(struct pawl_request *request)
{
    pawl_buffer_fini(&request->target);
    pawl_buffer_fini(&request->body);
    pawl_buffer_fini(&request->answer);
    pawl_buffer_fini(&request->link);
    free(request);
}

static void
reset_buffer(struct pawl_buffer *buffer)
{
    if (buffer->cap > KEEP_BYTES)
        pawl_buffer_fini(buffer);
    else
        pawl_buffer_reset(buffer);
}

/* As calloc() left it, but for the buffers. */
static void
reset(struct pawl_request *request)
{
    reset_buffer(&request->target);
    reset_buffer(&request->body);
    reset_buffer(&request->answer);
    reset_buffer(&request->link);
    request->conn = NULL;
    request->mhd = NULL;
    request->state = PAWL_REQUEST_BEGUN;
    request->method_name[0] = request->id[0] = '\0';
    request->is_head = request->suspended = request->resuming = false;
    request->waits_for_store = request->parked = false;
    request->route = NULL;
    request->status = 0;
    request->is_problem = request->must_close = false;
    request->content_type = request->disposition = NULL;
    request->etag[0] = '\0';
    request->allow = 0;
    request->retry_after_s = 0;
    request->read = NULL;
    request->refused.status = 0;
}

void
pawl_request_release(struct pawl_request *request)
{
    struct pawl_http *http = request->http;

    request->conn = NULL;
    if (request->nops > 0)
        return;
    pawl_stream_free(request);
    pawl_outlook_free(request);
    pawl_ndjson_free(request);
    pawl_bulk_free(request);
    pawl_copy_free(request);
    if (request->has_file)
        close(request->file_fd);
    request->has_file = false;
    http->nactive--;
    http->held_bytes -= request->held_bytes;
    request->held_bytes = 0;
    if (http->npool >= POOL_MAX) {
        free_request(request);
        return;
    }
    reset(request);
    request->next = http->pool;
    http->pool = request;
    http->npool++;
}

void
pawl_request_pool_free(struct pawl_http *http)
{
    while (http->pool != NULL) {
        struct pawl_request *request = http->pool;

        http->pool = request->next;
        free_request(request);
    }
    http->npool = 0;
}

void
pawl_request_op_begin(struct pawl_request *request)
{
    request->nops++;
    request->http->nops++;
}

bool
pawl_request_op_end(struct pawl_request *request)
{
    request->nops--;
    request->http->nops--;
    if (request->conn != NULL)
        return true;
    pawl_request_release(request);
    return false;
}

bool
pawl_request_gather(struct pawl_request *request, const char *data, size_t len,
    struct pawl_problem *out_problem)
{
    struct pawl_http *http = request->http;
    size_t max = http->service->max_held_bytes;

    if (request->body.len + len > PAWL_BODY_SMALL && http->held_bytes + len > max) {
        pawl_problem_set(out_problem, 503, NULL,
            "the bodies of all requests together fill %zu bytes", max);
        out_problem->retry_after_s = 1;
        return false;
    }
    pawl_buffer_append(&request->body, data, len);
    http->held_bytes += request->body.cap - request->held_bytes;
    request->held_bytes = request->body.cap;
    if (request->body.failed)
        pawl_problem_set(out_problem, 503, NULL, "out of memory for the body");
    return !request->body.failed;
}

void
pawl_request_drop_body(struct pawl_request *request)
{
    pawl_buffer_fini(&request->body);
    request->http->held_bytes -= request->held_bytes;
    request->held_bytes = 0;
}

/* Queues the connection to be resumed with others: each resume walks all that are
 * suspended. */
static void
finish(struct pawl_request *request, enum pawl_request_state state)
{
    struct pawl_http *http = request->http;

    request->state = state;
    pawl_request_forget(request);
    if (!request->suspended || request->resuming)
        return;
    request->resuming = true;
    request->next = NULL;
    *http->resumes_end = request;
    http->resumes_end = &request->next;
    http->nresumes++;
}

void
pawl_request_answer(struct pawl_request *request, int status)
{
    if (request->answer.failed) {
        pawl_request_fail(request, 503, NULL, "out of memory for the answer");
        return;
    }
    request->status = status;
    finish(request, PAWL_REQUEST_ANSWERED);
}

void
pawl_request_stream(struct pawl_request *request, int status,
                    ssize_t (*read)(struct pawl_request *request, char *out, size_t max))
{
    request->read = read;
    pawl_request_answer(request, status);
    if (request->is_problem)
        request->read = NULL;
}

void
pawl_request_file(struct pawl_request *request, int status, int fd, uint64_t nbytes)
{
    request->has_file = true;
    request->file_fd = fd;
    request->file_bytes = nbytes;
    pawl_request_answer(request, status);
}

void
pawl_request_refuse(struct pawl_request *request, const struct pawl_problem *problem)
{
    pawl_buffer_reset(&request->answer);
    pawl_problem_write(&request->answer, problem);
    /* Without memory even for this the answer is empty: the status still says it. */
    request->answer.failed = false;
    request->is_problem = true;
    request->status = problem->status;
    request->retry_after_s = problem->retry_after_s;
    finish(request, PAWL_REQUEST_ANSWERED);
}

void
pawl_request_fail(struct pawl_request *request, int status, const char *field,
                  const char *format, ...)
{
    struct pawl_problem problem;
    va_list args;

    va_start(args, format);
    pawl_problem_vset(&problem, status, field, format, args);
    va_end(args);
    pawl_request_refuse(request, &problem);
}

void
pawl_request_fail_err(struct pawl_request *request, const struct pawl_err *err)
{
    struct pawl_problem problem;

    pawl_problem_from_err(&problem, err);
    pawl_request_refuse(request, &problem);
}

void
pawl_request_cut(struct pawl_request *request)
{
    finish(request, PAWL_REQUEST_CUT);
}

void
pawl_request_continue(struct pawl_request *request)
{
    finish(request, request->state);
}

void
pawl_request_forget(struct pawl_request *request)
{
    struct pawl_http *http = request->http;

    if (request->watching) {
        request->watching = false;
        pawl_unwatch(http->handle, &request->watch);
    }
    if (request->wait_ns == 0)
        return;
    request->wait_ns = 0;
    if (request->wait_prev != NULL)
        request->wait_prev->wait_next = request->wait_next;
    else
        http->waits = request->wait_next;
    if (request->wait_next != NULL)
        request->wait_next->wait_prev = request->wait_prev;
    else
        http->waits_last = request->wait_prev;
}

/* Waits that begin later mostly end later: the place is near the end. */
void
pawl_request_wait(struct pawl_request *request, int64_t until_ns,
                  void (*wait_over)(struct pawl_request *request))
{
    struct pawl_http *http = request->http;
    struct pawl_request *before = http->waits_last;

    request->wait_ns = until_ns > 0 ? until_ns : 1;
    request->wait_over = wait_over;
    while (before != NULL && before->wait_ns > until_ns)
        before = before->wait_prev;
    request->wait_prev = before;
    request->wait_next = before != NULL ? before->wait_next : http->waits;
    if (before != NULL)
        before->wait_next = request;
    else
        http->waits = request;
    if (request->wait_next != NULL)
        request->wait_next->wait_prev = request;
    else
        http->waits_last = request;
}

void
pawl_waits_expire(struct pawl_http *http)
{
    while (http->waits != NULL && http->waits->wait_ns <= http->now_ns) {
        struct pawl_request *request = http->waits;

        pawl_request_forget(request);
        request->wait_over(request);
    }
}

int64_t
pawl_waits_next(const struct pawl_http *http)
{
    return http->waits != NULL ? http->waits->wait_ns : PAWL_NO_DEADLINE;
}

void
pawl_request_log(const struct pawl_request *request, const char *what, const char *id,
                 size_t id_len)
{
    const struct pawl_log *log = request->http->service->log;
    char text[PAWL_ID_MAX + 1];
    struct pawl_log_field fields[] = {
        {"request", request->id, false}, {"task", text, false}};

    if (!pawl_log_has(log, PAWL_LOG_DEBUG))
        return;
    memcpy(text, id, id_len);
    text[id_len] = '\0';
    pawl_log_write(log, PAWL_LOG_DEBUG, fields, 2, "%s", what);
}
