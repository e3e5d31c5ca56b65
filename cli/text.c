/* text.c: a string that grows by doubling, percent-encoding, and the exit when memory is
 * out. One thread. Knows nothing of characters or columns: that is glyph.c. */
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void
pawl_text_oom(void)
{
    fputs("pawl: out of memory\n", stderr);
    exit(1);
}

void *
pawl_text_alloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        pawl_text_oom();
    return p;
}

char *
pawl_text_copy(const char *s)
{
    size_t size = strlen(s) + 1;
    return memcpy(pawl_text_alloc(size, 1), s, size);
}

/* Makes room for len more bytes and the NUL. */
static void
reserve(struct pawl_text *text, size_t len)
{
    if (text->cap - text->len > len)
        return;
    if (len >= SIZE_MAX / 2 - text->len)
        pawl_text_oom();
    size_t cap = text->cap ? text->cap : 64;
    while (cap - text->len <= len)
        cap *= 2;
    char *data = realloc(text->data, cap);
    if (!data)
        pawl_text_oom();
    text->data = data;
    text->cap = cap;
}

void
pawl_text_append(struct pawl_text *text, const void *data, size_t len)
{
    reserve(text, len);
    if (len)
        memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void
pawl_text_puts(struct pawl_text *text, const char *s)
{
    pawl_text_append(text, s, strlen(s));
}

void
pawl_text_printf(struct pawl_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        pawl_text_oom();
    reserve(text, (size_t)len);
    va_start(args, format);
    vsnprintf(text->data + text->len, (size_t)len + 1, format, args);
    va_end(args);
    text->len += (size_t)len;
}

static int
is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

void
pawl_text_percent(struct pawl_text *text, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        if (is_unreserved(c))
            pawl_text_append(text, &c, 1);
        else
            pawl_text_printf(text, "%%%02X", c);
    }
}

const char *
pawl_text_string(const struct pawl_text *text)
{
    return text->data ? text->data : "";
}

void
pawl_text_reset(struct pawl_text *text)
{
    text->len = 0;
    if (text->data)
        text->data[0] = '\0';
}

void
pawl_text_fini(struct pawl_text *text)
{
    free(text->data);
    *text = (struct pawl_text){0};
}
