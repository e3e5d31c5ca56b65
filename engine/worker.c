/* worker.c: the event loops that start runs and supervise them ("pawl-worker-N").
 *
 * A worker sleeps in one epoll, on its eventfd, on its timer, on the process and the pipes of
 * each of its runs, and on the one descriptor behind which all its HTTP calls are (fetch.h). It starts a few runs, then looks at what happened, and so on; nothing but exec holds it
 * up. A run is over when its process has ended and its pipes are at their end; pipes that some
 * grandchild still holds open are waited for a moment only.
 *
 * The first process of a run may be its condition: when that has ended well the script's begins, as a
 * second process of the same run; else the run is over, and has no result.
 *
 * A run has at most one deadline at a time: its time limit; the end of its grace once it was asked to
 * end; the end of that moment once its process is gone. The timer is set to the earliest of them,
 * and left alone when that one goes: so runs that end in time cost no system call. */
#include "supervise.h"

#include "action.h"
#include "admission.h"
#include "kill.h"
#include "ticker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define STARTS_MAX 16                   /* runs started between two looks at the others */
#define EVENTS_MAX 64
#define RETRY_MS 10                     /* after memory ran out, or while readers finish */

/* --- The start of a run --- */

static void
start(struct pawl_worker *worker, struct pawl_run *run, const struct pawl_event *started)
{
    const struct pawl_action *action = pawl_def_action(started->def);
    int64_t now_ns;

    run->def = started->def;
    run->number = started->run;
    run->attempt = started->attempt;
    run->due = started->due;
    run->is_requested = started->is_asked;
    run->is_condition = action && action->condition;
    pawl_worker_push(&worker->live, run);
    pawl_count(&worker->engine->started, 1);
    run->started_ns = run->ended_ns = started->now_ns;  /* as the task's previousRun */
    now_ns = pawl_now(worker->engine).elapsed_ns;
    pawl_histogram_record(&worker->lateness.due_to_spawn, now_ns - started->due_ns);
    pawl_worker_begin_process(worker, run);
}

enum taken { STARTED, NOTHING_DUE, NO_ROOM, NO_MEMORY, NO_SLOT };

/* Makes sure that there is a slot for the next run: false when all are taken, by runs whose ends are
 * not durable. */
static bool
has_slot(struct pawl_worker *worker)
{
    if (worker->engine->committer && worker->slot == PAWL_SLOT_NONE)
        worker->slot = pawl_slot_take(&worker->part);
    return !worker->engine->committer || worker->slot != PAWL_SLOT_NONE;
}

/* A due time came that is not to be run, or not yet. */
static void
give_up(struct pawl_worker *worker, struct pawl_run *run, const struct pawl_event *event)
{
    if (event->must_kill)
        pawl_kill_run(worker->engine, run->task, event->run);
    pawl_worker_end_late(worker->engine, run);
    pawl_task_unref(run->task);
    run->task = NULL;
    run->spares[0] = NULL;                      /* taken by the task */
    pawl_run_free(run, worker->epoll_fd);
    worker->spare = NULL;
    pawl_engine_end_run(worker->engine);
}

