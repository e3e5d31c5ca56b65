/* gearman.c: the protocol of gearmand: packets with a header of 12 bytes. Jobs with a time are epoch
 * jobs; those without are background jobs. */
#include "frames.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define HEADER 12

enum {
    CAN_DO = 1,
    JOB_CREATED = 8,
    GRAB_JOB = 9,
    NO_JOB = 10,
    JOB_ASSIGN = 11,
    WORK_COMPLETE = 13,
    SUBMIT_JOB_BG = 18,
    SUBMIT_JOB_EPOCH = 36,
};

/* Puts the header before a body that is there already. */
static size_t
packet(char *out, uint32_t kind, size_t body_len)
{
    uint32_t words[2] = {htonl(kind), htonl((uint32_t) body_len)};

    memcpy(out, "\0REQ", 4);
    memcpy(out + 4, words, sizeof words);
    return HEADER + body_len;
}

static double
due(double from)
{
    return ceil(from); /* whole seconds of the clock */
}

static size_t
submit(char *out, const char *id, const char *body, double now, double due)
{
    char *to = out + HEADER;
    size_t room = PAWL_FRAME_MAX - HEADER;

    (void) now;
    if (due > 0)
        return packet(out, SUBMIT_JOB_EPOCH, (size_t) snprintf(to, room, "run%c%s%c%lld%c%s", 0, id,
                                                 0, (long long) due, 0, body));
    return packet(out, SUBMIT_JOB_BG, (size_t) snprintf(to, room, "run%c%s%c%s", 0, id, 0, body));
}

static size_t
greet(char *out)
{
    memcpy(out + HEADER, "run", 3);
    return packet(out, CAN_DO, 3);
}

static size_t
ask(char *out)
{
    return packet(out, GRAB_JOB, 0);
}

static size_t
finish(char *out, const struct pawl_frame *job)
{
    memcpy(out + HEADER, job->handle, job->handle_len);
    out[HEADER + job->handle_len] = '\0';
    return packet(out, WORK_COMPLETE, job->handle_len + 1);
}

/* JOB_ASSIGN: handle, function and data, zero bytes between. */
static void
read_job(const char *body, size_t len, struct pawl_frame *out)
{
    const char *end = body + len;
    const char *first = memchr(body, '\0', len);
    const char *second = first ? memchr(first + 1, '\0', (size_t) (end - first) - 1) : NULL;

    if (!second)
        return;
    *out = (struct pawl_frame){PAWL_FRAME_JOB, body, second + 1, (size_t) (first - body),
        (size_t) (end - second) - 1};
}

static size_t
read_frame(const char *buffer, size_t len, struct pawl_frame *out)
{
    uint32_t words[2];

    if (len < HEADER)
        return 0;
    memcpy(words, buffer + 4, sizeof words);
    size_t body_len = ntohl(words[1]);
    if (len < HEADER + body_len)
        return 0;
    out->kind = PAWL_FRAME_REFUSED;
    switch (ntohl(words[0])) {
    case JOB_CREATED: out->kind = PAWL_FRAME_SUBMITTED; break;
    case NO_JOB: out->kind = PAWL_FRAME_NO_JOB; break;
    case JOB_ASSIGN: read_job(buffer + HEADER, body_len, out); break;
    default: break;
    }
    return HEADER + body_len;
}

const struct pawl_frames pawl_gearman = {
    "gearman", false, due, submit, greet, ask, finish, read_frame};
