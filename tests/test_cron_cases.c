/* test_cron_cases.c: tests/data/cron.tsv: what the tests of other schedulers say, and
 * cron_more.tsv: other nights and fields, found instant by instant. Each row under the flags that
 * it states. Rows that state an oddity of another product are listed with our answer; everything
 * else must hold. */
#include "cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "calendar.h"
#include "duration.h"

#define NCOLUMNS 8
#define NEVER PAWL_CRON_NEVER

enum column { KIND, DIALECT, ZONE, START, EXPRESSION, EXPECTED, SOURCE, REQUIRES };

struct row {
    int line;
    char *columns[NCOLUMNS];
};

static const char *const oddities[] = {"compat:", "strict", "no-", "dow6", "fields:",
    "tz-quoted", "q-dayonly", "triggered"};
static unsigned npassed, nlisted, nfailed;

/* Undoes the escapes of the file. */
static void
unescape(char *text)
{
    char *to = text;

    if (strcmp(text, "\"\"") == 0)
        text[0] = '\0';
    for (char *from = text; *from != '\0'; from++)
        if (from[0] == '\\' && (from[1] == 't' || from[1] == '\\')) {
            *to++ = from[1] == 't' ? '\t' : '\\';
            from++;
        } else {
            *to++ = *from;
        }
    *to = '\0';
}

static bool
is_oddity(const struct row *row)
{
    for (size_t i = 0; i < sizeof oddities / sizeof *oddities; i++)
        if (strstr(row->columns[REQUIRES], oddities[i]) != NULL)
            return true;
    /* A parser of five fields only, and one that knows no @reboot: ours knows more. */
    return strcmp(row->columns[KIND], "invalid") == 0 &&
           ((strcmp(row->columns[DIALECT], "5field") == 0 &&
                strcmp(row->columns[EXPRESSION], "* * * * * *") == 0) ||
               (strcmp(row->columns[DIALECT], "6field") == 0 &&
                   strcmp(row->columns[EXPRESSION], "* * * * *") == 0) ||
               (strcmp(row->columns[DIALECT], "descriptor") == 0 &&
                   strcmp(row->columns[EXPRESSION], "@reboot") == 0));
}

static int64_t
time_of(const char *text, bool *out_has_fraction)
{
    int64_t second = 0;
    uint32_t ns = 0;

    if (!pawl_calendar_parse(text, strlen(text), &second, &ns))
        fail_msg("bad time in the file: %s", text);
    *out_has_fraction = ns > 0;
    return second;
}

static struct pawl_cron_options
options_of(const struct row *row)
{
    const char *flags = row->columns[REQUIRES];
    struct pawl_cron_options options = {.id = "a-task", .id_len = 6};

    if (strstr(flags, "dst:robfig"))
        options.dst = PAWL_CRON_TWICE;
    if (strstr(flags, "dst:once"))
        options.dst = PAWL_CRON_ONCE;
    if (strstr(flags, "dst:shift"))
        options.dst = PAWL_CRON_SHIFT;
    if (strstr(flags, "daymatch:vixie"))
        options.day_match = PAWL_CRON_VIXIE;
    assert_int_equal(
        pawl_zone_load(row->columns[ZONE], strlen(row->columns[ZONE]), &options.zone, NULL), 0);
    return options;
}

