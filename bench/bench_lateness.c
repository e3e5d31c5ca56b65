/* bench_lateness.c: how late tasks fire.
 *
 * Idle: one task at a time, due 5 to 20 ms after its submission; the engine's own count of the time
 * from due to the worker and to the spawn call. Between the tasks, in the same run, the floor of
 * this machine: a thread that sleeps by timerfd until as distant a moment and wakes another one by
 * an eventfd, as the engine must at least.
 *
 * Burst: 100,000 tasks due in the same millisecond while the only run that is allowed goes on: the
 * time from then until all are in the ready ring, by looking at the ring's length without pause.
 * Then, with all of them still waiting there, single tasks: how long after their due time they
 * are in the ring.
 *
 * All that is measured here is at the mercy of who else uses the machine: compare with the floor.
 *
 *     bench_lateness [TASKS=500] */
#include "client.h"
#include "figures.h"

#include "clock.h"
#include "shared.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define ROUNDS 5
#define NLATER 200

/* Submits and gives the due time on the elapsed clock. */
static int64_t
submit(struct pawl_bench_client *client, const char *id, int64_t delay_ns, const char *script)
{
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = PAWL_DELAY, .time_ns = delay_ns,
        .script = script, .script_len = strlen(script), .keep_results = -1,
    };
    struct pawl_op op = {0};
    struct pawl_err err;
    int64_t due_ns;

    if (pawl_submit(client->handle, &spec, &op, &err) != PAWL_OK)
        pawl_bench_die("submit: %s", err.text);
    due_ns = op.view.next_ns - pawl_clock_system()->offset_ns(pawl_clock_system());
    pawl_view_release(&op.view);
    return due_ns;
}

/* --- One at a time --- */

static void
note_change(struct pawl_watch *watch, const struct pawl_view *view)
{
    (void) view;
    watch->version = -1;
}

/* Sleeps until the task has run. */
static void
await_end(struct pawl_bench_client *client, const char *id)
{
    struct pawl_view view;
    enum pawl_status status;
    int64_t version = -1;

    do {
        struct pawl_watch watch = {.changed = note_change};
        int code = pawl_watch(client->handle, id, strlen(id), version, &watch, &view);
        eventfd_t ignored;

        if (code == PAWL_PENDING) {
            while (watch.version != -1) {
                eventfd_read(client->wake_fd, &ignored);
                pawl_deliver(client->handle);
            }
            code = pawl_get(client->handle, id, strlen(id), &view);
        }
        if (code != PAWL_OK)
            pawl_bench_die("the task is gone");
        status = view.status;
        version = view.version;
        pawl_view_release(&view);
    } while (status != PAWL_EXECUTED);
}

/* The floor: main sets the timer, `sleeper` wakes by it and wakes `receiver`, which notes when. */
struct floor {
    pthread_t sleeper, receiver;
    int timer_fd, event_fd, done_fd;
    size_t n;                   /* times that each thread does its part */
    int64_t woken_ns;           /* the receiver's, then main's: behind done_fd */
};

static void *
sleep_by_timer(void *arg)
{
    struct floor *floor = arg;
    uint64_t ignored;

    for (size_t i = 0; i < floor->n; i++) {
        struct pollfd fd = {.fd = floor->timer_fd, .events = POLLIN};

        poll(&fd, 1, -1);
        if (read(floor->timer_fd, &ignored, sizeof ignored) < 0)
            pawl_bench_die("read of a timerfd failed");
        eventfd_write(floor->event_fd, 1);
    }
    return NULL;
}

static void *
receive(void *arg)
{
    struct floor *floor = arg;
    eventfd_t ignored;

    for (size_t i = 0; i < floor->n; i++) {
        eventfd_read(floor->event_fd, &ignored);
        floor->woken_ns = pawl_bench_now_ns();
        eventfd_write(floor->done_fd, 1);
    }
    return NULL;
}

