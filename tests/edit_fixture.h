/* edit_fixture.h: short ways to edit a task: begin, change the spec, apply. */
#ifndef PAWL_EDIT_FIXTURE_H
#define PAWL_EDIT_FIXTURE_H

#include "when_fixture.h"

struct edit {
    struct pawl_view view;
    struct pawl_spec spec;              /* what the view shows */
    struct asked asked;
};

static inline struct pawl_spec
spec_of_view(const struct pawl_view *view)
{
    return (struct pawl_spec) {
        .id = view->id, .id_len = view->id_len, .type = view->type, .time_ns = view->time_ns,
        .script = view->script, .script_len = view->script_len,
        .keep_results = view->keep_results, .when = view->when, .action = view->action,
        .policy = view->policy, .tags = view->tags, .ntags = view->ntags,
    };
}

static inline void
edit_begin(struct fixture *f, struct edit *edit, const char *id)
{
    struct pawl_err err = {0};

    if (pawl_edit_begin(f->handle, id, strlen(id), &edit->view, &err) != PAWL_OK)
        fail_msg("an edit of %s: %s", id, err.text);
    edit->spec = spec_of_view(&edit->view);
    edit->asked = (struct asked) {.op.done = asked_cb};
}

/* Asks, and leaves the end of what is pending to await_end(). */
static inline int
edit_ask(struct fixture *f, struct edit *edit, int64_t version, struct pawl_err *err)
{
    int code = pawl_edit(f->handle, &edit->view, &edit->spec, version, &edit->asked.op, err);

    pawl_view_release(&edit->view);
    return handed_over(f, code);
}

static inline int
edit_end(struct fixture *f, struct edit *edit, struct pawl_err *err)
{
    return end_of(f, &edit->asked, edit_ask(f, edit, -1, err));
}

/* An edit that must be refused with a code and a text that has `text` in it. */
static inline void
edit_refused(struct fixture *f, struct edit *edit, int code, const char *text)
{
    struct pawl_err err = {0};

    assert_int_equal(edit_end(f, edit, &err), code);
    if (!strstr(err.text, text))
        fail_msg("'%s' does not say '%s'", err.text, text);
}

static inline void
edit_accepted(struct fixture *f, struct edit *edit)
{
    struct pawl_err err = {0};

    if (edit_end(f, edit, &err) != PAWL_OK)
        fail_msg("an edit: %s", err.text);
}

static inline void
set_script(struct edit *edit, const char *script)
{
    edit->spec.script = script;
    edit->spec.script_len = strlen(script);
}

static inline void
edit_script(struct fixture *f, const char *id, const char *script)
{
    struct edit edit;

    edit_begin(f, &edit, id);
    set_script(&edit, script);
    edit_accepted(f, &edit);
}

static inline void
edit_when(struct fixture *f, const char *id, const struct pawl_when *when)
{
    struct edit edit;

    edit_begin(f, &edit, id);
    edit.spec.when = when;
    edit_accepted(f, &edit);
}

static inline void
edit_time(struct fixture *f, const char *id, int64_t time_ns)
{
    struct edit edit;

    edit_begin(f, &edit, id);
    edit.spec.when = NULL;
    edit.spec.time_ns = time_ns;
    edit_accepted(f, &edit);
}

static inline void
edit_policy(struct fixture *f, const char *id, const struct pawl_policy *policy)
{
    struct edit edit;

    edit_begin(f, &edit, id);
    edit.spec.policy = policy;
    edit_accepted(f, &edit);
}

/* As run_next(), whose tasks are at an even version between runs: an edit changes that. */
static inline int64_t
run_edited(struct fixture *f, const char *id)
{
    struct pawl_view view = get(f, id);
    int64_t version = view.version, scheduled_ns;

    assert_int_equal(view.running, 0);
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

#endif
