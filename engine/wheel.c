/* wheel.c: the timing wheel described in wheel.h.
 *
 * The ticker's thread alone runs it. Timer records are the business of timers.c, pages and
 * cells of cells.c; reading the clock, waiting and running what is due belong to ticker.c.
 *
 * wheel->now is the position, which expire() moves from slot to slot. No occupied slot ends
 * before it, and unless a call of expire() was cut short by a limit, none starts before it
 * either but the one of level 0 that takes what is inserted too late. */
#include "wheel.h"

#include "cells.h"
#include "timers.h"

#include <assert.h>
#include <pawl.h>
#include <stdbool.h>
#include <string.h>

enum {
    LEVEL_BITS = 6,
    NLEVELS = 11,
    NSLOTS = 128,           /* of a level: the current parent's 64 and the next one's */
    LEVEL_NARROW = 3,       /* up to here (262 us) slots give what is due without sorting it */
    CHUNK_ENTRIES = 31,
    SWEEP_PER_REMOVAL = 8,  /* entries swept for each timer that ends, while sweeping */
    SWEEP_PER_INSERT = 1,   /* keeps a round finite that new entries run ahead of */
    PORTION_NS = 1 << 16,   /* two portions ask for wake-ups at least so far apart */
    GATHER_MAX = 64,        /* records that are waited for together */
    TRIM_MAX = 4,           /* pages that one expire() gives back; each costs some 10 us */
    TRIM_NS = 1 << 20,      /* and when the next ones are given back */
};

struct entry {
    uint64_t due;
    uint32_t timer;
    uint32_t generation;
};

struct chunk {
    struct chunk *next;     /* full, as are all behind it */
    uint64_t unused;
    struct entry entries[CHUNK_ENTRIES];
};

struct slot {
    struct chunk *head;     /* NULL if empty; entries come and go at its end */
    uint64_t least;         /* no entry is due earlier; exact when filled, later perhaps low */
    size_t count;
    uint32_t fill;          /* entries in head; CHUNK_ENTRIES if there is no head */
};

struct level {
    uint64_t occupied[NSLOTS / 64]; /* bit per slot: count > 0 */
    uint64_t crowded[NSLOTS / 64];  /* bit per slot: count > PAWL_WHEEL_CROWD and not narrow */
    struct slot slots[NSLOTS];
};

/* Goes once through all slots, from the highest level down so that entries which move meanwhile
 * move ahead of it, and leaves no entry that was dead when the round began. */
struct sweep {
    bool is_on;
    int level;
    unsigned index;         /* slot */
    struct chunk *chunk;    /* the next one to look at; NULL: go to the next slot */
    size_t credit;          /* entries that may be looked at */
};

/* One slot's place. */
struct place {
    int level;
    unsigned index;
    uint64_t start;
};

/* What lies ahead: the occupied slot that starts first, and the least due time. */
struct front {
    struct place place;     /* its start is UINT64_MAX if nothing is occupied */
    uint64_t least;
};

struct pawl_wheel {
    const struct pawl_page_source *source;
    uint64_t now;           /* the position */
    uint64_t ahead_at;      /* when portions of crowded slots were moved last */
    size_t nlive;
    size_t ndead;
    uint64_t nmoves;
    uint32_t occupied;      /* bit per level: some slot is */
    uint32_t crowded;       /* bit per level: some slot is */
    bool has_front;         /* front is up to date; not once a slot has become empty */
    struct front front;
    struct sweep sweep;
    struct pawl_cells chunks;
    struct level levels[NLEVELS];
    struct pawl_timers timers;
};

/* What a call of expire() has given and may still do. */
struct batch {
    uint64_t now;
    void **items;
    size_t n;
    size_t max;
    size_t moves;           /* entries that may yet be moved */
    struct entry due[GATHER_MAX];   /* out of their slots, not yet among the items */
    size_t ndue;
};

/* Chunks that hold n entries however they lie: one partly filled chunk a slot. */
static size_t
chunks_for(size_t n)
{
    size_t most = n / CHUNK_ENTRIES + (size_t)NLEVELS * NSLOTS;

    return n < most ? n : most;
}

static size_t
pages_bytes(size_t bytes)
{
    return (bytes + PAWL_PAGE_BYTES - 1) / PAWL_PAGE_BYTES * PAWL_PAGE_BYTES;
}

