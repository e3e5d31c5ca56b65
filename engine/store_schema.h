/* store_schema.h: the tables of the embedded store, and bringing older ones up to date. */
#ifndef PAWL_STORE_SCHEMA_H
#define PAWL_STORE_SCHEMA_H

#include <pawl.h>
#include <sqlite3.h>

#define PAWL_STORE_APPLICATION 0x7061776C       /* "pawl", in the header of the file */

/* The format that this program writes: the number of steps in the table of store_schema.c. */
extern const int pawl_store_format;

/* Whether the file is a store of ours, or an empty one, of a format that we know; *out_format is 0
 * for an empty one. Changes nothing. Errors: PAWL_EDAMAGED, and those of pawl_store_db_fail(). */
int
pawl_store_schema_verify(sqlite3 *db, const char *dir, int *out_format, struct pawl_err *err);

/* Brings a verified file up to this program's format, in one transaction. Blocks: on the disk.
 * Errors: those of pawl_store_db_fail(). */
int
pawl_store_schema_migrate(sqlite3 *db, const char *dir, struct pawl_err *err);

#endif
