/* tags.c: the words that a task is labelled with. There are few of them, so they are looked for one
 * after the other. */
#include "tags.h"

#include "err.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

/* Unicode's White_Space, but for the control characters. */
static bool
is_blank(unsigned point)
{
    return point == 0x20 || point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) ||
           point == 0x2028 || point == 0x2029 || point == 0x202F || point == 0x205F ||
           point == 0x3000;
}

static bool
is_control(unsigned point)
{
    return point < 0x20 || (point >= 0x7F && point < 0xA0);
}

/* what: "tag". */
static int
check_word(const char *field, const char *what, const char *text, size_t len, struct pawl_err *err)
{
    unsigned point;

    if (len == 0)
        return pawl_err_set(err, PAWL_EINVAL, field, "a %s is empty: give 1 to %d bytes", what,
                            PAWL_TAG_MAX);
    if (len > PAWL_TAG_MAX)
        return pawl_err_set(err, PAWL_EINVAL, field, "a %s has %zu bytes: the limit is %d", what, len,
                            PAWL_TAG_MAX);
    for (size_t i = 0, n; i < len; i += n) {
        n = pawl_utf8_next(text + i, len - i, &point);
        if (n == 0)
            return pawl_err_set(err, PAWL_EINVAL, field, "a %s is not valid UTF-8 at byte %zu", what,
                                i);
        if (is_control(point))
            return pawl_err_set(err, PAWL_EINVAL, field,
                                "a %s has the control character U+%04X at byte %zu", what, point, i);
        if (is_blank(point) || point == ',')
            return pawl_err_set(err, PAWL_EINVAL, field,
                                "the %s '%.*s' has a %s: a %s is one word", what, (int) len, text,
                                point == ',' ? "comma" : "blank", what);
    }
    return PAWL_OK;
}

int
pawl_tag_check(const char *tag, size_t len, struct pawl_err *err)
{
    return check_word("tags", "tag", tag, len, err);
}

int
pawl_group_name_check(const char *name, size_t len, struct pawl_err *err)
{
    return check_word("group", "group name", name, len, err);
}

int
pawl_tags_check(const char *const *tags, size_t n, struct pawl_err *err)
{
    int code = PAWL_OK;

    if (n > PAWL_TAGS_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "tags", "%zu tags are given: the limit is %d", n,
                            PAWL_TAGS_MAX);
    for (size_t i = 0; i < n && code == PAWL_OK; i++)
        code = pawl_tag_check(tags[i], strlen(tags[i]), err);
    return code;
}

static bool
has(const struct pawl_tags *tags, const char *tag, size_t len)
{
    for (size_t i = 0; i < tags->n; i++) {
        if (strncmp(tags->tags[i], tag, len) == 0 && tags->tags[i][len] == '\0')
            return true;
    }
    return false;
}

size_t
pawl_tags_bytes(const char *const *tags, size_t n)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += strlen(tags[i]) + 1;
    return bytes;
}

struct pawl_tags *
pawl_tags_new(const char *const *tags, size_t n)
{
    size_t bytes = pawl_tags_bytes(tags, n);
    struct pawl_tags *copy = malloc(sizeof *copy + n * sizeof copy->tags[0] + bytes);
    char *text;

    if (!copy)
        return NULL;
    copy->n = 0;
    text = (char *) &copy->tags[n];
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(tags[i]);

        if (has(copy, tags[i], len))
            continue;
        copy->tags[copy->n++] = memcpy(text, tags[i], len + 1);
        text += len + 1;
    }
    return copy;
}

bool
pawl_tags_pass(const struct pawl_tags *tags, const struct pawl_filter *filter)
{
    for (size_t i = 0; i < filter->ntags; i++) {
        if (!tags || !has(tags, filter->tags[i].text, filter->tags[i].len))
            return false;
    }
    return true;
}
