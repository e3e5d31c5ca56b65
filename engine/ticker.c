/* ticker.c: the one thread that turns the wheel and feeds the ready ring ("pawl-ticker").
 *
 * A task whose due time changed is put into the inbox; the ticker then makes the wheel agree with
 * the task's snapshot, whatever it says by then. Due tasks go into the ready ring; what has no
 * room there stays in the wheel, in order. The thread never runs anything and never blocks but in
 * its poll(), until just before the next due time: a processor that sleeps takes some 50 us to come
 * up, so the timer is set 80 us early and the rest is waited for awake. That is the one place that
 * waits so; it halves the lateness of an idle daemon, for at most 80 us of processor a wake-up.
 *
 * W1: an armed task is not overslept. The armer puts the task, then reads wakes_at; the ticker
 * writes wakes_at, then looks into the inbox; a full fence stands between on both sides. While the
 * ticker is up wakes_at is the far past, so nobody wakes it in vain; and so it is from the first
 * armer that wakes it on, so that a thousand others do not, too.
 * An armer that finds is_queued set may come before the first armer's put, which then compares a
 * later due time. Most events put a due time off, so that does not matter (the stop of a delay task
 * may bring nearer when it is forgotten; that may come late); pawl_ticker_arm_sooner() is for others.
 * Q1: is_queued lets a task be in the inbox once. The armer sets it after the snapshot changed and
 * the ticker clears it before it reads the snapshot, both by acq_rel exchanges: an armer that finds
 * it set knows that its snapshot will be seen. */
#include "ticker.h"

#include "lane.h"
#include "shared.h"
#include "wheel.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BATCH 256               /* timers armed or fired in one go */
#define INBOX_MAX 4096          /* tasks armed for later that may wait until the ticker wakes */
#define RETRY_MS 10             /* after memory ran out */

struct pawl_ticker {
    struct pawl_handle handle;          /* the ticker's own */
    struct pawl *engine;                /* I */
    pthread_t thread;                   /* I */
    struct pawl_wheel *wheel;           /* T */
    ck_stack_entry_t *arming;           /* T: taken from the inbox, not yet looked at */
    bool short_of_memory;               /* T */
    bool was_full;                      /* T: the ring, since all that was due was in it */
    struct pawl_lane lane;
    int wake_fd, timer_fd;              /* I */
    _Alignas(64) struct pawl_inbox inbox;
    _Atomic int64_t ninbox;             /* A: relaxed: how many since the last take, about */
    _Alignas(64) _Atomic int64_t wakes_at;      /* A: W1 */
    _Atomic bool is_ending;             /* A: set once; seen behind the eventfd */
};

static void
wake(struct pawl_ticker *ticker)
{
    eventfd_write(ticker->wake_fd, 1);
}

/* W1: wakes the ticker if it sleeps beyond due_ns. */
static void
wake_by(struct pawl_ticker *ticker, int64_t due_ns)
{
    if (due_ns < atomic_load_explicit(&ticker->wakes_at, memory_order_seq_cst) &&      /* W1 */
        atomic_exchange_explicit(&ticker->wakes_at, INT64_MIN, memory_order_seq_cst) != INT64_MIN)
        wake(ticker);
}

static void
put(struct pawl_ticker *ticker, struct pawl_task *task)
{
    pawl_task_ref(task);
    pawl_inbox_put(&ticker->inbox, &task->arm_entry);                               /* W1 */
}

void
pawl_ticker_arm(struct pawl_ticker *ticker, struct pawl_task *task, int64_t due_ns)
{
    int64_t n;

    if (atomic_exchange_explicit(&task->is_queued, true, memory_order_acq_rel))    /* Q1 */
        ck_pr_fence_memory();
    else
        put(ticker, task);
    n = atomic_fetch_add_explicit(&ticker->ninbox, 1, memory_order_relaxed) + 1;
    wake_by(ticker, n % INBOX_MAX == 0 ? INT64_MIN + 1 : due_ns == PAWL_NO_TIME ? INT64_MAX : due_ns);
}

void
pawl_ticker_arm_sooner(struct pawl_ticker *ticker, struct pawl_task *task)
{
    while (atomic_exchange_explicit(&task->is_queued, true, memory_order_acq_rel)) {   /* Q1 */
        if (atomic_load_explicit(&ticker->is_ending, memory_order_relaxed))
            return;             /* nothing is due any more, and nobody may empty the inbox */
        ck_pr_fence_memory();
        wake_by(ticker, INT64_MIN + 1);
        sched_yield();
    }
    put(ticker, task);
    wake_by(ticker, INT64_MIN + 1);
}

