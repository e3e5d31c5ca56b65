/* test_cli_flags.c: the command line parser and its suggestions (cli/flags.c, suggest.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flags.h"
#include "suggest.h"

static const struct pawl_flag global[] = {
    {"o", "output", PAWL_FLAG_CHOICE, "table|json", "format"},
    {0},
};
static const struct pawl_flag command[] = {
    {"watch", "w", PAWL_FLAG_BOOL, NULL, "watch"},
    {"time", NULL, PAWL_FLAG_DURATION, "DURATION", "when"},
    {"limit", NULL, PAWL_FLAG_COUNT, "N", "how many"},
    {"label", NULL, PAWL_FLAG_STRING, "TEXT", "a label"},
    {0},
};

/* Reads the words up to NULL; returns what the parser did. */
static int
parse(struct pawl_args *args, char **argv, bool one_word)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    pawl_flags_init(args, argc, global);
    args->tables[1] = command;
    return pawl_flags_parse(args, argc, argv, one_word);
}

#define PARSE(args, ...) parse(args, (char *[]){__VA_ARGS__, NULL}, false)

static void
test_flags_all_four_forms_are_the_same(void **state)
{
    (void)state;
    struct pawl_args args;
    char *forms[][3] = {{"-label=v", NULL}, {"--label=v", NULL}, {"-label", "v", NULL},
        {"--label", "v", NULL}};
    for (size_t i = 0; i < 4; i++) {
        assert_true(parse(&args, forms[i], false) > 0);
        assert_string_equal(pawl_flags_value(&args, "label"), "v");
        assert_int_equal(args.nwords, 0);
        pawl_flags_fini(&args);
    }
}

static void
test_flags_stand_before_and_after_words(void **state)
{
    (void)state;
    struct pawl_args args;
    assert_int_equal(PARSE(&args, "-label=x", "id", "-w", "-o", "json", "more", "-"), 7);
    assert_int_equal(args.nwords, 3);
    assert_string_equal(args.words[0], "id");
    assert_string_equal(args.words[2], "-");
    assert_true(pawl_flags_is_set(&args, "watch"));
    assert_string_equal(pawl_flags_value(&args, "o"), "json");
    pawl_flags_fini(&args);
}

static void
test_flags_two_dashes_end_them(void **state)
{
    (void)state;
    struct pawl_args args;
    assert_int_equal(PARSE(&args, "-w", "--", "-w", "--", "--label=x"), 5);
    assert_int_equal(args.nwords, 3);
    assert_string_equal(args.words[1], "--");
    assert_null(pawl_flags_value(&args, "label"));
    pawl_flags_fini(&args);
}

static void
test_flags_one_word_stops_at_the_command(void **state)
{
    (void)state;
    struct pawl_args args;
    char *argv[] = {"-o=json", "list", "-unknown", NULL};
    assert_int_equal(parse(&args, argv, true), 2);
    assert_string_equal(args.words[0], "list");
    pawl_flags_fini(&args);
}

static void
test_flags_bool_takes_the_words_of_go(void **state)
{
    (void)state;
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    static const char *const bad[] = {"", "yes", "tRUE", "10", "on"};
    struct pawl_args args;
    char word[32];
    for (size_t i = 0; i < 17; i++) {
        const char *value = i < 6 ? yes[i] : i < 12 ? no[i - 6] : bad[i - 12];
        strcpy(word, "-watch=");
        strcat(word, value);
        assert_int_equal(PARSE(&args, word), i < 12 ? 1 : -1);
        assert_int_equal(pawl_flags_is_set(&args, "watch"), i < 6);
        pawl_flags_fini(&args);
    }
}

static void
test_flags_bool_takes_only_plain_words_after_a_blank(void **state)
{
    (void)state;
    struct pawl_args args;
    assert_int_equal(PARSE(&args, "-watch", "false"), 2);
    assert_false(pawl_flags_is_set(&args, "watch"));
    assert_int_equal(args.nwords, 0);
    pawl_flags_fini(&args);
    assert_int_equal(PARSE(&args, "--watch", "true", "id"), 3);
    assert_true(pawl_flags_is_set(&args, "watch"));
    assert_int_equal(args.nwords, 1);
    pawl_flags_fini(&args);
    assert_int_equal(PARSE(&args, "-watch", "t", "1"), 3);
    assert_true(pawl_flags_is_set(&args, "watch"));
    assert_int_equal(args.nwords, 2);
    pawl_flags_fini(&args);
    assert_int_equal(PARSE(&args, "-watch", "--", "true"), 3);
    assert_string_equal(args.words[0], "true");
    pawl_flags_fini(&args);
}

static void
test_flags_repeated_are_all_kept_and_the_last_counts(void **state)
{
    (void)state;
    struct pawl_args args;
    assert_true(
        PARSE(&args, "-label=a", "-w", "-label=b", "-w=false", "-label", "c") > 0);
    assert_string_equal(pawl_flags_value(&args, "label"), "c");
    assert_string_equal(pawl_flags_nth(&args, "label", 0), "a");
    assert_string_equal(pawl_flags_nth(&args, "label", 1), "b");
    assert_null(pawl_flags_nth(&args, "label", 3));
    assert_false(pawl_flags_is_set(&args, "watch"));
    pawl_flags_fini(&args);
}

static void
test_flags_values_keep_what_looks_like_syntax(void **state)
{
    (void)state;
    struct pawl_args args;
    assert_true(PARSE(&args, "-label=a=b=-c") > 0);
    assert_string_equal(pawl_flags_value(&args, "label"), "a=b=-c");
    pawl_flags_fini(&args);
    assert_true(PARSE(&args, "-label", "--") > 0);
    assert_string_equal(pawl_flags_value(&args, "label"), "--");
    pawl_flags_fini(&args);
    assert_true(PARSE(&args, "-label=") > 0);
    assert_string_equal(pawl_flags_value(&args, "label"), "");
    pawl_flags_fini(&args);
}

