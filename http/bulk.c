/* bulk.c: one change of all tasks that match: stop, run, pause, resume, delete.
 *
 * The tasks are gone through as by a list, those that were there at the start and no others, in slices
 * of some ms, so that the thread's other connections go on. Changes that do not end at once are bounded:
 * with OPS_MAX under way nothing is begun until half of them have ended, so memory does not depend on
 * the number of tasks. The answer comes when all of it is durable. When the client goes away, or the
 * daemon stops, nothing more is begun; what was begun comes to its end. */
#include "bulk.h"

#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "json_write.h"
#include "params.h"
#include "tasks.h"
#include "thread.h"

#define OPS_MAX 1024            /* changes under way, of one request */
#define OPS_LOW 512             /* at which it goes on */
#define ERRORS_MAX 1000         /* that are told of */
#define SLICE_NS INT64_C(2000000)

/* A change of one task that ends later. */
struct task_op {
    struct pawl_op op;
    struct task_op *next;       /* while unused */
    struct pawl_request *request;
    size_t id_len;
    char id[PAWL_ID_MAX];
};

struct pawl_bulk {
    enum pawl_act act;
    bool kill;                  /* with a stop or a delete: what runs ends, too */
    const char *done;           /* what it does, in the log's words */
    bool is_dry;
    struct pawl_filter filter;
    struct pawl_cursor cursor;
    bool is_over;               /* nothing more is begun, */
    bool is_cut;                /* because the daemon stops */
    uint64_t matched, changed, refused, nerrors;
    struct pawl_buffer errors;  /* the elements of the array */
    struct task_op *unused;
};

static void
refuse(struct pawl_bulk *bulk, const char *id, size_t id_len, const struct pawl_problem *problem)
{
    struct pawl_buffer *out = &bulk->errors;

    bulk->refused++;
    if (bulk->nerrors == ERRORS_MAX)
        return;
    pawl_buffer_append_str(out, bulk->nerrors++ > 0 ? ",{\"id\":" : "{\"id\":");
    pawl_json_write_string(out, id, id_len);
    pawl_buffer_append_str(out, ",\"status\":");
    pawl_json_write_int(out, problem->status);
    pawl_buffer_append_str(out, ",\"detail\":");
    pawl_json_write_string(out, problem->detail, strlen(problem->detail));
    pawl_buffer_append_char(out, '}');
}

static void
answer(struct pawl_request *request)
{
    struct pawl_bulk *bulk = request->bulk;
    struct pawl_buffer *out = &request->answer;
    bool is_truncated = bulk->refused > bulk->nerrors || bulk->errors.failed;

    if (bulk->is_cut) {
        pawl_request_fail(request, 503, NULL,
            "the daemon is stopping: %llu tasks were changed, others may be left",
            (unsigned long long) bulk->changed);
        return;
    }
    pawl_buffer_append_str(out, "{\"matched\":");
    pawl_json_write_uint(out, bulk->matched);
    pawl_buffer_append_str(out, ",\"changed\":");
    pawl_json_write_uint(out, bulk->changed);
    pawl_buffer_append_str(out, ",\"refused\":");
    pawl_json_write_uint(out, bulk->refused);
    pawl_buffer_append_str(out, ",\"errors\":[");
    if (!bulk->errors.failed)
        pawl_buffer_append(out, bulk->errors.data, bulk->errors.len);
    pawl_buffer_append_str(out, is_truncated ? "],\"errorsTruncated\":true" :
                                               "],\"errorsTruncated\":false");
    pawl_buffer_append_str(out, bulk->is_dry ? ",\"dryRun\":true}" : ",\"dryRun\":false}");
    pawl_request_answer(request, 200);
}

/* --- One task --- */

static void
go_on(struct pawl_request *request);

/* What came of a change; its op can be used again. */
static void
settle(struct pawl_request *request, struct task_op *op, int code, const struct pawl_problem *problem)
{
    struct pawl_bulk *bulk = request->bulk;

    if (op->op.has_view)
        pawl_view_release(&op->op.view);
    if (code == PAWL_OK) {
        bulk->changed++;
        pawl_request_log(request, bulk->done, op->id, op->id_len);
    } else {
        refuse(bulk, op->id, op->id_len, problem);
    }
    op->next = bulk->unused;
    bulk->unused = op;
}

static void
op_done(struct pawl_op *op)
{
    struct task_op *done = (struct task_op *) ((char *) op - offsetof(struct task_op, op));
    struct pawl_request *request = done->request;
    struct pawl_problem problem;

    if (op->code != PAWL_OK)
        pawl_problem_from_op(&problem, op);
    settle(request, done, op->code, &problem);
    if (!pawl_request_op_end(request) || request->state != PAWL_REQUEST_RUNNING)
        return;                         /* the client has gone */
    if (request->bulk->is_over && request->nops == 0)
        answer(request);
    else if (!request->bulk->is_over && request->nops <= OPS_LOW && request->wait_ns == 0)
        pawl_request_wait(request, request->http->now_ns, go_on);
}

