/* wheel.c: the timing wheel described in wheel.h.
 *
 * The ticker's thread alone runs it. It decides when an entry goes where; slots.c holds
 * the entries, timers.c what they stand for. Reading the clock, waiting and running what
 * is due belong to ticker.c.
 *
 * wheel->now is the position, which expire() moves from one due time to the next. No
 * occupied slot ends before it but the one of level 0 that takes what is inserted too
 * late. */
#include "wheel.h"

#include "cells.h"
#include "slots.h"
#include "timers.h"

#include <assert.h>
#include <pawl.h>
#include <stdbool.h>

enum {
    SWEEP_PER_REMOVAL = 8,  /* entries swept for each timer that ends */
    SWEEP_PER_INSERT = 1,   /* keeps a round finite that new entries run ahead of */
    PORTION_NS = 1 << 16,   /* two portions ask for calls at least so far apart */
    GATHER_MAX = 64,        /* records that are waited for together */
    TRIM_MAX = 4,           /* pages that one expire() gives back, at some 10 us each */
    TRIM_NS = 1 << 20,      /* from then until the next ones are given back */
};

/* The slot with the least due time of all. */
struct front {
    int level;
    unsigned index;
    uint64_t least;         /* UINT64_MAX if nothing is occupied */
};

struct pawl_wheel {
    const struct pawl_page_source *source;
    uint64_t now;           /* the position */
    uint64_t ahead_at;      /* when portions of crowded slots were moved last */
    size_t nlive;
    uint64_t nmoves;
    bool has_surplus;       /* pages were left to be given back */
    bool has_front;         /* front is up to date; not once its slot may have changed */
    struct front front;
    struct pawl_slots slots;
    struct pawl_timers timers;
};

/* What a call of expire() has given and may still do. */
struct batch {
    uint64_t now;
    void **items;
    size_t n;
    size_t max;
    size_t moves;                       /* entries that may yet be moved */
    struct pawl_entry due[GATHER_MAX];  /* out of their slots, not yet among the items */
    size_t ndue;
};

static size_t
wheel_bytes(void)
{
    size_t npages = (sizeof(struct pawl_wheel) + PAWL_PAGE_BYTES - 1) / PAWL_PAGE_BYTES;

    return npages * PAWL_PAGE_BYTES;
}

/* Puts an entry on the lowest level on which its parent slot is the current or the next
 * one. The distance's highest digit in base 64 is that level or the one above. */
static void
put(struct pawl_wheel *wheel, const struct pawl_entry *entry)
{
    uint64_t now = wheel->now;
    uint64_t due = entry->due > now ? entry->due : now;
    int level = (63 - __builtin_clzll((due - now) | 1)) / PAWL_LEVEL_BITS;
    unsigned index;

    if (level > 0 && pawl_slot_number(due, level) - pawl_slot_number(now, level) <= 1)
        level--;
    index = pawl_slot_number(due, level) % PAWL_SLOTS;
    pawl_slots_push(&wheel->slots, level, index, entry);
    if (entry->due < wheel->front.least)
        wheel->front = (struct front){level, index, entry->due};
}

/* Puts an entry that was popped on a lower level. Dead ones end here once they are many;
 * else the look at the record, which is seldom in the cache, costs more than carrying
 * them. */
static void
move(struct pawl_wheel *wheel, const struct pawl_entry *entry)
{
    wheel->nmoves++;
    if (wheel->slots.count <= wheel->nlive + wheel->nlive / 8 ||
        pawl_slots_is_live(&wheel->slots, entry))
        put(wheel, entry);
}

/* The slots of a level lie apart in time, so only the first one of each can be in front.
 * */
