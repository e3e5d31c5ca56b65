/* test_orphans.c: who is found of a run whose daemon died, and who is left alone. Runs are started
 * as the engine starts them; the test's process is their parent, so an ended one is a zombie here.
 * A script says on its output that it is ready; the output's end says that nobody holds it. */
#include "orphans.h"

#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define WAIT_MS 30000
#define SLEEP "sleep 1000"

struct run {
    struct pawl_child child;
    struct pawl_orphan orphan;
};

static struct pawl_interpreters interpreters;
static struct pawl_spawner spawner;
static struct pawl_spawn_room *room;

static int64_t
elapsed_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static void
start(struct run *run, const char *id, uint64_t number, const char *script)
{
    struct pawl_run_facts facts = {.id = id, .id_len = strlen(id), .run = number, .attempt = 1};
    struct pawl_err err = {0};

    *run = (struct run) {.orphan = {.started_elapsed_ns = elapsed_ns(), .id = id,
                                    .id_len = strlen(id), .run = number}};
    if (pawl_spawn(room, script, strlen(script), NULL, &facts, &run->child, &err) != PAWL_OK)
        fail_msg("spawn: %s", err.text);
    run->orphan.pid = run->child.pid;
}

/* One line of the script's output; false at its end. */
static bool
read_line(struct run *run, char line[64])
{
    for (size_t n = 0; n < 63;) {
        struct pollfd ready = {.fd = run->child.out_fd, .events = POLLIN};

        if (poll(&ready, 1, WAIT_MS) != 1)
            fail_msg("no output in %d ms", WAIT_MS);
        if (read(run->child.out_fd, line + n, 1) != 1)
            return false;
        if (line[n++] == '\n') {
            line[n - 1] = '\0';
            return true;
        }
    }
    fail_msg("a long line");
    return false;
}

static void
await_ready(struct run *run)
{
    char line[64];

    assert_true(read_line(run, line));
}

static void
assert_output_ended(struct run *run)
{
    char line[64];

    while (read_line(run, line))
        ;
}

/* How the run's first process ended, as wait() says. */
static int
reap(struct run *run)
{
    int status;

    assert_int_equal(waitpid(run->child.pid, &status, 0), run->child.pid);
    return status;
}

static void
close_run(struct run *run)
{
    close(run->child.pidfd);
    close(run->child.out_fd);
    close(run->child.err_fd);
}

static bool
is_running(struct run *run)
{
    struct pollfd ended = {.fd = run->child.pidfd, .events = POLLIN};

    return poll(&ended, 1, 0) == 0;
}

static void
end_run(struct run *run)
{
    kill(-run->child.pid, SIGKILL);
    kill(run->child.pid, SIGKILL);
    reap(run);
    close_run(run);
}

static void
deal(struct run *run, bool with_kill, int64_t grace_ns)
{
    struct pawl_err err = {0};

    if (pawl_orphans_deal(&run->orphan, 1, with_kill, grace_ns, &err) != PAWL_OK)
        fail_msg("%s", err.text);
}

static void
assert_ended_by(struct run *run, int sig)
{
    int status = reap(run);

    assert_true(run->orphan.is_alive);
    assert_true(run->orphan.is_killed);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), sig);
    close_run(run);
}

static void
assert_left_alone(struct run *run)
{
    deal(run, true, 0);
    assert_false(run->orphan.is_alive);
    assert_false(run->orphan.is_killed);
    assert_true(is_running(run));
}

/* --- The first process --- */

static void
test_leader_is_found_and_ended_by_term(void **state)
{
    struct run run;

    (void) state;
    start(&run, "a", 1, "exec " SLEEP);
    deal(&run, true, 10 * SECOND);
    assert_ended_by(&run, SIGTERM);
}

static void
test_who_ignores_term_gets_kill_after_its_grace(void **state)
{
    int64_t before = elapsed_ns();
    struct run run;

    (void) state;
    start(&run, "a", 1, "trap '' TERM; echo ready; while :; do " SLEEP "; done");
    await_ready(&run);
    deal(&run, true, SECOND / 20);
    assert_true(elapsed_ns() - before >= SECOND / 20);
    assert_output_ended(&run);
    assert_ended_by(&run, SIGKILL);
}

