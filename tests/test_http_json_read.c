/* test_http_json_read.c: task documents read and refused. Every text and its padding
 * end against a page that cannot be touched. */
#include "json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_MAX ((size_t) 9 << 20)

/* Documents are read at the end of this map, whose last page is closed. */
static char *map, *map_end;
static struct pawl_json_reader *reader;
static struct pawl_spec spec;
static struct pawl_problem problem;

static int
set_up(void **state)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE);

    (void) state;
    map = mmap(NULL, TEXT_MAX + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
               -1, 0);
    if (map == MAP_FAILED || mprotect(map + TEXT_MAX, page, PROT_NONE) != 0)
        return -1;
    map_end = map + TEXT_MAX;
    return pawl_json_reader_new(&reader);
}

static int
tear_down(void **state)
{
    (void) state;
    pawl_json_reader_free(reader);
    return munmap(map, TEXT_MAX + (size_t) sysconf(_SC_PAGESIZE));
}

static int
read_bytes(const char *text, size_t len)
{
    static const char behind[] =
        "1\"}]:,{\"id\":\"b\"}\\u00 12345e678 null\xf0\x9f{{{[[["
        "\"time\":5,\"ID\":\"zz\"]]]}}} true false";
    char *place = map_end - PAWL_JSON_PADDING - len;
    size_t shift = len % 8;             /* what follows begins with anything */
    int code;

    memcpy(place, text, len);
    memcpy(place + len, behind + shift, PAWL_JSON_PADDING - shift);
    memset(place + len + PAWL_JSON_PADDING - shift, '1', shift);
    memset(&spec, 0, sizeof spec);
    memset(&problem, 0xee, sizeof problem);
    code = pawl_json_read_task(reader, place, len, len + PAWL_JSON_PADDING, &spec,
                               &problem);
    assert_memory_equal(place, text, len);
    assert_memory_equal(place + len, behind + shift, PAWL_JSON_PADDING - shift);
    return code;
}

static int
read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void
assert_read(const char *text)
{
    if (read_text(text) != 0)
        fail_msg("%s: %s", text, problem.detail);
}

/* --- What is read --- */

static void
test_json_read_gives_every_field(void **state)
{
    (void) state;
    assert_read("{\"id\":\"a\\u00e9/\\\"b\",\"taskType\":\"cron\",\"time\":1500000000,"
                "\"script\":\"echo \\\"hi\\\"\\n\",\"keepResults\":7}");
    assert_int_equal(spec.id_len, 6);
    assert_memory_equal(spec.id, "a\xc3\xa9/\"b", 6);
    assert_int_equal(spec.type, PAWL_CRON);
    assert_int_equal(spec.time_ns, 1500000000);
    assert_int_equal(spec.script_len, 10);
    assert_memory_equal(spec.script, "echo \"hi\"\n", 10);
    assert_int_equal(spec.keep_results, 7);
}

#define WITH_TAGS(tags)                                                                   \
    "{\"id\":\"a\",\"taskType\":\"delay\",\"time\":1,\"script\":\"x\",\"tags\":" tags "}"

static void
test_json_read_gives_tags_in_their_order(void **state)
{
    (void) state;
    assert_read(WITH_TAGS("[\"b\",\"\\u00e9\",\"b\"]"));
    assert_int_equal(spec.ntags, 3);            /* doubles are the engine's to drop */
    assert_string_equal(spec.tags[0], "b");
    assert_string_equal(spec.tags[1], "\xc3\xa9");
    assert_read(WITH_TAGS("[]"));
    assert_int_equal(spec.ntags, 0);
    assert_read(WITH_TAGS("null"));
    assert_int_equal(spec.ntags, 0);
    assert_int_equal(read_text(WITH_TAGS("[\"a\\u0000b\"]")), PAWL_EINVAL);
    assert_string_equal(problem.field, "tags");
    assert_int_equal(read_text(WITH_TAGS("\"a\"")), PAWL_EINVAL);
    assert_int_equal(read_text(WITH_TAGS("[[]]")), PAWL_EINVAL);
    assert_string_equal(problem.detail, "tags must be an array of strings: it has an array");
}

