/* utf8.c: checking and cleaning UTF-8. */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"

size_t
pawl_utf8_next(const char *text, size_t len, unsigned *out_point)
{
    static const unsigned smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *byte = (const unsigned char *) text;
    size_t n = byte[0] < 0x80 ? 1 : byte[0] < 0xC2 ? 0 : byte[0] < 0xE0 ? 2
             : byte[0] < 0xF0 ? 3 : byte[0] < 0xF5 ? 4 : 0;
    unsigned point = n == 1 ? byte[0] : byte[0] & (0x7Fu >> n);

    if (n == 0 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((byte[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (byte[i] & 0x3Fu);
    }
    if (n > 1 && (point < smallest[n] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)))
        return 0;
    *out_point = point;
    return n;
}

/* The length of the ASCII run at text, eight bytes at a time. */
static size_t
ascii_run(const char *text, size_t len)
{
    size_t i = 0;

    while (len - i >= 8) {
        uint64_t word;

        memcpy(&word, text + i, 8);
        if (word & UINT64_C(0x8080808080808080))
            break;
        i += 8;
    }
    while (i < len && !(text[i] & 0x80))
        i++;
    return i;
}

bool
pawl_utf8_valid(const char *text, size_t len)
{
    unsigned point;
    size_t i = 0;

    while ((i += ascii_run(text + i, len - i)) < len) {
        size_t n = pawl_utf8_next(text + i, len - i, &point);

        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t
pawl_utf8_clean(const char *text, size_t len, char *out, size_t size, size_t *out_read)
{
    size_t read = 0, written = 0;

    while (read < len && written < size) {
        size_t n = ascii_run(text + read, len - read);
        const char *from = text + read;
        unsigned point;

        if (n > size - written)
            n = size - written;
        if (n == 0) {
            size_t use = n = pawl_utf8_next(from, len - read, &point);

            if (n == 0) {
                from = REPLACEMENT;
                n = strlen(REPLACEMENT);
                use = 1;
            }
            if (n > size - written)
                break;
            read += use;
        } else {
            read += n;
        }
        memcpy(out + written, from, n);
        written += n;
    }
    *out_read = read;
    return written;
}
