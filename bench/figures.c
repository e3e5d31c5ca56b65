/* figures.c: see figures.h. */
#include "figures.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void
pawl_report_open(struct pawl_report *report, const char *title)
{
    const char *path = getenv("PAWL_BENCH_JSON");

    report->json = path ? fopen(path, "ae") : NULL;
    if (path && !report->json)
        pawl_bench_die("cannot write %s", path);
    printf("%s\n%-58s %12s %12s %12s\n", title, "", "median", "least", "greatest");
    fflush(stdout);
}

static int
compare(const void *left, const void *right)
{
    double a = *(const double *) left, b = *(const double *) right;

    return (a > b) - (a < b);
}

double
pawl_bench_quantile(double *values, size_t n, double part)
{
    double place = part * (double) n;
    size_t i = (size_t) place;

    qsort(values, n, sizeof *values, compare);
    if ((double) i == place && i > 0)
        i--;
    return values[i < n ? i : n - 1];
}

static double
median(double *sorted, size_t n)
{
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void
write_json(FILE *file, const struct pawl_figure *figure, double middle)
{
    fprintf(file, "{\"name\": \"%s\", \"unit\": \"%s\", \"median\": %.9g, \"at_most\": %.9g, "
            "\"at_least\": %.9g, \"values\": [", figure->name, figure->unit, middle,
            figure->at_most, figure->at_least);
    for (size_t i = 0; i < figure->n; i++)
        fprintf(file, "%s%.9g", i ? ", " : "", figure->values[i]);
    fprintf(file, "]}\n");
    fflush(file);
}

void
pawl_report_add(struct pawl_report *report, const struct pawl_figure *figure)
{
    double *sorted = malloc(figure->n * sizeof *sorted), middle;

    if (!sorted)
        pawl_bench_die("out of memory");
    memcpy(sorted, figure->values, figure->n * sizeof *sorted);
    qsort(sorted, figure->n, sizeof *sorted, compare);
    middle = median(sorted, figure->n);
    printf("%-58s %12.5g %12.5g %12.5g %s", figure->name, middle, sorted[0],
           sorted[figure->n - 1], figure->unit);
    if (figure->at_most > 0)
        printf("  (<= %g: %s)", figure->at_most, middle <= figure->at_most ? "yes" : "NO");
    if (figure->at_least > 0)
        printf("  (>= %g: %s)", figure->at_least, middle >= figure->at_least ? "yes" : "NO");
    printf("\n");
    fflush(stdout);
    if (report->json)
        write_json(report->json, figure, middle);
    free(sorted);
}

void
pawl_report_value(struct pawl_report *report, const char *name, const char *unit, double value)
{
    pawl_report_add(report, &(struct pawl_figure) {name, unit, &value, 1, 0, 0});
}

void
pawl_report_close(struct pawl_report *report)
{
    if (report->json)
        fclose(report->json);
}

bool
pawl_bench_is_smoke(void)
{
    return getenv("PAWL_BENCH_SMOKE") != NULL;
}

int64_t
pawl_bench_now_ns(void)
{
    struct timespec at;

    clock_gettime(CLOCK_BOOTTIME, &at);
    return at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
}

static int64_t
time_ns(struct timeval time)
{
    return time.tv_sec * INT64_C(1000000000) + time.tv_usec * INT64_C(1000);
}

int64_t
pawl_bench_cpu_ns(void)
{
    struct rusage self, children;

    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    return time_ns(self.ru_utime) + time_ns(self.ru_stime) + time_ns(children.ru_utime) +
           time_ns(children.ru_stime);
}

size_t
pawl_bench_resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long total, resident;

    if (!file || fscanf(file, "%lu %lu", &total, &resident) != 2)
        pawl_bench_die("cannot read /proc/self/statm");
    fclose(file);
    return resident * (size_t) sysconf(_SC_PAGESIZE);
}

void
pawl_bench_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}
