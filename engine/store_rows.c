/* store_rows.c: rows of the embedded store's tables and what they are in memory.
 *
 * Each row that is read is verified, because a page that was damaged on the disk may still look
 * like a page. Numbers are SQLite's signed 64 bits; none of ours comes near their end. */
#include "store_rows.h"

#include "action.h"
#include "spec.h"
#include "store_bind.h"
#include "tags.h"
#include "utf8.h"

#include <limits.h>
#include <string.h>

#define RESULT_OVERHEAD 128     /* the row's numbers and its entry of the index, on their pages */

enum { TASK_SEQ, TASK_ID, TASK_TYPE, TASK_TIME, TASK_KEEP, TASK_CREATED, TASK_DUE, TASK_SCRIPT };

enum {
    STATE_SEQ, STATE_VERSION, STATE_STATUS, STATE_UPDATED, STATE_DUE, STATE_PREVIOUS,
    STATE_RUN_COUNT, STATE_FAILURE_COUNT, STATE_SKIPPED, STATE_MISSED, STATE_RUNNING,
    STATE_IS_DUE_WALL, STATE_IS_PAUSED, STATE_IS_ASKED, STATE_ASKED_COUNT,
    STATE_SKIPPED_CONDITION, STATE_SKIPPED_GROUP, STATE_MISSED_PAUSED, STATE_END_REASON
};

enum {
    SCHEDULE_SEQ, SCHEDULE_START, SCHEDULE_END, SCHEDULE_MAX_RUNS, SCHEDULE_JITTER,
    SCHEDULE_IS_RANDOM, SCHEDULE_RUNS_ON_START, SCHEDULE_FROM_COMPLETION, SCHEDULE_ORIGIN,
    SCHEDULE_IS_DUE_WALL, SCHEDULE_SINCE
};

enum {
    TRIGGER_SEQ, TRIGGER_N, TRIGGER_KIND, TRIGGER_TIME, TRIGGER_TIME_MAX, TRIGGER_AT, TRIGGER_EXPR,
    TRIGGER_TIMEZONE, TRIGGER_DST, TRIGGER_DAY_MATCH
};

enum { TAG_SEQ, TAG_N, TAG_TAG };

enum {
    RESULT_SEQ, RESULT_RUN, RESULT_ATTEMPT, RESULT_SCHEDULED, RESULT_STARTED, RESULT_ENDED,
    RESULT_DURATION, RESULT_OUTCOME, RESULT_EXIT_CODE, RESULT_SIGNAL, RESULT_TRUNCATED,
    RESULT_BYTES, RESULT_ERROR, RESULT_OUT, RESULT_ERR, RESULT_HTTP_STATUS
};

int
pawl_row_bind_task(sqlite3_stmt *statement, const struct pawl_record *record)
{
    struct binder binder = {statement, SQLITE_OK};

    bind_count(&binder, TASK_SEQ, record->seq);
    bind_text(&binder, TASK_ID, record->id, record->id_len);
    bind_number(&binder, TASK_TYPE, record->type);
    bind_number(&binder, TASK_TIME, record->time_ns);
    bind_number(&binder, TASK_KEEP, record->keep_results);
    bind_number(&binder, TASK_CREATED, record->created_ns);
    bind_time(&binder, TASK_DUE, record->due_ns);
    bind_text(&binder, TASK_SCRIPT, record->script, record->script_len);
    return binder.rc;
}

int
pawl_row_bind_edit(sqlite3_stmt *statement, const struct pawl_record *record)
{
    struct binder binder = {statement, SQLITE_OK};

    bind_count(&binder, 0, record->seq);
    bind_number(&binder, 1, record->time_ns);
    bind_number(&binder, 2, record->keep_results);
    bind_text(&binder, 3, record->script, record->script_len);
    return binder.rc;
}

