/* histogram.h: how late things were: a log-linear histogram in fixed memory (after Tene's
 * HdrHistogram): 32 steps an octave, so a value read back is at most 3.2 % too high. One thread
 * records, any thread reads; many are added up for a percentile. */
#ifndef PAWL_HISTOGRAM_H
#define PAWL_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define PAWL_HISTOGRAM_STEPS 32u
#define PAWL_HISTOGRAM_BUCKETS (PAWL_HISTOGRAM_STEPS * 60u)

struct pawl_histogram {
    _Atomic uint64_t count[PAWL_HISTOGRAM_BUCKETS];     /* A: relaxed: counters, nothing follows */
};

/* Threads: the one that records. A negative value counts as 0. */
void
pawl_histogram_record(struct pawl_histogram *histogram, int64_t value);

/* Adds the counts of from to sums. Threads: any. */
void
pawl_histogram_add(const struct pawl_histogram *from, uint64_t sums[PAWL_HISTOGRAM_BUCKETS]);

/* The value that permille of a thousand of the counted ones do not exceed; 0 without any. */
int64_t
pawl_histogram_quantile(const uint64_t sums[PAWL_HISTOGRAM_BUCKETS], unsigned permille);

#endif
