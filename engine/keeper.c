/* keeper.c: the one thread that keeps scripts and output within max_memory_bytes ("pawl-keeper").
 *
 * It sleeps until the bytes pass fifteen sixteenths of the bound, or a submit had no room; then it
 * walks all tasks three times: to find the span of the kept output's ages, to sum it up by age, and
 * to drop the oldest of whichever task, down to fourteen sixteenths. Memory passes the bound at
 * most by what runs bring in while it walks. */
#include "keeper.h"

#include "shared.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define AGES 4096u
#define SAY_EACH_NS INT64_C(60000000000)
#define PAUSE_US 1000
#define PAUSE_SHARE 4           /* a walk is followed by so many times its length of rest, */
#define PAUSE_MAX_NS 200000000  /* at most this */

struct pawl_keeper {
    struct pawl_handle handle;
    struct pawl *engine;                /* I */
    pthread_t thread;                   /* I */
    int wake_fd;                        /* I: blocking */
    int64_t said_ns;                    /* by the keeper: when it last logged */
    int64_t starts_at;                  /* I: bytes from which on it is woken */
    _Atomic int64_t wanted;             /* A: relaxed: the largest script that had no room */
    _Atomic bool is_ending;             /* A: set once; R1/A1 */
};

/* Output by age: each bucket holds the bytes that ended in its share of the time. */
struct ages {
    int64_t oldest_ns, newest_ns;
    uint64_t bytes[AGES];
};

static unsigned
age_of(const struct ages *ages, int64_t ended_ns)
{
    double share = (double) (ended_ns - ages->oldest_ns) /
                   (double) (ages->newest_ns - ages->oldest_ns + 1);

    return share <= 0 ? 0 : share >= 1 ? AGES - 1 : (unsigned) (share * AGES);
}

/* The end of the time that the bucket covers. */
static int64_t
end_of_age(const struct ages *ages, unsigned age)
{
    double span = (double) (ages->newest_ns - ages->oldest_ns + 1);

    return ages->oldest_ns + (int64_t) (span / AGES * (age + 1));
}

static bool
is_ending(struct pawl_keeper *keeper)
{
    return atomic_load_explicit(&keeper->is_ending, memory_order_acquire);     /* A1 */
}

/* Calls visit for every task that has output. */
static void
walk(struct pawl_keeper *keeper, void (*visit)(struct pawl_keeper *, struct pawl_task *,
                                               const struct pawl_results *, void *), void *arg)
{
    struct pawl_cursor cursor = {0};
    struct pawl_view view;
    int code;

    while ((code = pawl_list_next(&keeper->handle, NULL, &cursor, &view)) != PAWL_ENOENT) {
        if (code != PAWL_OK)
            continue;
        if (view.nresults > 0)
            visit(keeper, view.private_task, view.private_results, arg);
        pawl_view_release(&view);
        if (is_ending(keeper))
            break;
    }
}

static void
find_span(struct pawl_keeper *keeper, struct pawl_task *task, const struct pawl_results *results,
          void *arg)
{
    struct ages *ages = arg;

    (void) keeper;
    (void) task;
    for (uint32_t i = 0; i < results->n; i++) {
        int64_t ended_ns = results->items[i]->ended_ns;

        if (results->items[i]->out_len + results->items[i]->err_len == 0)
            continue;
        if (ended_ns < ages->oldest_ns)
            ages->oldest_ns = ended_ns;
        if (ended_ns > ages->newest_ns)
            ages->newest_ns = ended_ns;
    }
}

static void
sum_up(struct pawl_keeper *keeper, struct pawl_task *task, const struct pawl_results *results,
       void *arg)
{
    struct ages *ages = arg;

    (void) keeper;
    (void) task;
    for (uint32_t i = 0; i < results->n; i++) {
        const struct pawl_result *result = results->items[i];

        ages->bytes[age_of(ages, result->ended_ns)] += result->out_len + result->err_len;
    }
}

static void
drop(struct pawl_keeper *keeper, struct pawl_task *task, const struct pawl_results *results,
     void *arg)
{
    struct pawl_event event = {.kind = PAWL_EVENT_TRIM, .cutoff_ns = *(const int64_t *) arg};

    if (results->bytes > 0)
        pawl_change(&keeper->handle, task, &event, NULL);
    pawl_snapshot_free_unused(event.spare);
}

/* At most once a minute. */
static void
say_so(struct pawl_keeper *keeper)
{
    int64_t now_ns = pawl_now(keeper->engine).elapsed_ns;

    if (keeper->said_ns != 0 && now_ns - keeper->said_ns < SAY_EACH_NS)
        return;
    keeper->said_ns = now_ns;
    pawl_engine_log(keeper->engine, PAWL_LOG_WARN,
                    "max-memory is nearly used up: the oldest kept output was dropped");
}

