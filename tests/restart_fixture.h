/* restart_fixture.h: engines one after the other on one embedded store, by one manual clock. A life
 * is ended in order, or is that of a child process and is ended by SIGKILL. */
#ifndef PAWL_RESTART_FIXTURE_H
#define PAWL_RESTART_FIXTURE_H

#include "durable_fixture.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>

#define HOUR (3600 * SECOND)

struct house {
    const char *const *interpreters;
    struct fixture f;
    char dir[64];
    int64_t keep_finished_ns;
};

/* While house_is_blocked, groups stop at the commit, for ever. */
static int (*house_commit)(struct pawl_store *store, struct pawl_group *group);
static _Atomic bool house_is_blocked;

static inline int
house_commit_or_block(struct pawl_store *store, struct pawl_group *group)
{
    while (atomic_load(&house_is_blocked))
        pause();
    return house_commit(store, group);
}

static inline int
house_try_begin(struct house *house, struct pawl_err *err)
{
    struct pawl_store_options store_options = {.dir = house->dir};
    struct pawl_options options;
    int code;

    pawl_options_init(&options);
    options.nworkers = 2;
    options.keep_finished_ns = house->keep_finished_ns;
    options.interpreters = house->interpreters;
    options.clock = &house->f.clock.clock;
    code = pawl_store_open(&store_options, &options.store, err);
    if (code != PAWL_OK)
        return code;
    house_commit = options.store->commit;
    options.store->commit = house_commit_or_block;
    code = pawl_open(&options, &house->f.engine, err);
    if (code == PAWL_OK)
        fixture_attach(&house->f);
    return code;
}

static inline void
house_begin(struct house *house)
{
    struct pawl_err err = {0};

    if (house_try_begin(house, &err) != PAWL_OK)
        fail_msg("a restart: %s", err.text);
}

static inline void
house_end(struct house *house)
{
    fixture_close(&house->f);
    pawl_clock_manual_forget(&house->f.clock);
}

static inline void
house_restart(struct house *house)
{
    house_end(house);
    house_begin(house);
}

/* Time goes on while no engine runs. */
static inline void
house_pass(struct house *house, int64_t by_ns)
{
    house_end(house);
    fixture_advance(&house->f, by_ns);
    house_begin(house);
}

static inline void
house_init(struct house *house)
{
    memset(house, 0, sizeof *house);
    strcpy(house->dir, "/tmp/pawl-house-XXXXXX");
    assert_non_null(mkdtemp(house->dir));
    house->keep_finished_ns = 168 * HOUR;
    pawl_clock_manual_init(&house->f.clock, 1000 * SECOND, START_WALL - 1000 * SECOND);
}

static inline void
house_fini(struct house *house)
{
    struct dirent *entry;
    DIR *dir = opendir(house->dir);

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    assert_int_equal(rmdir(house->dir), 0);
}

/* --- A life that is cut --- */

/* Lets live() happen in a process of its own, and kills that one at its end. What was opened in
 * this process before must be closed: the child has this thread only. */
static inline void
house_crash(struct house *house, void (*live)(struct house *house))
{
    int fds[2], status;
    char done = 0;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        house_begin(house);
        live(house);
        done = 1;
        if (write(fds[1], &done, 1) == 1) {
            for (;;)
                pause();
        }
        _exit(1);
    }
    close(fds[1]);
    if (read(fds[0], &done, 1) != 1)
        done = 0;
    close(fds[0]);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!done)
        fail_msg("the child did not come to its end");
}

/* From here on nothing becomes durable in this process. */
static inline void
house_block(void)
{
    atomic_store(&house_is_blocked, true);
}

/* --- What an engine knows, as text --- */

static inline void
print_view(FILE *out, const struct pawl_view *view)
{
    fprintf(out, "%" PRIu64 " %.*s type %d time %" PRId64 " '%.*s' keep %d status %d version %"
            PRId64 " running %d created %" PRId64 " updated %" PRId64 " next %" PRId64 " previous %"
            PRId64 " runs %" PRIu64 " failed %" PRIu64 " skipped %" PRIu64 " missed %" PRIu64 "\n",
            view->seq, (int) view->id_len, view->id, view->type, view->time_ns,
            (int) view->script_len, view->script, view->keep_results, view->status, view->version,
            view->running, view->created_ns, view->updated_ns, view->next_ns, view->previous_ns,
            view->run_count, view->failure_count, view->skipped_overlap, view->missed);
    for (size_t i = 0; i < view->nresults; i++) {
        const struct pawl_result *result = view->results[i];

        fprintf(out, "  run %" PRIu64 " due %" PRId64 " from %" PRId64 " to %" PRId64
                " took %" PRId64 " outcome %d code %d signal %d attempt %d cut %d out '%.*s' err '%.*s' error %s\n",
                result->run, result->scheduled_ns, result->started_ns, result->ended_ns,
                result->duration_ns, result->outcome, result->exit_code, result->signal,
                result->attempt, result->truncated, (int) result->out_len, result->out,
                (int) result->err_len, result->err, result->error ? result->error : "none");
    }
}

/* All tasks, in the order of a listing; the caller frees the text. */
static inline char *
describe(struct fixture *f)
{
    struct pawl_cursor cursor = {0};
    struct pawl_view view;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    int code;

    assert_non_null(out);
    while ((code = pawl_list_next(f->handle, NULL, &cursor, &view)) != PAWL_ENOENT) {
        if (code != PAWL_OK)
            continue;
        print_view(out, &view);
        pawl_view_release(&view);
    }
    fclose(out);
    return text;
}

#endif