static void
test_without_kill_it_is_reported_and_left(void **state)
{
    struct run run;

    (void) state;
    start(&run, "a", 1, "exec " SLEEP);
    deal(&run, false, 0);
    assert_true(run.orphan.is_alive);
    assert_false(run.orphan.is_killed);
    assert_true(is_running(&run));
    end_run(&run);
}

static void
test_what_is_gone_is_not_alive(void **state)
{
    struct run run;

    (void) state;
    start(&run, "a", 1, "exit 0");
    assert_output_ended(&run);
    assert_int_equal(poll(&(struct pollfd) {run.child.pidfd, POLLIN, 0}, 1, WAIT_MS), 1);
    deal(&run, true, 0);                        /* a zombie */
    assert_false(run.orphan.is_alive);
    reap(&run);
    deal(&run, true, 0);
    assert_false(run.orphan.is_alive);
    run.orphan.pid = 0;                         /* it was never started */
    deal(&run, true, 0);
    assert_false(run.orphan.is_alive);
    close_run(&run);
}

static void
test_a_number_that_was_used_again_is_never_touched(void **state)
{
    static const int64_t off_ns[] = {-10 * SECOND, -3 * SECOND, SECOND, 10 * SECOND};
    struct run run;
    int64_t started_ns;

    (void) state;
    start(&run, "a", 1, "echo ready; exec " SLEEP);
    await_ready(&run);                          /* its environment is its own, not ours */
    started_ns = run.orphan.started_elapsed_ns;
    run.orphan.run = 2;
    for (size_t i = 0; i < sizeof off_ns / sizeof off_ns[0]; i++) {
        run.orphan.started_elapsed_ns = started_ns + off_ns[i];
        assert_left_alone(&run);
    }
    run.orphan.run = 1;
    run.orphan.id = "b";
    run.orphan.started_elapsed_ns = started_ns - 10 * SECOND;
    assert_left_alone(&run);
    run.orphan.id = NULL;
    assert_left_alone(&run);
    end_run(&run);
}

static void
test_a_start_that_was_noted_long_before_is_made_up_for_by_the_environment(void **state)
{
    struct run run;

    (void) state;
    start(&run, "a", 1, "echo ready; exec " SLEEP);
    await_ready(&run);
    run.orphan.started_elapsed_ns -= 10 * SECOND;
    deal(&run, true, 10 * SECOND);
    assert_ended_by(&run, SIGTERM);
}

static void
test_a_leader_that_left_its_group_is_found(void **state)
{
    struct run run;

    (void) state;
    start(&run, "a", 1, "exec perl -e 'setpgrp(0, getpgrp(getppid())); $| = 1; "
                        "print \"ready\\n\"; sleep 1000'");
    await_ready(&run);
    assert_int_not_equal(getpgid(run.child.pid), run.child.pid);
    deal(&run, true, 10 * SECOND);
    assert_ended_by(&run, SIGTERM);
}

