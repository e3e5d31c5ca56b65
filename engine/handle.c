/* handle.c: a thread's way into the engine, and what is sent to it.
 *
 * Anybody sends; the owner delivers. R1: pawl_inbox_put() publishes the link and what it belongs
 * to; pairs with A1, pawl_inbox_take(). T1: a sender that finds is_told clear wakes the owner; the
 * owner clears it before it takes, so a link that it does not take finds it clear. D1: a sender
 * uses the handle and wake_ctx behind its put, so it counts itself in before and out after; the put
 * (R1) makes the count visible to the owner that takes the link, which waits for zero at the end. */
#include "shared.h"

#include "committer.h"

#include <sched.h>
#include <stdlib.h>

int
pawl_handle_init(struct pawl_handle *handle, struct pawl *engine, void (*wake)(void *wake_ctx),
                 void *wake_ctx)
{
    *handle = (struct pawl_handle) {.engine = engine, .wake = wake, .wake_ctx = wake_ctx};
    pawl_inbox_init(&handle->inbox);
    atomic_init(&handle->is_told, false);
    atomic_init(&handle->nsenders, 0);
    handle->epoch = pawl_epoch_register(&engine->epoch);
    return handle->epoch ? PAWL_OK : PAWL_ENOMEM;
}

void
pawl_handle_fini(struct pawl_handle *handle)
{
    if (!handle->epoch)
        return;
    while (atomic_load_explicit(&handle->nsenders, memory_order_acquire) > 0)  /* D1 */
        sched_yield();
    pawl_epoch_unregister(&handle->engine->epoch, handle->epoch);
    handle->epoch = NULL;
}

/* Lets the owner know that there are links, and counts the sender out. */
static void
tell(struct pawl_handle *handle)
{
    if (!atomic_exchange_explicit(&handle->is_told, true, memory_order_seq_cst) &&   /* T1 */
        handle->wake)
        handle->wake(handle->wake_ctx);
    atomic_fetch_sub_explicit(&handle->nsenders, 1, memory_order_release);     /* D1 */
}

void
pawl_handle_send(struct pawl_handle *handle, struct pawl_link *link)
{
    atomic_fetch_add_explicit(&handle->nsenders, 1, memory_order_relaxed);     /* D1 */
    pawl_inbox_put(&handle->inbox, (ck_stack_entry_t *) &link->entry);         /* R1 */
    tell(handle);
}

void
pawl_post_bag_put(struct pawl_post_bag *bag, struct pawl_handle *handle, struct pawl_link *link)
{
    unsigned i = 0;

    while (i < bag->n && bag->handles[i] != handle)
        i++;
    if (i == PAWL_BAG_MAX) {
        pawl_handle_send(handle, link);
        return;
    }
    if (i == bag->n) {
        bag->handles[bag->n++] = handle;
        atomic_fetch_add_explicit(&handle->nsenders, 1, memory_order_relaxed); /* D1 */
    }
    pawl_inbox_put(&handle->inbox, (ck_stack_entry_t *) &link->entry);         /* R1 */
}

void
pawl_post_bag_tell(struct pawl_post_bag *bag)
{
    for (unsigned i = 0; i < bag->n; i++)
        tell(bag->handles[i]);
    bag->n = 0;
}

void
pawl_handle_flush(struct pawl_handle *handle)
{
    struct pawl_link *asked = handle->asked;

    handle->asked = NULL;
    if (asked)
        pawl_committer_add(handle->engine->committer, asked);
}

void
pawl_deliver(struct pawl_handle *handle)
{
    ck_stack_entry_t *entry, *next;

    pawl_handle_flush(handle);
    if (!atomic_load_explicit(&handle->is_told, memory_order_relaxed))
        return;     /* relaxed: a link missed here has woken the owner, which will come again */
    atomic_exchange_explicit(&handle->is_told, false, memory_order_seq_cst);   /* T1 */
    for (entry = pawl_inbox_take(&handle->inbox); entry; entry = next) {       /* A1 */
        struct pawl_link *link = (struct pawl_link *) entry;    /* its first member */

        next = entry->next;
        link->deliver(link);
    }
}

bool
pawl_rest(struct pawl_handle *handle)
{
    pawl_handle_flush(handle);
    return pawl_epoch_rest(handle->epoch);
}

struct pawl_task *
pawl_handle_find(struct pawl_handle *handle, const char *id, size_t id_len)
{
    struct pawl_index *index = handle->engine->index;
    union pawl_key_probe probe;
    struct pawl_key *key;

    if (id_len == 0 || id_len > PAWL_ID_MAX)
        return NULL;
    pawl_index_key(index, id, id_len, &probe.key);
    pawl_epoch_begin(handle->epoch);
    key = pawl_index_find(index, &probe.key);
    if (key && handle->only && pawl_task_of_key(key) != handle->only)
        key = NULL;
    if (key)
        pawl_task_ref(pawl_task_of_key(key));
    pawl_epoch_end(handle->epoch);
    return key ? pawl_task_of_key(key) : NULL;
}
