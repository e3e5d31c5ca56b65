/* test_cron.c: expressions: what is refused and where, what is warned of, what the words say, the
 * hardest nights, and that every question is answered at once. */
#include "cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "calendar.h"
#include "utf8.h"

#define NEVER PAWL_CRON_NEVER

static const struct pawl_zone *
zone_of(const char *name)
{
    const struct pawl_zone *zone;

    assert_int_equal(pawl_zone_load(name, strlen(name), &zone, NULL), 0);
    return zone;
}

static struct pawl_cron
parse(const char *text, const struct pawl_cron_options *options, struct pawl_cron_notes *notes)
{
    struct pawl_cron cron;
    struct pawl_err err;

    if (pawl_cron_parse(&cron, text, strlen(text), options, notes, &err) != 0)
        fail_msg("[%s] is refused: %s", text, err.text);
    return cron;
}

static int64_t
at(const char *text)
{
    int64_t second;
    uint32_t ns;

    assert_true(pawl_calendar_parse(text, strlen(text), &second, &ns));
    return second;
}

static void
assert_time(int64_t got, const char *expected, const char *what)
{
    char text[PAWL_RFC3339_MAX];

    if (got == NEVER || got != at(expected)) {
        pawl_calendar_format(got == NEVER ? 0 : got, 0, text);
        fail_msg("%s: expected %s, got %s", what, expected, got == NEVER ? "none" : text);
    }
}

static const struct {
    const char *text;
    size_t position;
    const char *says;
} refused[] = {
    {"", 1, "five fields"}, {"   ", 1 + 0, "five fields"}, {"* * * *", 8, "five fields"},
    {"60 * * * *", 1, "a minute from 0 to 59, not \"60\""},
    {"* * * foo *", 7, "a month from 1 to 12 or jan to dec"}, {"* * * * 8", 9, "sun to sat"},
    {"*/0 * * * *", 3, "a step of 1 or more"}, {"1- * * * *", 3, "a minute"},
    {"1,,2 * * * *", 3, "a minute"}, {"* * * * * * * *", 15, "expected the end"},
    {"0 0 0 1 1 * 1969", 13, "a year from 1970 to 2199"},
    {"0 0 0 1 1 * 2030-2020", 13, "goes up"}, {"0 0 1W-5 * *", 7, "end of the field"},
    {"0 0 * * L", 9, "a day of the week"}, {"0 0 * * 1#6", 11, "1 to 5"},
    {"0 0 * * +", 10, "behind +"}, {"H(10-5) * * * *", 3, "goes up"},
    {"0 0 0 1 1 * H", 13, "a year"}, {"@DAILY", 1, "small letters"},
    {"@daily x", 1, "@yearly"}, {"@every", 7, "a duration"}, {"@every 1d", 8, "unknown unit"},
    {"TZ= * * * * *", 4, "a time zone"}, {"TZ=UTC", 7, "five fields"},
    {"daily 0 at 01:00", 7, "how many days"}, {"daily 1 at 24:00", 12, "a time of day"},
    {"weekly 1 at 01:00", 10, "\"on\""}, {"monthly 1 on 0 at 01:00", 14, "a day of the month"},
    {"daily 1 at 01:00,", 18, "a time of day"}, {"99999999999999 * * * *", 1, "a minute"},
};

static void
test_cron_refusals_say_where_and_what_was_expected(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct pawl_cron_notes notes;
        struct pawl_cron cron;
        struct pawl_err err;

        if (pawl_cron_parse(&cron, refused[i].text, strlen(refused[i].text), NULL, &notes, &err) !=
                PAWL_EINVAL ||
            notes.position != refused[i].position || !strstr(err.text, refused[i].says))
            fail_msg("[%s]: position %zu instead of %zu: %s", refused[i].text, notes.position,
                refused[i].position, err.text);
    }
}