static uint64_t
slot_of(uint64_t time, int level)
{
    return time >> (level * LEVEL_BITS);
}

static void
set_bit(uint64_t bits[2], unsigned index)
{
    bits[index / 64] |= UINT64_C(1) << index % 64;
}

static void
clear_bit(uint64_t bits[2], unsigned index)
{
    bits[index / 64] &= ~(UINT64_C(1) << index % 64);
}

static bool
has_bit(const uint64_t bits[2], unsigned index)
{
    return bits[index / 64] >> index % 64 & 1;
}

/* The first slot at or after `from` whose bit is set, if any is within the parent slot of
 * `from` and the next one; bits of the parent slot before cannot be set. */
static bool
find_bit(const uint64_t bits[2], uint64_t from, uint64_t *out_slot)
{
    uint64_t half = bits[from / 64 % 2] >> from % 64;
    uint64_t other = bits[(from / 64 + 1) % 2];

    if (half)
        *out_slot = from + (unsigned)__builtin_ctzll(half);
    else if (other)
        *out_slot = (from / 64 + 1) * 64 + (unsigned)__builtin_ctzll(other);
    return half || other;
}

/* Has a chunk fetched while the one before it is read. */
static void
prefetch_chunk(const struct chunk *chunk)
{
    const char *bytes = (const char *)chunk;

    for (size_t at = 0; chunk && at < sizeof *chunk; at += 64)
        __builtin_prefetch(bytes + at);
}

/* The same for the records of a full chunk. */
static void
prefetch_records(const struct pawl_wheel *wheel, const struct chunk *chunk)
{
    for (unsigned i = 0; i < CHUNK_ENTRIES; i++)
        __builtin_prefetch(pawl_timers_at(&wheel->timers, chunk->entries[i].timer));
}

static bool
is_live(const struct pawl_wheel *wheel, const struct entry *entry)
{
    return pawl_timers_is_live(&wheel->timers, entry->timer, entry->generation);
}

static void
push(struct pawl_wheel *wheel, const struct place *place, const struct entry *entry)
{
    int level = place->level;
    unsigned index = place->index;
    struct slot *slot = &wheel->levels[level].slots[index];

    if (slot->fill == CHUNK_ENTRIES) {
        struct chunk *chunk = pawl_cells_take(&wheel->chunks);

        chunk->next = slot->head;
        slot->head = chunk;
        slot->fill = 0;
    }
    slot->head->entries[slot->fill++] = *entry;
    slot->count++;
    if (slot->count == 1) {
        slot->least = entry->due;
        set_bit(wheel->levels[level].occupied, index);
        wheel->occupied |= 1u << level;
    } else if (entry->due < slot->least) {
        slot->least = entry->due;
    }
    if (place->start < wheel->front.place.start)
        wheel->front.place = *place;
    if (entry->due < wheel->front.least)
        wheel->front.least = entry->due;
    if (slot->count == PAWL_WHEEL_CROWD + 1 && level > LEVEL_NARROW) {
        set_bit(wheel->levels[level].crowded, index);
        wheel->crowded |= 1u << level;
    }
}

/* Whether there is an empty page of chunks beyond what the entries need and one more. */
static bool
has_chunk_surplus(const struct pawl_wheel *wheel)
{
    const struct pawl_cells *chunks = &wheel->chunks;

    return chunks->pages[PAWL_PAGE_EMPTY] && chunks->ncells >=
        chunks_for(wheel->nlive + wheel->ndead) + 2 * chunks->per_page;
}

/* Gives back at most `max` pages of each kind. */
static void
trim(struct pawl_wheel *wheel, int max)
{
    for (int i = 0; i < max && has_chunk_surplus(wheel); i++)
        pawl_cells_drop(&wheel->chunks, wheel->chunks.pages[PAWL_PAGE_EMPTY]);
    for (int i = 0; i < max && pawl_timers_has_surplus(&wheel->timers); i++)
        pawl_timers_drop(&wheel->timers);
}

static void
drop_head(struct pawl_wheel *wheel, struct slot *slot)
{
    struct chunk *chunk = slot->head;

    if (wheel->sweep.chunk == chunk)
        wheel->sweep.chunk = chunk->next;
    slot->head = chunk->next;
    slot->fill = CHUNK_ENTRIES;
    pawl_cells_give(&wheel->chunks, chunk);
}

