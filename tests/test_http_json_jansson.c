/* test_http_json_jansson.c: the reader and the writer against jansson, over random
 * changes of documents and over random bytes. Every text ends against a page that
 * cannot be touched. */
#include "json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "../engine/duration.h"
#include "../engine/utf8.h"
#include "json_write.h"
#include "timefmt.h"

#define TEXT_MAX 4096

static char *map, *map_end;     /* texts end at map_end; the page behind is closed */
static struct pawl_json_reader *reader;
static struct pawl_spec spec;
static struct pawl_problem problem;
static struct pawl_buffer buffer;

static int
set_up(void **state)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE);

    (void) state;
    map = mmap(NULL, 2 * TEXT_MAX + page, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map + 2 * TEXT_MAX, page, PROT_NONE) != 0)
        return -1;
    map_end = map + 2 * TEXT_MAX;
    pawl_buffer_init(&buffer);
    return pawl_json_reader_new(&reader);
}

static int
tear_down(void **state)
{
    (void) state;
    pawl_json_reader_free(reader);
    pawl_buffer_fini(&buffer);
    return munmap(map, 2 * TEXT_MAX + (size_t) sysconf(_SC_PAGESIZE));
}

static uint64_t
next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static uint64_t
new_seed(void)
{
    uint64_t seed = (uint64_t) time(NULL) * 2654435761u | 1;

    printf("seed %llu\n", (unsigned long long) seed);
    return seed;
}

/* --- The reader --- */

static int
read_bytes(const char *text, size_t len)
{
    char *place = map_end - PAWL_JSON_PADDING - len;

    memcpy(place, text, len);
    for (size_t i = 0; i < PAWL_JSON_PADDING; i++)
        place[len + i] = "1\"}],\\ e"[(len + i) % 8];
    memset(&spec, 0, sizeof spec);
    memset(&problem, 0xee, sizeof problem);
    return pawl_json_read_task(reader, place, len, len + PAWL_JSON_PADDING, &spec,
                               &problem);
}

static const char *const bases[] = {
    "{\"id\":\"task-17\",\"taskType\":\"delay\",\"time\":\"1m30s\",\"script\":\"echo "
    "\\\"hi\\\"\"}",
    "{\"id\":\"\xc3\xa9\xf0\x9f\x98\x80\",\"taskType\":\"cron\",\"time\":60000000000,"
    "\"script\":\"a\\n\\u00e9"
    "\\ud83d\\ude00\",\"keepResults\":5,\"results\":[{\"timestamp\":\"x\","
    "\"exitCode\":null}]}",
    "{ \"Script\":\"x\" ,\n\t\"TIME\":-1 , \"ID\":\"q\", \"tasktype\":\"cron\","
    "\"skipped\":{\"overlap\":0},"
    "\"running\":1.5e3,\"state\":\"Stopped\", \"keepResults\":null,\"nextRun\":false}\n",
};
static const char *const tokens[] = {
    "\"", "\\", "{", "}", "[", "]", ",", ":", "null", "true", "1", "-", "0", ".", "e9",
    "1.5", "\\u0000", "\\ud800", "\\udc00", "\\u00e9", "\xc3\xa9", "\xff", "\xed\xa0\x80",
    "\x80", "\n", " ", "\x01",
    "id", "time", "\"id\":\"x\",", "\"TIME\":1,", "\"version\":1,",
    "9223372036854775807",
    "99999999999999999999", "1e308", "1e309", "-0", "E", "//", "'", "\xef\xbb\xbf", "NaN",
};

/* Changes text of *len bytes in a place or two; there is room for 64 more. */
static void
mutate(char *text, size_t *len, uint64_t *random)
{
    for (uint64_t i = next_random(random) % 4; i > 0; i--) {
        size_t at = next_random(random) % (*len + 1);
        const char *token =
            tokens[next_random(random) % (sizeof tokens / sizeof *tokens)];
        size_t cut = next_random(random) % 3, put = strlen(token);

        switch (next_random(random) % 8) {
        case 0:                         /* cut the end off */
            *len = at;
            break;
        case 1:
        case 2:                         /* change a byte */
            if (at < *len)
                text[at] = (char) next_random(random);
            break;
        case 3:                         /* take bytes away */
            put = 0;
            /* fall through */
        default:                        /* put a token in, perhaps in place of bytes */
            cut = cut > *len - at ? *len - at : cut;
            memmove(text + at + put, text + at + cut, *len - at - cut);
            memcpy(text + at, token, put);
            *len += put - cut;
        }
    }
}

static bool
same_name(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}

/* What the reader should do with a document that jansson has read, told by other
 * means: whether it is accepted, and the fields in *wanted (its strings belong to the
 * document). */
