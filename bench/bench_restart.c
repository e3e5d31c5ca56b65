/* bench_restart.c: from nothing to an engine that has all its tasks, beside a bare loop that only
 * steps through the same rows of the same file and looks at every column.
 *
 * The store is filled through the engine, by groups as a stream fills it: ids of 20 bytes, scripts of
 * 40, due times spread over an hour, a day from now. Then bare loop and start take turns; the file is
 * in the page cache for both.
 *
 *     bench_restart [TASKS...]      default: 1000000 */
#include "figures.h"

#include <pawl.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ROUNDS 5
#define OPS 4096
#define HOUR_NS INT64_C(3600000000000)
#define SCRIPT "/usr/local/bin/report --day yesterday -q"

struct filling {
    struct pawl_op ops[OPS];
    size_t free[OPS], nfree;
};

static struct filling filling;

static void
done_cb(struct pawl_op *op)
{
    if (op->code != PAWL_OK)
        pawl_bench_die("a submit was not kept: %d", op->code);
    pawl_view_release(&op->view);
    filling.free[filling.nfree++] = (size_t) (op - filling.ops);
}

static void
wake_cb(void *ctx)
{
    eventfd_write(*(int *) ctx, 1);
}

static struct pawl *
open_engine(const char *dir)
{
    struct pawl_store_options store = {.dir = dir, .is_sync = false};
    struct pawl_options options;
    struct pawl_err err = {0};
    struct pawl *engine;

    pawl_options_init(&options);
    options.nworkers = 1;
    if (pawl_store_open(&store, &options.store, &err) != PAWL_OK ||
        pawl_open(&options, &engine, &err) != PAWL_OK)
        pawl_bench_die("open: %s", err.text);
    return engine;
}

/* Waits until a place is free; with all, until every one is. */
static void
await_places(struct pawl_handle *handle, int wake_fd, bool all)
{
    while (filling.nfree < (all ? OPS : 1)) {
        struct pollfd fd = {.fd = wake_fd, .events = POLLIN};
        eventfd_t ignored;

        pawl_rest(handle);
        if (poll(&fd, 1, -1) == 1)
            eventfd_read(wake_fd, &ignored);
        pawl_deliver(handle);
    }
}

static void
fill(const char *dir, uint64_t ntasks)
{
    struct pawl *engine = open_engine(dir);
    int wake_fd = eventfd(0, EFD_NONBLOCK);
    struct pawl_handle *handle;
    struct pawl_err err;

    for (filling.nfree = 0; filling.nfree < OPS; filling.nfree++) {
        filling.free[filling.nfree] = filling.nfree;
        filling.ops[filling.nfree].done = done_cb;
    }
    if (pawl_attach(engine, wake_cb, &wake_fd, &handle) != PAWL_OK)
        pawl_bench_die("out of memory");
    for (uint64_t i = 0; i < ntasks; i++) {
        char id[32];
        struct pawl_spec spec = {
            .id = id, .id_len = 20, .type = PAWL_DELAY, .script = SCRIPT,
            .script_len = strlen(SCRIPT), .keep_results = -1,
            .time_ns = 24 * HOUR_NS + (int64_t) (i * 2654435761u % (uint64_t) HOUR_NS),
        };

        snprintf(id, sizeof id, "nightly-%012llu", (unsigned long long) i);
        await_places(handle, wake_fd, false);
        if (pawl_submit(handle, &spec, &filling.ops[filling.free[--filling.nfree]], &err) !=
            PAWL_PENDING)
            pawl_bench_die("submit: %s", err.text);
    }
    await_places(handle, wake_fd, true);
    pawl_detach(handle);
    pawl_close(engine);
    close(wake_fd);
}

/* Steps through every row of a table and looks at each column. */
static uint64_t
step_through(sqlite3 *db, const char *select)
{
    sqlite3_stmt *statement;
    uint64_t sum = 0;
    int rc;

    if (sqlite3_prepare_v2(db, select, -1, &statement, NULL) != SQLITE_OK)
        pawl_bench_die("%s: %s", select, sqlite3_errmsg(db));
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            if (sqlite3_column_type(statement, i) == SQLITE_INTEGER)
                sum += (uint64_t) sqlite3_column_int64(statement, i);
            else if (sqlite3_column_text(statement, i))
                sum += (uint64_t) sqlite3_column_bytes(statement, i);
        }
    }
    if (rc != SQLITE_DONE)
        pawl_bench_die("%s: %s", select, sqlite3_errmsg(db));
    sqlite3_finalize(statement);
    return sum;
}

static double
bare_loop_s(const char *dir)
{
    int64_t began_ns = pawl_bench_now_ns();
    volatile uint64_t sum;
    char path[300];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/pawl.db", dir);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        pawl_bench_die("%s: %s", path, sqlite3_errmsg(db));
    sum = step_through(db, "SELECT * FROM task ORDER BY seq");
    sum += step_through(db, "SELECT * FROM state ORDER BY seq");
    sum += step_through(db, "SELECT * FROM result ORDER BY seq");
    sqlite3_close(db);
    return (double) (pawl_bench_now_ns() - began_ns) / 1e9;
}

static double
restart_s(const char *dir, uint64_t ntasks)
{
    int64_t began_ns = pawl_bench_now_ns(), ns;
    struct pawl *engine = open_engine(dir);
    struct pawl_stats stats;

    ns = pawl_bench_now_ns() - began_ns;
    pawl_stats(engine, &stats);
    if (stats.tasks != ntasks)
        pawl_bench_die("%llu tasks came back, not %llu", (unsigned long long) stats.tasks,
                       (unsigned long long) ntasks);
    pawl_close(engine);
    return (double) ns / 1e9;
}

static void
measure(struct pawl_report *report, uint64_t ntasks)
{
    char dir[] = "pawl-restart-XXXXXX", name[64], command[96];
    double bare[ROUNDS], restart[ROUNDS], ratio[ROUNDS];
    size_t rounds = pawl_bench_is_smoke() ? 1 : ROUNDS;

    if (!mkdtemp(dir))
        pawl_bench_die("mkdtemp failed");
    fill(dir, ntasks);
    bare_loop_s(dir);           /* into the page cache */
    for (size_t i = 0; i < rounds; i++) {
        bare[i] = bare_loop_s(dir);
        restart[i] = restart_s(dir, ntasks);
        ratio[i] = restart[i] / bare[i];
    }
    snprintf(name, sizeof name, "restart: bare loop, %llu tasks", (unsigned long long) ntasks);
    pawl_report_add(report, &(struct pawl_figure) {name, "s", bare, rounds, 0, 0});
    snprintf(name, sizeof name, "restart: engine, %llu tasks", (unsigned long long) ntasks);
    pawl_report_add(report, &(struct pawl_figure) {name, "s", restart, rounds, 0, 0});
    snprintf(name, sizeof name, "ratio: engine / bare loop, %llu tasks",
             (unsigned long long) ntasks);
    pawl_report_add(report, &(struct pawl_figure) {name, "", ratio, rounds, 3.0, 0});
    snprintf(command, sizeof command, "rm -r %s", dir);
    if (system(command) != 0)
        pawl_bench_die("cannot remove %s", dir);
}

int
main(int argc, char **argv)
{
    struct pawl_report report;

    pawl_report_open(&report, "Restart with pending tasks");
    if (argc == 1)
        measure(&report, pawl_bench_is_smoke() ? 10000 : 1000000);
    for (int i = 1; i < argc; i++)
        measure(&report, strtoull(argv[i], NULL, 10));
    pawl_report_close(&report);
    return 0;
}
