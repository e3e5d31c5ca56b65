/* test_store_open.c: the embedded store's directory and file: who may open which, and what a disk,
 * a reader or a person does to it while it is in use. */
#include "store_fixture.h"

#include <signal.h>
#include <sys/resource.h>

static void
test_directory_is_made_with_its_parents_for_its_owner_only(void **state)
{
    struct fixture f;
    struct pawl_store *store;
    struct pawl_store_options options = {.is_sync = true};
    char dir[300], path[400];
    mode_t mask = umask(0);
    struct stat stat_of;

    (void) state;
    fixture_open(&f);
    snprintf(dir, sizeof dir, "%s/a/b/", f.dir);
    options.dir = dir;
    assert_int_equal(pawl_store_open(&options, &store, NULL), PAWL_OK);
    umask(mask);
    assert_true(store->is_sync);
    assert_string_equal(store->name, "sqlite");
    assert_int_equal(strncmp(store->dir, f.dir, strlen(f.dir)), 0);
    assert_int_equal(mode_of(dir), 0700);
    for (const char *const *name = (const char *const[]){"pawl.db", "pawl.db-wal", "lock",
                                                         "reserve", NULL}; *name; name++) {
        snprintf(path, sizeof path, "%s%s", dir, *name);
        assert_int_equal(mode_of(path), 0600);
    }
    assert_int_equal(stat(path, &stat_of), 0);      /* the reserve: not one hole */
    assert_true(stat_of.st_size == 16 << 20);
    assert_true(stat_of.st_blocks * 512 >= stat_of.st_size);
    store->close(store);
    snprintf(path, sizeof path, "rm -r '%s/a'", f.dir);
    assert_int_equal(system(path), 0);
    fixture_close(&f);
}

static void
test_second_opener_is_told_the_pid_of_the_first(void **state)
{
    struct fixture f;
    struct pawl_store_options options = {0};
    struct pawl_store *second = NULL;
    struct pawl_err err = {0};
    char expected[64];

    (void) state;
    fixture_open(&f);
    options.dir = f.dir;
    snprintf(expected, sizeof expected, "is in use by pawld with pid %ld", (long) getpid());
    assert_int_equal(pawl_store_open(&options, &second, &err), PAWL_EBUSY);
    assert_int_equal(err.code, PAWL_EBUSY);
    assert_non_null(strstr(err.text, expected));
    assert_null(second);
    assert_int_equal(pawl_store_check(f.dir, NULL, NULL, &err), PAWL_EBUSY);
    fixture_reopen(&f);     /* what was refused has not taken the lock away, nor kept it */
    fixture_close(&f);
}

/* Makes opening fail, with these words in the text. */
static void
assert_refused(struct fixture *f, int code, const char *words)
{
    struct pawl_err err = {0};

    assert_int_equal(fixture_try_open(f, &err), code);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, words))
        fail_msg("'%s' is not in: %s", words, err.text);
}

static void
test_directory_that_cannot_be_is_refused_with_a_reason(void **state)
{
    struct fixture f, g = {0};

    (void) state;
    fixture_open(&f);
    strcat(strcpy(g.dir, f.dir), "/lock");
    assert_refused(&g, PAWL_ESYS, "a --data that is a directory");
    strcat(g.dir, "/x");
    assert_refused(&g, PAWL_ESYS, "a --data that is a directory");
    strcpy(g.dir, "/proc/pawl");
    assert_refused(&g, PAWL_ESYS, "cannot make the directory /proc/pawl");
    g.dir[0] = '\0';
    assert_refused(&g, PAWL_ESYS, "give --data");
    if (geteuid() == 0) {
        assert_int_equal(mkdir(file_of(&f, "other"), 0700), 0);
        assert_int_equal(chown(file_of(&f, "other"), 1, 1), 0);
        strcat(strcpy(g.dir, f.dir), "/other");
        assert_refused(&g, PAWL_ESYS, "belongs to the user with number 1");
        assert_int_equal(rmdir(g.dir), 0);
    } else {
        strcpy(g.dir, f.dir);
        f.store->close(f.store);
        f.store = NULL;
        assert_int_equal(unlink(file_of(&f, "lock")), 0);
        assert_int_equal(chmod(f.dir, 0500), 0);
        assert_refused(&g, PAWL_ESYS, "give pawld the right to");
        assert_int_equal(chmod(f.dir, 0700), 0);
    }
    fixture_close(&f);
}

static void
test_format_of_a_newer_pawld_is_refused_and_left_alone(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    fixture_shut(&f);
    meddle(file_of(&f, "pawl.db"), "PRAGMA user_version=1000");
    assert_refused(&f, PAWL_EDAMAGED, "was written by a newer pawld (format 1000, this one knows");
    assert_answer(file_of(&f, "pawl.db"), "PRAGMA user_version", "1000");
    fixture_close(&f);
}

