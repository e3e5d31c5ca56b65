/* recover.h: the start of an engine with a store: what was there comes back. */
#ifndef PAWL_RECOVER_H
#define PAWL_RECOVER_H

#include <pawl.h>

/* Makes the committer, the table of runs and the scale; the store and the clock are there.
 * Errors: as those of the store and of the table. */
int
pawl_recover_begin(struct pawl *engine, struct pawl_err *err);

/* Loads all tasks and arms them; resolves the runs that the end of the last daemon cut, and ends
 * their processes; all of it is durable behind. The ticker is there, workers are not. Blocks: long. */
int
pawl_recover(struct pawl *engine, struct pawl_err *err);

#endif
