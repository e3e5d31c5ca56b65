/* test_engine_nomem.c: the n-th allocation of a call fails, for every n; and memory runs out on
 * the engine's own threads. A call either succeeds or gives PAWL_ENOMEM and has changed nothing;
 * what was accepted still runs. Leaks are the address sanitizer's to find.
 *
 * The linker puts __wrap_malloc() and its like in the place of malloc() and its like, for the
 * engine and this program (not for the libraries): see tests/CMakeLists.txt. */
#include "durable_fixture.h"
#include "watch.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* --- The allocator that fails --- */

static _Thread_local bool is_caller;        /* this thread is the test's, not the engine's */
static _Thread_local long until_failure;    /* of this thread: allocations; below 1: never */
static _Thread_local unsigned long ncalls;
static _Atomic long engine_until_failure;   /* of the engine's threads together */
static _Atomic long engine_nfailures;       /* how many fail from there on */

static bool
must_fail(void)
{
    long n;

    if (is_caller) {
        ncalls++;
        return until_failure > 0 && --until_failure == 0;
    }
    n = atomic_fetch_sub(&engine_until_failure, 1);
    return n <= 1 && n > 1 - atomic_load(&engine_nfailures);
}

/* Both give a pointer, or NULL and ENOMEM. */
#define FAIL_OR(call) (must_fail() ? (errno = ENOMEM, NULL) : (call))

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_asprintf(char **out_text, const char *format, ...);

void *
__wrap_malloc(size_t size)
{
    return FAIL_OR(__real_malloc(size));
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return FAIL_OR(__real_calloc(n, size));
}

void *
__wrap_realloc(void *old, size_t size)
{
    return FAIL_OR(__real_realloc(old, size));
}

void *
__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return FAIL_OR(__real_aligned_alloc(alignment, size));
}

char *
__wrap_strdup(const char *text)
{
    return FAIL_OR(__real_strdup(text));
}

void *
__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    void *start = FAIL_OR(__real_mmap(at, size, protection, flags, fd, offset));

    return start ? start : MAP_FAILED;
}

int
__wrap_asprintf(char **out_text, const char *format, ...)
{
    va_list args;
    int len = -1;

    va_start(args, format);
    if (!must_fail())
        len = vasprintf(out_text, format, args);
    va_end(args);
    return len;
}

/* --- Failing for every n --- */

/* The next n of each test: the first ones, then every 37th, since an index alone makes a thousand
 * equal allocations. */
static long
next_n(long n)
{
    return n < 20 ? n + 1 : n + 37;
}

static void
fail_at(long n)
{
    until_failure = n;
}

/* Whether the call since fail_at() came to the allocation that fails. */
static bool
has_failed(void)
{
    bool failed = until_failure == 0;

    until_failure = 0;
    return failed;
}

static unsigned
count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void
engine_fails_at(long n, long nfailures)
{
    atomic_store(&engine_nfailures, 0);
    atomic_store(&engine_until_failure, n);
    atomic_store(&engine_nfailures, nfailures);
}

/* --- A store, the memory of which is no part of the test --- */

static struct fake_store fake;

static int
commit_with_memory(struct pawl_store *store, struct pawl_group *group)
{
    bool was_caller = is_caller;
    long until = until_failure;
    int code;

    is_caller = true;
    until_failure = 0;
    code = fake_commit(store, group);
    is_caller = was_caller;
    until_failure = until;
    return code;
}

static void
begin_fake(void)
{
    fake_store_init(&fake);
    fake.store.commit = commit_with_memory;
}

static void
open_on_fake(struct fixture *f)
{
    struct pawl_options options;

    begin_fake();
    pawl_options_init(&options);
    durable_open_with(f, &fake, &options);
}

/* --- Opening --- */

/* Opens an engine whose n-th allocation fails, of the caller's or of the engine's threads. Gives
 * whether it came to that. */
