/* bench_crons.c: 100,000 cron tasks in 50 zones, hourly, all due at the same minute.
 *
 * The wall clock of the engine is shifted so that its next full hour comes a moment after the last
 * submission. First the only run that is allowed goes on: from the hour until all tasks are in the
 * ready ring, by looking at the ring's length without pause. Then the run is ended and all start: each
 * must run once, and then wait for the next hour; what a start costs beside the same number of plain
 * delays is bench_runs' to say.
 *
 *     bench_crons [TASKS=100000 [RUNS=TASKS]]        RUNS: how many of them are run, too */
#include "figures.h"

#include "clock.h"
#include "shared.h"
#include "zone.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)
#define HOUR (3600 * NS_PER_S)
#define ROUNDS 5
#define NZONES 50

/* The system's clock, at another time of day. */
static struct pawl_clock shifted;
static int64_t shift_ns;

static int64_t
shifted_offset(struct pawl_clock *clock)
{
    return pawl_clock_system()->offset_ns(clock) + shift_ns;
}

/* Zones whose hours begin with those of UTC, as all the times here are to be one. */
static size_t
find_zones(const char *zones[NZONES])
{
    size_t nnames, n = 0;
    const char *const *names = pawl_zone_names(&nnames);

    for (size_t i = 0; i < nnames && n < NZONES; i += nnames / (3 * NZONES)) {
        const struct pawl_zone *zone;
        struct pawl_zone_span span;

        if (pawl_zone_load(names[i], strlen(names[i]), &zone, NULL) != PAWL_OK)
            continue;
        pawl_zone_at(zone, shifted.elapsed_ns(&shifted) / NS_PER_S, &span);
        if (span.offset_s % 3600 == 0 && span.end_s == INT64_MAX)
            zones[n++] = names[i];
    }
    if (n < NZONES)
        pawl_bench_die("only %zu zones have the hours of UTC, all year", n);
    return n;
}

static void
submit(struct pawl_handle *handle, const char *id, const char *zone)
{
    struct pawl_trigger trigger = {.kind = PAWL_BY_CRON, .expr = "0 * * * *", .expr_len = 9,
                                   .timezone = zone, .timezone_len = strlen(zone)};
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, .start_ns = PAWL_NO_TIME,
                             .end_ns = PAWL_NO_TIME};
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = PAWL_CRON, .time_ns = 0, .script = ":",
        .script_len = 1, .keep_results = 1, .when = &when,
    };
    struct pawl_op op = {0};
    struct pawl_err err;

    if (pawl_submit(handle, &spec, &op, &err) != PAWL_OK)
        pawl_bench_die("submit: %s", err.text);
    pawl_view_release(&op.view);
}

static void
begin_blocker(struct pawl *engine, struct pawl_handle *handle)
{
    struct pawl_spec spec = {
        .id = "blocker", .id_len = 7, .type = PAWL_DELAY, .time_ns = 0,
        .script = "exec sleep 1000", .script_len = 15, .keep_results = 0,
    };
    struct pawl_op op = {0};

    if (pawl_submit(handle, &spec, &op, NULL) != PAWL_OK)
        pawl_bench_die("submit");
    pawl_view_release(&op.view);
    while (atomic_load_explicit(&engine->started.n, memory_order_relaxed) == 0)
        poll(NULL, 0, 1);
}

/* Waits until all have run, and looks at each. */
static void
await_runs(struct pawl *engine, struct pawl_handle *handle, size_t n)
{
    struct pawl_cursor cursor = {0};
    struct pawl_stats stats;
    struct pawl_view view;
    int code;

    pawl_signal_runs(engine, SIGKILL);          /* the blocker */
    do {
        poll(NULL, 0, 100);
        pawl_stats(engine, &stats);
    } while (stats.finished < n + 1);
    while ((code = pawl_list_next(handle, NULL, &cursor, &view)) != PAWL_ENOENT) {
        if (code != PAWL_OK)
            continue;
        if (view.type == PAWL_CRON && (view.run_count != 1 || view.missed + view.skipped_overlap > 0 ||
                                       view.next_ns % HOUR != 0))
            pawl_bench_die("%s ran %d times, and then waits for %lld", view.id, (int) view.run_count,
                           (long long) view.next_ns);
        pawl_view_release(&view);
    }
}

