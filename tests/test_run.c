/* test_run.c: what a script finds around it, and what is kept of it. Real runs on the manual
 * clock; a gate (a FIFO) holds a script where a test needs it. */
#include "engine_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Runs one script as a delay task and gives the task after it. */
static struct pawl_view
run_script(struct fixture *f, const char *id, const char *script, size_t len)
{
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = PAWL_DELAY, .time_ns = 0, .script = script,
        .script_len = len, .keep_results = -1,
    };
    struct pawl_op op = {0};
    struct pawl_err err = {0};

    if (pawl_submit(f->handle, &spec, &op, &err) != PAWL_OK)
        fail_msg("submit: %s", err.text);
    pawl_view_release(&op.view);
    return await_version(f, id, 2);
}

static void
assert_output(const char *script, const char *expected)
{
    struct fixture f;
    struct pawl_view view;

    fixture_open(&f);
    view = run_script(&f, "t", script, strlen(script));
    assert_int_equal(view.nresults, 1);
    assert_string_equal(strndupa(view.results[0]->out, view.results[0]->out_len), expected);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_run_is_bash_and_its_name_is_pawl(void **state)
{
    (void) state;
    assert_output("echo $0 $# ${BASH_VERSION:+bash}", "pawl 0 bash\n");
}

static void
test_run_has_three_descriptors_and_an_empty_stdin(void **state)
{
    int extra = open("/dev/null", O_RDONLY);    /* not close-on-exec: must not get through */

    (void) state;
    assert_output("for fd in 0 1 2 3 4 5 6 7 8 9 10 11 12 255; do "
                  "[ -e /proc/$$/fd/$fd ] && echo $fd; done; cat", "0\n1\n2\n");
    close(extra);
}

static void
test_run_has_default_signals_and_a_group_of_its_own(void **state)
{
    (void) state;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    assert_output("grep -E 'SigBlk|SigIgn' /proc/self/status | cut -f2; "
                  "read -r _ _ _ _ pgrp _ < /proc/$$/stat; [ $pgrp = $$ ] && echo leader",
                  "0000000000000000\n0000000000000000\nleader\n");
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

static void
test_run_sees_the_environment_less_ours(void **state)
{
    (void) state;
    setenv("PAWL_SERVER", "x", 1);
    setenv("OTHER", "y", 1);
    assert_output("echo ${PAWL_SERVER-unset} $OTHER", "unset y\n");
}

static void
test_run_is_told_which_one_it_is(void **state)
{
    (void) state;
    setenv("PAWL_RUN", "99", 1);
    setenv("PAWL_TASK_ID", "other", 1);
    assert_output("echo $PAWL_TASK_ID $PAWL_RUN $PAWL_ATTEMPT $PAWL_SCHEDULED_AT; "
                  "printenv | grep -c ^PAWL_", "t 1 1 2027-01-15T08:00:00.000000000Z\n4\n");
    unsetenv("PAWL_RUN");
    unsetenv("PAWL_TASK_ID");
}

static void
test_run_gets_back_the_soft_limit_of_descriptors(void **state)
{
    struct pawl_options options;
    struct fixture f;
    struct pawl_view view;

    (void) state;
    pawl_options_init(&options);
    options.run_nofile = 77;
    fixture_open_with(&f, &options);
    view = run_script(&f, "t", "ulimit -n", 9);
    assert_memory_equal(view.results[0]->out, "77\n", 3);
    pawl_view_release(&view);
    fixture_close(&f);
}

/* A script of exactly len bytes that prints its name, its descriptors and its last line. */
static char *
long_script(size_t len)
{
    static const char head[] = "echo $0 $#; [ -e /proc/$$/fd/3 ] && echo 3\n: '";
    static const char tail[] = "'\necho end";
    char *script = malloc(len + 1);

    memset(script, 'x', len);
    memcpy(script, head, sizeof head - 1);
    memcpy(script + len - (sizeof tail - 1), tail, sizeof tail - 1);
    script[len] = '\0';
    return script;
}

static void
test_long_scripts_run_as_short_ones_do(void **state)
{
    static const size_t lens[] = {131070, 131071, 131072, 131073, 1 << 20};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        char *script = long_script(lens[i]), id[8];
        struct pawl_view view;

        snprintf(id, sizeof id, "l%zu", i);
        view = run_script(&f, id, script, lens[i]);
        assert_int_equal(view.results[0]->outcome, PAWL_SUCCESS);
        assert_string_equal(strndupa(view.results[0]->out, view.results[0]->out_len),
                            "pawl 0\nend\n");
        pawl_view_release(&view);
        free(script);
    }
    fixture_close(&f);
}

static void
test_run_ends_with_its_process_though_a_grandchild_holds_the_pipe(void **state)
{
    struct fixture f;
    struct pawl_view view;
    char gate[] = "/tmp/pawl-gate-XXXXXX", path[64], script[128];

    (void) state;
    assert_non_null(mkdtemp(gate));
    snprintf(path, sizeof path, "%s/g", gate);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(script, sizeof script, "(read x < %s) & echo parent", path);
    fixture_open(&f);
    submit(&f, "t", PAWL_DELAY, 0, script);
    view = await_version(&f, "t", 1);
    while (view.version < 2) {      /* the moment that it is waited for is the clock's */
        pawl_view_release(&view);
        fixture_advance(&f, SECOND);
        sched_yield();
        view = get(&f, "t");
    }
    assert_memory_equal(view.results[0]->out, "parent\n", 7);
    assert_int_equal(view.results[0]->outcome, PAWL_SUCCESS);
    pawl_view_release(&view);
    fclose(fopen(path, "w"));       /* lets the grandchild end */
    unlink(path);
    rmdir(gate);
    fixture_close(&f);
}

static void
test_output_keeps_head_and_tail_and_says_what_it_dropped(void **state)
{
    static const char script[] = "echo first; head -c 200000 /dev/zero | tr '\\0' a; echo; echo last";
    struct fixture f;
    struct pawl_view view;
    const struct pawl_result *result;
    unsigned long dropped;
    char *text, *mark;

    (void) state;
    fixture_open(&f);
    view = run_script(&f, "t", script, strlen(script));
    result = view.results[0];
    assert_true(result->truncated);
    assert_true(result->out_len <= PAWL_OUTPUT_MAX);
    text = strndup(result->out, result->out_len);
    assert_memory_equal(text, "first\n", 6);
    assert_string_equal(text + strlen(text) - 6, "\nlast\n");
    mark = strstr(text, "\n[... ");
    assert_non_null(mark);
    dropped = strtoul(mark + 6, NULL, 10);
    /* Exact: what is kept and what is dropped make the whole. */
    assert_int_equal(strlen(text) - (strlen("\n[...  bytes dropped ...]\n") +
                                     (size_t) snprintf(NULL, 0, "%lu", dropped)) + dropped,
                     6 + 200000 + 1 + 5);
    free(text);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_output_that_is_not_utf8_becomes_it(void **state)
{
    (void) state;
    assert_output("printf 'a\\377b\\303'", "a\xEF\xBF\xBD" "b\xEF\xBF\xBD");
}

/* The task shows the end of a run a moment before the worker has put it away. */
static void
await_idle(struct fixture *f)
{
    struct pollfd idle = {.fd = pawl_idle_fd(f->engine), .events = POLLIN};

    pawl_close_begin(f->engine);
    assert_int_equal(poll(&idle, 1, WAIT_MS), 1);
}

static size_t
count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void
test_no_zombie_and_no_descriptor_is_left_after_many_runs(void **state)
{
    const char *runs = getenv("PAWL_TEST_RUNS");
    int n = runs ? atoi(runs) : 10000;
    struct fixture f;
    struct pawl_stats stats;
    size_t before, after;
    char id[16];

    (void) state;
    fixture_open(&f);
    before = count_descriptors();
    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof id, "r%d", i);
        submit(&f, id, PAWL_DELAY, 0, i % 7 ? ":" : "exit 1");
    }
    for (int i = 0; i < n; i++) {
        struct pawl_view view;

        snprintf(id, sizeof id, "r%d", i);
        view = await_version(&f, id, 2);
        assert_int_equal(view.status, PAWL_EXECUTED);
        assert_int_equal(view.results[0]->outcome, i % 7 ? PAWL_SUCCESS : PAWL_FAILURE);
        pawl_view_release(&view);
    }
    await_idle(&f);
    after = count_descriptors();
    assert_int_equal(before, after);
    assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    assert_int_equal(errno, ECHILD);
    pawl_stats(f.engine, &stats);
    assert_int_equal(stats.running, 0);
    assert_int_equal(stats.started, n);
    assert_int_equal(stats.finished, n);
    fixture_close(&f);
}

