/* recover.c: the start of an engine with a store.
 *
 * The opening thread reads the table of runs, starts up to two loaders ("pawl-load-N"), each for its
 * part of the tasks, and says how far they are; then it deals with processes that were left behind.
 * restore.c says what becomes of one task. Nothing else runs but the ticker. */
#include "recover.h"

#include "admission.h"
#include "backup.h"
#include "committer.h"
#include "err.h"
#include "lost.h"
#include "orphans.h"
#include "restore.h"
#include "scale.h"
#include "shared.h"
#include "ticker.h"
#include "wall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NLOADERS PAWL_LOADERS_MAX
#define PART_MIN 50000          /* numbers that are worth a second loader */
#define BLOCK 64                /* numbers in a leaf of the order: a part begins with one */
#define SLOTS_MIN 65536         /* of runs whose ends are not durable */
#define ORPHANS_GRACE_NS INT64_C(2000000000)

struct loader {
    struct pawl_handle handle;
    struct pawl_range range;
    struct pawl_restorer restorer;
    pthread_t thread;
    bool has_thread;
    int code;
    struct pawl_err err;
    _Atomic uint64_t ntasks, seq;       /* A: relaxed: for the one who says how far it is */
};

int
pawl_recover_begin(struct pawl *engine, struct pawl_err *err)
{
    struct pawl_store *store = engine->store;
    uint32_t nslots = 2 * engine->options.max_running;
    int code, dir_fd = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0)
        return pawl_err_set(err, PAWL_ESYS, NULL, "cannot open %s: %s", store->dir,
                            strerror(errno));
    code = pawl_runtable_open(&engine->table, dir_fd, nslots > SLOTS_MIN ? nslots : SLOTS_MIN, err);
    close(dir_fd);
    if (code != PAWL_OK && err) {       /* it knows its name only */
        struct pawl_err of_table = *err;

        return pawl_err_set(err, code, NULL, "%s/%s", store->dir, of_table.text);
    }
    if (code != PAWL_OK)
        return code;
    engine->backup = pawl_backups_new(engine);
    code = engine->backup ? pawl_committer_new(engine, &engine->committer) : PAWL_ENOMEM;
    if (code != PAWL_OK)
        pawl_err_set(err, code, NULL, "the committer cannot start: %s",
                     code == PAWL_ENOMEM ? "out of memory" : strerror(errno));
    return code;
}

/* --- Time --- */

static void
begin_time(struct pawl *engine, const struct pawl_inventory *inventory)
{
    struct pawl_clock *clock = engine->clock;
    char boot[PAWL_BOOT_SIZE];
    struct pawl_now now;
    int64_t behind_ns;

    clock->boot(clock, boot);
    engine->scale = inventory->scale;
    if (boot[0] != '\0' && strcmp(boot, engine->scale.boot) == 0)
        clock->recall(clock, engine->scale.offset_ns);
    now = pawl_now(engine);
    behind_ns = pawl_scale_begin(&engine->scale, boot, now.elapsed_ns, now.wall_ns - now.elapsed_ns);
    engine->opened_offset_ns = now.wall_ns - now.elapsed_ns;
    if (inventory->scale.noted_ns > now.wall_ns)        /* also within one boot: times of day */
        engine->behind_ns = inventory->scale.noted_ns - now.wall_ns;
    atomic_store_explicit(&engine->wall_high_ns,
                          pawl_wall_high(INT64_MIN, now.wall_ns + engine->behind_ns, now.wall_ns),
                          memory_order_release);
    if (behind_ns > 0)
        pawl_engine_log(engine, PAWL_LOG_WARN,
                        "the wall clock is %lld s behind the last moment that the store knows: due "
                        "times go on from there", (long long) (behind_ns / 1000000000));
    engine->scale.noted_ns = INT64_MIN / 2;     /* to be noted with the first group */
}

/* --- Loading --- */

