/* load.h: requests to a daemon at a set rate, or as many as it answers, over many connections; and
 * what became of them.
 *
 * Open loop (rate > 0): request i is due at i / rate after the start, whatever became of those before
 * it. Its latency counts from then, so that a server that stalls cannot hide the requests that would have
 * come meanwhile (Tene's "coordinated omission"). Closed loop (rate 0): a connection sends its next
 * request when an answer has come; latency counts from the sending, and a stall is one slow answer for
 * each place in flight.
 *
 * Threads: pawl_load_run() starts its own and blocks; tick() is called on the caller's. */
#ifndef PAWL_LOAD_H
#define PAWL_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define PAWL_LOAD_PIPELINE_MAX 64
#define PAWL_LOAD_STATUSES 600

enum pawl_load_work {
    PAWL_LOAD_SUBMIT,                   /* one task a request */
    PAWL_LOAD_NDJSON,                   /* `batch` tasks a request, as one stream */
    PAWL_LOAD_GET,                      /* one of the tasks that NDJSON made before, at random */
    PAWL_LOAD_LIST,                     /* all of those */
};

/* All of one run. */
struct pawl_load_figures {
    int64_t elapsed_ns;
    uint64_t requests;                  /* answered */
    uint64_t tasks;                     /* accepted, of submits */
    uint64_t bytes;                     /* of answers, heads included */
    uint64_t broken;                    /* without an answer, because the connection ended */
    uint64_t unanswered;                /* when it was time to end */
    uint64_t statuses[PAWL_LOAD_STATUSES];
    int64_t cpu_ns;                     /* of the server, all its threads; -1: not known */
    struct pawl_load_spread {
        int64_t p50_ns, p90_ns, p99_ns, p999_ns;    /* at most 3.2 % too high */
    } latency, service;                 /* from when it was due; from when it was sent */
    int64_t longest_ns;                 /* latency, exact */
    char problem[256];                  /* the first answer that was a refusal; empty: none */
};

struct pawl_load_options {
    struct sockaddr_storage address;
    socklen_t address_len;
    const char *host;                   /* of the Host header */
    enum pawl_load_work work;
    unsigned connections, threads;
    unsigned pipeline;                  /* requests in flight on a connection, at most PIPELINE_MAX */
    double rate;                        /* requests a second; 0: closed loop */
    int64_t duration_ns;
    uint64_t max_requests;              /* 0: any number */
    unsigned batch;                     /* NDJSON */
    const char *prefix;                 /* of the ids: characters that need no escape */
    uint64_t first;                     /* number in the first id */
    uint64_t ntasks;                    /* GET: ids 0 to ntasks - 1 are there */
    int64_t time_ns;                    /* the delay of tasks */
    const char *script;                 /* JSON, without the quotes */
    pid_t server;                       /* whose processor time counts; 0: nobody's */
    bool (*tick)(void *arg, const struct pawl_load_figures *now);   /* once a second; false: ends */
    void *arg;
};

/* Runs it. Returns 0, or -1 with error set: nothing was sent, or memory is out. */
int
pawl_load_run(const struct pawl_load_options *options, struct pawl_load_figures *out, char *error,
              size_t size);

/* Processor time of a process so far, ns; -1: not known. */
int64_t
pawl_load_cpu_ns(pid_t pid);

#endif
