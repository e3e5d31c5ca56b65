/* load.c: the threads of a load: each one loop, over connections of its own.
 *
 * A thread has one epoll and one timer. With a rate, requests fall due by the clock and wait, in
 * order, for a connection with room: those that wait are only a number, since each is due at a known
 * time. Without one a connection is filled again as soon as an answer came.
 *
 * R1: a thread's figures, each by a relaxed store of its only writer; A1: relaxed loads by the caller's
 * thread: counters, nothing follows from them. The last look comes after the join. */
#include "load.h"

#include "answers.h"
#include "histogram.h"
#include "requests.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define DRAIN_NS (5 * SECOND_NS)        /* for the answers that are missing at the end */
#define SETTLE_NS (SECOND_NS * 3 / 10)  /* in which the server finishes what it was given */
#define EVENTS_MAX 64
#define IDLE_MS 50
#define INPUT_BYTES 65536

struct connection {
    int fd;                             /* -1: there is none */
    bool is_ready;                      /* in the list of those with room */
    bool wants_out;                     /* epoll tells when it can be written */
    struct connection *next_ready;
    struct {
        int64_t due_ns, sent_ns;
    } flight[PAWL_LOAD_PIPELINE_MAX];   /* a ring: requests without an answer */
    unsigned first, nflight;
    char *out;                          /* requests: from out_at on, what the socket has not taken */
    size_t out_len, out_at;
    struct pawl_answers answers;
};

/* What the threads share. */
struct common {
    const struct pawl_load_options *options;
    struct pawl_load_figures *figures;
    _Atomic bool must_end;              /* R2/A2: relaxed: a wish */
    sem_t ended;                        /* posted by each thread */
};

struct thread {
    const struct pawl_load_options *options;
    struct common *common;
    pthread_t thread;
    struct connection *connections;
    unsigned nconnections, nalive;
    struct connection *ready, **ready_end;
    int epoll_fd, timer_fd;
    struct pawl_requests requests;
    char *input;
    size_t out_bytes;                   /* room of each `out`: for all that can be in flight */
    uint64_t next, step;                /* number of the next request; all threads: 0, 1, 2, ... */
    uint64_t nissued, most;
    double rate;                        /* of this thread */
    int64_t start_ns, end_ns;
    char problem[256];
    /* R1/A1 */
    _Atomic uint64_t nrequests, ntasks, nbytes, nbroken, nunanswered;
    _Atomic int64_t longest_ns;
    _Atomic uint64_t statuses[PAWL_LOAD_STATUSES];
    struct pawl_histogram latency, service;
};

static int64_t
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t) time.tv_sec * SECOND_NS + time.tv_nsec;
}

static void
count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);      /* R1 */
}

int64_t
pawl_load_cpu_ns(pid_t pid)
{
    unsigned long user, system;
    char path[64], line[1024], *fields;
    FILE *file;
    int64_t ns = -1;

    snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
    file = pid > 0 ? fopen(path, "r") : NULL;
    if (!file)
        return -1;
    if (fgets(line, sizeof line, file) && (fields = strrchr(line, ')')) &&
        sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) == 2)
        ns = (int64_t) (user + system) * (SECOND_NS / sysconf(_SC_CLK_TCK));
    fclose(file);
    return ns;
}

/* --- Connections --- */

static int
open_connection(struct thread *thread, struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    const struct pawl_load_options *options = thread->options;
    int one = 1;

    connection->fd = socket(options->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        return -1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(connection->fd, (const struct sockaddr *) &options->address,
                options->address_len) != 0 ||
        epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        int error = errno;

        close(connection->fd);
        connection->fd = -1;
        errno = error;
        return -1;
    }
    memset(&connection->answers, 0, sizeof connection->answers);
    connection->wants_out = false;
    connection->first = connection->nflight = 0;
    connection->out_len = connection->out_at = 0;
    thread->nalive++;
    return 0;
}

