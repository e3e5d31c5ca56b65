/* store_terms.c: what tasks are, in the embedded store's tables: the rows that only some of them have, and
 * writing all of them anew where a task was edited. On the committer's thread, within its transaction. */
#include "store_sqlite.h"

#include "store_rows.h"

static int
write_schedule(struct pawl_sqlite *store, const struct pawl_record *record)
{
    int rc = pawl_row_bind_schedule(store->statements[PAWL_SQL_SCHEDULE], record);

    if (rc == SQLITE_OK)
        rc = pawl_sqlite_run(store, PAWL_SQL_SCHEDULE);
    for (size_t n = 0; n < record->when->ntriggers && rc == SQLITE_OK; n++) {
        rc = pawl_row_bind_trigger(store->statements[PAWL_SQL_TRIGGER], record, n);
        if (rc == SQLITE_OK)
            rc = pawl_sqlite_run(store, PAWL_SQL_TRIGGER);
    }
    return rc;
}

static int
write_tags(struct pawl_sqlite *store, const struct pawl_record *record)
{
    int rc = SQLITE_OK;

    store->has_tags = true;
    for (size_t n = 0; n < record->ntags && rc == SQLITE_OK; n++) {
        rc = pawl_row_bind_tag(store->statements[PAWL_SQL_TAG], record, n);
        if (rc == SQLITE_OK)
            rc = pawl_sqlite_run(store, PAWL_SQL_TAG);
    }
    return rc;
}

static int
write_action(struct pawl_sqlite *store, const struct pawl_record *record)
{
    int rc = pawl_row_bind_action(store->statements[PAWL_SQL_ACTION], record);

    store->has_actions = true;
    return rc == SQLITE_OK ? pawl_sqlite_run(store, PAWL_SQL_ACTION) : rc;
}

static int
write_policy(struct pawl_sqlite *store, const struct pawl_record *record)
{
    int rc = pawl_row_bind_policy(store->statements[PAWL_SQL_POLICY], record);

    store->has_policies = true;
    return rc == SQLITE_OK ? pawl_sqlite_run(store, PAWL_SQL_POLICY) : rc;
}

int
pawl_sqlite_write_terms(struct pawl_sqlite *store, const struct pawl_record *record)
{
    int rc = SQLITE_OK;

    if (record->when)
        rc = write_schedule(store, record);
    if (rc == SQLITE_OK && record->ntags > 0)
        rc = write_tags(store, record);
    if (rc == SQLITE_OK && record->action)
        rc = write_action(store, record);
    if (rc == SQLITE_OK && record->policy)
        rc = write_policy(store, record);
    return rc;
}

static int
remove_schedule(struct pawl_sqlite *store, int64_t seq)
{
    int rc;

    sqlite3_bind_int64(store->statements[PAWL_SQL_GONE_SCHEDULE], 1, seq);
    rc = pawl_sqlite_run(store, PAWL_SQL_GONE_SCHEDULE);
    if (rc != SQLITE_OK || sqlite3_changes(store->db) == 0)
        return rc;
    sqlite3_bind_int64(store->statements[PAWL_SQL_GONE_TRIGGERS], 1, seq);
    return pawl_sqlite_run(store, PAWL_SQL_GONE_TRIGGERS);
}

int
pawl_sqlite_remove_terms(struct pawl_sqlite *store, int64_t seq)
{
    int rc = remove_schedule(store, seq);

    if (rc == SQLITE_OK && store->has_tags) {
        sqlite3_bind_int64(store->statements[PAWL_SQL_GONE_TAGS], 1, seq);
        rc = pawl_sqlite_run(store, PAWL_SQL_GONE_TAGS);
    }
    if (rc == SQLITE_OK && store->has_actions) {
        sqlite3_bind_int64(store->statements[PAWL_SQL_GONE_ACTION], 1, seq);
        rc = pawl_sqlite_run(store, PAWL_SQL_GONE_ACTION);
    }
    if (rc == SQLITE_OK && store->has_policies) {
        sqlite3_bind_int64(store->statements[PAWL_SQL_GONE_POLICY], 1, seq);
        rc = pawl_sqlite_run(store, PAWL_SQL_GONE_POLICY);
    }
    return rc;
}

int
pawl_sqlite_rewrite(struct pawl_sqlite *store, const struct pawl_record *record)
{
    int rc = pawl_row_bind_edit(store->statements[PAWL_SQL_EDIT], record);

    if (rc == SQLITE_OK)
        rc = pawl_sqlite_run(store, PAWL_SQL_EDIT);
    if (rc == SQLITE_OK)
        rc = pawl_sqlite_remove_terms(store, (int64_t) record->seq);
    return rc == SQLITE_OK ? pawl_sqlite_write_terms(store, record) : rc;
}