/* Drops the oldest output until about want bytes are free. */
static void
free_output(struct pawl_keeper *keeper, uint64_t want)
{
    struct ages *ages = calloc(1, sizeof *ages);
    uint64_t sum = 0;
    int64_t cutoff_ns;
    unsigned age = 0;

    if (!ages)
        return;
    ages->oldest_ns = INT64_MAX;
    ages->newest_ns = INT64_MIN;
    walk(keeper, find_span, ages);
    if (ages->newest_ns >= ages->oldest_ns) {
        walk(keeper, sum_up, ages);
        while (age < AGES - 1 && (sum += ages->bytes[age]) < want)
            age++;
        cutoff_ns = end_of_age(ages, age);
        walk(keeper, drop, &cutoff_ns);
        say_so(keeper);
    }
    free(ages);
}

static void
wake(struct pawl_keeper *keeper)
{
    eventfd_write(keeper->wake_fd, 1);
}

void
pawl_keeper_want(struct pawl_keeper *keeper, int64_t wanted)
{
    int64_t before = atomic_load_explicit(&keeper->wanted, memory_order_relaxed);

    while (before < wanted &&
           !atomic_compare_exchange_weak_explicit(&keeper->wanted, &before, wanted,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    wake(keeper);
}

void
pawl_keeper_added(struct pawl_keeper *keeper, int64_t bytes)
{
    if (bytes > keeper->starts_at)
        wake(keeper);
}

/* How many bytes of output are to go: above the mark, down to fourteen sixteenths; and what a
 * refused submit wanted. */
static int64_t
surplus(struct pawl_keeper *keeper)
{
    int64_t bound = (int64_t) keeper->engine->options.max_memory_bytes;
    int64_t bytes = pawl_count(&keeper->engine->memory, 0);
    int64_t wanted = atomic_exchange_explicit(&keeper->wanted, 0, memory_order_relaxed);
    int64_t by_mark = bytes > keeper->starts_at ? bytes - (bound - bound / 8) : 0;
    int64_t by_want = wanted > 0 ? bytes - (bound - wanted) : 0;

    return by_want > by_mark ? by_want : by_mark;
}

/* Between two walks: where scripts fill the bound, each output that comes would cause one. */
static void
pause_for(int64_t ns)
{
    usleep(ns < PAUSE_MAX_NS ? (useconds_t) (ns / 1000) : PAUSE_MAX_NS / 1000);
}

static void *
keep(void *arg)
{
    struct pawl_keeper *keeper = arg;
    struct pawl *engine = keeper->engine;

    while (!is_ending(keeper)) {
        int64_t bytes = surplus(keeper);
        eventfd_t ignored;

        if (bytes > 0 && pawl_count(&engine->output, 0) > 0) {
            int64_t began_ns = pawl_now(engine).elapsed_ns;

            free_output(keeper, (uint64_t) bytes);
            pause_for(PAUSE_SHARE * (pawl_now(engine).elapsed_ns - began_ns));
        }
        while (pawl_epoch_rest(keeper->handle.epoch) && !is_ending(keeper))
            usleep(PAUSE_US);       /* a reader is in a section: what was dropped waits */
        if (eventfd_read(keeper->wake_fd, &ignored) != 0 && errno != EINTR) {
            pawl_engine_failed(engine, "the keeper cannot sleep: read of its eventfd failed");
            break;
        }
    }
    return NULL;
}

void
pawl_keeper_free(struct pawl_keeper *keeper)
{
    if (!keeper)
        return;
    pawl_handle_fini(&keeper->handle);
    if (keeper->wake_fd >= 0)
        close(keeper->wake_fd);
    free(keeper);
}

int
pawl_keeper_open(struct pawl *engine, struct pawl_keeper **out_keeper)
{
    struct pawl_keeper *keeper = calloc(1, sizeof *keeper);
    int code = PAWL_ESYS;

    if (!keeper)
        return PAWL_ENOMEM;
    keeper->engine = engine;
    keeper->starts_at = (int64_t) (engine->options.max_memory_bytes -
                                   engine->options.max_memory_bytes / 16);
    atomic_init(&keeper->wanted, 0);
    atomic_init(&keeper->is_ending, false);
    keeper->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (keeper->wake_fd >= 0)
        code = pawl_handle_init(&keeper->handle, engine, NULL, NULL);
    if (code == PAWL_OK)
        code = pawl_engine_thread(&keeper->thread, "pawl-keeper", keep, keeper);
    if (code == PAWL_OK)
        *out_keeper = keeper;
    else
        pawl_keeper_free(keeper);
    return code;
}

void
pawl_keeper_stop(struct pawl_keeper *keeper)
{
    if (!keeper)
        return;
    atomic_store_explicit(&keeper->is_ending, true, memory_order_release);     /* R1 */
    wake(keeper);
    pthread_join(keeper->thread, NULL);
}
