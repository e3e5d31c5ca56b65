/* Correct: two writers swap an immutable object by compare-and-swap, poll, and read it too;
 * two readers read it in sections; meanwhile threads come and go with records of their own. */
#include <ck_epoch.h>

#include "plant.h"

#define NSWAPS 30000

struct object {
    ck_epoch_entry_t reclaim;
    unsigned long version;
    unsigned long twice;
};

static ck_epoch_t epoch;
static _Atomic(struct object *) current;
static _Atomic unsigned nwriters = 2;
static _Atomic unsigned ntorn;

CK_EPOCH_CONTAINER(struct object, reclaim, object_of)

static void
reclaim_cb(ck_epoch_entry_t *entry)
{
    struct object *object = object_of(entry);

    object->version = object->twice = 1;
    free(object);
}

/* A record outlives its thread: CK keeps it in its list and hands it out again. */
static ck_epoch_record_t *
record_take(void)
{
    ck_epoch_record_t *record = ck_epoch_recycle(&epoch, NULL);

    if (record == NULL) {
        record = aligned_alloc(CK_MD_CACHELINE, sizeof *record);
        if (record == NULL)
            abort();
        ck_epoch_register(&epoch, record, NULL);
    }
    return record;
}

static struct object *
object_new(unsigned long version)
{
    struct object *object = must_alloc(sizeof *object);

    object->version = version;
    object->twice = 2 * version;
    return object;
}

static void
look_once(ck_epoch_record_t *record)
{
    ck_epoch_begin(record, NULL);
    struct object *object = atomic_load_explicit(&current, memory_order_acquire);
    if (object->twice != 2 * object->version)
        atomic_fetch_add_explicit(&ntorn, 1, memory_order_relaxed);
    ck_epoch_end(record, NULL);
}

static void *
writer(void *unused)
{
    ck_epoch_record_t *record = record_take();

    for (int i = 0; i < NSWAPS; i++) {
        struct object *fresh = object_new(0);
        ck_epoch_begin(record, NULL);
        struct object *old = atomic_load_explicit(&current, memory_order_acquire);
        do {
            fresh->version = old->version + 1;
            fresh->twice = 2 * fresh->version;
        } while (!atomic_compare_exchange_weak_explicit(&current, &old, fresh,
            memory_order_acq_rel, memory_order_acquire));
        ck_epoch_end(record, NULL);
        ck_pr_fence_memory();
        ck_epoch_call(record, &old->reclaim, reclaim_cb);
        ck_epoch_poll(record);
        look_once(record);
    }
    ck_epoch_barrier(record);
    ck_epoch_unregister(record);
    atomic_fetch_sub_explicit(&nwriters, 1, memory_order_relaxed);
    return unused;
}

static void *
reader(void *unused)
{
    ck_epoch_record_t *record = record_take();

    while (atomic_load_explicit(&nwriters, memory_order_relaxed) > 0)
        look_once(record);
    ck_epoch_unregister(record);
    return unused;
}

static void *
visitor(void *unused)
{
    ck_epoch_record_t *record = record_take();

    for (int i = 0; i < 20; i++)
        look_once(record);
    ck_epoch_unregister(record);
    return unused;
}

int
main(void)
{
    pthread_t threads[4];

    ck_epoch_init(&epoch);
    atomic_store_explicit(&current, object_new(0), memory_order_release);
    for (int i = 0; i < 4; i++)
        threads[i] = thread_start(i < 2 ? writer : reader);
    while (atomic_load_explicit(&nwriters, memory_order_relaxed) > 0) {
        pthread_t guests[] = {thread_start(visitor), thread_start(visitor)};
        thread_join(guests[0]);
        thread_join(guests[1]);
    }
    for (int i = 0; i < 4; i++)
        thread_join(threads[i]);

    struct object *last = atomic_load_explicit(&current, memory_order_relaxed);
    bool right = last->version == 2UL * NSWAPS && ntorn == 0;
    free(last);
    ck_epoch_record_t *record;
    ck_stack_entry_t *next;
    for (ck_stack_entry_t *e = CK_STACK_FIRST(&epoch.records); e != NULL; e = next) {
        next = CK_STACK_NEXT(e);
        record = (void *)((char *)e - offsetof(ck_epoch_record_t, record_next));
        free(record);
    }
    return right ? 0 : 1;
}