/* Our answer, in the words of the file. */
static void
answer(const struct row *row, const struct pawl_cron_options *given, char out[PAWL_RFC3339_MAX],
       char why[256])
{
    struct pawl_cron_options options = *given;
    const char *kind = row->columns[KIND], *text = row->columns[EXPRESSION];
    struct pawl_cron cron;
    struct pawl_err err = {0};
    char every[256];
    bool has_start = row->columns[START][0] != '-', has_fraction = false;
    int64_t span, second = has_start ? time_of(row->columns[START], &has_fraction) : 0;
    int code;

    why[0] = '\0';
    options.start_s = second;
    if (strncmp(text, "duration ", 9) == 0) {       /* the field `time` of a task */
        code = pawl_duration_parse(text + 9, strlen(text + 9), &span, &err);
        if (code != 0 || span < PAWL_INTERVAL_MIN_NS) {
            strcpy(out, "error");
            return;
        }
        snprintf(every, sizeof every, "@every %.200s", text + 9);
        text = every;
    }
    code = pawl_cron_parse(&cron, text, strlen(text), &options, NULL, &err);
    if (code != 0) {
        strcpy(out, "error");
        snprintf(why, 256, "%s", err.text);
        return;
    }
    if (strcmp(kind, "valid") == 0 || strcmp(kind, "invalid") == 0) {
        strcpy(out, "ok");
        return;
    }
    if (strcmp(kind, "match") == 0) {
        strcpy(out, pawl_cron_match(&cron, second) ? "true" : "false");
        return;
    }
    second = pawl_cron_next(&cron, second);
    if (second == NEVER)
        strcpy(out, "none");
    else
        pawl_calendar_format(second, 0, out);
}

static bool
is_same(const char *expected, const char *got)
{
    int64_t a, b;
    uint32_t ns;

    return strcmp(expected, got) == 0 ||
           (pawl_calendar_parse(expected, strlen(expected), &a, &ns) &&
               pawl_calendar_parse(got, strlen(got), &b, &ns) && a == b);
}

static void
say(const char *word, const struct row *row, const char *got, const char *why)
{
    printf("%s line %d: %s %s [%s] %s from %s, %s: expected %s, we say %s%s%s\n", word, row->line,
        row->columns[KIND], row->columns[DIALECT], row->columns[EXPRESSION], row->columns[ZONE],
        row->columns[START], row->columns[REQUIRES], row->columns[EXPECTED], got,
        *why != '\0' ? ": " : "", why);
}

static void
check(const struct row *row)
{
    struct pawl_cron_options options = options_of(row);
    bool is_core = strcmp(row->columns[REQUIRES], "-") == 0;
    char got[PAWL_RFC3339_MAX], why[256];

    /* A core row holds whatever becomes of gaps and folds; one with flags under the default. */
    for (int dst = 0; dst <= (is_core ? (int) PAWL_CRON_SHIFT : 0); dst++) {
        if (is_core)
            options.dst = (enum pawl_cron_dst) dst;
        answer(row, &options, got, why);
        if (is_oddity(row)) {
            nlisted++;
            say("listed", row, got, why);
            return;
        }
        if (!is_same(row->columns[EXPECTED], got)) {
            nfailed++;
            say("FAILED", row, got, why);
            return;
        }
    }
    npassed++;
}

static void
check_file(const char *path, unsigned least)
{
    FILE *file = fopen(path, "r");
    char line[4096];
    struct row row = {0};

    npassed = nlisted = nfailed = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        char *at = line;

        line[strcspn(line, "\n")] = '\0';
        if (row.line++ == 0)
            continue;
        for (int i = 0; i < NCOLUMNS; i++)
            assert_non_null(row.columns[i] = strsep(&at, "\t"));
        unescape(row.columns[EXPRESSION]);
        check(&row);
    }
    fclose(file);
    printf("%u passed, %u listed, %u failed\n", npassed, nlisted, nfailed);
    assert_int_equal(nfailed, 0);
    assert_true(npassed >= least);
}

static void
test_cron_cases_hold_under_their_flags(void **state)
{
    (void) state;
    check_file(PAWL_TEST_DATA "/cron.tsv", 1000);
}

static void
test_cron_more_cases_hold_under_their_flags(void **state)
{
    (void) state;
    check_file(PAWL_TEST_DATA "/cron_more.tsv", 270);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cron_cases_hold_under_their_flags),
        cmocka_unit_test(test_cron_more_cases_hold_under_their_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
