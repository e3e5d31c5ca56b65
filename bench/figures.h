/* figures.h: what the benchmarks written in C share: clocks, and a report in which every figure is
 * the median of several values with the least and the greatest beside it. The report is a table
 * on stdout and, if PAWL_BENCH_JSON names a file, a line of JSON a figure there, for run.py.
 * Threads: one. */
#ifndef PAWL_FIGURES_H
#define PAWL_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct pawl_figure {
    const char *name;       /* "group: what", the group being one table and one picture */
    const char *unit;
    const double *values;
    size_t n;               /* > 0 */
    double at_most;         /* the target; 0: none */
    double at_least;
};

struct pawl_report {
    FILE *json;             /* or NULL */
};

void
pawl_report_open(struct pawl_report *report, const char *title);
void
pawl_report_add(struct pawl_report *report, const struct pawl_figure *figure);
/* A figure of one value. */
void
pawl_report_value(struct pawl_report *report, const char *name, const char *unit, double value);
void
pawl_report_close(struct pawl_report *report);

/* Whether only a moment's run is asked for: PAWL_BENCH_SMOKE is set. */
bool
pawl_bench_is_smoke(void);

/* CLOCK_BOOTTIME, the clock of the engine. */
int64_t
pawl_bench_now_ns(void);
/* Processor time of this process and of the children that it has waited for. */
int64_t
pawl_bench_cpu_ns(void);
/* Resident memory of this process. */
size_t
pawl_bench_resident_bytes(void);

/* Sorts values and gives the least one that the part (0 to 1) of them does not exceed. */
double
pawl_bench_quantile(double *values, size_t n, double part);

/* Ends the program with a message: a benchmark that cannot go on has no figures. */
_Noreturn void
pawl_bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
