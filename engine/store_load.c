/* store_load.c: reading all tasks of the embedded store at the start.
 *
 * Each call has a connection of its own, so several threads read disjoint ranges at once. A
 * statement for each table walks it beside the others, each by seq: a task, its schedule, triggers,
 * tags, action and policies if it has any, its state if there is one, its results if there are any. Every row
 * is verified.
 *
 * A range of due times is compared with what the row says, on whichever of the two scales. */
#include "store_sqlite.h"

#include "err.h"
#include "store_rows.h"

#include <stdlib.h>
#include <string.h>

/* One table, walked by seq. */
struct walk {
    const char *table;
    sqlite3_stmt *statement;
    uint64_t seq;                   /* of the row it stands at; UINT64_MAX: at the end */
};

/* The results of one task, and their texts, which live longer than their rows. */
struct shelf {
    struct pawl_result *results;
    size_t n, room;
    char *text;
    size_t text_len, text_room;
};

struct loader {
    const char *dir;
    sqlite3 *db;
    struct pawl_err *err;
    struct walk tasks, schedules, triggers, tags, actions, policies, states, results;
    struct pawl_row_tags of_task;
    struct pawl_row_when *when;     /* NULL: no task had a schedule yet */
    struct pawl_policy policy;
    struct pawl_row_action *action; /* NULL: none had an action */
    struct shelf shelf;
};

static int
fail_sql(struct loader *loader, int rc)
{
    return pawl_store_db_fail(loader->db, rc, loader->dir, loader->err);
}

static int
fail_row(struct loader *loader, const struct walk *walk, uint64_t seq, const char *what)
{
    return pawl_store_db_damaged(loader->dir, loader->err, "table %s, task %llu: %s", walk->table,
                                 (unsigned long long) seq, what);
}

static int
advance(struct loader *loader, struct walk *walk)
{
    int rc = sqlite3_step(walk->statement);
    uint64_t before = walk->seq;

    walk->seq = UINT64_MAX;
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? PAWL_OK : fail_sql(loader, rc);
    walk->seq = (uint64_t) sqlite3_column_int64(walk->statement, 0);
    if (walk->seq < before || walk->seq > INT64_MAX)
        return fail_row(loader, walk, walk->seq, "it is out of order");
    return PAWL_OK;
}

/* Goes on to the first row of this task or a later one. */
static int
seek(struct loader *loader, struct walk *walk, uint64_t seq)
{
    int code = PAWL_OK;

    while (walk->seq < seq && code == PAWL_OK)
        code = advance(loader, walk);
    return code;
}

static int
begin_walk(struct loader *loader, struct walk *walk, const char *table, const char *select,
           const struct pawl_range *range)
{
    uint64_t to = range->seq_to < INT64_MAX ? range->seq_to : INT64_MAX;
    int rc = sqlite3_prepare_v2(loader->db, select, -1, &walk->statement, NULL);

    walk->table = table;
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(walk->statement, 1, (int64_t) range->seq_from);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(walk->statement, 2, (int64_t) to);
    return rc == SQLITE_OK ? advance(loader, walk) : fail_sql(loader, rc);
}

/* Makes room for n more bytes of text, or for one more result. */
static bool
reserve(struct shelf *shelf, size_t bytes)
{
    if (shelf->n == shelf->room) {
        size_t room = shelf->room > 0 ? 2 * shelf->room : 64;
        void *grown = realloc(shelf->results, room * sizeof *shelf->results);

        if (!grown)
            return false;
        shelf->results = grown;
        shelf->room = room;
    }
    if (shelf->text_room - shelf->text_len < bytes) {
        size_t room = 2 * shelf->text_room + bytes + 4096;
        char *grown = realloc(shelf->text, room);

        if (!grown)
            return false;
        shelf->text = grown;
        shelf->text_room = room;
    }
    return true;
}

/* Copies a text with a NUL behind it; what is kept of it is its place, because text may move. */
static const char *
put_text(struct shelf *shelf, const char *text, size_t len)
{
    size_t at = shelf->text_len;

    memcpy(shelf->text + at, text, len);
    shelf->text[at + len] = '\0';
    shelf->text_len += len + 1;
    return (const char *) (uintptr_t) (at + 1);     /* never NULL */
}

