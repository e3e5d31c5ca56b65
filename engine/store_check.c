/* store_check.c: pawl_store_check(): verifies an embedded store that nobody uses.
 *
 * SQLite verifies its pages and indices, then we verify that each row is what it should be, that
 * states and results belong to tasks, and that the sums are right. Every finding is a line; what
 * cannot be read is one, too, and the rest is verified all the same. */
#include "err.h"
#include "store_db.h"
#include "store_dir.h"
#include "store_rows.h"
#include "store_schema.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FINDINGS_MAX 100        /* lines of one kind */

struct check {
    const char *dir;
    sqlite3 *db;
    void (*say)(void *ctx, const char *line);
    void *ctx;
    unsigned findings;
};

static void __attribute__((format(printf, 2, 3)))
say(struct check *check, const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    check->say(check->ctx, line);
}

static void __attribute__((format(printf, 2, 3)))
find(struct check *check, const char *format, ...)
{
    char line[480];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    check->findings++;
    say(check, "unsound: %s", line);
}

/* Calls visit for each row of a query; it says what is wrong with the row, or NULL. */
static void
each_row(struct check *check, const char *what, const char *query,
         const char *(*visit)(sqlite3_stmt *row))
{
    sqlite3_stmt *row = NULL;
    unsigned wrong = 0;
    int rc = sqlite3_prepare_v2(check->db, query, -1, &row, NULL);

    while (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        const char *fault = visit(row);

        if (fault && ++wrong <= FINDINGS_MAX)
            find(check, "%s %s: %s", what, (const char *) sqlite3_column_text(row, 0), fault);
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_DONE)
        find(check, "%s: reading stopped: %s", what, sqlite3_errmsg(check->db));
    if (wrong > FINDINGS_MAX)
        find(check, "%s: and %u more", what, wrong - FINDINGS_MAX);
    sqlite3_finalize(row);
}

static const char *
visit_page(sqlite3_stmt *row)
{
    const char *text = (const char *) sqlite3_column_text(row, 0);

    return text && strcmp(text, "ok") == 0 ? NULL : "found by SQLite";
}

static const char *
visit_task(sqlite3_stmt *row)
{
    struct pawl_record record;

    return pawl_row_task(row, &record);
}

static const char *
visit_state(sqlite3_stmt *row)
{
    struct pawl_record record = {.seq = 0};
    const char *fault = pawl_row_state(row, &record);

    if (fault)
        return fault;
    return record.failure_count > record.run_count ? "more runs failed than were started" : NULL;
}

static const char *
visit_result(sqlite3_stmt *row)
{
    struct pawl_result result;

    return pawl_row_result(row, &result);
}

/* A row of a query that finds what should not be: its second column says what is wrong. */
static const char *
visit_fault(sqlite3_stmt *row)
{
    return (const char *) sqlite3_column_text(row, 1);
}

static void
check_rows(struct check *check)
{
    each_row(check, "task", "SELECT " PAWL_TASK_COLUMNS " FROM task ORDER BY seq", visit_task);
    each_row(check, "state of task", "SELECT " PAWL_STATE_COLUMNS " FROM state ORDER BY seq",
             visit_state);
    each_row(check, "result of task", "SELECT " PAWL_RESULT_COLUMNS " FROM result ORDER BY n",
             visit_result);
}

