/* Epoch reclamation: what a reader may still hold is freed after a grace period.
 * PLANT 1: freed at once, without ck_epoch_call.
 * PLANT 2: the reader uses its pointer after its section. */
#include <ck_epoch.h>

#include "plant.h"

struct object {
    ck_epoch_entry_t reclaim;
    unsigned value;
};

static ck_epoch_t epoch;
static ck_epoch_record_t records[2];
static struct object *current; /* through ck_pr only */
static plant_gate seen;
static plant_gate gone;

CK_EPOCH_CONTAINER(struct object, reclaim, object_of)

static void
reclaim_cb(ck_epoch_entry_t *entry)
{
    free(object_of(entry));
}

static struct object *
object_new(unsigned value)
{
    struct object *object = must_alloc(sizeof *object);

    object->value = value;
    return object;
}

static void *
writer(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct object *fresh = object_new(i);
        gate_wait(&seen, i);
        struct object *old = ck_pr_fas_ptr(&current, fresh);
        if (PLANT == 1)
            free(old);
        else
            ck_epoch_call(&records[0], &old->reclaim, reclaim_cb);
        if (PLANT == 2)
            ck_epoch_barrier(&records[0]);
        gate_open(&gone, i);
        ck_epoch_poll(&records[0]);
    }
    return unused;
}

static void *
reader(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        ck_epoch_begin(&records[1], NULL);
        struct object *object = ck_pr_load_ptr(&current);
        if (PLANT == 2)
            ck_epoch_end(&records[1], NULL);
        gate_open(&seen, i);
        gate_wait(&gone, i);
        look(object->value);
        if (PLANT != 2)
            ck_epoch_end(&records[1], NULL);
    }
    return unused;
}

int
main(void)
{
    ck_epoch_init(&epoch);
    ck_epoch_register(&epoch, &records[0], NULL);
    ck_epoch_register(&epoch, &records[1], NULL);
    ck_pr_store_ptr(&current, object_new(0));
    pthread_t threads[] = {thread_start(writer), thread_start(reader)};
    thread_join(threads[0]);
    thread_join(threads[1]);
    ck_epoch_barrier(&records[0]);
    free(current);
    return 0;
}
