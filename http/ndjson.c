/* ndjson.c: see ndjson.h.
 *
 * A line that is cut by the end of a piece waits in request->body, which a line of
 * --max-body bytes bounds; errors show the beginnings of ids and names only. Each line is
 * one change of the engine. Changes that do not end at once are bounded, too: then the
 * rest of the stream waits in the client's socket. */
#include "ndjson.h"

#include <stdlib.h>
#include <string.h>

#include "json_write.h"
#include "tasks.h"

#define OPS_MAX 4096            /* changes under way, of one stream */
#define OPS_LOW 2048            /* at which it goes on */
#define TURN_BYTES (256u << 10)  /* unpacked, after which others have their turn */
#define ERRORS_MAX 1000         /* that are told of */

/* A submit that ends later. */
struct line_op {
    struct pawl_op op;
    struct pawl_request *request;
    uint64_t line;
    size_t id_len;
    char id[PAWL_ID_MAX];
};

struct pawl_ndjson {
    uint64_t line;              /* of the line being read, from 1 */
    uint64_t accepted, rejected, nerrors;
    struct pawl_buffer errors;  /* the elements of the array */
    struct line_op *op;         /* unused, for the next line */
    bool skipping;              /* to the end of a line that is too long */
    bool is_full;               /* feed() took less than it was given */
    bool is_read;               /* the whole body is here */
    struct pawl_unpack *unpack; /* of a stream that comes packed */
    const char *piece;          /* of it: what was unpacked and not taken */
    size_t piece_len;
    bool has_held;              /* the first byte of the next piece was read already */
    bool is_damaged;            /* it cannot be unpacked any further */
    bool wants_turn;            /* feed() took less, only to let others have their turn */
};

static struct pawl_ndjson *
stream_of(struct pawl_request *request)
{
    if (request->ndjson == NULL &&
        (request->ndjson = calloc(1, sizeof *request->ndjson)) != NULL) {
        pawl_buffer_init(&request->ndjson->errors);
        request->ndjson->line = 1;
    }
    return request->ndjson;
}

static void
reject(struct pawl_ndjson *stream, uint64_t line, const char *id, size_t id_len,
       const struct pawl_problem *problem)
{
    struct pawl_buffer *out = &stream->errors;

    stream->rejected++;
    if (stream->nerrors == ERRORS_MAX)
        return;
    pawl_buffer_append_str(out, stream->nerrors++ > 0 ? ",{\"line\":" : "{\"line\":");
    pawl_json_write_uint(out, line);
    pawl_buffer_append_str(out, ",\"id\":");
    if (id != NULL)
        pawl_json_write_string(out, id, pawl_problem_cut(id, id_len));
    else
        pawl_buffer_append_str(out, "null");
    pawl_buffer_append_str(out, ",\"status\":");
    pawl_json_write_int(out, problem->status);
    pawl_buffer_append_str(out, ",\"detail\":");
    pawl_json_write_string(out, problem->detail, strlen(problem->detail));
    if (problem->field != NULL) {
        pawl_buffer_append_str(out, ",\"field\":");
        pawl_json_write_string(out, problem->field,
            pawl_problem_cut(problem->field, strlen(problem->field)));
    }
    if (problem->position > 0) {
        pawl_buffer_append_str(out, ",\"position\":");
        pawl_json_write_int(out, problem->position);
    }
    pawl_buffer_append_str(out, "}");
}

static void
answer(struct pawl_request *request)
{
    struct pawl_ndjson *stream = request->ndjson;
    struct pawl_buffer *out = &request->answer;

    pawl_buffer_append_str(out, "{\"accepted\":");
    pawl_json_write_uint(out, stream->accepted);
    pawl_buffer_append_str(out, ",\"rejected\":");
    pawl_json_write_uint(out, stream->rejected);
    pawl_buffer_append_str(out, ",\"errors\":[");
    if (!stream->errors.failed)
        pawl_buffer_append(out, stream->errors.data, stream->errors.len);
    pawl_buffer_append_str(out, "],\"errorsTruncated\":");
    pawl_buffer_append_str(out,
        stream->rejected > stream->nerrors || stream->errors.failed ? "true}" : "false}");
    pawl_request_answer(request, 200);
}