/* How late the floor was, in us. */
static double
floor_once(struct floor *floor, int64_t due_ns)
{
    struct itimerspec spec = {.it_value = {due_ns / 1000000000, due_ns % 1000000000}};
    eventfd_t ignored;

    timerfd_settime(floor->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    eventfd_read(floor->done_fd, &ignored);
    return (double) (floor->woken_ns - due_ns) / 1e3;
}

static void
floor_open(struct floor *floor, size_t n)
{
    floor->n = n;
    floor->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
    floor->event_fd = eventfd(0, EFD_CLOEXEC);
    floor->done_fd = eventfd(0, EFD_CLOEXEC);
    if (floor->timer_fd < 0 || floor->event_fd < 0 || floor->done_fd < 0 ||
        pthread_create(&floor->sleeper, NULL, sleep_by_timer, floor) != 0 ||
        pthread_create(&floor->receiver, NULL, receive, floor) != 0)
        pawl_bench_die("no timer or no thread");
}

static void
floor_close(struct floor *floor)
{
    pthread_join(floor->sleeper, NULL);
    pthread_join(floor->receiver, NULL);
    close(floor->timer_fd);
    close(floor->event_fd);
    close(floor->done_fd);
}

static size_t
nrounds(void)
{
    return pawl_bench_is_smoke() ? 1 : ROUNDS;
}

enum { P50, P99, P999, NQUANTILES };

/* Each quantile of each round. */
struct quantiles {
    double values[NQUANTILES][ROUNDS];
};

static void
note_samples(struct quantiles *quantiles, size_t round, double *samples, size_t n)
{
    static const double parts[NQUANTILES] = {0.5, 0.99, 0.999};

    for (int i = 0; i < NQUANTILES; i++)
        quantiles->values[i][round] = pawl_bench_quantile(samples, n, parts[i]);
}

static void
add_quantiles(struct pawl_report *report, const char *what, const struct quantiles *quantiles,
              double p99_at_most)
{
    static const char *const names[NQUANTILES] = {"p50", "p99", "p99.9"};

    for (int i = 0; i < NQUANTILES; i++) {
        char name[96];

        snprintf(name, sizeof name, "%s %s", what, names[i]);
        pawl_report_add(report, &(struct pawl_figure) {name, "us", quantiles->values[i],
                                                       nrounds(), i == P99 ? p99_at_most : 0, 0});
    }
}

/* One round: n tasks, and as often the floor. */
static void
idle_round(size_t n, struct pawl_stats *stats, double *floors)
{
    struct pawl_bench_client client;
    struct floor floor;

    floor_open(&floor, n);
    pawl_bench_client_open(&client, 0, 0);
    for (size_t i = 0; i < n; i++) {
        int64_t delay_ns = 5 * MS + random() % (15 * MS);
        char id[32];

        snprintf(id, sizeof id, "idle-%zu", i);
        submit(&client, id, delay_ns, ":");
        await_end(&client, id);
        floors[i] = floor_once(&floor, pawl_bench_now_ns() + delay_ns);
    }
    pawl_stats(client.engine, stats);
    pawl_bench_client_close(&client);
    floor_close(&floor);
}

static void
idle(struct pawl_report *report, size_t n)
{
    static struct quantiles worker, spawn, bare;
    double *floors = malloc(n * sizeof *floors);

    if (!floors)
        pawl_bench_die("out of memory");
    srandom(1);
    for (size_t round = 0; round < nrounds(); round++) {
        struct pawl_stats stats;

        idle_round(n, &stats, floors);
        worker.values[P50][round] = (double) stats.due_to_worker_p50_ns / 1e3;
        worker.values[P99][round] = (double) stats.due_to_worker_p99_ns / 1e3;
        worker.values[P999][round] = (double) stats.due_to_worker_p999_ns / 1e3;
        spawn.values[P50][round] = (double) stats.due_to_spawn_p50_ns / 1e3;
        spawn.values[P99][round] = (double) stats.due_to_spawn_p99_ns / 1e3;
        spawn.values[P999][round] = (double) stats.due_to_spawn_p999_ns / 1e3;
        note_samples(&bare, round, floors, n);
    }
    add_quantiles(report, "idle: due to worker", &worker, 150);
    add_quantiles(report, "idle: due to spawn call", &spawn, 300);
    add_quantiles(report, "idle: floor, timerfd and eventfd", &bare, 0);
    free(floors);
}

/* --- All at once --- */

/* Looks at the ring until it holds n; gives the time. */
static int64_t
await_ring(struct pawl_bench_client *client, size_t n)
{
    while (pawl_ready_count(&client->engine->ready) < n) {
        /* No pause: this is a measurement. */
    }
    return pawl_bench_now_ns();
}

/* What the rounds of the burst came to. */
struct burst {
    double spread_us[ROUNDS];           /* from the first to the last due time */
    double ready_us[ROUNDS];            /* from the first due time until all are in the ring */
    double task_ns[ROUNDS];             /* the same, a task */
    struct quantiles later;             /* from due to the ring */
};

/* Submits n tasks that are all due at due_ns, or so; gives the first and the last due time. */
static void
submit_burst(struct pawl_bench_client *client, size_t n, int64_t due_ns, int64_t *out_first_ns,
             int64_t *out_last_ns)
{
    *out_first_ns = INT64_MAX;
    *out_last_ns = 0;
    for (size_t i = 0; i < n; i++) {
        char id[32];
        int64_t at_ns;

        snprintf(id, sizeof id, "burst-%zu", i);
        at_ns = submit(client, id, due_ns - pawl_bench_now_ns(), ":");
        *out_first_ns = at_ns < *out_first_ns ? at_ns : *out_first_ns;
        *out_last_ns = at_ns > *out_last_ns ? at_ns : *out_last_ns;
    }
    if (pawl_bench_now_ns() > *out_first_ns)
        pawl_bench_die("submitting took too long: the machine is too busy");
}

static void
burst_round(struct burst *burst, size_t round, size_t n)
{
    int64_t first_ns, last_ns, all_ns;
    double later[NLATER];
    struct pawl_bench_client client;

    pawl_bench_client_open(&client, 0, 1);
    submit(&client, "blocker", 0, "sleep 1000");
    while (atomic_load_explicit(&client.engine->started.n, memory_order_relaxed) == 0)
        poll(NULL, 0, 1);
    submit_burst(&client, n, pawl_bench_now_ns() + 500 * MS + (int64_t) n * 10000, &first_ns,
                 &last_ns);
    all_ns = await_ring(&client, n);
    burst->spread_us[round] = (double) (last_ns - first_ns) / 1e3;
    burst->ready_us[round] = (double) (all_ns - first_ns) / 1e3;
    burst->task_ns[round] = (double) (all_ns - first_ns) / (double) n;
    for (size_t i = 0; i < NLATER; i++) {
        char id[32];
        int64_t due_ns;

        snprintf(id, sizeof id, "later-%zu", i);
        due_ns = submit(&client, id, 2 * MS, ":");
        later[i] = (double) (await_ring(&client, n + i + 1) - due_ns) / 1e3;
    }
    note_samples(&burst->later, round, later, NLATER);
    pawl_bench_client_close(&client);
}

static void
burst(struct pawl_report *report, size_t n)
{
    static struct burst burst;

    for (size_t round = 0; round < nrounds(); round++)
        burst_round(&burst, round, n);
    pawl_report_add(report, &(struct pawl_figure) {
        "burst: first to last due time", "us", burst.spread_us, nrounds(), 0, 0});
    pawl_report_add(report, &(struct pawl_figure) {
        "burst: until all are ready", "us", burst.ready_us, nrounds(), 0, 0});
    pawl_report_add(report, &(struct pawl_figure) {
        "burst: until all are ready, a task", "ns", burst.task_ns, nrounds(), 0, 0});
    add_quantiles(report, "burst: later task, due to ready,", &burst.later, 0);
}

int
main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : pawl_bench_is_smoke() ? 10 : 500;
    struct pawl_report report;

    pawl_report_open(&report, "Lateness of firing");
    idle(&report, n);
    burst(&report, pawl_bench_is_smoke() ? 1000 : 100000);
    pawl_report_close(&report);
    return 0;
}
