/* test_text.c: UTF-8, the kept part of an output, and the bounds of a new task: the parts of the
 * engine that look at bytes. Random input is checked against slow, obvious twins; the seed is
 * printed and PAWL_TEST_SEED sets it. */
#include "capture.h"
#include "spec.h"
#include "utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned
seed_random(void)
{
    const char *text = getenv("PAWL_TEST_SEED");
    unsigned seed = text ? (unsigned) strtoul(text, NULL, 10) : (unsigned) time(NULL);

    print_message("seed %u\n", seed);
    srandom(seed);
    return seed;
}

/* A copy that ends at an unreadable page, so that reading one byte too far faults. */
static char *
at_the_edge(const char *bytes, size_t len, void **out_map, size_t *out_size)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE), size = (len + page - 1) / page * page + page;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    mprotect(map + size - page, page, PROT_NONE);
    memcpy(map + size - page - len, bytes, len);
    *out_map = map;
    *out_size = size;
    return map + size - page - len;
}

static void
test_utf8_takes_every_code_point_once_and_nothing_else(void **state)
{
    (void) state;
    for (unsigned point = 0; point < 0x110000; point++) {
        char text[4];
        size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
        unsigned got = 0;
        bool is_surrogate = point >= 0xD800 && point < 0xE000;

        for (size_t i = len; i-- > 1;)
            text[i] = (char) (0x80 | (point >> (6 * (len - 1 - i)) & 0x3F));
        text[0] = (char) (len == 1 ? point : leads[len] | point >> (6 * (len - 1)));
        if (is_surrogate) {
            assert_int_equal(pawl_utf8_next(text, len, &got), 0);
            continue;
        }
        assert_int_equal(pawl_utf8_next(text, len, &got), len);
        assert_int_equal(got, point);
        if (len > 1)
            assert_int_equal(pawl_utf8_next(text, len - 1, &got), 0);
    }
    static const char *const bad[] = {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80", "\xF8\x88\x80\x80", "\x80", "\xFF"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(pawl_utf8_valid(bad[i], strlen(bad[i])));
    }
}

static void
test_utf8_cleaned_is_valid_and_reads_no_byte_too_far(void **state)
{
    (void) state;
    seed_random();
    for (int round = 0; round < 20000; round++) {
        char raw[64], out[64];
        size_t len = (size_t) random() % sizeof raw, size = (size_t) random() % sizeof out, read;
        size_t map_size, n;
        void *map;
        char *text;

        for (size_t i = 0; i < len; i++)
            raw[i] = (char) (random() % 3 ? 'a' + random() % 26 : random());
        text = at_the_edge(raw, len, &map, &map_size);
        n = pawl_utf8_clean(text, len, out, size, &read);
        assert_true(n <= size && read <= len);
        assert_true(pawl_utf8_valid(out, n));
        if (pawl_utf8_valid(text, len) && len <= size) {
            assert_int_equal(n, len);
            assert_memory_equal(out, text, len);
        }
        munmap(map, map_size);
    }
}

static void
test_capture_keeps_exactly_what_it_says(void **state)
{
    static char out[PAWL_OUTPUT_MAX], all[400000];

    (void) state;
    seed_random();
    for (int round = 0; round < 300; round++) {
        struct pawl_capture capture = {0};
        size_t total = (size_t) random() % sizeof all, at = 0, n;
        bool truncated = false;

        for (size_t i = 0; i < total; i++)
            all[i] = (char) (round % 3 == 0 ? random() : 'a' + random() % 26);
        while (at < total) {
            size_t part = (size_t) random() % 70000 + 1;

            part = part < total - at ? part : total - at;
            pawl_capture_add(&capture, all + at, part);
            at += part;
        }
        n = pawl_capture_text(&capture, out, &truncated);
        assert_true(n <= PAWL_OUTPUT_MAX);
        assert_true(pawl_utf8_valid(out, n));
        if (round % 3 != 0) {
            assert_int_equal(truncated, total > PAWL_OUTPUT_MAX);
            if (!truncated) {
                assert_int_equal(n, total);
                assert_memory_equal(out, all, n);
            } else {
                char *mark = memmem(out, n, "\n[... ", 6), *end;
                size_t dropped = strtoul(mark + 6, &end, 10);
                size_t head = (size_t) (mark - out), tail;

                end += strlen(" bytes dropped ...]\n");
                tail = n - (size_t) (end - out);
                assert_int_equal(head + dropped + tail, total);
                assert_memory_equal(out, all, head);
                assert_memory_equal(end, all + total - tail, tail);
            }
        }
        pawl_capture_fini(&capture);
    }
}

static void
assert_refused(struct pawl_spec spec, const char *field)
{
    struct pawl_err err = {0};

    assert_int_equal(pawl_spec_check(&spec, &err), PAWL_EINVAL);
    assert_string_equal(err.field, field);
}

static void
test_spec_names_the_field_that_is_wrong(void **state)
{
    const struct pawl_spec good = {
        .id = "id", .id_len = 2, .type = PAWL_CRON, .time_ns = PAWL_INTERVAL_MIN_NS,
        .script = "true", .script_len = 4, .keep_results = 10,
    };
    struct pawl_spec spec;
    static char big[PAWL_SCRIPT_MAX + 1];

    (void) state;
    memset(big, 'x', sizeof big);
    assert_int_equal(pawl_spec_check(&good, NULL), PAWL_OK);
    spec = good, spec.id_len = 0, assert_refused(spec, "id");
    spec = good, spec.id = big, spec.id_len = 256, assert_refused(spec, "id");
    spec = good, spec.id = big, spec.id_len = 255;
    assert_int_equal(pawl_spec_check(&spec, NULL), PAWL_OK);
    spec = good, spec.id = "a\n", assert_refused(spec, "id");
    spec = good, spec.id = "a\x7F", assert_refused(spec, "id");
    spec = good, spec.id = "\xC2\x85", assert_refused(spec, "id");
    spec = good, spec.id = "a\xFF", assert_refused(spec, "id");
    spec = good, spec.id = "a/", assert_int_equal(pawl_spec_check(&spec, NULL), PAWL_OK);
    spec = good, spec.time_ns = PAWL_INTERVAL_MIN_NS - 1, assert_refused(spec, "time");
    spec = good, spec.time_ns = -1, spec.type = PAWL_DELAY, assert_refused(spec, "time");
    spec = good, spec.time_ns = 0, spec.type = PAWL_DELAY;
    assert_int_equal(pawl_spec_check(&spec, NULL), PAWL_OK);
    spec = good, spec.script_len = 0, assert_refused(spec, "script");
    spec = good, spec.script = "a\0b", spec.script_len = 3, assert_refused(spec, "script");
    spec = good, spec.script = "a\xFF", spec.script_len = 2, assert_refused(spec, "script");
    spec = good, spec.script = big, spec.script_len = sizeof big, assert_refused(spec, "script");
    spec = good, spec.keep_results = 10001, assert_refused(spec, "keepResults");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_takes_every_code_point_once_and_nothing_else),
        cmocka_unit_test(test_utf8_cleaned_is_valid_and_reads_no_byte_too_far),
        cmocka_unit_test(test_capture_keeps_exactly_what_it_says),
        cmocka_unit_test(test_spec_names_the_field_that_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
