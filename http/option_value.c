/* option_value.c: see option_value.h. */
#include "option_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../engine/duration.h"

int
pawl_option_fail(struct pawl_err *err, const char *format, ...)
{
    va_list args;

    err->code = PAWL_EINVAL;
    err->field = NULL;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return PAWL_EINVAL;
}

/* Digits, and for a size a unit: k, KiB, M, MiB, G, GiB, T, TiB, all powers of 1024. */
static bool
parse_number(const char *text, bool is_size, int64_t *out)
{
    static const char units[] = "kmgt";
    char *end;
    long long value;
    const char *unit;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0)
        return false;
    while (is_size && *end == ' ')
        end++;
    if (is_size && *end != '\0' && (unit = strchr(units, *end | 0x20)) != NULL) {
        int shift = 10 * (int) (unit - units + 1);

        if (value > INT64_MAX >> shift)
            return false;
        value <<= shift;
        end++;
        if (strcasecmp(end, "ib") == 0)
            end += 2;
    }
    if (is_size && strcasecmp(end, "b") == 0)
        end++;
    *out = value;
    return *end == '\0';
}

static void
format_number(const struct pawl_option *option, int64_t value, char *out, size_t size)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;

    if (option->kind == PAWL_OPTION_SPAN) {
        char text[32];

        pawl_duration_format(value, text);
        snprintf(out, size, "%s", text);
        return;
    }
    if (option->kind == PAWL_OPTION_SIZE)
        for (; value != 0 && value % 1024 == 0 && unit < 4; unit++)
            value /= 1024;
    snprintf(out, size, "%" PRId64 "%s", value, units[unit]);
}

static int
set_number(const struct pawl_option *option, int64_t *value, const char *text,
           const char *where, struct pawl_err *err)
{
    static const char *const examples[] = {
        [PAWL_OPTION_COUNT] = "a whole number such as 1000",
        [PAWL_OPTION_SIZE] = "a size such as 512k or 8MiB",
        [PAWL_OPTION_SPAN] = "a duration such as 30s or 1m30s",
    };
    int64_t number;
    char min[40], max[40];
    bool ok = option->kind == PAWL_OPTION_SPAN
        ? pawl_duration_parse(text, strlen(text), &number, NULL) == PAWL_OK
        : parse_number(text, option->kind == PAWL_OPTION_SIZE, &number);

    if (!ok)
        return pawl_option_fail(err, "%sexpected %s, not '%.40s'", where,
            examples[option->kind], text);
    if (number < option->min || number > option->max) {
        format_number(option, option->min, min, sizeof min);
        format_number(option, option->max, max, sizeof max);
        return pawl_option_fail(
            err, "%sexpected %s to %s, not '%.40s'", where, min, max, text);
    }
    *value = number;
    return PAWL_OK;
}

static int
set_word(const struct pawl_option *option, int64_t *value, const char *text,
    const char *where, struct pawl_err *err)
{
    char known[80] = "";

    for (int64_t i = 0; option->words[i] != NULL; i++) {
        size_t len = strlen(known);

        if (strcmp(option->words[i], text) == 0) {
            *value = i;
            return PAWL_OK;
        }
        snprintf(
            known + len, sizeof known - len, "%s%s", i > 0 ? ", " : "", option->words[i]);
    }
    return pawl_option_fail(err, "%sexpected one of %s, not '%.40s'", where, known, text);
}

