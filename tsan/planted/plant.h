/* plant.h: what the planted programs share: threads, and gates that choose an interleaving
 * without ordering memory.
 *
 * A gate is a relaxed counter. It makes one thread wait for another, but gives the sanitizer
 * no happens-before edge, so a race that is forced through a gate is still a race. Every
 * program is clean without PLANT; with PLANT=n it has exactly the one race marked so. */
#ifndef PAWL_PLANT_H
#define PAWL_PLANT_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef PLANT
#define PLANT 0
#endif

#define PLANT_ROUNDS 200 /* items handed over in one run, each with its race */

typedef _Atomic unsigned plant_gate;

static inline void
gate_open(plant_gate *gate, unsigned round)
{
    atomic_store_explicit(gate, round, memory_order_relaxed);
}

static inline void
gate_wait(plant_gate *gate, unsigned round)
{
    while (atomic_load_explicit(gate, memory_order_relaxed) < round)
        sched_yield();
}

/* Reads a field, so that the compiler cannot drop the read. */
static inline void
look(unsigned field)
{
    volatile unsigned sink = field;

    (void)sink;
}

static inline pthread_t
thread_start(void *(*run)(void *))
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, NULL) != 0)
        abort();
    return thread;
}

static inline void
thread_join(pthread_t thread)
{
    if (pthread_join(thread, NULL) != 0)
        abort();
}

static inline void *
must_alloc(size_t bytes)
{
    void *memory = malloc(bytes);

    if (memory == NULL)
        abort();
    return memory;
}

#endif