static struct entry
pop(struct pawl_wheel *wheel, int level, unsigned index)
{
    struct level *row = &wheel->levels[level];
    struct slot *slot = &row->slots[index];
    struct entry entry = slot->head->entries[--slot->fill];

    slot->count--;
    if (slot->fill == 0)
        drop_head(wheel, slot);
    if (slot->count == 0) {
        wheel->has_front = false;
        clear_bit(row->occupied, index);
        if (!(row->occupied[0] | row->occupied[1]))
            wheel->occupied &= ~(1u << level);
    } else if (slot->count == PAWL_WHEEL_CROWD && level > LEVEL_NARROW) {
        clear_bit(row->crowded, index);
        if (!(row->crowded[0] | row->crowded[1]))
            wheel->crowded &= ~(1u << level);
    }
    return entry;
}

/* Puts an entry on the lowest level on which its parent slot is the current or the next one. The
 * distance's highest digit is the level at most one too high. */
static void
put(struct pawl_wheel *wheel, const struct entry *entry)
{
    uint64_t due = entry->due > wheel->now ? entry->due : wheel->now;
    int level = (63 - __builtin_clzll((due - wheel->now) | 1)) / LEVEL_BITS;
    uint64_t slot;

    if (level > 0 && slot_of(due, level) - slot_of(wheel->now, level) <= 1)
        level--;
    slot = slot_of(due, level);
    push(wheel, &(struct place){level, slot % NSLOTS, slot << (level * LEVEL_BITS)}, entry);
}

/* Moves an entry down. Dead ones end here once they are many; else the look at the record,
 * which is seldom in the cache, costs more than carrying them. */
static void
move(struct pawl_wheel *wheel, const struct entry *entry)
{
    wheel->nmoves++;
    if (wheel->ndead > wheel->nlive / 8 && !is_live(wheel, entry))
        wheel->ndead--;
    else
        put(wheel, entry);
}

/* Looks at the first occupied slot of each level. Of several that start together the lowest
 * is in front: it may hold what was inserted too late. */
static struct front
find_front(const struct pawl_wheel *wheel)
{
    struct front front = {.place.start = UINT64_MAX, .least = UINT64_MAX};

    for (uint32_t rest = wheel->occupied; rest != 0; rest &= rest - 1) {
        int level = __builtin_ctz(rest);
        const struct level *row = &wheel->levels[level];
        uint64_t slot, start;

        if (!find_bit(row->occupied, slot_of(wheel->now, level), &slot))
            continue;
        start = slot << (level * LEVEL_BITS);
        if (start < front.place.start)
            front.place = (struct place){level, slot % NSLOTS, start};
        if (row->slots[slot % NSLOTS].least < front.least)
            front.least = row->slots[slot % NSLOTS].least;
    }
    return front;
}

static bool
may_go_on(const struct batch *batch)
{
    return batch->n + batch->ndue < batch->max && batch->moves > 0;
}

/* Gives the items of the gathered entries to the caller, but for the dead ones. */
static void
give(struct pawl_wheel *wheel, struct batch *batch)
{
    for (size_t i = 0; i < batch->ndue; i++) {
        const struct entry *entry = &batch->due[i];

        if (is_live(wheel, entry)) {
            batch->items[batch->n++] = pawl_timers_give(&wheel->timers, entry->timer);
            wheel->nlive--;
        } else {
            wheel->ndead--;
        }
    }
    batch->ndue = 0;
}

/* Records lie at random, so a due entry waits until some others are known; then their records
 * are on the way all at once. */
static void
gather(struct pawl_wheel *wheel, const struct entry *entry, struct batch *batch)
{
    __builtin_prefetch(pawl_timers_at(&wheel->timers, entry->timer), 1);
    batch->due[batch->ndue++] = *entry;
    if (batch->ndue == GATHER_MAX)
        give(wheel, batch);
}

/* Goes to a slot and empties it as far as the batch allows. */
static void
empty_slot(struct pawl_wheel *wheel, const struct place *place, struct batch *batch)
{
    struct slot *slot = &wheel->levels[place->level].slots[place->index];
    const struct chunk *seen = NULL;

    if (place->start > wheel->now)
        wheel->now = place->start;
    while (slot->count > 0 && may_go_on(batch)) {
        struct entry entry;

        if (slot->head != seen) {
            seen = slot->head;
            prefetch_chunk(seen->next);
        }
        entry = pop(wheel, place->level, place->index);
        if (place->level <= LEVEL_NARROW && entry.due <= batch->now) {
            gather(wheel, &entry, batch);
        } else {
            move(wheel, &entry);
            batch->moves--;
        }
    }
}

