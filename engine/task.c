/* task.c: the task and its snapshots; the only file that changes a task's state.
 *
 * Any registered thread applies events. An applied event replaces the snapshot that is decided;
 * what the new one shares with the old one (the definition, the results) is counted for both.
 *
 * D1: publishes a decided snapshot and all it points to; pairs with A1, every read of it.
 * R1: publishes a shown one; pairs with A1, too. Shown follows decided: it is replaced only by a
 * snapshot of a higher serial. */
#include "task.h"

#include "action.h"
#include "count.h"
#include "err.h"
#include "state.h"
#include "wheel.h"

#include <stdlib.h>
#include <string.h>

/* Markers: a task that is not visible yet, and one that was deleted. */
static struct pawl_snapshot reserved, gone;

/* --- Snapshots --- */

struct pawl_snapshot *
pawl_snapshot_new(void)
{
    return malloc(sizeof(struct pawl_snapshot) + sizeof(struct pawl_wait));
}

struct pawl_snapshot *
pawl_snapshot_widen(struct pawl_snapshot *first)
{
    return realloc(first, sizeof(struct pawl_snapshot) + sizeof(struct pawl_wait));
}

void
pawl_snapshot_free_unused(struct pawl_snapshot *snapshot)
{
    free(snapshot);
}

static bool
is_marker(const struct pawl_snapshot *snapshot)
{
    return snapshot == &gone || snapshot == &reserved;
}

static void
snapshot_free(struct pawl_snapshot *snapshot)
{
    pawl_def_unref(snapshot->def);
    pawl_results_unref(snapshot->results);
    free(snapshot);
}

static void
free_cb(ck_epoch_entry_t *deferred)
{
    snapshot_free((struct pawl_snapshot *) deferred);      /* its first member */
}

/* Gives up one hold; the last one leaves it to the epoch, for readers. */
void
pawl_task_let_go(struct pawl_epoch_thread *thread, struct pawl_snapshot *snapshot)
{
    if (snapshot && !is_marker(snapshot) && pawl_count_down(&snapshot->holds))
        pawl_epoch_defer(thread, &snapshot->deferred, free_cb);
}

static struct pawl_snapshot *
load_decided(const struct pawl_task *task)
{
    return atomic_load_explicit(&task->decided, memory_order_acquire);     /* A1 */
}

static struct pawl_snapshot *
load_shown(const struct pawl_task *task)
{
    return atomic_load_explicit(&task->shown, memory_order_acquire);       /* A1 */
}

static const struct pawl_snapshot *
unless_marker(const struct pawl_snapshot *snapshot, bool *out_gone)
{
    if (out_gone)
        *out_gone = snapshot == &gone;
    return is_marker(snapshot) ? NULL : snapshot;
}

const struct pawl_snapshot *
pawl_task_read(const struct pawl_task *task, bool *out_gone)
{
    return unless_marker(load_shown(task), out_gone);
}

const struct pawl_snapshot *
pawl_task_read_decided(const struct pawl_task *task, bool *out_gone)
{
    return unless_marker(load_decided(task), out_gone);
}

bool
pawl_task_shows_def(const struct pawl_task *task, struct pawl_epoch_thread *thread,
                    const struct pawl_def *def)
{
    const struct pawl_snapshot *shown;
    bool is_shown;

    pawl_epoch_begin(thread);
    shown = unless_marker(load_shown(task), NULL);
    is_shown = shown && shown->def == def;
    pawl_epoch_end(thread);
    return is_shown;
}

/* --- Applying --- */

static int64_t
output_of(const struct pawl_snapshot *snapshot)
{
    return snapshot && snapshot->results ? (int64_t) snapshot->results->bytes : 0;
}

/* Tells the caller what the change from old to next (NULL: gone) means outside of the task. */
static void
report(const struct pawl_snapshot *old, const struct pawl_snapshot *next,
       struct pawl_event *event)
{
    int64_t offset_ns = event->wall_ns - event->now_ns, armed_ns;

