/* test_http_options.c: flags, environment and config file, and who wins. */
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND_NS INT64_C(1000000000)

static struct pawl_settings settings;
static struct pawl_err err;
static char file[] = "/tmp/pawl-test-options-XXXXXX";

static int
make_file(void **state)
{
    int fd = mkstemp(file);

    (void) state;
    return fd < 0 ? -1 : close(fd);
}

static int
remove_file(void **state)
{
    (void) state;
    return unlink(file);
}

static void
write_file(const char *text)
{
    FILE *out = fopen(file, "w");

    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

/* args and env are words with a space between; "FILE" in args is the config file. */
static int
read_settings(const char *args, const char *env)
{
    char *argv[32] = {"pawld"}, *envp[32] = {NULL}, *rest,
         *copies[2] = {strdup(args), strdup(env)};
    int argc = 1, nenv = 0, rc;

    for (char *word = strtok_r(copies[0], " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        argv[argc++] = strcmp(word, "FILE") == 0 ? file : word;
    argv[argc] = NULL;
    for (char *word = strtok_r(copies[1], " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        envp[nenv++] = word;
    rc = pawl_settings_read(argc, argv, envp, &settings, &err);
    free(copies[0]);
    free(copies[1]);
    return rc;
}

static int
teardown(void **state)
{
    (void) state;
    pawl_settings_fini(&settings);
    return 0;
}

static void
assert_refused(const char *args, const char *env, const char *expected)
{
    assert_int_equal(read_settings(args, env), PAWL_EINVAL);
    if (strstr(err.text, expected) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, expected);
    pawl_settings_fini(&settings);
}

static void
test_http_options_have_the_documented_defaults(void **state)
{
    (void) state;
    assert_int_equal(read_settings("", "HOME=/ PAWL_SERVER=unix:/x"), PAWL_OK);
    assert_int_equal(settings.listen.nitems, 0);
    assert_int_equal(settings.max_pending, 20000000);
    assert_int_equal(settings.max_body_bytes, 8 << 20);
    assert_int_equal(settings.keep_results, 10);
    assert_true(settings.grace_ns == 30 * SECOND_NS);
    assert_true(settings.request_timeout_ns == 30 * SECOND_NS);
    assert_int_equal(settings.durability, PAWL_DURABILITY_SYNC);
    assert_int_equal(settings.log_level, PAWL_LOG_INFO);
    assert_false(settings.ephemeral || settings.log_json);
    assert_null(settings.data);
    assert_int_equal(settings.orphans, 0);
    assert_true(settings.history_age_ns == 30 * 24 * 3600 * SECOND_NS);
    assert_true(settings.history_bytes == INT64_C(1) << 30);
    assert_true(settings.keep_finished_ns == 7 * 24 * 3600 * SECOND_NS);
}

static void
test_http_options_flag_wins_over_env_over_file(void **state)
{
    (void) state;
    write_file("[limits]\nmax-pending = 1\nmax-body=2048\nkeep-results = 3 \n"
               "# comment\n\n[other]\ngrace = \"1m\"\nlisten = a\nlisten = b\n");
    assert_int_equal(read_settings("--config FILE --max-pending=7",
        "PAWL_MAX_PENDING=5 PAWL_MAX_BODY=4k"), PAWL_OK);
    assert_int_equal(settings.max_pending, 7);
    assert_int_equal(settings.max_body_bytes, 4096);
    assert_int_equal(settings.keep_results, 3);
    assert_true(settings.grace_ns == 60 * SECOND_NS);
    assert_int_equal(settings.listen.nitems, 2);
    assert_string_equal(settings.listen.items[1], "b");
}

static void
test_http_options_list_is_taken_whole_from_one_source(void **state)
{
    (void) state;
    write_file("listen = a\nlisten = b\nhost = h\n");
    assert_int_equal(read_settings("--listen x --listen=y --config FILE",
        "PAWL_LISTEN=1,2,3 PAWL_HOST=p,q"), PAWL_OK);
    assert_int_equal(settings.listen.nitems, 2);
    assert_string_equal(settings.listen.items[0], "x");
    assert_string_equal(settings.listen.items[1], "y");
    assert_int_equal(settings.hosts.nitems, 2);
    assert_string_equal(settings.hosts.items[1], "q");
}

static void
test_http_options_sizes_and_spans_take_units(void **state)
{
    (void) state;
    assert_int_equal(
        read_settings("--max-body 512k --max-memory 3GiB --grace 1m30s", ""), PAWL_OK);
    assert_int_equal(settings.max_body_bytes, 512 << 10);
    assert_true(settings.max_memory_bytes == INT64_C(3) << 30);
    assert_true(settings.grace_ns == 90 * SECOND_NS);
}

static void
test_http_options_wrong_values_are_named(void **state)
{
    (void) state;
    assert_refused("--max-body 8QiB", "", "--max-body: expected a size");
    assert_refused("--max-body 99999999999G", "", "--max-body: expected");
    assert_refused("--max-body 1", "", "--max-body: expected 1KiB to 1GiB");
    assert_refused("--max-pending -1", "", "--max-pending: expected a whole number");
    assert_refused("--grace 5", "", "--grace: expected a duration");
    assert_refused("--grace=-5s", "", "--grace: expected 0s to");
    assert_refused("--durability maybe", "", "one of sync, process");
    assert_refused("--orphans adopt", "", "one of kill, leave");
    assert_refused("--history-age 30", "", "--history-age: expected a duration");
    assert_refused("--history-bytes -1", "", "--history-bytes: expected a size");
    assert_refused("--keep-finished=1000000h", "", "--keep-finished: expected 0s to");
    assert_refused("--check", "", "--check needs a value: --check DIR");
    assert_refused("--ephemeral=perhaps", "", "expected true or false");
    assert_refused("--listen=", "", "--listen: is empty");
    assert_refused("--listen", "", "--listen needs a value");
    assert_refused("", "PAWL_GRACE=x", "PAWL_GRACE: expected a duration");
    assert_refused("--data d --ephemeral", "", "exclude each other");
    assert_refused("stray", "", "'stray' is no option");
}

static void
test_http_options_requests_are_flags_and_no_variables(void **state)
{
    (void) state;
    assert_int_equal(read_settings("", "PAWL_CHECK=d PAWL_VERSION=1 PAWL_HELP=1"), PAWL_OK);
    assert_null(settings.check);
    assert_false(settings.version || settings.help);
    assert_int_equal(read_settings("--check d", ""), PAWL_OK);
    assert_string_equal(settings.check, "d");
}

static void
test_http_options_unknown_names_get_a_hint(void **state)
{
    (void) state;
    assert_refused(
        "--max-bode 1", "", "unknown option 'max-bode'; did you mean 'max-body'?");
    assert_refused("--frobnicate", "", "unknown option 'frobnicate': see pawld --help");
    write_file("\nkeep-result = 4\n");
    assert_refused("--config FILE", "", ":2: unknown option 'keep-result'; did you mean");
}

static void
test_http_options_file_errors_name_the_line(void **state)
{
    (void) state;
    write_file("grace = 1s\nnonsense\n");
    assert_refused("--config FILE", "", ":2: expected 'key = value'");
    write_file("grace = 1s\ngrace = 2s\n");
    assert_refused("--config FILE", "", ":2: 'grace' is set twice");
    write_file("config = x\n");
    assert_refused("--config FILE", "", ":1: 'config' cannot be set in a file");
    write_file("check = x\n");
    assert_refused("--config FILE", "", ":1: 'check' cannot be set in a file");
    write_file("[open\n");
    assert_refused("--config FILE", "", ":1: expected");
    assert_refused("--config /nonexistent", "", "cannot open /nonexistent");
}

static void
test_http_options_printed_are_read_back(void **state)
{
    struct pawl_settings before;
    struct pawl_buffer first, second;

    (void) state;
    pawl_buffer_init(&first);
    pawl_buffer_init(&second);
    assert_int_equal(
        read_settings("--listen unix:/a --host h1 --host h2 --ephemeral --max-body "
                      "1025 --max-memory 5G --grace 1.5s --log-format json --orphans leave "
                      "--history-age 0s --history-bytes 0 --keep-finished 36h",
            ""),
        PAWL_OK);
    pawl_settings_print(&settings, &first);
    pawl_buffer_append(&first, "", 1);
    write_file(first.data);
    before = settings;
    assert_int_equal(read_settings("--config FILE", ""), PAWL_OK);
    pawl_settings_print(&settings, &second);
    pawl_buffer_append(&second, "", 1);
    assert_string_equal(first.data, second.data);
    assert_true(settings.log_json && settings.ephemeral);
    pawl_settings_fini(&before);
    pawl_buffer_fini(&first);
    pawl_buffer_fini(&second);
}

static void
test_http_options_help_has_every_option(void **state)
{
    static const char *const names[] = {"--listen", "--host", "--data", "--ephemeral",
        "--durability", "--workers", "--http-threads", "--max-running", "--max-pending",
        "--max-memory", "--max-body", "--max-connections", "--keep-results", "--grace",
        "--config", "--check",
        "--orphans", "--history-age", "--history-bytes", "--keep-finished", "--log-level", "--log-format", "--print-config", "--version"};
    struct pawl_buffer buffer;

    (void) state;
    pawl_buffer_init(&buffer);
    pawl_settings_help(&buffer);
    pawl_buffer_append(&buffer, "", 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(buffer.data, names[i]));
    pawl_buffer_fini(&buffer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(
            test_http_options_have_the_documented_defaults, teardown),
        cmocka_unit_test_teardown(
            test_http_options_flag_wins_over_env_over_file, teardown),
        cmocka_unit_test_teardown(
            test_http_options_list_is_taken_whole_from_one_source, teardown),
        cmocka_unit_test_teardown(test_http_options_sizes_and_spans_take_units, teardown),
        cmocka_unit_test(test_http_options_wrong_values_are_named),
        cmocka_unit_test_teardown(
            test_http_options_requests_are_flags_and_no_variables, teardown),
        cmocka_unit_test(test_http_options_unknown_names_get_a_hint),
        cmocka_unit_test(test_http_options_file_errors_name_the_line),
        cmocka_unit_test_teardown(test_http_options_printed_are_read_back, teardown),
        cmocka_unit_test(test_http_options_help_has_every_option),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
