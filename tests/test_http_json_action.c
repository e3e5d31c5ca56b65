/* test_http_json_action.c: what says how a script is run, read and written. What is written
 * is read again as the same. */
#include "json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json_write.h"

#define DOCUMENT_MAX 262144

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
    static char text[DOCUMENT_MAX];
    int len = snprintf(text, sizeof text - PAWL_JSON_PADDING,
                       "{\"id\":\"a\",\"taskType\":\"delay\",\"time\":0%s,\"script\":\"x\"}",
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
    assert_non_null(spec.action);
    pawl_json_write_action(&buffer, spec.action);
    pawl_buffer_append_char(&buffer, '\0');
    assert_string_equal(buffer.data, written);
    pawl_buffer_fini(&buffer);
}

static void
test_json_action_is_written_as_it_was_read(void **state)
{
    static const char *const same[] = {
        ",\"interpreter\":\"python3\"",
        ",\"args\":[\"a\",\"\",\"two\\nlines\"]",
        ",\"env\":{\"A\":\"1\",\"B\":\"x=y\",\"C\":\"\"}",
        ",\"cwd\":\"/srv/größe\"",
        ",\"umask\":\"027\"",
        ",\"umask\":\"000\"",
        ",\"timeout\":1000000",
        ",\"killGrace\":0",
        ",\"killMode\":\"tree\"",
        ",\"condition\":\"test -e /größe\\n\"",
        (",\"interpreter\":\"sh\",\"args\":[\"a\"],\"env\":{\"A\":\"1\"},\"cwd\":\"/\","
         "\"umask\":\"777\",\"timeout\":1500000000,\"killGrace\":7000000000"),
    };

    (void) state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        assert_echoed(same[i], same[i]);
    assert_echoed(",\"killMode\":\"group\"", "");
    assert_echoed(",\"umask\":23", ",\"umask\":\"027\"");
    assert_echoed(",\"umask\":\"7\"", ",\"umask\":\"007\"");
    assert_echoed(",\"timeout\":\"1.5s\",\"KILLGRACE\":\"1m\"",
                  ",\"timeout\":1500000000,\"killGrace\":60000000000");
    assert_echoed(",\"args\":null,\"cwd\":\"/\",\"env\":null", ",\"cwd\":\"/\"");
}

static void
test_json_without_an_action_has_none_though_the_one_before_had(void **state)
{
    (void) state;
    assert_int_equal(read_members(",\"args\":[\"a\"],\"timeout\":5000000"), 0);
    assert_string_equal(spec.action->args[0], "a");
    assert_int_equal(read_members(""), 0);
    assert_null(spec.action);
    assert_int_equal(read_members(",\"args\":null,\"umask\":null"), 0);
    assert_null(spec.action);
    assert_int_equal(read_members(",\"cwd\":\"/x\""), 0);
    assert_null(spec.action->args);
    assert_int_equal(spec.action->timeout_ns, 0);
    assert_int_equal(spec.action->umask, -1);
    assert_int_equal(spec.action->kill_grace_ns, -1);
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
test_json_action_that_is_wrong_is_refused_by_field(void **state)
{
    (void) state;
    assert_refused(",\"interpreter\":5", "interpreter", "must be a string, not a number");
    assert_refused(",\"interpreter\":\"a\\u0000b\"", "interpreter", "NUL at byte 1");
    assert_refused(",\"args\":\"x\"", "args", "an array of strings, not a string");
    assert_refused(",\"args\":[\"a\",5]", "args", "args[1] must be a string, not a number");
    assert_refused(",\"args\":[null]", "args", "args[0] must be a string, not null");
    assert_refused(",\"args\":[\"\\u0000\"]", "args", "args[0] has a NUL");
    assert_refused(",\"env\":[\"A=1\"]", "env", "an object of strings, not an array");
    assert_refused(",\"env\":{\"A\":1}", "env", "env.A must be a string, not a number");
    assert_refused(",\"env\":{\"A\":\"x\\u0000\"}", "env", "env.A has a NUL at byte 1");
    assert_refused(",\"env\":{\"A=B\":\"x\"}", "env", "env.A=B: a name");
    assert_refused(",\"cwd\":true", "cwd", "must be a string");
    assert_refused(",\"umask\":\"8\"", "umask", "octal");
    assert_refused(",\"umask\":\"\"", "umask", "octal");
    assert_refused(",\"umask\":\"1000\"", "umask", "octal");
    assert_refused(",\"umask\":512", "umask", "octal");
    assert_refused(",\"umask\":-1", "umask", "octal");
    assert_refused(",\"umask\":1.5", "umask", "fraction");
    assert_refused(",\"umask\":\"99999999999999999999999999\"", "umask", "octal");
    assert_refused(",\"timeout\":0", "timeout", "1ms");
    assert_refused(",\"timeout\":\"-1s\"", "timeout", "1ms");
    assert_refused(",\"timeout\":\"soon\"", "timeout", "timeout");
    assert_refused(",\"killGrace\":-1", "killGrace", "0 or more");
    assert_refused(",\"killMode\":\"main\"", "killMode", "\"group\" or \"tree\"");
    assert_refused(",\"condition\":true", "condition", "must be a string");
    assert_refused(",\"condition\":\"a\\u0000\"", "condition", "NUL at byte 1");
    assert_refused(",\"killMode\":1", "killMode", "\"group\" or \"tree\"");
    assert_refused(",\"timeOuts\":1", "timeOuts", "did you mean \"timeout\"");
}

static void
test_json_action_larger_than_can_be_is_refused(void **state)
{
    static char members[DOCUMENT_MAX / 2];
    size_t len;

    (void) state;
    len = (size_t) sprintf(members, ",\"args\":[\"x\"");
    for (int i = 0; i < PAWL_ARGUMENTS_MAX; i++)
        len += (size_t) sprintf(members + len, ",\"x\"");
    strcpy(members + len, "]");
    assert_refused(members, "args", "more than 1000 entries");
    len = (size_t) sprintf(members, ",\"env\":{\"A\":\"");
    memset(members + len, 'x', PAWL_ARGUMENTS_BYTES);
    strcpy(members + len + PAWL_ARGUMENTS_BYTES, "\"}");
    assert_refused(members, "env", "65536 bytes");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_action_is_written_as_it_was_read),
        cmocka_unit_test(test_json_without_an_action_has_none_though_the_one_before_had),
        cmocka_unit_test(test_json_action_that_is_wrong_is_refused_by_field),
        cmocka_unit_test(test_json_action_larger_than_can_be_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