static struct front
find_front(const struct pawl_wheel *wheel)
{
    struct front front = {.least = UINT64_MAX};

    for (uint32_t rest = wheel->slots.occupied; rest != 0; rest &= rest - 1) {
        int level = __builtin_ctz(rest);
        const struct pawl_level *row = &wheel->slots.levels[level];
        uint64_t number;

        if (pawl_bit_find(row->occupied, pawl_slot_number(wheel->now, level), &number) &&
            row->slots[number % PAWL_SLOTS].least < front.least) {
            front.level = level;
            front.index = number % PAWL_SLOTS;
            front.least = row->slots[number % PAWL_SLOTS].least;
        }
    }
    return front;
}

static void
update_front(struct pawl_wheel *wheel)
{
    if (!wheel->has_front)
        wheel->front = find_front(wheel);
    wheel->has_front = true;
}

static void
sweep(struct pawl_wheel *wheel, size_t earned)
{
    if (pawl_slots_sweep(&wheel->slots, wheel->slots.count - wheel->nlive, earned))
        wheel->has_front = false;
}

/* Gives back at most `max` pages of each kind. */
static void
trim(struct pawl_wheel *wheel, int max)
{
    bool has_chunks = pawl_slots_has_surplus(&wheel->slots);
    bool has_timers = pawl_timers_has_surplus(&wheel->timers);

    for (; max > 0 && (has_chunks || has_timers); max--) {
        if (has_chunks)
            pawl_slots_drop(&wheel->slots);
        if (has_timers)
            pawl_timers_drop(&wheel->timers);
        has_chunks = pawl_slots_has_surplus(&wheel->slots);
        has_timers = pawl_timers_has_surplus(&wheel->timers);
    }
    wheel->has_surplus = has_chunks || has_timers;
}

int
pawl_wheel_new_from(int64_t now_ns, const struct pawl_page_source *source,
    uint32_t first_generation, struct pawl_wheel **out_wheel)
{
    struct pawl_wheel *wheel = source->map(source->context, wheel_bytes());

    if (!wheel)
        return PAWL_ENOMEM;
    assert(now_ns >= 0);
    wheel->source = source;
    wheel->now = wheel->ahead_at = (uint64_t)now_ns;
    pawl_timers_init(&wheel->timers, source, first_generation);
    pawl_slots_init(&wheel->slots, source, &wheel->timers);
    update_front(wheel);
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
    pawl_slots_fini(&wheel->slots);
    pawl_timers_fini(&wheel->timers);
    wheel->source->unmap(wheel->source->context, wheel, wheel_bytes());
}

int
pawl_wheel_insert(struct pawl_wheel *wheel, int64_t due_ns, void *item,
    uint32_t *out_timer)
{
    struct pawl_entry entry = {.due = due_ns > 0 ? (uint64_t)due_ns : 0};

    assert(item);
    if (!pawl_slots_reserve(&wheel->slots) ||
        !pawl_timers_take(&wheel->timers, item, &entry.timer))
        return PAWL_ENOMEM;
    entry.generation = pawl_timers_at(&wheel->timers, entry.timer)->generation;
    wheel->nlive++;
    put(wheel, &entry);
    if (wheel->slots.sweep.is_on)
        sweep(wheel, SWEEP_PER_INSERT);
    *out_timer = entry.timer;
    return 0;
}

void *
pawl_wheel_cancel(struct pawl_wheel *wheel, uint32_t timer)
{
    void *item = pawl_timers_give(&wheel->timers, timer);

    wheel->nlive--;
    sweep(wheel, SWEEP_PER_REMOVAL);
    trim(wheel, 1);
    return item;
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
        const struct pawl_entry *entry = &batch->due[i];

        if (pawl_slots_is_live(&wheel->slots, entry)) {
            batch->items[batch->n++] = pawl_timers_give(&wheel->timers, entry->timer);
            wheel->nlive--;
        }
    }
    batch->ndue = 0;
}

/* Records lie at random, so a due entry waits until some others are known; then their
 * records are on the way all at once. */
static void
gather(struct pawl_wheel *wheel, const struct pawl_entry *entry, struct batch *batch)
{
    __builtin_prefetch(pawl_timers_at(&wheel->timers, entry->timer), 1);
    batch->due[batch->ndue++] = *entry;
    if (batch->ndue == GATHER_MAX)
        give(wheel, batch);
}

