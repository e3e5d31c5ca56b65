/* spawn.c: starting a process. Used by the workers; holds no state of its own.
 *
 * Who notes the pid. The kernel does, by CLONE_CHILD_SETTID: on the child's side of the clone,
 * before the child's first instruction, in the memory that both share. So it is there before
 * anything of the script can run, and whether or not the parent lives on: a child that was made
 * goes its way though its parent is killed while it waits. */
#include "spawn.h"

#include "action.h"
#include "calendar.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

#define STACK_SIZE ((size_t) 64 << 10)
#define ARG_MAX_LEN ((size_t) (128 << 10) - 1)  /* the kernel's MAX_ARG_STRLEN, less the NUL */
#define SCRIPT_FD 3
#define TREE_WORDS 3                            /* of pawl-tree, before the program's own */
#define NFACTS 4                                /* variables that a run has of its own */

struct pawl_spawn_room {
    const struct pawl_spawner *spawner;         /* I */
    char *stack;                                /* I */
    char id[sizeof "PAWL_TASK_ID=" + PAWL_ID_MAX];
    char run[sizeof "PAWL_RUN=18446744073709551615"];
    char attempt[sizeof "PAWL_ATTEMPT=4294967295"];
    char scheduled[sizeof "PAWL_SCHEDULED_AT=" + PAWL_RFC3339_NS_MAX];
    const char *argv[TREE_WORDS + PAWL_PROGRAM_WORDS + 3 + PAWL_ARGUMENTS_MAX + 1];
    const char **merged;                        /* I: room for an environment with a task's variables */
    const char *environment[];                  /* I: the four above, the spawner's, NULL */
};

/* Sanitizers must not see the child: it runs in the parent's memory, on a stack of its own. */
#if defined(__clang__)
#define CHILD_CODE __attribute__((no_sanitize("address", "thread", "undefined"), noinline))
#else
#define CHILD_CODE __attribute__((no_sanitize_address, no_sanitize_thread, \
                                  no_sanitize_undefined, noinline))
#endif

