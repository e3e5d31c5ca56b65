/* index_cover.h: the index for C++, which cannot read the engine's C11 atomics, over tasks that are
 * nothing but a number: its id is 20 bytes made of it. */
#ifndef PAWL_INDEX_COVER_H
#define PAWL_INDEX_COVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PAWL_BENCH_ID_LEN = 20 };

/* The id of a number. */
static inline void
pawl_bench_id(uint64_t number, char out_id[PAWL_BENCH_ID_LEN])
{
    static const char digits[] = "0123456789abcdef";
    const char *prefix = "job-";

    for (int i = 0; i < 4; i++)
        out_id[i] = prefix[i];
    for (int i = PAWL_BENCH_ID_LEN - 1; i >= 4; i--, number >>= 4)
        out_id[i] = digits[number & 15];
}

struct pawl_index_cover;

/* An index and room for the keys of n tasks. NULL: out of memory. */
struct pawl_index_cover *
pawl_index_cover_new(size_t n);
void
pawl_index_cover_free(struct pawl_index_cover *cover);

/* Puts a number, its key in place number % n. False: it is there already, or out of memory. */
bool
pawl_index_cover_put(struct pawl_index_cover *cover, uint64_t number);
bool
pawl_index_cover_has(struct pawl_index_cover *cover, uint64_t number);
/* Takes out a number that was put. Its place is free when pawl_index_cover_settle() was called. */
void
pawl_index_cover_remove(struct pawl_index_cover *cover, uint64_t number);
/* Frees what waits for readers. */
void
pawl_index_cover_settle(struct pawl_index_cover *cover);

#ifdef __cplusplus
}
#endif
#endif
