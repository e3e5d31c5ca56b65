/* store_commit.c: writing groups into the embedded store, and the connection that writes.
 * All of it runs on the committer's thread.
 *
 * A group is one transaction. When it fails for lack of room it left nothing behind; after any
 * other error of the disk it is unknown what is there, so the connection is closed and made again
 * for the next group: SQLite then reads its log and decides. What it finds in the log may be
 * only in the system's memory, since a disk that failed to write it once is not asked again; so the
 * whole log is first moved into the file, which writes it anew.
 *
 * SQLite's log is moved into the file (a checkpoint) between two commits, whenever
 * CHECKPOINT_FRAMES pages are in it: few enough not to hold up the next commit for long (measured:
 * 5 to 25 ms), and so many that a page which many commits write is moved once. Afterwards the log
 * is written from its beginning again. A reader that stays lets the log grow, and no more. */
#include "store_sqlite.h"

#include "err.h"
#include "store_rows.h"
#include "store_schema.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHECKPOINT_FRAMES 2000
#define SHRINK_PAGES 4096       /* given back at once, if so many are unused; 16 MiB: the reserve */
#define TEXT_OF(number) TEXT(number)
#define TEXT(number) #number
#define LOG_KEPT "67108864"     /* bytes: what a log that had grown beyond is cut to */

