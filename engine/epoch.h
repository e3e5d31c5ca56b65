/* epoch.h: a thin cover of ck_epoch: who reads, what is freed later.
 *
 * A reader opens a section, follows published pointers and closes it; what was unlinked before is
 * freed once every section that could have seen it is closed (Fraser, "Practical lock-freedom",
 * 2004; the proof stands in ck_epoch.c). Sections are short: no I/O, no lock, no callback.
 *
 * ck_epoch_poll of libck 0.7.1 frees too early when two records poll and the unlink was a plain
 * store still in the store buffer when ck_epoch_call read the epoch. pawl_epoch_defer() therefore
 * fences before every ck_epoch_call; tsan/stress_epoch_poll.c shows both sides. */
#ifndef PAWL_EPOCH_H
#define PAWL_EPOCH_H

#include <ck_epoch.h>
#include <stdbool.h>

#include <pthread.h>

struct pawl_epoch {
    ck_epoch_t ck;
    pthread_mutex_t lock;               /* of records; taken by attach, detach and fini only */
    struct pawl_epoch_thread *records;  /* L: all ever made, for fini */
};

/* One thread's place in the epoch; at a stable address until pawl_epoch_fini(). */
struct pawl_epoch_thread {
    ck_epoch_record_t record;           /* first: found again from ck_epoch_recycle() */
    unsigned deferred;                  /* by the owner only: calls since the last poll */
    struct pawl_epoch_thread *next;
};

void
pawl_epoch_init(struct pawl_epoch *epoch);
/* Frees the records. Threads: one, when all have unregistered. */
void
pawl_epoch_fini(struct pawl_epoch *epoch);

/* Gives the calling thread a record; NULL: out of memory. Threads: any. Locks: epoch->lock. */
struct pawl_epoch_thread *
pawl_epoch_register(struct pawl_epoch *epoch);
/* Frees all that the record deferred, then gives it back. Blocks: until open sections close. */
void
pawl_epoch_unregister(struct pawl_epoch *epoch, struct pawl_epoch_thread *thread);

static inline void
pawl_epoch_begin(struct pawl_epoch_thread *thread)
{
    ck_epoch_begin(&thread->record, NULL);
}

static inline void
pawl_epoch_end(struct pawl_epoch_thread *thread)
{
    ck_epoch_end(&thread->record, NULL);
}

/* Calls free_cb(entry) once no reader can see the object that embeds the entry any more. It must
 * be unlinked already. Frees nothing itself: that is for pawl_epoch_tidy(). Threads: the record's. Blocks: no. */
void
pawl_epoch_defer(struct pawl_epoch_thread *thread, ck_epoch_entry_t *entry,
                 ck_epoch_cb_t *free_cb);

/* Frees what can be freed, if enough is waiting to be worth the look. For the end of each call.
 * Threads: the record's, outside a section and without a lock. Blocks: no. */
void
pawl_epoch_tidy(struct pawl_epoch_thread *thread);

/* Frees what can be freed. True: something is left, try again in some milliseconds.
 * Threads: the record's, outside a section. Blocks: no. */
bool
pawl_epoch_rest(struct pawl_epoch_thread *thread);

#endif
