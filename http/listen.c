/* listen.c: see listen.h. */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096            /* connections past the limit wait here */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
};

__attribute__((format(printf, 3, 4))) static int
fail(struct pawl_err *err, int code, const char *format, ...)
{
    va_list args;

    err->code = code;
    err->field = NULL;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return code;
}

/* "127.0.0.1:8865", "[::1]:8865", "localhost:8865", ":8865". */
static int
parse_inet(const char *text, union address *out, socklen_t *out_len, struct pawl_err *err)
{
    const char *colon = strrchr(text, ':');
    char host[64], *end;
    size_t len = colon != NULL ? (size_t) (colon - text) : 0;
    unsigned long port;

    if (colon == NULL || len >= sizeof host || colon[1] < '0' || colon[1] > '9' ||
        (port = strtoul(colon + 1, &end, 10)) > 65535 || *end != '\0')
        return fail(err, PAWL_EINVAL,
            "--listen: expected HOST:PORT or unix:/path, not '%.60s'", text);
    memcpy(host, text, len);
    host[len] = '\0';
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        memmove(host, host + 1, len - 1);
    }
    memset(out, 0, sizeof *out);
    if (host[0] == '\0' || strcmp(host, "localhost") == 0)
        strcpy(host, "127.0.0.1");
    if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t) port);
        *out_len = sizeof out->v4;
        if (ntohl(out->v4.sin_addr.s_addr) >> 24 == 127)
            return PAWL_OK;
    } else if (inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t) port);
        *out_len = sizeof out->v6;
        if (IN6_IS_ADDR_LOOPBACK(&out->v6.sin6_addr))
            return PAWL_OK;
    } else {
        return fail(err, PAWL_EINVAL,
            "--listen: '%.60s' is no IP address; expected for example 127.0.0.1:8865",
            host);
    }
    return fail(err, PAWL_EINVAL,
        "--listen: %.60s is not a loopback address and no authentication is configured: "
        "who "
        "reaches pawld can run scripts. Use 127.0.0.1 or unix:/path, and ssh or a proxy "
        "from afar",
        text);
}

/* The real port, and the host as the guard wants it. */
static void
describe_inet(struct pawl_listener *listener)
{
    union address address;
    socklen_t len = sizeof address;
    bool is_v4;

    getsockname(listener->fd, &address.any, &len);
    is_v4 = address.any.sa_family == AF_INET;
    inet_ntop(address.any.sa_family,
        is_v4 ? (void *) &address.v4.sin_addr : (void *) &address.v6.sin6_addr,
        listener->host, sizeof listener->host);
    snprintf(listener->text, sizeof listener->text,
        is_v4 ? "http://%s:%u" : "http://[%s]:%u", listener->host,
        ntohs(is_v4 ? address.v4.sin_port : address.v6.sin6_port));
}

static int
open_inet(struct pawl_listener *listener, const char *text, struct pawl_err *err)
{
    union address address;
    socklen_t len = 0;
    int one = 1, rc = parse_inet(text, &address, &len, err);

    if (rc != PAWL_OK)
        return rc;
    listener->fd =
        socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0)
        return fail(err, PAWL_ESYS, "cannot listen on %.60s: %s", text, strerror(errno));
    /* Only for an address whose last user's connections linger: a live listener still
     * refuses. */
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address.any.sa_family == AF_INET6)
        setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(listener->fd, &address.any, len) < 0 || listen(listener->fd, BACKLOG) < 0)
        return errno == EADDRINUSE
                   ? fail(err, PAWL_ESYS,
                         "cannot listen on %.60s: the address is in use; is another "
                         "pawld running? --listen chooses another",
                         text)
                   : fail(err, PAWL_ESYS, "cannot listen on %.60s: %s", text,
                         strerror(errno));
    describe_inet(listener);
    return PAWL_OK;
}

static bool
is_alive(const union address *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive;

    if (fd < 0)
        return true;
    /* A full backlog says EAGAIN: somebody is there. */
    alive = connect(fd, &address->any, sizeof address->un) == 0 || errno == EAGAIN;
    close(fd);
    return alive;
}

