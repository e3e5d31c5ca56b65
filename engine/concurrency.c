/* concurrency.c: see concurrency.h.
 *
 * One lock, because only tasks that name a group come here, and each start and end of a run costs a
 * thousand times what is done under it. So "there is no place" and "it stands in the queue" are one
 * step, as are "a place is given back" and "the first who waits has it": no place is given back
 * unseen, and none is free while somebody waits, but for the moment in which pawl_concurrency_next()
 * is called for a group that was enlarged.
 *
 * A task that was called has its place already, and stays known until a worker enters with it or it
 * leaves. Whoever takes a task out of a queue without starting it arms it: so a task that becomes due
 * again at that very moment is not forgotten. */
#include "concurrency.h"

#include "task.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define NBUCKETS 4096u
#define DEFAULT_SIZE 1

struct group {
    struct group *next;                 /* in its bucket */
    char name[PAWL_GROUP_NAME_MAX + 1];
    int64_t configured, asked;          /* sizes; -1: none */
    uint32_t running;                   /* places taken, also by those that were called */
    uint32_t waiting;
    struct waiter *first, **last;       /* of those that were not called yet */
};

struct waiter {
    struct waiter *next_in_bucket;
    struct waiter *next, **prev;        /* in the queue, unless it was called */
    struct pawl_task *task;             /* counted */
    struct group *group;
    bool is_called;
};

struct pawl_concurrency {
    pthread_mutex_t lock;
    uint32_t queue_max;                 /* I */
    uint64_t waiting;                   /* L, as all below */
    uint64_t ngroups, nasked;
    struct group *groups[NBUCKETS];     /* by name */
    struct waiter *waiters[NBUCKETS];   /* by task */
};

/* --- Finding --- */

