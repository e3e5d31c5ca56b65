/* clock.c: the system's clock and the manual one. */
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define SET_NS 1000000          /* a difference above this means that the wall clock was set */
#define LEAD_NS 80000           /* most wake-ups from an idle processor take 40 to 80 us */
#define NEVER_S INT64_C(7258118400)     /* the year 2200 */
#define SAMPLE_NS 20000         /* a sample that took longer was interrupted, or the machine is slow */
#define SAMPLES_MAX 16

static int64_t
read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t
system_elapsed(struct pawl_clock *clock)
{
    (void) clock;
    return read_clock(CLOCK_BOOTTIME);
}

static _Atomic int64_t kept = INT64_MIN;    /* A: relaxed: any recent measurement is right */

/* The shortest of some samples, nearly always the first: one that was interrupted may hide that the
 * clock was set, from the thread that was woken for it, too. */
static int64_t
measure(void)
{
    int64_t shortest = INT64_MAX, measured = 0;

    for (int i = 0; i < SAMPLES_MAX && shortest >= SAMPLE_NS; i++) {
        int64_t before = read_clock(CLOCK_BOOTTIME);
        int64_t wall = read_clock(CLOCK_REALTIME);
        int64_t after = read_clock(CLOCK_BOOTTIME);

        if (after - before < shortest) {
            shortest = after - before;
            measured = wall - before - shortest / 2;
        }
    }
    return measured;
}

static bool
is_same(int64_t a, int64_t b)
{
    return a != INT64_MIN && a - b < SET_NS && b - a < SET_NS;
}

/* Keeps the offset that was measured first until the clocks part: two readings a few hundred
 * nanoseconds apart would otherwise make every answer differ a little. */
static int64_t
system_offset(struct pawl_clock *clock)
{
    int64_t offset = atomic_load_explicit(&kept, memory_order_relaxed), measured = measure();

    (void) clock;
    if (is_same(offset, measured) ||
        (!atomic_compare_exchange_strong_explicit(&kept, &offset, measured, memory_order_relaxed,
                                                  memory_order_relaxed) &&
         is_same(offset, measured)))        /* by another thread meanwhile */
        return offset;
    return measured;
}

static void
system_recall(struct pawl_clock *clock, int64_t offset_ns)
{
    int64_t measured = system_offset(clock);

    if (measured - offset_ns < SET_NS && offset_ns - measured < SET_NS)
        atomic_store_explicit(&kept, offset_ns, memory_order_relaxed);
}

static void
system_boot(struct pawl_clock *clock, char out[PAWL_BOOT_SIZE])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, PAWL_BOOT_SIZE - 1);

    (void) clock;
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
}

static int
system_timer_open(struct pawl_clock *clock)
{
    (void) clock;
    return timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
}

