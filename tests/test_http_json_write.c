/* test_http_json_write.c: documents, problems and the buffer below them, letter by
 * letter. */
#include "json_write.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../engine/utf8.h"
#include "problem.h"

#define TEXT_MAX 4096

static struct pawl_buffer buffer;

static int
set_up(void **state)
{
    (void) state;
    setenv("TZ", "UTC", 1);
    tzset();
    pawl_buffer_init(&buffer);
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    pawl_buffer_fini(&buffer);
    return 0;
}

static void
assert_wrote(const char *text)
{
    pawl_buffer_append_char(&buffer, '\0');
    assert_false(buffer.failed);
    assert_string_equal(buffer.data, text);
    pawl_buffer_reset(&buffer);
}

/* --- Values --- */

static void
test_json_write_numbers(void **state)
{
    (void) state;
    for (int64_t i = 1; i < INT64_MAX / 10; i *= 10) {
        for (int64_t away = -1; away <= 1; away++) {
            char wanted[64];

            pawl_json_write_int(&buffer, i + away);
            pawl_json_write_int(&buffer, -i + away);
            snprintf(wanted, sizeof wanted, "%lld%lld", (long long) (i + away),
                     (long long) (-i + away));
            assert_wrote(wanted);
        }
    }
    pawl_json_write_int(&buffer, INT64_MIN);
    assert_wrote("-9223372036854775808");
    pawl_json_write_uint(&buffer, UINT64_MAX);
    assert_wrote("18446744073709551615");
}

static void
test_json_write_signals(void **state)
{
    static const struct {
        int signal;
        const char *text;
    } signals[] = {
        {0, "null"}, {SIGKILL, "\"SIGKILL\""}, {SIGTERM, "\"SIGTERM\""}, 
        {SIGABRT, "\"SIGABRT\""}, {SIGCHLD, "\"SIGCHLD\""}, {33, "\"SIG33\""},
        {-5, "\"SIG-5\""}, {1000, "\"SIG1000\""},
    };

    (void) state;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        pawl_json_write_signal(&buffer, signals[i].signal);
        assert_wrote(signals[i].text);
    }
    pawl_json_write_signal(&buffer, SIGRTMIN);
    assert_wrote("\"SIGRTMIN\"");
    pawl_json_write_signal(&buffer, SIGRTMIN + 12);
    assert_wrote("\"SIGRTMIN+12\"");
}

static void
test_json_write_escapes_what_json_asks_and_no_more(void **state)
{
    static const char text[] =
        "a\"b\\c/d\b\f\n\r\t\x01\x1f\x7f<>&\xe2\x80\xa8\xc3\xa9\0z";

    (void) state;
    pawl_json_write_string(&buffer, text, sizeof text - 1);
    assert_wrote("\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\\u0001\\u001f\x7f<>&"
                 "\xe2\x80\xa8\xc3\xa9\\u0000z\"");
    pawl_json_write_string(&buffer, NULL, 0);
    assert_wrote("\"\"");
}

/* --- Documents --- */

static const struct pawl_result killed = {
    .run = 2, .scheduled_ns = 2000000000, .started_ns = 2000000001,
    .ended_ns = 3500000000,
    .duration_ns = 1499999999, .outcome = PAWL_KILLED, .exit_code = -1, .signal = SIGKILL,
    .attempt = 1, .truncated = true, .out = "o\n", .out_len = 2, .err = "e", .err_len = 1,
};
static const struct pawl_result broken = {
    .run = 3, .scheduled_ns = 4000000000, .started_ns = PAWL_NO_TIME,
    .ended_ns = 4000000000,
    .outcome = PAWL_ERROR, .exit_code = -1, .attempt = 1, .error = "no \"bash\"",
};
static const struct pawl_result fine = {
    .run = 4, .scheduled_ns = 5000000000, .started_ns = 5000000000,
    .ended_ns = 6000000000,
    .duration_ns = 1000000000, .outcome = PAWL_SUCCESS, .attempt = 1,
};

