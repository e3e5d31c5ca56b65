/* backup.c: copies of the store, each written by a thread of its own ("pawl-backup"), one at a time.
 * The thread says under the lock that it is over, and is joined by the next copy or by the end. */
#include "backup.h"

#include "err.h"
#include "shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pawl_backups {
    struct pawl *engine;                /* I */
    pthread_mutex_t lock;
    bool is_busy;                       /* L, as all below */
    bool has_thread;
    pthread_t thread;
    struct pawl_op *op;
    char *path;
};

struct pawl_backups *
pawl_backups_new(struct pawl *engine)
{
    struct pawl_backups *backup = calloc(1, sizeof *backup);

    if (!backup)
        return NULL;
    backup->engine = engine;
    pthread_mutex_init(&backup->lock, NULL);
    return backup;
}

static void
join(struct pawl_backups *backup)
{
    if (backup->has_thread)
        pthread_join(backup->thread, NULL);
    backup->has_thread = false;
}

void
pawl_backups_free(struct pawl_backups *backup)
{
    if (!backup)
        return;
    join(backup);
    pthread_mutex_destroy(&backup->lock);
    free(backup);
}

static void *
copy(void *arg)
{
    struct pawl_backups *backup = arg;
    struct pawl *engine = backup->engine;
    struct pawl_op *op;
    struct pawl_err err = {0};
    char *path;
    int code;

    pthread_mutex_lock(&backup->lock);      /* whoever started us has filled it in */
    op = backup->op;
    path = backup->path;
    pthread_mutex_unlock(&backup->lock);
    code = engine->store->backup(engine->store, path, &err);
    if (code != PAWL_OK)
        pawl_engine_log(engine, PAWL_LOG_ERROR, "no copy was written to %s: %s", path, err.text);
    op->code = code;
    op->why = code == PAWL_OK ? NULL
            : code == PAWL_EFULL ? "there is no room for the copy"
                                 : "the copy could not be written: see the log";
    free(path);
    pthread_mutex_lock(&backup->lock);
    backup->is_busy = false;
    pthread_mutex_unlock(&backup->lock);
    pawl_handle_send(op->handle, &op->link);
    return NULL;
}

static int
start_locked(struct pawl_backups *backup, struct pawl_op *op, const char *path,
             struct pawl_err *err)
{
    int code;

    if (backup->is_busy)
        return pawl_err_set(err, PAWL_ESTATE, NULL, "a copy is being written: try again later");
    join(backup);
    backup->op = op;
    backup->path = strdup(path);
    if (!backup->path)
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    code = pawl_engine_thread(&backup->thread, "pawl-backup", copy, backup);
    if (code != PAWL_OK) {
        free(backup->path);
        return pawl_err_set(err, code, NULL, "no thread can be started: %s", strerror(errno));
    }
    backup->is_busy = backup->has_thread = true;
    return PAWL_PENDING;
}

int
pawl_backup(struct pawl_handle *handle, const char *path, struct pawl_op *op, struct pawl_err *err)
{
    struct pawl *engine = handle->engine;
    int code;

    if (!engine->store)
        return pawl_err_set(err, PAWL_ESTATE, NULL,
                            "tasks are kept in memory only: there is nothing to copy");
    pawl_op_init(op, handle, PAWL_OP_BACKUP);
    pthread_mutex_lock(&engine->backup->lock);
    code = start_locked(engine->backup, op, path, err);
    pthread_mutex_unlock(&engine->backup->lock);
    return code;
}
