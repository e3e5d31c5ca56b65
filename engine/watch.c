/* watch.c: waiting for a change of a task without a lock.
 *
 * A handle that wants to know of a task puts one post, however many of its callers wait, into the
 * task's inbox of posts. Whoever changes the task takes them all and sends each home to its
 * handle, whose thread looks which of its waits are over and puts a new post if some are not.
 * A post is in one place: at the task, under way, or home; so a handle has at most one a task,
 * and watchers that come and go leave nothing behind but that.
 *
 * W1: no change is missed. The watcher puts its post, then reads the snapshot; the changer swaps
 * the snapshot in, then looks for posts; a full fence stands between on both sides (in
 * pawl_inbox_put() and in pawl_watch_wake()), so one of them sees the other. A watcher that sees
 * the change itself wakes the task like a changer: its post comes home by the same way. */
#include "watch.h"

#include "shared.h"

#include <sched.h>
#include <stdlib.h>

#define FIRST_BUCKETS 64

struct pawl_post {
    ck_stack_entry_t entry;             /* at the task; first */
    struct pawl_link link;              /* on the way home; in the handle's inbox as mail */
    struct pawl_handle *handle;         /* I */
    struct pawl_task *task;             /* I: counted */
    struct pawl_watch *waits;           /* by the handle's thread: a doubly linked list */
    struct pawl_post *next;             /* by the handle's thread: in its bucket */
};

/* --- The handle's posts, by task --- */

static size_t
bucket_of(const struct pawl_task *task, size_t nbuckets)
{
    return (size_t) (task->key.hash >> 8) & (nbuckets - 1);
}

static int
grow(struct pawl_handle *handle)
{
    size_t nbuckets = handle->nbuckets ? handle->nbuckets * 2 : FIRST_BUCKETS;
    struct pawl_post **posts;

    if (handle->nposts < handle->nbuckets)
        return PAWL_OK;
    posts = calloc(nbuckets, sizeof *posts);
    if (!posts)
        return handle->nbuckets ? PAWL_OK : PAWL_ENOMEM;
    for (size_t i = 0; i < handle->nbuckets; i++) {
        while (handle->posts[i]) {
            struct pawl_post *post = handle->posts[i];
            size_t bucket = bucket_of(post->task, nbuckets);

            handle->posts[i] = post->next;
            post->next = posts[bucket];
            posts[bucket] = post;
        }
    }
    free(handle->posts);
    handle->posts = posts;
    handle->nbuckets = nbuckets;
    return PAWL_OK;
}

static struct pawl_post **
find_post(struct pawl_handle *handle, const struct pawl_task *task)
{
    struct pawl_post **at = &handle->posts[bucket_of(task, handle->nbuckets)];

    while (*at && (*at)->task != task)
        at = &(*at)->next;
    return at;
}

/* --- Waits of a post --- */

static void
link_wait(struct pawl_watch **list, struct pawl_watch *watch)
{
    watch->next = *list;
    watch->prev = list;
    if (*list)
        (*list)->prev = &watch->next;
    *list = watch;
}

static void
unlink_wait(struct pawl_watch *watch)
{
    *watch->prev = watch->next;
    if (watch->next)
        watch->next->prev = watch->prev;
}

/* --- The way of a post --- */

void
pawl_watch_wake(struct pawl_task *task)
{
    ck_stack_entry_t *entry, *next;

    ck_pr_fence_memory();                                                       /* W1 */
    for (entry = pawl_inbox_take(&task->posts); entry; entry = next) {
        struct pawl_post *post = (struct pawl_post *) entry;

        next = entry->next;     /* the post is its handle's from the next line on */
        pawl_handle_send(post->handle, &post->link);
    }
}

static void post_deliver(struct pawl_link *link);

/* Registers a wait, with a new post if the handle has none at the task. The caller looks at the
 * snapshot afterwards. */
static int
add_wait(struct pawl_handle *handle, struct pawl_task *task, struct pawl_watch *watch,
         bool *out_posted)
{
    struct pawl_post **at, *post;

    if (grow(handle) != PAWL_OK)
        return PAWL_ENOMEM;
    at = find_post(handle, task);
    post = *at;
    *out_posted = !post;
    if (!post) {
        post = malloc(sizeof *post);
        if (!post)
            return PAWL_ENOMEM;
        *post = (struct pawl_post) {.handle = handle, .task = task};
        post->link.deliver = post_deliver;
        pawl_task_ref(task);
        *at = post;
        handle->nposts++;
    }
    link_wait(&post->waits, watch);
    if (*out_posted)
        pawl_inbox_put(&task->posts, &post->entry);      /* W1 */
    return PAWL_OK;
}