/* Moves from a crowded slot what is due to be moved of it by now: in proportion to the time
 * that has passed of the time that is left until it starts. */
static void
move_portion(struct pawl_wheel *wheel, int level, uint64_t slot, struct batch *batch)
{
    uint64_t start = slot << (level * LEVEL_BITS);
    uint64_t window = (slot - 1) << (level * LEVEL_BITS);
    uint64_t since = wheel->ahead_at > window ? wheel->ahead_at : window;
    unsigned index = slot % NSLOTS;
    struct slot *crowd = &wheel->levels[level].slots[index];
    double share = (double)(wheel->now - since) / (double)(start - since);
    size_t quota = (size_t)((double)crowd->count * share) + 1;
    const struct chunk *seen = NULL;

    for (; quota > 0 && crowd->count > 0 && batch->moves > 0; quota--, batch->moves--) {
        struct entry entry;

        if (crowd->head != seen) {
            seen = crowd->head;
            prefetch_chunk(seen->next);
        }
        entry = pop(wheel, level, index);
        move(wheel, &entry);
    }
}

/* Levels from low to high, for the low ones have less time left. */
static void
move_ahead(struct pawl_wheel *wheel, struct batch *batch)
{
    for (uint32_t rest = wheel->crowded; rest != 0; rest &= rest - 1) {
        int level = __builtin_ctz(rest);
        uint64_t slot = slot_of(wheel->now, level) + 1;

        if (has_bit(wheel->levels[level].crowded, slot % NSLOTS))
            move_portion(wheel, level, slot, batch);
    }
    wheel->ahead_at = wheel->now;
}

/* Finds the next occupied slot of the round; false: the round is over. */
static bool
sweep_next_slot(struct pawl_wheel *wheel)
{
    struct sweep *sweep = &wheel->sweep;

    for (;;) {
        sweep->index++;
        if (sweep->index >= NSLOTS) {
            sweep->index = 0;
            sweep->level--;
        }
        if (sweep->level < 0)
            return false;
        sweep->chunk = wheel->levels[sweep->level].slots[sweep->index].head;
        if (sweep->chunk)
            return true;
    }
}

/* Takes the dead entries out of one chunk and returns how many it looked at. Holes are filled
 * with the last entries of the slot's first chunk, so that all chunks but the first remain full.
 * The next chunk and its records are fetched in the time until the next call. */
static unsigned
sweep_chunk(struct pawl_wheel *wheel)
{
    struct sweep *sweep = &wheel->sweep;
    struct chunk *chunk = sweep->chunk;
    struct slot *slot = &wheel->levels[sweep->level].slots[sweep->index];
    unsigned n = chunk == slot->head ? slot->fill : CHUNK_ENTRIES;

    sweep->chunk = chunk->next;
    if (chunk->next) {
        prefetch_records(wheel, chunk->next);
        prefetch_chunk(chunk->next->next);
    }
    for (unsigned i = n; i-- > 0;) {
        bool is_filled = true;

        while (is_filled && !is_live(wheel, &chunk->entries[i])) {
            struct entry entry;

            is_filled = chunk != slot->head || i + 1 < slot->fill;
            wheel->ndead--;
            entry = pop(wheel, sweep->level, sweep->index);
            if (is_filled)
                chunk->entries[i] = entry;
        }
    }
    return n;
}

/* Sweeps as much as was earned, in rounds that start when the dead are half as many as the
 * live. A round sees at most 1.5 entries for each live one and 8 a removal, so fewer than a
 * fifth of the live ones can die during it: the dead remain fewer than the live. */
static void
sweep_some(struct pawl_wheel *wheel, size_t earned)
{
    struct sweep *sweep = &wheel->sweep;

    if (!sweep->is_on) {
        if (wheel->ndead <= wheel->nlive / 2 + PAWL_WHEEL_DEAD_MAX / 2)
            return;
        *sweep = (struct sweep){.is_on = true, .level = NLEVELS - 1, .index = 0};
        sweep->chunk = wheel->levels[sweep->level].slots[0].head;
    }
    sweep->credit += earned;
    while (sweep->is_on && sweep->credit >= CHUNK_ENTRIES) {
        if (wheel->ndead > 0 && (sweep->chunk || sweep_next_slot(wheel))) {
            sweep->credit -= sweep_chunk(wheel);
        } else {
            sweep->is_on = false;
            sweep->chunk = NULL;
        }
    }
}

