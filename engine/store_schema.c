/* store_schema.c: the tables of the embedded store.
 *
 * What a task is, is a row of `task`, written once, and again only by an edit; what else changes is a row of
 * `state`, which does not exist before the first change: so a submit appends one row, and a change but that
 * never writes the script again. Both are keyed by the number of submission, so that rows are appended,
 * which costs a fourteenth of random keys; no index on the id, which memory keeps unique. `result`
 * is in the order of writing, so that the oldest results are its first rows. A task that fires in
 * another way than after time_ns has a row of `schedule` too, and of `due_by` one for each trigger;
 * one that is labelled has a row of `tag` for each label, one whose script is not simply given to bash, or that
 * calls a URL instead, a row of `action`, one with policies of its own a row of `policy`; the others pay nothing for these tables.
 *
 * The format is the number of steps of the table below that were run, PRAGMA user_version in the
 * file. A step that was released is never changed; a new format is a new step at the end. The views
 * are for people; they are made anew whenever a step was run. */
#include "store_schema.h"

#include "err.h"
#include "store_db.h"

#include <stdio.h>

static const char *const steps[] = {
    "CREATE TABLE task ("
    " seq INTEGER PRIMARY KEY,"         /* order of submission */
    " id TEXT NOT NULL,"
    " type INTEGER NOT NULL,"
    " time_ns INTEGER NOT NULL,"        /* the delay, or the interval */
    " keep_results INTEGER NOT NULL,"
    " created_ns INTEGER NOT NULL,"     /* wall */
    " due_ns INTEGER,"                  /* the first one, on the store's scale; NULL: none */
    " script TEXT NOT NULL"             /* last: a long one goes on other pages */
    ") STRICT;"
    "CREATE TABLE state ("
    " seq INTEGER PRIMARY KEY,"
    " version INTEGER NOT NULL,"
    " status INTEGER NOT NULL,"
    " updated_ns INTEGER NOT NULL,"     /* wall */
    " due_ns INTEGER,"                  /* the store's scale; NULL: none */
    " previous_ns INTEGER,"             /* wall; NULL: none */
    " run_count INTEGER NOT NULL,"
    " failure_count INTEGER NOT NULL,"
    " skipped_overlap INTEGER NOT NULL,"
    " missed INTEGER NOT NULL,"
    " running INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE result ("
    " n INTEGER PRIMARY KEY,"           /* order of writing */
    " seq INTEGER NOT NULL,"
    " run INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL,"
    " scheduled_ns INTEGER NOT NULL,"   /* wall */
    " started_ns INTEGER NOT NULL,"
    " ended_ns INTEGER NOT NULL,"
    " duration_ns INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL,"
    " exit_code INTEGER NOT NULL,"
    " signal INTEGER NOT NULL,"
    " truncated INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL,"          /* what it counts in meta.history_bytes */
    " error TEXT,"
    " out TEXT NOT NULL,"
    " err TEXT NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX result_of_run ON result (seq, run, attempt);"
    "CREATE TABLE meta ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " boot TEXT NOT NULL,"              /* see struct pawl_scale */
    " anchor_ns INTEGER NOT NULL,"
    " offset_ns INTEGER NOT NULL,"
    " noted_ns INTEGER NOT NULL,"
    " newest_seq INTEGER NOT NULL,"
    " history_bytes INTEGER NOT NULL,"  /* the sum of result.bytes */
    " probes INTEGER NOT NULL"          /* how often it was tried whether there is room */
    ") STRICT;"
    "INSERT INTO meta VALUES (1, '', 0, 0, 0, 0, 0, 0);",

    "CREATE TABLE schedule ("           /* see struct pawl_when */
    " seq INTEGER PRIMARY KEY,"
    " start_ns INTEGER,"                /* wall; NULL: none */
    " end_ns INTEGER,"                  /* wall; NULL: none */
    " max_runs INTEGER NOT NULL,"       /* 0: any number */
    " jitter_ns INTEGER NOT NULL,"
    " is_jitter_random INTEGER NOT NULL,"
    " runs_on_start INTEGER NOT NULL,"
    " from_completion INTEGER NOT NULL,"
    " origin_ns INTEGER NOT NULL,"      /* the store's scale */
    " is_due_wall INTEGER NOT NULL"     /* task.due_ns is a wall time instead */
    ") STRICT;"
    "CREATE TABLE due_by ("             /* see struct pawl_trigger */
    " seq INTEGER NOT NULL,"
    " n INTEGER NOT NULL,"              /* 0, 1, ...: its place in the schedule */
    " kind INTEGER NOT NULL,"
    " time_ns INTEGER NOT NULL,"
    " time_max_ns INTEGER NOT NULL,"
    " at_ns INTEGER NOT NULL,"          /* wall */
    " expr TEXT NOT NULL,"
    " timezone TEXT NOT NULL,"
    " dst INTEGER NOT NULL,"
    " day_match INTEGER NOT NULL,"
    " PRIMARY KEY (seq, n)"
    ") STRICT, WITHOUT ROWID;"
    "ALTER TABLE state ADD COLUMN"
    " is_due_wall INTEGER NOT NULL DEFAULT 0;"      /* due_ns is a wall time instead */
    "ALTER TABLE state ADD COLUMN is_paused INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN is_asked INTEGER NOT NULL DEFAULT 0;"  /* a run is to begin at once */
    "ALTER TABLE state ADD COLUMN asked_count INTEGER NOT NULL DEFAULT 0;",     /* of run_count */

    "CREATE TABLE tag ("
    " seq INTEGER NOT NULL,"
    " n INTEGER NOT NULL,"              /* 0, 1, ...: its place among those of the task */
    " tag TEXT NOT NULL,"
    " PRIMARY KEY (seq, n)"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE action ("             /* see struct pawl_action */
    " seq INTEGER PRIMARY KEY,"
    " interpreter TEXT,"                /* NULL: bash */
    " args BLOB NOT NULL,"              /* with a NUL behind each */
    " env BLOB NOT NULL,"               /* NAME=value, with a NUL behind each */
    " cwd TEXT,"                        /* NULL: the daemon's */
    " umask INTEGER,"                   /* NULL: the daemon's */
    " timeout_ns INTEGER,"              /* NULL: none */
    " kill_grace_ns INTEGER"            /* NULL: the default */
    ") STRICT;",

    "CREATE TABLE group_size ("         /* those that were asked for, not those of the configuration */
    " name TEXT PRIMARY KEY,"
    " size INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE policy ("             /* see struct pawl_policy */
    " seq INTEGER PRIMARY KEY,"
    " overlap INTEGER NOT NULL,"
    " queue_limit INTEGER NOT NULL,"
    " max_running INTEGER NOT NULL,"
    " misfire INTEGER NOT NULL,"
    " misfire_grace_ns INTEGER NOT NULL,"
    " misfire_limit INTEGER NOT NULL,"
    " retries INTEGER NOT NULL,"
    " retry_delay_ns INTEGER NOT NULL,"
    " retry_max_delay_ns INTEGER NOT NULL,"
    " retry_jitter_ns INTEGER NOT NULL,"
    " retry_backoff REAL NOT NULL,"
    " retry_on TEXT NOT NULL,"          /* exit statuses, ascending: '1,75'; '': any failure */
    " group_name TEXT NOT NULL,"        /* '': none */
    " group_overflow INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL,"        /* from here on as the state, with which it is written */
    " is_retry INTEGER NOT NULL,"
    " is_retried_wall INTEGER NOT NULL,"
    " has_backlog INTEGER NOT NULL,"
    " is_catching_up INTEGER NOT NULL,"
    " must_replace INTEGER NOT NULL,"
    " not_before_ns INTEGER NOT NULL,"  /* the store's scale; 0 without is_retry */
    " retried_ns INTEGER NOT NULL"      /* the store's scale, or wall */
    ") STRICT;"
    "ALTER TABLE schedule ADD COLUMN"
    " since_ns INTEGER;"               /* wall: what calendar intervals are counted from; NULL: created_ns */
    "ALTER TABLE state ADD COLUMN"
    " skipped_condition INTEGER NOT NULL DEFAULT 0;"    /* of run_count */
    "ALTER TABLE state ADD COLUMN skipped_group INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN missed_paused INTEGER NOT NULL DEFAULT 0;"    /* of missed */
    "ALTER TABLE state ADD COLUMN end_reason INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE action ADD COLUMN kill_mode INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE action ADD COLUMN condition TEXT;"     /* NULL: none */
    "ALTER TABLE action ADD COLUMN url TEXT;"   /* NULL: a script; see struct pawl_http_call */
    "ALTER TABLE action ADD COLUMN method TEXT;"        /* NULL: GET or POST */
    "ALTER TABLE action ADD COLUMN headers BLOB;"       /* 'Name: value', with a NUL behind each */
    "ALTER TABLE action ADD COLUMN body TEXT;"
    "ALTER TABLE action ADD COLUMN success_codes TEXT;" /* '204,4xx'; '': 2xx */
    "ALTER TABLE action ADD COLUMN max_redirects INTEGER;"      /* NULL: the default */
    "ALTER TABLE result ADD COLUMN http_status INTEGER NOT NULL DEFAULT 0;",    /* 0: none */
};

const int pawl_store_format = sizeof steps / sizeof steps[0];

/* A wall time in ns as RFC 3339 with milliseconds. */
#define TIME(ns)                                                                                  \
    "strftime('%Y-%m-%dT%H:%M:%S', " ns " / 1000000000, 'unixepoch')"                             \
    " || printf('.%03dZ', " ns " / 1000000 % 1000)"

#define TYPE "CASE t.type WHEN 0 THEN 'delay' WHEN 1 THEN 'cron' END"

#define STATUS                                                                                    \
    "CASE coalesce(s.status, 0) WHEN 0 THEN 'ToBeExecuted' WHEN 1 THEN 'Executed'"                \
    " WHEN 2 THEN 'Executing' WHEN 3 THEN 'WaitForNextExecution' WHEN 4 THEN 'Stopped' END"

#define END_REASON                                                                                \
    "CASE WHEN s.status = 1 AND NOT s.is_asked THEN CASE s.end_reason WHEN 1 THEN 'done'"         \
    " WHEN 2 THEN 'maxRuns' WHEN 3 THEN 'endAt' WHEN 4 THEN 'noMoreTimes' WHEN 5 THEN 'missed'"   \
    " WHEN 6 THEN 'lost' WHEN 7 THEN 'skipped' END END"

#define OUTCOME                                                                                   \
    "CASE r.outcome WHEN 0 THEN 'success' WHEN 1 THEN 'failure' WHEN 2 THEN 'timeout'"            \
    " WHEN 3 THEN 'killed' WHEN 4 THEN 'lost' WHEN 5 THEN 'error' END"

/* What the triggers of a task's schedule say, one after the other. */
#define OF_TRIGGERS(what, separator, which)                                                       \
    "(SELECT group_concat(" what ", '" separator "') FROM"                                        \
    " (SELECT * FROM due_by WHERE due_by.seq = t.seq AND " which " ORDER BY n))"

#define CRON OF_TRIGGERS("expr", " | ", "kind IN (2, 3)")
#define AT OF_TRIGGERS(TIME("at_ns"), " | ", "kind = 1")
#define TIMEZONE                                                                                  \
    "(SELECT group_concat(DISTINCT timezone) FROM due_by"                                         \
    " WHERE due_by.seq = t.seq AND timezone <> '')"

#define TAGS                                                                                      \
    "(SELECT group_concat(tag, ',') FROM"                                                         \
    " (SELECT tag FROM tag WHERE tag.seq = t.seq ORDER BY n))"

/* The delay, or the interval: NULL when it is none. */
#define SPAN_SECONDS                                                                              \
    "CASE WHEN c.seq IS NULL THEN t.time_ns ELSE (SELECT time_ns FROM due_by"                     \
    " WHERE due_by.seq = t.seq AND kind = 0 ORDER BY n LIMIT 1) END / 1e9"

#define OVERLAP                                                                                   \
    "CASE coalesce(p.overlap, 0) WHEN 0 THEN 'skip' WHEN 1 THEN 'queue' WHEN 2 THEN 'replace'" \
    " WHEN 3 THEN 'allow' END"

/* A due time is a wall time, or on the store's scale; its two offsets make it a wall time then. */
#define DUE                                                                                       \
    "CASE WHEN p.is_retry THEN " TIME("(p.not_before_ns - m.anchor_ns + m.offset_ns)")            \
    " WHEN d.due_ns = 9223372036854775807 THEN 'never'"                                           \
    " WHEN d.is_due_wall THEN " TIME("d.due_ns")                                                  \
    " ELSE " TIME("(d.due_ns - m.anchor_ns + m.offset_ns)") " END"

static const char tasks_view[] =
    "DROP VIEW IF EXISTS tasks;"
    "CREATE VIEW tasks AS"
    " WITH d AS (SELECT task.seq,"
    "  CASE WHEN state.seq IS NULL THEN task.due_ns ELSE state.due_ns END AS due_ns,"
    "  CASE WHEN state.seq IS NULL THEN schedule.is_due_wall ELSE state.is_due_wall END"
    "   AS is_due_wall"
    "  FROM task LEFT JOIN state USING (seq) LEFT JOIN schedule USING (seq))"
    " SELECT t.seq, t.id, " TYPE " AS type, " STATUS " AS status,"
    " coalesce(s.is_paused, 0) AS paused,"
    " " TAGS " AS tags,"
    " " SPAN_SECONDS " AS seconds,"
    " " CRON " AS cron, " TIMEZONE " AS timezone, " AT " AS at,"
    " " DUE " AS next_run,"
    " " TIME("s.previous_ns") " AS previous_run,"
    " coalesce(s.run_count, 0) AS run_count,"
    " coalesce(s.failure_count, 0) AS failure_count,"
    " coalesce(s.skipped_overlap, 0) AS skipped_overlap,"
    " coalesce(s.skipped_condition, 0) AS skipped_condition,"
    " coalesce(s.skipped_group, 0) AS skipped_group,"
    " coalesce(s.missed, 0) AS missed, coalesce(s.missed_paused, 0) AS missed_paused,"
    " " END_REASON " AS end_reason,"
    " coalesce(s.running, 0) AS running,"
    " (SELECT count(*) FROM result WHERE result.seq = t.seq) AS results,"
    " t.keep_results,"
    " " TIME("c.start_ns") " AS starts, " TIME("c.end_ns") " AS ends,"
    " nullif(c.max_runs, 0) AS max_runs,"
    " nullif(c.jitter_ns, 0) / 1e9 AS jitter_seconds,"
    " " TIME("t.created_ns") " AS created,"
    " " TIME("coalesce(s.updated_ns, t.created_ns)") " AS updated,"
    " coalesce(s.version, 0) AS version,"
    " CASE WHEN a.url IS NULL THEN coalesce(a.interpreter, 'bash') END AS interpreter,"
    " a.timeout_ns / 1e9 AS timeout_seconds, a.cwd,"
    " " OVERLAP " AS overlap, coalesce(p.retries, 0) AS retries,"
    " CASE WHEN p.is_retry THEN 'retry' END AS waiting_for,"
    " nullif(p.group_name, '') AS \"group\","
    " t.script, a.url"
    " FROM task AS t JOIN d USING (seq) LEFT JOIN state AS s USING (seq)"
    " LEFT JOIN schedule AS c USING (seq) LEFT JOIN action AS a USING (seq)"
    " LEFT JOIN policy AS p USING (seq), meta AS m;";

static const char runs_view[] =
    "DROP VIEW IF EXISTS runs;"
    "CREATE VIEW runs AS"
    " SELECT t.id, r.run, r.attempt, " OUTCOME " AS outcome,"
    " CASE WHEN r.exit_code >= 0 THEN r.exit_code END AS exit_code,"
    " CASE WHEN r.signal > 0 THEN r.signal END AS signal,"
    " nullif(r.http_status, 0) AS http_status,"
    " " TIME("r.scheduled_ns") " AS scheduled,"
    " " TIME("r.started_ns") " AS started,"
    " " TIME("r.ended_ns") " AS ended,"
    " r.duration_ns / 1e9 AS seconds,"
    " r.truncated, r.out AS stdout, r.err AS stderr, r.error, r.seq"
    " FROM result AS r LEFT JOIN task AS t USING (seq);";

int
pawl_store_schema_verify(sqlite3 *db, const char *dir, int *out_format, struct pawl_err *err)
{
    int64_t application = 0, format = 0, objects = 0;
    int rc = pawl_store_db_number(db, "PRAGMA application_id", &application);

    if (rc == SQLITE_OK)
        rc = pawl_store_db_number(db, "PRAGMA user_version", &format);
    if (rc == SQLITE_OK)
        rc = pawl_store_db_number(db, "SELECT count(*) FROM sqlite_schema", &objects);
    if (rc != SQLITE_OK)
        return pawl_store_db_fail(db, rc, dir, err);
    if (application == 0 && format == 0 && objects == 0) {
        *out_format = 0;
        return PAWL_OK;
    }
    if (application != PAWL_STORE_APPLICATION || format < 1)
        return pawl_err_set(err, PAWL_EDAMAGED, NULL,
                            "%s/%s is a database of another program, not of pawld: give another "
                            "--data, or move it away",
                            dir, PAWL_STORE_FILE);
    if (format > pawl_store_format)
        return pawl_err_set(err, PAWL_EDAMAGED, NULL,
                            "%s/%s was written by a newer pawld (format %d, this one knows %d): "
                            "start that version, or put a backup of this one's in its place",
                            dir, PAWL_STORE_FILE, (int) format, pawl_store_format);
    *out_format = (int) format;
    return PAWL_OK;
}

int
pawl_store_schema_migrate(sqlite3 *db, const char *dir, struct pawl_err *err)
{
    char numbers[96];
    int64_t format;
    int rc = pawl_store_db_number(db, "PRAGMA user_version", &format);

    if (rc == SQLITE_OK && format == pawl_store_format)
        return PAWL_OK;
    if (rc == SQLITE_OK)
        rc = pawl_store_db_run(db, "BEGIN IMMEDIATE");
    while (rc == SQLITE_OK && format < pawl_store_format)
        rc = pawl_store_db_run(db, steps[format++]);
    if (rc == SQLITE_OK)
        rc = pawl_store_db_run(db, tasks_view);
    if (rc == SQLITE_OK)
        rc = pawl_store_db_run(db, runs_view);
    snprintf(numbers, sizeof numbers, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
             PAWL_STORE_APPLICATION, pawl_store_format);
    if (rc == SQLITE_OK)
        rc = pawl_store_db_run(db, numbers);
    if (rc == SQLITE_OK)
        return PAWL_OK;
    pawl_store_db_fail(db, rc, dir, err);
    if (!sqlite3_get_autocommit(db))
        pawl_store_db_run(db, "ROLLBACK");
    return err ? err->code : PAWL_ESTORE;
}
