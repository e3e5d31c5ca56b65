/* cron_parse.h: what the parser's files share; private to cron_*.c. */
#ifndef PAWL_CRON_PARSE_H
#define PAWL_CRON_PARSE_H

#include "cron.h"

/* The fields, in the order of seven. */
enum pawl_cron_field_index {
    PAWL_FIELD_SECOND,
    PAWL_FIELD_MINUTE,
    PAWL_FIELD_HOUR,
    PAWL_FIELD_DOM,
    PAWL_FIELD_MONTH,
    PAWL_FIELD_DOW,
    PAWL_FIELD_YEAR,
    PAWL_NFIELDS
};

/* One field as read. */
struct pawl_cron_field {
    uint64_t bits[4];       /* from the least value on */
    bool begins_star;       /* its first character is * or ?, or it is H/n */
    bool has_star;          /* * or ? without a step stands in its list */
    bool is_number;         /* it is one plain number */
};

/* A parse under way; positions are offsets from text. */
struct pawl_cron_parse {
    const char *text;
    size_t at, end;         /* what is left, without blanks around it */
    const struct pawl_cron_options *options;
    struct pawl_cron *out;
    struct pawl_cron_notes *notes;
    struct pawl_err *err;
    struct pawl_cron_field fields[PAWL_NFIELDS];
    bool has_hash;
};

/* Refuses at an offset; the words say what was expected. Returns PAWL_EINVAL. */
int
pawl_cron_refuse(struct pawl_cron_parse *parse, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a warning, if anybody wants it. */
void
pawl_cron_warn(struct pawl_cron_parse *parse, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reads one field from text[begin] to text[end] into parse->fields and, for L, W and #, into
 * parse->out. */
int
pawl_cron_read_field(struct pawl_cron_parse *parse, enum pawl_cron_field_index index,
                     size_t begin, size_t end);

/* The number of a three-letter name at text[at], -1 for none. */
int
pawl_cron_weekday_at(const struct pawl_cron_parse *parse, size_t at);

/* Reads a calendar interval from parse->at, which is at its first word; sets *out_is_one false,
 * and nothing else, when it begins with none of the words. */
int
pawl_cron_read_calendar(struct pawl_cron_parse *parse, bool *out_is_one);

/* Reads up to ndigits_max digits; false when there is none or there are more. */
bool
pawl_cron_read_number(struct pawl_cron_parse *parse, int ndigits_max, unsigned *out);

#endif
