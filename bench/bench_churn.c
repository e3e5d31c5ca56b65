/* bench_churn.c: the size of a store through which very many short tasks go: each is submitted,
 * starts, ends with a result of 100 bytes, and is removed, while some others are there. The changes
 * are written by groups, as the committer writes them; no process is started, since five million of
 * them would take hours.
 *
 *     bench_churn [TASKS=5000000 [LIVE=100000]] */
#include "figures.h"

#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GROUP 1000
#define OUTPUT 100
#define NSIZES 10           /* looks at the size on the way */

static int64_t
file_bytes(const char *dir)
{
    static const char *const names[] = {"pawl.db", "pawl.db-wal"};
    int64_t bytes = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[300];
        struct stat status;

        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (stat(path, &status) == 0)
            bytes += status.st_blocks * 512;
    }
    return bytes;
}

static void
commit(struct pawl_store *store, struct pawl_write *writes, size_t n)
{
    static uint64_t ticket;
    struct pawl_group group = {.ticket = ++ticket, .writes = writes, .nwrites = n};

    if (store->commit(store, &group) != PAWL_OK)
        pawl_bench_die("the store cannot be written");
}

static struct pawl_record
record_of(uint64_t seq, char id[32])
{
    static const char script[] = "/usr/local/bin/report --day yesterday -q";

    return (struct pawl_record) {
        .seq = seq, .id = id, .id_len = (size_t) snprintf(id, 32, "short-%llu",
                                                          (unsigned long long) seq),
        .type = PAWL_DELAY, .time_ns = 1000000000, .script = script,
        .script_len = sizeof script - 1, .keep_results = 10,
        .created_ns = (int64_t) seq * 1000, .updated_ns = (int64_t) seq * 1000,
        .due_ns = (int64_t) seq * 1000 + 1000000000, .previous_ns = PAWL_NO_TIME,
    };
}

/* One step for the tasks from first on: submitted, started, ended, or removed. */
static void
step(struct pawl_store *store, uint64_t first, size_t n, int which)
{
    static struct pawl_write writes[GROUP];
    static char ids[GROUP][32], output[OUTPUT];
    static struct pawl_result results[GROUP];
    static const struct pawl_result *pointers[GROUP];

    for (size_t i = 0; i < n; i++) {
        uint64_t seq = first + i;
        struct pawl_write *write = &writes[i];

        *write = (struct pawl_write) {.kind = which == 0 ? PAWL_WRITE_NEW
                                              : which == 3 ? PAWL_WRITE_GONE : PAWL_WRITE_STATE};
        write->record = record_of(seq, ids[i]);
        write->record.version = which < 3 ? which : 0;
        write->record.status = which == 0 ? PAWL_TO_BE_EXECUTED
                             : which == 1 ? PAWL_EXECUTING : PAWL_EXECUTED;
        if (which > 0) {
            write->record.run_count = 1;
            write->record.running = which == 1;
            write->record.previous_ns = write->record.updated_ns;
            write->record.due_ns = PAWL_NO_TIME;
        }
        if (which == 2) {
            memset(output, 'x', sizeof output);
            results[i] = (struct pawl_result) {.run = 1, .attempt = 1, .out = output, .err = "",
                                               .out_len = sizeof output,
                                               .ended_ns = (int64_t) seq * 1000};
            pointers[i] = &results[i];
            write->results = &pointers[i];
            write->nresults = 1;
        }
    }
    commit(store, writes, n);
}

int
main(int argc, char **argv)
{
    uint64_t ntasks = argc > 1 ? strtoull(argv[1], NULL, 10)
                    : pawl_bench_is_smoke() ? 50000 : 5000000;
    uint64_t live = argc > 2 ? strtoull(argv[2], NULL, 10) : ntasks / 50;
    char dir[] = "pawl-churn-XXXXXX", command[96];
    struct pawl_store_options options = {.is_sync = false};
    double sizes[NSIZES], seconds, final;
    struct pawl_report report;
    struct pawl_store *store;
    struct pawl_err err;
    int64_t began_ns;
    size_t nsizes = 0;

    ntasks -= ntasks % GROUP;
    live -= live % GROUP;
    options.dir = mkdtemp(dir);
    if (!options.dir || pawl_store_open(&options, &store, &err) != PAWL_OK)
        pawl_bench_die("no store");
    began_ns = pawl_bench_now_ns();
    for (uint64_t seq = 1; seq <= ntasks + live; seq += GROUP) {
        for (int which = 0; which < 3 && seq <= ntasks; which++)
            step(store, seq, GROUP, which);
        if (seq > live)
            step(store, seq - live, GROUP, 3);
        if (seq <= ntasks && seq / GROUP % (ntasks / GROUP / NSIZES) == 0 && nsizes < NSIZES)
            sizes[nsizes++] = (double) file_bytes(dir) / 1e6;
    }
    seconds = (double) (pawl_bench_now_ns() - began_ns) / 1e9;
    while (store->idle(store))
        ;
    final = (double) file_bytes(dir) / 1e6;
    store->close(store);
    pawl_report_open(&report, "Churn: short tasks through a store");
    pawl_report_value(&report, "churn: tasks", "", (double) ntasks);
    pawl_report_value(&report, "churn: there at once", "", (double) live);
    pawl_report_value(&report, "churn: tasks a second, four changes each", "/s",
                      (double) ntasks / seconds);
    pawl_report_add(&report, &(struct pawl_figure) {"size: file and log on the way", "MB", sizes,
                                                    nsizes, 0, 0});
    pawl_report_value(&report, "size: when all are removed and it had idled", "MB", final);
    pawl_report_close(&report);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) == 0 ? 0 : 1;
}
