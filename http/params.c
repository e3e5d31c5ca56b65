/* params.c: see params.h. */
#include "params.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../engine/calendar.h"
#include "../engine/duration.h"

#define SHOWN(text) (int) ((text)->len < 64 ? (text)->len : 64), (text)->text

/* Digits and a sign, nothing else. */
static bool
parse_int(const struct pawl_text *text, int64_t *out)
{
    char copy[24], *end;
    size_t digits = text->len > 0 && (text->text[0] == '-' || text->text[0] == '+');

    if (text->len == digits || text->len >= sizeof copy)
        return false;
    for (size_t i = digits; i < text->len; i++)
        if (text->text[i] < '0' || text->text[i] > '9')
            return false;
    memcpy(copy, text->text, text->len);
    copy[text->len] = '\0';
    errno = 0;
    *out = strtoll(copy, &end, 10);
    return errno == 0;
}

bool
pawl_param_int(struct pawl_request *request, const char *name, int64_t min, int64_t max,
               int64_t *out)
{
    const struct pawl_text *text = pawl_uri_param(&request->uri, name);
    int64_t value;

    if (text == NULL)
        return true;
    if (!parse_int(text, &value) || value < min || value > max) {
        pawl_request_fail(request, 400, name,
            "%s must be an integer from %lld to %lld, not '%.*s'", name, (long long) min,
            (long long) max, SHOWN(text));
        return false;
    }
    *out = value;
    return true;
}

bool
pawl_param_bool(struct pawl_request *request, const char *name, bool *out)
{
    static const char *const words[2][6] = {{"0", "f", "F", "false", "False", "FALSE"},
        {"1", "t", "T", "true", "True", "TRUE"}};
    const struct pawl_text *text = pawl_uri_param(&request->uri, name);

    if (text == NULL)
        return true;
    for (int value = 0; value < 2; value++)
        for (size_t i = 0; i < 6; i++)
            if (pawl_text_is(text, words[value][i])) {
                *out = value;
                return true;
            }
    pawl_request_fail(request, 400, name, "%s must be true or false, not '%.*s'", name,
        SHOWN(text));
    return false;
}

bool
pawl_param_span(struct pawl_request *request, const char *name, int64_t *out_ns)
{
    const struct pawl_text *text = pawl_uri_param(&request->uri, name);
    int64_t ns;

    if (text == NULL)
        return true;
    if ((!parse_int(text, &ns) &&
            pawl_duration_parse(text->text, text->len, &ns, NULL) != PAWL_OK) ||
        ns < 0) {
        pawl_request_fail(request, 400, name,
            "%s must be a duration such as 30s or 1m30s, or an integer of nanoseconds, "
            "not '%.*s'",
            name, SHOWN(text));
        return false;
    }
    *out_ns = ns;
    return true;
}

bool
pawl_param_time(struct pawl_request *request, const char *name, int64_t *out_s, uint32_t *out_ns)
{
    const struct pawl_text *text = pawl_uri_param(&request->uri, name);

    if (text == NULL || pawl_calendar_parse(text->text, text->len, out_s, out_ns))
        return true;
    pawl_request_fail(request, 400, name,
        "%s must be a time such as 2026-03-29T01:30:00Z or 2026-03-29T03:30:00+02:00 (with %%2B "
        "for + in a query), not '%.*s'", name, SHOWN(text));
    return false;
}

bool
pawl_param_zone(struct pawl_request *request, const struct pawl_zone **out_zone)
{
    const struct pawl_text *name = pawl_uri_param(&request->uri, "timezone");
    struct pawl_err err;

    if (name == NULL || pawl_zone_load(name->text, name->len, out_zone, &err) == PAWL_OK)
        return true;
    pawl_request_fail_err(request, &err);
    return false;
}

bool
pawl_param_type(struct pawl_request *request, unsigned *out_mask)
{
    const struct pawl_text *text = pawl_uri_param(&request->uri, "type");

    if (text == NULL)
        return true;
    for (int type = PAWL_DELAY; type <= PAWL_CRON; type++)
        if (pawl_text_is(text, pawl_type_name((enum pawl_type) type))) {
            *out_mask = 1u << type;
            return true;
        }
    pawl_request_fail(
        request, 400, "type", "type must be delay or cron, not '%.*s'", SHOWN(text));
    return false;
}
