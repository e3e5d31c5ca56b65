/* Correct: one writer puts, replaces, applies, removes and rebuilds; two readers get by key and
 * walk the whole set, in epoch sections. */
#include <ck_epoch.h>
#include <ck_hs.h>

#include "plant.h"

#define NSTEPS 30000
#define NKEYS 512

struct object {
    ck_epoch_entry_t reclaim;
    unsigned key;
    unsigned again; /* the same key, to see a torn or dead object by */
};

static ck_epoch_t epoch;
static ck_epoch_record_t records[3];
static _Atomic unsigned nrecords = 1;
static ck_hs_t set;
static atomic_bool done;
static _Atomic unsigned nwrong;

CK_EPOCH_CONTAINER(struct object, reclaim, object_of)

static void
object_cb(ck_epoch_entry_t *entry)
{
    struct object *object = object_of(entry);

    object->again = ~object->key;
    free(object);
}

static void
object_drop(struct object *object)
{
    ck_pr_fence_memory();
    ck_epoch_call(&records[0], &object->reclaim, object_cb);
}

struct block {
    ck_epoch_entry_t reclaim;
    _Alignas(max_align_t) char bytes[];
};
CK_EPOCH_CONTAINER(struct block, reclaim, block_of)

static void
block_cb(ck_epoch_entry_t *entry)
{
    free(block_of(entry));
}

static void *
hs_malloc(size_t bytes)
{
    struct block *block = must_alloc(sizeof *block + bytes);

    return block->bytes;
}

static void
hs_free(void *p, size_t bytes, bool defer)
{
    struct block *block = (void *)((char *)p - offsetof(struct block, bytes));

    (void)bytes;
    if (!defer) {
        free(block);
        return;
    }
    ck_pr_fence_memory();
    ck_epoch_call(&records[0], &block->reclaim, block_cb);
}

static unsigned long
hash_cb(const void *object, unsigned long seed)
{
    return (((const struct object *)object)->key + seed) * 0x9e3779b97f4a7c15UL >> 20;
}

static bool
equal_cb(const void *a, const void *b)
{
    return ((const struct object *)a)->key == ((const struct object *)b)->key;
}

static void *
replace_cb(void *found, void *fresh)
{
    if (found != NULL)
        object_drop(found);
    return fresh;
}

static struct object *
object_new(unsigned key)
{
    struct object *object = must_alloc(sizeof *object);

    object->key = key;
    object->again = key;
    return object;
}

static void *
writer(void *unused)
{
    unsigned random = 1;

    for (int i = 0; i < NSTEPS; i++) {
        random = random * 1664525 + 1013904223;
        struct object *object = object_new(random >> 8 & (NKEYS - 1));
        unsigned long h = CK_HS_HASH(&set, hash_cb, object);
        void *old = NULL;
        switch (random >> 24 & 7) {
        case 0:
        case 1:
            if (!ck_hs_put(&set, h, object))
                free(object);
            break;
        case 2:
            if (!ck_hs_set(&set, h, object, &old))
                abort();
            break;
        case 3:
            if (!ck_hs_fas(&set, h, object, &old))
                free(object);
            break;
        case 4:
            if (!ck_hs_apply(&set, h, object, replace_cb, object))
                abort();
            break;
        default:
            old = ck_hs_remove(&set, h, object);
            free(object);
        }
        if (old != NULL)
            object_drop(old);
        if (i % 500 == 0 && !ck_hs_rebuild(&set))
            abort();
        ck_epoch_poll(&records[0]);
    }
    atomic_store_explicit(&done, true, memory_order_relaxed);
    return unused;
}

static void
check(const struct object *object)
{
    if (object->key != object->again)
        atomic_fetch_add_explicit(&nwrong, 1, memory_order_relaxed);
}

static void *
reader(void *unused)
{
    ck_epoch_record_t *record =
        &records[atomic_fetch_add_explicit(&nrecords, 1, memory_order_relaxed)];
    struct object like = {.key = 0};

    while (!atomic_load_explicit(&done, memory_order_relaxed)) {
        like.key = (like.key + 7) & (NKEYS - 1);
        ck_epoch_begin(record, NULL);
        struct object *object = ck_hs_get(&set, CK_HS_HASH(&set, hash_cb, &like), &like);
        if (object != NULL)
            check(object);
        if (like.key == 0) {
            ck_hs_iterator_t i = CK_HS_ITERATOR_INITIALIZER;
            void *each;
            while (ck_hs_next_spmc(&set, &i, &each))
                check(each);
        }
        ck_epoch_end(record, NULL);
    }
    return unused;
}

int
main(void)
{
    static struct ck_malloc allocator = {.malloc = hs_malloc, .free = hs_free};
    pthread_t threads[3];

    ck_epoch_init(&epoch);
    for (int i = 0; i < 3; i++)
        ck_epoch_register(&epoch, &records[i], NULL);
    if (!ck_hs_init(&set, CK_HS_MODE_SPMC | CK_HS_MODE_OBJECT | CK_HS_MODE_DELETE, hash_cb,
            equal_cb, &allocator, 8, 1))
        abort();
    for (int i = 0; i < 3; i++)
        threads[i] = thread_start(i == 0 ? writer : reader);
    for (int i = 0; i < 3; i++)
        thread_join(threads[i]);

    ck_hs_iterator_t i = CK_HS_ITERATOR_INITIALIZER;
    void *each;
    while (ck_hs_next(&set, &i, &each))
        free(each);
    ck_epoch_barrier(&records[0]);
    ck_hs_destroy(&set);
    return nwrong == 0 ? 0 : 1;
}
