/* uri.h: the target of a request, taken apart: path segments and query parameters.
 *
 * The path is split at its slashes before it is percent-decoded, so "a%2Frun" is one
 * segment. A trailing slash is dropped. In the query "+" is a space. All of it is done
 * in place, in the caller's copy of the target, and used by one thread. */
#ifndef PAWL_URI_H
#define PAWL_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

#define PAWL_URI_SEGMENTS 8         /* no route is deeper: more is no route */
#define PAWL_URI_PARAMS 32

struct pawl_text {
    const char *text;               /* not ended by a NUL; may hold any byte */
    size_t len;
};

struct pawl_param {
    struct pawl_text name, value;
};

struct pawl_uri {
    struct pawl_text authority;     /* of "http://authority/path", or NULL */
    struct pawl_text segments[PAWL_URI_SEGMENTS];
    size_t nsegments;               /* PAWL_URI_SEGMENTS + 1: more than fit */
    struct pawl_param params[PAWL_URI_PARAMS];
    size_t nparams;
};

/* Takes a target apart. NULL, or a sentence that says what is wrong with it (a
 * literal).
 * Threads: any. Blocks: no. Locks: none. Owns: out_uri points into target, which is
 * rewritten. */
const char *
pawl_uri_parse(char *target, size_t len, struct pawl_uri *out_uri);

/* The value of a parameter, NULL without it: the first one.
 * Threads: any. Blocks: no. Locks: none. Owns: borrowed. */
const struct pawl_text *
pawl_uri_param(const struct pawl_uri *uri, const char *name);

/* Whether a text is this string. */
bool
pawl_text_is(const struct pawl_text *text, const char *str);

/* Appends text percent-encoded: what is not a letter, a digit or one of "-._~" is
 * escaped.
 * Threads: the buffer's. Blocks: no. Locks: none. */
void
pawl_uri_encode(struct pawl_buffer *buffer, const char *text, size_t len);

#endif