static int
set_bool(bool *value, const char *text, const char *where, struct pawl_err *err)
{
    *value = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    if (!*value && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
        return pawl_option_fail(
            err, "%sexpected true or false, not '%.40s'", where, text);
    return PAWL_OK;
}

int
pawl_option_set(const struct pawl_option *option, struct pawl_settings *settings,
                const char *text, size_t len, const char *where, struct pawl_err *err)
{
    void *place = (char *) settings + option->offset;
    struct pawl_option_list *list = place;
    char *copy = strndup(text, len);
    int rc = PAWL_OK;

    if (copy == NULL) {
        pawl_option_fail(err, "out of memory");
        return PAWL_ENOMEM;
    }
    switch (option->kind) {
    case PAWL_OPTION_TEXTS:
        if (len == 0 || list->nitems == PAWL_OPTION_LIST) {
            rc = pawl_option_fail(
                err, "%s%s", where, len == 0 ? "is empty" : "too many of it");
            break;
        }
        list->items[list->nitems++] = copy;
        return PAWL_OK;
    case PAWL_OPTION_TEXT:
        if (len == 0) {
            rc = pawl_option_fail(err, "%sis empty", where);
            break;
        }
        free(*(char **) place);
        *(char **) place = copy;
        return PAWL_OK;
    case PAWL_OPTION_BOOL:
        rc = set_bool(place, copy, where, err);
        break;
    case PAWL_OPTION_WORD:
        rc = set_word(option, place, copy, where, err);
        break;
    default:
        rc = set_number(option, place, copy, where, err);
    }
    free(copy);
    return rc;
}

void
pawl_option_clear(const struct pawl_option *option, struct pawl_settings *settings)
{
    void *place = (char *) settings + option->offset;
    struct pawl_option_list *list = place;

    if (option->kind == PAWL_OPTION_TEXT) {
        free(*(char **) place);
        *(char **) place = NULL;
    } else if (option->kind == PAWL_OPTION_TEXTS) {
        while (list->nitems > 0)
            free(list->items[--list->nitems]);
    }
}

struct pawl_text_span
pawl_option_trim(const char *text, size_t len)
{
    static const char blanks[] = " \t\r\n";

    while (len > 0 && strchr(blanks, text[len - 1]) != NULL)
        len--;
    while (len > 0 && strchr(blanks, *text) != NULL) {
        text++;
        len--;
    }
    return (struct pawl_text_span){text, len};
}

bool
pawl_option_split(const char *line, struct pawl_text_span *out_key,
                  struct pawl_text_span *out_value)
{
    struct pawl_text_span all = pawl_option_trim(line, strlen(line));
    const char *equals = memchr(all.text, '=', all.len);

    *out_key = *out_value = (struct pawl_text_span){all.text, 0};
    if (all.len == 0 || *all.text == '#' || *all.text == ';')
        return true;
    if (*all.text == '[')
        return all.text[all.len - 1] == ']';
    if (equals == NULL)
        return false;
    *out_key = pawl_option_trim(all.text, (size_t) (equals - all.text));
    *out_value = pawl_option_trim(equals + 1, (size_t) (all.text + all.len - equals) - 1);
    /* A value may stand in double quotes. */
    if (out_value->len >= 2 && out_value->text[0] == '"' &&
        out_value->text[out_value->len - 1] == '"') {
        out_value->text++;
        out_value->len -= 2;
    }
    return out_key->len > 0;
}

/* In quotes where the reader would take something off the value. */
static void
print_line(const char *name, const char *value, struct pawl_buffer *buffer)
{
    size_t len = strlen(value);
    const char *quote =
        *value == '"' || pawl_option_trim(value, len).len < len ? "\"" : "";

    pawl_buffer_append_str(buffer, name);
    pawl_buffer_append_str(buffer, " = ");
    pawl_buffer_append_str(buffer, quote);
    pawl_buffer_append_str(buffer, value);
    pawl_buffer_append_str(buffer, quote);
    pawl_buffer_append_str(buffer, "\n");
}

void
pawl_option_print(const struct pawl_option *option, const struct pawl_settings *settings,
                  struct pawl_buffer *buffer)
{
    const void *place = (const char *) settings + option->offset;
    const struct pawl_option_list *list = place;
    char text[40];

    switch (option->kind) {
    case PAWL_OPTION_TEXTS:
        for (size_t i = 0; i < list->nitems; i++)
            print_line(option->name, list->items[i], buffer);
        break;
    case PAWL_OPTION_TEXT:
        if (*(char *const *) place != NULL)
            print_line(option->name, *(char *const *) place, buffer);
        break;
    case PAWL_OPTION_BOOL:
        print_line(option->name, *(const bool *) place ? "true" : "false", buffer);
        break;
    case PAWL_OPTION_WORD:
        print_line(option->name, option->words[*(const int64_t *) place], buffer);
        break;
    default:
        format_number(option, *(const int64_t *) place, text, sizeof text);
        print_line(option->name, text, buffer);
    }
}

void
pawl_option_help(const struct pawl_option *option, struct pawl_buffer *buffer)
{
    char text[400];
    bool has_default = option->fallback != NULL && strcmp(option->fallback, "0") != 0;

    snprintf(text, sizeof text, "  --%s%s%s\n        %s%s%s%s\n", option->name,
        option->argument != NULL ? " " : "",
        option->argument != NULL ? option->argument : "", option->help,
        has_default ? " (default " : "", has_default ? option->fallback : "",
        has_default ? ")" : "");
    pawl_buffer_append_str(buffer, text);
}

size_t
pawl_option_distance(const char *name, const char *other, size_t len)
{
    size_t row[64], n = strlen(name);

    if (n >= 64 || len >= 64)
        return 64;
    for (size_t i = 0; i <= n; i++)
        row[i] = i;
    for (size_t j = 1; j <= len; j++) {
        size_t diagonal = row[0];

        row[0] = j;
        for (size_t i = 1; i <= n; i++) {
            size_t change = diagonal + (name[i - 1] != other[j - 1]);

            diagonal = row[i];
            row[i] = (row[i] < row[i - 1] ? row[i] : row[i - 1]) + 1;
            if (change < row[i])
                row[i] = change;
        }
    }
    return row[n];
}
