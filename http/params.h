/* params.h: query parameters as values. Each call refuses a bad one by name and returns
 * false; a parameter that is not there leaves *out as it is. Threads: the request's. Blocks: no,
 * unless stated. */
#ifndef PAWL_PARAMS_H
#define PAWL_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "../engine/zone.h"
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

/* A time, RFC 3339: whole seconds and the rest. */
bool
pawl_param_time(struct pawl_request *request, const char *name, int64_t *out_s, uint32_t *out_ns);

/* `timezone`: a zone of the installed database. Blocks: the first time for a name, on files. */
bool
pawl_param_zone(struct pawl_request *request, const struct pawl_zone **out_zone);

/* `type`: sets the bit of the type that is named. */
bool
pawl_param_type(struct pawl_request *request, unsigned *out_mask);

#endif