static void
test_a_thousand_sleeping_runs_hold_up_nobody(void **state)
{
    struct fixture f;
    struct pawl_stats stats;
    struct pawl_view view;
    char gate[] = "/tmp/pawl-gate-XXXXXX", path[64], script[128], id[16];
    int n = 1000, fd;

    (void) state;
    assert_non_null(mkdtemp(gate));
    snprintf(path, sizeof path, "%s/g", gate);
    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR | O_CLOEXEC);
    snprintf(script, sizeof script, "read -r x < %s", path);
    fixture_open(&f);
    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof id, "s%d", i);
        submit(&f, id, PAWL_DELAY, 0, script);
    }
    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof id, "s%d", i);
        view = await_version(&f, id, 1);
        assert_int_equal(view.status, PAWL_EXECUTING);
        pawl_view_release(&view);
    }
    pawl_stats(f.engine, &stats);
    assert_int_equal(stats.running, n);
    view = run_script(&f, "next", "echo through", 12);
    assert_memory_equal(view.results[0]->out, "through\n", 8);
    pawl_view_release(&view);
    for (int i = 0; i < n; i++)
        assert_int_equal(write(fd, "\n", 1), 1);
    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof id, "s%d", i);
        view = await_version(&f, id, 2);
        pawl_view_release(&view);
    }
    close(fd);
    unlink(path);
    rmdir(gate);
    fixture_close(&f);
}

