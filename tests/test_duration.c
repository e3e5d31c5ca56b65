/* test_duration.c: durations read and written as Go's time package does; the tables
 * are those of its own tests, and more. */
#include "duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define M (60 * S)
#define H (60 * M)

static const struct {
    const char *text;
    int64_t ns;
} accepted[] = {
    {"0", 0}, {"+0", 0}, {"-0", 0}, {"0s", 0}, {"5s", 5 * S}, {"30s", 30 * S},
    {"1478s", 1478 * S}, {"-5s", -5 * S}, {"+5s", 5 * S}, {"-0s", 0}, {"5.0s", 5 * S},
    {"5.6s", 5600 * MS}, {"5.s", 5 * S}, {".5s", 500 * MS}, {"1.0s", S}, {"1.00s", S},
    {"1.004s", 1004 * MS}, {"1.0040s", 1004 * MS}, {"100.00100s", 100001 * MS}, 
    {"10ns", 10},
    {"11us", 11000}, {"12\xc2\xb5s", 12000}, {"12\xce\xbcs", 12000}, {"13ms", 13 * MS},
    {"14s", 14 * S}, {"15m", 15 * M}, {"16h", 16 * H}, {"3h30m", 3 * H + 30 * M},
    {"10.5s4m", 4 * M + 10500 * MS}, {"-2m3.4s", -(2 * M + 3400 * MS)},
    {"1h2m3s4ms5us6ns", H + 2 * M + 3 * S + 4 * MS + 5006},
    {"39h9m14.425s", 39 * H + 9 * M + 14425 * MS}, 
    {"52763797000ns", INT64_C(52763797000)},
    {"0.3333333333333333333h", 20 * M}, {"9007199254740993ns", INT64_C(9007199254740993)},
    {"9223372036854775807ns", INT64_MAX}, {"9223372036854775.807us", INT64_MAX},
    {"9223372036s854ms775us807ns", INT64_MAX}, {"-9223372036854775808ns", INT64_MIN},
    {"-9223372036854775.808us", INT64_MIN}, {"-9223372036s854ms775us808ns", INT64_MIN},
    {"-2562047h47m16.854775808s", INT64_MIN}, {"2562047h47m16.854775807s", INT64_MAX},
    {"0.100000000000000000000h", 6 * M}, {"1m30s", 90 * S}, {"1.5h", 90 * M},
    {"0.830103483285477580700h", INT64_C(49 * 60000000000) + INT64_C(48372539827)},
    {"1s1s1s", 3 * S}, {"00001s", S},
};

static const struct {
    const char *text, *says;
} refused[] = {
    {"", "empty"}, {"-", "empty"}, {"+", "empty"}, {"3", "lacks a unit"},
    {"s", "not a duration"}, {".", "not a duration"}, {"-.", "not a duration"},
    {".s", "not a duration"}, {"+.s", "not a duration"}, {"1d", "unknown unit \"d\""},
    {"\x85\x85", "not a duration"}, {"\xff\xff", "not a duration"},
    {"hello \xff\xff world", "not a duration"}, {"1.5", "lacks a unit"},
    {"1s ", "unknown unit \"s \""}, {" 1s", "not a duration"}, 
    {"1 s", "unknown unit \" s\""},
    {"--1s", "not a duration"}, {"1e3s", "unknown unit \"e\""}, 
    {"1S", "unknown unit \"S\""},
    {"1h-2m", "unknown unit \"h-\""}, {"1.2.3s", "lacks a unit"},
    {"9223372036854775810ns", "too long"}, {"9223372036854775808ns", "too long"},
    {"-9223372036854775809ns", "too long"}, {"9223372036854776us", "too long"},
    {"3000000h", "too long"}, {"9223372036854775.808us", "too long"},
    {"9223372036854ms775us808ns", "too long"}, {"99999999999999999999s", "too long"},
    {"-9223372036854775808ns9223372036854775808ns", "too long"},
};

