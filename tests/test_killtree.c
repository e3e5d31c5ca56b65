/* test_killtree.c: ending all that a run has started, by killMode, on the manual clock; with control
 * groups, where this process may make them, and without. Every process of a run says on a FIFO that it
 * is there, and holds another one open, whose end says that nobody is left. */
#include "action_fixture.h"

#include "shared.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#define PERL "exec perl -MPOSIX=setsid -e '$| = 1; open G, \">>\", $ENV{G}; select G; "
#define HERE " syswrite G, \"$$\\n\"; sleep 1000; '"

/* What a run may do to get away, as many processes as it has, and whether its first one ignores SIGTERM. */
struct escape {
    const char *script;
    int nprocesses;
    bool is_deaf;
};

static const struct escape escapes[] = {
    {PERL HERE, 1, false},
    {PERL "$SIG{TERM} = \"IGNORE\";" HERE, 1, true},
    {PERL "fork for 1 .. 3;" HERE, 8, false},
    {PERL "if (fork == 0) { setsid; $SIG{TERM} = \"IGNORE\"; }" HERE, 2, false},
    {PERL "if (fork == 0) { exit if fork; }" HERE, 2, false},
    {PERL "if (fork == 0) { setsid; exit if fork; $SIG{TERM} = \"IGNORE\"; setpgrp; }" HERE, 2, false},
    {PERL "$SIG{TERM} = \"IGNORE\"; if (fork == 0) { setsid; exit if fork; }" HERE, 2, true},
    {PERL "for (1 .. 30) { last if fork; setsid; }" HERE, 31, false},      /* a long line of sessions */
    {PERL "$SIG{TERM} = \"IGNORE\"; for (1 .. 7) { setsid if fork == 0; }" HERE, 128, true},
};

/* It answers SIGTERM with more of its kind, up to so many. */
static const char bomb[] =
    PERL "$n = 0; $SIG{TERM} = sub { while ($n++ < 6) { if (fork == 0) { setsid; } } };"
    " syswrite G, \"$$\\n\"; sleep 1000 while 1;'";

static bool without_cgroups;
static struct gate gate;
static char held_path[64];
static int held_fd;

static void
open_engine(struct fixture *f)
{
    struct pawl_options options;

    pawl_options_init(&options);
    options.nworkers = 2;
    options.tree_program = PAWL_TEST_TREE;
    options.without_cgroups = without_cgroups;
    fixture_open_with(f, &options);
    if (without_cgroups)
        assert_null(f->engine->tree.cgroup);
    else if (!f->engine->tree.cgroup)
        skip();                         /* they cannot be made here */
}