static void
test_cron_refusals_quote_whole_characters(void **state)
{
    static const char *const texts[] = {"1\xc3\xa9 * * * *", "\xe2\x82\xac * * * *",
        "* * * * 123456789012345\xe2\x82\xac\xe2\x82\xac", "*\xf0\x9f\x95\x92/5 * * * *"};

    (void) state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct pawl_cron cron;
        struct pawl_err err;

        assert_int_equal(
            pawl_cron_parse(&cron, texts[i], strlen(texts[i]), NULL, NULL, &err), PAWL_EINVAL);
        assert_non_null(strstr(err.text, ", not \""));
        assert_true(pawl_utf8_valid(err.text, strlen(err.text)));
    }
}

static void
test_cron_refuses_what_is_too_long_and_takes_what_is_not(void **state)
{
    char text[2000];
    struct pawl_cron_notes notes;
    struct pawl_cron cron;
    size_t len = 0;

    (void) state;
    while (len < PAWL_CRON_LENGTH_MAX - 9)
        len += (size_t) sprintf(text + len, "1,");
    len += (size_t) sprintf(text + len - 1, " * * * *") - 1;
    assert_int_equal(pawl_cron_parse(&cron, text, len, NULL, &notes, NULL), 0);
    memset(text + len, ' ', sizeof text - len);
    assert_int_equal(
        pawl_cron_parse(&cron, text, PAWL_CRON_LENGTH_MAX + 1, NULL, &notes, NULL), PAWL_EINVAL);
    assert_int_equal(notes.position, PAWL_CRON_LENGTH_MAX + 1);
}

/* Expressions with bytes changed at random, and cut. */
static void
test_cron_takes_any_bytes(void **state)
{
    static const char letters[] = "0123456789*/-,?LW#H()+ @:=TZdailyweekmonthonat\t\n\0\xff";
    static const char *const seeds[] = {"0/5 1-23 L,15W jan-nov/2 *", "* * * * 5L,1#2 ",
        "1 2,3 4 5 +6-1", "0 */7 H(1-9)/2 H ? * 2030-2050/3", "CRON_TZ=Asia/Tokyo 1 2 3 * *",
        "@every 1h30m", "@hourly", "daily 12 at 01:30,02:45:59", "weekly 1 on mon,thu at 8:00",
        "monthly 2 on 1,-1,31 at 00:00 "};
    uint64_t seed = getenv("PAWL_TEST_SEED") ? strtoull(getenv("PAWL_TEST_SEED"), NULL, 0)
                                             : (uint64_t) time(NULL);
    unsigned naccepted = 0;

    (void) state;
    printf("PAWL_TEST_SEED=%llu\n", (unsigned long long) seed);
    srand48((long) seed);
    for (int i = 0; i < 200000; i++) {
        char words[400], *text;
        struct pawl_cron_notes notes;
        struct pawl_cron cron;
        struct pawl_err err;
        const char *whole = seeds[lrand48() % (long) (sizeof seeds / sizeof *seeds)];
        size_t len = strlen(whole) - (size_t) (lrand48() % 3);

        text = malloc(len);                     /* so that a sanitizer sees its end */
        memcpy(text, whole, len);
        for (long left = lrand48() % 4; left > 0; left--)
            text[lrand48() % (long) len] = letters[lrand48() % (long) (sizeof letters - 1)];
        if (pawl_cron_parse(&cron, text, len, NULL, &notes, &err) == 0) {
            int64_t now = lrand48(), next = pawl_cron_next(&cron, now);

            naccepted++;
            assert_true(next == NEVER || (next > now && pawl_cron_match(&cron, next)));
            assert_true(pawl_cron_describe(&cron, words, sizeof words) < sizeof words);
        } else if (strcmp(err.field, "expr") == 0) {
            assert_in_range(notes.position, 1, len + 1);
        }
        free(text);
    }
    printf("%u accepted\n", naccepted);
    assert_true(naccepted > 100);
}

