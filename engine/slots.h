/* slots.h: the slots of the timing wheel, and the entries in them.
 *
 * Eleven levels of 128 slots; a slot of level n is 64^n ns wide and has the index of its
 * start divided by its width, modulo 128. A slot is a chain of chunks, all of them full
 * but the first, where entries come and go; so n entries never need more chunks than
 * pawl_slots_reserve() sets aside, however they lie. Bitmaps tell which slots are
 * occupied, and which are crowded.
 *
 * An entry whose timer was cancelled stays behind, dead, until its slot is emptied or
 * swept. When an entry is to be moved where is the business of wheel.c.
 *
 * Threads: the wheel's. */
#ifndef PAWL_SLOTS_H
#define PAWL_SLOTS_H

#include "cells.h"
#include "timers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PAWL_LEVEL_BITS = 6,
    PAWL_LEVELS = 11,
    PAWL_LEVEL_NARROW = 3,  /* up to here, 262 us, slots are never crowded */
    PAWL_SLOTS = 128,       /* of a level: the current parent's 64 and the next one's */
    PAWL_SLOT_CROWD = 512,  /* a wide slot with more entries is crowded */
    PAWL_CHUNK_ENTRIES = 35, /* nine cache lines: an odd number spreads over the cache */
};

struct pawl_entry {
    uint64_t due;
    uint32_t timer;
    uint32_t generation;    /* of the timer; if that is another now, the entry is dead */
};

struct pawl_chunk {
    struct pawl_chunk *next;
    uint64_t unused;
    struct pawl_entry entries[PAWL_CHUNK_ENTRIES];
};

struct pawl_slot {
    struct pawl_chunk *head; /* NULL if empty */
    uint64_t least;         /* no entry is due earlier; perhaps one was that is gone */
    size_t count;
    uint32_t fill;          /* entries in head; PAWL_CHUNK_ENTRIES if there is none */
};

struct pawl_level {
    uint64_t occupied[PAWL_SLOTS / 64];     /* bit per slot */
    uint64_t crowded[PAWL_SLOTS / 64];
    struct pawl_slot slots[PAWL_SLOTS];
};

/* Goes once through all slots, from the highest level down, so that entries which are
 * moved meanwhile move ahead of it, and leaves no entry that was dead when the round
 * began. */
struct pawl_sweep {
    bool is_on;
    int level;
    unsigned index;         /* slot */
    struct pawl_chunk *chunk; /* the next one to look at; NULL: go to the next slot */
    size_t credit;          /* entries that may be looked at */
};

struct pawl_slots {
    const struct pawl_timers *timers;
    size_t count;           /* entries in all slots, dead ones too */
    uint32_t occupied;      /* bit per level: some slot is */
    uint32_t crowded;
    struct pawl_cells chunks;
    struct pawl_sweep sweep;
    struct pawl_level levels[PAWL_LEVELS];
};

/* Starts with empty slots in zeroed memory. Owns: borrows both. */
void
pawl_slots_init(struct pawl_slots *slots, const struct pawl_page_source *source,
    const struct pawl_timers *timers);

void
pawl_slots_fini(struct pawl_slots *slots);

/* Makes sure that one more entry can be pushed, and that then all of them can be moved
 * anywhere; false: no memory, nothing changed. */
bool
pawl_slots_reserve(struct pawl_slots *slots);

/* Whether an empty page of chunks can go: the entries need it not, and some slack is
 * left. */
bool
pawl_slots_has_surplus(const struct pawl_slots *slots);

/* Gives an empty page back to the system; there must be one. */
void
pawl_slots_drop(struct pawl_slots *slots);

/* Private: gives a slot's empty head back. */
void
pawl_slots_drop_head(struct pawl_slots *slots, struct pawl_slot *slot);

/* Takes dead entries out, of which there are ndead among the others. Each timer that ends
 * or begins earns some entries to look at; a round is started when the dead are half as
 * many as the live. It sees 1.5 entries for each live one and 8 for each timer that ends,
 * so fewer than a fifth of the live ones can die meanwhile, and the dead remain fewer
 * than the live plus the few hundred with which the first round starts. True: some slot
 * was changed. */
