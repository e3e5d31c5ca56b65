/* address.h: where the daemon is, from --server, the environment, or where it is by
 * default. Used by one thread. */
#ifndef PAWL_ADDRESS_H
#define PAWL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define PAWL_ADDRESS_DEFAULT "http://127.0.0.1:8865"
#define PAWL_ADDRESS_ROOT_SOCKET "/run/pawl/pawl.sock"

struct pawl_address {
    char *base;    /* what paths are appended to: http://host:port, without a slash */
    char *socket;  /* path of the Unix socket, or NULL */
    char *shown;   /* as a person knows it */
    bool is_local; /* a socket or loopback: no proxy on the way */
};

/* Reads URL, host:port or unix:/path. Returns 0, or -1 with error set.
 * Owns: gives *out, pawl_address_fini(). */
int pawl_address_parse(
    const char *server, struct pawl_address *out, char *error, size_t size);
void pawl_address_fini(struct pawl_address *address);

/* Where to look when nobody said: the socket of root or of the user if there is one, else
 * PAWL_ADDRESS_DEFAULT. runtime_dir may be NULL. Owns: gives, free(). */
char *pawl_address_default(
    bool is_root, const char *root_socket, const char *runtime_dir);

#endif
