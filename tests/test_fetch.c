/* test_fetch.c: tasks that call a URL, against a server of the test's own; time limits are on the
 * manual clock. */
#include "http_server.h"

#include <dirent.h>

#define NO_HTTP {.max_redirects = -1}
#define LIST(...) ((const char *const[]) {__VA_ARGS__, NULL})

struct scene {
    struct server server;
    struct fixture f;
    char url[512];
};

static void
scene_open(struct scene *s)
{
    struct pawl_options options;

    server_open(&s->server);
    pawl_options_init(&options);
    options.nworkers = 1;       /* so that all calls are one fetcher's */
    fixture_open_with(&s->f, &options);
}

static void
scene_close(struct scene *s)
{
    fixture_close(&s->f);
    server_close(&s->server);
}

/* The URL of a path; lives until the next one. */
static const char *
at(struct scene *s, const char *path)
{
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d%s", s->server.port, path);
    return s->url;
}

static void
submit_call(struct scene *s, const char *id, const struct pawl_http_call *http)
{
    struct pawl_action action = NO_ACTION;

    action.http = http;
    submit_action(&s->f, id, "", &action);
}

static struct pawl_view
call(struct scene *s, const char *id, const struct pawl_http_call *http)
{
    submit_call(s, id, http);
    return await_result(&s->f, id);
}

static struct pawl_view
get_path(struct scene *s, const char *id, const char *path)
{
    struct pawl_http_call http = NO_HTTP;

    http.url = at(s, path);
    return call(s, id, &http);
}

static void
assert_result(const struct pawl_view *view, enum pawl_outcome outcome, int status)
{
    const struct pawl_result *result = view->results[0];

    if (result->outcome != outcome || result->http_status != status)
        fail_msg("%s: %s, %d: %s", view->id, pawl_outcome_name(result->outcome),
                 result->http_status, result->err);
    assert_int_equal(result->exit_code, -1);
    assert_int_equal(result->signal, 0);
}

static void
assert_answer(struct scene *s, const char *path, enum pawl_outcome outcome, int status,
              const char *out)
{
    static unsigned n;
    char id[16];
    struct pawl_view view;

    snprintf(id, sizeof id, "answer-%u", n++);
    view = get_path(s, id, path);
    assert_result(&view, outcome, status);
    assert_string_equal(view.results[0]->out, out);
    pawl_view_release(&view);
}

static void
assert_error(struct scene *s, const char *path, int status, const char *words)
{
    static unsigned n;
    char id[16];
    struct pawl_view view;

    snprintf(id, sizeof id, "error-%u", n++);
    view = get_path(s, id, path);
    assert_result(&view, PAWL_ERROR, status);
    if (!strstr(view.results[0]->error, words))
        fail_msg("%s: \"%s\" lacks \"%s\"", path, view.results[0]->error, words);
    pawl_view_release(&view);
}

/* --- What is sent, and what comes back --- */

static void
test_body_of_the_answer_is_the_result(void **state)
{
    struct scene s;

    (void) state;
    scene_open(&s);
    assert_answer(&s, "/status/200", PAWL_SUCCESS, 200, "that is it\n");
    assert_answer(&s, "/status/404", PAWL_FAILURE, 404, "that is it\n");
    assert_answer(&s, "/early", PAWL_SUCCESS, 200, "late");
    assert_answer(&s, "/status/204", PAWL_SUCCESS, 204, "");
    scene_close(&s);
}

static void
test_result_is_valid_utf8(void **state)
{
    struct pawl_view view;
    struct scene s;

    (void) state;
    scene_open(&s);
    view = get_path(&s, "t", "/bytes");
    assert_int_equal(view.results[0]->out_len, 7);
    assert_memory_equal(view.results[0]->out, "\xEF\xBF\xBD\xC3\xA4\0z", 7);
    pawl_view_release(&view);
    scene_close(&s);
}

static void
assert_sent(const struct pawl_view *view, const char *line)
{
    if (!strcasestr(view->results[0]->out, line))
        fail_msg("\"%s\" is not in:\n%s", line, view->results[0]->out);
}

static void
assert_unsent(const struct pawl_view *view, const char *line)
{
    if (strcasestr(view->results[0]->out, line))
        fail_msg("\"%s\" is in:\n%s", line, view->results[0]->out);
}

