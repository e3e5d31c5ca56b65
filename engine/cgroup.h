/* cgroup.h: control groups (version 2) of runs: one for each run whose kill mode is tree, where this
 * process may make them. No controller is switched on, so processes may be beside them. Used by the
 * engine and by pawl-tree; holds no state. Errors are not told: without one a run does as well. */
#ifndef PAWL_CGROUP_H
#define PAWL_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

/* The directory of this process's own group, if groups can be made in it, else NULL.
 * Threads: any. Blocks: no. Owns: gives, freed by free(). */
char *
pawl_cgroup_find(void);

/* A group: directory, file to write pids to, file to kill all by. None: all -1. Used by one process. */
struct pawl_cgroup {
    int dir_fd, procs_fd, kill_fd;
};

/* Makes the group of a process in `parent`. False: it cannot be. */
bool
pawl_cgroup_make(struct pawl_cgroup *group, const char *parent, pid_t pid);

/* Ends all that is in the group of a process, if there is one. */
void
pawl_cgroup_kill(const char *parent, pid_t pid);

/* Removes groups of processes that are gone, if nothing is in them. */
void
pawl_cgroup_sweep(const char *parent);

#endif