static bool
open_with_failure(long n, bool is_engines, uint64_t ntasks)
{
    struct pawl_err err = {0};
    struct pawl_options options;
    struct pawl *engine = NULL;
    unsigned nfds = count_fds();
    bool failed;
    int code;

    pawl_options_init(&options);
    options.nworkers = 3;
    options.store = &fake.store;
    fake.nclosed = 0;
    fail_at(is_engines ? 0 : n);
    engine_fails_at(is_engines ? n : 0, 1);
    code = pawl_open(&options, &engine, &err);
    failed = is_engines ? atomic_load(&engine_until_failure) <= 0 : has_failed();
    engine_fails_at(0, 0);
    if (code != PAWL_OK) {
        assert_true(failed);
        if (code != PAWL_ESYS || !strstr(err.text, strerror(ENOMEM)))   /* as of mmap() */
            assert_int_equal(code, PAWL_ENOMEM);
        assert_int_equal(err.code, code);
        assert_null(engine);
    } else {
        struct pawl_stats stats;

        pawl_stats(engine, &stats);
        assert_int_equal(stats.tasks, ntasks);
    }
    pawl_close(engine);
    assert_int_equal(fake.nclosed, 1);
    assert_int_equal(count_fds(), nfds);
    return failed;
}

static void
test_open_succeeds_or_leaves_nothing(void **state)
{
    unsigned long total;

    (void) state;
    begin_fake();
    ncalls = 0;
    open_with_failure(0, false, 0);
    total = ncalls;
    for (long n = 1; n < (long) total; n = next_n(n))
        open_with_failure(n, false, 0);
    for (long n = (long) total - 40; n <= (long) total; n++)    /* rooms and threads come last */
        open_with_failure(n, false, 0);
    fake_store_fini(&fake);
}

/* Fills the store: tasks with results, and some to be forgotten. */
static void
fill_fake(void)
{
    struct fixture f;
    char id[16];

    open_on_fake(&f);
    for (int i = 0; i < 12; i++) {
        struct pawl_view view;

        snprintf(id, sizeof id, "t%d", i);
        submit(&f, id, i % 2 ? PAWL_CRON : PAWL_DELAY, SECOND, "echo x");
        fixture_advance(&f, SECOND);
        view = await_version(&f, id, 2);
        pawl_view_release(&view);
        if (i % 2)
            assert_int_equal(stop(&f, id), PAWL_OK);
    }
    fixture_close(&f);
}

