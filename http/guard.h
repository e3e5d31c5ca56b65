/* guard.h: which Host and Origin are served, so that a web page cannot run scripts on
 * the machine of its visitor (DNS rebinding, cross-site requests).
 *
 * A guard is filled in before the threads start and then only read. */
#ifndef PAWL_GUARD_H
#define PAWL_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#define PAWL_GUARD_HOSTS 64
#define PAWL_GUARD_HOST_MAX 255

struct pawl_guard {
    size_t nhosts;                              /* I */
    char hosts[PAWL_GUARD_HOSTS][PAWL_GUARD_HOST_MAX + 1];  /* I: no port, no [] */
};

enum pawl_verdict { PAWL_GUARD_PASS, PAWL_GUARD_FOREIGN, PAWL_GUARD_MALFORMED };

/* Serves localhost and the loopback literals only. */
void
pawl_guard_init(struct pawl_guard *guard);

/* Also serves a name or address, with or without a port: false when it is none, or
 * there are PAWL_GUARD_HOSTS already. Threads: before others start. Blocks: no. Owns:
 * copies. */
bool
pawl_guard_serve(struct pawl_guard *guard, const char *host);

/* Judges the value of a Host header, or the authority of a target. The port is not
 * compared.
 * Threads: any. Blocks: no. Locks: none. */
enum pawl_verdict
pawl_guard_host(const struct pawl_guard *guard, const char *value, size_t len);

/* Judges the value of an Origin header. Threads: any. Blocks: no. Locks: none. */
enum pawl_verdict
pawl_guard_origin(const struct pawl_guard *guard, const char *value, size_t len);

#endif
