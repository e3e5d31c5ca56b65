/* store_group_size.c: the sizes of groups that were asked for, in the embedded store. They are few and change
 * seldom, so their statements are made when they are needed. */
#include "store_sqlite.h"

#include "store_rows.h"

struct size_change {
    const char *group;
    int64_t size;
};

static int
write_size(struct pawl_sqlite *store, void *arg)
{
    const struct size_change *change = arg;
    const char *sql = change->size < 0 ? "DELETE FROM group_size WHERE name = ?"
                                       : "INSERT INTO group_size (name, size) VALUES (?1, ?2)"
                                         " ON CONFLICT (name) DO UPDATE SET size = excluded.size";
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_bind_text(statement, 1, change->group, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK && change->size >= 0)
        rc = sqlite3_bind_int64(statement, 2, change->size);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int
pawl_sqlite_resize(struct pawl_store *base, const char *group, int64_t size)
{
    struct size_change change = {group, size};

    return pawl_sqlite_transact((struct pawl_sqlite *) base, write_size, &change);
}

int
pawl_sqlite_sizes(struct pawl_store *base,
                  int (*visit)(void *ctx, const char *group, uint32_t size), void *ctx,
                  struct pawl_err *err)
{
    struct pawl_sqlite *store = (struct pawl_sqlite *) base;
    sqlite3_stmt *row;
    int code = PAWL_OK;
    int rc = sqlite3_prepare_v2(store->db, "SELECT name, size FROM group_size", -1, &row, NULL);

    while (rc == SQLITE_OK && code == PAWL_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        const char *fault = pawl_row_group_size(row);

        rc = SQLITE_OK;
        if (fault)
            code = pawl_store_db_damaged(base->dir, err, "table group_size: %s", fault);
        else
            code = visit(ctx, (const char *) sqlite3_column_text(row, 0),
                         (uint32_t) sqlite3_column_int64(row, 1));
    }
    if (code == PAWL_OK && rc != SQLITE_DONE)
        code = pawl_store_db_fail(store->db, rc, base->dir, err);
    sqlite3_finalize(row);
    return code;
}
