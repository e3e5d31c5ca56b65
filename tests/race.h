/* race.h: two threads that do one thing each at the same moment, again and again.
 *
 * The caller prepares a round, race_round() lets both run and returns when both have ended, the
 * caller checks. Between rounds a thread spins for a moment, then sleeps on a futex, because on a
 * busy machine one that yields waits for long; both meet at a last spin, so that they start within
 * nanoseconds of each other. */
#ifndef PAWL_RACE_H
#define PAWL_RACE_H

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RACE_SPINS 300
#define RACE_MEET_SPINS 5000

struct race_side {
    struct race *race;
    void (*act)(void *ctx);
    void *ctx;
    pthread_t thread;
};

struct race {
    struct race_side sides[2];
    _Atomic unsigned round;             /* A: release/acquire: starts a round */
    _Atomic unsigned arrived;           /* A: relaxed: sides that are about to act */
    _Atomic unsigned ended;             /* A: acq_rel: sides that ended, over all rounds */
    _Atomic bool is_over;
};

static inline void
race_wait(_Atomic unsigned *word, unsigned value)
{
    for (int spins = 0;; spins++) {
        unsigned seen = atomic_load_explicit(word, memory_order_acquire);

        if (seen == value)
            return;
        if (spins > RACE_SPINS)
            syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    }
}

static inline void
race_add(_Atomic unsigned *word)
{
    atomic_fetch_add_explicit(word, 1, memory_order_acq_rel);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static inline void *
race_run(void *arg)
{
    struct race_side *side = arg;

    for (unsigned round = 1;; round++) {
        race_wait(&side->race->round, round);
        if (atomic_load_explicit(&side->race->is_over, memory_order_relaxed))
            return NULL;
        atomic_fetch_add_explicit(&side->race->arrived, 1, memory_order_relaxed);
        for (int spins = 0; spins < RACE_MEET_SPINS; spins++) {
            if (atomic_load_explicit(&side->race->arrived, memory_order_relaxed) == 2 * round)
                break;
        }
        side->act(side->ctx);
        race_add(&side->race->ended);
    }
}

static inline void
race_begin(struct race *race, void (*left)(void *), void (*right)(void *), void *ctx)
{
    atomic_init(&race->round, 0);
    atomic_init(&race->arrived, 0);
    atomic_init(&race->ended, 0);
    atomic_init(&race->is_over, false);
    for (int i = 0; i < 2; i++) {
        race->sides[i] = (struct race_side) {.race = race, .act = i ? right : left, .ctx = ctx};
        pthread_create(&race->sides[i].thread, NULL, race_run, &race->sides[i]);
    }
}

static inline void
race_round(struct race *race)
{
    race_add(&race->round);
    race_wait(&race->ended, 2 * atomic_load_explicit(&race->round, memory_order_relaxed));
}

static inline void
race_end(struct race *race)
{
    atomic_store_explicit(&race->is_over, true, memory_order_relaxed);
    race_add(&race->round);
    for (int i = 0; i < 2; i++)
        pthread_join(race->sides[i].thread, NULL);
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define RACE_ROUNDS 20000
#endif
#elif defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define RACE_ROUNDS 20000
#endif
#ifndef RACE_ROUNDS
#define RACE_ROUNDS 100000
#endif

/* How many rounds: a hundred thousand, fewer under a sanitizer, or what PAWL_TEST_ROUNDS says. */
static inline unsigned
race_rounds(void)
{
    const char *rounds = getenv("PAWL_TEST_ROUNDS");

    return rounds ? (unsigned) atoi(rounds) : RACE_ROUNDS;
}

#endif