static void
test_database_of_another_program_is_refused_and_left_alone(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    fixture_shut(&f);
    meddle(file_of(&f, "pawl.db"), "PRAGMA application_id=7");
    assert_refused(&f, PAWL_EDAMAGED, "is a database of another program");
    unlink(file_of(&f, "pawl.db"));
    close(open(file_of(&f, "pawl.db"), O_CREAT | O_RDWR, 0600));
    meddle(file_of(&f, "pawl.db"), "CREATE TABLE task (mine)");
    assert_refused(&f, PAWL_EDAMAGED, "is a database of another program");
    assert_answer(file_of(&f, "pawl.db"), "PRAGMA journal_mode", "delete");
    fixture_close(&f);
}

static void
test_file_that_is_no_database_is_refused_and_left_alone(void **state)
{
    struct fixture f;
    struct stat stat_of;
    FILE *file;

    (void) state;
    fixture_open(&f);
    fixture_shut(&f);
    file = fopen(file_of(&f, "pawl.db"), "w");
    for (int i = 0; i < 10000; i++)
        fputs("this is no database\n", file);
    fclose(file);
    assert_refused(&f, PAWL_EDAMAGED, "is no SQLite database");
    assert_int_equal(stat(file_of(&f, "pawl.db"), &stat_of), 0);
    assert_int_equal(stat_of.st_size, 200000);
    fixture_close(&f);
}

static void
test_log_without_its_file_is_not_thrown_away(void **state)
{
    struct fixture f;
    char reserve[512];

    (void) state;
    fixture_open(&f);
    fixture_shut(&f);
    snprintf(reserve, sizeof reserve, "%s", file_of(&f, "reserve"));
    assert_int_equal(rename(reserve, file_of(&f, "pawl.db-wal")), 0);
    assert_int_equal(unlink(file_of(&f, "pawl.db")), 0);
    assert_refused(&f, PAWL_EDAMAGED, "put pawl.db back");
    assert_int_equal(access(file_of(&f, "pawl.db-wal"), F_OK), 0);
    fixture_close(&f);
}

/* The log that a crash left beside a file must not be applied to the backup in its place. */
static void
test_log_of_another_file_is_not_applied_to_a_backup(void **state)
{
    struct fixture f;
    char copy[512];

    (void) state;
    fixture_open(&f);
    write_some(&f);
    snprintf(copy, sizeof copy, "%s", file_of(&f, "copy"));
    assert_int_equal(f.store->backup(f.store, copy, NULL), PAWL_OK);
    fixture_shut(&f);
    assert_int_equal(rename(copy, file_of(&f, "pawl.db")), 0);
    snprintf(copy, sizeof copy, "%s", file_of(&f, "reserve"));
    assert_int_equal(rename(copy, file_of(&f, "pawl.db-wal")), 0);
    assert_refused(&f, PAWL_EDAMAGED, "is the log of another pawl.db");
    assert_int_equal(pawl_store_check(f.dir, NULL, NULL, NULL), PAWL_EDAMAGED);
    assert_int_equal(unlink(file_of(&f, "pawl.db-wal")), 0);
    fixture_reopen(&f);
    load(&f);
    assert_int_equal(f.nloaded, 2);
    fixture_close(&f);
}

static void
test_empty_file_is_brought_to_the_format_of_this_program(void **state)
{
    struct fixture f;
    char *format;

    (void) state;
    fixture_open(&f);
    format = ask(file_of(&f, "pawl.db"), "PRAGMA user_version");
    assert_true(atoi(format) >= 1);
    assert_answer(file_of(&f, "pawl.db"), "PRAGMA application_id", "1885435756");
    assert_answer(file_of(&f, "pawl.db"), "PRAGMA journal_mode", "wal");
    fixture_shut(&f);
    unlink(file_of(&f, "pawl.db"));     /* as left by a crash while it was made */
    close(open(file_of(&f, "pawl.db"), O_CREAT | O_RDWR, 0600));
    fixture_reopen(&f);
    assert_answer(file_of(&f, "pawl.db"), "PRAGMA user_version", format);
    free(format);
    fixture_close(&f);
}

