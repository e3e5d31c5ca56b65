/* capture.h: the kept part of what a run writes: all of it up to PAWL_OUTPUT_MAX, else its head
 * and its tail with a line between them that says how many bytes were dropped. Used by one thread.
 * Memory grows with what is written, so a thousand silent runs cost nothing. */
#ifndef PAWL_CAPTURE_H
#define PAWL_CAPTURE_H

#include <pawl.h>

struct pawl_capture {
    char *data;             /* up to PAWL_OUTPUT_MAX bytes; the second half is a ring once full */
    size_t cap;
    uint64_t total;         /* bytes that went through data */
    uint64_t lost;          /* bytes after them that there was no memory for */
};

/* All zero is an empty one. */
void
pawl_capture_fini(struct pawl_capture *capture);

/* Appends what was read. */
void
pawl_capture_add(struct pawl_capture *capture, const char *bytes, size_t len);

/* Writes the kept text, valid UTF-8 of at most PAWL_OUTPUT_MAX bytes, to out, which has room for
 * that; returns its length, and sets *truncated if bytes were dropped (else leaves it). */
size_t
pawl_capture_text(const struct pawl_capture *capture, char *out, bool *truncated);

#endif
