/* fake_store.h: a store in memory for tests. It outlives the engines that are opened on it: what
 * one of them wrote is there for the next. A gate can hold each group up until the test lets it
 * pass, and groups can be told to fail. Uses no test framework: planted programs have it, too. */
#ifndef PAWL_FAKE_STORE_H
#define PAWL_FAKE_STORE_H

#include "result.h"
#include "store.h"
#include "when_copy.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FAKE_WAIT_S 60

struct fake_task {
    struct pawl_record record;          /* its strings and its schedule are its own */
    struct pawl_result **results;       /* oldest first */
    size_t nresults;
};

/* One write as it was asked for, whatever came of it. */
struct fake_write {
    uint64_t ticket;
    enum pawl_write_kind kind;
    uint64_t seq;
    int64_t version;
    size_t nresults;
    bool may_use_reserve;
    int code;
};

struct fake_store {
    struct pawl_store store;            /* first */
    char dir[64];                       /* of the table of runs */
    pthread_mutex_t lock;
    struct fake_task *tasks;            /* L: by ascending seq */
    size_t ntasks, cap;
    struct pawl_scale scale;            /* L */
    struct pawl_group_view sizes[8];    /* L: of groups: name and size */
    size_t nsizes;
    struct fake_write *writes;          /* L: all of them */
    size_t nwrites, writes_cap;
    unsigned ngroups;                   /* L: that have come, empty ones as well */
    unsigned nrepeated;                 /* L: results that were there already */
    unsigned nclosed;                   /* L */
    bool is_full;                       /* L: only the reserve is left */
    bool is_kept_all_the_same;          /* L: a group that fails with PAWL_ESTORE is written */
    int code, nfailing;                 /* L: of the next groups; negative: of all of them */
    bool is_gated;                      /* L */
    sem_t gate;                         /* one post, one group */
    sem_t arrived;                      /* posted by each group that comes to the gate */
};

static inline void
fake_wait(sem_t *sem)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FAKE_WAIT_S;
    while (sem_timedwait(sem, &until) != 0) {
        if (errno == EINTR)
            continue;
        fprintf(stderr, "fake store: nobody came to the gate, or opened it, in %d s\n",
                FAKE_WAIT_S);
        abort();
    }
}

static inline void *
fake_copy(const void *from, size_t len)
{
    char *copy = malloc(len + 1);

    if (!copy)
        abort();
    memcpy(copy, from, len);
    copy[len] = '\0';
    return copy;
}

/* --- What is in it; with the lock --- */

static inline struct fake_task *
fake_find_locked(struct fake_store *fake, uint64_t seq)
{
    for (size_t i = 0; i < fake->ntasks; i++) {
        if (fake->tasks[i].record.seq == seq)
            return &fake->tasks[i];
    }
    return NULL;
}

static inline void
fake_free_texts(struct pawl_record *record)
{
    free((char *) record->id);
    free((char *) record->script);
    when_free(record->when);
    free((struct pawl_action *) record->action);
    free((struct pawl_policy *) record->policy);
}

/* Copies what a record borrows. */
static inline void
fake_own_texts(struct pawl_record *record)
{
    record->id = fake_copy(record->id, record->id_len);
    record->script = fake_copy(record->script, record->script_len);
    record->when = when_copy(record->when);
    record->action = action_copy(record->action);
    record->policy = policy_copy(record->policy);
}

static inline void
fake_free_task(struct fake_task *task)
{
    for (size_t i = 0; i < task->nresults; i++)
        free(task->results[i]);
    free(task->results);
    fake_free_texts(&task->record);
}

static inline int
fake_write_new_locked(struct fake_store *fake, const struct pawl_record *record)
{
    struct fake_task *task = fake_find_locked(fake, record->seq);
    size_t at = fake->ntasks;

    if (task)
        return task->record.id_len == record->id_len &&
               memcmp(task->record.id, record->id, record->id_len) == 0 ? PAWL_OK : PAWL_EEXIST;
    if (fake->ntasks == fake->cap) {
        fake->cap = fake->cap ? 2 * fake->cap : 64;
        fake->tasks = realloc(fake->tasks, fake->cap * sizeof *fake->tasks);
    }
    while (at > 0 && fake->tasks[at - 1].record.seq > record->seq)
        at--;
    memmove(&fake->tasks[at + 1], &fake->tasks[at], (fake->ntasks++ - at) * sizeof *fake->tasks);
    task = &fake->tasks[at];
    *task = (struct fake_task) {.record = *record};
    fake_own_texts(&task->record);
    return PAWL_OK;
}