static const struct {
    const char *text, *says;
} warned[] = {
    {"*/100 * * * *", "passes the end"}, {"5 * * * 1 1", "six fields"}, {"0 0 13 * 5", "either"},
    {"* 2 * * *", "sixty times"}, {"@every 10ms", "every second"}, {"@every 1.5s", "fraction"},
    {"H * * * *", "id"}, {"*/15 * * * *", NULL}, {"0 9 * * mon-fri", NULL},
    {"0 */5 * * * *", NULL}, {"0 0 13 * +5", NULL}, {"0 22-2 * * *", NULL},
    {"0 * * * * *", NULL}, {"@daily", NULL}, {"daily 1 at 09:00", NULL},
};

static void
test_cron_warns_of_what_is_surely_not_meant(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof warned / sizeof *warned; i++) {
        struct pawl_cron_notes notes;

        parse(warned[i].text, NULL, &notes);
        if (warned[i].says == NULL ? notes.nwarnings != 0
                                   : notes.nwarnings != 1 ||
                                         !strstr(notes.warnings[0], warned[i].says))
            fail_msg("[%s]: %zu warnings: %s", warned[i].text, notes.nwarnings,
                notes.nwarnings > 0 ? notes.warnings[0] : "");
    }
}

static const struct {
    const char *text, *says;
} described[] = {
    {"30 2 * * *", "at 02:30 every day, UTC"}, {"*/15 * * * *", "every 15 minutes, UTC"},
    {"0 9 * * mon-fri", "at 09:00 on Monday to Friday, UTC"},
    {"0 0 13 * fri", "at 00:00 on day 13 of the month, and on Friday, UTC"},
    {"0 0 13 * +fri", "at 00:00 on day 13 of the month, if it is Friday, UTC"},
    {"5 * * * *", "at minute 5 of every hour, UTC"},
    {"*/10 9-17 * jan,jul *",
        "every 10 minutes, in the hours 9 to 17 every day in January and July, UTC"},
    {"0 0 L,15W * ?",
        "at 00:00 on the weekday nearest to day 15 and the last day of the month, UTC"},
    {"0 12 * * 5L,1#2",
        "at 12:00 on the second Monday of the month and the last Friday of the month, UTC"},
    {"*/5 * * * * *", "every 5 seconds, UTC"},
    {"30 0 0 1 1 * 2030-2032", "at 00:00:30 on day 1 of the month in January in 2030 to 2032, UTC"},
    {"5 * * * 1 1", "at second 5 of every minute on Monday in January, UTC"},
    {"*/7 * * * *", "at minute 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour, UTC"},
    {"0,59 * * * *", "at minute 0 and 59 of every hour, UTC"},
    {"*/59 * * * * *", "at second 0 and 59 of every minute, UTC"},
    {"@every 90s", "every 1m30s"}, {"@reboot", "at each start of the daemon"},
    {"daily 2 at 17:30,09:00", "every 2 days at 09:00 and 17:30, UTC"},
    {"daily 1 at 09:00,08:00,9:00", "every day at 08:00 and 09:00, UTC"},
    {"weekly 1 on mon,thu at 08:00", "every week on Monday and Thursday at 08:00, UTC"},
    {"monthly 3 on 1,-1 at 00:00",
        "every 3 months on day 1 and the last day of the month at 00:00, UTC"},
    {"TZ=Europe/Berlin @hourly", "at minute 0 of every hour, Europe/Berlin"},
};

static void
test_cron_descriptions_are_in_words(void **state)
{
    char text[400];

    (void) state;
    for (size_t i = 0; i < sizeof described / sizeof *described; i++) {
        struct pawl_cron cron = parse(described[i].text, NULL, NULL);

        pawl_cron_describe(&cron, text, sizeof text);
        assert_string_equal(text, described[i].says);
        assert_true(pawl_cron_describe(&cron, text, 10) < 10);
    }
}

