/* etag.h: validators of task documents (RFC 9110, 8.8.3): a client that has the newest one is spared it.
 * Weak ones: the same moment may be written in another way. Pure; any thread. */
#ifndef PAWL_ETAG_H
#define PAWL_ETAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pawl.h"

#define PAWL_ETAG_SIZE 24

/* The tag of a document, another one after each change that it shows; epoch: tells this run of the
 * daemon from others. */
void
pawl_etag_write(const struct pawl_view *view, uint64_t epoch, char out[PAWL_ETAG_SIZE]);

/* Whether an If-None-Match names the tag: compared weakly, as GET wants it. */
bool
pawl_etag_matches(const char *etag, const char *header, size_t len);

#endif
