/* cgroup.c: control groups of runs. A group is the directory pawl-PID, made and removed by the process
 * of that number, which holds a lock on it: who finds one without a lock knows that its maker is gone.
 * It may be removed then, and cannot be while a process is in it. */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PREFIX "pawl-"
#define NAME_SIZE sizeof PREFIX "-2147483648"
#define TRIES 10                /* while others sweep */

/* --- Finding the own one --- */

/* The path of this process's group in the hierarchy; false: there is none, or it is out of sight. */
static bool
read_own(char *path, size_t size)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char *line = NULL;
    size_t cap = 0;
    bool is_found = false;

    while (file && !is_found && getline(&line, &cap, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        is_found = strncmp(line, "0::/", 4) == 0 && strlen(line + 3) < size &&
                   strncmp(line + 3, "/..", 3) != 0;
        if (is_found)
            strcpy(path, line + 3);
    }
    free(line);
    if (file)
        fclose(file);
    return is_found;
}

/* Where a line of mountinfo shows this path; NULL: nowhere. */
static char *
shown_by(char *line, const char *path)
{
    char *rest = strstr(line, " - cgroup2 "), *root, *point, *dir = NULL;
    size_t len;

    if (!rest)
        return NULL;
    *rest = '\0';
    for (int i = 0; i < 3; i++)                 /* number, parent's number, device */
        line = line ? strchr(line, ' ') ? strchr(line, ' ') + 1 : NULL : NULL;
    root = line ? strsep(&line, " ") : NULL;
    point = line ? strsep(&line, " ") : NULL;
    if (!root || !point || strchr(point, '\\'))         /* a blank in the name: not worth it */
        return NULL;
    len = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(path, root, len) != 0 || (path[len] != '/' && path[len] != '\0'))
        return NULL;
    return asprintf(&dir, "%s%s", point, path[len] && path[len + 1] ? path + len : "") < 0 ? NULL
                                                                                         : dir;
}

static char *
find_dir(void)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char path[4096], *line = NULL, *dir = NULL;
    size_t cap = 0;

    if (read_own(path, sizeof path)) {
        while (file && !dir && getline(&line, &cap, file) > 0)
            dir = shown_by(line, path);
    }
    free(line);
    if (file)
        fclose(file);
    return dir;
}

char *
pawl_cgroup_find(void)
{
    char *dir = find_dir();
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    struct statfs where;
    bool may_make;

    /* Moving a process down takes the right to write cgroup.procs here, too. */
    may_make = fd >= 0 && fstatfs(fd, &where) == 0 && where.f_type == CGROUP2_SUPER_MAGIC &&
               faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0 &&
               faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) == 0;
    if (fd >= 0)
        close(fd);
    if (may_make)
        return dir;
    free(dir);
    return NULL;
}

/* --- Groups --- */

static void
name_of(char name[NAME_SIZE], pid_t pid)
{
    snprintf(name, NAME_SIZE, PREFIX "%d", (int) pid);
}

/* Opens and locks a group; -1: it is gone, or another process holds it. */
static int
open_locked(int parent_fd, const char *name)
{
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat opened, named;

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &opened) == 0 &&
        fstatat(parent_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        opened.st_ino == named.st_ino)
        return fd;              /* the one of this name, and not one that was just removed */
    if (fd >= 0)
        close(fd);
    return -1;
}

bool
pawl_cgroup_make(struct pawl_cgroup *group, const char *parent, pid_t pid)
{
    int parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char name[NAME_SIZE];

    name_of(name, pid);
    *group = (struct pawl_cgroup) {-1, -1, -1};
    for (int i = 0; parent_fd >= 0 && group->dir_fd < 0 && i < TRIES; i++) {
        unlinkat(parent_fd, name, AT_REMOVEDIR);        /* of another one that had the number */
        if (mkdirat(parent_fd, name, 0755) != 0)
            break;
        group->dir_fd = open_locked(parent_fd, name);
    }
    if (group->dir_fd >= 0) {
        group->procs_fd = openat(group->dir_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        group->kill_fd = openat(group->dir_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);
    }
    if (parent_fd >= 0)
        close(parent_fd);
    return group->procs_fd >= 0 && group->kill_fd >= 0;
}

void
pawl_cgroup_kill(const char *parent, pid_t pid)
{
    char *path;
    int fd;

    if (asprintf(&path, "%s/" PREFIX "%d/cgroup.kill", parent, (int) pid) < 0)
        return;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    free(path);
    if (fd < 0)
        return;
    while (write(fd, "1", 1) < 0 && errno == EINTR)
        ;
    close(fd);
}

void
pawl_cgroup_sweep(const char *parent)
{
    DIR *dir = opendir(parent);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        int fd = -1;

        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
            fd = open_locked(dirfd(dir), entry->d_name);
        if (fd >= 0) {
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
            close(fd);
        }
    }
    if (dir)
        closedir(dir);
}
