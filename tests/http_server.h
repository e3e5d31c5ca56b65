/* http_server.h: an HTTP server for tests, in a process of its own, so that the threads of the test's
 * are the engine's: slow, failing, redirecting, cutting off, by the path that is asked for.
 *
 *   /echo            the request, as it came
 *   /status/N        status N
 *   /to/N/URL        status N, Location: URL     /back/N/PATH     the same, Location: /PATH
 *   /circle          302 to itself               /connection      which connection it is: 1, 2, ...
 *   /never           no answer; the gate gets a byte
 *   /cut             10 bytes of 100             /close           nothing at all
 *   /huge/N          N MiB in chunks, the last line is "end"
 *   /early           100 and 103 before the answer
 *   /bytes           what is no UTF-8            /flood           headers without an end */
#ifndef PAWL_HTTP_SERVER_H
#define PAWL_HTTP_SERVER_H

#include "action_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define REQUEST_MAX 65536

struct server {
    pid_t pid;
    int port;
    struct gate arrived;        /* a byte for each call of /never */
};

struct server_call {
    int fd, gate_fd;
    unsigned connection;
};

static inline bool
server_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t) n;
    }
    return true;
}

static inline bool __attribute__((format(printf, 2, 3)))
server_say(int fd, const char *format, ...)
{
    char text[REQUEST_MAX];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return server_send(fd, text, (size_t) len);
}

static inline bool
server_answer(int fd, int status, const char *body, size_t len)
{
    return server_say(fd, "HTTP/1.1 %d Word\r\nContent-Length: %zu\r\n\r\n", status, len) &&
           server_send(fd, body, len);
}

static inline bool
server_pour(int fd, unsigned mib)
{
    static char line[1 << 16];
    bool is_open = server_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");

    memset(line, 'x', sizeof line);
    for (unsigned i = 0; is_open && i < mib * 16; i++)
        is_open = server_say(fd, "10000\r\n") && server_send(fd, line, sizeof line) &&
                  server_say(fd, "\r\n");
    return is_open && server_say(fd, "4\r\n\nend\r\n0\r\n\r\n");
}

/* Reads one request with its body; its length, 0 at the end. */
static inline size_t
server_read(int fd, char *request)
{
    size_t len = 0, want = 0;
    char *end = NULL, *length;

    request[0] = '\0';
    while (!end || len < want) {
        ssize_t n = recv(fd, request + len, REQUEST_MAX - 1 - len, 0);

        if (n <= 0 || request[0] == 0x16)       /* TLS */
            return 0;
        len += (size_t) n;
        request[len] = '\0';
        if (!end && (end = strstr(request, "\r\n\r\n"))) {
            length = strcasestr(request, "Content-Length:");
            want = (size_t) (end + 4 - request) +
                   (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
        }
    }
    return len;
}

/* Whether the connection goes on. */
static inline bool
server_act(const struct server_call *call, const char *request, size_t len)
{
    char path[1024] = "", text[32];
    int fd = call->fd, status = 0;

    sscanf(request, "%*s %1023s", path);
    if (strcmp(path, "/echo") == 0)
        return server_answer(fd, 200, request, len);
    if (sscanf(path, "/status/%d", &status) == 1)
        return server_answer(fd, status, "that is it\n", 11);
    if (sscanf(path, "/to/%d", &status) == 1 || sscanf(path, "/back/%d", &status) == 1)
        return server_say(fd, "HTTP/1.1 %d Word\r\nLocation: %s\r\nContent-Length: 4\r\n\r\ngone",
                          status, path + (path[1] == 't' ? 8 : 9));
    if (strcmp(path, "/circle") == 0)
        return server_say(fd, "HTTP/1.1 302 Word\r\nLocation: circle\r\nContent-Length: 0\r\n\r\n");
    if (strcmp(path, "/connection") == 0)
        return server_answer(fd, 200, text, (size_t) sprintf(text, "%u", call->connection));
    if (strcmp(path, "/cut") == 0)
        server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
    if (strcmp(path, "/early") == 0)
        return server_say(fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n") &&
               server_answer(fd, 200, "late", 4);
    if (strcmp(path, "/bytes") == 0)
        return server_answer(fd, 200, "\xFF\xC3\xA4\0z", 5);
    if (sscanf(path, "/huge/%d", &status) == 1)
        return server_pour(fd, (unsigned) status);
    if (strcmp(path, "/flood") == 0 && server_say(fd, "HTTP/1.1 200 OK\r\n"))
        while (server_say(fd, "X-Flood: %0200d\r\n", 0))
            ;
    if (strcmp(path, "/never") == 0 && write(call->gate_fd, "r", 1) == 1)
        recv(fd, text, 1, 0);
    return false;
}

static inline void *
server_serve(void *arg)
{
    struct server_call *call = arg;
    char *request = malloc(REQUEST_MAX);
    size_t len;

    do
        len = server_read(call->fd, request);
    while (len > 0 && server_act(call, request, len));
    close(call->fd);
    free(request);
    free(call);
    return NULL;
}

static inline void
server_run(int listener, int gate_fd)
{
    pthread_attr_t attr;
    pthread_t thread;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 1 << 19);
    for (unsigned n = 1;; n++) {
        struct server_call *call = malloc(sizeof *call);

        *call = (struct server_call){accept(listener, NULL, NULL), gate_fd, n};
        if (call->fd < 0 || pthread_create(&thread, &attr, server_serve, call) != 0)
            _exit(1);
    }
}

/* Before the engine is opened: it forks. */
static inline void
server_open(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    gate_open(&server->arrived);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *) &address, sizeof address), 0);
    assert_int_equal(listen(listener, 1024), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &len), 0);
    server->port = ntohs(address.sin_port);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        server_run(listener, server->arrived.fd);
    close(listener);
}

static inline void
server_close(struct server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    gate_close(&server->arrived);
}

#endif
