/* test_cli_crontab.c: what the lines of a crontab say, and the scripts and ids that they become
 * (cli/crontab.c, crontab_task.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crontab.h"

/* The last line of a crontab; its members are strings. */
struct last {
    struct pawl_crontab crontab;
    struct pawl_crontab_line line;
    size_t nlines;
};

static void
read_last(struct last *last, const char *text, size_t len, bool is_system)
{
    *last = (struct last){0};
    pawl_crontab_init(&last->crontab, text, len, is_system);
    while (pawl_crontab_next(&last->crontab, &last->line))
        last->nlines++;
}

static void
free_last(struct last *last)
{
    pawl_crontab_line_fini(&last->line);
    pawl_crontab_fini(&last->crontab);
}

static const char *
last_note(const struct last *last)
{
    return last->line.nnotes ? last->line.notes[last->line.nnotes - 1] : "";
}

static bool
has_note(const struct last *last, const char *part)
{
    for (size_t i = 0; i < last->line.nnotes; i++)
        if (strstr(last->line.notes[i], part))
            return true;
    return false;
}

static void
test_crontab_blank_lines_and_comments_are_counted_only(void **state)
{
    (void)state;
    struct last last;

    read_last(&last, "\n \t\n# x\n  # A=b\n", 16, false);
    assert_int_equal(last.nlines, 0);
    free_last(&last);
    read_last(&last, "# x\n\n\t@daily true\n\n", 19, false);
    assert_int_equal(last.nlines, 1);
    assert_int_equal(last.line.number, 3);
    assert_int_equal(last.line.kind, PAWL_CRONTAB_ENTRY);
    assert_string_equal(last.line.schedule.data, "@daily");
    free_last(&last);
    read_last(&last, "", 0, false);
    assert_int_equal(last.nlines, 0);
    free_last(&last);
}

static void
test_crontab_variables_are_read_as_cron_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value; /* of A; NULL: the line is no variable */
    } cases[] = {
        {"A=b\n", "b"},
        {"A = b c \t\n", "b c"},
        {"  A=b\n", "b"},
        {"A=\n", ""},
        {"A=\"\"\n", ""},
        {"A=' b '\n", " b "},
        {"A=\"it's\"\n", "it's"},
        {"\"A\"=b\n", "b"},
        {"'A' = 'b'  \n", "b"},
        {"A=b=c\n", "b=c"},
        {"A=b # no comment\n", "b # no comment"},
        {"A=$HOME\n", "$HOME"},
        {"A=1\nA=2\n", "2"},
        {"A=b'c'\n", "b'c'"},
        {"A='b\n", NULL},
        {"A='b'c\n", NULL},
        {"'A=b'\n", NULL},
        {"A b\n", NULL},
        {"A\n", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct last last;

        read_last(&last, cases[i].text, strlen(cases[i].text), false);
        assert_int_equal(
            last.line.kind, cases[i].value ? PAWL_CRONTAB_VARIABLE : PAWL_CRONTAB_BROKEN);
        if (cases[i].value)
            assert_string_equal(pawl_crontab_value(&last.crontab, "A"), cases[i].value);
        else
            assert_null(pawl_crontab_value(&last.crontab, "A"));
        free_last(&last);
    }
}

static void
test_crontab_what_cron_itself_uses_is_not_exported(void **state)
{
    (void)state;
    static const char *const cases[] = {"MAILTO=a", "MAILFROM=a", "CONTENT_TYPE=a",
        "CONTENT_TRANSFER_ENCODING=a", "MLS_LEVEL=a", "LOGNAME=a", "USER=a", "RANDOM_DELAY=x"};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct last last;

        read_last(&last, cases[i], strlen(cases[i]), false);
        assert_int_equal(last.line.kind, PAWL_CRONTAB_VARIABLE);
        assert_int_equal(last.line.nnotes, 2); /* it has no effect; no newline */
        assert_int_equal(last.crontab.nvariables, 0);
        free_last(&last);
    }
}