static void
set_ready(struct thread *thread, struct connection *connection)
{
    if (connection->is_ready || connection->fd < 0 ||
        connection->nflight >= thread->options->pipeline)
        return;
    connection->is_ready = true;
    connection->next_ready = NULL;
    *thread->ready_end = connection;
    thread->ready_end = &connection->next_ready;
}

static struct connection *
take_ready(struct thread *thread)
{
    struct connection *connection = thread->ready;

    if (!connection)
        return NULL;
    thread->ready = connection->next_ready;
    if (!thread->ready)
        thread->ready_end = &thread->ready;
    connection->is_ready = false;
    return connection;
}

/* The connection ended: what it had in flight gets no answer. Another one takes its place. */
static void
replace_connection(struct thread *thread, struct connection *connection)
{
    count(&thread->nbroken, connection->nflight);
    close(connection->fd);
    connection->fd = -1;
    thread->nalive--;
    if (open_connection(thread, connection) == 0)
        set_ready(thread, connection);
}

static void
watch_out(struct thread *thread, struct connection *connection, bool wants_out)
{
    struct epoll_event event = {
        .events = EPOLLIN | (wants_out ? (unsigned) EPOLLOUT : 0), .data.ptr = connection};

    if (wants_out != connection->wants_out)
        epoll_ctl(thread->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
    connection->wants_out = wants_out;
}

/* Gives the socket what it takes. */
static void
flush(struct thread *thread, struct connection *connection)
{
    while (connection->out_at < connection->out_len) {
        ssize_t n = send(connection->fd, connection->out + connection->out_at,
                         connection->out_len - connection->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            watch_out(thread, connection, true);
            return;
        }
        if (n < 0) {
            replace_connection(thread, connection);
            return;
        }
        connection->out_at += (size_t) n;
    }
    connection->out_len = connection->out_at = 0;
    watch_out(thread, connection, false);
}

/* --- Requests --- */

static bool
may_issue(const struct thread *thread, int64_t now_ns)
{
    return now_ns < thread->end_ns && (thread->most == 0 || thread->nissued < thread->most) &&
           !atomic_load_explicit(&thread->common->must_end, memory_order_relaxed);      /* A2 */
}

/* When the next request is due. */
static int64_t
next_due(const struct thread *thread)
{
    return thread->start_ns + (int64_t) ((double) thread->nissued / thread->rate * 1e9);
}

/* Adds the next request to what the connection has to send. */
static void
issue(struct thread *thread, struct connection *connection, int64_t due_ns, int64_t now_ns)
{
    const char *text = pawl_requests_make(&thread->requests, thread->next);
    unsigned last = (connection->first + connection->nflight) % PAWL_LOAD_PIPELINE_MAX;
    size_t len = thread->requests.len;

    if (connection->out_len + len > thread->out_bytes) {    /* what was sent makes room */
        connection->out_len -= connection->out_at;
        memmove(connection->out, connection->out + connection->out_at, connection->out_len);
        connection->out_at = 0;
    }
    memcpy(connection->out + connection->out_len, text, len);
    connection->out_len += len;
    connection->flight[last].due_ns = due_ns;
    connection->flight[last].sent_ns = now_ns;
    connection->nflight++;
    thread->next += thread->step;
    thread->nissued++;
}

/* Sends what is to be sent now. */
static void
issue_all(struct thread *thread)
{
    int64_t now_ns = now();
    struct connection *connection;

    while (thread->ready && may_issue(thread, now_ns) &&
           (thread->rate <= 0 || next_due(thread) <= now_ns)) {
        connection = take_ready(thread);
        do {
            issue(thread, connection, thread->rate > 0 ? next_due(thread) : now_ns, now_ns);
        } while (connection->nflight < thread->options->pipeline && thread->rate <= 0 &&
                 may_issue(thread, now_ns));
        flush(thread, connection);
        set_ready(thread, connection);
    }
}

/* --- Answers --- */

static uint64_t
accepted(const struct thread *thread, const struct pawl_answers *answers)
{
    const char *at;

    if (answers->status != 200)
        return 0;
    if (thread->options->work == PAWL_LOAD_SUBMIT)
        return 1;
    at = thread->options->work == PAWL_LOAD_NDJSON ? strstr(answers->body, "\"accepted\":") : NULL;
    return at ? strtoull(at + strlen("\"accepted\":"), NULL, 10) : 0;
}

/* One request has its answer. */
static void
settle(struct thread *thread, struct connection *connection, int64_t now_ns)
{
    const struct pawl_answers *answers = &connection->answers;
    int64_t latency_ns = now_ns - connection->flight[connection->first].due_ns;

    pawl_histogram_record(&thread->latency, latency_ns);
    pawl_histogram_record(&thread->service,
                          now_ns - connection->flight[connection->first].sent_ns);
    if (latency_ns > atomic_load_explicit(&thread->longest_ns, memory_order_relaxed))
        atomic_store_explicit(&thread->longest_ns, latency_ns, memory_order_relaxed);
    connection->first = (connection->first + 1) % PAWL_LOAD_PIPELINE_MAX;
    connection->nflight--;
    count(&thread->nrequests, 1);
    count(&thread->statuses[answers->status < PAWL_LOAD_STATUSES ? answers->status : 0], 1);
    count(&thread->ntasks, accepted(thread, answers));
    if (answers->status >= 400 && !thread->problem[0])
        snprintf(thread->problem, sizeof thread->problem, "%d: %.200s", answers->status,
                 answers->body);
}

/* Reads answers; false: the connection has ended, or sends what no answer is. */
static bool
take_input(struct thread *thread, struct connection *connection, const char *data, size_t len)
{
    int64_t now_ns = now();

    count(&thread->nbytes, len);
    while (len > 0) {
        size_t used;
        enum pawl_answers_found found = pawl_answers_read(&connection->answers, data, len, &used);

        data += used;
        len -= used;
        if (found == PAWL_ANSWERS_WRONG || (found == PAWL_ANSWERS_END && connection->nflight == 0))
            return false;
        if (found == PAWL_ANSWERS_END) {
            settle(thread, connection, now_ns);
            if (connection->answers.must_close)
                return false;
        }
    }
    return true;
}

static void
read_answers(struct thread *thread, struct connection *connection)
{
    for (;;) {
        ssize_t n = recv(connection->fd, thread->input, INPUT_BYTES, MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n <= 0 || !take_input(thread, connection, thread->input, (size_t) n)) {
            replace_connection(thread, connection);
            return;
        }
        if (n < INPUT_BYTES)
            break;
    }
    set_ready(thread, connection);
}

/* --- The loop --- */

/* Sets the timer to the next request, if a connection waits for it. */
static void
set_timer(struct thread *thread)
{
    int64_t due_ns = next_due(thread);
    struct itimerspec at = {.it_value = {due_ns / SECOND_NS, due_ns % SECOND_NS}};

    if (thread->ready)
        timerfd_settime(thread->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void
look_around(struct thread *thread)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(thread->epoll_fd, events, EVENTS_MAX, IDLE_MS);
    uint64_t ignored;

    for (int i = 0; i < n; i++) {
        struct connection *connection = events[i].data.ptr;

        if (!connection) {
            if (read(thread->timer_fd, &ignored, sizeof ignored) < 0)
                continue;       /* it was set anew meanwhile */
        } else {
            if (events[i].events & EPOLLOUT)
                flush(thread, connection);
            if (connection->fd >= 0 && events[i].events & ~(unsigned) EPOLLOUT)
                read_answers(thread, connection);
        }
    }
}

static unsigned
in_flight(const struct thread *thread)
{
    unsigned n = 0;

    for (unsigned i = 0; i < thread->nconnections; i++)
        n += thread->connections[i].fd >= 0 ? thread->connections[i].nflight : 0;
    return n;
}

static void *
run(void *arg)
{
    struct thread *thread = arg;

    while (may_issue(thread, now()) && thread->nalive > 0) {
        issue_all(thread);
        if (thread->rate > 0)
            set_timer(thread);
        look_around(thread);
    }
    while (in_flight(thread) > 0 && now() < thread->end_ns + DRAIN_NS)
        look_around(thread);
    count(&thread->nunanswered, in_flight(thread));
    sem_post(&thread->common->ended);
    return NULL;
}

/* --- Threads --- */

static void
fini_thread(struct thread *thread)
{
    for (unsigned i = 0; thread->connections && i < thread->nconnections; i++) {
        if (thread->connections[i].fd >= 0)
            close(thread->connections[i].fd);
        free(thread->connections[i].out);
    }
    free(thread->connections);
    free(thread->input);
    pawl_requests_fini(&thread->requests);
    if (thread->epoll_fd >= 0)
        close(thread->epoll_fd);
    if (thread->timer_fd >= 0)
        close(thread->timer_fd);
}

/* Connects part `number` of all connections. */
static int
init_thread(struct thread *thread, struct common *common, unsigned number)
{
    const struct pawl_load_options *options = common->options;
    struct epoll_event event = {.events = EPOLLIN};
    unsigned n = options->threads;

    thread->options = options;
    thread->common = common;
    thread->ready_end = &thread->ready;
    thread->next = number;
    thread->step = n;
    thread->rate = options->rate / n;
    thread->most = options->max_requests > 0 ? (options->max_requests + n - 1 - number) / n : 0;
    thread->nconnections = (options->connections + n - 1 - number) / n;
    thread->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    thread->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    thread->connections = calloc(thread->nconnections, sizeof *thread->connections);
    thread->input = malloc(INPUT_BYTES);
    if (thread->epoll_fd < 0 || thread->timer_fd < 0 || !thread->connections || !thread->input ||
        pawl_requests_init(&thread->requests, options, number + 1) != 0)
        return -1;
    thread->out_bytes = options->pipeline * thread->requests.len;
    for (unsigned i = 0; i < thread->nconnections; i++)
        thread->connections[i].fd = -1;
    for (unsigned i = 0; i < thread->nconnections; i++) {
        thread->connections[i].out = malloc(thread->out_bytes);
        if (!thread->connections[i].out || open_connection(thread, &thread->connections[i]) != 0)
            return -1;
        set_ready(thread, &thread->connections[i]);
    }
    return epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, thread->timer_fd, &event);
}

static void
add_counts(const struct thread *thread, struct pawl_load_figures *out)
{
    int64_t longest_ns = atomic_load_explicit(&thread->longest_ns, memory_order_relaxed);

    out->requests += atomic_load_explicit(&thread->nrequests, memory_order_relaxed);
    out->tasks += atomic_load_explicit(&thread->ntasks, memory_order_relaxed);
    out->bytes += atomic_load_explicit(&thread->nbytes, memory_order_relaxed);
    out->broken += atomic_load_explicit(&thread->nbroken, memory_order_relaxed);
    out->unanswered += atomic_load_explicit(&thread->nunanswered, memory_order_relaxed);
    for (unsigned i = 0; i < PAWL_LOAD_STATUSES; i++)
        out->statuses[i] += atomic_load_explicit(&thread->statuses[i], memory_order_relaxed);
    out->longest_ns = longest_ns > out->longest_ns ? longest_ns : out->longest_ns;
}

static int64_t
quantile_of(const uint64_t sums[PAWL_HISTOGRAM_BUCKETS], unsigned permille, int64_t longest_ns)
{
    int64_t ns = pawl_histogram_quantile(sums, permille);

    return ns < longest_ns ? ns : longest_ns;
}

/* The spread of what all threads have in the histogram at this place of theirs. */
static struct pawl_load_spread
spread_of(const struct thread *threads, unsigned n, size_t place, int64_t longest_ns)
{
    uint64_t sums[PAWL_HISTOGRAM_BUCKETS] = {0};

    for (unsigned i = 0; i < n; i++)
        pawl_histogram_add((const void *) ((const char *) &threads[i] + place), sums);
    return (struct pawl_load_spread) {
        quantile_of(sums, 500, longest_ns), quantile_of(sums, 900, longest_ns),
        quantile_of(sums, 990, longest_ns), quantile_of(sums, 999, longest_ns),
    };
}

static void
look(const struct thread *threads, const struct pawl_load_options *options, int64_t cpu_ns,
     struct pawl_load_figures *out)
{
    int64_t cpu_now_ns = pawl_load_cpu_ns(options->server);

    memset(out, 0, sizeof *out);
    out->elapsed_ns = now() - threads[0].start_ns;
    out->cpu_ns = cpu_ns < 0 || cpu_now_ns < 0 ? -1 : cpu_now_ns - cpu_ns;
    for (unsigned i = 0; i < options->threads; i++)
        add_counts(&threads[i], out);
    out->latency = spread_of(threads, options->threads, offsetof(struct thread, latency),
                             out->longest_ns);
    out->service = spread_of(threads, options->threads, offsetof(struct thread, service),
                             out->longest_ns);
}

/* Waits for the threads, and ticks meanwhile. */
static void
await(const struct thread *threads, unsigned n, struct common *common, int64_t cpu_ns)
{
    const struct pawl_load_options *options = common->options;
    int64_t tick_ns = now() + SECOND_NS;

    for (unsigned ended = 0; ended < n;) {
        struct timespec at = {tick_ns / SECOND_NS, tick_ns % SECOND_NS};

        if (sem_clockwait(&common->ended, CLOCK_MONOTONIC, &at) == 0) {
            ended++;
        } else if (errno == ETIMEDOUT) {
            look(threads, options, cpu_ns, common->figures);
            if (options->tick && !options->tick(options->arg, common->figures))
                atomic_store_explicit(&common->must_end, true, memory_order_relaxed);   /* R2 */
            tick_ns += SECOND_NS;
        }
    }
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i].thread, NULL);
}

