/* bench_memory.c: resident memory of a pending task, with everything that it needs counted in: from
 * before the engine is opened until all tasks are in the index, the order and the wheel. Then all
 * are deleted: what stays resident, at once, and after twelve seconds in which a few other tasks
 * come and go, as jemalloc gives pages back ten seconds after their last use, but only while it is
 * called.
 *
 * Ids have 20 bytes, scripts 40; due times are spread over an hour, a day from now. Each size is
 * measured in processes of its own.
 *
 *     bench_memory [TASKS...]      default: 1000000 10000000 */
#include "figures.h"

#include <pawl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 3
#define HOUR_NS INT64_C(3600000000000)
#define SCRIPT "/usr/local/bin/report --day yesterday -q"

static void
wake(void *ctx)
{
    (void) ctx;
}

static void
make_id(uint64_t number, char id[32])
{
    snprintf(id, 32, "nightly-%012llu", (unsigned long long) number);
}

static void
submit(struct pawl_handle *handle, uint64_t number)
{
    struct pawl_spec spec = {
        .id_len = 20, .type = PAWL_DELAY, .script = SCRIPT, .script_len = strlen(SCRIPT),
        .time_ns = 24 * HOUR_NS + (int64_t) (number * 2654435761u % (uint64_t) HOUR_NS),
        .keep_results = -1,
    };
    struct pawl_op op = {0};
    struct pawl_err err;
    char id[32];

    make_id(number, id);
    spec.id = id;
    if (pawl_submit(handle, &spec, &op, &err) != PAWL_OK)
        pawl_bench_die("submit: %s", err.text);
    pawl_view_release(&op.view);
}

static void
delete(struct pawl_handle *handle, uint64_t number)
{
    struct pawl_op op = {0};
    struct pawl_err err;
    char id[32];

    make_id(number, id);
    if (pawl_delete(handle, id, 20, false, &op, &err) != PAWL_OK)
        pawl_bench_die("delete: %s", err.text);
}

/* Waits until the engine's threads are done with what they were given: until resident memory has
 * stood still for half a second. */
static size_t
settled_bytes(struct pawl_handle *handle)
{
    size_t bytes = pawl_bench_resident_bytes(), before;

    do {
        before = bytes;
        pawl_rest(handle);
        poll(NULL, 0, 500);
        bytes = pawl_bench_resident_bytes();
    } while (bytes != before);
    return bytes;
}

enum { RESIDENT, SUBMIT, DELETE, AFTER, LATER, NVALUES };

static void
submit_and_delete(struct pawl_handle *handle, uint64_t n, int64_t *out_submit_ns,
                  int64_t *out_delete_ns, size_t *out_bytes)
{
    int64_t begin_ns = pawl_bench_now_ns();

    for (uint64_t i = 0; i < n; i++)
        submit(handle, i);
    *out_submit_ns = pawl_bench_now_ns() - begin_ns;
    if (out_bytes)
        *out_bytes = settled_bytes(handle);
    begin_ns = pawl_bench_now_ns();
    for (uint64_t i = 0; i < n; i++)
        delete(handle, i);
    *out_delete_ns = pawl_bench_now_ns() - begin_ns;
}

/* Prints the values of one round, in a process of its own. */
static void
measure(uint64_t n)
{
    size_t empty = pawl_bench_resident_bytes(), full, after;
    int64_t submit_ns, delete_ns, ignored_ns;
    struct pawl_options options;
    struct pawl_handle *handle;
    struct pawl *engine;
    struct pawl_err err;

    pawl_options_init(&options);
    options.max_pending = n + 1000;
    if (pawl_open(&options, &engine, &err) != PAWL_OK)
        pawl_bench_die("pawl_open: %s", err.text);
    if (pawl_attach(engine, wake, NULL, &handle) != PAWL_OK)
        pawl_bench_die("out of memory");
    submit_and_delete(handle, n, &submit_ns, &delete_ns, &full);
    after = settled_bytes(handle);
    for (int i = 0; i < (pawl_bench_is_smoke() ? 1 : 24); i++) {
        poll(NULL, 0, 500);
        submit_and_delete(handle, 1000, &ignored_ns, &ignored_ns, NULL);
        pawl_rest(handle);
    }
    printf("%.9g %.9g %.9g %.9g %.9g\n", (double) (full - empty) / (double) n,
           (double) submit_ns / (double) n, (double) delete_ns / (double) n,
           100.0 * (double) (after - empty) / (double) (full - empty),
           100.0 * (double) (settled_bytes(handle) - empty) / (double) (full - empty));
    pawl_detach(handle);
    pawl_close(engine);
}

static void
add(struct pawl_report *report, const char *what, uint64_t n, const char *unit,
    const double *values, size_t nrounds, double at_most)
{
    char name[96];

    snprintf(name, sizeof name, "%s, %llu tasks", what, (unsigned long long) n);
    pawl_report_add(report, &(struct pawl_figure) {name, unit, values, nrounds, at_most, 0});
}

static void
measure_size(struct pawl_report *report, const char *program, uint64_t n)
{
    size_t nrounds = pawl_bench_is_smoke() ? 1 : ROUNDS;
    double values[NVALUES][ROUNDS];
    char command[4200];

    snprintf(command, sizeof command, "exec '%s' --one %llu", program, (unsigned long long) n);
    for (size_t i = 0; i < nrounds; i++) {
        FILE *child = popen(command, "r");

        if (!child || fscanf(child, "%lf %lf %lf %lf %lf", &values[RESIDENT][i],
                             &values[SUBMIT][i], &values[DELETE][i], &values[AFTER][i],
                             &values[LATER][i]) != NVALUES || pclose(child) != 0)
            pawl_bench_die("the measuring process failed");
    }
    add(report, "resident: a pending task", n, "B", values[RESIDENT], nrounds,
        n == 1000000 ? 400 : 0);
    add(report, "left: all deleted", n, "%", values[AFTER], nrounds, 0);
    add(report, "left: 12 s later", n, "%", values[LATER], nrounds, 0);
    add(report, "time: submit", n, "ns", values[SUBMIT], nrounds, 0);
    add(report, "time: delete", n, "ns", values[DELETE], nrounds, 0);
}

int
main(int argc, char **argv)
{
    static const uint64_t usual[] = {1000000, 10000000};
    struct pawl_report report;
    char program[4096] = {0};

    if (argc == 3 && strcmp(argv[1], "--one") == 0) {
        measure(strtoull(argv[2], NULL, 10));
        return 0;
    }
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0)
        pawl_bench_die("cannot read /proc/self/exe");
    pawl_report_open(&report, "Resident memory of pending tasks");
    for (int i = 1; i < argc; i++)
        measure_size(&report, program, strtoull(argv[i], NULL, 10));
    if (argc == 1 && pawl_bench_is_smoke()) {
        measure_size(&report, program, 10000);
    } else if (argc == 1) {
        for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
            measure_size(&report, program, usual[i]);
    }
    pawl_report_close(&report);
    return 0;
}
