/* spawn.h: starting a process, at a cost that does not grow with the daemon's memory.
 *
 * clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD): the child borrows the parent's memory until exec,
 * so it makes raw system calls only; the calling thread waits that long (some 60 us). */
#ifndef PAWL_SPAWN_H
#define PAWL_SPAWN_H

#include <pawl.h>
#include <sys/types.h>

/* What all children of one engine share. Threads: read-only once filled in. */
struct pawl_spawner {
    const char *shell;              /* path of bash */
    char **environment;
    uint64_t nofile;                /* soft descriptor limit; 0: as it is */
    int null_fd;                    /* /dev/null, for stdin */
    uint64_t reset_signals;         /* bit n - 1: signal n is not at its default here */
};

/* A started process. The caller owns the descriptors, all close-on-exec; the read ends are
 * non-blocking. */
struct pawl_child {
    pid_t pid;
    int pidfd, out_fd, err_fd;
};

/* Fills in null_fd and reset_signals. Errors: PAWL_ESYS. */
int
pawl_spawner_init(struct pawl_spawner *spawner, struct pawl_err *err);
void
pawl_spawner_fini(struct pawl_spawner *spawner);

/* The child's stack, one for each thread that spawns. NULL: out of memory. */
void *
pawl_spawn_stack_new(void);
void
pawl_spawn_stack_free(void *stack);

/* Runs a script (with a NUL behind it) by bash, $0 being "pawl": in a process group of its own,
 * stdin /dev/null, descriptors 0 to 2 only, default signal dispositions, empty signal mask.
 * Threads: any with all signals blocked. Blocks: until exec. Errors: PAWL_ESYS, err says why. */
int
pawl_spawn(const struct pawl_spawner *spawner, void *stack, const char *script, size_t script_len,
           struct pawl_child *out_child, struct pawl_err *err);

#endif