void
pawl_ticker_end_late(struct pawl_ticker *ticker)
{
    pawl_lane_end(&ticker->lane);
}

/* --- Arming --- */

static struct pawl_task *
task_of_entry(ck_stack_entry_t *entry)
{
    return (struct pawl_task *) ((char *) entry - offsetof(struct pawl_task, arm_entry));
}

/* Whether a due time was missed, and is made up for. What waited for another run of the task, or in its
 * group, was not. */
static bool
was_missed(const struct pawl_snapshot *snapshot, int64_t due_ns, int64_t now_ns)
{
    const struct pawl_wait *wait = pawl_snapshot_wait(snapshot);

    return due_ns < now_ns - PAWL_LANE_LATE_NS && due_ns != PAWL_NO_TIME && !snapshot->is_asked &&
           !pawl_snapshot_is_over(snapshot) && !pawl_def_group(snapshot->def) &&
           !(wait && wait->has_backlog && wait->nmissed == 0);
}

/* When the task wants to be woken, by its snapshot of this moment. */
static int64_t
wanted(struct pawl_ticker *ticker, struct pawl_task *task, int64_t now_ns, bool *out_is_late)
{
    struct pawl_clock *clock = ticker->engine->clock;
    const struct pawl_snapshot *snapshot;
    int64_t due_ns = PAWL_NO_TIME;

    *out_is_late = false;
    pawl_epoch_begin(ticker->handle.epoch);
    snapshot = pawl_task_read_decided(task, NULL);
    if (snapshot) {
        due_ns = pawl_snapshot_fires_ns(snapshot,
                                        snapshot->is_due_wall ? clock->offset_ns(clock) : 0);
        *out_is_late = was_missed(snapshot, due_ns, now_ns);
    }
    pawl_epoch_end(ticker->handle.epoch);
    return due_ns;
}

/* Lets a task wait in the lane; one that is changed meanwhile may be there twice, and goes on once. False:
 * out of memory. */
static bool
put_aside(struct pawl_ticker *ticker, struct pawl_task *task)
{
    if (!pawl_lane_put(&ticker->lane, task))
        return false;
    pawl_task_ref(task);
    return true;
}

/* Makes the wheel agree with the task. False: out of memory, nothing was done. */
static bool
sync_task(struct pawl_ticker *ticker, struct pawl_task *task, int64_t now_ns)
{
    uint32_t timer = PAWL_TIMER_NONE;
    bool is_late;
    int64_t due_ns = wanted(ticker, task, now_ns, &is_late);

    if (is_late && put_aside(ticker, task))
        due_ns = PAWL_NO_TIME;
    if (due_ns != PAWL_NO_TIME && pawl_wheel_insert(ticker->wheel, due_ns, task, &timer) != PAWL_OK)
        return false;
    if (timer != PAWL_TIMER_NONE)
        pawl_task_ref(task);
    if (task->timer != PAWL_TIMER_NONE) {
        pawl_wheel_cancel(ticker->wheel, task->timer);
        pawl_task_unref(task);
    }
    task->timer = timer;
    return true;
}

/* Looks at up to BATCH tasks whose due time changed. True: there are more. */
static bool
arm_batch(struct pawl_ticker *ticker, int64_t now_ns)
{
    if (!ticker->arming) {
        atomic_store_explicit(&ticker->ninbox, 0, memory_order_relaxed);
        ticker->arming = pawl_inbox_take(&ticker->inbox);
    }
    ticker->short_of_memory = false;
    for (int i = 0; i < BATCH && ticker->arming; i++) {
        struct pawl_task *task = task_of_entry(ticker->arming);
        ck_stack_entry_t *next = ticker->arming->next;

        atomic_exchange_explicit(&task->is_queued, false, memory_order_acq_rel);    /* Q1 */
        if (!sync_task(ticker, task, now_ns)) {
            /* Nothing that was accepted is lost: it stays first, until there is memory. */
            ticker->short_of_memory = true;
            if (!atomic_exchange_explicit(&task->is_queued, true, memory_order_acq_rel))
                return false;
            /* It was put into the inbox again meanwhile: that entry will do. */
        }
        ticker->arming = next;
        pawl_task_unref(task);
    }
    return ticker->arming != NULL;
}

/* --- Firing --- */

/* Moves due tasks from the wheel into the ring, as many as BATCH and the ring allow; what has no
 * room stays in the wheel, in order. The wheel's reference goes with the task. True: there may be
 * more. */
