/* kill.c: see kill.h. */
#include "kill.h"

#include "worker.h"

#include <stdlib.h>

int
pawl_kills_make(struct pawl *engine, struct pawl_kills *kills)
{
    kills->n = 0;
    kills->kills = malloc(engine->nworkers * sizeof kills->kills[0]);
    while (kills->kills && kills->n < engine->nworkers &&
           (kills->kills[kills->n] = pawl_kill_new()))
        kills->n++;
    return kills->n == engine->nworkers ? PAWL_OK : PAWL_ENOMEM;
}

void
pawl_kills_send(struct pawl *engine, struct pawl_kills *kills, struct pawl_task *task,
                uint64_t run)
{
    for (unsigned i = 0; i < kills->n; i++) {
        if (task)
            pawl_worker_kill(engine->workers[i], kills->kills[i], task, run);
        else
            pawl_kill_free(kills->kills[i]);
    }
    free(kills->kills);
}

void
pawl_kill_run(struct pawl *engine, struct pawl_task *task, uint64_t run)
{
    struct pawl_kills kills;
    int code = pawl_kills_make(engine, &kills);

    pawl_kills_send(engine, &kills, code == PAWL_OK ? task : NULL, run);
}