static void
test_max_running_bounds_the_runs_and_starts_the_rest_later(void **state)
{
    struct pawl_options options;
    struct fixture f;
    struct pawl_stats stats;
    char id[16];

    (void) state;
    pawl_options_init(&options);
    options.max_running = 3;
    options.nworkers = 2;
    fixture_open_with(&f, &options);
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "m%d", i);
        submit(&f, id, PAWL_DELAY, 0, ":");
    }
    for (int i = 0; i < 200; i++) {
        struct pawl_view view;

        snprintf(id, sizeof id, "m%d", i);
        view = await_version(&f, id, 2);
        pawl_view_release(&view);
        pawl_stats(f.engine, &stats);
        assert_true(stats.running <= 3 + 2);    /* a worker that looks for room counts a moment */
    }
    fixture_close(&f);
}

static void
test_run_that_cannot_be_started_says_why(void **state)
{
    struct fixture f;
    struct pawl_view view;
    char dir[] = "/tmp/pawl-path-XXXXXX", shell[64], *path = strdup(getenv("PATH"));

    (void) state;
    assert_non_null(mkdtemp(dir));
    snprintf(shell, sizeof shell, "%s/bash", dir);
    assert_int_equal(symlink("/bin/bash", shell), 0);
    setenv("PATH", dir, 1);
    fixture_open(&f);
    unlink(shell);                          /* the interpreter goes while the engine runs */
    view = run_script(&f, "t", ":", 1);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.failure_count, 1);
    assert_int_equal(view.results[0]->outcome, PAWL_ERROR);
    assert_non_null(strstr(view.results[0]->error, "No such file or directory"));
    assert_non_null(strstr(view.results[0]->error, shell));
    assert_string_equal(view.results[0]->err, view.results[0]->error);
    pawl_view_release(&view);
    fixture_close(&f);
    setenv("PATH", path, 1);
    free(path);
    rmdir(dir);
}

