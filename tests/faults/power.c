/* power.c: for LD_PRELOAD. Keeps in PAWL_POWER_COPY what of the files in PAWL_POWER_DIR would
 * survive a loss of power: only what was synced.
 *
 * Writes mark byte ranges of a file as dirty; fsync() and fdatasync() copy them. A file is known
 * by its inode, so that descriptors need not be followed. One that is mapped to be written is
 * copied whole. What earlier processes wrote is taken as dirty: a sync would write it out too.
 * Names: a new file is there with its first sync, or with one of the directory; renames and
 * unlinks are carried out with the next sync of anything, or at once, as PAWL_POWER_SEED decides.
 *
 * A system may write back at any time, too: with PAWL_POWER_LEAK=N, N of a thousand writes let a
 * random page of the file through, be it synced or not.
 *
 * Where PAWL_POWER_BOOT is set, that file stands for /proc/sys/kernel/random/boot_id.
 *
 * Not followed: folders inside PAWL_POWER_DIR, O_SYNC, syncfs(), writes by io_uring or aio. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096
#define NFILES 256
#define NRANGES 512             /* more than that: the file is dirty from the first to the last */
#define NPENDING 256
#define NMAPPINGS 256

/* The next one of this name: the C library's, or a sanitizer's in front of it. */
#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) \
        *(void **) &real = dlsym(RTLD_NEXT, name)

struct range {
    off_t from, to;
};

struct file {
    bool is_used;               /* until it is unlinked */
    bool is_whole;              /* it was mapped: what is dirty is not known */
    bool is_copied;             /* the copy has a file of this inode */
    dev_t dev;
    ino_t ino;
    char name[NAME_MAX + 1];
    off_t least;                /* the smallest size since the last sync */
    unsigned nranges;
    struct range ranges[NRANGES];
};

/* A change of names that waits for a sync of the directory; to is empty: unlink. */
struct pending {
    char from[NAME_MAX + 1], to[NAME_MAX + 1];
};

