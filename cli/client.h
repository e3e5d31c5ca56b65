/* client.h: requests to the daemon and what their answers mean to us.
 * Calls return an exit status of the program, 0 for success; on failure they fill a
 * struct pawl_fail, whose text tells a person what to do. Used by one thread. */
#ifndef PAWL_CLIENT_H
#define PAWL_CLIENT_H

#include "text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses; they are part of the contract with scripts. */
enum pawl_exit {
    PAWL_EXIT_OK = 0,
    PAWL_EXIT_ERROR = 1,
    PAWL_EXIT_USAGE = 2,
    PAWL_EXIT_NOT_FOUND = 3,
    PAWL_EXIT_REFUSED = 4, /* in this state, or the id exists */
    PAWL_EXIT_NOT_ALLOWED = 5,
    PAWL_EXIT_UNREACHABLE = 6,
    PAWL_EXIT_TIMED_OUT = 7,
    PAWL_EXIT_PARTLY = 8, /* of several tasks, some were done */
    PAWL_EXIT_SINK = -1,  /* internal: the request's sink took no more */
};

struct pawl_fail {
    int exit_status;
    bool is_transient; /* the same request may succeed a little later */
    char text[1024];
};

/* How an answer that may be long in coming is waited for. */
struct pawl_wait {
    long patience_s; /* silence that is expected, on top of the client's own timeout */
    void (*tick)(void *arg); /* called about once a second meanwhile; NULL: nothing is */
    void *arg;
};

/* Where a long answer goes, instead of into the response. With a sink the tick judges how long
 * the daemon may be silent. */
struct pawl_sink {
    bool (*take)(void *arg, const void *data, size_t len); /* false: no more */
    bool (*tick)(void *arg, int64_t total); /* about once a second; total 0: not known */
    void *arg;
};

struct pawl_request {
    const char *method;
    const char *path; /* encoded, with its query */
    const char *body; /* JSON, or NULL */
    size_t body_len;
    const struct pawl_wait *wait; /* NULL: the answer comes at once */
    const struct pawl_sink *sink; /* NULL: the answer is short; not with wait */
};

struct pawl_response {
    long status;
    struct pawl_text body;
    struct pawl_text next;       /* query of the Link with rel="next"; empty: none */
    struct pawl_text request_id; /* X-Request-ID */
    long retry_after_s;          /* 0: not said */
};

struct pawl_client;

/* Opens a client of the daemon at server (NULL: environment, then default).
 * timeout_s bounds the silence of an answer. Owns: gives *out_client. */
int pawl_client_open(const char *server, long timeout_s, struct pawl_client **out_client,
    struct pawl_fail *fail);
void pawl_client_close(struct pawl_client *client);

/* The daemon's address as a person knows it. Owns: borrows. */
const char *pawl_client_address(const struct pawl_client *client);

/* Sends a request and takes its answer into response, which may be used again and again.
 * A status of 400 and above is a failure, whose body never goes to the sink. PAWL_EXIT_SINK: the
 * sink gave up, and knows why. Blocks: yes. */
int pawl_client_call(struct pawl_client *client, const struct pawl_request *request,
    struct pawl_response *response, struct pawl_fail *fail);
void pawl_client_response_fini(struct pawl_response *response);

/* Appends the path of a task: any id can be addressed. */
void pawl_client_task_path(struct pawl_text *path, const char *id);

/* Fills fail; printf's words. Returns exit_status. */
int pawl_client_fail(struct pawl_fail *fail, int exit_status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
