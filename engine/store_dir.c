/* store_dir.c: the directory of a store.
 *
 * Its mode is 0700 where we make it, and each file in it is 0600. `lock` is held by flock for as
 * long as the directory is open: the kernel lets go of it when the process ends, however it ends. A
 * child that a killed daemon was just starting holds it, too, until its exec: that moment is waited
 * for if no process has the pid in it, which is for people otherwise. `reserve` is space that is really allocated, so that what
 * must be written on a full disk has room. */
#include "store_dir.h"

#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES 500
#define LOCK_PAUSE_NS 10000000

static bool
is_no_room(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

/* Says which call failed on which path, and what can be done about it. */
static int
fail(struct pawl_err *err, int error, const char *what, const char *path)
{
    const char *advice = error == EACCES || error == EPERM
                             ? ": give pawld the right to, or another --data"
                         : error == EROFS    ? ": give a --data that can be written"
                         : error == ENOTDIR  ? ": give a --data that is a directory"
                         : is_no_room(error) ? ": free some space there"
                                             : "";

    return pawl_err_set(err, is_no_room(error) ? PAWL_EFULL : PAWL_ESYS, NULL, "cannot %s %s: %s%s",
                        what, path, strerror(error), advice);
}

/* Makes sure that a directory that was just made is found after a loss of power. */
static void
sync_parent(const char *path)
{
    char *copy = strdup(path), *slash = copy ? strrchr(copy, '/') : NULL;
    int fd;

    if (slash)
        slash[slash == copy] = '\0';
    fd = copy ? open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

/* mkdir -p: all that is missing, each for its owner only. */
static int
make_path(const char *path, struct pawl_err *err)
{
    char *copy = strdup(path);
    int code = PAWL_OK;

    if (!copy)
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    for (char *end = copy; end && code == PAWL_OK;) {
        end = strchr(end + 1, '/');
        if (end)
            *end = '\0';
        if (mkdir(copy, 0700) == 0) {
            sync_parent(copy);
        } else if (errno != EEXIST) {
            int error = errno;

            if (access(copy, F_OK) != 0)
                code = fail(err, error, "make the directory", copy);
        }
        if (end)
            *end = '/';
    }
    free(copy);
    return code;
}

static int
open_directory(struct pawl_store_dir *dir, const char *path, bool may_make, struct pawl_err *err)
{
    struct stat stat;
    int code;

    if (path[0] == '\0')
        return pawl_err_set(err, PAWL_ESYS, NULL, "the store's directory has no name: give --data");
    if (may_make && (code = make_path(path, err)) != PAWL_OK)
        return code;
    dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0 && errno == ENOTDIR && !may_make)
        return pawl_err_set(err, PAWL_ESYS, NULL,
                            "%s is a file: give the directory of a store; a copy goes alone into one, as "
                            "pawl.db", path);
    if (dir->fd < 0)
        return fail(err, errno, "open the directory", path);
    dir->path = realpath(path, NULL);
    if (!dir->path || fstat(dir->fd, &stat) != 0)
        return fail(err, errno, "find the directory", path);
    if (stat.st_uid != geteuid())
        return pawl_err_set(err, PAWL_ESYS, NULL,
                            "%s belongs to the user with number %u, pawld runs as %u: run it as "
                            "that one, or give another --data",
                            dir->path, (unsigned) stat.st_uid, (unsigned) geteuid());
    return PAWL_OK;
}

/* The pid of the daemon that has the lock, or had it; 0: it is not known. */
static long
read_pid(const struct pawl_store_dir *dir)
{
    char text[24] = "";
    ssize_t n = pread(dir->lock_fd, text, sizeof text - 1, 0);

    return n > 0 ? strtol(text, NULL, 10) : 0;
}

static int
say_busy(struct pawl_store_dir *dir, struct pawl_err *err)
{
    long pid = read_pid(dir);

    if (pid <= 0)
        return pawl_err_set(err, PAWL_EBUSY, NULL, "%s is in use by another process", dir->path);
    return pawl_err_set(err, PAWL_EBUSY, NULL,
                        "%s is in use by pawld with pid %ld: stop it, or give another --data",
                        dir->path, pid);
}

/* Takes the lock. False: errno says why not. */
static bool
take_lock(const struct pawl_store_dir *dir)
{
    struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

    for (int i = 0; flock(dir->lock_fd, LOCK_EX | LOCK_NB) != 0; i++) {
        long pid;

        if (errno != EWOULDBLOCK || i == LOCK_TRIES)
            return false;
        pid = read_pid(dir);
        if (pid <= 0 || kill((pid_t) pid, 0) == 0 || errno != ESRCH) {
            errno = EWOULDBLOCK;
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

static int
lock(struct pawl_store_dir *dir, bool may_make, struct pawl_err *err)
{
    int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | (may_make ? O_CREAT : 0);
    char text[24];
    int len = snprintf(text, sizeof text, "%ld\n", (long) getpid());

    dir->lock_fd = openat(dir->fd, "lock", flags, 0600);
    if (dir->lock_fd < 0 && errno == ENOENT && !may_make)
        return PAWL_OK;             /* nobody has ever used it here */
    if (dir->lock_fd < 0)
        return fail(err, errno, "write the file `lock` in", dir->path);
    if (!take_lock(dir)) {
        if (errno == EWOULDBLOCK)
            return say_busy(dir, err);
        return fail(err, errno, "lock the file `lock` in", dir->path);
    }
    /* The pid is a help; where a full disk has no room for it, the lock holds all the same. */
    if (ftruncate(dir->lock_fd, 0) != 0 || pwrite(dir->lock_fd, text, (size_t) len, 0) != len) {
        if (!is_no_room(errno))
            return fail(err, errno, "write the file `lock` in", dir->path);
    }
    return PAWL_OK;
}

int
pawl_store_dir_init(struct pawl_store_dir *dir, const char *path, bool may_make,
                    struct pawl_err *err)
{
    int code;

    *dir = (struct pawl_store_dir){.fd = -1, .lock_fd = -1, .reserve_fd = -1};
    code = open_directory(dir, path, may_make, err);
    if (code == PAWL_OK)
        code = lock(dir, may_make, err);
    if (code != PAWL_OK)
        pawl_store_dir_fini(dir);
    return code;
}

void
pawl_store_dir_fini(struct pawl_store_dir *dir)
{
    if (dir->reserve_fd >= 0)
        close(dir->reserve_fd);
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    if (dir->fd >= 0)
        close(dir->fd);
    free(dir->path);
    *dir = (struct pawl_store_dir){.fd = -1, .lock_fd = -1, .reserve_fd = -1};
}

bool
pawl_store_dir_take_reserve(struct pawl_store_dir *dir)
{
    struct stat stat;

    if (dir->reserve_fd < 0)
        dir->reserve_fd = openat(dir->fd, "reserve", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                                 0600);
    if (dir->reserve_fd < 0)
        return false;
    /* Allocated is not the same as long: a file with holes has its length and no room. */
    dir->has_reserve = posix_fallocate(dir->reserve_fd, 0, PAWL_RESERVE_BYTES) == 0 &&
                       fsync(dir->reserve_fd) == 0 && fstat(dir->reserve_fd, &stat) == 0 &&
                       stat.st_size >= PAWL_RESERVE_BYTES;
    if (!dir->has_reserve && ftruncate(dir->reserve_fd, 0) != 0)
        return false;       /* a part of it stays allocated; the next try uses it */
    return dir->has_reserve;
}

bool
pawl_store_dir_give_reserve(struct pawl_store_dir *dir)
{
    if (!dir->has_reserve)
        return false;
    dir->has_reserve = false;
    return ftruncate(dir->reserve_fd, 0) == 0 && fsync(dir->reserve_fd) == 0;
}
