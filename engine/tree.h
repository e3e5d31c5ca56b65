/* tree.h: ending everything that a run has started, for runs whose kill mode is tree.
 *
 * Such a run begins with pawl-tree (tree/main.c), a small program of ours that starts the script, stays
 * beside it, and ends as it ends. All that the script starts is below it for as long as it lives, and
 * where groups can be made in a control group of its own; so it can end all of them. */
#ifndef PAWL_TREE_H
#define PAWL_TREE_H

#include <pawl.h>
#include <sys/types.h>

/* Asks pawl-tree for SIGKILL for all below it; any other signal is handed on to all of them. It ends
 * then, at the latest after PAWL_TREE_KILL_NS. Where it is not pawl-tree yet, it ends the process. */
#define PAWL_TREE_KILL 64
#define PAWL_TREE_KILL_NS INT64_C(4000000000)

/* Read-only once filled in. Threads: any. */
struct pawl_tree {
    char *program;                  /* the path of pawl-tree; NULL: it was not found */
    char *cgroup;                   /* where runs have groups of their own; NULL: nowhere */
};

/* Looks for pawl-tree: at `program`, or if that is NULL beside the program that is running, then where
 * it is installed. Removes control groups that crashed ones left.
 * Owns: copies program; pawl_tree_fini() frees. */
void
pawl_tree_init(struct pawl_tree *tree, const char *program, bool without_cgroups);
void
pawl_tree_fini(struct pawl_tree *tree);

/* Says that pawl-tree was not found. */
int
pawl_tree_refuse(int code, struct pawl_err *err);

/* Sends a signal to all of a run; pid: of its pawl-tree, which is not reaped. Threads: any. */
void
pawl_tree_signal(pid_t pid, int sig);

/* Its pawl-tree has ended, and is not reaped: ends what that left behind, had it been killed.
 * Threads: any. */
void
pawl_tree_end_rest(const struct pawl_tree *tree, pid_t pid);

#endif