/* A mapping of a file, for msync(). */
struct mapping {
    char *at;
    size_t size;
    char name[NAME_MAX + 1];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;    /* all below */
static struct file files[NFILES];
static struct pending pending[NPENDING];
static unsigned npending;
static struct mapping mappings[NMAPPINGS];
static unsigned nmappings;
static int dir_fd = -1, copy_fd = -1;
static char dir_path[PATH_MAX];
static struct stat dir_stat;
static bool names_at_once;
static unsigned leak;
static uint64_t seed;

static void
die(const char *what)
{
    dprintf(2, "power.c: %s: %s\n", what, strerror(errno));
    abort();
}

static uint64_t
random_below(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

/* The calls that are this library's own go past it. */
static int
raw_openat(int fd, const char *name, int flags, mode_t mode)
{
    return (int) syscall(SYS_openat, fd, name, flags | O_CLOEXEC, mode);
}

static void
raw_close(int fd)
{
    syscall(SYS_close, fd);
}

/* PAWL_POWER_DIR may be made later than the library is loaded. */
static bool
is_on_locked(void)
{
    const char *dir, *copy, *text;

    if (copy_fd >= 0)
        return true;
    dir = getenv("PAWL_POWER_DIR");
    copy = getenv("PAWL_POWER_COPY");
    if (!dir || !copy || !realpath(dir, dir_path))
        return false;
    dir_fd = raw_openat(AT_FDCWD, dir_path, O_RDONLY | O_DIRECTORY, 0);
    if (dir_fd < 0 || fstat(dir_fd, &dir_stat) != 0)
        die("PAWL_POWER_DIR");
    text = getenv("PAWL_POWER_SEED");
    seed = (text ? strtoull(text, NULL, 10) : 1) * UINT64_C(0x9E3779B97F4A7C15) | 1;
    names_at_once = random_below(2) == 1;
    text = getenv("PAWL_POWER_LEAK");
    leak = text ? (unsigned) strtoul(text, NULL, 10) : 0;
    copy_fd = raw_openat(AT_FDCWD, copy, O_RDONLY | O_DIRECTORY, 0);
    if (copy_fd < 0)
        die("PAWL_POWER_COPY");
    return true;
}

static struct file *
find_locked(const struct stat *at)
{
    for (unsigned i = 0; i < NFILES; i++) {
        if (files[i].is_used && files[i].dev == at->st_dev && files[i].ino == at->st_ino)
            return &files[i];
    }
    return NULL;
}

static struct file *
find_name_locked(const char *name)
{
    for (unsigned i = 0; i < NFILES; i++) {
        if (files[i].is_used && strcmp(files[i].name, name) == 0)
            return &files[i];
    }
    return NULL;
}

static struct file *
find_fd_locked(int fd, struct stat *out_at)
{
    if (copy_fd < 0 || fstat(fd, out_at) != 0 || !S_ISREG(out_at->st_mode))
        return NULL;
    return find_locked(out_at);
}

static void
mark_locked(struct file *file, off_t from, off_t to)
{
    struct range *last = &file->ranges[file->nranges ? file->nranges - 1 : 0];

    if (from >= to)
        return;
    if (file->nranges && from <= last->to && to >= last->from) {
        last->from = from < last->from ? from : last->from;
        last->to = to > last->to ? to : last->to;
    } else if (file->nranges < NRANGES) {
        file->ranges[file->nranges++] = (struct range) {from, to};
    } else {
        for (unsigned i = 0; i < NRANGES; i++) {
            from = file->ranges[i].from < from ? file->ranges[i].from : from;
            to = file->ranges[i].to > to ? file->ranges[i].to : to;
        }
        file->ranges[0] = (struct range) {from, to};
        file->nranges = 1;
    }
}

/* Notes a file that was opened, by its path as the kernel knows it. */
static void
note_opened(int fd, bool was_truncated)
{
    char link[64], path[PATH_MAX];
    struct stat at, copied;
    struct file *file;
    const char *name;
    ssize_t n;

    pthread_mutex_lock(&lock);
    if (!is_on_locked() || fstat(fd, &at) != 0 || !S_ISREG(at.st_mode) || at.st_nlink == 0)
        goto out;
    file = find_locked(&at);
    if (!file) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof path - 1);
        if (n < 0)
            goto out;
        path[n] = '\0';
        name = strrchr(path, '/') + 1;
        if ((size_t) (name - path - 1) != strlen(dir_path) ||
            strncmp(path, dir_path, strlen(dir_path)) != 0)
            goto out;
        for (file = files; file < files + NFILES && file->is_used; file++)
            continue;
        if (file == files + NFILES)
            die("too many files");
        *file = (struct file) {.is_used = true, .dev = at.st_dev, .ino = at.st_ino,
                               .least = at.st_size};
        snprintf(file->name, sizeof file->name, "%s", name);
        file->is_copied = at.st_size > 0 && fstatat(copy_fd, name, &copied, 0) == 0;
        mark_locked(file, 0, at.st_size);
    }
    if (was_truncated)
        file->least = 0;
out:
    pthread_mutex_unlock(&lock);
}

/* Copies a range of a file into its copy. */
static void
copy_range(int from_fd, int to_fd, off_t from, off_t to)
{
    static char buffer[1 << 16];        /* under the lock */

    while (from < to) {
        size_t want = (size_t) (to - from) < sizeof buffer ? (size_t) (to - from) : sizeof buffer;
        ssize_t n = syscall(SYS_pread64, from_fd, buffer, want, from);

        if (n <= 0)
            return;                     /* it was cut meanwhile */
        if (syscall(SYS_pwrite64, to_fd, buffer, (size_t) n, from) != n)
            die("write to PAWL_POWER_COPY");
        from += n;
    }
}

static void
apply_names_locked(void)
{
    for (unsigned i = 0; i < npending; i++) {
        /* A file that was never synced has no copy: what it replaced stays, as it might. */
        if (pending[i].to[0])
            syscall(SYS_renameat, copy_fd, pending[i].from, copy_fd, pending[i].to);
        else
            syscall(SYS_unlinkat, copy_fd, pending[i].from, 0);
    }
    npending = 0;
}

