/* log.c: see log.h. A line is put together on the stack: no memory, no stdio, no lock. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define MESSAGE_MAX_BYTES 2048

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

static const char *const level_words[] = {"ERROR", "WARN", "INFO", "DEBUG"};
static const char *const level_keys[] = {"error", "warn", "info", "debug"};

/* Room for the end of a line is always kept: a quote, a brace and a newline. */
static void
put(struct line *line, const char *text, size_t len)
{
    size_t room = sizeof line->text - 4 - line->len;

    if (len > room)
        len = room;
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void
put_str(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Escaped as in JSON, which also keeps a text line one line. */
static void
put_escaped(struct line *line, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char) *text;
        char code[8];

        if (c == '\n') {
            put_str(line, "\\n");
        } else if (quotes && (c == '"' || c == '\\')) {
            put(line, (char[]){'\\', (char) c}, 2);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(code, sizeof code, "\\u%04x", c);
            put_str(line, code);
        } else {
            put(line, text, 1);
        }
    }
}

static void
put_time(struct line *line)
{
    struct timespec now;
    struct tm tm;
    char text[48];
    size_t len;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    put(line, text, len);
    snprintf(text, sizeof text, ".%03ldZ", now.tv_nsec / 1000000);
    put_str(line, text);
}

static void
put_as_json(struct line *line, enum pawl_log_level level, const char *message,
            const struct pawl_log_field *fields, size_t nfields)
{
    put_str(line, "{\"time\":\"");
    put_time(line);
    put_str(line, "\",\"level\":\"");
    put_str(line, level_keys[level]);
    put_str(line, "\",\"message\":\"");
    put_escaped(line, message, true);
    put_str(line, "\"");
    for (size_t i = 0; i < nfields; i++) {
        const char *quote = fields[i].is_number ? "" : "\"";

        put_str(line, ",\"");
        put_str(line, fields[i].name);
        put_str(line, "\":");
        put_str(line, quote);
        put_escaped(line, fields[i].text, true);
        put_str(line, quote);
    }
    memcpy(line->text + line->len, "}", 1);
    line->len += 1;
}

static void
put_as_text(struct line *line, enum pawl_log_level level, const char *message,
            const struct pawl_log_field *fields, size_t nfields)
{
    put_time(line);
    put_str(line, " ");
    put_str(line, level_words[level]);
    put(line, "      ", 6 - strlen(level_words[level]));
    put_escaped(line, message, false);
    for (size_t i = 0; i < nfields; i++) {
        bool quoted = fields[i].text[strcspn(fields[i].text, " \"=\\")] != '\0';

        put_str(line, " ");
        put_str(line, fields[i].name);
        put_str(line, quoted ? "=\"" : "=");
        put_escaped(line, fields[i].text, quoted);
        put_str(line, quoted ? "\"" : "");
    }
}

void
pawl_log_write(const struct pawl_log *log, enum pawl_log_level level,
    const struct pawl_log_field *fields, size_t nfields, const char *format, ...)
{
    char message[MESSAGE_MAX_BYTES];
    struct line line;
    va_list args;

    if (!pawl_log_has(log, level))
        return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    line.len = 0;
    if (log->json)
        put_as_json(&line, level, message, fields, nfields);
    else
        put_as_text(&line, level, message, fields, nfields);
    line.text[line.len++] = '\n';
    /* A log that cannot be written is no reason to stop: there is nobody left to tell. */
    if (write(log->fd, line.text, line.len) < 0)
        return;
}