static void
test_crontab_zone_and_delay_hold_for_the_lines_below(void **state)
{
    (void)state;
    static const struct {
        const char *text, *zone;
        int minutes;
    } cases[] = {
        {"@daily x\n", "", 0},
        {"CRON_TZ=Asia/Tokyo\n@daily x\n", "Asia/Tokyo", 0},
        {"TZ=Asia/Tokyo\n@daily x\n", "", 0},
        {"CRON_TZ=Asia/Tokyo\nCRON_TZ=\n@daily x\n", "", 0},
        {"RANDOM_DELAY=30\n@daily x\n", "", 30},
        {"RANDOM_DELAY=1440\n@daily x\n", "", 1440},
        {"RANDOM_DELAY=1441\n@daily x\n", "", 0},
        {"RANDOM_DELAY=5\nRANDOM_DELAY=-1\n@daily x\n", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct last last;

        read_last(&last, cases[i].text, strlen(cases[i].text), false);
        assert_int_equal(last.line.kind, PAWL_CRONTAB_ENTRY);
        assert_string_equal(last.line.timezone.data, cases[i].zone);
        assert_int_equal(last.line.jitter_minutes, cases[i].minutes);
        free_last(&last);
    }
}

static void
test_crontab_schedules(void **state)
{
    (void)state;
    static const struct {
        const char *text, *schedule, *command;
    } cases[] = {
        {"* * * * * x", "* * * * *", "x"},
        {"0\t5   1,15 jan-mar/2 MON \t x y  z", "0 5 1,15 jan-mar/2 MON", "x y  z"},
        {"-0 5 * * * x", "0 5 * * *", "x"},
        {"@reboot x", "@reboot", "x"},
        {"@every 1h30m x", "@every 1h30m", "x"},
        {"@sometimes x", "@sometimes", "x"}, /* the daemon's to say */
        {"~ ~ ~ ~ ~ x", "H(0-59) H(0-23) H(1-31) H(1-12) H(0-6)", "x"},
        {"6~15 ~8 20~ * mon~fri x", "H(6-15) H(0-8) H(20-31) * H(mon-fri)", "x"},
        {"1,~5,9 * * * * x", "1,H(0-5),9 * * * *", "x"},
        {"~/10 * * * * x", "H(0-59)/10 * * * *", "x"},
        {"0 0 * * 5~7 x", "0 0 * * H(5-7)", "x"},
        {", 0 * * * x", ", 0 * * *", "x"},
        {"* * * * * x=y", "* * * * *", "x=y"},
        {"* * * * * a # b", "* * * * *", "a # b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct last last;

        read_last(&last, cases[i].text, strlen(cases[i].text), false);
        assert_int_equal(last.line.kind, PAWL_CRONTAB_ENTRY);
        assert_string_equal(last.line.schedule.data, cases[i].schedule);
        assert_string_equal(last.line.command.data, cases[i].command);
        assert_int_equal(has_note(&last, "random ~"), strchr(cases[i].text, '~') != NULL);
        free_last(&last);
    }
}

static void
test_crontab_broken_lines_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
        bool is_system;
    } cases[] = {
        {"1 2 3\n", "3 of five fields", false},
        {"-\n", "0 of five fields", false},
        {"1 2 3 4 5\n", "command is missing", false},
        {"@daily\n", "command is missing", false},
        {"@every 5s\n", "command is missing", false},
        {"* * * * * * x\n", "six fields", false},
        {"1 2 3 4 5 root\n", "-user", true},
        {"1~2~3 0 * * * x\n", "two ~", false},
        {"=x\n", "no name", false},
        {"A-B=x\n", "no name", false},
        {"A-B=x\n@daily x\n", "a variable above", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct last last;

        read_last(&last, cases[i].text, strlen(cases[i].text), cases[i].is_system);
        assert_int_equal(last.line.kind, PAWL_CRONTAB_BROKEN);
        assert_non_null(strstr(last_note(&last), cases[i].why));
        free_last(&last);
    }
    struct last last;
    read_last(&last, "@daily a\0b\n", 11, false);
    assert_int_equal(last.line.kind, PAWL_CRONTAB_BROKEN);
    free_last(&last);
}

static void
test_crontab_a_system_crontab_has_users(void **state)
{
    (void)state;
    struct last last;

    read_last(&last, "17 *\t* * *\troot    cd / && x\n", 29, true);
    assert_string_equal(last.line.user.data, "root");
    assert_string_equal(last.line.command.data, "cd / && x");
    free_last(&last);
    read_last(&last, "@daily www-data x\n", 18, true);
    assert_string_equal(last.line.user.data, "www-data");
    assert_string_equal(last.line.command.data, "x");
    free_last(&last);
    read_last(&last, "@daily root x\n", 14, false);
    assert_string_equal(last.line.command.data, "root x");
    assert_true(has_note(&last, "-system"));
    free_last(&last);
    read_last(&last, "17 *\t* * *\troot\tcd / && x\n", 26, false);     /* as Debian writes it */
    assert_true(has_note(&last, "-system"));
    free_last(&last);
    read_last(&last, "@daily rootless x\n", 18, false);
    assert_false(has_note(&last, "-system"));
    free_last(&last);
}

static void
test_crontab_odd_ends_of_lines_are_said(void **state)
{
    (void)state;
    struct last last;

    read_last(&last, "A=b\r\n@daily x\r\n", 15, false);
    assert_string_equal(pawl_crontab_value(&last.crontab, "A"), "b");
    assert_string_equal(last.line.command.data, "x");
    assert_false(has_note(&last, "CR")); /* once is enough */
    free_last(&last);
    read_last(&last, "@daily x", 8, false);
    assert_true(has_note(&last, "no end"));
    free_last(&last);
}

static void
test_crontab_scripts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *script;
    } cases[] = {
        {"@daily x\n", "cd ~ || exit\nx\n"},
        {"A=it's\nB=\n@daily x\n", "export A='it'\\''s'\nexport B=''\ncd ~ || exit\nx\n"},
        {"@daily date +\\%F\n", "cd ~ || exit\ndate +%F\n"},
        {"@daily a\\b \\\\%c\n", "cd ~ || exit\nexec <<'END'\nc\nEND\na\\b \\\\\n"},
        {"@daily x%\n", "cd ~ || exit\nx\n"},
        {"@daily x%%\n", "cd ~ || exit\nexec <<'END'\n\nEND\nx\n"},
        {"@daily x%a%%b\\%c\\d%\n",
            "cd ~ || exit\nexec <<'END'\na\n\nb%c\\d\nEND\nx\n"},
        {"@daily x%a\\\\%b\n", "cd ~ || exit\nexec <<'END'\na\\%b\nEND\nx\n"},
        {"@daily x%END%END__%END_x\n",
            "cd ~ || exit\nexec <<'END___'\nEND\nEND__\nEND_x\nEND___\nx\n"},
        {"SHELL=/bin/bash\n@daily x\n", "export SHELL='/bin/bash'\ncd ~ || exit\nx\n"},
        {"SHELL=/bin/sh\n@daily echo 'a'%b\n",
            "export SHELL='/bin/sh'\ncd ~ || exit\nexec <<'END'\nb\nEND\n"
            "exec '/bin/sh' -c 'echo '\\''a'\\'''\n"},
        {"SHELL=/bin/bash\nBASH_ENV=e\n@daily x\n",
            "export SHELL='/bin/bash'\nexport BASH_ENV='e'\ncd ~ || exit\n"
            "exec '/bin/bash' -c 'x'\n"},
        {"BASH_ENV=e\n@daily x\n", "export BASH_ENV='e'\ncd ~ || exit\nx\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct last last;

        read_last(&last, cases[i].text, strlen(cases[i].text), false);
        assert_int_equal(last.line.kind, PAWL_CRONTAB_ENTRY);
        assert_string_equal(last.line.script.data, cases[i].script);
        free_last(&last);
    }
}

