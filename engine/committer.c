/* committer.c: the one thread that writes to the store ("pawl-store"), by groups.
 *
 * Two inboxes: operations, whose callers wait until they are durable, and tasks that changed. What
 * comes while a group is being committed goes into the next one. A group holds states, not steps:
 * of a task that changed five times the newest state is written, so a store that is slow is given
 * less to do. When a group is durable, and not before, its states are shown to readers and its
 * callers are told.
 *
 * When the store cannot keep a group, its submits are undone and refused. The other changes are in
 * force already, because memory decides: they are shown, their callers are told that they are not
 * durable, and their tasks are kept to be written again, each second, until the store takes them.
 *
 * Q1: is_dirty lets a task be in the inbox once. Who changed it sets it after the decided snapshot
 * changed, the committer clears it before it reads the snapshot, both by acq_rel exchanges: who
 * finds it set knows that the change will be seen.
 * W1: nothing is overslept. Who puts reads is_asleep behind the put; the committer sets it, then
 * looks into the inboxes; a full fence stands between on both sides. */
#include "committer.h"

#include "admission.h"
#include "group.h"
#include "keeper.h"
#include "shared.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETRY_MS 10             /* while readers finish */
#define PROBE_NS INT64_C(1000000000)        /* how often a store that failed is tried again */
#define IDLE_MS 1000            /* after so long without work the store may tidy up */
#define PRUNE_ROWS 1000         /* results removed between two groups */
#define PRUNE_MIN_NS INT64_C(1000000000)
#define PRUNE_MAX_NS INT64_C(3600000000000)
#define NOTE_NS INT64_C(10000000000)        /* how old the noted time may be while there is work */

struct pawl_committer {
    struct pawl_handle handle;          /* the committer's own */
    struct pawl *engine;                /* I */
    struct pawl_store *store;           /* I */
    pthread_t thread;                   /* I */
    bool has_thread;                    /* I */
    int wake_fd;                        /* I */
    _Alignas(64) struct pawl_inbox ops;
    _Alignas(64) struct pawl_inbox dirty;
    _Atomic bool is_asleep;             /* A: W1 */
    _Atomic bool is_ending;             /* A: set once; seen behind the eventfd */
    _Atomic bool wants_note;            /* A: release, acquire: the time is to be noted now */
    _Atomic int state;                  /* A: relaxed: enum pawl_store_state */
    _Atomic uint64_t commits;           /* A: relaxed, a counter */
    _Atomic uint64_t unsaved;           /* A: relaxed, a counter: tasks in retries */
    /* By the committer from here. */
    _Alignas(64) struct pawl_committer_group group;
    ck_stack_entry_t *taken_ops, *taken_dirty;  /* from the inboxes, not yet in a group */
    ck_stack_entry_t *waiting;          /* operations that wait for another one, which will come */
    struct pawl_task **retries;         /* tasks whose group failed: those with is_retried */
    size_t nretries, retries_cap;
    uint64_t ticket;
    int last_code;                      /* of the last try */
    int64_t probe_ns, prune_ns;         /* elapsed: when to do so next */
    size_t nresults;                    /* written since history was last looked at */
    bool has_idled;                     /* the store has tidied up since the last group */
};

/* --- Handing over --- */

static void
wake(struct pawl_committer *committer)
{
    eventfd_write(committer->wake_fd, 1);
}

static void
wake_if_asleep(struct pawl_committer *committer)
{
    if (atomic_load_explicit(&committer->is_asleep, memory_order_seq_cst) &&        /* W1 */
        atomic_exchange_explicit(&committer->is_asleep, false, memory_order_seq_cst))
        wake(committer);
}

void
pawl_committer_add(struct pawl_committer *committer, struct pawl_link *newest)
{
    ck_stack_entry_t *next, *oldest = pawl_inbox_reverse((ck_stack_entry_t *) newest);

    for (; oldest; oldest = next) {
        next = oldest->next;        /* behind the put it is the committer's */
        pawl_inbox_put(&committer->ops, oldest);                                    /* W1 */
    }
    wake_if_asleep(committer);
}

void
pawl_committer_mark(struct pawl_committer *committer, struct pawl_task *task)
{
    if (atomic_exchange_explicit(&task->is_dirty, true, memory_order_acq_rel))      /* Q1 */
        return;
    pawl_task_ref(task);
    pawl_inbox_put(&committer->dirty, &task->dirty_entry);                          /* W1 */
    wake_if_asleep(committer);
}

