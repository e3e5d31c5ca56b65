/* crontab.c: reads the lines of a crontab: which is a variable, which an entry, and what of it
 * has another meaning here. Pure, one thread. What a command becomes is crontab_task.c's. */
#include "crontab.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NFIELDS 5
#define DELAY_MAX_MIN (24 * 60)

/* A part of a line. */
struct slice {
    const char *data;
    size_t len;
};

void
pawl_crontab_init(
    struct pawl_crontab *crontab, const char *text, size_t len, bool is_system)
{
    *crontab = (struct pawl_crontab){.text = text, .len = len, .is_system = is_system};
}

void
pawl_crontab_fini(struct pawl_crontab *crontab)
{
    for (size_t i = 0; i < crontab->nvariables; i++) {
        free(crontab->variables[i].name);
        free(crontab->variables[i].value);
    }
    pawl_text_fini(&crontab->timezone);
    *crontab = (struct pawl_crontab){0};
}

static void
reset_line(struct pawl_crontab_line *line)
{
    line->nnotes = 0;
    line->jitter_minutes = 0;
    pawl_text_reset(&line->name);
    pawl_text_reset(&line->schedule);
    pawl_text_reset(&line->user);
    pawl_text_reset(&line->command);
    pawl_text_reset(&line->script);
    pawl_text_reset(&line->timezone);
}

void
pawl_crontab_line_fini(struct pawl_crontab_line *line)
{
    pawl_text_fini(&line->name);
    pawl_text_fini(&line->schedule);
    pawl_text_fini(&line->user);
    pawl_text_fini(&line->command);
    pawl_text_fini(&line->script);
    pawl_text_fini(&line->timezone);
}

static void note(struct pawl_crontab_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
note(struct pawl_crontab_line *line, const char *format, ...)
{
    va_list args;

    if (line->nnotes == PAWL_CRONTAB_NOTES_MAX)
        line->nnotes--; /* the last one counts: it may say why the line is refused */
    va_start(args, format);
    vsnprintf(line->notes[line->nnotes++], sizeof line->notes[0], format, args);
    va_end(args);
}

/* What printf's %.*s wants of a slice: no more than fits a note. */
static int
shown(struct slice s)
{
    return s.len < 60 ? (int) s.len : 60;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void
skip_blanks(struct slice *s)
{
    while (s->len && is_blank(*s->data)) {
        s->data++;
        s->len--;
    }
}

/* Takes n bytes from the front. */
static struct slice
take(struct slice *s, size_t n)
{
    struct slice front = {s->data, n};

    s->data += n;
    s->len -= n;
    return front;
}

/* Takes the next word and the blanks behind it; empty at the end. */
static struct slice
take_word(struct slice *s)
{
    size_t n = 0;

    while (n < s->len && !is_blank(s->data[n]))
        n++;
    struct slice word = take(s, n);
    skip_blanks(s);
    return word;
}

static bool
is_word(struct slice s, const char *word)
{
    return s.len == strlen(word) && memcmp(s.data, word, s.len) == 0;
}

/* --- Variables --- */

/* Takes what stands in quotes, if the slice begins with one; false when they do not end. */
static bool
take_quoted(struct slice *s, struct slice *out, bool *out_is_quoted)
{
    *out_is_quoted = s->len && (*s->data == '\'' || *s->data == '"');
    if (!*out_is_quoted)
        return true;
    const char *end = memchr(s->data + 1, *s->data, s->len - 1);
    if (!end)
        return false;
    *out = take(s, (size_t) (end - s->data));
    out->data++;
    out->len--;
    take(s, 1);
    return true;
}

/* Reads NAME = value as cron does: either may stand in quotes, which are taken off; without
 * them a value ends at its last character that is no blank. False: the line is no such thing. */
static bool
read_variable(struct slice s, struct slice *name, struct slice *value)
{
    bool is_quoted;

    if (!take_quoted(&s, name, &is_quoted) ||
        (is_quoted && memchr(name->data, '=', name->len)))
        return false;
    if (!is_quoted) {
        size_t n = 0;
        while (n < s.len && !is_blank(s.data[n]) && s.data[n] != '=')
            n++;
        *name = take(&s, n);
    }
    skip_blanks(&s);
    if (!s.len || *s.data != '=')
        return false;
    take(&s, 1);
    skip_blanks(&s);
    if (!take_quoted(&s, value, &is_quoted))
        return false;
    if (is_quoted) {
        skip_blanks(&s);
        return !s.len;
    }
    while (s.len && is_blank(s.data[s.len - 1]))
        s.len--;
    *value = s;
    return true;
}

/* Whether a shell can export it. */
static bool
is_identifier(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                (i && c >= '0' && c <= '9')))
            return false;
    }
    return s.len > 0;
}

