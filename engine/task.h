/* task.h: a task, its snapshots and its state table.
 *
 * All that can change of a task is in one immutable snapshot. A change copies it, edits the copy
 * and swaps it in by one compare-and-swap; the loser of a race looks again and decides anew. What
 * each event does in each state is decided by one function, decide() in task.c, and nowhere else.
 *
 * A task has two snapshots: `decided`, on which the next event is decided, and `shown`, which
 * readers see. Without a store they are one. With a store a change is shown once it is durable, so
 * that nobody is told what a crash could take back; the start of a run alone is shown at once, if
 * all before it is durable, because the table of runs keeps it (runtable.h).
 *
 * Who keeps a snapshot alive: a count of its holders (decided, shown, the committer), and then an
 * epoch. Who keeps a task alive: a count. The index holds one reference, given up one grace period
 * after the task left it, so a reader inside an epoch section may count up any task that it finds
 * there. The wheel, the ready ring with the run that follows, the ticker's and the committer's
 * inbox, posts of watchers and views hold one each. */
#ifndef PAWL_TASK_H
#define PAWL_TASK_H

#include "def.h"
#include "epoch.h"
#include "inbox.h"
#include "index.h"
#include "result.h"
#include "runtable.h"

#include <pawl.h>
#include <stdatomic.h>
#include <stddef.h>

/* Due times that only some tasks ever pass by; of those of plain ones see struct pawl_snapshot. */
struct pawl_tally {
    uint64_t skipped_condition;         /* the condition of the run failed */
    uint64_t skipped_group;             /* the group of the task was full */
    uint64_t missed_paused;             /* of those that were missed: in a pause */
};

/* What only some tasks remember: those with policies, and those with a tally. */
struct pawl_wait {
    struct pawl_tally tally;
    int64_t not_before_ns;              /* elapsed: when the next attempt may begin */
    int64_t retried_ns;                 /* the due time that is tried again */
    uint32_t attempt : 16;              /* of the run in progress, or of the one that failed; 0: none */
    uint32_t is_retry : 1;              /* the next run is another attempt */
    uint32_t is_retried_wall : 1;
    uint32_t has_backlog : 1;           /* the due time has come, and is to be run however late it is */
    uint32_t must_replace : 1;          /* the run in progress is to make room for the newest due time */
    uint32_t is_shared : 1;             /* the runs in progress began as such that overlap */
    uint32_t is_given_up : 1;           /* the run in progress is not tried again: somebody ended it */
    uint32_t nmissed;                   /* so many from the due time on were missed, and are run one by one */
};

/* E: immutable once published, but for its count. */
struct pawl_snapshot {
    ck_epoch_entry_t deferred;
    struct pawl_def *def;               /* counted; NULL only in the two markers of task.c */
    struct pawl_results *results;       /* counted; NULL: none */
    int64_t version;
    int64_t updated_ns;                 /* wall */
    int64_t due_ns;                     /* the due time, or of a task that is over, when it is to be
                                         * forgotten; PAWL_NO_TIME: none; INT64_MAX: never */
    int64_t previous_ns;                /* wall; PAWL_NO_TIME: none */
    uint64_t run_count;
    uint64_t failure_count : 40;
    uint64_t asked_count : 24;          /* of the runs, those that were asked for; no more than that */
    uint64_t skipped_overlap;
    uint64_t missed;
    uint32_t slot;                      /* of its newest run that is not durable, or PAWL_SLOT_NONE */
    uint32_t running : 20, status : 3;
    uint32_t is_due_wall : 1;           /* the due time's scale: see schedule.h */
    uint32_t is_paused : 1;
    uint32_t is_asked : 1;              /* a run was asked for, and is to begin at once */
    uint32_t has_wait : 1;              /* as each has whose definition has a policy */
    uint32_t end_reason : 3;            /* of the newest end, which may be over: pawl_snapshot_is_over() */
    uint32_t serial : 24;               /* grows by one with each change, whatever version does */
    uint32_t depth : 8;                 /* slots before slot in its chain */
    _Atomic uint32_t holds;             /* A: relaxed up, acq_rel down */
    /* A struct pawl_wait follows if has_wait. */
};

/* What last_slot says beside a slot: not known yet; that the run of the slot was in progress. */
#define PAWL_SLOT_UNKNOWN (UINT32_MAX - 1)
#define PAWL_SLOT_RUNNING (UINT32_C(1) << 31)

