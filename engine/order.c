/* order.c: the radix tree behind the order of submission.
 *
 * Any thread appends and removes, inside its own epoch section; listings walk in theirs. Every
 * number handed out is placed once and removed once, so a leaf that counted 64 removals can never
 * be asked for again and is unlinked. Inner nodes that become empty are unlinked and, if a later
 * number needs them, made anew; both only under the lock.
 *
 * R1: publishes a node or a task; pairs with A1, every walk down. */
#include "order.h"

#include <pawl.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BITS 6
#define FANOUT (1u << BITS)
#define LEVELS 8                /* 8 * 6 = 48 bits; the root is level 7, leaves are level 0 */

struct node {
    ck_epoch_entry_t deferred;
    unsigned children;                  /* L: of an inner node */
    _Atomic unsigned left;              /* A: of a leaf: numbers not yet removed */
    _Atomic(void *) slot[FANOUT];       /* A: R1, A1 */
};

struct pawl_order {
    _Alignas(64) _Atomic uint64_t newest;   /* A: relaxed: only uniqueness matters */
    _Alignas(64) pthread_mutex_t lock;      /* of the shape of the tree */
    struct node *root;                      /* I */
};

static struct node *
node_new(void)
{
    struct node *node = calloc(1, sizeof *node);

    if (node)
        atomic_init(&node->left, FANOUT);
    return node;
}

static void
node_free_cb(ck_epoch_entry_t *deferred)
{
    free(deferred);     /* the first member of its node */
}

static void
node_free_all(struct node *node, int level)
{
    for (unsigned i = 0; node && level > 0 && i < FANOUT; i++)
        node_free_all(atomic_load_explicit(&node->slot[i], memory_order_relaxed), level - 1);
    free(node);
}

static unsigned
slot_of(uint64_t seq, int level)
{
    return (unsigned) (seq >> (level * BITS)) & (FANOUT - 1);
}

static void *
child(const struct node *node, unsigned slot)
{
    return atomic_load_explicit(&node->slot[slot], memory_order_acquire);      /* A1 */
}

static void
set_child(struct node *node, unsigned slot, void *value)
{
    atomic_store_explicit(&node->slot[slot], value, memory_order_release);     /* R1 */
}

struct pawl_order *
pawl_order_new(void)
{
    struct pawl_order *order = aligned_alloc(64, sizeof *order);

    if (!order)
        return NULL;
    order->root = node_new();
    if (!order->root) {
        free(order);
        return NULL;
    }
    atomic_init(&order->newest, 0);
    pthread_mutex_init(&order->lock, NULL);
    return order;
}

void
pawl_order_free(struct pawl_order *order)
{
    if (!order)
        return;
    node_free_all(order->root, LEVELS - 1);
    pthread_mutex_destroy(&order->lock);
    free(order);
}

static struct node *
find_leaf(const struct pawl_order *order, uint64_t seq)
{
    struct node *node = order->root;

    for (int level = LEVELS - 1; node && level > 0; level--)
        node = child(node, slot_of(seq, level));
    return node;
}

/* Finds the leaf of seq or makes it, with the inner nodes above it. */
static struct node *
make_leaf_locked(struct pawl_order *order, uint64_t seq)
{
    struct node *node = order->root;

    for (int level = LEVELS - 1; level > 0; level--) {
        struct node *below = child(node, slot_of(seq, level));

        if (!below) {
            below = node_new();
            if (!below)
                return NULL;
            set_child(node, slot_of(seq, level), below);
            node->children++;
        }
        node = below;
    }
    return node;
}

/* Unlinks the leaf of seq and the inner nodes that it leaves empty; gives them, and their number. */
static int
unlink_leaf_locked(struct pawl_order *order, uint64_t seq, struct node *out_gone[LEVELS])
{
    struct node *path[LEVELS];
    int ngone = 0;

    path[LEVELS - 1] = order->root;
    for (int level = LEVELS - 1; level > 0; level--)
        path[level - 1] = child(path[level], slot_of(seq, level));
    for (int level = 0; level < LEVELS - 1; level++) {
        if (level > 0 && path[level]->children > 0)
            break;
        set_child(path[level + 1], slot_of(seq, level + 1), NULL);
        path[level + 1]->children--;
        out_gone[ngone++] = path[level];
    }
    return ngone;
}

