/* exchange.h: connects requests with libmicrohttpd's connections: its callbacks.
 * Private to server.c and exchange.c, the only files that include <microhttpd.h>.
 * Threads: one HTTP thread. */
#ifndef PAWL_EXCHANGE_H
#define PAWL_EXCHANGE_H

#include <microhttpd.h>

#include "request.h"

/* MHD_OPTION_URI_LOG_CALLBACK: a request line was read. cls is the thread's struct
 * pawl_http. */
void *
pawl_exchange_begin(void *cls, const char *uri, struct MHD_Connection *mhd);

/* The access handler: headers complete, then each piece of the body, then the end of
 * the body. */
enum MHD_Result pawl_exchange_handle(void *cls, struct MHD_Connection *mhd,
    const char *url, const char *method, const char *version, const char *data,
    size_t *size, void **state);

/* MHD_OPTION_NOTIFY_COMPLETED: the answer was sent, or the connection broke. */
void
pawl_exchange_completed(void *cls, struct MHD_Connection *mhd, void **state,
                        enum MHD_RequestTerminationCode code);

/* Resumes all connections whose requests were answered; the next MHD_run() goes on with
 * them. */
void
pawl_exchange_resume(struct pawl_http *http);

#endif
