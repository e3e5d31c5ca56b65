/* test_edit_overlap.c: a task whose runs overlap is made one whose runs come one after the other. */
#include "edit_fixture.h"
#include "policy.h"
#include "restart_fixture.h"

static char gates[64];          /* a directory with a pipe for each run */

static void
gate_path(char path[96], int run)
{
    snprintf(path, 96, "%s/%d", gates, run);
}

static void
make_gates(int n)
{
    char path[96];

    strcpy(gates, "/tmp/pawl-overlap-XXXXXX");
    assert_non_null(mkdtemp(gates));
    for (int run = 1; run <= n; run++) {
        gate_path(path, run);
        assert_int_equal(mkfifo(path, 0600), 0);
    }
}

static void
remove_gates(int n)
{
    char path[96];

    for (int run = 1; run <= n; run++) {
        gate_path(path, run);
        unlink(path);
    }
    assert_int_equal(rmdir(gates), 0);
}

static void
end_run(int run, const char *word)
{
    char path[96];
    int fd;

    gate_path(path, run);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, word, strlen(word)), (ssize_t) strlen(word));
    close(fd);
}

/* Each ten minutes a run, beside the others, until its gate is answered. */
static void
submit_overlapping(struct fixture *f, uint32_t keep_results)
{
    struct pawl_policy policy;
    char script[128];
    struct pawl_spec spec = {
        .id = "a", .id_len = 1, .type = PAWL_CRON, .time_ns = 10 * MINUTE, .script = script,
        .keep_results = keep_results, .policy = &policy,
    };
    struct asked asked = {.op.done = asked_cb};

    snprintf(script, sizeof script, "read x < %s/$PAWL_RUN; test \"$x\" != fail", gates);
    spec.script_len = strlen(script);
    pawl_policy_init(&policy);
    policy.overlap = PAWL_OVERLAP_ALLOW;
    assert_int_equal(end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, NULL)), PAWL_OK);
}

static void
await_change(struct fixture *f, int64_t version)
{
    struct pawl_view view = await_version(f, "a", version);

    pawl_view_release(&view);
}

/* It would be tried again by the number of the newest run, which was another one. */
static void
test_run_that_began_beside_others_is_not_tried_again(void **state)
{
    static const int runs[] = {2, 1, 3};
    struct pawl_policy retries;
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    make_gates(3);
    pawl_policy_init(&retries);
    retries.retries = 2;
    submit_overlapping(&f, 100);
    for (int i = 1; i <= 2; i++) {
        fixture_advance(&f, 10 * MINUTE);
        await_change(&f, i);
    }
    end_run(2, "\n");
    await_change(&f, 3);
    edit_policy(&f, "a", &retries);             /* 4 */
    end_run(1, "fail\n");
    view = await_version(&f, "a", 5);
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    assert_int_equal(view.waiting, PAWL_WAITING_NOTHING);
    assert_int_equal(view.failure_count, 1);
    pawl_view_release(&view);
    fixture_advance(&f, 10 * MINUTE);           /* from now on it has retries */
    end_run(3, "fail\n");
    view = await_version(&f, "a", 7);
    assert_int_equal(view.waiting, PAWL_WAITING_RETRY);
    assert_int_equal(view.run_count, 3);
    assert_int_equal(view.nresults, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(view.results[i]->run, runs[i]);
        assert_int_equal(view.results[i]->attempt, 1);
    }
    pawl_view_release(&view);
    fixture_close(&f);
    remove_gates(3);
}

/* They are kept in the order of their ends still. */
static void
test_results_that_are_kept_stay_in_the_store(void **state)
{
    struct pawl_policy usual;
    struct pawl_view view;
    struct house house;
    struct fixture *f = &house.f;

    (void) state;
    house_init(&house);
    house_begin(&house);
    make_gates(4);
    pawl_policy_init(&usual);
    submit_overlapping(f, 3);
    for (int i = 1; i <= 3; i++) {
        fixture_advance(f, 10 * MINUTE);
        await_change(f, i);
    }
    for (int i = 3; i >= 1; i--) {
        end_run(i, "\n");
        await_change(f, 7 - i);
    }
    edit_policy(f, "a", &usual);                /* 7 */
    house_restart(&house);
    view = get(f, "a");
    assert_int_equal(view.nresults, 3);
    pawl_view_release(&view);
    remove_gates(4);
    house_end(&house);
    house_fini(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_that_began_beside_others_is_not_tried_again),
        cmocka_unit_test(test_results_that_are_kept_stay_in_the_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
