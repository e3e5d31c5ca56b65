/* main.c: pawl-tree: starts the script of a run whose kill mode is tree, stays beside it, and ends as it
 * ends. One thread; all signals are blocked, and taken one by one.
 *
 *     pawl-tree CGROUP PROGRAM ARGUMENT-0...      CGROUP: a directory to make groups in, or empty
 *
 * Why it can end all that the script started. It is a subreaper: whoever is below it stays below it,
 * whatever session or group it is in, because who loses its parent becomes our child. So nobody is
 * left when we have no child. Where control groups can be made the script is in one of its own:
 * that is killed in one step, also if it makes processes faster than they are found.
 *
 * How it is never another process that is hit. Of the list of all processes those are taken whose
 * parent is ours, from the top. Each is held by a pidfd and looked at again: it is the one of the
 * list if it started at the same time, and below us if its parent is the same, or we. A parent's number
 * is not given out again before its children have lost it, so over that time it was that parent.
 *
 * What it is asked for: PAWL_TREE_KILL ends all; another signal is handed on to all, and after SIGTERM
 * who is left when the script has ended gets SIGKILL. Otherwise what the script left lives on. */
#include "cgroup.h"
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS 10000000       /* between two looks at who is left */
#define NS_PER_S INT64_C(1000000000)

struct process {
    pid_t pid, parent;
    unsigned long long start;
};

struct tree {
    const char *parent;         /* of its group; empty: none */
    struct pawl_cgroup group;
    pid_t script;
    int status;                 /* of the script, as wait() says */
    bool has_ended;             /* the script */
    bool is_asked;              /* to end */
    struct process *list;       /* all processes, by parent */
    pid_t *queue;               /* ours, from the top */
    size_t n, room;
};

/* --- Looking at processes --- */

/* False: it is gone. */
static bool
read_process(pid_t pid, struct process *out)
{
    char path[32], text[1024], state;
    const char *rest;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    rest = strrchr(text, ')');          /* the name before it may have any character */
    out->pid = pid;
    return rest && sscanf(rest + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
                                    "%*d %*d %*d %*d %llu", &state, &out->parent, &out->start) == 3 &&
           state != 'X';
}

static int
compare_parents(const void *a, const void *b)
{
    const struct process *x = a, *y = b;

    return (x->parent > y->parent) - (x->parent < y->parent);
}

/* False: there is no memory. */
static bool
make_room(struct tree *tree)
{
    size_t room = tree->room ? 2 * tree->room : 256;
    struct process *list = realloc(tree->list, room * sizeof *list);
    pid_t *queue;

    if (list)
        tree->list = list;
    queue = realloc(tree->queue, room * sizeof *queue);
    if (queue)
        tree->queue = queue;
    if (!list || !queue)
        return false;
    tree->room = room;
    return true;
}

static void
list_all(struct tree *tree)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    tree->n = 0;
    while (proc && (entry = readdir(proc))) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        if (tree->n + 1 >= tree->room && !make_room(tree))
            break;
        tree->n += read_process((pid_t) strtol(entry->d_name, NULL, 10), &tree->list[tree->n]);
    }
    if (proc)
        closedir(proc);
    if (tree->n > 0)
        qsort(tree->list, tree->n, sizeof *tree->list, compare_parents);
}

static size_t
first_of(const struct tree *tree, pid_t parent)
{
    size_t low = 0, high = tree->n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (tree->list[middle].parent < parent)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- Signals --- */

/* Sends a signal to a process that was seen below one of ours; false: it is not the same any more. */
static bool
signal_one(const struct process *seen, int sig)
{
    int pidfd = (int) syscall(SYS_pidfd_open, seen->pid, 0);
    struct process now;
    bool is_ours = pidfd >= 0 && read_process(seen->pid, &now) && now.start == seen->start &&
                   (now.parent == seen->parent || now.parent == getpid());

    if (is_ours)
        syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
    if (pidfd >= 0)
        close(pidfd);
    return is_ours;
}

static void
signal_all(struct tree *tree, int sig)
{
    size_t nqueue = 1;

    list_all(tree);
    if (tree->n == 0)
        return;
    tree->queue[0] = getpid();
    for (size_t at = 0; at < nqueue; at++) {
        pid_t parent = tree->queue[at];

        for (size_t i = first_of(tree, parent); i < tree->n && tree->list[i].parent == parent; i++) {
            if (signal_one(&tree->list[i], sig))
                tree->queue[nqueue++] = tree->list[i].pid;
        }
    }
}

/* --- The end --- */

/* Takes the ends of those who have ended; false: nobody is left. */
static bool
reap(struct tree *tree)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == tree->script) {
            tree->status = status;
            tree->has_ended = true;
        }
    }
    return pid == 0;
}