static const struct {
    const char *text;
    int64_t time_ns;
    int keep_results;
} accepted[] = {
    {"{\"id\":\"a\",\"taskType\":\"delay\",\"time\":0,\"script\":\"x\"}", 0, -1},
    {" \n{ \"script\" : \"x\" , \"time\" : \"1m30s\" , \"taskType\" : \"delay\", "
     "\"id\":\"a\" }\r\n",
     90000000000, -1},
    {"{\"ID\":\"a\",\"TASKTYPE\":\"delay\",\"Time\":1,\"sCRIPT\":\"x\","
     "\"keepresults\":null}", 1, -1},
    {"{\"id\":\"a\",\"ta\xc5\xbf\xe2\x84\xaaType\":\"delay\",\"time\":1,"
     "\"\xc5\xbf" "cript\":\"x\"}", 1, -1},
    {"\xef\xbb\xbf{\"id\":\"a\",\"taskType\":\"delay\",\"time\":1,\"script\":\"x\"}", 1,
     -1},
    {"{\"id\":\"a\",\"taskType\":\"delay\",\"time\":9223372036854775807,"
     "\"script\":\"x\"}", INT64_MAX, -1},
    {"{\"id\":\"a\",\"taskType\":\"delay\",\"time\":-0,\"script\":\"x\","
     "\"keepResults\":0}", 0, 0},
    /* What the engine refuses. */
    {"{\"id\":\"\",\"taskType\":\"cron\",\"time\":-5,\"script\":\"\","
     "\"keepResults\":10001}", -5, 10001},
    {"{\"id\":\"\",\"taskType\":\"cron\",\"time\":\"-5s\",\"script\":\"\","
     "\"keepResults\":18446744073709551615}", -5000000000, INT32_MAX},
    {"{\"id\":\"\",\"taskType\":\"cron\",\"time\":5,\"script\":\"\","
     "\"keepResults\":4294967297}", 5, INT32_MAX},
    /* What an answer has, in any type. */
    {"{\"id\":\"a\",\"taskType\":\"delay\",\"time\":1,\"script\":\"x\","
     "\"results\":[{\"a\":[1.5e3]}],"
     "\"status\":\"0\",\"state\":null,\"lastStatusUpdated\":{},\"Version\":[],"
     "\"createdAt\":1,"
     "\"nextRun\":false,\"previousRun\":\"\",\"runCount\":18446744073709551615,"
     "\"failureCount\":-1,\"running\":true,\"skipped\":{\"overlap\":0},\"missed\":3}", 1, -1},
};

static void
test_json_read_accepts(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        assert_read(accepted[i].text);
        assert_true(spec.time_ns == accepted[i].time_ns);
        assert_int_equal(spec.keep_results, accepted[i].keep_results);
    }
}

/* --- What is refused --- */

#define TASK_WITHOUT_TIME "{\"id\":\"a\",\"taskType\":\"delay\",\"script\":\"x\""