/* The task as it is, if it is not at version any more. */
enum look { SAME, CHANGED, GONE };

static enum look
look_at(struct pawl_handle *handle, struct pawl_task *task, int64_t version,
        struct pawl_view *out_view)
{
    struct pawl_now now = pawl_now(handle->engine);
    const struct pawl_snapshot *snapshot;
    enum look look = GONE;

    pawl_epoch_begin(handle->epoch);
    snapshot = pawl_task_read(task, NULL);
    if (snapshot)
        look = snapshot->version == version ? SAME : CHANGED;
    if (look == CHANGED)
        pawl_task_view(task, snapshot, &now, pawl_engine_is_full(handle->engine), out_view);
    pawl_epoch_end(handle->epoch);
    return look;
}

/* A wait of a post that came home: over, or registered again. */
static void
settle(struct pawl_handle *handle, struct pawl_task *task, struct pawl_watch *watch)
{
    struct pawl_view view;
    bool posted = false;
    enum look look = look_at(handle, task, watch->version, &view);

    if (look == SAME && add_wait(handle, task, watch, &posted) == PAWL_OK) {
        if (!posted)
            return;
        look = look_at(handle, task, watch->version, &view);
        if (look == SAME)
            return;
        unlink_wait(watch);
        pawl_watch_wake(task);
    }
    if (look == SAME) {         /* no memory to wait on: a wait may end early, never too late */
        look = look_at(handle, task, watch->version - 1, &view);
    }
    watch->changed(watch, look == CHANGED ? &view : NULL);
    if (look == CHANGED)
        pawl_view_release(&view);
}

static void
post_deliver(struct pawl_link *link)
{
    struct pawl_post *post = (struct pawl_post *) ((char *) link - offsetof(struct pawl_post, link));
    struct pawl_handle *handle = post->handle;
    struct pawl_watch *waits = post->waits;

    *find_post(handle, post->task) = post->next;
    handle->nposts--;
    if (waits)
        waits->prev = &waits;   /* changed() may give up others: they leave this list */
    while (waits) {
        struct pawl_watch *watch = waits;

        unlink_wait(watch);
        settle(handle, post->task, watch);
    }
    pawl_task_unref(post->task);
    free(post);
}

/* --- The calls --- */

int
pawl_watch(struct pawl_handle *handle, const char *id, size_t id_len, int64_t version,
           struct pawl_watch *watch, struct pawl_view *out_view)
{
    struct pawl_task *task = pawl_handle_find(handle, id, id_len);
    int code = PAWL_PENDING;
    bool posted;
    enum look look;

    if (!task)
        return PAWL_ENOENT;
    watch->version = version;
    look = look_at(handle, task, version, out_view);
    if (look == SAME) {
        code = add_wait(handle, task, watch, &posted);
        if (code == PAWL_OK) {
            code = PAWL_PENDING;
            look = look_at(handle, task, version, out_view);
            if (look != SAME) {
                unlink_wait(watch);
                pawl_watch_wake(task);
            }
        }
    }
    if (look != SAME)
        code = look == CHANGED ? PAWL_OK : PAWL_ENOENT;
    pawl_task_unref(task);
    return code;
}

void
pawl_unwatch(struct pawl_handle *handle, struct pawl_watch *watch)
{
    (void) handle;
    unlink_wait(watch);
}

void
pawl_watch_fini(struct pawl_handle *handle)
{
    for (size_t i = 0; i < handle->nbuckets; i++) {
        struct pawl_post *post;

        for (post = handle->posts[i]; post; post = post->next) {
            while (post->waits)
                unlink_wait(post->waits);
        }
    }
    /* Call the posts home; one that another thread has just taken comes within a few
     * instructions of it. */
    while (handle->nposts > 0) {
        for (size_t i = 0; i < handle->nbuckets; i++) {
            struct pawl_post *post;

            for (post = handle->posts[i]; post; post = post->next)
                pawl_watch_wake(post->task);
        }
        pawl_deliver(handle);
        if (handle->nposts > 0)
            sched_yield();
    }
    free(handle->posts);
    handle->posts = NULL;
    handle->nbuckets = 0;
}
