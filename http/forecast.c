/* forecast.c: what fires in a window of time, over all tasks, in the order of time. The times come
 * from the engine's forecast of each task, so from the code that fires.
 *
 * All tasks are looked at, in slices of some ms, so that the thread's other connections go on:
 * a slice that has nothing to show gives a newline, which JSON allows. Memory is bounded by the limit:
 * the earliest times so far stand in a heap with the latest of them on top, and a task is left as
 * soon as its times are later than that. */
#include "forecast.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "filter.h"
#include "json_write.h"
#include "params.h"
#include "tasks.h"
#include "timefmt.h"

#define SECOND_NS INT64_C(1000000000)
#define WINDOW_NS (24 * 3600 * SECOND_NS)
#define LIMIT_MAX 10000
#define LIMIT_DEFAULT 100
#define SLICE_NS INT64_C(2000000)
#define FIRST_BYTES ((size_t) 32 << 10)     /* up to here it has a length */

/* A task that has entries: what is shown of it. */
struct named {
    size_t nentries;
    uint64_t seq;
    enum pawl_type type;
    size_t id_len;
    char id[];
};

struct entry {
    int64_t at_ns;
    struct named *task;
};

struct pawl_outlook {
    const struct pawl_zone *zone;       /* of the times that are shown */
    int64_t from_ns, until_ns;
    struct pawl_filter filter;
    struct pawl_cursor cursor;
    struct pawl_view view;              /* the task that is looked at */
    bool has_view;
    struct pawl_forecast forecast;      /* of it */
    struct named *task;                 /* it, once it has an entry */
    struct entry *entries;              /* a heap; once all tasks were looked at, in order */
    size_t nentries, cap, limit;
    bool is_truncated;
    uint64_t nunpredictable;
    bool is_sorted;
    size_t nwritten;                    /* of the entries */
    bool is_over;                       /* the last byte was written */
    size_t sent;                        /* of the buffer, by read() */
};

/* --- The heap --- */

/* At the same time, tasks stand in the order of submission. */
static bool
is_later(const struct entry *a, const struct entry *b)
{
    return a->at_ns != b->at_ns ? a->at_ns > b->at_ns : a->task->seq > b->task->seq;
}

static void
swap(struct entry *a, struct entry *b)
{
    struct entry entry = *a;

    *a = *b;
    *b = entry;
}

