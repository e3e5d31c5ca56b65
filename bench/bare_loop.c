/* bare_loop.c: see bare_loop.h. */
#include "bare_loop.h"

#include "figures.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE (64 << 10)

struct child {
    int out_fd, pidfd;          /* -1: closed */
    struct child *next_free;
};

struct loop {
    const char *shell, *script;
    size_t n;                   /* to be started */
    unsigned concurrency;
    int epoll_fd;
    struct child *children, *free;
    char *stack;
    pthread_t thread;
};

struct plan {
    const struct loop *loop;
    int out_fd;
};

static int
child_main(void *arg)
{
    const struct plan *plan = arg;
    char *argv[] = {"bash", "-c", (char *) plan->loop->script, "pawl", NULL};

    syscall(SYS_dup2, plan->out_fd, 1);
    syscall(SYS_execve, plan->loop->shell, argv, environ);
    syscall(SYS_exit_group, 127);
    return 127;
}

static void
watch(struct loop *loop, int fd, struct child *child, bool is_process)
{
    /* The low bit tells the process from the pipe. */
    struct epoll_event event = {.events = EPOLLIN,
                                .data.u64 = (uintptr_t) child | (uintptr_t) is_process};

    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        pawl_bench_die("epoll_ctl failed");
}

static void
unwatch(struct loop *loop, int *fd)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
    close(*fd);
    *fd = -1;
}

static void
start(struct loop *loop, struct child *child)
{
    struct plan plan = {.loop = loop};
    int pipe_fds[2];

    if (pipe2(pipe_fds, O_CLOEXEC) != 0 || fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK) != 0)
        pawl_bench_die("pipe failed");
    plan.out_fd = pipe_fds[1];
    if (clone(child_main, loop->stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
              &plan, &child->pidfd) < 0)
        pawl_bench_die("clone failed");
    close(pipe_fds[1]);
    child->out_fd = pipe_fds[0];
    watch(loop, child->out_fd, child, false);
    watch(loop, child->pidfd, child, true);
}

/* True when the child has ended and its pipe is at its end. */
static bool
handle(struct loop *loop, struct child *child, bool is_process)
{
    char buffer[4096];
    ssize_t n;

    if (is_process && child->pidfd >= 0) {
        siginfo_t end;

        if (waitid(P_PIDFD, (id_t) child->pidfd, &end, WEXITED) != 0 || end.si_status != 0)
            pawl_bench_die("the script failed");
        unwatch(loop, &child->pidfd);
    } else if (!is_process && child->out_fd >= 0) {
        while ((n = read(child->out_fd, buffer, sizeof buffer)) > 0) {
            /* Captured and dropped. */
        }
        if (n == 0)
            unwatch(loop, &child->out_fd);
    } else {
        return false;
    }
    return child->pidfd < 0 && child->out_fd < 0;
}

static void *
turn(void *arg)
{
    struct loop *loop = arg;
    struct epoll_event events[64];
    unsigned running = 0;

    while (loop->n > 0 || running > 0) {
        for (; loop->n > 0 && loop->free; loop->n--, running++) {
            struct child *child = loop->free;

            loop->free = child->next_free;
            start(loop, child);
        }
        int nevents = epoll_wait(loop->epoll_fd, events, 64, -1);

        for (int i = 0; i < nevents; i++) {
            struct child *child = (struct child *) (uintptr_t) (events[i].data.u64 & ~UINT64_C(1));

            if (handle(loop, child, events[i].data.u64 & 1)) {
                child->next_free = loop->free;
                loop->free = child;
                running--;
            }
        }
    }
    return NULL;
}

static void
loop_open(struct loop *loop)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->children = calloc(loop->concurrency, sizeof *loop->children);
    loop->stack = aligned_alloc(4096, STACK_SIZE);
    if (loop->epoll_fd < 0 || !loop->children || !loop->stack)
        pawl_bench_die("out of memory");
    for (unsigned i = 0; i < loop->concurrency; i++) {
        loop->children[i].next_free = loop->free;
        loop->free = &loop->children[i];
    }
    if (pthread_create(&loop->thread, NULL, turn, loop) != 0)
        pawl_bench_die("no thread");
}

void
pawl_bare_loop(const char *shell, const char *script, size_t n, unsigned nthreads,
               unsigned concurrency)
{
    struct loop loops[16] = {0};

    for (unsigned i = 0; i < nthreads; i++) {
        loops[i] = (struct loop) {
            .shell = shell, .script = script, .n = n / nthreads + (i < n % nthreads),
            .concurrency = concurrency / nthreads + (i < concurrency % nthreads),
        };
        loop_open(&loops[i]);
    }
    for (unsigned i = 0; i < nthreads; i++) {
        pthread_join(loops[i].thread, NULL);
        close(loops[i].epoll_fd);
        free(loops[i].children);
        free(loops[i].stack);
    }
}
