/* Inbox of a handle: any thread sends a link, the owner delivers it.
 * PLANT 1: the sender writes to what it sent.
 * PLANT 2: the sender frees what it sent: it is the receiver's. */
#include "room.h"

struct message {
    struct pawl_link link;  /* first */
    unsigned number;
};

static plant_gate delivered;
static struct message *last;    /* the owner's */

static void
deliver_cb(struct pawl_link *link)
{
    free(last);
    last = (struct message *) link;
    gate_open(&delivered, atomic_load_explicit(&delivered, memory_order_relaxed) + 1);
    look(last->number);
}

static void *
sender(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct message *message = must_alloc(sizeof *message);

        *message = (struct message) {.link.deliver = deliver_cb, .number = i};
        pawl_handle_send(handles[0], &message->link);
        gate_wait(&delivered, i);
        if (PLANT == 1)
            message->number = 0;
        if (PLANT == 2)
            free(message);
    }
    return unused;
}

static void *
owner(void *unused)
{
    while (atomic_load_explicit(&delivered, memory_order_relaxed) < PLANT_ROUNDS) {
        pawl_deliver(handles[0]);
        sched_yield();
    }
    free(last);
    return unused;
}

int
main(void)
{
    room_open(NULL, NULL);
    room_race(sender, owner);
    room_close();
    return 0;
}
