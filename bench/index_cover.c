/* index_cover.c: see index_cover.h. */
#include "index_cover.h"

#include "index.h"

#include <stdlib.h>

/* A key and the bytes of the id that go on behind it. */
struct entry {
    struct pawl_key key;
    char rest[PAWL_BENCH_ID_LEN - sizeof ((struct pawl_key *) 0)->bytes];
};

struct pawl_index_cover {
    struct pawl_epoch epoch;
    struct pawl_epoch_thread *thread;
    struct pawl_index *index;
    size_t n;
    struct entry entries[];
};

struct pawl_index_cover *
pawl_index_cover_new(size_t n)
{
    struct pawl_index_cover *cover = malloc(sizeof *cover + n * sizeof cover->entries[0]);

    if (!cover)
        return NULL;
    cover->n = n;
    cover->index = pawl_index_new();
    pawl_epoch_init(&cover->epoch);
    cover->thread = pawl_epoch_register(&cover->epoch);
    if (cover->index && cover->thread)
        return cover;
    pawl_index_cover_free(cover);
    return NULL;
}

void
pawl_index_cover_free(struct pawl_index_cover *cover)
{
    if (!cover)
        return;
    if (cover->thread)
        pawl_epoch_unregister(&cover->epoch, cover->thread);
    pawl_index_free(cover->index);
    pawl_epoch_fini(&cover->epoch);
    free(cover);
}

static bool
is_live(const struct pawl_key *key)
{
    (void) key;
    return true;
}

static struct pawl_key *
place(struct pawl_index_cover *cover, uint64_t number)
{
    return &cover->entries[number % cover->n].key;
}

bool
pawl_index_cover_put(struct pawl_index_cover *cover, uint64_t number)
{
    struct pawl_key *key = place(cover, number);
    char id[PAWL_BENCH_ID_LEN];
    int code;

    pawl_bench_id(number, id);
    pawl_index_key(cover->index, id, sizeof id, key);
    code = pawl_index_put(cover->index, cover->thread, key, is_live);
    pawl_epoch_tidy(cover->thread);
    return code == PAWL_OK;
}

bool
pawl_index_cover_has(struct pawl_index_cover *cover, uint64_t number)
{
    union pawl_key_probe probe;
    char id[PAWL_BENCH_ID_LEN];
    bool has;

    pawl_bench_id(number, id);
    pawl_index_key(cover->index, id, sizeof id, &probe.key);
    pawl_epoch_begin(cover->thread);
    has = pawl_index_find(cover->index, &probe.key) != NULL;
    pawl_epoch_end(cover->thread);
    return has;
}

void
pawl_index_cover_remove(struct pawl_index_cover *cover, uint64_t number)
{
    pawl_index_remove(cover->index, cover->thread, place(cover, number));
    pawl_epoch_tidy(cover->thread);
}

void
pawl_index_cover_settle(struct pawl_index_cover *cover)
{
    while (pawl_epoch_rest(cover->thread)) {
        /* Nobody else is registered: two rounds at most. */
    }
}
