/* scale.h: the scale of a store's due times: how a span goes on evenly over restarts.
 *
 * Within one boot, elapsed time goes on while no daemon runs, so the scale is elapsed time plus an
 * anchor that stays; the wall clock does not matter. Over a boot only the wall clock can say how
 * long it took: the new anchor is chosen so that a due time keeps the wall time that it had by the
 * offset last noted. A wall clock that is behind the last noted moment was set back: then no time
 * is taken to have passed, so that nothing waits until the old time comes round. */
#ifndef PAWL_SCALE_H
#define PAWL_SCALE_H

#include "store.h"

/* Goes on from what a store remembers (boot empty: nothing) in the boot `boot`, at this moment.
 * Gives how far the wall clock is behind the last noted moment, 0 as a rule. Pure. */
int64_t
pawl_scale_begin(struct pawl_scale *scale, const char *boot, int64_t elapsed_ns,
                 int64_t offset_ns);

#endif
