/* requests.h: the bytes of each request: made once, with places for what differs. One thread. */
#ifndef PAWL_REQUESTS_H
#define PAWL_REQUESTS_H

#include "load.h"

#define PAWL_REQUESTS_DIGITS 12         /* of the number in an id */

struct pawl_requests {
    char *text;
    size_t len;
    size_t first_digit, stride;         /* where the number is, and how far apart; 0: there is none */
    unsigned nnumbers;
    uint64_t first;                     /* number */
    uint64_t ntasks;                    /* GET: numbers are drawn below it */
    uint64_t random;
};

/* Returns 0, or -1: out of memory. */
int
pawl_requests_init(struct pawl_requests *requests, const struct pawl_load_options *options,
                   uint64_t seed);
void
pawl_requests_fini(struct pawl_requests *requests);

/* The bytes of request n (len of them). Owns: borrows, until the next call. */
const char *
pawl_requests_make(struct pawl_requests *requests, uint64_t n);

#endif