static bool
fire_batch(struct pawl_ticker *ticker, int64_t now_ns, bool *out_full)
{
    struct pawl_ready *ready = &ticker->engine->ready;
    size_t room = PAWL_READY_SLOTS - 1 - pawl_ready_count(ready);
    size_t max = room < BATCH ? room : BATCH, n;
    void *tasks[BATCH];
    /* The machine slept, else the ticker were not so late. */
    bool has_slept = pawl_wheel_next(ticker->wheel) < now_ns - PAWL_LANE_LATE_NS && !ticker->was_full;
    bool is_due, is_late;

    *out_full = max == 0 && pawl_wheel_next(ticker->wheel) <= now_ns;
    ticker->was_full |= *out_full;
    if (max == 0)
        return false;
    n = pawl_wheel_expire(ticker->wheel, now_ns, tasks, max);
    for (size_t i = 0; i < n; i++) {
        struct pawl_task *task = tasks[i];

        task->timer = PAWL_TIMER_NONE;
        if (has_slept && wanted(ticker, task, now_ns, &is_late) != PAWL_NO_TIME && is_late &&
            put_aside(ticker, task))
            pawl_task_unref(task);
        else
            pawl_ready_put(ready, task, false);
    }
    if (n > 0)
        pawl_ready_wake(ready, n);
    is_due = pawl_wheel_next(ticker->wheel) <= now_ns;
    ticker->was_full &= is_due;
    return is_due;
}

/* Lets those go on whose turn it is. Gives when to look at the lane again, if it is not told before. */
static int64_t
feed_from_lane(struct pawl_ticker *ticker, int64_t now_ns)
{
    struct pawl_ready *ready = &ticker->engine->ready;
    int64_t next_ns = pawl_lane_next(&ticker->lane, now_ns);
    bool is_late;

    for (int i = 0; i < BATCH && next_ns <= now_ns && pawl_ready_count(ready) < PAWL_READY_SLOTS - 1; i++) {
        struct pawl_task *task = pawl_lane_take(&ticker->lane);
        int64_t due_ns = wanted(ticker, task, now_ns, &is_late);

        if (due_ns != PAWL_NO_TIME && due_ns <= now_ns) {
            pawl_lane_begin(&ticker->lane, now_ns);
            pawl_ready_put(ready, task, true);
            pawl_ready_wake(ready, 1);
        } else {                        /* it was changed, and is armed by that */
            pawl_task_unref(task);
        }
        next_ns = pawl_lane_next(&ticker->lane, now_ns);
    }
    return next_ns;
}

/* --- The thread --- */

/* Waits awake for a moment that is nearer than a wake-up takes. */
static bool
wait_awake(struct pawl_clock *clock, int64_t next_ns)
{
    int64_t now_ns = clock->elapsed_ns(clock);

    if (next_ns == INT64_MAX || next_ns - clock->lead_ns > now_ns)
        return false;
    while (now_ns < next_ns) {
        ck_pr_stall();
        now_ns = clock->elapsed_ns(clock);
    }
    return true;
}

/* Sleeps until there is something to do. is_full: due tasks wait for room in the ring, as those in the
 * lane do then. */
static int
rest(struct pawl_ticker *ticker, bool is_full, int64_t lane_ns)
{
    struct pollfd fds[2] = {
        {.fd = ticker->wake_fd, .events = POLLIN},
        {.fd = ticker->timer_fd, .events = POLLIN},
    };
    int64_t next_ns = is_full ? INT64_MAX : pawl_wheel_next(ticker->wheel);
    bool is_pending = pawl_epoch_rest(ticker->handle.epoch);
    struct pawl_clock *clock = ticker->engine->clock;
    eventfd_t ignored;

    if (is_full && !pawl_ready_wait_for_room(&ticker->engine->ready))
        return 0;
    if (!ticker->short_of_memory && wait_awake(clock, next_ns))
        return 0;
    if (!is_full && lane_ns < next_ns)
        next_ns = lane_ns;
    atomic_store_explicit(&ticker->wakes_at, next_ns, memory_order_seq_cst);        /* W1 */
    ck_pr_fence_memory();
    if (ticker->short_of_memory || pawl_inbox_is_empty(&ticker->inbox)) {
        clock->timer_set(clock, ticker->timer_fd,
                         next_ns == INT64_MAX ? next_ns : next_ns - clock->lead_ns);
        if (poll(fds, 2, is_pending || ticker->short_of_memory ? RETRY_MS : -1) < 0 &&
            errno != EINTR)
            return -1;
    }
    atomic_store_explicit(&ticker->wakes_at, INT64_MIN, memory_order_seq_cst);
    if (fds[0].revents)
        eventfd_read(ticker->wake_fd, &ignored);
    return 0;
}

