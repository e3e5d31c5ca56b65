/* utf8.h: what valid UTF-8 is (RFC 3629), for ids, scripts and the output of runs. */
#ifndef PAWL_UTF8_H
#define PAWL_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The length of the character at text, 1 to 4, its code point in *out_point; 0 if the bytes there
 * are none (cut, overlong, a surrogate, above U+10FFFF). len > 0. Threads: any. */
size_t
pawl_utf8_next(const char *text, size_t len, unsigned *out_point);

/* Whether all of text is valid. Threads: any. */
bool
pawl_utf8_valid(const char *text, size_t len);

/* Copies text, each byte that is no part of a character as U+FFFD, as long as it fits into size
 * bytes whole. Returns the bytes written; *out_read the bytes used up. Threads: any. */
size_t
pawl_utf8_clean(const char *text, size_t len, char *out, size_t size, size_t *out_read);

#endif
