/* histogram.c: how late things were. */
#include "histogram.h"

#define SHIFT 5     /* log2 of the steps */

static unsigned
bucket_of(uint64_t value)
{
    unsigned octave;

    if (value < PAWL_HISTOGRAM_STEPS)
        return (unsigned) value;
    octave = 63u - (unsigned) __builtin_clzll(value) - SHIFT;
    return (octave + 1) * PAWL_HISTOGRAM_STEPS + (unsigned) ((value >> octave) - PAWL_HISTOGRAM_STEPS);
}

/* The highest value that falls into the bucket. */
static int64_t
highest_of(unsigned bucket)
{
    unsigned octave = bucket / PAWL_HISTOGRAM_STEPS, step = bucket % PAWL_HISTOGRAM_STEPS;

    if (octave == 0)
        return step;
    return (int64_t) ((((uint64_t) PAWL_HISTOGRAM_STEPS + step + 1) << (octave - 1)) - 1);
}

void
pawl_histogram_record(struct pawl_histogram *histogram, int64_t value)
{
    _Atomic uint64_t *count = &histogram->count[bucket_of(value < 0 ? 0 : (uint64_t) value)];

    /* One writer: no read-modify-write is needed. */
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void
pawl_histogram_add(const struct pawl_histogram *from, uint64_t sums[PAWL_HISTOGRAM_BUCKETS])
{
    for (unsigned i = 0; i < PAWL_HISTOGRAM_BUCKETS; i++)
        sums[i] += atomic_load_explicit(&from->count[i], memory_order_relaxed);
}

int64_t
pawl_histogram_quantile(const uint64_t sums[PAWL_HISTOGRAM_BUCKETS], unsigned permille)
{
    uint64_t total = 0, seen = 0, want;

    for (unsigned i = 0; i < PAWL_HISTOGRAM_BUCKETS; i++)
        total += sums[i];
    want = total / 1000 * permille + (total % 1000 * permille + 999) / 1000;
    for (unsigned i = 0; i < PAWL_HISTOGRAM_BUCKETS && total > 0; i++) {
        seen += sums[i];
        if (seen >= want)
            return highest_of(i);
    }
    return 0;
}
