/* engine.c: opens and closes the engine and wires its rooms.
 *
 * Threads, in the order of their start: the ticker; loaders, if there is a store, which end with
 * the loading; the keeper; the one that follows the wall clock; the committer; the workers. Shutdown runs the way of a task from left to
 * right: pawl_close_begin() refuses submits and starts; the caller waits for the runs, then detaches
 * its handles; pawl_close() joins the ticker (nothing is due any more), the workers (they kill what
 * still runs), the keeper, the wall clock's, and the committer last, so that it can write what the others left. Only
 * then are rooms freed.
 *
 * Lock order: no thread holds two locks. The locks are the index's shards, the groups of tasks, the
 * order's shape and the epoch's list of records, each private to its file. */
#include "shared.h"

#include "admission.h"
#include "backup.h"
#include "committer.h"
#include "err.h"
#include "keeper.h"
#include "recover.h"
#include "ticker.h"
#include "wall.h"
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_MAX_PENDING UINT64_C(20000000)
#define DEFAULT_KEEP_RESULTS 10
#define DEFAULT_KEEP_FINISHED_NS (INT64_C(168) * 3600 * 1000000000)
#define DEFAULT_HISTORY_AGE_NS (INT64_C(720) * 3600 * 1000000000)
#define DEFAULT_HISTORY_BYTES (UINT64_C(1) << 30)
#define DEFAULT_GROUP_QUEUE 10000
#define RUN_FDS 3               /* descriptors that a run holds: pidfd, stdout, stderr */
#define OTHER_FDS 256           /* descriptors left for everything else */
#define RUNS_MAX 8192           /* by default: a shell needs about a megabyte */

extern char **environ;

struct whole {                  /* an engine and what only this file knows of */
    struct pawl engine;
    struct pawl_spawner spawner;
};

static struct pawl_spawner *
spawner_of(struct pawl *engine)
{
    return &((struct whole *) engine)->spawner;
}

void
pawl_options_init(struct pawl_options *options)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

    *options = (struct pawl_options) {
        .max_pending = DEFAULT_MAX_PENDING,
        .max_memory_bytes = (uint64_t) pages * (uint64_t) page / 2,
        .keep_results = DEFAULT_KEEP_RESULTS,
        .keep_finished_ns = DEFAULT_KEEP_FINISHED_NS,
        .history_age_ns = DEFAULT_HISTORY_AGE_NS,
        .history_bytes = DEFAULT_HISTORY_BYTES,
        .group_queue = DEFAULT_GROUP_QUEUE,
    };
}

/* --- The end of firing --- */

void
pawl_close_begin(struct pawl *engine)
{
    atomic_store_explicit(&engine->is_closing, true, memory_order_seq_cst);            /* C1 in shared.c */
    if (atomic_load_explicit(&engine->running.n, memory_order_seq_cst) == 0)
        pawl_engine_tell_idle(engine);
}

int
pawl_idle_fd(struct pawl *engine)
{
    return engine->idle_fd;
}

void
pawl_signal_runs(struct pawl *engine, int sig)
{
    for (unsigned i = 0; i < engine->nworkers; i++)
        pawl_worker_signal(engine->workers[i], sig);
}

/* --- Opening --- */

/* The environment of runs: the process's, less PAWL_*. Strings are borrowed from environ. */
static char **
runs_environment(void)
{
    size_t n = 0, kept = 0;
    char **environment;

    while (environ[n])
        n++;
    environment = malloc((n + 1) * sizeof *environment);
    for (size_t i = 0; environment && i < n; i++) {
        if (strncmp(environ[i], "PAWL_", 5) != 0)
            environment[kept++] = environ[i];
    }
    if (environment)
        environment[kept] = NULL;
    return environment;
}

/* Finds the interpreters, and warns of those that were asked for and are not there. */
static int
find_interpreters(struct pawl *engine, struct pawl_err *err)
{
    int code = pawl_interpreters_init(&engine->interpreters, engine->options.interpreters, err);

    for (struct pawl_program *program = engine->interpreters.first; program && code == PAWL_OK;
         program = program->next) {
        if (!program->is_there && !program->is_built_in)
            pawl_engine_log(engine, PAWL_LOG_WARN, "the interpreter %s is left out: %s is not there, "
                            "or cannot be run", program->name, program->path);
    }
    return code;
}

static void
find_tree(struct pawl *engine)
{
    pawl_tree_init(&engine->tree, engine->options.tree_program, engine->options.without_cgroups);
    pawl_engine_log(engine, PAWL_LOG_DEBUG, "killMode tree: %s, %s%s",
                    engine->tree.program ? engine->tree.program : "there is no pawl-tree",
                    engine->tree.cgroup ? "with control groups in " : "without control groups",
                    engine->tree.cgroup ? engine->tree.cgroup : "");
}

