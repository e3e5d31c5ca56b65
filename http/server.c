/* server.c: see server.h. What one thread does is in thread.c. */
#include "server.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "thread.h"

int
pawl_server_open(const struct pawl_server_options *options,
    struct pawl_server **out_server, struct pawl_err *err)
{
    size_t n = options->nthreads;
    struct pawl_server *server =
        calloc(1, sizeof *server + n * sizeof server->threads[0]);
    struct timespec now;
    bool ok;

    if (server == NULL) {
        *err = (struct pawl_err){PAWL_ENOMEM, NULL, "out of memory"};
        return PAWL_ENOMEM;
    }
    server->options = *options;
    server->nthreads = n;
    server->service.engine = options->engine;
    server->service.log = options->log;
    server->service.guard = options->guard;
    server->service.data_dir = options->data_dir;
    server->service.max_body_bytes = options->max_body_bytes;
    server->service.max_held_bytes = options->max_held_bytes;
    server->service.request_timeout_ns = options->request_timeout_ns;
    server->service.started_ns = pawl_thread_clock();
    clock_gettime(CLOCK_REALTIME, &now);
    server->service.epoch = (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
    server->room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ok = server->room_fd >= 0;
    for (size_t i = 0; i < n; i++) {
        struct pawl_thread *thread = &server->threads[i];

        thread->http.epoll_fd = thread->wake_fd = thread->door[0] = thread->door[1] = -1;
        ok = ok && pawl_thread_init(thread, server);
    }
    for (size_t i = 0; ok && i < n; i++)
        ok = pawl_thread_start(&server->threads[i], i);
    if (!ok) {
        err->code = PAWL_ESYS;
        err->field = NULL;
        snprintf(err->text, sizeof err->text, "cannot start the HTTP threads: %s",
            strerror(errno));
        pawl_server_close(server);
        return PAWL_ESYS;
    }
    *out_server = server;
    return PAWL_OK;
}

bool
pawl_server_has_room(struct pawl_server *server)
{
    if (atomic_load_explicit(&server->nopen, memory_order_seq_cst) <
        server->options.max_connections) {
        pawl_thread_silence(server->room_fd);
        return true;
    }
    atomic_store_explicit(&server->is_full, true, memory_order_seq_cst);
    /* A place that got free just before may not have been told of. */
    if (atomic_load_explicit(&server->nopen, memory_order_seq_cst) <
        server->options.max_connections)
        pawl_thread_ring(server->room_fd);
    return false;
}

int
pawl_server_room_fd(const struct pawl_server *server)
{
    return server->room_fd;
}

void
pawl_server_give(struct pawl_server *server, int fd)
{
    struct pawl_thread *least = &server->threads[0];

    for (size_t i = 1; i < server->nthreads; i++)
        if (atomic_load_explicit(&server->threads[i].nopen, memory_order_relaxed) <
            atomic_load_explicit(&least->nopen, memory_order_relaxed))
            least = &server->threads[i];
    atomic_fetch_add_explicit(&least->nopen, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&server->nopen, 1, memory_order_seq_cst);
    if (!pawl_thread_give(least, fd)) {
        close(fd);
        pawl_thread_lower(least);
    }
}

void
pawl_server_drain(struct pawl_server *server)
{
    atomic_store_explicit(&server->service.draining, true, memory_order_relaxed);
}

void
pawl_server_close(struct pawl_server *server)
{
    if (server == NULL)
        return;
    for (size_t i = 0; i < server->nthreads; i++)
        if (server->threads[i].is_started)
            pawl_thread_stop(&server->threads[i]);
    for (size_t i = 0; i < server->nthreads; i++)
        if (server->threads[i].is_started)
            pthread_join(server->threads[i].id, NULL);
    for (size_t i = 0; i < server->nthreads; i++)
        pawl_thread_fini(&server->threads[i]);
    if (server->room_fd >= 0)
        close(server->room_fd);
    free(server);
}
