/* Correct: two threads push heap messages, one takes all that is there at once. */
#include <ck_stack.h>

#include "plant.h"

#define NMESSAGES 100000

struct message {
    ck_stack_entry_t entry;
    unsigned long number;
};

static ck_stack_t inbox = CK_STACK_INITIALIZER;

CK_STACK_CONTAINER(struct message, entry, message_of)

static void *
sender(void *unused)
{
    for (unsigned long i = 1; i <= NMESSAGES; i++) {
        struct message *message = must_alloc(sizeof *message);
        message->number = i;
        ck_stack_push_upmc(&inbox, &message->entry);
    }
    return unused;
}

int
main(void)
{
    pthread_t threads[] = {thread_start(sender), thread_start(sender)};
    unsigned long ntaken = 0;
    unsigned long sum = 0;

    while (ntaken < 2 * NMESSAGES) {
        ck_stack_entry_t *next;
        for (ck_stack_entry_t *e = ck_stack_batch_pop_upmc(&inbox); e != NULL; e = next) {
            next = CK_STACK_NEXT(e);
            sum += message_of(e)->number;
            ntaken++;
            free(message_of(e));
        }
    }
    thread_join(threads[0]);
    thread_join(threads[1]);
    return sum == (unsigned long)NMESSAGES * (NMESSAGES + 1) ? 0 : 1;
}