static int
fill_in(struct pawl_options *options, struct pawl_err *err)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct rlimit limit;

    if (options->keep_results < 0 || options->keep_results > PAWL_KEEP_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "keep_results", "keep_results is %d: give 0 to %d",
                            options->keep_results, PAWL_KEEP_MAX);
    if (options->keep_finished_ns < 0 || options->history_age_ns < 0)
        return pawl_err_set(err, PAWL_EINVAL, NULL,
                            "keep_finished_ns and history_age_ns must not be negative");
    if (options->max_pending > INT64_MAX)
        options->max_pending = INT64_MAX;
    if (options->max_memory_bytes > INT64_MAX)
        options->max_memory_bytes = INT64_MAX;
    if (options->nworkers == 0)
        options->nworkers = cores > 0 ? (unsigned) cores : 1;
    if (options->max_running == 0) {
        getrlimit(RLIMIT_NOFILE, &limit);
        options->max_running = limit.rlim_cur < OTHER_FDS + RUN_FDS ? 1
                             : limit.rlim_cur > OTHER_FDS + RUN_FDS * RUNS_MAX ? RUNS_MAX
                             : (unsigned) ((limit.rlim_cur - OTHER_FDS) / RUN_FDS);
    }
    return PAWL_OK;
}

static int
open_rooms(struct pawl *engine)
{
    engine->idle_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (engine->idle_fd < 0)
        return PAWL_ESYS;
    engine->index = pawl_index_new();
    engine->order = pawl_order_new();
    engine->environment = runs_environment();
    engine->workers = calloc(engine->options.nworkers, sizeof(struct pawl_worker *));
    if (!engine->index || !engine->order || !engine->environment || !engine->workers)
        return PAWL_ENOMEM;
    return pawl_ready_init(&engine->ready, engine->options.nworkers);
}

/* The start of the threads; behind recovery nothing waits for the committer's any more. */
static int
open_threads(struct pawl *engine)
{
    int code = pawl_keeper_open(engine, &engine->keeper);

    if (code == PAWL_OK)
        code = pawl_wall_open(engine, &engine->wall);
    if (code == PAWL_OK && engine->committer)
        code = pawl_committer_start(engine->committer);
    while (code == PAWL_OK && engine->nworkers < engine->options.nworkers) {
        code = pawl_worker_open(engine, engine->nworkers, spawner_of(engine),
                                &engine->workers[engine->nworkers]);
        engine->nworkers += code == PAWL_OK;
    }
    return code;
}

/* Loads what the store has, if there is one. The ticker arms what is loaded meanwhile. */
static int
open_time(struct pawl *engine, struct pawl_err *err)
{
    int code = engine->store ? pawl_recover_begin(engine, err) : PAWL_OK;

    if (code != PAWL_OK)
        return code;
    if ((code = pawl_ticker_open(engine, &engine->ticker)) != PAWL_OK)
        return pawl_err_set(err, code, NULL, "the ticker cannot start: %s",
                            code == PAWL_ENOMEM ? "out of memory" : strerror(errno));
    return engine->store ? pawl_recover(engine, err) : PAWL_OK;
}

int
pawl_open(const struct pawl_options *options, struct pawl **out_engine, struct pawl_err *err)
{
    struct pawl_store *store = options->store;
    size_t size = (sizeof(struct whole) + 63) & ~(size_t) 63;
    struct pawl *engine = aligned_alloc(64, size);
    int code;

    if (!engine) {
        if (store)
            store->close(store);
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    }
    memset(engine, 0, size);
    engine->options = *options;
    engine->store = store;
    engine->clock = options->clock ? options->clock : pawl_clock_system();
    engine->idle_fd = engine->committer_fd = spawner_of(engine)->null_fd = -1;
    engine->opened_offset_ns = engine->clock->offset_ns(engine->clock);
    atomic_init(&engine->wall_high_ns, INT64_MIN);
    pawl_epoch_init(&engine->epoch);
    code = fill_in(&engine->options, err);
    if (code == PAWL_OK && (code = open_rooms(engine)) != PAWL_OK)
        pawl_err_set(err, code, NULL, code == PAWL_ENOMEM ? "out of memory" : "eventfd: %s",
                     strerror(errno));
    if (code == PAWL_OK)
        code = find_interpreters(engine, err);
    if (code == PAWL_OK)
        code = pawl_admission_open(engine, err);
    if (code == PAWL_OK)
        find_tree(engine);
    if (code == PAWL_OK)
        code = pawl_spawner_init(spawner_of(engine), err);
    if (code == PAWL_OK) {
        spawner_of(engine)->interpreters = &engine->interpreters;
        spawner_of(engine)->tree = &engine->tree;
        spawner_of(engine)->environment = engine->environment;
        spawner_of(engine)->nofile = engine->options.run_nofile;
        code = open_time(engine, err);
    }
    if (code == PAWL_OK) {
        if ((code = open_threads(engine)) != PAWL_OK)
            pawl_err_set(err, code, NULL, "the engine's threads cannot start: %s",
                         code == PAWL_ENOMEM ? "out of memory" : strerror(errno));
    }
    if (code == PAWL_OK)
        *out_engine = engine;
    else
        pawl_close(engine);
    return code;
}

