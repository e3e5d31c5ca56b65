/* copy.h: what is left of copies of the store; the handler is pawl_tasks_backup(). */
#ifndef PAWL_COPY_H
#define PAWL_COPY_H

#include "request.h"

/* Removes copies that a daemon left behind which ended while it wrote them. Nobody else may be
 * using the directory. Threads: main. Blocks: briefly. */
void
pawl_copy_sweep(const char *dir);

/* Forgets the request's copy, if it has one; none is being written any more.
 * Threads: the request's. Blocks: briefly. */
void
pawl_copy_free(struct pawl_request *request);

#endif
