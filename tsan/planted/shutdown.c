/* Shutdown: what a thread uses is freed after that thread was joined.
 * PLANT 1: freed before the join. */
#include "plant.h"

struct engine {
    atomic_bool stopping;
    unsigned nruns; /* of the worker */
};

static struct engine *engine;
static plant_gate leaving;

static void *
worker(void *unused)
{
    struct engine *mine = engine;
    unsigned round = atomic_load_explicit(&leaving, memory_order_relaxed) + 1;

    while (!atomic_load_explicit(&mine->stopping, memory_order_acquire))
        sched_yield();
    gate_open(&leaving, round);
    mine->nruns++;
    return unused;
}

int
main(void)
{
    for (unsigned i = 1; i <= PLANT_ROUNDS; i++) {
        engine = must_alloc(sizeof *engine);
        atomic_init(&engine->stopping, false);
        engine->nruns = 0;
        pthread_t thread = thread_start(worker);
        atomic_store_explicit(&engine->stopping, true, memory_order_release);
        gate_wait(&leaving, i);
        if (PLANT == 1) {
            free(engine);
            thread_join(thread);
        } else {
            thread_join(thread);
            free(engine);
        }
    }
    return 0;
}
