/* bench_stored.c: what a durable store costs: how many submits become durable in a second, through
 * the library, and how late tasks fire while the store is given as much as it takes.
 *
 * Full load: one thread submits with 64 submits under way, as many as a busy daemon's connections, so
 * that one commit follows the other; and with 4,096, which leaves no processor idle, so that the
 * system's scheduler is what is measured. Meanwhile twenty intervals of 97 to 230 ms, rarely due together, run `:`; the engine's own
 * count of the time from due to the worker. Beside it, in the same run, the floor of this machine under that load: a thread that
 * sleeps by timerfd.
 *
 *     bench_stored [SECONDS=4] */
#include "figures.h"
#include "filler.h"

#include <pawl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define ROUNDS 5
#define NINTERVALS 20
#define FLOOR_MS 5

struct load {
    struct pawl *engine;
    size_t in_flight;
    _Atomic bool stop;
    uint64_t n;
};

static void *
fill(void *arg)
{
    struct load *load = arg;

    load->n = pawl_bench_fill(load->engine, 0, UINT64_MAX, load->in_flight, &load->stop);
    return NULL;
}

static struct pawl *
open_engine(const char *dir, bool is_sync)
{
    struct pawl_store_options store = {.dir = dir, .is_sync = is_sync};
    struct pawl_options options;
    struct pawl_err err = {0};
    struct pawl *engine;

    pawl_options_init(&options);
    if (pawl_store_open(&store, &options.store, &err) != PAWL_OK ||
        pawl_open(&options, &engine, &err) != PAWL_OK)
        pawl_bench_die("open: %s", err.text);
    return engine;
}

static void
ignore_done(struct pawl_op *op)
{
    pawl_view_release(&op->view);
}

static void
start_intervals(struct pawl *engine, struct pawl_handle *handle)
{
    static struct pawl_op ops[NINTERVALS];

    for (int i = 0; i < NINTERVALS; i++) {
        char id[32];
        struct pawl_spec spec = {
            .id = id, .id_len = (size_t) snprintf(id, sizeof id, "beat-%d", i),
            .type = PAWL_CRON, .time_ns = (97 + 7 * i) * MS, .script = ":", .script_len = 1,
            .keep_results = 1,
        };
        struct pawl_err err;

        ops[i] = (struct pawl_op) {.done = ignore_done};
        if (pawl_submit(handle, &spec, &ops[i], &err) != PAWL_PENDING)
            pawl_bench_die("submit: %s", err.text);
    }
    (void) engine;
}

/* Sleeps n times by a timer; how late each time in us. */
static void
measure_floor(double *late, size_t n)
{
    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);

    for (size_t i = 0; i < n; i++) {
        int64_t due_ns = pawl_bench_now_ns() + FLOOR_MS * MS;
        struct itimerspec spec = {.it_value = {due_ns / 1000000000, due_ns % 1000000000}};
        uint64_t expirations;

        timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL);
        if (read(fd, &expirations, sizeof expirations) < 0)
            pawl_bench_die("timerfd");
        late[i] = (double) (pawl_bench_now_ns() - due_ns) / 1e3;
    }
    close(fd);
}

struct figures_of_round {
    double rate, p50, p99, p999, floor_p50, floor_p99, commits;
};

static struct figures_of_round
one_round(bool is_sync, size_t in_flight, size_t seconds)
{
    char dir[] = "pawl-stored-XXXXXX", command[96];
    size_t nfloors = pawl_bench_is_smoke() ? 50 : seconds * 1000 / FLOOR_MS;
    double *floors = malloc(nfloors * sizeof *floors);
    struct figures_of_round figures;
    struct pawl_handle *handle;
    struct pawl_stats stats;
    struct load load = {.in_flight = in_flight};
    pthread_t filler;
    int64_t began_ns;

    if (!floors || !mkdtemp(dir))
        pawl_bench_die("no directory");
    load.engine = open_engine(dir, is_sync);
    if (pawl_attach(load.engine, NULL, NULL, &handle) != PAWL_OK)
        pawl_bench_die("out of memory");
    start_intervals(load.engine, handle);
    pawl_rest(handle);
    began_ns = pawl_bench_now_ns();
    if (pthread_create(&filler, NULL, fill, &load) != 0)
        pawl_bench_die("no thread");
    measure_floor(floors, nfloors);
    atomic_store(&load.stop, true);
    pthread_join(filler, NULL);
    figures.rate = (double) load.n / ((double) (pawl_bench_now_ns() - began_ns) / 1e9);
    pawl_stats(load.engine, &stats);
    figures.p50 = (double) stats.due_to_worker_p50_ns / 1e3;
    figures.p99 = (double) stats.due_to_worker_p99_ns / 1e3;
    figures.p999 = (double) stats.due_to_worker_p999_ns / 1e3;
    figures.commits = (double) load.n / (double) (stats.commits ? stats.commits : 1);
    figures.floor_p50 = pawl_bench_quantile(floors, nfloors, 0.5);
    figures.floor_p99 = pawl_bench_quantile(floors, nfloors, 0.99);
    pawl_deliver(handle);
    pawl_detach(handle);
    pawl_close(load.engine);
    free(floors);
    snprintf(command, sizeof command, "rm -r %s", dir);
    if (system(command) != 0)
        pawl_bench_die("cannot remove %s", dir);
    return figures;
}

static void
measure(struct pawl_report *report, bool is_sync, size_t in_flight, size_t seconds)
{
    size_t n = pawl_bench_is_smoke() ? 1 : ROUNDS;
    double values[7][ROUNDS];
    const struct {
        const char *name, *unit;
        double at_most;
    } lines[7] = {
        {"durable submits", "/s", 0}, {"due to worker p50", "us", 0},
        {"due to worker p99", "us", in_flight < PAWL_FILL_MAX ? 2000 : 0}, {"due to worker p99.9", "us", 0},
        {"floor, timerfd p50", "us", 0}, {"floor, timerfd p99", "us", 0},
        {"submits a commit", "", 0},
    };

    for (size_t i = 0; i < n; i++) {
        struct figures_of_round figures = one_round(is_sync, in_flight, seconds);

        values[0][i] = figures.rate;
        values[1][i] = figures.p50;
        values[2][i] = figures.p99;
        values[3][i] = figures.p999;
        values[4][i] = figures.floor_p50;
        values[5][i] = figures.floor_p99;
        values[6][i] = figures.commits;
    }
    for (int line = 0; line < 7; line++) {
        char name[96];

        snprintf(name, sizeof name, "%s, %zu under way: %s", is_sync ? "sync" : "process", in_flight,
                 lines[line].name);
        pawl_report_add(report, &(struct pawl_figure) {name, lines[line].unit, values[line], n,
                                                       lines[line].at_most, 0});
    }
}

int
main(int argc, char **argv)
{
    size_t seconds = argc > 1 ? strtoul(argv[1], NULL, 10) : 4;
    struct pawl_report report;

    pawl_report_open(&report, "A store at full load");
    for (int is_sync = 0; is_sync < 2; is_sync++) {
        measure(&report, is_sync, 64, seconds);
        measure(&report, is_sync, PAWL_FILL_MAX, seconds);
    }
    pawl_report_close(&report);
    return 0;
}
