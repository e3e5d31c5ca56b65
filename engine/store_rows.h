/* store_rows.h: rows of the embedded store's tables and what they are in memory: the one place that
 * knows the order of columns. Used by writing, loading and checking. */
#ifndef PAWL_STORE_ROWS_H
#define PAWL_STORE_ROWS_H

#include "store.h"

#include <sqlite3.h>

#define PAWL_TASK_COLUMNS "seq, id, type, time_ns, keep_results, created_ns, due_ns, script"
#define PAWL_STATE_COLUMNS                                                                        \
    "seq, version, status, updated_ns, due_ns, previous_ns, run_count, failure_count, "           \
    "skipped_overlap, missed, running"
#define PAWL_RESULT_COLUMNS                                                                       \
    "seq, run, attempt, scheduled_ns, started_ns, ended_ns, duration_ns, outcome, exit_code, "    \
    "signal, truncated, bytes, error, out, err"

/* Bind what the columns above name to parameters 1, 2, ...; strings are not copied, so they must
 * live until the statement is reset. SQLite's code. */
int
pawl_row_bind_task(sqlite3_stmt *statement, const struct pawl_record *record);

int
pawl_row_bind_state(sqlite3_stmt *statement, const struct pawl_record *record);

int
pawl_row_bind_result(sqlite3_stmt *statement, uint64_t seq, const struct pawl_result *result);

/* Read a row and verify it: NULL, or what is wrong with it, a literal. Strings live until the
 * statement's next step. A task is as it was submitted, until its state is read over it. */
const char *
pawl_row_task(sqlite3_stmt *row, struct pawl_record *record);

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