/* zone, expression, policy, from, and the times that follow. */
static const struct {
    const char *zone, *text;
    enum pawl_cron_dst dst;
    const char *from, *times[3];
} nights[] = {
    {"Pacific/Apia", "0 12 * * *", PAWL_CRON_RUN_AFTER, "2011-12-29T12:00:00-10:00",
        {"2011-12-31T12:00:00+14:00", "2012-01-01T12:00:00+14:00"}},
    {"Pacific/Apia", "0 12 30 12 *", PAWL_CRON_SHIFT, "2011-12-29T12:00:00-10:00",
        {"2011-12-31T12:00:00+14:00", "2012-12-30T12:00:00+14:00"}},
    {"Pacific/Apia", "0 * * * *", PAWL_CRON_RUN_AFTER, "2011-12-29T23:00:00-10:00",
        {"2011-12-31T00:00:00+14:00", "2011-12-31T01:00:00+14:00"}},
    {"Pacific/Kwajalein", "0 6 * * *", PAWL_CRON_RUN_AFTER, "1993-08-20T06:00:00-12:00",
        {"1993-08-22T06:00:00+12:00"}},
    {"Australia/Lord_Howe", "15 2 * * *", PAWL_CRON_RUN_AFTER, "2026-10-03T02:15:00+10:30",
        {"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
    {"Australia/Lord_Howe", "15 2 * * *", PAWL_CRON_SHIFT, "2026-10-03T02:15:00+10:30",
        {"2026-10-04T02:45:00+11:00", "2026-10-05T02:15:00+11:00"}},
    {"Australia/Lord_Howe", "45 1 * * *", PAWL_CRON_TWICE, "2026-04-05T01:00:00+11:00",
        {"2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30", "2026-04-06T01:45:00+10:30"}},
    {"Pacific/Chatham", "0 3 * * *", PAWL_CRON_RUN_AFTER, "2026-09-26T12:00:00+12:45",
        {"2026-09-27T03:45:00+13:45", "2026-09-28T03:00:00+13:45"}},
    {"America/Asuncion", "0 0 * * *", PAWL_CRON_RUN_AFTER, "2023-09-30T12:00:00-04:00",
        {"2023-10-01T01:00:00-03:00", "2023-10-02T00:00:00-03:00"}},
    {"America/Asuncion", "0 0 * * *", PAWL_CRON_ONCE, "2023-09-30T12:00:00-04:00",
        {"2023-10-02T00:00:00-03:00"}},
    {"America/Havana", "30 0 * * *", PAWL_CRON_RUN_AFTER, "2024-03-09T12:00:00-05:00",
        {"2024-03-10T01:00:00-04:00", "2024-03-11T00:30:00-04:00"}},
    {"America/Havana", "30 0 * * *", PAWL_CRON_RUN_AFTER, "2024-11-02T12:00:00-04:00",
        {"2024-11-03T00:30:00-04:00", "2024-11-04T00:30:00-05:00"}},
    {"America/Havana", "30 0 * * *", PAWL_CRON_TWICE, "2024-11-02T12:00:00-04:00",
        {"2024-11-03T00:30:00-04:00", "2024-11-03T00:30:00-05:00", "2024-11-04T00:30:00-05:00"}},
    {"America/New_York", "0,30 2 * * *", PAWL_CRON_RUN_AFTER, "2026-03-08T01:59:59-05:00",
        {"2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00"}},
};

static void
test_cron_is_right_on_the_hardest_nights(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof nights / sizeof *nights; i++) {
        struct pawl_cron_options options = {.zone = zone_of(nights[i].zone), .dst = nights[i].dst};
        struct pawl_cron cron = parse(nights[i].text, &options, NULL);
        int64_t t = at(nights[i].from);

        for (int n = 0; n < 3 && nights[i].times[n] != NULL; n++) {
            int64_t next = pawl_cron_next(&cron, t);

            assert_time(next, nights[i].times[n], nights[i].zone);
            assert_true(pawl_cron_match(&cron, next));
            if (n > 0)
                assert_int_equal(pawl_cron_prev(&cron, next), t);
            t = next;
        }
    }
}

/* Processor time, the least of some tries. */
static int64_t
cost_ns(const struct pawl_cron *cron, int64_t from, bool is_back)
{
    int64_t best = INT64_MAX;

    for (int i = 0; i < 5; i++) {
        struct timespec a, b;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
        if (is_back)
            pawl_cron_prev(cron, from);
        else
            pawl_cron_next(cron, from);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
        int64_t ns = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;
        best = ns < best ? ns : best;
    }
    return best;
}

static const char *const barren[] = {"0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 0 29 2 * 2101",
    "* * 5 * +1#5", "0 0 0 1 1 * 1980", "monthly 12 on 31 at 00:00", "0 0 31W 2 *",
    "* 2 8 3 +0#3"};

static void
test_cron_that_never_fires_is_found_at_once(void **state)
{
    struct pawl_cron_options options = {
        .zone = zone_of("America/New_York"), .start_s = at("2026-02-01T00:00:00-05:00")};

    (void) state;
    for (size_t i = 0; i < sizeof barren / sizeof *barren; i++) {
        struct pawl_cron cron = parse(barren[i], &options, NULL);

        assert_int_equal(pawl_cron_next(&cron, at("2026-11-20T00:00:00Z")), NEVER);
        int64_t ns = cost_ns(&cron, at("2026-11-20T00:00:00Z"), false);
        printf("%-28s %lld ns\n", barren[i], (long long) ns);
        assert_true(ns < 20000000);
    }
}

/* 2:30 on the second Sunday of March is in the gap each year from 2007: under "once" 400 years of
 * it are looked at; and one that fires once in 28 years or more. */
static void
test_cron_rare_times_are_found_at_once(void **state)
{
    struct pawl_cron_options options = {
        .zone = zone_of("America/New_York"), .dst = PAWL_CRON_ONCE};
    struct pawl_cron gaps = parse("* 2 * 3 0#2", &options, NULL);
    struct pawl_cron leap = parse("0 0 29 2 +1", &options, NULL);
    int64_t from = at("2026-11-20T00:00:00Z");

    (void) state;
    assert_int_equal(pawl_cron_next(&gaps, from), NEVER);
    assert_time(pawl_cron_next(&leap, from), "2044-02-29T00:00:00-05:00", "leap day on a Monday");
    assert_time(pawl_cron_prev(&gaps, from), "2006-03-12T02:59:00-05:00", "before the law");
    printf("next %lld ns, prev %lld ns\n", (long long) cost_ns(&gaps, from, false),
        (long long) cost_ns(&leap, from, true));
    assert_true(cost_ns(&gaps, from, false) < 50000000);
}

static void
test_cron_hash_is_the_same_for_an_id_and_spreads_over_ids(void **state)
{
    uint64_t minutes = 0;

    (void) state;
    for (int i = 0; i < 1000; i++) {
        char id[16];
        struct pawl_cron_options options = {.id = id, .id_len = (size_t) sprintf(id, "t%d", i)};
        struct pawl_cron a = parse("H H H H H", &options, NULL);
        struct pawl_cron b = parse("H(10-19) H/8 H * *", &options, NULL);

        minutes |= a.minute;
        assert_int_equal(__builtin_popcountll(a.minute), 1);
        assert_true(a.dom < 1u << 29);
        assert_true(b.minute >= 1u << 10 && b.minute < 1u << 20);
        assert_int_equal(__builtin_popcount(b.hour), 3);
        struct pawl_cron again = parse("H H H H H", &options, NULL);
        assert_int_equal(a.minute, again.minute);
    }
    assert_true(minutes == (UINT64_C(1) << 60) - 1);
}

static void
test_cron_hash_range_takes_7_for_sunday(void **state)
{
    static const struct {
        const char *text;
        unsigned days;
    } ranges[] = {{"0 0 * * H(5-7)", 0x61}, {"0 0 * * H(fri-7)", 0x61}, {"0 0 * * H(7-2)", 0x07},
        {"0 0 * * H(0-7)", 0x7f}, {"0 0 * * H(7-7)", 0x01}, {"0 0 * * H(1-7)/3", 0x7f}};

    (void) state;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        unsigned days = 0;

        for (int n = 0; n < 200; n++) {
            char id[16];
            struct pawl_cron_options options = {.id = id, .id_len = (size_t) sprintf(id, "t%d", n)};

            days |= parse(ranges[i].text, &options, NULL).dow;
        }
        assert_int_equal(days, ranges[i].days);
    }
}

