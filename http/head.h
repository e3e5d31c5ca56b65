/* head.h: what the headers of a request allow: framing, Host, Origin, route,
 * parameters, length. */
#ifndef PAWL_HEAD_H
#define PAWL_HEAD_H

#include "request.h"

/* Judges a request whose headers are complete, and finds its route. What is wrong goes to
 * request->refused; must_close is set where the rest of the connection cannot be trusted.
 * Threads: its HTTP thread. Blocks: no. */
void
pawl_head_check(struct pawl_request *request, const struct pawl_head *head);

/* Whether a body follows. */
bool
pawl_head_has_body(const struct pawl_head *head);

/* The length that Content-Length gives, saturated; 0 without one. */
uint64_t
pawl_head_length(const struct pawl_head *head);

#endif