static void
test_reader_that_stays_breaks_nothing(void **state)
{
    struct fixture f;
    sqlite3 *reader;
    char *script = malloc(PAWL_SCRIPT_MAX);
    struct pawl_store_health health;

    (void) state;
    fixture_open(&f);
    write_some(&f);
    memset(script, '#', PAWL_SCRIPT_MAX);
    assert_int_equal(sqlite3_open(file_of(&f, "pawl.db"), &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM task", NULL, NULL, NULL),
                     SQLITE_OK);
    for (uint64_t seq = 10; seq < 40; seq++) {
        struct pawl_write write = new_task(seq, "large");

        write.record.script = script;
        write.record.script_len = PAWL_SCRIPT_MAX;
        assert_int_equal(commit_one(&f, write), PAWL_OK);
        f.store->idle(f.store);
    }
    sqlite3_close(reader);
    f.store->idle(f.store);
    load(&f);
    assert_int_equal(f.nloaded, 32);
    f.store->health(f.store, &health);
    assert_string_equal(health.problem, "");
    free(script);
    fixture_close(&f);
}

static void
test_file_moved_away_is_noticed_until_it_is_back(void **state)
{
    struct fixture f;
    struct pawl_store_health health;
    char there[512];

    (void) state;
    fixture_open(&f);
    write_some(&f);
    snprintf(there, sizeof there, "%s", file_of(&f, "elsewhere"));
    assert_int_equal(rename(file_of(&f, "pawl.db"), there), 0);
    assert_int_equal(commit_one(&f, new_task(3, "c")), PAWL_ESTORE);
    f.store->health(f.store, &health);
    assert_non_null(strstr(health.problem, "was moved or removed"));
    assert_int_equal(rename(there, file_of(&f, "pawl.db")), 0);
    assert_int_equal(commit_one(&f, new_task(3, "c")), PAWL_OK);
    f.store->health(f.store, &health);
    assert_string_equal(health.problem, "");
    load(&f);
    assert_int_equal(f.nloaded, 3);
    fixture_close(&f);
}

/* A limit on the size of files, as a disk that is full: the reserve is given up for what may use
 * it, and nothing of what was refused is there. */
static void
test_full_disk_refuses_whole_groups_until_there_is_room(void **state)
{
    struct fixture f;
    struct rlimit old, small = {.rlim_cur = 200000};
    struct pawl_store_health health;
    struct pawl_write writes[2] = {new_task(3, "c"), new_task(4, "d")};
    struct pawl_group group = {.ticket = 9, .writes = writes, .nwrites = 2};
    char *script = malloc(PAWL_SCRIPT_MAX);
    struct stat stat_of;
    int code;

    (void) state;
    fixture_open(&f);
    write_some(&f);
    memset(script, '#', PAWL_SCRIPT_MAX);
    writes[1].record.script = script;
    writes[1].record.script_len = PAWL_SCRIPT_MAX;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    code = f.store->commit(f.store, &group);
    f.store->health(f.store, &health);
    if (code != PAWL_EFULL || !strstr(health.problem, "free some space"))
        fail_msg("%d: %s", code, health.problem);
    assert_int_equal(writes[0].code, PAWL_EFULL);
    assert_int_equal(writes[1].code, PAWL_EFULL);
    assert_int_equal(stat(file_of(&f, "reserve"), &stat_of), 0);
    assert_int_equal(stat_of.st_size, 16 << 20);
    group.may_use_reserve = true;
    assert_int_equal(f.store->commit(f.store, &group), PAWL_EFULL);
    assert_int_equal(stat(file_of(&f, "reserve"), &stat_of), 0);
    assert_int_equal(stat_of.st_size, 0);
    assert_false(f.store->has_room(f.store));
    assert_int_equal(commit_one(&f, new_task(5, "small")), PAWL_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    load(&f);
    assert_int_equal(f.nloaded, 3);
    assert_true(f.store->has_room(f.store));
    assert_int_equal(stat(file_of(&f, "reserve"), &stat_of), 0);
    assert_int_equal(stat_of.st_size, 16 << 20);
    assert_int_equal(f.store->commit(f.store, &group), PAWL_OK);
    free(script);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory_is_made_with_its_parents_for_its_owner_only),
        cmocka_unit_test(test_second_opener_is_told_the_pid_of_the_first),
        cmocka_unit_test(test_directory_that_cannot_be_is_refused_with_a_reason),
        cmocka_unit_test(test_format_of_a_newer_pawld_is_refused_and_left_alone),
        cmocka_unit_test(test_database_of_another_program_is_refused_and_left_alone),
        cmocka_unit_test(test_file_that_is_no_database_is_refused_and_left_alone),
        cmocka_unit_test(test_log_without_its_file_is_not_thrown_away),
        cmocka_unit_test(test_log_of_another_file_is_not_applied_to_a_backup),
        cmocka_unit_test(test_empty_file_is_brought_to_the_format_of_this_program),
        cmocka_unit_test(test_reader_that_stays_breaks_nothing),
        cmocka_unit_test(test_file_moved_away_is_noticed_until_it_is_back),
        cmocka_unit_test(test_full_disk_refuses_whole_groups_until_there_is_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
