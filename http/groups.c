/* groups.c: the groups of tasks of which only so many run at once: list, show, size. */
#include "groups.h"

#include <stdlib.h>
#include <string.h>

#include "json_read.h"
#include "json_write.h"

static void
write_group(struct pawl_buffer *out, const struct pawl_group_view *group)
{
    static const char *const sources[] = {
        [PAWL_GROUP_USUAL] = ",\"source\":\"default\",\"running\":",
        [PAWL_GROUP_CONFIGURED] = ",\"source\":\"configuration\",\"running\":",
        [PAWL_GROUP_ASKED] = ",\"source\":\"request\",\"running\":",
    };

    pawl_buffer_append_str(out, "{\"name\":");
    pawl_json_write_string(out, group->name, strlen(group->name));
    pawl_buffer_append_str(out, ",\"size\":");
    pawl_json_write_uint(out, group->size);
    pawl_buffer_append_str(out, sources[group->source]);
    pawl_json_write_uint(out, group->running);
    pawl_buffer_append_str(out, ",\"waiting\":");
    pawl_json_write_uint(out, group->waiting);
    pawl_buffer_append_char(out, '}');
}

static const struct pawl_text *
name_of(const struct pawl_request *request)
{
    return &request->uri.segments[2];
}

void
pawl_groups_list(struct pawl_request *request)
{
    struct pawl_group_view *groups;
    size_t n;

    if (pawl_groups(request->http->service->engine, &groups, &n) != PAWL_OK) {
        pawl_request_fail(request, 503, NULL, "out of memory");
        return;
    }
    pawl_buffer_append_char(&request->answer, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            pawl_buffer_append_char(&request->answer, ',');
        write_group(&request->answer, &groups[i]);
    }
    pawl_buffer_append_char(&request->answer, ']');
    free(groups);
    pawl_request_answer(request, 200);
}

void
pawl_groups_get(struct pawl_request *request)
{
    const struct pawl_text *name = name_of(request);
    struct pawl_group_view group;
    struct pawl_err err;

    if (pawl_group_get(request->http->service->engine, name->text, name->len, &group, &err) !=
        PAWL_OK) {
        pawl_request_fail_err(request, &err);
        return;
    }
    write_group(&request->answer, &group);
    pawl_request_answer(request, 200);
}

/* --- Sizes --- */

static void
answer_resize(struct pawl_request *request)
{
    const struct pawl_op *op = &request->op;
    struct pawl_problem problem;

    if (op->code == PAWL_OK) {
        pawl_request_log(request, "resized", op->group.name, strlen(op->group.name));
        write_group(&request->answer, &op->group);
        pawl_request_answer(request, 200);
    } else {
        pawl_problem_from_op(&problem, op);
        pawl_request_refuse(request, &problem);
    }
}

static void
resized(struct pawl_op *op)
{
    struct pawl_request *request =
        (struct pawl_request *) ((char *) op - offsetof(struct pawl_request, op));

    if (request->conn != NULL)
        answer_resize(request);
    pawl_request_op_end(request);
}

/* size: negative: none any more. */
static void
resize(struct pawl_request *request, int64_t size)
{
    const struct pawl_text *name = name_of(request);
    struct pawl_err err;
    int code;

    request->op.done = resized;
    request->op.has_view = false;
    code = pawl_group_resize(
        request->http->handle, name->text, name->len, size, &request->op, &err);
    if (code == PAWL_PENDING) {
        request->waits_for_store = true;
        pawl_request_op_begin(request);
    } else if (code == PAWL_OK) {
        answer_resize(request);
    } else {
        pawl_request_fail_err(request, &err);
    }
}

void
pawl_groups_resize(struct pawl_request *request)
{
    struct pawl_buffer *body = &request->body;
    struct pawl_problem problem;
    uint64_t size;

    if (pawl_buffer_reserve(body, PAWL_JSON_PADDING) == NULL)
        pawl_request_fail(request, 503, NULL, "out of memory for the body");
    else if (pawl_json_read_size(request->http->reader, body->data, body->len, body->cap,
                 &size, &problem) != PAWL_OK)
        pawl_request_refuse(request, &problem);
    else
        resize(request, size > INT64_MAX ? INT64_MAX : (int64_t) size);
}

void
pawl_groups_delete(struct pawl_request *request)
{
    resize(request, -1);
}
