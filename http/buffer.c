/* buffer.c: growth of the byte buffer; the fast half is in the header.
 *
 * Grows by half at least, so that appending is linear. */
#include "buffer.h"

#include <stdlib.h>

#define FIRST_CAP 1024

void
pawl_buffer_init(struct pawl_buffer *buffer)
{
    *buffer = (struct pawl_buffer){NULL, 0, 0, false};
}

void
pawl_buffer_fini(struct pawl_buffer *buffer)
{
    free(buffer->data);
    pawl_buffer_init(buffer);
}

void
pawl_buffer_reset(struct pawl_buffer *buffer)
{
    if (buffer->cap > PAWL_BUFFER_KEEP)
        pawl_buffer_fini(buffer);
    buffer->len = 0;
    buffer->failed = false;
}

char *
pawl_buffer_detach(struct pawl_buffer *buffer, size_t *out_len)
{
    char *data = buffer->data;

    *out_len = buffer->len;
    if (buffer->failed) {
        free(data);
        data = NULL;
        *out_len = 0;
    }
    pawl_buffer_init(buffer);
    return data;
}

bool
pawl_buffer_grow(struct pawl_buffer *buffer, size_t nbytes)
{
    if (nbytes > PAWL_BUFFER_MAX - buffer->len) {
        buffer->failed = true;
        return false;
    }

    size_t cap = buffer->cap + buffer->cap / 2;

    if (cap < buffer->len + nbytes)
        cap = buffer->len + nbytes;
    if (cap < FIRST_CAP)
        cap = FIRST_CAP;
    char *data = realloc(buffer->data, cap);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->cap = cap;
    return true;
}
