/* when_fixture.h: tasks that say when they fire by more than one span, and what comes of them. */
#ifndef PAWL_WHEN_FIXTURE_H
#define PAWL_WHEN_FIXTURE_H

#include "calendar.h"
#include "durable_fixture.h"

#ifndef HOUR
#define HOUR (3600 * SECOND)
#endif
#define MINUTE (60 * SECOND)
#define DAY (24 * HOUR)
#define ALWAYS .start_ns = PAWL_NO_TIME, .end_ns = PAWL_NO_TIME

/* One trigger. */
#define BY_CRON(text, zone)                                                                      \
    {.kind = PAWL_BY_CRON, .expr = text, .expr_len = strlen(text), .timezone = zone,              \
     .timezone_len = strlen(zone)}
#define BY_CALENDAR(text, zone)                                                                  \
    {.kind = PAWL_BY_CALENDAR, .expr = text, .expr_len = strlen(text), .timezone = zone,          \
     .timezone_len = strlen(zone)}
#define BY_SPAN(ns) {.kind = PAWL_BY_SPAN, .time_ns = ns}
#define BY_AT(ns) {.kind = PAWL_BY_AT, .at_ns = ns}

/* A whole schedule: WHEN({triggers}, other fields). */
#define TRIGGERS(...) (struct pawl_trigger[]) {__VA_ARGS__},                                      \
    sizeof((struct pawl_trigger[]) {__VA_ARGS__}) / sizeof(struct pawl_trigger)

static inline int
try_submit_when(struct fixture *f, const char *id, enum pawl_type type, const char *script,
                const struct pawl_when *when, struct pawl_err *err)
{
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = type, .time_ns = 0, .script = script,
        .script_len = strlen(script), .keep_results = -1, .when = when,
    };
    struct asked asked = {.op.done = asked_cb};

    return end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, err));
}

static inline void
submit_when(struct fixture *f, const char *id, enum pawl_type type, const struct pawl_when *when)
{
    struct pawl_err err = {0};

    if (try_submit_when(f, id, type, ":", when, &err) != PAWL_OK)
        fail_msg("submit of %s: %s", id, err.text);
}

static inline void
submit_cron(struct fixture *f, const char *id, const char *expr, const char *zone)
{
    struct pawl_trigger trigger = BY_CRON(expr, zone);
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS};

    submit_when(f, id, PAWL_CRON, &when);
}

/* A time as RFC 3339, for tables in tests. */
static inline int64_t
at(const char *text)
{
    int64_t second;
    uint32_t ns;

    if (!pawl_calendar_parse(text, strlen(text), &second, &ns))
        fail_msg("%s is no time", text);
    return second * SECOND + ns;
}

static inline int64_t
next_of(struct fixture *f, const char *id)
{
    struct pawl_view view = get(f, id);
    int64_t next_ns = view.next_ns;

    pawl_view_release(&view);
    return next_ns;
}

static inline int64_t
wall_now(struct fixture *f)
{
    return atomic_load(&f->clock.elapsed) + atomic_load(&f->clock.offset);
}

static inline void
advance_to(struct fixture *f, const char *wall)
{
    int64_t by_ns = at(wall) - wall_now(f);

    assert_true(by_ns >= 0);
    fixture_advance(f, by_ns);
}

#define assert_time(found_ns, wanted)                                                            \
    do {                                                                                         \
        int64_t time_found = (found_ns), time_wanted = at(wanted);                               \
        char time_text[PAWL_RFC3339_MAX];                                                        \
                                                                                                 \
        if (time_found != time_wanted) {                                                         \
            pawl_calendar_format(time_found / SECOND, 0, time_text);                             \
            fail_msg("%s is %s + %d ns, not %s", #found_ns, time_text,                           \
                     (int) (time_found % SECOND), wanted);                                       \
        }                                                                                        \
    } while (0)

/* Runs the task at its next time, and gives what the last run was due at (wall). */
static inline int64_t
run_next(struct fixture *f, const char *id)
{
    int64_t version = version_of(f, id), scheduled_ns;
    struct pawl_view view = await_version(f, id, version + version % 2);    /* the end of a run */

    version = view.version;
    assert_true(view.next_ns != PAWL_NO_TIME);
    if (view.next_ns > wall_now(f))
        fixture_advance(f, view.next_ns - wall_now(f));
    pawl_view_release(&view);
    view = await_version(f, id, version + 2);
    assert_true(view.nresults > 0);
    scheduled_ns = view.results[view.nresults - 1]->scheduled_ns;
    pawl_view_release(&view);
    return scheduled_ns;
}

/* A fifo that a script reads from, so that a test ends its run when it likes. */
static inline void
make_gate(char path[64])
{
    snprintf(path, 64, "/tmp/pawl-gate-%d", (int) getpid());
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
}

static inline void
open_gate(const char *path)
{
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    close(fd);
}

/* Sets the wall clock, and waits until all tasks have followed it. */
static inline void
set_wall(struct fixture *f, int64_t by_ns)
{
    uint64_t steps = atomic_load(&f->engine->wall_steps);

    pawl_clock_manual_set(&f->clock, by_ns);
    await(atomic_load(&f->engine->wall_steps) > steps);
}

#endif