static char *
copy(struct slice s)
{
    char *out = pawl_text_alloc(s.len + 1, 1);

    return s.len ? memcpy(out, s.data, s.len) : out;
}

static struct pawl_crontab_variable *
find_variable(struct pawl_crontab *crontab, const char *name)
{
    for (size_t i = 0; i < crontab->nvariables; i++)
        if (strcmp(crontab->variables[i].name, name) == 0)
            return &crontab->variables[i];
    return NULL;
}

const char *
pawl_crontab_value(const struct pawl_crontab *crontab, const char *name)
{
    for (size_t i = 0; i < crontab->nvariables; i++)
        if (strcmp(crontab->variables[i].name, name) == 0)
            return crontab->variables[i].value;
    return NULL;
}

/* Keeps a variable for the commands below; false: there are too many. */
static bool
keep_variable(struct pawl_crontab *crontab, const char *name, struct slice value)
{
    struct pawl_crontab_variable *old = find_variable(crontab, name);
    size_t nbytes = crontab->nbytes - (old ? strlen(old->value) : 0) + value.len +
                    (old ? 0 : strlen(name));

    if (nbytes > PAWL_CRONTAB_VARIABLES_BYTES ||
        (!old && crontab->nvariables == PAWL_CRONTAB_VARIABLES_MAX))
        return false;
    crontab->nbytes = nbytes;
    if (!old) {
        old = &crontab->variables[crontab->nvariables++];
        old->name = pawl_text_copy(name);
    }
    free(old->value);
    old->value = copy(value);
    return true;
}

static void
read_delay(struct pawl_crontab *crontab, struct pawl_crontab_line *line, struct slice value)
{
    int64_t minutes = 0;
    size_t i = 0;

    while (i < value.len && i < 5 && value.data[i] >= '0' && value.data[i] <= '9')
        minutes = minutes * 10 + (value.data[i++] - '0');
    if (!i || i < value.len || minutes > DELAY_MAX_MIN) {
        crontab->jitter_minutes = 0;
        note(line, "RANDOM_DELAY is no number of minutes up to %d: ignored, as cron does",
            DELAY_MAX_MIN);
        return;
    }
    crontab->jitter_minutes = minutes;
    if (minutes)
        note(line, "RANDOM_DELAY: each task below has its own delay, by its id");
}

/* The variables that mean something to cron itself. False: the line is refused. */
static bool
set_variable(struct pawl_crontab *crontab, struct pawl_crontab_line *line, struct slice value)
{
    static const char *const without_effect[] = {"MAILTO", "MAILFROM", "CONTENT_TYPE",
        "CONTENT_TRANSFER_ENCODING"};
    const char *name = line->name.data;

    for (size_t i = 0; i < sizeof without_effect / sizeof *without_effect; i++)
        if (strcmp(name, without_effect[i]) == 0) {
            if (value.len)
                note(line, "%s has no effect: pawl sends no mail, it keeps what a run writes",
                    name);
            return true;
        }
    if (strcmp(name, "MLS_LEVEL") == 0 || strcmp(name, "LOGNAME") == 0 ||
        strcmp(name, "USER") == 0) {
        note(line, "%s has no effect: %s", name,
            *name == 'M' ? "pawl knows no security levels" : "cron sets it itself, too");
        return true;
    }
    if (strcmp(name, "CRON_TZ") == 0) {
        pawl_text_reset(&crontab->timezone);
        pawl_text_append(&crontab->timezone, value.data, value.len);
        return true;
    }
    if (strcmp(name, "RANDOM_DELAY") == 0) {
        read_delay(crontab, line, value);
        return true;
    }
    if (strcmp(name, "TZ") == 0)
        note(line, "TZ is the zone of the commands, as in cron; CRON_TZ is that of the schedules");
    if (keep_variable(crontab, name, value)) {
        if (strcmp(name, "SHELL") == 0 && pawl_crontab_has_own_shell(crontab))
            note(line, "the commands below are run by %.*s", shown(value), value.data);
        return true;
    }
    crontab->is_over = true;
    note(line, "more than %d variables or %zu KiB of them", PAWL_CRONTAB_VARIABLES_MAX,
        PAWL_CRONTAB_VARIABLES_BYTES >> 10);
    return false;
}

