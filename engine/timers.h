/* timers.h: the wheel's table of timer records, number -> {item, generation}.
 *
 * Records lie in pages of cells.h, found through a directory, so that the table grows and
 * shrinks a page at a time and a record never moves. A record's generation goes up when
 * its timer ends; an entry of the wheel that names an older one is dead. No pair of
 * number and generation is ever handed out twice: a page that is mapped anew goes on from
 * the latest generation that it had, and a record that has used up its generations is
 * retired.
 *
 * Threads: the wheel's. */
#ifndef PAWL_TIMERS_H
#define PAWL_TIMERS_H

#include "cells.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pawl_timer {
    void *item;             /* the first member: the link of a free cell lies here */
    uint32_t generation;    /* of the timer now, or of the next one; 0: never used */
    uint32_t is_pending;
};

enum {
    PAWL_TIMER_BITS = 14,   /* of a number: the place in its page */
    PAWL_TIMER_OFFSET = 64, /* of the first record in a page */
    PAWL_TIMER_PAGES = 1 << (32 - PAWL_TIMER_BITS),
};

struct pawl_timer_page {
    struct pawl_page *page; /* NULL: not mapped */
    uint32_t newest;        /* generation of its records when they are used first */
    uint32_t next;          /* while not mapped: the next such, or PAWL_TIMER_PAGES */
};

struct pawl_timers {
    struct pawl_cells cells;
    uint32_t first_generation;
    uint32_t vacant;        /* the first place whose page was dropped */
    uint32_t nplaces;       /* places of the directory ever used */
    struct pawl_timer_page directory[PAWL_TIMER_PAGES]; /* 4 MiB, touched as used */
};

/* Starts an empty table in zeroed memory. */
void
pawl_timers_init(struct pawl_timers *timers, const struct pawl_page_source *source,
    uint32_t first_generation);

void
pawl_timers_fini(struct pawl_timers *timers);

/* Takes a record for an item and gives its number; false: no memory, nothing changed. */
bool
pawl_timers_take(struct pawl_timers *timers, void *item, uint32_t *out_number);

/* Ends a pending timer. Owns: gives the item. */
void *
pawl_timers_give(struct pawl_timers *timers, uint32_t number);

/* Whether an empty page can go. One is kept, lest a count that goes up and down by one
 * maps a page each time. */
static inline bool
pawl_timers_has_surplus(const struct pawl_timers *timers)
{
    const struct pawl_page *empty = timers->cells.pages[PAWL_PAGE_EMPTY];

    return empty && empty->next;
}

/* Gives an empty page back to the system; there must be one. */
void
pawl_timers_drop(struct pawl_timers *timers);

/* Private: the records of a page. */
static inline struct pawl_timer *
pawl_timers_first(struct pawl_page *page)
{
    return (struct pawl_timer *)(void *)((char *)page + PAWL_TIMER_OFFSET);
}

/* The record of a number that was handed out; NULL if its page is gone. */
static inline struct pawl_timer *
pawl_timers_at(const struct pawl_timers *timers, uint32_t number)
{
    struct pawl_page *page = timers->directory[number >> PAWL_TIMER_BITS].page;
    uint32_t place = number & ((1u << PAWL_TIMER_BITS) - 1);

    if (!page)
        return NULL;
    return pawl_timers_first(page) + place;
}

static inline bool
pawl_timers_is_live(const struct pawl_timers *timers, uint32_t number,
    uint32_t generation)
{
    const struct pawl_timer *timer = pawl_timers_at(timers, number);

    return timer && timer->generation == generation;
}

#endif