/* Lets two of the tasks have a run in progress, one by its record, one by the table alone. */
static void
cut_runs(void)
{
    struct pawl_slot values = {.seq = fake.tasks[1].record.seq, .run = 2, .version = 4};
    int dir_fd = open(fake.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct pawl_runtable table;

    for (int i = 0; i < 2; i++) {
        struct pawl_record *record = &fake.tasks[i].record;

        record->version = i ? 3 : 1;
        record->status = i ? PAWL_WAIT_FOR_NEXT : PAWL_EXECUTING;
        record->running = !i;
        record->run_count = 1;
    }
    assert_int_equal(pawl_runtable_open(&table, dir_fd, 1, NULL), PAWL_OK);
    pawl_slot_clear(&table, 0);
    pawl_slot_fill(&table, 0, &values);
    pawl_runtable_close(&table);
    close(dir_fd);
}

static void
test_open_of_a_full_store_succeeds_or_leaves_nothing(void **state)
{
    unsigned long total;

    (void) state;
    fill_fake();
    for (int is_engines = 0; is_engines < 2; is_engines++) {
        long n = 1;

        cut_runs();
        ncalls = 0;
        open_with_failure(0, false, 12);
        total = ncalls;
        if (!is_engines)        /* what comes before is that of an empty store */
            n = (long) total - 120;
        do
            cut_runs();
        while (open_with_failure(n++, is_engines, 12) || (!is_engines && n <= (long) total));
        assert_true(n > 60);
    }
    assert_int_equal(fake.ntasks, 12);
    fake_store_fini(&fake);
}

static void
test_attach_succeeds_or_leaves_nothing(void **state)
{
    struct fixture f;
    struct pawl_handle *handle;
    bool failed = true;

    (void) state;
    fixture_open(&f);
    for (long n = 1; failed; n++) {
        int code;

        fail_at(n);
        code = pawl_attach(f.engine, NULL, NULL, &handle);
        failed = has_failed();
        assert_int_equal(code, failed ? PAWL_ENOMEM : PAWL_OK);
    }
    pawl_detach(handle);
    fixture_close(&f);
}

/* --- Calls on tasks --- */

static void
check_counts(struct fixture *f, uint64_t ntasks, uint64_t script_bytes)
{
    struct pawl_stats stats;

    pawl_stats(f->engine, &stats);
    assert_int_equal(stats.tasks, ntasks);
    assert_int_equal(stats.pending, ntasks);
    assert_int_equal(stats.submitted, ntasks);
    assert_int_equal(stats.memory_bytes, script_bytes);
}

static void
test_submit_succeeds_or_leaves_nothing(void **state)
{
    struct pawl_spec spec = {
        .id = "a", .id_len = 1, .type = PAWL_DELAY, .time_ns = SECOND, .script = "true",
        .script_len = 4, .keep_results = -1, .tags = (const char *const[]) {"t"}, .ntags = 1,
    };
    struct asked asked = {.op.done = asked_cb};
    struct fixture f;
    struct pawl_cursor cursor = {0};
    struct pawl_view view;
    struct pawl_err err;
    bool failed = true;

    (void) state;
    fixture_open(&f);
    for (long n = 1; failed; n++) {
        int code;

        err.code = 0;
        fail_at(n);
        code = end_of(&f, &asked, pawl_submit(f.handle, &spec, &asked.op, &err));
        failed = has_failed();
        if (code == PAWL_OK)
            break;      /* with or without the allocation that failed */
        assert_int_equal(code, PAWL_ENOMEM);
        assert_int_equal(err.code, PAWL_ENOMEM);
        check_counts(&f, 0, 0);
        assert_int_equal(pawl_get(f.handle, "a", 1, &view), PAWL_ENOENT);
        cursor = (struct pawl_cursor) {0};
        assert_int_equal(pawl_list_next(f.handle, NULL, &cursor, &view), PAWL_ENOENT);
        assert_true(failed);
    }
    check_counts(&f, 1, 6);     /* the script and the tag */
    fixture_advance(&f, SECOND);
    view = await_version(&f, "a", 2);
    assert_int_equal(view.results[0]->outcome, PAWL_SUCCESS);
    pawl_view_release(&view);
    fixture_close(&f);
}

/* The first id from *number on that falls into one shard of the index, see index.c. */
static void
next_id(struct fixture *f, unsigned *number, char id[16])
{
    union pawl_key_probe probe;

    do {
        snprintf(id, 16, "m%u", (*number)++);
        pawl_index_key(((struct pawl *) f->engine)->index, id, strlen(id), &probe.key);
    } while (probe.key.hash >> 54 != 0);
}

/* One set of the index grows, and is rebuilt when it has shrunk, and the tree of the order gets
 * leaves and loses them, while allocations fail. */
static void
test_many_submits_are_each_there_or_not(void **state)
{
    enum { N = 2000 };
    static char ids[N][16];
    static bool is_there[N];
    struct fixture f;
    struct pawl_view view;
    uint64_t ntasks = 0;
    unsigned number = 0;
    unsigned long nmore = 0;

    (void) state;
    fixture_open(&f);
    for (int i = 0; i < N; i++) {
        int code;

        next_id(&f, &number, ids[i]);
        ncalls = 0;
        fail_at(i % 6 + 1);     /* a submit makes three allocations, and now and then more */
        code = try_submit(&f, ids[i], PAWL_DELAY, 3600 * SECOND, "true", NULL);
        nmore += has_failed() && ncalls > 3;
        if (code != PAWL_OK)
            assert_int_equal(code, PAWL_ENOMEM);
        is_there[i] = code == PAWL_OK;
        ntasks += is_there[i];
    }
    check_counts(&f, ntasks, ntasks * 4);
    assert_true(nmore > 0);
    assert_true(ntasks > N / 3 && ntasks <= N / 2);
    nmore = 0;
    for (int i = 0; i < N; i++) {
        int code = pawl_get(f.handle, ids[i], strlen(ids[i]), &view);

        assert_int_equal(code, is_there[i] ? PAWL_OK : PAWL_ENOENT);
        if (code == PAWL_OK)
            pawl_view_release(&view);
        fail_at(i < N / 2);     /* the set cannot be rebuilt, at first: no reason to refuse */
        assert_int_equal(delete(&f, ids[i]), code);
        nmore += has_failed();
    }
    assert_true(nmore > 0);
    fixture_close(&f);
}

static void
test_stop_succeeds_or_leaves_the_task(void **state)
{
    struct fixture f;
    struct pawl_view view;
    bool failed = true;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, SECOND, "true");
    for (long n = 1; failed; n++) {
        int code;

        fail_at(n);
        code = stop(&f, "a");
        failed = has_failed();
        assert_int_equal(code, failed ? PAWL_ENOMEM : PAWL_OK);
        view = get(&f, "a");
        assert_int_equal(view.status, failed ? PAWL_TO_BE_EXECUTED : PAWL_STOPPED);
        assert_int_equal(view.version, !failed);
        pawl_view_release(&view);
    }
    fixture_close(&f);
}

