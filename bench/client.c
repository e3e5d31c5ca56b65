/* client.c: an engine with one handle. */
#include "client.h"

#include "figures.h"

#include <sys/eventfd.h>
#include <unistd.h>

static void
wake(void *ctx)
{
    eventfd_write(((struct pawl_bench_client *) ctx)->wake_fd, 1);
}

void
pawl_bench_client_open(struct pawl_bench_client *client, unsigned nworkers, unsigned max_running)
{
    struct pawl_options options;
    struct pawl_err err;

    pawl_options_init(&options);
    options.nworkers = nworkers;
    options.max_running = max_running;
    client->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (pawl_open(&options, &client->engine, &err) != PAWL_OK)
        pawl_bench_die("pawl_open: %s", err.text);
    if (pawl_attach(client->engine, wake, client, &client->handle) != PAWL_OK)
        pawl_bench_die("out of memory");
}

void
pawl_bench_client_close(struct pawl_bench_client *client)
{
    pawl_detach(client->handle);
    pawl_close(client->engine);
    close(client->wake_fd);
}
