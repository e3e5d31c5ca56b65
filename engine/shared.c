/* shared.c: what all rooms of the engine use: the time, the count of runs, the start of a thread,
 * and telling the caller. It uses no room.
 *
 * C1: no run starts unnoticed after closing began. A worker counts its run up, then reads
 * is_closing; pawl_close_begin() sets is_closing, then reads the count; all four seq_cst.
 * R1: who asks the committer to say when nothing waits has marked what is to be written before; pairs
 * with A1. */
#include "shared.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct pawl_now
pawl_now(struct pawl *engine)
{
    int64_t elapsed_ns = engine->clock->elapsed_ns(engine->clock);
    int64_t wall_ns = elapsed_ns + engine->clock->offset_ns(engine->clock);
    int64_t age_ns = engine->options.history_age_ns;

    return (struct pawl_now) {
        elapsed_ns, wall_ns, atomic_load_explicit(&engine->wall_high_ns, memory_order_acquire),
        age_ns == INT64_MAX ? INT64_MIN : wall_ns - age_ns,
    };
}

/* --- Runs in progress --- */

bool
pawl_engine_begin_run(struct pawl *engine)
{
    for (;;) {
        if (atomic_fetch_add_explicit(&engine->running.n, 1, memory_order_seq_cst) <
            (int64_t) engine->options.max_running) {
            if (!atomic_load_explicit(&engine->is_closing, memory_order_seq_cst))     /* C1 */
                return true;
            pawl_engine_end_run(engine);
            return false;
        }
        /* Say that a worker waits before counting down: a run that ends after that will see it,
         * and one that ended before left room, which the second look finds. */
        atomic_store_explicit(&engine->is_starved, true, memory_order_seq_cst);
        if (atomic_fetch_sub_explicit(&engine->running.n, 1, memory_order_seq_cst) >
            (int64_t) engine->options.max_running)
            return false;
    }
}

void
pawl_engine_is_quiet(struct pawl *engine)
{
    if (atomic_load_explicit(&engine->running.n, memory_order_seq_cst) == 0 &&
        atomic_load_explicit(&engine->is_closing, memory_order_seq_cst))
        eventfd_write(engine->idle_fd, 1);
}

bool
pawl_engine_wants_quiet(struct pawl *engine)
{
    return atomic_exchange_explicit(&engine->wants_quiet, false, memory_order_acquire);    /* A1 */
}

void
pawl_engine_tell_idle(struct pawl *engine)
{
    atomic_store_explicit(&engine->wants_quiet, true, memory_order_release);               /* R1 */
    eventfd_write(engine->committer_fd >= 0 ? engine->committer_fd : engine->idle_fd, 1);
}

void
pawl_engine_end_run(struct pawl *engine)
{
    int64_t left = atomic_fetch_sub_explicit(&engine->running.n, 1, memory_order_seq_cst) - 1;

    if (left == 0 && atomic_load_explicit(&engine->is_closing, memory_order_seq_cst))  /* C1 */
        pawl_engine_tell_idle(engine);
    if (atomic_load_explicit(&engine->is_starved, memory_order_seq_cst) &&
        atomic_exchange_explicit(&engine->is_starved, false, memory_order_seq_cst))
        pawl_ready_rouse(&engine->ready);
}

bool
pawl_engine_is_full(struct pawl *engine)
{
    return atomic_load_explicit(&engine->running.n, memory_order_relaxed) >=
           (int64_t) engine->options.max_running;
}

/* --- Telling the caller --- */

void
pawl_engine_log(struct pawl *engine, enum pawl_log_level level, const char *format, ...)
{
    char text[512];
    va_list args;

    if (!engine->options.log)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    engine->options.log(engine->options.ctx, level, text);
}

void
pawl_engine_failed(struct pawl *engine, const char *what)
{
    if (engine->options.failed)
        engine->options.failed(engine->options.ctx, what);
    else
        pawl_engine_log(engine, PAWL_LOG_ERROR, "%s", what);
}

/* --- Threads --- */

/* The kernel's struct sched_attr, as far as it is used (sched_setattr(2)). */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

#define RESET_ON_FORK 1
#define SHORT_SLICE_NS 100000

void
pawl_engine_prompt(void)
{
    struct scheduling attributes = {
        .size = sizeof attributes, .flags = RESET_ON_FORK, .nice = getpriority(PRIO_PROCESS, 0),
        .runtime = SHORT_SLICE_NS,
    };

    syscall(SYS_sched_setattr, 0, &attributes, 0);
}

int
pawl_engine_thread(pthread_t *out_thread, const char *name, void *(*body)(void *), void *arg)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(out_thread, NULL, body, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        errno = error;
        return PAWL_ESYS;
    }
    pthread_setname_np(*out_thread, name);
    return PAWL_OK;
}