static int
put_result(struct loader *loader, uint64_t seq)
{
    struct shelf *shelf = &loader->shelf;
    struct pawl_result result;
    const char *wrong = pawl_row_result(loader->results.statement, &result);
    size_t error_len;

    if (wrong)
        return fail_row(loader, &loader->results, seq, wrong);
    error_len = result.error ? strlen(result.error) : 0;
    if (!reserve(shelf, result.out_len + result.err_len + error_len + 3))
        return pawl_err_set(loader->err, PAWL_ENOMEM, NULL, "out of memory");
    result.out = put_text(shelf, result.out, result.out_len);
    result.err = put_text(shelf, result.err, result.err_len);
    if (result.error)
        result.error = put_text(shelf, result.error, error_len);
    shelf->results[shelf->n++] = result;
    return PAWL_OK;
}

/* From places to pointers, once all texts are there. */
static const char *
text_at(const struct shelf *shelf, const char *place)
{
    return shelf->text + ((uintptr_t) place - 1);
}

static int
collect_results(struct loader *loader, uint64_t seq)
{
    struct shelf *shelf = &loader->shelf;
    int code = seek(loader, &loader->results, seq);

    shelf->n = shelf->text_len = 0;
    while (code == PAWL_OK && loader->results.seq == seq) {
        code = put_result(loader, seq);
        if (code == PAWL_OK)
            code = advance(loader, &loader->results);
    }
    for (size_t i = 0; i < shelf->n; i++) {
        struct pawl_result *result = &shelf->results[i];

        result->out = text_at(shelf, result->out);
        result->err = text_at(shelf, result->err);
        if (result->error)
            result->error = text_at(shelf, result->error);
    }
    return code;
}

/* Puts the schedule of a task together, which began with the row that the walk stands at. */
static int
collect_triggers(struct loader *loader, uint64_t seq)
{
    const char *wrong;
    int code = PAWL_OK;

    if (!loader->when && !(loader->when = malloc(sizeof *loader->when)))
        return pawl_err_set(loader->err, PAWL_ENOMEM, NULL, "out of memory");
    wrong = pawl_row_schedule(loader->schedules.statement, loader->when);
    if (wrong)
        return fail_row(loader, &loader->schedules, seq, wrong);
    while (code == PAWL_OK && loader->triggers.seq == seq) {
        wrong = pawl_row_trigger(loader->triggers.statement, loader->when);
        if (wrong)
            return fail_row(loader, &loader->triggers, seq, wrong);
        code = advance(loader, &loader->triggers);
    }
    return code;
}

/* *out: NULL if the task has no schedule. */
static int
collect_when(struct loader *loader, uint64_t seq, const struct pawl_row_when **out)
{
    int code = seek(loader, &loader->schedules, seq);

    if (code == PAWL_OK)
        code = seek(loader, &loader->triggers, seq);
    if (code == PAWL_OK && loader->schedules.seq == seq)
        code = collect_triggers(loader, seq);
    else if (code == PAWL_OK && loader->triggers.seq == seq)
        code = fail_row(loader, &loader->triggers, seq, "it has a trigger, but no schedule");
    *out = loader->schedules.seq == seq ? loader->when : NULL;
    return code;
}

/* Puts the tags of a task together: loader->of_task. */
static int
collect_tags(struct loader *loader, uint64_t seq)
{
    int code = seek(loader, &loader->tags, seq);

    loader->of_task.n = 0;
    while (code == PAWL_OK && loader->tags.seq == seq) {
        const char *wrong = pawl_row_tag(loader->tags.statement, &loader->of_task);

        code = wrong ? fail_row(loader, &loader->tags, seq, wrong) : advance(loader, &loader->tags);
    }
    return code;
}