static const char KILLED[] =
    "{\"timestamp\":\"1970-01-01T00:00:03.500000000+00:00\",\"result\":\"o\\n\","
    "\"stderr\":\"e\","
    "\"exitCode\":null,\"signal\":\"SIGKILL\",\"outcome\":\"killed\","
    "\"scheduledFor\":\"1970-01-01T00:00:02.000000000+00:00\","
    "\"startedAt\":\"1970-01-01T00:00:02.000000001+00:00\",\"durationNs\":1499999999,"
    "\"attempt\":1,\"run\":2,\"truncated\":true}";
static const char BROKEN[] =
    "{\"timestamp\":\"1970-01-01T00:00:04.000000000+00:00\",\"result\":\"\","
    "\"stderr\":\"\","
    "\"exitCode\":null,\"signal\":null,\"outcome\":\"error\","
    "\"scheduledFor\":\"1970-01-01T00:00:04.000000000+00:00\",\"startedAt\":null,"
    "\"durationNs\":0,\"attempt\":1,\"run\":3,\"truncated\":false,"
    "\"error\":\"no \\\"bash\\\"\"}";
static const char FINE[] =
    "{\"timestamp\":\"1970-01-01T00:00:06.000000000+00:00\",\"result\":\"\","
    "\"stderr\":\"\","
    "\"exitCode\":0,\"signal\":null,\"outcome\":\"success\","
    "\"scheduledFor\":\"1970-01-01T00:00:05.000000000+00:00\","
    "\"startedAt\":\"1970-01-01T00:00:05.000000000+00:00\",\"durationNs\":1000000000,"
    "\"attempt\":1,\"run\":4,\"truncated\":false}";
static const char HEAD[] =
    "{\"id\":\"a/b\",\"taskType\":\"cron\",\"time\":1000000000,"
    "\"timezone\":\"UTC\",\"script\":\"echo "
    "\\\"hi\\\"\","
    "\"keepResults\":10,\"status\":3,\"state\":\"WaitForNextExecution\",\"paused\":false,\"version\":8,"
    "\"lastStatusUpdated\":\"1970-01-01T00:00:06.000000000+00:00\","
    "\"createdAt\":\"1970-01-01T00:00:00.000000000+00:00\","
    "\"nextRun\":\"1970-01-01T00:00:07.000000000+00:00\",\"previousRun\":null,"
    "\"runCount\":4,"
    "\"failureCount\":2,\"skipped\":{\"overlap\":18446744073709551615,\"condition\":1,"
    "\"group\":0},\"missed\":18446744073709551615,\"missedPaused\":2,\"waitingFor\":null,"
    "\"attempt\":null,\"endReason\":null,\"running\":0,"
    "\"results\":[";

static const char PASSED_NONE[] =
    ",\"skipped\":{\"overlap\":0,\"condition\":0,\"group\":0},\"missed\":0,\"missedPaused\":0"
    ",\"waitingFor\":null,\"attempt\":null,\"endReason\":\"maxRuns\"";

static const struct pawl_result *const results[] = {&killed, &broken, &fine};
static const struct pawl_view view = {
    .id = "a/b", .id_len = 3, .type = PAWL_CRON, .time_ns = 1000000000,
    .script = "echo \"hi\"",
    .script_len = 9, .keep_results = 10, .status = PAWL_WAIT_FOR_NEXT, .version = 8,
    .updated_ns = 6000000000, .next_ns = 7000000000, .previous_ns = PAWL_NO_TIME,
    .run_count = 4,
    .failure_count = 2, .skipped_overlap = UINT64_MAX, .missed = UINT64_MAX,
    .skipped_condition = 1, .missed_paused = 2, .results = results, .nresults = 3,
};

