/* store_rows.h: rows of the embedded store's tables and what they are in memory: the one place that
 * knows the order of columns. Used by writing, loading and checking. */
#ifndef PAWL_STORE_ROWS_H
#define PAWL_STORE_ROWS_H

#include "store.h"
#include "zone.h"

#include <sqlite3.h>

#define PAWL_TASK_COLUMNS "seq, id, type, time_ns, keep_results, created_ns, due_ns, script"
#define PAWL_STATE_COLUMNS                                                                        \
    "seq, version, status, updated_ns, due_ns, previous_ns, run_count, failure_count, "           \
    "skipped_overlap, missed, running, is_due_wall, is_paused, is_asked, asked_count, "      \
    "skipped_condition, skipped_group, missed_paused, end_reason"
#define PAWL_RESULT_COLUMNS                                                                       \
    "seq, run, attempt, scheduled_ns, started_ns, ended_ns, duration_ns, outcome, exit_code, "    \
    "signal, truncated, bytes, error, out, err, http_status"

#define PAWL_SCHEDULE_COLUMNS                                                                     \
    "seq, start_ns, end_ns, max_runs, jitter_ns, is_jitter_random, runs_on_start, "               \
    "from_completion, origin_ns, is_due_wall, since_ns"
#define PAWL_TRIGGER_COLUMNS                                                                      \
    "seq, n, kind, time_ns, time_max_ns, at_ns, expr, timezone, dst, day_match"
#define PAWL_TAG_COLUMNS "seq, n, tag"
#define PAWL_ACTION_COLUMNS                                                                       \
    "seq, interpreter, args, env, cwd, umask, timeout_ns, kill_grace_ns, kill_mode, condition, url, " \
    "method, headers, body, success_codes, max_redirects"
#define PAWL_POLICY_COLUMNS                                                                       \
    "seq, overlap, queue_limit, max_running, misfire, misfire_grace_ns, misfire_limit, retries, " \
    "retry_delay_ns, retry_max_delay_ns, retry_jitter_ns, retry_backoff, retry_on, group_name, "  \
    "group_overflow, attempt, is_retry, is_retried_wall, has_backlog, is_catching_up, "            \
    "must_replace, not_before_ns, "                                                               \
    "retried_ns"

/* Bind what the columns above name to parameters 1, 2, ...; strings are not copied, so they must
 * live until the statement is reset. SQLite's code. */
int
pawl_row_bind_task(sqlite3_stmt *statement, const struct pawl_record *record);

/* seq, and those of the task's own row that an edit changes. */
int
pawl_row_bind_edit(sqlite3_stmt *statement, const struct pawl_record *record);

int
pawl_row_bind_state(sqlite3_stmt *statement, const struct pawl_record *record);

/* The record has a schedule; n: which of its triggers. */
int
pawl_row_bind_schedule(sqlite3_stmt *statement, const struct pawl_record *record);

int
pawl_row_bind_trigger(sqlite3_stmt *statement, const struct pawl_record *record, size_t n);

/* n: which of the record's tags. */
int
pawl_row_bind_tag(sqlite3_stmt *statement, const struct pawl_record *record, size_t n);

/* The record has an action. Its lists are copied. */
int
pawl_row_bind_action(sqlite3_stmt *statement, const struct pawl_record *record);

/* The record has policies: the whole row; seq and what changes, from attempt on. In
 * store_rows_policy.c. */
int
pawl_row_bind_policy(sqlite3_stmt *statement, const struct pawl_record *record);

int
pawl_row_bind_wait(sqlite3_stmt *statement, const struct pawl_record *record);

int
pawl_row_bind_result(sqlite3_stmt *statement, uint64_t seq, const struct pawl_result *result);

/* A schedule that is put together from its rows, which its strings outlive. */
struct pawl_row_when {
    struct pawl_when when;
    int64_t origin_ns;
    int64_t since_ns;               /* PAWL_NO_TIME: the task's creation */
    bool is_due_wall;               /* at the first due time */
    struct pawl_trigger triggers[PAWL_TRIGGERS_MAX];
    size_t text_len;
    char text[PAWL_TRIGGERS_MAX * (PAWL_EXPR_MAX + PAWL_ZONE_NAME_MAX + 2)];
};

/* The tags of one task, put together from their rows. */
struct pawl_row_tags {
    size_t n;
    const char *tags[PAWL_TAGS_MAX];
    char text[PAWL_TAGS_MAX][PAWL_TAG_MAX + 1];
};

/* An action, and what it points to. */
struct pawl_row_action {
    struct pawl_action action;
    struct pawl_http_call http;
    const char *headers[PAWL_HEADERS_MAX + 1];
    uint16_t codes[PAWL_CODES_MAX];
    const char *args[PAWL_ARGUMENTS_MAX + 1], *env[PAWL_ARGUMENTS_MAX + 1];
};

/* Read a row and verify it: NULL, or what is wrong with it, a literal. Strings live until the
 * statement's next step. */

/* Begins a schedule, which has no trigger yet. */
const char *
pawl_row_schedule(sqlite3_stmt *row, struct pawl_row_when *when);

/* Adds its next trigger. */
const char *
pawl_row_trigger(sqlite3_stmt *row, struct pawl_row_when *when);

/* Adds the next tag, and copies it. */
const char *
pawl_row_tag(sqlite3_stmt *row, struct pawl_row_tags *tags);

/* Its bounds are pawl_row_task()'s to verify. */
const char *
pawl_row_action(sqlite3_stmt *row, struct pawl_row_action *action);

/* A task as it was submitted, but for edits, until its state is read over it. when is its whole schedule, and action
 * its action, which the record borrows, or NULL. */
const char *
pawl_row_task(sqlite3_stmt *row, const struct pawl_row_when *when,
              const struct pawl_row_action *action, struct pawl_record *record);

/* Reads over it what its policies say, which the record borrows then, and what they remember. */
const char *
pawl_row_policy(sqlite3_stmt *row, struct pawl_policy *policy, struct pawl_record *record);

/* The row is a group's name and its size. */
const char *
pawl_row_group_size(sqlite3_stmt *row);

const char *
pawl_row_state(sqlite3_stmt *row, struct pawl_record *record);

const char *
pawl_row_result(sqlite3_stmt *row, struct pawl_result *result);

/* What a result counts in the bytes of the history: its texts and about what is around them. */
int64_t
pawl_row_result_bytes(const struct pawl_result *result);

/* Whether nothing has happened to the task yet, so that it needs no row of state. */
bool
pawl_row_is_new(const struct pawl_record *record);

#endif
