/* glyph.h: characters as a terminal shows them: how many columns they take, and how those
 * that must not reach a terminal are written instead. Text is UTF-8; broken UTF-8 is
 * allowed and shown byte by byte. Widths need a UTF-8 LC_CTYPE, see pawl_glyph_init(). */
#ifndef PAWL_GLYPH_H
#define PAWL_GLYPH_H

#include "text.h"

#include <stdbool.h>
#include <stdint.h>

/* What pawl_glyph_next() gives for a byte that is not UTF-8. */
#define PAWL_GLYPH_BROKEN UINT32_MAX

/* Takes LC_CTYPE from the environment, and C.UTF-8 where that is not UTF-8: our texts are
 * UTF-8 whatever the locale says, and widths must come out right under any. */
void pawl_glyph_init(void);

/* Decodes the character at s and says how many of the len (> 0) bytes it takes. */
size_t pawl_glyph_next(const char *s, size_t len, uint32_t *out_char);

/* Columns that len bytes of already escaped text take. */
size_t pawl_glyph_width(const char *s, size_t len);

/* Bytes of the longest beginning of s that takes at most columns; out_width is its width.
 */
size_t pawl_glyph_fit(const char *s, size_t len, size_t columns, size_t *out_width);

/* Appends s with control characters, direction marks and broken bytes written as escapes
 * (\n, \t, \x1b, \u202e). A backslash stays itself: a script stays readable.
 * keep_lines lets newlines and tabs through. */
void pawl_glyph_escape(struct pawl_text *out, const char *s, size_t len, bool keep_lines);

#endif
