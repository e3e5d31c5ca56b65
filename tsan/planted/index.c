/* Index: a ck_hs with one writer; readers get in an epoch section and look into what they got.
 * PLANT 1: the object is initialised after its put.
 * PLANT 2: a removed object is freed at once.
 * PLANT 3: the table itself is freed at once when it grows. */
#include <ck_epoch.h>
#include <ck_hs.h>

#include "plant.h"

struct object {
    ck_epoch_entry_t reclaim;
    unsigned key;
    unsigned value;
};

static ck_epoch_t epoch;
static ck_epoch_record_t records[2];
static ck_hs_t index_set;
static plant_gate put;    /* the writer has put object i */
static plant_gate seen;   /* the reader holds object i */
static plant_gate turned; /* the writer has removed it, and rebuilt the table */
static _Thread_local bool is_reader;

CK_EPOCH_CONTAINER(struct object, reclaim, object_of)

static void
reclaim_cb(ck_epoch_entry_t *entry)
{
    free(object_of(entry));
}

/* A block of the table: an epoch entry in front of what ck_hs gets. */
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
    if (PLANT == 3)
        defer = false;
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
    return ((const struct object *)object)->key * 0x9e3779b97f4a7c15UL + seed;
}

/* The reader is held here, in the middle of its get, with a pointer into the old table. */
static bool
equal_cb(const void *a, const void *b)
{
    const struct object *x = a;
    const struct object *y = b;

    if (x->key != y->key)
        return false;
    if (is_reader) {
        gate_open(&seen, y->key);
        gate_wait(&turned, y->key);
    }
    return true;
}

static void *
writer(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct object *object = must_alloc(sizeof *object);
        object->key = i;
        object->value = i;
        unsigned long h = CK_HS_HASH(&index_set, hash_cb, object);
        if (!ck_hs_put(&index_set, h, object))
            abort();
        gate_open(&put, i);
        gate_wait(&seen, i);
        if (PLANT == 1)
            object->value = 0;
        if (ck_hs_remove(&index_set, h, object) != object)
            abort();
        ck_pr_fence_memory();
        if (PLANT == 2)
            free(object);
        else
            ck_epoch_call(&records[0], &object->reclaim, reclaim_cb);
        if (!ck_hs_grow(&index_set, 2UL << (i % 4 + 4)) && !ck_hs_rebuild(&index_set))
            abort();
        gate_open(&turned, i);
        ck_epoch_poll(&records[0]);
    }
    return unused;
}

static void *
reader(void *unused)
{
    is_reader = true;
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct object like = {.key = i};
        gate_wait(&put, i);
        ck_epoch_begin(&records[1], NULL);
        struct object *object =
            ck_hs_get(&index_set, CK_HS_HASH(&index_set, hash_cb, &like), &like);
        look(object->value);
        ck_epoch_end(&records[1], NULL);
    }
    return unused;
}

int
main(void)
{
    static struct ck_malloc allocator = {.malloc = hs_malloc, .free = hs_free};

    ck_epoch_init(&epoch);
    ck_epoch_register(&epoch, &records[0], NULL);
    ck_epoch_register(&epoch, &records[1], NULL);
    if (!ck_hs_init(&index_set, CK_HS_MODE_SPMC | CK_HS_MODE_OBJECT, hash_cb, equal_cb,
            &allocator, 16, 1))
        abort();
    pthread_t threads[] = {thread_start(writer), thread_start(reader)};
    thread_join(threads[0]);
    thread_join(threads[1]);
    ck_epoch_barrier(&records[0]);
    ck_hs_destroy(&index_set);
    return 0;
}