/* Gives what is due of a slot with a single chunk, and leaves the rest where it is. */
static void
pick(struct pawl_wheel *wheel, const struct front *front, uint64_t due,
    struct batch *batch)
{
    struct pawl_slot *slot = &wheel->slots.levels[front->level].slots[front->index];
    struct pawl_entry *entries = slot->head->entries;
    uint64_t least = UINT64_MAX;

    for (unsigned i = slot->fill; i-- > 0;) {
        struct pawl_entry entry = entries[i];
        struct pawl_entry last;

        if (entry.due > due) {
            least = entry.due < least ? entry.due : least;
            continue;
        }
        if (!may_go_on(batch))
            return;     /* least remains as it was: too low */
        last = pawl_slots_pop(&wheel->slots, front->level, front->index);
        if (i < slot->count)
            entries[i] = last;
        gather(wheel, &entry, batch);
    }
    slot->least = least;
}

/* Empties a slot as far as the batch allows: gives what is due and moves the rest down.
 * */
static void
split(struct pawl_wheel *wheel, const struct front *front, uint64_t due,
    struct batch *batch)
{
    struct pawl_slot *slot = &wheel->slots.levels[front->level].slots[front->index];
    const struct pawl_chunk *seen = NULL;

    while (slot->count > 0 && may_go_on(batch)) {
        struct pawl_entry entry;

        if (slot->head != seen) {
            seen = slot->head;
            pawl_chunk_prefetch(seen->next);
        }
        entry = pawl_slots_pop(&wheel->slots, front->level, front->index);
        if (entry.due <= due) {
            gather(wheel, &entry, batch);
        } else {
            move(wheel, &entry);
            batch->moves--;
        }
    }
}

/* Goes from one slot in front to the next as far as the batch allows; true: nothing is
 * due any more. A wide slot gives only what is due before all else, so that the order is
 * kept. */
static bool
take_due(struct pawl_wheel *wheel, struct batch *batch)
{
    while (may_go_on(batch)) {
        const struct pawl_slot *slot;
        struct front front;
        uint64_t due;

        update_front(wheel);
        front = wheel->front;
        if (front.least > batch->now)
            return true;
        if (front.least > wheel->now)
            wheel->now = front.least;   /* no occupied slot ends before it */
        due = front.level <= PAWL_LEVEL_NARROW ? batch->now : wheel->now;
        wheel->has_front = false;
        slot = &wheel->slots.levels[front.level].slots[front.index];
        if (slot->count <= PAWL_CHUNK_ENTRIES)
            pick(wheel, &front, due, batch);
        else
            split(wheel, &front, due, batch);
    }
    return false;
}

/* Moves from a crowded slot what is to be moved of it by now: in proportion to the time
 * that has passed of the time that was left until it starts. */
static void
move_portion(struct pawl_wheel *wheel, int level, uint64_t number, struct batch *batch)
{
    uint64_t start = number << (level * PAWL_LEVEL_BITS);
    uint64_t window = (number - 1) << (level * PAWL_LEVEL_BITS);
    uint64_t since = wheel->ahead_at > window ? wheel->ahead_at : window;
    unsigned index = number % PAWL_SLOTS;
    struct pawl_slot *slot = &wheel->slots.levels[level].slots[index];
    double share = (double)(wheel->now - since) / (double)(start - since);
    size_t quota = (size_t)((double)slot->count * share) + 1;
    const struct pawl_chunk *seen = NULL;

    for (; quota > 0 && slot->count > 0 && batch->moves > 0; quota--, batch->moves--) {
        struct pawl_entry entry;

        if (slot->head != seen) {
            seen = slot->head;
            pawl_chunk_prefetch(seen->next);
        }
        entry = pawl_slots_pop(&wheel->slots, level, index);
        move(wheel, &entry);
    }
    wheel->has_front = false;   /* its entry may have been among them */
}

