/* group.c: what goes into one commit. */
#include "group.h"

#include "committer.h"
#include "schedule.h"
#include "shared.h"

#include <stdlib.h>

int
pawl_group_init(struct pawl_committer_group *group, struct pawl *engine)
{
    group->engine = engine;
    group->items = malloc(PAWL_GROUP_MAX * sizeof *group->items);
    group->writes = malloc(PAWL_GROUP_MAX * sizeof *group->writes);
    group->of_write = malloc(PAWL_GROUP_MAX * sizeof *group->of_write);
    return group->items && group->writes && group->of_write ? PAWL_OK : PAWL_ENOMEM;
}

void
pawl_group_fini(struct pawl_committer_group *group)
{
    free(group->items);
    free(group->writes);
    free(group->of_write);
}

void
pawl_group_reset(struct pawl_committer_group *group)
{
    group->nitems = group->nwrites = 0;
}

bool
pawl_group_has_room(const struct pawl_committer_group *group)
{
    return group->nitems < PAWL_GROUP_MAX;
}

/* --- What is written --- */

/* What only some tasks remember. */
static void
fill_wait(const struct pawl *engine, const struct pawl_snapshot *snapshot,
          struct pawl_record *record)
{
    const struct pawl_wait *wait = pawl_snapshot_wait(snapshot);

    record->policy = pawl_def_policy(snapshot->def);
    if (!wait)
        return;
    record->skipped_condition = wait->tally.skipped_condition;
    record->skipped_group = wait->tally.skipped_group;
    record->missed_paused = wait->tally.missed_paused;
    record->attempt = wait->attempt;
    record->has_backlog = wait->has_backlog;
    record->is_catching_up = wait->nmissed > 0;
    record->must_replace = wait->must_replace;
    record->is_retry = wait->is_retry;
    if (!wait->is_retry)
        return;
    record->is_retried_wall = wait->is_retried_wall;
    record->not_before_ns = pawl_schedule_after(wait->not_before_ns, engine->scale.anchor_ns);
    record->retried_ns = wait->retried_ns + (wait->is_retried_wall ? 0 : engine->scale.anchor_ns);
}

static void
fill_record(const struct pawl *engine, const struct pawl_task *task,
            const struct pawl_snapshot *snapshot, struct pawl_record *record)
{
    const struct pawl_def *def = snapshot->def;
    const struct pawl_tags *tags = pawl_def_tags(def);
    int64_t due_ns = pawl_snapshot_is_over(snapshot) ? PAWL_NO_TIME : snapshot->due_ns;

    if (!snapshot->is_due_wall && due_ns != PAWL_NO_TIME && due_ns != INT64_MAX)
        due_ns = pawl_schedule_after(due_ns, engine->scale.anchor_ns);
    *record = (struct pawl_record) {
        .seq = task->seq, .id = task->key.bytes, .id_len = task->key.len, .type = def->type,
        .time_ns = def->time_ns, .when = pawl_def_schedule(def) ? &pawl_def_schedule(def)->when : NULL,
        .origin_ns = pawl_def_schedule(def) ? pawl_def_schedule(def)->origin_ns + engine->scale.anchor_ns : 0,
        .since_ns = pawl_def_schedule(def) ? pawl_def_schedule(def)->created_ns : 0,
        .tags = tags ? tags->tags : NULL, .ntags = tags ? tags->n : 0,
        .action = pawl_def_action(def), .script = def->script, .script_len = def->script_len,
        .keep_results = def->keep_results, .created_ns = task->created_ns,
        .version = snapshot->version, .status = snapshot->status,
        .updated_ns = snapshot->updated_ns, .due_ns = due_ns,
        .is_due_wall = snapshot->is_due_wall,
        .previous_ns = snapshot->previous_ns, .run_count = snapshot->run_count,
        .failure_count = snapshot->failure_count, .skipped_overlap = snapshot->skipped_overlap,
        .missed = snapshot->missed, .running = snapshot->running,
        .asked_count = snapshot->asked_count, .is_paused = snapshot->is_paused,
        .is_asked = snapshot->is_asked,
        .end_reason = (enum pawl_end_reason) snapshot->end_reason,
    };
    fill_wait(engine, snapshot, record);
}