bool
pawl_slots_sweep(struct pawl_slots *slots, size_t ndead, size_t earned);

/* Asserts the invariants at a position in time; returns the number of live entries. */
size_t
pawl_slots_check(const struct pawl_slots *slots, uint64_t now);

/* The number of a slot on its level, not yet modulo PAWL_SLOTS. */
static inline uint64_t
pawl_slot_number(uint64_t time, int level)
{
    return time >> (level * PAWL_LEVEL_BITS);
}

static inline bool
pawl_slots_is_live(const struct pawl_slots *slots, const struct pawl_entry *entry)
{
    return pawl_timers_is_live(slots->timers, entry->timer, entry->generation);
}

static inline void
pawl_bit_set(uint64_t bits[2], unsigned index)
{
    bits[index / 64] |= UINT64_C(1) << index % 64;
}

static inline void
pawl_bit_clear(uint64_t bits[2], unsigned index)
{
    bits[index / 64] &= ~(UINT64_C(1) << index % 64);
}

static inline bool
pawl_bit_get(const uint64_t bits[2], unsigned index)
{
    return bits[index / 64] >> index % 64 & 1;
}

/* The first slot number at or after `from` whose bit is set, within the parent slot of
 * `from` and the next one. Bits of the parent slot before `from` must not be set. */
static inline bool
pawl_bit_find(const uint64_t bits[2], uint64_t from, uint64_t *out_number)
{
    uint64_t half = bits[from / 64 % 2] >> from % 64;
    uint64_t other = bits[(from / 64 + 1) % 2];

    if (half)
        *out_number = from + (unsigned)__builtin_ctzll(half);
    else if (other)
        *out_number = (from / 64 + 1) * 64 + (unsigned)__builtin_ctzll(other);
    return half || other;
}

/* Has a chunk fetched while another one is read. NULL is accepted. */
static inline void
pawl_chunk_prefetch(const struct pawl_chunk *chunk)
{
    const char *bytes = (const char *)chunk;

    for (size_t at = 0; chunk && at < sizeof *chunk; at += 64)
        __builtin_prefetch(bytes + at);
}

/* Puts an entry into a slot; memory was reserved. */
static inline void
pawl_slots_push(struct pawl_slots *slots, int level, unsigned index,
    const struct pawl_entry *entry)
{
    struct pawl_level *row = &slots->levels[level];
    struct pawl_slot *slot = &row->slots[index];

    if (slot->fill == PAWL_CHUNK_ENTRIES) {
        struct pawl_chunk *chunk = pawl_cells_take(&slots->chunks);

        chunk->next = slot->head;
        slot->head = chunk;
        slot->fill = 0;
    }
    slot->head->entries[slot->fill++] = *entry;
    slots->count++;
    slot->count++;
    if (slot->count == 1) {
        slot->least = entry->due;
        pawl_bit_set(row->occupied, index);
        slots->occupied |= 1u << level;
    } else if (entry->due < slot->least) {
        slot->least = entry->due;
    }
    if (slot->count == PAWL_SLOT_CROWD + 1 && level > PAWL_LEVEL_NARROW) {
        pawl_bit_set(row->crowded, index);
        slots->crowded |= 1u << level;
    }
}

/* Takes the last entry of a slot's first chunk; there must be one. */
static inline struct pawl_entry
pawl_slots_pop(struct pawl_slots *slots, int level, unsigned index)
{
    struct pawl_level *row = &slots->levels[level];
    struct pawl_slot *slot = &row->slots[index];
    struct pawl_entry entry = slot->head->entries[--slot->fill];

    slots->count--;
    slot->count--;
    if (slot->fill == 0)
        pawl_slots_drop_head(slots, slot);
    if (slot->count == 0) {
        pawl_bit_clear(row->occupied, index);
        if (!(row->occupied[0] | row->occupied[1]))
            slots->occupied &= ~(1u << level);
    } else if (slot->count == PAWL_SLOT_CROWD && level > PAWL_LEVEL_NARROW) {
        pawl_bit_clear(row->crowded, index);
        if (!(row->crowded[0] | row->crowded[1]))
            slots->crowded &= ~(1u << level);
    }
    return entry;
}

#endif
