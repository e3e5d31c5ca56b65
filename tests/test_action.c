/* test_action.c: how a script is run: its bounds, by which program, with which arguments and
 * environment, where. Time limits are in test_timeout.c. */
#include "action.h"

#include "action_fixture.h"
#include "interpreters.h"
#include "restart_fixture.h"

static int
check(const struct pawl_action *action, const char *field, const char *word)
{
    struct pawl_err err = {0};
    int code = pawl_action_check(action, &err);

    if (!field) {
        assert_int_equal(code, PAWL_OK);
        return 0;
    }
    assert_int_equal(code, PAWL_EINVAL);
    assert_string_equal(err.field, field);
    if (!strstr(err.text, word))
        fail_msg("'%s' does not say '%s'", err.text, word);
    return 0;
}

#define CHECK(wrong, word, ...) check(&(struct pawl_action) {__VA_ARGS__}, wrong, word)
#define LIST(...) ((const char *const[]) {__VA_ARGS__, NULL})

static void
test_action_bounds_are_told_by_field(void **state)
{
    static char path[PAWL_CWD_MAX + 2] = "/";

    (void) state;
    CHECK(NULL, "", .umask = -1);
    CHECK(NULL, "", .interpreter = "python3.12", .args = LIST("", "\n"), .env = LIST("A=", "_b1=x=y"));
    CHECK("interpreter", "name", .interpreter = "");
    CHECK("interpreter", "name", .interpreter = "/bin/sh");
    CHECK("args", "args[1]", .args = LIST("a", "\xFF"));
    CHECK("env", "env.1A", .env = LIST("1A=x"));
    CHECK("env", "env.", .env = LIST("=x"));
    CHECK("env", "env.NONE", .env = LIST("NONE"));
    CHECK("env", "env.A-B", .env = LIST("A-B=x"));
    CHECK("env", "env.PAWL_RUN", .env = LIST("A=1", "PAWL_RUN=1"));
    CHECK("env", "given twice", .env = LIST("A=1", "AB=2", "A=3"));
    CHECK("env", "env.A is not valid", .env = LIST("A=\xFF"));
    CHECK("cwd", "absolute", .cwd = "tmp");
    CHECK("cwd", "UTF-8", .cwd = "/\xFF");
    memset(path + 1, 'x', PAWL_CWD_MAX - 1);
    CHECK(NULL, "", .cwd = path);
    path[PAWL_CWD_MAX] = 'x';
    CHECK("cwd", "4095", .cwd = path);
    CHECK("umask", "777", .umask = 01000);
    CHECK(NULL, "", .timeout_ns = PAWL_TIMEOUT_MIN_NS);
    CHECK("timeout", "1ms", .timeout_ns = PAWL_TIMEOUT_MIN_NS - 1);
    CHECK("timeout", "1ms", .timeout_ns = -1);
}

static void
test_action_has_a_thousand_entries_and_64_KiB_and_no_more(void **state)
{
    static const char *list[PAWL_ARGUMENTS_MAX + 2];
    static char big[PAWL_ARGUMENTS_BYTES + 1];

    (void) state;
    for (int i = 0; i < PAWL_ARGUMENTS_MAX; i++)
        list[i] = "x";
    CHECK(NULL, "", .args = list);
    CHECK("args", "1000", .args = list, .env = LIST("A=1"));
    list[PAWL_ARGUMENTS_MAX] = "x";
    CHECK("args", "1000", .args = list);
    memset(big, 'y', PAWL_ARGUMENTS_BYTES - 1);
    CHECK(NULL, "", .args = LIST(big));
    big[PAWL_ARGUMENTS_BYTES - 1] = 'y';
    CHECK("args", "64 KiB", .args = LIST(big));
    big[PAWL_ARGUMENTS_BYTES - 4] = '\0';
    CHECK("args", "64 KiB", .args = LIST(big), .env = LIST("A=1"));
}

static void
test_action_that_says_nothing_is_none(void **state)
{
    static const char *const nothing[] = {NULL};
    struct pawl_action action = {.args = nothing, .env = nothing, .umask = -1, .kill_grace_ns = -1};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    assert_int_equal(pawl_action_bytes(&action), 0);
    assert_int_equal(pawl_action_bytes(NULL), 0);
    fixture_open(&f);
    submit_action(&f, "t", "true", &action);
    view = get(&f, "t");
    assert_null(view.action);
    pawl_view_release(&view);
    fixture_close(&f);
}

/* --- Which program --- */

struct language {
    const char *name, *script, *comment, *out;
};