static void
test_request_is_what_was_asked_for_and_says_whose_it_is(void **state)
{
    struct pawl_http_call http = NO_HTTP;
    struct pawl_view view;
    struct scene s;

    (void) state;
    scene_open(&s);
    http.url = at(&s, "/echo");
    http.method = "PATCH";
    http.headers = LIST("X-A: b", "X-Empty:", "Content-Type: text/plain");
    http.body = "one\ntwo";
    http.body_len = 7;
    view = call(&s, "t\xC3\xA4 1", &http);
    assert_result(&view, PAWL_SUCCESS, 200);
    assert_memory_equal(view.results[0]->out, "PATCH /echo HTTP/1.1\r\n", 22);
    assert_sent(&view, "\r\nX-A: b\r\n");
    assert_sent(&view, "\r\nX-Empty:\r\n");
    assert_sent(&view, "\r\nContent-Type: text/plain\r\n");
    assert_sent(&view, "\r\nContent-Length: 7\r\n");
    assert_sent(&view, "\r\nUser-Agent: pawl/");
    assert_sent(&view, "\r\nX-Pawl-Task-Id: t%C3%A4%201\r\n");
    assert_sent(&view, "\r\nX-Pawl-Run: 1\r\nX-Pawl-Attempt: 1\r\n");
    assert_sent(&view, "\r\nX-Pawl-Scheduled-At: 2027-01-15T08:00:00.000000000Z\r\n");
    assert_sent(&view, "\r\n\r\none\ntwo");
    pawl_view_release(&view);
    scene_close(&s);
}

static void
test_method_follows_from_the_body_and_no_type_is_made_up(void **state)
{
    struct pawl_http_call http = NO_HTTP;
    struct pawl_view view;
    struct scene s;

    (void) state;
    scene_open(&s);
    view = get_path(&s, "get", "/echo");
    assert_memory_equal(view.results[0]->out, "GET /echo", 9);
    pawl_view_release(&view);
    http.url = at(&s, "/echo");
    http.body = "a=b";
    http.body_len = 3;
    view = call(&s, "post", &http);
    assert_memory_equal(view.results[0]->out, "POST /echo", 10);
    assert_unsent(&view, "Content-Type");
    pawl_view_release(&view);
    http = (struct pawl_http_call){.url = at(&s, "/echo"), .method = "PUT", .max_redirects = -1};
    view = call(&s, "put", &http);
    assert_sent(&view, "\r\nContent-Length: 0\r\n");
    pawl_view_release(&view);
    http.method = "DELETE";
    view = call(&s, "delete", &http);
    assert_memory_equal(view.results[0]->out, "DELETE /echo", 12);
    assert_unsent(&view, "Content-Length");
    pawl_view_release(&view);
    scene_close(&s);
}

static void
test_status_codes_that_are_a_success_are_the_tasks_to_say(void **state)
{
    static const uint16_t codes[] = {4, 204};
    struct pawl_http_call http = NO_HTTP;
    struct pawl_view view;
    struct scene s;

    (void) state;
    scene_open(&s);
    http.codes = codes;
    http.ncodes = 2;
    http.url = at(&s, "/status/418");
    view = call(&s, "class", &http);
    assert_result(&view, PAWL_SUCCESS, 418);
    pawl_view_release(&view);
    http.url = at(&s, "/status/200");
    view = call(&s, "other", &http);
    assert_result(&view, PAWL_FAILURE, 200);
    pawl_view_release(&view);
    scene_close(&s);
}

static void
test_connection_is_used_again(void **state)
{
    struct scene s;

    (void) state;
    scene_open(&s);
    assert_answer(&s, "/connection", PAWL_SUCCESS, 200, "1");
    assert_answer(&s, "/connection", PAWL_SUCCESS, 200, "1");
    scene_close(&s);
}

static void
test_name_is_looked_up(void **state)
{
    struct pawl_http_call http = NO_HTTP;
    struct pawl_view view;
    struct scene s;
    char url[64];

    (void) state;
    scene_open(&s);
    snprintf(url, sizeof url, "http://LocalHost:%d/echo", s.server.port);
    http.url = url;
    for (int i = 0; i < 3; i++) {
        view = call(&s, (const char *[]){"a", "b", "c"}[i], &http);
        assert_result(&view, PAWL_SUCCESS, 200);
        assert_sent(&view, "\r\nHost: localhost:");
        pawl_view_release(&view);
    }
    scene_close(&s);
}

/* --- Redirects --- */

