/* request.h: one request from its first byte to the last byte of its answer, as
 * handlers see it.
 *
 * A request belongs to one HTTP thread and is used by it alone. Requests are kept and
 * used again with their buffers. libmicrohttpd's part is in request.c and server.c;
 * handlers see none of it: they read the request, then answer it with exactly one of
 * the calls below, at once or later. A handler that returns without an answer waits:
 * its connection is suspended until there is one. */
#ifndef PAWL_REQUEST_H
#define PAWL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buffer.h"
#include "conn.h"
#include "etag.h"
#include "guard.h"
#include "json_read.h"
#include "log.h"
#include "pawl.h"
#include "problem.h"
#include "unpack.h"
#include "uri.h"

#define PAWL_VERSION "0.1.0"
#define PAWL_REQUEST_ID_MAX 128
#define PAWL_BODY_SMALL ((size_t) 32 << 10)

#define PAWL_READ_END (-1)
#define PAWL_READ_FAILED (-2)

struct MHD_Connection;
struct pawl_bulk;
struct pawl_ndjson;
struct pawl_outlook;
struct pawl_stream;

enum pawl_method {
    PAWL_GET = 1,
    PAWL_POST = 2,
    PAWL_PUT = 4,
    PAWL_DELETE = 8,
    PAWL_PATCH = 32,
    PAWL_OPTIONS = 16,          /* answered by routes.c */
    PAWL_OTHER_METHOD = 0
};

/* What all threads share, read-only once they run. */
struct pawl_service {
    struct pawl *engine;
    const struct pawl_log *log;
    const struct pawl_guard *guard;
    const char *data_dir;       /* where the store is; NULL: memory only */
    size_t max_body_bytes;
    size_t max_held_bytes;      /* of bodies that one thread holds */
    int64_t request_timeout_ns;
    int64_t started_ns;         /* the monotonic clock */
    uint64_t epoch;             /* another one in each run of the daemon */
    _Atomic bool draining;      /* A: relaxed, answers say Connection: close */
};

/* One HTTP thread, as far as requests need it. */
struct pawl_http {
    const struct pawl_service *service;
    struct pawl_handle *handle;
    struct pawl_json_reader *reader;
    int epoll_fd;
    int64_t now_ns;             /* of this turn of the loop, the monotonic clock */
    uint64_t next_id;           /* of the ids made for requests without one */
    struct pawl_deadlines deadlines;
    struct pawl_request *pool;  /* unused ones, by next */
    size_t npool;
    struct pawl_request *resumes, **resumes_end;    /* answered, still suspended */
    size_t nresumes;
    size_t nsuspended;
    size_t nparked;             /* requests that wait for the store, looked at in each turn */
    uint64_t nsteps;            /* calls of libmicrohttpd that got something on */
    size_t nactive;             /* requests begun and not completed */
    size_t nops;                /* changes of the engine under way */
    size_t held_bytes;          /* of bodies: what all requests hold together */
    struct pawl_request *waits; /* by wait_ns, soonest first */
    struct pawl_request *waits_last;
    bool stopping;              /* waiters are sent away */
};

/* What the headers say. Text lives as long as the request is being read. */
struct pawl_head {
    struct pawl_text host, origin, content_type, content_encoding, content_length,
        transfer_encoding, request_id, if_none_match;
    unsigned nhosts, norigins, nlengths, nencodings;
    bool expects_continue, has_bad_name;
};

enum pawl_request_state {
    PAWL_REQUEST_BEGUN,         /* only the target is known */
    PAWL_REQUEST_BODY,          /* being read */
    PAWL_REQUEST_RUNNING,       /* in its handler, or waiting */
    PAWL_REQUEST_ANSWERED,
    PAWL_REQUEST_LINGERING,     /* refused by hand: the rest of the body is thrown away */
    PAWL_REQUEST_CUT            /* no answer: close the connection */
};

struct pawl_request {
    struct pawl_request *next;              /* in the pool, or in resumes */
    struct pawl_request *wait_next, *wait_prev;
    struct pawl_http *http;
    struct pawl_conn *conn;                 /* NULL: gone, only ops are left */
    struct MHD_Connection *mhd;
    enum pawl_request_state state;
    bool is_head, suspended, resuming;
    bool waits_for_store;                   /* for one change: a moment, as a rule */
    bool parked;                            /* waits for it without being suspended */
    enum pawl_method method;
    char method_name[12];
    const struct pawl_route *route;         /* NULL: none fits */
    struct pawl_buffer target;              /* as sent, and again, rewritten by uri */
    size_t target_len;                      /* of the first of the two */
    struct pawl_uri uri;
    struct pawl_text if_none_match;         /* libmicrohttpd's, until the answer */
    enum pawl_coding coding;                /* of the body */
    struct pawl_buffer body;                /* of the request, or a line of it */
    size_t held_bytes;                      /* of it, as counted in http */
    char id[PAWL_REQUEST_ID_MAX + 1];       /* X-Request-ID */
    int64_t begun_ns;

