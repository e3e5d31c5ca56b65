/* cron_parse.c: from the text of an expression to a struct pawl_cron: the zone in front of it,
 * @names, which fields there are, and what they mean together.
 *
 * Pure but for the zones. Total: any bytes give a value or a position and what was expected there,
 * in time that is linear in the length. */
#include "cron_parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "calendar.h"
#include "duration.h"
#include "err.h"

#define SECOND_NS INT64_C(1000000000)
#define START_MAX_S INT64_C(300000000000)

static const struct {
    const char *name, *fields;
} descriptors[] = {
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

int
pawl_cron_refuse(struct pawl_cron_parse *parse, size_t at, const char *format, ...)
{
    char words[200];
    va_list args;

    if (parse->notes != NULL)
        parse->notes->position = at + 1;
    if (parse->err == NULL)
        return PAWL_EINVAL;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    return pawl_err_set(parse->err, PAWL_EINVAL, "expr", "position %zu: %s", at + 1, words);
}

void
pawl_cron_warn(struct pawl_cron_parse *parse, const char *format, ...)
{
    struct pawl_cron_notes *notes = parse->notes;
    va_list args;

    if (notes == NULL || notes->nwarnings == PAWL_CRON_WARNINGS_MAX)
        return;
    va_start(args, format);
    vsnprintf(notes->warnings[notes->nwarnings++], sizeof notes->warnings[0], format, args);
    va_end(args);
}

bool
pawl_cron_read_number(struct pawl_cron_parse *parse, int ndigits_max, unsigned *out)
{
    unsigned value = 0;
    int n = 0;

    for (; parse->at < parse->end; parse->at++, n++) {
        char c = parse->text[parse->at];

        if (c < '0' || c > '9')
            break;
        if (n == ndigits_max)
            return false;
        value = value * 10 + (unsigned) (c - '0');
    }
    *out = value;
    return n > 0;
}

static void
skip_blanks(struct pawl_cron_parse *parse)
{
    while (parse->at < parse->end && is_blank(parse->text[parse->at]))
        parse->at++;
}

static bool
take_text(struct pawl_cron_parse *parse, const char *text)
{
    size_t len = strlen(text);

    if (parse->end - parse->at < len || memcmp(parse->text + parse->at, text, len) != 0)
        return false;
    parse->at += len;
    return true;
}

/* "TZ=Zone " or "CRON_TZ=Zone " in front. */
static int
read_zone(struct pawl_cron_parse *parse)
{
    size_t begin;
    int code;

    if (!take_text(parse, "TZ=") && !take_text(parse, "CRON_TZ="))
        return 0;
    begin = parse->at;
    while (parse->at < parse->end && !is_blank(parse->text[parse->at]))
        parse->at++;
    if (parse->at == begin)
        return pawl_cron_refuse(parse, begin, "expected a time zone, such as Europe/Berlin");
    code = pawl_zone_load(
        parse->text + begin, parse->at - begin, &parse->out->zone, parse->err);
    if (code != 0 && parse->notes != NULL)
        parse->notes->position = begin + 1;
    if (code == 0)
        skip_blanks(parse);
    return code;
}

/* Behind "@every": a blank and a duration as Go writes it. */
static int
read_every(struct pawl_cron_parse *parse)
{
    struct pawl_err why;
    int64_t ns;
    size_t begin = parse->at;

    skip_blanks(parse);
    if (parse->at == begin || parse->at == parse->end)
        return pawl_cron_refuse(
            parse, begin, "expected a blank and a duration such as 90s or 1h30m behind @every");
    if (pawl_duration_parse(
            parse->text + parse->at, parse->end - parse->at, &ns, &why) != PAWL_OK)
        return pawl_cron_refuse(parse, parse->at, "%.150s", why.text);
    parse->out->kind = PAWL_CRON_EVERY;
    parse->out->every_s = ns < SECOND_NS ? 1 : ns / SECOND_NS;
    if (ns < SECOND_NS)
        pawl_cron_warn(parse, "@every is a second or more: this fires every second");
    else if (ns % SECOND_NS != 0)
        pawl_cron_warn(parse, "@every is whole seconds: the fraction is left out");
    return 0;
}

/* What the fields that were read mean together. */
static void
combine(struct pawl_cron_parse *parse)
{
    struct pawl_cron *out = parse->out;
    const struct pawl_cron_field *f = parse->fields;
    const struct pawl_cron_field *dom = &f[PAWL_FIELD_DOM], *dow = &f[PAWL_FIELD_DOW];

    out->second = f[PAWL_FIELD_SECOND].bits[0];
    out->minute = f[PAWL_FIELD_MINUTE].bits[0];
    out->hour = (uint32_t) f[PAWL_FIELD_HOUR].bits[0];
    out->dom = (uint32_t) (dom->bits[0] << 1);
    out->month = (uint16_t) (f[PAWL_FIELD_MONTH].bits[0] << 1);
    out->dow = (uint8_t) dow->bits[0];
    memcpy(out->year, f[PAWL_FIELD_YEAR].bits, sizeof out->year);
    out->is_wild = f[PAWL_FIELD_MINUTE].begins_star || f[PAWL_FIELD_HOUR].begins_star;
    if (parse->options->day_match == PAWL_CRON_VIXIE)
        out->is_day_and |= dom->begins_star || dow->begins_star;
    else
        out->is_day_and |= dom->has_star || dow->has_star;
}

/* What is legal but surely not meant. */
static void
warn(struct pawl_cron_parse *parse)
{
    const struct pawl_cron_field *f = parse->fields;
    bool has_days = !f[PAWL_FIELD_DOM].has_star && !f[PAWL_FIELD_DOW].has_star;

    if (parse->out->nfields == 6 && f[PAWL_FIELD_SECOND].is_number &&
        (f[PAWL_FIELD_SECOND].bits[0] & 1) == 0 && f[PAWL_FIELD_MINUTE].has_star &&
        f[PAWL_FIELD_HOUR].has_star)
        pawl_cron_warn(parse, "six fields: the first is the second, so this fires every minute; "
            "leave one out if it was meant as the minute");
    if (parse->out->nfields == 5 && f[PAWL_FIELD_MINUTE].has_star && f[PAWL_FIELD_HOUR].is_number)
        pawl_cron_warn(parse,
            "the minute is *: this fires sixty times in that hour; once would be 0 in front");
    if (has_days && !parse->out->is_day_and)
        pawl_cron_warn(parse, "both day fields are restricted, and either is enough; "
            "put + before the day of the week if both are meant");
    if (parse->has_hash && parse->options->id_len == 0)
        pawl_cron_warn(parse, "H depends on the id of the task, and none is given");
}

static int
read_fields(struct pawl_cron_parse *parse)
{
    size_t begins[PAWL_NFIELDS], ends[PAWL_NFIELDS], n = 0;
    int code;

    for (size_t at = parse->at; at < parse->end; n++) {
        if (n == PAWL_NFIELDS)
            return pawl_cron_refuse(parse, at,
                "expected the end: seconds, five fields and a year are the most");
        begins[n] = at;
        while (at < parse->end && !is_blank(parse->text[at]))
            at++;
        ends[n] = at;
        while (at < parse->end && is_blank(parse->text[at]))
            at++;
    }
    /* What is wrong in a field says more than how many there are. */
    size_t first = n > 5 ? PAWL_FIELD_SECOND : PAWL_FIELD_MINUTE;

    for (size_t i = 0; i < n; i++) {
        enum pawl_cron_field_index index = (enum pawl_cron_field_index) (first + i);

        if (index == PAWL_FIELD_DOW && parse->text[begins[i]] == '+') {
            parse->out->is_day_and = true;
            begins[i]++;
            if (begins[i] == ends[i])
                return pawl_cron_refuse(parse, begins[i], "expected days of the week behind +");
        }
        if ((code = pawl_cron_read_field(parse, index, begins[i], ends[i])) != 0)
            return code;
    }
    if (n < 5)
        return pawl_cron_refuse(parse, parse->end,
            "expected five fields (minute, hour, day of the month, month, day of the week), "
            "six with seconds in front, seven with a year at the end; there %s %zu",
            n == 1 ? "is" : "are", n);
    if (n == 5)
        parse->fields[PAWL_FIELD_SECOND].bits[0] = 1;
    parse->out->nfields = (uint8_t) n;
    parse->out->has_years = n == 7 && !parse->fields[PAWL_FIELD_YEAR].has_star;
    combine(parse);
    warn(parse);
    return 0;
}

static int
read_descriptor(struct pawl_cron_parse *parse)
{
    size_t begin = parse->at, len = 0;

    if (take_text(parse, "@every"))
        return read_every(parse);
    while (begin + len < parse->end && !is_blank(parse->text[begin + len]))
        len++;
    if (len == parse->end - begin) {
        if (len == 7 && memcmp(parse->text + begin, "@reboot", 7) == 0) {
            parse->out->kind = PAWL_CRON_REBOOT;
            return 0;
        }
        for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
            if (strlen(descriptors[i].name) == len &&
                memcmp(descriptors[i].name, parse->text + begin, len) == 0) {
                parse->text = descriptors[i].fields;
                parse->at = 0;
                parse->end = strlen(parse->text);
                return read_fields(parse);
            }
    }
    return pawl_cron_refuse(parse, begin,
        "expected @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @reboot "
        "or @every and a duration, in small letters");
}

static int
read_all(struct pawl_cron_parse *parse)
{
    bool is_calendar = false;
    int code;

    if (parse->end > PAWL_CRON_LENGTH_MAX)
        return pawl_cron_refuse(parse, PAWL_CRON_LENGTH_MAX,
            "expected the end: an expression has at most %d bytes", PAWL_CRON_LENGTH_MAX);
    while (parse->end > 0 && is_blank(parse->text[parse->end - 1]))
        parse->end--;
    skip_blanks(parse);
    if ((code = read_zone(parse)) != 0)
        return code;
    if (parse->at == parse->end)
        return pawl_cron_refuse(parse, parse->at,
            "expected five fields such as \"0 9 * * mon-fri\", @daily, or daily 1 at 09:00");
    if (parse->text[parse->at] == '@')
        return read_descriptor(parse);
    code = pawl_cron_read_calendar(parse, &is_calendar);
    return is_calendar ? code : read_fields(parse);
}

int
pawl_cron_parse(struct pawl_cron *out_cron, const char *text, size_t len,
                const struct pawl_cron_options *options, struct pawl_cron_notes *notes,
                struct pawl_err *err)
{
    static const struct pawl_cron_options defaults;
    struct pawl_cron cron = {.kind = PAWL_CRON_FIELDS};
    struct pawl_zone_span span;
    struct pawl_cron_parse parse = {.text = text, .end = len, .out = &cron, .notes = notes,
        .err = err, .options = options != NULL ? options : &defaults};
    int code;

    if (notes != NULL) {
        notes->position = 0;
        notes->nwarnings = 0;
    }
    cron.zone = parse.options->zone != NULL ? parse.options->zone : pawl_zone_utc();
    cron.dst = parse.options->dst;
    cron.start_s = parse.options->start_s;
    if (cron.start_s > START_MAX_S || cron.start_s < -START_MAX_S)
        return pawl_err_set(err, PAWL_EINVAL, "start", "the start must be a year before 10000");
    if ((code = read_all(&parse)) != 0)
        return code;
    pawl_zone_at(cron.zone, cron.start_s, &span);
    cron.start_day = pawl_calendar_floor(cron.start_s + span.offset_s, PAWL_DAY_S);
    *out_cron = cron;
    return 0;
}

static int
find_word(const char *const *words, int n, const char *name, size_t len)
{
    for (int i = 0; i < n; i++)
        if (strlen(words[i]) == len && memcmp(words[i], name, len) == 0)
            return i;
    return -1;
}

bool
pawl_cron_dst_named(const char *name, size_t len, enum pawl_cron_dst *out)
{
    static const char *const words[] = {"run-after", "once", "twice", "shift"};
    int found = find_word(words, 4, name, len);

    if (found >= 0)
        *out = (enum pawl_cron_dst) found;
    return found >= 0;
}

bool
pawl_cron_day_match_named(const char *name, size_t len, enum pawl_cron_day_match *out)
{
    static const char *const words[] = {"or", "vixie"};
    int found = find_word(words, 2, name, len);

    if (found >= 0)
        *out = (enum pawl_cron_day_match) found;
    return found >= 0;
}