/* What fsync() does. A file whose inode is new gets its name when it is whole. */
static void
sync_locked(struct file *file, int fd)
{
    char fresh[NAME_MAX + 16], link[64];
    struct stat at, copied;
    int from, to;

    apply_names_locked();       /* one journal */
    if (fstat(fd, &at) != 0)
        die("fstat");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    from = raw_openat(AT_FDCWD, link, O_RDONLY, 0);     /* fd may be for writing only */
    snprintf(fresh, sizeof fresh, ".new-%s", file->name);
    to = raw_openat(copy_fd, file->is_copied ? file->name : fresh,
                    O_RDWR | O_CREAT | (file->is_copied ? 0 : O_TRUNC), 0600);
    if (from < 0 || to < 0 || fstat(to, &copied) != 0)
        die("copy");
    if (copied.st_size > file->least && syscall(SYS_ftruncate, to, file->least) != 0)
        die("ftruncate of a copy");
    if (file->is_whole || !file->is_copied)
        copy_range(from, to, 0, at.st_size);
    for (unsigned i = 0; i < file->nranges; i++)
        copy_range(from, to, file->ranges[i].from, file->ranges[i].to);
    if (syscall(SYS_ftruncate, to, at.st_size) != 0)
        die("ftruncate of a copy");
    file->nranges = 0;
    file->least = at.st_size;
    if (!file->is_copied &&
        syscall(SYS_renameat, copy_fd, fresh, copy_fd, file->name) != 0)
        die("rename of a copy");
    file->is_copied = true;
    raw_close(from);
    raw_close(to);
}

