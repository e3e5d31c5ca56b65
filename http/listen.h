/* listen.h: the addresses that the daemon listens on: opens, accepts, closes.
 *
 * An address is HOST:PORT with a loopback address, or unix:/path. A unix socket is 0600
 * and locked by a file beside it (PATH.lock), so that one left behind can be told from
 * one in use. Used by the main thread only. */
#ifndef PAWL_LISTEN_H
#define PAWL_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "pawl.h"

struct pawl_listener {
    int fd, lock_fd;
    bool is_unix;
    char text[128];             /* "http://127.0.0.1:8865", the real port; "unix:/path" */
    char host[64];              /* to be served as Host; "" for a socket */
    char path[108];             /* of a socket */
    dev_t dev;
    ino_t ino;
};

/* Listens, before any thread starts. PAWL_EINVAL: not an address, or one that may not
 * be used; PAWL_ESYS: the system says no, also when the address is in use.
 * Threads: main. Blocks: no. Owns: the caller closes it. */
int
pawl_listener_open(struct pawl_listener *out_listener, const char *address,
                   struct pawl_err *err);

/* Accepts one connection: a non-blocking descriptor, or -1 with errno.
 * Threads: main. Blocks: no. Owns: gives. */
int
pawl_listener_accept(struct pawl_listener *listener);

/* Stops listening and removes the socket's file, if it is still this one. May be called
 * again.
 * Threads: main. Blocks: no. */
void
pawl_listener_close(struct pawl_listener *listener);

#endif
