/* io_error.c: for LD_PRELOAD. Calls on a file in FAULT_DIR fail as the file FAULT says:
 *
 *   CALL NAME ERRNO FROM COUNT
 *
 * CALL is open, read, write, sync, truncate or allocate, NAME the file's or `*`, ERRNO a number; or 0:
 * the call waits until there is no such fault any more, and does what it should. Of those calls, counted from 1 since FAULT was written, COUNT fail from the one numbered FROM on;
 * COUNT 0: all. */
#include "shim.h"

#include <pthread.h>
#include <stdarg.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ino_t order;             /* by lock: which FAULT the calls are counted for */
static struct timespec written; /* by lock */
static unsigned long ncalls;    /* by lock */

/* Counts a call; 0, or the errno that it fails with. */
static int
error_of(const char *call, const char *name)
{
    char text[300], wanted[16], file[256];
    unsigned long from, count;
    struct stat fault;
    int error = 0;

    if (!name || !shim_read(text, sizeof text) || stat(getenv("FAULT"), &fault) != 0 ||
        sscanf(text, "%15s %255s %d %lu %lu", wanted, file, &error, &from, &count) != 5 ||
        strcmp(call, wanted) != 0 || (strcmp(file, "*") != 0 && strcmp(file, name) != 0))
        return 0;
    pthread_mutex_lock(&lock);
    if (fault.st_ino != order || fault.st_mtim.tv_sec != written.tv_sec ||
        fault.st_mtim.tv_nsec != written.tv_nsec)
        ncalls = 0;
    order = fault.st_ino;
    written = fault.st_mtim;
    ncalls++;
    if (ncalls < from || (count > 0 && ncalls >= from + count))
        error = 0;
    pthread_mutex_unlock(&lock);
    return error;
}

/* Waits while the fault says that calls like this one wait. */
static void
hold(const char *call, const char *name)
{
    char text[300], wanted[16], file[256];
    struct timespec pause = {.tv_nsec = 2000000};
    int error;

    while (name && shim_read(text, sizeof text) &&
           sscanf(text, "%15s %255s %d", wanted, file, &error) == 3 && error == 0 &&
           strcmp(call, wanted) == 0 && (strcmp(file, "*") == 0 || strcmp(file, name) == 0))
        nanosleep(&pause, NULL);
}

static bool
fails(const char *call, int fd)
{
    char path[PATH_MAX];
    int saved = errno, error;

    hold(call, shim_name_of_fd(fd, path));
    error = error_of(call, shim_name_of_fd(fd, path));
    errno = error ? error : saved;
    return error != 0;
}

static bool
open_fails(int dir, const char *path)
{
    char whole[PATH_MAX];
    int saved = errno, error;

    if (path[0] != '/' && dir != AT_FDCWD) {
        char of_dir[PATH_MAX];
        char link[40];
        long n;

        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        n = syscall(SYS_readlinkat, AT_FDCWD, link, of_dir, sizeof of_dir - 1);
        of_dir[n > 0 ? n : 0] = '\0';
        if (snprintf(whole, sizeof whole, "%s/%s", of_dir, path) >= (int) sizeof whole)
            return false;
        path = whole;
    }
    error = error_of("open", shim_name(path));
    errno = error ? error : saved;
    return error != 0;
}

static bool
has_mode(int flags)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...); \
    int name(const char *path, int flags, ...) \
    { \
        REAL(int, #name, const char *, int, ...); \
        va_list args; \
        va_start(args, flags); \
        mode_t mode = has_mode(flags) ? va_arg(args, mode_t) : 0; \
        va_end(args); \
        return open_fails(AT_FDCWD, path) ? -1 : real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int dir, const char *path, int flags, ...); \
    int name(int dir, const char *path, int flags, ...) \
    { \
        REAL(int, #name, int, const char *, int, ...); \
        va_list args; \
        va_start(args, flags); \
        mode_t mode = has_mode(flags) ? va_arg(args, mode_t) : 0; \
        va_end(args); \
        return open_fails(dir, path) ? -1 : real(dir, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

#define READ(name) \
    ssize_t name(int fd, void *data, size_t n, off_t at) \
    { \
        REAL(ssize_t, #name, int, void *, size_t, off_t); \
        return fails("read", fd) ? -1 : real(fd, data, n, at); \
    }
READ(pread)
READ(pread64)

#define WRITE(name) \
    ssize_t name(int fd, const void *data, size_t n, off_t at) \
    { \
        REAL(ssize_t, #name, int, const void *, size_t, off_t); \
        return fails("write", fd) ? -1 : real(fd, data, n, at); \
    }
WRITE(pwrite)
WRITE(pwrite64)

#define SYNC(name) \
    int name(int fd) \
    { \
        REAL(int, #name, int); \
        return fails("sync", fd) ? -1 : real(fd); \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name) \
    int name(int fd, off_t size) \
    { \
        REAL(int, #name, int, off_t); \
        return fails("truncate", fd) ? -1 : real(fd, size); \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define ALLOCATE(name) \
    int name(int fd, off_t at, off_t n) \
    { \
        REAL(int, #name, int, off_t, off_t); \
        return fails("allocate", fd) ? errno : real(fd, at, n); \
    }
ALLOCATE(posix_fallocate)
ALLOCATE(posix_fallocate64)
