/* deadlines.c: which of many moments comes first. */
#include "deadlines.h"

/* Makes one heap of two; either may be NULL. */
static struct pawl_deadline *
meld(struct pawl_deadline *a, struct pawl_deadline *b)
{
    struct pawl_deadline *later = b;

    if (!a || !b)
        return a ? a : b;
    if (b->at_ns < a->at_ns) {
        later = a;
        a = b;
    }
    later->prev = a;
    later->next = a->child;
    if (later->next)
        later->next->prev = later;
    a->child = later;
    return a;
}

/* Makes one heap of siblings: by pairs from the left, then all of them from the right. */
static struct pawl_deadline *
meld_all(struct pawl_deadline *first)
{
    struct pawl_deadline *pairs = NULL, *all = NULL;

    while (first) {
        struct pawl_deadline *a = first, *b = a->next, *pair;

        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct pawl_deadline *pair = pairs;

        pairs = pair->next;
        pair->next = NULL;
        all = meld(all, pair);
    }
    return all;
}

void
pawl_deadlines_clear(struct pawl_deadlines *deadlines, struct pawl_deadline *deadline)
{
    if (!deadline->is_set)
        return;
    if (deadline == deadlines->root) {
        deadlines->root = meld_all(deadline->child);
    } else {
        if (deadline->prev->child == deadline)
            deadline->prev->child = deadline->next;
        else
            deadline->prev->next = deadline->next;
        if (deadline->next)
            deadline->next->prev = deadline->prev;
        deadlines->root = meld(deadlines->root, meld_all(deadline->child));
    }
    *deadline = (struct pawl_deadline) {.is_set = false};
}

void
pawl_deadlines_set(struct pawl_deadlines *deadlines, struct pawl_deadline *deadline, int64_t at_ns)
{
    pawl_deadlines_clear(deadlines, deadline);
    *deadline = (struct pawl_deadline) {.at_ns = at_ns, .is_set = true};
    deadlines->root = meld(deadlines->root, deadline);
}

/* --- Verifying: without recursion, since a heap may be as deep as it has nodes --- */

static const struct pawl_deadline *
parent_of(const struct pawl_deadline *node)
{
    while (node->prev && node->prev->child != node)
        node = node->prev;
    return node->prev;
}

/* The next one in an order that visits all, or NULL. */
static const struct pawl_deadline *
after(const struct pawl_deadline *node)
{
    if (node->child)
        return node->child;
    while (node && !node->next)
        node = parent_of(node);
    return node ? node->next : NULL;
}

size_t
pawl_deadlines_check(const struct pawl_deadlines *deadlines)
{
    size_t n = 0;

    if (deadlines->root && (deadlines->root->prev || deadlines->root->next))
        return SIZE_MAX;
    for (const struct pawl_deadline *node = deadlines->root; node; node = after(node), n++) {
        const struct pawl_deadline *parent = parent_of(node);

        if (!node->is_set || (parent && parent->at_ns > node->at_ns) ||
            (node->child && node->child->prev != node) || (node->next && node->next->prev != node))
            return SIZE_MAX;
    }
    return n;
}
