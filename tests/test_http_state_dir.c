/* test_http_state_dir.c: where tasks are kept when nobody said where. */
#include "state_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
assert_dir(bool is_root, const char *xdg, const char *home, const char *wanted)
{
    char *dir = NULL;
    struct pawl_err err;

    assert_int_equal(pawl_state_dir(is_root, xdg, home, &dir, &err), PAWL_OK);
    assert_string_equal(dir, wanted);
    free(dir);
}

static void
test_state_dir_is_where_xdg_says(void **state)
{
    (void) state;
    assert_dir(false, "/x/state", "/home/u", "/x/state/pawl");
    assert_dir(true, "/x/state", "/root", "/x/state/pawl");
}

static void
test_state_dir_is_below_home_or_var_lib_else(void **state)
{
    (void) state;
    assert_dir(false, NULL, "/home/u", "/home/u/.local/state/pawl");
    assert_dir(true, NULL, "/root", "/var/lib/pawl");
    assert_dir(true, NULL, NULL, "/var/lib/pawl");
}

static void
test_state_dir_ignores_paths_that_are_not_absolute(void **state)
{
    (void) state;
    assert_dir(false, "", "/home/u", "/home/u/.local/state/pawl");
    assert_dir(false, "state", "/home/u", "/home/u/.local/state/pawl");
    assert_dir(true, "state", "/root", "/var/lib/pawl");
}

static void
test_state_dir_without_any_says_what_to_do(void **state)
{
    static const char *const homes[] = {NULL, "", "home"};

    (void) state;
    for (size_t i = 0; i < sizeof homes / sizeof homes[0]; i++) {
        struct pawl_err err;
        char *dir;

        assert_int_equal(pawl_state_dir(false, NULL, homes[i], &dir, &err), PAWL_EINVAL);
        assert_non_null(strstr(err.text, "--data"));
        assert_non_null(strstr(err.text, "--ephemeral"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_dir_is_where_xdg_says),
        cmocka_unit_test(test_state_dir_is_below_home_or_var_lib_else),
        cmocka_unit_test(test_state_dir_ignores_paths_that_are_not_absolute),
        cmocka_unit_test(test_state_dir_without_any_says_what_to_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