static bool
judge(json_t *document, struct pawl_spec *wanted)
{
    static const char *const ignored[] = {
        "results", "status", "state", "lastStatusUpdated", "version", "createdAt",
        "nextRun", "previousRun", "runCount", "failureCount", "running", "skipped",
        "missed", "missedPaused", "endReason",
    };
    const char *names[64], *name;
    size_t nnames = 0, nrequired = 0;
    json_t *value;

    wanted->keep_results = -1;
    if (!json_is_object(document))
        return false;
    json_object_foreach(document, name, value)
    {
        bool is_right = false;

        for (size_t i = 0; i < nnames; i++)
            if (same_name(names[i], name))
                return false;
        assert_true(nnames < 64);
        names[nnames++] = name;
        nrequired++;
        if (same_name(name, "id")) {
            is_right = json_is_string(value);
            wanted->id = json_string_value(value);
            wanted->id_len = json_string_length(value);
        } else if (same_name(name, "script")) {
            is_right = json_is_string(value);
            wanted->script = json_string_value(value);
            wanted->script_len = json_string_length(value);
        } else if (same_name(name, "taskType")) {
            const char *type = json_string_value(value);

            is_right = type != NULL &&
                       (strcmp(type, "delay") == 0 || strcmp(type, "cron") == 0) &&
                       strlen(type) == json_string_length(value);
            wanted->type = is_right && *type == 'd' ? PAWL_DELAY : PAWL_CRON;
        } else if (same_name(name, "time")) {
            is_right = json_is_integer(value);
            wanted->time_ns = json_integer_value(value);
            if (json_is_string(value))
                is_right = pawl_duration_parse(json_string_value(value),
                                               json_string_length(value),
                                               &wanted->time_ns, NULL) == 0;
        } else {
            nrequired--;
            if (same_name(name, "keepResults")) {
                is_right = json_is_null(value) ||
                           (json_is_integer(value) && json_integer_value(value) >= 0);
                if (json_is_integer(value))
                    wanted->keep_results = json_integer_value(value) > INT32_MAX
                                               ? INT32_MAX
                                               : (int) json_integer_value(value);
            }
            for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
                is_right = is_right || same_name(name, ignored[i]);
        }
        if (!is_right)
            return false;
    }
    return nrequired == 4;
}

/* Whether jansson's reason is one that the reader does not share: it refuses integers
 * between int64 and uint64, and a NUL in a name; a name given twice it can refuse at
 * any depth only. */
static bool
is_beyond_compare(const char *text, size_t len, json_error_t *error)
{
    json_t *document;

    if (json_error_code(error) == json_error_numeric_overflow ||
        json_error_code(error) == json_error_null_byte_in_key)
        return true;
    document = json_loadb(text, len,
                          JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES,
                          error);
    json_decref(document);
    return document == NULL && json_error_code(error) == json_error_duplicate_key;
}

static void
compare(const char *text, size_t len, size_t *naccepted, size_t *nmalformed)
{
    struct pawl_spec wanted = {0};
    struct pawl_json_fault fault;
    json_error_t error = {0};
    json_t *document = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    int code = read_bytes(text, len);

    if (memchr(text, 0, len) != NULL) { /* no JSON, but jansson passes over some */
        assert_int_equal(code, PAWL_EINVAL);
        json_decref(document);
        return;
    }

    bool is_fair = !is_beyond_compare(text, len, &error) &&
                   (len < 3 || memcmp(text, "\xef\xbb\xbf", 3) != 0);
    bool right = document != NULL && judge(document, &wanted);

    if (code == 0 && is_fair && right)
        right = spec.id_len == wanted.id_len &&
                memcmp(spec.id, wanted.id, wanted.id_len) == 0 &&
                spec.script_len == wanted.script_len && spec.type == wanted.type &&
                memcmp(spec.script, wanted.script, wanted.script_len) == 0 &&
                spec.time_ns == wanted.time_ns &&
                spec.keep_results == wanted.keep_results;
    else
        right = right == (code == 0);
    if (is_fair && !right)
        fail_msg("%.*s: %d, %s; jansson: %s", (int) len, text, code,
                 code == 0 ? "" : problem.detail, error.text);
    if (is_fair && pawl_json_locate(text, len, &fault) != (document == NULL))
        fail_msg("%.*s: located: %s; jansson: %s", (int) len, text, fault.what,
                 error.text);
    if (document == NULL && is_fair && problem.line == 0)
        assert_non_null(strstr(problem.detail, "empty"));
    *naccepted += code == 0;
    *nmalformed += document == NULL;
    json_decref(document);
}

static void
test_json_read_agrees_with_jansson(void **state)
{
    uint64_t random = new_seed();
    size_t naccepted = 0, nmalformed = 0;

    (void) state;
    for (int i = 0; i < 100000; i++) {
        const char *base = bases[next_random(&random) % (sizeof bases / sizeof *bases)];
        char text[512];
        size_t len = strlen(base);

        memcpy(text, base, len);
        mutate(text, &len, &random);
        compare(text, len, &naccepted, &nmalformed);
    }
    printf("%zu accepted, %zu malformed\n", naccepted, nmalformed);
    assert_in_range(naccepted, 20000, 80000);
    assert_in_range(nmalformed, 20000, 80000);
}

