/* client.h: an engine with one handle, as the benchmarks of firing use it. Dies of an error. */
#ifndef PAWL_BENCH_CLIENT_H
#define PAWL_BENCH_CLIENT_H

#include <pawl.h>

struct pawl_bench_client {
    struct pawl *engine;
    struct pawl_handle *handle;
    int wake_fd;                /* an eventfd, blocking: something is to be delivered */
};

/* nworkers and max_running as in struct pawl_options. */
void
pawl_bench_client_open(struct pawl_bench_client *client, unsigned nworkers,
                       unsigned max_running);
void
pawl_bench_client_close(struct pawl_bench_client *client);

#endif
