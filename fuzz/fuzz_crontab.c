/* fuzz_crontab.c: any bytes as a crontab: each line is read, its script and its id are made, and
 * what comes out must hold together. The first byte chooses whether it has a column of users, the
 * rest is the crontab.
 *
 *     ./dev fuzz crontab 60 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cron.h"
#include "crontab.h"

#define SCRIPT_MAX ((size_t) 1 << 20)

static void
check(int is_true)
{
    if (!is_true)
        abort();
}

static void
check_same(const struct pawl_text *a, const struct pawl_text *b)
{
    check(a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
}

/* An entry is the same when it is written again, with a dash in front so that it is no variable. */
static void
check_again(const struct pawl_crontab_line *line)
{
    struct pawl_crontab crontab;
    struct pawl_crontab_line again = {0};
    struct pawl_text text = {0}, id = {0}, id_again = {0};

    pawl_text_printf(&text, "- %s %s\n", line->schedule.data, line->command.data);
    pawl_crontab_init(&crontab, text.data, text.len, false);
    check(pawl_crontab_next(&crontab, &again) && again.kind == PAWL_CRONTAB_ENTRY);
    check_same(&again.schedule, &line->schedule);
    check_same(&again.command, &line->command);
    pawl_crontab_id(line, 3, &id);
    pawl_crontab_id(&again, 3, &id_again);
    check_same(&id, &id_again);
    check(id.len <= 33 && !pawl_crontab_next(&crontab, &again));
    pawl_crontab_line_fini(&again);
    pawl_crontab_fini(&crontab);
    pawl_text_fini(&text);
    pawl_text_fini(&id);
    pawl_text_fini(&id_again);
}

static void
check_entry(const struct pawl_crontab_line *line)
{
    struct pawl_cron_options options = {.id = "id", .id_len = 2, .day_match = PAWL_CRON_VIXIE};
    struct pawl_cron cron;

    check(line->command.len > 0 && strlen(line->command.data) == line->command.len);
    check(!strchr(line->schedule.data, '\n'));
    check(line->schedule.data[0] == '@' || !strchr(line->schedule.data, '~'));
    check(strlen(line->script.data) == line->script.len && line->script.len <= SCRIPT_MAX);
    check(line->script.data[line->script.len - 1] == '\n');
    check(line->jitter_minutes >= 0 && line->jitter_minutes <= 1440);
    pawl_cron_parse(
        &cron, line->schedule.data, line->schedule.len, &options, NULL, NULL);
    if (!line->user.len && line->schedule.data[0] != '=')
        check_again(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pawl_crontab crontab;
    struct pawl_crontab_line line = {0};
    size_t number = 0;

    if (size == 0)
        return 0;
    pawl_crontab_init(&crontab, (const char *) data + 1, size - 1, data[0] & 1);
    while (pawl_crontab_next(&crontab, &line)) {
        check(line.number > number && line.number < size);
        number = line.number;
        check(line.nnotes <= PAWL_CRONTAB_NOTES_MAX);
        check(line.nnotes > 0 || line.kind != PAWL_CRONTAB_BROKEN);
        if (line.kind == PAWL_CRONTAB_ENTRY)
            check_entry(&line);
    }
    pawl_crontab_line_fini(&line);
    pawl_crontab_fini(&crontab);
    return 0;
}
