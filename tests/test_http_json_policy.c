/* test_http_json_policy.c: what says what happens when something is in the way, read and written.
 * What is written is read again as the same. */
#include "json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json_write.h"

static struct pawl_json_reader *reader;
static struct pawl_spec spec;
static struct pawl_problem problem;

static int
set_up(void **state)
{
    (void) state;
    return pawl_json_reader_new(&reader);
}

static int
tear_down(void **state)
{
    (void) state;
    pawl_json_reader_free(reader);
    return 0;
}

/* Reads a document of a task with these members besides what each must have. */
static int
read_members(const char *members)
{
    static char text[16384];
    int len = snprintf(text, sizeof text - PAWL_JSON_PADDING,
                       "{\"id\":\"a\",\"taskType\":\"cron\",\"time\":\"1s\"%s,\"script\":\"x\"}",
                       members);

    assert_in_range(len, 1, sizeof text - PAWL_JSON_PADDING - 1);
    memset(&spec, 0, sizeof spec);
    memset(&problem, 0, sizeof problem);
    return pawl_json_read_task(reader, text, (size_t) len, sizeof text, &spec, &problem);
}

static void
assert_echoed(const char *members, const char *written)
{
    struct pawl_buffer buffer;

    pawl_buffer_init(&buffer);
    if (read_members(members) != 0)
        fail_msg("%s: %s", members, problem.detail);
    assert_non_null(spec.policy);
    pawl_json_write_policy(&buffer, spec.policy);
    pawl_buffer_append_char(&buffer, '\0');
    assert_string_equal(buffer.data, written);
    pawl_buffer_fini(&buffer);
}

static void
test_json_policy_is_written_as_it_was_read(void **state)
{
    static const char *const same[] = {
        ",\"overlap\":\"queue\"",
        ",\"overlap\":\"replace\"",
        ",\"overlap\":\"queue\",\"queueLimit\":10000",
        ",\"misfire\":\"skip\",\"misfireGrace\":1",
        ",\"misfire\":\"all\",\"misfireLimit\":1",
        ",\"retries\":1000,\"retryDelay\":0",
        ",\"retries\":1,\"retryBackoff\":1.5",
        ",\"retries\":1,\"retryBackoff\":100",
        ",\"retries\":1,\"retryBackoff\":1.0000000000000002",
        ",\"retries\":1,\"retryBackoff\":3.141592653589793",
        ",\"retries\":1,\"retryMaxDelay\":31622400000000000,\"retryJitter\":5",
        ",\"retries\":1,\"retryOn\":[1]",
        ",\"retries\":1,\"retryOn\":[1,8,75,255]",
        ",\"group\":\"db\"",
        ",\"retries\":1,\"group\":\"d\\\"b/\303\251\",\"groupOverflow\":\"skip\"",
    };

    (void) state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        assert_echoed(same[i], same[i]);
    assert_echoed(",\"retries\":2,\"retryOn\":[9,1,9]", ",\"retries\":2,\"retryOn\":[1,9]");
    assert_echoed(",\"RETRIES\":2,\"retryDelay\":\"1m30s\",\"retryBackoff\":2",
                  ",\"retries\":2,\"retryDelay\":90000000000,\"retryBackoff\":2");
    assert_echoed(",\"overlap\":null,\"retries\":1", ",\"retries\":1");
}

static void
test_json_policy_as_by_default_is_left_out(void **state)
{
    (void) state;
    assert_echoed(",\"overlap\":\"skip\",\"queueLimit\":1,\"misfire\":\"once\",\"misfireGrace\":0,"
                  "\"misfireLimit\":100,\"retries\":0,\"retryDelay\":\"1s\",\"retryBackoff\":1,"
                  "\"retryMaxDelay\":0,\"retryJitter\":0,\"groupOverflow\":\"wait\"", "");
}

