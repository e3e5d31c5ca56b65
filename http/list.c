/* list.c: lists tasks in the order of submission: all of them as a stream, or a page.
 *
 * A page is taken before the answer begins, because only then it is known whether
 * another follows (Link); so its length is bounded. Its cursor is the place of its last
 * task in the order, which stays right when that task is deleted. A filter that few tasks
 * pass may give a short page, even an empty one, with a Link to go on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "params.h"
#include "stream.h"
#include "tasks.h"

#define LIMIT_MAX 10000
#define CURSOR_MARK '\x1f'  /* as no id has: ids hold no control characters */
#define PATIENCE 256    /* fruitless looks, of some thousand tasks each, until a page is given as it is */

/* A cursor from a Link of ours, or the id of a task. */
static bool
read_after(struct pawl_request *request, struct pawl_cursor *cursor)
{
    const struct pawl_text *text = pawl_uri_param(&request->uri, "after");
    struct pawl_view view;
    uint64_t seq = 0;
    size_t i = 1;

    if (text == NULL)
        return true;
    if (text->len > 1 && text->len <= 20 && text->text[0] == CURSOR_MARK) {
        while (i < text->len && text->text[i] >= '0' && text->text[i] <= '9')
            seq = seq * 10 + (uint64_t) (text->text[i++] - '0');
        if (i == text->len) {
            cursor->after = seq;
            return true;
        }
    }
    if (pawl_get(request->http->handle, text->text, text->len, &view) != PAWL_OK) {
        pawl_request_fail(request, 400, "after",
            "after must be the id of a task or come from a Link header: no task has the "
            "id '%.*s'",
            (int) (text->len < 255 ? text->len : 255), text->text);
        return false;
    }
    cursor->after = view.seq;
    pawl_view_release(&view);
    return true;
}

/* Takes limit tasks and looks whether there is another. */
static int
take_page(struct pawl_request *request, struct pawl_listing *listing, size_t limit,
          bool *out_more)
{
    struct pawl_cursor *cursor = &listing->cursor;
    size_t cap = 0;
    int patience = PATIENCE;

    for (;;) {
        struct pawl_view view;
        int code = pawl_list_next(request->http->handle, &listing->filter, cursor, &view);

        *out_more = code != PAWL_ENOENT;
        if (code == PAWL_ENOENT || (code == PAWL_PENDING && --patience == 0))
            return PAWL_OK;
        if (code == PAWL_PENDING)
            continue;
        if (listing->nviews == limit) {
            pawl_view_release(&view);
            return PAWL_OK;
        }
        if (listing->nviews == cap) {
            struct pawl_view *grown;

            cap = cap == 0 ? 64 : 2 * cap;
            grown = realloc(listing->views, cap * sizeof *grown);
            if (grown == NULL) {
                pawl_view_release(&view);
                return PAWL_ENOMEM;
            }
            listing->views = grown;
        }
        listing->views[listing->nviews++] = view;
    }
}

/* The same query with another place to start. States stand in it once, whatever the
 * length of the query: the header has to fit into the connection's memory. */
static void
link_next(struct pawl_request *request, unsigned status_mask, uint64_t seq)
{
    struct pawl_buffer *link = &request->link;
    const char *before = "status=";
    char after[40];

    pawl_buffer_append_str(link, "</api/tasks?");
    for (int status = 0; status < PAWL_NSTATUS; status++)
        if (status_mask & 1u << status) {
            pawl_buffer_append_str(link, before);
            pawl_buffer_append_char(link, (char) ('0' + status));
            before = ",";
        }
    if (status_mask != 0)
        pawl_buffer_append_char(link, '&');
    for (size_t i = 0; i < request->uri.nparams; i++) {
        const struct pawl_param *param = &request->uri.params[i];

        if (pawl_text_is(&param->name, "after") || pawl_text_is(&param->name, "status"))
            continue;
        pawl_uri_encode(link, param->name.text, param->name.len);
        pawl_buffer_append_char(link, '=');
        pawl_uri_encode(link, param->value.text, param->value.len);
        pawl_buffer_append_char(link, '&');
    }
    snprintf(
        after, sizeof after, "after=%%%02X%llu>; rel=\"next\"", CURSOR_MARK,
        (unsigned long long) seq);
    pawl_buffer_append_str(link, after);
}

static void
answer_none(struct pawl_request *request)
{
    pawl_buffer_append_str(&request->answer, "[]");
    pawl_request_answer(request, 200);
}

static void
answer_page(struct pawl_request *request, struct pawl_listing *listing, size_t limit)
{
    bool more = false;
    int code = take_page(request, listing, limit, &more);

    if (code != PAWL_OK) {
        for (size_t i = 0; i < listing->nviews; i++)
            pawl_view_release(&listing->views[i]);
        free(listing->views);
        pawl_request_fail(request, 503, NULL, "out of memory for the page");
        return;
    }
    if (more)
        link_next(request, listing->filter.status_mask,
            listing->nviews == limit ? listing->views[limit - 1].seq
                                     : listing->cursor.after);
    if (listing->nviews == 0)
        answer_none(request);
    else
        pawl_stream_list(request, listing);
}

void
pawl_tasks_list(struct pawl_request *request)
{
    struct pawl_listing listing = {.newest = SIZE_MAX};
    int64_t limit = 0, newest = -1;

    if (!pawl_filter_read(request, &listing.filter) ||
        !pawl_param_int(request, "limit", 1, LIMIT_MAX, &limit) ||
        !pawl_param_int(request, "results", 0, PAWL_KEEP_MAX, &newest) ||
        !read_after(request, &listing.cursor))
        return;
    if (newest >= 0)
        listing.newest = (size_t) newest;
    if (pawl_filter_is_vain(&listing.filter))
        answer_none(request);
    else if (limit > 0)
        answer_page(request, &listing, (size_t) limit);
    else
        pawl_stream_list(request, &listing);
}
