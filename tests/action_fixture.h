/* action_fixture.h: tasks with an action, on the engine fixture, and a FIFO by which a script says
 * how far it is. */
#ifndef PAWL_ACTION_FIXTURE_H
#define PAWL_ACTION_FIXTURE_H

#include "engine_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#define NO_ACTION {.umask = -1, .kill_grace_ns = -1}

static inline int
try_submit_action(struct fixture *f, const char *id, const char *script,
                  const struct pawl_action *action, struct pawl_err *err)
{
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = PAWL_DELAY, .script = script,
        .script_len = strlen(script), .keep_results = -1, .action = action,
    };
    struct asked asked = {.op.done = asked_cb};

    return end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, err));
}

static inline void
submit_action(struct fixture *f, const char *id, const char *script,
              const struct pawl_action *action)
{
    struct pawl_err err = {0};

    if (try_submit_action(f, id, script, action, &err) != PAWL_OK)
        fail_msg("submit of %s: %s", id, err.text);
}

/* Waits for the end of the first run. The caller releases the view. */
static inline struct pawl_view
await_result(struct fixture *f, const char *id)
{
    struct pawl_view view = await_version(f, id, 2);

    assert_int_equal(view.nresults, 1);
    return view;
}

static inline void
assert_output(struct fixture *f, const char *id, enum pawl_outcome outcome, const char *out)
{
    struct pawl_view view = await_result(f, id);

    if (view.results[0]->outcome != outcome)
        fail_msg("%s: %s, %s", id, pawl_outcome_name(view.results[0]->outcome),
                 view.results[0]->err);
    assert_string_equal(view.results[0]->out, out);
    pawl_view_release(&view);
}

struct gate {
    char dir[32], path[64];
    int fd;
};

static inline void
gate_open(struct gate *gate)
{
    strcpy(gate->dir, "/tmp/pawl-gate-XXXXXX");
    assert_non_null(mkdtemp(gate->dir));
    snprintf(gate->path, sizeof gate->path, "%s/fifo", gate->dir);
    assert_int_equal(mkfifo(gate->path, 0600), 0);
    gate->fd = open(gate->path, O_RDWR | O_CLOEXEC);
    assert_true(gate->fd >= 0);
}

/* Waits until a script has written a byte. */
static inline char
gate_wait(struct gate *gate)
{
    struct pollfd ready = {.fd = gate->fd, .events = POLLIN};
    char byte = 0;

    assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
    assert_int_equal(read(gate->fd, &byte, 1), 1);
    return byte;
}

static inline void
gate_close(struct gate *gate)
{
    close(gate->fd);
    unlink(gate->path);
    rmdir(gate->dir);
}

#endif