static struct group **
find_group(struct pawl_concurrency *groups, const char *name)
{
    struct group **at = &groups->groups[XXH3_64bits(name, strlen(name)) % NBUCKETS];

    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static struct waiter **
find_waiter(struct pawl_concurrency *groups, const struct pawl_task *task)
{
    struct waiter **at = &groups->waiters[(task->key.hash >> 8) % NBUCKETS];

    while (*at && (*at)->task != task)
        at = &(*at)->next_in_bucket;
    return at;
}

static uint32_t
size_of(const struct group *group)
{
    return (uint32_t) (group->asked >= 0 ? group->asked
                       : group->configured >= 0 ? group->configured : DEFAULT_SIZE);
}

/* Puts a new group where it was looked for. Owns: takes memory. */
static struct group *
add_group(struct pawl_concurrency *groups, struct group **at, struct group *memory, const char *name)
{
    *memory = (struct group) {.configured = -1, .asked = -1, .last = &memory->first};
    strcpy(memory->name, name);
    groups->ngroups++;
    return *at = memory;
}

/* Forgets a group that is as one that nobody named. */
static void
drop_group(struct pawl_concurrency *groups, struct group *group)
{
    struct group **at = find_group(groups, group->name);

    if (group->configured >= 0 || group->asked >= 0 || group->running > 0 || group->waiting > 0)
        return;
    *at = group->next;
    groups->ngroups--;
    free(group);
}

/* --- The queue of a group --- */

static void
queue(struct pawl_concurrency *groups, struct group *group, struct waiter *waiter)
{
    waiter->next = NULL;
    waiter->prev = group->last;
    *group->last = waiter;
    group->last = &waiter->next;
    group->waiting++;
    groups->waiting++;
    atomic_store_explicit(&waiter->task->is_waiting, true, memory_order_relaxed);
}

static void
unqueue(struct pawl_concurrency *groups, struct waiter *waiter)
{
    struct group *group = waiter->group;

    *waiter->prev = waiter->next;
    if (waiter->next)
        waiter->next->prev = waiter->prev;
    else
        group->last = waiter->prev;
    group->waiting--;
    groups->waiting--;
    atomic_store_explicit(&waiter->task->is_waiting, false, memory_order_relaxed);
}

/* Gives a free place to the first who waits. */
static struct pawl_task *
call(struct pawl_concurrency *groups, struct group *group)
{
    struct waiter *waiter = group->first;

    if (!waiter || group->running >= size_of(group))
        return NULL;
    unqueue(groups, waiter);
    waiter->is_called = true;
    group->running++;
    pawl_task_ref(waiter->task);
    return waiter->task;
}

/* The same, of a group that may have come to its end. */
static struct pawl_task *
call_or_drop(struct pawl_concurrency *groups, struct group *group)
{
    struct pawl_task *next = call(groups, group);

    drop_group(groups, group);
    return next;
}

/* Takes a waiter out, with what it has; it is freed by the caller. */
static struct pawl_task *
take_out(struct pawl_concurrency *groups, struct waiter **at)
{
    struct waiter *waiter = *at;

    *at = waiter->next_in_bucket;
    if (waiter->is_called)
        waiter->group->running--;
    else
        unqueue(groups, waiter);
    return call_or_drop(groups, waiter->group);
}

static void
free_waiter(struct waiter *waiter)
{
    if (waiter)
        pawl_task_unref(waiter->task);
    free(waiter);
}

/* --- Entering and leaving --- */

bool
pawl_concurrency_prepare(struct pawl_concurrency_spare *spare)
{
    if (!spare->waiter)
        spare->waiter = malloc(sizeof(struct waiter));
    if (!spare->group)
        spare->group = malloc(sizeof(struct group));
    return spare->waiter && spare->group;
}

void
pawl_concurrency_spare_free(struct pawl_concurrency_spare *spare)
{
    free(spare->waiter);
    free(spare->group);
}

static struct group *
group_to_enter(struct pawl_concurrency *groups, const char *name,
               struct pawl_concurrency_spare *spare)
{
    struct group **at = find_group(groups, name), *memory = spare->group;

    if (*at)
        return *at;
    spare->group = NULL;
    return add_group(groups, at, memory, name);
}

/* Puts the task at the end of the queue. */
static void
wait_in(struct pawl_concurrency *groups, struct group *group, struct pawl_task *task,
        struct pawl_concurrency_spare *spare)
{
    struct waiter **at = find_waiter(groups, task), *waiter = spare->waiter;

    spare->waiter = NULL;
    *waiter = (struct waiter) {.task = task, .group = group};
    pawl_task_ref(task);
    *at = waiter;
    queue(groups, group, waiter);
}

/* Enters a group in which the task does not wait. */
static enum pawl_entry
enter_anew(struct pawl_concurrency *groups, struct group *group, struct pawl_task *task,
           bool may_wait, struct pawl_concurrency_spare *spare)
{
    if (group->running < size_of(group) && !group->first) {
        group->running++;
        return PAWL_ENTRY_OPEN;
    }
    if (!may_wait || group->waiting >= groups->queue_max)
        return PAWL_ENTRY_FULL;
    wait_in(groups, group, task, spare);
    return PAWL_ENTRY_WAITS;
}

enum pawl_entry
pawl_concurrency_enter(struct pawl_concurrency *groups, struct pawl_task *task, const char *name,
                       bool may_wait, struct pawl_concurrency_spare *spare,
                       struct pawl_task **out_next)
{
    struct waiter **at, *waiter, *over = NULL;
    enum pawl_entry entry;
    struct group *group;

    *out_next = NULL;
    pthread_mutex_lock(&groups->lock);
    at = find_waiter(groups, task);
    waiter = *at;
    if (waiter && strcmp(waiter->group->name, name) != 0) {     /* the task was edited */
        *out_next = take_out(groups, at);
        over = waiter;
        waiter = NULL;
    }
    group = group_to_enter(groups, name, spare);
    if (waiter && waiter->is_called) {
        *at = waiter->next_in_bucket;
        over = waiter;
        entry = PAWL_ENTRY_OPEN;
    } else if (waiter) {
        entry = PAWL_ENTRY_WAITS;
    } else {
        entry = enter_anew(groups, group, task, may_wait, spare);
        drop_group(groups, group);
    }
    pthread_mutex_unlock(&groups->lock);
    free_waiter(over);
    return entry;
}

struct pawl_task *
pawl_concurrency_exit(struct pawl_concurrency *groups, const char *name)
{
    struct pawl_task *next;
    struct group *group;

    pthread_mutex_lock(&groups->lock);
    group = *find_group(groups, name);
    group->running--;
    next = call_or_drop(groups, group);
    pthread_mutex_unlock(&groups->lock);
    return next;
}

bool
pawl_concurrency_leave(struct pawl_concurrency *groups, struct pawl_task *task,
                       struct pawl_task **out_next)
{
    struct waiter **at, *waiter;

    *out_next = NULL;
    pthread_mutex_lock(&groups->lock);
    at = find_waiter(groups, task);
    waiter = *at;
    if (waiter)
        *out_next = take_out(groups, at);
    pthread_mutex_unlock(&groups->lock);
    free_waiter(waiter);
    return waiter != NULL;
}

/* --- Sizes --- */

/* is_asked: else it is configured. */
static int
set_size(struct pawl_concurrency *groups, const char *name, bool is_asked, int64_t size)
{
    struct group *memory = malloc(sizeof *memory), **at, *group;

    if (!memory)
        return PAWL_ENOMEM;
    pthread_mutex_lock(&groups->lock);
    at = find_group(groups, name);
    group = *at;
    if (!group) {
        group = add_group(groups, at, memory, name);
        memory = NULL;
    }
    if (is_asked) {
        groups->nasked += (size >= 0) - (group->asked >= 0);
        group->asked = size;
    } else {
        group->configured = size;
    }
    drop_group(groups, group);
    pthread_mutex_unlock(&groups->lock);
    free(memory);
    return PAWL_OK;
}

int
pawl_concurrency_configure(struct pawl_concurrency *groups, const char *group, int64_t size)
{
    return set_size(groups, group, false, size);
}

int
pawl_concurrency_resize(struct pawl_concurrency *groups, const char *group, int64_t size)
{
    return set_size(groups, group, true, size);
}

struct pawl_task *
pawl_concurrency_next(struct pawl_concurrency *groups, const char *name)
{
    struct pawl_task *next;
    struct group *group;

    pthread_mutex_lock(&groups->lock);
    group = *find_group(groups, name);
    next = group ? call(groups, group) : NULL;
    pthread_mutex_unlock(&groups->lock);
    return next;
}

/* --- Looking --- */

static void
fill_view(const struct group *group, struct pawl_group_view *view)
{
    strcpy(view->name, group->name);
    view->size = size_of(group);
    view->source = group->asked >= 0 ? PAWL_GROUP_ASKED
                 : group->configured >= 0 ? PAWL_GROUP_CONFIGURED : PAWL_GROUP_USUAL;
    view->running = group->running;
    view->waiting = group->waiting;
}

void
pawl_concurrency_look(struct pawl_concurrency *groups, const char *name,
                      struct pawl_group_view *out_view)
{
    struct group nobody = {.configured = -1, .asked = -1};
    const struct group *group;

    strcpy(nobody.name, name);
    pthread_mutex_lock(&groups->lock);
    group = *find_group(groups, name);
    fill_view(group ? group : &nobody, out_view);
    pthread_mutex_unlock(&groups->lock);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(((const struct pawl_group_view *) a)->name,
                  ((const struct pawl_group_view *) b)->name);
}

int
pawl_concurrency_list(struct pawl_concurrency *groups, struct pawl_group_view **out_views,
                      size_t *out_n)
{
    struct pawl_group_view *views;
    size_t n = 0;

    pthread_mutex_lock(&groups->lock);
    views = malloc((groups->ngroups + 1) * sizeof *views);
    for (unsigned i = 0; views && i < NBUCKETS; i++) {
        for (const struct group *group = groups->groups[i]; group; group = group->next)
            fill_view(group, &views[n++]);
    }
    pthread_mutex_unlock(&groups->lock);
    if (!views)
        return PAWL_ENOMEM;
    qsort(views, n, sizeof *views, by_name);
    *out_views = views;
    *out_n = n;
    return PAWL_OK;
}

uint64_t
pawl_concurrency_waiting(struct pawl_concurrency *groups)
{
    uint64_t n;

    pthread_mutex_lock(&groups->lock);
    n = groups->waiting;
    pthread_mutex_unlock(&groups->lock);
    return n;
}

uint64_t
pawl_concurrency_resized(struct pawl_concurrency *groups)
{
    uint64_t n;

    pthread_mutex_lock(&groups->lock);
    n = groups->nasked;
    pthread_mutex_unlock(&groups->lock);
    return n;
}

static bool
is_sound(struct pawl_concurrency *groups, const struct group *group)
{
    struct waiter *const *link = &group->first;
    uint32_t n = 0;

    for (; *link; link = &(*link)->next) {
        if ((*link)->prev != link || (*link)->group != group || (*link)->is_called ||
            *find_waiter(groups, (*link)->task) != *link)
            return false;
        n++;
    }
    return link == group->last && n == group->waiting &&
           (n == 0 || group->running >= size_of(group));
}

bool
pawl_concurrency_check(struct pawl_concurrency *groups)
{
    uint64_t ngroups = 0, waiting = 0;
    bool sound = true;

    pthread_mutex_lock(&groups->lock);
    for (unsigned i = 0; i < NBUCKETS && sound; i++) {
        for (const struct group *group = groups->groups[i]; group && sound; group = group->next) {
            ngroups++;
            waiting += group->waiting;
            sound = is_sound(groups, group);
        }
    }
    sound = sound && ngroups == groups->ngroups && waiting == groups->waiting;
    pthread_mutex_unlock(&groups->lock);
    return sound;
}

/* --- Life --- */

struct pawl_concurrency *
pawl_concurrency_new(uint32_t queue_max)
{
    struct pawl_concurrency *groups = calloc(1, sizeof *groups);

    if (!groups)
        return NULL;
    groups->queue_max = queue_max;
    pthread_mutex_init(&groups->lock, NULL);
    return groups;
}

void
pawl_concurrency_free(struct pawl_concurrency *groups)
{
    if (!groups)
        return;
    for (unsigned i = 0; i < NBUCKETS; i++) {
        while (groups->waiters[i]) {
            struct waiter *waiter = groups->waiters[i];

            groups->waiters[i] = waiter->next_in_bucket;
            free_waiter(waiter);
        }
        while (groups->groups[i]) {
            struct group *group = groups->groups[i];

            groups->groups[i] = group->next;
            free(group);
        }
    }
    pthread_mutex_destroy(&groups->lock);
    free(groups);
}