static void
test_delete_succeeds_or_leaves_the_task(void **state)
{
    struct fixture f;
    struct pawl_view view;
    bool failed = true;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, SECOND, "true");
    for (long n = 1; failed; n++) {
        struct pawl_op op = {0};
        int code;

        fail_at(n);
        code = pawl_delete(f.handle, "a", 1, true, &op, NULL);
        failed = has_failed();
        if (code != PAWL_OK) {
            assert_true(failed);
            assert_int_equal(code, PAWL_ENOMEM);
            view = get(&f, "a");
            assert_int_equal(view.version, 0);
            pawl_view_release(&view);
        } else {
            assert_int_equal(pawl_get(f.handle, "a", 1, &view), PAWL_ENOENT);
            break;
        }
    }
    fixture_close(&f);
}

static void
test_watch_succeeds_or_is_not_told(void **state)
{
    struct fixture f;
    struct awaited refused = {.watch.changed = awaited_cb};
    struct awaited taken = {.watch.changed = awaited_cb};
    struct pawl_view view;
    bool failed = true;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, SECOND, "true");
    for (long n = 1; failed; n++) {
        int code;

        fail_at(n);
        code = pawl_watch(f.handle, "a", 1, 0, failed ? &refused.watch : &taken.watch, &view);
        failed = has_failed();
        if (failed)
            assert_int_equal(code, PAWL_ENOMEM);
        else
            break;      /* through `refused`: it is given up, and asked for anew */
    }
    pawl_unwatch(f.handle, &refused.watch);
    assert_int_equal(pawl_watch(f.handle, "a", 1, 0, &taken.watch, &view), PAWL_PENDING);
    assert_int_equal(stop(&f, "a"), PAWL_OK);
    while (!taken.is_over)
        fixture_deliver(&f);
    assert_int_equal(taken.version, 1);
    assert_false(refused.is_over);
    fixture_close(&f);
}

/* A wait that cannot be put up again ends early, once. */
static void
test_wait_without_memory_ends_early_and_once(void **state)
{
    struct fixture f;
    struct awaited awaited[3];
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, SECOND, "true");
    for (int i = 0; i < 3; i++) {
        awaited[i] = (struct awaited) {.watch.changed = awaited_cb};
        assert_int_equal(pawl_watch(f.handle, "a", 1, 0, &awaited[i].watch, &view),
                         PAWL_PENDING);
    }
    view = get(&f, "a");
    pawl_watch_wake(view.private_task);     /* as for a change that leaves the version */
    pawl_view_release(&view);
    fail_at(1);
    fixture_deliver(&f);
    assert_true(has_failed());
    assert_int_equal(awaited[0].is_over + awaited[1].is_over + awaited[2].is_over, 1);
    for (int i = 0; i < 3; i++) {
        if (awaited[i].is_over)
            assert_int_equal(awaited[i].version, 0);
    }
    assert_int_equal(stop(&f, "a"), PAWL_OK);
    while (!awaited[0].is_over || !awaited[1].is_over || !awaited[2].is_over)
        fixture_deliver(&f);
    fixture_close(&f);
}

