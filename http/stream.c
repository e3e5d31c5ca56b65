/* stream.c: see stream.h. The buffer of the request holds the pieces that were written
 * and not yet given to libmicrohttpd. What fits in the first buffer is answered whole,
 * with its length. */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "json_write.h"
#include "why.h"

#define FIRST_BYTES ((size_t) 32 << 10)     /* up to here it has a length */

/* A filter that few tasks pass must not hold up the thread's other connections: after so many
 * fruitless looks a newline, which JSON allows, is all that this turn gives. */
#define PATIENCE 16

struct pawl_stream {
    struct pawl_listing listing;
    bool is_list;
    bool has_warnings;          /* of one task: they belong to its document */
    bool is_open;               /* of a list: "[" was written */
    bool is_over;               /* the last byte was written */
    size_t next_view;           /* of a page */
    struct pawl_view view;      /* the task being written */
    bool has_view;
    size_t next_result;
    bool is_runs;               /* only results of the view, from next_result down */
    size_t nruns;               /* so many more */
    size_t sent;                /* of the buffer, by read() */
    int patience;               /* looks for a task that passes the filter, in this turn */
};

/* The next task of a list: PAWL_OK, PAWL_ENOENT at the end, PAWL_PENDING as of the engine. */
static int
next_task(struct pawl_request *request, struct pawl_stream *stream)
{
    struct pawl_listing *listing = &stream->listing;

    if (listing->views != NULL) {
        if (stream->next_view == listing->nviews)
            return PAWL_ENOENT;
        stream->view = listing->views[stream->next_view++];
        return PAWL_OK;
    }
    return pawl_list_next(
        request->http->handle, &listing->filter, &listing->cursor, &stream->view);
}

static void
begin_task(struct pawl_request *request, struct pawl_stream *stream)
{
    size_t newest = stream->listing.newest, nresults = stream->view.nresults;

    stream->has_view = true;
    stream->next_result = nresults > newest ? nresults - newest : 0;
    pawl_json_write_head(&request->answer, &stream->view);
}

/* Writes one piece of a list of runs: a result, or the end. */
static void
write_run(struct pawl_request *request, struct pawl_stream *stream)
{
    struct pawl_buffer *out = &request->answer;

    if (stream->nruns > 0) {
        pawl_buffer_append_char(out, stream->is_open ? ',' : '[');
        pawl_json_write_result(out, stream->view.results[--stream->next_result]);
        stream->nruns--;
    } else {
        pawl_buffer_append_str(out, stream->is_open ? "]" : "[]");
        stream->is_over = true;
    }
    stream->is_open = true;
}

/* Writes one piece: a head, a result, or what stands between. */
static void
write_piece(struct pawl_request *request, struct pawl_stream *stream)
{
    struct pawl_buffer *out = &request->answer;
    struct pawl_view *view = &stream->view;

    if (stream->is_runs) {
        write_run(request, stream);
    } else if (!stream->has_view) {
        int code = next_task(request, stream);

        if (code == PAWL_PENDING) {
            if (--stream->patience == 0)
                pawl_buffer_append_char(out, '\n');
            return;
        }
        if (code == PAWL_OK) {
            pawl_buffer_append_char(out, stream->is_open ? ',' : '[');
            begin_task(request, stream);
        } else {
            pawl_buffer_append_str(out, stream->is_open ? "]" : "[]");
            stream->is_over = true;
        }
        stream->is_open = true;
    } else if (stream->next_result < view->nresults) {
        pawl_json_write_result(out, view->results[stream->next_result++]);
        if (stream->next_result < view->nresults)
            pawl_buffer_append_char(out, ',');
    } else {
        pawl_json_write_tail(out);
        if (stream->has_warnings)
            pawl_why_add_warnings(out, view);
        pawl_view_release(view);
        stream->has_view = false;
        stream->is_over = !stream->is_list;
    }
}

