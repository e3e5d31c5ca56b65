/* filler.c: submits pending tasks at full speed. */
#include "filler.h"

#include "figures.h"
#include "shared.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define HOUR_NS INT64_C(3600000000000)
#define SCRIPT "/usr/local/bin/report --day yesterday -q"

struct filler {
    struct pawl_handle *handle;
    int wake_fd;
    size_t nfree;
    struct place *free[PAWL_FILL_MAX];
    struct place {
        struct pawl_op op;      /* first */
        struct filler *filler;
    } places[PAWL_FILL_MAX];
};

static void
done_cb(struct pawl_op *op)
{
    struct place *place = (struct place *) op;

    if (op->code != PAWL_OK)
        pawl_bench_die("a submit was not kept: %d", op->code);
    pawl_view_release(&op->view);
    place->filler->free[place->filler->nfree++] = place;
}

static void
wake_cb(void *ctx)
{
    eventfd_write(*(int *) ctx, 1);
}

/* Waits until so many places are free. */
static void
await_places(struct filler *filler, size_t n)
{
    while (filler->nfree < n) {
        struct pollfd fd = {.fd = filler->wake_fd, .events = POLLIN};
        eventfd_t ignored;

        pawl_rest(filler->handle);
        if (poll(&fd, 1, -1) == 1)
            eventfd_read(filler->wake_fd, &ignored);
        pawl_deliver(filler->handle);
    }
}

static void
submit(struct filler *filler, uint64_t number)
{
    char id[32];
    struct pawl_spec spec = {
        .id = id, .id_len = 20, .type = PAWL_DELAY, .script = SCRIPT,
        .script_len = strlen(SCRIPT), .keep_results = -1,
        .time_ns = 24 * HOUR_NS + (int64_t) (number * 2654435761u % (uint64_t) HOUR_NS),
    };
    struct place *place = filler->free[--filler->nfree];
    struct pawl_err err;
    int code;

    snprintf(id, sizeof id, "nightly-%012llu", (unsigned long long) number);
    code = pawl_submit(filler->handle, &spec, &place->op, &err);
    if (code == PAWL_OK)
        done_cb(&place->op);
    else if (code != PAWL_PENDING)
        pawl_bench_die("submit: %s", err.text);
}

uint64_t
pawl_bench_fill(struct pawl *engine, uint64_t first, uint64_t n, size_t in_flight,
                const _Atomic bool *stop)
{
    struct filler *filler = calloc(1, sizeof *filler);
    uint64_t i = 0;

    pawl_engine_prompt();       /* as the daemon's HTTP threads */
    if (!filler)
        pawl_bench_die("out of memory");
    filler->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pawl_attach(engine, wake_cb, &filler->wake_fd, &filler->handle) != PAWL_OK)
        pawl_bench_die("out of memory");
    for (; filler->nfree < in_flight; filler->nfree++) {
        struct place *place = &filler->places[filler->nfree];

        *place = (struct place) {.op.done = done_cb, .filler = filler};
        filler->free[filler->nfree] = place;
    }
    for (; i < n && !(stop && atomic_load_explicit(stop, memory_order_relaxed)); i++) {
        await_places(filler, 1);
        submit(filler, first + i);
    }
    await_places(filler, in_flight);
    pawl_detach(filler->handle);
    close(filler->wake_fd);
    free(filler);
    return i;
}