static void
check_relations(struct check *check)
{
    each_row(check, "state of task",
             "SELECT seq, 'there is no such task' FROM state"
             " WHERE NOT EXISTS (SELECT 1 FROM task WHERE task.seq = state.seq)", visit_fault);
    each_row(check, "result of task",
             "SELECT DISTINCT seq, 'there is no such task' FROM result"
             " WHERE NOT EXISTS (SELECT 1 FROM task WHERE task.seq = result.seq)", visit_fault);
    each_row(check, "result of task",
             "SELECT r.seq, 'run ' || max(r.run) || ' is newer than the newest run, '"
             "  || coalesce(s.run_count, 0)"
             " FROM result AS r LEFT JOIN state AS s USING (seq) GROUP BY r.seq"
             " HAVING max(r.run) > coalesce(s.run_count, 0)", visit_fault);
    each_row(check, "id",
             "SELECT id, count(*) || ' tasks have it' FROM task GROUP BY id HAVING count(*) > 1",
             visit_fault);
    each_row(check, "history",
             "SELECT meta.history_bytes || ' bytes', 'the results are of ' || r.bytes || ' bytes'"
             " FROM meta, (SELECT coalesce(sum(bytes), 0) AS bytes FROM result) AS r"
             " WHERE meta.history_bytes <> r.bytes", visit_fault);
    each_row(check, "meta",
             "SELECT count(*) || ' rows', 'there should be one' FROM meta HAVING count(*) <> 1",
             visit_fault);
}

static void
say_size(struct check *check, int format)
{
    int64_t tasks = 0, results = 0, pages = 0, page_size = 0, free = 0;

    pawl_store_db_number(check->db, "SELECT count(*) FROM task", &tasks);
    pawl_store_db_number(check->db, "SELECT count(*) FROM result", &results);
    pawl_store_db_number(check->db, "PRAGMA page_count", &pages);
    pawl_store_db_number(check->db, "PRAGMA page_size", &page_size);
    pawl_store_db_number(check->db, "PRAGMA freelist_count", &free);
    say(check, "format %d, %lld tasks, %lld results, %lld bytes (%lld of them free for reuse)",
        format, (long long) tasks, (long long) results, (long long) (pages * page_size),
        (long long) (free * page_size));
}

static int
check_file(struct check *check, struct pawl_err *err)
{
    int format, code = pawl_store_schema_verify(check->db, check->dir, &format, err);

    if (code != PAWL_OK) {
        if (code == PAWL_EDAMAGED)
            find(check, "%s/%s cannot be read as a store of this pawld", check->dir,
                 PAWL_STORE_FILE);
        return code;
    }
    if (format == 0) {
        say(check, "the store is sound: it is empty");
        return PAWL_OK;
    }
    say_size(check, format);
    each_row(check, "pages", "PRAGMA integrity_check(100)", visit_page);
    if (format < pawl_store_format)
        say(check, "format %d is older than this pawld's, %d: it is brought up to date when pawld "
            "opens it, and was not verified row by row", format, pawl_store_format);
    else {
        check_rows(check);
        check_relations(check);
    }
    if (check->findings == 0) {
        say(check, "the store is sound");
        return PAWL_OK;
    }
    return pawl_err_set(err, PAWL_EDAMAGED, NULL,
                        "the store in %s is not sound (%u findings): put a backup made by "
                        "`pawl backup` in the place of %s",
                        check->dir, check->findings, PAWL_STORE_FILE);
}

int
pawl_store_check(const char *dir, void (*say_line)(void *ctx, const char *line), void *ctx,
                 struct pawl_err *err)
{
    struct check check = {.say = say_line, .ctx = ctx};
    struct pawl_store_dir held;
    struct stat stat;
    int code = pawl_store_dir_init(&held, dir, false, err);

    if (code != PAWL_OK)
        return code;
    check.dir = held.path;
    if (fstatat(held.fd, PAWL_STORE_FILE, &stat, 0) != 0)
        code = pawl_err_set(err, PAWL_ESYS, NULL, "there is no store in %s: %s: %s", held.path,
                            PAWL_STORE_FILE, strerror(errno));
    if (code == PAWL_OK)
        code = pawl_store_db_inspect(&held, err);
    if (code == PAWL_OK)
        code = pawl_store_db_open(held.path, PAWL_DB_READ, &check.db, err);
    if (code == PAWL_OK)    /* sorting all ids may take more than memory has */
        pawl_store_db_run(check.db, "PRAGMA temp_store=FILE");
    if (code == PAWL_OK)
        code = check_file(&check, err);
    sqlite3_close_v2(check.db);
    pawl_store_dir_fini(&held);
    return code;
}
