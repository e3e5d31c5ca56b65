/* count.h: counting references. */
#ifndef PAWL_COUNT_H
#define PAWL_COUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

static inline void
pawl_count_up(_Atomic uint32_t *refs)
{
    /* relaxed: who counts up holds a reference already, or is in a section that keeps one alive. */
    atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* Counts up what is not down at zero yet; for who is in a section and holds nothing. */
static inline bool
pawl_count_up_if_any(_Atomic uint32_t *refs)
{
    uint32_t n = atomic_load_explicit(refs, memory_order_relaxed);

    while (n > 0 && !atomic_compare_exchange_weak_explicit(refs, &n, n + 1, memory_order_relaxed,
                                                           memory_order_relaxed))
        ;
    return n > 0;
}

/* True for the last: acq_rel, so that it comes after every use by the others. */
static inline bool
pawl_count_down(_Atomic uint32_t *refs)
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

#endif
