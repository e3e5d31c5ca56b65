/* shim.h: what the libraries of faults in files share. FAULT_DIR is the directory whose files they
 * look at, FAULT the file that says what is to fail; while it is not there, nothing does.
 *
 * Their own calls go past every library, sanitizers' included: they also happen in threads and
 * processes that are just being made. */
#ifndef SHIM_H
#define SHIM_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The next one of this name: the C library's, or a sanitizer's in front of it. */
#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) \
        *(void **) &real = dlsym(RTLD_NEXT, name)

/* Reads the file FAULT. False: it is not there. */
static inline bool
shim_read(char *out, size_t size)
{
    const char *path = getenv("FAULT");
    int fd = path ? (int) syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    long n;

    if (fd < 0)
        return false;
    n = syscall(SYS_read, fd, out, size - 1);
    syscall(SYS_close, fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* The name of the file within FAULT_DIR, or NULL: it is elsewhere. */
static inline const char *
shim_name(const char *path)
{
    const char *dir = getenv("FAULT_DIR");
    size_t len = dir ? strlen(dir) : 0;

    if (!dir || strncmp(path, dir, len) != 0 || path[len] != '/' || strchr(path + len + 1, '/'))
        return NULL;
    return path + len + 1;
}

/* The same for an open file; path has room for PATH_MAX. */
static inline const char *
shim_name_of_fd(int fd, char *path)
{
    char link[40];
    long n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (n < 0)
        return NULL;
    path[n] = '\0';
    return shim_name(path);
}

#endif
