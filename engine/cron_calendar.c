/* cron_calendar.c: reads calendar intervals: "daily N at HH:MM[:SS],...", "weekly N on
 * mon,thu at ...", "monthly N on 1,-1 at ...".
 *
 * Pure. What they are counted from is in the options; weeks begin on Sunday. */
#include "cron_parse.h"

#include <stdlib.h>
#include <string.h>

#define INTERVAL_DIGITS 5

static const struct {
    const char *word;
    enum pawl_cron_kind kind;
} words[] = {
    {"daily", PAWL_CRON_DAILY},
    {"weekly", PAWL_CRON_WEEKLY},
    {"monthly", PAWL_CRON_MONTHLY},
};

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool
take(struct pawl_cron_parse *parse, char c)
{
    if (parse->at == parse->end || parse->text[parse->at] != c)
        return false;
    parse->at++;
    return true;
}

/* Blanks, at least one. */
static bool
take_blanks(struct pawl_cron_parse *parse)
{
    size_t begin = parse->at;

    while (parse->at < parse->end && is_blank(parse->text[parse->at]))
        parse->at++;
    return parse->at > begin;
}

/* A word with blanks on both sides. */
static int
take_word(struct pawl_cron_parse *parse, const char *word)
{
    size_t len = strlen(word);

    if (!take_blanks(parse) || parse->end - parse->at < len ||
        memcmp(parse->text + parse->at, word, len) != 0)
        return pawl_cron_refuse(parse, parse->at, "expected \"%s\"", word);
    parse->at += len;
    if (!take_blanks(parse))
        return pawl_cron_refuse(parse, parse->at, "expected a blank and more behind \"%s\"", word);
    return 0;
}

static int
read_weekday(struct pawl_cron_parse *parse)
{
    int weekday = pawl_cron_weekday_at(parse, parse->at);

    if (weekday < 0)
        return pawl_cron_refuse(
            parse, parse->at, "expected a day of the week: sun, mon, tue, wed, thu, fri or sat");
    parse->out->dow |= (uint8_t) (1u << weekday);
    parse->at += 3;
    return 0;
}

/* 1 to 31, or -1 to -31 from the end of the month. */
static int
read_day(struct pawl_cron_parse *parse)
{
    size_t begin = parse->at;
    bool is_end = take(parse, '-');
    unsigned day;

    if (!pawl_cron_read_number(parse, 2, &day) || day < 1 || day > 31)
        return pawl_cron_refuse(parse, begin,
            "expected a day of the month from 1 to 31, or from -1 (the last) to -31");
    if (is_end)
        parse->out->dom_end |= 1u << day;
    else
        parse->out->dom |= 1u << day;
    return 0;
}

static int
read_time(struct pawl_cron_parse *parse)
{
    struct pawl_cron *out = parse->out;
    unsigned hour, minute, second = 0;
    size_t begin = parse->at;

    if (!pawl_cron_read_number(parse, 2, &hour) || !take(parse, ':') ||
        !pawl_cron_read_number(parse, 2, &minute) ||
        (take(parse, ':') && !pawl_cron_read_number(parse, 2, &second)) || hour > 23 ||
        minute > 59 || second > 59)
        return pawl_cron_refuse(
            parse, begin, "expected a time of day from 00:00 to 23:59:59, such as 09:30");
    if (out->ntimes == PAWL_CRON_TIMES_MAX)
        return pawl_cron_refuse(
            parse, begin, "expected at most %d times of day", PAWL_CRON_TIMES_MAX);
    out->times[out->ntimes++] = hour * 3600 + minute * 60 + second;
    return 0;
}

/* At least one, with commas between them. */
static int
read_list(struct pawl_cron_parse *parse, int (*read_one)(struct pawl_cron_parse *parse))
{
    int code;

    do {
        if ((code = read_one(parse)) != 0)
            return code;
    } while (take(parse, ','));
    return 0;
}

static int
compare_times(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

    return (x > y) - (x < y);
}

/* In order, each once. */
static void
sort_times(struct pawl_cron *cron)
{
    uint32_t n = 0;

    qsort(cron->times, cron->ntimes, sizeof *cron->times, compare_times);
    for (uint32_t i = 0; i < cron->ntimes; i++)
        if (n == 0 || cron->times[i] != cron->times[n - 1])
            cron->times[n++] = cron->times[i];
    cron->ntimes = n;
}

static int
read_parts(struct pawl_cron_parse *parse)
{
    struct pawl_cron *out = parse->out;
    size_t begin;
    int code;

    take_blanks(parse);
    begin = parse->at;
    if (!pawl_cron_read_number(parse, INTERVAL_DIGITS, &out->interval) || out->interval < 1 ||
        out->interval > PAWL_CRON_INTERVAL_MAX)
        return pawl_cron_refuse(parse, begin, "expected how many %s, from 1 to %d",
            out->kind == PAWL_CRON_DAILY    ? "days"
            : out->kind == PAWL_CRON_WEEKLY ? "weeks"
                                            : "months",
            PAWL_CRON_INTERVAL_MAX);
    if (out->kind != PAWL_CRON_DAILY &&
        ((code = take_word(parse, "on")) != 0 ||
            (code = read_list(parse,
                 out->kind == PAWL_CRON_WEEKLY ? read_weekday : read_day)) != 0))
        return code;
    if ((code = take_word(parse, "at")) != 0 || (code = read_list(parse, read_time)) != 0)
        return code;
    if (parse->at < parse->end)
        return pawl_cron_refuse(parse, parse->at, "expected \",\" and another time, or the end");
    sort_times(out);
    return 0;
}

int
pawl_cron_read_calendar(struct pawl_cron_parse *parse, bool *out_is_one)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t len = strlen(words[i].word);

        if (parse->end - parse->at < len ||
            memcmp(parse->text + parse->at, words[i].word, len) != 0 ||
            (parse->end - parse->at > len && !is_blank(parse->text[parse->at + len])))
            continue;
        *out_is_one = true;
        parse->at += len;
        parse->out->kind = words[i].kind;
        parse->out->month = 0x1ffe;
        return read_parts(parse);
    }
    *out_is_one = false;
    return 0;
}