static void
test_run_without_free_descriptors_ends_in_error(void **state)
{
    struct fixture f;
    struct pawl_view view;
    struct rlimit before, none;

    (void) state;
    fixture_open(&f);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    submit(&f, "t", PAWL_DELAY, 0, ":");
    view = await_version(&f, "t", 2);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(view.results[0]->outcome, PAWL_ERROR);
    assert_non_null(strstr(view.results[0]->error, "Too many open files"));
    pawl_view_release(&view);
    view = run_script(&f, "u", "echo again", 10);
    assert_int_equal(view.results[0]->outcome, PAWL_SUCCESS);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_close_kills_what_still_runs_and_tells_when_idle(void **state)
{
    struct fixture f;
    struct pawl_view view;
    struct pollfd idle;

    (void) state;
    fixture_open(&f);
    submit(&f, "t", PAWL_DELAY, 0, "trap 'echo got TERM; exit 5' TERM; echo ready; "
                                   "while :; do read -t 100 x < <(:) ; sleep 100 & wait $!; done");
    view = await_version(&f, "t", 1);
    pawl_view_release(&view);
    pawl_close_begin(f.engine);
    idle = (struct pollfd) {.fd = pawl_idle_fd(f.engine), .events = POLLIN};
    assert_int_equal(poll(&idle, 1, 0), 0);
    pawl_signal_runs(f.engine, SIGKILL);
    assert_int_equal(poll(&idle, 1, WAIT_MS), 1);
    view = get(&f, "t");
    assert_int_equal(view.results[0]->outcome, PAWL_KILLED);
    assert_int_equal(view.results[0]->signal, SIGKILL);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_delete_with_kill_ends_the_run(void **state)
{
    /* The first ends by TERM; the second ignores it, and gets KILL after its grace. */
    static const char *const scripts[] = {
        "exec sleep 1000",
        "trap '' TERM; echo x > %s; while :; do read -t 1000 x <> %s.none; done",
    };
    char gate[] = "/tmp/pawl-gate-XXXXXX", path[64], script[256];

    (void) state;
    assert_non_null(mkdtemp(gate));
    snprintf(path, sizeof path, "%s/g", gate);
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        struct pawl_op op;
        struct pawl_view view;
        char none[72], line[8];
        struct pollfd idle;
        FILE *ready;

        assert_int_equal(mkfifo(path, 0600), 0);
        snprintf(none, sizeof none, "%s.none", path);
        assert_int_equal(mkfifo(none, 0600), 0);
        snprintf(script, sizeof script, scripts[i], path, path);
        fixture_open(&f);
        submit(&f, "t", PAWL_DELAY, 0, script);
        view = await_version(&f, "t", 1);
        pawl_view_release(&view);
        if (i == 1) {       /* until it ignores TERM */
            ready = fopen(path, "r");
            assert_non_null(fgets(line, sizeof line, ready));
            fclose(ready);
        }
        assert_int_equal(pawl_delete(f.handle, "t", 1, true, &op, NULL), PAWL_OK);
        pawl_close_begin(f.engine);
        idle = (struct pollfd) {.fd = pawl_idle_fd(f.engine), .events = POLLIN};
        while (poll(&idle, 1, 1) == 0) {    /* the worker looks at the clock when it is woken */
            fixture_advance(&f, PAWL_KILL_GRACE_NS);
            pawl_signal_runs(f.engine, SIGCONT);
        }
        fixture_close(&f);
        unlink(path);
        unlink(none);
    }
    rmdir(gate);
}

/* One of the group ignores TERM and outlives the script, which does not: until it is gone, it holds
 * the FIFO open. */
static void
leave_one_behind(void (*end)(struct fixture *f))
{
    char dir[] = "/tmp/pawl-gate-XXXXXX", path[64], script[128], byte;
    struct fixture f;
    struct pawl_view view;
    int fd;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/g", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(script, sizeof script,
             "(trap '' TERM; exec 9> %s; echo >&9; exec sleep 1000) & wait", path);
    fixture_open(&f);
    submit(&f, "t", PAWL_DELAY, 0, script);
    view = await_version(&f, "t", 1);
    pawl_view_release(&view);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, &byte, 1), 1);
    end(&f);
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
    unlink(path);
    rmdir(dir);
    fixture_close(&f);
}