static void *
turn(void *arg)
{
    struct pawl_ticker *ticker = arg;
    struct pawl_clock *clock = ticker->engine->clock;

    pawl_engine_prompt();
    /* acquire: pairs with the release in pawl_ticker_stop(). */
    while (!atomic_load_explicit(&ticker->is_ending, memory_order_acquire)) {
        bool is_full, is_busy;
        int64_t now_ns = clock->elapsed_ns(clock), lane_ns;

        is_busy = arm_batch(ticker, now_ns);
        now_ns = clock->elapsed_ns(clock);
        is_busy |= fire_batch(ticker, now_ns, &is_full);
        lane_ns = feed_from_lane(ticker, now_ns);
        is_full |= lane_ns <= now_ns && pawl_ready_count(&ticker->engine->ready) == PAWL_READY_SLOTS - 1;
        is_busy |= lane_ns <= now_ns && !is_full;
        if ((!is_busy || ticker->short_of_memory) && rest(ticker, is_full, lane_ns) != 0) {
            pawl_engine_failed(ticker->engine, "the ticker cannot sleep: poll failed");
            break;
        }
    }
    return NULL;
}

/* --- Life --- */

/* Lets go of every reference that the wheel and the inbox hold. */
static void
let_go(struct pawl_ticker *ticker)
{
    ck_stack_entry_t *entries[2] = {ticker->arming, pawl_inbox_take(&ticker->inbox)};
    struct pawl_task *late;
    void *tasks[BATCH];

    while (pawl_wheel_count(ticker->wheel) > 0) {
        size_t n = pawl_wheel_expire(ticker->wheel, INT64_MAX, tasks, BATCH);

        for (size_t i = 0; i < n; i++)
            pawl_task_unref(tasks[i]);
    }
    while ((late = pawl_lane_take(&ticker->lane)))
        pawl_task_unref(late);
    for (int i = 0; i < 2; i++) {
        while (entries[i]) {
            struct pawl_task *task = task_of_entry(entries[i]);

            entries[i] = entries[i]->next;
            pawl_task_unref(task);
        }
    }
}

void
pawl_ticker_free(struct pawl_ticker *ticker)
{
    if (!ticker)
        return;
    if (ticker->wheel)
        let_go(ticker);
    pawl_lane_fini(&ticker->lane);
    pawl_wheel_free(ticker->wheel);
    pawl_handle_fini(&ticker->handle);
    if (ticker->wake_fd >= 0)
        close(ticker->wake_fd);
    if (ticker->timer_fd >= 0)
        close(ticker->timer_fd);
    free(ticker);
}

int
pawl_ticker_open(struct pawl *engine, struct pawl_ticker **out_ticker)
{
    size_t size = (sizeof(struct pawl_ticker) + 63) & ~(size_t) 63;
    struct pawl_ticker *ticker = aligned_alloc(64, size);
    int code = PAWL_ESYS;

    if (!ticker)
        return PAWL_ENOMEM;
    memset(ticker, 0, size);
    ticker->engine = engine;
    pawl_inbox_init(&ticker->inbox);
    atomic_init(&ticker->ninbox, 0);
    atomic_init(&ticker->wakes_at, INT64_MIN);
    atomic_init(&ticker->is_ending, false);
    ticker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ticker->timer_fd = engine->clock->timer_open(engine->clock);
    pawl_lane_init(&ticker->lane, engine->options.nworkers, engine->options.max_running,
                   ticker->wake_fd);
    if (ticker->wake_fd >= 0 && ticker->timer_fd >= 0)
        code = pawl_wheel_new(engine->clock->elapsed_ns(engine->clock), &ticker->wheel);
    if (code == PAWL_OK)
        code = pawl_handle_init(&ticker->handle, engine, NULL, NULL);
    if (code == PAWL_OK) {
        engine->ready.producer_fd = ticker->wake_fd;
        code = pawl_engine_thread(&ticker->thread, "pawl-ticker", turn, ticker);
    }
    if (code == PAWL_OK)
        *out_ticker = ticker;
    else
        pawl_ticker_free(ticker);
    return code;
}

void
pawl_ticker_stop(struct pawl_ticker *ticker)
{
    if (!ticker)
        return;
    atomic_store_explicit(&ticker->is_ending, true, memory_order_release);
    wake(ticker);
    pthread_join(ticker->thread, NULL);
}
