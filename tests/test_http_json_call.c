/* test_http_json_call.c: the HTTP call of a task, read and written. What is written is read again
 * as the same. */
#include "json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json_write.h"

#define DOCUMENT_MAX 262144
#define URL "\"url\":\"http://a.example/\""

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
                       "{\"id\":\"a\",\"taskType\":\"delay\",\"time\":0%s}", members);

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
    assert_int_equal(spec.script_len, 0);
    pawl_json_write_action(&buffer, spec.action);
    pawl_buffer_append_char(&buffer, '\0');
    assert_string_equal(buffer.data, written);
    pawl_buffer_fini(&buffer);
}

static void
test_json_call_is_written_as_it_was_read(void **state)
{
    static const char *const same[] = {
        ",\"action\":{\"http\":{" URL "}}",
        ",\"action\":{\"http\":{" URL ",\"method\":\"PATCH\"}}",
        ",\"action\":{\"http\":{" URL ",\"headers\":{\"A\":\"b: c\",\"X\":\"\"}}}",
        ",\"action\":{\"http\":{" URL ",\"body\":\"\"}}",
        ",\"action\":{\"http\":{" URL ",\"body\":\"two\\nlines\\u0000ä\"}}",
        ",\"action\":{\"http\":{" URL ",\"successCodes\":[200,\"4xx\",599]}}",
        ",\"action\":{\"http\":{" URL ",\"maxRedirects\":0}}",
        ",\"timeout\":1000000,\"action\":{\"http\":{" URL ",\"method\":\"PUT\",\"headers\":{\"A\":\"b\"},"
        "\"body\":\"x\",\"successCodes\":[204],\"maxRedirects\":50}}",
    };

    (void) state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_echoed(same[i], same[i]);
    assert_echoed(",\"script\":\"\",\"ACTION\":{\"Http\":{\"URL\":\"http://a.example/\","
                  "\"body\":null,\"headers\":{},\"SuccessCodes\":[\"2XX\"]}}",
                  ",\"action\":{\"http\":{" URL ",\"successCodes\":[\"2xx\"]}}");
    assert_echoed(",\"script\":null,\"action\":{\"http\":{" URL "}}",
                  ",\"action\":{\"http\":{" URL "}}");
}

static void
assert_refused(const char *members, const char *field, const char *words)
{
    if (read_members(members) == 0)
        fail_msg("%s: accepted", members);
    assert_non_null(problem.field);
    assert_string_equal(problem.field, field);
    if (!strstr(problem.detail, words))
        fail_msg("%s: \"%s\" lacks \"%s\"", members, problem.detail, words);
}

static void
assert_call_refused(const char *members, const char *field, const char *words)
{
    char text[512];

    snprintf(text, sizeof text, ",\"action\":{\"http\":{%s}}", members);
    assert_refused(text, field, words);
}

static void
test_json_call_that_cannot_be_is_refused_by_field(void **state)
{
    (void) state;
    assert_refused("", "script", "script is required");
    assert_refused(",\"script\":null", "script", "script is required");
    assert_refused(",\"action\":null", "script", "script is required");
    assert_refused(",\"action\":1", "action", "must be an object");
    assert_refused(",\"action\":{}", "action", "is empty");
    assert_refused(",\"action\":{\"http\":null}", "action", "is empty");
    assert_refused(",\"action\":{\"ftp\":{}}", "action", "unknown field \"ftp\"");
    assert_refused(",\"action\":{\"http\":[]}", "action.http", "must be an object");
    assert_call_refused("", "action.http.url", "is required");
    assert_call_refused("\"url\":1", "action.http.url", "must be a string, not a number");
    assert_call_refused("\"url\":\"http://a/\\u0000\"", "action.http.url", "NUL at byte 9");
    assert_call_refused(URL ",\"uri\":\"x\"", "action.http", "unknown field \"uri\"");
    assert_call_refused(URL "," URL, "action.http.url", "given twice");
    assert_call_refused(URL ",\"method\":[]", "action.http.method", "must be a string");
    assert_call_refused(URL ",\"headers\":[]", "action.http.headers", "an object of strings");
    assert_call_refused(URL ",\"headers\":{\"A\":1}", "action.http.headers", "headers.A must be");
    assert_call_refused(URL ",\"headers\":{\"A:\":\"b\"}", "action.http.headers", "neither :");
    assert_call_refused(URL ",\"headers\":{\"A\":\"\\u0000\"}", "action.http.headers", "NUL");
    assert_call_refused(URL ",\"body\":{}", "action.http.body", "must be a string");
    assert_call_refused(URL ",\"successCodes\":200", "action.http.successCodes", "an array");
    assert_call_refused(URL ",\"successCodes\":[]", "action.http.successCodes", "is empty");
    assert_call_refused(URL ",\"successCodes\":[200,600]", "action.http.successCodes",
                        "successCodes[1] must be");
    assert_call_refused(URL ",\"successCodes\":[\"6xx\"]", "action.http.successCodes",
                        "successCodes[0] must be");
    assert_call_refused(URL ",\"maxRedirects\":\"x\"", "action.http.maxRedirects",
                        "a whole number");
}

static void
test_json_call_has_room_for_all_that_it_may_have(void **state)
{
    static char members[DOCUMENT_MAX / 2];
    size_t len;

    (void) state;
    for (int n = PAWL_HEADERS_MAX; n <= PAWL_HEADERS_MAX + 1; n++) {
        len = (size_t) sprintf(members, ",\"action\":{\"http\":{" URL ",\"headers\":{");
        for (int i = 0; i < n; i++)
            len += (size_t) sprintf(members + len, "%s\"X-%d\":\"v\"", i > 0 ? "," : "", i);
        sprintf(members + len, "}}}");
        if (n == PAWL_HEADERS_MAX)
            assert_int_equal(read_members(members), 0);
        else
            assert_refused(members, "action.http.headers", "more than 100 entries");
    }
    len = (size_t) sprintf(members, ",\"action\":{\"http\":{" URL ",\"headers\":{\"A\":\"");
    memset(members + len, 'x', PAWL_HEADERS_BYTES);
    sprintf(members + len + PAWL_HEADERS_BYTES, "\"}}}");
    assert_refused(members, "action.http.headers", "32768 bytes");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_call_is_written_as_it_was_read),
        cmocka_unit_test(test_json_call_that_cannot_be_is_refused_by_field),
        cmocka_unit_test(test_json_call_has_room_for_all_that_it_may_have),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
