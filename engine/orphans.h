/* orphans.h: the processes that a daemon which died left behind, and dealing with them without ever
 * hitting a process that got a number again. */
#ifndef PAWL_ORPHANS_H
#define PAWL_ORPHANS_H

#include <pawl.h>
#include <sys/types.h>

/* A run of the daemon that died, as its slot tells. */
struct pawl_orphan {
    pid_t pid;                      /* of the run's first process and of its group */
    int64_t started_elapsed_ns;     /* CLOCK_BOOTTIME just before it was made */
    const char *id;                 /* of the task, or NULL: it was deleted */
    size_t id_len;
    uint64_t run;
    /* Out. */
    bool is_alive;                  /* it, or another process of its group, was found */
    bool is_killed;                 /* and ended */
};

/* Looks for each orphan's processes; with kill they get SIGTERM, and SIGKILL grace_ns later if
 * they still live. All are dealt with at once. Blocks: up to grace_ns and a moment. */
void
pawl_orphans_deal(struct pawl_orphan *orphans, size_t n, bool kill, int64_t grace_ns);

#endif