static int
open_gates(void **state)
{
    (void) state;
    gate_open(&gate);
    snprintf(held_path, sizeof held_path, "%s/held", gate.dir);
    assert_int_equal(mkfifo(held_path, 0600), 0);
    held_fd = open(held_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(held_fd >= 0);
    return 0;
}

static int
close_gates(void **state)
{
    (void) state;
    close(held_fd);
    unlink(held_path);
    gate_close(&gate);
    return 0;
}

/* Submits a script that has $G and holds the other one open. */
static void
submit_held(struct fixture *f, const char *script, enum pawl_kill_mode mode)
{
    struct pawl_action action = NO_ACTION;
    char text[1024];

    action.timeout_ns = SECOND;
    action.kill_mode = mode;
    snprintf(text, sizeof text, "export G=%s; exec 9>>%s; %s", gate.path, held_path, script);
    submit_action(f, "t", text, &action);
}

/* One number that a process wrote. */
static pid_t
await_process(void)
{
    char line[16] = "";

    for (size_t n = 0; n + 1 < sizeof line; n++) {
        line[n] = gate_wait(&gate);
        if (line[n] == '\n')
            return (pid_t) atoi(line);
    }
    fail_msg("no number: %s", line);
    return 0;
}

static bool
is_held(void)
{
    struct pollfd held = {.fd = held_fd, .events = POLLIN};

    assert_true(poll(&held, 1, 0) >= 0);
    return !(held.revents & POLLHUP);
}

static void
await_nobody(void)
{
    struct pollfd held = {.fd = held_fd, .events = POLLIN};

    if (poll(&held, 1, WAIT_MS) != 1)
        fail_msg("processes are left after %d ms", WAIT_MS);
    assert_true(held.revents & POLLHUP);
}

static void
assert_outcome(struct fixture *f, enum pawl_outcome outcome, int exit_code, int sig)
{
    struct pawl_view view = await_result(f, "t");
    const struct pawl_result *result = view.results[0];

    assert_string_equal(pawl_outcome_name(result->outcome), pawl_outcome_name(outcome));
    assert_int_equal(result->exit_code, exit_code);
    assert_int_equal(result->signal, sig);
    pawl_view_release(&view);
}

/* --- At the time limit --- */

/* Whoever ignores it or not: SIGTERM has been sent when a later change is seen. */
static void
end_by_limit(struct fixture *f, bool is_deaf)
{
    fixture_advance(f, SECOND);
    if (!is_deaf)
        return;
    submit_action(f, "other", "true", NULL);
    assert_output(f, "other", PAWL_SUCCESS, "");
    fixture_advance(f, PAWL_KILL_GRACE_NS);
}

static void
test_after_the_time_limit_nobody_is_left_of_a_tree(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        struct fixture f;

        open_engine(&f);
        submit_held(&f, escapes[i].script, PAWL_KILL_TREE);
        for (int n = 0; n < escapes[i].nprocesses; n++)
            await_process();
        assert_true(is_held());
        end_by_limit(&f, escapes[i].is_deaf);
        assert_outcome(&f, PAWL_TIMEOUT, -1, escapes[i].is_deaf ? SIGKILL : SIGTERM);
        if (is_held())
            fail_msg("of escape %zu processes are left when the result is there", i);
        fixture_close(&f);
    }
}

static void
test_who_makes_more_processes_when_it_is_to_end_is_ended_with_them(void **state)
{
    struct fixture f;

    (void) state;
    open_engine(&f);
    submit_held(&f, bomb, PAWL_KILL_TREE);
    await_process();
    end_by_limit(&f, true);
    assert_outcome(&f, PAWL_TIMEOUT, -1, SIGKILL);
    assert_false(is_held());
    fixture_close(&f);
}

static void
test_with_group_the_group_is_gone_and_who_left_it_is_not(void **state)
{
    pid_t left[2];
    struct fixture f;

    (void) state;
    open_engine(&f);
    submit_held(&f, PERL "if (fork == 0) { setsid; close STDOUT; close STDERR; }" HERE,
                PAWL_KILL_GROUP);
    left[0] = await_process();
    left[1] = await_process();
    fixture_advance(&f, SECOND);
    assert_outcome(&f, PAWL_TIMEOUT, -1, SIGTERM);
    assert_true(is_held());
    for (int i = 0; i < 2; i++) {
        if (getsid(left[i]) == left[i])
            kill(left[i], SIGKILL);
    }
    await_nobody();
    fixture_close(&f);
}

static void
test_nobody_beside_the_tree_is_hit(void **state)
{
    struct fixture f;
    pid_t child;

    (void) state;
    open_engine(&f);
    child = fork();
    if (child == 0) {
        setsid();
        for (;;)
            pause();
    }
    submit_held(&f, escapes[2].script, PAWL_KILL_TREE);
    for (int n = 0; n < escapes[2].nprocesses; n++)
        await_process();
    end_by_limit(&f, false);
    assert_outcome(&f, PAWL_TIMEOUT, -1, SIGTERM);
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    fixture_close(&f);
}

