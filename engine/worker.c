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
#include "worker.h"

#include "action.h"
#include "admission.h"
#include "kill.h"
#include "run.h"
#include "shared.h"
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
#define LINGER_NS INT64_C(100000000)    /* the moment that open pipes are waited for */
#define RETRY_MS 10                     /* after memory ran out, or while readers finish */

struct pawl_worker {
    struct pawl_handle handle;          /* the worker's own */
    struct pawl *engine;                /* I */
    const struct pawl_spawner *spawner; /* I */
    unsigned number;                    /* I */
    pthread_t thread;                   /* I */
    int epoll_fd, wake_fd, timer_fd;    /* I */
    struct pawl_spawn_room *room;       /* I: of children until exec */
    char *buffer;                       /* W: 2 * PAWL_OUTPUT_MAX, for reading and for results */
    struct pawl_run *spare;             /* W: made before a task is taken, so that none is lost */
    struct pawl_concurrency_spare entry;    /* W: the same */
    struct pawl_slot_part part;         /* W: of the table of runs, if there is one */
    uint32_t slot;                      /* W: a free one for the next run, or PAWL_SLOT_NONE */
    struct pawl_run *live;              /* W: processes that run, and calls */
    struct pawl_fetcher *fetcher;       /* W: of its calls; NULL: it made none yet */
    bool has_failed;                    /* W: its epoll */
    struct pawl_deadlines deadlines;    /* W: of live and lingering runs */
    int64_t timer_ns;                   /* W: when timer_fd rings; INT64_MAX: never */
    bool has_rung;                      /* W: it rang, and still does */
    struct pawl_run *lingering;         /* W: ended, pipes open; the newest first */
    struct pawl_run *over;              /* W: to be freed when no event of this batch is left */
    struct pawl_lateness lateness;      /* W writes, any reads */
    _Alignas(64) _Atomic uint64_t signals;      /* A: R1/A1: bit n - 1: signal n is asked for */
    _Atomic bool is_ending;             /* A: R1/A1 */
};

/* --- Lists of runs --- */

static void
push(struct pawl_run **list, struct pawl_run *run)
{
    run->next = *list;
    run->prev = list;
    if (run->next)
        run->next->prev = &run->next;
    *list = run;
}

static void
unlink_run(struct pawl_run *run)
{
    *run->prev = run->next;
    if (run->next)
        run->next->prev = run->prev;
}

/* --- The end of a run --- */

/* The ticker counts runs that make up for a due time. */
static void
end_late(struct pawl *engine, struct pawl_run *run)
{
    if (run->is_late)
        pawl_ticker_end_late(engine->ticker);
    run->is_late = false;
}

/* Whether the run comes to nothing because its condition failed. */
static bool
is_skip(const struct pawl_run *run)
{
    return run->is_condition && run->error.code == PAWL_OK && run->ending == PAWL_ENDING_NONE;
}

/* Notes the end in the task; the run is freed later. */
static void
finish(struct pawl_worker *worker, struct pawl_run *run)
{
    struct pawl *engine = worker->engine;
    struct pawl_event event = {.kind = PAWL_EVENT_FINISH, .spare = run->spares[1]};
    struct pawl_now now = pawl_now(engine);
    struct pawl_result_box *box = NULL;
    int code;

    event.is_condition_skip = is_skip(run);
    if (!event.is_condition_skip)
        box = pawl_run_result(run, now.wall_ns - now.elapsed_ns, worker->buffer);
    if (!box && !event.is_condition_skip)
        pawl_engine_log(engine, PAWL_LOG_ERROR, "out of memory: the result of a run is lost");
    event.box = box;
    event.due = run->due;
    event.is_asked = run->is_requested;
    event.exit_code = run->error.code == PAWL_OK && run->end_code == CLD_EXITED ? run->end_status : -1;
    event.failed = pawl_run_outcome(run) != PAWL_SUCCESS;
    pawl_admission_end(engine, run->def);       /* before: who sees the end finds the place free */
    code = pawl_change(&worker->handle, run->task, &event, NULL);
    if (engine->committer && (code != PAWL_OK /* it was deleted */ || pawl_def_overlaps(run->def)))
        pawl_slot_half_clear(&engine->table, run->slot, PAWL_SLOT_ENDED);
    end_late(engine, run);
    run->spares[1] = event.spare;
    if (box)
        pawl_result_unref(&box->result);
    pawl_deadlines_clear(&worker->deadlines, &run->deadline);
    unlink_run(run);
    push(&worker->over, run);
    pawl_count(&engine->finished, 1);
    pawl_engine_end_run(engine);
}

static void
free_over(struct pawl_worker *worker)
{
    while (worker->over) {
        struct pawl_run *run = worker->over;

        unlink_run(run);
        pawl_run_free(run, worker->epoll_fd);
    }
}

