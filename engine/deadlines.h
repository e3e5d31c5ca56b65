/* deadlines.h: which of many moments comes first: a pairing heap of nodes that others embed, so that
 * it needs no memory and nothing of it can fail. Setting one costs a comparison, taking one out some
 * log n of them on average. Pure: time is a number. Used by one thread, the owner's. */
#ifndef PAWL_DEADLINES_H
#define PAWL_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: not set. */
struct pawl_deadline {
    int64_t at_ns;
    bool is_set;
    struct pawl_deadline *child, *next;
    struct pawl_deadline *prev;         /* of the first child the parent */
};

/* All zero: empty. */
struct pawl_deadlines {
    struct pawl_deadline *root;
};

/* Sets a deadline, or moves it. */
void
pawl_deadlines_set(struct pawl_deadlines *deadlines, struct pawl_deadline *deadline, int64_t at_ns);

/* Takes it out, if it is set. */
void
pawl_deadlines_clear(struct pawl_deadlines *deadlines, struct pawl_deadline *deadline);

/* The earliest, or NULL. */
static inline struct pawl_deadline *
pawl_deadlines_first(const struct pawl_deadlines *deadlines)
{
    return deadlines->root;
}

/* Slow, for tests: how many there are; SIZE_MAX: the heap is not sound. */
size_t
pawl_deadlines_check(const struct pawl_deadlines *deadlines);

#endif