struct pawl_task {
    _Atomic(struct pawl_snapshot *) decided;    /* E: D1 in task.c */
    _Atomic(struct pawl_snapshot *) shown;      /* E: R1/A1 in task.c */
    uint64_t seq;                       /* I */
    int64_t created_ns;                 /* I: wall */
    ck_stack_entry_t arm_entry;         /* in the ticker's inbox while is_queued */
    ck_stack_entry_t dirty_entry;       /* in the committer's inbox while is_dirty */
    struct pawl_inbox posts;            /* watchers' posts, see watch.c */
    ck_epoch_entry_t deferred;      /* after the index */
    _Atomic uint32_t refs;              /* A: relaxed up, acq_rel down */
    uint32_t timer;                     /* T: in the wheel, or PAWL_TIMER_NONE */
    _Atomic uint32_t last_slot;         /* A: G1 in change.c: of a task that was deleted */
    _Atomic bool is_queued;             /* A: Q1 in ticker.c */
    _Atomic bool is_dirty;              /* A: Q1 in committer.c */
    _Atomic bool is_waiting;            /* A: relaxed, for those who look: in the queue of its group */
    bool is_unsaved : 1;             /* by the committer: what it wrote last of it failed */
    bool is_retried : 1;             /* by the committer: it waits to be written again */
    bool is_refused : 1;             /* by the committer: its submit came to nothing */
    struct pawl_key key;                /* I: last; its bytes go on behind it */
};

enum pawl_event_kind {
    PAWL_EVENT_START,       /* a worker is about to spawn */
    PAWL_EVENT_FINISH,      /* a run has ended */
    PAWL_EVENT_STOP,
    PAWL_EVENT_RUN,         /* a run is asked for */
    PAWL_EVENT_PAUSE,
    PAWL_EVENT_RESUME,
    PAWL_EVENT_EDIT,        /* it is to be what another definition says */
    PAWL_EVENT_DELETE,
    PAWL_EVENT_EXPIRE,      /* a task that is over was kept for long enough */
    PAWL_EVENT_RETIME,      /* the wall clock was set */
    PAWL_EVENT_TRIM,        /* kept output is dropped for memory */
    PAWL_NEVENT
};

/* Something that happens to a task, and what came of it. */
struct pawl_event {
    enum pawl_event_kind kind;
    int64_t now_ns;                     /* elapsed */
    int64_t wall_ns;
    int64_t high_ns, oldest_ns;         /* wall: see struct pawl_now */
    int64_t old_wall_ns;                /* RETIME: what the wall clock would show had it not been set */
    bool is_kill;                       /* STOP: the run in progress is ended, too */
    int64_t keep_ns;                    /* how long a task that is over stays; INT64_MAX: ever */
    bool is_deferred;                   /* a store shows the change once it is durable */
    struct pawl_snapshot *spare;        /* taken if not NULL, else one is allocated; an unused
                                         * one stays here */
    struct pawl_result_box *box;        /* FINISH: borrowed; NULL: there was no memory for it */
    bool failed;                        /* FINISH */
    bool is_condition_skip;             /* FINISH: its condition failed: nothing was run; is_asked and
                                         * due are those of its START */
    const struct pawl_def *group_of;    /* START: the run has a place in this one's group, or: */
    bool is_group_full;                 /* START: there is no place for it in its group: it is skipped */
    int exit_code;                      /* FINISH: -1: there is none */
    int64_t cutoff_ns;                  /* TRIM: output that ended at or before it goes */
    const struct pawl_def *basis;       /* EDIT: borrowed: what edited was made from */
    struct pawl_def *edited;            /* EDIT: borrowed: the new definition, with a policy if basis has one */
    int64_t version;                    /* EDIT: the one that is edited; negative: any */
    bool is_rescheduled;                /* EDIT: edited fires at other times: first at due, below */
    struct pawl_runtable *table;        /* START: where the run is noted; NULL: nowhere */
    unsigned chain_max;                 /* START: how many runs of the task are noted singly */
    int64_t anchor_ns;                  /* START: elapsed + this = the store's scale */
    uint32_t slot;                      /* START: in: a free slot for the run; out: the slot that the task
                                         * had before, if the new one is not chained to it; DELETE,
                                         * EXPIRE: out: its slot; or PAWL_SLOT_NONE */
    /* What came of it. */
    struct pawl_due due;                /* START, out, and FINISH, in: the due time that is run; EDIT, in */
    int64_t due_ns;                     /* START: when it was to be fired (elapsed) */
    uint64_t run;                       /* START: the number of the run */
    struct pawl_def *def;               /* START: given, counted; so is the one whose group it needs: */
    bool needs_place;                   /* START, refused: a run is to begin, in a group */
    bool is_asked;                      /* START: of a run that was asked for */
    bool is_passed;                     /* START: nothing is to be run: the due time was missed, or
                                         * waits for the end of a run */
    bool must_kill;                     /* START, RUN: the run in progress is to be ended */
    unsigned attempt;                   /* START: from 1 */
    bool is_expired;                    /* START, refused: time for EXPIRE */
    bool is_shown;                      /* readers see it already */
    bool is_unsettled;                  /* refused because of a change that is not shown yet */
    uint32_t was_running;               /* runs in progress before */
    bool is_wall;                       /* there is a new state, and it follows the wall clock */
    bool leaves_group;                  /* it is not to be run now, or not in that group: it waits no more */
    bool rearm;                         /* the due time changed: the ticker must look */
    int64_t next_due_ns;                /* the new one, when it is to be fired (elapsed) */
    int64_t delta_pending;              /* what the change means for the engine's counters */
    int64_t delta_memory, delta_output;
    bool is_full;                       /* in: no run can begin, for the view */
    struct pawl_view *view;             /* in: NULL or storage; the new state is given */
};

