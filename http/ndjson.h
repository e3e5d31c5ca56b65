/* ndjson.h: many tasks in one request, a JSON document a line, submitted as the lines
 * arrive.
 * Threads: the request's HTTP thread. Blocks: no. */
#ifndef PAWL_NDJSON_H
#define PAWL_NDJSON_H

#include "request.h"

/* Takes a piece of the body: all of it, or less when too many submits are under way; then
 * pawl_request_continue() is called once there are fewer. */
size_t
pawl_ndjson_feed(struct pawl_request *request, const char *data, size_t len);

/* Whether the last feed took less only because it unpacked so much: whoever called it continues the request, once
 * others had their turn. */
bool
pawl_ndjson_wants_turn(const struct pawl_request *request);

/* Frees the request's stream, if it has one; none of its submits is under way. */
void
pawl_ndjson_free(struct pawl_request *request);

#endif
