/* Watch: a handle's post stands at a task; who changes the task sends it home, to changed().
 * PLANT 1: the changer looks at a post that it has sent home.
 * PLANT 2: the changer reads what changed() has noted.
 * PLANT 3: the changer waits through a handle that is another thread's. */
#include "../../engine/watch.c"

#include "room.h"

struct wait {
    struct pawl_watch watch; /* first */
    unsigned round, version;
};

static struct pawl_task *tasks[PLANT_ROUNDS + 1];
static struct wait waits[2][PLANT_ROUNDS + 1]; /* through the first handle */
static plant_gate posted, told;

static void
changed_cb(struct pawl_watch *watch, const struct pawl_view *view)
{
    ((struct wait *) watch)->version = (unsigned) view->version;
    gate_open(&told, ((struct wait *) watch)->round);
}

static void
wait_for(unsigned i, struct wait *wait)
{
    struct pawl_view view;
    const char *id = room_id(i);

    *wait = (struct wait) {.watch.changed = changed_cb, .round = i};
    if (pawl_watch(handles[0], id, strlen(id), 0, &wait->watch, &view) != PAWL_PENDING)
        abort();
}

static void *
watcher(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        wait_for(i, &waits[0][i]);
        gate_open(&posted, i);
        for (; waits[0][i].version == 0; sched_yield())
            pawl_deliver(handles[0]);
    }
    return unused;
}

static void *
changer(void *unused)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        struct pawl_event stop = {.kind = PAWL_EVENT_STOP};

        gate_wait(&posted, i);
        if (PLANT == 3)
            wait_for(i, &waits[1][i]);
        must(pawl_task_apply(tasks[i], handles[1]->epoch, &stop, NULL));
        if (PLANT == 1) {
            struct pawl_post *post = (void *) pawl_inbox_take(&tasks[i]->posts);
            pawl_handle_send(post->handle, &post->link);
            gate_wait(&told, i);
            look(post->entry.next != NULL);
        }
        pawl_watch_wake(tasks[i]);
        gate_wait(&told, i);
        if (PLANT == 2)
            look(waits[0][i].version);
    }
    return unused;
}

int
main(void)
{
    room_open(NULL, NULL);
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++)
        tasks[i] = room_submit(i);
    room_race(watcher, changer);
    room_close();
    return 0;
}