/* *out: NULL if the task has no action. Its strings are the row's, which the walk stands at. */
static int
collect_action(struct loader *loader, uint64_t seq, const struct pawl_row_action **out)
{
    const char *wrong;
    int code = seek(loader, &loader->actions, seq);

    *out = NULL;
    if (code != PAWL_OK || loader->actions.seq != seq)
        return code;
    if (!loader->action && !(loader->action = malloc(sizeof *loader->action)))
        return pawl_err_set(loader->err, PAWL_ENOMEM, NULL, "out of memory");
    *out = loader->action;
    wrong = pawl_row_action(loader->actions.statement, loader->action);
    return wrong ? fail_row(loader, &loader->actions, seq, wrong) : PAWL_OK;
}

/* Reads the policies of a task, if it has any, into the record. */
static int
collect_policy(struct loader *loader, uint64_t seq, struct pawl_record *record)
{
    const char *wrong;
    int code = seek(loader, &loader->policies, seq);

    if (code != PAWL_OK || loader->policies.seq != seq)
        return code;
    wrong = pawl_row_policy(loader->policies.statement, &loader->policy, record);
    return wrong ? fail_row(loader, &loader->policies, seq, wrong) : PAWL_OK;
}

static int
load_task(struct loader *loader, const struct pawl_range *range, pawl_load_cb *visit, void *ctx)
{
    struct pawl_record record;
    const struct pawl_row_when *when;
    const struct pawl_row_action *action;
    const char *wrong;
    uint64_t seq = loader->tasks.seq;
    int code = collect_when(loader, seq, &when);

    if (code == PAWL_OK)
        code = collect_action(loader, seq, &action);
    if (code != PAWL_OK)
        return code;
    wrong = pawl_row_task(loader->tasks.statement, when, action, &record);
    if (wrong)
        return fail_row(loader, &loader->tasks, seq, wrong);
    code = collect_tags(loader, seq);
    record.tags = loader->of_task.tags;
    record.ntags = loader->of_task.n;
    if (code == PAWL_OK)
        code = collect_policy(loader, seq, &record);
    if (code == PAWL_OK)
        code = seek(loader, &loader->states, seq);
    if (code == PAWL_OK && loader->states.seq == seq) {
        wrong = pawl_row_state(loader->states.statement, &record);
        if (wrong)
            return fail_row(loader, &loader->states, seq, wrong);
    }
    if (code != PAWL_OK || record.due_ns < range->due_from_ns || record.due_ns > range->due_to_ns)
        return code;
    code = collect_results(loader, seq);
    if (code == PAWL_OK)
        code = visit(ctx, &record, loader->shelf.results, loader->shelf.n);
    return code;
}

static int
load_all(struct loader *loader, const struct pawl_range *range, pawl_load_cb *visit, void *ctx)
{
    static const char tasks[] = "SELECT " PAWL_TASK_COLUMNS
                                " FROM task WHERE seq BETWEEN ? AND ? ORDER BY seq";
    static const char schedules[] = "SELECT " PAWL_SCHEDULE_COLUMNS
                                    " FROM schedule WHERE seq BETWEEN ? AND ? ORDER BY seq";
    static const char triggers[] = "SELECT " PAWL_TRIGGER_COLUMNS
                                   " FROM due_by WHERE seq BETWEEN ? AND ? ORDER BY seq, n";
    static const char tags[] = "SELECT " PAWL_TAG_COLUMNS
                               " FROM tag WHERE seq BETWEEN ? AND ? ORDER BY seq, n";
    static const char actions[] = "SELECT " PAWL_ACTION_COLUMNS
                                  " FROM action WHERE seq BETWEEN ? AND ? ORDER BY seq";
    static const char policies[] = "SELECT " PAWL_POLICY_COLUMNS
                                   " FROM policy WHERE seq BETWEEN ? AND ? ORDER BY seq";
    static const char states[] = "SELECT " PAWL_STATE_COLUMNS
                                 " FROM state WHERE seq BETWEEN ? AND ? ORDER BY seq";
    static const char results[] = "SELECT " PAWL_RESULT_COLUMNS
                                  " FROM result INDEXED BY result_of_run"
                                  " WHERE seq BETWEEN ? AND ? ORDER BY seq, run, attempt";
    int code;

    if (range->seq_from > INT64_MAX)
        return PAWL_OK;
    code = pawl_store_db_run(loader->db, "BEGIN");      /* they all see one state */
    if (code != SQLITE_OK)
        return fail_sql(loader, code);
    code = begin_walk(loader, &loader->tasks, "task", tasks, range);
    if (code == PAWL_OK)
        code = begin_walk(loader, &loader->schedules, "schedule", schedules, range);
    if (code == PAWL_OK)
        code = begin_walk(loader, &loader->triggers, "due_by", triggers, range);
    if (code == PAWL_OK)
        code = begin_walk(loader, &loader->tags, "tag", tags, range);
    if (code == PAWL_OK)
        code = begin_walk(loader, &loader->actions, "action", actions, range);
    if (code == PAWL_OK)
        code = begin_walk(loader, &loader->policies, "policy", policies, range);
    if (code == PAWL_OK)
        code = begin_walk(loader, &loader->states, "state", states, range);
    if (code == PAWL_OK)
        code = begin_walk(loader, &loader->results, "result", results, range);
    while (code == PAWL_OK && loader->tasks.seq != UINT64_MAX) {
        code = load_task(loader, range, visit, ctx);
        if (code == PAWL_OK)
            code = advance(loader, &loader->tasks);
    }
    return code;
}

