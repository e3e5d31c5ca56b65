/* wall.c: see wall.h.
 *
 * S1: no due time is left behind. Who finds one by an offset publishes it, then reads the clock
 * again (pawl_wall_check()); this thread reads the clock, then the tasks; a full fence stands between
 * on both sides. Whichever comes second sees that the clock was set. */
#include "wall.h"

#include "admission.h"
#include "committer.h"
#include "ticker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CORRECTION_NS (3 * INT64_C(3600) * 1000000000)     /* as in cronie */
#define RETRY_MS 10             /* while readers finish */

struct pawl_wall {
    struct pawl_handle handle;
    struct pawl *engine;                /* I */
    pthread_t thread;                   /* I */
    int set_fd, end_fd;                 /* I */
    int64_t offset_ns;                  /* by the thread: as last seen */
    _Atomic bool is_ending;             /* A: set once; R1/A1 */
};

int64_t
pawl_wall_high(int64_t high_ns, int64_t old_ns, int64_t new_ns)
{
    if (new_ns < old_ns && high_ns < old_ns)
        high_ns = old_ns;
    return high_ns <= new_ns || high_ns - new_ns < CORRECTION_NS ? high_ns : INT64_MIN;
}

/* Moves one task: the due time, if the clock's new time makes it another one, else when it is to be
 * looked at. */
static void
retime(struct pawl_handle *handle, struct pawl_task *task, int64_t old_offset_ns)
{
    struct pawl *engine = handle->engine;
    int64_t now_ns = engine->clock->elapsed_ns(engine->clock);
    struct pawl_event event = {.kind = PAWL_EVENT_RETIME, .old_wall_ns = now_ns + old_offset_ns};
    int code = pawl_change(handle, task, &event, NULL);

    if (code == PAWL_ESTATE || code == PAWL_ENOMEM) {
        pawl_admission_look(handle, task);
        pawl_ticker_arm_sooner(engine->ticker, task);
    }
    pawl_snapshot_free_unused(event.spare);
}

void
pawl_wall_check(struct pawl_handle *handle, struct pawl_task *task, int64_t offset_ns)
{
    struct pawl *engine = handle->engine;

    ck_pr_fence_memory();                                                           /* S1 */
    if (engine->clock->offset_ns(engine->clock) != offset_ns)
        retime(handle, task, offset_ns);
}

/* --- The thread --- */

static bool
is_ending(struct pawl_wall *wall)
{
    return atomic_load_explicit(&wall->is_ending, memory_order_acquire);           /* A1 */
}

/* Moves all tasks that follow the wall clock. */
static void
walk(struct pawl_wall *wall, int64_t old_offset_ns)
{
    struct pawl *engine = wall->engine;
    uint64_t seq = 0, newest = pawl_order_newest(engine->order);
    struct pawl_task *task;

    do {
        const struct pawl_snapshot *snapshot = NULL;

        pawl_epoch_begin(wall->handle.epoch);
        task = pawl_order_next(engine->order, seq, newest, &seq);
        if (task)
            snapshot = pawl_task_read_decided(task, NULL);
        if (snapshot && pawl_def_follows_wall(snapshot->def))
            pawl_task_ref(task);
        else
            snapshot = NULL;
        pawl_epoch_end(wall->handle.epoch);
        if (snapshot) {
            retime(&wall->handle, task, old_offset_ns);
            pawl_task_unref(task);
        }
    } while (task && !is_ending(wall));
}

/* Looks whether the clock was set, and follows it. */
static void
follow(struct pawl_wall *wall)
{
    struct pawl *engine = wall->engine;
    struct pawl_now now = pawl_now(engine);
    int64_t old_offset_ns = wall->offset_ns, by_ns;

    wall->offset_ns = now.wall_ns - now.elapsed_ns;
    by_ns = wall->offset_ns - old_offset_ns;
    if (by_ns == 0)
        return;
    pawl_engine_log(engine, PAWL_LOG_WARN,
                    "the wall clock was set %s by %.3f s: times of day follow it", by_ns < 0 ? "back"
                    : "forward", (double) (by_ns < 0 ? -by_ns : by_ns) / 1e9);
    atomic_store_explicit(&engine->wall_high_ns,
                          pawl_wall_high(now.high_ns, now.wall_ns - by_ns, now.wall_ns),
                          memory_order_release);
    ck_pr_fence_memory();                                                           /* S1 */
    walk(wall, old_offset_ns);
    if (engine->committer)
        pawl_committer_note(engine->committer);
    atomic_fetch_add_explicit(&engine->wall_steps, 1, memory_order_release);
}

static void *
watch_clock(void *arg)
{
    struct pawl_wall *wall = arg;
    struct pawl_clock *clock = wall->engine->clock;
    struct pollfd fds[2] = {{.fd = wall->end_fd, .events = POLLIN},
                            {.fd = wall->set_fd, .events = POLLIN}};

    while (!is_ending(wall)) {
        clock->set_clear(clock, wall->set_fd);      /* before looking: what comes then rings again */
        follow(wall);
        if (poll(fds, 2, pawl_epoch_rest(wall->handle.epoch) ? RETRY_MS : -1) < 0 &&
            errno != EINTR) {
            pawl_engine_failed(wall->engine, "the wall clock's thread cannot sleep: poll failed");
            break;
        }
    }
    return NULL;
}

/* --- Life --- */

int
pawl_wall_open(struct pawl *engine, struct pawl_wall **out_wall)
{
    struct pawl_wall *wall = calloc(1, sizeof *wall);
    int code = PAWL_ESYS;

    if (!wall)
        return PAWL_ENOMEM;
    wall->engine = engine;
    wall->offset_ns = engine->opened_offset_ns;
    atomic_init(&wall->is_ending, false);
    wall->end_fd = eventfd(0, EFD_CLOEXEC);
    wall->set_fd = engine->clock->set_open(engine->clock);
    if (wall->end_fd >= 0 && wall->set_fd >= 0)
        code = pawl_handle_init(&wall->handle, engine, NULL, NULL);
    if (code == PAWL_OK)
        code = pawl_engine_thread(&wall->thread, "pawl-wall", watch_clock, wall);
    if (code == PAWL_OK)
        *out_wall = wall;
    else
        pawl_wall_free(wall);
    return code;
}

void
pawl_wall_stop(struct pawl_wall *wall)
{
    if (!wall)
        return;
    atomic_store_explicit(&wall->is_ending, true, memory_order_release);           /* R1 */
    eventfd_write(wall->end_fd, 1);
    pthread_join(wall->thread, NULL);
}

void
pawl_wall_free(struct pawl_wall *wall)
{
    if (!wall)
        return;
    pawl_handle_fini(&wall->handle);
    if (wall->end_fd >= 0)
        close(wall->end_fd);
    if (wall->set_fd >= 0)
        close(wall->set_fd);
    free(wall);
}
