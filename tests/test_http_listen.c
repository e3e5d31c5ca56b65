/* test_http_listen.c: addresses: which are taken, which are refused, and who has them. */
#include "listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/pawl-test-listen-XXXXXX";
static char address[64];            /* unix:DIR/sock */
static struct pawl_err err;

static int
make_dir(void **state)
{
    (void) state;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(address, sizeof address, "unix:%s/sock", dir);
    return 0;
}

static int
remove_dir(void **state)
{
    char path[80];

    (void) state;
    unlink(address + 5);
    snprintf(path, sizeof path, "%s.lock", address + 5);
    unlink(path);
    return rmdir(dir);
}

static void
assert_refused(const char *text, int code, const char *complaint)
{
    struct pawl_listener listener;

    assert_int_equal(pawl_listener_open(&listener, text, &err), code);
    if (strstr(err.text, complaint) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, complaint);
}

static void
test_http_listen_takes_loopback_addresses_only(void **state)
{
    (void) state;
    assert_refused("0.0.0.0:0", PAWL_EINVAL, "not a loopback address");
    assert_refused("192.0.2.1:80", PAWL_EINVAL, "not a loopback address");
    assert_refused("[::]:0", PAWL_EINVAL, "not a loopback address");
    assert_refused("example.org:80", PAWL_EINVAL, "no IP address");
    assert_refused("127.0.0.1", PAWL_EINVAL, "expected HOST:PORT");
    assert_refused("127.0.0.1:", PAWL_EINVAL, "expected HOST:PORT");
    assert_refused("127.0.0.1:65536", PAWL_EINVAL, "expected HOST:PORT");
    assert_refused("127.0.0.1:80x", PAWL_EINVAL, "expected HOST:PORT");
    assert_refused("", PAWL_EINVAL, "expected HOST:PORT");
    assert_refused("unix:sock", PAWL_EINVAL, "absolute path");
    assert_refused("unix:", PAWL_EINVAL, "absolute path");
    assert_refused("unix:/nonexistent/dir/sock", PAWL_ESYS, "cannot open");
}

static void
test_http_listen_port_0_is_a_free_one_and_then_in_use(void **state)
{
    struct pawl_listener listener;

    (void) state;
    assert_int_equal(pawl_listener_open(&listener, "127.0.0.1:0", &err), PAWL_OK);
    assert_memory_equal(listener.text, "http://127.0.0.1:", 17);
    assert_true(atoi(listener.text + 17) > 0);
    assert_string_equal(listener.host, "127.0.0.1");
    assert_refused(listener.text, PAWL_ESYS, "in use");
    assert_int_equal(pawl_listener_accept(&listener), -1);
    pawl_listener_close(&listener);
    pawl_listener_close(&listener);
}

static void
test_http_listen_socket_is_private_and_goes_away(void **state)
{
    struct pawl_listener listener;
    struct stat found;

    (void) state;
    assert_int_equal(pawl_listener_open(&listener, address, &err), PAWL_OK);
    assert_string_equal(listener.text, address);
    assert_int_equal(lstat(address + 5, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_refused(address, PAWL_ESYS, "in use");
    pawl_listener_close(&listener);
    assert_int_equal(lstat(address + 5, &found), -1);
}

/* As a daemon that was killed leaves it. */
static int
leave_socket(bool is_listening)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(where.sun_path, address + 5);
    assert_int_equal(bind(fd, (struct sockaddr *) &where, sizeof where), 0);
    if (is_listening)
        assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void
test_http_listen_socket_left_behind_is_replaced(void **state)
{
    struct pawl_listener listener;

    (void) state;
    close(leave_socket(true));
    assert_int_equal(pawl_listener_open(&listener, address, &err), PAWL_OK);
    pawl_listener_close(&listener);
}

static void
test_http_listen_socket_of_another_program_is_in_use(void **state)
{
    int fd = leave_socket(true);

    (void) state;
    assert_refused(address, PAWL_ESYS, "a process is listening on it");
    assert_int_equal(access(address + 5, F_OK), 0);
    close(fd);
    unlink(address + 5);
}

static void
test_http_listen_never_removes_what_is_no_socket(void **state)
{
    FILE *file = fopen(address + 5, "w");

    (void) state;
    assert_non_null(file);
    fclose(file);
    assert_refused(address, PAWL_ESYS, "cannot listen");
    assert_int_equal(unlink(address + 5), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_listen_takes_loopback_addresses_only),
        cmocka_unit_test(test_http_listen_port_0_is_a_free_one_and_then_in_use),
        cmocka_unit_test(test_http_listen_socket_is_private_and_goes_away),
        cmocka_unit_test(test_http_listen_socket_left_behind_is_replaced),
        cmocka_unit_test(test_http_listen_socket_of_another_program_is_in_use),
        cmocka_unit_test(test_http_listen_never_removes_what_is_no_socket),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
