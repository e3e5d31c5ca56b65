/* thread.c: see thread.h.
 *
 * libmicrohttpd is driven from outside, by its epoll descriptor inside the thread's own
 * epoll set: its internal epoll thread stops serving when a multiple of 128 events is
 * ready at once. It has no listening socket either: past its limit it would reset
 * connections, while in the backlog they wait. The thread's handle of the engine wakes
 * it through an eventfd. */
#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "exchange.h"

#define NANO INT64_C(1000000000)
#define NEVENTS 64
/* Cleared by libmicrohttpd at every request, so no larger than it must be: 8 KiB of
 * headers, what it keeps of each, and the headers of the answer. */
#define POOL_BYTES ((size_t) 20 << 10)
#define MANY_SUSPENDED 256      /* from here on resumes are put together, */
#define RESUME_EVERY_NS 3000000 /* so often at most: each walks all that are suspended */
#define REST_MS 10
#define PARKED_MS 5             /* should a turn that got nothing on have left something to do */
#define CLOSE_NS (2 * NANO)     /* for answers under way at the end */

#define DOOR_BYTES (1 << 20)    /* of connections that wait for the thread */

int64_t
pawl_thread_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NANO + now.tv_nsec;
}

void
pawl_thread_ring(int eventfd)
{
    uint64_t one = 1;

    /* It can only fail when it is rung already. */
    if (write(eventfd, &one, sizeof one) < 0)
        return;
}

void
pawl_thread_silence(int eventfd)
{
    uint64_t count;

    if (read(eventfd, &count, sizeof count) < 0)
        return;
}

/* --- Connections --- */

void
pawl_thread_lower(struct pawl_thread *thread)
{
    struct pawl_server *server = thread->server;

    atomic_fetch_sub_explicit(&thread->nopen, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&server->nopen, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&server->is_full, memory_order_seq_cst) &&
        atomic_exchange_explicit(&server->is_full, false, memory_order_seq_cst))
        pawl_thread_ring(server->room_fd);
}

/* Whether Host needs no check. What cannot be told is checked. */
static bool
is_unix_socket(int fd)
{
    int domain = AF_UNSPEC;
    socklen_t len = sizeof domain;

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

static void
connection_changed(void *cls, struct MHD_Connection *mhd, void **context,
                   enum MHD_ConnectionNotificationCode code)
{
    struct pawl_thread *thread = cls;
    struct pawl_conn *conn = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        /* Without memory it stays NULL, and its first request closes it. */
        conn = *context = calloc(1, sizeof *conn);
        if (conn == NULL)
            return;
        conn->fd =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        conn->is_unix = is_unix_socket(conn->fd);
        pawl_conn_begin(&thread->http.deadlines, conn, thread->http.now_ns);
        return;
    }
    if (conn != NULL)
        pawl_conn_end(conn);
    free(conn);
    pawl_thread_lower(thread);
}

/* The address is only kept by libmicrohttpd, not used. */
static void
add_connection(struct pawl_thread *thread, int fd)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};

    if (MHD_add_connection(thread->mhd, fd, &none, sizeof none) != MHD_YES) {
        pawl_log_write(thread->server->options.log, PAWL_LOG_WARN, NULL, 0,
            "a connection was closed: %s", strerror(errno));
        pawl_thread_lower(thread);
    }
}

/* --- The end --- */

static void
begin_stop(struct pawl_thread *thread)
{
    struct pawl_http *http = &thread->http;
    struct pawl_conn *list = &http->deadlines.lists[PAWL_PHASE_BUSY];

    if (thread->stop_ns != 0)
        return;
    http->stopping = true;
    thread->stop_ns = http->now_ns + CLOSE_NS;
    for (struct pawl_conn *conn = list->next; conn != list; conn = conn->next)
        if (conn->request != NULL && conn->request->watching)
            pawl_request_fail(conn->request, 503, NULL, "the daemon is stopping");
}

/* Nothing is suspended and nothing under way, and all was sent or had its time. */
static bool
may_end(const struct pawl_thread *thread)
{
    const struct pawl_http *http = &thread->http;

    return thread->stop_ns != 0 && http->nsuspended == 0 && http->nops == 0 &&
        (http->nactive == 0 || http->now_ns >= thread->stop_ns);
}

/* --- The loop --- */

static void
open_door(struct pawl_thread *thread)
{
    int fds[64];
    ssize_t n = read(thread->door[0], fds, sizeof fds);

    for (ssize_t i = 0; i < n / (ssize_t) sizeof fds[0]; i++)
        add_connection(thread, fds[i]);
}