static const char *const sql[PAWL_SQL_COUNT] = {
    [PAWL_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [PAWL_SQL_COMMIT] = "COMMIT",
    [PAWL_SQL_ROLLBACK] = "ROLLBACK",
    [PAWL_SQL_NEW] = "INSERT OR IGNORE INTO task (" PAWL_TASK_COLUMNS ")"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    [PAWL_SQL_EDIT] = "UPDATE task SET time_ns = ?2, keep_results = ?3, script = ?4 WHERE seq = ?1",
    [PAWL_SQL_ID_OF] = "SELECT id FROM task WHERE seq = ?",
    [PAWL_SQL_STATE] =
        "INSERT INTO state (" PAWL_STATE_COLUMNS ")"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
        " ?15, ?16, ?17, ?18, ?19"
        " WHERE EXISTS (SELECT 1 FROM task WHERE seq = ?1)"
        " ON CONFLICT (seq) DO UPDATE SET version = excluded.version, status = excluded.status,"
        " updated_ns = excluded.updated_ns, due_ns = excluded.due_ns,"
        " previous_ns = excluded.previous_ns, run_count = excluded.run_count,"
        " failure_count = excluded.failure_count, skipped_overlap = excluded.skipped_overlap,"
        " missed = excluded.missed, running = excluded.running,"
        " is_due_wall = excluded.is_due_wall, is_paused = excluded.is_paused,"
        " is_asked = excluded.is_asked, asked_count = excluded.asked_count,"
        " skipped_condition = excluded.skipped_condition, skipped_group = excluded.skipped_group,"
        " missed_paused = excluded.missed_paused, end_reason = excluded.end_reason"
        " WHERE excluded.version >= state.version",
    [PAWL_SQL_SCHEDULE] = "INSERT OR IGNORE INTO schedule (" PAWL_SCHEDULE_COLUMNS ")"
                          " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [PAWL_SQL_TRIGGER] = "INSERT OR IGNORE INTO due_by (" PAWL_TRIGGER_COLUMNS ")"
                         " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [PAWL_SQL_TAG] = "INSERT OR IGNORE INTO tag (" PAWL_TAG_COLUMNS ") VALUES (?, ?, ?)",
    [PAWL_SQL_ACTION] = "INSERT OR IGNORE INTO action (" PAWL_ACTION_COLUMNS ")"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [PAWL_SQL_POLICY] = "INSERT OR IGNORE INTO policy (" PAWL_POLICY_COLUMNS ")"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [PAWL_SQL_WAIT] = "UPDATE policy SET attempt = ?2, is_retry = ?3, is_retried_wall = ?4,"
                      " has_backlog = ?5, is_catching_up = ?6, must_replace = ?7,"
                      " not_before_ns = ?8, retried_ns = ?9 WHERE seq = ?1",
    [PAWL_SQL_RESULT] = "INSERT OR IGNORE INTO result (" PAWL_RESULT_COLUMNS ")"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [PAWL_SQL_DROP_BELOW] = "DELETE FROM result WHERE seq = ? AND run < ? RETURNING bytes",
    [PAWL_SQL_GONE_TASK] = "DELETE FROM task WHERE seq = ?",
    [PAWL_SQL_GONE_STATE] = "DELETE FROM state WHERE seq = ?",
    [PAWL_SQL_GONE_RESULTS] = "DELETE FROM result WHERE seq = ? RETURNING bytes",
    [PAWL_SQL_GONE_SCHEDULE] = "DELETE FROM schedule WHERE seq = ?",
    [PAWL_SQL_GONE_TRIGGERS] = "DELETE FROM due_by WHERE seq = ?",
    [PAWL_SQL_GONE_TAGS] = "DELETE FROM tag WHERE seq = ?",
    [PAWL_SQL_GONE_ACTION] = "DELETE FROM action WHERE seq = ?",
    [PAWL_SQL_GONE_POLICY] = "DELETE FROM policy WHERE seq = ?",
    [PAWL_SQL_SCALE] = "UPDATE meta SET boot = ?, anchor_ns = ?, offset_ns = ?, noted_ns = ?,"
                       " newest_seq = ?",
    [PAWL_SQL_HISTORY] = "UPDATE meta SET history_bytes = ?",
    [PAWL_SQL_OLDEST] = "SELECT n, ended_ns, bytes FROM result ORDER BY n LIMIT ?",
    [PAWL_SQL_REMOVE] = "DELETE FROM result WHERE n = ?",
    [PAWL_SQL_READ] = "SELECT " PAWL_RESULT_COLUMNS " FROM result WHERE seq = ? AND run = ?"
                      " AND attempt = ?",
};

void
pawl_sqlite_say(struct pawl_sqlite *store, const char *problem)
{
    pthread_mutex_lock(&store->lock);
    snprintf(store->problem, sizeof store->problem, "%s", problem ? problem : "");
    pthread_mutex_unlock(&store->lock);
}

static void
tell(struct pawl_sqlite *store, enum pawl_log_level level, const char *text)
{
    if (store->log)
        store->log(store->ctx, level, text);
}

/* After each commit: how long the log is. */
static int
note_frames_cb(void *arg, sqlite3 *db, const char *name, int frames)
{
    struct pawl_sqlite *store = arg;

    (void) db;
    (void) name;
    store->log_frames = frames;
    return SQLITE_OK;
}

void
pawl_sqlite_checkpoint(struct pawl_sqlite *store, int frames)
{
    int total = 0, moved = 0, rc;

    if (!store->db || store->log_frames == 0 || store->log_frames < frames)
        return;
    rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &total, &moved);
    if (rc == SQLITE_OK && moved == total) {
        store->log_frames = 0;
        store->next_checkpoint = CHECKPOINT_FRAMES;
        return;
    }
    /* What is in the log is safe there, and it is tried again later. */
    store->next_checkpoint = store->log_frames + CHECKPOINT_FRAMES;
    if (rc != SQLITE_OK && rc != SQLITE_BUSY && rc != SQLITE_LOCKED) {
        struct pawl_err err;

        pawl_store_db_fail(store->db, rc, store->dir.path, &err);
        pawl_sqlite_say(store, err.text);
    }
}

/* What was left unknown becomes certain by being written once more. */
static int
settle(struct pawl_sqlite *store)
{
    int total = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &total, &moved);

    if (rc == SQLITE_OK && moved != total)
        rc = SQLITE_BUSY;
    if (rc == SQLITE_OK)
        store->is_suspect = false;
    return rc;
}

static int
prepare(struct pawl_sqlite *store)
{
    int rc = SQLITE_OK;

    for (int i = 0; i < PAWL_SQL_COUNT && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                &store->statements[i], NULL);
    return rc;
}

