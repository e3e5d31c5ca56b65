/* store_fixture.h: an embedded store under test, in a directory of its own, and short ways to write
 * to it and to read it. */
#ifndef PAWL_STORE_FIXTURE_H
#define PAWL_STORE_FIXTURE_H

#include "store.h"
#include "when_copy.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define WALL (INT64_C(1800000000) * SECOND)

/* Takes from a file of this version what format 5 brought. */
#define UNDO_FORMAT_5                                                                             \
    "DROP VIEW tasks; DROP VIEW runs; DROP TABLE policy; DROP TABLE group_size;"                  \
    "ALTER TABLE schedule DROP COLUMN since_ns;"                                                  \
    "ALTER TABLE state DROP COLUMN skipped_condition;"                                            \
    "ALTER TABLE state DROP COLUMN skipped_group;"                                                \
    "ALTER TABLE state DROP COLUMN missed_paused;"                                                \
    "ALTER TABLE state DROP COLUMN end_reason;"                                                   \
    "ALTER TABLE action DROP COLUMN kill_mode;"                                                   \
    "ALTER TABLE action DROP COLUMN condition;"                                                   \
    "ALTER TABLE action DROP COLUMN url; ALTER TABLE action DROP COLUMN method;"                  \
    "ALTER TABLE action DROP COLUMN headers; ALTER TABLE action DROP COLUMN body;"                \
    "ALTER TABLE action DROP COLUMN success_codes;"                                               \
    "ALTER TABLE action DROP COLUMN max_redirects;"                                               \
    "ALTER TABLE result DROP COLUMN http_status;"

/* A task with its results, copied out of a load. */
struct loaded {
    struct pawl_record record;
    struct pawl_result *results;
    size_t nresults;
};

struct fixture {
    char dir[256];
    struct pawl_store *store;
    struct loaded *loaded;
    size_t nloaded;
};

static inline int
fixture_try_open(struct fixture *f, struct pawl_err *err)
{
    struct pawl_store_options options = {.dir = f->dir, .is_sync = false};

    return pawl_store_open(&options, &f->store, err);
}

static inline void
fixture_reopen(struct fixture *f)
{
    struct pawl_err err = {0};

    if (f->store)
        f->store->close(f->store);
    f->store = NULL;
    if (fixture_try_open(f, &err) != PAWL_OK)
        fail_msg("pawl_store_open: %s", err.text);
}