static void
take_event(struct pawl_thread *thread, const struct epoll_event *event)
{
    struct pawl_conn *conn = event->data.ptr;

    if (event->data.ptr == thread->door) {
        open_door(thread);
    } else if (event->data.ptr == &thread->wake_fd) {
        pawl_thread_silence(thread->wake_fd);
        pawl_deliver(thread->http.handle);
        if (atomic_load_explicit(&thread->is_stopping, memory_order_relaxed))
            begin_stop(thread);
    } else if (event->data.ptr != NULL && conn->is_watched && conn->request != NULL &&
        conn->request->suspended && !conn->request->resuming) {
        pawl_request_cut(conn->request);
    }
}

/* Few waiters are resumed at once; with many, those of some milliseconds together. */
static int64_t
resumes_due(const struct pawl_thread *thread)
{
    const struct pawl_http *http = &thread->http;

    if (http->nresumes == 0)
        return PAWL_NO_DEADLINE;
    if (http->nsuspended - http->nresumes < MANY_SUSPENDED || http->stopping)
        return 0;
    return thread->resumed_ns + RESUME_EVERY_NS;
}

static int
next_timeout(struct pawl_thread *thread)
{
    struct pawl_http *http = &thread->http;
    MHD_UNSIGNED_LONG_LONG mhd_ms;
    int64_t next = pawl_deadlines_next(&http->deadlines), other, ms = -1;

    if ((other = pawl_waits_next(http)) < next)
        next = other;
    if ((other = resumes_due(thread)) < next)
        next = other;
    if (thread->stop_ns > http->now_ns && thread->stop_ns < next)
        next = thread->stop_ns;
    if (next != PAWL_NO_DEADLINE)
        ms = next <= http->now_ns ? 0 : (next - http->now_ns + 999999) / 1000000;
    if (MHD_get_timeout(thread->mhd, &mhd_ms) == MHD_YES) {
        /* Parked requests make it ask for the next turn at once, for ever. */
        if (mhd_ms == 0 && http->nparked > 0 && http->nsteps == thread->nsteps)
            mhd_ms = PARKED_MS;
        if (ms < 0 || (int64_t) mhd_ms < ms)
            ms = (int64_t) mhd_ms;
    }
    thread->nsteps = http->nsteps;
    if (ms == 0)
        pawl_deliver(http->handle);     /* a thread that never rests asks the store, too */
    else if (pawl_rest(http->handle) && (ms < 0 || ms > REST_MS))
        ms = REST_MS;
    return ms > INT32_MAX ? INT32_MAX : (int) ms;
}

static bool
turn(struct pawl_thread *thread)
{
    struct pawl_http *http = &thread->http;
    struct epoll_event events[NEVENTS];
    int n = epoll_wait(http->epoll_fd, events, NEVENTS, next_timeout(thread));

    if (n < 0 && errno != EINTR)
        return false;
    http->now_ns = pawl_thread_clock();
    for (int i = 0; i < n; i++)
        take_event(thread, &events[i]);
    pawl_waits_expire(http);
    if (resumes_due(thread) <= http->now_ns) {
        pawl_exchange_resume(http);
        thread->resumed_ns = http->now_ns;
    }
    if (MHD_run(thread->mhd) != MHD_YES)
        return false;
    /* Last: what had arrived in time was read, though this thread came late to it. */
    pawl_deadlines_expire(&http->deadlines, http->now_ns);
    return true;
}

static void *
thread_main(void *arg)
{
    struct pawl_thread *thread = arg;

    thread->http.now_ns = pawl_thread_clock();
    while (!may_end(thread))
        if (!turn(thread)) {
            char text[96];

            snprintf(
                text, sizeof text, "an HTTP thread cannot go on: %s", strerror(errno));
            thread->server->options.failed(thread->server->options.ctx, text);
            break;
        }
    return NULL;
}

/* --- Start and end of a thread --- */

static void
wake_cb(void *ctx)
{
    struct pawl_thread *thread = ctx;

    pawl_thread_ring(thread->wake_fd);
}

/* libmicrohttpd's unescaping is turned off: uri.c takes the raw target apart. */
static size_t
leave_escaped(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void) cls, (void) mhd;
    return strlen(text);
}