static void
test_a_stopped_tree_is_ended(void **state)
{
    struct fixture f;

    (void) state;
    open_engine(&f);
    submit_held(&f, "kill -STOP $PPID; " PERL "$SIG{TERM} = \"IGNORE\";" HERE, PAWL_KILL_TREE);
    await_process();
    end_by_limit(&f, true);
    assert_outcome(&f, PAWL_TIMEOUT, -1, SIGKILL);
    assert_false(is_held());
    fixture_close(&f);
}

static void
test_who_kills_pawl_tree_has_ended_its_run(void **state)
{
    struct fixture f;

    (void) state;
    open_engine(&f);
    submit_held(&f, "kill -KILL $PPID; " PERL HERE, PAWL_KILL_TREE);
    assert_outcome(&f, PAWL_KILLED, -1, SIGKILL);
    await_nobody();
    fixture_close(&f);
}

/* Only a control group keeps them together then. */
static void
test_who_kills_pawl_tree_when_it_is_to_end_does_not_get_away(void **state)
{
    struct fixture f;

    (void) state;
    open_engine(&f);
    submit_held(&f, PERL "if (fork == 0) { setsid; $SIG{TERM} = \"IGNORE\"; } else "
                         "{ $SIG{TERM} = sub { kill KILL => getppid }; }" HERE, PAWL_KILL_TREE);
    await_process();
    await_process();
    fixture_advance(&f, SECOND);
    assert_outcome(&f, PAWL_TIMEOUT, -1, SIGKILL);
    await_nobody();
    fixture_close(&f);
}

/* --- Otherwise --- */

static void
test_stop_and_delete_with_kill_leave_nobody(void **state)
{
    (void) state;
    for (int i = 0; i < 2; i++) {
        struct asked asked = {.op.done = asked_cb};
        struct fixture f;
        int code;

        open_engine(&f);
        submit_held(&f, escapes[5].script, PAWL_KILL_TREE);
        await_process();
        await_process();
        code = i == 0 ? pawl_stop(f.handle, "t", 1, true, &asked.op, NULL)
                      : pawl_delete(f.handle, "t", 1, true, &asked.op, NULL);
        assert_int_equal(end_of(&f, &asked, code), PAWL_OK);
        await_nobody();
        fixture_close(&f);
    }
}

static void
test_a_run_that_makes_room_for_the_next_leaves_nobody(void **state)
{
    struct pawl_action action = NO_ACTION;
    struct pawl_policy policy;
    char script[1024];
    struct pawl_spec spec = {
        .id = "t", .id_len = 1, .type = PAWL_CRON, .time_ns = SECOND, .script = script,
        .keep_results = -1, .action = &action, .policy = &policy,
    };
    struct asked asked = {.op.done = asked_cb};
    struct pawl_view view;
    pid_t before[2];
    struct fixture f;

    (void) state;
    pawl_policy_init(&policy);
    policy.overlap = PAWL_OVERLAP_REPLACE;
    action.kill_mode = PAWL_KILL_TREE;
    spec.script_len = (size_t) snprintf(script, sizeof script, "export G=%s; exec 9>>%s; %s", gate.path,
                                        held_path, escapes[5].script);
    open_engine(&f);
    assert_int_equal(end_of(&f, &asked, pawl_submit(f.handle, &spec, &asked.op, NULL)), PAWL_OK);
    fixture_advance(&f, SECOND);
    before[0] = await_process();
    before[1] = await_process();
    fixture_advance(&f, SECOND);
    view = await_version(&f, "t", 2);
    assert_int_equal(view.results[0]->outcome, PAWL_KILLED);
    pawl_view_release(&view);
    for (int i = 0; i < 2; i++)
        assert_int_equal(kill(before[i], 0), -1);
    await_process();
    await_process();
    fixture_close(&f);
    assert_false(is_held());
}

static void
test_the_end_of_the_engine_leaves_nobody(void **state)
{
    struct fixture f;

    (void) state;
    open_engine(&f);
    submit_held(&f, escapes[8].script, PAWL_KILL_TREE);
    for (int n = 0; n < escapes[8].nprocesses; n++)
        await_process();
    fixture_close(&f);
    assert_false(is_held());
}