int
pawl_sqlite_load(struct pawl_store *base, const struct pawl_range *range, pawl_load_cb *visit,
                 void *ctx, struct pawl_err *err)
{
    struct loader loader = {.dir = base->dir, .err = err};
    int code = pawl_store_db_open(base->dir, PAWL_DB_READ, &loader.db, err);

    if (code != PAWL_OK)
        return code;
    code = load_all(&loader, range, visit, ctx);
    sqlite3_finalize(loader.tasks.statement);
    sqlite3_finalize(loader.schedules.statement);
    sqlite3_finalize(loader.triggers.statement);
    sqlite3_finalize(loader.tags.statement);
    sqlite3_finalize(loader.actions.statement);
    sqlite3_finalize(loader.policies.statement);
    sqlite3_finalize(loader.states.statement);
    sqlite3_finalize(loader.results.statement);
    sqlite3_close_v2(loader.db);
    free(loader.when);
    free(loader.action);
    free(loader.shelf.results);
    free(loader.shelf.text);
    return code;
}

static int
read_scale(sqlite3 *db, struct pawl_scale *out)
{
    sqlite3_stmt *row;
    int rc = sqlite3_prepare_v2(db, "SELECT boot, anchor_ns, offset_ns, noted_ns, newest_seq FROM meta",
                                -1, &row, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(row);
    if (rc == SQLITE_ROW) {
        const char *boot = (const char *) sqlite3_column_text(row, 0);
        size_t len = (size_t) sqlite3_column_bytes(row, 0);

        memset(out->boot, 0, sizeof out->boot);
        memcpy(out->boot, boot ? boot : "", len < sizeof out->boot ? len : sizeof out->boot - 1);
        out->anchor_ns = sqlite3_column_int64(row, 1);
        out->offset_ns = sqlite3_column_int64(row, 2);
        out->noted_ns = sqlite3_column_int64(row, 3);
        out->newest_seq = (uint64_t) sqlite3_column_int64(row, 4);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(row);
    return rc;
}

int
pawl_sqlite_inventory(struct pawl_store *base, struct pawl_inventory *out, struct pawl_err *err)
{
    struct pawl_sqlite *store = (struct pawl_sqlite *) base;
    struct pawl_inventory found = {0};
    int64_t min = 0, max = 0;
    int rc = pawl_store_db_number(store->db, "SELECT min(seq) FROM task", &min);

    if (rc == SQLITE_OK)
        rc = pawl_store_db_number(store->db, "SELECT max(seq) FROM task", &max);
    if (rc == SQLITE_OK)
        rc = read_scale(store->db, &found.scale);
    if (rc == SQLITE_DONE)
        return pawl_store_db_damaged(base->dir, err, "the table `meta` is empty");
    if (rc != SQLITE_OK)
        return pawl_store_db_fail(store->db, rc, base->dir, err);
    if (min < 0 || max < 0)
        return pawl_store_db_damaged(base->dir, err, "table task: a number is negative");
    found.seq_min = (uint64_t) min;
    found.seq_max = (uint64_t) max;
    *out = found;
    return PAWL_OK;
}
