/* print.c: tasks to stdout as tables, details, JSON or names, and messages to stderr.
 * One thread. The words for fields are fields.c's, the columns table.c's. */
#define _GNU_SOURCE 1
#include "print.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "detail.h"
#include "fields.h"
#include "glyph.h"

/* Written before more is gathered. */
#define FLUSH_BYTES (256 * 1024)

enum kind { STRING, WHAT, STATE, NUMBER, SKIPPED, WHEN, POINT, POINT_RELATIVE };

/* The columns in order (the narrow table has the first ones), and which field of the
 * document fills each. */
static const struct pawl_table_column columns[] = {
    {"ID", 10, 0},
    {"TYPE", 0, 2},
    {"TIME", 8, 4},
    {"SCRIPT", 6, 3},
    {"STATUS", 0, 6},
    {"UPDATED", 0, 1},
    {"NEXT", 0, 5},
    {"PREVIOUS", 0, 0},
    {"RUNS", 0, 0},
    {"FAILED", 0, 0},
    {"MISSED", 0, 0},
    {"SKIPPED", 0, 0},
    {"RUNNING", 0, 0},
    {"VERSION", 0, 0},
    {"CREATED", 0, 0},
};

#define NCOLUMNS (sizeof columns / sizeof columns[0])
#define NCOLUMNS_NARROW 7

static const struct {
    const char *field;
    enum kind kind;
} sources[NCOLUMNS] = {
    {"id", STRING},
    {"taskType", STRING},
    {"time", WHEN},
    {"script", WHAT},
    {"state", STATE},
    {"lastStatusUpdated", POINT},
    {"nextRun", POINT_RELATIVE},
    {"previousRun", POINT_RELATIVE},
    {"runCount", NUMBER},
    {"failureCount", NUMBER},
    {"missed", NUMBER},
    {"skipped", SKIPPED},
    {"running", NUMBER},
    {"version", NUMBER},
    {"createdAt", POINT},
};

static enum pawl_format
read_format(const char *word, enum pawl_format fallback)
{
    static const char *const words[] = {"", "table", "wide", "json", "ndjson", "name"};
    for (size_t i = 1; word && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i]) == 0)
            return (enum pawl_format)i;
    return fallback;
}

static size_t
terminal_width(int fd)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    const char *word = getenv("COLUMNS");
    long n = word ? strtol(word, NULL, 10) : 0;
    return n > 0 && n < 10000 ? (size_t)n : 80;
}

void
pawl_print_init(
    struct pawl_print *print, const char *word, enum pawl_format fallback, int fd)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

    *print = (struct pawl_print){.format = read_format(word, fallback), .fd = fd};
    print->is_terminal = isatty(fd);
    print->is_smart = print->is_terminal && term && *term && strcmp(term, "dumb") != 0;
    print->has_colour = print->is_smart && !(no_colour && *no_colour);
    bool is_wide = print->format == PAWL_FORMAT_WIDE;
    pawl_table_init(&print->table, columns, is_wide ? NCOLUMNS : NCOLUMNS_NARROW,
        print->is_terminal ? terminal_width(fd) : 0, print->has_colour);
    print->table.keeps_all = is_wide;
    clock_gettime(CLOCK_REALTIME, &print->now);
}

void
pawl_print_fini(struct pawl_print *print)
{
    pawl_table_fini(&print->table);
    pawl_text_fini(&print->out);
}

void
pawl_print_begin(struct pawl_print *print, bool is_array)
{
    print->is_array = is_array;
    if (is_array && print->format == PAWL_FORMAT_JSON)
        pawl_text_puts(&print->out, "[");
}

/* A point in time; of the next run, what it waits for as well. */
static void
add_moment(struct pawl_print *print, struct pawl_text *cell, const json_t *task, size_t column)
{
    const char *field = sources[column].field;
    bool is_next = strcmp(field, "nextRun") == 0;
    const char *waits = is_next ? pawl_fields_string(task, "waitingFor", NULL) : NULL;

    if (is_next && json_is_true(json_object_get(task, "paused"))) {
        pawl_text_puts(cell, "paused");
        return;
    }
    pawl_fields_add_point(cell, task, field, &print->now,
        print->format != PAWL_FORMAT_WIDE    ? PAWL_FIELDS_SHORT
        : sources[column].kind == POINT ? PAWL_FIELDS_FULL
                                        : PAWL_FIELDS_RELATIVE);
    if (waits)
        pawl_text_printf(cell, " %s", waits);
}