static void
system_timer_set(struct pawl_clock *clock, int fd, int64_t at_ns)
{
    struct itimerspec spec = {0};

    (void) clock;
    if (at_ns != INT64_MAX) {
        if (at_ns < 1)
            at_ns = 1;          /* zero would mean: never */
        spec.it_value.tv_sec = at_ns / NS_PER_S;
        spec.it_value.tv_nsec = at_ns % NS_PER_S;
    }
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void
system_set_clear(struct pawl_clock *clock, int fd)
{
    static const struct itimerspec never = {.it_value.tv_sec = NEVER_S};
    uint64_t ignored;

    (void) clock;
    if (read(fd, &ignored, sizeof ignored) < 0)     /* ECANCELED: it was set */
        timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static int
system_set_open(struct pawl_clock *clock)
{
    int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);

    if (fd >= 0)
        system_set_clear(clock, fd);
    return fd;
}

struct pawl_clock *
pawl_clock_system(void)
{
    static struct pawl_clock clock = {
        .elapsed_ns = system_elapsed,
        .offset_ns = system_offset,
        .timer_open = system_timer_open,
        .lead_ns = LEAD_NS,
        .timer_set = system_timer_set,
        .set_open = system_set_open,
        .set_clear = system_set_clear,
        .boot = system_boot,
        .recall = system_recall,
    };

    return &clock;
}

/* The manual clock. Either advance() sees the armed moment, or timer_set() sees the new time:
 * S1: each stores its own word, then loads the other's, all four seq_cst.
 * F1: publishes a timer's descriptor, for advance() on another thread. */

static struct pawl_clock_manual *
manual_of(struct pawl_clock *clock)
{
    return (struct pawl_clock_manual *) clock;
}

static int64_t
manual_elapsed(struct pawl_clock *clock)
{
    return atomic_load_explicit(&manual_of(clock)->elapsed, memory_order_seq_cst);
}

static void
manual_boot(struct pawl_clock *clock, char out[PAWL_BOOT_SIZE])
{
    snprintf(out, PAWL_BOOT_SIZE, "%s", manual_of(clock)->name);
}

static void
manual_recall(struct pawl_clock *clock, int64_t offset_ns)
{
    (void) clock;
    (void) offset_ns;
}

static int64_t
manual_offset(struct pawl_clock *clock)
{
    return atomic_load_explicit(&manual_of(clock)->offset, memory_order_seq_cst);
}

static int
manual_set_open(struct pawl_clock *clock)
{
    manual_of(clock)->setter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return manual_of(clock)->setter;
}

static void
manual_set_clear(struct pawl_clock *clock, int fd)
{
    eventfd_t ignored;

    (void) clock;
    eventfd_read(fd, &ignored);
}

static int
manual_timer_open(struct pawl_clock *clock)
{
    struct pawl_clock_manual *manual = manual_of(clock);
    unsigned i = atomic_fetch_add_explicit(&manual->ntimers, 1, memory_order_acq_rel);
    int fd = -1;

    if (i < PAWL_MANUAL_TIMERS)
        fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    else
        errno = EMFILE;
    if (fd >= 0)
        atomic_store_explicit(&manual->timers[i].fd, fd, memory_order_release);      /* F1 */
    return fd;
}

static void
manual_timer_set(struct pawl_clock *clock, int fd, int64_t at_ns)
{
    struct pawl_clock_manual *manual = manual_of(clock);
    struct pawl_manual_timer *timer = manual->timers;
    eventfd_t ignored;

    while (atomic_load_explicit(&timer->fd, memory_order_relaxed) != fd)    /* its own thread's */
        timer++;
    eventfd_read(fd, &ignored);
    atomic_store_explicit(&timer->armed, at_ns, memory_order_seq_cst);              /* S1 */
    if (at_ns <= atomic_load_explicit(&manual->elapsed, memory_order_seq_cst))      /* S1 */
        eventfd_write(fd, 1);
}

void
pawl_clock_manual_init(struct pawl_clock_manual *manual, int64_t elapsed_ns, int64_t offset_ns)
{
    manual->clock = (struct pawl_clock) {
        .elapsed_ns = manual_elapsed,
        .offset_ns = manual_offset,
        .timer_open = manual_timer_open,
        .timer_set = manual_timer_set,
        .set_open = manual_set_open,
        .set_clear = manual_set_clear,
        .boot = manual_boot,
        .recall = manual_recall,
    };
    manual->name = "manual";
    atomic_init(&manual->elapsed, elapsed_ns);
    atomic_init(&manual->offset, offset_ns);
    manual->setter = -1;
    pawl_clock_manual_forget(manual);
}

void
pawl_clock_manual_forget(struct pawl_clock_manual *manual)
{
    for (unsigned i = 0; i < PAWL_MANUAL_TIMERS; i++) {
        atomic_init(&manual->timers[i].armed, INT64_MAX);
        atomic_init(&manual->timers[i].fd, -1);
    }
    atomic_init(&manual->ntimers, 0);
}

void
pawl_clock_manual_advance(struct pawl_clock_manual *manual, int64_t by_ns)
{
    int64_t now;

    now = atomic_fetch_add_explicit(&manual->elapsed, by_ns, memory_order_seq_cst) + by_ns; /* S1 */
    for (unsigned i = 0; i < PAWL_MANUAL_TIMERS; i++) {
        struct pawl_manual_timer *timer = &manual->timers[i];
        int fd = atomic_load_explicit(&timer->fd, memory_order_acquire);                    /* F1 */

        if (fd >= 0 && atomic_load_explicit(&timer->armed, memory_order_seq_cst) <= now)    /* S1 */
            eventfd_write(fd, 1);
    }
}

void
pawl_clock_manual_set(struct pawl_clock_manual *manual, int64_t by_ns)
{
    atomic_fetch_add_explicit(&manual->offset, by_ns, memory_order_seq_cst);
    if (manual->setter >= 0)
        eventfd_write(manual->setter, 1);
}