static bool
take_variable(struct pawl_crontab *crontab, struct pawl_crontab_line *line,
    struct slice name, struct slice value)
{
    pawl_text_append(&line->name, name.data, name.len);
    if (is_identifier(name))
        return set_variable(crontab, line, value);
    crontab->is_over = true;
    note(line, "\"%.*s\" is no name that a shell can export; take it out", shown(name),
        name.data);
    return false;
}

/* --- Schedules --- */

/* A random choice of cron, low~high with either left out: H chooses by the id. */
static bool
add_random(struct pawl_crontab_line *line, size_t field, struct slice item)
{
    static const char *const least[NFIELDS] = {"0", "0", "1", "1", "0"};
    static const char *const most[NFIELDS] = {"59", "23", "31", "12", "6"};
    const char *tilde = memchr(item.data, '~', item.len);
    struct slice low = take(&item, (size_t) (tilde - item.data));
    size_t n = 0;

    take(&item, 1);
    if (memchr(item.data, '~', item.len)) {
        note(line, "two ~ in one range");
        return false;
    }
    while (n < item.len && item.data[n] != '/')
        n++;
    struct slice high = take(&item, n); /* what is left is a step */
    if (!low.len)
        low = (struct slice){least[field], strlen(least[field])};
    if (!high.len)
        high = (struct slice){most[field], strlen(most[field])};
    pawl_text_printf(&line->schedule, "H(%.*s-%.*s)%.*s", (int) low.len, low.data,
        (int) high.len, high.data, (int) item.len, item.data);
    return true;
}

/* Appends one field, with its random choices in the words of pawl. */
static bool
add_field(
    struct pawl_crontab_line *line, size_t field, struct slice s, bool *is_random)
{
    for (;;) {
        size_t n = 0;

        while (n < s.len && s.data[n] != ',')
            n++;
        struct slice item = take(&s, n);
        if (!memchr(item.data, '~', item.len))
            pawl_text_append(&line->schedule, item.data, item.len);
        else if (*is_random = true, !add_random(line, field, item))
            return false;
        if (!s.len)
            return true;
        pawl_text_puts(&line->schedule, ",");
        take(&s, 1);
    }
}

static bool
read_fields(struct pawl_crontab_line *line, struct slice *rest)
{
    bool is_random = false;

    for (size_t i = 0; i < NFIELDS; i++) {
        if (!rest->len) {
            note(line, "no variable (NAME=value) and no entry: it has %zu of five fields", i);
            return false;
        }
        pawl_text_puts(&line->schedule, i ? " " : "");
        if (!add_field(line, i, take_word(rest), &is_random))
            return false;
    }
    if (is_random)
        note(line, "the random ~ is H here, a value that depends on the id and stays");
    if (rest->len && *rest->data == '*') {
        note(line, "six fields: a crontab has five, and no command begins with *");
        return false;
    }
    return true;
}

/* @daily and the like; @every takes a word more. */
static void
read_name(struct pawl_crontab_line *line, struct slice *rest)
{
    struct slice name = take_word(rest);

    pawl_text_append(&line->schedule, name.data, name.len);
    if (is_word(name, "@every")) {
        struct slice span = take_word(rest);
        pawl_text_printf(&line->schedule, " %.*s", (int) span.len, span.data);
    }
    if (is_word(name, "@reboot"))
        note(line, "@reboot is each start of pawld, not only the first one of the machine");
}