static void
test_json_write_task_gives_the_newest_results_oldest_first(void **state)
{
    char wanted[TEXT_MAX];

    (void) state;
    pawl_json_write_task(&buffer, &view, 0);
    snprintf(wanted, sizeof wanted, "%s]}", HEAD);
    assert_wrote(wanted);
    pawl_json_write_task(&buffer, &view, 1);
    snprintf(wanted, sizeof wanted, "%s%s]}", HEAD, FINE);
    assert_wrote(wanted);
    pawl_json_write_task(&buffer, &view, 3);
    snprintf(wanted, sizeof wanted, "%s%s,%s,%s]}", HEAD, KILLED, BROKEN, FINE);
    assert_wrote(wanted);
    pawl_json_write_task(&buffer, &view, SIZE_MAX);
    assert_wrote(wanted);
}

static void
test_json_write_says_why_a_task_is_over_and_that_nothing_was_skipped(void **state)
{
    struct pawl_view over = view;

    (void) state;
    over.skipped_overlap = over.skipped_condition = over.missed = over.missed_paused = 0;
    over.status = PAWL_EXECUTED;
    over.end_reason = PAWL_END_MAX_RUNS;
    pawl_json_write_head(&buffer, &over);
    assert_non_null(memmem(buffer.data, buffer.len, PASSED_NONE, strlen(PASSED_NONE)));
    pawl_buffer_reset(&buffer);
    pawl_json_write_passed(&buffer, &over);
    assert_int_equal(buffer.len, strstr(PASSED_NONE, ",\"waitingFor\"") - PASSED_NONE);
    assert_memory_equal(buffer.data, PASSED_NONE, buffer.len);
    pawl_buffer_reset(&buffer);
}

/* Every number at its longest: the room that is reserved is enough, and nothing is
 * cut. */
static void
test_json_write_fits_the_longest_values(void **state)
{
    struct pawl_view longest = {
        .id = "", .script = "", .time_ns = INT64_MIN, .keep_results = INT32_MIN,
        .status = PAWL_WAIT_FOR_NEXT, .version = INT64_MIN, .running = INT32_MIN,
        .created_ns = INT64_MAX, .updated_ns = INT64_MAX, .next_ns = INT64_MAX,
        .previous_ns = INT64_MAX, .run_count = UINT64_MAX, .failure_count = UINT64_MAX,
        .skipped_overlap = UINT64_MAX, .missed = UINT64_MAX, .skipped_condition = UINT64_MAX,
        .skipped_group = UINT64_MAX, .missed_paused = UINT64_MAX, .end_reason = PAWL_END_NO_TIMES,
        .waits_for_retry = true, .waiting = PAWL_WAITING_RETRY, .attempt = INT32_MIN,
    };
    struct pawl_result result = {
        .run = UINT64_MAX, .scheduled_ns = INT64_MAX, .started_ns = INT64_MAX,
        .ended_ns = INT64_MAX, .duration_ns = INT64_MIN, .outcome = PAWL_SUCCESS,
        .exit_code = INT32_MAX, .signal = INT32_MIN, .attempt = INT32_MIN,
    };

    (void) state;
    pawl_json_write_head(&buffer, &longest);
    assert_in_range(buffer.len, 400, 900);
    pawl_buffer_reset(&buffer);
    pawl_json_write_result(&buffer, &result);
    assert_in_range(buffer.len, 300, 500);
    pawl_buffer_reset(&buffer);
}

static void
test_json_write_shows_tags_where_there_are_any(void **state)
{
    struct pawl_view tagged = view;

    (void) state;
    tagged.tags = (const char *const[]) {"a\"b", "c"};
    tagged.ntags = 2;
    pawl_json_write_head(&buffer, &tagged);
    pawl_buffer_append_char(&buffer, '\0');
    assert_non_null(strstr(buffer.data, "\",\"tags\":[\"a\\\"b\",\"c\"],\"keepResults\":"));
    pawl_buffer_reset(&buffer);
    pawl_json_write_head(&buffer, &view);
    pawl_buffer_append_char(&buffer, '\0');
    assert_null(strstr(buffer.data, "tags"));
    pawl_buffer_reset(&buffer);
}