static int
load_one(void *ctx, const struct pawl_record *record, const struct pawl_result *results,
         size_t nresults)
{
    struct loader *loader = ctx;
    int code = pawl_restore(&loader->restorer, &loader->handle, record, results, nresults,
                            &loader->err);

    atomic_store_explicit(&loader->seq, record->seq, memory_order_relaxed);
    atomic_fetch_add_explicit(&loader->ntasks, 1, memory_order_relaxed);
    pawl_epoch_tidy(loader->handle.epoch);
    return code;
}

static void *
load(void *arg)
{
    struct loader *loader = arg;
    struct pawl_store *store = loader->handle.engine->store;

    loader->code = store->load(store, &loader->range, load_one, loader, &loader->err);
    return NULL;
}

static void
say_progress(struct pawl *engine, struct loader *loaders, unsigned n)
{
    uint64_t ntasks = 0;
    double done = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t seq = atomic_load_explicit(&loaders[i].seq, memory_order_relaxed);
        uint64_t from = loaders[i].range.seq_from, to = loaders[i].range.seq_to;

        ntasks += atomic_load_explicit(&loaders[i].ntasks, memory_order_relaxed);
        if (seq >= from)
            done += (double) (seq - from + 1) / (double) (to - from + 1) / n;
    }
    pawl_engine_log(engine, PAWL_LOG_INFO, "loading: %llu tasks so far, about %d %%",
                    (unsigned long long) ntasks, (int) (100 * done));
}

/* Joins a loader, saying each second how far they are. */
static void
join_loader(struct pawl *engine, struct loader *loaders, unsigned n, unsigned i)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    do
        until.tv_sec++;
    while (pthread_timedjoin_np(loaders[i].thread, NULL, &until) == ETIMEDOUT &&
           (say_progress(engine, loaders, n), true));
}

static void
open_loader(struct pawl *engine, struct loader *loader, const struct pawl_lost_runs *lost,
            bool can_remove)
{
    int code = pawl_handle_init(&loader->handle, engine, NULL, NULL);

    pawl_restorer_init(&loader->restorer, engine, lost, can_remove);
    if (code == PAWL_OK)
        code = pawl_engine_thread(&loader->thread, "pawl-load", load, loader);
    loader->has_thread = code == PAWL_OK;
    if (code != PAWL_OK)
        loader->code = code;        /* else it is the thread's, which may have ended already */
}

static int
load_all(struct pawl *engine, const struct pawl_inventory *inventory,
         const struct pawl_lost_runs *lost, struct pawl_err *err)
{
    uint64_t span = inventory->seq_max - inventory->seq_min + 1;
    unsigned n = span >= NLOADERS * PART_MIN ? NLOADERS : 1;
    struct loader *loaders = calloc(n, sizeof *loaders);
    uint64_t from = inventory->seq_min, ntasks = 0, nlost = 0, nmissed = 0;
    struct pawl_store_health health;
    int code = loaders ? PAWL_OK : pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");

    /* Not has_room(), which writes: a store that is refused stays as it is. */
    engine->store->health(engine->store, &health);
    for (unsigned i = 0; loaders && i < n; i++) {
        uint64_t to = i + 1 == n ? inventory->seq_max
                                 : (inventory->seq_min + span / n * (i + 1)) / BLOCK * BLOCK - 1;

        loaders[i].range = (struct pawl_range) {from, to, INT64_MIN, INT64_MAX};
        open_loader(engine, &loaders[i], lost, health.problem[0] == '\0');
        from = to + 1;
    }
    for (unsigned i = 0; loaders && i < n; i++) {
        struct loader *loader = &loaders[i];

        if (loader->has_thread)
            join_loader(engine, loaders, n, i);
        if (code == PAWL_OK && loader->code != PAWL_OK) {
            code = loader->code;
            if (err && loader->err.code != PAWL_OK)
                *err = loader->err;
            else
                pawl_err_set(err, code, NULL, "cannot load: %s",
                             code == PAWL_ENOMEM ? "out of memory" : strerror(errno));
        }
        ntasks += atomic_load_explicit(&loader->ntasks, memory_order_relaxed);
        nlost += loader->restorer.nlost;
        nmissed += loader->restorer.nmissed;
        if (code == PAWL_OK)
            code = pawl_restorer_end(&loader->restorer, err);
        pawl_restorer_fini(&loader->restorer);
        pawl_handle_fini(&loader->handle);
    }
    free(loaders);
    if (code == PAWL_OK)
        pawl_engine_log(engine, PAWL_LOG_INFO, "loaded %llu tasks from %s",
                        (unsigned long long) ntasks, engine->store->dir);
    if (code == PAWL_OK && nlost > 0)
        pawl_engine_log(engine, PAWL_LOG_WARN, "%llu runs had no end when the last daemon did: lost",
                        (unsigned long long) nlost);
    if (code == PAWL_OK && nmissed > 0)
        pawl_engine_log(engine, PAWL_LOG_WARN, "%llu due times passed without a daemon: missed",
                        (unsigned long long) nmissed);
    return code;
}

