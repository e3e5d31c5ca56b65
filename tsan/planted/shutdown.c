/* Shutdown: handles are detached and threads joined before anything of theirs is freed.
 * PLANT 1: the engine is closed while another thread still uses a handle.
 * PLANT 2: the ticker is freed before its thread is joined.
 * PLANT 3: the clock, which the engine borrows, is freed before the engine is closed. */
#include "../../engine/ticker.c"

#include "room.h"

#define ROUNDS (PLANT_ROUNDS / 10)  /* each opens and closes an engine */

static plant_gate seen, closed;
static unsigned round_now;

static void *
user(void *unused)
{
    unsigned i = round_now;
    struct pawl_view view;

    room_submit(i);
    gate_open(&seen, i);
    gate_wait(&closed, i);
    must(pawl_get(handles[0], room_id(i), strlen(room_id(i)), &view));
    pawl_view_release(&view);
    return unused;
}

/* As pawl_ticker_stop(), but for the join. */
static void
free_too_early(struct pawl_ticker *ticker)
{
    pthread_t thread = ticker->thread;

    atomic_store_explicit(&ticker->is_ending, true, memory_order_release);
    wake(ticker);
    pawl_ticker_free(ticker);
    thread_join(thread);
}

int
main(void)
{
    for (round_now = 1; round_now <= ROUNDS; round_now++) {
        struct pawl_clock_manual *clock = must_alloc(sizeof *clock);

        pawl_clock_manual_init(clock, 0, 0);
        room_open(NULL, &clock->clock);
        pthread_t thread = thread_start(user);
        gate_wait(&seen, round_now);
        if (PLANT == 1)
            room_close();
        gate_open(&closed, round_now);
        thread_join(thread);
        if (PLANT == 2) {
            free_too_early(engine->ticker);
            engine->ticker = NULL;
        }
        if (PLANT == 3)
            free(clock);
        if (PLANT != 1)
            room_close();
        if (PLANT != 3)
            free(clock);
    }
    return 0;
}
