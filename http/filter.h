/* filter.h: which tasks a request is about, by its query: `status`, `type`, `prefix` and `tag`. */
#ifndef PAWL_HTTP_FILTER_H
#define PAWL_HTTP_FILTER_H

#include "request.h"

/* Adds what the query asks for to a filter, which borrows the request's texts. A bad parameter is
 * refused by name, and false returned. Threads: the request's. Blocks: no. */
bool
pawl_filter_read(struct pawl_request *request, struct pawl_filter *filter);

/* Whether all tasks pass. */
bool
pawl_filter_is_empty(const struct pawl_filter *filter);

/* Whether it is known without looking that none does. */
bool
pawl_filter_is_vain(const struct pawl_filter *filter);

#endif
