/* bench_runs.c: runs of `true` a second through the whole path (submit, wheel, ready ring, worker,
 * spawn, capture, reap, result), against a bare loop that starts the same bash with the same script
 * (bare_loop.h), in alternating rounds, both with two threads and as many runs at once.
 *
 * The rate depends on who else uses the machine, and the child is most of it; so the processor time
 * of a run, ours and the child's, stands beside it.
 *
 *     bench_runs [ROUNDS=7 [RUNS=1500]] */
#include "bare_loop.h"
#include "client.h"
#include "figures.h"

#include "shared.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NTHREADS 2
#define ROUNDS_MAX 100

/* What each round came to. */
struct rounds {
    double rate[ROUNDS_MAX];        /* runs a second */
    double cpu_us[ROUNDS_MAX];      /* a run */
};

static size_t
make_id(size_t i, char id[32])
{
    return (size_t) snprintf(id, 32, "nightly-%012zu", i);
}

static void
submit(struct pawl_bench_client *client, size_t i)
{
    char id[32];
    struct pawl_spec spec = {
        .id = id, .id_len = make_id(i, id), .type = PAWL_DELAY, .time_ns = 0, .script = "true",
        .script_len = 4, .keep_results = -1,
    };
    struct pawl_op op = {0};
    struct pawl_err err;

    if (pawl_submit(client->handle, &spec, &op, &err) != PAWL_OK)
        pawl_bench_die("submit: %s", err.text);
    pawl_view_release(&op.view);
}

static void
note_change(struct pawl_watch *watch, const struct pawl_view *view)
{
    (void) view;
    watch->version = -1;
}

/* Sleeps until the task has run; it must have succeeded. */
static void
await_end(struct pawl_bench_client *client, size_t i)
{
    struct pawl_view view;
    int64_t version = 0;
    char id[32];
    size_t len = make_id(i, id);

    for (;;) {
        struct pawl_watch watch = {.changed = note_change};
        int code = pawl_watch(client->handle, id, len, version, &watch, &view);
        eventfd_t ignored;

        while (code == PAWL_PENDING && watch.version != -1) {
            eventfd_read(client->wake_fd, &ignored);
            pawl_deliver(client->handle);
        }
        if (code == PAWL_PENDING)
            continue;
        if (code != PAWL_OK)
            pawl_bench_die("the task is gone");
        version = view.version;
        if (view.status == PAWL_EXECUTED)
            break;
        pawl_view_release(&view);
    }
    if (view.nresults != 1 || view.results[0]->outcome != PAWL_SUCCESS)
        pawl_bench_die("a run failed");
    pawl_view_release(&view);
}

static void
run_engine(struct pawl_bench_client *client, size_t n)
{
    for (size_t i = 0; i < n; i++)
        submit(client, i);
    for (size_t i = n; i-- > 0;)    /* the last first, so that the others seldom wake us */
        await_end(client, i);
}

static void
delete_all(struct pawl_bench_client *client, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char id[32];
        struct pawl_op op = {0};

        pawl_delete(client->handle, id, make_id(i, id), false, &op, NULL);
    }
}

static void
note_round(struct rounds *rounds, size_t round, size_t n, int64_t begin_ns, int64_t begin_cpu_ns)
{
    rounds->rate[round] = (double) n * 1e9 / (double) (pawl_bench_now_ns() - begin_ns);
    rounds->cpu_us[round] = (double) (pawl_bench_cpu_ns() - begin_cpu_ns) / 1e3 / (double) n;
}

static void
add(struct pawl_report *report, const char *what, unsigned concurrency, const char *unit,
    const double *values, size_t n, double at_least)
{
    char name[96];

    snprintf(name, sizeof name, "%s, %u at once", what, concurrency);
    pawl_report_add(report, &(struct pawl_figure) {name, unit, values, n, 0, at_least});
}

static void
compare(struct pawl_report *report, unsigned concurrency, size_t nrounds, size_t n)
{
    static struct rounds engine, bare;
    double rates[ROUNDS_MAX], costs[ROUNDS_MAX];
    struct pawl_bench_client client;

    pawl_bench_client_open(&client, NTHREADS, concurrency);
    for (size_t round = 0; round < nrounds; round++) {
        int64_t begin_ns = pawl_bench_now_ns(), cpu_ns = pawl_bench_cpu_ns();

        run_engine(&client, n);
        note_round(&engine, round, n, begin_ns, cpu_ns);
        delete_all(&client, n);
        begin_ns = pawl_bench_now_ns();
        cpu_ns = pawl_bench_cpu_ns();
        pawl_bare_loop(pawl_interpreters_find(&client.engine->interpreters, NULL)->path, "true", n, NTHREADS, concurrency);
        note_round(&bare, round, n, begin_ns, cpu_ns);
        rates[round] = engine.rate[round] / bare.rate[round];
        costs[round] = engine.cpu_us[round] / bare.cpu_us[round];
    }
    pawl_bench_client_close(&client);
    add(report, "rate: engine", concurrency, "runs/s", engine.rate, nrounds, 0);
    add(report, "rate: bare loop", concurrency, "runs/s", bare.rate, nrounds, 0);
    add(report, "ratio: rate, engine / bare loop", concurrency, "", rates, nrounds, 0.8);
    add(report, "CPU: engine", concurrency, "us/run", engine.cpu_us, nrounds, 0);
    add(report, "CPU: bare loop", concurrency, "us/run", bare.cpu_us, nrounds, 0);
    add(report, "ratio: CPU, engine / bare loop", concurrency, "", costs, nrounds, 0);
}

int
main(int argc, char **argv)
{
    bool is_smoke = pawl_bench_is_smoke();
    size_t nrounds = argc > 1 ? strtoul(argv[1], NULL, 10) : is_smoke ? 1 : 7;
    size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : is_smoke ? 100 : 1500;
    struct pawl_report report;

    if (nrounds < 1 || nrounds > ROUNDS_MAX || n < 1)
        pawl_bench_die("usage: bench_runs [ROUNDS [RUNS]], up to %d rounds", ROUNDS_MAX);
    pawl_report_open(&report, "Runs of `true`");
    compare(&report, 2, nrounds, n);
    compare(&report, 16, nrounds, n);
    compare(&report, 256, nrounds, n);
    pawl_report_close(&report);
    return 0;
}