void
pawl_committer_note(struct pawl_committer *committer)
{
    atomic_store_explicit(&committer->wants_note, true, memory_order_release);
    wake(committer);
}

/* --- A group --- */

static struct pawl_op *
op_of_entry(ck_stack_entry_t *entry)
{
    return (struct pawl_op *) ((char *) entry - offsetof(struct pawl_op, link));
}

static struct pawl_task *
task_of_entry(ck_stack_entry_t *entry)
{
    return (struct pawl_task *) ((char *) entry - offsetof(struct pawl_task, dirty_entry));
}

static ck_stack_entry_t *
pop(ck_stack_entry_t **list)
{
    ck_stack_entry_t *entry = *list;

    *list = entry->next;
    return entry;
}

/* Fills the group from what waits: operations first, because somebody waits for them. */
static void
collect(struct pawl_committer *committer)
{
    struct pawl_committer_group *group = &committer->group;

    if (!committer->taken_ops)
        committer->taken_ops = pawl_inbox_take(&committer->ops);
    for (ck_stack_entry_t *again = committer->waiting; again; again = committer->waiting) {
        committer->waiting = again->next;
        again->next = committer->taken_ops;
        committer->taken_ops = again;
    }
    if (!committer->taken_dirty)
        committer->taken_dirty = pawl_inbox_take(&committer->dirty);
    /* A quarter is left for changes that nobody waits for: runs must come to an end, too. */
    while (committer->taken_ops && group->nitems < PAWL_GROUP_MAX / 4 * 3) {
        ck_stack_entry_t *entry = pop(&committer->taken_ops);

        if (!pawl_group_add_op(group, &committer->handle, op_of_entry(entry))) {
            entry->next = committer->waiting;
            committer->waiting = entry;
        }
    }
    while (committer->taken_dirty && pawl_group_has_room(group)) {
        struct pawl_task *task = task_of_entry(pop(&committer->taken_dirty));

        atomic_exchange_explicit(&task->is_dirty, false, memory_order_acq_rel);     /* Q1 */
        pawl_group_add_task(group, &committer->handle, task);
    }
}

/* Adds tasks that could not be written before. */
static void
collect_retries(struct pawl_committer *committer)
{
    while (committer->nretries > 0 && pawl_group_has_room(&committer->group)) {
        struct pawl_task *task = committer->retries[--committer->nretries];

        task->is_retried = false;
        pawl_group_add_task(&committer->group, &committer->handle, task);
    }
    atomic_store_explicit(&committer->unsaved, committer->nretries, memory_order_relaxed);
}

/* Keeps a task that was not written. */
static void
retry_later(void *ctx, struct pawl_task *task)
{
    struct pawl_committer *committer = ctx;

    if (task->is_retried)
        return;
    if (committer->nretries == committer->retries_cap) {
        size_t cap = committer->retries_cap ? 2 * committer->retries_cap : 1024;
        struct pawl_task **retries = realloc(committer->retries, cap * sizeof *retries);

        if (!retries) {
            pawl_committer_mark(committer, task);       /* then it is tried again at once */
            return;
        }
        committer->retries = retries;
        committer->retries_cap = cap;
    }
    pawl_task_ref(task);
    task->is_retried = true;
    committer->retries[committer->nretries++] = task;
    atomic_store_explicit(&committer->unsaved, committer->nretries, memory_order_relaxed);
}

/* --- How the store does --- */

enum pawl_store_state
pawl_committer_state(const struct pawl_committer *committer)
{
    return (enum pawl_store_state) atomic_load_explicit(&committer->state, memory_order_relaxed);
}

static void
set_state(struct pawl_committer *committer, enum pawl_store_state state)
{
    enum pawl_store_state before = pawl_committer_state(committer);
    struct pawl_store_health health;

    if (state == before)
        return;
    atomic_store_explicit(&committer->state, (int) state, memory_order_relaxed);
    committer->store->health(committer->store, &health);
    if (state == PAWL_STORE_OK)
        pawl_engine_log(committer->engine, PAWL_LOG_INFO,
                        "the store can be written again: submits are accepted");
    else if (state == PAWL_STORE_FULL)
        pawl_engine_log(committer->engine, PAWL_LOG_ERROR,
                        "the store's disk is full (%s): submits are refused, stops, deletions and "
                        "results still go into the reserve: make room", health.problem);
    else
        pawl_engine_log(committer->engine, PAWL_LOG_ERROR,
                        "the store cannot be written (%s): submits are refused; tasks go on firing, "
                        "what changes is kept in memory and written when it can be",
                        health.problem);
}