static void
test_reading_needs_no_memory(void **state)
{
    struct fixture f;
    struct pawl_cursor cursor = {0};
    struct pawl_view view;

    (void) state;
    fixture_open(&f);
    submit(&f, "a", PAWL_CRON, SECOND, "true");
    ncalls = 0;
    view = get(&f, "a");
    pawl_view_release(&view);
    assert_int_equal(pawl_list_next(f.handle, NULL, &cursor, &view), PAWL_OK);
    pawl_view_release(&view);
    assert_int_equal(delete(&f, "a"), PAWL_OK);
    assert_int_equal(ncalls, 0);
    fixture_close(&f);
}

static void
test_read_run_succeeds_or_says_so(void **state)
{
    struct fixture f;
    struct asked asked;
    struct pawl_view view;
    long n = 0;
    int code;

    (void) state;
    open_on_fake(&f);
    submit(&f, "short", PAWL_DELAY, 0, "echo x");
    view = await_version(&f, "short", 2);
    pawl_view_release(&view);
    submit(&f, "long", PAWL_DELAY, 0, "head -c 200000 /dev/zero | tr '\\0' x");
    view = await_version(&f, "long", 2);
    assert_true(view.results[0]->truncated);
    pawl_view_release(&view);
    do {
        asked = (struct asked) {.op.done = asked_cb};
        fail_at(++n);
        code = pawl_read_run(f.handle, "short", 5, 1, 0, &asked.op, NULL);
        assert_int_equal(code, has_failed() ? PAWL_ENOMEM : PAWL_OK);
    } while (code != PAWL_OK);
    assert_true(n > 1);
    free(asked.op.result);
    for (n = 0; n < 2;) {       /* out of the store, on the committer's thread */
        asked = (struct asked) {.op.done = asked_cb};
        engine_fails_at(n == 0, 1);     /* unless another thread's allocation comes before */
        code = end_of(&f, &asked, pawl_read_run(f.handle, "long", 4, 1, 0, &asked.op, NULL));
        engine_fails_at(0, 0);
        assert_true(code == PAWL_OK || (code == PAWL_ENOMEM && n == 0));
        assert_int_equal(asked.op.result != NULL, code == PAWL_OK);
        if (n == 0 && code == PAWL_OK)
            free(asked.op.result);
        else
            n++;
    }
    assert_true(asked.op.result->out_len > 60000);
    free(asked.op.result);
    durable_close(&f, &fake);
}

static void
test_backup_succeeds_or_says_so(void **state)
{
    struct fixture f;
    struct asked asked;
    bool failed = true;

    (void) state;
    open_on_fake(&f);
    for (long n = 1; failed; n++) {
        int code;

        asked = (struct asked) {.op.done = asked_cb};
        fail_at(n);
        code = pawl_backup(f.handle, "/nowhere", &asked.op, NULL);
        failed = has_failed();
        assert_int_equal(code, failed ? PAWL_ENOMEM : PAWL_PENDING);
        assert_int_equal(end_of(&f, &asked, code), failed ? PAWL_ENOMEM : PAWL_OK);
    }
    durable_close(&f, &fake);
}

static void
test_changes_on_a_store_succeed_or_leave_nothing(void **state)
{
    struct fixture f;
    int code;

    (void) state;
    open_on_fake(&f);
    for (long n = 1;; n++) {
        fail_at(n);
        code = try_submit(&f, "a", PAWL_CRON, SECOND, "true", NULL);
        has_failed();
        if (code == PAWL_OK)
            break;
        assert_int_equal(code, PAWL_ENOMEM);
        check_counts(&f, 0, 0);
    }
    assert_int_equal(fake.ntasks, 1);
    for (long n = 1;; n++) {
        fail_at(n);
        code = stop(&f, "a");
        has_failed();
        if (code == PAWL_OK)
            break;
        assert_int_equal(code, PAWL_ENOMEM);
        assert_int_equal(version_of(&f, "a"), 0);
    }
    assert_int_equal(fake.tasks[0].record.version, 1);
    for (long n = 1;; n++) {
        fail_at(n);
        code = delete(&f, "a");
        has_failed();
        if (code == PAWL_OK)
            break;
        assert_int_equal(code, PAWL_ENOMEM);
    }
    assert_int_equal(fake.ntasks, 0);
    durable_close(&f, &fake);
}

