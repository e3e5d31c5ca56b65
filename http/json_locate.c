/* json_locate.c: a strict scanner of JSON that builds nothing; any thread.
 *
 * simdjson tells that a document is wrong, not where. This walks it again, byte by
 * byte, with a bit a level instead of recursion, and says what a person would look
 * for. */
#include "json_locate.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../engine/utf8.h"

#define DIGITS_KEPT 40              /* of a number's digits, when its size is judged */

struct scan {
    const char *text;
    size_t len, at;
    size_t depth;
    unsigned char objects[PAWL_JSON_DEPTH / 8 + 1];   /* a bit a level: an object */
    struct pawl_json_fault *fault;
};

/* Notes the fault; the value to return. */
static bool
fault(struct scan *scan, size_t offset, const char *what)
{
    scan->fault->offset = offset;
    scan->fault->what = what;
    return false;
}

/* The byte at the place reached, -1 at the end. */
static int
peek(const struct scan *scan)
{
    return scan->at < scan->len ? (unsigned char) scan->text[scan->at] : -1;
}

static int
peek_past_space(struct scan *scan)
{
    int c;

    while ((c = peek(scan)) == ' ' || c == '\n' || c == '\r' || c == '\t')
        scan->at++;
    return c;
}

static bool
in_object(const struct scan *scan)
{
    size_t level = scan->depth - 1;

    return scan->depth > 0 && (scan->objects[level / 8] >> level % 8 & 1);
}

/* --- Strings --- */

/* Reads four hex digits at offset; -1 when they are not. */
static int
hex4(const struct scan *scan, size_t offset)
{
    int value = 0;

    for (size_t i = offset; i < offset + 4; i++) {
        int c = i < scan->len ? scan->text[i] : 0, low = c | 0x20;

        if (c >= '0' && c <= '9')
            value = value * 16 + c - '0';
        else if (low >= 'a' && low <= 'f')
            value = value * 16 + low - 'a' + 10;
        else
            return -1;
    }
    return value;
}

static bool
scan_escape(struct scan *scan)
{
    size_t start = scan->at++;
    int c = peek(scan);

    if (c == -1)
        return fault(scan, scan->len, "it ends inside a string");
    scan->at++;
    if (c != 'u') {
        if (c == 0 || strchr("\"\\/bfnrt", c) == NULL)
            return fault(scan, start, "no such escape: after a backslash comes one of "
                         "\" \\ / b f n r t u");
        return true;
    }

    int unit = hex4(scan, scan->at), second;

    if (unit < 0)
        return fault(scan, start, "\\u needs four hexadecimal digits");
    scan->at += 4;
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    if (unit < 0xdc00 && scan->len - scan->at >= 2 && scan->text[scan->at] == '\\' &&
        scan->text[scan->at + 1] == 'u') {
        second = hex4(scan, scan->at + 2);
        scan->at += 6;
        if (second >= 0xdc00 && second <= 0xdfff)
            return true;
    }
    return fault(scan, start, "half of a surrogate pair: \\ud800 to \\udbff and \\udc00 "
                 "to \\udfff stand for a character only together");
}

/* From the opening quote to behind the closing one. */
static bool
scan_string(struct scan *scan)
{
    scan->at++;
    for (;;) {
        int c = peek(scan);
        unsigned point;

        if (c == -1)
            return fault(scan, scan->len, "it ends inside a string");
        if (c < 0x20)
            return fault(scan, scan->at, "a control character inside a string must be "
                         "escaped (a newline is \\n)");
        if (c == '\\') {
            if (!scan_escape(scan))
                return false;
            continue;
        }
        size_t width = c < 0x80 ? 1 : pawl_utf8_next(scan->text + scan->at,
                                                     scan->len - scan->at, &point);
        if (width == 0)
            return fault(scan, scan->at, "the bytes are not valid UTF-8");
        scan->at += width;
        if (c == '"')
            return true;
    }
}

/* --- Numbers --- */

static size_t
skip_digits(struct scan *scan)
{
    size_t start = scan->at;

    while (peek(scan) >= '0' && peek(scan) <= '9')
        scan->at++;
    return scan->at - start;
}

/* Whether the whole number in text fits in an int64 or a uint64. */
static bool
fits_integer(const char *text, size_t len)
{
    bool negative = *text == '-';
    uint64_t limit = negative ? (uint64_t) INT64_MAX + 1 : UINT64_MAX, value = 0;

    for (size_t i = negative; i < len; i++) {
        unsigned digit = (unsigned) (text[i] - '0');

        if (value > limit / 10 || value * 10 > limit - digit)
            return false;
        value = value * 10 + digit;
    }
    return true;
}

/* The exponent that len digits with their sign stand for; far ones are all the same. */
static long
read_exponent(const char *text, size_t len)
{
    bool negative = *text == '-';
    long value = 0;

    for (size_t i = negative || *text == '+'; i < len; i++)
        value = value < 100000000 ? value * 10 + text[i] - '0' : value;
    return negative ? -value : value;
}

/* Whether the number in text, which has a fraction or an exponent, is finite as a
 * double. */
static bool
fits_double(const char *text, size_t len)
{
    char digits[DIGITS_KEPT + 32];
    size_t ndigits = 0;
    long exponent = 0;
    bool in_fraction = false;

    for (size_t i = 0; i < len; i++) {
        int c = text[i];

        if (c == '.') {
            in_fraction = true;
        } else if (c == 'e' || c == 'E') {
            exponent += read_exponent(text + i + 1, len - i - 1);
            break;
        } else if (c != '-') {
            if (ndigits > 0 || c != '0') {
                if (ndigits < DIGITS_KEPT)
                    digits[ndigits++] = (char) c;
                else
                    exponent++;
            }
            exponent -= in_fraction;
        }
    }
    if (ndigits == 0)
        return true;
    snprintf(digits + ndigits, sizeof digits - ndigits, "e%ld", exponent);
    return !isinf(strtod(digits, NULL));
}