/* The kernel's struct sigaction: all zero is the default disposition. */
struct kernel_sigaction {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

/* What parent and child share while the parent waits. */
struct plan {
    const struct pawl_spawner *spawner;
    const char *path, *cwd;             /* cwd, or NULL */
    const char **argv, **environment;
    int umask;                          /* negative: as it is */
    int out_fd, err_fd, script_fd;      /* of the child; script_fd -1: none */
    int error;                          /* errno of what failed in the child; 0: exec went well */
    const char *failed;                 /* and its name */
};

/* --- The child: raw system calls only --- */

static int CHILD_CODE
child_fail(struct plan *plan, const char *what)
{
    plan->error = errno;
    plan->failed = what;
    syscall(SYS_exit_group, 127);
    return 127;
}

static long CHILD_CODE
child_descriptors(const struct plan *plan)
{
    /* All of ours are above 2: see keep_above_stdio() in main.c and null_fd. */
    if (syscall(SYS_dup2, plan->spawner->null_fd, 0) < 0 ||
        syscall(SYS_dup2, plan->out_fd, 1) < 0 || syscall(SYS_dup2, plan->err_fd, 2) < 0)
        return -1;
    if (plan->script_fd < 0)
        return syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return -1;
    if (plan->script_fd == SCRIPT_FD)
        return syscall(SYS_fcntl, SCRIPT_FD, F_SETFD, 0);
    return syscall(SYS_dup2, plan->script_fd, SCRIPT_FD);
}

static long CHILD_CODE
child_signals(const struct pawl_spawner *spawner)
{
    struct kernel_sigaction normal = {0};
    uint64_t none = 0;

    for (int sig = 1; sig <= 64; sig++) {
        if (spawner->reset_signals >> (sig - 1) & 1 &&
            syscall(SYS_rt_sigaction, sig, &normal, NULL, sizeof none) < 0)
            return -1;
    }
    return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

static int CHILD_CODE
child_main(void *arg)
{
    struct plan *plan = arg;
    const struct pawl_spawner *spawner = plan->spawner;
    struct rlimit limit;

    if (syscall(SYS_setpgid, 0, 0) < 0)
        return child_fail(plan, "setpgid");
    if (plan->umask >= 0)
        syscall(SYS_umask, plan->umask);
    if (plan->cwd && syscall(SYS_chdir, plan->cwd) < 0)
        return child_fail(plan, plan->cwd);
    if (child_descriptors(plan) < 0)
        return child_fail(plan, "dup2");
    if (spawner->nofile > 0 && syscall(SYS_getrlimit, RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = spawner->nofile < limit.rlim_max ? spawner->nofile : limit.rlim_max;
        syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit);
    }
    if (child_signals(spawner) < 0)
        return child_fail(plan, "sigaction");
    syscall(SYS_execve, plan->path, plan->argv, plan->environment);
    return child_fail(plan, plan->path);
}

/* --- The parent --- */

int
pawl_spawner_init(struct pawl_spawner *spawner, struct pawl_err *err)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct sigaction action;

    if (sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
        close(fd);
        return pawl_err_set(err, PAWL_ESYS, NULL,
                            "SIGCHLD is ignored: the end of a run could not be read");
    }
    if (fd >= 0 && fd <= 2) {
        int above = fcntl(fd, F_DUPFD_CLOEXEC, 3);

        close(fd);
        fd = above;
    }
    if (fd < 0)
        return pawl_err_set(err, PAWL_ESYS, NULL, "/dev/null: %s", strerror(errno));
    spawner->null_fd = fd;
    spawner->reset_signals = 0;
    for (int sig = 1; sig <= 64; sig++) {
        if (sigaction(sig, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            spawner->reset_signals |= UINT64_C(1) << (sig - 1);
    }
    return PAWL_OK;
}

void
pawl_spawner_fini(struct pawl_spawner *spawner)
{
    close(spawner->null_fd);
}

static char *
stack_new(void)
{
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (stack == MAP_FAILED)
        return NULL;
    mprotect(stack, 4096, PROT_NONE);       /* the guard; it grows down */
    return stack;
}

struct pawl_spawn_room *
pawl_spawn_room_new(const struct pawl_spawner *spawner)
{
    struct pawl_spawn_room *room;
    size_t n = 0;

    while (spawner->environment[n])
        n++;
    room = malloc(sizeof *room +
                  (2 * (NFACTS + n + 1) + PAWL_ARGUMENTS_MAX) * sizeof room->environment[0]);
    if (!room)
        return NULL;
    room->spawner = spawner;
    room->merged = room->environment + NFACTS + n + 1;
    room->environment[0] = room->id;
    room->environment[1] = room->run;
    room->environment[2] = room->attempt;
    room->environment[3] = room->scheduled;
    memcpy(room->environment + NFACTS, spawner->environment, (n + 1) * sizeof(char *));
    room->stack = stack_new();
    if (room->stack)
        return room;
    free(room);
    return NULL;
}

void
pawl_spawn_room_free(struct pawl_spawn_room *room)
{
    if (!room)
        return;
    munmap(room->stack, STACK_SIZE);
    free(room);
}

/* Writes the variables of a run. */
static void
tell(struct pawl_spawn_room *room, const struct pawl_run_facts *facts)
{
    char time[PAWL_RFC3339_NS_MAX];

    pawl_calendar_format_ns(facts->scheduled_ns, time);
    snprintf(room->id, sizeof room->id, "PAWL_TASK_ID=%.*s", (int) facts->id_len, facts->id);
    snprintf(room->run, sizeof room->run, "PAWL_RUN=%" PRIu64, facts->run);
    snprintf(room->attempt, sizeof room->attempt, "PAWL_ATTEMPT=%u", facts->attempt);
    snprintf(room->scheduled, sizeof room->scheduled, "PAWL_SCHEDULED_AT=%s", time);
}

static bool
is_named_in(const char *variable, const char *const *env)
{
    size_t len = strcspn(variable, "=") + 1;

    for (; *env; env++) {
        if (strncmp(*env, variable, len) == 0)
            return true;
    }
    return false;
}

/* The environment of a run: what a task gives goes before what the spawner has. */
static const char **
environment_of(struct pawl_spawn_room *room, const struct pawl_action *action)
{
    const char **own = room->environment + NFACTS;
    size_t n = NFACTS;

    if (!action || !action->env)
        return room->environment;
    memcpy(room->merged, room->environment, NFACTS * sizeof room->merged[0]);
    for (const char *const *variable = action->env; *variable; variable++)
        room->merged[n++] = *variable;
    for (; *own; own++) {
        if (!is_named_in(*own, action->env))
            room->merged[n++] = *own;
    }
    room->merged[n] = NULL;
    return room->merged;
}

/* The arguments of a run; script: NULL when it is long. */
static const char **
arguments_of(struct pawl_spawn_room *room, const struct pawl_program *program, const char *script,
             const struct pawl_action *action)
{
    const struct pawl_tree *tree = room->spawner->tree;
    size_t n = 0;

    if (pawl_action_is_tree(action)) {
        room->argv[n++] = tree->program;
        room->argv[n++] = tree->cgroup ? tree->cgroup : "";
        room->argv[n++] = program->path;
    }
    memcpy(room->argv + n, program->words, program->nwords * sizeof room->argv[0]);
    n += program->nwords;
    if (program->is_shell) {
        room->argv[n++] = "-c";
        room->argv[n++] = script ? script : program->long_script;
        room->argv[n++] = "pawl";
    } else {
        room->argv[n++] = "/dev/fd/3";          /* SCRIPT_FD */
    }
    for (const char *const *arg = action ? action->args : NULL; arg && *arg; arg++)
        room->argv[n++] = *arg;
    room->argv[n] = NULL;
    return room->argv;
}

static void
close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* A pipe whose read end does not block; both ends are above 2. */
static int
open_pipe(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) != 0) {
        fds[0] = fds[1] = -1;
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        if (fds[i] <= 2) {
            int above = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

            close(fds[i]);
            fds[i] = above;
        }
    }
    if (fds[0] < 0 || fds[1] < 0)
        return -1;
    return fcntl(fds[0], F_SETFL, O_NONBLOCK);
}

/* A long script as a file in memory, at its start. */
static int
open_script(const char *script, size_t len)
{
    int fd = memfd_create("pawl-script", MFD_CLOEXEC);
    size_t at = 0;

    while (fd >= 0 && at < len) {
        ssize_t n = write(fd, script + at, len - at);

        if (n < 0 && errno != EINTR) {
            close(fd);
            return -1;
        }
        at += n > 0 ? (size_t) n : 0;
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

/* The C library's clone() by its other name: ThreadSanitizer takes over clone() and believes that
 * every child is a fork, which ends its watch over the threads of the parent. */
extern int
__clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

/* A child that will exec; its pid, or -1 with errno set. */
static pid_t
clone_child(struct plan *plan, char *stack, int *out_pidfd, _Atomic int32_t *pid_slot)
{
    int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;

    if (pid_slot)
        flags |= CLONE_CHILD_SETTID;
    return __clone(child_main, stack + STACK_SIZE, flags, plan, out_pidfd, NULL, pid_slot);
}

/* Takes the end of a child that did not come to exec. */
static void
forget_child(const struct pawl_run_facts *facts, int pidfd)
{
    siginfo_t info;

    if (facts->pid_slot)            /* relaxed: nothing goes with it */
        atomic_store_explicit(facts->pid_slot, 0, memory_order_relaxed);
    waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED);
}

int
pawl_spawn(struct pawl_spawn_room *room, const char *script, size_t script_len,
           const struct pawl_action *action, const struct pawl_run_facts *facts,
           struct pawl_child *out_child, struct pawl_err *err)
{
    const char *name = action ? action->interpreter : NULL;
    const struct pawl_program *program = pawl_interpreters_find(room->spawner->interpreters, name);
    const struct pawl_tree *tree = pawl_action_is_tree(action) ? room->spawner->tree : NULL;
    struct plan plan = {.spawner = room->spawner, .script_fd = -1,
                        .umask = action ? action->umask : -1, .cwd = action ? action->cwd : NULL};
    int out[2] = {-1, -1}, error[2] = {-1, -1}, pidfd = -1, code = PAWL_ESYS;
    const char *what = "pipe";
    bool is_file;

    if (!program)
        return pawl_interpreters_refuse(room->spawner->interpreters, name, PAWL_ESYS, err);
    if (tree && !tree->program)
        return pawl_tree_refuse(PAWL_ESYS, err);
    is_file = !program->is_shell || script_len > ARG_MAX_LEN;
    plan.path = tree ? tree->program : program->path;
    plan.argv = arguments_of(room, program, is_file ? NULL : script, action);
    plan.environment = environment_of(room, action);
    tell(room, facts);
    if (open_pipe(out) != 0 || open_pipe(error) != 0)
        goto out;
    what = "memfd";
    if (is_file && (plan.script_fd = open_script(script, script_len)) < 0)
        goto out;
    plan.out_fd = out[1];
    plan.err_fd = error[1];
    what = "clone";
    out_child->pid = clone_child(&plan, room->stack, &pidfd, facts->pid_slot);
    if (out_child->pid < 0)
        goto out;
    if (plan.error) {
        forget_child(facts, pidfd);
        what = plan.failed;
        errno = plan.error;
        goto out;
    }
    *out_child = (struct pawl_child) {out_child->pid, pidfd, out[0], error[0], tree};
    out[0] = error[0] = pidfd = -1;
    code = PAWL_OK;
out:
    if (code != PAWL_OK)
        pawl_err_set(err, code, NULL, "could not be started: %s%.160s: %s",
                     what == plan.cwd ? "cwd " : "", what, strerror(errno));
    for (int i = 0; i < 2; i++) {
        close_fd(out[i]);
        close_fd(error[i]);
    }
    close_fd(plan.script_fd);
    close_fd(pidfd);
    return code;
}