/* Takes one due task and starts it, if it is still to be started. */
static enum taken
take(struct pawl_worker *worker)
{
    struct pawl *engine = worker->engine;
    struct pawl_event event = {.kind = PAWL_EVENT_START};
    struct pawl_run *run;
    int code;

    if (pawl_ready_count(&engine->ready) == 0)
        return NOTHING_DUE;
    if (!worker->spare && !(worker->spare = pawl_run_new()))
        return NO_MEMORY;
    if (!pawl_concurrency_prepare(&worker->entry))
        return NO_MEMORY;
    if (!has_slot(worker))
        return NO_SLOT;
    if (!pawl_engine_begin_run(engine))
        return NO_ROOM;
    run = worker->spare;
    run->task = pawl_ready_take(&engine->ready, &run->is_late);
    if (!run->task) {
        pawl_engine_end_run(engine);
        return NOTHING_DUE;
    }
    event.spare = run->spares[0];
    event.slot = worker->slot;
    code = pawl_admission_start(&worker->handle, run->task, &event, &worker->entry);
    if (code == PAWL_OK && event.is_passed) {
        give_up(worker, run, &event);
    } else if (code == PAWL_OK) {
        worker->spare = NULL;
        run->spares[0] = NULL;
        run->slot = worker->slot;
        worker->slot = PAWL_SLOT_NONE;
        if (engine->committer)
            pawl_slot_clear_chain(&engine->table, event.slot);     /* too long: the number must do */
        pawl_histogram_record(&worker->lateness.due_to_worker, event.now_ns - event.due_ns);
        start(worker, run, &event);
    } else {            /* stopped, deleted or moved meanwhile; if moved, to be armed again */
        if (event.is_expired)
            pawl_expire(&worker->handle, run->task);
        else if (!event.needs_place)        /* else it waits in its group */
            pawl_ticker_arm(engine->ticker, run->task, event.now_ns);
        pawl_worker_end_late(engine, run);
        run->spares[0] = event.spare;
        pawl_task_unref(run->task);
        run->task = NULL;
        pawl_engine_end_run(engine);
    }
    return STARTED;
}

/* --- The loop --- */

/* How long to sleep, and whether the ring may wake us. */
static int
sleep_ms(struct pawl_worker *worker, enum taken taken)
{
    pawl_worker_on_time(worker);
    pawl_worker_free_over(worker);
    if (taken == STARTED)
        return 0;
    if (taken == NOTHING_DUE && !pawl_ready_sleep(&worker->engine->ready, worker->number))
        return 0;
    return pawl_epoch_rest(worker->handle.epoch) || taken == NO_MEMORY || taken == NO_SLOT ? RETRY_MS
                                                                                           : -1;
}

/* What a worker does whose epoll failed, while the engine is brought down: it starts nothing, and
 * looks at its runs from time to time, so that none is left behind. */
static void
look_at_all(struct pawl_worker *worker)
{
    struct timespec pause = {.tv_nsec = RETRY_MS * 1000000};
    struct pawl_run *run, *next;

    nanosleep(&pause, NULL);
    if (worker->fetcher)
        pawl_worker_on_calls(worker);
    for (run = worker->live; run; run = next) {
        next = run->next;
        for (int kind = 0; kind < PAWL_NSOURCE; kind++)
            pawl_worker_on_event(worker, &run->sources[kind]);
    }
}

/* Waits for events and handles them. */
static void
look_around(struct pawl_worker *worker, int ms)
{
    struct epoll_event events[EVENTS_MAX];
    int n = worker->has_failed ? 0 : epoll_wait(worker->epoll_fd, events, EVENTS_MAX, ms);

    pawl_ready_rise(&worker->engine->ready, worker->number);
    if (n < 0 && errno != EINTR) {
        worker->has_failed = true;
        pawl_engine_failed(worker->engine, "a worker cannot sleep: epoll_wait failed");
    }
    if (worker->has_failed)
        look_at_all(worker);
    for (int i = 0; i < n; i++) {
        eventfd_t ignored;

        if (events[i].data.ptr == &worker->timer_fd)
            worker->has_rung = true;
        else if (events[i].data.ptr == &worker->fetcher)
            pawl_worker_on_calls(worker);
        else if (events[i].data.ptr)
            pawl_worker_on_event(worker, events[i].data.ptr);
        else
            eventfd_read(worker->wake_fd, &ignored);
    }
    pawl_worker_free_over(worker);
    pawl_deliver(&worker->handle);
    pawl_worker_signal_runs(worker, atomic_exchange_explicit(&worker->signals, 0, memory_order_acquire)); /* A1 */
}

static void *
work(void *arg)
{
    struct pawl_worker *worker = arg;

    pawl_engine_prompt();
    for (;;) {
        enum taken taken = worker->has_failed ? NO_ROOM : STARTED;
        bool is_ending = atomic_load_explicit(&worker->is_ending, memory_order_acquire);   /* A1 */

        if (is_ending && !worker->live && !worker->lingering)
            break;
        for (int i = 0; i < STARTS_MAX && taken == STARTED; i++)
            taken = take(worker);
        look_around(worker, sleep_ms(worker, taken));
    }
    pawl_worker_free_over(worker);
    return NULL;
}