/* The lowest number of a run whose result is kept; runs that overlap do not end in their order, of a task
 * that has a policy, or had one before it was edited. */
static uint64_t
lowest_run(const struct pawl_snapshot *snapshot)
{
    const struct pawl_results *results = snapshot->results;
    uint64_t lowest = results->items[0]->run;

    for (uint32_t i = 1; snapshot->has_wait && i < results->n; i++)
        lowest = results->items[i]->run < lowest ? results->items[i]->run : lowest;
    return lowest;
}

/* The results that the store does not have yet: the newest ones. */
static void
fill_results(const struct pawl_snapshot *snapshot, struct pawl_write *write)
{
    const struct pawl_results *results = snapshot->results;
    uint32_t first = results ? results->n : 0;

    while (first > 0 &&
           !atomic_load_explicit(&pawl_result_box_of(results->items[first - 1])->is_stored,
                                 memory_order_relaxed))
        first--;
    write->nresults = results ? results->n - first : 0;
    write->results = write->nresults > 0 ? &results->items[first] : NULL;
    if (write->kind == PAWL_WRITE_EDIT)     /* fewer may be kept than before */
        write->drop_below = results ? lowest_run(snapshot) : snapshot->run_count + 1;
    else if (write->nresults > 0 && results->n == snapshot->def->keep_results)
        write->drop_below = lowest_run(snapshot);
}

/* Whether the store may not have the definition: what it has is what readers see, unless that could not
 * be written. */
static bool
is_whole(const struct pawl_task *task, struct pawl_handle *handle,
         const struct pawl_snapshot *snapshot)
{
    return task->is_unsaved || !pawl_task_shows_def(task, handle->epoch, snapshot->def);
}

static void
mark_stored(const struct pawl_write *write)
{
    for (size_t i = 0; i < write->nresults; i++)
        atomic_store_explicit(&pawl_result_box_of(write->results[i])->is_stored, true,
                              memory_order_relaxed);
}

static struct pawl_group_item *
add(struct pawl_committer_group *group, struct pawl_op *op, struct pawl_task *task)
{
    struct pawl_group_item *item = &group->items[group->nitems++];

    *item = (struct pawl_group_item) {.op = op, .task = task};
    return item;
}

/* Of runs that overlap: which of them have ended in the state that is held next. */
static void
note_ended(struct pawl *engine, struct pawl_handle *committer, struct pawl_task *task)
{
    const struct pawl_snapshot *snapshot;

    pawl_epoch_begin(committer->epoch);
    snapshot = pawl_task_read_decided(task, NULL);
    if (snapshot && pawl_def_overlaps(snapshot->def) && snapshot->slot != PAWL_SLOT_NONE)
        pawl_slot_note_ended(&engine->table, snapshot->slot);
    pawl_epoch_end(committer->epoch);
}

/* Adds the state that the task has now. False: it was deleted, but by whom is not told yet. */
static bool
add_state(struct pawl_committer_group *group, struct pawl_handle *handle, struct pawl_op *op,
          struct pawl_task *task)
{
    struct pawl_snapshot *snapshot;
    struct pawl_group_item *item;

    note_ended(group->engine, handle, task);
    snapshot = pawl_task_hold(task, handle->epoch);
    if (!snapshot &&
        atomic_load_explicit(&task->last_slot, memory_order_acquire) == PAWL_SLOT_UNKNOWN)  /* G1 */
        return false;
    item = add(group, op, task);
    item->snapshot = snapshot;
    if (snapshot) {
        item->write.kind = is_whole(task, handle, snapshot) ? PAWL_WRITE_EDIT : PAWL_WRITE_STATE;
        fill_record(group->engine, task, snapshot, &item->write.record);
        fill_results(snapshot, &item->write);
    } else {
        item->write.kind = PAWL_WRITE_GONE;
        item->write.record.seq = task->seq;
        item->is_refused = task->seq == 0;      /* it never had a number: the store knows nothing of it */
    }
    return true;
}