static const struct language languages[] = {
    {"bash", "echo \"$0 $1 $2\"", "#", "pawl a b c\n"},
    {"sh", "echo \"$0 $1 $2\"", "#", "pawl a b c\n"},
    {"python3", "import sys\nprint(*sys.argv[1:])", "#", "a b c\n"},
    {"perl", "print \"@ARGV\\n\"", "#", "a b c\n"},
    {"node", "console.log(process.argv.slice(2).join(' '))", "//", "a b c\n"},
    {"ruby", "puts ARGV.join(' ')", "#", "a b c\n"},
    {"awk", "BEGIN { print ARGV[1], ARGV[2] }", "#", "a b c\n"},
    {"groovy", "println args.join(' ')", "//", "a b c\n"},
};

static void
run_both_lengths(struct fixture *f, const struct language *language)
{
    struct pawl_action action = {.interpreter = language->name, .args = LIST("a", "b c"),
                                 .umask = -1, .kill_grace_ns = -1};
    size_t len = 300000;
    char *script = malloc(len), id[32];
    struct pawl_err err = {0};

    if (try_submit_action(f, language->name, language->script, &action, &err) != PAWL_OK) {
        printf("%s: is not here, and is skipped\n", language->name);
        assert_string_equal(err.field, "interpreter");
        free(script);
        return;
    }
    assert_output(f, language->name, PAWL_SUCCESS, language->out);
    memset(script, 'x', len);
    for (size_t i = 99; i < len; i += 100) {
        script[i] = '\n';
        memcpy(script + i - 99, language->comment, strlen(language->comment));
    }
    strcpy(script + len - 200, language->script);
    snprintf(id, sizeof id, "long %s", language->name);
    submit_action(f, id, script, &action);
    assert_output(f, id, PAWL_SUCCESS, language->out);
    free(script);
}

static void
test_each_interpreter_gets_its_script_and_arguments(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++)
        run_both_lengths(&f, &languages[i]);
    fixture_close(&f);
}

static void
test_interpreter_that_is_absent_is_refused_by_name(void **state)
{
    struct pawl_action action = NO_ACTION;
    struct pawl_err err = {0};
    struct fixture f;

    (void) state;
    action.interpreter = "cobol";
    fixture_open(&f);
    assert_int_equal(try_submit_action(&f, "t", "x", &action, &err), PAWL_EINVAL);
    assert_string_equal(err.field, "interpreter");
    assert_non_null(strstr(err.text, "'cobol': it has "));
    assert_non_null(strstr(err.text, "bash"));
    fixture_close(&f);
}

static void
test_interpreters_can_be_given_and_say_what_is_wrong_with_them(void **state)
{
    static const char *const given[] = {"mine=/bin/sh -eu", "gone=/nowhere/gone", "cat=cat -n", NULL};
    static const char *const wrong[][3] = {
        {"mine"}, {"=x"}, {"a b=x"}, {"mine="}, {"mine= "}, {"a=sh", "a=sh"},
        {"a=1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"},
    };
    struct pawl_interpreters interpreters;
    const struct pawl_program *program;
    struct pawl_err err;

    (void) state;
    assert_int_equal(pawl_interpreters_init(&interpreters, given, NULL), PAWL_OK);
    program = pawl_interpreters_find(&interpreters, "mine");
    assert_string_equal(program->path, "/bin/sh");
    assert_int_equal(program->nwords, 2);
    assert_string_equal(program->words[1], "-eu");
    assert_false(program->is_shell);
    assert_non_null(pawl_interpreters_find(&interpreters, "cat"));
    assert_null(pawl_interpreters_find(&interpreters, "gone"));
    assert_string_equal(pawl_interpreters_find(&interpreters, NULL)->name, "bash");
    pawl_interpreters_fini(&interpreters);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(pawl_interpreters_init(&interpreters, wrong[i], &err), PAWL_EINVAL);
        pawl_interpreters_fini(&interpreters);
    }
}

/* --- What the script finds --- */

static void
test_script_finds_its_environment_directory_and_umask(void **state)
{
    struct pawl_action action = {.env = LIST("HOME=/else", "NEW=a b\n=c", "EMPTY="), .cwd = "/usr",
                                 .umask = 0027, .kill_grace_ns = -1};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_action(&f, "t", "echo \"$HOME,$NEW,${EMPTY-none}\"; pwd; umask; env | grep -c ^HOME=; "
                           "echo ${PATH:+path} $PAWL_RUN", &action);
    assert_output(&f, "t", PAWL_SUCCESS, "/else,a b\n=c,\n/usr\n0027\n1\npath 1\n");
    action = (struct pawl_action) NO_ACTION;
    action.args = LIST("x");
    submit_action(&f, "args", "echo $# $1 ${NEW-none}", &action);
    assert_output(&f, "args", PAWL_SUCCESS, "1 x none\n");
    fixture_close(&f);
}