static inline void
fixture_open(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    strcpy(f->dir, "/tmp/pawl-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    fixture_reopen(f);
}

static inline void
fixture_forget(struct fixture *f)
{
    for (size_t i = 0; i < f->nloaded; i++) {
        struct loaded *task = &f->loaded[i];

        for (size_t j = 0; j < task->nresults; j++) {
            free((char *) task->results[j].out);
            free((char *) task->results[j].err);
            free((char *) task->results[j].error);
        }
        free(task->results);
        free((char *) task->record.id);
        free((char *) task->record.script);
        when_free(task->record.when);
        free((struct pawl_action *) task->record.action);
        free((struct pawl_policy *) task->record.policy);
    }
    free(f->loaded);
    f->loaded = NULL;
    f->nloaded = 0;
}

static inline void
fixture_close(struct fixture *f)
{
    struct dirent *entry;
    DIR *dir;

    fixture_forget(f);
    if (f->store)
        f->store->close(f->store);
    dir = opendir(f->dir);
    assert_non_null(dir);
    while ((entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    assert_int_equal(rmdir(f->dir), 0);
}

/* The path of a file in the directory; valid until the next call. */
static inline const char *
file_of(const struct fixture *f, const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    return path;
}

/* A new task as the engine submits it. */
static inline struct pawl_write
new_task(uint64_t seq, const char *id)
{
    return (struct pawl_write){
        .kind = PAWL_WRITE_NEW,
        .record = {.seq = seq, .id = id, .id_len = strlen(id), .type = PAWL_DELAY,
                   .time_ns = SECOND, .script = "true", .script_len = 4, .keep_results = 10,
                   .created_ns = WALL, .updated_ns = WALL, .due_ns = (int64_t) seq * SECOND,
                   .previous_ns = PAWL_NO_TIME},
    };
}

/* Every five minutes, in Rome. */
static inline const struct pawl_when *
when_of_cron(void)
{
    static const struct pawl_trigger trigger = {
        .kind = PAWL_BY_CRON, .expr = "*/5 * * * *", .expr_len = 11, .timezone = "Europe/Rome",
        .timezone_len = 11};
    static const struct pawl_when when = {
        .triggers = &trigger, .ntriggers = 1, .start_ns = PAWL_NO_TIME, .end_ns = PAWL_NO_TIME};

    return &when;
}

/* A new cron task that fires as when says, first at a wall time. */
static inline struct pawl_write
new_scheduled(uint64_t seq, const char *id, const struct pawl_when *when)
{
    struct pawl_write write = new_task(seq, id);

    write.record.type = PAWL_CRON;
    write.record.when = when;
    write.record.origin_ns = (int64_t) seq;
    write.record.due_ns = WALL + (int64_t) seq * SECOND;
    write.record.is_due_wall = true;
    return write;
}

/* A task after that many changes. */
static inline struct pawl_write
new_state(uint64_t seq, int64_t version)
{
    return (struct pawl_write){
        .kind = PAWL_WRITE_STATE,
        .record = {.seq = seq, .version = version, .status = PAWL_EXECUTED,
                   .updated_ns = WALL + version % SECOND, .due_ns = PAWL_NO_TIME,
                   .previous_ns = WALL, .run_count = (uint64_t) version},
    };
}

static inline struct pawl_result
new_result(uint64_t run, const char *out)
{
    return (struct pawl_result){
        .run = run, .attempt = 1, .scheduled_ns = WALL, .started_ns = WALL,
        .ended_ns = WALL + (int64_t) run * SECOND, .duration_ns = SECOND, .out = out,
        .out_len = strlen(out), .err = "",
    };
}

static inline int
commit(struct fixture *f, struct pawl_write *writes, size_t n)
{
    struct pawl_group group = {.ticket = 1, .writes = writes, .nwrites = n};

    return f->store->commit(f->store, &group);
}

static inline int
commit_one(struct fixture *f, struct pawl_write write)
{
    int code = commit(f, &write, 1);

    assert_int_equal(code, code == PAWL_EFULL || code == PAWL_ESTORE ? write.code : PAWL_OK);
    return write.code;
}

static inline int
commit_result(struct fixture *f, struct pawl_write write, const struct pawl_result *result)
{
    const struct pawl_result *results[] = {result};

    write.results = results;
    write.nresults = 1;
    return commit_one(f, write);
}

static inline void *
copy_of(const void *from, size_t len)
{
    char *copy = from ? malloc(len + 1) : NULL;

    if (copy) {
        memcpy(copy, from, len);
        copy[len] = '\0';
    }
    return copy;
}

static inline int
keep_cb(void *ctx, const struct pawl_record *record, const struct pawl_result *results,
        size_t nresults)
{
    struct fixture *f = ctx;
    struct loaded *task;

    f->loaded = realloc(f->loaded, (f->nloaded + 1) * sizeof *f->loaded);
    task = &f->loaded[f->nloaded++];
    *task = (struct loaded){*record, calloc(nresults + 1, sizeof *results), nresults};
    assert_int_equal(record->script[record->script_len], '\0');
    task->record.id = copy_of(record->id, record->id_len);
    task->record.script = copy_of(record->script, record->script_len);
    task->record.when = when_copy(record->when);
    task->record.action = action_copy(record->action);
    task->record.policy = policy_copy(record->policy);
    for (size_t i = 0; i < nresults; i++) {
        task->results[i] = results[i];
        task->results[i].out = copy_of(results[i].out, results[i].out_len);
        task->results[i].err = copy_of(results[i].err, results[i].err_len);
        task->results[i].error = results[i].error
                                     ? copy_of(results[i].error, strlen(results[i].error))
                                     : NULL;
    }
    return PAWL_OK;
}

static inline int
load_range(struct fixture *f, struct pawl_range range, struct pawl_err *err)
{
    fixture_forget(f);
    return f->store->load(f->store, &range, keep_cb, f, err);
}

/* Loads everything anew into f->loaded. */
static inline void
load(struct fixture *f)
{
    struct pawl_range all = {0, UINT64_MAX, INT64_MIN, INT64_MAX};
    struct pawl_err err = {0};

    if (load_range(f, all, &err) != PAWL_OK)
        fail_msg("load: %s", err.text);
}

static inline uint64_t
history_bytes(struct fixture *f)
{
    struct pawl_store_health health;

    f->store->health(f->store, &health);
    return health.history_bytes;
}

/* One value of the file as text, through a connection of its own; the caller frees it. */
static inline char *
ask(const char *path, const char *query)
{
    sqlite3 *db;
    sqlite3_stmt *row;
    char *text = NULL;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, query, -1, &row, NULL) != SQLITE_OK)
        fail_msg("%s: %s", query, sqlite3_errmsg(db));
    if (sqlite3_step(row) == SQLITE_ROW && sqlite3_column_text(row, 0))
        text = strdup((const char *) sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    sqlite3_close(db);
    return text;
}

static inline void
assert_answer(const char *path, const char *query, const char *expected)
{
    char *text = ask(path, query);

    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

/* Changes the file behind the store's back. */
static inline void
meddle(const char *path, const char *sql)
{
    char *error = NULL;
    sqlite3 *db;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", sql, error);
    sqlite3_close(db);
}

static inline unsigned
mode_of(const char *path)
{
    struct stat stat_of;

    assert_int_equal(stat(path, &stat_of), 0);
    return stat_of.st_mode & 0777;
}

/* Closes the store, and leaves its directory. */
static inline void
fixture_shut(struct fixture *f)
{
    f->store->close(f->store);
    f->store = NULL;
}

/* Two tasks, the first one with a result. */
static inline void
write_some(struct fixture *f)
{
    struct pawl_result result = new_result(1, "hello\n");

    assert_int_equal(commit_one(f, new_task(1, "a")), PAWL_OK);
    assert_int_equal(commit_one(f, new_task(2, "b")), PAWL_OK);
    assert_int_equal(commit_result(f, new_state(1, 1), &result), PAWL_OK);
}

/* Adds a line to the text that ctx has room for. */
static inline void
note_line_cb(void *ctx, const char *line)
{
    char *all = ctx;

    strcat(strcat(all, line), "\n");
}

#endif
