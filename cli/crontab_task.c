/* crontab_task.c: what an entry of a crontab becomes: the script that bash runs as cron would
 * have run the command, and an id. Pure, one thread. */
#include "crontab.h"

#include <string.h>

#define SLUG_MAX 24 /* characters of an id that come from the command */

/* Appends text so that a shell reads it as one word. */
static void
add_quoted(struct pawl_text *out, const char *s, size_t len)
{
    pawl_text_puts(out, "'");
    for (size_t i = 0; i < len;) {
        const char *quote = memchr(s + i, '\'', len - i);
        size_t n = quote ? (size_t) (quote - (s + i)) : len - i;

        pawl_text_append(out, s + i, n);
        pawl_text_puts(out, quote ? "'\\''" : "");
        i += n + (quote != NULL);
    }
    pawl_text_puts(out, "'");
}

static bool
is_bash(const char *shell)
{
    const char *name = strrchr(shell, '/');

    return strcmp(name ? name + 1 : shell, "bash") == 0;
}

bool
pawl_crontab_has_own_shell(const struct pawl_crontab *crontab)
{
    const char *shell = pawl_crontab_value(crontab, "SHELL");

    /* BASH_ENV is read when a bash starts: the one that has read the script is too old. */
    return shell && *shell &&
           (!is_bash(shell) || pawl_crontab_value(crontab, "BASH_ENV"));
}

/* Appends the command up to its first % without a backslash, "\%" as "%". Returns how many
 * bytes that took, the % included. */
static size_t
add_command(struct pawl_text *out, const char *s, size_t len)
{
    size_t begin = 0;

    for (size_t i = 0; i < len; i++)
        if (s[i] == '%') {
            pawl_text_append(out, s + begin, i - begin);
            return i + 1;
        } else if (s[i] == '\\' && i + 1 < len) {
            if (s[++i] == '%') {
                pawl_text_append(out, s + begin, i - 1 - begin);
                begin = i;
            }
        }
    pawl_text_append(out, s + begin, len - begin);
    return len;
}

/* Appends what cron writes to the command's stdin: "%" is a newline, "\%" is "%", and the last
 * line ends. Unlike in the command, a backslash before a backslash does not spare it. */
static void
add_input(struct pawl_text *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\\' && i + 1 < len && s[i + 1] == '%')
            pawl_text_append(out, &s[++i], 1);
        else
            pawl_text_append(out, s[i] == '%' ? "\n" : &s[i], 1);
    }
    if (out->len && out->data[out->len - 1] != '\n')
        pawl_text_puts(out, "\n");
}

/* Appends a word that is no line of the input: END and one underscore more than any line has
 * that consists of END and underscores. */
static void
add_mark(struct pawl_text *out, const struct pawl_text *input)
{
    size_t most = 0;

    for (const char *line = input->data; *line; line = strchr(line, '\n') + 1) {
        size_t n = strncmp(line, "END", 3) == 0 ? strspn(line + 3, "_") : 0;
        if (strncmp(line, "END", 3) == 0 && line[3 + n] == '\n' && n + 1 > most)
            most = n + 1;
    }
    pawl_text_puts(out, "END");
    while (most--)
        pawl_text_puts(out, "_");
}

/* Makes the input the stdin of all that follows in the script. */
static void
add_here_document(struct pawl_text *out, const struct pawl_text *input)
{
    struct pawl_text mark = {0};

    add_mark(&mark, input);
    pawl_text_printf(out, "exec <<'%s'\n", mark.data);
    pawl_text_append(out, input->data, input->len);
    pawl_text_printf(out, "%s\n", mark.data);
    pawl_text_fini(&mark);
}

void
pawl_crontab_script(
    const struct pawl_crontab *crontab, const char *command, size_t len, struct pawl_text *out)
{
    struct pawl_text text = {0}, input = {0};
    const char *shell = pawl_crontab_value(crontab, "SHELL");
    size_t used = add_command(&text, command, len);

    add_input(&input, command + used, len - used);
    for (size_t i = 0; i < crontab->nvariables; i++) {
        const struct pawl_crontab_variable *v = &crontab->variables[i];

        pawl_text_printf(out, "export %s=", v->name);
        add_quoted(out, v->value, strlen(v->value));
        pawl_text_puts(out, "\n");
    }
    pawl_text_puts(out, "cd ~ || exit\n");
    if (input.len)
        add_here_document(out, &input);
    if (pawl_crontab_has_own_shell(crontab)) {
        pawl_text_puts(out, "exec ");
        add_quoted(out, shell, strlen(shell));
        pawl_text_puts(out, " -c ");
        add_quoted(out, text.data, text.len);
    } else {
        pawl_text_append(out, text.data, text.len);
    }
    pawl_text_puts(out, "\n");
    pawl_text_fini(&text);
    pawl_text_fini(&input);
}

static bool
is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '_';
}

/* Appends the words of a command without their directories, with a dash for all that is no
 * plain character. */
static void
add_slug(struct pawl_text *out, const struct pawl_text *command)
{
    size_t begin = out->len, word = out->len;

    for (size_t i = 0; i < command->len && out->len - begin < SLUG_MAX; i++) {
        char c = command->data[i];

        if (c == '/') { /* what stood before it in the word was a directory */
            out->len = word;
        } else if (is_plain(c)) {
            pawl_text_append(out, &c, 1);
        } else {
            if (out->len > begin && out->data[out->len - 1] != '-')
                pawl_text_puts(out, "-");
            if (c == ' ' || c == '\t')
                word = out->len;
        }
    }
    if (out->len > begin && out->data[out->len - 1] != '-')
        pawl_text_puts(out, "-");
}

/* FNV-1a; a NUL ends each part. */
static uint64_t
hash(uint64_t h, const char *s, size_t len)
{
    for (size_t i = 0; i <= len; i++)
        h = (h ^ (i < len ? (unsigned char) s[i] : 0)) * UINT64_C(0x100000001b3);
    return h;
}

void
pawl_crontab_id(const struct pawl_crontab_line *line, unsigned nth, struct pawl_text *out)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    h = hash(h, line->schedule.data, line->schedule.len);
    h = hash(h, line->command.data, line->command.len);
    for (; nth; nth >>= 8)
        h = hash(h, &(char){(char) (nth & 0xff)}, 1);
    add_slug(out, &line->command);
    pawl_text_printf(out, "%08x", (unsigned) (h ^ h >> 32));
}
