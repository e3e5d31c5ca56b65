/* store_rows_policy.c: the rows of the table `policy`: what a task's policies say, which only an edit
 * changes, and what they remember, which is written with each of its states; and those of `group_size`.
 * Pure. */
#include "store_rows.h"

#include "policy.h"
#include "tags.h"

#include <stdio.h>
#include <string.h>

enum {
    POLICY_SEQ, POLICY_OVERLAP, POLICY_QUEUE_LIMIT, POLICY_MAX_RUNNING, POLICY_MISFIRE,
    POLICY_MISFIRE_GRACE, POLICY_MISFIRE_LIMIT, POLICY_RETRIES, POLICY_RETRY_DELAY, POLICY_RETRY_MAX_DELAY,
    POLICY_RETRY_JITTER, POLICY_RETRY_BACKOFF, POLICY_RETRY_ON, POLICY_GROUP, POLICY_GROUP_OVERFLOW,
    POLICY_ATTEMPT
};

/* From POLICY_ATTEMPT on; in the row of an update behind seq. */
enum {
    WAIT_ATTEMPT, WAIT_IS_RETRY, WAIT_IS_RETRIED_WALL, WAIT_HAS_BACKLOG, WAIT_IS_CATCHING_UP,
    WAIT_MUST_REPLACE, WAIT_NOT_BEFORE, WAIT_RETRIED, NWAIT
};

#define STATUSES 256
#define RETRY_ON_MAX ((size_t) STATUSES * 4)        /* "255," for each */

static int
bind_numbers(sqlite3_stmt *statement, int column, const int64_t *numbers, int n)
{
    int rc = SQLITE_OK;

    for (int i = 0; i < n && rc == SQLITE_OK; i++)
        rc = sqlite3_bind_int64(statement, column + i + 1, numbers[i]);
    return rc;
}

static int
bind_wait(sqlite3_stmt *statement, int column, const struct pawl_record *record)
{
    const int64_t numbers[NWAIT] = {
        [WAIT_ATTEMPT] = record->attempt, [WAIT_IS_RETRY] = record->is_retry,
        [WAIT_IS_RETRIED_WALL] = record->is_retried_wall,
        [WAIT_HAS_BACKLOG] = record->has_backlog,
        [WAIT_IS_CATCHING_UP] = record->is_catching_up,
        [WAIT_MUST_REPLACE] = record->must_replace, [WAIT_NOT_BEFORE] = record->not_before_ns,
        [WAIT_RETRIED] = record->retried_ns,
    };

    return bind_numbers(statement, column, numbers, NWAIT);
}

/* Exit statuses as "1,75", so that people can read them. */
static size_t
write_statuses(const uint8_t *bits, char *text)
{
    size_t len = 0;

    text[0] = '\0';
    for (int status = 0; status < STATUSES; status++) {
        if (bits[status / 8] >> status % 8 & 1)
            len += (size_t) sprintf(text + len, len > 0 ? ",%d" : "%d", status);
    }
    return len;
}

/* False: it is nothing that write_statuses() writes. */
static bool
read_statuses(const char *text, size_t len, uint8_t *bits)
{
    char again[RETRY_ON_MAX];
    unsigned status = 0;

    memset(bits, 0, STATUSES / 8);
    for (size_t i = 0; i < len; i++) {
        if (text[i] >= '0' && text[i] <= '9')
            status = status * 10 + (unsigned) (text[i] - '0');
        if (status >= STATUSES)
            return false;
        if (text[i] == ',' || i + 1 == len) {
            bits[status / 8] |= (uint8_t) (1u << status % 8);
            status = 0;
        }
    }
    return write_statuses(bits, again) == len && memcmp(again, text, len) == 0;
}

