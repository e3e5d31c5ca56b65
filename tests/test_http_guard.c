/* test_http_guard.c: which Host and Origin are served. */
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct pawl_guard guard;

static int
setup(void **state)
{
    (void) state;
    pawl_guard_init(&guard);
    assert_true(pawl_guard_serve(&guard, "sched.example.org"));
    assert_true(pawl_guard_serve(&guard, "10.1.2.3:8865"));
    assert_true(pawl_guard_serve(&guard, "fe80::1"));
    return 0;
}

static enum pawl_verdict
host(const char *value)
{
    return pawl_guard_host(&guard, value, strlen(value));
}

static enum pawl_verdict
origin(const char *value)
{
    return pawl_guard_origin(&guard, value, strlen(value));
}

static void
test_http_guard_serves_loopback_and_named_hosts(void **state)
{
    static const char *const served[] = {"localhost", "LocalHost:1",
        "localhost:", "127.0.0.1:8865", "127.9.9.9", "[::1]", "[::1]:8865",
        "[::ffff:127.0.0.1]", "sched.example.org", "SCHED.example.ORG:443", "10.1.2.3",
        "10.1.2.3:99", "[fe80::1]:1"};

    (void) state;
    for (size_t i = 0; i < sizeof served / sizeof served[0]; i++)
        assert_int_equal(host(served[i]), PAWL_GUARD_PASS);
}

static void
test_http_guard_refuses_other_hosts(void **state)
{
    static const char *const foreign[] = {"evil.example", "localhost.evil",
        "127.0.0.1.evil", "10.1.2.4", "0.0.0.0", "[::2]", "sched.example.org.",
        "128.0.0.1", "localhos", "localhostx", "127.1", "2130706433"};

    (void) state;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        assert_int_equal(host(foreign[i]), PAWL_GUARD_FOREIGN);
}

static void
test_http_guard_tells_malformed_hosts(void **state)
{
    static const char *const malformed[] = {"", ":80", "[::1", "[]", "localhost:x",
        "localhost:1:2", "localhost:999999", "a b", "user@localhost", "localhost/x",
        "[::1]x", "localhost\t", "localhost,evil:1x"};

    (void) state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        assert_int_equal(host(malformed[i]), PAWL_GUARD_MALFORMED);
}

static void
test_http_guard_serves_origins_of_served_hosts_only(void **state)
{
    (void) state;
    assert_int_equal(origin("http://localhost"), PAWL_GUARD_PASS);
    assert_int_equal(origin("https://127.0.0.1:3000"), PAWL_GUARD_PASS);
    assert_int_equal(origin("HTTP://[::1]:1"), PAWL_GUARD_PASS);
    assert_int_equal(origin("https://sched.example.org"), PAWL_GUARD_PASS);
    assert_int_equal(origin("null"), PAWL_GUARD_FOREIGN);
    assert_int_equal(origin(""), PAWL_GUARD_FOREIGN);
    assert_int_equal(origin("localhost"), PAWL_GUARD_FOREIGN);
    assert_int_equal(origin("http://evil"), PAWL_GUARD_FOREIGN);
    assert_int_equal(origin("http://localhost.evil"), PAWL_GUARD_FOREIGN);
    assert_int_equal(origin("file://localhost"), PAWL_GUARD_FOREIGN);
    assert_int_equal(origin("http://"), PAWL_GUARD_FOREIGN);
    assert_int_equal(origin("http://localhost/x"), PAWL_GUARD_MALFORMED);
}

static void
test_http_guard_takes_names_up_to_its_bound(void **state)
{
    char name[300];

    (void) state;
    assert_false(pawl_guard_serve(&guard, "a b"));
    assert_false(pawl_guard_serve(&guard, ""));
    memset(name, 'a', sizeof name);
    name[256] = '\0';
    assert_false(pawl_guard_serve(&guard, name));
    name[255] = '\0';
    assert_true(pawl_guard_serve(&guard, name));
    assert_int_equal(host(name), PAWL_GUARD_PASS);
    while (guard.nhosts < PAWL_GUARD_HOSTS) {
        snprintf(name, sizeof name, "h%zu", guard.nhosts);
        assert_true(pawl_guard_serve(&guard, name));
    }
    assert_false(pawl_guard_serve(&guard, "one-more"));
    assert_true(pawl_guard_serve(&guard, "h20"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_http_guard_serves_loopback_and_named_hosts, setup),
        cmocka_unit_test_setup(test_http_guard_refuses_other_hosts, setup),
        cmocka_unit_test_setup(test_http_guard_tells_malformed_hosts, setup),
        cmocka_unit_test_setup(
            test_http_guard_serves_origins_of_served_hosts_only, setup),
        cmocka_unit_test_setup(test_http_guard_takes_names_up_to_its_bound, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
