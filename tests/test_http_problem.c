/* test_http_problem.c: which status an error of the engine becomes, and what it says. */
#include "problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
assert_store(enum pawl_problem_change change, int code, int status, const char *begin,
             const char *text)
{
    struct pawl_problem problem;

    pawl_problem_from_store(&problem, change, code);
    assert_int_equal(problem.status, status);
    assert_int_equal(problem.code, code);
    assert_true(problem.retry_after_s > 0);
    assert_int_equal(strncmp(problem.detail, begin, strlen(begin)), 0);
    if (strstr(problem.detail, text) == NULL)
        fail_msg("'%s' does not say '%s'", problem.detail, text);
}

static void
test_problem_of_a_full_disk_says_what_still_works(void **state)
{
    (void) state;
    assert_store(PAWL_CHANGE_SUBMIT, PAWL_EFULL, 507, "not accepted: ", "disk is full");
    assert_store(PAWL_CHANGE_SUBMIT, PAWL_EFULL, 507, "not accepted: ", "stops and deletes still");
}

static void
test_problem_of_a_change_in_force_says_so(void **state)
{
    (void) state;
    assert_store(PAWL_CHANGE_STOP, PAWL_ESTORE, 507, "stopped, but not yet written to disk: ",
        "the task goes on");
    assert_store(PAWL_CHANGE_STOP, PAWL_EFULL, 507, "stopped, but not yet written to disk: ",
        "disk is full");
    assert_store(PAWL_CHANGE_DELETE, PAWL_ESTORE, 507, "deleted, but not yet written to disk: ",
        "the task is back");
}

static void
test_problem_of_a_submit_of_unknown_end_says_so(void **state)
{
    (void) state;
    assert_store(PAWL_CHANGE_SUBMIT, PAWL_ESTORE, 507, "not accepted: ", "is not known");
    assert_store(PAWL_CHANGE_SUBMIT, PAWL_ENOMEM, 503, "not accepted: ", "out of memory");
}

static void
test_problem_of_the_engine_keeps_its_words(void **state)
{
    struct pawl_err err = {PAWL_EFULL, NULL, "the words of the engine"};
    struct pawl_problem problem;

    (void) state;
    pawl_problem_from_err(&problem, &err);
    assert_int_equal(problem.status, 507);
    assert_string_equal(problem.title, "Insufficient Storage");
    assert_string_equal(problem.detail, "the words of the engine");
    assert_int_equal(problem.retry_after_s, 30);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_problem_of_a_full_disk_says_what_still_works),
        cmocka_unit_test(test_problem_of_a_change_in_force_says_so),
        cmocka_unit_test(test_problem_of_a_submit_of_unknown_end_says_so),
        cmocka_unit_test(test_problem_of_the_engine_keeps_its_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