int
pawl_row_bind_state(sqlite3_stmt *statement, const struct pawl_record *record)
{
    struct binder binder = {statement, SQLITE_OK};

    bind_count(&binder, STATE_SEQ, record->seq);
    bind_number(&binder, STATE_VERSION, record->version);
    bind_number(&binder, STATE_STATUS, record->status);
    bind_number(&binder, STATE_UPDATED, record->updated_ns);
    bind_time(&binder, STATE_DUE, record->due_ns);
    bind_time(&binder, STATE_PREVIOUS, record->previous_ns);
    bind_count(&binder, STATE_RUN_COUNT, record->run_count);
    bind_count(&binder, STATE_FAILURE_COUNT, record->failure_count);
    bind_count(&binder, STATE_SKIPPED, record->skipped_overlap);
    bind_count(&binder, STATE_MISSED, record->missed);
    bind_number(&binder, STATE_RUNNING, record->running);
    bind_number(&binder, STATE_IS_DUE_WALL, record->is_due_wall);
    bind_number(&binder, STATE_IS_PAUSED, record->is_paused);
    bind_number(&binder, STATE_IS_ASKED, record->is_asked);
    bind_count(&binder, STATE_ASKED_COUNT, record->asked_count);
    bind_count(&binder, STATE_SKIPPED_CONDITION, record->skipped_condition);
    bind_count(&binder, STATE_SKIPPED_GROUP, record->skipped_group);
    bind_count(&binder, STATE_MISSED_PAUSED, record->missed_paused);
    bind_number(&binder, STATE_END_REASON, record->end_reason);
    return binder.rc;
}

int
pawl_row_bind_schedule(sqlite3_stmt *statement, const struct pawl_record *record)
{
    struct binder binder = {statement, SQLITE_OK};
    const struct pawl_when *when = record->when;

    bind_count(&binder, SCHEDULE_SEQ, record->seq);
    bind_time(&binder, SCHEDULE_START, when->start_ns);
    bind_time(&binder, SCHEDULE_END, when->end_ns);
    bind_count(&binder, SCHEDULE_MAX_RUNS, when->max_runs);
    bind_number(&binder, SCHEDULE_JITTER, when->jitter_ns);
    bind_number(&binder, SCHEDULE_IS_RANDOM, when->is_jitter_random);
    bind_number(&binder, SCHEDULE_RUNS_ON_START, when->runs_on_start);
    bind_number(&binder, SCHEDULE_FROM_COMPLETION, when->from_completion);
    bind_number(&binder, SCHEDULE_ORIGIN, record->origin_ns);
    bind_number(&binder, SCHEDULE_IS_DUE_WALL, record->is_due_wall);
    bind_number(&binder, SCHEDULE_SINCE, record->since_ns);
    return binder.rc;
}

int
pawl_row_bind_trigger(sqlite3_stmt *statement, const struct pawl_record *record, size_t n)
{
    struct binder binder = {statement, SQLITE_OK};
    const struct pawl_trigger *trigger = &record->when->triggers[n];
    bool has_text = trigger->kind == PAWL_BY_CRON || trigger->kind == PAWL_BY_CALENDAR;

    bind_count(&binder, TRIGGER_SEQ, record->seq);
    bind_count(&binder, TRIGGER_N, n);
    bind_number(&binder, TRIGGER_KIND, trigger->kind);
    bind_number(&binder, TRIGGER_TIME, trigger->time_ns);
    bind_number(&binder, TRIGGER_TIME_MAX, trigger->time_max_ns);
    bind_number(&binder, TRIGGER_AT, trigger->at_ns);
    bind_text(&binder, TRIGGER_EXPR, trigger->expr, has_text ? trigger->expr_len : 0);
    bind_text(&binder, TRIGGER_TIMEZONE, trigger->timezone,
              has_text ? trigger->timezone_len : 0);
    bind_number(&binder, TRIGGER_DST, trigger->dst);
    bind_number(&binder, TRIGGER_DAY_MATCH, trigger->day_match);
    return binder.rc;
}

int
pawl_row_bind_tag(sqlite3_stmt *statement, const struct pawl_record *record, size_t n)
{
    struct binder binder = {statement, SQLITE_OK};

    bind_count(&binder, TAG_SEQ, record->seq);
    bind_count(&binder, TAG_N, n);
    bind_text(&binder, TAG_TAG, record->tags[n], strlen(record->tags[n]));
    return binder.rc;
}

