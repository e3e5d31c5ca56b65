/* test_runtable.c: the table of runs, as one daemon leaves it and the next one finds it. A daemon
 * here is a forked process that ends by SIGKILL. */
#include "runtable.h"

#include "race.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <cmocka.h>

#define HEADER 64           /* bytes of the file before the slots */

struct fixture {
    char dir[32];
    int dir_fd;
    struct pawl_runtable table;
};

static void
reopen(struct fixture *f, uint32_t nslots)
{
    struct pawl_err err = {0};

    if (pawl_runtable_open(&f->table, f->dir_fd, nslots, &err) != PAWL_OK)
        fail_msg("open: %s", err.text);
}

static void
fixture_open(struct fixture *f, uint32_t nslots)
{
    strcpy(f->dir, "/tmp/pawl-runs-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->table = (struct pawl_runtable) {.fd = -1};
    if (nslots > 0)
        reopen(f, nslots);
}

static void
fixture_close(struct fixture *f)
{
    pawl_runtable_close(&f->table);
    unlinkat(f->dir_fd, "runs", 0);
    unlinkat(f->dir_fd, "runs", AT_REMOVEDIR);
    close(f->dir_fd);
    rmdir(f->dir);
}

static uint32_t
state_of(const struct fixture *f, uint32_t slot)
{
    return atomic_load_explicit(&f->table.slots[slot].state, memory_order_acquire);
}

/* Values that all follow from one number, so that a torn slot shows. */
static struct pawl_slot
values_of(uint64_t n)
{
    return (struct pawl_slot) {
        .seq = n, .run = n + 1, .version = (int64_t) n + 2, .scheduled_ns = (int64_t) n + 3,
        .started_ns = (int64_t) n + 4, .started_elapsed_ns = (int64_t) n + 5,
    };
}

static void
assert_whole(const struct pawl_slot *slot)
{
    struct pawl_slot values = values_of(slot->seq);

    assert_int_equal(slot->run, values.run);
    assert_int_equal(slot->version, values.version);
    assert_int_equal(slot->scheduled_ns, values.scheduled_ns);
    assert_int_equal(slot->started_ns, values.started_ns);
    assert_int_equal(slot->started_elapsed_ns, values.started_elapsed_ns);
}

static uint32_t
take_and_fill(struct pawl_slot_part *part, uint64_t n)
{
    struct pawl_slot values = values_of(n);
    uint32_t slot = pawl_slot_take(part);

    if (slot != PAWL_SLOT_NONE)
        pawl_slot_fill(part->table, slot, &values);
    return slot;
}

static void
end_by_kill(pid_t pid)
{
    int status;

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

/* --- What is kept --- */

static void
test_slots_survive_a_process_that_is_killed(void **state)
{
    struct fixture f;
    int ready[2];
    char byte;
    pid_t pid;

    (void) state;
    fixture_open(&f, 0);
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        struct pawl_slot_part part;

        reopen(&f, 8);
        pawl_runtable_adopt(&f.table);
        pawl_slot_part_init(&part, &f.table, 0, 1);
        for (uint64_t n = 1; n <= 3; n++)
            atomic_store_explicit(&f.table.slots[take_and_fill(&part, n * 100)].pid, (int) n,
                                  memory_order_relaxed);
        pawl_slot_clear(&f.table, 1);
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    end_by_kill(pid);
    reopen(&f, 8);
    assert_true(f.table.is_same_boot);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(state_of(&f, i), i == 0 || i == 2 ? PAWL_SLOT_USED : 0);
    assert_int_equal(f.table.slots[0].seq, 100);
    assert_int_equal(f.table.slots[2].seq, 300);
    assert_int_equal(f.table.slots[2].pid, 3);
    assert_whole(&f.table.slots[0]);
    assert_whole(&f.table.slots[2]);
    close(ready[0]);
    close(ready[1]);
    fixture_close(&f);
}

/* Fills and clears without an end; started is written to once it does. */
static void
churn(struct fixture *f, int started)
{
    struct pawl_slot_part part;

    pawl_slot_part_init(&part, &f->table, 0, 1);
    for (uint64_t n = 1;; n++) {
        uint32_t slot = take_and_fill(&part, n * 1000);

        if (n == 100 && write(started, "", 1) != 1)
            _exit(1);
        if (n % 2 == 0) {
            pawl_slot_half_clear(&f->table, slot, PAWL_SLOT_ENDED);
            pawl_slot_half_clear(&f->table, slot, PAWL_SLOT_FORGOTTEN);
        } else {
            pawl_slot_clear(&f->table, slot);
        }
    }
}

static void
test_slots_are_whole_wherever_a_kill_strikes(void **state)
{
    const char *text = getenv("PAWL_TEST_KILLS");
    int rounds = text ? atoi(text) : 200, nused = 0;
    struct fixture f;

    (void) state;
    fixture_open(&f, 0);
    for (int i = 0; i < rounds; i++) {
        int started[2];
        char byte;
        pid_t pid;

        assert_int_equal(pipe(started), 0);
        pid = fork();
        if (pid == 0) {
            reopen(&f, 4);
            churn(&f, started[1]);
        }
        assert_int_equal(read(started[0], &byte, 1), 1);
        end_by_kill(pid);
        close(started[0]);
        close(started[1]);
        reopen(&f, 4);
        for (uint32_t slot = 0; slot < 4; slot++) {
            uint32_t found = state_of(&f, slot);

            assert_true(found == 0 || found == PAWL_SLOT_USED ||
                        found == (PAWL_SLOT_USED | PAWL_SLOT_ENDED));
            if (found != 0) {
                nused++;
                assert_whole(&f.table.slots[slot]);
                pawl_slot_clear(&f.table, slot);
            }
        }
        pawl_runtable_close(&f.table);
    }
    print_message("%d of %d kills left a slot in use\n", nused, rounds);
    fixture_close(&f);
}

static void
test_what_was_half_cleared_twice_is_free_to_the_next_daemon(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f, 2);
    /* As a kill between the second bit and the clearing leaves it. */
    atomic_store(&f.table.slots[0].state,
                 PAWL_SLOT_USED | PAWL_SLOT_ENDED | PAWL_SLOT_FORGOTTEN);
    atomic_store(&f.table.slots[1].state, PAWL_SLOT_USED | PAWL_SLOT_ENDED);
    pawl_runtable_close(&f.table);
    reopen(&f, 2);
    assert_int_equal(state_of(&f, 0), 0);
    assert_int_equal(state_of(&f, 1), PAWL_SLOT_USED | PAWL_SLOT_ENDED);
    fixture_close(&f);
}

static void
test_table_is_private_and_all_of_it_is_allocated(void **state)
{
    struct fixture f;
    struct stat status;

    (void) state;
    fixture_open(&f, 10000);
    assert_int_equal(fstatat(f.dir_fd, "runs", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, HEADER + 64 * 10000);
    assert_true(status.st_blocks * 512 >= status.st_size);
    fixture_close(&f);
}

static void
test_table_grows_and_never_shrinks(void **state)
{
    struct fixture f;
    struct pawl_slot values = values_of(7);
    struct stat status;

    (void) state;
    fixture_open(&f, 4);
    pawl_slot_fill(&f.table, 3, &values);
    pawl_runtable_close(&f.table);
    for (uint32_t nslots = 1000; nslots > 0; nslots /= 10) {
        reopen(&f, nslots);
        assert_int_equal(f.table.nslots, 1000);
        assert_int_equal(state_of(&f, 3), PAWL_SLOT_USED);
        assert_whole(&f.table.slots[3]);
        for (uint32_t i = 4; i < 1000; i++)
            assert_int_equal(state_of(&f, i), 0);
        pawl_runtable_close(&f.table);
    }
    assert_int_equal(fstatat(f.dir_fd, "runs", &status, 0), 0);
    assert_int_equal(status.st_size, HEADER + 64 * 1000);
    fixture_close(&f);
}

static void
test_without_room_opening_fails_and_says_so(void **state)
{
    struct fixture f;
    struct pawl_err err = {0};
    struct rlimit before, small;

    (void) state;
    fixture_open(&f, 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 8192;
    setrlimit(RLIMIT_FSIZE, &small);
    assert_int_equal(pawl_runtable_open(&f.table, f.dir_fd, 1000, &err), PAWL_ESYS);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    assert_non_null(strstr(err.text, "no room for 62 KiB"));
    assert_null(f.table.mapping);
    reopen(&f, 1000);       /* what the failure left does not hinder */
    assert_int_equal(f.table.nslots, 1000);
    fixture_close(&f);
}

/* --- The boot --- */

static void
test_slots_of_another_boot_are_told_from_ours_and_lose_their_pids(void **state)
{
    struct fixture f;
    struct pawl_slot values = values_of(1);

    (void) state;
    fixture_open(&f, 2);
    assert_false(f.table.is_same_boot);         /* no one said yet of which boot it is */
    pawl_runtable_adopt(&f.table);
    assert_true(f.table.is_same_boot);
    pawl_slot_fill(&f.table, 0, &values);
    atomic_store(&f.table.slots[0].pid, 4711);
    ((char *) f.table.mapping)[24] ^= 1;        /* the first character of the boot's id */
    pawl_runtable_close(&f.table);
    reopen(&f, 2);
    assert_false(f.table.is_same_boot);
    assert_int_equal(f.table.slots[0].pid, 4711);
    pawl_runtable_adopt(&f.table);
    assert_int_equal(f.table.slots[0].pid, 0);
    assert_int_equal(state_of(&f, 0), PAWL_SLOT_USED);
    assert_whole(&f.table.slots[0]);
    pawl_runtable_close(&f.table);
    reopen(&f, 2);
    assert_true(f.table.is_same_boot);
    fixture_close(&f);
}

/* --- Files that are none --- */

static void
assert_refused(struct fixture *f, const char *words)
{
    struct pawl_err err = {0};

    assert_int_equal(pawl_runtable_open(&f->table, f->dir_fd, 4, &err), PAWL_EDAMAGED);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" is not in \"%s\"", words, err.text);
    assert_int_equal(f->table.fd, -1);
}

/* Opens a table with 4 slots, changes one byte of it, closes it. */
static void
change_byte(struct fixture *f, size_t at, char value)
{
    reopen(f, 4);
    ((char *) f->table.mapping)[at] = value;
    pawl_runtable_close(&f->table);
}

static void
test_wrong_files_are_refused_and_left_as_they_are(void **state)
{
    struct fixture f;
    char before[HEADER + 256], after[HEADER + 256];
    int fd;

    (void) state;
    fixture_open(&f, 4);
    pawl_runtable_close(&f.table);
    fd = openat(f.dir_fd, "runs", O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, before, sizeof before, 0), sizeof before);

    change_byte(&f, 0, 'x');
    assert_refused(&f, "not a table of runs");
    assert_int_equal(pread(fd, after, sizeof after, 0), sizeof after);
    assert_int_equal(after[0], 'x');
    assert_memory_equal(after + 1, before + 1, sizeof after - 1);
    assert_int_equal(pwrite(fd, before, sizeof before, 0), sizeof before);

    change_byte(&f, 8, 2);
    assert_refused(&f, "of format 2");
    assert_int_equal(pwrite(fd, before, sizeof before, 0), sizeof before);
    change_byte(&f, 12, 32);                    /* the size of a slot */
    assert_refused(&f, "damaged");
    assert_int_equal(pwrite(fd, before, sizeof before, 0), sizeof before);

    assert_int_equal(ftruncate(fd, sizeof before - 1), 0);
    assert_refused(&f, "truncated");
    assert_int_equal(ftruncate(fd, 10), 0);     /* within the head */
    assert_refused(&f, "truncated");
    close(fd);
    fixture_close(&f);
}

static void
test_what_is_no_file_is_refused(void **state)
{
    struct fixture f;
    struct pawl_err err = {0};

    (void) state;
    fixture_open(&f, 0);
    assert_int_equal(mkfifoat(f.dir_fd, "runs", 0600), 0);
    assert_true(pawl_runtable_open(&f.table, f.dir_fd, 4, &err) < 0);
    unlinkat(f.dir_fd, "runs", 0);
    assert_int_equal(symlinkat("other", f.dir_fd, "runs"), 0);
    assert_int_equal(pawl_runtable_open(&f.table, f.dir_fd, 4, &err), PAWL_ESYS);
    unlinkat(f.dir_fd, "runs", 0);
    assert_int_equal(mkdirat(f.dir_fd, "runs", 0700), 0);
    assert_int_equal(pawl_runtable_open(&f.table, f.dir_fd, 4, &err), PAWL_ESYS);
    fixture_close(&f);
}

static void
test_a_file_whose_making_was_cut_is_made_anew(void **state)
{
    struct fixture f;
    int fd;

    (void) state;
    fixture_open(&f, 0);
    fd = openat(f.dir_fd, "runs", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (int size = 0; size < 200; size += 33) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(ftruncate(fd, size), 0);
        reopen(&f, 4);
        assert_int_equal(f.table.nslots, 4);
        pawl_runtable_close(&f.table);
    }
    reopen(&f, 4);
    memset(f.table.mapping, 0, 8);              /* all is written but the magic */
    pawl_runtable_close(&f.table);
    reopen(&f, 8);
    assert_int_equal(f.table.nslots, 8);
    close(fd);
    fixture_close(&f);
}

static void
test_who_copied_the_descriptor_holds_the_table_when_its_opener_is_dead(void **state)
{
    struct fixture f;
    int ready[2], gate[2], fd;
    char byte;
    pid_t opener;

    (void) state;
    fixture_open(&f, 0);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(gate), 0);
    opener = fork();
    if (opener == 0) {
        close(gate[1]);
        reopen(&f, 4);
        if (fork() == 0) {                      /* as a child before its exec is */
            if (write(ready[1], "", 1) != 1 || read(gate[0], &byte, 1) != 0)
                _exit(1);
            _exit(0);
        }
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    end_by_kill(opener);
    fd = openat(f.dir_fd, "runs", O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    close(gate[1]);                             /* lets it end */
    assert_int_equal(read(ready[0], &byte, 1), 0);
    close(fd);
    reopen(&f, 4);                              /* waits, if it must */
    close(ready[0]);
    close(gate[0]);
    fixture_close(&f);
}

/* --- Slots --- */

static void
test_take_goes_on_from_where_it_was_and_finds_what_was_cleared(void **state)
{
    struct fixture f;
    struct pawl_slot_part part;

    (void) state;
    fixture_open(&f, 4);
    pawl_slot_part_init(&part, &f.table, 0, 1);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(take_and_fill(&part, i), i);
    assert_int_equal(pawl_slot_take(&part), PAWL_SLOT_NONE);
    pawl_slot_clear(&f.table, 2);
    assert_int_equal(take_and_fill(&part, 20), 2);
    pawl_slot_clear(&f.table, 1);
    pawl_slot_clear(&f.table, 3);
    assert_int_equal(take_and_fill(&part, 30), 3);
    assert_int_equal(take_and_fill(&part, 10), 1);
    assert_int_equal(pawl_slot_take(&part), PAWL_SLOT_NONE);
    pawl_slot_clear(&f.table, PAWL_SLOT_NONE);
    fixture_close(&f);
}

static void
test_a_slot_that_is_filled_anew_has_no_pid(void **state)
{
    struct fixture f;
    struct pawl_slot values = values_of(1);

    (void) state;
    fixture_open(&f, 1);
    pawl_slot_fill(&f.table, 0, &values);
    atomic_store(&f.table.slots[0].pid, 99);
    pawl_slot_clear(&f.table, 0);
    pawl_slot_fill(&f.table, 0, &values);
    assert_int_equal(f.table.slots[0].pid, 0);
    fixture_close(&f);
}

static void
test_a_slot_s_next_process_has_a_start_and_no_pid_yet(void **state)
{
    struct pawl_slot_part part;
    struct fixture f;
    uint32_t slot;

    (void) state;
    fixture_open(&f, 4);
    pawl_slot_part_init(&part, &f.table, 0, 1);
    slot = take_and_fill(&part, 10);
    atomic_store_explicit(&f.table.slots[slot].pid, 4711, memory_order_relaxed);
    pawl_slot_next_process(&f.table, slot, 99);
    assert_int_equal(atomic_load_explicit(&f.table.slots[slot].pid, memory_order_relaxed), 0);
    assert_int_equal(f.table.slots[slot].started_elapsed_ns, 99);
    assert_int_equal(f.table.slots[slot].run, 11);
    assert_int_equal(state_of(&f, slot), PAWL_SLOT_USED);
    pawl_slot_next_process(&f.table, PAWL_SLOT_NONE, 100);
    fixture_close(&f);
}

static void
test_parts_are_disjoint_and_make_the_whole(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f, 37);
    for (unsigned n = 1; n <= 40; n++) {
        uint32_t count = 0;

        for (unsigned i = 0; i < n; i++) {
            struct pawl_slot_part part;
            uint32_t slot;

            pawl_slot_part_init(&part, &f.table, i, n);
            while ((slot = take_and_fill(&part, i)) != PAWL_SLOT_NONE) {
                assert_true(slot >= part.first && slot < part.first + part.n);
                count++;
            }
        }
        assert_int_equal(count, 37);            /* none was given twice: it was full */
        for (uint32_t slot = 0; slot < 37; slot++)
            pawl_slot_clear(&f.table, slot);
    }
    fixture_close(&f);
}

static void
test_half_clears_in_either_order_clear(void **state)
{
    static const uint32_t bits[2] = {PAWL_SLOT_ENDED, PAWL_SLOT_FORGOTTEN};
    struct fixture f;
    struct pawl_slot values = values_of(1);

    (void) state;
    fixture_open(&f, 1);
    for (int first = 0; first < 2; first++) {
        pawl_slot_fill(&f.table, 0, &values);
        pawl_slot_half_clear(&f.table, 0, bits[first]);
        assert_int_equal(state_of(&f, 0), PAWL_SLOT_USED | bits[first]);
        pawl_slot_half_clear(&f.table, 0, bits[!first]);
        assert_int_equal(state_of(&f, 0), 0);
    }
    pawl_slot_half_clear(&f.table, PAWL_SLOT_NONE, PAWL_SLOT_ENDED);
    fixture_close(&f);
}

static void
end_cb(void *ctx)
{
    struct fixture *f = ctx;

    assert_whole(&f->table.slots[0]);
    pawl_slot_half_clear(&f->table, 0, PAWL_SLOT_ENDED);
}

static void
forget_cb(void *ctx)
{
    struct fixture *f = ctx;

    assert_whole(&f->table.slots[0]);
    pawl_slot_half_clear(&f->table, 0, PAWL_SLOT_FORGOTTEN);
}

static void
test_half_clears_that_race_clear_once(void **state)
{
    unsigned rounds = race_rounds();
    struct fixture f;
    struct pawl_slot_part part;
    struct race race;

    (void) state;
    fixture_open(&f, 1);
    pawl_slot_part_init(&part, &f.table, 0, 1);
    race_begin(&race, end_cb, forget_cb, &f);
    for (unsigned i = 0; i < rounds; i++) {
        assert_int_equal(take_and_fill(&part, i), 0);
        race_round(&race);
        assert_int_equal(state_of(&f, 0), 0);
    }
    race_end(&race);
    fixture_close(&f);
}

/* The worker's side fills slots as long as there are numbers; the other one reads and clears. */
struct belt {
    struct fixture *f;
    unsigned n;
};

static void *
work(void *arg)
{
    struct belt *belt = arg;
    struct pawl_slot_part part;

    pawl_slot_part_init(&part, &belt->f->table, 0, 1);
    for (unsigned i = 1; i <= belt->n; i++) {
        while (take_and_fill(&part, i) == PAWL_SLOT_NONE)
            sched_yield();
    }
    return NULL;
}

static void
test_slots_pass_from_who_clears_to_who_fills(void **state)
{
    struct fixture f;
    struct belt belt = {&f, race_rounds()};
    uint64_t sum = 0;
    pthread_t worker;

    (void) state;
    fixture_open(&f, 3);
    assert_int_equal(pthread_create(&worker, NULL, work, &belt), 0);
    for (unsigned i = 0; i < belt.n;) {
        unsigned before = i;

        for (uint32_t slot = 0; slot < 3; slot++) {
            if (state_of(&f, slot) == 0)
                continue;
            assert_whole(&f.table.slots[slot]);
            sum += f.table.slots[slot].seq;
            pawl_slot_clear(&f.table, slot);
            i++;
        }
        if (i == before)
            sched_yield();
    }
    pthread_join(worker, NULL);
    assert_int_equal(sum, (uint64_t) belt.n * (belt.n + 1) / 2);
    fixture_close(&f);
}

struct half {
    struct belt *belt;
    uint32_t bit;
    uint64_t sum;
};

/* Looks at each slot once a filling, and sets its bit. */
static void *
half_clear(void *arg)
{
    struct half *half = arg;
    struct fixture *f = half->belt->f;

    for (unsigned i = 0; i < half->belt->n;) {
        unsigned before = i;

        for (uint32_t slot = 0; slot < 3; slot++) {
            uint32_t found = state_of(f, slot);

            if (found == 0 || found & half->bit)
                continue;
            assert_whole(&f->table.slots[slot]);
            half->sum += f->table.slots[slot].seq;
            pawl_slot_half_clear(&f->table, slot, half->bit);
            i++;
        }
        if (i == before)
            sched_yield();
    }
    return NULL;
}

static void
test_slots_pass_from_two_who_clear_by_halves_to_who_fills(void **state)
{
    struct fixture f;
    struct belt belt = {&f, race_rounds()};
    struct half halves[2] = {{&belt, PAWL_SLOT_ENDED, 0}, {&belt, PAWL_SLOT_FORGOTTEN, 0}};
    pthread_t worker, other;

    (void) state;
    fixture_open(&f, 3);
    assert_int_equal(pthread_create(&worker, NULL, work, &belt), 0);
    assert_int_equal(pthread_create(&other, NULL, half_clear, &halves[0]), 0);
    half_clear(&halves[1]);
    pthread_join(other, NULL);
    pthread_join(worker, NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(halves[i].sum, (uint64_t) belt.n * (belt.n + 1) / 2);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_survive_a_process_that_is_killed),
        cmocka_unit_test(test_slots_are_whole_wherever_a_kill_strikes),
        cmocka_unit_test(test_what_was_half_cleared_twice_is_free_to_the_next_daemon),
        cmocka_unit_test(test_table_is_private_and_all_of_it_is_allocated),
        cmocka_unit_test(test_table_grows_and_never_shrinks),
        cmocka_unit_test(test_without_room_opening_fails_and_says_so),
        cmocka_unit_test(test_slots_of_another_boot_are_told_from_ours_and_lose_their_pids),
        cmocka_unit_test(test_wrong_files_are_refused_and_left_as_they_are),
        cmocka_unit_test(test_what_is_no_file_is_refused),
        cmocka_unit_test(test_a_file_whose_making_was_cut_is_made_anew),
        cmocka_unit_test(test_who_copied_the_descriptor_holds_the_table_when_its_opener_is_dead),
        cmocka_unit_test(test_take_goes_on_from_where_it_was_and_finds_what_was_cleared),
        cmocka_unit_test(test_a_slot_that_is_filled_anew_has_no_pid),
        cmocka_unit_test(test_a_slot_s_next_process_has_a_start_and_no_pid_yet),
        cmocka_unit_test(test_parts_are_disjoint_and_make_the_whole),
        cmocka_unit_test(test_half_clears_in_either_order_clear),
        cmocka_unit_test(test_half_clears_that_race_clear_once),
        cmocka_unit_test(test_slots_pass_from_who_clears_to_who_fills),
        cmocka_unit_test(test_slots_pass_from_two_who_clear_by_halves_to_who_fills),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
