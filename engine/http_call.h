/* http_call.h: the HTTP call that a task makes instead of running a script: the bounds of what it
 * may ask for, the immutable copy, what of an answer is a success. Pure; any thread. */
#ifndef PAWL_HTTP_CALL_H
#define PAWL_HTTP_CALL_H

#include <pawl.h>

/* Whether it is within the bounds. Errors: PAWL_EINVAL, err names the field. */
int
pawl_http_call_check(const struct pawl_http_call *http, struct pawl_err *err);

/* The bytes of a copy. */
size_t
pawl_http_call_bytes(const struct pawl_http_call *http);

/* Copies it, strings and all, into so many bytes at room, which is aligned for a pointer. */
const struct pawl_http_call *
pawl_http_call_copy(void *room, const struct pawl_http_call *http);

/* The method, which may be left to what there is to send. */
const char *
pawl_http_call_method(const struct pawl_http_call *http);

/* How many redirects are followed. */
int
pawl_http_call_redirects_max(const struct pawl_http_call *http);

/* Whether a header ("Name: value") has this name, whatever the case. */
bool
pawl_http_call_is_named(const char *header, const char *name);

bool
pawl_http_call_is_success(const struct pawl_http_call *http, int status);

#endif
