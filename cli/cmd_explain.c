/* cmd_explain.c: pawl explain: why the next run of a task is when it is. The sentences are the
 * daemon's; warnings of its expressions go to stderr. One thread. */
#include "command.h"

#include <string.h>

#include "fields.h"
#include "glyph.h"
#include "times.h"

static void
add_line(struct pawl_text *out, const char *indent, const char *s, size_t len)
{
    pawl_text_puts(out, indent);
    pawl_glyph_escape(out, s, len, false);
    pawl_text_puts(out, "\n");
}

/* The times behind the next one, which a sentence tells. */
static void
print_times(struct pawl_cli *cli, const json_t *times)
{
    char text[PAWL_TIMES_SIZE];
    const json_t *time;
    size_t i;

    json_array_foreach (times, i, time)
        if (i > 0 && json_is_string(time)) {
            pawl_times_format_sent(json_string_value(time), text);
            pawl_text_puts(&cli->print.out, i == 1 ? "then at " : "        ");
            add_line(&cli->print.out, "", text, strlen(text));
        }
}

static void
print_sentences(struct pawl_cli *cli, const json_t *answer)
{
    const json_t *item;
    size_t i;

    json_array_foreach (json_object_get(answer, "why"), i, item)
        if (json_is_string(item))
            add_line(&cli->print.out, i > 0 ? "  " : "", json_string_value(item),
                json_string_length(item));
    print_times(cli, json_object_get(answer, "next"));
    pawl_print_warnings(answer, "");
}

int
pawl_cmd_explain(struct pawl_cli *cli)
{
    enum pawl_format format = cli->print.format;
    json_t *answer = NULL;
    struct pawl_fail fail;
    int status =
        pawl_command_call(cli, "GET", cli->words[0], "/explain", NULL, &answer, &fail);

    if (status) {
        pawl_print_message("explain %s: %s", cli->words[0], fail.text);
    } else if (format == PAWL_FORMAT_DETAIL || format == PAWL_FORMAT_TABLE ||
               format == PAWL_FORMAT_WIDE) {
        print_sentences(cli, answer);
    } else {
        pawl_print_begin(&cli->print, false);
        pawl_print_task(&cli->print, answer);
        pawl_print_end(&cli->print, NULL);
    }
    json_decref(answer);
    return status;
}
