/* race.h: two threads that do one thing each at the same moment, again and again.
 *
 * The caller prepares a round, race_round() lets both run and returns when both have ended, the
 * caller checks. Between rounds they spin (with a yield), so that they start within nanoseconds. */
#ifndef PAWL_RACE_H
#define PAWL_RACE_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct race_side {
    struct race *race;
    void (*act)(void *ctx);
    void *ctx;
    pthread_t thread;
};

struct race {
    struct race_side sides[2];
    _Atomic unsigned round;             /* A: release/acquire: starts a round */
    _Atomic unsigned ended;             /* A: acq_rel: sides that ended, over all rounds */
    _Atomic bool is_over;
};

static inline void
race_wait(_Atomic unsigned *word, unsigned value)
{
    for (int spins = 0; atomic_load_explicit(word, memory_order_acquire) != value; spins++) {
        if (spins > 200)
            sched_yield();
    }
}

static inline void *
race_run(void *arg)
{
    struct race_side *side = arg;

    for (unsigned round = 1;; round++) {
        race_wait(&side->race->round, round);
        if (atomic_load_explicit(&side->race->is_over, memory_order_relaxed))
            return NULL;
        side->act(side->ctx);
        atomic_fetch_add_explicit(&side->race->ended, 1, memory_order_acq_rel);
    }
}

static inline void
race_begin(struct race *race, void (*left)(void *), void (*right)(void *), void *ctx)
{
    atomic_init(&race->round, 0);
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
    unsigned round = atomic_fetch_add_explicit(&race->round, 1, memory_order_acq_rel) + 1;

    race_wait(&race->ended, 2 * round);
}

static inline void
race_end(struct race *race)
{
    atomic_store_explicit(&race->is_over, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&race->round, 1, memory_order_acq_rel);
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