/* Sets the state that the last commit showed. */
static void
judge(struct pawl_committer *committer, int code, int64_t now_ns)
{
    enum pawl_store_state state = pawl_committer_state(committer);

    committer->last_code = code;
    if (code == PAWL_EFULL || code == PAWL_ESTORE) {    /* the others are about one write each */
        set_state(committer, PAWL_STORE_FAILING);
        committer->probe_ns = now_ns + PROBE_NS;
    } else if (state == PAWL_STORE_FAILING) {   /* it works, but is there room for more? */
        set_state(committer, committer->store->has_room(committer->store) ? PAWL_STORE_OK
                                                                          : PAWL_STORE_FULL);
        committer->probe_ns = now_ns + PROBE_NS;
    }
}

/* Asks a full store whether it has room again. */
static void
probe_room(struct pawl_committer *committer, int64_t now_ns)
{
    if (pawl_committer_state(committer) != PAWL_STORE_FULL || now_ns < committer->probe_ns)
        return;
    committer->probe_ns = now_ns + PROBE_NS;
    if (committer->store->has_room(committer->store))
        set_state(committer, PAWL_STORE_OK);
}

/* A store that failed is tried again, if only with a note. */
static bool
is_probe_due(struct pawl_committer *committer, int64_t now_ns)
{
    return pawl_committer_state(committer) == PAWL_STORE_FAILING && now_ns >= committer->probe_ns;
}

/* --- Committing --- */

/* The scale, if it is to be noted again. */
static const struct pawl_scale *
note(struct pawl_committer *committer, bool must_be)
{
    struct pawl *engine = committer->engine;
    struct pawl_now now = pawl_now(engine);
    int64_t age_ns = now.wall_ns - engine->scale.noted_ns;

    if (!must_be && age_ns >= 0 && age_ns < NOTE_NS)
        return NULL;
    engine->scale.offset_ns = now.wall_ns - now.elapsed_ns;
    engine->scale.noted_ns = now.wall_ns;
    engine->scale.newest_seq = pawl_order_newest(engine->order);
    return &engine->scale;
}

/* Writes the group, as far as the store takes it; each write has its code then. */
static void
write_group(struct pawl_committer *committer, int64_t now_ns, bool must_try)
{
    struct pawl_committer_group *group = &committer->group;
    enum pawl_store_state state = pawl_committer_state(committer);
    struct pawl_group out = {0};
    int code;

    if (state == PAWL_STORE_FAILING && !must_try) {
        pawl_group_fail(group, committer->last_code);
        return;
    }
    /* With a deletion, because the newest number is not to be found in the store then. */
    out.scale = note(committer, must_try || pawl_group_removes(group));
    for (;;) {
        out.ticket = ++committer->ticket;
        out.may_use_reserve = state != PAWL_STORE_OK;
        pawl_group_writes(group, &out);
        if (out.nwrites == 0 && !out.scale)
            break;
        code = committer->store->commit(committer->store, &out);
        if (code != PAWL_OK)
            committer->engine->scale.noted_ns = INT64_MIN / 2;
        atomic_fetch_add_explicit(&committer->commits, 1, memory_order_relaxed);
        if (code != PAWL_EFULL || out.may_use_reserve) {
            judge(committer, code, now_ns);
            break;
        }
        /* The disk is full: submits are refused, the rest may use the reserve. */
        state = PAWL_STORE_FULL;
        set_state(committer, state);
        committer->probe_ns = now_ns + PROBE_NS;
        pawl_group_refuse_new(group, PAWL_EFULL);
    }
}

/* What memory has of a result that the store was not given yet. */
static int
read_from_memory(struct pawl_committer *committer, struct pawl_op *op)
{
    struct pawl_snapshot *snapshot = pawl_task_hold(op->task, committer->handle.epoch);
    const struct pawl_results *results = snapshot ? snapshot->results : NULL;
    int code = PAWL_ENOENT;

    for (uint32_t i = 0; results && i < results->n; i++) {
        const struct pawl_result *result = results->items[i];

        if (result->run != op->run || result->attempt != op->attempt ||
            atomic_load_explicit(&pawl_result_box_of(result)->is_stored, memory_order_relaxed))
            continue;
        op->result = pawl_result_copy(result);
        code = op->result ? PAWL_OK : PAWL_ENOMEM;
    }
    pawl_task_let_go(committer->handle.epoch, snapshot);
    return code;
}