static void
test_cron_policies_have_names(void **state)
{
    enum pawl_cron_dst dst = PAWL_CRON_ONCE;
    enum pawl_cron_day_match day_match = PAWL_CRON_OR;

    (void) state;
    assert_true(pawl_cron_dst_named("run-after", 9, &dst) && dst == PAWL_CRON_RUN_AFTER);
    assert_true(pawl_cron_dst_named("once", 4, &dst) && dst == PAWL_CRON_ONCE);
    assert_true(pawl_cron_dst_named("twice", 5, &dst) && dst == PAWL_CRON_TWICE);
    assert_true(pawl_cron_dst_named("shift", 5, &dst) && dst == PAWL_CRON_SHIFT);
    assert_false(pawl_cron_dst_named("Shift", 5, &dst) || pawl_cron_dst_named("twice", 4, &dst) ||
                 pawl_cron_dst_named("", 0, &dst));
    assert_int_equal(dst, PAWL_CRON_SHIFT);
    assert_true(pawl_cron_day_match_named("vixie", 5, &day_match) &&
                day_match == PAWL_CRON_VIXIE);
    assert_true(pawl_cron_day_match_named("or", 2, &day_match) && day_match == PAWL_CRON_OR);
    assert_false(pawl_cron_day_match_named("and", 3, &day_match));
}

