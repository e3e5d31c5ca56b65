/* daemon.c: see daemon.h. The order of the end:
 *
 *   stop accepting -> refuse submits, let runs end (--grace) -> TERM -> KILL
 *   -> answer who waits, join the HTTP threads -> close the engine.
 *
 * The main thread accepts, and is the only one that takes signals; it does so through a
 * descriptor. What fails elsewhere rings an eventfd, and the same end begins. */
#include "daemon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "copy.h"
#include "guard.h"
#include "listen.h"
#include "request.h"
#include "routes.h"
#include "server.h"

#define ACCEPTS 64              /* in a row, before signals are looked at */
#define FULL_PAUSE_MS 100       /* out of descriptors: then the next try */
#define TERM_MS 2000            /* from TERM to KILL */
#define KILL_MS 5000            /* a killed process can only hang in the kernel */

struct pawl_daemon {
    const struct pawl_settings *settings;
    const struct pawl_limits *limits;
    const struct pawl_log *log;
    struct pawl_guard guard;
    struct pawl_listener listeners[PAWL_OPTION_LIST];
    size_t nlisteners;
    struct pawl *engine;
    struct pawl_server *server;
    int signal_fd;
    int failed_fd;              /* an eventfd */
    _Atomic bool has_failed;    /* A: relaxed, read after failed_fd or at the end */
};

#define LOG(daemon, level, ...) pawl_log_write((daemon)->log, level, NULL, 0, __VA_ARGS__)

/* --- What engine and server tell, from any thread --- */

static void
engine_log(void *ctx, enum pawl_log_level level, const char *text)
{
    struct pawl_daemon *daemon = ctx;

    LOG(daemon, level, "%s", text);
}

static void
component_failed(void *ctx, const char *what)
{
    struct pawl_daemon *daemon = ctx;
    uint64_t one = 1;

    LOG(daemon, PAWL_LOG_ERROR, "%s", what);
    atomic_store_explicit(&daemon->has_failed, true, memory_order_relaxed);
    if (write(daemon->failed_fd, &one, sizeof one) < 0)
        return;                 /* rung already */
}

/* --- Start --- */

/* All signals are for the descriptor; those of a crash cannot be. */
static int
catch_signals(void)
{
    static const int crashes[] = {
        SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    struct sigaction hup;
    sigset_t blocked, caught;

    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++)
        sigdelset(&blocked, crashes[i]);
    sigemptyset(&caught);
    sigaddset(&caught, SIGTERM);
    sigaddset(&caught, SIGINT);
    sigaddset(&caught, SIGQUIT);
    /* Not under nohup. */
    if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler != SIG_IGN)
        sigaddset(&caught, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_SETMASK, &blocked, NULL) != 0)
        return -1;
    return signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
listen_all(struct pawl_daemon *daemon, struct pawl_err *err)
{
    const struct pawl_option_list *list = &daemon->settings->listen;

    if (strcmp(list->items[0], PAWL_ROOT_SOCKET) == 0)
        mkdir("/run/pawl", 0755);
    for (size_t i = 0; i < list->nitems; i++) {
        struct pawl_listener *listener = &daemon->listeners[i];
        int rc = pawl_listener_open(listener, list->items[i], err);

        if (rc != PAWL_OK)
            return rc;
        daemon->nlisteners++;
        if (!listener->is_unix)
            pawl_guard_serve(&daemon->guard, listener->host);
        if (!listener->is_unix && geteuid() == 0)
            LOG(daemon, PAWL_LOG_WARN,
                "running as root and listening on %s: every local user can "
                "run scripts as root; --listen " PAWL_ROOT_SOCKET " lets only root in",
                listener->text);
    }
    for (size_t i = 0; i < daemon->settings->hosts.nitems; i++)
        if (!pawl_guard_serve(&daemon->guard, daemon->settings->hosts.items[i])) {
            err->code = PAWL_EINVAL;
            snprintf(err->text, sizeof err->text, "--host: '%.60s' is no host name",
                daemon->settings->hosts.items[i]);
            return PAWL_EINVAL;
        }
    return PAWL_OK;
}

