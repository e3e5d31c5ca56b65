/* store_db.h: connections to the embedded store's file, and what its errors mean.
 * A connection is used by one thread at a time. */
#ifndef PAWL_STORE_DB_H
#define PAWL_STORE_DB_H

#include "store_dir.h"

#include <sqlite3.h>
#include <stdbool.h>

#define PAWL_STORE_FILE "pawl.db"

enum pawl_store_open_mode {
    PAWL_DB_WRITE,                  /* the file is there */
    PAWL_DB_READ,                   /* leaves the log as it is, too */
};

/* Whether the file and the log beside it belong together, which SQLite takes for granted; also
 * where there is neither. To be asked before the first connection.
 * Errors: PAWL_EDAMAGED, PAWL_ESYS. */
int
pawl_store_db_inspect(const struct pawl_store_dir *dir, struct pawl_err *err);

/* Opens DIR/pawl.db. Blocks: on the disk. Owns: gives, sqlite3_close_v2() frees.
 * Errors: as pawl_store_db_fail(). */
int
pawl_store_db_open(const char *dir, enum pawl_store_open_mode mode, sqlite3 **out_db,
                   struct pawl_err *err);

/* Whether closing this connection leaves the log as it is, for the sake of a start that is refused;
 * else the last one moves it into the file. Opened to read: it leaves it. */
void
pawl_store_db_keep_log(sqlite3 *db, bool keep);

/* Runs statements that give nothing back: SQLite's code. */
int
pawl_store_db_run(sqlite3 *db, const char *sql);

/* The one number that a query gives, in *out. SQLite's code; SQLITE_DONE: it gives none. */
int
pawl_store_db_number(sqlite3 *db, const char *sql, int64_t *out);

/* What SQLite's code rc, just given by db, means to us; says it in *err with what to do.
 * PAWL_EDAMAGED, PAWL_EFULL, PAWL_EBUSY (locked by another program), PAWL_ENOMEM, PAWL_ESTORE. */
int
pawl_store_db_fail(sqlite3 *db, int rc, const char *dir, struct pawl_err *err);

/* The same for what a row or the file as a whole says about itself. */
int
pawl_store_db_damaged(const char *dir, struct pawl_err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Where rc meant PAWL_EFULL: whether it is certain that nothing of the transaction is there. Room
 * that is missing after its last page was written is noticed too late for that. */
bool
pawl_store_db_left_nothing(int rc);

#endif
