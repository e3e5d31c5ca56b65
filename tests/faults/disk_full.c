/* disk_full.c: for LD_PRELOAD. The files in FAULT_DIR have room for as many bytes, all together, as
 * the file FAULT says: what would make them longer fails with ENOSPC. Without FAULT there is room. */
#include "shim.h"

#include <dirent.h>

/* Opened anew each time: files come and go. */
static long long
bytes_in_dir(void)
{
    DIR *dir = opendir(getenv("FAULT_DIR"));
    struct dirent *entry;
    long long bytes = 0;

    while (dir && (entry = readdir(dir)) != NULL) {
        struct stat file;

        if (fstatat(dirfd(dir), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(file.st_mode))
            bytes += file.st_size;
    }
    if (dir)
        closedir(dir);
    return bytes;
}

/* Whether there is room for the file to become so long. */
static bool
has_room(int fd, off_t end)
{
    char text[32], path[PATH_MAX];
    int saved = errno;
    struct stat file;
    bool answer = true;

    if (shim_read(text, sizeof text) && fstat(fd, &file) == 0 && S_ISREG(file.st_mode) &&
        end > file.st_size && shim_name_of_fd(fd, path))
        answer = bytes_in_dir() + (end - file.st_size) <= strtoll(text, NULL, 10);
    errno = answer ? saved : ENOSPC;
    return answer;
}

ssize_t
write(int fd, const void *data, size_t n)
{
    REAL(ssize_t, "write", int, const void *, size_t);

    return has_room(fd, lseek(fd, 0, SEEK_CUR) + (off_t) n) ? real(fd, data, n) : -1;
}

#define PWRITE(name) \
    ssize_t name(int fd, const void *data, size_t n, off_t at) \
    { \
        REAL(ssize_t, #name, int, const void *, size_t, off_t); \
        return has_room(fd, at + (off_t) n) ? real(fd, data, n, at) : -1; \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define TRUNCATE(name) \
    int name(int fd, off_t size) \
    { \
        REAL(int, #name, int, off_t); \
        return has_room(fd, size) ? real(fd, size) : -1; \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define ALLOCATE(name) \
    int name(int fd, off_t at, off_t n) \
    { \
        REAL(int, #name, int, off_t, off_t); \
        return has_room(fd, at + n) ? real(fd, at, n) : ENOSPC; \
    }
ALLOCATE(posix_fallocate)
ALLOCATE(posix_fallocate64)
