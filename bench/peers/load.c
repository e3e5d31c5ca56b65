/* load.c: a client and a worker for servers that speak frames of their own (frames.h), as pawl bench is
 * for pawl. One thread, epoll.
 *
 *     peer_load PROTOCOL one PORT SECONDS PREFIX SCRIPT    64 connections, each sends when it was answered
 *     peer_load PROTOCOL many PORT SECONDS PREFIX SCRIPT   1,000 in flight on one connection
 *     peer_load PROTOCOL fill PORT N                       N jobs for now, as many does
 *     peer_load PROTOCOL pace PORT RATE SECONDS            a stream of jobs, each due 1 s later, which it says
 *     peer_load PROTOCOL work PORT N                       runs N jobs that do nothing
 *     peer_load PROTOCOL late PORT N                       runs N jobs of pace
 *
 * Prints how many and in how many seconds (work: from the first to the end of the last); late prints how
 * late each was, in seconds, a line each. */
#include "frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 64
#define WORKERS 16
#define BATCH 1000
#define DAY 86400.0
#define LEAD 1.0
#define ASK_SECONDS 0.05 /* until a worker that was given no job asks again */
#define BUFFER 65536
#define DUE_FORMAT "%-40.6f" /* as long as the script */

struct conn {
    int fd;
    bool is_idle;
    size_t len;
    char buffer[BUFFER];
};

struct load {
    const struct pawl_frames *frames;
    int port, epoll;
    struct conn *conns;
};

_Noreturn static void __attribute__((format(printf, 1, 2)))
die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static double
seconds_of(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

/* --- Connections --- */

static void
connect_all(struct load *load, unsigned n)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t) load->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;

    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->conns = calloc(n, sizeof *load->conns);
    if (load->epoll < 0 || !load->conns)
        die("no memory or descriptors");
    for (unsigned i = 0; i < n; i++) {
        struct conn *conn = &load->conns[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

        conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *) &to, sizeof to) != 0 ||
            setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0 ||
            epoll_ctl(load->epoll, EPOLL_CTL_ADD, conn->fd, &event) != 0)
            die("port %d: %s", load->port, strerror(errno));
    }
}

static void
send_all(struct conn *conn, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(conn->fd, data, len, MSG_NOSIGNAL);
        if (n < 0)
            die("send: %s", strerror(errno));
        data += n;
        len -= (size_t) n;
    }
}

static void
receive(struct conn *conn)
{
    ssize_t n = recv(conn->fd, conn->buffer + conn->len, BUFFER - conn->len, 0);

    if (n <= 0)
        die("the server closed a connection");
    conn->len += (size_t) n;
}

/* Submits that were answered, in what has come. */
static size_t
take_answers(struct load *load, struct conn *conn)
{
    struct pawl_frame frame;
    size_t at = 0, len, n = 0;

    while ((len = load->frames->read(conn->buffer + at, conn->len - at, &frame)) > 0) {
        if (frame.kind != PAWL_FRAME_SUBMITTED)
            die("a submit was refused: %.*s", (int) len, conn->buffer + at);
        at += len;
        n++;
    }
    memmove(conn->buffer, conn->buffer + at, conn->len - at);
    conn->len -= at;
    return n;
}

static size_t
put_submit(struct load *load, char *out, const char *prefix, long number, const char *body,
    double due)
{
    char id[64];

    snprintf(id, sizeof id, "%s-%0*ld", prefix, 19 - (int) strlen(prefix), number);
    return load->frames->submit(out, id, body, seconds_of(CLOCK_REALTIME), due);
}

/* --- Clients --- */

static double
in_a_day(struct load *load)
{
    return load->frames->due(seconds_of(CLOCK_REALTIME) + DAY);
}

static void
submit_one(struct load *load, struct conn *conn, const char *prefix, long number,
    const char *script)
{
    char frame[PAWL_FRAME_MAX];

    send_all(conn, frame, put_submit(load, frame, prefix, number, script, in_a_day(load)));
}