static inline void
fake_add_result_locked(struct fake_store *fake, struct fake_task *task,
                       const struct pawl_result *result)
{
    for (size_t i = 0; i < task->nresults; i++) {
        if (task->results[i]->run == result->run &&
            task->results[i]->attempt == result->attempt) {
            fake->nrepeated++;
            return;
        }
    }
    task->results = realloc(task->results, (task->nresults + 1) * sizeof task->results[0]);
    task->results[task->nresults] = pawl_result_copy(result);
    if (!task->results[task->nresults++])
        abort();
}

static inline int
fake_write_state_locked(struct fake_store *fake, const struct pawl_write *write)
{
    struct fake_task *task = fake_find_locked(fake, write->record.seq);
    size_t kept = 0;

    if (!task)
        return PAWL_ENOENT;
    if (write->record.version >= task->record.version) {
        struct pawl_record old = task->record;

        task->record = write->record;
        if (write->kind == PAWL_WRITE_EDIT) {
            fake_free_texts(&old);
            fake_own_texts(&task->record);
        } else {
            task->record.id = old.id;
            task->record.script = old.script;
            task->record.when = old.when;
            task->record.action = old.action;
            task->record.policy = old.policy;
            task->record.origin_ns = old.origin_ns;
            task->record.since_ns = old.since_ns;
            task->record.time_ns = old.time_ns;
            task->record.script_len = old.script_len;
            task->record.keep_results = old.keep_results;
        }
    }
    for (size_t i = 0; i < write->nresults; i++)
        fake_add_result_locked(fake, task, write->results[i]);
    for (size_t i = 0; i < task->nresults; i++) {
        if (task->results[i]->run < write->drop_below)
            free(task->results[i]);
        else
            task->results[kept++] = task->results[i];
    }
    task->nresults = kept;
    return PAWL_OK;
}

static inline int
fake_write_gone_locked(struct fake_store *fake, uint64_t seq)
{
    struct fake_task *task = fake_find_locked(fake, seq);

    if (!task)
        return PAWL_ENOENT;
    fake_free_task(task);
    memmove(task, task + 1, (size_t) (fake->tasks + --fake->ntasks - task) * sizeof *task);
    return PAWL_OK;
}

static inline int
fake_write_locked(struct fake_store *fake, const struct pawl_write *write)
{
    switch (write->kind) {
    case PAWL_WRITE_NEW:
        return fake_write_new_locked(fake, &write->record);
    case PAWL_WRITE_STATE:
    case PAWL_WRITE_EDIT:
        return fake_write_state_locked(fake, write);
    default:
        return fake_write_gone_locked(fake, write->record.seq);
    }
}

static inline void
fake_note_locked(struct fake_store *fake, const struct pawl_group *group,
                 const struct pawl_write *write)
{
    if (fake->nwrites == fake->writes_cap) {
        fake->writes_cap = fake->writes_cap ? 2 * fake->writes_cap : 64;
        fake->writes = realloc(fake->writes, fake->writes_cap * sizeof *fake->writes);
    }
    fake->writes[fake->nwrites++] = (struct fake_write) {
        .ticket = group->ticket, .kind = write->kind, .seq = write->record.seq,
        .version = write->record.version, .nresults = write->nresults,
        .may_use_reserve = group->may_use_reserve, .code = write->code,
    };
}

/* What the group is to end with, PAWL_OK as a rule. */
static inline int
fake_next_code_locked(struct fake_store *fake, const struct pawl_group *group)
{
    if (fake->nfailing != 0) {
        fake->nfailing -= fake->nfailing > 0;
        return fake->code;
    }
    return fake->is_full && !group->may_use_reserve ? PAWL_EFULL : PAWL_OK;
}

/* --- The interface --- */

static inline int
fake_commit(struct pawl_store *store, struct pawl_group *group)
{
    struct fake_store *fake = (struct fake_store *) store;
    bool is_gated, is_written;
    int code;

    pthread_mutex_lock(&fake->lock);
    fake->ngroups++;
    is_gated = fake->is_gated;
    pthread_mutex_unlock(&fake->lock);
    if (is_gated) {
        sem_post(&fake->arrived);
        fake_wait(&fake->gate);
    }
    pthread_mutex_lock(&fake->lock);
    code = fake_next_code_locked(fake, group);
    is_written = code == PAWL_OK || (code == PAWL_ESTORE && fake->is_kept_all_the_same);
    for (size_t i = 0; i < group->nwrites; i++) {
        struct pawl_write *write = &group->writes[i];

        write->code = is_written ? fake_write_locked(fake, write) : code;
        if (code != PAWL_OK)
            write->code = code;         /* written or not: it is not known */
        fake_note_locked(fake, group, write);
    }
    if (is_written && group->scale)
        fake->scale = *group->scale;
    pthread_mutex_unlock(&fake->lock);
    return code;
}

