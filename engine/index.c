/* index.c: the sharded sets behind the index.
 *
 * A set that sees puts and removes for ever fills with tombstones and its misses get slow; a shard
 * is rebuilt (copied, never in place: readers go on) after as many removals as half its size.
 * Maps that a reader may still walk are freed through the epoch of the thread that replaced them;
 * ck_hs's allocator has no argument for that thread, so it is left in `deferring` meanwhile. */
#include "index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <ck_hs.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define NSHARDS 1024u
#define SHARD_CAPACITY 64u      /* entries of an empty shard: 512 KiB for all */
#define REBUILD_MIN 256u        /* removals below which a rebuild is not worth it */

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    ck_hs_t set;                        /* readers in a section; writers under lock */
    unsigned long removals;             /* L: since the last rebuild */
};

struct pawl_index {
    uint64_t seed;                      /* I */
    struct shard shards[NSHARDS];
};

/* A map of a set, with room in front for the epoch's link. */
struct map_head {
    _Alignas(64) ck_epoch_entry_t deferred;
};

static _Thread_local struct pawl_epoch_thread *deferring;   /* set while a shard is written */

static void *
map_malloc(size_t size)
{
    struct map_head *head = aligned_alloc(64, sizeof *head + ((size + 63) & ~(size_t) 63));

    return head ? head + 1 : NULL;
}

static void
map_free_cb(ck_epoch_entry_t *deferred)
{
    free(deferred);     /* the first member of its head */
}

static void
map_free(void *map, size_t size, bool defer)
{
    struct map_head *head = (struct map_head *) map - 1;

    (void) size;
    if (defer && deferring)
        pawl_epoch_defer(deferring, &head->deferred, map_free_cb);
    else
        free(head);
}

static struct ck_malloc allocator = {.malloc = map_malloc, .free = map_free};

static unsigned long
key_hash(const void *key, unsigned long seed)
{
    (void) seed;        /* it went into the stored hash */
    return ((const struct pawl_key *) key)->hash;
}

static bool
key_equal(const void *left, const void *right)
{
    const struct pawl_key *a = left, *b = right;

    return a->hash == b->hash && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

struct pawl_index *
pawl_index_new(void)
{
    struct pawl_index *index = aligned_alloc(64, sizeof *index);

    if (!index)
        return NULL;
    if (getrandom(&index->seed, sizeof index->seed, 0) != sizeof index->seed)
        index->seed = (uint64_t) (uintptr_t) index;     /* no entropy yet: better than none */
    for (unsigned i = 0; i < NSHARDS; i++) {
        struct shard *shard = &index->shards[i];

        if (!ck_hs_init(&shard->set, CK_HS_MODE_SPMC | CK_HS_MODE_OBJECT | CK_HS_MODE_DELETE,
                        key_hash, key_equal, &allocator, SHARD_CAPACITY, 0)) {
            while (i > 0)
                ck_hs_destroy(&index->shards[--i].set);
            free(index);
            return NULL;
        }
        pthread_mutex_init(&shard->lock, NULL);
        shard->removals = 0;
    }
    return index;
}

void
pawl_index_free(struct pawl_index *index)
{
    for (unsigned i = 0; index && i < NSHARDS; i++) {
        ck_hs_destroy(&index->shards[i].set);
        pthread_mutex_destroy(&index->shards[i].lock);
    }
    free(index);
}

void
pawl_index_key(const struct pawl_index *index, const char *id, size_t id_len,
               struct pawl_key *out_key)
{
    out_key->hash = XXH3_64bits_withSeed(id, id_len, index->seed);
    out_key->len = (uint8_t) id_len;
    memcpy(out_key->bytes, id, id_len);
}

/* The low bits choose the place within a set, so the high ones choose the shard. */
static struct shard *
shard_of(struct pawl_index *index, const struct pawl_key *key)
{
    return &index->shards[key->hash >> 54];
}

static void
lock_shard(struct shard *shard, struct pawl_epoch_thread *thread)
{
    pthread_mutex_lock(&shard->lock);
    deferring = thread;
}

static void
unlock_shard(struct shard *shard)
{
    deferring = NULL;
    pthread_mutex_unlock(&shard->lock);
}

/* Every removal leaves a tombstone at worst; a rebuild costs as much as half a shard's removals
 * saved up for it. */
static void
count_removal_locked(struct shard *shard)
{
    unsigned long live = ck_hs_count(&shard->set);

    if (++shard->removals < REBUILD_MIN || shard->removals < live / 2)
        return;
    if (ck_hs_rebuild(&shard->set))
        shard->removals = 0;            /* else out of memory: the next removal tries again */
}

int
pawl_index_put(struct pawl_index *index, struct pawl_epoch_thread *thread, struct pawl_key *key,
               bool (*is_live)(const struct pawl_key *key))
{
    struct shard *shard = shard_of(index, key);
    struct pawl_key *there;
    void *previous;
    int code = PAWL_OK;

    lock_shard(shard, thread);
    there = ck_hs_get(&shard->set, key->hash, key);
    if (!there) {
        if (!ck_hs_put_unique(&shard->set, key->hash, key))
            code = PAWL_ENOMEM;
    } else if (is_live(there)) {
        code = PAWL_EEXIST;
    } else if (!ck_hs_set(&shard->set, key->hash, key, &previous)) {
        code = PAWL_ENOMEM;
    }
    unlock_shard(shard);
    return code;
}

void
pawl_index_remove(struct pawl_index *index, struct pawl_epoch_thread *thread,
                  struct pawl_key *key)
{
    struct shard *shard = shard_of(index, key);

    lock_shard(shard, thread);
    if (ck_hs_get(&shard->set, key->hash, key) == key) {
        ck_hs_remove(&shard->set, key->hash, key);
        count_removal_locked(shard);
    }
    unlock_shard(shard);
}

struct pawl_key *
pawl_index_find(struct pawl_index *index, const struct pawl_key *key)
{
    return ck_hs_get(&shard_of(index, key)->set, key->hash, key);
}
