/* stress_epoch_poll.c: what ThreadSanitizer cannot see. Two records poll at the same time, each
 * thread unlinks its own objects and looks at the other's in a section.
 *
 * libck 0.7.1 reads the global epoch in ck_epoch_call without a fence. Where the unlink is a
 * plain store, it may still wait in the store buffer then: the object is filed under an epoch
 * that is too old, and reclaimed while a reader that came later still finds it. Our rule is
 * to unlink by an atomic read-modify-write and to fence before ck_epoch_call; either is enough.
 * With -DPLANT neither is done, and the program goes on for up to a minute until it shows.
 *
 * Prints the looks and how many saw a reclaimed object; exits 1 if any did. Native, stock CK. */
#include <ck_epoch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOBJECTS 1024 /* a thread's objects, used in turn: reclaimed long before it comes round */
#ifdef PLANT
#define SECONDS 60
#else
#define SECONDS 5
#endif

struct object {
    ck_epoch_entry_t reclaim;
    _Atomic unsigned dead;
} CK_CC_CACHELINE;

static struct side {
    ck_epoch_record_t record;
    struct object objects[NOBJECTS];
    struct object *shown CK_CC_CACHELINE; /* through ck_pr: written by its side, read by both */
    unsigned long nlooks CK_CC_CACHELINE;
    _Atomic unsigned long nearly; /* looks that saw an object reclaimed too early */
} sides[2];

static ck_epoch_t epoch;
static atomic_bool stopping;

CK_EPOCH_CONTAINER(struct object, reclaim, object_of)

static void
reclaim_cb(ck_epoch_entry_t *entry)
{
    atomic_store_explicit(&object_of(entry)->dead, 1, memory_order_relaxed);
}

static void
swap(struct side *me, struct object *fresh)
{
    struct object *old;

#ifdef PLANT
    old = me->shown;
    ck_pr_store_ptr(&me->shown, fresh);
#else
    old = ck_pr_fas_ptr(&me->shown, fresh);
    ck_pr_fence_memory();
#endif
    ck_epoch_call(&me->record, &old->reclaim, reclaim_cb);
}

static void
look(struct side *me, struct side *other)
{
    ck_epoch_begin(&me->record, NULL);
    struct object *object = ck_pr_load_ptr(&other->shown);
    unsigned dead = 0;
    for (int i = 0; i < 200 && dead == 0; i++)
        dead = atomic_load_explicit(&object->dead, memory_order_relaxed);
    ck_epoch_end(&me->record, NULL);
    me->nlooks++;
    if (dead) /* no atomic addition in every look: it would empty the store buffer */
        atomic_fetch_add_explicit(&me->nearly, 1, memory_order_relaxed);
}

static void *
run(void *arg)
{
    struct side *me = arg;
    struct side *other = &sides[me == &sides[0]];

    for (unsigned long i = 1; !atomic_load_explicit(&stopping, memory_order_relaxed); i++) {
        struct object *fresh = &me->objects[i % NOBJECTS];
        if (i >= NOBJECTS) {
            while (atomic_load_explicit(&fresh->dead, memory_order_relaxed) == 0)
                ck_epoch_poll(&me->record);
            atomic_store_explicit(&fresh->dead, 0, memory_order_relaxed);
        }
        swap(me, fresh);
        ck_epoch_poll(&me->record);
        look(me, other);
    }
    return NULL;
}

static unsigned long
nearly(void)
{
    return atomic_load_explicit(&sides[0].nearly, memory_order_relaxed) +
        atomic_load_explicit(&sides[1].nearly, memory_order_relaxed);
}

int
main(void)
{
    pthread_t threads[2];

    ck_epoch_init(&epoch);
    for (int i = 0; i < 2; i++) {
        ck_epoch_register(&epoch, &sides[i].record, NULL);
        sides[i].shown = &sides[i].objects[0];
    }
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, run, &sides[i]) != 0)
            abort();
    }
    for (int i = 0; i < SECONDS * 10 && nearly() == 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    atomic_store(&stopping, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);

    printf("stress_epoch_poll: %lu looks, %lu saw a reclaimed object\n",
        sides[0].nlooks + sides[1].nlooks, nearly());
    return nearly() == 0 ? 0 : 1;
}
