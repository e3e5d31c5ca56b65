/* test_http_uri.c: the target of a request taken apart, and its encoding back. */
#include "uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char target[65536];

static const char *
parse(const char *text, struct pawl_uri *out_uri)
{
    strcpy(target, text);
    return pawl_uri_parse(target, strlen(text), out_uri);
}

static void
assert_text(const struct pawl_text *text, const char *expected, size_t len)
{
    assert_int_equal(text->len, len);
    assert_memory_equal(text->text, expected, len);
}

#define ASSERT_TEXT(text, literal) assert_text(text, literal, sizeof literal - 1)

static void
test_http_uri_splits_before_it_decodes(void **state)
{
    struct pawl_uri uri;

    (void) state;
    assert_null(parse("/api/tasks/a%2Frun", &uri));
    assert_int_equal(uri.nsegments, 3);
    ASSERT_TEXT(&uri.segments[0], "api");
    ASSERT_TEXT(&uri.segments[2], "a/run");
    assert_null(parse("/api/tasks/%00%25%F0%9F%8E%89", &uri));
    ASSERT_TEXT(&uri.segments[2], "\0%\xF0\x9F\x8E\x89");
    assert_null(parse("/a+b?c=a+b", &uri));
    ASSERT_TEXT(&uri.segments[0], "a+b");
    ASSERT_TEXT(&uri.params[0].value, "a b");
}

static void
test_http_uri_trailing_slash_is_none(void **state)
{
    struct pawl_uri uri;

    (void) state;
    assert_null(parse("/api/tasks/", &uri));
    assert_int_equal(uri.nsegments, 2);
    assert_null(parse("/api/tasks/?x=1", &uri));
    assert_int_equal(uri.nsegments, 2);
    assert_null(parse("/", &uri));
    assert_int_equal(uri.nsegments, 0);
    assert_null(parse("/api//tasks", &uri));
    assert_int_equal(uri.nsegments, 3);
    assert_int_equal(uri.segments[1].len, 0);
    assert_null(parse("/api/tasks//", &uri));
    assert_int_equal(uri.nsegments, 3);
}

static void
test_http_uri_bad_escapes_are_refused(void **state)
{
    static const char *const bad[] = {
        "/%", "/%4", "/a%zz", "/%4/x", "/?a=%", "/?%g1=2", "/?a=%2", "/a/%%41"};
    struct pawl_uri uri;

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_non_null(parse(bad[i], &uri));
    assert_non_null(parse("api/tasks", &uri));
    assert_non_null(parse("*", &uri));
}

static void
test_http_uri_reads_the_query(void **state)
{
    struct pawl_uri uri;

    (void) state;
    assert_null(parse("/t?a=1&&b=&c&status=0,1&a=2&d=x=y%26z", &uri));
    assert_int_equal(uri.nparams, 6);
    ASSERT_TEXT(pawl_uri_param(&uri, "a"), "1");
    ASSERT_TEXT(pawl_uri_param(&uri, "b"), "");
    ASSERT_TEXT(pawl_uri_param(&uri, "c"), "");
    ASSERT_TEXT(pawl_uri_param(&uri, "status"), "0,1");
    ASSERT_TEXT(pawl_uri_param(&uri, "d"), "x=y&z");
    assert_null(pawl_uri_param(&uri, "e"));
    assert_null(parse("/t?", &uri));
    assert_int_equal(uri.nparams, 0);
}

static void
test_http_uri_takes_the_absolute_form(void **state)
{
    struct pawl_uri uri;

    (void) state;
    assert_null(parse("http://localhost:8865/api/tasks?limit=1", &uri));
    ASSERT_TEXT(&uri.authority, "localhost:8865");
    assert_int_equal(uri.nsegments, 2);
    assert_int_equal(uri.nparams, 1);
    assert_null(parse("HTTPS://x", &uri));
    ASSERT_TEXT(&uri.authority, "x");
    assert_int_equal(uri.nsegments, 0);
    assert_null(parse("/http://x", &uri));
    assert_null(uri.authority.text);
}

static void
test_http_uri_bounds_segments_and_params(void **state)
{
    struct pawl_uri uri;
    char text[4096] = "";

    (void) state;
    for (int i = 0; i < 1000; i++)
        strcat(text, "/a");
    assert_null(parse(text, &uri));
    assert_int_equal(uri.nsegments, PAWL_URI_SEGMENTS + 1);
    strcpy(text, "/?");
    for (int i = 0; i < PAWL_URI_PARAMS; i++)
        strcat(text, "a=1&");
    assert_null(parse(text, &uri));
    assert_int_equal(uri.nparams, PAWL_URI_PARAMS);
    strcat(text, "a=1");
    assert_non_null(parse(text, &uri));
}

/* What is encoded as a segment and as a value is decoded to the same bytes. */
static void
test_http_uri_decodes_what_it_encodes(void **state)
{
    struct pawl_buffer buffer;
    struct pawl_uri uri;
    char bytes[255];

    (void) state;
    for (int i = 0; i < 255; i++)
        bytes[i] = (char) (i + 1);
    pawl_buffer_init(&buffer);
    pawl_buffer_append_str(&buffer, "/t/");
    pawl_uri_encode(&buffer, bytes, sizeof bytes);
    pawl_buffer_append_str(&buffer, "?v=");
    pawl_uri_encode(&buffer, bytes, sizeof bytes);
    assert_null(pawl_uri_parse(buffer.data, buffer.len, &uri));
    assert_text(&uri.segments[1], bytes, sizeof bytes);
    assert_text(pawl_uri_param(&uri, "v"), bytes, sizeof bytes);
    pawl_buffer_fini(&buffer);
}

/* No input reads outside of itself: for the address sanitizer. */
static void
test_http_uri_survives_random_targets(void **state)
{
    static const char alphabet[] = "/%?&=+a4F:http";
    unsigned seed = 20261120;
    struct pawl_uri uri;

    (void) state;
    print_message("seed %u\n", seed);
    for (int round = 0; round < 200000; round++) {
        size_t len = (size_t) rand_r(&seed) % 40;
        char *text = malloc(len + 1);

        assert_non_null(text);
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[(size_t) rand_r(&seed) % (sizeof alphabet - 1)];
        if (pawl_uri_parse(text, len, &uri) == NULL) {
            assert_in_range(uri.nsegments, 0, PAWL_URI_SEGMENTS + 1);
            assert_in_range(uri.nparams, 0, PAWL_URI_PARAMS);
        }
        free(text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_uri_splits_before_it_decodes),
        cmocka_unit_test(test_http_uri_trailing_slash_is_none),
        cmocka_unit_test(test_http_uri_bad_escapes_are_refused),
        cmocka_unit_test(test_http_uri_reads_the_query),
        cmocka_unit_test(test_http_uri_takes_the_absolute_form),
        cmocka_unit_test(test_http_uri_bounds_segments_and_params),
        cmocka_unit_test(test_http_uri_decodes_what_it_encodes),
        cmocka_unit_test(test_http_uri_survives_random_targets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