/* Makes a task that is in no room yet; its snapshot is a marker that readers pass over.
 * Threads: any. Owns: takes schedule, also on failure; gives, with one reference.
 * NULL: out of memory. */
struct pawl_task *
pawl_task_new(const struct pawl_index *index, const struct pawl_spec *spec, int keep_results,
              struct pawl_schedule *schedule, const struct pawl_now *now,
              struct pawl_snapshot **out_first);

/* Makes the task visible in the state it was made with. Threads: the submitter's, or the
 * committer's. Owns: takes. */
void
pawl_task_publish(struct pawl_task *task, struct pawl_epoch_thread *thread,
                  struct pawl_snapshot *first);

/* Marks a task that is not to become visible after all; first is freed after its readers.
 * Threads: the submitter's. Owns: takes first. */
void
pawl_task_mark_gone(struct pawl_task *task, struct pawl_epoch_thread *thread,
                    struct pawl_snapshot *first);

/* Lets an event happen: one compare-and-swap, after as many tries as others win.
 * Threads: any registered, outside a section, holding a reference. Blocks: no.
 * Errors: PAWL_ENOENT (deleted, or not visible yet), PAWL_ESTATE (err says why), PAWL_ENOMEM. */
int
pawl_task_apply(struct pawl_task *task, struct pawl_epoch_thread *thread,
                struct pawl_event *event, struct pawl_err *err);

/* Whether what readers see of the task has this definition. Threads: any registered, outside a
 * section. */
bool
pawl_task_shows_def(const struct pawl_task *task, struct pawl_epoch_thread *thread,
                    const struct pawl_def *def);

/* The snapshot that readers see; a marker is given as NULL, *out_gone tells which.
 * Threads: any, inside a section. */
const struct pawl_snapshot *
pawl_task_read(const struct pawl_task *task, bool *out_gone);

/* The same of the one that is decided. Threads: any, inside a section. */
const struct pawl_snapshot *
pawl_task_read_decided(const struct pawl_task *task, bool *out_gone);

/* Whether the task is not visible yet. Threads: any. */
bool
pawl_task_is_reserved(const struct pawl_task *task);

/* --- For the committer --- */

/* Holds the snapshot that is decided now, to be written; NULL: the task was deleted.
 * Threads: any registered, outside a section. Owns: gives, to pawl_task_let_go(). */
struct pawl_snapshot *
pawl_task_hold(struct pawl_task *task, struct pawl_epoch_thread *thread);
void
pawl_task_let_go(struct pawl_epoch_thread *thread, struct pawl_snapshot *snapshot);

/* Shows a snapshot that was held (NULL: that the task is gone), unless a newer one is shown.
 * True: it is shown by this call. Threads: any registered, outside a section. */
bool
pawl_task_show(struct pawl_task *task, struct pawl_epoch_thread *thread,
               struct pawl_snapshot *snapshot);

/* Takes the slot out of a task all of whose runs are durable: snapshot is held, was written, and
 * nothing happened since; else PAWL_SLOT_NONE. Threads: the committer's. */
uint32_t
pawl_task_release_slot(struct pawl_task *task, struct pawl_epoch_thread *thread,
                       struct pawl_snapshot *snapshot);

