/* test_overlap_condition.c: runs that overlap, some of which come to nothing by their condition. */
#include "restart_fixture.h"
#include "when_fixture.h"

#include "action_fixture.h"
#include "policy.h"

/* Run 1 goes on; run 2 has ended by its condition, and that is durable. */
static void
live_with_a_skipped_run(struct house *house)
{
    struct pawl_action action = NO_ACTION;
    struct pawl_policy policy;
    struct pawl_spec spec = {
        .id = "t", .id_len = 1, .type = PAWL_CRON, .time_ns = 10 * MINUTE, .script = "exec sleep 600",
        .script_len = 14, .keep_results = 100, .policy = &policy, .action = &action,
    };
    struct fixture *f = &house->f;
    struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;

    action.condition = "test $PAWL_RUN != 2";
    pawl_policy_init(&policy);
    policy.overlap = PAWL_OVERLAP_ALLOW;
    assert_int_equal(end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, NULL)), PAWL_OK);
    fixture_advance(f, 10 * MINUTE);
    view = await_version(f, "t", 1);
    pawl_view_release(&view);
    fixture_advance(f, 10 * MINUTE);
    view = await_version(f, "t", 3);
    assert_int_equal(view.skipped_condition, 1);
    assert_int_equal(view.running, 1);
    pawl_view_release(&view);
    await(stats_of(f).finished == 1);
    fence(f);
}

static void
test_run_that_a_kill_cut_is_lost_and_not_the_one_that_was_skipped(void **state)
{
    struct house house;
    struct fixture *f = &house.f;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_crash(&house, live_with_a_skipped_run);
    house_begin(&house);
    view = get(f, "t");
    assert_int_equal(view.run_count, 2);
    assert_int_equal(view.skipped_condition, 1);
    assert_int_equal(view.failure_count, 1);
    assert_int_equal(view.nresults, 1);
    assert_int_equal(view.results[0]->outcome, PAWL_LOST);
    assert_int_equal(view.results[0]->run, 1);
    assert_true(view.results[0]->scheduled_ns == START_WALL + 10 * MINUTE);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_that_a_kill_cut_is_lost_and_not_the_one_that_was_skipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
