/* groups.h: the handlers of groups of tasks. As those of tasks.h. */
#ifndef PAWL_GROUPS_H
#define PAWL_GROUPS_H

#include "request.h"

void
pawl_groups_list(struct pawl_request *request);
void
pawl_groups_get(struct pawl_request *request);
void
pawl_groups_resize(struct pawl_request *request);
void
pawl_groups_delete(struct pawl_request *request);

#endif
