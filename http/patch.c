/* patch.c: a change of a task in place: merged into what the task is, and read as a submit is. When somebody
 * else has changed it at the same moment, it is merged anew, so that both changes are in it. */
#include "json_patch.h"
#include "params.h"
#include "tasks.h"

#define TRIES_MAX 100           /* each that fails is an edit of somebody else that did not */

/* Asks for the change once. Anything but PAWL_EINVAL of the patch itself, which is answered, is what
 * pawl_edit() says. */
static int
try_edit(struct pawl_request *request, const struct pawl_view *view, int64_t version,
         struct pawl_buffer *document, bool *out_is_answered, struct pawl_err *err)
{
    struct pawl_json_reader *reader = request->http->reader;
    struct pawl_buffer *body = &request->body;
    struct pawl_problem problem;
    struct pawl_spec spec;
    int code = pawl_json_merge(reader, view, body->data, body->len, body->cap, document, &problem);

    if (code == PAWL_OK)
        code = pawl_json_read_task(reader, document->data, document->len, document->cap, &spec,
            &problem);
    *out_is_answered = code != PAWL_OK;
    if (code != PAWL_OK) {
        pawl_request_refuse(request, &problem);
        return code;
    }
    pawl_tasks_begin_op(request, "edited");
    request->is_submit = true;          /* what was surely not meant is said, too */
    code = pawl_edit(request->http->handle, view, &spec, version, &request->op, err);
    *out_is_answered = code == PAWL_EINVAL;
    if (code == PAWL_EINVAL)
        pawl_tasks_refuse_spec(request, &spec, err);
    return code;
}

void
pawl_tasks_patch(struct pawl_request *request)
{
    const struct pawl_text *id = pawl_tasks_id(request);
    struct pawl_buffer document;
    int64_t version = -1;
    bool is_answered = false, is_large;
    struct pawl_err err;
    int code = PAWL_ESTALE;

    if (!pawl_param_int(request, "version", 0, INT64_MAX, &version))
        return;
    if (pawl_buffer_reserve(&request->body, PAWL_JSON_PADDING) == NULL) {
        pawl_request_fail(request, 503, NULL, "out of memory for the body");
        return;
    }
    pawl_buffer_init(&document);
    for (int tries = 0; tries < TRIES_MAX && code == PAWL_ESTALE; tries++) {
        struct pawl_view view;

        code = pawl_edit_begin(request->http->handle, id->text, id->len, &view, &err);
        if (code != PAWL_OK)
            break;
        pawl_buffer_reset(&document);
        code = try_edit(request, &view, version, &document, &is_answered, &err);
        pawl_view_release(&view);
    }
    is_large = request->body.len > PAWL_BUFFER_KEEP || document.len > PAWL_BUFFER_KEEP;
    pawl_buffer_fini(&document);
    if (!is_answered)
        pawl_tasks_answer_call(request, code, &err);
    if (is_large)
        pawl_json_reader_trim(request->http->reader);
}