/* --- Closing --- */

/* Frees all tasks; nobody else is left. */
static void
free_tasks(struct pawl *engine)
{
    struct pawl_task *task;
    uint64_t seq = 0;
    bool is_late;

    engine->ready.producer_fd = -1;     /* the ticker's, closed */
    while ((task = pawl_ready_take(&engine->ready, &is_late)))
        pawl_task_unref(task);
    /* Also those of a store that was loaded in part: the newest number is not known then. */
    while (engine->order && (task = pawl_order_next(engine->order, seq, PAWL_SEQ_MAX, &seq)))
        pawl_task_unref(task);
}

void
pawl_close(struct pawl *engine)
{
    if (!engine)
        return;
    if (engine->idle_fd >= 0)
        pawl_close_begin(engine);
    /* All threads are joined before anything is freed: a run that ends still arms and wakes. */
    pawl_ticker_stop(engine->ticker);
    for (unsigned i = 0; i < engine->nworkers; i++)
        pawl_worker_stop(engine->workers[i]);
    pawl_keeper_stop(engine->keeper);
    pawl_wall_stop(engine->wall);
    pawl_backups_free(engine->backup);
    pawl_committer_stop(engine->committer);
    if (engine->store)
        engine->store->close(engine->store);
    pawl_ticker_free(engine->ticker);
    for (unsigned i = 0; i < engine->nworkers; i++)
        pawl_worker_free(engine->workers[i]);
    pawl_keeper_free(engine->keeper);
    pawl_wall_free(engine->wall);
    pawl_committer_free(engine->committer);
    if (engine->table.slots)
        pawl_runtable_close(&engine->table);
    if (engine->ready.buffer)
        free_tasks(engine);
    pawl_concurrency_free(engine->concurrency);
    pawl_ready_fini(&engine->ready);
    pawl_order_free(engine->order);
    pawl_index_free(engine->index);
    pawl_epoch_fini(&engine->epoch);
    if (spawner_of(engine)->null_fd >= 0)
        pawl_spawner_fini(spawner_of(engine));
    if (engine->idle_fd >= 0)
        close(engine->idle_fd);
    free(engine->workers);
    free(engine->environment);
    pawl_interpreters_fini(&engine->interpreters);
    pawl_tree_fini(&engine->tree);
    free(engine);
}

/* --- Looking at it --- */

static void
read_lateness(struct pawl *engine, struct pawl_stats *stats)
{
    uint64_t worker[PAWL_HISTOGRAM_BUCKETS] = {0}, spawn[PAWL_HISTOGRAM_BUCKETS] = {0};

    for (unsigned i = 0; i < engine->nworkers; i++) {
        const struct pawl_lateness *lateness = pawl_worker_lateness(engine->workers[i]);

        pawl_histogram_add(&lateness->due_to_worker, worker);
        pawl_histogram_add(&lateness->due_to_spawn, spawn);
    }
    stats->due_to_worker_p50_ns = pawl_histogram_quantile(worker, 500);
    stats->due_to_worker_p99_ns = pawl_histogram_quantile(worker, 990);
    stats->due_to_worker_p999_ns = pawl_histogram_quantile(worker, 999);
    stats->due_to_spawn_p50_ns = pawl_histogram_quantile(spawn, 500);
    stats->due_to_spawn_p99_ns = pawl_histogram_quantile(spawn, 990);
    stats->due_to_spawn_p999_ns = pawl_histogram_quantile(spawn, 999);
}

void
pawl_stats(struct pawl *engine, struct pawl_stats *out_stats)
{
    *out_stats = (struct pawl_stats) {
        .store_name = "memory",
        .tasks = (uint64_t) pawl_count(&engine->tasks, 0),
        .pending = (uint64_t) pawl_count(&engine->pending, 0),
        .running = (uint64_t) pawl_count(&engine->running, 0),
        .waiting_ready = pawl_ready_count(&engine->ready),
        .waiting_group = pawl_concurrency_waiting(engine->concurrency),
        .memory_bytes = (uint64_t) pawl_count(&engine->memory, 0),
        .submitted = (uint64_t) pawl_count(&engine->submitted, 0),
        .started = (uint64_t) pawl_count(&engine->started, 0),
        .finished = (uint64_t) pawl_count(&engine->finished, 0),
    };
    read_lateness(engine, out_stats);
    if (engine->committer)
        pawl_committer_stats(engine->committer, out_stats);
}
