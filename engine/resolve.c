/* resolve.c: see resolve.h. A channel is opened for the first lookup and closed behind the last one,
 * so that a changed /etc/resolv.conf is read, and no socket is held for nothing. */
#include "resolve.h"

#include <ares.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define TIMEOUT_MS 2000         /* of the first try; of each further one twice that */
#define TRIES 3

struct pawl_resolver {
    int epoll_fd;
    ares_channel channel;               /* NULL: nothing is looked up */
    unsigned npending;                  /* asked, and not ended */
    struct pawl_lookup *ended, **last;
};

static void
on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct pawl_resolver *resolver = arg;
    struct epoll_event event = {
        .events = (readable ? (uint32_t) EPOLLIN : 0) | (writable ? (uint32_t) EPOLLOUT : 0),
        .data.u64 = (uint64_t) fd | PAWL_OF_RESOLVER,
    };

    if (!readable && !writable)
        epoll_ctl(resolver->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(resolver->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0)
        epoll_ctl(resolver->epoll_fd, EPOLL_CTL_ADD, fd, &event);   /* else it times out */
}

static void
init_library(void)
{
    ares_library_init(ARES_LIB_INIT_ALL);
}

/* An ares status. */
static int
open_channel(struct pawl_resolver *resolver)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ares_options options = {
        .timeout = TIMEOUT_MS, .tries = TRIES,
        .sock_state_cb = on_socket, .sock_state_cb_data = resolver,
    };

    pthread_once(&once, init_library);
    return ares_init_options(&resolver->channel, &options,
                             ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
}

struct pawl_resolver *
pawl_resolver_new(int epoll_fd)
{
    struct pawl_resolver *resolver = calloc(1, sizeof *resolver);

    if (!resolver)
        return NULL;
    resolver->epoll_fd = epoll_fd;
    resolver->last = &resolver->ended;
    return resolver;
}

void
pawl_resolver_free(struct pawl_resolver *resolver)
{
    struct pawl_lookup *lookup;

    if (!resolver)
        return;
    if (resolver->channel)
        ares_destroy(resolver->channel);        /* ends all */
    while ((lookup = pawl_resolver_ended(resolver)))
        free(lookup);
    free(resolver);
}

/* --- Lookups --- */

/* Appends an address, if it fits. */
static void
add_address(struct pawl_lookup *lookup, const struct sockaddr *address)
{
    size_t len = strlen(lookup->addresses);
    bool is_6 = address->sa_family == AF_INET6;
    const void *bytes = is_6 ? (const void *) &((const struct sockaddr_in6 *) address)->sin6_addr
                             : (const void *) &((const struct sockaddr_in *) address)->sin_addr;
    char text[INET6_ADDRSTRLEN];
    int more;

    if ((!is_6 && address->sa_family != AF_INET) ||
        !inet_ntop(address->sa_family, bytes, text, sizeof text))
        return;
    more = snprintf(lookup->addresses + len, PAWL_ADDRESSES_MAX - len, is_6 ? "%s[%s]" : "%s%s",
                    len > 0 ? "," : "", text);
    if (more >= (int) (PAWL_ADDRESSES_MAX - len))
        lookup->addresses[len] = '\0';
}

static void
end_lookup(struct pawl_lookup *lookup, const char *error)
{
    struct pawl_resolver *resolver = lookup->resolver;

    if (!lookup->asker) {
        free(lookup);
        return;
    }
    lookup->error = error;
    lookup->next = NULL;
    *resolver->last = lookup;
    resolver->last = &lookup->next;
}

static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *answer)
{
    struct pawl_lookup *lookup = arg;

    (void) timeouts;
    lookup->resolver->npending--;
    for (struct ares_addrinfo_node *node = answer ? answer->nodes : NULL; node;
         node = node->ai_next)
        add_address(lookup, node->ai_addr);
    ares_freeaddrinfo(answer);
    if (status == ARES_SUCCESS && lookup->addresses[0] == '\0')
        status = ARES_ENODATA;
    end_lookup(lookup, status == ARES_SUCCESS ? NULL : ares_strerror(status));
}

/* Names that are this machine, whatever a file or a server says (RFC 6761, 6.3). */
static bool
is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t len = strlen(host), name_len = sizeof name - 1;

    len -= len > 0 && host[len - 1] == '.';
    return len >= name_len && strncasecmp(host + len - name_len, name, name_len) == 0 &&
           (len == name_len || host[len - name_len - 1] == '.');
}

struct pawl_lookup *
pawl_resolver_ask(struct pawl_resolver *resolver, const char *host, void *asker)
{
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_ENVHOSTS,   /* the variable CARES_HOSTS names another file than /etc/hosts */
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
    };
    struct pawl_lookup *lookup = malloc(sizeof *lookup);
    int status = ARES_SUCCESS;

    if (!lookup)
        return NULL;
    lookup->asker = asker;
    lookup->resolver = resolver;
    lookup->addresses[0] = '\0';
    if (is_localhost(host)) {
        strcpy(lookup->addresses, "127.0.0.1,[::1]");
        end_lookup(lookup, NULL);
        return lookup;
    }
    if (!resolver->channel)
        status = open_channel(resolver);
    if (status != ARES_SUCCESS) {
        resolver->channel = NULL;
        end_lookup(lookup, ares_strerror(status));
        return lookup;
    }
    resolver->npending++;
    ares_getaddrinfo(resolver->channel, host, NULL, &hints, on_answer, lookup);
    return lookup;
}

void
pawl_lookup_forget(struct pawl_lookup *lookup)
{
    if (lookup)
        lookup->asker = NULL;
}

struct pawl_lookup *
pawl_resolver_ended(struct pawl_resolver *resolver)
{
    struct pawl_lookup *lookup = resolver->ended;

    if (!lookup)
        return NULL;
    resolver->ended = lookup->next;
    if (!resolver->ended)
        resolver->last = &resolver->ended;
    return lookup;
}

/* --- What happens --- */

void
pawl_resolver_event(struct pawl_resolver *resolver, int fd, uint32_t events)
{
    if (resolver->channel)
        ares_process_fd(resolver->channel, events & ~(uint32_t) EPOLLOUT ? fd : ARES_SOCKET_BAD,
                        events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
}

void
pawl_resolver_tend(struct pawl_resolver *resolver)
{
    if (resolver->channel)
        ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    if (resolver->channel && resolver->npending == 0) {
        ares_destroy(resolver->channel);
        resolver->channel = NULL;
    }
}

int64_t
pawl_resolver_wait_ns(struct pawl_resolver *resolver)
{
    struct timeval room, *wait = NULL;

    if (resolver->ended)
        return 0;
    if (resolver->channel)
        wait = ares_timeout(resolver->channel, NULL, &room);
    return wait ? wait->tv_sec * INT64_C(1000000000) + wait->tv_usec * INT64_C(1000) : -1;
}