    event->delta_pending = (next && pawl_snapshot_is_pending(next)) - pawl_snapshot_is_pending(old);
    event->was_running = old->running;
    event->delta_output = output_of(next) - output_of(old);
    event->delta_memory = event->delta_output - (int64_t) pawl_def_bytes(old->def) +
                          (next ? (int64_t) pawl_def_bytes(next->def) : 0);
    event->is_wall = next && pawl_def_follows_wall(next->def);
    event->next_due_ns = next ? pawl_snapshot_fires_ns(next, offset_ns) : PAWL_NO_TIME;
    event->leaves_group = pawl_def_group(old->def) &&
                          (event->next_due_ns == PAWL_NO_TIME || event->next_due_ns > event->now_ns ||
                           !pawl_def_same_group(old->def, next->def));
    armed_ns = pawl_snapshot_fires_ns(old, offset_ns);
    if (event->kind == PAWL_EVENT_START)
        armed_ns = PAWL_NO_TIME;                    /* it was taken out of the wheel for it */
    event->rearm = event->kind == PAWL_EVENT_RETIME || event->kind == PAWL_EVENT_EDIT ||
                   event->next_due_ns != armed_ns;
    if (event->kind == PAWL_EVENT_START && !event->is_passed) {
        event->due_ns = pawl_snapshot_fires_ns(old, offset_ns);
        if (old->is_asked)
            event->due_ns = event->now_ns;
        event->run = next->run_count;
        event->def = next->def;
        pawl_count_up(&next->def->refs);
    }
    if ((event->kind == PAWL_EVENT_START && !event->is_passed) || !next)
        event->slot = next && next->depth > 0 ? PAWL_SLOT_NONE : old->slot;
}

/* Copies all but the epoch's link and the count, for both to hold what they point to. */
static void
copy_state(const struct pawl_snapshot *old, struct pawl_snapshot *next)
{
    const size_t from = offsetof(struct pawl_snapshot, def);
    const size_t to = offsetof(struct pawl_snapshot, holds);

    memcpy((char *) next + from, (const char *) old + from, to - from);
    if (old->has_wait)
        *pawl_wait_of(next) = *pawl_wait_of(old);
    atomic_init(&next->holds, 2);       /* of being decided, and ours: it may be replaced at once */
    next->serial++;
}

/* Notes the run that next begins in the table, before anybody can know of it. */
static void
fill_slot(const struct pawl_task *task, const struct pawl_snapshot *old,
          struct pawl_snapshot *next, const struct pawl_event *event)
{
    bool overlaps = pawl_def_overlaps(next->def);
    struct pawl_slot values = {
        .seq = task->seq, .run = next->run_count, .version = next->version,
        .scheduled_ns = event->due.ns,
        .flags = (event->due.is_wall ? PAWL_SLOT_WALL : 0) | (event->is_asked ? PAWL_SLOT_ASKED : 0) |
                 (overlaps ? PAWL_SLOT_OVERLAPS : 0) |
                 (pawl_action_is_tree(pawl_def_action(next->def)) ? PAWL_SLOT_TREE : 0) |
                 event->attempt << PAWL_SLOT_ATTEMPT,
        .started_ns = event->wall_ns, .started_elapsed_ns = event->now_ns,
    };

    if (!event->due.is_wall)
        values.scheduled_ns += event->anchor_ns;
    next->depth = 0;
    if (old->slot != PAWL_SLOT_NONE && (overlaps || old->depth + 1u < event->chain_max)) {
        values.previous = old->slot + 1;
        next->depth = overlaps ? 1 : old->depth + 1u;
    }
    pawl_slot_fill(event->table, event->slot, &values);
    next->slot = event->slot;
}

/* One try, inside a section: PAWL_OK, an error, or PAWL_PENDING when another change came first. */
static int
try_apply(struct pawl_task *task, struct pawl_snapshot *old, struct pawl_snapshot *next,
          struct pawl_event *event, struct pawl_err *err)
{
    struct pawl_snapshot *expected = old;       /* a failed swap writes to it */
    int code;

    if (next)
        copy_state(old, next);
    code = pawl_decide(old, event, next, err);
    if (code != PAWL_OK)
        return code;
    if (event->kind == PAWL_EVENT_START && event->table && !event->is_passed)
        fill_slot(task, old, next, event);
    if (next) {
        pawl_count_up(&next->def->refs);
        if (next->results && next->results == old->results)
            pawl_count_up(&next->results->refs);
    }
    /* D1; seq_cst, because watchers rely on it where it is shown, too: W1 in watch.c. */
    if (atomic_compare_exchange_strong_explicit(&task->decided, &expected, next ? next : &gone,
                                                memory_order_seq_cst, memory_order_relaxed))
        return PAWL_OK;
    if (next) {
        pawl_def_unref(next->def);
        pawl_results_unref(next->results);
    }
    return PAWL_PENDING;
}

/* --- Showing --- */

/* Whether next comes after shown. */
static bool
is_newer(const struct pawl_snapshot *next, const struct pawl_snapshot *shown)
{
    if (shown == &gone || next == shown)
        return false;
    if (is_marker(next) || shown == &reserved)
        return true;
    /* Of serials that wrap at 24 bits; unsigned, because they are ints in an expression. */
    return (int32_t) (((uint32_t) next->serial - (uint32_t) shown->serial) << 8) > 0;
}