static void
end_by_delete(struct fixture *f)
{
    struct pawl_op op;

    assert_int_equal(pawl_delete(f->handle, "t", 1, true, &op, NULL), PAWL_OK);
}

static void
end_by_signal(struct fixture *f)
{
    pawl_signal_runs(f->engine, SIGTERM);
}

static void
test_who_outlives_a_script_that_was_ended_is_killed(void **state)
{
    (void) state;
    leave_one_behind(end_by_delete);
    leave_one_behind(end_by_signal);
}

static void
test_close_kills_a_run_that_left_its_group(void **state)
{
    struct fixture f;
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    submit(&f, "t", PAWL_DELAY, 0, "exec perl -e 'setpgrp(0, getpgrp(getppid())); sleep 1000'");
    view = await_version(&f, "t", 1);
    pawl_view_release(&view);
    fixture_close(&f);      /* was as long as the sleep */
}

static void
test_a_later_signal_does_not_replace_an_earlier_one(void **state)
{
    (void) state;
    for (int i = 0; i < 20; i++) {
        struct fixture f;
        struct pawl_view view;

        fixture_open(&f);
        submit(&f, "t", PAWL_DELAY, 0, "trap '' CONT; exec sleep 1000");
        view = await_version(&f, "t", 1);
        pawl_view_release(&view);
        pawl_signal_runs(f.engine, SIGKILL);
        pawl_signal_runs(f.engine, SIGCONT);
        view = await_version(&f, "t", 2);
        assert_int_equal(view.results[0]->signal, SIGKILL);
        pawl_view_release(&view);
        fixture_close(&f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_is_bash_and_its_name_is_pawl),
        cmocka_unit_test(test_run_has_three_descriptors_and_an_empty_stdin),
        cmocka_unit_test(test_run_has_default_signals_and_a_group_of_its_own),
        cmocka_unit_test(test_run_sees_the_environment_less_ours),
        cmocka_unit_test(test_run_is_told_which_one_it_is),
        cmocka_unit_test(test_run_gets_back_the_soft_limit_of_descriptors),
        cmocka_unit_test(test_long_scripts_run_as_short_ones_do),
        cmocka_unit_test(test_run_ends_with_its_process_though_a_grandchild_holds_the_pipe),
        cmocka_unit_test(test_output_keeps_head_and_tail_and_says_what_it_dropped),
        cmocka_unit_test(test_output_that_is_not_utf8_becomes_it),
        cmocka_unit_test(test_no_zombie_and_no_descriptor_is_left_after_many_runs),
        cmocka_unit_test(test_a_thousand_sleeping_runs_hold_up_nobody),
        cmocka_unit_test(test_max_running_bounds_the_runs_and_starts_the_rest_later),
        cmocka_unit_test(test_run_that_cannot_be_started_says_why),
        cmocka_unit_test(test_run_without_free_descriptors_ends_in_error),
        cmocka_unit_test(test_close_kills_what_still_runs_and_tells_when_idle),
        cmocka_unit_test(test_delete_with_kill_ends_the_run),
        cmocka_unit_test(test_who_outlives_a_script_that_was_ended_is_killed),
        cmocka_unit_test(test_close_kills_a_run_that_left_its_group),
        cmocka_unit_test(test_a_later_signal_does_not_replace_an_earlier_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