static void
read_pipes(struct pawl_worker *worker, struct pawl_run *run)
{
    pawl_run_read(run, PAWL_SOURCE_OUT, worker->epoll_fd, worker->buffer);
    pawl_run_read(run, PAWL_SOURCE_ERR, worker->epoll_fd, worker->buffer);
}

static void
begin(struct pawl_worker *worker, struct pawl_run *run);

/* The condition of a run has ended: the script begins, or the run is over. One that was ended with all
 * other runs tells nothing. */
static void
on_condition(struct pawl_worker *worker, struct pawl_run *run)
{
    struct pawl *engine = worker->engine;

    pawl_run_close_pipes(run, worker->epoll_fd);
    if (run->is_asked && run->ending == PAWL_ENDING_NONE)
        run->ending = PAWL_ENDING_KILL;
    if (pawl_run_outcome(run) == PAWL_SUCCESS) {
        run->is_condition = false;
        run->end_code = run->end_status = 0;
        pawl_slot_next_process(&engine->table, run->slot, pawl_now(engine).elapsed_ns);
        begin(worker, run);
    } else {
        finish(worker, run);
    }
}

static void
on_event(struct pawl_worker *worker, struct pawl_source *source)
{
    struct pawl_run *run = source->run;

    if (source->fd < 0)
        return;         /* closed by an earlier event of the same batch */
    if (source->kind != PAWL_SOURCE_PROCESS) {
        pawl_run_read(run, source->kind, worker->epoll_fd, worker->buffer);
    } else if (pawl_run_reap(run, worker->epoll_fd)) {
        run->ended_ns = pawl_now(worker->engine).elapsed_ns;
        pawl_deadlines_clear(&worker->deadlines, &run->deadline);
        if (run->is_condition) {
            on_condition(worker, run);
            return;
        }
        read_pipes(worker, run);
        unlink_run(run);
        push(&worker->lingering, run);
        if (!pawl_run_is_over(run))
            pawl_deadlines_set(&worker->deadlines, &run->deadline, run->ended_ns + LINGER_NS);
    }
    if (pawl_run_is_over(run))
        finish(worker, run);
}

/* --- Calls --- */

/* NULL: out of memory. */
static struct pawl_fetcher *
fetcher_of(struct pawl_worker *worker)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &worker->fetcher};

    if (worker->fetcher || !(worker->fetcher = pawl_fetcher_new()))
        return worker->fetcher;
    if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, pawl_fetcher_fd(worker->fetcher), &event) == 0)
        return worker->fetcher;
    pawl_fetcher_free(worker->fetcher);
    worker->fetcher = NULL;
    return NULL;
}

static void
end_call(struct pawl_worker *worker, struct pawl_run *run)
{
    pawl_run_hang_up(run);
    run->ended_ns = pawl_now(worker->engine).elapsed_ns;
    finish(worker, run);
}

static void
on_calls(struct pawl_worker *worker)
{
    struct pawl_run *run;

    pawl_fetcher_turn(worker->fetcher);
    while ((run = pawl_fetcher_next(worker->fetcher)))
        end_call(worker, run);
}

/* --- Ending runs --- */

static void
end_run(struct pawl_worker *worker, struct pawl_run *run, enum pawl_ending why);

static void
signal_runs(struct pawl_worker *worker, uint64_t signals)
{
    struct pawl_run *run, *next;

    for (int sig = 1; sig <= 64 && signals; sig++, signals >>= 1) {
        for (run = worker->live; run && signals & 1; run = next) {
            next = run->next;
            if (!run->fetch)
                pawl_run_signal(run, sig);
            else if (sig == SIGTERM || sig == SIGKILL)
                end_run(worker, run, PAWL_ENDING_KILL);
        }
    }
}

/* Asks a run to end, unless it has ended by itself meanwhile. A call ends at once. */
static void
end_run(struct pawl_worker *worker, struct pawl_run *run, enum pawl_ending why)
{
    int64_t grace_ns = pawl_action_kill_grace_ns(pawl_def_action(run->def));

    if (!run->fetch)
        on_event(worker, &run->sources[PAWL_SOURCE_PROCESS]);   /* it may call then */
    if (run->fetch) {
        if (!pawl_fetch_is_over(run->fetch))
            run->ending = why;
        end_call(worker, run);
        return;
    }
    if (run->pid == 0)
        return;
    pawl_run_signal(run, SIGTERM);
    run->ending = why;
    pawl_deadlines_set(&worker->deadlines, &run->deadline,
                       pawl_schedule_after(pawl_now(worker->engine).elapsed_ns, grace_ns));
}

