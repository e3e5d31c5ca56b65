/* store_prune.c: old results of the embedded store: removing them, and reading one that memory no
 * longer has. On the committer's thread.
 *
 * Results are removed in the order of writing, which is all but the order of their ends. Where the
 * wall clock was set back, some that end in the future stand before old ones: up to STRAGGLERS in
 * a row are passed over. */
#include "store_sqlite.h"

#include "store_rows.h"

#include <stdlib.h>
#include <string.h>

#define STRAGGLERS 256

struct pruning {
    int64_t older_ns;
    uint64_t max_bytes;
    unsigned max_rows, removed;
    int64_t cutoff_ns;
};

static int
remove_row(struct pawl_sqlite *store, int64_t n)
{
    int rc = sqlite3_bind_int64(store->statements[PAWL_SQL_REMOVE], 1, n);

    return rc == SQLITE_OK ? pawl_sqlite_run(store, PAWL_SQL_REMOVE) : rc;
}

static int
prune_rows(struct pawl_sqlite *store, void *arg)
{
    struct pruning *pruning = arg;
    sqlite3_stmt *oldest = store->statements[PAWL_SQL_OLDEST];
    unsigned passed = 0;
    int rc = sqlite3_bind_int64(oldest, 1, (int64_t) pruning->max_rows + STRAGGLERS);

    while (rc == SQLITE_OK && pruning->removed < pruning->max_rows && passed < STRAGGLERS &&
           (rc = sqlite3_step(oldest)) == SQLITE_ROW) {
        int64_t ended_ns = sqlite3_column_int64(oldest, 1);
        int64_t bytes = sqlite3_column_int64(oldest, 2);
        int64_t kept = store->history_bytes + store->history_change;

        rc = SQLITE_OK;
        if (ended_ns >= pruning->older_ns && (kept <= 0 || (uint64_t) kept <= pruning->max_bytes)) {
            passed++;
            continue;
        }
        rc = remove_row(store, sqlite3_column_int64(oldest, 0));
        store->history_change -= bytes;
        pruning->removed++;
        passed = 0;
        if (ended_ns > pruning->cutoff_ns)
            pruning->cutoff_ns = ended_ns;
    }
    sqlite3_reset(oldest);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int
pawl_sqlite_prune(struct pawl_store *base, int64_t older_ns, uint64_t max_bytes, unsigned max_rows,
                  int64_t *out_cutoff_ns)
{
    struct pawl_sqlite *store = (struct pawl_sqlite *) base;
    struct pruning pruning = {older_ns, max_bytes, max_rows, 0, *out_cutoff_ns};
    int code = pawl_sqlite_transact(store, prune_rows, &pruning);

    if (code != PAWL_OK)
        return code;
    *out_cutoff_ns = pruning.cutoff_ns;
    pawl_sqlite_checkpoint(store, store->next_checkpoint);
    return pruning.removed == max_rows ? PAWL_PENDING : PAWL_OK;
}

/* One block: the result, then its texts, a NUL behind each. */
static struct pawl_result *
copy_result(const struct pawl_result *result)
{
    size_t error_len = result->error ? strlen(result->error) : 0;
    struct pawl_result *copy = malloc(sizeof *copy + result->out_len + result->err_len + error_len +
                                      3);
    char *text = (char *) (copy + 1);

    if (!copy)
        return NULL;
    *copy = *result;
    copy->out = memcpy(text, result->out, result->out_len);
    text += result->out_len;
    *text++ = '\0';
    copy->err = memcpy(text, result->err, result->err_len);
    text += result->err_len;
    *text++ = '\0';
    if (result->error)
        copy->error = memcpy(text, result->error, error_len + 1);
    return copy;
}

int
pawl_sqlite_read_result(struct pawl_store *base, uint64_t seq, uint64_t run, int attempt,
                        struct pawl_result **out_result)
{
    struct pawl_sqlite *store = (struct pawl_sqlite *) base;
    struct pawl_result result, *copy = NULL;
    struct pawl_err err = {.text = ""};
    sqlite3_stmt *row;
    int rc, code = PAWL_OK;

    if (seq > INT64_MAX || run > INT64_MAX)
        return PAWL_ENOENT;
    if (!store->db && pawl_sqlite_connect(store, &err) != PAWL_OK) {
        pawl_sqlite_say(store, err.text);
        return PAWL_ESTORE;
    }
    row = store->statements[PAWL_SQL_READ];
    sqlite3_bind_int64(row, 1, (int64_t) seq);
    sqlite3_bind_int64(row, 2, (int64_t) run);
    sqlite3_bind_int(row, 3, attempt);
    rc = sqlite3_step(row);
    if (rc == SQLITE_ROW) {
        const char *wrong = pawl_row_result(row, &result);

        if (wrong)
            code = pawl_store_db_damaged(base->dir, &err, "table result, task %llu: %s",
                                         (unsigned long long) seq, wrong);
        else if (!(copy = copy_result(&result)))
            code = PAWL_ENOMEM;
    } else {
        code = rc == SQLITE_DONE ? PAWL_ENOENT : pawl_store_db_fail(store->db, rc, base->dir, &err);
    }
    sqlite3_reset(row);
    if (code == PAWL_OK)
        *out_result = copy;
    if (err.text[0] != '\0')
        pawl_sqlite_say(store, err.text);
    return code == PAWL_OK || code == PAWL_ENOENT || code == PAWL_ENOMEM ? code : PAWL_ESTORE;
}
