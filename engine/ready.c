/* ready.c: the ring between the ticker and the workers.
 *
 * W1: nobody sleeps on work that is there. Each side writes its own word, then reads the other's,
 * with a full fence between: the ticker puts a task and then looks for sleepers; a worker says that
 * it sleeps and then looks into the ring. One of them must see the other. The same pair guards the
 * ticker's wait for room: it says that it is backed up, then looks for room; a worker takes, then
 * looks whether the ticker is backed up. The fences are CK's, as the ring's words are. */
#include "ready.h"

#include <pawl.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#define LATE 1u                         /* added to the pointer, which is even */

int
pawl_ready_init(struct pawl_ready *ready, unsigned nworkers)
{
    ready->buffer = aligned_alloc(64, PAWL_READY_SLOTS * sizeof *ready->buffer);
    ready->sleepers = aligned_alloc(64, nworkers * sizeof *ready->sleepers);
    if (!ready->buffer || !ready->sleepers) {
        pawl_ready_fini(ready);
        return PAWL_ENOMEM;
    }
    ck_ring_init(&ready->ring, PAWL_READY_SLOTS);
    atomic_init(&ready->is_backed_up, false);
    ready->producer_fd = -1;
    ready->nsleepers = nworkers;
    for (unsigned i = 0; i < nworkers; i++) {
        atomic_init(&ready->sleepers[i].asleep, false);
        ready->sleepers[i].fd = -1;
    }
    return PAWL_OK;
}

void
pawl_ready_fini(struct pawl_ready *ready)
{
    free(ready->buffer);
    free(ready->sleepers);
    ready->buffer = NULL;
    ready->sleepers = NULL;
}

bool
pawl_ready_put(struct pawl_ready *ready, struct pawl_task *task, bool is_late)
{
    return ck_ring_enqueue_spmc(&ready->ring, ready->buffer, (char *) task + (is_late ? LATE : 0));
}

void
pawl_ready_wake(struct pawl_ready *ready, size_t n)
{
    ck_pr_fence_memory();                                                       /* W1 */
    for (unsigned i = 0; i < ready->nsleepers && n > 0; i++) {
        struct pawl_sleeper *sleeper = &ready->sleepers[i];

        /* seq_cst: only one of several wakers writes to the descriptor. */
        if (atomic_load_explicit(&sleeper->asleep, memory_order_seq_cst) &&
            atomic_exchange_explicit(&sleeper->asleep, false, memory_order_seq_cst)) {
            eventfd_write(sleeper->fd, 1);
            n--;
        }
    }
}

void
pawl_ready_rouse(struct pawl_ready *ready)
{
    for (unsigned i = 0; i < ready->nsleepers; i++)
        eventfd_write(ready->sleepers[i].fd, 1);
}

bool
pawl_ready_wait_for_room(struct pawl_ready *ready)
{
    atomic_store_explicit(&ready->is_backed_up, true, memory_order_seq_cst);
    ck_pr_fence_memory();                                                       /* W1 */
    return ck_ring_size(&ready->ring) >= PAWL_READY_SLOTS / 2;
}

struct pawl_task *
pawl_ready_take(struct pawl_ready *ready, bool *out_is_late)
{
    void *task;

    if (!ck_ring_dequeue_spmc(&ready->ring, ready->buffer, &task))
        return NULL;
    ck_pr_fence_memory();                                                       /* W1 */
    if (atomic_load_explicit(&ready->is_backed_up, memory_order_seq_cst) &&
        ck_ring_size(&ready->ring) < PAWL_READY_SLOTS / 2 &&
        atomic_exchange_explicit(&ready->is_backed_up, false, memory_order_seq_cst))
        eventfd_write(ready->producer_fd, 1);
    *out_is_late = (uintptr_t) task & LATE;
    return (struct pawl_task *) ((char *) task - (*out_is_late ? LATE : 0));
}

bool
pawl_ready_sleep(struct pawl_ready *ready, unsigned i)
{
    atomic_store_explicit(&ready->sleepers[i].asleep, true, memory_order_seq_cst);
    ck_pr_fence_memory();                                                       /* W1 */
    if (pawl_ready_count(ready) == 0)
        return true;
    pawl_ready_rise(ready, i);
    return false;
}

void
pawl_ready_rise(struct pawl_ready *ready, unsigned i)
{
    atomic_store_explicit(&ready->sleepers[i].asleep, false, memory_order_seq_cst);
}

size_t
pawl_ready_count(struct pawl_ready *ready)
{
    return ck_ring_size(&ready->ring);
}