static void
test_crontab_a_command_without_SHELL_is_noted_once(void **state)
{
    (void)state;
    struct last last;

    read_last(&last, "@daily x\n", 9, false);
    assert_true(has_note(&last, "/bin/sh"));
    free_last(&last);
    read_last(&last, "@daily x\n@daily y\n", 18, false);
    assert_int_equal(last.line.nnotes, 0);
    free_last(&last);
    read_last(&last, "SHELL=/bin/sh\n@daily x\n", 23, false);
    assert_int_equal(last.line.nnotes, 0);
    free_last(&last);
}

/* The id of the nth entry like this line. */
static void
make_id(const char *text, bool is_system, unsigned nth, struct pawl_text *out)
{
    struct last last;

    read_last(&last, text, strlen(text), is_system);
    assert_int_equal(last.line.kind, PAWL_CRONTAB_ENTRY);
    pawl_text_reset(out);
    pawl_crontab_id(&last.line, nth, out);
    free_last(&last);
}

static void
test_crontab_ids_are_words_and_a_hash(void **state)
{
    (void)state;
    static const struct {
        const char *text, *slug;
    } cases[] = {
        {"@daily /usr/local/bin/backup.sh --all\n", "backup.sh-all-"},
        {"@daily cd / && run-parts /etc/cron.hourly\n", "cd-run-parts-cron.hourly-"},
        {"@daily \xc3\xa9 %\n", ""},
        {"@daily //\n", ""},
        {"@daily aaaaaaaaaabbbbbbbbbbccccccccccdd\n", "aaaaaaaaaabbbbbbbbbbcccc-"},
    };
    struct pawl_text id = {0};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_id(cases[i].text, false, 0, &id);
        assert_int_equal(id.len, strlen(cases[i].slug) + 8);
        assert_memory_equal(id.data, cases[i].slug, strlen(cases[i].slug));
    }
    pawl_text_fini(&id);
}

