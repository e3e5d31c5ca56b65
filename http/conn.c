/* conn.c: see conn.h. In every list but that of bodies all connections have the same
 * time, so the oldest is the first to run out; bodies are looked at together, once a
 * second at most. */
#include "conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define NANO INT64_C(1000000000)
#define LINGER_NS (2 * NANO)

#define TOO_SLOW \
    "{\"type\":\"about:blank\",\"title\":\"Request Timeout\",\"status\":408," \
    "\"detail\":\"the request did not arrive in time: --request-timeout\"}"
#define TOO_SLOW_LENGTH "126"

static const char too_slow[] =
    "HTTP/1.1 408 Request Timeout\r\n"
    "Content-Type: application/problem+json\r\n"
    "Content-Length: " TOO_SLOW_LENGTH "\r\n"
    "Connection: close\r\n\r\n" TOO_SLOW;

void
pawl_deadlines_init(struct pawl_deadlines *deadlines, int64_t timeout_ns)
{
    _Static_assert(sizeof TOO_SLOW - 1 == 126, "what TOO_SLOW_LENGTH says");
    memset(deadlines, 0, sizeof *deadlines);
    for (int i = 0; i < PAWL_NPHASES; i++)
        deadlines->lists[i].next = deadlines->lists[i].prev = &deadlines->lists[i];
    deadlines->timeout_ns = timeout_ns;
}

static bool
is_empty(const struct pawl_conn *list)
{
    return list->next == list;
}

static void
append(struct pawl_conn *list, struct pawl_conn *conn)
{
    conn->prev = list->prev;
    conn->next = list;
    list->prev->next = conn;
    list->prev = conn;
}

/* How often bodies are looked at. */
static int64_t
sweep_interval(const struct pawl_deadlines *deadlines)
{
    return deadlines->timeout_ns / 4 < NANO ? deadlines->timeout_ns / 4 : NANO;
}

void
pawl_conn_begin(struct pawl_deadlines *deadlines, struct pawl_conn *conn, int64_t now_ns)
{
    conn->phase = PAWL_PHASE_FRESH;
    conn->since_ns = now_ns;
    append(&deadlines->lists[PAWL_PHASE_FRESH], conn);
}

void
pawl_conn_enter(struct pawl_deadlines *deadlines, struct pawl_conn *conn,
                enum pawl_phase phase, int64_t now_ns)
{
    if (phase == PAWL_PHASE_BODY && is_empty(&deadlines->lists[phase]))
        deadlines->sweep_ns = now_ns + sweep_interval(deadlines);
    pawl_conn_end(conn);
    conn->phase = phase;
    conn->since_ns = now_ns;
    conn->body_bytes = 0;
    append(&deadlines->lists[phase], conn);
}

void
pawl_conn_end(struct pawl_conn *conn)
{
    conn->next->prev = conn->prev;
    conn->prev->next = conn->next;
}

static int64_t
allowance(const struct pawl_deadlines *deadlines, enum pawl_phase phase)
{
    return phase == PAWL_PHASE_LINGER ? LINGER_NS
        : phase == PAWL_PHASE_IDLE    ? 2 * deadlines->timeout_ns
                                      : deadlines->timeout_ns;
}

int64_t
pawl_deadlines_next(const struct pawl_deadlines *deadlines)
{
    static const enum pawl_phase phases[] = {
        PAWL_PHASE_FRESH, PAWL_PHASE_IDLE, PAWL_PHASE_LINGER};
    int64_t next = PAWL_NO_DEADLINE;

    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        const struct pawl_conn *list = &deadlines->lists[phases[i]];

        if (!is_empty(list)) {
            int64_t due = list->next->since_ns + allowance(deadlines, phases[i]);

            next = due < next ? due : next;
        }
    }
    if (!is_empty(&deadlines->lists[PAWL_PHASE_BODY]) && deadlines->sweep_ns < next)
        next = deadlines->sweep_ns;
    return next;
}

/* Whether bytes came since the last answer: a client that only keeps its connection
 * open is not told 408, which it would take for the answer to its next request. */
static bool
has_begun(const struct pawl_conn *conn, int64_t now_ns)
{
    struct tcp_info info;
    socklen_t len = sizeof info;

    if (conn->phase != PAWL_PHASE_IDLE)
        return true;
    if (conn->is_unix || getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return false;
    return (int64_t) info.tcpi_last_data_recv * 1000000 + NANO / 100 <
           now_ns - conn->since_ns;
}

static void
cut(struct pawl_deadlines *deadlines, struct pawl_conn *conn, int64_t now_ns)
{
    if (conn->phase != PAWL_PHASE_LINGER && has_begun(conn, now_ns) &&
        send(conn->fd, too_slow, sizeof too_slow - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        /* The client does not read, either: nothing is lost. */
    }
    shutdown(conn->fd, SHUT_RDWR);
    pawl_conn_enter(deadlines, conn, PAWL_PHASE_BUSY, now_ns);
}

static void
sweep_bodies(struct pawl_deadlines *deadlines, int64_t now_ns)
{
    struct pawl_conn *list = &deadlines->lists[PAWL_PHASE_BODY];

    for (struct pawl_conn *conn = list->next, *next; conn != list; conn = next) {
        int64_t extra = conn->body_bytes / 1024 < INT64_MAX / NANO / 4
            ? (int64_t) (conn->body_bytes / 1024) * NANO
            : INT64_MAX / 4;

        next = conn->next;
        if (now_ns - conn->since_ns > deadlines->timeout_ns + extra)
            cut(deadlines, conn, now_ns);
    }
    deadlines->sweep_ns = now_ns + sweep_interval(deadlines);
}

void
pawl_deadlines_expire(struct pawl_deadlines *deadlines, int64_t now_ns)
{
    static const enum pawl_phase phases[] = {
        PAWL_PHASE_FRESH, PAWL_PHASE_IDLE, PAWL_PHASE_LINGER};

    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        struct pawl_conn *list = &deadlines->lists[phases[i]];

        while (!is_empty(list) &&
            now_ns - list->next->since_ns >= allowance(deadlines, phases[i]))
            cut(deadlines, list->next, now_ns);
    }
    if (!is_empty(&deadlines->lists[PAWL_PHASE_BODY]) && now_ns >= deadlines->sweep_ns)
        sweep_bodies(deadlines, now_ns);
}
