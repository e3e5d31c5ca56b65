/* frames.h: the protocols of servers that speak frames of their own over TCP, for load.c: a row of
 * functions for each. All of it is of one thread. */
#ifndef PAWL_PEERS_FRAMES_H
#define PAWL_PEERS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#define PAWL_FRAME_MAX 512 /* bytes of any that is sent */

enum pawl_frame_kind {
    PAWL_FRAME_SUBMITTED,
    PAWL_FRAME_JOB,      /* a worker is given one */
    PAWL_FRAME_NO_JOB,   /* there is none now: ask again later */
    PAWL_FRAME_FINISHED, /* the end of a job is noted */
    PAWL_FRAME_REFUSED,
};

/* One that was received. Borrows the buffer. */
struct pawl_frame {
    enum pawl_frame_kind kind;
    const char *handle, *body; /* of a job */
    size_t handle_len, body_len;
};

struct pawl_frames {
    const char *name;
    bool confirms; /* the end of a job is answered */
    /* Times are Unix seconds. The first time that can be told from then on. */
    double (*due)(double from);
    /* These write a frame of at most PAWL_FRAME_MAX bytes and give its length. due 0: at once. */
    size_t (*submit)(char *out, const char *id, const char *body, double now, double due);
    size_t (*greet)(char *out); /* of a worker */
    size_t (*ask)(char *out);   /* for a job */
    size_t (*finish)(char *out, const struct pawl_frame *job);
    /* The length of the first frame in the buffer; 0: it is not whole yet. */
    size_t (*read)(const char *buffer, size_t len, struct pawl_frame *out);
};

extern const struct pawl_frames pawl_beanstalkd, pawl_gearman;

#endif