static struct pawl_view
redirected(struct scene *s, const char *id, const char *method, const char *path)
{
    struct pawl_http_call http = NO_HTTP;
    struct pawl_view view;

    http.url = at(s, path);
    http.method = method;
    http.headers = LIST("Content-Type: text/plain", "Authorization: Bearer secret",
                        "Cookie: a=secret", "X-Kept: yes");
    http.body = "body";
    http.body_len = 4;
    view = call(s, id, &http);
    assert_result(&view, PAWL_SUCCESS, 200);
    assert_sent(&view, "\r\nX-Kept: yes\r\n");
    assert_unsent(&view, "gone");
    return view;
}

static void
test_redirect_changes_the_method_by_the_rules(void **state)
{
    static const struct {
        int status;
        const char *method, *then;
    } rules[] = {
        {301, "POST", "GET"}, {302, "POST", "GET"}, {303, "POST", "GET"}, {307, "POST", "POST"},
        {308, "POST", "POST"}, {301, "PUT", "PUT"}, {302, "PUT", "PUT"}, {303, "PUT", "GET"},
        {303, "DELETE", "GET"}, {308, "PATCH", "PATCH"},
    };
    struct scene s;

    (void) state;
    scene_open(&s);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        char id[16], path[64];
        bool is_kept = strcmp(rules[i].method, rules[i].then) == 0;
        struct pawl_view view;

        snprintf(id, sizeof id, "t%zu", i);
        snprintf(path, sizeof path, "/back/%d/echo", rules[i].status);
        view = redirected(&s, id, rules[i].method, path);
        assert_memory_equal(view.results[0]->out, rules[i].then, strlen(rules[i].then));
        assert_int_equal(strcasestr(view.results[0]->out, "Content-Type") != NULL, is_kept);
        assert_int_equal(strstr(view.results[0]->out, "\r\n\r\nbody") != NULL, is_kept);
        assert_sent(&view, "Bearer secret");
        pawl_view_release(&view);
    }
    scene_close(&s);
}

static void
test_other_hosts_are_told_no_secrets(void **state)
{
    struct pawl_view view;
    struct scene s;
    char path[256];

    (void) state;
    scene_open(&s);
    snprintf(path, sizeof path, "/to/307/http://localhost:%d/echo", s.server.port);
    view = redirected(&s, "there", "POST", path);
    assert_sent(&view, "\r\nHost: localhost:");
    assert_sent(&view, "\r\n\r\nbody");
    assert_unsent(&view, "secret");
    pawl_view_release(&view);
    snprintf(path, sizeof path, "/to/307/http://localhost:%d/to/307/http://127.0.0.1:%d/echo",
             s.server.port, s.server.port);
    view = redirected(&s, "there and back", "POST", path);
    assert_sent(&view, "\r\nHost: 127.0.0.1:");
    assert_unsent(&view, "secret");
    pawl_view_release(&view);
    scene_close(&s);
}

static void
test_redirects_are_bounded(void **state)
{
    struct pawl_http_call http = NO_HTTP;
    struct pawl_view view;
    struct scene s;

    (void) state;
    scene_open(&s);
    assert_error(&s, "/circle", 302, "redirected more than 5 times");
    http.max_redirects = 0;
    http.url = at(&s, "/circle");
    view = call(&s, "none", &http);
    assert_result(&view, PAWL_FAILURE, 302);
    pawl_view_release(&view);
    http.max_redirects = 1;
    http.url = at(&s, "/back/302/status/201");
    view = call(&s, "one", &http);
    assert_result(&view, PAWL_SUCCESS, 201);
    pawl_view_release(&view);
    scene_close(&s);
}

static void
test_redirect_to_what_is_no_http_is_an_error(void **state)
{
    struct scene s;

    (void) state;
    scene_open(&s);
    assert_error(&s, "/to/302/file:///etc/passwd", 302, "no http or https URL");
    assert_error(&s, "/to/302/ftp://127.0.0.1/x", 302, "no http or https URL");
    scene_close(&s);
}

/* --- What goes wrong --- */

