/* cron_field.c: one field of a cron expression: lists, ranges, steps, names, and the letters
 * L, W, # and H.
 *
 * Pure. A field is read from left to right by parse->at; every path moves on or refuses. */
#include "cron_parse.h"

#include <string.h>
#include <strings.h>
#include <xxhash.h>

#include "utf8.h"

#define STEP_DIGITS 6
#define QUOTED_CHARS 16         /* of what is refused */

static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
static const char weekdays[] = "sunmontuewedthufrisat";

static const struct rule {
    const char *name;       /* with its article */
    unsigned min, max;
    unsigned wrap;          /* how many values a reversed range wraps round, 0: it may not */
    const char *names;      /* three letters each, from first_name on */
    unsigned first_name;
} rules[PAWL_NFIELDS] = {
    {"a second", 0, 59, 60, NULL, 0},
    {"a minute", 0, 59, 60, NULL, 0},
    {"an hour", 0, 23, 24, NULL, 0},
    {"a day of the month", 1, 31, 31, NULL, 0},
    {"a month", 1, 12, 12, months, 1},
    {"a day of the week", 0, 7, 7, weekdays, 0},
    {"a year", PAWL_CRON_YEAR_MIN, PAWL_CRON_YEAR_MAX, 0, NULL, 0},
};

/* The field being read. */
struct reader {
    struct pawl_cron_parse *parse;
    enum pawl_cron_field_index index;
    const struct rule *rule;
    struct pawl_cron_field *field;
    size_t end;
};

/* The next character, 0 at the end of the field. */
static char
peek(const struct reader *in)
{
    return in->parse->at < in->end ? in->parse->text[in->parse->at] : '\0';
}

static bool
take(struct reader *in, char letter)
{
    char c = peek(in);

    if (c == '\0' || (c != letter && !(letter >= 'A' && letter <= 'Z' && c == letter + 32)))
        return false;
    in->parse->at++;
    return true;
}

