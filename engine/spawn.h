/* spawn.h: starting a process, at a cost that does not grow with the daemon's memory.
 *
 * clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD): the child borrows the parent's memory until exec,
 * so it makes raw system calls only; the calling thread waits that long (some 60 us). */
#ifndef PAWL_SPAWN_H
#define PAWL_SPAWN_H

#include "interpreters.h"
#include "tree.h"

#include <pawl.h>
#include <stdatomic.h>
#include <sys/types.h>

/* What all children of one engine share. Threads: read-only once filled in. */
struct pawl_spawner {
    const struct pawl_interpreters *interpreters;
    const struct pawl_tree *tree;
    char **environment;             /* of all runs; none of it begins with PAWL_ */
    uint64_t nofile;                /* soft descriptor limit; 0: as it is */
    int null_fd;                    /* /dev/null, for stdin */
    uint64_t reset_signals;         /* bit n - 1: signal n is not at its default here */
};

/* A started process. The caller owns the descriptors, all close-on-exec; the read ends are
 * non-blocking. */
struct pawl_child {
    pid_t pid;
    int pidfd, out_fd, err_fd;
    const struct pawl_tree *tree;       /* it is a pawl-tree; NULL: the script's own process */
};

/* Fills in null_fd and reset_signals. Errors: PAWL_ESYS. */
int
pawl_spawner_init(struct pawl_spawner *spawner, struct pawl_err *err);
void
pawl_spawner_fini(struct pawl_spawner *spawner);

/* What a thread needs to spawn: the child's stack, and room for its arguments and its environment, so
 * that a start allocates nothing. One for each thread that spawns. */
struct pawl_spawn_room;

/* The spawner's environment is read here. Owns: borrows spawner until the room is freed.
 * NULL: out of memory. */
struct pawl_spawn_room *
pawl_spawn_room_new(const struct pawl_spawner *spawner);
/* NULL is accepted. */
void
pawl_spawn_room_free(struct pawl_spawn_room *room);

/* What a run is told by its environment, and where its process notes its number. */
struct pawl_run_facts {
    const char *id;                 /* PAWL_TASK_ID */
    size_t id_len;                  /* up to PAWL_ID_MAX */
    uint64_t run;                   /* PAWL_RUN: its number */
    unsigned attempt;               /* PAWL_ATTEMPT, from 1 */
    int64_t scheduled_ns;           /* PAWL_SCHEDULED_AT: wall; as RFC 3339 in UTC, to the ns */
    _Atomic int32_t *pid_slot;      /* NULL: none. Set before the child's first instruction, on the
                                     * child's way: also if this process is killed meanwhile. 0
                                     * again if pawl_spawn() fails. */
};

/* Runs a script (with a NUL behind it) as action says (NULL: by bash): in a process group of its own,
 * stdin /dev/null, descriptors 0 to 2 only (and 3, the script, for whom it is a file), default signal
 * dispositions, empty signal mask, the spawner's environment and what action and facts add. Of a
 * shell $0 is "pawl". With the kill mode tree that is so of pawl-tree, and of the script below it.
 * Threads: the room's, with all signals blocked. Blocks: until exec. Errors: PAWL_ESYS, err says
 * why. */
int
pawl_spawn(struct pawl_spawn_room *room, const char *script, size_t script_len,
           const struct pawl_action *action, const struct pawl_run_facts *facts,
           struct pawl_child *out_child, struct pawl_err *err);

#endif