static void
line_done(struct pawl_op *op)
{
    struct line_op *done =
        (struct line_op *) ((char *) op - offsetof(struct line_op, op));
    struct pawl_request *request = done->request;
    struct pawl_ndjson *stream = request->ndjson;

    if (op->has_view)
        pawl_view_release(&op->view);
    if (op->code == PAWL_OK) {
        stream->accepted++;
        pawl_request_log(request, "submitted", done->id, done->id_len);
    } else {
        struct pawl_problem problem;

        pawl_problem_from_op(&problem, op);
        reject(stream, done->line, done->id, done->id_len, &problem);
    }
    free(done);
    if (!pawl_request_op_end(request))
        return;
    if (stream->is_read && request->nops == 0) {
        answer(request);
    } else if (stream->is_full && request->nops <= OPS_LOW) {
        stream->is_full = false;
        pawl_request_continue(request);
    }
}

/* Submits one task; its op stays for the next line unless it goes on. */
static int
submit(struct pawl_request *request, const struct pawl_spec *spec, struct pawl_err *err)
{
    struct pawl_ndjson *stream = request->ndjson;
    struct line_op *op = stream->op;
    int code;

    if (op == NULL && (op = stream->op = malloc(sizeof *op)) == NULL) {
        *err = (struct pawl_err){PAWL_ENOMEM, NULL, "out of memory"};
        return PAWL_ENOMEM;
    }
    op->op.done = line_done;
    op->op.has_view = false;
    code = pawl_submit(request->http->handle, spec, &op->op, err);
    if (code == PAWL_PENDING) {
        op->request = request;
        op->line = stream->line;
        op->id_len = spec->id_len;
        memcpy(op->id, spec->id, spec->id_len);
        stream->op = NULL;
        pawl_request_op_begin(request);
    } else if (op->op.has_view && code == PAWL_OK) {
        pawl_request_log(request, "submitted", spec->id, spec->id_len);
        pawl_view_release(&op->op.view);
    }
    return code;
}

static bool
is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

/* A whole line stands in the body buffer. */
static void
take_line(struct pawl_request *request)
{
    struct pawl_ndjson *stream = request->ndjson;
    struct pawl_buffer *line = &request->body;
    struct pawl_json_reader *reader = request->http->reader;
    struct pawl_problem problem;
    struct pawl_spec spec;
    struct pawl_err err;
    size_t id_len = 0;
    const char *id;
    int code;

    if (stream->skipping || is_blank(line->data, line->len))
        return;
    if (pawl_buffer_reserve(line, PAWL_JSON_PADDING) == NULL) {
        pawl_problem_set(&problem, 503, NULL, "out of memory for the line");
        reject(stream, stream->line, NULL, 0, &problem);
        return;
    }
    code = pawl_json_read_task(reader, line->data, line->len, line->cap, &spec, &problem);
    if (code == PAWL_OK) {
        code = submit(request, &spec, &err);
        if (code < 0)
            pawl_problem_from_err(&problem, &err);
        if (code == PAWL_EINVAL)
            pawl_json_locate_refusal(reader, &spec, &problem);
    }
    if (code == PAWL_OK) {
        stream->accepted++;
    } else if (code < 0) {
        id = pawl_json_last_id(reader, &id_len);
        reject(stream, stream->line, id, id_len, &problem);
    }
    if (line->len > PAWL_BUFFER_KEEP)
        pawl_json_reader_trim(reader);
}

/* Adds to the line being read; one that gets too long is told of once and skipped. */
static void
gather(struct pawl_request *request, const char *data, size_t len)
{
    size_t max = request->http->service->max_body_bytes;
    struct pawl_ndjson *stream = request->ndjson;
    struct pawl_problem problem;

    if (stream->skipping)
        return;
    if (len > max - request->body.len)
        pawl_problem_set(
            &problem, 413, NULL, "the line has more than %zu bytes: --max-body", max);
    else if (pawl_request_gather(request, data, len, &problem))
        return;
    reject(stream, stream->line, NULL, 0, &problem);
    stream->skipping = true;
}

