/* fetch.h: HTTP calls of tasks, as many at once as there are, on one thread and without another:
 * libcurl's multi interface and c-ares behind one descriptor, which the worker's epoll watches.
 * Nothing here is shared between threads, and nothing blocks. */
#ifndef PAWL_FETCH_H
#define PAWL_FETCH_H

#include "capture.h"
#include "spawn.h"

#include <pawl.h>

#define PAWL_CONNECTIONS_MAX 1024       /* of one fetcher at once: a call past it waits */
#define PAWL_IDLE_CONNECTIONS_MAX 16    /* of them, kept for the next call */
#define PAWL_CONNECT_NS INT64_C(30000000000)    /* for one connection, TLS and all */

/* What a worker needs for its calls. */
struct pawl_fetcher;

/* One call in progress. */
struct pawl_fetch;

/* NULL: out of memory, or of descriptors. */
struct pawl_fetcher *
pawl_fetcher_new(void);
/* No call is in progress. NULL is accepted. */
void
pawl_fetcher_free(struct pawl_fetcher *fetcher);

/* To be watched: when it can be read, pawl_fetcher_turn() is due. */
int
pawl_fetcher_fd(const struct pawl_fetcher *fetcher);
/* Handles what has come, a bounded part of it. */
void
pawl_fetcher_turn(struct pawl_fetcher *fetcher);
/* The owner of the next call that has ended, which it ends with pawl_fetch_end() before it asks
 * again; NULL: none has. */
void *
pawl_fetcher_next(struct pawl_fetcher *fetcher);

/* Begins a call. Its answer's body goes to capture as it comes; *error is set if there will be
 * none, or not all of it, and says why. NULL: out of memory.
 * Owns: borrows http, capture and error until the end; of facts all but pid_slot is copied. */
struct pawl_fetch *
pawl_fetch_begin(struct pawl_fetcher *fetcher, const struct pawl_http_call *http,
                 const struct pawl_run_facts *facts, struct pawl_capture *capture,
                 struct pawl_err *error, void *owner);
/* Whether it has ended by itself: pawl_fetcher_next() tells so. */
bool
pawl_fetch_is_over(const struct pawl_fetch *fetch);
/* Ends it, if it has not ended, and frees it. Gives the status of the answer; 0: there was none. */
int
pawl_fetch_end(struct pawl_fetch *fetch);

#endif
