/* store_bind.h: single values of a row of the embedded store, to a statement and from one. Private to
 * store_rows*.c; used by one thread. */
#ifndef PAWL_STORE_BIND_H
#define PAWL_STORE_BIND_H

#include <pawl.h>

#include <assert.h>
#include <sqlite3.h>

/* Binds one after the other and remembers the first error. */
struct binder {
    sqlite3_stmt *statement;
    int rc;
};

static inline void
bind_number(struct binder *binder, int column, int64_t number)
{
    if (binder->rc == SQLITE_OK)
        binder->rc = sqlite3_bind_int64(binder->statement, column + 1, number);
}

static inline void
bind_count(struct binder *binder, int column, uint64_t count)
{
    assert(count <= INT64_MAX);
    bind_number(binder, column, (int64_t) count);
}

static inline void
bind_null(struct binder *binder, int column)
{
    if (binder->rc == SQLITE_OK)
        binder->rc = sqlite3_bind_null(binder->statement, column + 1);
}

/* A time that may be none. */
static inline void
bind_time(struct binder *binder, int column, int64_t ns)
{
    if (ns != PAWL_NO_TIME)
        bind_number(binder, column, ns);
    else
        bind_null(binder, column);
}

static inline void
bind_text(struct binder *binder, int column, const char *text, size_t len)
{
    if (binder->rc == SQLITE_OK)
        binder->rc = sqlite3_bind_text64(binder->statement, column + 1, len > 0 ? text : "", len,
                                         SQLITE_STATIC, SQLITE_UTF8);
}

/* Reads numbers one after the other; is_wrong once one is none or out of its range. */
struct reader {
    sqlite3_stmt *row;
    bool is_wrong;
};

static inline int64_t
read_number(struct reader *reader, int column, int64_t min, int64_t max)
{
    int64_t number = sqlite3_column_int64(reader->row, column);

    if (sqlite3_column_type(reader->row, column) != SQLITE_INTEGER || number < min || number > max)
        reader->is_wrong = true;
    return number;
}

static inline uint64_t
read_count(struct reader *reader, int column)
{
    return (uint64_t) read_number(reader, column, 0, INT64_MAX);
}

static inline int64_t
read_time(struct reader *reader, int column)
{
    if (sqlite3_column_type(reader->row, column) == SQLITE_NULL)
        return PAWL_NO_TIME;
    return read_number(reader, column, INT64_MIN, INT64_MAX);
}

static inline const char *
read_text(struct reader *reader, int column, size_t *out_len)
{
    const char *text = (const char *) sqlite3_column_text(reader->row, column);

    *out_len = (size_t) sqlite3_column_bytes(reader->row, column);
    if (text && sqlite3_column_type(reader->row, column) == SQLITE_TEXT)
        return text;
    reader->is_wrong = true;
    return "";
}

static inline bool
read_bool(struct reader *reader, int column)
{
    return read_number(reader, column, 0, 1) == 1;
}

#endif
