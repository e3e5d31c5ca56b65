/* Commit: an operation, and a task that changed, go to the committer's thread, which shows the state
 * when it is durable and tells the handle that asked; in between the op is the engine's.
 * PLANT 1: the committer writes to an op that it has told.
 * PLANT 2: the caller looks at its op before done().
 * PLANT 3: the committer writes to a snapshot that it has shown.
 * PLANT 4: the caller fills in the op behind the put into the inbox. */
#include "shared.h"

static void put(struct pawl_post_bag *bag, struct pawl_handle *handle, struct pawl_link *link);
static void tell(struct pawl_post_bag *bag);
static bool show(struct pawl_task *task, struct pawl_epoch_thread *thread,
                 struct pawl_snapshot *snapshot);

#define pawl_post_bag_put put
#define pawl_post_bag_tell tell
#define pawl_task_show show
#include "../../engine/group.c"
#undef pawl_post_bag_put
#undef pawl_post_bag_tell
#undef pawl_task_show

#include "room.h"
#include "../../tests/fake_store.h"

static plant_gate submitted, stopped;   /* the caller has seen the end */
static plant_gate shown, seen;          /* the stopped state */

static struct pawl_op *newest;          /* by the committer */

static void
put(struct pawl_post_bag *bag, struct pawl_handle *handle, struct pawl_link *link)
{
    newest = (struct pawl_op *) ((char *) link - offsetof(struct pawl_op, link));
    pawl_post_bag_put(bag, handle, link);
}

static void
tell(struct pawl_post_bag *bag)
{
    static unsigned n;
    bool is_submit = newest->kind == PAWL_OP_SUBMIT;

    pawl_post_bag_tell(bag);
    if (PLANT == 1 && is_submit) {
        gate_wait(&submitted, ++n);
        newest->code = 0;
    }
}

static bool
show(struct pawl_task *task, struct pawl_epoch_thread *thread, struct pawl_snapshot *snapshot)
{
    static unsigned n;
    bool is_new = pawl_task_show(task, thread, snapshot);

    if (is_new)
        gate_open(&shown, ++n);
    if (is_new && PLANT == 3) {
        gate_wait(&seen, n);
        snapshot->updated_ns = 0;
    }
    return is_new;
}

static void
submitted_cb(struct pawl_op *op)
{
    static unsigned n;

    gate_open(&submitted, ++n);
    look((unsigned) op->code);
    pawl_view_release(&op->view);
}

static void
stopped_cb(struct pawl_op *op)
{
    static unsigned n;

    gate_open(&stopped, ++n);
    look((unsigned) op->code);
    pawl_view_release(&op->view);
}

static void
deliver_until(plant_gate *gate, unsigned round)
{
    while (atomic_load_explicit(gate, memory_order_relaxed) < round) {
        pawl_deliver(handles[0]);
        sched_yield();
    }
}

static void *
caller(void *unused)
{
    static struct pawl_op submits[PLANT_ROUNDS + 1], stops[PLANT_ROUNDS + 1];

    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_spec spec = room_spec(i);

        submits[i].done = submitted_cb;
        stops[i].done = stopped_cb;
        if (pawl_submit(handles[0], &spec, &submits[i], NULL) != PAWL_PENDING)
            abort();
        pawl_rest(handles[0]);
        if (PLANT == 2)
            look((unsigned) submits[i].code);
        if (PLANT == 4)
            submits[i].kind = PAWL_OP_SUBMIT;
        deliver_until(&submitted, i);
        if (pawl_stop(handles[0], room_id(i), strlen(room_id(i)), false, &stops[i],
                      NULL) != PAWL_PENDING)
            abort();
        deliver_until(&stopped, i);
    }
    return unused;
}

static void *
reader(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_view view;

        gate_wait(&shown, i);
        must(pawl_get(handles[1], room_id(i), strlen(room_id(i)), &view));
        pawl_view_release(&view);
        gate_open(&seen, i);
        pawl_rest(handles[1]);
    }
    return unused;
}

int
main(void)
{
    static struct fake_store fake;

    fake_store_init(&fake);
    room_open(&fake.store, NULL);
    fake_remove_dir(&fake);     /* a report ends the program */
    room_race(caller, reader);
    room_close();
    fake_store_fini(&fake);
    return 0;
}
