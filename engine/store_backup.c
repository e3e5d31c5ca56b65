/* store_backup.c: a consistent copy of the embedded store, beside whoever writes to it.
 *
 * The copy is taken in one read transaction on a connection of its own, so that it is of one
 * moment; commits go on meanwhile, into the log, which grows for as long. Any thread may call. */
#include "store_sqlite.h"

#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file that did not exist, for its owner only. */
static int
make_target(const char *path, struct pawl_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return pawl_err_set(err, errno == ENOSPC ? PAWL_EFULL : PAWL_ESYS, NULL,
                            "cannot make the backup %s: %s", path, strerror(errno));
    close(fd);
    return PAWL_OK;
}

/* Makes the finished copy, and its name, survive loss of power. */
static int
sync_target(const char *path, struct pawl_err *err)
{
    char *copy = strdup(path), *slash = copy ? strrchr(copy, '/') : NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC), dir_fd, code = PAWL_OK;

    if (slash)
        slash[slash == copy] = '\0';
    dir_fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0 || dir_fd < 0 || fsync(dir_fd) != 0)
        code = pawl_err_set(err, errno == ENOSPC ? PAWL_EFULL : PAWL_ESTORE, NULL,
                            "cannot finish the backup %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (dir_fd >= 0)
        close(dir_fd);
    free(copy);
    return code;
}

static int
fail_copy(sqlite3 *db, int rc, const char *path, struct pawl_err *err)
{
    int error = sqlite3_system_errno(db);
    bool is_full = (rc & 0xFF) == SQLITE_FULL || error == ENOSPC || error == EDQUOT ||
                   error == EFBIG;

    return pawl_err_set(err, is_full ? PAWL_EFULL : PAWL_ESTORE, NULL,
                        "cannot write the backup %s: %s", path,
                        is_full ? "there is no room for it" : sqlite3_errmsg(db));
}

static int
copy_pages(sqlite3 *from, sqlite3 *to, const char *path, struct pawl_err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    int rc = SQLITE_OK;

    if (!backup)
        return fail_copy(to, sqlite3_errcode(to), path, err);
    rc = sqlite3_backup_step(backup, -1);
    sqlite3_backup_finish(backup);
    if (rc == SQLITE_DONE)      /* one file, that can be read where nothing can be written */
        rc = pawl_store_db_run(to, "PRAGMA journal_mode=DELETE");
    return rc == SQLITE_OK ? PAWL_OK : fail_copy(to, rc, path, err);
}

/* SQLite takes a name that begins with "file:" for an address. */
static int
open_target(const char *path, sqlite3 **out_db, struct pawl_err *err)
{
    const char *prefix = path[0] == '/' ? "" : "./";
    char *name;
    int rc;

    if (asprintf(&name, "%s%s", prefix, path) < 0)
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    rc = sqlite3_open_v2(name, out_db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    free(name);
    if (rc == SQLITE_OK)
        rc = pawl_store_db_run(*out_db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
    return rc == SQLITE_OK ? PAWL_OK : fail_copy(*out_db, rc, path, err);
}

int
pawl_sqlite_backup(struct pawl_store *base, const char *path, struct pawl_err *err)
{
    sqlite3 *from = NULL, *to = NULL;
    int code = make_target(path, err);

    if (code != PAWL_OK)
        return code;
    code = pawl_store_db_open(base->dir, PAWL_DB_READ, &from, err);
    if (code == PAWL_OK)
        code = open_target(path, &to, err);
    if (code == PAWL_OK)
        code = copy_pages(from, to, path, err);
    sqlite3_close_v2(from);
    sqlite3_close_v2(to);
    if (code == PAWL_OK)
        code = sync_target(path, err);
    if (code != PAWL_OK)
        unlink(path);
    return code;
}
