/* test_http_routes.c: which request goes where, and which parameters it may have. */
#include "routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tasks.h"

static char target[4096];
static struct pawl_uri uri;
static unsigned allowed;

static const struct pawl_route *
find(enum pawl_method method, const char *path, bool is_ndjson)
{
    strcpy(target, path);
    assert_null(pawl_uri_parse(target, strlen(target), &uri));
    allowed = 0;
    return pawl_route_find(method, &uri, is_ndjson, &allowed);
}

static void
test_http_routes_find_handlers(void **state)
{
    (void) state;
    assert_ptr_equal(find(PAWL_GET, "/api/tasks", false)->run, pawl_tasks_list);
    assert_ptr_equal(find(PAWL_GET, "/api/tasks/", true)->run, pawl_tasks_list);
    assert_ptr_equal(find(PAWL_POST, "/api/tasks", false)->run, pawl_tasks_submit);
    assert_ptr_equal(find(PAWL_POST, "/api/tasks", true)->run, pawl_tasks_submit_many);
    assert_ptr_equal(find(PAWL_GET, "/api/tasks/a%2Fb", false)->run, pawl_tasks_get);
    assert_ptr_equal(find(PAWL_PUT, "/api/tasks/x/", true)->run, pawl_tasks_stop);
    assert_ptr_equal(find(PAWL_DELETE, "/api/tasks/x", false)->run, pawl_tasks_delete);
    assert_ptr_equal(find(PAWL_PUT, "/api/tasks", false)->run, pawl_tasks_stop_all);
    assert_ptr_equal(find(PAWL_DELETE, "/api/tasks/", false)->run, pawl_tasks_delete_all);
    assert_ptr_equal(find(PAWL_PATCH, "/api/tasks/x", false)->run, pawl_tasks_patch);
    assert_ptr_equal(find(PAWL_PATCH, "/api/tasks/x", true)->run, pawl_tasks_patch);   /* no stream there */
    assert_ptr_equal(find(PAWL_POST, "/api/tasks:run", false)->run, pawl_tasks_ask_all);
    assert_ptr_equal(find(PAWL_POST, "/api/tasks:pause", false)->run, pawl_tasks_pause_all);
    assert_ptr_equal(find(PAWL_POST, "/api/tasks%3Aresume/", true)->run, pawl_tasks_resume_all);
    assert_ptr_equal(find(PAWL_GET, "/api/tasks/:pause", false)->run, pawl_tasks_get);
    assert_ptr_equal(find(PAWL_GET, "/api/health", false)->run, pawl_tasks_health);
    assert_ptr_equal(find(PAWL_GET, "/api/backup", false)->run, pawl_tasks_backup);
    assert_ptr_equal(find(PAWL_GET, "/api/forecast", false)->run, pawl_tasks_forecast);
    assert_ptr_equal(find(PAWL_GET, "/api/tasks/a%2Fexplain/explain", false)->run, pawl_tasks_explain);
    assert_ptr_equal(find(PAWL_GET, "/api/tasks/a%2Fruns/runs/", false)->run, pawl_tasks_runs);
    assert_ptr_equal(find(PAWL_GET, "/api/tasks/runs/runs/7", false)->run, pawl_tasks_run);
    assert_ptr_equal(find(PAWL_GET, "/api/tasks/x/runs/7/output", false)->run, pawl_tasks_output);
}