/* A span of which 0 means no end. */
static int64_t
or_endless(int64_t ns)
{
    return ns > 0 ? ns : INT64_MAX;
}

/* NULL with --ephemeral. */
static int
open_store(struct pawl_daemon *daemon, struct pawl_store **out_store, struct pawl_err *err)
{
    const struct pawl_settings *settings = daemon->settings;
    struct pawl_store_options options = {
        .dir = settings->data,
        .is_sync = settings->durability == PAWL_DURABILITY_SYNC,
        .ctx = daemon,
        .log = engine_log,
    };
    int rc;

    *out_store = NULL;
    if (settings->ephemeral)
        return PAWL_OK;
    rc = pawl_store_open(&options, out_store, err);
    if (rc == PAWL_OK)
        pawl_copy_sweep(settings->data);
    return rc;
}

/* A signal waits: then loading need not go on. From any thread. */
static bool
is_told_to_stop(void *ctx)
{
    struct pollfd fd = {.fd = ((struct pawl_daemon *) ctx)->signal_fd, .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

static int
open_engine(struct pawl_daemon *daemon, struct pawl_err *err)
{
    const struct pawl_settings *settings = daemon->settings;
    struct pawl_options options;
    int rc;

    pawl_options_init(&options);
    if ((rc = open_store(daemon, &options.store, err)) != PAWL_OK)
        return rc;
    options.nworkers = (unsigned) settings->workers;
    options.max_running = (unsigned) settings->max_running;
    options.max_pending = (uint64_t) settings->max_pending;
    options.max_memory_bytes = (uint64_t) settings->max_memory_bytes;
    options.keep_results = (int) settings->keep_results;
    options.run_nofile = daemon->limits->old_nofile;
    options.keep_finished_ns = or_endless(settings->keep_finished_ns);
    options.history_age_ns = or_endless(settings->history_age_ns);
    options.history_bytes =
        settings->history_bytes > 0 ? (uint64_t) settings->history_bytes : UINT64_MAX;
    options.interpreters = (const char *const *) settings->interpreters.items;
    options.groups = (const char *const *) settings->groups.items;
    options.group_queue = (unsigned) settings->group_queue;
    options.leave_orphans = settings->orphans == 1;
    options.without_cgroups = settings->cgroups == 1;
    options.ctx = daemon;
    options.log = engine_log;
    options.failed = component_failed;
    options.is_cancelled = is_told_to_stop;
    return pawl_open(&options, &daemon->engine, err);
}

/* Bodies that are being received may take a sixteenth of what tasks may, but a few of
 * the largest always. */
static size_t
held_bytes(const struct pawl_settings *settings)
{
    int64_t share = settings->max_memory_bytes / 16 / settings->http_threads;
    int64_t least = 4 * settings->max_body_bytes;

    return (size_t) (share > least ? share : least);
}

static int
open_server(struct pawl_daemon *daemon, struct pawl_err *err)
{
    const struct pawl_settings *settings = daemon->settings;
    struct pawl_server_options options = {
        .engine = daemon->engine,
        .log = daemon->log,
        .guard = &daemon->guard,
        .data_dir = settings->ephemeral ? NULL : settings->data,
        .nthreads = (unsigned) settings->http_threads,
        .max_connections = (unsigned) settings->max_connections,
        .max_body_bytes = (size_t) settings->max_body_bytes,
        .max_held_bytes = held_bytes(settings),
        .request_timeout_ns = settings->request_timeout_ns,
        .ctx = daemon,
        .failed = component_failed,
    };

    return pawl_server_open(&options, &daemon->server, err);
}

/* All that serving needs, in this order; close_all() closes what was opened. */
static int
open_all(struct pawl_daemon *daemon, struct pawl_err *err)
{
    int rc;

    daemon->signal_fd = catch_signals();
    daemon->failed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (daemon->signal_fd < 0 || daemon->failed_fd < 0) {
        err->code = PAWL_ESYS;
        snprintf(err->text, sizeof err->text, "cannot take signals: %s", strerror(errno));
        return PAWL_ESYS;
    }
    if ((rc = listen_all(daemon, err)) != PAWL_OK ||
        (rc = open_engine(daemon, err)) != PAWL_OK)
        return rc;
    return open_server(daemon, err);
}

static void
announce(struct pawl_daemon *daemon)
{
    struct pawl_buffer buffer;

    pawl_buffer_init(&buffer);
    pawl_routes_print(&buffer);
    for (size_t i = 0; i < daemon->nlisteners; i++) {
        pawl_buffer_append_str(&buffer, "pawld: listening on ");
        pawl_buffer_append_str(&buffer, daemon->listeners[i].text);
        pawl_buffer_append_str(&buffer, "\n");
    }
    if (buffer.failed || fwrite(buffer.data, 1, buffer.len, stdout) != buffer.len ||
        fflush(stdout) != 0)
        LOG(daemon, PAWL_LOG_WARN, "cannot write to stdout: %s", strerror(errno));
    pawl_buffer_fini(&buffer);
}

/* --- Serving --- */

/* True for a signal that asks to stop. */
static bool
take_signal(struct pawl_daemon *daemon)
{
    struct signalfd_siginfo info;

    if (read(daemon->signal_fd, &info, sizeof info) != (ssize_t) sizeof info)
        return false;
    LOG(daemon, PAWL_LOG_INFO, "%s received", sigabbrev_np((int) info.ssi_signo) != NULL
            ? sigabbrev_np((int) info.ssi_signo) : "a signal");
    return true;
}

/* Accepts what waits on one address; false when descriptors ran out. */
static bool
accept_some(struct pawl_daemon *daemon, struct pawl_listener *listener)
{
    for (int i = 0; i < ACCEPTS && pawl_server_has_room(daemon->server); i++) {
        int fd = pawl_listener_accept(listener);

        if (fd >= 0)
            pawl_server_give(daemon->server, fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
                 errno == ENOBUFS)
            return false;
        else if (errno != ECONNABORTED && errno != EINTR)
            break;
    }
    return true;
}

/* Until a signal or a failure. */
static void
serve(struct pawl_daemon *daemon)
{
    struct pollfd fds[3 + PAWL_OPTION_LIST];
    bool out_of_fds = false;

    for (;;) {
        bool has_room = pawl_server_has_room(daemon->server) && !out_of_fds;
        nfds_t n = 3;

        fds[0] = (struct pollfd){.fd = daemon->signal_fd, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = daemon->failed_fd, .events = POLLIN};
        fds[2] =
            (struct pollfd){.fd = out_of_fds ? -1 : pawl_server_room_fd(daemon->server),
                .events = POLLIN};
        for (size_t i = 0; has_room && i < daemon->nlisteners; i++)
            fds[n++] = (struct pollfd){.fd = daemon->listeners[i].fd, .events = POLLIN};
        if (poll(fds, n, out_of_fds ? FULL_PAUSE_MS : -1) < 0 && errno != EINTR) {
            component_failed(daemon, "the main thread cannot wait for connections");
            return;
        }
        if (fds[1].revents != 0 || (fds[0].revents != 0 && take_signal(daemon)))
            return;
        out_of_fds = false;
        for (nfds_t i = 3; i < n; i++)
            if (fds[i].revents != 0 && !accept_some(daemon, &daemon->listeners[i - 3])) {
                LOG(daemon, PAWL_LOG_WARN, "cannot accept connections: %s",
                    strerror(errno));
                out_of_fds = true;
            }
    }
}

/* --- End --- */

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until no run is in progress; false when the time is up or a signal cut it
 * short. */
static bool
wait_idle(struct pawl_daemon *daemon, int64_t ms)
{
    int64_t end = now_ms() + ms;
    struct pollfd fds[2] = {
        {.fd = pawl_idle_fd(daemon->engine), .events = POLLIN},
        {.fd = daemon->signal_fd, .events = POLLIN},
    };

    for (;;) {
        int64_t left = end - now_ms();

        if (left < 0)
            left = 0;
        if (poll(fds, 2, left < INT32_MAX ? (int) left : INT32_MAX) < 0 && errno != EINTR)
            return false;
        if (fds[0].revents != 0)
            return true;
        if (now_ms() >= end || (fds[1].revents != 0 && take_signal(daemon)))
            return false;
    }
}

static void
drain(struct pawl_daemon *daemon)
{
    struct pawl_stats stats;

    for (size_t i = 0; i < daemon->nlisteners; i++)
        pawl_listener_close(&daemon->listeners[i]);
    pawl_server_drain(daemon->server);
    pawl_close_begin(daemon->engine);
    pawl_stats(daemon->engine, &stats);
    LOG(daemon, PAWL_LOG_INFO, "stopping: %llu runs in progress",
        (unsigned long long) stats.running);
    if (wait_idle(daemon, daemon->settings->grace_ns / 1000000))
        return;
    LOG(daemon, PAWL_LOG_WARN, "runs are still in progress: sending them TERM");
    pawl_signal_runs(daemon->engine, SIGTERM);
    if (wait_idle(daemon, TERM_MS))
        return;
    LOG(daemon, PAWL_LOG_WARN, "runs are still in progress: sending them KILL");
    pawl_signal_runs(daemon->engine, SIGKILL);
    wait_idle(daemon, KILL_MS);
}

static void
close_all(struct pawl_daemon *daemon)
{
    for (size_t i = 0; i < daemon->nlisteners; i++)
        pawl_listener_close(&daemon->listeners[i]);
    pawl_server_close(daemon->server);
    pawl_close(daemon->engine);
    if (daemon->signal_fd >= 0)
        close(daemon->signal_fd);
    if (daemon->failed_fd >= 0)
        close(daemon->failed_fd);
}

/* What main.c says of its own, too: before the log there is only stderr. */
static int
refuse(const struct pawl_err *err)
{
    fprintf(stderr, "pawld: %s\n", err->text);
    return err->code == PAWL_EINVAL ? 2 : 1;
}

int
pawl_daemon_run(const struct pawl_settings *settings, const struct pawl_limits *limits,
                const struct pawl_log *log)
{
    struct pawl_daemon storage = {.settings = settings, .limits = limits, .log = log,
        .signal_fd = -1, .failed_fd = -1};
    struct pawl_daemon *daemon = &storage;
    struct pawl_err err = {.code = PAWL_OK};
    int status = 0;

    pawl_guard_init(&daemon->guard);
    if (open_all(daemon, &err) != PAWL_OK && err.code == PAWL_ECLOSED) {
        LOG(daemon, PAWL_LOG_INFO, "stopped while loading");
    } else if (err.code != PAWL_OK) {
        status = refuse(&err);
    } else {
        LOG(daemon, PAWL_LOG_INFO,
            "pawld " PAWL_VERSION
            ": at most %lld connections and %lld runs at once, by a limit of "
            "%llu open files",
            (long long) settings->max_connections, (long long) settings->max_running,
            (unsigned long long) limits->nofile);
        announce(daemon);
        serve(daemon);
        drain(daemon);
    }
    close_all(daemon);
    if (atomic_load_explicit(&daemon->has_failed, memory_order_relaxed))
        status = 1;
    if (err.code == PAWL_OK)
        LOG(daemon, PAWL_LOG_INFO, "stopped");
    return status;
}