static const struct {
    const char *text, *field;           /* field: NULL, none */
    int line, column;                   /* 0: none */
    const char *says;
} refused[] = {
    {"", NULL, 0, 0, "empty"},
    {" \n\t ", NULL, 0, 0, "empty"},
    {"\xef\xbb\xbf", NULL, 0, 0, "empty"},
    {"null", NULL, 0, 0, "not null"},
    {"[]", NULL, 0, 0, "not an array"},
    {"[{\"id\":\"a\"}]", NULL, 0, 0, "not an array"},
    {"12", NULL, 0, 0, "not a number"},
    {"1.5", NULL, 0, 0, "not a number"},
    {"\"text\"", NULL, 0, 0, "not a string"},
    {"true", NULL, 0, 0, "not true or false"},
    {"{}", "id", 0, 0, "id is required"},
    {"{\"id\":\"a\"}", "taskType", 0, 0, "taskType is required"},
    {"{\"id\":\"a\",\"taskType\":\"cron\"}", "cron", 0, 0,
     "one of cron, time, calendar or triggers is required"},
    {"{\"id\":\"a\",\"taskType\":\"delay\"}", "time", 0, 0, "time is required"},
    {"{\"id\":\"a\",\"taskType\":\"delay\",\"time\":null}", "time", 0, 0,
     "time is required"},
    {"{\"id\":\"a\",\"taskType\":\"cron\",\"time\":1}", "script", 0, 0,
     "script is required"},
    {"{\"id\":null}", "id", 0, 0, "id is required"},
    {"{\"taskType\":null}", "taskType", 0, 0, "taskType is required"},
    {"{\"time\":null}", "id", 0, 0, "id is required"},
    {"{\"id\":\"a\",\"taskType\":\"delay\",\"time\":0,\"script\":null}", "script", 0, 0, "script is required"},
    {"{\"id\":7}", "id", 0, 0, "id must be a string, not a number"},
    {"{\"id\":[]}", "id", 0, 0, "not an array"},
    {"{\"script\":true}", "script", 0, 0, "not true or false"},
    {"{\"taskType\":\"Delay\"}", "taskType", 0, 0, 
     "must be \"delay\" or \"cron\", not \"Delay\""},
    {"{\"taskType\":0}", "taskType", 0, 0, "must be \"delay\" or \"cron\", not a number"},
    {"{\"keepResults\":1.0}", "keepResults", 0, 0, "whole number, not a number with"},
    {"{\"keepResults\":\"5\"}", "keepResults", 0, 0, "whole number, not a string"},
    {"{\"keepResults\":-1}", "keepResults", 0, 0, "0 to 10000"},
    /* Names. */
    {"{\"id\":\"a\",\"id\":\"a\"}", "id", 0, 0, "id is given twice"},
    {"{\"id\":\"a\",\"ID\":\"b\"}", "id", 0, 0, "second time as \"ID\""},
    {"{\"status\":1,\"STATUS\":1}", "status", 0, 0, "status is given twice"},
    {"{\"idd\":\"a\"}", "idd", 0, 0, "unknown field \"idd\": did you mean \"id\"?"},
    {"{\"type\":\"a\"}", "type", 0, 0, "did you mean \"time\"?"},
    {"{\"task_type\":1}", "task_type", 0, 0, "did you mean \"taskType\"?"},
    {"{\"Scirpt\":1}", "Scirpt", 0, 0, "did you mean \"script\"?"},
    {"{\"keep_results\":1}", "keep_results", 0, 0, "did you mean \"keepResults\"?"},
    {"{\"command\":1}", "command", 0, 0, "unknown field \"command\": a task has"},
    {"{\"\":1}", "", 0, 0, "unknown field \"\": a task has"},
    {"{\"a\\u0000b\":1}", "a", 0, 0, "unknown field"},
    /* Time. */
    {"{\"time\":1.5}", "time", 0, 0, "integer nanoseconds, or a duration string"},
    {"{\"time\":1e3}", "time", 0, 0, "integer nanoseconds"},
    {"{\"time\":1.0}", "time", 0, 0, "integer nanoseconds"},
    {"{\"time\":9223372036854775808}", "time", 0, 0, "too large"},
    {"{\"time\":99999999999999999999}", "time", 1, 9, "64 bits; time is integer"},
    {"{\"time\":-9223372036854775809}", "time", 1, 9, "64 bits"},
    {"{\"time\":1e400}", "time", 1, 9, "64 bits"},
    {"{\"time\":NaN}", "time", 1, 9, "a value is expected"},
    {"{\"time\":\"5\"}", "time", 0, 0, "lacks a unit"},
    {"{\"time\":\"\"}", "time", 0, 0, "duration is empty"},
    {"{\"time\":\"1d\"}", "time", 0, 0, "unknown unit \"d\""},
    {"{\"time\":{}}", "time", 0, 0, "not an object"},
    /* Grammar. */
    {"not json", NULL, 1, 1, "a value is expected"},
    {"{", NULL, 1, 2, "ends inside an object"},
    {"{\"id\"", "id", 1, 6, "a colon is expected"},
    {"{\"id\":", "id", 1, 7, "ends where a value is expected"},
    {"{\"id\":\"a", "id", 1, 9, "ends inside a string"},
    {"{\"id\":\"a\"", NULL, 1, 10, "ends inside an object"},
    {"{\"id\":\"a\",", NULL, 1, 11, "ends inside an object"},
    {"{\"id\":\"a\",}", NULL, 1, 11, "a name in double quotes is expected"},
    {"{\"id\":\"a\"]", NULL, 1, 10, "a comma or } is expected"},
    {"{\"id\":\"a\" \"time\":1}", NULL, 1, 11, "a comma or } is expected"},
    {"{\n  \"id\": \"a\",\n  \"time\": tru\n}", "time", 3, 11, "a value is expected"},
    {"{'id':1}", NULL, 1, 2, "a name in double quotes"},
    {"{\"id\":'a'}", "id", 1, 7, "a string in double quotes"},
    {"{\"results\":[1,2,]}", "results", 1, 17, "a value is expected"},
    {"{\"results\":[1 2]}", "results", 1, 15, "a comma or ] is expected"},
    {"{\"results\":[{\"a\":01}]}", "results", 1, 18, "begin with a zero"},
    {"{\"x\":-}", NULL, 1, 7, "after the minus sign"},
    {"{\"x\":1.}", NULL, 1, 8, "after the decimal point"},
    {"{\"x\":1e+}", NULL, 1, 9, "in the exponent"},
    {"{\"x\":+1}", NULL, 1, 6, "a value is expected"},
    {TASK_WITHOUT_TIME ",\"time\":1} x", NULL, 1, 53, "follows the end"},
    {TASK_WITHOUT_TIME ",\"time\":1}}", NULL, 1, 52, "follows the end"},
    {TASK_WITHOUT_TIME ",\"time\":1}\n{}", NULL, 2, 1, "follows the end"},
    {"{\"id\":\"a\tb\"}", "id", 1, 9, "must be escaped"},
    {"{\"id\":\"a\nb\"}", "id", 1, 9, "must be escaped"},
    {"{\"id\":\"\\x\"}", "id", 1, 8, "no such escape"},
    {"{\"id\":\"\\u12g4\"}", "id", 1, 8, "four hexadecimal digits"},
    {"{\"id\":\"\\ud800\"}", "id", 1, 8, "surrogate pair"},
    {"{\"id\":\"\\udc00x\"}", "id", 1, 8, "surrogate pair"},
    {"{\"id\":\"\\ud800\\u0041\"}", "id", 1, 8, "surrogate pair"},
    {"{\"script\":\"ab\xff\"}", "script", 1, 14, "not valid UTF-8"},
    {"{\"script\":\"\xed\xa0\x80\"}", "script", 1, 12, "not valid UTF-8"},
    {"{\"script\":\"\xc0\xaf\"}", "script", 1, 12, "not valid UTF-8"},
    {"\xff\xfe{\0}", NULL, 1, 1, "a value is expected"},
    {"\xef\xbb\xbf{\"id\":x}", "id", 1, 10, "a value is expected"},
};