static void
assert_shows(const struct pawl_view *shown, const char *members)
{
    pawl_json_write_head(&buffer, shown);
    pawl_buffer_append_char(&buffer, '\0');
    if (strstr(buffer.data, members) == NULL)
        fail_msg("%s has no %s", buffer.data, members);
    pawl_buffer_reset(&buffer);
}

static void
test_json_write_shows_which_attempt_runs_or_waits(void **state)
{
    struct pawl_policy policy;
    struct pawl_view busy = view;

    (void) state;
    pawl_policy_init(&policy);
    policy.retries = 5;
    busy.skipped_overlap = busy.missed = 0;
    busy.skipped_condition = busy.missed_paused = 0;
    assert_shows(&busy, ",\"skipped\":{\"overlap\":0,\"condition\":0,\"group\":0},\"missed\":0,"
                        "\"missedPaused\":0,\"waitingFor\":null,\"attempt\":null,"
                        "\"endReason\":null,\"running\":0,\"results\":[");
    busy.running = 1;
    assert_shows(&busy, ",\"waitingFor\":null,\"attempt\":1,\"endReason\":null,\"running\":1,");
    busy.policy = &policy;
    busy.attempt = 3;
    assert_shows(&busy, ",\"retries\":5,\"keepResults\":");
    assert_shows(&busy, ",\"waitingFor\":null,\"attempt\":3,\"endReason\":null,\"running\":1,");
    busy.running = 0;
    busy.waits_for_retry = true;        /* after the third */
    busy.waiting = PAWL_WAITING_RETRY;
    assert_shows(&busy, ",\"waitingFor\":\"retry\",\"attempt\":4,\"endReason\":null,\"running\":0,");
    busy.waiting = PAWL_WAITING_GROUP;
    assert_shows(&busy, ",\"waitingFor\":\"group\",\"attempt\":4,\"endReason\":null,\"running\":0,");
    busy.waits_for_retry = false;
    busy.waiting = PAWL_WAITING_WORKER;
    assert_shows(&busy, ",\"waitingFor\":\"worker\",\"attempt\":null,\"endReason\":null,\"running\":0,");
}

/* --- The buffer --- */

static void
test_json_write_to_a_full_buffer_is_harmless(void **state)
{
    struct pawl_buffer full;
    size_t len;

    (void) state;
    pawl_buffer_init(&full);
    pawl_buffer_append_str(&full, "kept");
    assert_null(pawl_buffer_reserve(&full, PAWL_BUFFER_MAX));
    assert_true(full.failed);
    pawl_json_write_task(&full, &view, SIZE_MAX);
    pawl_json_write_int(&full, 1);
    pawl_json_write_uint(&full, 1);
    pawl_json_write_time(&full, 1);
    pawl_json_write_signal(&full, 1);
    assert_true(full.failed);
    assert_int_equal(full.len, 4);
    assert_null(pawl_buffer_detach(&full, &len));
    assert_int_equal(len, 0);
    assert_null(pawl_buffer_reserve(&full, SIZE_MAX));
    pawl_buffer_reset(&full);
    assert_false(full.failed);
    pawl_buffer_append(&full, NULL, 0);
    pawl_buffer_append_str(&full, "again");
    char *data = pawl_buffer_detach(&full, &len);
    assert_memory_equal(data, "again", 5);
    assert_int_equal(len, 5);
    assert_null(full.data);
    free(data);
    pawl_buffer_fini(&full);
}

