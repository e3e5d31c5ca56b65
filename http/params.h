/* params.h: query parameters as values. Each call refuses a bad one by name and returns
 * false; a parameter that is not there leaves *out as it is. Threads: any. Blocks: no. */
#ifndef PAWL_PARAMS_H
#define PAWL_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "request.h"

/* An integer from min to max. */
bool
pawl_param_int(struct pawl_request *request, const char *name, int64_t min, int64_t max,
               int64_t *out);

/* In the words of Go's strconv.ParseBool. */
bool
pawl_param_bool(struct pawl_request *request, const char *name, bool *out);

/* A duration as Go writes it, or an integer of nanoseconds; not negative. */
bool
pawl_param_span(struct pawl_request *request, const char *name, int64_t *out_ns);

#endif