struct crons {
    double submit_us[ROUNDS], ready_us[ROUNDS], task_ns[ROUNDS], bytes[ROUNDS];
    double runs_per_s;
};

static void
crons_round(struct crons *crons, size_t round, size_t n, bool must_run)
{
    const char *zones[NZONES];
    size_t nzones = find_zones(zones), resident;
    struct pawl_options options;
    struct pawl_handle *handle;
    struct pawl *engine;
    int64_t now_ns, began_ns, hour_ns, all_ns;

    /* The next full hour is so far away that all are submitted by then. */
    now_ns = shifted.elapsed_ns(&shifted) + pawl_clock_system()->offset_ns(&shifted);
    hour_ns = now_ns + NS_PER_S / 2 + (int64_t) n * 15000;
    shift_ns = HOUR - hour_ns % HOUR;
    pawl_options_init(&options);
    options.clock = &shifted;
    options.max_running = 1;
    if (pawl_open(&options, &engine, NULL) != PAWL_OK || pawl_attach(engine, NULL, NULL, &handle))
        pawl_bench_die("pawl_open");
    begin_blocker(engine, handle);
    resident = pawl_bench_resident_bytes();
    began_ns = pawl_bench_cpu_ns();
    for (size_t i = 0; i < n; i++) {
        char id[32];

        snprintf(id, sizeof id, "hourly-%zu", i);
        submit(handle, id, zones[i % nzones]);
    }
    crons->submit_us[round] = (double) (pawl_bench_cpu_ns() - began_ns) / 1e3 / (double) n;
    crons->bytes[round] = (double) (pawl_bench_resident_bytes() - resident) / (double) n;
    hour_ns -= pawl_clock_system()->offset_ns(&shifted);        /* elapsed */
    if (pawl_bench_now_ns() > hour_ns)
        pawl_bench_die("submitting took too long: the machine is too busy");
    while (pawl_ready_count(&engine->ready) < n) {
        /* No pause: this is a measurement. */
    }
    all_ns = pawl_bench_now_ns();
    crons->ready_us[round] = (double) (all_ns - hour_ns) / 1e3;
    crons->task_ns[round] = (double) (all_ns - hour_ns) / (double) n;
    if (must_run) {
        began_ns = pawl_bench_now_ns();
        await_runs(engine, handle, n);
        crons->runs_per_s = (double) n * 1e9 / (double) (pawl_bench_now_ns() - began_ns);
    }
    pawl_detach(handle);
    pawl_close(engine);
}

int
main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : pawl_bench_is_smoke() ? 500 : 100000;
    size_t nrun = argc > 2 ? strtoul(argv[2], NULL, 10) : n;
    size_t rounds = pawl_bench_is_smoke() ? 1 : ROUNDS;
    struct pawl_report report;
    struct crons crons, run;

    shifted = *pawl_clock_system();
    shifted.offset_ns = shifted_offset;
    for (size_t round = 0; round < rounds; round++)
        crons_round(&crons, round, n, false);
    if (nrun > 0)
        crons_round(&run, 0, nrun, true);
    pawl_report_open(&report, "Hourly cron tasks in 50 zones, due at once");
    pawl_report_add(&report, &(struct pawl_figure) {
        "crons: submit, processor time", "us", crons.submit_us, rounds, 0, 0});
    pawl_report_add(&report, &(struct pawl_figure) {
        "crons: memory, a task", "B", crons.bytes, rounds, 0, 0});
    pawl_report_add(&report, &(struct pawl_figure) {
        "crons: until all are ready", "us", crons.ready_us, rounds, 0, 0});
    pawl_report_add(&report, &(struct pawl_figure) {
        "crons: until all are ready, a task", "ns", crons.task_ns, rounds, 0, 0});
    if (nrun > 0)
        pawl_report_value(&report, "crons: all run once, one at a time", "/s", run.runs_per_s);
    pawl_report_close(&report);
    return 0;
}