static void
read_result(struct pawl_committer *committer, struct pawl_op *op)
{
    int code = committer->store->read_result(committer->store, op->task->seq, op->run,
                                             op->attempt, &op->result);

    if (code == PAWL_ENOENT || code == PAWL_ESTORE) {
        int memory_code = read_from_memory(committer, op);

        code = memory_code == PAWL_ENOENT ? code : memory_code;
    }
    op->why = code == PAWL_ENOENT ? "no such run of the task is kept"
            : code != PAWL_OK ? "the result could not be read from the store" : NULL;
    pawl_op_settle(&committer->handle, op, code);
    pawl_handle_send(op->handle, &op->link);
}

/* Commits one group. False: nothing waits. */
static bool
commit_group(struct pawl_committer *committer, bool is_last)
{
    struct pawl_committer_group *group = &committer->group;
    int64_t now_ns = pawl_now(committer->engine).elapsed_ns;
    bool must_try = is_last || is_probe_due(committer, now_ns) ||
                    atomic_exchange_explicit(&committer->wants_note, false, memory_order_acquire);

    probe_room(committer, now_ns);
    collect(committer);
    if (must_try || pawl_committer_state(committer) != PAWL_STORE_FAILING)
        collect_retries(committer);
    if (group->nitems == 0 && !group->singles && !must_try)
        return false;
    write_group(committer, now_ns, must_try);
    pawl_group_settle(group, &committer->handle, retry_later, committer);
    committer->nresults += pawl_group_results(group);
    while (group->singles) {
        struct pawl_op *op = group->singles;

        group->singles = op->first;
        if (op->kind == PAWL_OP_RESIZE)
            pawl_admission_keep(committer->engine, op);
        else
            read_result(committer, op);
    }
    pawl_group_reset(group);
    committer->has_idled = false;
    pawl_epoch_tidy(committer->handle.epoch);
    return true;
}

/* --- History --- */

/* Removes some of the results that are too old or too many. */
static void
prune(struct pawl_committer *committer)
{
    const struct pawl_options *options = &committer->engine->options;
    struct pawl_now now = pawl_now(committer->engine);
    int64_t pause_ns = options->history_age_ns / 16, ignored;

    if (committer->nresults >= PRUNE_ROWS)
        committer->prune_ns = now.elapsed_ns;
    if (now.elapsed_ns < committer->prune_ns ||
        pawl_committer_state(committer) == PAWL_STORE_FAILING)
        return;
    if (committer->store->prune(committer->store, now.oldest_ns, options->history_bytes, PRUNE_ROWS,
                                &ignored) == PAWL_PENDING)
        return;                 /* goes on behind the next group */
    committer->nresults = 0;
    pause_ns = pause_ns < PRUNE_MIN_NS ? PRUNE_MIN_NS
             : pause_ns > PRUNE_MAX_NS ? PRUNE_MAX_NS : pause_ns;
    committer->prune_ns = now.elapsed_ns + pause_ns;
}

/* --- The loop --- */

/* How long to sleep, in ms, if nothing wakes us. */
static int
sleep_ms(struct pawl_committer *committer)
{
    int64_t now_ns = pawl_now(committer->engine).elapsed_ns, until_ns = committer->prune_ns;
    enum pawl_store_state state = pawl_committer_state(committer);

    if (pawl_epoch_rest(committer->handle.epoch))
        return RETRY_MS;
    if (state == PAWL_STORE_FAILING || (state == PAWL_STORE_FULL && committer->probe_ns < until_ns))
        until_ns = committer->probe_ns;
    return until_ns <= now_ns ? 0 : (int) ((until_ns - now_ns) / 1000000) + 1;
}

static int
rest(struct pawl_committer *committer)
{
    struct pollfd fd = {.fd = committer->wake_fd, .events = POLLIN};
    int ms = sleep_ms(committer), n = 1;
    bool may_idle = !committer->has_idled && ms >= IDLE_MS;
    eventfd_t ignored;

    atomic_store_explicit(&committer->is_asleep, true, memory_order_seq_cst);      /* W1 */
    ck_pr_fence_memory();
    if (pawl_inbox_is_empty(&committer->ops) && pawl_inbox_is_empty(&committer->dirty))
        n = poll(&fd, 1, may_idle ? IDLE_MS : ms);
    atomic_store_explicit(&committer->is_asleep, false, memory_order_seq_cst);
    if (fd.revents)
        eventfd_read(committer->wake_fd, &ignored);
    if (n == 0 && may_idle) {
        committer->has_idled = !committer->store->idle(committer->store);
    }
    return n < 0 && errno != EINTR ? -1 : 0;
}

