/* text.h: a string that grows, and the end of the program when memory is out.
 * One thread. The client has nothing to save, so every allocation of it goes through here
 * and a failed one ends it with a message and exit status 1. */
#ifndef PAWL_TEXT_H
#define PAWL_TEXT_H

#include <stddef.h>

/* All zero is an empty text. data is NUL-terminated once anything was appended; the NUL
 * is not counted in len, and the text itself may hold NULs. */
struct pawl_text {
    char *data;
    size_t len;
    size_t cap;
};

/* Says that memory is out and exits with status 1. */
_Noreturn void pawl_text_oom(void);

/* n zeroed objects of size bytes. Owns: gives, free(). */
void *pawl_text_alloc(size_t n, size_t size);

/* A copy of s. Owns: gives, free(). */
char *pawl_text_copy(const char *s);

/* Append bytes, a string, or what printf would print. */
void pawl_text_append(struct pawl_text *text, const void *data, size_t len);
void pawl_text_puts(struct pawl_text *text, const char *s);
void pawl_text_printf(struct pawl_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends len bytes percent-encoded: unreserved characters (RFC 3986) stay. */
void pawl_text_percent(struct pawl_text *text, const char *data, size_t len);

/* The text as a string, "" when nothing was appended. Owns: borrows. */
const char *pawl_text_string(const struct pawl_text *text);

/* Empties the text and keeps its memory; fini frees it, the text may be used again. */
void pawl_text_reset(struct pawl_text *text);
void pawl_text_fini(struct pawl_text *text);

#endif