/* --- The writer --- */

/* Fills len bytes: words, controls, characters whole and broken. */
static void
fill(char *text, size_t len, uint64_t *random)
{
    static const char *const pieces[] = {
        "plain text of words", "\"", "\\", "\n", "\xc3\xa9", "\xe2\x82\xac",
        "\xf0\x9f\x98\x80", "\xff", "\xc3",
        "\xed\xa0\x80", "\xf0\x9f", "\xe2\x80\xa8", "\x01", "\x7f", "01234567",
        "\xc0\x80",
    };
    size_t at = 0;
    bool plain = next_random(random) % 4 == 0;

    while (at < len) {
        uint64_t pick = plain ? 0 : next_random(random) % 20;
        char byte = (char) next_random(random);
        const char *piece = pick < 16 ? pieces[pick] : &byte;
        size_t piece_len = pick < 16 ? strlen(piece) : 1;

        piece_len = piece_len > len - at ? len - at : piece_len;
        memcpy(text + at, piece, piece_len);
        at += piece_len;
    }
}

static void
assert_reads_back(const char *name, json_t *value, const char *text, size_t len)
{
    char wanted[3 * TEXT_MAX];
    size_t read, wanted_len = pawl_utf8_clean(text, len, wanted, sizeof wanted, &read);

    assert_int_equal(read, len);
    if (!json_is_string(value) || json_string_length(value) != wanted_len ||
        memcmp(json_string_value(value), wanted, wanted_len) != 0)
        fail_msg("%s differs", name);
}

static void
test_json_write_any_bytes_read_back_as_clean_text(void **state)
{
    uint64_t random = new_seed();

    (void) state;
    for (int i = 0; i < 20000; i++) {
        size_t len = next_random(&random) % (i % 100 == 0 ? TEXT_MAX : 80);
        char *text = map_end - len;

        fill(text, len, &random);
        if (i % 2 == 0)
            pawl_buffer_fini(&buffer);
        pawl_json_write_string(&buffer, text, len);
        json_t *value = json_loadb(buffer.data, buffer.len,
                                   JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(value);
        assert_reads_back("string", value, text, len);
        json_decref(value);
        pawl_buffer_reset(&buffer);
    }
}

static void
assert_document(const struct pawl_view *wanted)
{
    json_t *document = json_loadb(buffer.data, buffer.len, JSON_ALLOW_NUL, NULL), *result;
    char text[PAWL_TIME_MAX];

    assert_non_null(document);
    assert_reads_back("id", json_object_get(document, "id"), wanted->id, wanted->id_len);
    assert_reads_back("script", json_object_get(document, "script"), wanted->script,
                      wanted->script_len);
    assert_true(json_integer_value(json_object_get(document, "time")) == wanted->time_ns);
    assert_int_equal(json_integer_value(json_object_get(document, "version")),
                     wanted->version);
    pawl_time_format(wanted->next_ns, text);
    assert_string_equal(json_string_value(json_object_get(document, "nextRun")), text);
    result = json_array_get(json_object_get(document, "results"), 0);
    assert_reads_back("result", json_object_get(result, "result"),
                      wanted->results[0]->out, wanted->results[0]->out_len);
    assert_reads_back("stderr", json_object_get(result, "stderr"),
                      wanted->results[0]->err, wanted->results[0]->err_len);
    assert_true(json_integer_value(json_object_get(result, "durationNs")) ==
                wanted->results[0]->duration_ns);
    json_decref(document);
}

static void
test_json_write_documents_read_back_equal(void **state)
{
    uint64_t random = new_seed();

    (void) state;
    for (int i = 0; i < 5000; i++) {
        char text[4][TEXT_MAX];
        size_t len[4];
        struct pawl_result result = {.ended_ns = i};
        const struct pawl_result *only = &result;
        struct pawl_view other = {.status = PAWL_EXECUTED, .created_ns = PAWL_NO_TIME};

        for (int j = 0; j < 4; j++) {
            len[j] = next_random(&random) % (i % 50 == 0 ? TEXT_MAX : 200);
            fill(text[j], len[j], &random);
        }
        other.id = text[0], other.id_len = len[0];
        other.script = text[1], other.script_len = len[1];
        result.out = text[2], result.out_len = len[2];
        result.err = text[3], result.err_len = len[3];
        other.results = &only, other.nresults = 1;
        other.time_ns = (int64_t) next_random(&random);
        other.version = (int64_t) next_random(&random) >> next_random(&random) % 64;
        other.next_ns = (int64_t) next_random(&random);
        result.duration_ns = (int64_t) next_random(&random) >> next_random(&random) % 64;
        pawl_json_write_task(&buffer, &other, SIZE_MAX);
        assert_document(&other);
        pawl_buffer_reset(&buffer);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_read_agrees_with_jansson),
        cmocka_unit_test(test_json_write_any_bytes_read_back_as_clean_text),
        cmocka_unit_test(test_json_write_documents_read_back_equal),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
