/* test_http_problem.c: which status an error of the engine becomes, and what it says. */
#include "problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
assert_op(int code, const char *why, int status, const char *field, bool helps_to_wait)
{
    struct pawl_op op = {.code = code, .why = why};
    struct pawl_problem problem;

    pawl_problem_from_op(&problem, &op);
    assert_int_equal(problem.status, status);
    assert_int_equal(problem.code, code);
    assert_int_equal(problem.retry_after_s > 0, helps_to_wait);
    if (field == NULL)
        assert_null(problem.field);
    else
        assert_string_equal(problem.field, field);
    if (why != NULL)
        assert_string_equal(problem.detail, why);
    else
        assert_true(problem.detail[0] != '\0');
}

static void
test_problem_of_an_op_that_ended_later_has_its_words(void **state)
{
    (void) state;
    assert_op(PAWL_EFULL, "the disk is full", 507, NULL, true);
    assert_op(PAWL_ESTORE, "stopped, but not kept", 507, NULL, true);
    assert_op(PAWL_EEXIST, "the id is taken", 409, "id", false);
    assert_op(PAWL_ENOENT, "deleted meanwhile", 404, NULL, false);
    assert_op(PAWL_ESTATE, "stopped already", 409, NULL, false);
    assert_op(PAWL_ESTORE, NULL, 507, NULL, true);
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
        cmocka_unit_test(test_problem_of_an_op_that_ended_later_has_its_words),
        cmocka_unit_test(test_problem_of_the_engine_keeps_its_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
