/* glyph.c: UTF-8, column widths by wcwidth(), and escapes for what must not reach a
 * terminal. One thread. Pure but for pawl_glyph_init(), which sets the locale. */
#define _GNU_SOURCE 1
#include "glyph.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>

void
pawl_glyph_init(void)
{
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

size_t
pawl_glyph_next(const char *s, size_t len, uint32_t *out_char)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s;

    *out_char = p[0];
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    *out_char = PAWL_GLYPH_BROKEN;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n > len)
        return 1;
    uint32_t c = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 1;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 1;
    *out_char = c;
    return n;
}

/* A character wcwidth() does not know takes one column in all terminals we know. */
static size_t
char_width(uint32_t c)
{
    int width = c == PAWL_GLYPH_BROKEN ? 1 : wcwidth((wchar_t)c);
    return width < 0 ? 1 : (size_t)width;
}

size_t
pawl_glyph_width(const char *s, size_t len)
{
    size_t width;
    pawl_glyph_fit(s, len, SIZE_MAX, &width);
    return width;
}

size_t
pawl_glyph_fit(const char *s, size_t len, size_t columns, size_t *out_width)
{
    size_t i = 0, width = 0;
    while (i < len) {
        uint32_t c;
        size_t n = pawl_glyph_next(s + i, len - i, &c);
        size_t w = char_width(c);
        if (w > columns - width)
            break;
        width += w;
        i += n;
    }
    *out_width = width;
    return i;
}

/* C0, DEL and C1 move cursors and set titles; line separators break rows; direction marks
 * let a script look like another one. */
static bool
is_harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 ||
           c == 0x200e || c == 0x200f || c == 0x061c || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

void
pawl_glyph_escape(struct pawl_text *out, const char *s, size_t len, bool keep_lines)
{
    for (size_t i = 0, n; i < len; i += n) {
        uint32_t c;
        n = pawl_glyph_next(s + i, len - i, &c);
        if (c == PAWL_GLYPH_BROKEN)
            pawl_text_printf(out, "\\x%02x", (unsigned char)s[i]);
        else if (!is_harmful(c) || (keep_lines && (c == '\n' || c == '\t')))
            pawl_text_append(out, s + i, n);
        else if (c == '\n')
            pawl_text_puts(out, "\\n");
        else if (c == '\t')
            pawl_text_puts(out, "\\t");
        else if (c == '\r')
            pawl_text_puts(out, "\\r");
        else
            pawl_text_printf(out, c < 0x80 ? "\\x%02x" : "\\u%04x", (unsigned)c);
    }
}
