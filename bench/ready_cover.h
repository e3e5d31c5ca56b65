/* ready_cover.h: the ready ring for C++, which cannot read the engine's C11 atomics. */
#ifndef PAWL_READY_COVER_H
#define PAWL_READY_COVER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pawl_ready_cover;

/* NULL: out of memory. */
struct pawl_ready_cover *
pawl_ready_cover_new(void);
void
pawl_ready_cover_free(struct pawl_ready_cover *cover);
/* How many items it holds. */
size_t
pawl_ready_cover_capacity(void);
/* False: full. Threads: one. */
bool
pawl_ready_cover_put(struct pawl_ready_cover *cover, void *item);
/* NULL: empty. Threads: any. */
void *
pawl_ready_cover_take(struct pawl_ready_cover *cover);

#ifdef __cplusplus
}
#endif
#endif