/* A sync of the directory: names, and new files without what was written to them. */
static void
sync_dir_locked(void)
{
    apply_names_locked();
    for (unsigned i = 0; i < NFILES; i++) {
        struct file *file = &files[i];

        if (!file->is_used || file->is_copied)
            continue;
        int to = raw_openat(copy_fd, file->name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        if (to < 0)
            die("copy");
        raw_close(to);
        file->is_copied = true;
    }
}

static void
note_synced(int fd)
{
    struct stat at;
    struct file *file;
    int saved = errno;

    pthread_mutex_lock(&lock);
    if (is_on_locked() && fstat(fd, &at) == 0) {
        if (S_ISDIR(at.st_mode)) {
            if (at.st_ino == dir_stat.st_ino && at.st_dev == dir_stat.st_dev)
                sync_dir_locked();
        } else if ((file = find_locked(&at)) != NULL) {
            sync_locked(file, fd);
        }
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
}

/* Lets one page through, as a system that writes back on its own. */
static void
leak_locked(struct file *file, int fd, const struct stat *at)
{
    char link[64];
    int from, to;
    off_t page;

    if (!leak || random_below(1000) >= leak || !file->is_copied || at->st_size == 0)
        return;
    page = (off_t) random_below((uint64_t) (at->st_size + PAGE - 1) / PAGE) * PAGE;
    if (file->nranges && random_below(4))
        page = file->ranges[random_below(file->nranges)].to - 1;
    page -= page % PAGE;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    from = raw_openat(AT_FDCWD, link, O_RDONLY, 0);
    to = raw_openat(copy_fd, file->name, O_WRONLY, 0);
    if (from < 0 || to < 0)
        die("copy");
    copy_range(from, to, page, page + PAGE < at->st_size ? page + PAGE : at->st_size);
    raw_close(from);
    raw_close(to);
}

/* After a write, so that a sync which began before it need not have it. */
static void
note_written(int fd, off_t from, ssize_t n)
{
    int saved = errno;
    struct file *file;
    struct stat at;

    if (n <= 0 || copy_fd < 0)
        return;
    pthread_mutex_lock(&lock);
    file = find_fd_locked(fd, &at);
    if (file) {
        if (from < 0) {                 /* write(): it ends where the descriptor is now */
            from = lseek(fd, 0, SEEK_CUR) - n;
        }
        mark_locked(file, from, from + n);
        leak_locked(file, fd, &at);
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
}

static void
note_size(int fd, off_t size)
{
    int saved = errno;
    struct file *file;
    struct stat at;

    if (copy_fd < 0)
        return;
    pthread_mutex_lock(&lock);
    file = find_fd_locked(fd, &at);
    if (file && size < file->least)
        file->least = size;
    pthread_mutex_unlock(&lock);
    errno = saved;
}

/* --- Opening --- */

static const char *
stand_in(const char *path)
{
    const char *boot = getenv("PAWL_POWER_BOOT");

    return boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 ? boot : path;
}

static bool
has_mode(int flags)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

static int
opened(int fd, int flags)
{
    int saved = errno;

    if (fd >= 0 && (flags & O_ACCMODE) != O_RDONLY)
        note_opened(fd, (flags & O_TRUNC) != 0);
    errno = saved;
    return fd;
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
        return opened(real(stand_in(path), flags, mode), flags); \
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
        return opened(real(dir, stand_in(path), flags, mode), flags); \
    }
OPENAT(openat)
OPENAT(openat64)

/* What _FORTIFY_SOURCE makes of an open() without a mode. */
#define OPEN_2(name) \
    int name(const char *path, int flags); \
    int name(const char *path, int flags) \
    { \
        REAL(int, #name, const char *, int); \
        return opened(real(stand_in(path), flags), flags); \
    }
OPEN_2(__open_2)
OPEN_2(__open64_2)

#define OPENAT_2(name) \
    int name(int dir, const char *path, int flags); \
    int name(int dir, const char *path, int flags) \
    { \
        REAL(int, #name, int, const char *, int); \
        return opened(real(dir, stand_in(path), flags), flags); \
    }
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)

#define CREAT(name) \
    int name(const char *path, mode_t mode); \
    int name(const char *path, mode_t mode) \
    { \
        return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode); \
    }
CREAT(creat)
CREAT(creat64)

/* Only for the boot's id: the C library opens the file by itself. */
#define FOPEN(name) \
    FILE *name(const char *path, const char *mode); \
    FILE *name(const char *path, const char *mode) \
    { \
        REAL(FILE *, #name, const char *, const char *); \
        return real(stand_in(path), mode); \
    }
FOPEN(fopen)
FOPEN(fopen64)

/* --- Writing --- */

ssize_t
write(int fd, const void *data, size_t n)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    ssize_t done = real(fd, data, n);

    note_written(fd, -1, done);
    return done;
}

ssize_t
writev(int fd, const struct iovec *parts, int n)
{
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    ssize_t done = real(fd, parts, n);

    note_written(fd, -1, done);
    return done;
}

#define PWRITE(name, type, param) \
    ssize_t name(int fd, type data, param n, off_t at); \
    ssize_t name(int fd, type data, param n, off_t at) \
    { \
        REAL(ssize_t, #name, int, type, param, off_t); \
        ssize_t done = real(fd, data, n, at); \
        note_written(fd, at, done); \
        return done; \
    }
PWRITE(pwrite, const void *, size_t)
PWRITE(pwrite64, const void *, size_t)
PWRITE(pwritev, const struct iovec *, int)
PWRITE(pwritev64, const struct iovec *, int)

#define FTRUNCATE(name) \
    int name(int fd, off_t size); \
    int name(int fd, off_t size) \
    { \
        REAL(int, #name, int, off_t); \
        int status = real(fd, size); \
        if (status == 0) \
            note_size(fd, size); \
        return status; \
    }
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

/* fallocate() may punch holes; a mere growth shows in the size, at the next sync. */
#define FALLOCATE(name) \
    int name(int fd, int mode, off_t at, off_t n); \
    int name(int fd, int mode, off_t at, off_t n) \
    { \
        REAL(int, #name, int, int, off_t, off_t); \
        int status = real(fd, mode, at, n); \
        if (status == 0 && mode & ~1) \
            note_written(fd, at, n); \
        return status; \
    }
FALLOCATE(fallocate)
FALLOCATE(fallocate64)

/* --- Mapping --- */

static void *
map(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    void *found = (void *) syscall(SYS_mmap, at, size, protection, flags, fd, offset);
    struct file *file;
    struct stat status;
    int saved = errno;

    if (found == MAP_FAILED || fd < 0 || !(flags & MAP_SHARED) || !(protection & PROT_WRITE) ||
        copy_fd < 0)
        return found;
    pthread_mutex_lock(&lock);
    file = find_fd_locked(fd, &status);
    if (file) {
        struct mapping *mapping = &mappings[nmappings++ % NMAPPINGS];

        file->is_whole = true;
        mapping->at = found;
        mapping->size = size;
        snprintf(mapping->name, sizeof mapping->name, "%s", file->name);
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
    return found;
}

/* Not by dlsym(): allocators call it before anything else works. */
void *
mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return map(at, size, protection, flags, fd, offset);
}

void *
mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);

void *
mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return map(at, size, protection, flags, fd, offset);
}

int
msync(void *at, size_t size, int flags)
{
    REAL(int, "msync", void *, size_t, int);
    int status = real(at, size, flags), saved = errno;

    if (status != 0 || !(flags & MS_SYNC))
        return status;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < NMAPPINGS; i++) {
        struct mapping *mapping = &mappings[i];
        struct file *file;
        int fd;

        if ((char *) at < mapping->at || (char *) at >= mapping->at + mapping->size)
            continue;
        file = find_name_locked(mapping->name);
        fd = file ? raw_openat(dir_fd, file->name, O_RDONLY, 0) : -1;
        if (fd >= 0) {
            sync_locked(file, fd);
            raw_close(fd);
        }
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
    return status;
}

/* --- Syncing --- */

int
fsync(int fd)
{
    REAL(int, "fsync", int);
    int status = real(fd);

    if (status == 0)
        note_synced(fd);
    return status;
}

int
fdatasync(int fd)
{
    REAL(int, "fdatasync", int);
    int status = real(fd);

    if (status == 0)
        note_synced(fd);
    return status;
}

/* --- Names --- */

/* The name of a path in the directory; false: it is elsewhere. */
static bool
name_in_dir(int at, const char *path, char out[NAME_MAX + 1])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char parent[PATH_MAX];
    struct stat status;

    if (!slash)
        snprintf(parent, sizeof parent, ".");
    else
        snprintf(parent, sizeof parent, "%.*s", (int) (slash - path + 1), path);
    if (fstatat(at, parent, &status, 0) != 0 || status.st_ino != dir_stat.st_ino ||
        status.st_dev != dir_stat.st_dev)
        return false;
    snprintf(out, NAME_MAX + 1, "%s", name);
    return true;
}

/* After a rename or, without to, an unlink in the directory. */
static void
note_name(int from_at, const char *from_path, int to_at, const char *to_path)
{
    struct pending change = {0};
    int saved = errno;
    struct file *file;

    pthread_mutex_lock(&lock);
    if (is_on_locked() && name_in_dir(from_at, from_path, change.from)) {
        if (to_path && !name_in_dir(to_at, to_path, change.to))
            change.to[0] = '\0';        /* moved out of it */
        if (to_path && (file = find_name_locked(change.to)) != NULL)
            file->is_used = false;
        if ((file = find_name_locked(change.from)) != NULL) {
            if (change.to[0])
                memcpy(file->name, change.to, sizeof file->name);
            else
                file->is_used = false;
        }
        if (npending == NPENDING)
            apply_names_locked();
        pending[npending++] = change;
        if (names_at_once)
            apply_names_locked();
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
}

int
unlink(const char *path)
{
    REAL(int, "unlink", const char *);
    int status = real(path);

    if (status == 0)
        note_name(AT_FDCWD, path, 0, NULL);
    return status;
}

int
unlinkat(int at, const char *path, int flags)
{
    REAL(int, "unlinkat", int, const char *, int);
    int status = real(at, path, flags);

    if (status == 0 && !(flags & AT_REMOVEDIR))
        note_name(at, path, 0, NULL);
    return status;
}

int
rename(const char *from, const char *to)
{
    REAL(int, "rename", const char *, const char *);
    int status = real(from, to);

    if (status == 0)
        note_name(AT_FDCWD, from, AT_FDCWD, to);
    return status;
}

int
renameat(int from_at, const char *from, int to_at, const char *to)
{
    REAL(int, "renameat", int, const char *, int, const char *);
    int status = real(from_at, from, to_at, to);

    if (status == 0)
        note_name(from_at, from, to_at, to);
    return status;
}
