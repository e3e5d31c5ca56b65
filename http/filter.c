/* filter.c: see filter.h. */
#include "filter.h"

#include <string.h>
#include <strings.h>

#include "../engine/tags.h"
#include "params.h"

/* A state by its number or its name. */
static bool
read_status(const char *text, size_t len, unsigned *mask)
{
    for (int status = 0; status < PAWL_NSTATUS; status++) {
        const char *name = pawl_status_name((enum pawl_status) status);

        if ((len == 1 && text[0] == '0' + status) ||
            (len == strlen(name) && strncasecmp(text, name, len) == 0)) {
            *mask |= 1u << status;
            return true;
        }
    }
    return false;
}

/* "0,Stopped", and more of the same parameter. */
static bool
read_statuses(struct pawl_request *request, unsigned *mask)
{
    for (size_t i = 0; i < request->uri.nparams; i++) {
        const struct pawl_text *value = &request->uri.params[i].value;
        const char *word = value->text, *end = value->text + value->len;

        if (!pawl_text_is(&request->uri.params[i].name, "status"))
            continue;
        for (;;) {
            const char *comma = memchr(word, ',', (size_t) (end - word));
            size_t len = (size_t) ((comma != NULL ? comma : end) - word);

            if (!read_status(word, len, mask)) {
                pawl_request_fail(request, 400, "status",
                    "status must be of 0 ToBeExecuted, 1 Executed, 2 Executing, "
                    "3 WaitForNextExecution, 4 Stopped (number or name, commas between), "
                    "not '%.*s'", (int) (len < 64 ? len : 64), word);
                return false;
            }
            if (comma == NULL)
                break;
            word = comma + 1;
        }
    }
    return true;
}

/* Each `tag`; those that a task could not have are refused. */
static bool
read_tags(struct pawl_request *request, struct pawl_filter *filter)
{
    for (size_t i = 0; i < request->uri.nparams; i++) {
        const struct pawl_text *value = &request->uri.params[i].value;
        struct pawl_err err;

        if (!pawl_text_is(&request->uri.params[i].name, "tag"))
            continue;
        if (pawl_tag_check(value->text, value->len, &err) != PAWL_OK) {
            pawl_request_fail(request, 400, "tag", "%s", err.text);
            return false;
        }
        if (filter->ntags == PAWL_FILTER_TAGS_MAX) {
            pawl_request_fail(request, 400, "tag", "more than %d tags are asked for",
                PAWL_FILTER_TAGS_MAX);
            return false;
        }
        filter->tags[filter->ntags].text = value->text;
        filter->tags[filter->ntags++].len = value->len;
    }
    return true;
}

/* One that a task could not have is refused. */
static bool
read_group(struct pawl_request *request, struct pawl_filter *filter)
{
    const struct pawl_text *group = pawl_uri_param(&request->uri, "group");
    struct pawl_err err;

    if (group == NULL)
        return true;
    if (pawl_group_name_check(group->text, group->len, &err) != PAWL_OK) {
        pawl_request_fail(request, 400, "group", "%s", err.text);
        return false;
    }
    filter->group = group->text;
    filter->group_len = group->len;
    return true;
}

bool
pawl_filter_read(struct pawl_request *request, struct pawl_filter *filter)
{
    const struct pawl_text *prefix = pawl_uri_param(&request->uri, "prefix");

    if (prefix != NULL) {
        filter->prefix = prefix->text;
        filter->prefix_len = prefix->len;
    }
    return read_statuses(request, &filter->status_mask) &&
        pawl_param_type(request, &filter->type_mask) && read_tags(request, filter) &&
        read_group(request, filter);
}

bool
pawl_filter_is_empty(const struct pawl_filter *filter)
{
    return filter->status_mask == 0 && filter->type_mask == 0 && filter->prefix_len == 0 &&
        filter->ntags == 0 && filter->group_len == 0;
}

bool
pawl_filter_is_vain(const struct pawl_filter *filter)
{
    return filter->prefix_len > PAWL_ID_MAX;    /* longer than any id */
}
