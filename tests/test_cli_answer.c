/* test_cli_answer.c: what answers mean, addresses, and results that are new to a watcher
 * (cli/answer.c, address.c, fields.c, detail.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "address.h"
#include "answer.h"
#include "detail.h"
#include "fields.h"

/* How many elements the body has, -1 if it is broken. */
static int
count_elements(const char *body, size_t len)
{
    struct pawl_response response = {.status = 200};
    struct pawl_fail fail;
    json_t *element;
    size_t position = 0;
    int n = 0, status;

    pawl_text_append(&response.body, body, len);
    while (!(status = pawl_answer_element(&response, &position, &element, &fail)) &&
           element) {
        json_decref(element);
        n++;
    }
    pawl_client_response_fini(&response);
    return status ? -1 : n;
}

static void
test_answer_elements_come_one_by_one(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int n;
    } cases[] = {
        {"[]", 0},
        {" [ ] ", 0},
        {"[{}]", 1},
        {"\n[{\"a\":[1,{}]} ,\r\n{}\t]\n", 2},
        {"[{\"a\":\"\\u0000]\"}]", 1},
        {"", -1},
        {" ", -1},
        {"[", -1},
        {"[{}", -1},
        {"[{},", -1},
        {"[{},]", -1},
        {"[,{}]", -1},
        {"[1]", -1},
        {"[null]", -1},
        {"{}", -1},
        {"[{} {}]", -1},
        {"[{}[{}]", -1},
        {"[[{}]]", -1},
        {"[{\"a\"}]", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(
            count_elements(cases[i].body, strlen(cases[i].body)), cases[i].n);
    assert_int_equal(count_elements("[{}\0]", 5), -1);
}

static void
test_answer_next_finds_the_link(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *query;
    } cases[] = {
        {"</api/tasks?limit=2&after=a%2C>; rel=\"next\"", "limit=2&after=a%2C"},
        {"<?a=1>;rel=next", "a=1"},
        {"<http://h/p?a=1>; title=\"x, y; rel=next\"; rel=\"prev\", <?b=2,3>; REL=\"last "
         "Next\"",
            "b=2,3"},
        {"<?a=1>; rel=\"prev\"", ""},
        {"<?a=1>", ""},
        {"</path>; rel=next", ""},
        {"", ""},
        {"<?a=1; rel=next", ""},
        {"?a=1>; rel=next", ""},
        {"<?a=1>; rel=\"nextish\"", ""},
        {"<?a=1>; rel=\"next", "a=1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pawl_text query = {0};
        size_t len = strlen(cases[i].value);
        char *exact = memcpy(malloc(len ? len : 1), cases[i].value, len);
        pawl_answer_next(exact, len, &query);
        assert_string_equal(pawl_text_string(&query), cases[i].query);
        pawl_text_fini(&query);
        free(exact);
    }
}

static void
test_client_path_addresses_any_id(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a", "/api/tasks/a"},
        {"a/run", "/api/tasks/a%2Frun"},
        {".", "/api/tasks/%2E"},
        {"..", "/api/tasks/%2E%2E"},
        {"...", "/api/tasks/..."},
        {"a b?", "/api/tasks/a%20b%3F"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pawl_text path = {0};
        pawl_client_task_path(&path, cases[i][0]);
        assert_string_equal(path.data, cases[i][1]);
        pawl_text_fini(&path);
    }
}

static void
test_address_forms(void **state)
{
    (void)state;
    static const struct {
        const char *server, *base, *socket;
        bool is_local;
    } cases[] = {
        {"http://127.0.0.1:8865", "http://127.0.0.1:8865", NULL, true},
        {"http://127.0.0.1:8865/", "http://127.0.0.1:8865", NULL, true},
        {"localhost:1", "http://localhost:1", NULL, true},
        {"http://[::1]:1", "http://[::1]:1", NULL, true},
        {"https://example.org/pawl//", "https://example.org/pawl", NULL, false},
        {"http://127.0.0.1.example.org", "http://127.0.0.1.example.org", NULL, false},
        {"http://localhost.example.org", "http://localhost.example.org", NULL, false},
        {"http://user:x@localhost", "http://user:x@localhost", NULL, true},
        {"http://localhost@example.org", "http://localhost@example.org", NULL, false},
        {"unix:/run/x", "http://localhost", "/run/x", true},
        {"unix:///run/x", "http://localhost", "/run/x", true},
        {"unix:x.sock", "http://localhost", "x.sock", true},
    };
    char error[256];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pawl_address address;
        assert_int_equal(
            pawl_address_parse(cases[i].server, &address, error, sizeof error), 0);
        assert_string_equal(address.base, cases[i].base);
        assert_int_equal(!address.socket, !cases[i].socket);
        if (cases[i].socket)
            assert_string_equal(address.socket, cases[i].socket);
        assert_int_equal(address.is_local, cases[i].is_local);
        pawl_address_fini(&address);
    }
    static char long_path[200] = "unix:/";
    memset(long_path + 6, 'x', sizeof long_path - 7);
    const char *const wrong[] = {"unix:", "ftp://x", "http://", "http:///x", "",
        "http://a b", "http://a?b", "http://a#b", long_path};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct pawl_address address;
        assert_int_equal(pawl_address_parse(wrong[i], &address, error, sizeof error), -1);
    }
}