static struct MHD_Daemon *
start_mhd(struct pawl_thread *thread)
{
    const struct pawl_server_options *options = &thread->server->options;
    /* Its time-out counts inactivity: it ends clients that stop reading their answers. */
    unsigned idle_s = (unsigned) (2 * options->request_timeout_ns / NANO) + 5;

    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME |
                                MHD_USE_NO_LISTEN_SOCKET,
        0, NULL, NULL, pawl_exchange_handle, &thread->http, MHD_OPTION_NOTIFY_COMPLETED,
        pawl_exchange_completed, &thread->http, MHD_OPTION_NOTIFY_CONNECTION,
        connection_changed, thread, MHD_OPTION_URI_LOG_CALLBACK, pawl_exchange_begin,
        &thread->http, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT,
        options->max_connections + 16, MHD_OPTION_CONNECTION_TIMEOUT, idle_s,
        MHD_OPTION_END);
}

static bool
watch_fd(struct pawl_thread *thread, int fd, void *tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};

    return epoll_ctl(thread->http.epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool
pawl_thread_init(struct pawl_thread *thread, struct pawl_server *server)
{
    struct pawl_http *http = &thread->http;

    thread->server = server;
    http->service = &server->service;
    http->resumes_end = &http->resumes;
    pawl_deadlines_init(&http->deadlines, server->options.request_timeout_ns);
    if (getrandom(&http->next_id, sizeof http->next_id, 0) < 0)
        http->next_id = (uint64_t) pawl_thread_clock() ^ (uintptr_t) thread;
    http->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (http->epoll_fd < 0 || thread->wake_fd < 0 ||
        pipe2(thread->door, O_CLOEXEC | O_NONBLOCK) < 0 ||
        (thread->mhd = start_mhd(thread)) == NULL)
        return false;
    /* A smaller pipe does as well, it only makes main wait sooner. */
    fcntl(thread->door[1], F_SETPIPE_SZ, DOOR_BYTES);
    return watch_fd(thread, thread->door[0], thread->door) &&
        watch_fd(thread, thread->wake_fd, &thread->wake_fd) &&
        watch_fd(thread,
            MHD_get_daemon_info(thread->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, NULL);
}

bool
pawl_thread_start(struct pawl_thread *thread, size_t n)
{
    char name[16];

    if (pawl_json_reader_new(&thread->http.reader) != PAWL_OK ||
        pawl_attach(thread->server->options.engine, wake_cb, thread,
            &thread->http.handle) != PAWL_OK ||
        pthread_create(&thread->id, NULL, thread_main, thread) != 0)
        return false;
    thread->is_started = true;
    snprintf(name, sizeof name, "pawl-http-%u", (unsigned) n % 1000);
    pthread_setname_np(thread->id, name);
    return true;
}

/* A thread that failed may leave requests that wait: libmicrohttpd must not be stopped
 * with them, nor the handle detached. */
static void
settle(struct pawl_thread *thread)
{
    struct pawl_http *http = &thread->http;
    struct pawl_conn *list = &http->deadlines.lists[PAWL_PHASE_BUSY];

    while (http->nops > 0) {
        struct pollfd pollfd = {.fd = thread->wake_fd, .events = POLLIN};

        poll(&pollfd, 1, -1);
        pawl_thread_silence(thread->wake_fd);
        pawl_deliver(http->handle);
    }
    for (struct pawl_conn *conn = list->next; conn != list; conn = conn->next)
        if (conn->request != NULL && conn->request->suspended && !conn->request->resuming)
            pawl_request_cut(conn->request);
    pawl_exchange_resume(http);
}

void
pawl_thread_fini(struct pawl_thread *thread)
{
    struct pawl_http *http = &thread->http;
    int fd;

    if (thread->mhd != NULL) {
        settle(thread);
        MHD_stop_daemon(thread->mhd);
    }
    while (thread->door[0] >= 0 && read(thread->door[0], &fd, sizeof fd) == sizeof fd) {
        close(fd);              /* given just before the end */
        pawl_thread_lower(thread);
    }
    pawl_detach(http->handle);
    pawl_json_reader_free(http->reader);
    pawl_request_pool_free(http);
    for (int i = 0; i < 2; i++)
        if (thread->door[i] >= 0)
            close(thread->door[i]);
    if (thread->wake_fd >= 0)
        close(thread->wake_fd);
    if (http->epoll_fd >= 0)
        close(http->epoll_fd);
}

bool
pawl_thread_give(struct pawl_thread *thread, int fd)
{
    return write(thread->door[1], &fd, sizeof fd) == (ssize_t) sizeof fd;
}

void
pawl_thread_stop(struct pawl_thread *thread)
{
    atomic_store_explicit(&thread->is_stopping, true, memory_order_relaxed);
    pawl_thread_ring(thread->wake_fd);
}