int
pawl_wheel_new_from(int64_t now_ns, const struct pawl_page_source *source,
    uint32_t first_generation, struct pawl_wheel **out_wheel)
{
    struct pawl_wheel *wheel = source->map(source->context, pages_bytes(sizeof *wheel));

    if (!wheel)
        return PAWL_ENOMEM;
    assert(now_ns >= 0);
    wheel->source = source;
    wheel->now = wheel->ahead_at = (uint64_t)now_ns;
    wheel->front = find_front(wheel);
    wheel->has_front = true;
    pawl_cells_init(&wheel->chunks, source, sizeof(struct chunk), sizeof(struct chunk));
    pawl_timers_init(&wheel->timers, source, first_generation);
    for (int level = 0; level < NLEVELS; level++) {
        for (int i = 0; i < NSLOTS; i++)
            wheel->levels[level].slots[i].fill = CHUNK_ENTRIES;
    }
    *out_wheel = wheel;
    return 0;
}

int
pawl_wheel_new(int64_t now_ns, struct pawl_wheel **out_wheel)
{
    return pawl_wheel_new_from(now_ns, pawl_page_source_system(), 1, out_wheel);
}

void
pawl_wheel_free(struct pawl_wheel *wheel)
{
    if (!wheel)
        return;
    pawl_cells_fini(&wheel->chunks);
    pawl_timers_fini(&wheel->timers);
    wheel->source->unmap(wheel->source->context, wheel, pages_bytes(sizeof *wheel));
}

int
pawl_wheel_insert(struct pawl_wheel *wheel, int64_t due_ns, void *item, uint32_t *out_timer)
{
    struct entry entry = {.due = due_ns > 0 ? (uint64_t)due_ns : 0};

    assert(item);
    while (wheel->chunks.ncells < chunks_for(wheel->nlive + wheel->ndead + 1)) {
        if (!pawl_cells_grow(&wheel->chunks))
            return PAWL_ENOMEM;
    }
    if (!pawl_timers_take(&wheel->timers, item, &entry.timer))
        return PAWL_ENOMEM;
    entry.generation = pawl_timers_at(&wheel->timers, entry.timer)->generation;
    wheel->nlive++;
    put(wheel, &entry);
    if (wheel->sweep.is_on)
        sweep_some(wheel, SWEEP_PER_INSERT);
    *out_timer = entry.timer;
    return 0;
}

void *
pawl_wheel_cancel(struct pawl_wheel *wheel, uint32_t timer)
{
    void *item = pawl_timers_give(&wheel->timers, timer);

    wheel->nlive--;
    wheel->ndead++;
    sweep_some(wheel, SWEEP_PER_REMOVAL);
    trim(wheel, 1);
    return item;
}

/* Empties slots up to now as far as the batch allows; true: there are none left. */
static bool
empty_slots(struct pawl_wheel *wheel, struct batch *batch)
{
    while (may_go_on(batch)) {
        struct place place;

        if (!wheel->has_front) {
            wheel->front = find_front(wheel);
            wheel->has_front = true;
        }
        place = wheel->front.place;
        if (place.start > batch->now)
            return true;
        empty_slot(wheel, &place, batch);
    }
    return false;
}

size_t
pawl_wheel_expire(struct pawl_wheel *wheel, int64_t now_ns, void **out_items, size_t max)
{
    struct batch batch;
    bool is_done;

    assert(now_ns >= 0 && (uint64_t)now_ns >= wheel->now && max > 0);
    batch.now = (uint64_t)now_ns;
    batch.items = out_items;
    batch.n = batch.ndue = 0;
    batch.max = max;
    batch.moves = PAWL_WHEEL_MOVES_MAX;
    do {
        is_done = empty_slots(wheel, &batch);
        give(wheel, &batch);
    } while (!is_done && may_go_on(&batch));
    if (is_done) {
        wheel->now = batch.now;
        move_ahead(wheel, &batch);
    }
    sweep_some(wheel, batch.n * SWEEP_PER_REMOVAL);
    trim(wheel, TRIM_MAX);
    return batch.n;
}

