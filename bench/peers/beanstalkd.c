/* beanstalkd.c: the protocol of beanstalkd: lines. Its jobs have no id of the client's: that is the
 * beginning of the body. */
#include "frames.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_LEN 20

static double
due(double from)
{
    return from; /* spans are whole seconds, from whenever */
}

static size_t
submit(char *out, const char *id, const char *body, double now, double due)
{
    return (size_t) snprintf(out, PAWL_FRAME_MAX, "put 0 %ld 60 %zu\r\n%s%s\r\n",
                             due > 0 ? lround(due - now) : 0, strlen(id) + strlen(body), id, body);
}

static size_t
greet(char *out)
{
    (void) out;
    return 0;
}

static size_t
ask(char *out)
{
    return (size_t) snprintf(out, PAWL_FRAME_MAX, "reserve\r\n");
}

static size_t
finish(char *out, const struct pawl_frame *job)
{
    return (size_t) snprintf(out, PAWL_FRAME_MAX, "delete %.*s\r\n", (int) job->handle_len,
                             job->handle);
}

static bool
begins(const char *buffer, size_t len, const char *word)
{
    return len >= strlen(word) && memcmp(buffer, word, strlen(word)) == 0;
}

/* RESERVED HANDLE BYTES, and the body on a line of its own. */
static size_t
read_job(const char *buffer, size_t line, size_t len, struct pawl_frame *out)
{
    const char *handle = buffer + strlen("RESERVED ");
    const char *space = memchr(handle, ' ', line - strlen("RESERVED "));
    size_t body_len = space ? strtoul(space, NULL, 10) : 0;

    if (!space || len < line + body_len + 2)
        return 0;
    *out = (struct pawl_frame){PAWL_FRAME_JOB, handle, buffer + line + ID_LEN,
        (size_t) (space - handle), body_len > ID_LEN ? body_len - ID_LEN : 0};
    return line + body_len + 2;
}

static size_t
read_frame(const char *buffer, size_t len, struct pawl_frame *out)
{
    const char *end = memchr(buffer, '\n', len);
    size_t line = end ? (size_t) (end - buffer) + 1 : 0;

    if (line == 0)
        return 0;
    if (begins(buffer, line, "RESERVED "))
        return read_job(buffer, line, len, out);
    out->kind = begins(buffer, line, "INSERTED ") ? PAWL_FRAME_SUBMITTED
                : begins(buffer, line, "DELETED") ? PAWL_FRAME_FINISHED
                                                  : PAWL_FRAME_REFUSED;
    return line;
}

const struct pawl_frames pawl_beanstalkd = {
    "beanstalkd", true, due, submit, greet, ask, finish, read_frame};
