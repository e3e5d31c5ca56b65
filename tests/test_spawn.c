/* test_spawn.c: what a child is told, and that its number is noted whatever becomes of its parent.
 * What a script finds around it is in test_run.c. */
#include "spawn.h"

#include "run.h"
#include "runtable.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define WAIT_MS 30000

static struct pawl_interpreters interpreters;
static struct pawl_spawner spawner;
static struct pawl_spawn_room *room;

/* Runs a script to its end and gives its output. */
static char *
output_of(const char *script, const struct pawl_run_facts *facts)
{
    struct pawl_child child;
    struct pawl_err err = {0};
    char *text = calloc(1, 4096);
    size_t len = 0;
    int status;

    if (pawl_spawn(room, script, strlen(script), NULL, facts, &child, &err) != PAWL_OK)
        fail_msg("spawn: %s", err.text);
    for (;;) {
        struct pollfd ready = {.fd = child.out_fd, .events = POLLIN};
        ssize_t n;

        assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        n = read(child.out_fd, text + len, 4095 - len);
        if (n <= 0)
            break;
        len += (size_t) n;
    }
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    assert_int_equal(status, 0);
    close(child.pidfd);
    close(child.out_fd);
    close(child.err_fd);
    return text;
}

/* --- What it is told --- */

static void
test_script_finds_its_id_whatever_is_in_it(void **state)
{
    char longest[PAWL_ID_MAX + 1];
    const char *ids[] = {
        "a", "two words ", "it's \"quoted\" $HOME `id` \\n", "größe-\xE6\x97\xA5\xE6\x9C\xAC",
        "a=b=c", longest,
    };

    (void) state;
    memset(longest, 'x', PAWL_ID_MAX);
    longest[PAWL_ID_MAX] = '\0';
    memcpy(longest + PAWL_ID_MAX - 3, "\xE6\x97\xA5", 3);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct pawl_run_facts facts = {.id = ids[i], .id_len = strlen(ids[i]), .run = 1,
                                       .attempt = 1};
        char *text = output_of("printf %s \"$PAWL_TASK_ID\"; printenv PAWL_TASK_ID | wc -l",
                               &facts);

        assert_memory_equal(text, ids[i], strlen(ids[i]));
        assert_string_equal(text + strlen(ids[i]), "1\n");
        free(text);
    }
}

static void
test_an_id_ends_where_its_length_says(void **state)
{
    struct pawl_run_facts facts = {.id = "task and more", .id_len = 4, .run = 1, .attempt = 1};
    char *text = output_of("printf %s \"$PAWL_TASK_ID\"", &facts);

    (void) state;
    assert_string_equal(text, "task");
    free(text);
}

static void
test_script_finds_its_run_its_attempt_and_its_due_time(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } times[] = {
        {0, "1970-01-01T00:00:00.000000000Z"},
        {-1, "1969-12-31T23:59:59.999999999Z"},
        {INT64_C(1800000000000000000), "2027-01-15T08:00:00.000000000Z"},
        {INT64_C(1800000000012345678), "2027-01-15T08:00:00.012345678Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
        {INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct pawl_run_facts facts = {"t", 1, UINT64_MAX - i, 1 + (unsigned) i, times[i].ns, NULL};
        char expected[128];
        char *text = output_of("echo $PAWL_RUN $PAWL_ATTEMPT $PAWL_SCHEDULED_AT", &facts);

        snprintf(expected, sizeof expected, "%llu %zu %s\n", (unsigned long long) UINT64_MAX - i,
                 i + 1, times[i].text);
        assert_string_equal(text, expected);
        free(text);
    }
}

static void
test_the_rest_of_the_environment_is_the_spawner_s(void **state)
{
    struct pawl_run_facts facts = {"t", 1, 1, 1, 0, NULL};
    char *text = output_of("cut -z -d= -f1 /proc/$$/environ | tr '\\0' ' '", &facts);

    (void) state;
    assert_string_equal(text, "PAWL_TASK_ID PAWL_RUN PAWL_ATTEMPT PAWL_SCHEDULED_AT PATH OTHER ");
    free(text);
}

/* --- Its number --- */

static void
test_number_is_noted_when_the_spawn_returns(void **state)
{
    _Atomic int32_t pid_slot = 0;
    struct pawl_run_facts facts = {"t", 1, 1, 1, 0, &pid_slot};
    char expected[32], *text = output_of("echo $$", &facts);

    (void) state;
    snprintf(expected, sizeof expected, "%d\n", (int) atomic_load(&pid_slot));
    assert_string_equal(text, expected);
    free(text);
}

static void
test_number_is_gone_when_the_spawn_failed(void **state)
{
    static const char *const elsewhere[] = {"bash=/nowhere/bash", NULL};
    struct pawl_spawner other = spawner;
    struct pawl_interpreters others;
    struct pawl_spawn_room *other_room;
    _Atomic int32_t pid_slot = 0;
    struct pawl_run_facts facts = {"t", 1, 1, 1, 0, &pid_slot};
    struct pawl_child child;
    struct pawl_err err = {0};

    (void) state;
    assert_int_equal(pawl_interpreters_init(&others, elsewhere, NULL), PAWL_OK);
    other.interpreters = &others;
    other_room = pawl_spawn_room_new(&other);
    assert_int_equal(pawl_spawn(other_room, ":", 1, NULL, &facts, &child, &err), PAWL_ESYS);
    assert_int_equal(atomic_load(&pid_slot), 0);
    assert_non_null(strstr(err.text, "/nowhere/bash"));
    pawl_spawn_room_free(other_room);
    pawl_interpreters_fini(&others);
}

/* A daemon that starts one run and is traced: it stops at the clone, its child before the first
 * instruction. */
static void
be_traced_daemon(int dir_fd, const char *script)
{
    struct pawl_runtable table;
    struct pawl_slot values = {.seq = 5, .run = 7};
    struct pawl_run_facts facts = {"t", 1, 7, 1, 0, NULL};
    struct pawl_child child;

    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 ||
        pawl_runtable_open(&table, dir_fd, 1, NULL) != PAWL_OK)
        _exit(1);
    pawl_slot_fill(&table, 0, &values);
    facts.pid_slot = &table.slots[0].pid;
    raise(SIGSTOP);
    pawl_spawn(room, script, strlen(script), NULL, &facts, &child, NULL);
    _exit(2);
}