int
pawl_row_bind_result(sqlite3_stmt *statement, uint64_t seq, const struct pawl_result *result)
{
    struct binder binder = {statement, SQLITE_OK};

    bind_count(&binder, RESULT_SEQ, seq);
    bind_count(&binder, RESULT_RUN, result->run);
    bind_number(&binder, RESULT_ATTEMPT, result->attempt);
    bind_number(&binder, RESULT_SCHEDULED, result->scheduled_ns);
    bind_number(&binder, RESULT_STARTED, result->started_ns);
    bind_number(&binder, RESULT_ENDED, result->ended_ns);
    bind_number(&binder, RESULT_DURATION, result->duration_ns);
    bind_number(&binder, RESULT_OUTCOME, result->outcome);
    bind_number(&binder, RESULT_EXIT_CODE, result->exit_code);
    bind_number(&binder, RESULT_SIGNAL, result->signal);
    bind_number(&binder, RESULT_TRUNCATED, result->truncated);
    bind_number(&binder, RESULT_BYTES, pawl_row_result_bytes(result));
    if (result->error)
        bind_text(&binder, RESULT_ERROR, result->error, strlen(result->error));
    else if (binder.rc == SQLITE_OK)
        binder.rc = sqlite3_bind_null(statement, RESULT_ERROR + 1);
    bind_text(&binder, RESULT_OUT, result->out, result->out_len);
    bind_text(&binder, RESULT_ERR, result->err, result->err_len);
    bind_number(&binder, RESULT_HTTP_STATUS, result->http_status);
    return binder.rc;
}

int64_t
pawl_row_result_bytes(const struct pawl_result *result)
{
    size_t error_len = result->error ? strlen(result->error) : 0;

    return (int64_t) (result->out_len + result->err_len + error_len) + RESULT_OVERHEAD;
}

bool
pawl_row_is_new(const struct pawl_record *record)
{
    return record->version == 0 && record->status == PAWL_TO_BE_EXECUTED &&
           record->updated_ns == record->created_ns && record->previous_ns == PAWL_NO_TIME &&
           record->run_count == 0 && record->failure_count == 0 && record->skipped_overlap == 0 &&
           record->missed == 0 && record->running == 0 && !record->is_paused && !record->is_asked &&
           !record->has_backlog && record->skipped_condition == 0 && record->skipped_group == 0 &&
           record->missed_paused == 0 && record->end_reason == PAWL_END_NONE;
}

const char *
pawl_row_schedule(sqlite3_stmt *row, struct pawl_row_when *when)
{
    struct reader reader = {row, false};

    read_number(&reader, SCHEDULE_SEQ, 1, INT64_MAX);
    when->text_len = 0;
    when->when = (struct pawl_when){
        .triggers = when->triggers,
        .start_ns = read_time(&reader, SCHEDULE_START),
        .end_ns = read_time(&reader, SCHEDULE_END),
        .max_runs = read_count(&reader, SCHEDULE_MAX_RUNS),
        .jitter_ns = read_number(&reader, SCHEDULE_JITTER, 0, INT64_MAX),
        .is_jitter_random = read_bool(&reader, SCHEDULE_IS_RANDOM),
        .runs_on_start = read_bool(&reader, SCHEDULE_RUNS_ON_START),
        .from_completion = read_bool(&reader, SCHEDULE_FROM_COMPLETION),
    };
    when->origin_ns = read_number(&reader, SCHEDULE_ORIGIN, INT64_MIN, INT64_MAX);
    when->is_due_wall = read_bool(&reader, SCHEDULE_IS_DUE_WALL);
    when->since_ns = read_time(&reader, SCHEDULE_SINCE);
    return reader.is_wrong ? "a number of its schedule is out of its range" : NULL;
}

/* Copies a text that is not longer than max, with a NUL behind it. */
static const char *
read_copy(struct reader *reader, int column, size_t max, struct pawl_row_when *when,
          size_t *out_len)
{
    const char *text = read_text(reader, column, out_len);
    char *copy = when->text + when->text_len;

    if (*out_len > max)
        reader->is_wrong = true;
    if (reader->is_wrong)
        return "";
    memcpy(copy, text, *out_len);
    copy[*out_len] = '\0';
    when->text_len += *out_len + 1;
    return copy;
}