/* When the next portion of a level's first crowded slot is to be moved. */
static uint64_t
next_portion(const struct pawl_wheel *wheel, int level)
{
    const struct level *row = &wheel->levels[level];
    uint64_t slot, window, left, step;

    if (!find_bit(row->crowded, slot_of(wheel->now, level), &slot))
        return UINT64_MAX;
    window = (slot - 1) << (level * LEVEL_BITS);
    if (window > wheel->now)
        return window;
    left = (slot << (level * LEVEL_BITS)) - wheel->now;
    step = left / row->slots[slot % NSLOTS].count * PAWL_WHEEL_CROWD;
    return wheel->now + (step > PORTION_NS ? step : PORTION_NS);
}

int64_t
pawl_wheel_next(const struct pawl_wheel *wheel)
{
    struct front front;
    uint64_t next = INT64_MAX;

    if (has_chunk_surplus(wheel) || pawl_timers_has_surplus(&wheel->timers))
        next = wheel->now + TRIM_NS;
    if (wheel->nlive == 0)
        return (int64_t)next;
    front = wheel->has_front ? wheel->front : find_front(wheel);
    if (front.least < next)
        next = front.least;
    if (front.place.start <= wheel->now && next > wheel->now)
        next = wheel->now;      /* a call of expire() was cut short in this slot */
    for (uint32_t rest = wheel->crowded; rest != 0; rest &= rest - 1) {
        uint64_t portion = next_portion(wheel, __builtin_ctz(rest));

        if (portion < next)
            next = portion;
    }
    return (int64_t)next;
}

size_t
pawl_wheel_count(const struct pawl_wheel *wheel)
{
    return wheel->nlive;
}

void
pawl_wheel_stats(const struct pawl_wheel *wheel, struct pawl_wheel_stats *out_stats)
{
    out_stats->nlive = wheel->nlive;
    out_stats->ndead = wheel->ndead;
    out_stats->nmoves = wheel->nmoves;
    out_stats->bytes =
        (wheel->chunks.npages + wheel->timers.cells.npages) * (size_t)PAWL_PAGE_BYTES;
}

/* Adds a slot's live entries to *nlive and returns its chunks. */
static size_t
check_slot(const struct pawl_wheel *wheel, int level, unsigned index, size_t *nlive)
{
    const struct slot *slot = &wheel->levels[level].slots[index];
    uint64_t current = slot_of(wheel->now, level);
    size_t n = 0, nchunks = 0;

    for (const struct chunk *chunk = slot->head; chunk; chunk = chunk->next, nchunks++) {
        unsigned fill = chunk == slot->head ? slot->fill : CHUNK_ENTRIES;

        assert(fill > 0 && fill <= CHUNK_ENTRIES);
        for (unsigned i = 0; i < fill; i++, n++) {
            const struct entry *entry = &chunk->entries[i];
            uint64_t at = slot_of(entry->due, level);

            assert(entry->due >= slot->least);
            assert(at % NSLOTS == index || (level == 0 && entry->due < wheel->now));
            assert(at >= current || level == 0);
            assert(at / 64 <= current / 64 + 1);
            *nlive += is_live(wheel, entry);
        }
    }
    assert(n == slot->count && (n > 0 || slot->fill == CHUNK_ENTRIES));
    assert(has_bit(wheel->levels[level].occupied, index) == (n > 0));
    assert(has_bit(wheel->levels[level].crowded, index) ==
        (n > PAWL_WHEEL_CROWD && level > LEVEL_NARROW));
    return nchunks;
}

void
pawl_wheel_check(const struct pawl_wheel *wheel)
{
    size_t n = 0, nlive = 0, nchunks = 0;

    for (int level = 0; level < NLEVELS; level++) {
        const struct level *row = &wheel->levels[level];

        for (unsigned i = 0; i < NSLOTS; i++) {
            nchunks += check_slot(wheel, level, i, &nlive);
            n += row->slots[i].count;
        }
        assert(!(row->occupied[0] | row->occupied[1]) == !(wheel->occupied >> level & 1));
        assert(!(row->crowded[0] | row->crowded[1]) == !(wheel->crowded >> level & 1));
    }
    assert(n == wheel->nlive + wheel->ndead && nlive == wheel->nlive);
    assert(wheel->ndead <= wheel->nlive + PAWL_WHEEL_DEAD_MAX);
    assert(nchunks == wheel->chunks.nused && wheel->chunks.ncells >= chunks_for(n));
}
