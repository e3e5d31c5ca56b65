/* test_store_faults.c: the embedded store on a disk that fails: this program stands between SQLite
 * and the system's calls, and makes them fail when it is told to. */
#include "store_fixture.h"

#include <errno.h>
#include <sys/syscall.h>

/* Which calls fail, and how: the errno, 0 for not at all. Set between calls, on one thread. */
static int sync_error, write_error;

int
fdatasync(int fd)
{
    if (sync_error == 0)
        return (int) syscall(SYS_fdatasync, fd);
    errno = sync_error;
    return -1;
}

int
fsync(int fd)
{
    if (sync_error == 0)
        return (int) syscall(SYS_fsync, fd);
    errno = sync_error;
    return -1;
}

ssize_t
pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    if (write_error == 0)
        return syscall(SYS_pwrite64, fd, bytes, len, at);
    errno = write_error;
    return -1;
}

static void
open_sync(struct fixture *f)
{
    struct pawl_store_options options = {.dir = f->dir, .is_sync = true};

    fixture_open(f);
    fixture_shut(f);
    assert_int_equal(pawl_store_open(&options, &f->store, NULL), PAWL_OK);
}

/* The group of the two faults below: a new task with a result. */
static int
commit_pair(struct fixture *f)
{
    struct pawl_result result = new_result(1, "once");
    const struct pawl_result *results[] = {&result};
    struct pawl_write pair[] = {new_task(3, "c"), new_state(3, 1)};
    int code;

    pair[1].results = results;
    pair[1].nresults = 1;
    code = commit(f, pair, 2);
    assert_int_equal(pair[0].code, code);
    assert_int_equal(pair[1].code, code);
    return code;
}

static void
assert_problem(struct fixture *f, const char *words)
{
    struct pawl_store_health health;

    f->store->health(f->store, &health);
    if (words ? !strstr(health.problem, words) : health.problem[0] != '\0')
        fail_msg("%s: %s", words ? words : "none", health.problem);
}

static void
assert_pair_is_there_once(struct fixture *f, uint64_t bytes_before)
{
    load(f);
    assert_int_equal(f->nloaded, 3);
    assert_string_equal(f->loaded[2].record.id, "c");
    assert_int_equal(f->loaded[2].nresults, 1);
    assert_true(history_bytes(f) == bytes_before + 132);
}

static void
test_group_whose_sync_failed_is_written_again_once_the_disk_is_back(void **state)
{
    struct fixture f;
    uint64_t bytes;

    (void) state;
    open_sync(&f);
    write_some(&f);
    bytes = history_bytes(&f);
    sync_error = EIO;
    assert_int_equal(commit_pair(&f), PAWL_ESTORE);
    assert_problem(&f, "disk I/O error");
    assert_int_equal(commit_pair(&f), PAWL_ESTORE);
    assert_problem(&f, "disk I/O error");
    sync_error = 0;
    assert_int_equal(commit_pair(&f), PAWL_OK);
    assert_problem(&f, NULL);
    assert_pair_is_there_once(&f, bytes);
    fixture_reopen(&f);
    assert_pair_is_there_once(&f, bytes);
    fixture_close(&f);
}

static void
test_group_whose_write_failed_is_written_again_once_the_disk_is_back(void **state)
{
    struct fixture f;
    struct pawl_result *read = NULL;
    uint64_t bytes;

    (void) state;
    open_sync(&f);
    write_some(&f);
    bytes = history_bytes(&f);
    write_error = EIO;
    assert_int_equal(commit_pair(&f), PAWL_ESTORE);
    assert_problem(&f, "disk I/O error: Input/output error");
    assert_int_equal(f.store->read_result(f.store, 1, 1, 1, &read), PAWL_OK);
    free(read);
    write_error = 0;
    assert_int_equal(commit_pair(&f), PAWL_OK);
    assert_problem(&f, NULL);
    assert_pair_is_there_once(&f, bytes);
    fixture_close(&f);
}

static void
test_write_without_room_uses_the_reserve_where_it_may(void **state)
{
    struct fixture f;
    struct pawl_write write = new_task(3, "c");
    struct pawl_group group = {.ticket = 1, .writes = &write, .nwrites = 1};
    struct stat stat_of;

    (void) state;
    open_sync(&f);
    write_some(&f);
    write_error = ENOSPC;
    assert_int_equal(f.store->commit(f.store, &group), PAWL_EFULL);
    assert_int_equal(write.code, PAWL_EFULL);
    assert_problem(&f, "free some space");
    assert_int_equal(stat(file_of(&f, "reserve"), &stat_of), 0);
    assert_int_equal(stat_of.st_size, 16 << 20);
    group.may_use_reserve = true;
    assert_int_equal(f.store->commit(f.store, &group), PAWL_EFULL);
    assert_int_equal(stat(file_of(&f, "reserve"), &stat_of), 0);
    assert_int_equal(stat_of.st_size, 0);
    assert_false(f.store->has_room(f.store));
    load(&f);
    assert_int_equal(f.nloaded, 2);
    write_error = 0;
    assert_true(f.store->has_room(f.store));
    assert_int_equal(stat(file_of(&f, "reserve"), &stat_of), 0);
    assert_int_equal(stat_of.st_size, 16 << 20);
    assert_int_equal(f.store->commit(f.store, &group), PAWL_OK);
    assert_problem(&f, NULL);
    fixture_close(&f);
}

static void
test_log_that_cannot_be_moved_is_told_and_loses_nothing(void **state)
{
    struct fixture f;

    (void) state;
    open_sync(&f);
    write_some(&f);
    sync_error = EIO;
    f.store->idle(f.store);
    assert_problem(&f, "disk I/O error");
    sync_error = 0;
    f.store->idle(f.store);
    assert_int_equal(commit_pair(&f), PAWL_OK);
    assert_problem(&f, NULL);
    load(&f);
    assert_int_equal(f.nloaded, 3);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group_whose_sync_failed_is_written_again_once_the_disk_is_back),
        cmocka_unit_test(test_group_whose_write_failed_is_written_again_once_the_disk_is_back),
        cmocka_unit_test(test_write_without_room_uses_the_reserve_where_it_may),
        cmocka_unit_test(test_log_that_cannot_be_moved_is_told_and_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