/* Lets the traced daemon go until it has cloned; the child's number. */
static pid_t
trace_to_the_clone(pid_t daemon)
{
    unsigned long child;
    int status;

    assert_int_equal(waitpid(daemon, &status, 0), daemon);
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, daemon, NULL, PTRACE_O_TRACEVFORK), 0);
    assert_int_equal(ptrace(PTRACE_CONT, daemon, NULL, NULL), 0);
    assert_int_equal(waitpid(daemon, &status, 0), daemon);
    assert_int_equal(status >> 8, SIGTRAP | PTRACE_EVENT_VFORK << 8);
    assert_int_equal(ptrace(PTRACE_GETEVENTMSG, daemon, NULL, &child), 0);
    assert_int_equal(waitpid((pid_t) child, &status, __WALL), child);
    assert_true(WIFSTOPPED(status));
    return (pid_t) child;
}

static void
test_number_is_noted_and_the_table_held_though_the_parent_is_killed_before_exec(void **state)
{
    char dir[] = "/tmp/pawl-spawn-XXXXXX", path[64], script[160], line[64] = "", expected[64];
    struct pawl_runtable table;
    struct pawl_err err = {0};
    pid_t daemon, child;
    int dir_fd, fd, status;
    FILE *fifo;

    (void) state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(script, sizeof script, "echo $$ $PAWL_RUN $(cut -d' ' -f5 /proc/$$/stat) > %s", path);
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    daemon = fork();
    if (daemon == 0)
        be_traced_daemon(dir_fd, script);
    child = trace_to_the_clone(daemon);
    assert_int_equal(kill(daemon, SIGKILL), 0);
    assert_int_equal(waitpid(daemon, &status, 0), daemon);
    assert_true(WIFSIGNALED(status));

    /* The daemon is dead, the child not yet at its first instruction. */
    fd = openat(dir_fd, "runs", O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    close(fd);
    assert_int_equal(ptrace(PTRACE_DETACH, child, NULL, NULL), 0);
    if (pawl_runtable_open(&table, dir_fd, 1, &err) != PAWL_OK)
        fail_msg("%s", err.text);
    assert_int_equal(table.slots[0].state, PAWL_SLOT_USED);
    assert_int_equal(table.slots[0].seq, 5);
    assert_int_equal(table.slots[0].pid, child);
    assert_int_equal(getpgid(child), child);    /* it is not before exec any more */

    fifo = fopen(path, "r");
    assert_non_null(fgets(line, sizeof line, fifo));
    snprintf(expected, sizeof expected, "%d 7 %d\n", (int) child, (int) child);
    assert_string_equal(line, expected);
    fclose(fifo);
    pawl_runtable_close(&table);
    unlinkat(dir_fd, "runs", 0);
    unlinkat(dir_fd, "fifo", 0);
    close(dir_fd);
    rmdir(dir);
}

/* The worker notes its end at once, and looks at it no more. */
static void
test_run_that_cannot_be_watched_has_nothing_open(void **state)
{
    struct pawl_spec spec = {.id = "a", .id_len = 1, .script = "sleep 600", .script_len = 9};
    struct pawl_run_facts facts = {.id = "a", .id_len = 1, .run = 1, .attempt = 1};
    struct pawl_run *run = pawl_run_new();

    (void) state;
    assert_non_null(run);
    run->def = pawl_def_new(&spec, 0, NULL);
    assert_non_null(run->def);
    assert_int_equal(pawl_run_start(run, room, &facts, -1), PAWL_ESYS);
    assert_int_equal(run->error.code, PAWL_ESYS);
    assert_true(pawl_run_is_over(run));
    for (int kind = 0; kind < PAWL_NSOURCE; kind++)
        assert_int_equal(run->sources[kind].fd, -1);
    pawl_run_free(run, -1);
}

static int
open_room(void **state)
{
    static char *environment[] = {(char *) "PATH=/usr/bin:/bin", (char *) "OTHER=x", NULL};

    (void) state;
    spawner = (struct pawl_spawner) {.interpreters = &interpreters, .environment = environment};
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
        cmocka_unit_test(test_script_finds_its_id_whatever_is_in_it),
        cmocka_unit_test(test_an_id_ends_where_its_length_says),
        cmocka_unit_test(test_script_finds_its_run_its_attempt_and_its_due_time),
        cmocka_unit_test(test_the_rest_of_the_environment_is_the_spawner_s),
        cmocka_unit_test(test_number_is_noted_when_the_spawn_returns),
        cmocka_unit_test(test_run_that_cannot_be_watched_has_nothing_open),
        cmocka_unit_test(test_number_is_gone_when_the_spawn_failed),
        cmocka_unit_test(
            test_number_is_noted_and_the_table_held_though_the_parent_is_killed_before_exec),
    };

    return cmocka_run_group_tests(tests, open_room, close_room);
}