/* Replaces expected, which is alive, by next, which is held or a marker; what is shown holds it. */
static bool
swap_shown(struct pawl_task *task, struct pawl_snapshot *expected, struct pawl_snapshot *next)
{
    /* R1; seq_cst, because watchers rely on it: W1 in watch.c. */
    return atomic_compare_exchange_strong_explicit(&task->shown, &expected, next,
                                                   memory_order_seq_cst, memory_order_relaxed);
}

bool
pawl_task_show(struct pawl_task *task, struct pawl_epoch_thread *thread,
               struct pawl_snapshot *snapshot)
{
    struct pawl_snapshot *shown, *next = snapshot ? snapshot : &gone;
    bool swapped = false, newer;

    if (snapshot)
        pawl_count_up(&snapshot->holds);
    do {
        pawl_epoch_begin(thread);       /* what is compared must not be freed and made anew */
        shown = load_shown(task);
        newer = is_newer(next, shown);
        if (newer)
            swapped = swap_shown(task, shown, next);
        pawl_epoch_end(thread);
    } while (newer && !swapped);
    pawl_task_let_go(thread, swapped ? shown : snapshot);
    return swapped;
}

struct pawl_snapshot *
pawl_task_hold(struct pawl_task *task, struct pawl_epoch_thread *thread)
{
    struct pawl_snapshot *decided;
    bool held = false;

    while (!held) {
        pawl_epoch_begin(thread);
        decided = load_decided(task);
        held = is_marker(decided) || pawl_count_up_if_any(&decided->holds);
        pawl_epoch_end(thread);
    }
    return is_marker(decided) ? NULL : decided;
}

uint32_t
pawl_task_release_slot(struct pawl_task *task, struct pawl_epoch_thread *thread,
                       struct pawl_snapshot *snapshot)
{
    struct pawl_snapshot *next, *expected = snapshot;
    uint32_t slot = snapshot->slot;

    if (slot == PAWL_SLOT_NONE || snapshot->running > 0 || load_decided(task) != snapshot)
        return PAWL_SLOT_NONE;
    next = pawl_snapshot_new();
    if (!next)
        return PAWL_SLOT_NONE;
    copy_state(snapshot, next);
    next->slot = PAWL_SLOT_NONE;
    next->depth = 0;
    pawl_count_up(&next->def->refs);
    if (next->results)
        pawl_count_up(&next->results->refs);
    if (!atomic_compare_exchange_strong_explicit(&task->decided, &expected, next,
                                                 memory_order_seq_cst, memory_order_relaxed)) {
        snapshot_free(next);
        return PAWL_SLOT_NONE;
    }
    pawl_task_let_go(thread, snapshot);         /* as decided; the caller holds it still */
    pawl_task_show(task, thread, next);
    pawl_task_let_go(thread, next);
    return slot;
}

/* --- Applying --- */

/* Lets readers see a change where no store must keep it first. */
static void
show_now(struct pawl_task *task, struct pawl_epoch_thread *thread, struct pawl_snapshot *old,
         struct pawl_snapshot *next, struct pawl_event *event)
{
    if (!event->is_deferred) {
        event->is_shown = pawl_task_show(task, thread, next);
    } else if ((event->kind == PAWL_EVENT_START && !event->is_passed) ||
               event->kind == PAWL_EVENT_TRIM) {
        pawl_count_up(&next->holds);
        event->is_shown = swap_shown(task, old, next);      /* if all before it is shown */
        pawl_task_let_go(thread, event->is_shown ? old : next);
    }
}

int
pawl_task_apply(struct pawl_task *task, struct pawl_epoch_thread *thread,
                struct pawl_event *event, struct pawl_err *err)
{
    struct pawl_snapshot *old, *next = NULL;
    int code;