static void
test_call_that_fails_says_why(void **state)
{
    struct pawl_http_call http = NO_HTTP;
    struct pawl_view view;
    struct scene s;
    char url[128], host[65] = "";

    (void) state;
    scene_open(&s);
    assert_error(&s, "/cut", 200, "90 bytes remaining");
    assert_error(&s, "/close", 0, "Empty reply");
    assert_error(&s, "/flood", 200, "header");
    http.url = "http://127.0.0.1:1/";
    view = call(&s, "refused", &http);
    assert_result(&view, PAWL_ERROR, 0);
    assert_non_null(strstr(view.results[0]->error, "127.0.0.1 port 1"));
    assert_string_equal(view.results[0]->err, view.results[0]->error);
    pawl_view_release(&view);
    memset(host, 'a', 64);              /* a label has 63 at most: no server is asked */
    snprintf(url, sizeof url, "http://%s.example/", host);
    http.url = url;
    view = call(&s, "unnamed", &http);
    assert_result(&view, PAWL_ERROR, 0);
    assert_non_null(strstr(view.results[0]->error, "could not be looked up"));
    pawl_view_release(&view);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/echo", s.server.port);
    view = call(&s, "plain", &http);    /* no TLS there */
    assert_result(&view, PAWL_ERROR, 0);
    pawl_view_release(&view);
    scene_close(&s);
}

static void
test_what_came_before_a_cut_is_kept(void **state)
{
    struct pawl_view view;
    struct scene s;

    (void) state;
    scene_open(&s);
    view = get_path(&s, "t", "/cut");
    assert_string_equal(view.results[0]->out, "0123456789");
    pawl_view_release(&view);
    scene_close(&s);
}

static void
test_call_that_failed_is_tried_again(void **state)
{
    struct pawl_action action = NO_ACTION;
    struct pawl_http_call http = NO_HTTP;
    struct pawl_policy policy;
    struct pawl_view view;
    struct pawl_spec spec;
    struct asked asked = {.op.done = asked_cb};
    struct scene s;

    (void) state;
    scene_open(&s);
    pawl_policy_init(&policy);
    policy.retries = 2;
    policy.retry_delay_ns = 0;
    http.url = at(&s, "/status/503");
    action.http = &http;
    spec = (struct pawl_spec){.id = "t", .id_len = 1, .script = "", .keep_results = -1,
                              .action = &action, .policy = &policy};
    assert_int_equal(end_of(&s.f, &asked, pawl_submit(s.f.handle, &spec, &asked.op, NULL)), PAWL_OK);
    view = await_version(&s.f, "t", 6);
    assert_int_equal(view.nresults, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(view.results[i]->attempt, i + 1);
        assert_int_equal(view.results[i]->http_status, 503);
    }
    pawl_view_release(&view);
    policy.retry_on[0] = 2;
    asked = (struct asked){.op.done = asked_cb};
    assert_int_equal(pawl_submit(s.f.handle, &spec, &asked.op, NULL), PAWL_EINVAL);
    scene_close(&s);
}

/* --- Ends --- */

static void
submit_never(struct scene *s, const char *id, int64_t timeout_ns)
{
    struct pawl_action action = NO_ACTION;
    struct pawl_http_call http = NO_HTTP;

    http.url = at(s, "/never");
    action.http = &http;
    action.timeout_ns = timeout_ns;
    submit_action(&s->f, id, "", &action);
    assert_int_equal(gate_wait(&s->server.arrived), 'r');
}

static void
test_call_at_its_limit_ends_as_timeout(void **state)
{
    struct pawl_view view;
    struct scene s;

    (void) state;
    scene_open(&s);
    submit_never(&s, "t", SECOND);
    fixture_advance(&s.f, SECOND - 1);
    submit_action(&s.f, "other", "true", NULL);         /* the worker looked at the time */
    assert_output(&s.f, "other", PAWL_SUCCESS, "");
    view = get(&s.f, "t");
    assert_int_equal(view.status, PAWL_EXECUTING);
    pawl_view_release(&view);
    fixture_advance(&s.f, 1);
    view = await_result(&s.f, "t");
    assert_result(&view, PAWL_TIMEOUT, 0);
    assert_int_equal(view.results[0]->duration_ns, SECOND);
    assert_int_equal(view.failure_count, 1);
    pawl_view_release(&view);
    scene_close(&s);
}

