/* tree.c: see tree.h. */
#include "tree.h"

#include "cgroup.h"
#include "err.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "pawl-tree"

/* The path of a program in a directory, or of one that stands so to it; NULL: it is not there. */
static char *
look_at(const char *dir, size_t dir_len, const char *name)
{
    char *path;

    if (asprintf(&path, "%.*s%s", (int) dir_len, dir, name) < 0)
        return NULL;
    if (access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

static char *
find_program(void)
{
    char own[4096], *path = NULL;
    ssize_t len = readlink("/proc/self/exe", own, sizeof own);

    while (len > 0 && own[len - 1] != '/')
        len--;
    if (len > 0)
        path = look_at(own, (size_t) len, NAME);
    if (!path && len > 0)
        path = look_at(own, (size_t) len, PAWL_LIBEXEC_FROM_BIN "/" NAME);
    return path ? path : look_at("", 0, PAWL_LIBEXEC "/" NAME);
}

void
pawl_tree_init(struct pawl_tree *tree, const char *program, bool without_cgroups)
{
    tree->program = program ? look_at("", 0, program) : find_program();
    tree->cgroup = tree->program && !without_cgroups ? pawl_cgroup_find() : NULL;
    if (tree->cgroup)
        pawl_cgroup_sweep(tree->cgroup);
}

void
pawl_tree_fini(struct pawl_tree *tree)
{
    free(tree->program);
    free(tree->cgroup);
}

int
pawl_tree_refuse(int code, struct pawl_err *err)
{
    return pawl_err_set(err, code, "killMode",
                        "killMode tree needs the program " NAME ", which is neither beside the one that "
                        "is running nor in " PAWL_LIBEXEC ": install it, or use group");
}

void
pawl_tree_signal(pid_t pid, int sig)
{
    kill(pid, sig == SIGKILL ? PAWL_TREE_KILL : sig);
    if (sig == SIGKILL)
        kill(pid, SIGCONT);         /* who was stopped could not do it */
}

void
pawl_tree_end_rest(const struct pawl_tree *tree, pid_t pid)
{
    if (tree->cgroup)
        pawl_cgroup_kill(tree->cgroup, pid);
}
