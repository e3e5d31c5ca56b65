/* store_db.c: connections to the embedded store's file, and what its errors mean.
 *
 * The file is locked in the ordinary way of SQLite, so that a person may look into it with the
 * sqlite3 shell at any time; whoever holds its write lock for longer than BUSY_MS is named. No file
 * of a database may be opened and closed here by other means while a connection is open: closing
 * it would drop the locks of the connection. */
#include "store_db.h"

#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS 5000
#define MODE_AT 18              /* in the file's header: 1 without a log, as in a backup; 2 with */

/* The size of a file in the directory; -1: it is not there. */
static off_t
size_of(const struct pawl_store_dir *dir, const char *name)
{
    struct stat stat;

    return fstatat(dir->fd, name, &stat, 0) == 0 ? stat.st_size : -1;
}

int
pawl_store_db_inspect(const struct pawl_store_dir *dir, struct pawl_err *err)
{
    char header[MODE_AT + 1] = "";
    int fd;

    if (size_of(dir, PAWL_STORE_FILE "-wal") <= 0)
        return PAWL_OK;
    if (size_of(dir, PAWL_STORE_FILE) <= 0)
        return pawl_err_set(err, PAWL_EDAMAGED, NULL,
                            "%s has the log %s-wal, but not the file it belongs to: put %s back, "
                            "or move the log away to start empty",
                            dir->path, PAWL_STORE_FILE, PAWL_STORE_FILE);
    fd = openat(dir->fd, PAWL_STORE_FILE, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pawl_err_set(err, PAWL_ESYS, NULL, "cannot open %s/%s: %s", dir->path,
                            PAWL_STORE_FILE, strerror(errno));
    if (pread(fd, header, sizeof header, 0) < (ssize_t) sizeof header)
        header[MODE_AT] = 0;        /* too short for a database: the connection says so */
    close(fd);
    if (header[MODE_AT] != 1)
        return PAWL_OK;
    return pawl_err_set(err, PAWL_EDAMAGED, NULL,
                        "%s/%s-wal is the log of another %s, that this one was put in the place "
                        "of: move the log away and start again",
                        dir->path, PAWL_STORE_FILE, PAWL_STORE_FILE);
}

void
pawl_store_db_keep_log(sqlite3 *db, bool keep)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep, NULL);
}

int
pawl_store_db_open(const char *dir, enum pawl_store_open_mode mode, sqlite3 **out_db,
                   struct pawl_err *err)
{
    int flags = mode == PAWL_DB_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    sqlite3 *db = NULL;
    char *path;
    int rc;

    if (asprintf(&path, "%s/%s", dir, PAWL_STORE_FILE) < 0)
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    free(path);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db, BUSY_MS);
        sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        pawl_store_db_keep_log(db, mode == PAWL_DB_READ);
        rc = pawl_store_db_run(db, "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY");
    }
    if (rc != SQLITE_OK) {
        int code = pawl_store_db_fail(db, rc, dir, err);

        sqlite3_close_v2(db);
        return code;
    }
    *out_db = db;
    return PAWL_OK;
}

int
pawl_store_db_run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int
pawl_store_db_number(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return rc;
}

int
pawl_store_db_damaged(const char *dir, struct pawl_err *err, const char *format, ...)
{
    char what[120];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return pawl_err_set(err, PAWL_EDAMAGED, NULL,
                        "the store is damaged: %s; `pawld --check %s` says more, and a backup made "
                        "by `pawl backup` can be put in its place",
                        what, dir);
}

/* The last error of the system on SQLite's file, or on its log. */
static int
error_of_file(sqlite3 *db, int which)
{
    sqlite3_file *file = NULL;
    int error = 0;

    sqlite3_file_control(db, NULL, which, &file);
    if (file && file->pMethods)
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
    return error;
}

/* The system's error behind the last one of db. SQLite rolls back before it notes errno, and may
 * have changed it by then. */
static int
system_error(sqlite3 *db)
{
    int error = db ? sqlite3_system_errno(db) : 0;

    if (error == 0 && db)
        error = error_of_file(db, SQLITE_FCNTL_JOURNAL_POINTER);
    if (error == 0 && db)
        error = error_of_file(db, SQLITE_FCNTL_FILE_POINTER);
    return error;
}

/* SQLite takes what a disk cannot read for damage. */
static bool
is_unreadable(sqlite3 *db)
{
    return db && (error_of_file(db, SQLITE_FCNTL_FILE_POINTER) == EIO ||
                  error_of_file(db, SQLITE_FCNTL_JOURNAL_POINTER) == EIO);
}

bool
pawl_store_db_left_nothing(int rc)
{
    return (rc & 0xFF) == SQLITE_FULL || rc == SQLITE_IOERR_WRITE;
}

int
pawl_store_db_fail(sqlite3 *db, int rc, const char *dir, struct pawl_err *err)
{
    const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    bool is_of_system = (rc & 0xFF) == SQLITE_IOERR || (rc & 0xFF) == SQLITE_CANTOPEN;
    int error = is_of_system ? system_error(db) : 0;

    if ((rc & 0xFF) == SQLITE_FULL || error == ENOSPC || error == EDQUOT || error == EFBIG)
        return pawl_err_set(err, PAWL_EFULL, NULL,
                            "no room for the store in %s: free some space on its disk", dir);
    switch (rc & 0xFF) {
    case SQLITE_NOTADB:
        return pawl_store_db_damaged(dir, err, "%s is no SQLite database", PAWL_STORE_FILE);
    case SQLITE_CORRUPT:
        if (is_unreadable(db))
            return pawl_err_set(err, PAWL_ESTORE, NULL,
                                "%s/%s cannot be read: Input/output error: its disk fails", dir,
                                PAWL_STORE_FILE);
        return pawl_store_db_damaged(dir, err, "%s", text);
    case SQLITE_NOMEM:
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return pawl_err_set(err, PAWL_EBUSY, NULL,
                            "another program holds %s/%s locked: end it, or its transaction", dir,
                            PAWL_STORE_FILE);
    default:
        return pawl_err_set(err, PAWL_ESTORE, NULL, "the store in %s fails: %s%s%s", dir, text,
                            error ? ": " : "", error ? strerror(error) : "");
    }
}
