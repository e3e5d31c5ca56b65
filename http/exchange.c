/* exchange.c: see exchange.h.
 *
 * libmicrohttpd calls the access handler once when the headers are complete, then with
 * each piece of the body, then once more; a suspended connection's last call is
 * repeated when it is resumed. An answer can be queued in the first and the last call
 * only, so a body that is refused while it arrives is answered by hand on the socket. */
#include "exchange.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "head.h"
#include "ndjson.h"
#include "routes.h"
#include "thread.h"

#define STREAM_BLOCK 16384      /* of a long answer to a client without chunks */
#define PARKED_MAX 512          /* requests looked at in each turn, more are suspended */
#define PARKED_NS 1000000000    /* older ones, too: libmicrohttpd would end them as idle */

static struct pawl_conn *
conn_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

void *
pawl_exchange_begin(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct pawl_conn *conn = conn_of(mhd);
    struct pawl_request *request = conn != NULL ? pawl_request_take(cls) : NULL;

    if (request == NULL)
        return NULL;
    request->conn = conn;
    conn->request = request;
    request->mhd = mhd;
    if (uri != NULL)
        pawl_buffer_append_str(&request->target, uri);
    request->target_len = request->target.len;
    return request;
}

/* --- Headers --- */

static struct pawl_text *
place_of(struct pawl_head *head, const char *name, size_t len)
{
    switch (len) {
    case 4:
        return strcasecmp(name, "Host") == 0 ? (head->nhosts++, &head->host) : NULL;
    case 6:
        return strcasecmp(name, "Origin") == 0 ? (head->norigins++, &head->origin) : NULL;
    case 12:
        return strcasecmp(name, "Content-Type") == 0       ? &head->content_type
            : strcasecmp(name, "X-Request-ID") == 0 ? &head->request_id
                                                    : NULL;
    case 13:
        return strcasecmp(name, "If-None-Match") == 0 ? &head->if_none_match : NULL;
    case 14:
        return strcasecmp(name, "Content-Length") == 0
            ? (head->nlengths++, &head->content_length)
            : NULL;
    case 16:
        return strcasecmp(name, "Content-Encoding") == 0 ? &head->content_encoding : NULL;
    case 17:
        return strcasecmp(name, "Transfer-Encoding") == 0
            ? (head->nencodings++, &head->transfer_encoding)
            : NULL;
    default:
        return NULL;
    }
}

static enum MHD_Result
read_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
            const char *value, size_t value_len)
{
    struct pawl_head *head = cls;
    struct pawl_text *place = place_of(head, name, name_len);

    (void) kind;
    if (name_len == 0 || memchr(name, ' ', name_len) || memchr(name, '\t', name_len))
        head->has_bad_name = true;
    if (place != NULL)
        *place = (struct pawl_text){value != NULL ? value : "", value_len};
    else if (name_len == 6 && strcasecmp(name, "Expect") == 0)
        head->expects_continue =
            value_len == 12 && strcasecmp(value, "100-continue") == 0;
    return MHD_YES;
}

/* --- Answers --- */