static void
expect_default(
    bool is_root, const char *root_socket, const char *runtime_dir, const char *expected)
{
    char *found = pawl_address_default(is_root, root_socket, runtime_dir);
    assert_string_equal(found, expected);
    free(found);
}

static void
test_address_default_is_the_socket_where_it_exists(void **state)
{
    (void)state;
    char folder[] = "/tmp/pawl-test-XXXXXX", found[200];
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    assert_non_null(mkdtemp(folder));
    snprintf(name.sun_path, sizeof name.sun_path, "%s/pawl", folder);
    assert_int_equal(mkdir(name.sun_path, 0700), 0);
    snprintf(name.sun_path, sizeof name.sun_path, "%s/pawl/pawl.sock", folder);
    snprintf(found, sizeof found, "unix:%s", name.sun_path);
    expect_default(false, name.sun_path, folder, PAWL_ADDRESS_DEFAULT);

    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    expect_default(false, "/nonexistent", folder, found);
    expect_default(true, name.sun_path, NULL, found);
    expect_default(true, "/nonexistent", folder, PAWL_ADDRESS_DEFAULT);
    expect_default(false, name.sun_path, NULL, PAWL_ADDRESS_DEFAULT);
    expect_default(false, name.sun_path, "", PAWL_ADDRESS_DEFAULT);
    close(fd);
    unlink(name.sun_path);
    strrchr(name.sun_path, '/')[0] = '\0';
    rmdir(name.sun_path);
    rmdir(folder);
}

/* A task whose results are the runs numbered first to last. */
static json_t *
task_with_runs(int first, int last)
{
    json_t *results = json_array();
    for (int i = first; i <= last; i++)
        json_array_append_new(results, json_pack("{s:i,s:i,s:s}", "startedAt", i,
                                           "attempt", 1, "result", i % 2 ? "x" : "y"));
    return json_pack("{s:o}", "results", results);
}

static void
test_detail_first_new_is_what_the_watcher_has_not_seen(void **state)
{
    (void)state;
    static const struct {
        int old_first, old_last, new_first, new_last;
        size_t first_new;
    } cases[] = {
        {1, 0, 1, 0, 0},
        {1, 0, 1, 3, 0},
        {1, 3, 1, 3, 3},
        {1, 3, 1, 4, 3},
        {1, 3, 2, 5, 2},
        {1, 3, 7, 9, 0},
        {1, 3, 1, 0, 0},
        {3, 3, 3, 4, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *before = task_with_runs(cases[i].old_first, cases[i].old_last);
        json_t *now = task_with_runs(cases[i].new_first, cases[i].new_last);
        assert_int_equal(pawl_detail_first_new(before, now), cases[i].first_new);
        json_decref(before);
        json_decref(now);
    }
}

static void
test_fields_final_states(void **state)
{
    (void)state;
    static const struct {
        const char *state;
        int running;
        bool is_final;
    } cases[] = {
        {"ToBeExecuted", 0, false},
        {"Executing", 1, false},
        {"Executed", 0, true},
        {"WaitForNextExecution", 0, false},
        {"Stopped", 0, true},
        {"Stopped", 1, false},
        {"Paused", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *task =
            json_pack("{s:s,s:i}", "state", cases[i].state, "running", cases[i].running);
        assert_int_equal(pawl_fields_is_final(task), cases[i].is_final);
        json_decref(task);
    }
    json_t *task = json_pack("{s:i}", "status", 4);
    assert_string_equal(pawl_fields_state(task), "Stopped");
    json_integer_set(json_object_get(task, "status"), 9);
    assert_string_equal(pawl_fields_state(task), "-");
    json_decref(task);
}

static void
test_detail_survives_any_document(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{}",
        "{\"results\":7,\"script\":null,\"id\":3,\"version\":\"x\"}",
        "{\"results\":[null,7,[],{}],\"script\":\"\"}",
        "{\"results\":[{\"result\":\"\\u0000\\n\",\"signal\":\"\\u001b\"}]}",
        "{\"script\":\"\\n\",\"lastStatusUpdated\":\"soon\",\"nextRun\":\"\\u001b[2J\"}",
    };
    const struct timespec now = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *task = json_loads(cases[i], JSON_ALLOW_NUL, NULL);
        struct pawl_text out = {0};
        assert_non_null(task);
        pawl_detail_task(&out, task, &now, true);
        pawl_detail_change(&out, task, task, &now, false);
        assert_null(strchr(out.data, 033));
        pawl_text_fini(&out);
        json_decref(task);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_elements_come_one_by_one),
        cmocka_unit_test(test_answer_next_finds_the_link),
        cmocka_unit_test(test_client_path_addresses_any_id),
        cmocka_unit_test(test_address_forms),
        cmocka_unit_test(test_address_default_is_the_socket_where_it_exists),
        cmocka_unit_test(test_detail_first_new_is_what_the_watcher_has_not_seen),
        cmocka_unit_test(test_fields_final_states),
        cmocka_unit_test(test_detail_survives_any_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
