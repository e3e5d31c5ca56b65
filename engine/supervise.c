/* supervise.c: what a worker does with the runs that are in progress: it looks after their processes,
 * pipes and calls, ends them when they have to, and notes their ends. See worker.c. */
#include "supervise.h"

#include "action.h"
#include "admission.h"
#include "kill.h"
#include "ticker.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define LINGER_NS INT64_C(100000000)    /* the moment that open pipes are waited for */

/* --- Lists of runs --- */

void
pawl_worker_push(struct pawl_run **list, struct pawl_run *run)
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
void
pawl_worker_end_late(struct pawl *engine, struct pawl_run *run)
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
    pawl_worker_end_late(engine, run);
    run->spares[1] = event.spare;
    if (box)
        pawl_result_unref(&box->result);
    pawl_deadlines_clear(&worker->deadlines, &run->deadline);
    unlink_run(run);
    pawl_worker_push(&worker->over, run);
    pawl_count(&engine->finished, 1);
    pawl_engine_end_run(engine);
}

void
pawl_worker_free_over(struct pawl_worker *worker)
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
        pawl_worker_begin_process(worker, run);
    } else {
        finish(worker, run);
    }
}

void
pawl_worker_on_event(struct pawl_worker *worker, struct pawl_source *source)
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
        pawl_worker_push(&worker->lingering, run);
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

void
pawl_worker_on_calls(struct pawl_worker *worker)
{
    struct pawl_run *run;

    pawl_fetcher_turn(worker->fetcher);
    while ((run = pawl_fetcher_next(worker->fetcher)))
        end_call(worker, run);
}

/* Starts the next process of a run. */
void
pawl_worker_begin_process(struct pawl_worker *worker, struct pawl_run *run)
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

/* --- Ending runs --- */

static void
end_run(struct pawl_worker *worker, struct pawl_run *run, enum pawl_ending why);

void
pawl_worker_signal_runs(struct pawl_worker *worker, uint64_t signals)
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
        pawl_worker_on_event(worker, &run->sources[PAWL_SOURCE_PROCESS]);   /* it may call then */
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
void
pawl_worker_on_time(struct pawl_worker *worker)
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