const char *
pawl_row_trigger(sqlite3_stmt *row, struct pawl_row_when *when)
{
    struct reader reader = {row, false};
    size_t n = when->when.ntriggers;
    struct pawl_trigger *trigger = &when->triggers[n];

    if (n == PAWL_TRIGGERS_MAX)
        return "its schedule has more triggers than can be";
    if (read_number(&reader, TRIGGER_N, 0, PAWL_TRIGGERS_MAX - 1) != (int64_t) n)
        return "a trigger of its schedule is missing";
    *trigger = (struct pawl_trigger){
        .kind = (enum pawl_trigger_kind) read_number(&reader, TRIGGER_KIND, 0,
                                                     PAWL_NTRIGGER_KIND - 1),
        .time_ns = read_number(&reader, TRIGGER_TIME, 0, INT64_MAX),
        .time_max_ns = read_number(&reader, TRIGGER_TIME_MAX, 0, INT64_MAX),
        .at_ns = read_number(&reader, TRIGGER_AT, INT64_MIN, INT64_MAX),
        .dst = (enum pawl_cron_dst) read_number(&reader, TRIGGER_DST, 0, PAWL_CRON_SHIFT),
        .day_match = (enum pawl_cron_day_match) read_number(&reader, TRIGGER_DAY_MATCH, 0,
                                                            PAWL_CRON_VIXIE),
    };
    if (reader.is_wrong)
        return "a number of a trigger is out of its range";
    trigger->expr = read_copy(&reader, TRIGGER_EXPR, PAWL_EXPR_MAX, when, &trigger->expr_len);
    trigger->timezone = read_copy(&reader, TRIGGER_TIMEZONE, PAWL_ZONE_NAME_MAX, when,
                                  &trigger->timezone_len);
    if (reader.is_wrong)
        return "a text of a trigger is none, or too long";
    when->when.ntriggers++;
    return NULL;
}

const char *
pawl_row_tag(sqlite3_stmt *row, struct pawl_row_tags *tags)
{
    struct reader reader = {row, false};
    const char *text;
    size_t len;

    if (tags->n == PAWL_TAGS_MAX)
        return "it has more tags than can be";
    if (read_number(&reader, TAG_N, 0, PAWL_TAGS_MAX - 1) != (int64_t) tags->n)
        return "one of its tags is missing";
    text = read_text(&reader, TAG_TAG, &len);
    if (reader.is_wrong || pawl_tag_check(text, len, NULL) != PAWL_OK)
        return "a tag is none";
    tags->tags[tags->n] = memcpy(tags->text[tags->n], text, len);
    tags->text[tags->n++][len] = '\0';
    return NULL;
}

/* Whether it could have been submitted. */
static const char *
verify_task(const struct pawl_record *record)
{
    struct pawl_err err = {.field = NULL};
    const char *field;

    if (record->when && record->when->ntriggers == 0)
        return "its schedule has no trigger";
    if (pawl_spec_check(&(struct pawl_spec){
            .id = record->id, .id_len = record->id_len, .type = record->type,
            .time_ns = record->time_ns, .script = record->script,
            .script_len = record->script_len, .keep_results = record->keep_results,
            .when = record->when, .action = record->action}, &err) == PAWL_OK)
        return NULL;
    if (record->action && pawl_action_check(record->action, NULL) != PAWL_OK)
        return "its action is none";
    field = err.field ? err.field : "";
    return strcmp(field, "id") == 0         ? "its id is none"
           : strcmp(field, "script") == 0   ? "its script is none"
           : record->when                   ? "its schedule is none"
           : strcmp(field, "time") == 0     ? "its time is out of its range"
                                            : "a number is out of its range";
}

const char *
pawl_row_task(sqlite3_stmt *row, const struct pawl_row_when *when,
              const struct pawl_row_action *action, struct pawl_record *record)
{
    struct reader reader = {row, false};

    *record = (struct pawl_record){
        .seq = (uint64_t) read_number(&reader, TASK_SEQ, 1, INT64_MAX),
        .type = (enum pawl_type) read_number(&reader, TASK_TYPE, PAWL_DELAY, PAWL_CRON),
        .time_ns = read_number(&reader, TASK_TIME, INT64_MIN, INT64_MAX),
        .keep_results = (int) read_number(&reader, TASK_KEEP, INT_MIN, PAWL_KEEP_MAX),
        .created_ns = read_number(&reader, TASK_CREATED, INT64_MIN, INT64_MAX),
        .action = action ? &action->action : NULL,
        .when = when ? &when->when : NULL, .origin_ns = when ? when->origin_ns : 0,
        .due_ns = read_time(&reader, TASK_DUE), .is_due_wall = when && when->is_due_wall,
        .previous_ns = PAWL_NO_TIME, .status = PAWL_TO_BE_EXECUTED,
    };
    record->updated_ns = record->created_ns;
    record->since_ns = when && when->since_ns != PAWL_NO_TIME ? when->since_ns : record->created_ns;
    record->id = read_text(&reader, TASK_ID, &record->id_len);
    record->script = read_text(&reader, TASK_SCRIPT, &record->script_len);
    return reader.is_wrong ? "a number is out of its range" : verify_task(record);
}

