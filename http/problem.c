/* problem.c: fills in and writes problem documents. Pure functions, any thread.
 *
 * Which HTTP status an engine's code becomes is decided here and nowhere else. */
#include "problem.h"

#include <stdio.h>
#include <string.h>

#include "json_write.h"

#define FIELD_MAX 255                   /* bytes of a name or an id that are shown */

static const struct {
    int status;
    const char *title;
} titles[] = {
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

/* The engine's codes; retry_after_s is set where waiting alone can help. */
static const struct {
    int code, status, retry_after_s;
} codes[] = {
    {PAWL_EINVAL, 400, 0},
    {PAWL_ENOENT, 404, 0},
    {PAWL_EEXIST, 409, 0},
    {PAWL_ESTATE, 409, 0},
    {PAWL_ESTALE, 409, 1},
    {PAWL_ELIMIT, 429, 5},
    {PAWL_EBUDGET, 503, 5},
    {PAWL_ECLOSED, 503, 5},
    {PAWL_ENOMEM, 503, 5},
    {PAWL_ESYS, 500, 0},
    {PAWL_ESTORE, 507, 30},
    {PAWL_EFULL, 507, 30},
};

const char *
pawl_problem_title(int status)
{
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

/* The longest part of text, at most max bytes, that does not end inside of a
 * character. */
static size_t
cut_at_character(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char) text[max] & 0xc0) == 0x80)
        max--;
    return max;
}

void
pawl_problem_vset(struct pawl_problem *out_problem, int status, const char *field,
                  const char *format, va_list args)
{
    struct pawl_problem *problem = out_problem;
    char text[sizeof problem->detail + 4];  /* one character more */
    int len = vsnprintf(text, sizeof text, format, args);

    problem->status = status;
    problem->code = 0;
    problem->title = pawl_problem_title(status);
    problem->field = field;
    problem->line = problem->column = problem->position = 0;
    problem->retry_after_s = 0;
    size_t kept = cut_at_character(text, len < 0 ? 0 : strlen(text),
                                   sizeof problem->detail - 1);
    memcpy(problem->detail, text, kept);
    problem->detail[kept] = '\0';
}

void
pawl_problem_set(struct pawl_problem *out_problem, int status, const char *field,
                 const char *format, ...)
{
    va_list args;

    va_start(args, format);
    pawl_problem_vset(out_problem, status, field, format, args);
    va_end(args);
}

void
pawl_problem_from_err(struct pawl_problem *out_problem, const struct pawl_err *err)
{
    int status = 500, retry_after_s = 0;

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].code == err->code) {
            status = codes[i].status;
            retry_after_s = codes[i].retry_after_s;
        }
    }
    pawl_problem_set(out_problem, status, err->field, "%.*s", (int) sizeof err->text,
                     err->text);
    out_problem->code = err->code;
    out_problem->retry_after_s = retry_after_s;
}

void
pawl_problem_from_op(struct pawl_problem *out_problem, const struct pawl_op *op)
{
    struct pawl_err err = {.code = op->code, .field = op->code == PAWL_EEXIST ? "id" : NULL};

    snprintf(err.text, sizeof err.text, "%s",
        op->why != NULL ? op->why : "the store could not do it: see the log");
    pawl_problem_from_err(out_problem, &err);
}

size_t
pawl_problem_cut(const char *text, size_t len)
{
    return cut_at_character(text, len, FIELD_MAX);
}

static void
write_member(struct pawl_buffer *buffer, const char *name, const char *text, size_t len)
{
    pawl_buffer_append_str(buffer, name);
    pawl_json_write_string(buffer, text, len);
}

void
pawl_problem_write(struct pawl_buffer *buffer, const struct pawl_problem *problem)
{
    write_member(buffer, "{\"type\":\"about:blank\",\"title\":", problem->title,
                 strlen(problem->title));
    pawl_buffer_append_str(buffer, ",\"status\":");
    pawl_json_write_int(buffer, problem->status);
    write_member(buffer, ",\"detail\":", problem->detail, strlen(problem->detail));
    if (problem->field != NULL)
        write_member(buffer, ",\"field\":", problem->field,
                     pawl_problem_cut(problem->field, strlen(problem->field)));
    if (problem->line > 0) {
        pawl_buffer_append_str(buffer, ",\"line\":");
        pawl_json_write_int(buffer, problem->line);
        pawl_buffer_append_str(buffer, ",\"column\":");
        pawl_json_write_int(buffer, problem->column);
    }
    if (problem->position > 0) {
        pawl_buffer_append_str(buffer, ",\"position\":");
        pawl_json_write_int(buffer, problem->position);
    }
    pawl_buffer_append_char(buffer, '}');
}
