/* store_check.c: pawl_store_check(): verifies an embedded store that nobody uses.
 *
 * SQLite verifies its pages and indices, then we verify that each row is what it should be, that
 * schedules, actions, policies, states and results belong to tasks, and that the sums are right. Every finding is a
 * line; what cannot be read is one, too, and the rest is verified all the same. */
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
    sqlite3_stmt *schedule, *triggers, *actions;    /* of one task */
    struct pawl_row_when when;
    int64_t tagged;                         /* the task that tags are of */
    struct pawl_row_tags tags;
    struct pawl_row_action action;
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
         const char *(*visit)(struct check *check, sqlite3_stmt *row))
{
    sqlite3_stmt *row = NULL;
    unsigned wrong = 0;
    int rc = sqlite3_prepare_v2(check->db, query, -1, &row, NULL);

    while (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        const char *fault = visit(check, row);

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
visit_page(struct check *check, sqlite3_stmt *row)
{
    const char *text = (const char *) sqlite3_column_text(row, 0);

    (void) check;
    return text && strcmp(text, "ok") == 0 ? NULL : "found by SQLite";
}

/* Puts check->when together. */
static const char *
read_when(struct check *check, int64_t seq)
{
    const char *fault = "its schedule cannot be read";
    int rc = SQLITE_OK;

    sqlite3_bind_int64(check->schedule, 1, seq);
    sqlite3_bind_int64(check->triggers, 1, seq);
    if (sqlite3_step(check->schedule) == SQLITE_ROW)
        fault = pawl_row_schedule(check->schedule, &check->when);
    while (!fault && (rc = sqlite3_step(check->triggers)) == SQLITE_ROW)
        fault = pawl_row_trigger(check->triggers, &check->when);
    if (!fault && rc != SQLITE_DONE)
        fault = "its triggers cannot be read";
    sqlite3_reset(check->schedule);
    sqlite3_reset(check->triggers);
    return fault;
}

/* The two columns behind the task's own say whether it has a schedule, and an action. */
static const char *
visit_task(struct check *check, sqlite3_stmt *row)
{
    struct pawl_record record;
    int end = sqlite3_column_count(row);
    bool has_schedule = sqlite3_column_int(row, end - 2) != 0;
    bool has_action = sqlite3_column_int(row, end - 1) != 0;
    int64_t seq = sqlite3_column_int64(row, 0);
    const char *fault = has_schedule ? read_when(check, seq) : NULL;

    if (!fault && has_action) {         /* stays at its row until the task was looked at */
        sqlite3_bind_int64(check->actions, 1, seq);
        fault = sqlite3_step(check->actions) == SQLITE_ROW
                    ? pawl_row_action(check->actions, &check->action) : "its action cannot be read";
    }
    if (!fault)
        fault = pawl_row_task(row, has_schedule ? &check->when : NULL,
                              has_action ? &check->action : NULL, &record);
    sqlite3_reset(check->actions);
    return fault;
}

static const char *
visit_tag(struct check *check, sqlite3_stmt *row)
{
    int64_t seq = sqlite3_column_int64(row, 0);

    if (seq != check->tagged)
        check->tags.n = 0;
    check->tagged = seq;
    return pawl_row_tag(row, &check->tags);
}

static const char *
visit_policy(struct check *check, sqlite3_stmt *row)
{
    struct pawl_record record = {.seq = 0};
    struct pawl_policy policy;

    (void) check;
    return pawl_row_policy(row, &policy, &record);
}

static const char *
visit_group_size(struct check *check, sqlite3_stmt *row)
{
    (void) check;
    return pawl_row_group_size(row);
}

static const char *
visit_state(struct check *check, sqlite3_stmt *row)
{
    struct pawl_record record = {.seq = 0};
    const char *fault = pawl_row_state(row, &record);

    (void) check;
    if (fault)
        return fault;
    return record.failure_count > record.run_count ? "more runs failed than were started" : NULL;
}

static const char *
visit_result(struct check *check, sqlite3_stmt *row)
{
    struct pawl_result result;

    (void) check;
    return pawl_row_result(row, &result);
}

/* A row of a query that finds what should not be: its second column says what is wrong. */
static const char *
visit_fault(struct check *check, sqlite3_stmt *row)
{
    (void) check;
    return (const char *) sqlite3_column_text(row, 1);
}

static void
check_tasks(struct check *check)
{
    int rc = sqlite3_prepare_v2(check->db,
                                "SELECT " PAWL_SCHEDULE_COLUMNS " FROM schedule WHERE seq = ?", -1,
                                &check->schedule, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(check->db,
                                "SELECT " PAWL_TRIGGER_COLUMNS " FROM due_by WHERE seq = ?"
                                " ORDER BY n", -1, &check->triggers, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(check->db,
                                "SELECT " PAWL_ACTION_COLUMNS " FROM action WHERE seq = ?", -1,
                                &check->actions, NULL);
    if (rc == SQLITE_OK)
        each_row(check, "task",
                 "SELECT " PAWL_TASK_COLUMNS ", seq IN (SELECT seq FROM schedule),"
                 " seq IN (SELECT seq FROM action) FROM task ORDER BY seq", visit_task);
    else
        find(check, "schedule: reading stopped: %s", sqlite3_errmsg(check->db));
    sqlite3_finalize(check->schedule);
    sqlite3_finalize(check->triggers);
    sqlite3_finalize(check->actions);
}

static void
check_rows(struct check *check)
{
    check_tasks(check);
    each_row(check, "tag of task", "SELECT " PAWL_TAG_COLUMNS " FROM tag ORDER BY seq, n", visit_tag);
    each_row(check, "policy of task", "SELECT " PAWL_POLICY_COLUMNS " FROM policy ORDER BY seq",
             visit_policy);
    each_row(check, "size of group", "SELECT name, size FROM group_size ORDER BY name",
             visit_group_size);
    each_row(check, "state of task", "SELECT " PAWL_STATE_COLUMNS " FROM state ORDER BY seq",
             visit_state);
    each_row(check, "result of task", "SELECT " PAWL_RESULT_COLUMNS " FROM result ORDER BY n",
             visit_result);
}

/* Rows of schedules that no task leads to. */
static void
check_schedules(struct check *check)
{
    each_row(check, "schedule of task",
             "SELECT seq, 'there is no such task' FROM schedule"
             " WHERE NOT EXISTS (SELECT 1 FROM task WHERE task.seq = schedule.seq)", visit_fault);
    each_row(check, "trigger of task",
             "SELECT DISTINCT seq, 'there is no such schedule' FROM due_by"
             " WHERE NOT EXISTS (SELECT 1 FROM schedule WHERE schedule.seq = due_by.seq)",
             visit_fault);
    each_row(check, "action of task",
             "SELECT seq, 'there is no such task' FROM action"
             " WHERE NOT EXISTS (SELECT 1 FROM task WHERE task.seq = action.seq)", visit_fault);
    each_row(check, "policy of task",
             "SELECT seq, 'there is no such task' FROM policy"
             " WHERE NOT EXISTS (SELECT 1 FROM task WHERE task.seq = policy.seq)", visit_fault);
    each_row(check, "state of task",
             "SELECT seq, 'its due time is a wall time, but it has no schedule' FROM state"
             " WHERE is_due_wall"
             " AND NOT EXISTS (SELECT 1 FROM schedule WHERE schedule.seq = state.seq)",
             visit_fault);
}

static void
check_relations(struct check *check)
{
    each_row(check, "tag of task",
             "SELECT DISTINCT seq, 'there is no such task' FROM tag"
             " WHERE NOT EXISTS (SELECT 1 FROM task WHERE task.seq = tag.seq)", visit_fault);
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
refuse(const struct check *check, struct pawl_err *err)
{
    return pawl_err_set(err, PAWL_EDAMAGED, NULL,
                        "the store in %s is not sound (%u findings): put a backup made by "
                        "`pawl backup` in the place of %s",
                        check->dir, check->findings, PAWL_STORE_FILE);
}

static void
check_pages(struct check *check)
{
    each_row(check, "pages", "PRAGMA integrity_check(100)", visit_page);
}

/* What is none of our files, though it is sound, keeps the reason that it was refused for. */
static int
check_unknown(struct check *check, int code, struct pawl_err *err)
{
    if (code != PAWL_EDAMAGED)
        return code;
    find(check, "%s/%s cannot be read as a store of this pawld", check->dir, PAWL_STORE_FILE);
    check_pages(check);
    return check->findings > 1 ? refuse(check, err) : code;
}

static int
check_file(struct check *check, struct pawl_err *err)
{
    int format, code = pawl_store_schema_verify(check->db, check->dir, &format, err);

    if (code != PAWL_OK)
        return check_unknown(check, code, err);
    if (format == 0) {
        say(check, "the store is sound: it is empty");
        return PAWL_OK;
    }
    say_size(check, format);
    check_pages(check);
    if (format < pawl_store_format) {
        say(check, "format %d is older than this pawld's, %d: it is brought up to date when pawld "
            "opens it, and was not verified row by row", format, pawl_store_format);
    } else {
        check_rows(check);
        check_relations(check);
        check_schedules(check);
    }
    if (check->findings > 0)
        return refuse(check, err);
    say(check, "the store is sound");
    return PAWL_OK;
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
