/* answers.h: HTTP/1.1 answers as they come in on one connection, byte by byte (RFC 9112). One thread. */
#ifndef PAWL_ANSWERS_H
#define PAWL_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAWL_ANSWERS_KEPT 512

/* All zero: before the first answer. */
struct pawl_answers {
    int state;
    int status;                         /* of the answer that is read, or was read last */
    bool is_chunked, must_close;
    uint64_t left;                      /* of the body, or of the chunk */
    char line[256];                     /* of the head, or of a chunk: as much as fits */
    size_t line_len;
    char body[PAWL_ANSWERS_KEPT];       /* its beginning, and a NUL */
    size_t body_len;
};

enum pawl_answers_found { PAWL_ANSWERS_MORE, PAWL_ANSWERS_END, PAWL_ANSWERS_WRONG };

/* Reads on until an answer ends or the bytes do; *out_used of them were read. */
enum pawl_answers_found
pawl_answers_read(struct pawl_answers *answers, const char *data, size_t len, size_t *out_used);

#endif