static void
add_row(struct pawl_print *print, const json_t *task)
{
    bool is_wide = print->format == PAWL_FORMAT_WIDE;
    struct pawl_text cell = {0};

    for (size_t i = 0; i < print->table.ncolumns; i++) {
        const char *field = sources[i].field, *colour = NULL, *brief = NULL;
        size_t len = 0;
        const char *s = pawl_fields_string(task, field, &len);

        pawl_text_reset(&cell);
        switch (sources[i].kind) {
        case STRING:
            pawl_text_append(&cell, s ? s : "-", s ? len : 1);
            break;
        case WHAT:
            pawl_fields_add_what(&cell, task);
            break;
        case STATE:
            s = pawl_fields_state(task);
            colour = pawl_fields_colour(s);
            if (strcmp(s, "WaitForNextExecution") == 0)
                brief = "Waiting";
            pawl_text_puts(&cell, s);
            break;
        case NUMBER:
            pawl_fields_add_number(&cell, task, field);
            break;
        case SKIPPED:
            pawl_text_printf(&cell, "%" PRId64, pawl_fields_skipped(task));
            break;
        case WHEN:
            pawl_fields_add_when(&cell, task, &print->now,
                is_wide ? PAWL_FIELDS_FULL : PAWL_FIELDS_SHORT);
            break;
        case POINT:
        case POINT_RELATIVE:
            add_moment(print, &cell, task, i);
            break;
        }
        pawl_table_add_brief(&print->table, cell.data, cell.len, colour, brief);
    }
    pawl_text_fini(&cell);
}

static int
dump_cb(const char *data, size_t len, void *arg)
{
    pawl_text_append(arg, data, len);
    return 0;
}

static void
add_json(struct pawl_print *print, const json_t *task)
{
    bool is_line = print->is_array || print->format == PAWL_FORMAT_NDJSON;
    if (print->is_array && print->format == PAWL_FORMAT_JSON)
        pawl_text_puts(&print->out, print->ntasks ? ",\n" : "\n");
    if (json_dump_callback(
            task, dump_cb, &print->out, is_line ? JSON_COMPACT : JSON_INDENT(2)) != 0)
        pawl_text_oom();
    if (!print->is_array || print->format == PAWL_FORMAT_NDJSON)
        pawl_text_puts(&print->out, "\n");
}

void
pawl_print_task(struct pawl_print *print, const json_t *task)
{
    size_t len;
    const char *id;

    switch (print->format) {
    case PAWL_FORMAT_DETAIL:
        if (print->ntasks)
            pawl_text_puts(&print->out, "\n");
        pawl_detail_task(&print->out, task, &print->now, print->has_colour);
        break;
    case PAWL_FORMAT_TABLE:
    case PAWL_FORMAT_WIDE:
        add_row(print, task);
        break;
    case PAWL_FORMAT_JSON:
    case PAWL_FORMAT_NDJSON:
        add_json(print, task);
        break;
    case PAWL_FORMAT_NAME:
        id = pawl_fields_string(task, "id", &len);
        pawl_text_append(&print->out, id ? id : "-", id ? len : 1);
        pawl_text_puts(&print->out, "\n");
        break;
    }
    print->ntasks++;
    if (print->out.len >= FLUSH_BYTES)
        pawl_print_flush(print);
}

/* Which columns a narrow terminal has no room for. */
static void
say_left_out(const struct pawl_print *print)
{
    struct pawl_text titles = {0};

    pawl_table_left_out(&print->table, &titles);
    if (titles.len)
        pawl_print_message(
            "the terminal is too narrow for %s: -o wide shows all columns", titles.data);
    pawl_text_fini(&titles);
}

void
pawl_print_end(struct pawl_print *print, const char *empty)
{
    if (print->is_array && print->format == PAWL_FORMAT_JSON)
        pawl_text_puts(&print->out, print->ntasks ? "\n]\n" : "]\n");
    if (!print->ntasks && empty && print->format <= PAWL_FORMAT_WIDE)
        pawl_text_printf(&print->out, "%s\n", empty);
    if (pawl_print_flush(print))
        say_left_out(print);
}

/* Writes all of it; on failure gives errno. */
static int
write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return errno;
        } else if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

bool
pawl_print_flush(struct pawl_print *print)
{
    pawl_table_flush(&print->table, &print->out);
    if (!print->write_errno)
        print->write_errno = write_all(print->fd, print->out.data, print->out.len);
    pawl_text_reset(&print->out);
    clock_gettime(CLOCK_REALTIME, &print->now);
    return !print->write_errno;
}

int
pawl_print_status(const struct pawl_print *print)
{
    if (!print->write_errno || print->write_errno == EPIPE)
        return 0;
    pawl_print_message("cannot write the output: %s", strerror(print->write_errno));
    return 1;
}

void
pawl_print_message(const char *format, ...)
{
    char text[2048];
    struct pawl_text line = {0};
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pawl_text_puts(&line, "pawl: ");
    pawl_glyph_escape(&line, text, strlen(text), true);
    pawl_text_puts(&line, "\n");
    write_all(STDERR_FILENO, line.data, line.len);
    pawl_text_fini(&line);
}

void
pawl_print_warnings(const json_t *document, const char *place)
{
    const json_t *warning;
    size_t i;

    json_array_foreach (json_object_get(document, "warnings"), i, warning)
        if (json_is_string(warning))
            pawl_print_message("%swarning: %s", place, json_string_value(warning));
}