bool
pawl_group_add_op(struct pawl_committer_group *group, struct pawl_handle *handle,
                  struct pawl_op *op)
{
    struct pawl_group_item *item;

    if (op->kind == PAWL_OP_READ || op->kind == PAWL_OP_RESIZE) {
        op->first = group->singles;
        group->singles = op;
        return true;
    }
    if (op->kind != PAWL_OP_SUBMIT)
        return !pawl_task_is_reserved(op->task) && add_state(group, handle, op, op->task);
    item = add(group, op, op->task);
    item->write.kind = PAWL_WRITE_NEW;
    fill_record(group->engine, op->task, op->first, &item->write.record);
    return true;
}

void
pawl_group_add_task(struct pawl_committer_group *group, struct pawl_handle *handle,
                    struct pawl_task *task)
{
    if (!add_state(group, handle, NULL, task))
        pawl_task_unref(task);          /* whoever deletes it comes after this */
}

/* --- Trying --- */

void
pawl_group_writes(struct pawl_committer_group *group, struct pawl_group *out)
{
    group->nwrites = 0;
    for (size_t i = 0; i < group->nitems; i++) {
        if (group->items[i].is_refused)
            continue;
        group->of_write[group->nwrites] = i;
        group->writes[group->nwrites++] = group->items[i].write;
    }
    out->writes = group->writes;
    out->nwrites = group->nwrites;
}

bool
pawl_group_removes(const struct pawl_committer_group *group)
{
    for (size_t i = 0; i < group->nitems; i++) {
        if (group->items[i].write.kind == PAWL_WRITE_GONE)
            return true;
    }
    return false;
}

static void
refuse(struct pawl_group_item *item, int code)
{
    item->is_refused = true;
    item->write.code = code;
}

void
pawl_group_refuse_new(struct pawl_committer_group *group, int code)
{
    for (size_t i = 0; i < group->nitems; i++) {
        if (group->items[i].write.kind == PAWL_WRITE_NEW)
            refuse(&group->items[i], code);
    }
}

void
pawl_group_fail(struct pawl_committer_group *group, int code)
{
    group->nwrites = 0;
    for (size_t i = 0; i < group->nitems; i++)
        refuse(&group->items[i], code);
}

/* --- What comes of it --- */

size_t
pawl_group_results(const struct pawl_committer_group *group)
{
    size_t n = 0;

    for (size_t i = 0; i < group->nwrites; i++)
        n += group->writes[i].nresults;
    return n;
}

/* The table of runs need not know any more what is durable now. */
static void
release_slot(struct pawl_group_item *item, struct pawl_handle *committer)
{
    struct pawl_runtable *table = &committer->engine->table;
    struct pawl_task *task = item->task;
    uint32_t slot;

    if (item->snapshot) {
        slot = pawl_task_release_slot(task, committer->epoch, item->snapshot);
        pawl_slot_clear_chain(table, slot);
        if (slot != PAWL_SLOT_NONE || item->snapshot->slot == PAWL_SLOT_NONE)
            return;
        if (item->snapshot->running == 0)   /* changed meanwhile, perhaps by a TRIM that is shown */
            pawl_committer_mark(committer->engine->committer, task);
        else if (pawl_def_overlaps(item->snapshot->def))
            pawl_slot_sweep(table, item->snapshot->slot);
        return;
    }
    slot = atomic_exchange_explicit(&task->last_slot, PAWL_SLOT_NONE, memory_order_acq_rel);
    if (slot != PAWL_SLOT_NONE && slot & PAWL_SLOT_RUNNING) {
        uint32_t previous = table->slots[slot & ~PAWL_SLOT_RUNNING].previous;

        pawl_slot_half_clear(table, slot & ~PAWL_SLOT_RUNNING, PAWL_SLOT_FORGOTTEN);
        slot = previous == 0 ? PAWL_SLOT_NONE : previous - 1;
    }
    pawl_slot_clear_chain(table, slot);
}