int
pawl_sqlite_connect(struct pawl_sqlite *store, struct pawl_err *err)
{
    int rc, code = pawl_store_db_open(store->dir.path, PAWL_DB_WRITE, &store->db, err);
    int64_t has_tags = 1, has_actions = 1, has_policies = 1;

    if (code != PAWL_OK)
        return code;
    pawl_store_db_keep_log(store->db, true);
    rc = pawl_store_db_run(store->db,
                           "PRAGMA wal_autocheckpoint=0; PRAGMA secure_delete=OFF;"
                           "PRAGMA cache_size=-16384; PRAGMA journal_size_limit=" LOG_KEPT);
    if (rc == SQLITE_OK)
        rc = pawl_store_db_run(store->db, store->base.is_sync ? "PRAGMA synchronous=FULL"
                                                              : "PRAGMA synchronous=NORMAL");
    if (rc == SQLITE_OK)
        rc = prepare(store);
    sqlite3_wal_hook(store->db, note_frames_cb, store);
    store->next_checkpoint = CHECKPOINT_FRAMES;
    if (rc == SQLITE_OK)
        rc = pawl_store_db_number(store->db, "SELECT history_bytes FROM meta",
                                  &store->history_bytes);
    if (rc == SQLITE_OK)
        rc = pawl_store_db_number(store->db, "SELECT EXISTS (SELECT 1 FROM tag)", &has_tags);
    if (rc == SQLITE_OK)
        rc = pawl_store_db_number(store->db, "SELECT EXISTS (SELECT 1 FROM action)", &has_actions);
    if (rc == SQLITE_OK)
        rc = pawl_store_db_number(store->db, "SELECT EXISTS (SELECT 1 FROM policy)", &has_policies);
    store->has_tags = has_tags != 0;
    store->has_actions = has_actions != 0;
    store->has_policies = has_policies != 0;
    if (rc == SQLITE_OK)
        return PAWL_OK;
    code = rc == SQLITE_DONE
               ? pawl_store_db_damaged(store->dir.path, err, "the table `meta` is empty")
               : pawl_store_db_fail(store->db, rc, store->dir.path, err);
    pawl_sqlite_disconnect(store);
    return code;
}

