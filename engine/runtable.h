/* runtable.h: the table of runs in progress, which tells the next daemon what this one left behind.
 *
 * A file of slots, mapped into memory: what is written there survives kill -9 without a system
 * call, so the start of a run need not wait for a commit, and works when the disk is full. It says
 * nothing about a crash of the machine: there the store's last commit holds, and no process lives.
 *
 * A slot is filled before the task's state changes to "running" and is cleared once the end of the
 * run is durable. Each worker takes slots from its own part of the table; whoever finds that a slot
 * is not needed any more clears it.
 *
 * Runs of one task that overlap end in any order. Their slots say so, and stand in one chain, of which
 * the committer alone takes some out: those that it knew to have ended when it read the state that is
 * durable now. Such a slot is free when its worker has said that the run ended, and the committer that
 * the store knows.
 *
 * R1: frees a slot; pairs with A1, where its worker looks for a free one.
 * R2: a slot is whole; pairs with A2, where it is half cleared, and is what the next daemon reads. */
#ifndef PAWL_RUNTABLE_H
#define PAWL_RUNTABLE_H

#include <pawl.h>
#include <stdatomic.h>
#include <sys/types.h>

#define PAWL_SLOT_NONE UINT32_MAX
#define PAWL_SLOT_CHAIN_MAX 16          /* runs of a task that are noted singly; of others before them
                                         * only the number is known */

/* Bits of a slot's state; 0: free. */
#define PAWL_SLOT_USED 1u
#define PAWL_SLOT_ENDED 2u              /* the run has ended: one that overlaps, or of a deleted task */
#define PAWL_SLOT_FORGOTTEN 4u          /* that, or the deletion of its task, is durable */
#define PAWL_SLOT_WRITTEN 8u            /* by the committer: its end is in the state that is being written */

/* Bits of its flags. */
#define PAWL_SLOT_WALL 1u               /* the due time is a wall time */
#define PAWL_SLOT_TREE 4u                /* the process is a pawl-tree */
#define PAWL_SLOT_ATTEMPT 16            /* the attempt is in the bits from here on */
#define PAWL_SLOT_ASKED 2u              /* the run was asked for: the schedule knows nothing of it */
#define PAWL_SLOT_OVERLAPS 8u           /* others of the task may run beside it */

/* One slot: 64 bytes, a cache line. The same layout in every version of the file's format. */
struct pawl_slot {
    _Atomic uint32_t state;             /* A: written last when filled, first when cleared */
    _Atomic int32_t pid;                /* A: relaxed: by the child itself before exec; 0: none */
    uint64_t seq;                       /* of the task */
    uint64_t run;                       /* its number */
    int64_t version;                    /* of the task, with this start counted */
    int64_t scheduled_ns;               /* the due time, on the store's scale, or wall */
    int64_t started_ns;                 /* wall */
    int64_t started_elapsed_ns;         /* CLOCK_BOOTTIME, just before the clone */
    uint32_t previous;                  /* + 1: the slot of the task's run before, if that is not durable
                                         * either; 0: none. Whoever clears a slot clears the chain */
    uint32_t flags;
};

struct pawl_runtable {
    struct pawl_slot *slots;            /* I: mapped, behind the header */
    uint32_t nslots;                    /* I */
    bool is_same_boot;                  /* I: what was found in the slots is of this boot */
    void *mapping;                      /* I */
    size_t mapping_size;
    int fd;
};

/* Opens or makes the file `runs` in dir, with room for nslots at least (a larger one stays), and
 * locks it until it is closed. What an earlier daemon left is in the slots whose state is not 0:
 * none of its children is still before exec, so that a pid of 0 means that there is no process.
 * Blocks: while another process holds the file, up to 5 s.
 * Errors: PAWL_ESYS (err says what to do), PAWL_EBUSY: another process holds it, PAWL_EDAMAGED: not
 * a table of runs, truncated, or of a newer format. On failure there is nothing to be closed. */
int
pawl_runtable_open(struct pawl_runtable *table, int dir_fd, uint32_t nslots, struct pawl_err *err);
/* Notes that from now on slots are of this boot; when the old ones were looked at. If they are of
 * another one, their pids become 0. Threads: one, before any slot is filled. */
void
pawl_runtable_adopt(struct pawl_runtable *table);
/* A table that is all zero but for an fd of -1 is accepted. */
void
pawl_runtable_close(struct pawl_runtable *table);

/* A worker's part of the table. Used by one thread. */
struct pawl_slot_part {
    struct pawl_runtable *table;
    uint32_t first, n, next;
};

/* Part i of n. */
void
pawl_slot_part_init(struct pawl_slot_part *part, struct pawl_runtable *table, unsigned i,
                    unsigned n);
/* A free slot, still free for others to see: fill it. PAWL_SLOT_NONE: all are taken. */
uint32_t
pawl_slot_take(struct pawl_slot_part *part);

/* Fills a slot that was taken, the state last; its pid is 0 until the child writes it.
 * Threads: the one that took it. */
void
pawl_slot_fill(struct pawl_runtable *table, uint32_t slot, const struct pawl_slot *values);
/* The run's next process is about to be made, now (CLOCK_BOOTTIME); the one before it is gone.
 * Threads: the one that took it. */
void
pawl_slot_next_process(struct pawl_runtable *table, uint32_t slot, int64_t elapsed_ns);
/* Clears a slot. Threads: any, once a filling. PAWL_SLOT_NONE is accepted. */
void
pawl_slot_clear(struct pawl_runtable *table, uint32_t slot);
/* The same with all that are before it; those that overlap once they have ended. */
void
pawl_slot_clear_chain(struct pawl_runtable *table, uint32_t slot);
/* Of runs that overlap, notes which have ended: a state that is read after this has their ends.
 * Threads: the committer's. */
void
pawl_slot_note_ended(struct pawl_runtable *table, uint32_t slot);
/* Takes those that were noted out of the chain behind slot and clears them: that state is durable.
 * Threads: the committer's. */
void
pawl_slot_sweep(struct pawl_runtable *table, uint32_t slot);
/* Sets PAWL_SLOT_ENDED or PAWL_SLOT_FORGOTTEN; clears the slot if the other one is set, too.
 * Threads: any two, each with one of the bits. PAWL_SLOT_NONE is accepted. */
void
pawl_slot_half_clear(struct pawl_runtable *table, uint32_t slot, uint32_t bit);

#endif
