/* index.h: id -> task, unique.
 *
 * A ck_hs per shard, the hash stored with the id. Looking up takes no lock; putting and removing
 * lock one shard of 1,024, since ck_hs allows one writer. Ids are hashed with XXH3 and a random
 * seed, so that a client cannot aim at one shard. */
#ifndef PAWL_INDEX_H
#define PAWL_INDEX_H

#include "epoch.h"

#include <stddef.h>
#include <stdint.h>

#include <pawl.h>

/* What the sets hold: embedded as the last member of a task. */
struct pawl_key {
    uint64_t hash;
    uint8_t len;
    char bytes[7];          /* the first of len: the rest follows the struct */
};

/* A key to look for, on the stack. */
union pawl_key_probe {
    struct pawl_key key;
    char storage[sizeof(struct pawl_key) + PAWL_ID_MAX];
};

struct pawl_index;

struct pawl_index *
pawl_index_new(void);
/* NULL is accepted. Threads: one, last. */
void
pawl_index_free(struct pawl_index *index);

/* Fills in a key; id_len is at most PAWL_ID_MAX. Threads: any. Blocks: no. */
void
pawl_index_key(const struct pawl_index *index, const char *id, size_t id_len,
               struct pawl_key *out_key);

/* Puts a key unless an equal one is there that is_live() says true of; one that is not live is
 * replaced. Threads: any registered, outside a section. Locks: takes one shard; is_live() runs
 * under it. Errors: PAWL_EEXIST, PAWL_ENOMEM. */
int
pawl_index_put(struct pawl_index *index, struct pawl_epoch_thread *thread, struct pawl_key *key,
               bool (*is_live)(const struct pawl_key *key));

/* Takes this very key out; another one that is equal stays.
 * Threads: any registered, outside a section. Locks: takes one shard. */
void
pawl_index_remove(struct pawl_index *index, struct pawl_epoch_thread *thread,
                  struct pawl_key *key);

/* The key that is equal, or NULL. Threads: any, inside a section. Locks: none. */
struct pawl_key *
pawl_index_find(struct pawl_index *index, const struct pawl_key *key);

#endif