static ssize_t
read_stream(void *cls, uint64_t pos, char *out, size_t max)
{
    struct pawl_request *request = cls;
    ssize_t n = request->read(request, out, max);

    (void) pos;
    request->http->nsteps++;
    if (n == PAWL_READ_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    return n == PAWL_READ_FAILED ? MHD_CONTENT_READER_END_WITH_ERROR : n;
}

static void
add_headers(struct pawl_request *request, struct MHD_Response *response)
{
    char number[16];

    if (request->is_problem)
        MHD_add_response_header(response, "Content-Type", "application/problem+json");
    else if (request->content_type != NULL)
        MHD_add_response_header(response, "Content-Type", request->content_type);
    else if (request->answer.len > 0 || request->read != NULL)
        MHD_add_response_header(response, "Content-Type", "application/json");
    if (request->content_type != NULL)      /* what scripts wrote is no page of ours */
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (request->disposition != NULL && !request->is_problem)
        MHD_add_response_header(response, "Content-Disposition", request->disposition);
    if (request->etag[0] != '\0' && !request->is_problem)
        MHD_add_response_header(response, "ETag", request->etag);
    MHD_add_response_header(response, "X-Request-ID", request->id);
    if (request->link.len > 0 && !request->link.failed) {
        pawl_buffer_append(&request->link, "", 1);
        if (!request->link.failed)
            MHD_add_response_header(response, "Link", request->link.data);
    }
    if (request->allow != 0) {
        pawl_buffer_reset(&request->link);
        pawl_methods_write(&request->link, request->allow);
        pawl_buffer_append(&request->link, "", 1);
        if (!request->link.failed)
            MHD_add_response_header(response, "Allow", request->link.data);
    }
    if (request->retry_after_s > 0) {
        snprintf(number, sizeof number, "%d", request->retry_after_s);
        MHD_add_response_header(response, "Retry-After", number);
    }
    if (request->must_close || request->http->stopping ||
        atomic_load_explicit(&request->http->service->draining, memory_order_relaxed))
        MHD_add_response_header(response, "Connection", "close");
}

/* The body stays in the request, which outlives the response; a file is the response's. */
static struct MHD_Response *
make_response(struct pawl_request *request)
{
    struct MHD_Response *response;

    if (request->has_file && !request->is_problem) {
        response = MHD_create_response_from_fd64(request->file_bytes, request->file_fd);
        request->has_file = response == NULL;
        return response;
    }
    if (request->read != NULL) {
        response = MHD_create_response_from_callback(
            MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, request, NULL);
        /* libmicrohttpd sends the last chunk to HEAD, too; a client would take it for the beginning
         * of the next answer. Without chunks there is none, but the connection ends. */
        if (response != NULL && request->is_head)
            MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
        return response;
    }
    return MHD_create_response_from_buffer(
        request->answer.len, request->answer.data, MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result
queue_answer(struct pawl_request *request)
{
    struct MHD_Response *response = make_response(request);
    enum MHD_Result queued;

    if (response == NULL)
        return MHD_NO;
    add_headers(request, response);
    queued = MHD_queue_response(request->mhd, (unsigned) request->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* Answers by hand while the body still arrives, and goes on reading for a moment:
 * closing a socket with unread bytes resets it, and the client might never see the
 * answer. */
static void
refuse_by_hand(struct pawl_request *request, const struct pawl_problem *problem)
{
    char head[400], retry[32] = "";
    int len;

    if (problem->retry_after_s > 0)
        snprintf(retry, sizeof retry, "Retry-After: %d\r\n", problem->retry_after_s);
    pawl_request_refuse(request, problem);
    len = snprintf(head, sizeof head,
        "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\n"
        "Content-Length: %zu\r\n%sX-Request-ID: %s\r\nConnection: close\r\n\r\n",
        problem->status, problem->title, request->answer.len, retry, request->id);
    if (send(request->conn->fd, head, (size_t) len,
            MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE) == len &&
        send(request->conn->fd, request->answer.data, request->answer.len,
            MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        /* The client is gone, or does not read: the connection ends all the same. */
    }
    shutdown(request->conn->fd, SHUT_WR);
    pawl_request_drop_body(request);
    request->state = PAWL_REQUEST_LINGERING;
    pawl_conn_enter(&request->http->deadlines, request->conn, PAWL_PHASE_LINGER,
        request->http->now_ns);
}

static enum MHD_Result
suspend(struct pawl_request *request)
{
    struct pawl_http *http = request->http;

    request->suspended = true;
    http->nsuspended++;
    pawl_conn_enter(&http->deadlines, request->conn, PAWL_PHASE_BUSY, http->now_ns);
    MHD_suspend_connection(request->mhd);
    if (request->watching || request->bulk != NULL) {
        /* A suspended connection's end goes unnoticed otherwise. */
        struct epoll_event event = {
            .events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = request->conn};

        request->conn->is_watched =
            epoll_ctl(http->epoll_fd, EPOLL_CTL_ADD, request->conn->fd, &event) == 0;
    }
    return MHD_YES;
}

static bool
may_park(const struct pawl_request *request)
{
    return request->http->now_ns - request->begun_ns < PARKED_NS;
}

/* Waits for the store without leaving libmicrohttpd's epoll set: it calls again in each turn of the
 * loop. A commit takes a fraction of a millisecond; to suspend and resume costs as much processor
 * as a third of a submit. */
static enum MHD_Result
park(struct pawl_request *request)
{
    request->parked = true;
    request->http->nparked++;
    return MHD_YES;
}

static void
unpark(struct pawl_request *request)
{
    request->http->nparked -= request->parked;
    request->parked = false;
}

void
pawl_exchange_resume(struct pawl_http *http)
{
    struct pawl_request *request = http->resumes;

    http->resumes = NULL;
    http->resumes_end = &http->resumes;
    http->nresumes = 0;
    for (struct pawl_request *next; request != NULL; request = next) {
        next = request->next;
        if (request->conn->is_watched)
            epoll_ctl(http->epoll_fd, EPOLL_CTL_DEL, request->conn->fd, NULL);
        request->conn->is_watched = false;
        request->suspended = request->resuming = false;
        http->nsuspended--;
        if (request->state == PAWL_REQUEST_BODY)
            pawl_conn_enter(
                &http->deadlines, request->conn, PAWL_PHASE_BODY, http->now_ns);
        MHD_resume_connection(request->mhd);
    }
}

/* --- The three calls --- */

static enum MHD_Result
on_headers(struct pawl_request *request, const char *method)
{
    struct pawl_head head = {.nhosts = 0};
    bool has_body;

    request->method = pawl_method_of(method, &request->is_head);
    snprintf(request->method_name, sizeof request->method_name, "%s", method);
    MHD_get_connection_values_n(request->mhd, MHD_HEADER_KIND, read_header, &head);
    pawl_head_check(request, &head);
    has_body = pawl_head_has_body(&head);
    request->state = PAWL_REQUEST_BODY;
    pawl_conn_enter(&request->http->deadlines, request->conn,
        has_body ? PAWL_PHASE_BODY : PAWL_PHASE_BUSY, request->http->now_ns);
    if (request->refused.status == 0)
        return MHD_YES;
    if (request->must_close || (has_body && head.expects_continue)) {
        pawl_request_refuse(request, &request->refused);
        return queue_answer(request);
    }
    if (has_body && request->refused.status == 413)
        refuse_by_hand(request, &request->refused);
    return MHD_YES;
}

static enum MHD_Result
on_body(struct pawl_request *request, const char *data, size_t *size)
{
    const struct pawl_route *route = request->route;
    size_t max = request->http->service->max_body_bytes;
    struct pawl_problem problem;

    /* Pieces of one read follow each other whether we are suspended or not. */
    if (request->suspended)
        return MHD_YES;
    if (request->state == PAWL_REQUEST_BODY && request->refused.status == 0 &&
        route != NULL && route->is_ndjson) {
        size_t taken = pawl_ndjson_feed(request, data, *size);

        request->conn->body_bytes += taken;
        *size -= taken;
        if (*size > 0)
            suspend(request);
        if (*size > 0 && pawl_ndjson_wants_turn(request))
            pawl_request_continue(request);
        return MHD_YES;
    }
    request->conn->body_bytes += *size;
    if (request->state == PAWL_REQUEST_BODY && request->conn->body_bytes > max) {
        pawl_problem_set(
            &problem, 413, NULL, "the body has more than %zu bytes: --max-body", max);
        refuse_by_hand(request, &problem);
    } else if (request->state == PAWL_REQUEST_BODY && request->refused.status == 0 &&
        route != NULL && route->takes_body &&
        !pawl_request_gather(request, data, *size, &problem)) {
        refuse_by_hand(request, &problem);
    }
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result
on_end(struct pawl_request *request)
{
    if (request->suspended ||
        (request->parked && request->state == PAWL_REQUEST_RUNNING && may_park(request)))
        return MHD_YES;
    request->http->nsteps++;
    unpark(request);
    if (request->state == PAWL_REQUEST_BODY) {
        request->state = PAWL_REQUEST_RUNNING;
        pawl_conn_enter(&request->http->deadlines, request->conn, PAWL_PHASE_BUSY,
            request->http->now_ns);
        if (request->refused.status != 0)
            pawl_request_refuse(request, &request->refused);
        else if (request->route == NULL)
            pawl_request_answer(request, 204);  /* OPTIONS */
        else
            request->route->run(request);
    }
    switch (request->state) {
    case PAWL_REQUEST_ANSWERED:
        return queue_answer(request);
    case PAWL_REQUEST_RUNNING:
        return request->waits_for_store && request->http->nparked < PARKED_MAX &&
                may_park(request)
            ? park(request) : suspend(request);
    default:
        return MHD_NO;
    }
}

enum MHD_Result
pawl_exchange_handle(void *cls, struct MHD_Connection *mhd, const char *url,
    const char *method, const char *version, const char *data, size_t *size, void **state)
{
    struct pawl_request *request = *state;

    (void) cls, (void) mhd, (void) url, (void) version;
    if (request == NULL)
        return MHD_NO;
    if (request->state == PAWL_REQUEST_BEGUN || *size > 0)
        request->http->nsteps++;
    if (request->state == PAWL_REQUEST_BEGUN)
        return on_headers(request, method);
    return *size > 0 ? on_body(request, data, size) : on_end(request);
}

/* The target as it may stand in a log: bytes that are not ASCII are percent-encoded. */
static void
show_target(const struct pawl_request *request, char *out, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; i < request->target_len && n + 4 < size; i++) {
        unsigned char c = (unsigned char) request->target.data[i];

        if (c > ' ' && c < 0x7f) {
            out[n++] = (char) c;
        } else {
            out[n++] = '%';
            out[n++] = digits[c >> 4];
            out[n++] = digits[c & 15];
        }
    }
    out[n] = '\0';
}

static void
log_request(const struct pawl_request *request, enum MHD_RequestTerminationCode code)
{
    const struct pawl_log *log = request->http->service->log;
    /* Those sent away at the end are no news. */
    bool is_bad = request->status >= 500 && !request->http->stopping;
    enum pawl_log_level level = is_bad ? PAWL_LOG_WARN : PAWL_LOG_DEBUG;
    char status[16], took[24], target[256];
    struct pawl_log_field fields[] = {
        {"request", request->id, false}, {"method", request->method_name, false},
        {"target", target, false}, {"status", status, true}, {"us", took, true}};

    if (!pawl_log_has(log, level))
        return;
    show_target(request, target, sizeof target);
    snprintf(status, sizeof status, "%d", request->status);
    snprintf(took, sizeof took, "%" PRId64,
        (pawl_thread_clock() - request->begun_ns) / 1000);
    pawl_log_write(log, level, fields, sizeof fields / sizeof fields[0],
        code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "answered" : "broken off");
}

void
pawl_exchange_completed(void *cls, struct MHD_Connection *mhd, void **state,
                        enum MHD_RequestTerminationCode code)
{
    struct pawl_http *http = cls;
    struct pawl_request *request = *state;

    (void) mhd;
    if (request == NULL)
        return;
    *state = NULL;
    http->nsteps++;
    unpark(request);
    log_request(request, code);
    pawl_request_forget(request);
    pawl_conn_enter(&http->deadlines, request->conn, PAWL_PHASE_IDLE, http->now_ns);
    request->conn->request = NULL;
    pawl_request_release(request);
}