static void
test_json_read_refuses_and_says_where(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int code = read_text(refused[i].text);
        const char *field = code == 0 ? NULL : problem.field;
        bool right_field = refused[i].field == NULL
                               ? field == NULL
                               : field != NULL && strcmp(field, refused[i].field) == 0;

        if (code != PAWL_EINVAL || problem.status != 400 || !right_field ||
            problem.line != refused[i].line || problem.column != refused[i].column ||
            strstr(problem.detail, refused[i].says) == NULL || spec.id != NULL)
            fail_msg("%s: %d, field %s, line %d, column %d, \"%s\"", refused[i].text,
                     code, field, problem.line, problem.column, problem.detail);
    }
}

/* --- Large and deep --- */

/* A document with `count` times `unit` between a start and an end. */
static int
read_repeated(const char *start, const char *unit, size_t count, const char *end)
{
    size_t len = strlen(start), unit_len = strlen(unit), end_len = strlen(end);
    char *text = malloc(len + count * unit_len + end_len);
    int code;

    assert_non_null(text);
    memcpy(text, start, len);
    for (size_t i = 0; i < count; i++, len += unit_len)
        memcpy(text + len, unit, unit_len);
    memcpy(text + len, end, end_len);
    code = read_bytes(text, len + end_len);
    free(text);
    return code;
}

static void
test_json_read_refuses_deep_nesting_where_it_passes_the_limit(void **state)
{
    (void) state;
    assert_int_equal(read_repeated("{\"results\":", "[", 10000, ""), PAWL_EINVAL);
    assert_string_equal(problem.field, "results");
    assert_int_equal(problem.column, 12 + 1023);
    assert_non_null(strstr(problem.detail, "too deep"));
    assert_int_equal(read_repeated("", "{\"x\":", 1000000, ""), PAWL_EINVAL);
    assert_non_null(strstr(problem.detail, "too deep"));
    assert_int_equal(read_repeated("", "[", 1024, "1"), PAWL_EINVAL);
    assert_non_null(strstr(problem.detail, "ends inside an array"));
}

static void
test_json_read_takes_large_scripts_and_gives_the_memory_back(void **state)
{
    static const char small[] =
        "{\"id\":\"a\",\"taskType\":\"delay\",\"time\":1,\"script\":\"x\"}";

    (void) state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_repeated("{\"id\":\"a\",\"taskType\":\"cron\",\"time\":1,"
                                       "\"script\":\"",
                                       "\\u00e9", 1 << 20, "\"}"), 0);
        assert_int_equal(spec.script_len, 2 << 20);
        pawl_json_reader_trim(reader);
        assert_int_equal(read_bytes(small, sizeof small - 1), 0);
        assert_int_equal(spec.script_len, 1);
    }
    assert_int_equal(read_repeated("{\"results\":[1", ",1", (size_t) 4 << 20, "]}"),
                     PAWL_EINVAL);
    assert_string_equal(problem.detail, "id is required");
    assert_int_equal(read_bytes(small, sizeof small - 1), 0);
}