static void *
keep_committing(void *arg)
{
    struct pawl_committer *committer = arg;

    pawl_engine_prompt();
    /* acquire: pairs with the release in pawl_committer_stop(). */
    while (!atomic_load_explicit(&committer->is_ending, memory_order_acquire)) {
        bool must_tell = pawl_engine_wants_quiet(committer->engine);
        bool is_busy = commit_group(committer, false);

        if (must_tell && is_busy)
            pawl_engine_tell_idle(committer->engine);      /* ask again behind this group */
        else if (must_tell)
            pawl_engine_is_quiet(committer->engine);
        prune(committer);
        if (!is_busy && rest(committer) != 0) {
            pawl_engine_failed(committer->engine, "the committer cannot sleep: poll failed");
            break;
        }
    }
    return NULL;
}

void
pawl_committer_flush(struct pawl_committer *committer)
{
    while (commit_group(committer, false))
        ;
}

/* --- Life --- */

int
pawl_committer_new(struct pawl *engine, struct pawl_committer **out_committer)
{
    size_t size = (sizeof(struct pawl_committer) + 63) & ~(size_t) 63;
    struct pawl_committer *committer = aligned_alloc(64, size);
    int code = PAWL_ESYS;

    if (!committer)
        return PAWL_ENOMEM;
    memset(committer, 0, size);
    committer->engine = engine;
    committer->store = engine->store;
    committer->has_idled = true;
    pawl_inbox_init(&committer->ops);
    pawl_inbox_init(&committer->dirty);
    atomic_init(&committer->is_asleep, false);
    atomic_init(&committer->is_ending, false);
    atomic_init(&committer->wants_note, false);
    atomic_init(&committer->state, PAWL_STORE_OK);
    committer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->committer_fd = committer->wake_fd;
    if (committer->wake_fd >= 0)
        code = pawl_group_init(&committer->group, engine);
    if (code == PAWL_OK)
        code = pawl_handle_init(&committer->handle, engine, NULL, NULL);
    if (code == PAWL_OK)
        *out_committer = committer;
    else
        pawl_committer_free(committer);
    return code;
}

int
pawl_committer_start(struct pawl_committer *committer)
{
    int code;

    if (pawl_committer_state(committer) == PAWL_STORE_OK &&
        !committer->store->has_room(committer->store))
        set_state(committer, PAWL_STORE_FULL);
    code = pawl_engine_thread(&committer->thread, "pawl-store", keep_committing, committer);

    committer->has_thread = code == PAWL_OK;
    return code;
}

void
pawl_committer_stop(struct pawl_committer *committer)
{
    uint64_t unsaved;

    if (!committer)
        return;
    if (!committer->has_thread)
        return;                         /* what was loaded by half is not to be written */
    atomic_store_explicit(&committer->is_ending, true, memory_order_release);
    wake(committer);
    pthread_join(committer->thread, NULL);
    committer->has_thread = false;
    pawl_committer_flush(committer);
    commit_group(committer, true);
    pawl_committer_flush(committer);
    unsaved = atomic_load_explicit(&committer->unsaved, memory_order_relaxed);
    if (unsaved > 0)
        pawl_engine_log(committer->engine, PAWL_LOG_ERROR,
                        "the newest changes of %llu tasks could not be stored and are lost",
                        (unsigned long long) unsaved);
}

void
pawl_committer_free(struct pawl_committer *committer)
{
    if (!committer)
        return;
    while (committer->nretries > 0)
        pawl_task_unref(committer->retries[--committer->nretries]);
    free(committer->retries);
    /* What was marked before a start that failed. */
    while (committer->taken_dirty ||
           (committer->taken_dirty = pawl_inbox_take(&committer->dirty)) != NULL)
        pawl_task_unref(task_of_entry(pop(&committer->taken_dirty)));
    pawl_handle_fini(&committer->handle);
    pawl_group_fini(&committer->group);
    if (committer->wake_fd >= 0)
        close(committer->wake_fd);
    free(committer);
}

void
pawl_committer_stats(struct pawl_committer *committer, struct pawl_stats *stats)
{
    struct pawl_store_health health;

    committer->store->health(committer->store, &health);
    stats->store_state = pawl_committer_state(committer);
    stats->store_name = committer->store->name;
    stats->store_is_sync = committer->store->is_sync;
    stats->store_bytes = health.bytes;
    stats->history_bytes = health.history_bytes;
    stats->commits = atomic_load_explicit(&committer->commits, memory_order_relaxed);
    stats->unsaved = atomic_load_explicit(&committer->unsaved, memory_order_relaxed);
    memcpy(stats->store_problem, health.problem, sizeof health.problem);
}