static int64_t
elapsed_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Says on the run's stderr whom not even SIGKILL has ended: of another user, or within the kernel. */
static void
report_left(struct tree *tree)
{
    list_all(tree);
    for (size_t i = first_of(tree, getpid()); i < tree->n && tree->list[i].parent == getpid(); i++)
        dprintf(STDERR_FILENO, "pawl: process %d could not be ended\n", (int) tree->list[i].pid);
}

static void
kill_all(struct tree *tree)
{
    int64_t until_ns = elapsed_ns() + PAWL_TREE_KILL_NS;
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    sigset_t ended;

    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    while (reap(tree)) {
        if (elapsed_ns() >= until_ns) {
            report_left(tree);
            return;
        }
        if (tree->group.kill_fd >= 0 && write(tree->group.kill_fd, "1", 1) < 0)
            close(tree->group.kill_fd), tree->group.kill_fd = -1;
        signal_all(tree, SIGKILL);
        sigtimedwait(&ended, NULL, &pause);
    }
}

/* Ends as the script has ended. */
static _Noreturn void
leave(struct tree *tree)
{
    int sig = tree->has_ended && WIFSIGNALED(tree->status) ? WTERMSIG(tree->status) : SIGKILL;
    struct rlimit none = {0};
    sigset_t all;

    if (tree->group.dir_fd >= 0) {
        close(tree->group.dir_fd);                  /* the lock */
        pawl_cgroup_sweep(tree->parent);
    }
    if (tree->has_ended && WIFEXITED(tree->status))
        _exit(WEXITSTATUS(tree->status));
    setrlimit(RLIMIT_CORE, &none);                  /* it was the script's */
    prctl(PR_SET_DUMPABLE, 0);
    signal(sig, SIG_DFL);
    sigfillset(&all);
    raise(sig);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    _exit(128 + sig);
}

/* --- The start --- */

static _Noreturn void
run_script(const struct tree *tree, char **argv, pid_t parent)
{
    sigset_t none;

    /* Without a group it does as well, so it may fail. */
    if (tree->group.procs_fd >= 0 && write(tree->group.procs_fd, "0", 1) < 0)
        errno = 0;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);               /* who kills us has ended the run */
    if (getppid() != parent)
        _exit(127);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(argv[0], argv + 1);
    dprintf(STDERR_FILENO, "pawl: could not be started: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void
start(struct tree *tree, char **argv)
{
    pid_t self = getpid();

    if (tree->parent[0] != '\0')
        pawl_cgroup_make(&tree->group, tree->parent, self);
    tree->script = fork();
    if (tree->script == 0)
        run_script(tree, argv, self);
    if (tree->script < 0) {
        dprintf(STDERR_FILENO, "pawl: could not be started: fork: %s\n", strerror(errno));
        tree->has_ended = true;
        tree->status = 127 << 8;
        leave(tree);
    }
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(3);                                       /* a script that is a file */
    if (tree->group.procs_fd >= 0)
        close(tree->group.procs_fd);
}

int
main(int argc, char **argv)
{
    struct tree tree = {.group = {-1, -1, -1}};
    sigset_t all;

    if (argc < 4) {
        fputs("pawl-tree starts runs of pawld; it is not for use by hand\n", stderr);
        return 2;
    }
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    tree.parent = argv[1];
    start(&tree, argv + 2);
    for (;;) {
        int sig = sigwaitinfo(&all, NULL);

        if (sig == PAWL_TREE_KILL) {
            kill_all(&tree);
            leave(&tree);
        }
        if (sig > 0 && sig != SIGCHLD)
            signal_all(&tree, sig);
        tree.is_asked = tree.is_asked || sig == SIGTERM;
        reap(&tree);
        if (tree.has_ended && tree.is_asked)
            kill_all(&tree);
        if (tree.has_ended)
            leave(&tree);
    }
}