static void
test_what_a_script_left_when_it_ended_by_itself_lives_on(void **state)
{
    struct fixture f;
    pid_t left;

    (void) state;
    open_engine(&f);
    submit_held(&f, "(" PERL HERE ") >&- 2>&- & head -c0 $G; exit 0", PAWL_KILL_TREE);
    left = await_process();
    assert_outcome(&f, PAWL_SUCCESS, 0, 0);
    assert_true(is_held());
    assert_int_equal(kill(left, SIGKILL), 0);
    await_nobody();
    fixture_close(&f);
}

static void
test_a_run_ends_as_its_script_does(void **state)
{
    static const struct {
        const char *script, *out;
        enum pawl_outcome outcome;
        int exit_code, sig;
    } cases[] = {
        {"echo out; exit 0", "out\n", PAWL_SUCCESS, 0, 0},
        {"exit 1", "", PAWL_FAILURE, 1, 0},
        {"exit 255", "", PAWL_FAILURE, 255, 0},
        {"kill -KILL $$", "", PAWL_KILLED, -1, SIGKILL},
        {"kill -TERM $$", "", PAWL_KILLED, -1, SIGTERM},
        {"ulimit -c 0; kill -SEGV $$", "", PAWL_KILLED, -1, SIGSEGV},
        {"kill -USR1 $$", "", PAWL_KILLED, -1, SIGUSR1},
        {"kill -KILL 0", "", PAWL_KILLED, -1, SIGKILL},
        {"echo $0 $1 ${PAWL_TASK_ID}; pwd; umask", "pawl a t\n/usr\n0077\n", PAWL_SUCCESS, 0, 0},
        {"ps -o pgid= -p $$ | tr -d ' ' | sed \"s/^$$\\$/own/\"", "own\n", PAWL_SUCCESS, 0, 0},
        {"exec grep -E 'Sig(Blk|Ign)' /proc/self/status",
         "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n", PAWL_SUCCESS, 0, 0},
        {"exec ls /proc/self/fd", "0\n1\n2\n3\n", PAWL_SUCCESS, 0, 0},      /* 3: of the directory */
    };
    static const char *const args[] = {"a", NULL};

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pawl_action action = {.umask = 0077, .kill_grace_ns = -1, .args = args, .cwd = "/usr"};
        struct pawl_view view;
        struct fixture f;

        open_engine(&f);
        action.kill_mode = PAWL_KILL_TREE;
        submit_action(&f, "t", cases[i].script, &action);
        assert_outcome(&f, cases[i].outcome, cases[i].exit_code, cases[i].sig);
        view = get(&f, "t");
        assert_string_equal(view.results[0]->out, cases[i].out);
        pawl_view_release(&view);
        fixture_close(&f);
    }
}

static void
test_a_long_script_and_one_that_is_a_file_are_run(void **state)
{
    struct pawl_action action = {.umask = -1, .kill_grace_ns = -1, .kill_mode = PAWL_KILL_TREE};
    size_t len = (size_t) 200 << 10;
    char *text = malloc(len + 1);
    struct fixture f;

    (void) state;
    assert_non_null(text);
    memset(text, '#', len);
    memcpy(text, "echo long\n", 10);
    text[len] = '\0';
    open_engine(&f);
    submit_action(&f, "long", text, &action);
    assert_output(&f, "long", PAWL_SUCCESS, "long\n");
    action.interpreter = "perl";
    submit_action(&f, "file", "print qq(perl\\n);", &action);
    assert_output(&f, "file", PAWL_SUCCESS, "perl\n");
    free(text);
    fixture_close(&f);
}