static void
test_json_without_a_policy_has_none_though_the_one_before_had(void **state)
{
    (void) state;
    assert_int_equal(read_members(",\"retries\":7,\"retryOn\":[3],\"overlap\":\"queue\""), 0);
    assert_int_equal(spec.policy->retries, 7);
    assert_int_equal(read_members(""), 0);
    assert_null(spec.policy);
    assert_int_equal(read_members(",\"retries\":null,\"retryOn\":null"), 0);
    assert_null(spec.policy);
    assert_int_equal(read_members(",\"misfire\":\"all\""), 0);
    assert_int_equal(spec.policy->retries, 0);
    assert_int_equal(spec.policy->overlap, PAWL_OVERLAP_SKIP);
    assert_int_equal(spec.policy->retry_on[0], 0);
}

/* Bounds are the engine's: what does not fit must reach it as something that it refuses. */
static void
test_json_number_too_large_for_a_policy_stays_out_of_bounds(void **state)
{
    static const char *const numbers[] = {
        "-1", "-9223372036854775808", "4294967296", "4294967297", "18446744073709551615",
    };
    char members[80];

    (void) state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(members, sizeof members, ",\"retries\":%s", numbers[i]);
        assert_int_equal(read_members(members), 0);
        assert_true(spec.policy->retries == UINT32_MAX);
    }
}

static void
assert_refused(const char *members, const char *field, const char *word)
{
    assert_int_equal(read_members(members), PAWL_EINVAL);
    assert_int_equal(problem.status, 400);
    assert_string_equal(problem.field, field);
    if (strstr(problem.detail, word) == NULL)
        fail_msg("'%s' does not say '%s'", problem.detail, word);
}

static void
test_json_policy_that_is_wrong_is_refused_by_field(void **state)
{
    (void) state;
    assert_refused(",\"overlap\":1", "overlap", "\"skip\", \"queue\"");
    assert_refused(",\"overlap\":\"Queue\"", "overlap", "not \"Queue\"");
    assert_refused(",\"misfire\":\"never\"", "misfire", "\"once\", \"skip\" or \"all\"");
    assert_refused(",\"queueLimit\":\"2\"", "queueLimit", "a whole number, not a string");
    assert_refused(",\"misfireLimit\":1.0", "misfireLimit", "a whole number");
    assert_refused(",\"misfireGrace\":true", "misfireGrace", "nanoseconds");
    assert_refused(",\"misfireGrace\":\"soon\"", "misfireGrace", "misfireGrace");
    assert_refused(",\"retries\":[]", "retries", "a whole number, not an array");
    assert_refused(",\"retryDelay\":1.5", "retryDelay", "nanoseconds");
    assert_refused(",\"retryBackoff\":\"2\"", "retryBackoff", "a number, not a string");
    assert_refused(",\"retryOn\":1", "retryOn", "an array of exit codes");
    assert_refused(",\"retryOn\":[]", "retryOn", "empty");
    assert_refused(",\"retryOn\":[1,\"x\"]", "retryOn", "retryOn[1] must be an exit code");
    assert_refused(",\"retryOn\":[null]", "retryOn", "not null");
    assert_refused(",\"retryOn\":[1.0]", "retryOn", "not a number with a fraction");
    assert_refused(",\"retryOn\":[0]", "retryOn", "1 to 255");
    assert_refused(",\"retryOn\":[256]", "retryOn", "1 to 255");
    assert_refused(",\"retryOn\":[-1]", "retryOn", "1 to 255");
    assert_refused(",\"retryOn\":[18446744073709551615]", "retryOn", "1 to 255");
    assert_refused(",\"retires\":1", "retires", "did you mean \"retries\"");
    assert_refused(",\"retries\":1,\"Retries\":1", "retries", "twice");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_policy_is_written_as_it_was_read),
        cmocka_unit_test(test_json_policy_as_by_default_is_left_out),
        cmocka_unit_test(test_json_without_a_policy_has_none_though_the_one_before_had),
        cmocka_unit_test(test_json_number_too_large_for_a_policy_stays_out_of_bounds),
        cmocka_unit_test(test_json_policy_that_is_wrong_is_refused_by_field),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