static void
test_flags_numbers_are_read_by_kind(void **state)
{
    (void)state;
    struct pawl_args args;
    assert_true(PARSE(&args, "-limit=9223372036854775807", "-time=1m30s") > 0);
    assert_true(pawl_flags_number(&args, "limit", 0) == INT64_MAX);
    assert_true(pawl_flags_number(&args, "time", 0) == INT64_C(90000000000));
    pawl_flags_fini(&args);
    assert_true(PARSE(&args, "id") > 0);
    assert_int_equal(pawl_flags_number(&args, "limit", 7), 7);
    pawl_flags_fini(&args);
}

static void
test_flags_errors_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        char *word;
        const char *error;
    } cases[] = {
        {"-tiem=1s", "unknown flag -tiem; did you mean -time?"},
        {"-zzzzz", "unknown flag -zzzzz"},
        {"---time=1s", "unknown flag --time; did you mean -time?"},
        {"-=x", "unknown flag -"},
        {"-label", "-label needs a value: -label=TEXT"},
        {"-o=jsno", "-o=jsno: not one of table|json; did you mean json?"},
        {"-output=x", "-o=x: not one of table|json"},
        {"-o=", "-o=: not one of table|json"},
        {"-limit=-1", "-limit=-1: not a whole number"},
        {"-limit= 1", "-limit= 1: not a whole number"},
        {"-limit=9223372036854775808", "-limit=9223372036854775808: not a whole number"},
        {"-time=10", "-time=10: the unit is missing; did you mean 10s?"},
        {"-time=-1s", "-time=-1s: must not be negative"},
        {"-time=soon", "-time=soon: not a duration such as 10s, 1m30s or 500ms"},
        {"-watch=maybe", "-watch=maybe: must be true or false"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pawl_args args;
        assert_int_equal(PARSE(&args, cases[i].word), -1);
        assert_string_equal(args.error, cases[i].error);
        pawl_flags_fini(&args);
    }
}

static void
test_flags_an_endless_value_is_cut_in_errors(void **state)
{
    (void)state;
    struct pawl_args args;
    static char word[5000] = "-o=";
    memset(word + 3, 'x', sizeof word - 4);
    assert_int_equal(PARSE(&args, word), -1);
    assert_true(strlen(args.error) < 120);
    pawl_flags_fini(&args);
    word[0] = word[1] = '-';
    word[2] = 'x';
    assert_int_equal(PARSE(&args, word), -1);
    pawl_flags_fini(&args);
}

static void
test_suggest_takes_the_nearest_and_nothing_far(void **state)
{
    (void)state;
    size_t best = PAWL_SUGGEST_NONE;
    assert_true(pawl_suggest_is_closer("stauts", "status", &best));
    assert_int_equal(best, 1);
    assert_false(pawl_suggest_is_closer("stauts", "start", &best));
    best = PAWL_SUGGEST_NONE;
    assert_false(pawl_suggest_is_closer("x", "list", &best));
    assert_false(pawl_suggest_is_closer("elephant", "list", &best));
    assert_false(pawl_suggest_is_closer("", "list", &best));
    assert_true(pawl_suggest_is_closer("sub", "submit", &best));
}

static void
test_flags_time_that_is_an_expression_is_told_where_it_belongs(void **state)
{
    (void)state;
    static const struct pawl_flag submit[] = {
        {"time", NULL, PAWL_FLAG_DURATION, "DURATION", "span"},
        {"cron", NULL, PAWL_FLAG_STRING, "EXPR", "expression"},
        {"jitter", NULL, PAWL_FLAG_DURATION, "DURATION", "spread"},
        {0},
    };
    char *words[][2] = {{"-time=30 2 * * *", NULL}, {"-time=@daily", NULL},
        {"-time=18:00", NULL}, {"-jitter=30 2 * * *", NULL}};
    const char *const says[] = {"use -cron='30 2 * * *'", "use -cron='@daily'",
        "use -at='18:00'", "not a duration"};
    struct pawl_args args;

    for (size_t i = 0; i < 4; i++) {
        pawl_flags_init(&args, 1, global);
        args.tables[1] = submit;
        assert_int_equal(pawl_flags_parse(&args, 1, words[i], false), -1);
        assert_non_null(strstr(args.error, says[i]));
        pawl_flags_fini(&args);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags_all_four_forms_are_the_same),
        cmocka_unit_test(test_flags_stand_before_and_after_words),
        cmocka_unit_test(test_flags_two_dashes_end_them),
        cmocka_unit_test(test_flags_one_word_stops_at_the_command),
        cmocka_unit_test(test_flags_bool_takes_the_words_of_go),
        cmocka_unit_test(test_flags_bool_takes_only_plain_words_after_a_blank),
        cmocka_unit_test(test_flags_repeated_are_all_kept_and_the_last_counts),
        cmocka_unit_test(test_flags_values_keep_what_looks_like_syntax),
        cmocka_unit_test(test_flags_numbers_are_read_by_kind),
        cmocka_unit_test(test_flags_errors_say_what_is_wrong),
        cmocka_unit_test(test_flags_an_endless_value_is_cut_in_errors),
        cmocka_unit_test(test_suggest_takes_the_nearest_and_nothing_far),
        cmocka_unit_test(test_flags_time_that_is_an_expression_is_told_where_it_belongs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
