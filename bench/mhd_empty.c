/* mhd_empty.c: the empty handler that pawld's requests are compared with: libmicrohttpd driven from
 * outside by its epoll descriptor, as pawld drives it, on one thread; it reads the whole body and
 * answers a fixed number of bytes. Its cost is what HTTP costs here without any scheduler.
 *
 * Prints "listening on PORT" and serves until it is killed.
 *
 *     mhd_empty [ANSWER_BYTES=330] */
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 15000u
#define IDLE_MS 1000

struct body {
    size_t n;
    char bytes[4096];
};

struct answer {
    size_t n;
    char bytes[65536];
};

static enum MHD_Result
handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
       const char *version, const char *data, size_t *size, void **context)
{
    struct answer *answer = cls;
    struct body *body = *context;
    struct MHD_Response *response;
    enum MHD_Result queued;

    (void) url, (void) method, (void) version;
    if (!body) {
        *context = body = malloc(sizeof *body);
        if (!body)
            return MHD_NO;
        body->n = 0;
        return MHD_YES;
    }
    if (*size > 0) {
        size_t room = sizeof body->bytes - body->n, n = *size < room ? *size : room;

        memcpy(body->bytes + body->n, data, n);
        body->n += n;
        *size = 0;
        return MHD_YES;
    }
    response = MHD_create_response_from_buffer(answer->n, answer->bytes, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", "application/json");
    queued = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued;
}

static void
completed(void *cls, struct MHD_Connection *connection, void **context,
          enum MHD_RequestTerminationCode code)
{
    (void) cls, (void) connection, (void) code;
    free(*context);
    *context = NULL;
}

static void
print_port(struct MHD_Daemon *daemon)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;

    getsockname(MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_LISTEN_FD)->listen_fd,
                (struct sockaddr *) &address, &len);
    printf("listening on %u\n", ntohs(address.sin_port));
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    static struct answer answer;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon;
    struct epoll_event event = {.events = EPOLLIN};
    int outer, inner;

    answer.n = argc > 1 ? strtoul(argv[1], NULL, 10) : 330;
    if (answer.n > sizeof answer.bytes)
        return 2;
    memset(answer.bytes, 'x', sizeof answer.bytes);
    daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_TURBO, 0, NULL, NULL, handle, &answer,
        MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *) &address,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_END);
    outer = epoll_create1(EPOLL_CLOEXEC);
    if (!daemon || outer < 0)
        return 1;
    inner = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    if (epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event) != 0)
        return 1;
    print_port(daemon);
    for (;;) {
        MHD_UNSIGNED_LONG_LONG ms = IDLE_MS;

        if (MHD_get_timeout(daemon, &ms) != MHD_YES || ms > IDLE_MS)
            ms = IDLE_MS;
        epoll_wait(outer, &event, 1, (int) ms);
        MHD_run(daemon);
    }
}
