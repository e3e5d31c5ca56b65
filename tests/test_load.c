/* test_load.c: answers as the load generator reads them, and the requests that it makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answers.h"
#include "requests.h"

#define PLAIN "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX: y\r\n\r\n"
#define EMPTY "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"
#define CONTINUED "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}"

/* Reads all of data in pieces of n bytes; gives how many answers ended, -1 for bytes that are none. */
static int
read_all(struct pawl_answers *answers, const char *data, size_t n)
{
    size_t len = strlen(data), at = 0;
    int ended = 0;

    while (at < len) {
        size_t piece = len - at < n ? len - at : n, used;
        enum pawl_answers_found found = pawl_answers_read(answers, data + at, piece, &used);

        if (found == PAWL_ANSWERS_WRONG)
            return -1;
        assert_true(used <= piece && (used == piece || found == PAWL_ANSWERS_END));
        at += used;
        ended += found == PAWL_ANSWERS_END;
    }
    return ended;
}

static void
test_load_answers_end_where_they_end_however_they_are_cut(void **state)
{
    (void) state;
    for (size_t n = 1; n < 200; n++) {
        struct pawl_answers answers = {0};

        assert_int_equal(read_all(&answers, PLAIN CHUNKED PLAIN, n), 3);
        assert_string_equal(answers.body, "hello");
        assert_int_equal(read_all(&answers, CHUNKED, n), 1);
        assert_string_equal(answers.body, "abc0123456789abcdef");
        assert_int_equal(read_all(&answers, EMPTY, n), 1);
        assert_int_equal(answers.status, 304);
        assert_true(answers.must_close);
        assert_int_equal(read_all(&answers, CONTINUED, n), 1);
        assert_int_equal(answers.status, 409);
        assert_false(answers.must_close);
    }
}

static void
test_load_bytes_that_are_no_answer_are_told(void **state)
{
    static const char *const wrong[] = {
        "SSH-2.0-OpenSSH_9\r\n", "\r\n\r\n", "HTTP/1.1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXY\r\n",
    };

    (void) state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct pawl_answers answers = {0};

        assert_int_equal(read_all(&answers, wrong[i], 1000), -1);
    }
}

static void
test_load_long_heads_and_bodies_are_passed_over(void **state)
{
    struct pawl_answers answers = {0};
    static char data[4000];

    (void) state;
    strcpy(data, "HTTP/1.1 200 OK\r\nX: ");
    memset(data + strlen(data), 'x', 2000);
    strcat(data, "\r\nContent-Length: 1000\r\n\r\n");
    memset(data + strlen(data), 'y', 1000);
    assert_int_equal(read_all(&answers, data, 7), 1);
    assert_int_equal(answers.body_len, PAWL_ANSWERS_KEPT - 1);
}

static void
test_load_requests_have_numbers_of_their_own(void **state)
{
    struct pawl_load_options options = {
        .work = PAWL_LOAD_NDJSON, .host = "h", .batch = 3, .prefix = "p-", .time_ns = 5,
        .script = "true", .first = 10,
    };
    struct pawl_requests requests;
    const char *text;

    (void) state;
    assert_int_equal(pawl_requests_init(&requests, &options, 1), 0);
    text = pawl_requests_make(&requests, 2);
    assert_non_null(memmem(text, requests.len, "{\"id\":\"p-000000000016\"", 22));
    assert_non_null(memmem(text, requests.len, "{\"id\":\"p-000000000018\"", 22));
    assert_null(memmem(text, requests.len, "19\"", 3));
    assert_memory_equal(requests.text + requests.len - 3, "\"}\n", 3);
    pawl_requests_fini(&requests);
}

static void
test_load_gets_ask_only_for_what_is_there(void **state)
{
    struct pawl_load_options options = {
        .work = PAWL_LOAD_GET, .host = "h", .prefix = "p-", .ntasks = 3,
    };
    struct pawl_requests requests;
    unsigned seen = 0;

    (void) state;
    assert_int_equal(pawl_requests_init(&requests, &options, 1), 0);
    for (uint64_t i = 0; i < 100; i++) {
        const char *text = pawl_requests_make(&requests, i);
        int number = atoi(text + strlen("GET /api/tasks/p-"));

        assert_in_range(number, 0, 2);
        seen |= 1u << number;
    }
    assert_int_equal(seen, 7);
    pawl_requests_fini(&requests);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_answers_end_where_they_end_however_they_are_cut),
        cmocka_unit_test(test_load_bytes_that_are_no_answer_are_told),
        cmocka_unit_test(test_load_long_heads_and_bodies_are_passed_over),
        cmocka_unit_test(test_load_requests_have_numbers_of_their_own),
        cmocka_unit_test(test_load_gets_ask_only_for_what_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
