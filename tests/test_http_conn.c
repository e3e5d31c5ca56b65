/* test_http_conn.c: the deadlines of connections; time is an argument, nothing waits. */
#include "conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND_NS INT64_C(1000000000)
#define TIMEOUT_NS (30 * SECOND_NS)

static struct pawl_deadlines deadlines;

/* A connection and its client's end. */
struct client {
    struct pawl_conn conn;
    int fd;
};

static void
connect_at(struct client *client, int64_t now_ns)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    memset(client, 0, sizeof *client);
    client->conn.fd = fds[0];
    client->conn.is_unix = true;
    client->fd = fds[1];
    pawl_conn_begin(&deadlines, &client->conn, now_ns);
}

static void
disconnect(struct client *client)
{
    pawl_conn_end(&client->conn);
    close(client->conn.fd);
    close(client->fd);
}

/* What the client got: a status, 0 for an end without an answer, -1 for nothing yet. */
static int
answer_of(const struct client *client)
{
    char text[512];
    ssize_t n = recv(client->fd, text, sizeof text - 1, 0);
    int status = 0;

    if (n <= 0)
        return n == 0 ? 0 : -1;
    text[n] = '\0';
    assert_int_equal(sscanf(text, "HTTP/1.1 %d ", &status), 1);
    assert_int_equal(recv(client->fd, text, sizeof text, 0), 0);
    return status;
}

static int
setup(void **state)
{
    (void) state;
    pawl_deadlines_init(&deadlines, TIMEOUT_NS);
    return 0;
}

static void
test_http_conn_without_headers_gets_408(void **state)
{
    struct client client;

    (void) state;
    assert_true(pawl_deadlines_next(&deadlines) == PAWL_NO_DEADLINE);
    connect_at(&client, 5);
    assert_true(pawl_deadlines_next(&deadlines) == 5 + TIMEOUT_NS);
    pawl_deadlines_expire(&deadlines, 4 + TIMEOUT_NS);
    assert_int_equal(answer_of(&client), -1);
    pawl_deadlines_expire(&deadlines, 5 + TIMEOUT_NS);
    assert_int_equal(answer_of(&client), 408);
    assert_true(pawl_deadlines_next(&deadlines) == PAWL_NO_DEADLINE);
    disconnect(&client);
}

static void
test_http_conn_between_requests_ends_silently_after_twice_the_time(void **state)
{
    struct client client;

    (void) state;
    connect_at(&client, 0);
    pawl_conn_enter(&deadlines, &client.conn, PAWL_PHASE_BUSY, 1);
    assert_true(pawl_deadlines_next(&deadlines) == PAWL_NO_DEADLINE);
    pawl_conn_enter(&deadlines, &client.conn, PAWL_PHASE_IDLE, 100 * SECOND_NS);
    assert_true(pawl_deadlines_next(&deadlines) == 100 * SECOND_NS + 2 * TIMEOUT_NS);
    pawl_deadlines_expire(&deadlines, 100 * SECOND_NS + 2 * TIMEOUT_NS - 1);
    assert_int_equal(answer_of(&client), -1);
    pawl_deadlines_expire(&deadlines, 100 * SECOND_NS + 2 * TIMEOUT_NS);
    assert_int_equal(answer_of(&client), 0);
    disconnect(&client);
}

/* Looks each second, as the loop does; returns when the client was cut off. */
static int64_t
second_of_408(struct client *client, uint64_t bytes_a_second)
{
    for (int64_t second = 1; second < 1000; second++) {
        client->conn.body_bytes += bytes_a_second;
        pawl_deadlines_expire(&deadlines, second * SECOND_NS);
        if (answer_of(client) == 408)
            return second;
    }
    return 0;
}

static void
test_http_conn_body_earns_time_by_the_kilobyte(void **state)
{
    struct client slow, steady;

    (void) state;
    connect_at(&slow, 0);
    pawl_conn_enter(&deadlines, &slow.conn, PAWL_PHASE_BODY, 0);
    assert_in_range(second_of_408(&slow, 1), 30, 32);
    disconnect(&slow);
    connect_at(&slow, 0);
    pawl_conn_enter(&deadlines, &slow.conn, PAWL_PHASE_BODY, 0);
    assert_in_range(second_of_408(&slow, 512), 59, 63);
    disconnect(&slow);
    connect_at(&steady, 0);
    pawl_conn_enter(&deadlines, &steady.conn, PAWL_PHASE_BODY, 0);
    assert_int_equal(second_of_408(&steady, 2048), 0);
    disconnect(&steady);
}

static void
test_http_conn_that_lingers_is_cut_without_a_word(void **state)
{
    struct client client;

    (void) state;
    connect_at(&client, 0);
    pawl_conn_enter(&deadlines, &client.conn, PAWL_PHASE_LINGER, 0);
    pawl_deadlines_expire(&deadlines, 10 * SECOND_NS);
    assert_int_equal(answer_of(&client), 0);
    disconnect(&client);
}

static void
test_http_conn_of_many_only_the_late_are_cut(void **state)
{
    struct client clients[100];

    (void) state;
    for (int i = 0; i < 100; i++)
        connect_at(&clients[i], i * SECOND_NS);
    for (int i = 0; i < 100; i += 2)
        pawl_conn_enter(&deadlines, &clients[i].conn, PAWL_PHASE_BUSY, 99 * SECOND_NS);
    pawl_deadlines_expire(&deadlines, 50 * SECOND_NS + TIMEOUT_NS);
    for (int i = 0; i < 100; i++)
        assert_int_equal(answer_of(&clients[i]), i % 2 == 1 && i <= 50 ? 408 : -1);
    assert_true(pawl_deadlines_next(&deadlines) == 51 * SECOND_NS + TIMEOUT_NS);
    for (int i = 0; i < 100; i++)
        disconnect(&clients[i]);
    assert_true(pawl_deadlines_next(&deadlines) == PAWL_NO_DEADLINE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_http_conn_without_headers_gets_408, setup),
        cmocka_unit_test_setup(
            test_http_conn_between_requests_ends_silently_after_twice_the_time, setup),
        cmocka_unit_test_setup(test_http_conn_body_earns_time_by_the_kilobyte, setup),
        cmocka_unit_test_setup(test_http_conn_that_lingers_is_cut_without_a_word, setup),
        cmocka_unit_test_setup(test_http_conn_of_many_only_the_late_are_cut, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