static void
test_cron_times_outside_of_reason_are_none(void **state)
{
    struct pawl_cron cron = parse("* * * * *", NULL, NULL);
    struct pawl_cron reboot = parse("@reboot", NULL, NULL);

    (void) state;
    assert_int_equal(pawl_cron_next(&cron, INT64_MAX), NEVER);
    assert_int_equal(pawl_cron_prev(&cron, INT64_MIN), NEVER);
    assert_false(pawl_cron_match(&cron, INT64_MAX));
    assert_int_equal(pawl_cron_next(&reboot, 0), NEVER);
    assert_int_equal(pawl_cron_prev(&reboot, 0), NEVER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cron_refusals_say_where_and_what_was_expected),
        cmocka_unit_test(test_cron_refusals_quote_whole_characters),
        cmocka_unit_test(test_cron_refuses_what_is_too_long_and_takes_what_is_not),
        cmocka_unit_test(test_cron_takes_any_bytes),
        cmocka_unit_test(test_cron_warns_of_what_is_surely_not_meant),
        cmocka_unit_test(test_cron_descriptions_are_in_words),
        cmocka_unit_test(test_cron_is_right_on_the_hardest_nights),
        cmocka_unit_test(test_cron_that_never_fires_is_found_at_once),
        cmocka_unit_test(test_cron_rare_times_are_found_at_once),
        cmocka_unit_test(test_cron_hash_is_the_same_for_an_id_and_spreads_over_ids),
        cmocka_unit_test(test_cron_hash_range_takes_7_for_sunday),
        cmocka_unit_test(test_cron_policies_have_names),
        cmocka_unit_test(test_cron_times_outside_of_reason_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