/* --- */

/* Fills in a view of a snapshot, counting up what it points to; results that ended before
 * now->oldest_ns are left out. is_full: no run can begin, so many are in progress.
 * Threads: any, inside a section. */
void
pawl_task_view(struct pawl_task *task, const struct pawl_snapshot *snapshot,
               const struct pawl_now *now, bool is_full, struct pawl_view *out_view);

/* Whether the task is still there, for pawl_index_put(). */
bool
pawl_task_is_live(const struct pawl_key *key);

static inline struct pawl_task *
pawl_task_of_key(const struct pawl_key *key)
{
    return (struct pawl_task *) ((char *) key - offsetof(struct pawl_task, key));
}

/* Whether a snapshot is of a task that is over for good: its last run has ended, or it is a delay
 * task that was stopped. */
bool
pawl_snapshot_is_over(const struct pawl_snapshot *snapshot);

static inline struct pawl_due
pawl_snapshot_due(const struct pawl_snapshot *snapshot)
{
    return (struct pawl_due) {snapshot->due_ns, snapshot->is_due_wall};
}

static inline void
pawl_snapshot_set_due(struct pawl_snapshot *snapshot, struct pawl_due due)
{
    snapshot->due_ns = due.ns;
    snapshot->is_due_wall = due.is_wall;
}

/* When the ticker is to look at the task: to run it, or to forget it (elapsed); as the due time, none
 * and never included. offset_ns: wall - elapsed. */
int64_t
pawl_snapshot_fires_ns(const struct pawl_snapshot *snapshot, int64_t offset_ns);

/* What stands behind a snapshot that has it. */
static inline struct pawl_wait *
pawl_wait_of(const struct pawl_snapshot *snapshot)
{
    return (struct pawl_wait *) (uintptr_t) (snapshot + 1);
}

/* The same of any; NULL where there is none. */
static inline const struct pawl_wait *
pawl_snapshot_wait(const struct pawl_snapshot *snapshot)
{
    return snapshot->has_wait ? pawl_wait_of(snapshot) : NULL;
}

/* Gives a snapshot that has room for it one that remembers nothing, if it has none. */
static inline struct pawl_wait *
pawl_snapshot_make_wait(struct pawl_snapshot *snapshot)
{
    struct pawl_wait *wait = pawl_wait_of(snapshot);

    if (!snapshot->has_wait)
        *wait = (struct pawl_wait) {0};
    snapshot->has_wait = true;
    return wait;
}

/* Forgets all but what was counted. */
static inline void
pawl_wait_reset(struct pawl_wait *wait)
{
    *wait = (struct pawl_wait) {.tally = wait->tally};
}

/* How many of its runs count for maxRuns: not those that were asked for or skipped. */
uint64_t
pawl_snapshot_scheduled_runs(const struct pawl_snapshot *snapshot);

/* Whether the task has had all the runs that its definition allows. */
bool
pawl_snapshot_is_used_up(const struct pawl_snapshot *snapshot);

/* Whether as many runs are in progress as may be at once. */
bool
pawl_snapshot_is_full(const struct pawl_snapshot *snapshot);

/* Why a task has come to its end; delay_end: what became of the one run of a delay task. */
enum pawl_end_reason
pawl_snapshot_end_reason(const struct pawl_snapshot *snapshot, const struct pawl_now *now,
                         enum pawl_end_reason delay_end);

/* When a task that is over at a moment is forgotten, on the same scale; PAWL_NO_TIME: never. */
int64_t
pawl_task_expiry(int64_t over_ns, int64_t keep_ns);

/* Counting. Threads: any that holds a reference, or a reader in a section. */
void
pawl_task_ref(struct pawl_task *task);
void
pawl_task_unref(struct pawl_task *task);
/* Gives up the index's reference once no reader can find the task any more. */
void
pawl_task_unref_later(struct pawl_task *task, struct pawl_epoch_thread *thread);

/* Room for any snapshot that a later event will need; NULL: out of memory. */
struct pawl_snapshot *
pawl_snapshot_new(void);
/* Makes as much room in one that nobody else has seen yet. Owns: takes on success, gives.
 * NULL: out of memory. */
struct pawl_snapshot *
pawl_snapshot_widen(struct pawl_snapshot *first);
/* Gives back one that no event took; NULL is accepted. */
void
pawl_snapshot_free_unused(struct pawl_snapshot *snapshot);

#endif
