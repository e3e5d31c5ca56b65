/* resolve.h: names of hosts to addresses without a thread: c-ares, whose sockets are in the caller's
 * epoll. It knows localhost, reads /etc/hosts and asks the servers of /etc/resolv.conf, as they are when the first of
 * some lookups begins. Nothing is kept: what has ended is looked up anew. Used by one thread. */
#ifndef PAWL_RESOLVE_H
#define PAWL_RESOLVE_H

#include <stdint.h>

#define PAWL_ADDRESSES_MAX 512          /* bytes of a lookup's addresses; what is more is left out */

struct pawl_resolver;

/* One name that is looked up. */
struct pawl_lookup {
    void *asker;                        /* NULL: nobody waits for it any more */
    const char *error;                  /* of one that ended: NULL, or why, a literal */
    char addresses[PAWL_ADDRESSES_MAX]; /* as libcurl takes them: "192.0.2.1,[2001:db8::1]" */
    struct pawl_resolver *resolver;
    struct pawl_lookup *next;           /* of those that ended */
};

/* Its sockets' events have the descriptor as data, with PAWL_OF_RESOLVER set. NULL: out of memory. */
#define PAWL_OF_RESOLVER (UINT64_C(1) << 32)

struct pawl_resolver *
pawl_resolver_new(int epoll_fd);
/* Ends what is looked up. NULL is accepted. */
void
pawl_resolver_free(struct pawl_resolver *resolver);

/* NULL: out of memory. It never ends within this call. Owns: gives, by pawl_resolver_ended(). */
struct pawl_lookup *
pawl_resolver_ask(struct pawl_resolver *resolver, const char *host, void *asker);
/* Nobody waits for it any more: it is freed when it ends. NULL is accepted. */
void
pawl_lookup_forget(struct pawl_lookup *lookup);

/* The next lookup that has ended, or NULL. Owns: gives, freed by free(). */
struct pawl_lookup *
pawl_resolver_ended(struct pawl_resolver *resolver);

/* Handles an event of a socket. */
void
pawl_resolver_event(struct pawl_resolver *resolver, int fd, uint32_t events);
/* Handles what is late, and rests when nothing is looked up. */
void
pawl_resolver_tend(struct pawl_resolver *resolver);
/* How long until it is to be tended; -1: for nothing. */
int64_t
pawl_resolver_wait_ns(struct pawl_resolver *resolver);

#endif