int
pawl_row_bind_policy(sqlite3_stmt *statement, const struct pawl_record *record)
{
    const struct pawl_policy *policy = record->policy;
    const int64_t numbers[POLICY_RETRY_BACKOFF] = {
        [POLICY_SEQ] = (int64_t) record->seq, [POLICY_OVERLAP] = policy->overlap,
        [POLICY_QUEUE_LIMIT] = policy->queue_limit,
        [POLICY_MAX_RUNNING] = policy->max_running, [POLICY_MISFIRE] = policy->misfire,
        [POLICY_MISFIRE_GRACE] = policy->misfire_grace_ns,
        [POLICY_MISFIRE_LIMIT] = policy->misfire_limit, [POLICY_RETRIES] = policy->retries,
        [POLICY_RETRY_DELAY] = policy->retry_delay_ns,
        [POLICY_RETRY_MAX_DELAY] = policy->retry_max_delay_ns,
        [POLICY_RETRY_JITTER] = policy->retry_jitter_ns,
    };
    char text[RETRY_ON_MAX];
    size_t len = write_statuses(policy->retry_on, text);
    int rc = bind_numbers(statement, 0, numbers, POLICY_RETRY_BACKOFF);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_double(statement, POLICY_RETRY_BACKOFF + 1, policy->retry_backoff);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text64(statement, POLICY_RETRY_ON + 1, text, len, SQLITE_TRANSIENT,
                                 SQLITE_UTF8);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(statement, POLICY_GROUP + 1, policy->group, -1, SQLITE_TRANSIENT);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(statement, POLICY_GROUP_OVERFLOW + 1, policy->group_overflow);
    return rc == SQLITE_OK ? bind_wait(statement, POLICY_ATTEMPT, record) : rc;
}

int
pawl_row_bind_wait(sqlite3_stmt *statement, const struct pawl_record *record)
{
    int rc = sqlite3_bind_int64(statement, 1, (int64_t) record->seq);

    return rc == SQLITE_OK ? bind_wait(statement, 1, record) : rc;
}

/* False: one is no number, or greater than its maximum, or negative where there is one. */
static bool
read_numbers(sqlite3_stmt *row, int column, const int64_t *max, int64_t *numbers, int n)
{
    for (int i = 0; i < n; i++) {
        numbers[i] = sqlite3_column_int64(row, column + i);
        if (sqlite3_column_type(row, column + i) != SQLITE_INTEGER)
            return false;
        if (max[i] > 0 && (numbers[i] < 0 || numbers[i] > max[i]))
            return false;
    }
    return true;
}

/* What the policies remember; NULL, or what is wrong with it. */
static const char *
read_wait(sqlite3_stmt *row, struct pawl_record *record)
{
    static const int64_t max[NWAIT] = {
        [WAIT_ATTEMPT] = PAWL_RETRIES_MAX + 1, [WAIT_IS_RETRY] = 1, [WAIT_IS_RETRIED_WALL] = 1,
        [WAIT_HAS_BACKLOG] = 1, [WAIT_IS_CATCHING_UP] = 1, [WAIT_MUST_REPLACE] = 1,
    };
    int64_t numbers[NWAIT];

    if (!read_numbers(row, POLICY_ATTEMPT, max, numbers, NWAIT))
        return "a number of its policies is out of its range";
    record->attempt = (unsigned) numbers[WAIT_ATTEMPT];
    record->is_retry = numbers[WAIT_IS_RETRY] == 1;
    record->is_retried_wall = numbers[WAIT_IS_RETRIED_WALL] == 1;
    record->has_backlog = numbers[WAIT_HAS_BACKLOG] == 1;
    record->is_catching_up = numbers[WAIT_IS_CATCHING_UP] == 1;
    record->must_replace = numbers[WAIT_MUST_REPLACE] == 1;
    record->not_before_ns = numbers[WAIT_NOT_BEFORE];
    record->retried_ns = numbers[WAIT_RETRIED];
    return record->is_retry && record->attempt == 0 ? "it is tried again before it was tried"
                                                    : NULL;
}

