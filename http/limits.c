/* limits.c: see limits.h. */
#include "limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define RESERVED 48             /* our own: standard ones, sockets, libraries */
#define PER_THREAD 8            /* of an HTTP thread or a worker */
/* pidfd, two pipes, and one that a long script has for a moment; else it is for what HTTP calls leave
 * behind: a few idle connections in each worker. */
#define PER_RUN 4
#define CONNECTIONS 16384       /* by default at most: each costs 16 KiB of memory */
#define RUNS 32768              /* by default at most */

static int64_t
smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void
pawl_limits_raise(struct pawl_limits *out_limits)
{
    struct rlimit limit;

    out_limits->old_nofile = out_limits->nofile = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    out_limits->old_nofile = out_limits->nofile = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        out_limits->nofile = limit.rlim_cur;
}

/* Half of the descriptors are for connections, half for runs, unless one of them was
 * asked for. */
static bool
share(int64_t budget, int64_t *connections, int64_t *runs)
{
    int64_t asked_connections = *connections, asked_runs = *runs;

    if (*connections == 0)
        *connections = smaller(CONNECTIONS,
            *runs == 0 ? budget / 2
                       : budget - PER_RUN * smaller(*runs, budget / 2 / PER_RUN));
    *connections = smaller(*connections, budget - PER_RUN);
    if (*runs == 0)
        *runs = smaller(RUNS, (budget - *connections) / PER_RUN);
    if (*connections + PER_RUN * *runs > budget) {
        *connections = smaller(*connections, budget / 2);
        *runs = smaller(*runs, (budget - *connections) / PER_RUN);
    }
    return (asked_connections != 0 && *connections < asked_connections) ||
        (asked_runs != 0 && *runs < asked_runs);
}

int
pawl_limits_apply(const struct pawl_limits *limits, struct pawl_settings *settings,
                  bool *out_lowered, struct pawl_err *err)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t budget,
        nofile = limits->nofile < INT32_MAX ? (int64_t) limits->nofile : INT32_MAX;

    if (cores < 1)
        cores = 1;
    if (settings->workers == 0)
        settings->workers = cores;
    if (settings->http_threads == 0)
        settings->http_threads = cores < 4 ? 1 : smaller(cores / 2, 8);
    if (settings->max_memory_bytes == 0)
        settings->max_memory_bytes =
            (int64_t) sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 2;
    budget =
        nofile - RESERVED - PER_THREAD * (settings->workers + settings->http_threads);
    if (budget < 4 * PER_RUN) {
        err->code = PAWL_EINVAL;
        err->field = NULL;
        snprintf(err->text, sizeof err->text,
            "the limit of open files, %" PRId64
            ", is too low for this many threads: raise it "
            "(ulimit -n), or lower --workers and --http-threads",
            nofile);
        return PAWL_EINVAL;
    }
    *out_lowered = share(budget, &settings->max_connections, &settings->max_running);
    return PAWL_OK;
}