    /* The answer. */
    int status;
    struct pawl_buffer answer;
    bool is_problem;                        /* application/problem+json */
    const char *content_type;               /* of what is no problem; NULL: JSON */
    char etag[PAWL_ETAG_SIZE];              /* an ETag header, or empty */
    const char *disposition;                /* Content-Disposition, or NULL */
    struct pawl_buffer link;                /* a Link header, or empty */
    unsigned allow;                         /* methods of an Allow header, or 0 */
    int retry_after_s;
    bool must_close;
    /* Gives a long answer, up to max bytes into out at a time, or one of PAWL_READ_...;
     * NULL: the answer is the buffer above. */
    ssize_t (*read)(struct pawl_request *request, char *out, size_t max);
    bool has_file;                          /* the answer is this file, from its start */
    int file_fd;
    uint64_t file_bytes;
    struct pawl_problem refused;            /* status not 0: said after the body */

    /* The handler's. */
    struct pawl_op op;
    const char *done;                       /* what op does, in the log's words */
    bool is_submit;                         /* of op: its answer has warnings */
    size_t nops;                            /* changes under way: it outlives them */
    struct pawl_watch watch;
    bool watching;
    int64_t wait_ns;                        /* end of the wait, 0: none */
    void (*wait_over)(struct pawl_request *request);
    struct pawl_ndjson *ndjson;
    struct pawl_stream *stream;
    struct pawl_outlook *outlook;
    struct pawl_bulk *bulk;                 /* ends with its client */
    char *copy_path;                      /* of the copy that is being written */
};

/* Answers 200-299 with the JSON in request->answer; one whose memory ran out becomes 503.
 * Threads: its HTTP thread. Blocks: no. */
void
pawl_request_answer(struct pawl_request *request, int status);

/* The same with an answer that read() gives. */
void
pawl_request_stream(struct pawl_request *request, int status,
                    ssize_t (*read)(struct pawl_request *request, char *out, size_t max));

/* The same with the content of a file, whose length is told.
 * Threads: its HTTP thread. Blocks: reading it. Owns: takes fd. */
void
pawl_request_file(struct pawl_request *request, int status, int fd, uint64_t nbytes);

/* Answers with a problem document. Threads: its HTTP thread. Blocks: no. Owns: copies. */
void
pawl_request_refuse(struct pawl_request *request, const struct pawl_problem *problem);
void
pawl_request_fail(struct pawl_request *request, int status, const char *field,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
void
pawl_request_fail_err(struct pawl_request *request, const struct pawl_err *err);

/* Closes the connection without an answer: nobody reads it. */
void
pawl_request_cut(struct pawl_request *request);

/* Goes on reading the body of a request whose handler took less than it was given. */
void
pawl_request_continue(struct pawl_request *request);

/* Appends to the body. False: no memory, or too much is held by all requests together; a
 * body of PAWL_BODY_SMALL bytes always has its place. out_problem says what to answer.
 * Threads: its HTTP thread. Blocks: no. Owns: copies. */
bool
pawl_request_gather(struct pawl_request *request, const char *data, size_t len,
    struct pawl_problem *out_problem);

/* Frees the body of a request that was refused, so that others have the room. */
void
pawl_request_drop_body(struct pawl_request *request);

/* Calls wait_over once this time has come, unless it is answered before. */
void
pawl_request_wait(struct pawl_request *request, int64_t until_ns,
                  void (*wait_over)(struct pawl_request *request));

/* Counts a change of the engine that goes on: begin when it is PAWL_PENDING, end in its
 * done(), which may free the request when the client has gone: false then, and it must
 * not be used. */
void
pawl_request_op_begin(struct pawl_request *request);
bool
pawl_request_op_end(struct pawl_request *request);

/* The pool. take: NULL when out of memory. release waits for the last op. */
struct pawl_request *
pawl_request_take(struct pawl_http *http);
void
pawl_request_release(struct pawl_request *request);
void
pawl_request_pool_free(struct pawl_http *http);

/* Gives up what the handler waits for: its watch and its time. */
void
pawl_request_forget(struct pawl_request *request);

/* Ends waits that are over; when the next one is. Threads: the HTTP thread. */
void
pawl_waits_expire(struct pawl_http *http);
int64_t
pawl_waits_next(const struct pawl_http *http);

/* Logs what the request did to a task, at debug. */
void
pawl_request_log(const struct pawl_request *request, const char *what, const char *id,
                 size_t id_len);

#endif
