/* test_cli_table.c: characters, escapes, widths and columns (cli/text.c, glyph.c,
 * table.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "glyph.h"
#include "table.h"
#include "text.h"

static const struct pawl_table_column columns[] = {{"ID", 4, 0}, {"N", 0, 0}, {"SCRIPT", 6, 0}};

static void
add(struct pawl_table *table, const char *a, const char *b, const char *c)
{
    pawl_table_add(table, a, strlen(a), NULL);
    pawl_table_add(table, b, strlen(b), "32");
    pawl_table_add(table, c, strlen(c), NULL);
}

static void
test_text_grows_and_holds_nuls(void **state)
{
    (void)state;
    struct pawl_text text = {0};
    assert_string_equal(pawl_text_string(&text), "");
    for (int i = 0; i < 1000; i++)
        pawl_text_append(&text, "a\0b", 3);
    assert_int_equal(text.len, 3000);
    assert_memory_equal(text.data + 2997, "a\0b\0", 4);
    pawl_text_reset(&text);
    pawl_text_printf(&text, "%0500d", 7);
    assert_int_equal(text.len, 500);
    pawl_text_fini(&text);
}

static void
test_text_percent_keeps_only_the_unreserved(void **state)
{
    (void)state;
    struct pawl_text text = {0};
    pawl_text_percent(&text, "aZ09-._~/ %?#\xc3\xa4\xff\0", 17);
    assert_string_equal(text.data, "aZ09-._~%2F%20%25%3F%23%C3%A4%FF%00");
    pawl_text_fini(&text);
}

static void
test_glyph_decodes_utf8_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        uint32_t c;
    } cases[] = {
        {"a", 'a'},
        {"\xc3\xa4", 0xe4},
        {"\xe4\xb8\xad", 0x4e2d},
        {"\xf0\x9f\x98\x80", 0x1f600},
        {"\xf4\x8f\xbf\xbf", 0x10ffff},
        {"\x80", PAWL_GLYPH_BROKEN},
        {"\xc0\x80", PAWL_GLYPH_BROKEN},
        {"\xc3", PAWL_GLYPH_BROKEN},
        {"\xe0\x80\x80", PAWL_GLYPH_BROKEN},
        {"\xed\xa0\x80", PAWL_GLYPH_BROKEN},
        {"\xf4\x90\x80\x80", PAWL_GLYPH_BROKEN},
        {"\xf0\x9f\x98", PAWL_GLYPH_BROKEN},
        {"\xff", PAWL_GLYPH_BROKEN},
        {"\xe4\xb8z", PAWL_GLYPH_BROKEN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* A copy of exact size, so that the sanitizer sees a read past its end. */
        size_t len = strlen(cases[i].s);
        char *exact = memcpy(malloc(len), cases[i].s, len);
        uint32_t c;
        size_t n = pawl_glyph_next(exact, len, &c);
        assert_int_equal(c, cases[i].c);
        assert_int_equal(n, c == PAWL_GLYPH_BROKEN ? 1 : len);
        free(exact);
    }
}

static void
test_glyph_width_counts_columns(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t width;
    } cases[] = {
        {"", 0},
        {"abc", 3},
        {"\xc3\xa4", 1},
        {"\xe4\xb8\xad\xe6\x96\x87", 4},
        {"e\xcc\x81", 1},
        {"\xf0\x9f\x98\x80", 2},
        {"\xe2\x80\xa6", 1},
        {"\xff\xfe", 2},
        {"\xef\xbc\xa1", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(
            pawl_glyph_width(cases[i].s, strlen(cases[i].s)), cases[i].width);
}

static void
test_glyph_fit_splits_no_character(void **state)
{
    (void)state;
    static const char s[] = "a\xe4\xb8\xad"
                            "e\xcc\x81"
                            "b"; /* widths 1 2 1+0 1 */
    static const size_t bytes[] = {0, 1, 1, 4, 7, 8, 8};
    static const size_t widths[] = {0, 1, 1, 3, 4, 5, 5};
    for (size_t columns_left = 0; columns_left < 7; columns_left++) {
        size_t width;
        assert_int_equal(
            pawl_glyph_fit(s, sizeof s - 1, columns_left, &width), bytes[columns_left]);
        assert_int_equal(width, widths[columns_left]);
    }
}

static void
test_glyph_escape_lets_nothing_harmful_through(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        const char *escaped;
    } cases[] = {
        {"a\nb\tc\rd", "a\\nb\\tc\\rd"},
        {"\033[31m\177", "\\x1b[31m\\x7f"},
        {"\xc2\x85", "\\u0085"},
        {"\xe2\x80\xae"
         "x",
            "\\u202ex"},
        {"\xe2\x80\xa8", "\\u2028"},
        {"a\\b", "a\\b"},
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xe4\xb8\xad", "\xe4\xb8\xad"},
    };
    struct pawl_text out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pawl_text_reset(&out);
        pawl_glyph_escape(&out, cases[i].s, strlen(cases[i].s), false);
        assert_string_equal(out.data, cases[i].escaped);
    }
    pawl_text_reset(&out);
    pawl_glyph_escape(&out, "a\n\tb\r\0", 6, true);
    assert_string_equal(out.data, "a\n\tb\\r\\x00");
    pawl_text_fini(&out);
}