/* The group is the script's own, and gone when the result is there. */
static void
test_a_run_has_a_control_group_of_its_own_and_leaves_none(void **state)
{
    struct pawl_action action = {.umask = -1, .kill_grace_ns = -1, .kill_mode = PAWL_KILL_TREE};
    struct pawl_view view;
    struct fixture f;
    char path[4200];
    const char *out, *name;

    (void) state;
    open_engine(&f);
    submit_action(&f, "t", "sed -n 's/^0:://p' /proc/self/cgroup | tr -d '\\n'", &action);
    view = await_result(&f, "t");
    out = view.results[0]->out;
    name = strrchr(out, '/');
    assert_non_null(name);
    assert_memory_equal(name, "/pawl-", 6);
    snprintf(path, sizeof path, "%s%s", f.engine->tree.cgroup, name);
    assert_int_equal(access(path, F_OK), -1);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_groups_that_a_dead_process_left_are_removed_and_those_in_use_are_not(void **state)
{
    char left[4200], used[4200];
    struct fixture f;
    int fd;

    (void) state;
    open_engine(&f);
    snprintf(left, sizeof left, "%s/pawl-%d-left", f.engine->tree.cgroup, (int) getpid());
    snprintf(used, sizeof used, "%s/pawl-%d-used", f.engine->tree.cgroup, (int) getpid());
    fixture_close(&f);
    assert_int_equal(mkdir(left, 0755), 0);
    assert_int_equal(mkdir(used, 0755), 0);
    fd = open(used, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    open_engine(&f);
    assert_int_equal(access(left, F_OK), -1);
    assert_int_equal(access(used, F_OK), 0);
    fixture_close(&f);
    close(fd);
    assert_int_equal(rmdir(used), 0);
}

static void
test_without_pawl_tree_the_mode_is_refused(void **state)
{
    struct pawl_action action = {.umask = -1, .kill_grace_ns = -1, .kill_mode = PAWL_KILL_TREE};
    struct pawl_options options;
    struct pawl_err err = {0};
    struct fixture f;

    (void) state;
    pawl_options_init(&options);
    options.nworkers = 1;
    options.tree_program = "/nowhere/pawl-tree";
    fixture_open_with(&f, &options);
    assert_int_equal(try_submit_action(&f, "t", "true", &action, &err), PAWL_EINVAL);
    assert_string_equal(err.field, "killMode");
    assert_non_null(strstr(err.text, "pawl-tree"));
    fixture_close(&f);
}

static int
by_subreaper(void **state)
{
    without_cgroups = true;
    return open_gates(state);
}

static int
by_cgroup(void **state)
{
    without_cgroups = false;
    return open_gates(state);
}

#define BOTH(test)                                                                                \
    {#test " (subreaper)", test, by_subreaper, close_gates, NULL},                                \
    BY_CGROUP(test)
#define BY_CGROUP(test) {#test " (cgroup)", test, by_cgroup, close_gates, NULL}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_after_the_time_limit_nobody_is_left_of_a_tree),
        BOTH(test_who_makes_more_processes_when_it_is_to_end_is_ended_with_them),
        BOTH(test_with_group_the_group_is_gone_and_who_left_it_is_not),
        BOTH(test_nobody_beside_the_tree_is_hit),
        BOTH(test_a_stopped_tree_is_ended),
        BOTH(test_who_kills_pawl_tree_has_ended_its_run),
        BY_CGROUP(test_who_kills_pawl_tree_when_it_is_to_end_does_not_get_away),
        BOTH(test_stop_and_delete_with_kill_leave_nobody),
        BOTH(test_a_run_that_makes_room_for_the_next_leaves_nobody),
        BOTH(test_the_end_of_the_engine_leaves_nobody),
        BOTH(test_what_a_script_left_when_it_ended_by_itself_lives_on),
        BOTH(test_a_run_ends_as_its_script_does),
        BOTH(test_a_long_script_and_one_that_is_a_file_are_run),
        BY_CGROUP(test_a_run_has_a_control_group_of_its_own_and_leaves_none),
        BY_CGROUP(test_groups_that_a_dead_process_left_are_removed_and_those_in_use_are_not),
        cmocka_unit_test(test_without_pawl_tree_the_mode_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