static struct task_op *
take_op(struct pawl_bulk *bulk)
{
    struct task_op *op = bulk->unused;

    if (op == NULL)
        return malloc(sizeof *op);
    bulk->unused = op->next;
    return op;
}

static void
change(struct pawl_request *request, const struct pawl_view *view)
{
    struct task_op *op = take_op(request->bulk);
    struct pawl_problem problem;
    struct pawl_err err;
    int code;

    if (op == NULL) {
        pawl_problem_set(&problem, 503, NULL, "out of memory");
        refuse(request->bulk, view->id, view->id_len, &problem);
        return;
    }
    op->request = request;
    op->id_len = view->id_len;
    memcpy(op->id, view->id, view->id_len);
    op->op.done = op_done;
    op->op.has_view = false;
    code = pawl_act(request->http->handle, view, request->bulk->act, request->bulk->kill,
        &op->op, &err);
    if (code == PAWL_PENDING) {
        pawl_request_op_begin(request);
        return;
    }
    if (code != PAWL_OK)
        pawl_problem_from_err(&problem, &err);
    settle(request, op, code, &problem);
}

/* --- All of them --- */

/* Looks for the next task, and changes it. */
static void
step(struct pawl_request *request)
{
    struct pawl_bulk *bulk = request->bulk;
    struct pawl_view view;
    int code = pawl_list_next(request->http->handle, &bulk->filter, &bulk->cursor, &view);

    if (code == PAWL_ENOENT)
        bulk->is_over = true;
    if (code != PAWL_OK)
        return;
    bulk->matched++;
    if (!bulk->is_dry)
        change(request, &view);
    pawl_view_release(&view);
}

/* A slice. Behind it: the next one in the next turn, or when some of the changes have ended. */
static void
go_on(struct pawl_request *request)
{
    struct pawl_bulk *bulk = request->bulk;
    int64_t end_ns = pawl_thread_clock() + SLICE_NS;

    if (request->http->stopping)
        bulk->is_over = bulk->is_cut = true;
    while (!bulk->is_over && request->nops < OPS_MAX && pawl_thread_clock() < end_ns)
        step(request);
    if (bulk->is_over && request->nops == 0)
        answer(request);
    else if (!bulk->is_over && request->nops < OPS_MAX)
        pawl_request_wait(request, request->http->now_ns + 1, go_on);
}

/* Nobody is to change all tasks because a variable of a script was empty. */
static bool
is_meant(struct pawl_request *request, const struct pawl_filter *filter)
{
    bool is_all = false;

    if (!pawl_param_bool(request, "all", &is_all))
        return false;
    if (is_all || !pawl_filter_is_empty(filter))
        return true;
    pawl_request_fail(request, 400, "all",
        "this is about all tasks: say which with tag, group, prefix, type or status, or give all=true");
    return false;
}

/* done: what the log says of each task. */
static void
begin(struct pawl_request *request, enum pawl_act act, const char *done)
{
    struct pawl_bulk *bulk = request->bulk = calloc(1, sizeof *bulk);

    if (bulk == NULL) {
        pawl_request_fail(request, 503, NULL, "out of memory");
        return;
    }
    pawl_buffer_init(&bulk->errors);
    bulk->act = act;
    bulk->done = done;
    if (!pawl_filter_read(request, &bulk->filter) || !is_meant(request, &bulk->filter) ||
        !pawl_param_bool(request, "dryRun", &bulk->is_dry) ||
        !pawl_param_bool(request, "kill", &bulk->kill))
        return;
    bulk->is_over = pawl_filter_is_vain(&bulk->filter);
    go_on(request);
}

void
pawl_tasks_stop_all(struct pawl_request *request)
{
    begin(request, PAWL_ACT_STOP, "stopped");
}

void
pawl_tasks_ask_all(struct pawl_request *request)
{
    begin(request, PAWL_ACT_RUN, "asked to run");
}

void
pawl_tasks_pause_all(struct pawl_request *request)
{
    begin(request, PAWL_ACT_PAUSE, "paused");
}

void
pawl_tasks_resume_all(struct pawl_request *request)
{
    begin(request, PAWL_ACT_RESUME, "resumed");
}

void
pawl_tasks_delete_all(struct pawl_request *request)
{
    begin(request, PAWL_ACT_DELETE, "deleted");
}

void
pawl_bulk_free(struct pawl_request *request)
{
    struct pawl_bulk *bulk = request->bulk;

    if (bulk == NULL)
        return;
    request->bulk = NULL;
    pawl_buffer_fini(&bulk->errors);
    while (bulk->unused != NULL) {
        struct task_op *op = bulk->unused;

        bulk->unused = op->next;
        free(op);
    }
    free(bulk);
}
