/* Index: a submitter puts a task, readers find it in a section.
 * PLANT 1: the task is written to after its put.
 * PLANT 2: the set's table is freed at once when it is rebuilt, under a reader. */
#include "room.h"

#define REMOVALS 256    /* after which a shard is rebuilt, see index.c */

static plant_gate put, seen, turned;    /* task i; by the reader; the table under it */

/* All keys are in shard 0. */
static struct pawl_key *
key_of(unsigned i, union pawl_key_probe *probe)
{
    pawl_index_key(engine->index, room_id(i), strlen(room_id(i)), &probe->key);
    probe->key.hash = i;
    return &probe->key;
}

static void
rebuild(struct pawl_epoch_thread *epoch)
{
    static union pawl_key_probe other;
    struct pawl_key *key = other.key.len ? &other.key : key_of(PLANT_ROUNDS + 1, &other);

    for (unsigned n = 0; n < REMOVALS; n++) {
        must(pawl_index_put(engine->index, epoch, key, pawl_task_is_live));
        pawl_index_remove(engine->index, epoch, key);
    }
}

static void *
writer(void *unused)
{
    struct pawl_epoch_thread *epoch = handles[0]->epoch;

    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_snapshot *first;
        struct pawl_task *task = room_task(i, &first);

        task->key.hash = i;
        must(pawl_index_put(engine->index, epoch, &task->key, pawl_task_is_live));
        gate_open(&put, i);
        gate_wait(&seen, i);
        if (PLANT == 1)
            task->created_ns = 0;
        rebuild(PLANT == 2 ? NULL : epoch);     /* what defers it */
        pawl_index_remove(engine->index, epoch, &task->key);
        pawl_task_mark_gone(task, epoch, first);
        pawl_task_unref_later(task, epoch);
        gate_open(&turned, i);
        pawl_epoch_rest(epoch);
    }
    return unused;
}

static void *
reader(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        union pawl_key_probe probe;

        gate_wait(&put, i);
        pawl_epoch_begin(handles[1]->epoch);
        struct pawl_key *key = pawl_index_find(engine->index, key_of(i, &probe));
        gate_open(&seen, i);
        look((unsigned) pawl_task_of_key(key)->created_ns);
        gate_wait(&turned, i);
        pawl_epoch_end(handles[1]->epoch);
    }
    return unused;
}

int
main(void)
{
    room_open(NULL, NULL);
    room_race(writer, reader);
    room_close();
    return 0;
}
