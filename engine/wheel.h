/* wheel.h: what is due when; a hierarchical timing wheel, exact to the nanosecond.
 *
 * After G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987. A
 * slot of level n is 64^n ns wide, so a level is one digit in base 64 of the due time and
 * eleven levels hold every int64. An entry lies on the lowest level on which its parent
 * slot is the current or the next one. So a level has 128 slots, and a slot is filled
 * only while at least its own width of time lies before its start.
 *
 *   expire  goes from one least due time to the next. A slot up to 262 us wide gives what
 *           is due by now, a wider one only what is due first; the rest moves to lower
 *           levels, unless it is a single chunk. So a jump costs what is due and what is
 *           near `now`, not the time that is skipped.
 *   ahead   What a slot holds beyond a few hundred entries is not moved at once when its
 *           time comes but in portions while the slot before it is current.
 *   next    is the least due time of each level's first slot, found by bitmaps: a lone
 *           timer in ten hours asks for one call. Crowded slots ask for one a portion.
 *   memory  A slot is a chain of chunks of 35 entries {due, timer, generation}, all full
 *           but the first. Moving takes no memory that insert() did not set aside.
 *   cancel  gives the item back and the record a new generation; the entry stays behind,
 *           dead. A sweep follows, a few entries for each timer that ends, and keeps the
 *           dead ones fewer than the live ones plus PAWL_WHEEL_DEAD_MAX.
 *
 * Threads: a wheel belongs to one thread, the ticker. Blocks: no. Time is an argument:
 * nanoseconds >= 0 on a clock that never goes back. */
#ifndef PAWL_WHEEL_H
#define PAWL_WHEEL_H

#include <stddef.h>
#include <stdint.h>

struct pawl_page_source;
struct pawl_wheel;

#define PAWL_TIMER_NONE UINT32_MAX

enum {
    PAWL_WHEEL_DEAD_MAX = 512,   /* dead entries allowed beyond the number of live ones */
    PAWL_WHEEL_PORTION = 512,    /* about what a call moves of a slot that holds more */
    PAWL_WHEEL_MOVES_MAX = 4096, /* entries that one expire() moves without giving them */
};

struct pawl_wheel_stats {
    size_t nlive;       /* pending timers */
    size_t ndead;       /* entries of cancelled timers not yet swept away */
    uint64_t nmoves;    /* entries moved to a lower level, ever */
    size_t bytes;       /* held in pages */
};

/* Errors: PAWL_ENOMEM. */
int
pawl_wheel_new(int64_t now_ns, struct pawl_wheel **out_wheel);

/* For tests: the same with pages from elsewhere, and with timer records whose generation,
 * of which each use takes one, starts at first_generation >= 1. Owns: borrows source. */
int
pawl_wheel_new_from(int64_t now_ns, const struct pawl_page_source *source,
    uint32_t first_generation, struct pawl_wheel **out_wheel);

/* Pending items are forgotten, they belong to the caller. NULL is accepted. */
void
pawl_wheel_free(struct pawl_wheel *wheel);

/* Arms a timer; a due time in the past is due at once. After a long sleep call expire()
 * first, so that near timers are put on near levels. The timer's number is valid until
 * its item was given by expire() or cancel(), and is then used again.
 * Owns: borrows item (not NULL) until then. Errors: PAWL_ENOMEM, nothing changed. */
int
pawl_wheel_insert(struct pawl_wheel *wheel, int64_t due_ns, void *item,
    uint32_t *out_timer);

/* Disarms a pending timer and gives its item. O(1), with a share of the sweep. Any other
 * number is the caller's bug. */
void *
pawl_wheel_cancel(struct pawl_wheel *wheel, uint32_t timer);

/* Gives at most max (> 0) items that are due by now_ns, and never one that is not. All of
 * them were given when pawl_wheel_next() > now_ns: call again with the same now_ns until
 * then. A return of max always means that; a smaller one does only if more than
 * PAWL_WHEEL_MOVES_MAX entries had to be moved, as after a jump into a slot of many
 * thousand.
 * Order: by due time to within 262,144 ns over all these calls, but for what was inserted
 * after its due time; exact between calls whose now_ns differ, if the earlier was brought
 * to its end. */
size_t
pawl_wheel_expire(struct pawl_wheel *wheel, int64_t now_ns, void **out_items, size_t max);

/* When expire() is to be called next, never later than the least due time; INT64_MAX:
 * never. Earlier than that only for a portion of a crowded slot, for pages to be given
 * back after a peak, or for a timer that was cancelled. */
int64_t
pawl_wheel_next(const struct pawl_wheel *wheel);

/* Pending timers. */
size_t
pawl_wheel_count(const struct pawl_wheel *wheel);

void
pawl_wheel_stats(const struct pawl_wheel *wheel, struct pawl_wheel_stats *out_stats);

/* Asserts every invariant; looks at each entry and each record. For tests. */
void
pawl_wheel_check(const struct pawl_wheel *wheel);

#endif