uint64_t
pawl_order_append(struct pawl_order *order, struct pawl_epoch_thread *thread,
                  struct pawl_task *task)
{
    uint64_t seq = atomic_fetch_add_explicit(&order->newest, 1, memory_order_relaxed) + 1;
    struct node *leaf;

    pawl_epoch_begin(thread);
    leaf = find_leaf(order, seq);
    if (!leaf) {
        pthread_mutex_lock(&order->lock);
        leaf = make_leaf_locked(order, seq);
        pthread_mutex_unlock(&order->lock);
    }
    if (leaf)
        set_child(leaf, slot_of(seq, 0), task);
    pawl_epoch_end(thread);
    /* A number without a leaf is lost: its leaf, if it comes, never counts to zero. */
    return leaf ? seq : 0;
}

int
pawl_order_restore(struct pawl_order *order, struct pawl_epoch_thread *thread, uint64_t seq,
                   struct pawl_task *task)
{
    struct node *leaf;

    pawl_epoch_begin(thread);
    leaf = find_leaf(order, seq);
    if (!leaf) {
        pthread_mutex_lock(&order->lock);
        leaf = make_leaf_locked(order, seq);
        pthread_mutex_unlock(&order->lock);
        if (leaf)
            atomic_store_explicit(&leaf->left, 0, memory_order_relaxed);    /* ours alone */
    }
    if (leaf) {
        atomic_fetch_add_explicit(&leaf->left, 1, memory_order_relaxed);
        set_child(leaf, slot_of(seq, 0), task);
    }
    pawl_epoch_end(thread);
    return leaf ? PAWL_OK : PAWL_ENOMEM;
}

void
pawl_order_begin_above(struct pawl_order *order, uint64_t seq)
{
    /* In a block of its own: each number of that one is handed out, and counts. */
    atomic_store_explicit(&order->newest, seq | (FANOUT - 1), memory_order_relaxed);
}

void
pawl_order_remove(struct pawl_order *order, struct pawl_epoch_thread *thread, uint64_t seq)
{
    struct node *leaf, *gone[LEVELS];
    int ngone = 0;

    pawl_epoch_begin(thread);
    leaf = find_leaf(order, seq);
    set_child(leaf, slot_of(seq, 0), NULL);
    /* acq_rel: whoever counts to zero comes after all stores into the leaf. */
    if (atomic_fetch_sub_explicit(&leaf->left, 1, memory_order_acq_rel) == 1) {
        pthread_mutex_lock(&order->lock);
        ngone = unlink_leaf_locked(order, seq, gone);
        pthread_mutex_unlock(&order->lock);
    }
    pawl_epoch_end(thread);
    for (int i = 0; i < ngone; i++)
        pawl_epoch_defer(thread, &gone[i]->deferred, node_free_cb);
}

struct pawl_task *
pawl_order_next(const struct pawl_order *order, uint64_t after, uint64_t until,
                uint64_t *out_seq)
{
    uint64_t seq = after + 1;

    while (seq <= until) {
        const struct node *node = order->root, *below;
        int level = LEVELS - 1;

        /* Down to the leaf of seq, or to the first gap on the way: then past the gap. Each child
         * is read once: it may be unlinked at any moment. */
        for (; level > 0 && (below = child(node, slot_of(seq, level))); level--)
            node = below;
        if (level > 0) {
            seq = ((seq >> (level * BITS)) + 1) << (level * BITS);
            continue;
        }
        do {
            struct pawl_task *task = child(node, slot_of(seq, 0));

            if (task) {
                *out_seq = seq;
                return task;
            }
            seq++;
        } while (seq <= until && slot_of(seq, 0) != 0);
    }
    return NULL;
}

uint64_t
pawl_order_newest(const struct pawl_order *order)
{
    return atomic_load_explicit(&order->newest, memory_order_relaxed);
}