/* --- Life --- */

static void
wake(void *ctx)
{
    pawl_worker_wake(ctx);
}

static int
open_loop(struct pawl_worker *worker)
{
    struct epoll_event woken = {.events = EPOLLIN, .data.ptr = NULL};
    struct epoll_event rung = {.events = EPOLLIN, .data.ptr = &worker->timer_fd};
    struct pawl_clock *clock = worker->engine->clock;

    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->timer_fd = clock->timer_open(clock);
    worker->timer_ns = INT64_MAX;
    if (worker->epoll_fd < 0 || worker->wake_fd < 0 || worker->timer_fd < 0 ||
        epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->wake_fd, &woken) != 0 ||
        epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->timer_fd, &rung) != 0)
        return PAWL_ESYS;
    worker->room = pawl_spawn_room_new(worker->spawner);
    worker->buffer = malloc(2 * PAWL_OUTPUT_MAX);
    return worker->room && worker->buffer ? PAWL_OK : PAWL_ENOMEM;
}

void
pawl_worker_free(struct pawl_worker *worker)
{
    if (worker->handle.epoch)
        pawl_deliver(&worker->handle);      /* what came too late */
    pawl_handle_fini(&worker->handle);
    pawl_run_free(worker->spare, -1);
    pawl_concurrency_spare_free(&worker->entry);
    pawl_fetcher_free(worker->fetcher);
    pawl_spawn_room_free(worker->room);
    free(worker->buffer);
    if (worker->epoll_fd >= 0)
        close(worker->epoll_fd);
    if (worker->wake_fd >= 0)
        close(worker->wake_fd);
    if (worker->timer_fd >= 0)
        close(worker->timer_fd);
    free(worker);
}

int
pawl_worker_open(struct pawl *engine, unsigned i, const struct pawl_spawner *spawner,
                 struct pawl_worker **out_worker)
{
    size_t size = (sizeof(struct pawl_worker) + 63) & ~(size_t) 63;
    struct pawl_worker *worker = aligned_alloc(64, size);
    char name[16];
    int code;

    if (!worker)
        return PAWL_ENOMEM;
    memset(worker, 0, size);
    worker->engine = engine;
    worker->spawner = spawner;
    worker->number = i;
    worker->slot = PAWL_SLOT_NONE;
    if (engine->committer)
        pawl_slot_part_init(&worker->part, &engine->table, i, engine->options.nworkers);
    code = open_loop(worker);
    if (code == PAWL_OK)
        code = pawl_handle_init(&worker->handle, engine, wake, worker);
    if (code == PAWL_OK) {
        engine->ready.sleepers[i].fd = worker->wake_fd;
        snprintf(name, sizeof name, "pawl-worker-%u", i % 100);
        code = pawl_engine_thread(&worker->thread, name, work, worker);
    }
    if (code == PAWL_OK)
        *out_worker = worker;
    else
        pawl_worker_free(worker);
    return code;
}

void
pawl_worker_stop(struct pawl_worker *worker)
{
    pawl_worker_signal(worker, SIGKILL);
    atomic_store_explicit(&worker->is_ending, true, memory_order_release);     /* R1 */
    pawl_worker_wake(worker);
    pthread_join(worker->thread, NULL);
}

void
pawl_worker_wake(struct pawl_worker *worker)
{
    eventfd_write(worker->wake_fd, 1);
}

void
pawl_worker_signal(struct pawl_worker *worker, int sig)
{
    if (sig < 1 || sig > 64)
        return;
    atomic_fetch_or_explicit(&worker->signals, UINT64_C(1) << (sig - 1),
                             memory_order_release);                            /* R1 */
    pawl_worker_wake(worker);
}

const struct pawl_lateness *
pawl_worker_lateness(const struct pawl_worker *worker)
{
    return &worker->lateness;
}