static void
on_deadline(struct pawl_worker *worker, struct pawl_run *run, int64_t now_ns)
{
    if (run->pid == 0 && !run->fetch) {
        read_pipes(worker, run);
        finish(worker, run);
    } else if (run->ending == PAWL_ENDING_NONE) {
        end_run(worker, run, PAWL_ENDING_TIMEOUT);
    } else {
        pawl_run_signal(run, SIGKILL);
        pawl_deadlines_set(&worker->deadlines, &run->deadline, now_ns + PAWL_KILL_GRACE_NS);
    }
}

/* Handles the deadlines that have come, and sets the timer to the next one. */
static void
on_time(struct pawl_worker *worker)
{
    struct pawl_clock *clock = worker->engine->clock;
    struct pawl_deadline *first = pawl_deadlines_first(&worker->deadlines);
    int64_t now_ns = first ? clock->elapsed_ns(clock) : INT64_MIN, next_ns;

    for (; first && first->at_ns <= now_ns; first = pawl_deadlines_first(&worker->deadlines)) {
        char *run = (char *) first - offsetof(struct pawl_run, deadline);

        on_deadline(worker, (struct pawl_run *) run, now_ns);
    }
    next_ns = first ? first->at_ns : INT64_MAX;
    if (!worker->has_rung && next_ns >= worker->timer_ns)
        return;
    worker->has_rung = false;
    worker->timer_ns = next_ns;
    clock->timer_set(clock, worker->timer_fd, next_ns);
}

struct pawl_kill {
    struct pawl_link link;              /* in the worker's handle */
    struct pawl_worker *worker;
    struct pawl_task *task;             /* counted */
    uint64_t run;                       /* 0: any */
};

struct pawl_kill *
pawl_kill_new(void)
{
    return malloc(sizeof(struct pawl_kill));
}

void
pawl_kill_free(struct pawl_kill *kill)
{
    free(kill);
}

static void
kill_deliver(struct pawl_link *link)
{
    struct pawl_kill *asked = (struct pawl_kill *) link;     /* its first member */
    struct pawl_worker *worker = asked->worker;
    struct pawl_run *run, *next;

    for (run = worker->live; run; run = next) {
        next = run->next;
        if (run->task == asked->task && run->ending == PAWL_ENDING_NONE &&
            (asked->run == 0 || asked->run == run->number))
            end_run(worker, run, PAWL_ENDING_KILL);
    }
    pawl_task_unref(asked->task);
    free(asked);
}

void
pawl_worker_kill(struct pawl_worker *worker, struct pawl_kill *asked, struct pawl_task *task,
                 uint64_t run)
{
    *asked = (struct pawl_kill) {
        .link.deliver = kill_deliver, .worker = worker, .task = task, .run = run,
    };
    pawl_task_ref(task);
    pawl_handle_send(&worker->handle, &asked->link);
}

/* --- The start of a run --- */

/* Starts the next process of a run. */
static void
begin(struct pawl_worker *worker, struct pawl_run *run)
{
    const struct pawl_action *action = pawl_def_action(run->def);
    struct pawl_now now = pawl_now(worker->engine);
    struct pawl_run_facts facts = {
        .id = run->task->key.bytes, .id_len = run->task->key.len, .run = run->number,
        .attempt = run->attempt,
        .scheduled_ns = pawl_due_wall(run->due, now.wall_ns - now.elapsed_ns),
        .pid_slot = run->slot == PAWL_SLOT_NONE ? NULL : &worker->engine->table.slots[run->slot].pid,
    };
    int code = action && action->http && !run->is_condition
                   ? pawl_run_call(run, fetcher_of(worker), &facts)
                   : pawl_run_start(run, worker->room, &facts, worker->epoll_fd);

    if (code != PAWL_OK)
        finish(worker, run);
    else if (action && action->timeout_ns > 0)
        pawl_deadlines_set(&worker->deadlines, &run->deadline,
                           pawl_schedule_after(run->started_ns, action->timeout_ns));
}

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
    push(&worker->live, run);
    pawl_count(&worker->engine->started, 1);
    run->started_ns = run->ended_ns = started->now_ns;  /* as the task's previousRun */
    now_ns = pawl_now(worker->engine).elapsed_ns;
    pawl_histogram_record(&worker->lateness.due_to_spawn, now_ns - started->due_ns);
    begin(worker, run);
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
    end_late(worker->engine, run);
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
        end_late(engine, run);
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
    on_time(worker);
    free_over(worker);
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
        on_calls(worker);
    for (run = worker->live; run; run = next) {
        next = run->next;
        for (int kind = 0; kind < PAWL_NSOURCE; kind++)
            on_event(worker, &run->sources[kind]);
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
            on_calls(worker);
        else if (events[i].data.ptr)
            on_event(worker, events[i].data.ptr);
        else
            eventfd_read(worker->wake_fd, &ignored);
    }
    free_over(worker);
    pawl_deliver(&worker->handle);
    signal_runs(worker, atomic_exchange_explicit(&worker->signals, 0, memory_order_acquire)); /* A1 */
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
    free_over(worker);
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
