/* clock.h: where time comes from. The engine reads no clock but through this, so that a test can
 * own the time.
 *
 * Two scales: elapsed time never jumps and counts the machine's sleep (CLOCK_BOOTTIME); due times
 * live on it. Wall time is elapsed time plus an offset that is re-measured when the wall clock was
 * set, so that a due time and a created time of one task differ by exactly its delay. */
#ifndef PAWL_CLOCK_H
#define PAWL_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

#define PAWL_BOOT_SIZE 40
#define PAWL_MANUAL_TIMERS 64

struct pawl_clock {
    int64_t (*elapsed_ns)(struct pawl_clock *clock);
    /* What is to be added to elapsed time for wall time, at this moment. */
    int64_t (*offset_ns)(struct pawl_clock *clock);
    /* A descriptor that polls readable from a set moment of elapsed time on; -1: errno is set.
     * The caller closes it. */
    int (*timer_open)(struct pawl_clock *clock);
    /* How long it takes until a thread that such a descriptor wakes is up: who must not be late
     * sets it so much earlier, and waits for the rest awake. */
    int64_t lead_ns;
    /* Sets that moment; INT64_MAX: never; a past one: at once. */
    void (*timer_set)(struct pawl_clock *clock, int fd, int64_t at_ns);
    /* A descriptor that polls readable once the wall clock was set; -1: errno is set. The caller
     * closes it. clear: it polls readable again when the clock is set after this. */
    int (*set_open)(struct pawl_clock *clock);
    void (*set_clear)(struct pawl_clock *clock, int fd);
    /* Writes the name of the boot whose time elapsed_ns() counts, with a NUL; empty: unknown. */
    void (*boot)(struct pawl_clock *clock, char out[PAWL_BOOT_SIZE]);
    /* Goes on with the offset that an earlier process of this boot measured, if it is still right:
     * so that times of before and after differ by exact spans. */
    void (*recall)(struct pawl_clock *clock, int64_t offset_ns);
};

/* The system's clock. Threads: any. Owns: borrows, lives for ever. */
struct pawl_clock *
pawl_clock_system(void);

/* A timer of the manual clock. */
struct pawl_manual_timer {
    _Atomic int64_t armed;          /* A: seq_cst, see clock.c: the moment that it is set to */
    _Atomic int fd;                 /* A: acquire/release: F1 in clock.c; -1: free */
};

/* A clock that moves only when told, for tests. Not a part of the library's interface. */
struct pawl_clock_manual {
    struct pawl_clock clock;
    _Atomic int64_t elapsed;        /* A: seq_cst, see clock.c */
    _Atomic int64_t offset;         /* A: seq_cst: S1 in wall.c */
    struct pawl_manual_timer timers[PAWL_MANUAL_TIMERS];
    _Atomic unsigned ntimers;       /* A: acq_rel: those that were opened */
    const char *name;               /* I: of the boot */
    int setter;                     /* I: a descriptor of the engine under test; -1 before */
};

void
pawl_clock_manual_init(struct pawl_clock_manual *manual, int64_t elapsed_ns, int64_t offset_ns);
/* Forgets the timers of an engine that was closed. Threads: one, with no engine. */
void
pawl_clock_manual_forget(struct pawl_clock_manual *manual);
/* Moves elapsed time on and lets the timers that are due become readable. Threads: any. */
void
pawl_clock_manual_advance(struct pawl_clock_manual *manual, int64_t by_ns);
/* Sets the wall clock: moves it by so much, and elapsed time not. Threads: any. */
void
pawl_clock_manual_set(struct pawl_clock_manual *manual, int64_t by_ns);

#endif
