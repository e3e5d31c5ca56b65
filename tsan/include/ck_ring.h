/* ck_ring.h, found before CK's own under ThreadSanitizer only: CK's rings, with slots that
 * are copied by relaxed atomic words instead of memcpy.
 *
 * A consumer of an spmc or mpmc ring copies a slot first and claims it afterwards; where the
 * claim fails a producer may have been writing there, and the copy is thrown away. With
 * memcpy that is a data race by the letter. Relaxed words order nothing, so what a ring
 * promises still rests on its indices alone. */
#ifndef PAWL_TSAN_CK_RING_H
#define PAWL_TSAN_CK_RING_H

#include <ck_cc.h>
#include <ck_pr.h>
#include <ck_string.h>

static inline CK_CC_UNUSED void
pawl_ring_copy(void *to, const void *from, unsigned int size)
{
    unsigned int i;

    if (size % sizeof(void *) == 0) {
        for (i = 0; i < size / sizeof(void *); i++)
            __atomic_store_n((void **)to + i,
                __atomic_load_n((void *const *)from + i, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
    } else {
        for (i = 0; i < size; i++)
            __atomic_store_n((char *)to + i,
                __atomic_load_n((const char *)from + i, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
    }
}

#undef memcpy
#define memcpy pawl_ring_copy
#include_next <ck_ring.h>
#undef memcpy

#endif
