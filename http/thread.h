/* thread.h: one HTTP thread: its connections, its handle of the engine, its event loop.
 * Private to server.c, whose main-thread calls are the only way in. */
#ifndef PAWL_THREAD_H
#define PAWL_THREAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "request.h"
#include "server.h"

struct MHD_Daemon;

struct pawl_thread {
    struct pawl_http http;          /* the thread's own, as all without a letter */
    struct MHD_Daemon *mhd;
    uint64_t nsteps;                /* of http, before the last turn */
    int64_t resumed_ns;
    int64_t stop_ns;                /* the latest end, 0: not stopping */
    struct pawl_server *server;     /* I */
    int wake_fd;                    /* I: eventfd, rung by any thread */
    int door[2];                    /* I: a pipe of new connections, written by main */
    _Atomic bool is_stopping;       /* A: relaxed, the wake-up orders it */
    _Atomic unsigned nopen;         /* A: relaxed, a hint of who has the fewest */
    pthread_t id;                   /* main's */
    bool is_started;                /* main's */
};

struct pawl_server {
    struct pawl_service service;
    struct pawl_server_options options;     /* I */
    /* A: both seq_cst. Main sets is_full, then reads nopen; a thread lowers nopen, then
     * reads is_full: one of them must see the other's, or a place that got free is
     * never told of. */
    _Atomic unsigned nopen;
    _Atomic bool is_full;
    int room_fd;                            /* I */
    size_t nthreads;                        /* I */
    struct pawl_thread threads[];
};

/* Makes a thread's parts; start runs it; fini, after its end or when it never began,
 * frees them.
 * Threads: main. Blocks: fini while changes of the engine are under way. */
bool
pawl_thread_init(struct pawl_thread *thread, struct pawl_server *server);
bool
pawl_thread_start(struct pawl_thread *thread, size_t n);
void
pawl_thread_fini(struct pawl_thread *thread);

/* Hands a connection over; false: the door is full. Tells the thread to stop. Threads:
 * main. */
bool
pawl_thread_give(struct pawl_thread *thread, int fd);
void
pawl_thread_stop(struct pawl_thread *thread);

/* One connection less, or one that could not be given. Threads: main, and the thread. */
void
pawl_thread_lower(struct pawl_thread *thread);

/* The monotonic clock; an eventfd made readable, and not. Threads: any. */
int64_t
pawl_thread_clock(void);
void
pawl_thread_ring(int eventfd);
void
pawl_thread_silence(int eventfd);

#endif