static int
run_threads(struct thread *threads, struct common *common)
{
    const struct pawl_load_options *options = common->options;
    struct timespec settle = {.tv_nsec = SETTLE_NS};
    int64_t start_ns = now(), cpu_ns = pawl_load_cpu_ns(options->server);
    unsigned n = 0;
    int error = 0;

    for (unsigned i = 0; i < options->threads; i++) {
        threads[i].start_ns = start_ns;
        threads[i].end_ns = start_ns + options->duration_ns;
    }
    while (n < options->threads && error == 0) {
        error = pthread_create(&threads[n].thread, NULL, run, &threads[n]);
        n += error == 0;
    }
    if (error)
        atomic_store_explicit(&common->must_end, true, memory_order_relaxed);
    await(threads, n, common, cpu_ns);
    look(threads, options, -1, common->figures);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &settle, NULL);
    if (cpu_ns >= 0)
        common->figures->cpu_ns = pawl_load_cpu_ns(options->server) - cpu_ns;
    errno = error;
    return error ? -1 : 0;
}

int
pawl_load_run(const struct pawl_load_options *options, struct pawl_load_figures *out, char *error,
              size_t size)
{
    struct thread *threads = calloc(options->threads, sizeof *threads);
    struct common common = {.options = options, .figures = out};
    unsigned n = 0;
    int code = threads ? 0 : -1;

    sem_init(&common.ended, 0, 0);
    for (; n < options->threads && code == 0; n++)
        code = init_thread(&threads[n], &common, n);
    if (code == 0)
        code = run_threads(threads, &common);
    if (code != 0)
        snprintf(error, size, "%s", strerror(errno));
    for (unsigned i = 0; code == 0 && i < n && !out->problem[0]; i++)
        memcpy(out->problem, threads[i].problem, sizeof out->problem);
    while (n > 0)
        fini_thread(&threads[--n]);
    sem_destroy(&common.ended);
    free(threads);
    return code;
}