static void
test_json_read_quotes_a_long_name_cut_at_a_character(void **state)
{
    (void) state;
    assert_int_equal(read_repeated("{\"x", "\xc3\xa9", 100000, "\":1}"), PAWL_EINVAL);
    assert_non_null(strstr(problem.detail, "\xc3\xa9...\": a task has"));
    assert_int_equal(read_repeated("{\"id", "\xc5\xbf", 100000, "\":1}"), PAWL_EINVAL);
    assert_int_equal(read_repeated("{\"taskType\":\"", "\xf0\x9f\x98\x80", 1000, "\"}"),
                     PAWL_EINVAL);
}

static void
test_json_read_keeps_a_nul_for_the_engine_to_refuse(void **state)
{
    (void) state;
    assert_read("{\"id\":\"a\",\"taskType\":\"delay\",\"time\":1,"
                "\"script\":\"a\\u0000b\"}");
    assert_int_equal(spec.script_len, 3);
    assert_memory_equal(spec.script, "a\0b", 4);
    assert_int_equal(read_bytes("{\"id\":\"a\0\"}", 11), PAWL_EINVAL);
    assert_int_equal(problem.column, 9);
}

static void
test_json_read_tells_the_id_of_a_refused_document(void **state)
{
    size_t len;

    (void) state;
    read_text("{\"time\":true,\"ID\":\"late\"}");
    assert_string_equal(pawl_json_last_id(reader, &len), "late");
    assert_int_equal(len, 4);
    read_text("{\"time\":true,\"id\":5}");
    assert_null(pawl_json_last_id(reader, &len));
    read_text("{\"id\":\"a\"");
    assert_null(pawl_json_last_id(reader, &len));
    assert_read(accepted[0].text);
    assert_string_equal(pawl_json_last_id(reader, &len), "a");
}

/* --- Out of memory --- */

/* The nothrow forms of new, which simdjson uses, fail when the countdown reaches 0.
 * They are weak because clang's sanitizers insist on their own. */
static int countdown = -1;

void
_ZdaPv(void *memory);
void *
_Znam(size_t size);
void *
_Znwm(size_t size);
__attribute__((weak)) void *
_ZnamRKSt9nothrow_t(size_t size, const void *nothrow);
__attribute__((weak)) void *
_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow);

void *
_ZnamRKSt9nothrow_t(size_t size, const void *nothrow)
{
    (void) nothrow;
    return countdown >= 0 && countdown-- == 0 ? NULL : _Znam(size);
}

void *
_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow)
{
    (void) nothrow;
    return countdown >= 0 && countdown-- == 0 ? NULL : _Znwm(size);
}

static void
test_json_read_survives_every_failing_allocation(void **state)
{
    struct pawl_json_reader *other = NULL;
    int nfailed = 0, code;
    void *memory;

    (void) state;
    countdown = 0;
    memory = _ZnamRKSt9nothrow_t(1, NULL);
    if (memory != NULL) {
        _ZdaPv(memory);
        countdown = -1;
        skip();                         /* the sanitizer's new is in use */
    }
    for (int i = 0;; i++) {
        countdown = i;
        code = pawl_json_reader_new(&other);
        countdown = -1;
        if (code == 0)
            break;
        assert_int_equal(code, PAWL_ENOMEM);
        assert_null(other);
        nfailed++;
    }
    pawl_json_reader_free(other);
    assert_true(nfailed >= 4);

    nfailed = 0;
    for (int i = 0;; i++) {
        pawl_json_reader_trim(reader);
        countdown = i;
        code = read_repeated("{\"id\":\"a\",\"taskType\":\"cron\",\"time\":1,"
                             "\"script\":\"", "x",
                             300000, "\"}");
        countdown = -1;
        if (code == 0)
            break;
        assert_int_equal(code, PAWL_ENOMEM);
        assert_int_equal(problem.status, 503);
        assert_true(problem.retry_after_s > 0);
        assert_read(accepted[0].text);
        nfailed++;
    }
    assert_true(nfailed >= 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_read_gives_every_field),
        cmocka_unit_test(test_json_read_gives_tags_in_their_order),
        cmocka_unit_test(test_json_read_accepts),
        cmocka_unit_test(test_json_read_refuses_and_says_where),
        cmocka_unit_test(test_json_read_refuses_deep_nesting_where_it_passes_the_limit),
        cmocka_unit_test(test_json_read_takes_large_scripts_and_gives_the_memory_back),
        cmocka_unit_test(test_json_read_quotes_a_long_name_cut_at_a_character),
        cmocka_unit_test(test_json_read_keeps_a_nul_for_the_engine_to_refuse),
        cmocka_unit_test(test_json_read_tells_the_id_of_a_refused_document),
        cmocka_unit_test(test_json_read_survives_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
