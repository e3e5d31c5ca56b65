/* buffer.h: a growable byte buffer for answers.
 *
 * Out of memory sets failed and leaves the content as it was; every later write is
 * harmless and does nothing, so a writer goes on to its end and the caller checks
 * failed once. A buffer is used by one thread at a time. */
#ifndef PAWL_BUFFER_H
#define PAWL_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAWL_BUFFER_KEEP ((size_t) 256 << 10)     /* bytes of memory that a reset keeps */
#define PAWL_BUFFER_MAX ((size_t) 1 << 30)        /* growing past this fails */

struct pawl_buffer {
    char *data;                 /* cap bytes, the first len of them written */
    size_t len, cap;
    bool failed;                /* out of memory, or too large; until a reset */
};

/* Makes an empty buffer; it has no memory until the first write.
 * Threads: the buffer's. Blocks: no. Locks: none. Owns: the caller calls
 * pawl_buffer_fini(). */
void
pawl_buffer_init(struct pawl_buffer *buffer);

/* Frees the memory; the buffer is as after init.
 * Threads: the buffer's. Blocks: no. Locks: none. */
void
pawl_buffer_fini(struct pawl_buffer *buffer);

/* Empties the buffer and forgets a failure; memory past PAWL_BUFFER_KEEP is given back.
 * Threads: the buffer's. Blocks: no. Locks: none. */
void
pawl_buffer_reset(struct pawl_buffer *buffer);

/* Gives the memory away: the caller frees it with free(); the buffer is as after init.
 * NULL when the buffer has failed (its memory is freed) or never had any.
 * Threads: the buffer's. Blocks: no. Locks: none. Owns: gives. */
char *
pawl_buffer_detach(struct pawl_buffer *buffer, size_t *out_len);

/* Makes room for at least nbytes more; the slow half of pawl_buffer_reserve(),
 * private. */
bool
pawl_buffer_grow(struct pawl_buffer *buffer, size_t nbytes);

/* Gives a place for at least nbytes > 0 after the content, NULL when failed. What is
 * written there counts once the caller has added it to len.
 * Threads: the buffer's. Blocks: no. Locks: none. Owns: borrowed until the next call. */
static inline char *
pawl_buffer_reserve(struct pawl_buffer *buffer, size_t nbytes)
{
    if (buffer->failed ||
        (buffer->cap - buffer->len < nbytes && !pawl_buffer_grow(buffer, nbytes)))
        return NULL;
    return buffer->data + buffer->len;
}

/* Appends len bytes. Threads: the buffer's. Blocks: no. Locks: none. Owns: copies. */
static inline void
pawl_buffer_append(struct pawl_buffer *buffer, const void *bytes, size_t len)
{
    char *room = len > 0 ? pawl_buffer_reserve(buffer, len) : NULL;

    if (room != NULL) {
        memcpy(room, bytes, len);
        buffer->len += len;
    }
}

/* Appends a string. Threads: the buffer's. Blocks: no. Locks: none. Owns: copies. */
static inline void
pawl_buffer_append_str(struct pawl_buffer *buffer, const char *str)
{
    pawl_buffer_append(buffer, str, strlen(str));
}

/* Appends one byte. Threads: the buffer's. Blocks: no. Locks: none. */
static inline void
pawl_buffer_append_char(struct pawl_buffer *buffer, char c)
{
    pawl_buffer_append(buffer, &c, 1);
}

#ifdef __cplusplus
}
#endif
#endif
