/* bench_restart.c: from nothing to an engine that has all its tasks, beside a bare loop that only
 * steps through the same rows of the same file and looks at every column.
 *
 * The store is filled through the engine: ids of 20 bytes, scripts of 40, due times spread over an hour,
 * a day from now. Then bare loop and start take turns; the file is
 * in the page cache for both.
 *
 *     bench_restart [TASKS...]      default: 1000000 */
#include "figures.h"
#include "filler.h"

#include <pawl.h>
#include <sqlite3.h>
#include <stdlib.h>

#define ROUNDS 5

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

static void
fill(const char *dir, uint64_t ntasks)
{
    struct pawl *engine = open_engine(dir);

    pawl_bench_fill(engine, 0, ntasks, PAWL_FILL_MAX, NULL);
    pawl_close(engine);
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
    uint64_t sum;
    char path[300];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/pawl.db", dir);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        pawl_bench_die("%s: %s", path, sqlite3_errmsg(db));
    sum = step_through(db, "SELECT * FROM task ORDER BY seq");
    sum += step_through(db, "SELECT * FROM state ORDER BY seq");
    sum += step_through(db, "SELECT * FROM result ORDER BY seq");
    __asm__ volatile("" : : "r"(sum));      /* it was asked for */
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