static void
test_http_routes_tell_wrong_methods_from_wrong_paths(void **state)
{
    (void) state;
    assert_null(find(PAWL_OTHER_METHOD, "/api/tasks", false));
    assert_int_equal(allowed, PAWL_GET | PAWL_POST | PAWL_PUT | PAWL_DELETE | PAWL_OPTIONS);
    assert_null(find(PAWL_GET, "/api/tasks:pause", false));
    assert_int_equal(allowed, PAWL_POST | PAWL_OPTIONS);
    assert_null(find(PAWL_POST, "/api/tasks:stop", false));
    assert_int_equal(allowed, 0);
    assert_null(find(PAWL_OTHER_METHOD, "/api/tasks/x", false));
    assert_int_equal(allowed, PAWL_GET | PAWL_PUT | PAWL_PATCH | PAWL_DELETE | PAWL_OPTIONS);
    assert_null(find(PAWL_OPTIONS, "/api/health", false));
    assert_int_equal(allowed, PAWL_GET | PAWL_OPTIONS);
    assert_null(find(PAWL_GET, "/", false));
    assert_int_equal(allowed, 0);
    assert_null(find(PAWL_GET, "/api", false));
    assert_null(find(PAWL_GET, "/api//tasks", false));
    assert_null(find(PAWL_GET, "/api/tasks//", false));
    assert_null(find(PAWL_GET, "/api/tasks/a/run", false));
    assert_null(find(PAWL_GET, "/api/tasks//runs", false));
    assert_null(find(PAWL_GET, "/api/tasks/a/runs/1/input", false));
    assert_null(find(PAWL_GET, "/api%2Ftasks", false));
    assert_null(find(PAWL_GET, "/a/b/c/d/e/f/g/h/i/j/k", false));
    assert_int_equal(allowed, 0);
}

static void
assert_params(const char *path, const char *complaint)
{
    struct pawl_problem problem = {.status = 0};
    const struct pawl_route *route = find(PAWL_GET, path, false);

    assert_non_null(route);
    if (complaint == NULL) {
        assert_true(pawl_route_check_params(route, &uri, &problem));
        return;
    }
    assert_false(pawl_route_check_params(route, &uri, &problem));
    assert_int_equal(problem.status, 400);
    if (strstr(problem.detail, complaint) == NULL)
        fail_msg("'%s' does not say '%s'", problem.detail, complaint);
}

static void
test_http_routes_know_their_parameters(void **state)
{
    (void) state;
    assert_params("/api/tasks?status=0&status=1&limit=5&results=0", NULL);
    assert_params("/api/tasks?tag=a&tag=b", NULL);
    assert_params("/api/tasks/x?watch=1&version=2&wait=3s", NULL);
    assert_params("/api/tasks?watch=1", "unknown query parameter 'watch'; known here: "
                                        "status, type, prefix, tag, group, limit, after, results");
    assert_params("/api/health?x", "unknown query parameter 'x'; known here: none");
    assert_params("/api/tasks?limit=1&limit=2", "'limit' is given twice");
    assert_params("/api/tasks?=1", "unknown query parameter ''");
    assert_params("/api/tasks?sta=1", "unknown query parameter 'sta'");
    assert_params("/api/tasks?status+type=1", "unknown query parameter");
    assert_params("/api/tasks?status%00=1", "unknown query parameter");
    assert_params("/api/tasks?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1", "unknown");
}

static void
test_http_routes_are_printed_one_a_line(void **state)
{
    struct pawl_buffer buffer;

    (void) state;
    pawl_buffer_init(&buffer);
    pawl_routes_print(&buffer);
    pawl_methods_write(&buffer, PAWL_GET | PAWL_PUT);
    pawl_buffer_append(&buffer, "", 1);
    assert_non_null(strstr(buffer.data, "ROUTE  GET     /api/tasks                       list tasks"));
    assert_non_null(strstr(buffer.data, "\nROUTE  DELETE  /api/tasks/{id}  "));
    assert_non_null(strstr(buffer.data, "\nGET, HEAD, PUT"));
    pawl_buffer_fini(&buffer);
}

static void
test_http_routes_head_is_a_get(void **state)
{
    bool is_head;

    (void) state;
    assert_int_equal(pawl_method_of("HEAD", &is_head), PAWL_GET);
    assert_true(is_head);
    assert_int_equal(pawl_method_of("GET", &is_head), PAWL_GET);
    assert_false(is_head);
    assert_int_equal(pawl_method_of("get", &is_head), PAWL_OTHER_METHOD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_routes_find_handlers),
        cmocka_unit_test(test_http_routes_tell_wrong_methods_from_wrong_paths),
        cmocka_unit_test(test_http_routes_know_their_parameters),
        cmocka_unit_test(test_http_routes_are_printed_one_a_line),
        cmocka_unit_test(test_http_routes_head_is_a_get),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
