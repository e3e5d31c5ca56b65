/* orphans.h: the processes that a daemon which died left behind, and dealing with them without ever
 * hitting a process that got a number again. */
#ifndef PAWL_ORPHANS_H
#define PAWL_ORPHANS_H

#include <pawl.h>
#include <sys/types.h>

/* A run of the daemon that died, as its slot tells. */
struct pawl_orphan {
    pid_t pid;                      /* of the run's first process and of its group; 0: none */
    int64_t started_elapsed_ns;     /* CLOCK_BOOTTIME just before it was made */
    const char *id;                 /* of the task, or NULL: it was deleted, and only its first
                                     * process, and its group while that lives, can be found */
    size_t id_len;
    uint64_t run;
    bool is_tree;                   /* pid is of a pawl-tree: see tree.h */
    /* Out. */
    bool is_alive;                  /* it, or another process of its group, was found */
    bool is_killed;                 /* and all of them are gone */
};

/* Looks for each orphan's processes; with kill they get SIGTERM, and SIGKILL grace_ns later if
 * they still live. All are dealt with at once. Only for runs of this boot.
 * Blocks: with kill up to grace_ns and a moment, 5 s if the system cannot end one.
 * Errors: PAWL_ENOMEM, PAWL_ESYS: not all were found or killed; what was is noted. */
int
pawl_orphans_deal(struct pawl_orphan *orphans, size_t n, bool kill, int64_t grace_ns,
                  struct pawl_err *err);

#endif