static void
run_one(struct load *load, double seconds, const char *prefix, const char *script)
{
    struct epoll_event events[CONNECTIONS];
    unsigned open = CONNECTIONS;
    long sent = 0, done = 0;

    connect_all(load, CONNECTIONS);
    double began = seconds_of(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        submit_one(load, &load->conns[i], prefix, sent++, script);
    while (open > 0) {
        int n = epoll_wait(load->epoll, events, CONNECTIONS, -1);
        bool is_over = seconds_of(CLOCK_MONOTONIC) - began > seconds;

        for (int i = 0; i < n; i++) {
            struct conn *conn = events[i].data.ptr;

            receive(conn);
            if (take_answers(load, conn) == 0)
                continue;
            done++;
            if (is_over)
                open--;
            else
                submit_one(load, conn, prefix, sent++, script);
        }
    }
    printf("%ld %.6f\n", done, seconds_of(CLOCK_MONOTONIC) - began);
}

/* For so long, or so many. */
static void
run_many(struct load *load, double seconds, long at_most, const char *prefix, const char *script,
    bool is_now)
{
    static char frames[BATCH * PAWL_FRAME_MAX];
    long done = 0;

    connect_all(load, 1);
    double began = seconds_of(CLOCK_MONOTONIC);
    while (done < at_most && seconds_of(CLOCK_MONOTONIC) - began < seconds) {
        double due = is_now ? 0 : in_a_day(load);
        long n = at_most - done < BATCH ? at_most - done : BATCH;
        size_t len = 0;

        for (long i = 0; i < n; i++)
            len += put_submit(load, frames + len, prefix, done + i, script, due);
        send_all(load->conns, frames, len);
        for (done += n; n > 0; n -= (long) take_answers(load, load->conns))
            receive(load->conns);
    }
    printf("%ld %.6f\n", done, seconds_of(CLOCK_MONOTONIC) - began);
}

static void
sleep_until(double monotonic)
{
    struct timespec until = {.tv_sec = (time_t) monotonic,
        .tv_nsec = (long) ((monotonic - (double) (time_t) monotonic) * 1e9)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static void
run_pace(struct load *load, double rate, double seconds)
{
    char frame[PAWL_FRAME_MAX], body[64];
    long n = (long) (rate * seconds);

    connect_all(load, 1);
    double began = seconds_of(CLOCK_MONOTONIC);
    for (long i = 0; i < n; i++) {
        sleep_until(began + (double) i / rate);
        double due = load->frames->due(seconds_of(CLOCK_REALTIME) + LEAD);
        snprintf(body, sizeof body, DUE_FORMAT, due);
        send_all(load->conns, frame, put_submit(load, frame, "late", i, body, due));
        do
            receive(load->conns);
        while (take_answers(load, load->conns) == 0);
    }
    printf("%ld %.6f\n", n, seconds_of(CLOCK_MONOTONIC) - began);
}

/* --- The worker --- */

struct work {
    struct load *load;
    long handled, finished;
    double first;   /* when, monotonic */
    double *lates;  /* NULL: nobody asks */
    long n;
};

static void
ask(struct load *load, struct conn *conn)
{
    char frame[PAWL_FRAME_MAX];

    conn->is_idle = false;
    send_all(conn, frame, load->frames->ask(frame));
}

static void
handle(struct work *work, struct conn *conn, const struct pawl_frame *job)
{
    char text[64] = "", frames[2 * PAWL_FRAME_MAX];

    if (job->handle_len > PAWL_FRAME_MAX / 2)
        die("the handle of a job has %zu bytes", job->handle_len);
    if (work->handled == 0)
        work->first = seconds_of(CLOCK_MONOTONIC);
    if (work->lates && work->handled < work->n) {
        memcpy(text, job->body, job->body_len < 63 ? job->body_len : 63);
        work->lates[work->handled] = seconds_of(CLOCK_REALTIME) - strtod(text, NULL);
    }
    work->handled++;
    work->finished += !work->load->frames->confirms;
    size_t len = work->load->frames->finish(frames, job);
    len += work->load->frames->ask(frames + len);
    send_all(conn, frames, len);
}

static void
take_work(struct work *work, struct conn *conn)
{
    struct pawl_frame frame;
    size_t at = 0, len;

    receive(conn);
    while ((len = work->load->frames->read(conn->buffer + at, conn->len - at, &frame)) > 0) {
        if (frame.kind == PAWL_FRAME_JOB)
            handle(work, conn, &frame);
        else if (frame.kind == PAWL_FRAME_NO_JOB)
            conn->is_idle = true;
        else if (frame.kind == PAWL_FRAME_FINISHED)
            work->finished++;
        else
            die("a worker was answered: %.*s", (int) len, conn->buffer + at);
        at += len;
    }
    memmove(conn->buffer, conn->buffer + at, conn->len - at);
    conn->len -= at;
}

/* Until all are finished. Those that found no job ask again every ASK_SECONDS. */
static void
work_all(struct work *work)
{
    struct load *load = work->load;
    struct epoll_event events[WORKERS];
    double ask_at = seconds_of(CLOCK_MONOTONIC) + ASK_SECONDS;

    while (work->finished < work->n) {
        double wait = ask_at - seconds_of(CLOCK_MONOTONIC);

        if (wait <= 0) {
            for (unsigned i = 0; i < WORKERS; i++)
                if (load->conns[i].is_idle)
                    ask(load, &load->conns[i]);
            ask_at += ASK_SECONDS;
            continue;
        }
        int n = epoll_wait(load->epoll, events, WORKERS, (int) (wait * 1e3) + 1);
        for (int i = 0; i < n; i++)
            take_work(work, events[i].data.ptr);
    }
}

static void
run_work(struct load *load, long n, bool is_late)
{
    struct work work = {.load = load, .n = n};
    char frame[PAWL_FRAME_MAX];

    if (is_late && !(work.lates = calloc((size_t) n, sizeof *work.lates)))
        die("no memory");
    connect_all(load, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++) {
        send_all(&load->conns[i], frame, load->frames->greet(frame));
        ask(load, &load->conns[i]);
    }
    work_all(&work);
    printf("%ld %.6f\n", n, seconds_of(CLOCK_MONOTONIC) - work.first);
    for (long i = 0; is_late && i < n; i++)
        printf("%.6f\n", work.lates[i]);
    free(work.lates);
}

int
main(int argc, char **argv)
{
    static const struct pawl_frames *const all[] = {&pawl_beanstalkd, &pawl_gearman};
    struct load load = {.frames = NULL};

    for (unsigned i = 0; argc > 4 && i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->name, argv[1]) == 0)
            load.frames = all[i];
    if (!load.frames)
        die("usage: peer_load beanstalkd|gearman WORK PORT ARGUMENT...");
    const char *work = argv[2];
    double first = strtod(argv[4], NULL);
    load.port = atoi(argv[3]);
    if (argc == 7 && (strlen(argv[5]) > 8 || strlen(argv[6]) > PAWL_FRAME_MAX / 2))
        die("a prefix has at most 8 bytes, a script %d", PAWL_FRAME_MAX / 2);
    if (strcmp(work, "one") == 0 && argc == 7)
        run_one(&load, first, argv[5], argv[6]);
    else if (strcmp(work, "many") == 0 && argc == 7)
        run_many(&load, first, LONG_MAX, argv[5], argv[6], false);
    else if (strcmp(work, "fill") == 0 && argc == 5)
        run_many(&load, DAY, (long) first, "runs", "true", true);
    else if (strcmp(work, "pace") == 0 && argc == 6)
        run_pace(&load, first, strtod(argv[5], NULL));
    else if (strcmp(work, "work") == 0 && argc == 5)
        run_work(&load, (long) first, false);
    else if (strcmp(work, "late") == 0 && argc == 5)
        run_work(&load, (long) first, true);
    else
        die("unknown work, or its arguments are not as at the top of load.c");
    free(load.conns);
    return 0;
}