static const struct {
    int64_t ns;
    const char *text;
} written[] = {
    {0, "0s"}, {1, "1ns"}, {1100, "1.1\xc2\xb5s"}, {2200000, "2.2ms"}, 
    {3300 * MS, "3.3s"},
    {4 * M + 5 * S, "4m5s"}, {4 * M + 5001 * MS, "4m5.001s"}, {5 * H + 6 * M + 7001 * MS,
    "5h6m7.001s"}, {8 * M + 1, "8m0.000000001s"}, {INT64_MAX, "2562047h47m16.854775807s"},
    {INT64_MIN, "-2562047h47m16.854775808s"}, {-1, "-1ns"}, {S, "1s"}, {M, "1m0s"},
    {H, "1h0m0s"}, {90 * M, "1h30m0s"}, {999, "999ns"}, {1000, "1\xc2\xb5s"},
};

static void
test_duration_reads_what_go_reads(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        struct pawl_err err = {0};
        int64_t ns = 77;
        int code = pawl_duration_parse(accepted[i].text, strlen(accepted[i].text), &ns,
                                       &err);

        if (code != 0 || ns != accepted[i].ns)
            fail_msg("\"%s\": %d, %lld ns, %s", accepted[i].text, code, (long long) ns,
                     err.text);
    }
}

static void
test_duration_refuses_what_go_refuses(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct pawl_err err = {0};
        int64_t ns = 77;
        size_t len = strlen(refused[i].text);

        assert_int_equal(pawl_duration_parse(refused[i].text, len, &ns, NULL),
                         PAWL_EINVAL);
        if (pawl_duration_parse(refused[i].text, len, &ns, &err) != PAWL_EINVAL ||
            ns != 77 || err.code != PAWL_EINVAL ||
            strstr(err.text, refused[i].says) == NULL)
            fail_msg("\"%s\": %lld ns, \"%s\"", refused[i].text, (long long) ns,
                     err.text);
    }
}

static void
test_duration_quotes_a_long_text_cut_at_a_character(void **state)
{
    char text[1000];
    struct pawl_err err;
    int64_t ns;

    (void) state;
    memset(text, '1', 39);
    for (size_t i = 39; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[0] = 'x';
    assert_int_equal(pawl_duration_parse(text, 999, &ns, &err), PAWL_EINVAL);
    assert_null(strstr(err.text, "\xc3"));
    assert_non_null(strstr(err.text, "x11111111111111111111111111111111111111\""));
}

static void
test_duration_writes_what_go_writes(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        char text[32];

        assert_int_equal(pawl_duration_format(written[i].ns, text),
                         strlen(written[i].text));
        assert_string_equal(text, written[i].text);
    }
}

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void
test_duration_written_reads_back_the_same(void **state)
{
    uint64_t seed = (uint64_t) time(NULL) * 2654435761u | 1, random = seed;

    (void) state;
    printf("seed %llu\n", (unsigned long long) seed);
    for (int i = 0; i < 200000; i++) {
        int64_t ns = (int64_t) next_random(&random) >> next_random(&random) % 64, back;
        char text[32];
        size_t len = pawl_duration_format(ns, text);

        assert_in_range(len, 2, 25);
        assert_int_equal(pawl_duration_parse(text, len, &back, NULL), 0);
        assert_true(back == ns);
    }
}

static void
test_duration_reads_no_byte_past_the_end(void **state)
{
    static const char alphabet[] = "0123456789.+-hmsnu\xc2\xb5\xce\xbc x";
    size_t page = (size_t) sysconf(_SC_PAGESIZE);
    char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                     -1, 0);
    uint64_t seed = (uint64_t) time(NULL) * 2654435761u | 1, random = seed;

    (void) state;
    printf("seed %llu\n", (unsigned long long) seed);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
    for (int i = 0; i < 200000; i++) {
        size_t len = next_random(&random) % 24;
        char *text = map + page - len;
        struct pawl_err err;
        int64_t ns;

        for (size_t j = 0; j < len; j++)
            text[j] = alphabet[next_random(&random) % (sizeof alphabet - 1)];
        pawl_duration_parse(text, len, &ns, &err);
    }
    munmap(map, 2 * page);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duration_reads_what_go_reads),
        cmocka_unit_test(test_duration_refuses_what_go_refuses),
        cmocka_unit_test(test_duration_quotes_a_long_text_cut_at_a_character),
        cmocka_unit_test(test_duration_writes_what_go_writes),
        cmocka_unit_test(test_duration_written_reads_back_the_same),
        cmocka_unit_test(test_duration_reads_no_byte_past_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
