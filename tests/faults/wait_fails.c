/* wait_fails.c: for LD_PRELOAD. While the file named by FAULT is there, epoll_wait() and poll()
 * fail with EBADF in the thread whose name the file holds. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool
is_faulty(void)
{
    const char *path = getenv("FAULT");
    char wanted[64], name[16] = "";
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, wanted, sizeof wanted - 1);
    close(fd);
    wanted[n > 0 ? n : 0] = '\0';
    prctl(PR_GET_NAME, name);
    return strcmp(name, wanted) == 0;
}

int
epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
    int (*real)(int, struct epoll_event *, int, int);

    if (is_faulty()) {
        errno = EBADF;
        return -1;
    }
    *(void **) &real = dlsym(RTLD_NEXT, "epoll_wait");
    return real(fd, events, max, ms);
}

int
poll(struct pollfd *fds, nfds_t n, int ms)
{
    int (*real)(struct pollfd *, nfds_t, int);

    if (is_faulty()) {
        errno = EBADF;
        return -1;
    }
    *(void **) &real = dlsym(RTLD_NEXT, "poll");
    return real(fds, n, ms);
}