static inline int
fake_inventory(struct pawl_store *store, struct pawl_inventory *out, struct pawl_err *err)
{
    struct fake_store *fake = (struct fake_store *) store;

    (void) err;
    *out = (struct pawl_inventory) {.scale = fake->scale};
    if (fake->ntasks > 0) {
        out->seq_min = fake->tasks[0].record.seq;
        out->seq_max = fake->tasks[fake->ntasks - 1].record.seq;
    }
    return PAWL_OK;
}

static inline int
fake_load(struct pawl_store *store, const struct pawl_range *range, pawl_load_cb *visit, void *ctx,
          struct pawl_err *err)
{
    struct fake_store *fake = (struct fake_store *) store;
    int code = PAWL_OK;

    (void) err;
    for (size_t i = 0; i < fake->ntasks && code == PAWL_OK; i++) {
        const struct fake_task *task = &fake->tasks[i];
        struct pawl_result *results = calloc(task->nresults + 1, sizeof *results);

        if (!results)
            return PAWL_ENOMEM;
        for (size_t j = 0; j < task->nresults; j++)
            results[j] = *task->results[j];
        if (task->record.seq >= range->seq_from && task->record.seq <= range->seq_to)
            code = visit(ctx, &task->record, results, task->nresults);
        free(results);
    }
    return code;
}

static inline bool
fake_has_room(struct pawl_store *store)
{
    struct fake_store *fake = (struct fake_store *) store;
    bool has_room;

    pthread_mutex_lock(&fake->lock);
    has_room = !fake->is_full;
    pthread_mutex_unlock(&fake->lock);
    return has_room;
}

static inline int
fake_prune(struct pawl_store *store, int64_t older_ns, uint64_t max_bytes, unsigned max_rows,
           int64_t *out_cutoff_ns)
{
    (void) store;
    (void) older_ns;
    (void) max_bytes;
    (void) max_rows;
    *out_cutoff_ns = INT64_MIN;
    return PAWL_OK;
}

static inline int
fake_read_result(struct pawl_store *store, uint64_t seq, uint64_t run, int attempt,
                 struct pawl_result **out_result)
{
    struct fake_store *fake = (struct fake_store *) store;
    const struct fake_task *task;
    int code = PAWL_ENOENT;

    pthread_mutex_lock(&fake->lock);
    task = fake_find_locked(fake, seq);
    for (size_t i = 0; task && i < task->nresults && code == PAWL_ENOENT; i++) {
        if (task->results[i]->run == run && task->results[i]->attempt == attempt) {
            *out_result = pawl_result_copy(task->results[i]);
            code = *out_result ? PAWL_OK : PAWL_ENOMEM;
        }
    }
    pthread_mutex_unlock(&fake->lock);
    return code;
}

static inline int
fake_sizes(struct pawl_store *store, int (*visit)(void *ctx, const char *group, uint32_t size),
           void *ctx, struct pawl_err *err)
{
    struct fake_store *fake = (struct fake_store *) store;
    int code = PAWL_OK;

    (void) err;
    for (size_t i = 0; i < fake->nsizes && code == PAWL_OK; i++)
        code = visit(ctx, fake->sizes[i].name, fake->sizes[i].size);
    return code;
}

static inline int
fake_resize(struct pawl_store *store, const char *group, int64_t size)
{
    struct fake_store *fake = (struct fake_store *) store;
    int code = PAWL_OK;
    size_t i = 0;

    pthread_mutex_lock(&fake->lock);
    while (i < fake->nsizes && strcmp(fake->sizes[i].name, group) != 0)
        i++;
    if (fake->nfailing != 0) {
        fake->nfailing -= fake->nfailing > 0;
        code = fake->code;
    } else if (size < 0 && i < fake->nsizes) {
        fake->sizes[i] = fake->sizes[--fake->nsizes];
    } else if (size >= 0 && i < sizeof fake->sizes / sizeof fake->sizes[0]) {
        fake->nsizes += i == fake->nsizes;
        fake->sizes[i].size = (uint32_t) size;
        snprintf(fake->sizes[i].name, sizeof fake->sizes[i].name, "%s", group);
    }
    pthread_mutex_unlock(&fake->lock);
    return code;
}

static inline bool
fake_idle(struct pawl_store *store)
{
    (void) store;
    return false;
}

static inline void
fake_health(struct pawl_store *store, struct pawl_store_health *out)
{
    struct fake_store *fake = (struct fake_store *) store;

    *out = (struct pawl_store_health) {0};
    pthread_mutex_lock(&fake->lock);
    if (fake->is_full || fake->nfailing != 0)
        snprintf(out->problem, sizeof out->problem, "the test says so");
    pthread_mutex_unlock(&fake->lock);
}