static void
test_the_most_that_an_action_can_have_arrives(void **state)
{
    static const char *args[PAWL_ARGUMENTS_MAX / 2 + 1], *env[PAWL_ARGUMENTS_MAX / 2 + 1];
    static char names[PAWL_ARGUMENTS_MAX / 2][32];
    struct pawl_action action = {.args = args, .env = env, .umask = -1, .kill_grace_ns = -1};
    struct fixture f;

    (void) state;
    for (int i = 0; i < PAWL_ARGUMENTS_MAX / 2; i++) {
        snprintf(names[i], sizeof names[i], "VAR_%d=%d", i, i);
        env[i] = names[i];
        args[i] = "x";
    }
    fixture_open(&f);
    submit_action(&f, "t", "echo $#; env | grep -c ^VAR_; echo $VAR_499", &action);
    assert_output(&f, "t", PAWL_SUCCESS, "500\n500\n499\n");
    fixture_close(&f);
}

static void
assert_not_started(struct fixture *f, const char *id, const char *word)
{
    struct pawl_view view = await_result(f, id);

    assert_int_equal(view.results[0]->outcome, PAWL_ERROR);
    assert_int_equal(view.results[0]->exit_code, -1);
    if (!strstr(view.results[0]->error, word))
        fail_msg("'%s' does not say '%s'", view.results[0]->error, word);
    pawl_view_release(&view);
}

static void
test_directory_that_is_not_there_is_an_error_of_the_run(void **state)
{
    struct pawl_action action = NO_ACTION;
    struct fixture f;

    (void) state;
    action.cwd = "/nowhere/at all";
    fixture_open(&f);
    submit_action(&f, "t", "true", &action);
    assert_not_started(&f, "t", "cwd /nowhere/at all: No such file");
    fixture_close(&f);
}

/* --- Over a restart --- */

static void
test_action_is_the_same_after_a_restart(void **state)
{
    struct pawl_action action = {
        .interpreter = "sh", .args = LIST("a", "", "c d"), .env = LIST("A=1", "B="), .cwd = "/tmp",
        .umask = 0, .timeout_ns = HOUR, .kill_grace_ns = 0,
    };
    const struct pawl_action *found;
    struct pawl_view view;
    struct house house;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit_action(&house.f, "t", "echo $2,$3 $A; pwd; umask", &action);
    assert_output(&house.f, "t", PAWL_SUCCESS, ",c d 1\n/tmp\n0000\n");
    house_restart(&house);
    view = get(&house.f, "t");
    found = view.action;
    assert_string_equal(found->interpreter, "sh");
    assert_string_equal(found->args[2], "c d");
    assert_null(found->args[3]);
    assert_string_equal(found->env[1], "B=");
    assert_null(found->env[2]);
    assert_string_equal(found->cwd, "/tmp");
    assert_int_equal(found->umask, 0);
    assert_int_equal(found->timeout_ns, HOUR);
    assert_int_equal(found->kill_grace_ns, 0);
    pawl_view_release(&view);
    house_end(&house);
    house_fini(&house);
}

static void
test_interpreter_that_went_fails_the_runs_and_no_more(void **state)
{
    static const char *const given[] = {"mine=/bin/sh", NULL};
    struct pawl_action action = NO_ACTION;
    struct pawl_spec spec = {.id = "t", .id_len = 1, .type = PAWL_DELAY, .time_ns = HOUR,
                             .script = "true", .script_len = 4, .keep_results = -1,
                             .action = &action};
    struct asked asked = {.op.done = asked_cb};
    struct house house;

    (void) state;
    action.interpreter = "mine";
    house_init(&house);
    house.interpreters = given;
    house_begin(&house);
    assert_int_equal(end_of(&house.f, &asked, pawl_submit(house.f.handle, &spec, &asked.op, NULL)),
                     PAWL_OK);
    house.interpreters = NULL;
    house_pass(&house, HOUR);
    assert_not_started(&house.f, "t", "no interpreter 'mine'");
    house_end(&house);
    house_fini(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_action_bounds_are_told_by_field),
        cmocka_unit_test(test_action_has_a_thousand_entries_and_64_KiB_and_no_more),
        cmocka_unit_test(test_action_that_says_nothing_is_none),
        cmocka_unit_test(test_each_interpreter_gets_its_script_and_arguments),
        cmocka_unit_test(test_interpreter_that_is_absent_is_refused_by_name),
        cmocka_unit_test(test_interpreters_can_be_given_and_say_what_is_wrong_with_them),
        cmocka_unit_test(test_script_finds_its_environment_directory_and_umask),
        cmocka_unit_test(test_the_most_that_an_action_can_have_arrives),
        cmocka_unit_test(test_directory_that_is_not_there_is_an_error_of_the_run),
        cmocka_unit_test(test_action_is_the_same_after_a_restart),
        cmocka_unit_test(test_interpreter_that_went_fails_the_runs_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