static void
test_another_user_s_process_is_left(void **state)
{
    struct run run = {0};
    int ready[2];
    char byte;

    (void) state;
    if (getuid() != 0)
        skip();
    assert_int_equal(pipe(ready), 0);
    run.orphan = (struct pawl_orphan) {.started_elapsed_ns = elapsed_ns(), .id = "a", .id_len = 1};
    run.child.pid = run.orphan.pid = fork();
    if (run.child.pid == 0) {
        if (setpgid(0, 0) != 0 || setresuid(65534, 65534, 65534) != 0 ||
            write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    deal(&run, true, 0);
    assert_false(run.orphan.is_alive);
    assert_int_equal(waitpid(run.child.pid, NULL, WNOHANG), 0);
    kill(run.child.pid, SIGKILL);
    reap(&run);
    close(ready[0]);
    close(ready[1]);
}

static void
test_nobody_hunts_itself(void **state)
{
    pid_t pid;
    int status;

    (void) state;
    pid = fork();
    if (pid == 0) {
        struct pawl_orphan orphan = {.started_elapsed_ns = elapsed_ns() - SECOND};

        setpgid(0, 0);
        orphan.pid = getpid();
        _exit(pawl_orphans_deal(&orphan, 1, true, 0, NULL) != PAWL_OK || orphan.is_alive);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* --- The others --- */

static void
test_the_group_of_a_leader_that_lives_is_ended_whatever_it_has_for_environment(void **state)
{
    struct run run;

    (void) state;
    start(&run, "a", 1, "env -i /bin/bash -c 'echo ready; exec " SLEEP "' & wait");
    await_ready(&run);
    deal(&run, true, 10 * SECOND);
    assert_output_ended(&run);
    assert_ended_by(&run, SIGTERM);
}

/* A leader that has gone, and of its group one with the run's environment and one with another.
 * Gives the number of the second. */
static pid_t
leave_two(struct run *run, const char *other)
{
    char script[256], line[64], other_line[64] = "";

    snprintf(script, sizeof script,
             "bash -c 'echo ready; exec " SLEEP "' & "
             "%s bash -c 'echo $$; exec " SLEEP " >&- 2>&-' & exit", other);
    start(run, "a b", 12, script);
    for (int i = 0; i < 2; i++) {
        assert_true(read_line(run, line));
        if (strcmp(line, "ready") != 0)
            strcpy(other_line, line);
    }
    reap(run);
    return (pid_t) atoi(other_line);
}

static void
test_without_a_leader_only_those_whose_environment_tells_are_ended(void **state)
{
    static const char *const others[] = {
        "PAWL_RUN=1", "PAWL_RUN=123", "PAWL_TASK_ID=a", "PAWL_TASK_ID='a b c'",
        "env -u PAWL_RUN", "env -u PAWL_TASK_ID", "env -u PAWL_RUN XPAWL_RUN=12",
    };

    (void) state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct run run;
        pid_t other = leave_two(&run, others[i]);

        deal(&run, true, 10 * SECOND);
        assert_true(run.orphan.is_alive);
        assert_true(run.orphan.is_killed);
        assert_output_ended(&run);              /* the other one does not hold it */
        assert_int_equal(kill(other, 0), 0);
        assert_int_equal(getpgid(other), run.child.pid);
        kill(other, SIGKILL);
        close_run(&run);
    }
}

static void
test_without_a_leader_and_an_id_nobody_is_touched(void **state)
{
    struct run run;

    (void) state;
    leave_two(&run, "");
    run.orphan.id = NULL;
    deal(&run, true, 0);
    assert_false(run.orphan.is_alive);
    assert_int_equal(kill(-run.child.pid, 0), 0);
    kill(-run.child.pid, SIGKILL);
    close_run(&run);
}

static void
test_environment_is_read_wherever_the_entry_lies(void **state)
{
    struct run run;

    (void) state;
    start(&run, "a", 1, "for ((n = 3000; n < 4500; n += 13)); do export PAD=${PAD-$(printf %3000s)}"
                        "xxxxxxxxxxxxx; " SLEEP " & done");
    reap(&run);
    deal(&run, true, 10 * SECOND);
    assert_true(run.orphan.is_killed);
    assert_output_ended(&run);
    close_run(&run);
}

static void
test_who_is_made_while_others_are_ended_is_ended_too(void **state)
{
    struct run run;
    char line[64];

    (void) state;
    start(&run, "a", 1, "trap '(trap \"\" TERM; echo new; exec " SLEEP ") & exit' TERM; "
                        "echo ready; while :; do " SLEEP " & wait $!; done");
    await_ready(&run);
    deal(&run, true, SECOND / 20);
    assert_true(run.orphan.is_killed);
    while (read_line(&run, line))               /* ended, though it may never have said so */
        assert_string_equal(line, "new");
    reap(&run);
    close_run(&run);
}

/* --- Many --- */

#define NRUNS 60

static void
start_many(struct run *runs, struct pawl_orphan *orphans)
{
    for (size_t i = 0; i < NRUNS; i++) {
        start(&runs[i], "many", i + 1, i % 2 ? "exec " SLEEP : SLEEP " & wait");
        orphans[i] = runs[i].orphan;
    }
}

static void
assert_all_ended_and_close(struct run *runs, const struct pawl_orphan *orphans)
{
    for (size_t i = 0; i < NRUNS; i++) {
        assert_true(orphans[i].is_alive);
        assert_true(orphans[i].is_killed);
        assert_true(WIFSIGNALED(reap(&runs[i])));
        assert_output_ended(&runs[i]);
        close_run(&runs[i]);
    }
}

static void
test_all_are_dealt_with_at_once(void **state)
{
    struct run runs[NRUNS];
    struct pawl_orphan orphans[NRUNS];

    (void) state;
    start_many(runs, orphans);
    assert_int_equal(pawl_orphans_deal(orphans, NRUNS, true, 10 * SECOND, NULL), PAWL_OK);
    assert_all_ended_and_close(runs, orphans);
}

static void
test_with_few_descriptors_they_are_dealt_with_in_parts(void **state)
{
    struct run runs[NRUNS];
    struct pawl_orphan orphans[NRUNS];
    struct rlimit before, few;
    struct pawl_err err = {0};
    int code, fd;

    (void) state;
    start_many(runs, orphans);
    fd = dup(0);                                /* the lowest that is free */
    close(fd);
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = (rlim_t) fd;
    setrlimit(RLIMIT_NOFILE, &few);
    code = pawl_orphans_deal(orphans, NRUNS, true, 10 * SECOND, &err);
    assert_int_equal(code, PAWL_ESYS);
    few.rlim_cur = (rlim_t) fd + 8;
    setrlimit(RLIMIT_NOFILE, &few);
    code = pawl_orphans_deal(orphans, NRUNS, true, 10 * SECOND, &err);
    setrlimit(RLIMIT_NOFILE, &before);
    if (code != PAWL_OK)
        fail_msg("%s", err.text);
    assert_all_ended_and_close(runs, orphans);
}

static int
open_room(void **state)
{
    (void) state;
    spawner = (struct pawl_spawner) {.interpreters = &interpreters, .environment = environ};
    if (pawl_interpreters_init(&interpreters, NULL, NULL) != PAWL_OK ||
        pawl_spawner_init(&spawner, NULL) != PAWL_OK)
        return -1;
    room = pawl_spawn_room_new(&spawner);
    return room ? 0 : -1;
}

static int
close_room(void **state)
{
    (void) state;
    pawl_spawn_room_free(room);
    pawl_spawner_fini(&spawner);
    pawl_interpreters_fini(&interpreters);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leader_is_found_and_ended_by_term),
        cmocka_unit_test(test_who_ignores_term_gets_kill_after_its_grace),
        cmocka_unit_test(test_without_kill_it_is_reported_and_left),
        cmocka_unit_test(test_what_is_gone_is_not_alive),
        cmocka_unit_test(test_a_number_that_was_used_again_is_never_touched),
        cmocka_unit_test(test_a_start_that_was_noted_long_before_is_made_up_for_by_the_environment),
        cmocka_unit_test(test_a_leader_that_left_its_group_is_found),
        cmocka_unit_test(test_another_user_s_process_is_left),
        cmocka_unit_test(test_nobody_hunts_itself),
        cmocka_unit_test(
            test_the_group_of_a_leader_that_lives_is_ended_whatever_it_has_for_environment),
        cmocka_unit_test(test_without_a_leader_only_those_whose_environment_tells_are_ended),
        cmocka_unit_test(test_without_a_leader_and_an_id_nobody_is_touched),
        cmocka_unit_test(test_environment_is_read_wherever_the_entry_lies),
        cmocka_unit_test(test_who_is_made_while_others_are_ended_is_ended_too),
        cmocka_unit_test(test_all_are_dealt_with_at_once),
        cmocka_unit_test(test_with_few_descriptors_they_are_dealt_with_in_parts),
    };

    return cmocka_run_group_tests(tests, open_room, close_room);
}