/* Takes a piece, all of it or less, line by line. */
static size_t
feed_lines(struct pawl_request *request, const char *data, size_t len)
{
    struct pawl_ndjson *stream = request->ndjson;
    size_t taken = 0;

    while (taken < len) {
        const char *start = data + taken;
        const char *newline = memchr(start, '\n', len - taken);
        size_t n = newline != NULL ? (size_t) (newline - start) : len - taken;

        if (request->nops >= OPS_MAX) {
            stream->is_full = true;
            return taken;
        }
        gather(request, start, n);
        taken += n;
        if (newline == NULL)
            break;
        take_line(request);
        pawl_buffer_reset(&request->body);
        stream->skipping = false;
        stream->line++;
        taken++;
    }
    return taken;
}

/* What comes cannot be unpacked: told of once, and the rest is thrown away. */
static void
damage(struct pawl_request *request, const char *what)
{
    struct pawl_ndjson *stream = request->ndjson;
    struct pawl_problem problem;

    pawl_problem_set(&problem, 400, NULL, "the %s data %s: the lines before it were read",
        pawl_coding_name(request->coding), what);
    reject(stream, stream->line, NULL, 0, &problem);
    pawl_buffer_reset(&request->body);
    stream->is_damaged = true;
}

/* Of len bytes so many are taken, though all before `at` were read: what was unpacked and is not done with must
 * bring us back here, so the last byte stays with the caller. */
static size_t
hold(struct pawl_ndjson *stream, size_t at, size_t len)
{
    stream->has_held = at == len;
    return stream->has_held ? len - 1 : at;
}

/* The same of a stream that comes packed. A few bytes may be a thousand times as many. */
static size_t
feed_packed(struct pawl_request *request, const char *data, size_t len)
{
    struct pawl_ndjson *stream = request->ndjson;
    size_t at = stream->has_held ? 1 : 0, used = 0, unpacked = 0;

    stream->has_held = stream->wants_turn = false;
    do {
        size_t taken = feed_lines(request, stream->piece, stream->piece_len);

        stream->piece += taken;
        stream->piece_len -= taken;
        if (stream->piece_len > 0)
            return hold(stream, at, len);
        if (stream->is_damaged)
            return len;
        if (!pawl_unpack_next(stream->unpack, data + at, len - at, &used, &stream->piece,
                              &stream->piece_len)) {
            damage(request, pawl_unpack_fault(stream->unpack));
            return len;
        }
        at += used;
        unpacked += stream->piece_len;
        if (unpacked >= TURN_BYTES) {
            stream->wants_turn = true;
            return hold(stream, at, len);
        }
    } while (used > 0 || stream->piece_len > 0);
    return len;
}

size_t
pawl_ndjson_feed(struct pawl_request *request, const char *data, size_t len)
{
    struct pawl_ndjson *stream = stream_of(request);

    if (stream != NULL && request->coding != PAWL_CODING_NONE && stream->unpack == NULL)
        stream->unpack = pawl_unpack_new(request->coding);
    if (stream == NULL || (request->coding != PAWL_CODING_NONE && stream->unpack == NULL)) {
        pawl_problem_set(&request->refused, 503, NULL, "out of memory");
        return len;
    }
    return stream->unpack != NULL ? feed_packed(request, data, len)
                                  : feed_lines(request, data, len);
}

bool
pawl_ndjson_wants_turn(const struct pawl_request *request)
{
    return request->ndjson != NULL && request->ndjson->wants_turn;
}

void
pawl_tasks_submit_many(struct pawl_request *request)
{
    struct pawl_ndjson *stream = stream_of(request);

    if (stream == NULL) {
        pawl_request_fail(request, 503, NULL, "out of memory");
        return;
    }
    if (stream->unpack != NULL && !stream->is_damaged && !pawl_unpack_is_whole(stream->unpack))
        damage(request, "ends too early");
    take_line(request);
    stream->is_read = true;
    if (request->nops == 0)
        answer(request);
}

void
pawl_ndjson_free(struct pawl_request *request)
{
    struct pawl_ndjson *stream = request->ndjson;

    if (stream == NULL)
        return;
    request->ndjson = NULL;
    pawl_buffer_fini(&stream->errors);
    pawl_unpack_free(stream->unpack);
    free(stream->op);
    free(stream);
}
