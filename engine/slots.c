/* slots.c: memory, sweep and check of the timing wheel's slots. Used by wheel.c only, on
 * the ticker's thread. The paths that each timer takes are in slots.h; pages and cells
 * are the business of cells.c, generations that of timers.c. */
#include "slots.h"

#include <assert.h>

/* Empty pages kept beyond need; enough that a small wheel never maps twice. */
#define SLACK_PAGES 4

/* Dead entries with which a round starts even if nothing lives. */
#define DEAD_MIN 256

/* Chunks that hold n entries however they lie: one partly filled chunk a slot. */
static size_t
chunks_for(size_t n)
{
    size_t most = n / PAWL_CHUNK_ENTRIES + (size_t)PAWL_LEVELS * PAWL_SLOTS;

    return n < most ? n : most;
}

void
pawl_slots_init(struct pawl_slots *slots, const struct pawl_page_source *source,
    const struct pawl_timers *timers)
{
    slots->timers = timers;
    pawl_cells_init(&slots->chunks, source, sizeof(struct pawl_chunk),
        sizeof(struct pawl_chunk));
    for (int level = 0; level < PAWL_LEVELS; level++) {
        for (int i = 0; i < PAWL_SLOTS; i++)
            slots->levels[level].slots[i].fill = PAWL_CHUNK_ENTRIES;
    }
}

void
pawl_slots_fini(struct pawl_slots *slots)
{
    pawl_cells_fini(&slots->chunks);
}

bool
pawl_slots_reserve(struct pawl_slots *slots)
{
    while (slots->chunks.ncells < chunks_for(slots->count + 1)) {
        if (!pawl_cells_grow(&slots->chunks))
            return false;
    }
    return true;
}

bool
pawl_slots_has_surplus(const struct pawl_slots *slots)
{
    const struct pawl_cells *chunks = &slots->chunks;

    return chunks->pages[PAWL_PAGE_EMPTY] &&
        chunks->ncells >= chunks_for(slots->count) + SLACK_PAGES * chunks->per_page;
}

void
pawl_slots_drop(struct pawl_slots *slots)
{
    pawl_cells_drop(&slots->chunks, slots->chunks.pages[PAWL_PAGE_EMPTY]);
}

void
pawl_slots_drop_head(struct pawl_slots *slots, struct pawl_slot *slot)
{
    struct pawl_chunk *chunk = slot->head;

    if (slots->sweep.chunk == chunk)
        slots->sweep.chunk = chunk->next;
    slot->head = chunk->next;
    slot->fill = PAWL_CHUNK_ENTRIES;
    pawl_cells_give(&slots->chunks, chunk);
}

/* Finds the next occupied slot of the round; false: the round is over. */
static bool
sweep_next_slot(struct pawl_slots *slots)
{
    struct pawl_sweep *sweep = &slots->sweep;

    for (;;) {
        sweep->index++;
        if (sweep->index >= PAWL_SLOTS) {
            sweep->index = 0;
            sweep->level--;
        }
        if (sweep->level < 0)
            return false;
        sweep->chunk = slots->levels[sweep->level].slots[sweep->index].head;
        if (sweep->chunk)
            return true;
    }
}

/* Records lie at random; asking for all of a full chunk's at once hides most of the wait.
 * */
static void
prefetch_records(const struct pawl_slots *slots, const struct pawl_chunk *chunk)
{
    for (unsigned i = 0; i < PAWL_CHUNK_ENTRIES; i++)
        __builtin_prefetch(pawl_timers_at(slots->timers, chunk->entries[i].timer));
}

/* Takes the dead entries out of one chunk and returns how many entries it looked at.
 * Holes are filled with the last entries of the slot's first chunk, so that all the
 * others remain full. The next chunk and its records are fetched in the time until the
 * next call. */
