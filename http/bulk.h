/* bulk.h: one change of all tasks that match. The handlers stand in tasks.h.
 * Threads: the request's HTTP thread. Blocks: no. */
#ifndef PAWL_HTTP_BULK_H
#define PAWL_HTTP_BULK_H

#include "request.h"

/* Frees what the request's change of many keeps, if it is one; none of it is under way. */
void
pawl_bulk_free(struct pawl_request *request);

#endif