static void
test_crontab_ids_stay_and_differ(void **state)
{
    (void)state;
    struct pawl_text a = {0}, b = {0};

    make_id("5 0 * * * x y\n", false, 0, &a);
    assert_string_equal(a.data, "x-y-09b80c1d"); /* for ever: or tasks are doubled */
    make_id("A=b\n# c\n5  0\t* * *   x y", false, 0, &b);
    assert_string_equal(a.data, b.data);
    make_id("5 0 * * * root x y\n", true, 0, &b);
    assert_string_equal(a.data, b.data);
    make_id("5 0 * * * x y\n", false, 1, &b);
    assert_string_not_equal(a.data, b.data);
    make_id("6 0 * * * x y\n", false, 0, &b);
    assert_string_not_equal(a.data, b.data);
    make_id("5 0 * * * x-y\n", false, 0, &b);
    assert_string_not_equal(a.data, b.data);
    pawl_text_fini(&a);
    pawl_text_fini(&b);
}

static void
test_crontab_limits_refuse_and_say_so(void **state)
{
    (void)state;
    struct pawl_text text = {0};
    struct last last;

    for (int i = 0; i <= PAWL_CRONTAB_VARIABLES_MAX; i++)
        pawl_text_printf(&text, "A%d=\n", i);
    read_last(&last, text.data, text.len, false);
    assert_int_equal(last.line.kind, PAWL_CRONTAB_BROKEN);
    assert_int_equal(last.crontab.nvariables, PAWL_CRONTAB_VARIABLES_MAX);
    free_last(&last);
    pawl_text_puts(&text, "@daily x\n");
    read_last(&last, text.data, text.len, false);
    assert_int_equal(last.line.kind, PAWL_CRONTAB_BROKEN);
    free_last(&last);

    pawl_text_reset(&text);
    pawl_text_puts(&text, "A=");
    while (text.len <= PAWL_CRONTAB_VARIABLES_BYTES)
        pawl_text_puts(&text, "aaaaaaaaaaaaaaaa");
    read_last(&last, text.data, PAWL_CRONTAB_VARIABLES_BYTES + 1, false);
    assert_int_equal(last.line.kind, PAWL_CRONTAB_VARIABLE);
    free_last(&last);
    read_last(&last, text.data, PAWL_CRONTAB_VARIABLES_BYTES + 2, false);
    assert_int_equal(last.line.kind, PAWL_CRONTAB_BROKEN);
    free_last(&last);

    pawl_text_reset(&text);
    pawl_text_puts(&text, "@daily ");
    while (text.len <= PAWL_CRONTAB_LINE_MAX)
        pawl_text_puts(&text, "'%''%''%''%''%''%");
    read_last(&last, text.data, PAWL_CRONTAB_LINE_MAX, false);
    assert_int_equal(last.line.kind, PAWL_CRONTAB_ENTRY);
    free_last(&last);
    read_last(&last, text.data, PAWL_CRONTAB_LINE_MAX + 1, false);
    assert_int_equal(last.line.kind, PAWL_CRONTAB_BROKEN);
    free_last(&last);
    pawl_text_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crontab_blank_lines_and_comments_are_counted_only),
        cmocka_unit_test(test_crontab_variables_are_read_as_cron_reads_them),
        cmocka_unit_test(test_crontab_what_cron_itself_uses_is_not_exported),
        cmocka_unit_test(test_crontab_zone_and_delay_hold_for_the_lines_below),
        cmocka_unit_test(test_crontab_schedules),
        cmocka_unit_test(test_crontab_broken_lines_say_why),
        cmocka_unit_test(test_crontab_a_system_crontab_has_users),
        cmocka_unit_test(test_crontab_odd_ends_of_lines_are_said),
        cmocka_unit_test(test_crontab_scripts),
        cmocka_unit_test(test_crontab_a_command_without_SHELL_is_noted_once),
        cmocka_unit_test(test_crontab_ids_are_words_and_a_hash),
        cmocka_unit_test(test_crontab_ids_stay_and_differ),
        cmocka_unit_test(test_crontab_limits_refuse_and_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
