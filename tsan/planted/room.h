/* room.h: the engine's own rooms for planted programs: a real engine on a clock that stands
 * still, a handle for each of two threads, and tasks numbered from 1. Each program is one file
 * that includes this. */
#ifndef PAWL_ROOM_H
#define PAWL_ROOM_H

#include "shared.h"
#include "plant.h"

#include <string.h>

static struct pawl *engine;
static struct pawl_handle *handles[2];

static inline void
must(int code)
{
    if (code != PAWL_OK)
        abort();
}

static inline void
room_open(struct pawl_store *store, struct pawl_clock *clock)
{
    static struct pawl_clock_manual still;
    struct pawl_options options;

    pawl_clock_manual_init(&still, 0, 0);
    pawl_options_init(&options);
    options.nworkers = 1;
    options.clock = clock ? clock : &still.clock;
    options.store = store;
    must(pawl_open(&options, &engine, NULL));
    must(pawl_attach(engine, NULL, NULL, &handles[0]));
    must(pawl_attach(engine, NULL, NULL, &handles[1]));
}

static inline void
room_close(void)
{
    pawl_detach(handles[0]);
    pawl_detach(handles[1]);
    pawl_close(engine);
}

/* Of task i, until the thread's next call. */
static inline const char *
room_id(unsigned i)
{
    static _Thread_local char id[16];

    snprintf(id, sizeof id, "t%u", i);
    return id;
}

static inline struct pawl_spec
room_spec(unsigned i)
{
    return (struct pawl_spec) {
        .id = room_id(i), .id_len = strlen(room_id(i)), .type = PAWL_DELAY, .script = ":",
        .script_len = 1, .keep_results = -1,
        .time_ns = INT64_C(1000000000) * (PLANT_ROUNDS + 1 - i),    /* before task i - 1 */
    };
}

/* A task that is in no room yet. */
static inline struct pawl_task *
room_task(unsigned i, struct pawl_snapshot **out_first)
{
    struct pawl_spec spec = room_spec(i);
    struct pawl_task *task = pawl_task_new(engine->index, &spec, 0, NULL, &(struct pawl_now) {0}, out_first);

    if (!task)
        abort();
    return task;
}

/* A task that is submitted, through the first handle. */
static inline struct pawl_task *
room_submit(unsigned i)
{
    struct pawl_spec spec = room_spec(i);
    struct pawl_op op = {0};

    must(pawl_submit(handles[0], &spec, &op, NULL));
    pawl_view_release(&op.view);        /* the index keeps it */
    return op.view.private_task;
}

/* Two threads, from their start to their end. */
static inline void
room_race(void *(*left)(void *), void *(*right)(void *))
{
    pthread_t threads[] = {thread_start(left), thread_start(right)};

    thread_join(threads[0]);
    thread_join(threads[1]);
}

#endif