/* While the store fails for long, every task that fires must find a slot: of runs that overlap only the
 * newest is noted singly when it has ended. */
static void
spare_slots(struct pawl_group_item *item, struct pawl *engine)
{
    if (!item->snapshot || !pawl_def_overlaps(item->snapshot->def) ||
        item->snapshot->slot == PAWL_SLOT_NONE ||
        pawl_committer_state(engine->committer) != PAWL_STORE_FAILING)
        return;
    pawl_slot_note_ended(&engine->table, item->snapshot->slot);
    pawl_slot_sweep(&engine->table, item->snapshot->slot);
}

/* A submit. */
static void
settle_new(struct pawl_group_item *item, struct pawl_handle *committer,
           void (*retry)(void *ctx, struct pawl_task *task), void *ctx)
{
    struct pawl_task *task = item->task;
    int code = item->write.code;

    if (code == PAWL_OK) {
        pawl_op_settle(committer, item->op, code);
        return;
    }
    task->is_refused = true;
    pawl_task_ref(task);
    pawl_op_settle(committer, item->op, code == PAWL_EFULL ? PAWL_EFULL : PAWL_ESTORE);
    if (code == PAWL_EEXIST)
        pawl_engine_log(committer->engine, PAWL_LOG_ERROR,
                        "the store has another task with the number %llu: it was changed by another "
                        "program; restart pawld", (unsigned long long) task->seq);
    else if (code != PAWL_EFULL)
        retry(ctx, task);       /* it may be in the store all the same: it is to be taken out */
    pawl_task_unref(task);
}

/* A change of a task that there is: in force whether it was written or not, so it is shown. */
static void
settle_state(struct pawl_group_item *item, struct pawl_handle *committer,
             void (*retry)(void *ctx, struct pawl_task *task), void *ctx)
{
    struct pawl_task *task = item->task;
    int code = item->write.code;

    if (code == PAWL_ENOENT)
        code = PAWL_OK;             /* an earlier write of the group removed it */
    if (code == PAWL_OK) {
        mark_stored(&item->write);
        task->is_unsaved = false;
    } else {
        task->is_unsaved = true;
    }
    if (pawl_task_show(task, committer->epoch, item->snapshot))
        pawl_shown(committer, task, !item->snapshot);
    if (code == PAWL_OK) {
        release_slot(item, committer);
    } else {
        spare_slots(item, committer->engine);
        retry(ctx, task);
    }
    pawl_task_let_go(committer->epoch, item->snapshot);
    if (item->op && item->op->refusal == PAWL_EEXIST && task->is_refused) {
        item->op->refusal = PAWL_ESTORE;
        item->op->why = "another submit of this id was under way and came to nothing: submit again";
    }
    if (item->op)
        pawl_op_settle(committer, item->op, code);
    else
        pawl_task_unref(task);
}

void
pawl_group_settle(struct pawl_committer_group *group, struct pawl_handle *committer,
                  void (*retry)(void *ctx, struct pawl_task *task), void *ctx)
{
    struct pawl_post_bag bag = {.n = 0};

    for (size_t i = 0; i < group->nwrites; i++)
        group->items[group->of_write[i]].write.code = group->writes[i].code;
    for (size_t i = 0; i < group->nitems; i++) {
        struct pawl_group_item *item = &group->items[i];

        if (item->write.kind == PAWL_WRITE_NEW)
            settle_new(item, committer, retry, ctx);
        else
            settle_state(item, committer, retry, ctx);
    }
    for (size_t i = 0; i < group->nitems; i++) {
        if (group->items[i].op)
            pawl_post_bag_put(&bag, group->items[i].op->handle, &group->items[i].op->link);
    }
    pawl_post_bag_tell(&bag);
}
