/* guard.c: see guard.h. */
#include "guard.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* Takes "host", "host:port", "[v6]", "[v6]:port" apart; a port is digits, or nothing. */
static bool
split_host(const char *value, size_t len, const char **out_host, size_t *out_len)
{
    const char *end = value + len, *rest;

    if (len > 0 && value[0] == '[') {
        const char *close = memchr(value, ']', len);

        if (close == NULL)
            return false;
        *out_host = value + 1;
        *out_len = (size_t) (close - value) - 1;
        rest = close + 1;
    } else {
        const char *colon = memchr(value, ':', len);

        rest = colon != NULL ? colon : end;
        *out_host = value;
        *out_len = (size_t) (rest - value);
    }
    if (*out_len == 0 || *out_len > PAWL_GUARD_HOST_MAX)
        return false;
    if (rest < end && *rest++ != ':')
        return false;
    if (end - rest > 5)
        return false;
    for (; rest < end; rest++)
        if (*rest < '0' || *rest > '9')
            return false;
    for (size_t i = 0; i < *out_len; i++)
        if ((unsigned char) (*out_host)[i] <= ' ' ||
            strchr("/@\\?#\x7f", (*out_host)[i]) != NULL)
            return false;
    return true;
}

static bool
is_loopback(const char *host, size_t len)
{
    char text[64];
    struct in_addr v4;
    struct in6_addr v6;

    if (len == 9 &&
        (memcmp(host, "127.0.0.1", 9) == 0 || strncasecmp(host, "localhost", 9) == 0))
        return true;
    if (len >= sizeof text)
        return false;
    memcpy(text, host, len);
    text[len] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, text, &v6) != 1)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&v6) ||
           (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

static bool
is_served(const struct pawl_guard *guard, const char *host, size_t len)
{
    if (is_loopback(host, len))
        return true;
    for (size_t i = 0; i < guard->nhosts; i++)
        if (strlen(guard->hosts[i]) == len &&
            strncasecmp(guard->hosts[i], host, len) == 0)
            return true;
    return false;
}

void
pawl_guard_init(struct pawl_guard *guard)
{
    guard->nhosts = 0;
}

bool
pawl_guard_serve(struct pawl_guard *guard, const char *host)
{
    const char *name;
    size_t len;
    struct in6_addr v6;

    /* A bare IPv6 address has colons of its own. */
    if (inet_pton(AF_INET6, host, &v6) == 1) {
        name = host;
        len = strlen(host);
    } else if (!split_host(host, strlen(host), &name, &len)) {
        return false;
    }
    if (is_served(guard, name, len))
        return true;
    if (guard->nhosts == PAWL_GUARD_HOSTS)
        return false;
    memcpy(guard->hosts[guard->nhosts], name, len);
    guard->hosts[guard->nhosts++][len] = '\0';
    return true;
}

enum pawl_verdict
pawl_guard_host(const struct pawl_guard *guard, const char *value, size_t len)
{
    const char *host;
    size_t host_len;

    if (!split_host(value, len, &host, &host_len))
        return PAWL_GUARD_MALFORMED;
    return is_served(guard, host, host_len) ? PAWL_GUARD_PASS : PAWL_GUARD_FOREIGN;
}

enum pawl_verdict
pawl_guard_origin(const struct pawl_guard *guard, const char *value, size_t len)
{
    size_t scheme = len > 7 && strncasecmp(value, "http://", 7) == 0 ? 7
        : len > 8 && strncasecmp(value, "https://", 8) == 0          ? 8
                                                                     : 0;

    if (scheme == 0)
        return PAWL_GUARD_FOREIGN;
    return pawl_guard_host(guard, value + scheme, len - scheme);
}