static void
write_up_to(struct pawl_request *request, size_t len)
{
    struct pawl_stream *stream = request->stream;

    stream->patience = PATIENCE;
    while (!stream->is_over && !request->answer.failed && request->answer.len < len &&
           stream->patience > 0)
        write_piece(request, stream);
}

static ssize_t
read_more(struct pawl_request *request, char *out, size_t max)
{
    struct pawl_stream *stream = request->stream;
    struct pawl_buffer *buffer = &request->answer;
    size_t n;

    if (stream->sent == buffer->len) {
        pawl_buffer_reset(buffer);
        stream->sent = 0;
        write_up_to(request, max);
        if (buffer->failed)
            return PAWL_READ_FAILED;
        if (buffer->len == 0)
            return PAWL_READ_END;
    }
    n = buffer->len - stream->sent;
    n = n < max ? n : max;
    memcpy(out, buffer->data + stream->sent, n);
    stream->sent += n;
    return (ssize_t) n;
}

static void
answer(struct pawl_request *request)
{
    write_up_to(request, FIRST_BYTES);
    if (request->stream->is_over || request->answer.failed) {
        pawl_stream_free(request);
        pawl_request_answer(request, 200);
    } else {
        pawl_request_stream(request, 200, read_more);
    }
}

void
pawl_stream_list(struct pawl_request *request, const struct pawl_listing *listing)
{
    request->stream = calloc(1, sizeof *request->stream);
    if (request->stream == NULL) {
        for (size_t i = 0; i < listing->nviews; i++)
            pawl_view_release(&listing->views[i]);
        free(listing->views);
        pawl_request_fail(request, 503, NULL, "out of memory");
        return;
    }
    request->stream->listing = *listing;
    request->stream->is_list = true;
    answer(request);
}

static void
stream_task(struct pawl_request *request, const struct pawl_view *view, bool has_warnings)
{
    size_t bytes = view->script_len;

    for (size_t i = 0; i < view->nresults && bytes < FIRST_BYTES; i++)
        bytes += view->results[i]->out_len + view->results[i]->err_len + 256;
    if (bytes < FIRST_BYTES) {
        pawl_json_write_task(&request->answer, view, SIZE_MAX);
        if (has_warnings)
            pawl_why_add_warnings(&request->answer, view);
        pawl_request_answer(request, 200);
        return;
    }
    request->stream = calloc(1, sizeof *request->stream);
    if (request->stream == NULL) {
        pawl_request_fail(request, 503, NULL, "out of memory");
        return;
    }
    request->stream->listing.newest = SIZE_MAX;
    request->stream->has_warnings = has_warnings;
    pawl_view_share(view, &request->stream->view);
    begin_task(request, request->stream);
    answer(request);
}

void
pawl_stream_task(struct pawl_request *request, const struct pawl_view *view)
{
    stream_task(request, view, false);
}

void
pawl_stream_submitted(struct pawl_request *request, const struct pawl_view *view)
{
    stream_task(request, view, true);
}

void
pawl_stream_runs(struct pawl_request *request, const struct pawl_view *view, size_t end,
                 size_t n)
{
    struct pawl_stream *stream = request->stream = calloc(1, sizeof *stream);

    if (stream == NULL) {
        pawl_request_fail(request, 503, NULL, "out of memory");
        return;
    }
    stream->is_runs = stream->has_view = true;
    stream->next_result = end;
    stream->nruns = n;
    pawl_view_share(view, &stream->view);
    answer(request);
}

void
pawl_stream_free(struct pawl_request *request)
{
    struct pawl_stream *stream = request->stream;

    if (stream == NULL)
        return;
    request->stream = NULL;
    if (stream->has_view)
        pawl_view_release(&stream->view);
    while (stream->next_view < stream->listing.nviews)
        pawl_view_release(&stream->listing.views[stream->next_view++]);
    free(stream->listing.views);
    /* The filter's texts are the request's own. */
    free(stream);
}
