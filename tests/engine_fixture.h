/* engine_fixture.h: an engine under test: on the manual clock, with one handle that the test's own
 * thread uses, and short ways to say what is done to it. */
#ifndef PAWL_ENGINE_FIXTURE_H
#define PAWL_ENGINE_FIXTURE_H

#include "clock.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pawl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define START_WALL (INT64_C(1800000000) * SECOND)
#define WAIT_MS 30000       /* how long a test waits for what must come; it never sleeps */

struct fixture {
    struct pawl_clock_manual clock;
    struct pawl *engine;
    struct pawl_handle *handle;
    int wake_fd;
};

static inline void
fixture_wake(void *ctx)
{
    eventfd_write(((struct fixture *) ctx)->wake_fd, 1);
}

static inline void
fixture_attach(struct fixture *f)
{
    f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(pawl_attach(f->engine, fixture_wake, f, &f->handle), PAWL_OK);
}

/* Opens an engine without touching the clock, for one that goes on. */
static inline void
fixture_resume(struct fixture *f, struct pawl_options *options)
{
    struct pawl_err err = {0};

    if (!options->clock)
        options->clock = &f->clock.clock;
    if (pawl_open(options, &f->engine, &err) != PAWL_OK)
        fail_msg("pawl_open: %s", err.text);
    fixture_attach(f);
}

static inline void
fixture_open_with(struct fixture *f, struct pawl_options *options)
{
    pawl_clock_manual_init(&f->clock, 1000 * SECOND, START_WALL - 1000 * SECOND);
    fixture_resume(f, options);
}

static inline void
fixture_open(struct fixture *f)
{
    struct pawl_options options;

    pawl_options_init(&options);
    options.nworkers = 2;
    fixture_open_with(f, &options);
}

static inline void
fixture_close(struct fixture *f)
{
    pawl_detach(f->handle);
    pawl_close(f->engine);
    close(f->wake_fd);
}

static inline void
fixture_advance(struct fixture *f, int64_t by_ns)
{
    pawl_clock_manual_advance(&f->clock, by_ns);
}

static inline void
fixture_deliver(struct fixture *f)
{
    struct pollfd poll_fd = {.fd = f->wake_fd, .events = POLLIN};
    eventfd_t ignored;

    if (poll(&poll_fd, 1, WAIT_MS) != 1)
        fail_msg("nothing was delivered in %d ms", WAIT_MS);
    eventfd_read(f->wake_fd, &ignored);
    pawl_deliver(f->handle);
}

/* --- Operations that end later --- */

struct asked {
    struct pawl_op op;          /* first */
    bool is_done;
};

static inline void
asked_cb(struct pawl_op *op)
{
    ((struct asked *) op)->is_done = true;
}

/* Hands over what was asked with this code, and gives the code. */
static inline int
handed_over(struct fixture *f, int code)
{
    pawl_rest(f->handle);
    return code;
}

static inline int
ask_submit(struct fixture *f, struct asked *asked, const char *id, enum pawl_type type,
           int64_t time_ns, const char *script)
{
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = type, .time_ns = time_ns, .script = script,
        .script_len = strlen(script), .keep_results = -1,
    };

    *asked = (struct asked) {.op.done = asked_cb};
    return handed_over(f, pawl_submit(f->handle, &spec, &asked->op, NULL));
}

static inline int
ask_stop(struct fixture *f, struct asked *asked, const char *id)
{
    *asked = (struct asked) {.op.done = asked_cb};
    return handed_over(f, pawl_stop(f->handle, id, strlen(id), false, &asked->op, NULL));
}

static inline int
ask_delete(struct fixture *f, struct asked *asked, const char *id)
{
    *asked = (struct asked) {.op.done = asked_cb};
    return handed_over(f, pawl_delete(f->handle, id, strlen(id), false, &asked->op, NULL));
}

/* Waits for the end and gives its code; the view is released. */
static inline int
await_end(struct fixture *f, struct asked *asked)
{
    while (!asked->is_done)
        fixture_deliver(f);
    if (asked->op.has_view)
        pawl_view_release(&asked->op.view);
    asked->op.has_view = false;
    return asked->op.code;
}

/* The same of an operation that may have ended at once, with code. */
static inline int
end_of(struct fixture *f, struct asked *asked, int code)
{
    pawl_rest(f->handle);
    if (code == PAWL_PENDING)
        return await_end(f, asked);
    if (asked->op.has_view)
        pawl_view_release(&asked->op.view);
    return code;
}

/* Submits, waits and gives the code. */
static inline int
try_submit(struct fixture *f, const char *id, enum pawl_type type, int64_t time_ns,
           const char *script, struct pawl_err *err)
{
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = type, .time_ns = time_ns, .script = script,
        .script_len = strlen(script), .keep_results = -1,
    };
    struct asked asked = {.op.done = asked_cb};

    return end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, err));
}

static inline void
submit(struct fixture *f, const char *id, enum pawl_type type, int64_t time_ns,
       const char *script)
{
    struct pawl_err err = {0};

    if (try_submit(f, id, type, time_ns, script, &err) != PAWL_OK)
        fail_msg("submit of %s: %s", id, err.text);
}

static inline int
stop(struct fixture *f, const char *id)
{
    struct asked asked;

    return end_of(f, &asked, ask_stop(f, &asked, id));
}

static inline int
delete(struct fixture *f, const char *id)
{
    struct asked asked;

    return end_of(f, &asked, ask_delete(f, &asked, id));
}

/* --- Reading --- */

static inline struct pawl_view
get(struct fixture *f, const char *id)
{
    struct pawl_view view;

    if (pawl_get(f->handle, id, strlen(id), &view) != PAWL_OK)
        fail_msg("no task %s", id);
    return view;
}

struct awaited {
    struct pawl_watch watch;
    bool is_over, is_gone;
    int64_t version;
};

static inline void
awaited_cb(struct pawl_watch *watch, const struct pawl_view *view)
{
    struct awaited *awaited = (struct awaited *) watch;

    awaited->is_over = true;
    awaited->is_gone = !view;
    awaited->version = view ? view->version : -1;
}

/* Waits until the task's version is at least version, by watching it. */
static inline struct pawl_view
await_version(struct fixture *f, const char *id, int64_t version)
{
    struct pawl_view view = get(f, id);

    while (view.version < version) {
        struct awaited awaited = {.watch.changed = awaited_cb};
        int64_t seen = view.version;
        int code;

        pawl_view_release(&view);
        code = pawl_watch(f->handle, id, strlen(id), seen, &awaited.watch, &view);
        if (code == PAWL_OK)
            continue;
        assert_int_equal(code, PAWL_PENDING);
        while (!awaited.is_over)
            fixture_deliver(f);
        view = get(f, id);
    }
    return view;
}

#endif
