/* forecast.h: what a request for a forecast keeps while it goes on. */
#ifndef PAWL_HTTP_FORECAST_H
#define PAWL_HTTP_FORECAST_H

#include "request.h"

/* Frees the request's forecast, if it has one. Threads: the request's. Blocks: no. */
void
pawl_outlook_free(struct pawl_request *request);

#endif