static void
test_killed_call_ends_at_once(void **state)
{
    struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;
    struct scene s;
    int code;

    (void) state;
    scene_open(&s);
    submit_never(&s, "t", 0);
    code = pawl_stop(s.f.handle, "t", 1, true, &asked.op, NULL);
    if (code != PAWL_ESTATE)            /* of a delay task only the run is ended */
        end_of(&s.f, &asked, code);
    view = await_result(&s.f, "t");
    assert_result(&view, PAWL_KILLED, 0);
    pawl_view_release(&view);
    submit_never(&s, "u", 0);
    asked = (struct asked){.op.done = asked_cb};
    assert_int_equal(end_of(&s.f, &asked, pawl_delete(s.f.handle, "u", 1, true, &asked.op, NULL)),
                     PAWL_OK);
    assert_answer(&s, "/status/200", PAWL_SUCCESS, 200, "that is it\n");
    scene_close(&s);
}

static void
test_end_of_the_engine_ends_calls(void **state)
{
    struct scene s;

    (void) state;
    scene_open(&s);
    submit_never(&s, "a", 0);
    submit_never(&s, "b", 0);
    scene_close(&s);            /* waits for them */
}

static void
test_signal_to_runs_ends_calls_as_killed(void **state)
{
    struct pawl_view view;
    struct scene s;

    (void) state;
    scene_open(&s);
    submit_never(&s, "a", 0);
    submit_never(&s, "b", 0);
    pawl_signal_runs(s.f.engine, SIGTERM);
    for (int i = 0; i < 2; i++) {
        view = await_result(&s.f, i == 0 ? "a" : "b");
        assert_result(&view, PAWL_KILLED, 0);
        pawl_view_release(&view);
    }
    scene_close(&s);
}

/* --- Bounds --- */

static unsigned
count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void
test_hundreds_of_calls_take_no_thread_and_hold_up_no_script(void **state)
{
    enum { N = 300 };
    struct pawl_http_call http = NO_HTTP;
    struct pawl_view view;
    struct scene s;
    unsigned nthreads;
    char id[16], url[64];

    (void) state;
    scene_open(&s);
    snprintf(url, sizeof url, "http://localhost:%d/never", s.server.port);
    http.url = url;
    nthreads = count_threads();
    for (int i = 0; i < N; i++) {
        snprintf(id, sizeof id, "t%d", i);
        submit_call(&s, id, &http);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(gate_wait(&s.server.arrived), 'r');
    submit_action(&s.f, "script", "echo on time", NULL);
    assert_output(&s.f, "script", PAWL_SUCCESS, "on time\n");
    assert_int_equal(count_threads(), nthreads);
    pawl_signal_runs(s.f.engine, SIGKILL);
    for (int i = 0; i < N; i++) {
        snprintf(id, sizeof id, "t%d", i);
        view = await_result(&s.f, id);
        assert_result(&view, PAWL_KILLED, 0);
        pawl_view_release(&view);
    }
    scene_close(&s);
}

/* In KiB. */
static long
resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void
test_huge_answer_streams_through_in_bounded_memory(void **state)
{
    const struct pawl_result *result;
    struct pawl_view view;
    struct scene s;
    long before;

    (void) state;
    scene_open(&s);
    view = get_path(&s, "one", "/huge/1");      /* what the first one takes, it keeps */
    pawl_view_release(&view);
    before = resident();
    view = get_path(&s, "t", "/huge/200");
    assert_true(resident() - before < 32 * 1024);
    assert_result(&view, PAWL_SUCCESS, 200);
    result = view.results[0];
    assert_true(result->truncated && result->out_len <= PAWL_OUTPUT_MAX);
    assert_non_null(strstr(result->out, "bytes dropped"));
    assert_string_equal(result->out + result->out_len - 5, "x\nend");
    pawl_view_release(&view);
    scene_close(&s);
}

/* --- What may be submitted --- */

static void
assert_refused(struct scene *s, const struct pawl_action *action, const char *script,
               const char *field, const char *words)
{
    struct pawl_err err = {0};

    assert_int_equal(try_submit_action(&s->f, "t", script, action, &err), PAWL_EINVAL);
    assert_non_null(err.field);
    assert_string_equal(err.field, field);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" lacks \"%s\"", err.text, words);
}

static void
assert_url_refused(struct scene *s, const char *url, const char *words)
{
    struct pawl_action action = NO_ACTION;
    struct pawl_http_call http = NO_HTTP;

    http.url = url;
    action.http = &http;
    assert_refused(s, &action, "", "action.http.url", words);
}

static void
assert_header_refused(struct scene *s, const char *header, const char *words)
{
    struct pawl_action action = NO_ACTION;
    struct pawl_http_call http = NO_HTTP;

    http.url = "http://a.example/";
    http.headers = LIST("X-Fine: yes", header);
    action.http = &http;
    assert_refused(s, &action, "", "action.http.headers", words);
}

