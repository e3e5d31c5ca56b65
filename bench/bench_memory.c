/* bench_memory.c: resident memory of a pending task, with everything that it needs counted in: from
 * before the engine is opened until all tasks are in the index, the order and the wheel. Then all
 * are deleted: what stays resident, at once and after the twelve seconds in which jemalloc lets
 * go of what nobody asks for again.
 *
 * Ids have 20 bytes, scripts 40; due times are spread over an hour, a day from now. Each size is
 * measured in a process of its own.
 *
 *     bench_memory [TASKS...]      default: 1000000 10000000 */
#include "figures.h"

#include <pawl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
    if (pawl_delete(handle, id, 20, &op, &err) != PAWL_OK)
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

static void
add(struct pawl_report *report, uint64_t n, const char *what, double value, const char *unit,
    double at_most)
{
    char name[96];

    snprintf(name, sizeof name, "%llu tasks: %s", (unsigned long long) n, what);
    pawl_report_add(report, &(struct pawl_figure) {name, unit, &value, 1, at_most, 0});
}

static void
measure(struct pawl_report *report, uint64_t n)
{
    size_t empty = pawl_bench_resident_bytes(), full, deleted;
    int64_t begin, end;
    struct pawl_options options;
    struct pawl_handle *handle;
    struct pawl *engine;
    struct pawl_err err;

    pawl_options_init(&options);
    options.max_pending = n;
    if (pawl_open(&options, &engine, &err) != PAWL_OK)
        pawl_bench_die("pawl_open: %s", err.text);
    if (pawl_attach(engine, wake, NULL, &handle) != PAWL_OK)
        pawl_bench_die("out of memory");
    begin = pawl_bench_now_ns();
    for (uint64_t i = 0; i < n; i++)
        submit(handle, i);
    end = pawl_bench_now_ns();
    full = settled_bytes(handle);
    add(report, n, "resident a pending task", (double) (full - empty) / (double) n, "B",
        n == 1000000 ? 400 : 0);
    add(report, n, "submit", (double) (end - begin) / (double) n, "ns", 0);
    begin = pawl_bench_now_ns();
    for (uint64_t i = 0; i < n; i++)
        delete(handle, i);
    end = pawl_bench_now_ns();
    add(report, n, "delete", (double) (end - begin) / (double) n, "ns", 0);
    deleted = pawl_bench_resident_bytes();
    add(report, n, "still resident after deleting all, of it",
        100.0 * (double) (deleted - empty) / (double) (full - empty), "%", 0);
    for (int i = 0; i < (pawl_bench_is_smoke() ? 1 : 24); i++) {
        poll(NULL, 0, 500);
        pawl_rest(handle);
    }
    deleted = settled_bytes(handle);
    add(report, n, "the same 12 s later",
        100.0 * (double) (deleted - empty) / (double) (full - empty), "%", 0);
    pawl_detach(handle);
    pawl_close(engine);
}

static void
measure_in_child(struct pawl_report *report, uint64_t n)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        measure(report, n);
        fflush(NULL);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        pawl_bench_die("the measuring process failed");
}

int
main(int argc, char **argv)
{
    struct pawl_report report;

    pawl_report_open(&report, "Resident memory of pending tasks");
    for (int i = 1; i < argc; i++)
        measure_in_child(&report, strtoull(argv[i], NULL, 10));
    if (argc == 1 && pawl_bench_is_smoke()) {
        measure_in_child(&report, 10000);
    } else if (argc == 1) {
        measure_in_child(&report, 1000000);
        measure_in_child(&report, 10000000);
    }
    pawl_report_close(&report);
    return 0;
}
