/* server.h: the HTTP threads: each serves its connections from an event loop of its own.
 *
 * The main thread accepts and gives connections away; the rest happens on the threads
 * "pawl-http-N". Calls are the main thread's, except where stated. */
#ifndef PAWL_SERVER_H
#define PAWL_SERVER_H

#include <stdbool.h>

#include "guard.h"
#include "log.h"
#include "pawl.h"

struct pawl_server;

struct pawl_server_options {
    struct pawl *engine;                /* borrowed, and so are log and guard */
    const struct pawl_log *log;
    const struct pawl_guard *guard;
    const char *data_dir;               /* where the store is; NULL: memory only; borrowed */
    unsigned nthreads;
    unsigned max_connections;
    size_t max_body_bytes;
    size_t max_held_bytes;              /* of bodies that one thread holds */
    int64_t request_timeout_ns;
    void *ctx;
    void (*failed)(void *ctx, const char *what);    /* on the thread that has */
};

/* Starts the threads. Threads: main, all signals blocked. Blocks: shortly. Owns: gives.
 * Errors: PAWL_ENOMEM, PAWL_ESYS. */
int pawl_server_open(const struct pawl_server_options *options,
    struct pawl_server **out_server, struct pawl_err *err);

/* Whether one more connection may be given. After false, room_fd polls readable once
 * there is room again, until the next true. Blocks: no. */
bool
pawl_server_has_room(struct pawl_server *server);
int
pawl_server_room_fd(const struct pawl_server *server);

/* Hands an accepted, non-blocking connection to the thread that has the fewest.
 * Blocks: no. Owns: takes fd, also on failure. */
void
pawl_server_give(struct pawl_server *server, int fd);

/* From now on every answer ends its connection. Blocks: no. */
void
pawl_server_drain(struct pawl_server *server);

/* Sends waiting clients away with 503, lets answers under way be sent (2 s), closes all
 * connections, joins the threads. NULL is accepted. Blocks: yes. */
void
pawl_server_close(struct pawl_server *server);

#endif
