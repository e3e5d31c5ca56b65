/* conn.h: one connection beside what libmicrohttpd knows of it, and the deadlines of
 * connections.
 *
 * libmicrohttpd's own time-out counts inactivity, so a client that sends a byte a
 * second would stay for ever. Here a connection is in one phase at a time, and each
 * phase has a bound. All of it belongs to one HTTP thread. */
#ifndef PAWL_CONN_H
#define PAWL_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pawl_request;

enum pawl_phase {
    PAWL_PHASE_FRESH,           /* accepted, no complete headers yet: timeout */
    PAWL_PHASE_IDLE,            /* answered, no complete headers: twice the timeout */
    PAWL_PHASE_BODY,            /* timeout, and a second more for each KiB */
    PAWL_PHASE_LINGER,          /* refused: what it still sends is thrown away */
    PAWL_PHASE_BUSY,            /* ours to answer, or libmicrohttpd's to send: none */
    PAWL_NPHASES
};

struct pawl_conn {
    struct pawl_conn *next, *prev;      /* in the list of its phase */
    enum pawl_phase phase;
    int fd;
    bool is_unix;
    bool is_watched;                    /* in the thread's epoll set, for its end */
    int64_t since_ns;                   /* start of the phase */
    uint64_t body_bytes;                /* of this phase */
    struct pawl_request *request;       /* NULL between requests */
};

struct pawl_deadlines {
    struct pawl_conn lists[PAWL_NPHASES];   /* heads; oldest first */
    int64_t timeout_ns;
    int64_t sweep_ns;                   /* when bodies are looked at next */
};

#define PAWL_NO_DEADLINE INT64_MAX

void
pawl_deadlines_init(struct pawl_deadlines *deadlines, int64_t timeout_ns);

/* Puts a new connection into its first phase, or moves one.
 * Threads: its HTTP thread. Blocks: no. */
void
pawl_conn_begin(struct pawl_deadlines *deadlines, struct pawl_conn *conn, int64_t now_ns);
void
pawl_conn_enter(struct pawl_deadlines *deadlines, struct pawl_conn *conn,
                enum pawl_phase phase, int64_t now_ns);

/* Takes a connection out, before it is freed. */
void
pawl_conn_end(struct pawl_conn *conn);

/* When pawl_deadlines_expire() has work next; PAWL_NO_DEADLINE: never. */
int64_t
pawl_deadlines_next(const struct pawl_deadlines *deadlines);

/* Ends connections whose time is up: answers 408 where something was begun, and shuts
 * the socket down, which libmicrohttpd then notices. Threads: their HTTP thread.
 * Blocks: no. */
void
pawl_deadlines_expire(struct pawl_deadlines *deadlines, int64_t now_ns);

#endif