static unsigned
sweep_chunk(struct pawl_slots *slots)
{
    struct pawl_sweep *sweep = &slots->sweep;
    struct pawl_chunk *chunk = sweep->chunk;
    struct pawl_slot *slot = &slots->levels[sweep->level].slots[sweep->index];
    unsigned n = chunk == slot->head ? slot->fill : PAWL_CHUNK_ENTRIES;

    sweep->chunk = chunk->next;
    if (chunk->next) {
        prefetch_records(slots, chunk->next);
        pawl_chunk_prefetch(chunk->next->next);
    }
    for (unsigned i = n; i-- > 0;) {
        bool is_filled = true;

        while (is_filled && !pawl_slots_is_live(slots, &chunk->entries[i])) {
            struct pawl_entry entry;

            is_filled = chunk != slot->head || i + 1 < slot->fill;
            entry = pawl_slots_pop(slots, sweep->level, sweep->index);
            if (is_filled)
                chunk->entries[i] = entry;
        }
    }
    return n;
}

bool
pawl_slots_sweep(struct pawl_slots *slots, size_t ndead, size_t earned)
{
    struct pawl_sweep *sweep = &slots->sweep;
    size_t nlive = slots->count - ndead;

    if (!sweep->is_on) {
        if (ndead <= nlive / 2 + DEAD_MIN)
            return false;
        *sweep = (struct pawl_sweep){.is_on = true, .level = PAWL_LEVELS - 1};
        sweep->chunk = slots->levels[sweep->level].slots[0].head;
    }
    sweep->credit += earned;
    while (sweep->is_on && sweep->credit >= PAWL_CHUNK_ENTRIES) {
        if (slots->count > nlive && (sweep->chunk || sweep_next_slot(slots))) {
            sweep->credit -= sweep_chunk(slots);
        } else {
            sweep->is_on = false;
            sweep->chunk = NULL;
        }
    }
    return slots->count < nlive + ndead;
}

/* Checks the entries of one slot, adds the live ones to *nlive and returns its chunks. */
static size_t
check_slot(const struct pawl_slots *slots, uint64_t now, int level, unsigned index,
    size_t *nlive)
{
    const struct pawl_level *row = &slots->levels[level];
    const struct pawl_slot *slot = &row->slots[index];
    uint64_t current = pawl_slot_number(now, level);
    size_t n = 0, nchunks = 0;

    for (const struct pawl_chunk *chunk = slot->head; chunk; chunk = chunk->next) {
        unsigned fill = chunk == slot->head ? slot->fill : PAWL_CHUNK_ENTRIES;

        assert(fill > 0 && fill <= PAWL_CHUNK_ENTRIES);
        for (unsigned i = 0; i < fill; i++) {
            const struct pawl_entry *entry = &chunk->entries[i];
            uint64_t number = pawl_slot_number(entry->due, level);
            bool is_late = level == 0 && entry->due < now;

            assert(entry->due >= slot->least);
            assert(is_late || number % PAWL_SLOTS == index);
            assert(is_late || number >= current);
            assert(is_late || number / 64 <= current / 64 + 1);
            *nlive += pawl_slots_is_live(slots, entry);
        }
        n += fill;
        nchunks++;
    }
    assert(n == slot->count && (n > 0 || slot->fill == PAWL_CHUNK_ENTRIES));
    assert(pawl_bit_get(row->occupied, index) == (n > 0));
    assert(pawl_bit_get(row->crowded, index) ==
        (n > PAWL_SLOT_CROWD && level > PAWL_LEVEL_NARROW));
    return nchunks;
}

size_t
pawl_slots_check(const struct pawl_slots *slots, uint64_t now)
{
    size_t n = 0, nlive = 0, nchunks = 0;

    for (int level = 0; level < PAWL_LEVELS; level++) {
        const struct pawl_level *row = &slots->levels[level];
        bool is_occupied = slots->occupied >> level & 1;
        bool is_crowded = slots->crowded >> level & 1;

        for (unsigned i = 0; i < PAWL_SLOTS; i++) {
            nchunks += check_slot(slots, now, level, i, &nlive);
            n += row->slots[i].count;
        }
        assert(is_occupied == ((row->occupied[0] | row->occupied[1]) != 0));
        assert(is_crowded == ((row->crowded[0] | row->crowded[1]) != 0));
    }
    assert(n == slots->count);
    assert(nchunks == slots->chunks.nused && slots->chunks.ncells >= chunks_for(n));
    return nlive;
}