static inline int
fake_backup(struct pawl_store *store, const char *path, struct pawl_err *err)
{
    (void) store;
    (void) path;
    (void) err;
    return PAWL_OK;
}

static inline void
fake_close(struct pawl_store *store)
{
    struct fake_store *fake = (struct fake_store *) store;

    pthread_mutex_lock(&fake->lock);
    fake->nclosed++;
    pthread_mutex_unlock(&fake->lock);
}

/* --- Life --- */

static inline void
fake_store_init(struct fake_store *fake)
{
    *fake = (struct fake_store) {.store = {
        .name = "fake", .is_sync = true, .dir = fake->dir, .inventory = fake_inventory,
        .load = fake_load, .commit = fake_commit, .has_room = fake_has_room, .prune = fake_prune,
        .sizes = fake_sizes, .resize = fake_resize, .read_result = fake_read_result, .idle = fake_idle, .health = fake_health,
        .backup = fake_backup, .close = fake_close,
    }};
    strcpy(fake->dir, "/tmp/pawl-fake-XXXXXX");
    if (!mkdtemp(fake->dir))
        abort();
    pthread_mutex_init(&fake->lock, NULL);
    sem_init(&fake->gate, 0, 0);
    sem_init(&fake->arrived, 0, 0);
}

/* An engine that is open needs the directory no more; one that is to be opened does. */
static inline void
fake_remove_dir(struct fake_store *fake)
{
    char path[80];

    snprintf(path, sizeof path, "%s/runs", fake->dir);
    unlink(path);
    rmdir(fake->dir);
}

/* Once no engine uses it any more. */
static inline void
fake_store_fini(struct fake_store *fake)
{
    for (size_t i = 0; i < fake->ntasks; i++)
        fake_free_task(&fake->tasks[i]);
    free(fake->tasks);
    free(fake->writes);
    fake_remove_dir(fake);
    pthread_mutex_destroy(&fake->lock);
    sem_destroy(&fake->gate);
    sem_destroy(&fake->arrived);
}

/* --- What a test tells it --- */

/* From now on each group waits at the gate. */
static inline void
fake_gate(struct fake_store *fake)
{
    pthread_mutex_lock(&fake->lock);
    fake->is_gated = true;
    pthread_mutex_unlock(&fake->lock);
}

/* Waits until another group stands at the gate. */
static inline void
fake_await_group(struct fake_store *fake)
{
    fake_wait(&fake->arrived);
}

/* Lets one group pass, the one at the gate or the next one that comes. */
static inline void
fake_pass(struct fake_store *fake)
{
    sem_post(&fake->gate);
}

/* Lets pass what stands at the gate, and no group waits any more. */
static inline void
fake_open_gate(struct fake_store *fake)
{
    pthread_mutex_lock(&fake->lock);
    fake->is_gated = false;
    pthread_mutex_unlock(&fake->lock);
    sem_post(&fake->gate);
}

/* The next n groups that pass fail with code; n negative: all, until it is called with 0. */
static inline void
fake_fail(struct fake_store *fake, int code, int n)
{
    pthread_mutex_lock(&fake->lock);
    fake->code = code;
    fake->nfailing = n;
    pthread_mutex_unlock(&fake->lock);
}

static inline void
fake_fill(struct fake_store *fake, bool is_full)
{
    pthread_mutex_lock(&fake->lock);
    fake->is_full = is_full;
    pthread_mutex_unlock(&fake->lock);
}

/* How many writes of a kind of the task were asked for; seq 0: of all tasks. */
static inline unsigned
fake_count(struct fake_store *fake, enum pawl_write_kind kind, uint64_t seq)
{
    unsigned n = 0;

    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < fake->nwrites; i++)
        n += fake->writes[i].kind == kind && (seq == 0 || fake->writes[i].seq == seq);
    pthread_mutex_unlock(&fake->lock);
    return n;
}

/* The newest write, or one whose ticket is 0. */
static inline struct fake_write
fake_last_write(struct fake_store *fake)
{
    struct fake_write last = {0};

    pthread_mutex_lock(&fake->lock);
    if (fake->nwrites > 0)
        last = fake->writes[fake->nwrites - 1];
    pthread_mutex_unlock(&fake->lock);
    return last;
}

/* What it remembers of a task. False: nothing. */
static inline bool
fake_look(struct fake_store *fake, uint64_t seq, struct pawl_record *out_record,
          size_t *out_nresults)
{
    const struct fake_task *task;

    pthread_mutex_lock(&fake->lock);
    task = fake_find_locked(fake, seq);
    if (task) {
        *out_record = task->record;
        *out_nresults = task->nresults;
    }
    pthread_mutex_unlock(&fake->lock);
    return task != NULL;
}

#endif
