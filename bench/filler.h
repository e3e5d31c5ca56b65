/* filler.h: submits pending tasks at full speed, with many submits under way at once, as a stream
 * over HTTP does. Used by one thread. Dies of an error. */
#ifndef PAWL_BENCH_FILLER_H
#define PAWL_BENCH_FILLER_H

#include <pawl.h>
#include <stdatomic.h>

/* Submits n tasks (ids of 20 bytes from number `first` on, scripts of 40, due a day from now, spread
 * over an hour), in_flight of them at once, and waits until they are durable; or as many as it comes
 * to until *stop is set. Gives how many. */
uint64_t
pawl_bench_fill(struct pawl *engine, uint64_t first, uint64_t n, size_t in_flight,
                const _Atomic bool *stop);

#define PAWL_FILL_MAX 4096      /* submits under way */

#endif