    if (event->kind != PAWL_EVENT_DELETE && event->kind != PAWL_EVENT_EXPIRE) {
        next = event->spare ? event->spare : pawl_snapshot_new();
        if (!next)
            return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
        event->spare = NULL;
    }
    pawl_epoch_begin(thread);
    do {
        old = load_decided(task);
        code = is_marker(old) ? PAWL_ENOENT : try_apply(task, old, next, event, err);
    } while (code == PAWL_PENDING);
    if (code == PAWL_OK) {
        report(old, next, event);
        if (event->view) {
            struct pawl_now now = pawl_event_now(event);

            pawl_task_view(task, next, &now, event->is_full, event->view);
        }
    } else {
        event->is_unsettled = old != &reserved && load_shown(task) != old;
        if (event->needs_place) {
            event->def = old->def;
            pawl_count_up(&old->def->refs);
        }
        event->is_expired = code == PAWL_ESTATE && pawl_snapshot_is_over(old) &&
                            pawl_snapshot_has_come(old, event);
    }
    pawl_epoch_end(thread);
    if (code == PAWL_OK) {
        show_now(task, thread, old, next, event);
        pawl_task_let_go(thread, old);          /* as decided */
        pawl_task_let_go(thread, next);
    } else {
        event->spare = next;
    }
    if ((code != PAWL_OK || event->is_passed) && event->kind == PAWL_EVENT_START && event->table)
        pawl_slot_clear(event->table, event->slot);         /* it may have been filled in vain */
    return code;
}

/* --- Life --- */

struct pawl_task *
pawl_task_new(const struct pawl_index *index, const struct pawl_spec *spec, int keep_results,
              struct pawl_schedule *schedule, const struct pawl_now *now,
              struct pawl_snapshot **out_first)
{
    size_t size = offsetof(struct pawl_task, key.bytes) + spec->id_len;
    struct pawl_task *task = malloc(size > sizeof *task ? size : sizeof *task);
    struct pawl_def *def = pawl_def_new(spec, keep_results, schedule);
    bool has_wait = def && pawl_def_policy(def);
    struct pawl_snapshot *first = malloc(sizeof *first + (has_wait ? sizeof(struct pawl_wait) : 0));

    if (!task || !first || !def) {
        free(task);
        free(first);
        pawl_def_unref(def);
        return NULL;
    }
    *task = (struct pawl_task) {.created_ns = now->wall_ns, .timer = PAWL_TIMER_NONE};
    atomic_init(&task->decided, &reserved);
    atomic_init(&task->shown, &reserved);
    atomic_init(&task->refs, 1);
    atomic_init(&task->is_queued, false);
    atomic_init(&task->is_dirty, false);
    atomic_init(&task->is_waiting, false);
    atomic_init(&task->last_slot, PAWL_SLOT_UNKNOWN);
    pawl_inbox_init(&task->posts);
    pawl_index_key(index, spec->id, spec->id_len, &task->key);
    *first = (struct pawl_snapshot) {
        .def = def, .updated_ns = task->created_ns, .status = PAWL_TO_BE_EXECUTED,
        .previous_ns = PAWL_NO_TIME, .slot = PAWL_SLOT_NONE, .holds = 2,    /* decided and shown */
    };
    if (has_wait)
        pawl_snapshot_make_wait(first);
    pawl_snapshot_set_due(first, pawl_def_first(def, now));
    *out_first = first;
    return task;
}

void
pawl_task_publish(struct pawl_task *task, struct pawl_epoch_thread *thread,
                  struct pawl_snapshot *first)
{
    atomic_store_explicit(&task->decided, first, memory_order_release);    /* D1 */
    if (!swap_shown(task, &reserved, first))
        pawl_task_let_go(thread, first);        /* a change of it was quicker */
}

bool
pawl_task_is_reserved(const struct pawl_task *task)
{
    return load_shown(task) == &reserved;
}

void
pawl_task_mark_gone(struct pawl_task *task, struct pawl_epoch_thread *thread,
                    struct pawl_snapshot *first)
{
    atomic_store_explicit(&task->decided, &gone, memory_order_release);
    atomic_store_explicit(&task->shown, &gone, memory_order_release);
    pawl_epoch_defer(thread, &first->deferred, free_cb);
}

bool
pawl_task_is_live(const struct pawl_key *key)
{
    return load_shown(pawl_task_of_key(key)) != &gone;
}

void
pawl_task_ref(struct pawl_task *task)
{
    pawl_count_up(&task->refs);
}

void
pawl_task_unref(struct pawl_task *task)
{
    struct pawl_snapshot *last[2];

    if (!pawl_count_down(&task->refs))
        return;
    last[0] = load_decided(task);
    last[1] = load_shown(task);
    for (int i = 0; i < 2; i++) {
        if (!is_marker(last[i]) && pawl_count_down(&last[i]->holds))
            snapshot_free(last[i]);
    }
    free(task);
}

static void
unref_cb(ck_epoch_entry_t *deferred)
{
    pawl_task_unref((struct pawl_task *) ((char *) deferred -
                                          offsetof(struct pawl_task, deferred)));
}

void
pawl_task_unref_later(struct pawl_task *task, struct pawl_epoch_thread *thread)
{
    pawl_epoch_defer(thread, &task->deferred, unref_cb);
}
