/* answers.c: see answers.h. A state for each part of an answer; lines are gathered, bodies passed
 * over. */
#include "answers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { STATUS_LINE, HEADER, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER };

static void
begin(struct pawl_answers *answers)
{
    answers->is_chunked = answers->must_close = false;
    answers->left = 0;
    answers->body_len = 0;
    answers->body[0] = '\0';
}

/* Gathers bytes until the end of a line; false: it goes on. */
static bool
take_line(struct pawl_answers *answers, const char *data, size_t len, size_t *at)
{
    const char *end = memchr(data + *at, '\n', len - *at);
    size_t n = end ? (size_t) (end - data) - *at : len - *at;
    size_t room = sizeof answers->line - 1 - answers->line_len;

    memcpy(answers->line + answers->line_len, data + *at, n < room ? n : room);
    answers->line_len += n < room ? n : room;
    *at += n + (end != NULL);
    if (!end)
        return false;
    if (answers->line_len > 0 && answers->line[answers->line_len - 1] == '\r')
        answers->line_len--;
    answers->line[answers->line_len] = '\0';
    answers->line_len = 0;
    return true;
}

/* Passes over what is left of a body or chunk; false: it goes on. */
static bool
take_body(struct pawl_answers *answers, const char *data, size_t len, size_t *at)
{
    size_t n = len - *at < answers->left ? len - *at : (size_t) answers->left;
    size_t room = sizeof answers->body - 1 - answers->body_len;

    memcpy(answers->body + answers->body_len, data + *at, n < room ? n : room);
    answers->body_len += n < room ? n : room;
    answers->body[answers->body_len] = '\0';
    *at += n;
    answers->left -= n;
    return answers->left == 0;
}

static const char *
value_of(const char *line, const char *name)
{
    size_t len = strlen(name);

    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    return line + len + 1 + strspn(line + len + 1, " \t");
}

static void
read_header(struct pawl_answers *answers)
{
    const char *value;

    if ((value = value_of(answers->line, "Content-Length")))
        answers->left = strtoull(value, NULL, 10);
    else if ((value = value_of(answers->line, "Transfer-Encoding")))
        answers->is_chunked = strcasecmp(value, "chunked") == 0;
    else if ((value = value_of(answers->line, "Connection")))
        answers->must_close = strcasecmp(value, "close") == 0;
}

/* What follows the line that was read; -1: it is no line of an answer. */
static int
after_line(struct pawl_answers *answers)
{
    char *end;

    switch (answers->state) {
    case STATUS_LINE:
        begin(answers);
        if (strncmp(answers->line, "HTTP/1.", 7) != 0 || strlen(answers->line) < 12)
            return -1;
        answers->status = atoi(answers->line + 9);
        return HEADER;
    case HEADER:
        if (answers->line[0] != '\0') {
            read_header(answers);
            return HEADER;
        }
        return answers->status / 100 == 1 ? STATUS_LINE : answers->is_chunked ? CHUNK_SIZE : BODY;
    case CHUNK_SIZE:
        answers->left = strtoull(answers->line, &end, 16);
        if (end == answers->line)
            return -1;
        return answers->left > 0 ? CHUNK : TRAILER;
    case CHUNK_END:
        return answers->line[0] == '\0' ? CHUNK_SIZE : -1;
    default:
        return TRAILER;
    }
}

enum pawl_answers_found
pawl_answers_read(struct pawl_answers *answers, const char *data, size_t len, size_t *out_used)
{
    size_t at = 0;

    for (;;) {
        bool is_bytes = answers->state == BODY || answers->state == CHUNK;
        bool has_all = is_bytes ? take_body(answers, data, len, &at)
                                : take_line(answers, data, len, &at);

        *out_used = at;
        if (!has_all)
            return PAWL_ANSWERS_MORE;
        if (answers->state == BODY || (answers->state == TRAILER && answers->line[0] == '\0')) {
            answers->state = STATUS_LINE;
            return PAWL_ANSWERS_END;
        }
        answers->state = answers->state == CHUNK ? CHUNK_END : after_line(answers);
        if (answers->state < 0)
            return PAWL_ANSWERS_WRONG;
    }
}