/* Levels from low to high, for the low ones have less time left. */
static void
move_ahead(struct pawl_wheel *wheel, struct batch *batch)
{
    for (uint32_t rest = wheel->slots.crowded; rest != 0; rest &= rest - 1) {
        int level = __builtin_ctz(rest);
        uint64_t number = pawl_slot_number(wheel->now, level) + 1;

        if (pawl_bit_get(wheel->slots.levels[level].crowded, number % PAWL_SLOTS))
            move_portion(wheel, level, number, batch);
    }
    wheel->ahead_at = wheel->now;
}

static size_t
expire_batch(struct pawl_wheel *wheel, uint64_t now, void **out_items, size_t max)
{
    struct batch batch;
    bool is_done;

    batch.now = now;
    batch.items = out_items;
    batch.n = batch.ndue = 0;
    batch.max = max;
    batch.moves = PAWL_WHEEL_MOVES_MAX;
    do {
        is_done = take_due(wheel, &batch);
        give(wheel, &batch);
    } while (!is_done && may_go_on(&batch));
    if (is_done) {
        wheel->now = now;
        move_ahead(wheel, &batch);
    }
    sweep(wheel, batch.n * SWEEP_PER_REMOVAL);
    trim(wheel, TRIM_MAX);
    update_front(wheel);    /* spares next() a search */
    return batch.n;
}

size_t
pawl_wheel_expire(struct pawl_wheel *wheel, int64_t now_ns, void **out_items, size_t max)
{
    uint64_t now = (uint64_t)now_ns;

    assert(now_ns >= 0 && now >= wheel->now && max > 0);
    if (!wheel->has_front || wheel->front.least <= now || wheel->slots.crowded ||
        wheel->has_surplus)
        return expire_batch(wheel, now, out_items, max);
    wheel->now = wheel->ahead_at = now;     /* there is nothing to do */
    return 0;
}

/* When the next portion of a level's first crowded slot is to be moved. */
static uint64_t
next_portion(const struct pawl_wheel *wheel, int level)
{
    const struct pawl_level *row = &wheel->slots.levels[level];
    uint64_t number, window, left, step;

    if (!pawl_bit_find(row->crowded, pawl_slot_number(wheel->now, level) + 1, &number))
        return UINT64_MAX;
    window = (number - 1) << (level * PAWL_LEVEL_BITS);
    if (window > wheel->now)
        return window;
    left = (number << (level * PAWL_LEVEL_BITS)) - wheel->now;
    step = left / row->slots[number % PAWL_SLOTS].count * PAWL_SLOT_CROWD;
    return wheel->now + (step > PORTION_NS ? step : PORTION_NS);
}

int64_t
pawl_wheel_next(const struct pawl_wheel *wheel)
{
    uint64_t next = INT64_MAX;
    uint64_t least;

    if (wheel->has_surplus && wheel->now < INT64_MAX - TRIM_NS)
        next = wheel->now + TRIM_NS;
    if (wheel->nlive == 0)
        return (int64_t)next;
    least = wheel->has_front ? wheel->front.least : find_front(wheel).least;
    if (least < next)
        next = least;
    for (uint32_t rest = wheel->slots.crowded; rest != 0; rest &= rest - 1) {
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
    size_t npages = wheel->slots.chunks.npages + wheel->timers.cells.npages;

    out_stats->nlive = wheel->nlive;
    out_stats->ndead = wheel->slots.count - wheel->nlive;
    out_stats->nmoves = wheel->nmoves;
    out_stats->bytes = npages * PAWL_PAGE_BYTES;
}

void
pawl_wheel_check(const struct pawl_wheel *wheel)
{
    size_t nlive = pawl_slots_check(&wheel->slots, wheel->now);

    assert(nlive == wheel->nlive);
    assert(wheel->slots.count <= 2 * nlive + PAWL_WHEEL_DEAD_MAX);
    assert(!wheel->has_front || wheel->front.least == find_front(wheel).least);
}
