/* flags.c: reads the command line by tables of flags and checks each value by its kind.
 * One thread. Never prints and never exits: main.c does both. */
#define _GNU_SOURCE 1
#include "flags.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suggest.h"
#include "text.h"
#include "times.h"

void
pawl_flags_init(struct pawl_args *args, int argc, const struct pawl_flag *global)
{
    size_t n = argc > 0 ? (size_t)argc : 0;
    *args = (struct pawl_args){.tables = {global}};
    args->given = pawl_text_alloc(n, sizeof *args->given);
    args->words = pawl_text_alloc(n, sizeof *args->words);
}

void
pawl_flags_fini(struct pawl_args *args)
{
    free(args->given);
    free(args->words);
    *args = (struct pawl_args){0};
}

static int fail(struct pawl_args *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int
fail(struct pawl_args *args, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(args->error, sizeof args->error, format, list);
    va_end(list);
    return -1;
}

static bool
is_named(const struct pawl_flag *flag, const char *name, size_t len)
{
    return (strncmp(flag->name, name, len) == 0 && !flag->name[len]) ||
           (flag->alias && strncmp(flag->alias, name, len) == 0 && !flag->alias[len]);
}

/* A command's flags come before the global ones. */
static const struct pawl_flag *
find_flag(const struct pawl_args *args, const char *name, size_t len)
{
    for (size_t t = 1; t <= 3; t++)
        for (const struct pawl_flag *f = args->tables[t % 3]; f && f->name; f++)
            if (len && is_named(f, name, len))
                return f;
    return NULL;
}

static int
fail_unknown(struct pawl_args *args, const char *name, size_t len)
{
    char word[40];
    const char *near = NULL;
    size_t best = PAWL_SUGGEST_NONE;

    snprintf(word, sizeof word, "%.*s", (int)(len < 39 ? len : 39), name);
    for (size_t t = 0; t < 3; t++)
        for (const struct pawl_flag *f = args->tables[t]; f && f->name; f++) {
            if (pawl_suggest_is_closer(word, f->name, &best))
                near = f->name;
            if (f->alias && pawl_suggest_is_closer(word, f->alias, &best))
                near = f->alias;
        }
    if (near)
        return fail(args, "unknown flag -%s; did you mean -%s?", word, near);
    return fail(args, "unknown flag -%s", word);
}

/* "true", "false" in the words of Go's strconv.ParseBool, or NULL. */
static const char *
read_bool(const char *word)
{
    static const char *const words[2][6] = {{"0", "f", "F", "false", "FALSE", "False"},
        {"1", "t", "T", "true", "TRUE", "True"}};
    for (size_t i = 0; i < 6; i++) {
        if (strcmp(word, words[0][i]) == 0)
            return "false";
        if (strcmp(word, words[1][i]) == 0)
            return "true";
    }
    return NULL;
}

/* The words that a flag without "=" takes as its value, since hardly an ID is one. */
static bool
is_plain_bool(const char *word)
{
    return strcmp(word, "true") == 0 || strcmp(word, "false") == 0;
}

static bool
read_count(const char *word, int64_t *out_count)
{
    char *end;
    if (*word < '0' || *word > '9')
        return false;
    errno = 0;
    *out_count = strtoll(word, &end, 10);
    return !*end && !errno;
}

static int
check_choice(struct pawl_args *args, const struct pawl_flag *flag, const char *value)
{
    char near[40] = "";
    size_t best = PAWL_SUGGEST_NONE;

    for (const char *word = flag->value; *word;) {
        char choice[40];
        size_t len = strcspn(word, "|");
        snprintf(choice, sizeof choice, "%.*s", (int)len, word);
        if (strcmp(choice, value) == 0)
            return 0;
        if (pawl_suggest_is_closer(value, choice, &best))
            strcpy(near, choice);
        word += len + (word[len] == '|');
    }
    if (*near)
        return fail(args, "-%s=%.60s: not one of %s; did you mean %s?", flag->name, value,
            flag->value, near);
    return fail(args, "-%s=%.60s: not one of %s", flag->name, value, flag->value);
}

/* Whether it was perhaps meant as one of cron: a name, or fields with blanks between. */
static bool
is_expression(const char *word)
{
    size_t nblanks = 0;

    for (const char *c = word; *c; c++)
        nblanks += *c == ' ';
    return *word == '@' || nblanks >= 4;
}

static int
check_duration(struct pawl_args *args, const struct pawl_flag *flag, const char *value)
{
    bool is_time = strcmp(flag->name, "time") == 0 && find_flag(args, "cron", 4);
    int64_t number;
    if (pawl_times_parse_duration(value, &number))
        return number >= 0
                   ? 0
                   : fail(args, "-%s=%.60s: must not be negative", flag->name, value);
    if (is_time && is_expression(value))
        return fail(args, "-%s=%.60s: that looks like a cron expression; use -cron='%.60s'",
            flag->name, value, value);
    if (is_time && strchr(value, ':'))
        return fail(args, "-%s=%.60s: that looks like a time of day; use -at='%.60s'",
            flag->name, value, value);
    if (read_count(value, &number))
        return fail(args, "-%s=%.60s: the unit is missing; did you mean %.60ss?",
            flag->name, value, value);
    return fail(
        args, "-%s=%.60s: not a duration such as 10s, 1m30s or 500ms", flag->name, value);
}

/* Checks a value by its flag's kind and notes it. */
static int
give(struct pawl_args *args, const struct pawl_flag *flag, const char *value)
{
    int64_t count;
    const char *word = flag->kind == PAWL_FLAG_BOOL ? read_bool(value) : value;

    if (!word)
        return fail(args, "-%s=%.60s: must be true or false", flag->name, value);
    if (flag->kind == PAWL_FLAG_COUNT && !read_count(word, &count))
        return fail(args, "-%s=%.60s: not a whole number", flag->name, word);
    if (flag->kind == PAWL_FLAG_CHOICE && check_choice(args, flag, word) < 0)
        return -1;
    if (flag->kind == PAWL_FLAG_DURATION && check_duration(args, flag, word) < 0)
        return -1;
    args->given[args->ngiven++] = (struct pawl_given){flag, word};
    return 0;
}

/* Reads the flag at argv[0], with argv[1] as its value where it needs one.
 * Returns how many arguments that took, or -1. */
static int
take_flag(struct pawl_args *args, int argc, char **argv)
{
    const char *name = argv[0] + (argv[0][1] == '-' ? 2 : 1);
    size_t len = strcspn(name, "=");
    const struct pawl_flag *flag = find_flag(args, name, len);

    if (!flag)
        return fail_unknown(args, name, len);
    if (name[len] == '=')
        return give(args, flag, name + len + 1) < 0 ? -1 : 1;
    if (flag->kind == PAWL_FLAG_BOOL) {
        bool has_value = argc > 1 && is_plain_bool(argv[1]);
        return give(args, flag, has_value ? argv[1] : "true") < 0 ? -1 : 1 + has_value;
    }
    if (argc < 2)
        return fail(
            args, "-%s needs a value: -%s=%s", flag->name, flag->name, flag->value);
    return give(args, flag, argv[1]) < 0 ? -1 : 2;
}

int
pawl_flags_parse(struct pawl_args *args, int argc, char **argv, bool one_word)
{
    bool has_ended = false;
    int i = 0;

    while (i < argc) {
        const char *arg = argv[i];
        if (has_ended || arg[0] != '-' || !arg[1]) {
            args->words[args->nwords++] = arg;
            i++;
            if (one_word)
                break;
        } else if (strcmp(arg, "--") == 0) {
            has_ended = true;
            i++;
        } else {
            int taken = take_flag(args, argc - i, argv + i);
            if (taken < 0)
                return -1;
            i += taken;
        }
    }
    return i;
}

const char *
pawl_flags_nth(const struct pawl_args *args, const char *name, size_t n)
{
    assert(find_flag(args, name, strlen(name)));
    for (size_t i = 0; i < args->ngiven; i++)
        if (strcmp(args->given[i].flag->name, name) == 0 && n-- == 0)
            return args->given[i].value;
    return NULL;
}

const char *
pawl_flags_value(const struct pawl_args *args, const char *name)
{
    const char *value, *last = NULL;
    for (size_t n = 0; (value = pawl_flags_nth(args, name, n)); n++)
        last = value;
    return last;
}

bool
pawl_flags_is_set(const struct pawl_args *args, const char *name)
{
    const char *value = pawl_flags_value(args, name);
    return value && strcmp(value, "true") == 0;
}

int64_t
pawl_flags_number(const struct pawl_args *args, const char *name, int64_t fallback)
{
    const struct pawl_flag *flag = find_flag(args, name, strlen(name));
    const char *value = pawl_flags_value(args, name);
    int64_t number = fallback;

    if (value && flag->kind == PAWL_FLAG_DURATION)
        pawl_times_parse_duration(value, &number);
    else if (value)
        read_count(value, &number);
    return number;
}