static void
test_what_is_wrong_is_told_by_field(void **state)
{
    static const uint16_t codes[] = {6};
    struct pawl_http_call http = NO_HTTP, fine = NO_HTTP;
    struct pawl_action action = NO_ACTION;
    struct scene s;

    (void) state;
    scene_open(&s);
    assert_url_refused(&s, NULL, "is missing");
    assert_url_refused(&s, "/a", "must begin with http");
    assert_url_refused(&s, "file:///etc/passwd", "must begin with http");
    assert_url_refused(&s, "http://", "cannot be read");
    assert_url_refused(&s, "http://a b/", "blank");
    assert_url_refused(&s, "http://a\r\nX: y/", "blank");
    assert_url_refused(&s, "http://b\xC3\xBC" "cher.example/", "not ASCII");
    assert_url_refused(&s, "http://u:secret@a.example/", "Authorization");
    assert_url_refused(&s, "http://a.example:99999/", "cannot be read");
    assert_header_refused(&s, "X A: b", "a name is made of");
    assert_header_refused(&s, ": b", "a name is made of");
    assert_header_refused(&s, "X-A: b\r\nX-B: c", "control character");
    assert_header_refused(&s, "hOsT: b", "made by the call itself");
    assert_header_refused(&s, "Content-Length: 3", "made by the call itself");
    assert_header_refused(&s, "x-pawl-run: 3", "set by the daemon");
    fine.url = "http://a.example/";
    action.http = &http;
    http = fine, http.method = "GET /";
    assert_refused(&s, &action, "", "action.http.method", "word");
    http = fine, http.method = "CONNECT";
    assert_refused(&s, &action, "", "action.http.method", "tunnel");
    http = fine, http.codes = codes, http.ncodes = 1;
    assert_refused(&s, &action, "", "action.http.successCodes", "100 to 599");
    http = fine, http.max_redirects = 51;
    assert_refused(&s, &action, "", "action.http.maxRedirects", "0 to 50");
    http = fine, http.body = "\xFF", http.body_len = 1;
    assert_refused(&s, &action, "", "action.http.body", "UTF-8");
    http = fine, http.body = "b", http.body_len = 1, http.method = "HEAD";
    assert_refused(&s, &action, "", "action.http.body", "HEAD");
    http = fine;
    assert_refused(&s, &action, "true", "script", "not both");
    assert_refused(&s, NULL, "", "script", "action.http");
    action.interpreter = "bash";
    assert_refused(&s, &action, "", "interpreter", "is of scripts");
    action.condition = "false";
    submit_action(&s.f, "t", "", &action);              /* it is the condition's */
    scene_close(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body_of_the_answer_is_the_result),
        cmocka_unit_test(test_result_is_valid_utf8),
        cmocka_unit_test(test_request_is_what_was_asked_for_and_says_whose_it_is),
        cmocka_unit_test(test_method_follows_from_the_body_and_no_type_is_made_up),
        cmocka_unit_test(test_status_codes_that_are_a_success_are_the_tasks_to_say),
        cmocka_unit_test(test_connection_is_used_again),
        cmocka_unit_test(test_name_is_looked_up),
        cmocka_unit_test(test_redirect_changes_the_method_by_the_rules),
        cmocka_unit_test(test_other_hosts_are_told_no_secrets),
        cmocka_unit_test(test_redirects_are_bounded),
        cmocka_unit_test(test_redirect_to_what_is_no_http_is_an_error),
        cmocka_unit_test(test_call_that_fails_says_why),
        cmocka_unit_test(test_what_came_before_a_cut_is_kept),
        cmocka_unit_test(test_call_that_failed_is_tried_again),
        cmocka_unit_test(test_call_at_its_limit_ends_as_timeout),
        cmocka_unit_test(test_killed_call_ends_at_once),
        cmocka_unit_test(test_end_of_the_engine_ends_calls),
        cmocka_unit_test(test_signal_to_runs_ends_calls_as_killed),
        cmocka_unit_test(test_hundreds_of_calls_take_no_thread_and_hold_up_no_script),
        cmocka_unit_test(test_huge_answer_streams_through_in_bounded_memory),
        cmocka_unit_test(test_what_is_wrong_is_told_by_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
