/* capture.c: the kept part of what a run writes. */
#include "capture.h"

#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HALF (PAWL_OUTPUT_MAX / 2)
#define FIRST 1024
#define MARK_MAX 80         /* bytes of the line in between */

void
pawl_capture_fini(struct pawl_capture *capture)
{
    free(capture->data);
    *capture = (struct pawl_capture) {0};
}

/* Makes room for len bytes in all, up to PAWL_OUTPUT_MAX. */
static bool
reserve(struct pawl_capture *capture, uint64_t len)
{
    size_t cap = capture->cap ? capture->cap : FIRST;
    char *data;

    while (cap < len && cap < PAWL_OUTPUT_MAX)
        cap *= 2;
    if (cap == capture->cap)
        return true;
    data = realloc(capture->data, cap);
    if (!data)
        return false;
    capture->data = data;
    capture->cap = cap;
    return true;
}

void
pawl_capture_add(struct pawl_capture *capture, const char *bytes, size_t len)
{
    if (capture->lost > 0 || !reserve(capture, capture->total + len)) {
        capture->lost += len;
        return;
    }
    while (len > 0) {
        size_t at = (size_t) (capture->total < PAWL_OUTPUT_MAX ? capture->total
                                                               : HALF + capture->total % HALF);
        size_t n = PAWL_OUTPUT_MAX - at < len ? PAWL_OUTPUT_MAX - at : len;

        memcpy(capture->data + at, bytes, n);
        capture->total += n;
        bytes += n;
        len -= n;
    }
}

/* Straightens the newest bytes behind the first half into raw; gives their number. */
static size_t
straighten(const struct pawl_capture *capture, char raw[HALF])
{
    size_t start = (size_t) (capture->total % HALF), n;

    if (capture->total <= PAWL_OUTPUT_MAX) {
        n = capture->total > HALF ? (size_t) capture->total - HALF : 0;
        if (n > 0)
            memcpy(raw, capture->data + HALF, n);
        return n;
    }
    memcpy(raw, capture->data + HALF + start, HALF - start);
    memcpy(raw + HALF - start, capture->data + HALF, start);
    return HALF;
}

/* Cleans the end of raw, from a character's start on, into size bytes. Gives how much of raw is
 * left out; a bad byte grows to three, so the start is found by trying. */
static size_t
clean_tail(const char *raw, size_t len, char *out, size_t size, size_t *out_len)
{
    size_t from = 0, read;

    for (;;) {
        for (int i = 0; i < 3 && from < len && ((unsigned char) raw[from] & 0xC0) == 0x80; i++)
            from++;
        *out_len = pawl_utf8_clean(raw + from, len - from, out, size, &read);
        if (from + read == len)
            return from;
        from += len - from - read;      /* at least so much was too much */
    }
}

size_t
pawl_capture_text(const struct pawl_capture *capture, char *out, bool *truncated)
{
    char raw[HALF], tail[HALF];
    size_t len, read = 0, nraw, from, tail_len, room = HALF - MARK_MAX / 2;

    if (capture->total <= PAWL_OUTPUT_MAX && capture->lost == 0) {
        len = pawl_utf8_clean(capture->data, (size_t) capture->total, out, PAWL_OUTPUT_MAX, &read);
        if (read == capture->total)
            return len;     /* else bad bytes made it too long */
    }
    *truncated = true;
    len = pawl_utf8_clean(capture->data, capture->total < HALF ? (size_t) capture->total : HALF,
                          out, room, &read);
    nraw = straighten(capture, raw);
    from = clean_tail(raw, nraw, tail, room, &tail_len);
    len += (size_t) snprintf(out + len, MARK_MAX, "\n[... %llu bytes dropped ...]\n",
                             (unsigned long long) (capture->total - read - (nraw - from) +
                                                   capture->lost));
    memcpy(out + len, tail, tail_len);
    return len + tail_len;
}