/* The lock is held as long as the socket: without it two daemons that start at once
 * could both take an old socket for stale, and the second would remove the first one's.
 */
static int
take_lock(struct pawl_listener *listener, struct pawl_err *err)
{
    char path[sizeof listener->path + 8];

    snprintf(path, sizeof path, "%s.lock", listener->path);
    listener->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (listener->lock_fd < 0)
        return fail(err, PAWL_ESYS, "cannot open %s: %s", path, strerror(errno));
    if (flock(listener->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return fail(err, PAWL_ESYS, "unix:%s is in use: another pawld holds %s.lock",
            listener->path, listener->path);
    return PAWL_OK;
}

static int
bind_unix(
    struct pawl_listener *listener, const union address *address, struct pawl_err *err)
{
    mode_t mask;
    int rc;

    if (is_alive(address))
        return fail(err, PAWL_ESYS, "unix:%s is in use: a process is listening on it",
            listener->path);
    /* The mask is the process's: no other thread runs yet. */
    mask = umask(0177);
    rc = bind(listener->fd, &address->any, sizeof address->un);
    if (rc < 0 && errno == EADDRINUSE) {
        struct stat found;

        if (lstat(listener->path, &found) == 0 && S_ISSOCK(found.st_mode) &&
            unlink(listener->path) == 0)
            rc = bind(listener->fd, &address->any, sizeof address->un);
    }
    umask(mask);
    if (rc < 0 || listen(listener->fd, BACKLOG) < 0)
        return fail(err, PAWL_ESYS, "cannot listen on unix:%s: %s", listener->path,
            strerror(errno));
    return PAWL_OK;
}

static int
open_unix(struct pawl_listener *listener, const char *path, struct pawl_err *err)
{
    union address address = {.un = {.sun_family = AF_UNIX}};
    struct stat made;
    int rc;

    if (path[0] != '/' || strlen(path) >= sizeof address.un.sun_path)
        return fail(err, PAWL_EINVAL,
            "--listen: unix: needs an absolute path of at most 107 bytes, not '%.60s'",
            path);
    listener->is_unix = true;
    strcpy(listener->path, path);
    strcpy(address.un.sun_path, path);
    snprintf(listener->text, sizeof listener->text, "unix:%s", path);
    if ((rc = take_lock(listener, err)) != PAWL_OK)
        return rc;
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0)
        return fail(err, PAWL_ESYS, "cannot make a socket: %s", strerror(errno));
    if ((rc = bind_unix(listener, &address, err)) != PAWL_OK)
        return rc;
    if (lstat(path, &made) == 0) {
        listener->dev = made.st_dev;
        listener->ino = made.st_ino;
    }
    return PAWL_OK;
}

int
pawl_listener_open(struct pawl_listener *out_listener, const char *address,
                   struct pawl_err *err)
{
    int rc;

    memset(out_listener, 0, sizeof *out_listener);
    out_listener->fd = out_listener->lock_fd = -1;
    if (strncmp(address, "unix:", 5) == 0)
        rc = open_unix(out_listener, address + 5, err);
    else if (strncmp(address, "http://", 7) == 0)
        rc = open_inet(out_listener, address + 7, err);
    else
        rc = open_inet(out_listener, address, err);
    if (rc != PAWL_OK)
        pawl_listener_close(out_listener);
    return rc;
}

int
pawl_listener_accept(struct pawl_listener *listener)
{
    return accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

void
pawl_listener_close(struct pawl_listener *listener)
{
    struct stat found;

    if (listener->ino != 0 && lstat(listener->path, &found) == 0 &&
        found.st_dev == listener->dev && found.st_ino == listener->ino)
        unlink(listener->path);
    listener->ino = 0;
    if (listener->fd >= 0)
        close(listener->fd);
    if (listener->lock_fd >= 0)
        close(listener->lock_fd);
    listener->fd = listener->lock_fd = -1;
}