static void
test_json_write_buffer_reset_gives_large_memory_back(void **state)
{
    struct pawl_buffer large;

    (void) state;
    pawl_buffer_init(&large);
    assert_non_null(pawl_buffer_reserve(&large, PAWL_BUFFER_KEEP));
    pawl_buffer_reset(&large);
    assert_int_equal(large.cap, PAWL_BUFFER_KEEP);
    assert_non_null(pawl_buffer_reserve(&large, PAWL_BUFFER_KEEP + 1));
    pawl_buffer_reset(&large);
    assert_int_equal(large.cap, 0);
    pawl_buffer_fini(&large);
}

/* --- Problems --- */

static void
test_json_write_problem(void **state)
{
    struct pawl_problem problem;

    (void) state;
    pawl_problem_set(&problem, 404, NULL, "no task has the id \"%s\"", "a\nb");
    pawl_problem_write(&buffer, &problem);
    assert_wrote("{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                 "\"detail\":\"no task has the id \\\"a\\nb\\\"\"}");
    pawl_problem_set(&problem, 400, "time", "wrong");
    problem.line = 3;
    problem.column = 14;
    pawl_problem_write(&buffer, &problem);
    assert_wrote("{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                 "\"detail\":\"wrong\",\"field\":\"time\",\"line\":3,\"column\":14}");
}

static void
test_json_write_problem_detail_is_cut_at_a_character(void **state)
{
    struct pawl_problem problem;
    char text[2000];

    (void) state;
    for (size_t shift = 0; shift < 4; shift++) {
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = i < shift ? 'x' : "\xf0\x9f\x98\x80"[(i - shift) % 4];
        pawl_problem_set(&problem, 400, NULL, "%.*s", (int) sizeof text, text);
        size_t len = strlen(problem.detail);
        assert_in_range(len, sizeof problem.detail - 4, sizeof problem.detail - 1);
        assert_true(pawl_utf8_valid(problem.detail, len));
    }
}

static void
test_json_write_problem_from_err_chooses_the_status(void **state)
{
    static const struct {
        int code, status;
        bool retry;
    } codes[] = {
        {PAWL_EINVAL, 400, false}, {PAWL_ENOENT, 404, false}, {PAWL_EEXIST, 409, false},
        {PAWL_ESTATE, 409, false}, {PAWL_ENOMEM, 503, true}, {PAWL_ELIMIT, 429, true},
        {PAWL_EBUDGET, 503, true}, {PAWL_ECLOSED, 503, true}, {PAWL_ESYS, 500, false},
        {PAWL_ESTORE, 507, true}, {-99, 500, false},
    };

    (void) state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct pawl_err err = {codes[i].code, "id", "100% wrong"};
        struct pawl_problem problem;

        pawl_problem_from_err(&problem, &err);
        assert_int_equal(problem.status, codes[i].status);
        assert_int_equal(problem.code, codes[i].code);
        assert_int_equal(problem.retry_after_s > 0, codes[i].retry);
        assert_string_equal(problem.detail, "100% wrong");
        assert_string_equal(problem.field, "id");
        assert_string_not_equal(problem.title, "Error");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_write_numbers),
        cmocka_unit_test(test_json_write_signals),
        cmocka_unit_test(test_json_write_escapes_what_json_asks_and_no_more),
        cmocka_unit_test(test_json_write_task_gives_the_newest_results_oldest_first),
        cmocka_unit_test(test_json_write_says_why_a_task_is_over_and_that_nothing_was_skipped),
        cmocka_unit_test(test_json_write_fits_the_longest_values),
        cmocka_unit_test(test_json_write_shows_tags_where_there_are_any),
        cmocka_unit_test(test_json_write_shows_which_attempt_runs_or_waits),
        cmocka_unit_test(test_json_write_to_a_full_buffer_is_harmless),
        cmocka_unit_test(test_json_write_buffer_reset_gives_large_memory_back),
        cmocka_unit_test(test_json_write_problem),
        cmocka_unit_test(test_json_write_problem_detail_is_cut_at_a_character),
        cmocka_unit_test(test_json_write_problem_from_err_chooses_the_status),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
