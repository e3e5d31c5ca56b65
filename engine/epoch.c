/* epoch.c: a thin cover of ck_epoch. The rule about the fence stands in epoch.h. */
#include "epoch.h"

#include <stdlib.h>

#define POLL_AFTER 64   /* deferred objects that one poll is worth */

void
pawl_epoch_init(struct pawl_epoch *epoch)
{
    ck_epoch_init(&epoch->ck);
    pthread_mutex_init(&epoch->lock, NULL);
    epoch->records = NULL;
}

void
pawl_epoch_fini(struct pawl_epoch *epoch)
{
    struct pawl_epoch_thread *thread, *next;

    for (thread = epoch->records; thread; thread = next) {
        next = thread->next;
        free(thread);
    }
    pthread_mutex_destroy(&epoch->lock);
}

struct pawl_epoch_thread *
pawl_epoch_register(struct pawl_epoch *epoch)
{
    struct pawl_epoch_thread *thread;

    pthread_mutex_lock(&epoch->lock);
    thread = (struct pawl_epoch_thread *) ck_epoch_recycle(&epoch->ck, NULL);
    if (!thread) {
        size_t size = (sizeof *thread + 63) & ~(size_t) 63;

        thread = aligned_alloc(64, size);
        if (thread) {
            ck_epoch_register(&epoch->ck, &thread->record, NULL);
            thread->next = epoch->records;
            epoch->records = thread;
        }
    }
    if (thread)
        thread->deferred = 0;
    pthread_mutex_unlock(&epoch->lock);
    return thread;
}

void
pawl_epoch_unregister(struct pawl_epoch *epoch, struct pawl_epoch_thread *thread)
{
    ck_epoch_barrier(&thread->record);
    pthread_mutex_lock(&epoch->lock);
    ck_epoch_unregister(&thread->record);
    pthread_mutex_unlock(&epoch->lock);
}

void
pawl_epoch_defer(struct pawl_epoch_thread *thread, ck_epoch_entry_t *entry,
                 ck_epoch_cb_t *free_cb)
{
    ck_pr_fence_memory();   /* the unlink is visible before the epoch is read: see epoch.h */
    ck_epoch_call(&thread->record, entry, free_cb);
    thread->deferred++;
}

void
pawl_epoch_tidy(struct pawl_epoch_thread *thread)
{
    if (thread->deferred >= POLL_AFTER) {
        thread->deferred = 0;
        ck_epoch_poll(&thread->record);
    }
}

bool
pawl_epoch_rest(struct pawl_epoch_thread *thread)
{
    /* Two advances of the epoch free all; a reader in a section may hold the second back. */
    for (int i = 0; i < 3 && thread->record.n_pending > 0; i++)
        ck_epoch_poll(&thread->record);
    thread->deferred = 0;
    return thread->record.n_pending > 0;
}