static void
rise(struct entry *heap, size_t i)
{
    for (; i > 0 && is_later(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&heap[i], &heap[(i - 1) / 2]);
}

static void
sink(struct entry *heap, size_t n, size_t i)
{
    for (;;) {
        size_t latest = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
            if (child < n && is_later(&heap[child], &heap[latest]))
                latest = child;
        if (latest == i)
            return;
        swap(&heap[i], &heap[latest]);
        i = latest;
    }
}

static void
sort(struct pawl_outlook *outlook)
{
    for (size_t n = outlook->nentries; n > 1; n--) {
        swap(&outlook->entries[0], &outlook->entries[n - 1]);
        sink(outlook->entries, n - 1, 0);
    }
    outlook->is_sorted = true;
}

/* --- Looking at the tasks --- */

/* A task whose last entry went, and which is not the one that is looked at, is forgotten. */
static void
drop(struct pawl_outlook *outlook, struct named *task)
{
    if (--task->nentries == 0 && task != outlook->task)
        free(task);
}

static bool
name_task(struct pawl_outlook *outlook)
{
    const struct pawl_view *view = &outlook->view;
    struct named *task = malloc(sizeof *task + view->id_len);

    if (task == NULL)
        return false;
    *task = (struct named) {.seq = view->seq, .type = view->type, .id_len = view->id_len};
    memcpy(task->id, view->id, view->id_len);
    outlook->task = task;
    return true;
}

static bool
make_room(struct pawl_outlook *outlook)
{
    size_t cap = outlook->cap == 0 ? 64 : 2 * outlook->cap;
    struct entry *grown;

    if (outlook->nentries < outlook->cap)
        return true;
    grown = realloc(outlook->entries, cap * sizeof *grown);
    if (grown == NULL)
        return false;
    outlook->entries = grown;
    outlook->cap = cap;
    return true;
}

/* Takes a time of the task that is looked at, which is before the bound. */
static bool
take_time(struct pawl_outlook *outlook, int64_t at_ns)
{
    bool is_full = outlook->nentries == outlook->limit;

    if ((outlook->task == NULL && !name_task(outlook)) || (!is_full && !make_room(outlook)))
        return false;
    outlook->task->nentries++;
    if (is_full) {
        drop(outlook, outlook->entries[0].task);
        outlook->entries[0] = (struct entry) {at_ns, outlook->task};
        sink(outlook->entries, outlook->nentries, 0);
        outlook->is_truncated = true;
    } else {
        outlook->entries[outlook->nentries] = (struct entry) {at_ns, outlook->task};
        rise(outlook->entries, outlook->nentries++);
    }
    return true;
}

/* Times from here on are not shown. */
static int64_t
bound(const struct pawl_outlook *outlook)
{
    return outlook->nentries == outlook->limit ? outlook->entries[0].at_ns : outlook->until_ns;
}

static void
leave_task(struct pawl_outlook *outlook)
{
    if (outlook->has_view)
        pawl_view_release(&outlook->view);
    if (outlook->task != NULL && outlook->task->nentries == 0)
        free(outlook->task);
    outlook->has_view = false;
    outlook->task = NULL;
}

/* Of many tasks most are left here: they fire later than what is shown, and nothing else is to be
 * told of them. */
static void
begin_task(struct pawl_request *request, struct pawl_outlook *outlook)
{
    const struct pawl_when *when = outlook->view.when;
    int64_t next_ns = outlook->view.next_ns;
    bool is_counted = when != NULL && when->from_completion && next_ns < outlook->until_ns;

    outlook->has_view = true;
    if (next_ns != PAWL_NO_TIME && next_ns >= bound(outlook) && !is_counted) {
        outlook->is_truncated |= next_ns < outlook->until_ns;
        leave_task(outlook);
        return;
    }
    pawl_forecast_begin(
        request->http->service->engine, &outlook->view, outlook->from_ns, &outlook->forecast);
    outlook->nunpredictable += outlook->forecast.is_open;
}

/* Takes the next task, or the next time of the task that is looked at. False: out of memory. */
static bool
look(struct pawl_request *request, struct pawl_outlook *outlook)
{
    int64_t at_ns;
    int code;

    if (!outlook->has_view) {
        code = pawl_list_next(
            request->http->handle, &outlook->filter, &outlook->cursor, &outlook->view);
        if (code == PAWL_OK)
            begin_task(request, outlook);
        else if (code == PAWL_ENOENT)
            sort(outlook);
        return true;
    }
    at_ns = pawl_forecast_next(&outlook->forecast);
    if (at_ns == PAWL_NO_TIME || at_ns >= bound(outlook)) {
        outlook->is_truncated |= at_ns != PAWL_NO_TIME && at_ns < outlook->until_ns;
        leave_task(outlook);
        return true;
    }
    return at_ns < outlook->from_ns || take_time(outlook, at_ns);
}

/* --- The answer --- */

static void
write_time(struct pawl_buffer *out, const struct pawl_outlook *outlook, const char *name,
           int64_t wall_ns)
{
    char text[PAWL_TIME_MAX];

    pawl_buffer_append_str(out, name);
    pawl_json_write_string(out, text, pawl_time_format_in(outlook->zone, wall_ns, text));
}

static void
write_head(struct pawl_buffer *out, const struct pawl_outlook *outlook)
{
    const char *zone = pawl_zone_name(outlook->zone);

    write_time(out, outlook, "{\"from\":", outlook->from_ns);
    write_time(out, outlook, ",\"until\":", outlook->until_ns);
    pawl_buffer_append_str(out, ",\"timezone\":");
    pawl_json_write_string(out, zone, strlen(zone));
    pawl_buffer_append_str(out, ",\"fires\":[");
}

/* An entry, or the end. */
static void
write_piece(struct pawl_buffer *out, struct pawl_outlook *outlook)
{
    const struct entry *entry;

    if (outlook->nwritten == outlook->nentries) {
        pawl_buffer_append_str(out, "],\"truncated\":");
        pawl_buffer_append_str(out, outlook->is_truncated ? "true" : "false");
        pawl_buffer_append_str(out, ",\"unpredictable\":");
        pawl_json_write_uint(out, outlook->nunpredictable);
        pawl_buffer_append_char(out, '}');
        outlook->is_over = true;
        return;
    }
    entry = &outlook->entries[outlook->nwritten];
    write_time(out, outlook, outlook->nwritten > 0 ? ",{\"at\":" : "{\"at\":", entry->at_ns);
    pawl_buffer_append_str(out, ",\"id\":");
    pawl_json_write_string(out, entry->task->id, entry->task->id_len);
    pawl_buffer_append_str(out, ",\"taskType\":\"");
    pawl_buffer_append_str(out, pawl_type_name(entry->task->type));
    pawl_buffer_append_str(out, "\"}");
    outlook->nwritten++;
}

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* One slice: looks on, and writes up to so many bytes when there is nothing more to look at. */
static void
go_on(struct pawl_request *request, size_t len)
{
    struct pawl_outlook *outlook = request->outlook;
    struct pawl_buffer *out = &request->answer;
    int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + SLICE_NS;

    while (!outlook->is_sorted && !out->failed && clock_ns(CLOCK_MONOTONIC) < end_ns)
        out->failed = !look(request, outlook);
    if (!outlook->is_sorted)
        pawl_buffer_append_char(out, '\n');
    else
        while (!outlook->is_over && !out->failed && out->len < len)
            write_piece(out, outlook);
}

static ssize_t
read_more(struct pawl_request *request, char *out, size_t max)
{
    struct pawl_outlook *outlook = request->outlook;
    struct pawl_buffer *buffer = &request->answer;
    size_t n;

    if (outlook->sent == buffer->len) {
        pawl_buffer_reset(buffer);
        outlook->sent = 0;
        if (!outlook->is_over)
            go_on(request, max);
        if (buffer->failed)
            return PAWL_READ_FAILED;
        if (buffer->len == 0)
            return PAWL_READ_END;
    }
    n = buffer->len - outlook->sent;
    n = n < max ? n : max;
    memcpy(out, buffer->data + outlook->sent, n);
    outlook->sent += n;
    return (ssize_t) n;
}

/* --- The question --- */

/* What is out of the clock's range is its end. */
static int64_t
join_time(int64_t second, uint32_t ns)
{
    int64_t wall_ns;

    if (__builtin_mul_overflow(second, SECOND_NS, &wall_ns) ||
        __builtin_add_overflow(wall_ns, ns, &wall_ns))
        return second > 0 ? INT64_MAX : INT64_MIN + 1;
    return wall_ns;
}

static bool
read_window(struct pawl_request *request, struct pawl_outlook *outlook)
{
    struct timespec now;
    int64_t from_s, until_s;
    uint32_t from_ns, until_ns;

    clock_gettime(CLOCK_REALTIME, &now);
    from_s = now.tv_sec;
    from_ns = (uint32_t) now.tv_nsec;
    if (!pawl_param_time(request, "from", &from_s, &from_ns))
        return false;
    until_s = from_s + WINDOW_NS / SECOND_NS;
    until_ns = from_ns;
    if (!pawl_param_time(request, "until", &until_s, &until_ns))
        return false;
    outlook->from_ns = join_time(from_s, from_ns);
    outlook->until_ns = join_time(until_s, until_ns);
    if (outlook->until_ns > outlook->from_ns)
        return true;
    pawl_request_fail(request, 400, "until", "until must be later than from");
    return false;
}

static bool
read_question(struct pawl_request *request, struct pawl_outlook *outlook)
{
    int64_t limit = LIMIT_DEFAULT;

    outlook->zone = pawl_zone_local();
    outlook->filter.status_mask =
        1u << PAWL_TO_BE_EXECUTED | 1u << PAWL_EXECUTING | 1u << PAWL_WAIT_FOR_NEXT;
    if (!read_window(request, outlook) ||
        !pawl_param_int(request, "limit", 1, LIMIT_MAX, &limit) ||
        !pawl_param_zone(request, &outlook->zone) ||
        !pawl_filter_read(request, &outlook->filter))
        return false;
    outlook->limit = (size_t) limit;
    outlook->is_sorted = pawl_filter_is_vain(&outlook->filter);
    return true;
}

void
pawl_tasks_forecast(struct pawl_request *request)
{
    struct pawl_outlook *outlook = request->outlook = calloc(1, sizeof *outlook);

    if (outlook == NULL) {
        pawl_request_fail(request, 503, NULL, "out of memory");
        return;
    }
    if (!read_question(request, outlook))
        return;
    write_head(&request->answer, outlook);
    go_on(request, FIRST_BYTES);
    if (outlook->is_over || request->answer.failed) {
        pawl_outlook_free(request);
        pawl_request_answer(request, 200);
    } else {
        pawl_request_stream(request, 200, read_more);
    }
}

void
pawl_outlook_free(struct pawl_request *request)
{
    struct pawl_outlook *outlook = request->outlook;

    if (outlook == NULL)
        return;
    request->outlook = NULL;
    leave_task(outlook);
    for (size_t i = 0; i < outlook->nentries; i++)
        drop(outlook, outlook->entries[i].task);
    free(outlook->entries);
    /* The filter's texts are the request's own. */
    free(outlook);
}