static int
find_name(const char *names, const char *text)
{
    for (int i = 0; names[3 * i] != '\0'; i++)
        if (strncasecmp(names + 3 * i, text, 3) == 0)
            return i;
    return -1;
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int
pawl_cron_weekday_at(const struct pawl_cron_parse *parse, size_t at)
{
    return parse->end - at < 3 ? -1 : find_name(weekdays, parse->text + at);
}

/* How many bytes from an offset on a message may quote: so many characters of the field. */
static int
quote_len(const struct reader *in, size_t at, int nchars)
{
    size_t to = at, len;
    unsigned point;

    for (; nchars > 0 && to < in->end; nchars--) {
        len = pawl_utf8_next(in->parse->text + to, in->end - to, &point);
        to += len > 0 ? len : 1;
    }
    return (int) (to - at);
}

static int
refuse_value(struct reader *in, size_t at)
{
    const struct rule *rule = in->rule;
    const char *names = rule->names == months     ? " or jan to dec"
                        : rule->names == weekdays ? " or sun to sat"
                                                  : "";

    if (at >= in->end)
        return pawl_cron_refuse(in->parse, at, "expected %s from %u to %u%s", rule->name,
            rule->min, rule->max, names);
    return pawl_cron_refuse(in->parse, at, "expected %s from %u to %u%s, not \"%.*s\"",
        rule->name, rule->min, rule->max, names, quote_len(in, at, QUOTED_CHARS),
        in->parse->text + at);
}

/* A number or a name. */
static int
read_value(struct reader *in, unsigned *out)
{
    const struct rule *rule = in->rule;
    size_t at = in->parse->at;

    if (rule->names != NULL && in->end - at >= 3 && is_letter(peek(in))) {
        int number = find_name(rule->names, in->parse->text + at);

        if (number < 0)
            return refuse_value(in, at);
        *out = rule->first_name + (unsigned) number;
        in->parse->at += 3;
        return 0;
    }
    if (!pawl_cron_read_number(in->parse, STEP_DIGITS, out) || *out < rule->min ||
        *out > rule->max)
        return refuse_value(in, at);
    return 0;
}

/* "/n", or nothing: 0. span is how many values it steps through. */
static int
read_step(struct reader *in, unsigned span, unsigned *out)
{
    size_t at = in->parse->at + 1;

    *out = 0;
    if (!take(in, '/'))
        return 0;
    if (!pawl_cron_read_number(in->parse, STEP_DIGITS, out) || *out == 0)
        return pawl_cron_refuse(
            in->parse, at, "expected a step of 1 or more behind \"/\", at most six digits");
    if (*out >= span && span > 1)
        pawl_cron_warn(in->parse,
            "the step /%u at position %zu passes the end of the field: it stands for one value",
            *out, at);
    return 0;
}

static void
set(struct reader *in, unsigned value)
{
    if (in->index == PAWL_FIELD_DOW)
        value %= 7;
    value -= in->rule->min;
    in->field->bits[value / 64] |= UINT64_C(1) << value % 64;
}

/* first to last in steps; a reversed range goes round. */
static void
set_range(struct reader *in, unsigned first, unsigned last, unsigned step)
{
    const struct rule *rule = in->rule;

    if (first > last)
        last += rule->wrap;
    for (unsigned value = first; value <= last; value += step > 0 ? step : 1)
        set(in, rule->wrap > 0 ? rule->min + (value - rule->min) % rule->wrap : value);
}

/* The last value that a star or an open step goes to: a week ends on Saturday. */
static unsigned
top_of(const struct reader *in)
{
    return in->index == PAWL_FIELD_DOW ? 6 : in->rule->max;
}

/* Behind "H": "(a-b)", "/n", both or none. */
static int
read_hash(struct reader *in)
{
    const struct pawl_cron_options *options = in->parse->options;
    unsigned first = in->rule->min, last = in->index == PAWL_FIELD_DOM ? 28 : top_of(in);
    size_t at = in->parse->at;
    bool has_range = take(in, '(');
    unsigned step;
    int code;

    if (in->index == PAWL_FIELD_YEAR)
        return refuse_value(in, at - 1);
    if (has_range) {
        if ((code = read_value(in, &first)) != 0)
            return code;
        if (!take(in, '-'))
            return pawl_cron_refuse(in->parse, in->parse->at, "expected \"-\": H(0-29)");
        if ((code = read_value(in, &last)) != 0)
            return code;
        if (!take(in, ')'))
            return pawl_cron_refuse(in->parse, in->parse->at, "expected \")\": H(0-29)");
        if (in->index == PAWL_FIELD_DOW && first == 7)
            first = 0, last %= 7;
        if (first == 0 && last > top_of(in))
            last = top_of(in);      /* a week, from Sunday to Sunday */
        if (first > last)
            return pawl_cron_refuse(
                in->parse, at + 1, "expected a range that goes up behind H, such as H(0-29)");
    }
    if ((code = read_step(in, last - first + 1, &step)) != 0)
        return code;

    uint64_t hash = XXH64(options->id_len > 0 ? options->id : "", options->id_len, in->index);
    unsigned span = last - first + 1;

    in->parse->has_hash = true;
    if (step == 0)
        set(in, first + (unsigned) (hash % span));
    else
        set_range(in, first + (unsigned) (hash % (step < span ? step : span)), last, step);
    return 0;
}

/* Behind "L" of the days of the month: LW, L-n (n days before the last), or L alone. */
static int
read_last_day(struct reader *in)
{
    unsigned before = 0;
    size_t at;

    if (take(in, 'W')) {
        in->parse->out->last_weekday = true;
        return 0;
    }
    if (take(in, '-')) {
        at = in->parse->at;
        if (!pawl_cron_read_number(in->parse, 2, &before) || before < 1 || before > 30)
            return pawl_cron_refuse(
                in->parse, at, "expected how many days before the last, 1 to 30, behind \"L-\"");
    }
    in->parse->out->dom_end |= 1u << (1 + before);
    return 0;
}

/* Behind a value: W, L or #; *out_is_one says whether it was one of them. */
static int
read_suffix(struct reader *in, unsigned value, bool *out_is_one)
{
    struct pawl_cron *out = in->parse->out;
    unsigned nth;
    size_t at;

    *out_is_one = true;
    if (in->index == PAWL_FIELD_DOM && take(in, 'W')) {
        out->nearest |= 1u << value;
        return 0;
    }
    if (in->index == PAWL_FIELD_DOW && take(in, 'L')) {
        out->last_dow |= (uint8_t) (1u << value % 7);
        return 0;
    }
    if (in->index == PAWL_FIELD_DOW && take(in, '#')) {
        if (take(in, 'L')) {
            out->last_dow |= (uint8_t) (1u << value % 7);
            return 0;
        }
        at = in->parse->at;
        if (!pawl_cron_read_number(in->parse, 1, &nth) || nth < 1 || nth > 5)
            return pawl_cron_refuse(
                in->parse, at, "expected which of the month, 1 to 5 or L, behind \"#\"");
        out->nth_dow[nth - 1] |= (uint8_t) (1u << value % 7);
        return 0;
    }
    *out_is_one = false;
    return 0;
}

/* value, value-value, either with a step, or a value with a letter. */
static int
read_values(struct reader *in)
{
    unsigned first, last, step;
    size_t at = in->parse->at;
    bool is_done, is_range;
    int code = read_value(in, &first);

    if (code != 0 || (code = read_suffix(in, first, &is_done)) != 0 || is_done)
        return code;
    last = first;
    is_range = take(in, '-');
    if (is_range && (code = read_value(in, &last)) != 0)
        return code;
    if (in->index == PAWL_FIELD_DOW && first == 7 && last < 7)
        first = 0;                  /* a range from Sunday */
    if (first > last && in->rule->wrap == 0)
        return pawl_cron_refuse(in->parse, at, "expected a range of years that goes up");
    if (!is_range && peek(in) == '/') {
        last = first > top_of(in) ? first : top_of(in);
        in->field->is_number = false;
    }
    if ((code = read_step(in, first > last ? in->rule->wrap - first + last + 1 : last - first + 1,
             &step)) != 0)
        return code;
    if (is_range)
        in->field->is_number = false;
    set_range(in, first, last, step);
    return 0;
}

static int
read_item(struct reader *in)
{
    unsigned step;
    int code;

    if (take(in, '*') || take(in, '?')) {
        if ((code = read_step(in, top_of(in) - in->rule->min + 1, &step)) != 0)
            return code;
        in->field->has_star |= step <= 1;
        in->field->is_number = false;
        set_range(in, in->rule->min, top_of(in), step);
        return 0;
    }
    if (take(in, 'H')) {
        in->field->is_number = false;
        return read_hash(in);
    }
    if (in->index == PAWL_FIELD_DOM && take(in, 'L')) {
        in->field->is_number = false;
        return read_last_day(in);
    }
    return read_values(in);
}

int
pawl_cron_read_field(struct pawl_cron_parse *parse, enum pawl_cron_field_index index, size_t begin,
                     size_t end)
{
    struct reader in = {parse, index, &rules[index], &parse->fields[index], end};
    char first = parse->text[begin];
    bool is_open_hash =
        end - begin > 1 && (first | 32) == 'h' && parse->text[begin + 1] == '/';
    int code;

    parse->at = begin;
    in.field->begins_star = first == '*' || first == '?' || is_open_hash;
    in.field->is_number = true;
    for (;;) {
        if ((code = read_item(&in)) != 0)
            return code;
        if (parse->at == end)
            return 0;
        if (!take(&in, ','))
            return pawl_cron_refuse(parse, parse->at,
                "expected \",\", \"-\", \"/\" or the end of the field, not \"%.*s\"",
                quote_len(&in, parse->at, 1), parse->text + parse->at);
        in.field->is_number = false;
    }
}