/* The group that the task is in; NULL, or what is wrong with it. */
static const char *
read_group(sqlite3_stmt *row, struct pawl_policy *policy)
{
    static const int64_t max[] = {PAWL_NGROUP_OVERFLOW - 1};
    const char *name = (const char *) sqlite3_column_text(row, POLICY_GROUP);
    size_t len = (size_t) sqlite3_column_bytes(row, POLICY_GROUP);
    int64_t overflow;

    if (sqlite3_column_type(row, POLICY_GROUP) != SQLITE_TEXT || !name ||
        (len > 0 && pawl_group_name_check(name, len, NULL) != PAWL_OK))
        return "its group cannot be read";
    if (!read_numbers(row, POLICY_GROUP_OVERFLOW, max, &overflow, 1))
        return "a number of its policies is out of its range";
    memcpy(policy->group, name, len + 1);
    policy->group_overflow = (enum pawl_group_overflow) overflow;
    return NULL;
}

const char *
pawl_row_policy(sqlite3_stmt *row, struct pawl_policy *policy, struct pawl_record *record)
{
    static const int64_t max[POLICY_RETRY_BACKOFF] = {
        INT64_MAX, PAWL_NOVERLAP - 1, PAWL_QUEUE_MAX, PAWL_RUNNING_MAX, PAWL_NMISFIRE - 1, INT64_MAX, PAWL_QUEUE_MAX,
        PAWL_RETRIES_MAX, INT64_MAX, INT64_MAX, INT64_MAX,
    };
    const char *text = (const char *) sqlite3_column_text(row, POLICY_RETRY_ON);
    size_t len = (size_t) sqlite3_column_bytes(row, POLICY_RETRY_ON);
    int64_t numbers[POLICY_RETRY_BACKOFF];
    const char *wrong;

    if (!read_numbers(row, POLICY_SEQ, max, numbers, POLICY_RETRY_BACKOFF))
        return "a number of its policies is out of its range";
    *policy = (struct pawl_policy) {
        .overlap = (enum pawl_overlap) numbers[POLICY_OVERLAP],
        .queue_limit = (uint32_t) numbers[POLICY_QUEUE_LIMIT],
        .max_running = (uint32_t) numbers[POLICY_MAX_RUNNING],
        .misfire = (enum pawl_misfire) numbers[POLICY_MISFIRE],
        .misfire_grace_ns = numbers[POLICY_MISFIRE_GRACE],
        .misfire_limit = (uint32_t) numbers[POLICY_MISFIRE_LIMIT],
        .retries = (uint32_t) numbers[POLICY_RETRIES],
        .retry_delay_ns = numbers[POLICY_RETRY_DELAY],
        .retry_max_delay_ns = numbers[POLICY_RETRY_MAX_DELAY],
        .retry_jitter_ns = numbers[POLICY_RETRY_JITTER],
        .retry_backoff = sqlite3_column_double(row, POLICY_RETRY_BACKOFF),
    };
    if (sqlite3_column_type(row, POLICY_RETRY_ON) != SQLITE_TEXT || !text ||
        !read_statuses(text, len, policy->retry_on))
        return "what its retries are for cannot be read";
    wrong = read_group(row, policy);
    if (wrong)
        return wrong;
    if (pawl_policy_check_values(policy, NULL) != PAWL_OK)
        return "a number of its policies is out of its range";
    record->policy = policy;
    return read_wait(row, record);
}

const char *
pawl_row_group_size(sqlite3_stmt *row)
{
    static const int64_t max[] = {PAWL_GROUP_SIZE_MAX};
    const char *name = (const char *) sqlite3_column_text(row, 0);
    size_t len = (size_t) sqlite3_column_bytes(row, 0);
    int64_t size;

    if (sqlite3_column_type(row, 0) != SQLITE_TEXT || !name ||
        pawl_group_name_check(name, len, NULL) != PAWL_OK)
        return "this is no name of a group";
    return read_numbers(row, 1, max, &size, 1) ? NULL : "its size is out of its range";
}