void
pawl_sqlite_disconnect(struct pawl_sqlite *store)
{
    for (int i = 0; i < PAWL_SQL_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    sqlite3_close_v2(store->db);
    store->db = NULL;
}

int
pawl_sqlite_run(struct pawl_sqlite *store, enum pawl_sqlite_statement which)
{
    int rc = sqlite3_step(store->statements[which]);

    sqlite3_reset(store->statements[which]);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Runs a statement that removes results and gives what each counted. */
static int
run_removal(struct pawl_sqlite *store, enum pawl_sqlite_statement which)
{
    sqlite3_stmt *statement = store->statements[which];
    int rc;

    while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
        store->history_change -= sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Whether the task with this number has this id: PAWL_OK, PAWL_EEXIST another, PAWL_ENOENT none. */
static int
compare_id(struct pawl_sqlite *store, const struct pawl_record *record, int *out_code)
{
    sqlite3_stmt *statement = store->statements[PAWL_SQL_ID_OF];
    int rc = sqlite3_bind_int64(statement, 1, (int64_t) record->seq);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    *out_code = PAWL_ENOENT;
    if (rc == SQLITE_ROW) {
        const void *id = sqlite3_column_text(statement, 0);
        size_t len = (size_t) sqlite3_column_bytes(statement, 0);

        *out_code = len == record->id_len && id && memcmp(id, record->id, len) == 0 ? PAWL_OK
                                                                                    : PAWL_EEXIST;
    }
    sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Writes what changes, unless a newer state is there: *out_written. */
static int
write_state_row(struct pawl_sqlite *store, struct pawl_write *write, bool *out_written)
{
    int rc = pawl_row_bind_state(store->statements[PAWL_SQL_STATE], &write->record);

    if (rc == SQLITE_OK)
        rc = pawl_sqlite_run(store, PAWL_SQL_STATE);
    *out_written = rc == SQLITE_OK && sqlite3_changes(store->db) > 0;
    if (!*out_written || !write->record.policy)
        return rc;
    rc = pawl_row_bind_wait(store->statements[PAWL_SQL_WAIT], &write->record);
    return rc == SQLITE_OK ? pawl_sqlite_run(store, PAWL_SQL_WAIT) : rc;
}

static int
write_new(struct pawl_sqlite *store, struct pawl_write *write)
{
    bool is_written;
    int rc = pawl_row_bind_task(store->statements[PAWL_SQL_NEW], &write->record);

    if (rc == SQLITE_OK)
        rc = pawl_sqlite_run(store, PAWL_SQL_NEW);
    if (rc == SQLITE_OK && sqlite3_changes(store->db) == 0)
        rc = compare_id(store, &write->record, &write->code);
    if (rc == SQLITE_OK && write->code == PAWL_OK)
        rc = pawl_sqlite_write_terms(store, &write->record);
    if (rc == SQLITE_OK && write->code == PAWL_OK && !pawl_row_is_new(&write->record))
        rc = write_state_row(store, write, &is_written);
    return rc;
}

static int
write_result(struct pawl_sqlite *store, uint64_t seq, const struct pawl_result *result)
{
    int rc = pawl_row_bind_result(store->statements[PAWL_SQL_RESULT], seq, result);

    if (rc == SQLITE_OK)
        rc = pawl_sqlite_run(store, PAWL_SQL_RESULT);
    if (rc == SQLITE_OK && sqlite3_changes(store->db) > 0)
        store->history_change += pawl_row_result_bytes(result);
    return rc;
}

static int
write_state(struct pawl_sqlite *store, struct pawl_write *write)
{
    sqlite3_stmt *drop = store->statements[PAWL_SQL_DROP_BELOW];
    bool is_written;
    int rc = write_state_row(store, write, &is_written);

    if (rc == SQLITE_OK && !is_written) {
        rc = compare_id(store, &write->record, &write->code);
        if (write->code == PAWL_ENOENT)
            return rc;
        write->code = PAWL_OK;      /* a newer state is there; a STATE need not name the id */
    }
    if (rc == SQLITE_OK && is_written && write->kind == PAWL_WRITE_EDIT)
        rc = pawl_sqlite_rewrite(store, &write->record);
    for (size_t i = 0; i < write->nresults && rc == SQLITE_OK; i++)
        rc = write_result(store, write->record.seq, write->results[i]);
    if (rc != SQLITE_OK || write->drop_below <= 1)
        return rc;
    sqlite3_bind_int64(drop, 1, (int64_t) write->record.seq);
    sqlite3_bind_int64(drop, 2, (int64_t) write->drop_below);
    return run_removal(store, PAWL_SQL_DROP_BELOW);
}

static int
write_gone(struct pawl_sqlite *store, struct pawl_write *write)
{
    int64_t seq = (int64_t) write->record.seq;
    int rc;

    sqlite3_bind_int64(store->statements[PAWL_SQL_GONE_TASK], 1, seq);
    sqlite3_bind_int64(store->statements[PAWL_SQL_GONE_STATE], 1, seq);
    sqlite3_bind_int64(store->statements[PAWL_SQL_GONE_RESULTS], 1, seq);
    rc = pawl_sqlite_run(store, PAWL_SQL_GONE_TASK);
    if (rc == SQLITE_OK && sqlite3_changes(store->db) == 0)
        write->code = PAWL_ENOENT;
    if (rc == SQLITE_OK)
        rc = pawl_sqlite_run(store, PAWL_SQL_GONE_STATE);
    if (rc == SQLITE_OK)
        rc = run_removal(store, PAWL_SQL_GONE_RESULTS);
    return rc == SQLITE_OK ? pawl_sqlite_remove_terms(store, seq) : rc;
}

static int
write_scale(struct pawl_sqlite *store, const struct pawl_scale *scale)
{
    sqlite3_stmt *statement = store->statements[PAWL_SQL_SCALE];
    size_t len = strnlen(scale->boot, sizeof scale->boot);

    sqlite3_bind_text64(statement, 1, scale->boot, len, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_int64(statement, 2, scale->anchor_ns);
    sqlite3_bind_int64(statement, 3, scale->offset_ns);
    sqlite3_bind_int64(statement, 4, scale->noted_ns);
    sqlite3_bind_int64(statement, 5, (int64_t) scale->newest_seq);
    return pawl_sqlite_run(store, PAWL_SQL_SCALE);
}

static int
write_group(struct pawl_sqlite *store, void *arg)
{
    static int (*const writers[])(struct pawl_sqlite *, struct pawl_write *) = {
        [PAWL_WRITE_NEW] = write_new,
        [PAWL_WRITE_STATE] = write_state,
        [PAWL_WRITE_EDIT] = write_state,
        [PAWL_WRITE_GONE] = write_gone,
    };
    struct pawl_group *group = arg;
    int rc = SQLITE_OK;

    for (size_t i = 0; i < group->nwrites && rc == SQLITE_OK; i++) {
        struct pawl_write *write = &group->writes[i];

        assert(write->record.seq > 0 && write->record.seq <= INT64_MAX);
        write->code = PAWL_OK;
        rc = writers[write->kind](store, write);
    }
    if (rc == SQLITE_OK && group->scale)
        rc = write_scale(store, group->scale);
    return rc;
}

/* Ends a transaction that failed with rc, and says so; the connection is not written to again unless
 * the cause is known to have left nothing behind. Until the next group it still reads. */
static int
give_up(struct pawl_sqlite *store, int rc)
{
    struct pawl_err err;
    int code = pawl_store_db_fail(store->db, rc, store->dir.path, &err);

    pawl_sqlite_say(store, err.text);
    if (!sqlite3_get_autocommit(store->db))
        pawl_sqlite_run(store, PAWL_SQL_ROLLBACK);
    if (code == PAWL_EFULL && !pawl_store_db_left_nothing(rc)) {
        pawl_store_dir_give_reserve(&store->dir);       /* for the next try, which settles it */
        code = PAWL_ESTORE;
    }
    if (code == PAWL_ESTORE || code == PAWL_EDAMAGED || !sqlite3_get_autocommit(store->db))
        store->is_suspect = true;
    return code == PAWL_EFULL ? PAWL_EFULL : PAWL_ESTORE;
}

/* Makes sure of a connection that can be written to. Errors: those of pawl_store_db_fail(). */
static int
get_ready(struct pawl_sqlite *store, struct pawl_err *err)
{
    int rc, code = PAWL_OK;

    if (store->is_suspect && store->db)
        pawl_sqlite_disconnect(store);
    if (!store->db)
        code = pawl_sqlite_connect(store, err);
    if (code != PAWL_OK || !store->is_suspect)
        return code;
    rc = settle(store);
    return rc == SQLITE_OK ? PAWL_OK : pawl_store_db_fail(store->db, rc, store->dir.path, err);
}

/* Whether the file is still the one with our name; else what is written goes nowhere. */
static bool
is_in_place(struct pawl_sqlite *store)
{
    struct pawl_err err;
    int has_moved = 0;

    sqlite3_file_control(store->db, NULL, SQLITE_FCNTL_HAS_MOVED, &has_moved);
    if (!has_moved)
        return true;
    pawl_err_set(&err, PAWL_ESTORE, NULL,
                 "%s/%s was moved or removed while it is in use: put it back, or stop pawld",
                 store->dir.path, PAWL_STORE_FILE);
    pawl_sqlite_say(store, err.text);
    return false;
}

int
pawl_sqlite_transact(struct pawl_sqlite *store, int (*body)(struct pawl_sqlite *, void *),
                     void *arg)
{
    struct pawl_err err;
    int rc;

    if (get_ready(store, &err) != PAWL_OK) {
        pawl_sqlite_say(store, err.text);
        return err.code == PAWL_EFULL ? PAWL_EFULL : PAWL_ESTORE;
    }
    if (!is_in_place(store))
        return PAWL_ESTORE;
    store->history_change = 0;
    rc = pawl_sqlite_run(store, PAWL_SQL_BEGIN);
    if (rc == SQLITE_OK)
        rc = body(store, arg);
    if (rc == SQLITE_OK && store->history_change != 0) {
        sqlite3_bind_int64(store->statements[PAWL_SQL_HISTORY], 1,
                           store->history_bytes + store->history_change);
        rc = pawl_sqlite_run(store, PAWL_SQL_HISTORY);
    }
    if (rc == SQLITE_OK)
        rc = pawl_sqlite_run(store, PAWL_SQL_COMMIT);
    if (rc != SQLITE_OK)
        return give_up(store, rc);
    store->has_written = true;
    store->history_bytes += store->history_change;
    atomic_store_explicit(&store->history_shown, store->history_bytes, memory_order_relaxed);
    return PAWL_OK;
}

bool
pawl_sqlite_shrink(struct pawl_sqlite *store)
{
    int64_t unused = 0, left = 0;

    if (!store->db || store->is_suspect ||
        pawl_store_db_number(store->db, "PRAGMA freelist_count", &unused) != SQLITE_OK ||
        unused < SHRINK_PAGES ||
        pawl_store_db_run(store->db, "PRAGMA incremental_vacuum(" TEXT_OF(SHRINK_PAGES) ")") !=
            SQLITE_OK)
        return false;
    pawl_sqlite_checkpoint(store, 0);       /* which cuts the file */
    return pawl_store_db_number(store->db, "PRAGMA freelist_count", &left) == SQLITE_OK &&
           left < unused;
}

/* On a full disk: gives the reserve up, and moves the log into the file at once, before the log grows
 * into that room: it can then be written from its beginning again, in the room that it has. Whether
 * there is a point in trying once more. */
static bool
make_room(struct pawl_sqlite *store)
{
    bool is_given = pawl_store_dir_give_reserve(&store->dir);

    if (is_given)
        tell(store, PAWL_LOG_WARN, "the disk is full: the store uses the space it had set aside");
    if (store->log_frames == 0)
        return is_given;
    pawl_sqlite_checkpoint(store, 1);
    return is_given || store->log_frames == 0;
}

int
pawl_sqlite_commit(struct pawl_store *base, struct pawl_group *group)
{
    struct pawl_sqlite *store = (struct pawl_sqlite *) base;
    int code = pawl_sqlite_transact(store, write_group, group);

    if (code == PAWL_EFULL && group->may_use_reserve && make_room(store))
        code = pawl_sqlite_transact(store, write_group, group);
    for (size_t i = 0; i < group->nwrites; i++) {
        if (code != PAWL_OK)
            group->writes[i].code = code;
    }
    if (code == PAWL_OK) {
        pawl_sqlite_say(store, NULL);
        pawl_sqlite_checkpoint(store, store->next_checkpoint);
    }
    return code;
}

/* Writes a page, so that it is known that one can be; SQLite writes none that stays as it is. */
static int
touch(struct pawl_sqlite *store, void *arg)
{
    (void) arg;
    return pawl_store_db_run(store->db, "UPDATE meta SET probes = probes + 1");
}

bool
pawl_sqlite_has_room(struct pawl_store *base)
{
    struct pawl_sqlite *store = (struct pawl_sqlite *) base;
    struct pawl_err err;

    if (!pawl_store_dir_take_reserve(&store->dir) &&
        (!pawl_sqlite_shrink(store) || !pawl_store_dir_take_reserve(&store->dir))) {
        pawl_store_db_fail(store->db, SQLITE_FULL, store->dir.path, &err);
        pawl_sqlite_say(store, err.text);
        return false;
    }
    if (pawl_sqlite_transact(store, touch, NULL) != PAWL_OK)
        return false;
    pawl_sqlite_say(store, NULL);
    return true;
}
