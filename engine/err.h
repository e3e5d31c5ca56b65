/* err.h: filling in a struct pawl_err. Used by every call that reports one. */
#ifndef PAWL_ERR_H
#define PAWL_ERR_H

#include <pawl.h>

/* Sets *err, unless it is NULL, and returns code. field is a literal or NULL.
 * Threads: any. Blocks: no. */
int
pawl_err_set(struct pawl_err *err, int code, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
