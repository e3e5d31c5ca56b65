/* store_rows_action.c: the rows of the table `action`: how a task's script is run, or what is called
 * instead of one. Pure. */
#include "store_rows.h"

#include "store_bind.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODES_TEXT_MAX (PAWL_CODES_MAX * sizeof "65535,")

enum {
    ACTION_SEQ, ACTION_INTERPRETER, ACTION_ARGS, ACTION_ENV, ACTION_CWD, ACTION_UMASK,
    ACTION_TIMEOUT, ACTION_KILL_GRACE, ACTION_KILL_MODE, ACTION_CONDITION, ACTION_URL,
    ACTION_METHOD, ACTION_HEADERS, ACTION_BODY, ACTION_CODES, ACTION_REDIRECTS
};

/* One that may be none. */
static void
bind_optional(struct binder *binder, int column, const char *text)
{
    if (text)
        bind_text(binder, column, text, strlen(text));
    else
        bind_null(binder, column);
}

/* The strings of a list one behind the other, with a NUL behind each. */
static void
bind_list(struct binder *binder, int column, const char *const *list)
{
    size_t len = 0;
    char *all, *at;

    for (size_t i = 0; list && list[i]; i++)
        len += strlen(list[i]) + 1;
    if (binder->rc != SQLITE_OK)
        return;
    if (!(all = at = sqlite3_malloc64(len + 1))) {
        binder->rc = SQLITE_NOMEM;
        return;
    }
    for (size_t i = 0; list && list[i]; i++)
        at = stpcpy(at, list[i]) + 1;
    binder->rc = sqlite3_bind_blob64(binder->statement, column + 1, all, len, sqlite3_free);
}

/* Status codes and classes as "204,4xx", so that people can read them. */
static size_t
write_codes(const struct pawl_http_call *http, char *text)
{
    size_t len = 0;

    for (size_t i = 0; i < http->ncodes; i++)
        len += (size_t) sprintf(text + len, http->codes[i] < 10 ? "%s%dxx" : "%s%d",
                                i > 0 ? "," : "", http->codes[i]);
    return len;
}

/* NULL: there is no call. What the row before had is forgotten. */
static void
bind_http(struct binder *binder, const struct pawl_http_call *http)
{
    static const struct pawl_http_call none = {.max_redirects = -1};
    char codes[CODES_TEXT_MAX] = "";
    size_t len;

    http = http ? http : &none;
    len = write_codes(http, codes);
    bind_optional(binder, ACTION_URL, http->url);
    bind_optional(binder, ACTION_METHOD, http->method);
    bind_list(binder, ACTION_HEADERS, http->headers);
    bind_null(binder, ACTION_BODY);
    if (http->body)
        bind_text(binder, ACTION_BODY, http->body, http->body_len);
    if (binder->rc == SQLITE_OK)
        binder->rc = sqlite3_bind_text64(binder->statement, ACTION_CODES + 1, codes, len,
                                         SQLITE_TRANSIENT, SQLITE_UTF8);
    bind_time(binder, ACTION_REDIRECTS,
              http->max_redirects < 0 ? PAWL_NO_TIME : http->max_redirects);
}

int
pawl_row_bind_action(sqlite3_stmt *statement, const struct pawl_record *record)
{
    struct binder binder = {statement, SQLITE_OK};
    const struct pawl_action *action = record->action;

    bind_count(&binder, ACTION_SEQ, record->seq);
    bind_optional(&binder, ACTION_INTERPRETER, action->interpreter);
    bind_list(&binder, ACTION_ARGS, action->args);
    bind_list(&binder, ACTION_ENV, action->env);
    bind_optional(&binder, ACTION_CWD, action->cwd);
    bind_time(&binder, ACTION_UMASK, action->umask < 0 ? PAWL_NO_TIME : action->umask);
    bind_time(&binder, ACTION_TIMEOUT, action->timeout_ns == 0 ? PAWL_NO_TIME : action->timeout_ns);
    bind_time(&binder, ACTION_KILL_GRACE,
              action->kill_grace_ns < 0 ? PAWL_NO_TIME : action->kill_grace_ns);
    bind_number(&binder, ACTION_KILL_MODE, action->kill_mode);
    bind_optional(&binder, ACTION_CONDITION, action->condition);
    bind_http(&binder, action->http);
    return binder.rc;
}

