/* inbox.h: many threads put, one takes all. The one way that work goes to a thread.
 *
 * A ck_stack (Treiber 1986) that is only ever emptied whole, by one exchange, so that no entry can
 * be met twice (no ABA). Entries are embedded in what is handed over; an entry is in one inbox at
 * a time. Putting publishes all that was written before it; taking sees it. */
#ifndef PAWL_INBOX_H
#define PAWL_INBOX_H

#include <ck_stack.h>
#include <stdbool.h>

struct pawl_inbox {
    ck_stack_t stack;
};

static inline void
pawl_inbox_init(struct pawl_inbox *inbox)
{
    ck_stack_init(&inbox->stack);
}

/* Puts an entry. A full fence follows, so that what the caller reads next is not older than the
 * put. Threads: any. Blocks: no. */
static inline void
pawl_inbox_put(struct pawl_inbox *inbox, ck_stack_entry_t *entry)
{
    ck_stack_push_upmc(&inbox->stack, entry);
    ck_pr_fence_memory();
}

/* Threads: any; a hint, except behind a full fence of the caller. */
static inline bool
pawl_inbox_is_empty(struct pawl_inbox *inbox)
{
    return ck_pr_load_ptr(&inbox->stack.head) == NULL;
}

/* Turns a chain of entries round, and gives its new beginning. */
static inline ck_stack_entry_t *
pawl_inbox_reverse(ck_stack_entry_t *entry)
{
    ck_stack_entry_t *reversed = NULL;

    while (entry) {
        ck_stack_entry_t *next = entry->next;

        entry->next = reversed;
        reversed = entry;
        entry = next;
    }
    return reversed;
}

/* Takes all entries, the oldest first, linked by their next; NULL when there is none.
 * Threads: any number; each entry goes to one of them. Blocks: no. */
static inline ck_stack_entry_t *
pawl_inbox_take(struct pawl_inbox *inbox)
{
    if (pawl_inbox_is_empty(inbox))
        return NULL;
    return pawl_inbox_reverse(ck_stack_batch_pop_upmc(&inbox->stack));
}

#endif
