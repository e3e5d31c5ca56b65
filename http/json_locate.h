/* json_locate.h: where a text stops being JSON, and why. Slow and strict, for the
 * error path. */
#ifndef PAWL_JSON_LOCATE_H
#define PAWL_JSON_LOCATE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAWL_JSON_DEPTH 1024        /* deepest nesting that is read */

struct pawl_json_fault {
    const char *what;               /* a literal: a clause without a full stop */
    size_t offset;                  /* of the first byte that cannot be, at most len */
    const char *key;                /* the member of the top object that it is in, as
                                     * written, without quotes; NULL: in none. Borrowed
                                     * from the text */
    size_t key_len;
};

/* Finds the first fault of len bytes by RFC 8259, and beyond it: numbers that neither
 * an int64, a uint64 nor a finite double holds, surrogates without their other half,
 * nesting past PAWL_JSON_DEPTH. False: there is none.
 * Threads: any. Blocks: no. Locks: none. Owns: borrows text. */
bool
pawl_json_locate(const char *text, size_t len, struct pawl_json_fault *out_fault);

/* The line and the column of an offset, in bytes from 1. Threads: any. Blocks: no. */
void
pawl_json_position(const char *text, size_t offset, int *out_line, int *out_column);

#ifdef __cplusplus
}
#endif
#endif