/* A text that may be none; a NUL in it would cut it. */
static const char *
read_optional(struct reader *reader, int column)
{
    const char *text;
    size_t len;

    if (sqlite3_column_type(reader->row, column) == SQLITE_NULL)
        return NULL;
    text = read_text(reader, column, &len);
    if (strlen(text) != len)
        reader->is_wrong = true;
    return text;
}

/* A number that is not negative, or none: fallback. */
static int64_t
read_setting(struct reader *reader, int column, int64_t max, int64_t fallback)
{
    if (sqlite3_column_type(reader->row, column) == SQLITE_NULL)
        return fallback;
    return read_number(reader, column, 0, max);
}

/* The strings of a list, into room for max of them and a NULL. */
static const char *const *
read_list(struct reader *reader, int column, const char **list, size_t max)
{
    const char *at = sqlite3_column_blob(reader->row, column);
    size_t len = (size_t) sqlite3_column_bytes(reader->row, column), n = 0;
    const char *end = at + len;

    if (sqlite3_column_type(reader->row, column) != SQLITE_BLOB || (len > 0 && end[-1] != '\0'))
        reader->is_wrong = true;
    while (!reader->is_wrong && at < end && n < max) {
        list[n++] = at;
        at += strlen(at) + 1;
    }
    if (at < end)
        reader->is_wrong = true;
    list[n] = NULL;
    return n > 0 ? list : NULL;
}

/* The inverse of write_codes(). */
static size_t
read_codes(struct reader *reader, int column, uint16_t *codes)
{
    struct pawl_http_call http = {.codes = codes};
    char again[CODES_TEXT_MAX] = "";
    const char *text;
    size_t len;

    text = read_text(reader, column, &len);
    while (len > 0 && http.ncodes < PAWL_CODES_MAX) {
        char *behind;
        unsigned long code = strtoul(text, &behind, 10);

        codes[http.ncodes++] = (uint16_t) code;
        behind += strcspn(behind, ",");
        if (*behind == '\0')
            break;
        text = behind + 1;
    }
    text = read_text(reader, column, &len);
    if (write_codes(&http, again) != len || memcmp(again, text, len) != 0)
        reader->is_wrong = true;
    return http.ncodes;
}

/* The row has a URL. */
static void
read_http(struct reader *reader, struct pawl_row_action *action)
{
    struct pawl_http_call *http = &action->http;

    *http = (struct pawl_http_call){
        .url = read_optional(reader, ACTION_URL),
        .method = read_optional(reader, ACTION_METHOD),
        .headers = read_list(reader, ACTION_HEADERS, action->headers, PAWL_HEADERS_MAX),
        .ncodes = read_codes(reader, ACTION_CODES, action->codes), .codes = action->codes,
        .max_redirects = (int) read_setting(reader, ACTION_REDIRECTS, INT_MAX, -1),
    };
    if (sqlite3_column_type(reader->row, ACTION_BODY) != SQLITE_NULL)
        http->body = read_text(reader, ACTION_BODY, &http->body_len);
    action->action.http = http;
}

const char *
pawl_row_action(sqlite3_stmt *row, struct pawl_row_action *action)
{
    struct reader reader = {row, false};

    read_number(&reader, ACTION_SEQ, 1, INT64_MAX);
    action->action = (struct pawl_action){
        .interpreter = read_optional(&reader, ACTION_INTERPRETER),
        .args = read_list(&reader, ACTION_ARGS, action->args, PAWL_ARGUMENTS_MAX),
        .env = read_list(&reader, ACTION_ENV, action->env, PAWL_ARGUMENTS_MAX),
        .cwd = read_optional(&reader, ACTION_CWD),
        .umask = (int) read_setting(&reader, ACTION_UMASK, INT_MAX, -1),
        .timeout_ns = read_setting(&reader, ACTION_TIMEOUT, INT64_MAX, 0),
        .kill_grace_ns = read_setting(&reader, ACTION_KILL_GRACE, INT64_MAX, -1),
        .kill_mode = (int) read_number(&reader, ACTION_KILL_MODE, 0, PAWL_NKILL_MODE - 1),
        .condition = read_optional(&reader, ACTION_CONDITION),
    };
    if (sqlite3_column_type(row, ACTION_URL) != SQLITE_NULL)
        read_http(&reader, action);
    return reader.is_wrong ? "a value of its action is none" : NULL;
}
