/* routes.h: which request is answered by which handler. */
#ifndef PAWL_ROUTES_H
#define PAWL_ROUTES_H

#include "request.h"

struct pawl_route {
    enum pawl_method method;
    const char *path;                   /* segments; "{id}" is any one, not empty */
    void (*run)(struct pawl_request *request);      /* once the body was read */
    const char *what;                   /* one line, printed at start */
    const char *params;                 /* query parameters: " name name ", or "" */
    bool takes_body;                    /* the others' is read and thrown away */
    bool is_ndjson;                     /* taken line by line, see ndjson.h */
};

/* The route of a request, or NULL: then out_allowed has the methods of the path, 0 for
 * a path that is none. Threads: any. Blocks: no. */
const struct pawl_route *
pawl_route_find(enum pawl_method method, const struct pawl_uri *uri, bool is_ndjson,
                unsigned *out_allowed);

/* Refuses parameters that the route does not know, and those given twice (but status and tag). */
bool
pawl_route_check_params(const struct pawl_route *route, const struct pawl_uri *uri,
                        struct pawl_problem *out_problem);

/* The method of a name; PAWL_OTHER_METHOD. HEAD is PAWL_GET and sets out_is_head. */
enum pawl_method
pawl_method_of(const char *name, bool *out_is_head);

/* Appends "GET, HEAD, POST" for a set of methods. */
void
pawl_methods_write(struct pawl_buffer *buffer, unsigned methods);

/* Appends the lines "ROUTE  METHOD  PATH  what it does". */
void
pawl_routes_print(struct pawl_buffer *buffer);

#endif