const char *
pawl_row_state(sqlite3_stmt *row, struct pawl_record *record)
{
    struct reader reader = {row, false};

    record->version = read_number(&reader, STATE_VERSION, 0, INT64_MAX);
    record->status = (enum pawl_status) read_number(&reader, STATE_STATUS, 0, PAWL_NSTATUS - 1);
    record->updated_ns = read_number(&reader, STATE_UPDATED, INT64_MIN, INT64_MAX);
    record->due_ns = read_time(&reader, STATE_DUE);
    record->previous_ns = read_time(&reader, STATE_PREVIOUS);
    record->run_count = read_count(&reader, STATE_RUN_COUNT);
    record->failure_count = read_count(&reader, STATE_FAILURE_COUNT);
    record->skipped_overlap = read_count(&reader, STATE_SKIPPED);
    record->missed = read_count(&reader, STATE_MISSED);
    record->running = (unsigned) read_number(&reader, STATE_RUNNING, 0, UINT_MAX);
    record->is_due_wall = read_bool(&reader, STATE_IS_DUE_WALL);
    record->is_paused = read_bool(&reader, STATE_IS_PAUSED);
    record->is_asked = read_bool(&reader, STATE_IS_ASKED);
    record->asked_count = read_count(&reader, STATE_ASKED_COUNT);
    record->skipped_condition = read_count(&reader, STATE_SKIPPED_CONDITION);
    record->skipped_group = read_count(&reader, STATE_SKIPPED_GROUP);
    record->missed_paused = read_count(&reader, STATE_MISSED_PAUSED);
    record->end_reason = (enum pawl_end_reason) read_number(&reader, STATE_END_REASON, 0,
                                                            PAWL_NEND_REASON - 1);
    if (reader.is_wrong)
        return "a number is out of its range";
    if (record->asked_count > record->run_count ||
        record->skipped_condition > record->run_count - record->asked_count)
        return "more runs were asked for or skipped than were started";
    if (record->missed_paused > record->missed)
        return "more due times were missed in a pause than were missed";
    return record->running > record->run_count ? "more runs are in progress than were started"
                                               : NULL;
}

const char *
pawl_row_result(sqlite3_stmt *row, struct pawl_result *result)
{
    struct reader reader = {row, false};
    size_t error_len;

    *result = (struct pawl_result){
        .run = (uint64_t) read_number(&reader, RESULT_RUN, 1, INT64_MAX),
        .scheduled_ns = read_number(&reader, RESULT_SCHEDULED, INT64_MIN, INT64_MAX),
        .started_ns = read_number(&reader, RESULT_STARTED, INT64_MIN, INT64_MAX),
        .ended_ns = read_number(&reader, RESULT_ENDED, INT64_MIN, INT64_MAX),
        .duration_ns = read_number(&reader, RESULT_DURATION, INT64_MIN, INT64_MAX),
        .outcome = (enum pawl_outcome) read_number(&reader, RESULT_OUTCOME, 0, PAWL_NOUTCOME - 1),
        .exit_code = (int) read_number(&reader, RESULT_EXIT_CODE, INT_MIN, INT_MAX),
        .signal = (int) read_number(&reader, RESULT_SIGNAL, 0, INT_MAX),
        .attempt = (int) read_number(&reader, RESULT_ATTEMPT, 1, INT_MAX),
        .truncated = read_number(&reader, RESULT_TRUNCATED, 0, 1) == 1,
        .http_status = (int) read_number(&reader, RESULT_HTTP_STATUS, 0, 999),
    };
    result->out = read_text(&reader, RESULT_OUT, &result->out_len);
    result->err = read_text(&reader, RESULT_ERR, &result->err_len);
    if (sqlite3_column_type(row, RESULT_ERROR) != SQLITE_NULL)
        result->error = read_text(&reader, RESULT_ERROR, &error_len);
    if (reader.is_wrong)
        return "a number is out of its range";
    if (!pawl_utf8_valid(result->out, result->out_len) ||
        !pawl_utf8_valid(result->err, result->err_len))
        return "its output is not valid UTF-8";
    if (read_number(&reader, RESULT_BYTES, 0, INT64_MAX) != pawl_row_result_bytes(result))
        return "its output is shorter or longer than it was";
    return NULL;
}