/* --- Entries --- */

/* What of the line's command is not as it was. */
static void
note_command(struct pawl_crontab *crontab, struct pawl_crontab_line *line)
{
    if (!crontab->has_said_shell && !pawl_crontab_value(crontab, "SHELL")) {
        crontab->has_said_shell = true;
        note(line, "no SHELL is set: bash runs it, where cron takes /bin/sh; "
                   "SHELL=/bin/sh above it keeps that");
    }
    if (!crontab->is_system && strncmp(line->command.data, "root", 4) == 0 &&
        strchr(" \t", line->command.data[4]))
        note(line, "the command is \"root\"; if that is the user, read it with -system");
}

static bool
read_entry(struct pawl_crontab *crontab, struct pawl_crontab_line *line, struct slice rest)
{
    if (*rest.data == '-') {
        take(&rest, 1);
        skip_blanks(&rest);
        note(line, "the dash in front (no line in the syslog) has no effect");
    }
    if (rest.len && *rest.data == '@')
        read_name(line, &rest);
    else if (!read_fields(line, &rest))
        return false;
    if (crontab->is_system) {
        struct slice user = take_word(&rest);
        pawl_text_append(&line->user, user.data, user.len);
    }
    if (!rest.len) {
        note(line, crontab->is_system && line->user.len
                       ? "the command is missing; without a user column, read it with -user"
                       : "the command is missing");
        return false;
    }
    if (crontab->is_over) {
        note(line, "a variable above it could not be taken over");
        return false;
    }
    pawl_text_append(&line->command, rest.data, rest.len);
    pawl_text_append(
        &line->timezone, crontab->timezone.data, crontab->timezone.len);
    line->jitter_minutes = crontab->jitter_minutes;
    note_command(crontab, line);
    pawl_crontab_script(crontab, rest.data, rest.len, &line->script);
    return true;
}

static void
read_line(struct pawl_crontab *crontab, struct pawl_crontab_line *line, struct slice s)
{
    struct slice name, value;

    line->kind = PAWL_CRONTAB_BROKEN;
    if (s.len > PAWL_CRONTAB_LINE_MAX)
        note(line, "a line of more than %zu KiB", PAWL_CRONTAB_LINE_MAX >> 10);
    else if (memchr(s.data, '\0', s.len))
        note(line, "a NUL, which no crontab has");
    else if (read_variable(s, &name, &value))
        line->kind = take_variable(crontab, line, name, value) ? PAWL_CRONTAB_VARIABLE
                                                               : PAWL_CRONTAB_BROKEN;
    else if (read_entry(crontab, line, s))
        line->kind = PAWL_CRONTAB_ENTRY;
}

/* Takes the next line off the text, and the blanks in front of it. */
static struct slice
take_line(struct pawl_crontab *crontab, bool *out_has_end)
{
    struct slice s = {crontab->text + crontab->at, crontab->len - crontab->at};
    const char *end = memchr(s.data, '\n', s.len);

    *out_has_end = end != NULL;
    if (end)
        s.len = (size_t) (end - s.data);
    crontab->at += s.len + (end != NULL);
    crontab->number++;
    skip_blanks(&s);
    return s;
}

bool
pawl_crontab_next(struct pawl_crontab *crontab, struct pawl_crontab_line *line)
{
    while (crontab->at < crontab->len) {
        bool has_end, has_return = false;
        struct slice s = take_line(crontab, &has_end);

        for (; s.len && s.data[s.len - 1] == '\r'; s.len--)
            has_return = true;
        if (!s.len || *s.data == '#')
            continue;
        reset_line(line);
        line->number = crontab->number;
        if (has_return && !crontab->has_said_return) {
            crontab->has_said_return = true;
            note(line, "lines end with CR LF: the CR is left out");
        }
        if (!has_end)
            note(line, "the last line has no end: cron would not run it");
        read_line(crontab, line, s);
        return true;
    }
    return false;
}