/* --- A run's life, on the engine's threads --- */

/* The n-th allocation of the engine's threads and the nfailures - 1 after it fail: a task that was
 * accepted runs all the same, once; its result may be lost. Gives whether it came to that. */
static bool
run_with_failures(struct fixture *f, long n, long nfailures)
{
    struct pawl_view view;
    char id[32];
    bool failed;

    snprintf(id, sizeof id, "r%ld", n);
    engine_fails_at(n, nfailures);
    submit(f, id, PAWL_DELAY, SECOND, "head -c 5000 /dev/zero | tr '\\0' x; echo e >&2");
    fixture_advance(f, SECOND);
    view = await_version(f, id, 2);
    failed = atomic_load(&engine_until_failure) <= 0;
    engine_fails_at(0, 0);
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.running, 0);
    assert_true(view.nresults <= 1);
    if (view.nresults == 1)
        assert_int_equal(view.results[0]->outcome, PAWL_SUCCESS);
    if (!failed)
        assert_int_equal(view.results[0]->out_len, 5000);
    pawl_view_release(&view);
    assert_int_equal(delete(f, id), PAWL_OK);
    return failed;
}

static void
test_accepted_task_runs_though_an_allocation_fails(void **state)
{
    struct fixture f;
    long n = 1;

    (void) state;
    fixture_open(&f);
    while (run_with_failures(&f, n, 1))
        n++;
    assert_true(n > 5);
    fixture_close(&f);
}

static void
test_accepted_task_runs_and_is_stored_though_an_allocation_fails(void **state)
{
    struct fixture f;
    long n = 1;

    (void) state;
    open_on_fake(&f);
    while (run_with_failures(&f, n, 1)) {
        assert_int_equal(used_slots(&f), 0);
        n++;
    }
    assert_true(n > 5);
    assert_int_equal(fake.ntasks, 0);
    durable_close(&f, &fake);
}

static void
test_accepted_task_runs_when_there_is_memory_again(void **state)
{
    struct fixture f;

    (void) state;
    for (long n = 1; n <= 12; n++) {    /* each on an engine that has no memory set aside yet */
        fixture_open(&f);
        run_with_failures(&f, n, 8);
        fixture_close(&f);
    }
}

static int
be_the_caller(void **state)
{
    (void) state;
    is_caller = true;
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_succeeds_or_leaves_nothing),
        cmocka_unit_test(test_open_of_a_full_store_succeeds_or_leaves_nothing),
        cmocka_unit_test(test_attach_succeeds_or_leaves_nothing),
        cmocka_unit_test(test_submit_succeeds_or_leaves_nothing),
        cmocka_unit_test(test_many_submits_are_each_there_or_not),
        cmocka_unit_test(test_stop_succeeds_or_leaves_the_task),
        cmocka_unit_test(test_delete_succeeds_or_leaves_the_task),
        cmocka_unit_test(test_watch_succeeds_or_is_not_told),
        cmocka_unit_test(test_wait_without_memory_ends_early_and_once),
        cmocka_unit_test(test_reading_needs_no_memory),
        cmocka_unit_test(test_read_run_succeeds_or_says_so),
        cmocka_unit_test(test_backup_succeeds_or_says_so),
        cmocka_unit_test(test_changes_on_a_store_succeed_or_leave_nothing),
        cmocka_unit_test(test_accepted_task_runs_though_an_allocation_fails),
        cmocka_unit_test(test_accepted_task_runs_and_is_stored_though_an_allocation_fails),
        cmocka_unit_test(test_accepted_task_runs_when_there_is_memory_again),
    };

    return cmocka_run_group_tests(tests, be_the_caller, NULL);
}
