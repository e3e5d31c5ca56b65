/* test_group_edit_race.c: a start of a task that waits for a place in its group, and an edit into another
 * group or none, at one moment. */
#include "race.h"

#include "admission.h"
#include "concurrency.h"
#include "edit_fixture.h"
#include "policy.h"

static void
give_up_time(unsigned turns)
{
    for (volatile unsigned i = 0; i < turns; i++)
        ;
}

/* The workers start nothing, as the one run that there may be goes on: so the starts are the test's. */
struct meeting {
    struct fixture f;
    struct pawl_handle *editor;
    struct pawl_task *task;
    struct pawl_concurrency_spare spare;
    const char *to;                     /* the group that the task is edited into; "": none */
    unsigned head_start;
    struct pawl_event started;
    int code, edit_code;
    struct race race;
};

static void
set_group(struct pawl_policy *policy, const char *group)
{
    pawl_policy_init(policy);
    policy->queue_limit = 2;            /* it has a policy in any case */
    policy->overlap = PAWL_OVERLAP_QUEUE;
    strcpy(policy->group, group);
}

static void
left_starts(void *ctx)
{
    struct meeting *meeting = ctx;

    meeting->started = (struct pawl_event) {.kind = PAWL_EVENT_START, .slot = PAWL_SLOT_NONE};
    give_up_time(meeting->head_start);
    meeting->code = pawl_admission_start(meeting->f.handle, meeting->task, &meeting->started,
                                         &meeting->spare);
}

static void
right_edits(void *ctx)
{
    struct meeting *meeting = ctx;
    struct pawl_op op = {0};
    struct pawl_policy policy;
    struct pawl_view view;
    struct pawl_spec spec;

    meeting->edit_code = pawl_edit_begin(meeting->editor, "t", 1, &view, NULL);
    if (meeting->edit_code != PAWL_OK)
        return;
    spec = spec_of_view(&view);
    set_group(&policy, meeting->to);
    spec.policy = &policy;
    meeting->edit_code = pawl_edit(meeting->editor, &view, &spec, -1, &op, NULL);
    pawl_view_release(&view);
    if (op.has_view)
        pawl_view_release(&op.view);
}

static void
meeting_begin(struct meeting *meeting)
{
    struct pawl_policy policy;
    struct pawl_options options;
    struct pawl_spec spec = {
        .id = "t", .id_len = 1, .type = PAWL_CRON, .time_ns = 1000000 * SECOND, .script = ":",
        .script_len = 1, .policy = &policy,
    };
    struct asked asked = {.op.done = asked_cb};

    memset(meeting, 0, sizeof *meeting);
    pawl_options_init(&options);
    options.nworkers = 2;
    options.max_running = 1;
    fixture_open_with(&meeting->f, &options);
    submit(&meeting->f, "blocker", PAWL_DELAY, 0, "exec sleep 600");
    await(stats_of(&meeting->f).started == 1);
    set_group(&policy, "");
    assert_int_equal(end_of(&meeting->f, &asked,
                            pawl_submit(meeting->f.handle, &spec, &asked.op, NULL)), PAWL_OK);
    meeting->task = pawl_handle_find(meeting->f.handle, "t", 1);
    assert_int_equal(pawl_attach(meeting->f.engine, NULL, NULL, &meeting->editor), PAWL_OK);
    race_begin(&meeting->race, left_starts, right_edits, meeting);
}

static void
meeting_end(struct meeting *meeting)
{
    race_end(&meeting->race);
    pawl_concurrency_spare_free(&meeting->spare);
    pawl_detach(meeting->editor);
    assert_int_equal(delete(&meeting->f, "t"), PAWL_OK);
    pawl_task_unref(meeting->task);
    fixture_close(&meeting->f);
}

/* The run that was begun ends. */
static void
end_started(struct meeting *meeting)
{
    struct pawl_event event = {
        .kind = PAWL_EVENT_FINISH, .due = meeting->started.due, .is_asked = true,
    };

    assert_false(meeting->started.is_passed);
    pawl_admission_end(meeting->f.engine, meeting->started.def);
    assert_int_equal(pawl_change(meeting->f.handle, meeting->task, &event, NULL), PAWL_OK);
    pawl_snapshot_free_unused(event.spare);
    pawl_def_unref(meeting->started.def);
}

static void
assert_empty(struct fixture *f, const char *group)
{
    struct pawl_group_view view;

    assert_int_equal(pawl_group_get(f->engine, group, strlen(group), &view, NULL), PAWL_OK);
    assert_int_equal(view.running, 0);
    assert_int_equal(view.waiting, 0);
}

static void
test_place_is_given_back_by_a_run_whose_task_is_edited_out_of_the_group(void **state)
{
    unsigned rounds = race_rounds() / 4;
    struct meeting meeting;

    (void) state;
    meeting_begin(&meeting);
    for (unsigned i = 0; i < rounds; i++) {
        struct asked asked = {.op.done = asked_cb};
        struct pawl_policy policy;

        set_group(&policy, "a");
        edit_policy(&meeting.f, "t", &policy);
        assert_int_equal(end_of(&meeting.f, &asked,
                                pawl_run(meeting.f.handle, "t", 1, &asked.op, NULL)), PAWL_OK);
        assert_true(pawl_concurrency_prepare(&meeting.spare));
        meeting.to = i % 2 ? "b" : "";
        meeting.head_start = i % 4000;
        race_round(&meeting.race);
        assert_int_equal(meeting.edit_code, PAWL_OK);
        assert_int_equal(meeting.code, PAWL_OK);
        end_started(&meeting);
        assert_empty(&meeting.f, "a");
        assert_empty(&meeting.f, "b");
    }
    meeting_end(&meeting);
}

/* The place that was looked for was one of the group that the task was in before. */
static void
test_task_without_a_group_is_not_skipped_for_a_full_one(void **state)
{
    struct meeting meeting;
    struct asked asked = {.op.done = asked_cb};
    struct pawl_policy policy;
    struct pawl_event look = {.kind = PAWL_EVENT_START, .slot = PAWL_SLOT_NONE};

    (void) state;
    meeting_begin(&meeting);
    set_group(&policy, "a");
    edit_policy(&meeting.f, "t", &policy);
    assert_int_equal(end_of(&meeting.f, &asked,
                            pawl_run(meeting.f.handle, "t", 1, &asked.op, NULL)), PAWL_OK);
    assert_int_equal(pawl_change(meeting.f.handle, meeting.task, &look, NULL), PAWL_ESTATE);
    assert_true(look.needs_place);
    set_group(&policy, "");
    edit_policy(&meeting.f, "t", &policy);
    meeting.started = (struct pawl_event) {
        .kind = PAWL_EVENT_START, .slot = PAWL_SLOT_NONE, .spare = look.spare,
        .group_of = look.def, .is_group_full = true,
    };
    assert_int_equal(pawl_change(meeting.f.handle, meeting.task, &meeting.started, NULL), PAWL_OK);
    pawl_def_unref(look.def);
    end_started(&meeting);
    meeting_end(&meeting);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place_is_given_back_by_a_run_whose_task_is_edited_out_of_the_group),
        cmocka_unit_test(test_task_without_a_group_is_not_skipped_for_a_full_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
