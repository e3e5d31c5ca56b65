/* test_fetch_addresses.c: calls of a host that has several addresses. */
#include "durable_fixture.h"
#include "http_server.h"

#define FAST_MS 10000           /* half of a connection's time limit would be spent on one of them */

/* Each of those before the last refuses, and the next one is tried at once. */
static void
test_host_is_reached_though_its_first_addresses_refuse(void **state)
{
    static const char names[] = "127.0.0.5 many.test\n127.0.0.6 many.test\n127.0.0.7 many.test\n"
                                "127.0.0.1 many.test\n";
    struct pawl_action action = NO_ACTION;
    struct pawl_http_call http = {.max_redirects = -1};
    char path[] = "/tmp/pawl-hosts-XXXXXX", url[64];
    struct pawl_options options;
    struct server server;
    struct pawl_view view;
    struct fixture f;
    int fd = mkstemp(path);
    int64_t since_ms;

    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, names, sizeof names - 1), sizeof names - 1);
    close(fd);
    assert_int_equal(setenv("CARES_HOSTS", path, 1), 0);
    server_open(&server);
    pawl_options_init(&options);
    options.nworkers = 1;
    fixture_open_with(&f, &options);
    snprintf(url, sizeof url, "http://many.test:%d/status/200", server.port);
    http.url = url;
    action.http = &http;
    since_ms = durable_now_ms();
    submit_action(&f, "t", "", &action);
    view = await_result(&f, "t");
    if (view.results[0]->outcome != PAWL_SUCCESS)
        fail_msg("%s", view.results[0]->err);
    pawl_view_release(&view);
    assert_in_range(durable_now_ms() - since_ms, 0, FAST_MS);
    fixture_close(&f);
    server_close(&server);
    unlink(path);
}

/* On a machine without a file of hosts or a server of names. */
static void
test_localhost_is_this_machine_whatever_files_say(void **state)
{
    static const char *const hosts[] = {"localhost", "LOCALHOST.", "a.localhost"};
    struct pawl_http_call http = {.max_redirects = -1};
    struct pawl_action action = NO_ACTION;
    struct pawl_options options;
    struct server server;
    struct fixture f;

    (void) state;
    assert_int_equal(setenv("CARES_HOSTS", "/dev/null", 1), 0);
    server_open(&server);
    pawl_options_init(&options);
    options.nworkers = 1;
    fixture_open_with(&f, &options);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct pawl_view view;
        char url[64];

        snprintf(url, sizeof url, "http://%s:%d/status/200", hosts[i], server.port);
        http.url = url;
        action.http = &http;
        submit_action(&f, hosts[i], "", &action);
        view = await_result(&f, hosts[i]);
        if (view.results[0]->outcome != PAWL_SUCCESS)
            fail_msg("%s: %s", hosts[i], view.results[0]->err);
        pawl_view_release(&view);
    }
    fixture_close(&f);
    server_close(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_is_reached_though_its_first_addresses_refuse),
        cmocka_unit_test(test_localhost_is_this_machine_whatever_files_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
