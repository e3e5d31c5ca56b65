/* store_sqlite.h: the embedded store, for the files that it is made of; all others see store.h.
 *
 * store_sqlite.c opens, closes and tidies up; store_commit.c writes groups and keeps the
 * connection; store_terms.c writes what tasks are; store_group_size.c keeps the sizes of groups;
 * store_prune.c removes old results and reads one; store_load.c reads all;
 * store_backup.c copies; store_check.c verifies. */
#ifndef PAWL_STORE_SQLITE_H
#define PAWL_STORE_SQLITE_H

#include "store.h"
#include "store_db.h"
#include "store_dir.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum pawl_sqlite_statement {
    PAWL_SQL_BEGIN,
    PAWL_SQL_COMMIT,
    PAWL_SQL_ROLLBACK,
    PAWL_SQL_NEW,
    PAWL_SQL_EDIT,
    PAWL_SQL_ID_OF,
    PAWL_SQL_STATE,
    PAWL_SQL_SCHEDULE,
    PAWL_SQL_TRIGGER,
    PAWL_SQL_TAG,
    PAWL_SQL_ACTION,
    PAWL_SQL_POLICY,
    PAWL_SQL_WAIT,
    PAWL_SQL_RESULT,
    PAWL_SQL_DROP_BELOW,
    PAWL_SQL_GONE_TASK,
    PAWL_SQL_GONE_STATE,
    PAWL_SQL_GONE_RESULTS,
    PAWL_SQL_GONE_SCHEDULE,
    PAWL_SQL_GONE_TRIGGERS,
    PAWL_SQL_GONE_TAGS,
    PAWL_SQL_GONE_ACTION,
    PAWL_SQL_GONE_POLICY,
    PAWL_SQL_SCALE,
    PAWL_SQL_HISTORY,
    PAWL_SQL_OLDEST,
    PAWL_SQL_REMOVE,
    PAWL_SQL_READ,
    PAWL_SQL_COUNT
};

/* Without a letter: the committer's, and before it starts, whoever opens the store. */
struct pawl_sqlite {
    struct pawl_store base;             /* I */
    struct pawl_store_dir dir;
    void *ctx;                          /* I */
    void (*log)(void *ctx, enum pawl_log_level level, const char *text);    /* I, or NULL */
    sqlite3 *db;                        /* NULL: it could not be opened again after an error */
    sqlite3_stmt *statements[PAWL_SQL_COUNT];
    bool has_written;               /* a group, so that it is sound, as far as anybody knows */
    bool is_suspect;                    /* it is unknown what is on the disk: see store_commit.c */
    bool has_tags;                      /* perhaps: a task that goes may have rows of tag */
    bool has_actions;                   /* the same of action */
    bool has_policies;                  /* and of policy */
    int log_frames;                     /* in SQLite's log, as of the last commit */
    int next_checkpoint;                /* when that many are in it */
    int64_t history_bytes;              /* as committed */
    int64_t history_change;             /* by the transaction in progress */
    _Atomic int64_t history_shown;      /* A: relaxed: a figure for health() */
    pthread_mutex_t lock;
    char problem[232];                  /* L */
};

/* --- store_commit.c: the connection and what writes through it --- */

/* Opens the connection and prepares its statements; the file is verified and up to date.
 * Blocks: on the disk. Errors: those of pawl_store_db_fail(). */
int
pawl_sqlite_connect(struct pawl_sqlite *store, struct pawl_err *err);

/* Closes it, if it is open. */
void
pawl_sqlite_disconnect(struct pawl_sqlite *store);

/* Runs a transaction: body() between BEGIN and COMMIT, on a connection that is made again if need
 * be. What fails is told to health(). PAWL_OK, PAWL_EFULL or PAWL_ESTORE; nothing was written but
 * perhaps with the last. Blocks: on the disk. */
int
pawl_sqlite_transact(struct pawl_sqlite *store, int (*body)(struct pawl_sqlite *, void *),
                     void *arg);

/* Steps a statement that gives no row, and resets it. SQLite's code. */
int
pawl_sqlite_run(struct pawl_sqlite *store, enum pawl_sqlite_statement which);

/* Gives unused pages of the file back to the disk, some at once. True: it got smaller. */
bool
pawl_sqlite_shrink(struct pawl_sqlite *store);

/* Moves the log into the file, as far as readers let it, if it has at least so many frames. */
void
pawl_sqlite_checkpoint(struct pawl_sqlite *store, int frames);

/* Sets what health() says; NULL: nothing. Threads: any. Locks: takes store->lock. */
void
pawl_sqlite_say(struct pawl_sqlite *store, const char *problem);

int
pawl_sqlite_commit(struct pawl_store *base, struct pawl_group *group);

bool
pawl_sqlite_has_room(struct pawl_store *base);

/* --- store_terms.c: within a transaction; SQLite's code --- */

/* Writes what only some tasks have: schedule, tags, action, policies. */
int
pawl_sqlite_write_terms(struct pawl_sqlite *store, const struct pawl_record *record);

/* Removes that. */
int
pawl_sqlite_remove_terms(struct pawl_sqlite *store, int64_t seq);

/* Writes what an edit changes, in the place of what is there. */
int
pawl_sqlite_rewrite(struct pawl_sqlite *store, const struct pawl_record *record);

/* --- store_prune.c, store_load.c, store_backup.c: as in store.h --- */

int
pawl_sqlite_prune(struct pawl_store *base, int64_t older_ns, uint64_t max_bytes, unsigned max_rows,
                  int64_t *out_cutoff_ns);

int
pawl_sqlite_read_result(struct pawl_store *base, uint64_t seq, uint64_t run, int attempt,
                        struct pawl_result **out_result);

/* In store_group_size.c. */
int
pawl_sqlite_sizes(struct pawl_store *base,
                  int (*visit)(void *ctx, const char *group, uint32_t size), void *ctx,
                  struct pawl_err *err);

int
pawl_sqlite_resize(struct pawl_store *base, const char *group, int64_t size);

int
pawl_sqlite_inventory(struct pawl_store *base, struct pawl_inventory *out, struct pawl_err *err);

int
pawl_sqlite_load(struct pawl_store *base, const struct pawl_range *range, pawl_load_cb *visit,
                 void *ctx, struct pawl_err *err);

int
pawl_sqlite_backup(struct pawl_store *base, const char *path, struct pawl_err *err);

#endif