static void
test_table_pads_by_width_and_leaves_no_blanks_at_the_end(void **state)
{
    (void)state;
    struct pawl_table table;
    struct pawl_text out = {0};
    pawl_table_init(&table, columns, 3, 0, false);
    add(&table, "\xe4\xb8\xad", "1", "x\ny");
    add(&table, "abcde", "22", "");
    pawl_table_flush(&table, &out);
    assert_string_equal(out.data, "ID     N   SCRIPT\n"
                                  "\xe4\xb8\xad     1   x\\ny\n"
                                  "abcde  22  \n");
    pawl_table_fini(&table);
    pawl_text_fini(&out);
}

static void
test_table_of_nothing_prints_nothing(void **state)
{
    (void)state;
    struct pawl_table table;
    struct pawl_text out = {0};
    pawl_table_init(&table, columns, 3, 0, false);
    pawl_table_flush(&table, &out);
    assert_int_equal(out.len, 0);
    pawl_table_fini(&table);
}

static void
test_table_cuts_the_widest_column_first(void **state)
{
    (void)state;
    struct pawl_table table;
    struct pawl_text out = {0};
    pawl_table_init(&table, columns, 3, 20, false);
    add(&table, "abcdef", "123", "0123456789");
    pawl_table_flush(&table, &out);
    assert_string_equal(out.data, "ID      N    SCRIPT\n"
                                  "abcdef  123  012345\xe2\x80\xa6\n");
    pawl_table_fini(&table);
    pawl_text_fini(&out);
}

static void
test_table_never_exceeds_the_terminal(void **state)
{
    (void)state;
    for (size_t width = 1; width < 60; width++) {
        struct pawl_table table;
        struct pawl_text out = {0};
        pawl_table_init(&table, columns, 3, width, false);
        add(&table, "a-rather-long-id", "12345678",
            "\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad");
        add(&table, "b", "1", "a script that is far longer than what anybody would show");
        pawl_table_flush(&table, &out);
        size_t nlines = 0;
        for (char *line = out.data, *end; (end = strchr(line, '\n'));
             line = end + 1, nlines++)
            assert_true(pawl_glyph_width(line, (size_t)(end - line)) <= width);
        assert_int_equal(nlines, 3);
        pawl_table_fini(&table);
        pawl_text_fini(&out);
    }
}

static void
test_table_that_is_not_cut_pads_no_row_to_an_endless_cell(void **state)
{
    (void)state;
    struct pawl_table table;
    struct pawl_text out = {0};
    static char script[1 << 20];
    memset(script, 'x', sizeof script - 1);
    pawl_table_init(&table, columns, 3, 0, false);
    for (int i = 0; i < 100; i++)
        add(&table, i == 50 ? script : "a", "b", "c");
    pawl_table_flush(&table, &out);
    assert_true(out.len > sizeof script && out.len < sizeof script + 100 * 16);
    assert_non_null(strstr(out.data, "xxx  b  c\n")); /* all of it, then its row goes on */
    pawl_table_fini(&table);
    pawl_text_fini(&out);
}

