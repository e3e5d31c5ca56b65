/* bench_spawn.c: what starting a process costs as the daemon grows: the time in pawl_spawn() with
 * little resident memory and with 4 GiB of it, in alternating order of sizes.
 *
 *     bench_spawn [SPAWNS=300 [MIB=4096]] */
#include "figures.h"

#include "spawn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 5

static double
spawn_once_us(struct pawl_spawn_room *room)
{
    static _Atomic int32_t pid_slot;
    struct pawl_run_facts facts = {"task", 4, 1, 1, 1800000000123456789, &pid_slot};
    struct pawl_child child;
    struct pawl_err err;
    int64_t begin = pawl_bench_now_ns(), end;
    siginfo_t info;

    if (pawl_spawn(room, "true", 4, NULL, &facts, &child, &err) != PAWL_OK)
        pawl_bench_die("%s", err.text);
    end = pawl_bench_now_ns();
    waitid(P_PIDFD, (id_t) child.pidfd, &info, WEXITED);
    close(child.pidfd);
    close(child.out_fd);
    close(child.err_fd);
    return (double) (end - begin) / 1e3;
}

static double
median_us(struct pawl_spawn_room *room, size_t n)
{
    double *values = malloc(n * sizeof *values), median;

    if (!values)
        pawl_bench_die("out of memory");
    for (size_t i = 0; i < n; i++)
        values[i] = spawn_once_us(room);
    median = pawl_bench_quantile(values, n, 0.5);
    free(values);
    return median;
}

int
main(int argc, char **argv)
{
    bool is_smoke = pawl_bench_is_smoke();
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : is_smoke ? 10 : 300;
    size_t mib = argc > 2 ? strtoul(argv[2], NULL, 10) : is_smoke ? 64 : 4096;
    double small[ROUNDS], large[ROUNDS], ratios[ROUNDS];
    struct pawl_interpreters interpreters;
    struct pawl_spawner spawner = {.interpreters = &interpreters, .environment = environ};
    struct pawl_spawn_room *room;
    struct pawl_report report;
    struct pawl_err err;
    char name[64];

    if (n < 1 || pawl_interpreters_init(&interpreters, NULL, &err) != PAWL_OK ||
        pawl_spawner_init(&spawner, &err) != PAWL_OK ||
        !(room = pawl_spawn_room_new(&spawner)))
        pawl_bench_die("cannot start");
    pawl_report_open(&report, "Time in pawl_spawn()");
    for (int round = 0; round < ROUNDS; round++) {
        void *block;

        small[round] = median_us(room, n);
        block = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED)
            pawl_bench_die("no memory");
        memset(block, 1, mib << 20);
        large[round] = median_us(room, n);
        munmap(block, mib << 20);
        ratios[round] = large[round] / small[round];
    }
    snprintf(name, sizeof name, "spawn: resident memory %zu MiB", mib);
    pawl_report_add(&report, &(struct pawl_figure) {"spawn: little resident memory", "us", small,
                                                    ROUNDS, 0, 0});
    pawl_report_add(&report, &(struct pawl_figure) {name, "us", large, ROUNDS, 0, 0});
    pawl_report_add(&report, &(struct pawl_figure) {"spawn: large / little", "", ratios, ROUNDS,
                                                    0, 0});
    pawl_report_close(&report);
    pawl_spawn_room_free(room);
    pawl_spawner_fini(&spawner);
    return 0;
}