static bool
scan_number(struct scan *scan)
{
    size_t start = scan->at;
    bool is_whole = true;

    scan->at += peek(scan) == '-';
    if (peek(scan) == '0') {
        scan->at++;
        if (peek(scan) >= '0' && peek(scan) <= '9')
            return fault(scan, scan->at - 1, "a number does not begin with a zero");
    } else if (skip_digits(scan) == 0) {
        return fault(scan, scan->at, "a digit is expected after the minus sign");
    }
    if (peek(scan) == '.') {
        scan->at++;
        is_whole = false;
        if (skip_digits(scan) == 0)
            return fault(scan, scan->at, "a digit is expected after the decimal point");
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        scan->at++;
        is_whole = false;
        scan->at += peek(scan) == '+' || peek(scan) == '-';
        if (skip_digits(scan) == 0)
            return fault(scan, scan->at, "a digit is expected in the exponent");
    }
    if (is_whole ? !fits_integer(scan->text + start, scan->at - start)
                 : !fits_double(scan->text + start, scan->at - start))
        return fault(scan, start, "the number does not fit in 64 bits");
    return true;
}

/* --- Structure --- */

static bool
scan_word(struct scan *scan)
{
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t len = strlen(words[i]);

        if (scan->len - scan->at >= len &&
            memcmp(scan->text + scan->at, words[i], len) == 0) {
            scan->at += len;
            return true;
        }
    }
    return fault(scan, scan->at, "a value is expected: a string in double quotes, a "
                 "number, true, false, null, an array or an object");
}

/* Enters an array or an object, unless it is empty: that one is passed. */
static bool
scan_open(struct scan *scan, bool *out_entered)
{
    size_t start = scan->at, level = scan->depth;
    bool is_object = scan->text[scan->at++] == '{';

    *out_entered = false;
    if (peek_past_space(scan) == (is_object ? '}' : ']')) {
        scan->at++;
        return true;
    }
    if (level == PAWL_JSON_DEPTH)
        return fault(scan, start, "it is nested too deep: 1024 levels are read");
    scan->objects[level / 8] &= (unsigned char) ~(1u << level % 8);
    scan->objects[level / 8] |= (unsigned char) (is_object << level % 8);
    scan->depth++;
    *out_entered = true;
    return true;
}

/* The name of a member and its colon. */
static bool
scan_name(struct scan *scan)
{
    int c = peek_past_space(scan);
    size_t start = scan->at + 1;

    if (c == -1)
        return fault(scan, scan->len, "it ends inside an object");
    if (c != '"')
        return fault(scan, scan->at, "a name in double quotes is expected");
    if (!scan_string(scan))
        return false;
    if (scan->depth == 1) {
        scan->fault->key = scan->text + start;
        scan->fault->key_len = scan->at - 1 - start;
    }
    if (peek_past_space(scan) != ':')
        return fault(scan, scan->at, "a colon is expected after the name");
    scan->at++;
    return true;
}

/* One value; of an array or an object only the opening. */
static bool
scan_value(struct scan *scan, bool *out_entered)
{
    int c = peek_past_space(scan);

    *out_entered = false;
    if (c == -1)
        return fault(scan, scan->len,
                     scan->depth > 0 ? "it ends where a value is expected"
                                     : "it is empty");
    if (c == '{' || c == '[')
        return scan_open(scan, out_entered);
    if (c == '"')
        return scan_string(scan);
    if (c == '-' || (c >= '0' && c <= '9'))
        return scan_number(scan);
    return scan_word(scan);
}

/* What follows a value: closes what ends here, and stops behind the comma before the
 * next value or at the end of the text, with the depth 0. */
static bool
scan_after(struct scan *scan)
{
    while (scan->depth > 0) {
        bool is_object = in_object(scan);
        int c = peek_past_space(scan);

        if (scan->depth == 1)
            scan->fault->key = NULL;
        if (c == -1)
            return fault(scan, scan->len, is_object ? "it ends inside an object"
                                                    : "it ends inside an array");
        if (c != ',' && c != (is_object ? '}' : ']'))
            return fault(scan, scan->at, is_object ? "a comma or } is expected"
                                                   : "a comma or ] is expected");
        scan->at++;
        if (c == ',')
            return true;
        scan->depth--;
    }
    if (peek_past_space(scan) != -1)
        return fault(scan, scan->at, "something follows the end of the document");
    return true;
}

bool
pawl_json_locate(const char *text, size_t len, struct pawl_json_fault *out_fault)
{
    struct scan scan = {.text = text, .len = len, .fault = out_fault};
    bool entered;

    *out_fault = (struct pawl_json_fault){NULL, 0, NULL, 0};
    do {
        if (in_object(&scan) && !scan_name(&scan))
            return true;
        if (!scan_value(&scan, &entered) || (!entered && !scan_after(&scan)))
            return true;
    } while (scan.depth > 0);
    return false;
}

void
pawl_json_position(const char *text, size_t offset, int *out_line, int *out_column)
{
    size_t line = 1, start = 0;

    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    *out_line = line < INT_MAX ? (int) line : INT_MAX;
    *out_column = offset - start < INT_MAX ? (int) (offset - start + 1) : INT_MAX;
}