static void
test_table_widths_carry_over_and_only_grow(void **state)
{
    (void)state;
    struct pawl_table table;
    struct pawl_text out = {0};
    pawl_table_init(&table, columns, 3, 0, false);
    add(&table, "abcdef", "1", "x");
    pawl_table_flush(&table, &out);
    pawl_text_reset(&out);
    add(&table, "a", "1", "x");
    pawl_table_flush(&table, &out);
    assert_string_equal(out.data, "a       1  x\n");
    pawl_text_reset(&out);
    add(&table, "abcdefgh", "1", "x");
    pawl_table_flush(&table, &out);
    assert_string_equal(out.data, "abcdefgh  1  x\n");
    pawl_table_fini(&table);
    pawl_text_fini(&out);
}

static void
test_table_shortens_cells_and_then_leaves_columns_out(void **state)
{
    (void)state;
    static const struct pawl_table_column some[] = {
        {"ID", 4, 0}, {"TYPE", 0, 1}, {"STATUS", 0, 3}, {"NEXT", 0, 2}};
    static const struct {
        size_t width;
        const char *text, *left_out;
    } cases[] = {
        {0, "ID      TYPE   STATUS   NEXT\nreport  delay  Waiting  23 Nov\n", ""},
        {30, "ID      TYPE   STATUS   NEXT\nreport  delay  Waiting  23 Nov\n", ""},
        {29, "ID      TYPE   STATUS  NEXT\nreport  delay  Wait    23 Nov\n", ""},
        {24, "ID      STATUS  NEXT\nreport  Wait    23 Nov\n", "TYPE"},
        {18, "ID      STATUS\nreport  Wait\n", "TYPE, NEXT"},
        {5, "ID\nrepo\xe2\x80\xa6\n", "TYPE, STATUS, NEXT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pawl_text out = {0}, left_out = {0};
        struct pawl_table table;
        pawl_table_init(&table, some, 4, cases[i].width, false);
        pawl_table_add(&table, "report", 6, NULL);
        pawl_table_add(&table, "delay", 5, NULL);
        pawl_table_add_brief(&table, "Waiting", 7, NULL, "Wait");
        pawl_table_add(&table, "23 Nov", 6, NULL);
        pawl_table_flush(&table, &out);
        pawl_table_left_out(&table, &left_out);
        assert_string_equal(out.data, cases[i].text);
        assert_string_equal(pawl_text_string(&left_out), cases[i].left_out);
        pawl_table_fini(&table);
        pawl_text_fini(&left_out);
        pawl_text_fini(&out);
    }
}

static void
test_table_colour_does_not_change_the_columns(void **state)
{
    (void)state;
    struct pawl_table table;
    struct pawl_text out = {0};
    pawl_table_init(&table, columns, 3, 80, true);
    add(&table, "abcd", "12", "x");
    pawl_table_flush(&table, &out);
    assert_string_equal(out.data,
        "\033[1mID\033[0m    \033[1mN\033[0m   \033[1mSCRIPT\033[0m\n"
        "abcd  \033[32m12\033[0m  x\n");
    pawl_table_fini(&table);
    pawl_text_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_grows_and_holds_nuls),
        cmocka_unit_test(test_text_percent_keeps_only_the_unreserved),
        cmocka_unit_test(test_glyph_decodes_utf8_and_nothing_else),
        cmocka_unit_test(test_glyph_width_counts_columns),
        cmocka_unit_test(test_glyph_fit_splits_no_character),
        cmocka_unit_test(test_glyph_escape_lets_nothing_harmful_through),
        cmocka_unit_test(test_table_pads_by_width_and_leaves_no_blanks_at_the_end),
        cmocka_unit_test(test_table_of_nothing_prints_nothing),
        cmocka_unit_test(test_table_cuts_the_widest_column_first),
        cmocka_unit_test(test_table_never_exceeds_the_terminal),
        cmocka_unit_test(test_table_that_is_not_cut_pads_no_row_to_an_endless_cell),
        cmocka_unit_test(test_table_widths_carry_over_and_only_grow),
        cmocka_unit_test(test_table_shortens_cells_and_then_leaves_columns_out),
        cmocka_unit_test(test_table_colour_does_not_change_the_columns),
    };
    setenv("LC_ALL", "C", 1); /* widths must come out right under any locale */
    pawl_glyph_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