/* --- Processes left behind --- */

static void
deal_with_orphans(struct pawl *engine, struct pawl_lost_runs *lost)
{
    struct pawl_orphan *orphans = calloc(lost->n + 1, sizeof *orphans);
    bool must_kill = !engine->options.leave_orphans;
    struct pawl_err err = {0};
    size_t n = 0;

    for (size_t i = 0; orphans && i < lost->n; i++) {
        const struct pawl_lost_run *run = &lost->runs[i];

        if (run->pid > 0)
            orphans[n++] = (struct pawl_orphan) {
                .pid = run->pid, .started_elapsed_ns = run->started_elapsed_ns,
                .id = run->id[0] ? run->id : NULL, .id_len = run->id_len, .run = run->run,
                .is_tree = run->is_tree,
            };
    }
    if (n > 0 && engine->table.is_same_boot &&
        pawl_orphans_deal(orphans, n, must_kill, ORPHANS_GRACE_NS, &err) != PAWL_OK)
        pawl_engine_log(engine, PAWL_LOG_ERROR, "not all processes that the last daemon left "
                        "behind were found: %s", err.text);
    for (size_t i = 0; i < n; i++) {
        if (orphans[i].is_alive)
            pawl_engine_log(engine, PAWL_LOG_WARN,
                            "run %llu of %.*s outlived the last daemon as process %d: %s",
                            (unsigned long long) orphans[i].run,
                            orphans[i].id ? (int) orphans[i].id_len : 14,
                            orphans[i].id ? orphans[i].id : "a deleted task", (int) orphans[i].pid,
                            orphans[i].is_killed ? "ended" : must_kill ? "could not be ended"
                                                                       : "left alone");
    }
    free(orphans);
}

int
pawl_recover(struct pawl *engine, struct pawl_err *err)
{
    struct pawl_store *store = engine->store;
    struct pawl_lost_runs lost = {0};
    struct pawl_inventory inventory;
    int code = store->inventory(store, &inventory, err);
    uint64_t newest;

    if (code == PAWL_OK)
        code = pawl_admission_load(engine, err);
    if (code != PAWL_OK)
        return code;
    begin_time(engine, &inventory);
    newest = inventory.scale.newest_seq > inventory.seq_max ? inventory.scale.newest_seq
                                                            : inventory.seq_max;
    code = pawl_lost_runs_read(&lost, &engine->table);
    if (code == PAWL_OK && inventory.seq_max > 0)
        code = load_all(engine, &inventory, &lost, err);
    else if (code == PAWL_OK)
        pawl_engine_log(engine, PAWL_LOG_INFO, "tasks are kept in %s: there are none yet",
                        store->dir);
    else
        pawl_err_set(err, code, NULL, "out of memory");
    if (code == PAWL_OK) {
        pawl_order_begin_above(engine->order, newest);
        deal_with_orphans(engine, &lost);
        pawl_lost_runs_sort_out(&lost, &engine->table);
        pawl_committer_flush(engine->committer);
        pawl_runtable_adopt(&engine->table);
    }
    pawl_lost_runs_free(&lost);
    return code;
}
