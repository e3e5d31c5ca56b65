/* Stack inbox: any thread pushes, one thread takes all that is there.
 * PLANT 1: the message is written after the push. */
#include <ck_stack.h>

#include "plant.h"

static ck_stack_t inbox = CK_STACK_INITIALIZER;
static struct message {
    ck_stack_entry_t entry;
    unsigned payload;
} messages[PLANT_ROUNDS + 1];
static plant_gate taken;

static void *
sender(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        messages[i].payload = i;
        ck_stack_push_upmc(&inbox, &messages[i].entry);
        gate_wait(&taken, i);
        if (PLANT == 1)
            messages[i].payload = 0;
    }
    return unused;
}

CK_STACK_CONTAINER(struct message, entry, message_of)

static void *
receiver(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS;) {
        ck_stack_entry_t *next;
        for (ck_stack_entry_t *e = ck_stack_batch_pop_upmc(&inbox); e != NULL; e = next) {
            next = CK_STACK_NEXT(e);
            gate_open(&taken, i++);
            look(message_of(e)->payload);
        }
    }
    return unused;
}

int
main(void)
{
    pthread_t threads[] = {thread_start(sender), thread_start(receiver)};
    thread_join(threads[0]);
    thread_join(threads[1]);
    return 0;
}
