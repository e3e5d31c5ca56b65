/* clone_fails.c: for LD_PRELOAD. While the file named by FAULT is there, no process can be
 * started: __clone() fails with EAGAIN, as at the limit of processes. */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

typedef int clone_fn(int (*)(void *), void *, int, void *, ...);

int
__clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

int
__clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
    const char *path = getenv("FAULT");
    clone_fn *real;
    pid_t *parent;
    va_list args;

    if (path != NULL && access(path, F_OK) == 0) {
        errno = EAGAIN;
        return -1;
    }
    *(void **) &real = dlsym(RTLD_NEXT, "__clone");
    va_start(args, arg);
    parent = va_arg(args, pid_t *);
    va_end(args);
    return real(fn, stack, flags, arg, parent, NULL, NULL);
}
