/* address.c: reads the daemon's address. Looks at the file system only to see whether a
 * socket is there; connecting is client.c's. One thread. */
#define _GNU_SOURCE 1
#include "address.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "text.h"

/* Whether the authority (user@host:port) at s names loopback. */
static bool
is_loopback(const char *s)
{
    size_t len = strcspn(s, "/?#");
    const char *at = memrchr(s, '@', len);
    if (at) {
        len -= (size_t)(at + 1 - s);
        s = at + 1;
    }
    if (*s == '[')
        return strncmp(s, "[::1]", 5) == 0;
    size_t host = strcspn(s, ":/?#");
    return (host == 9 && strncasecmp(s, "localhost", 9) == 0) ||
           (host > 4 && strncmp(s, "127.", 4) == 0 && strspn(s, "0123456789.") >= host);
}

static int
parse_socket(const char *path, struct pawl_address *out, char *error, size_t size)
{
    size_t most = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;

    while (path[0] == '/' && path[1] == '/')
        path++;
    if (!*path || strlen(path) > most) {
        snprintf(error, size, "unix:%.60s: the path of a socket has 1 to %zu bytes", path,
            most);
        return -1;
    }
    struct pawl_text shown = {0};
    pawl_text_printf(&shown, "unix:%s", path);
    *out = (struct pawl_address){
        pawl_text_copy("http://localhost"), pawl_text_copy(path), shown.data, true};
    return 0;
}

int
pawl_address_parse(const char *server, struct pawl_address *out, char *error, size_t size)
{
    if (strncmp(server, "unix:", 5) == 0)
        return parse_socket(server + 5, out, error, size);

    const char *scheme_end = strstr(server, "://");
    bool is_http = strncasecmp(server, "http://", 7) == 0;
    if (scheme_end && !is_http && strncasecmp(server, "https://", 8) != 0) {
        snprintf(
            error, size, "%.80s: must begin with http://, https:// or unix:", server);
        return -1;
    }
    const char *authority = scheme_end ? scheme_end + 3 : server;
    if (!*authority || *authority == '/' || strpbrk(authority, " ?#\r\n\t")) {
        snprintf(
            error, size, "%.80s: not an address such as http://127.0.0.1:8865", server);
        return -1;
    }
    struct pawl_text base = {0};
    pawl_text_printf(&base, "%s%s", scheme_end ? "" : "http://", server);
    while (base.data[base.len - 1] == '/')
        base.data[--base.len] = '\0';
    *out = (struct pawl_address){
        base.data, NULL, pawl_text_copy(base.data), is_loopback(authority)};
    return 0;
}

void
pawl_address_fini(struct pawl_address *address)
{
    free(address->base);
    free(address->socket);
    free(address->shown);
    *address = (struct pawl_address){0};
}

char *
pawl_address_default(bool is_root, const char *root_socket, const char *runtime_dir)
{
    struct pawl_text path = {0};
    struct stat st;

    if (is_root)
        pawl_text_printf(&path, "unix:%s", root_socket);
    else if (runtime_dir && *runtime_dir == '/')
        pawl_text_printf(&path, "unix:%s/pawl/pawl.sock", runtime_dir);
    if (path.len && stat(path.data + 5, &st) == 0 && S_ISSOCK(st.st_mode))
        return path.data;
    pawl_text_fini(&path);
    return pawl_text_copy(PAWL_ADDRESS_DEFAULT);
}
