/* lost.c: runs that the end of the last daemon cut: reading the table of runs, and what becomes of a
 * task whose runs came one after the other. */
#include "lost.h"

#include "policy.h"
#include "shared.h"
#include "state.h"

#include <stdlib.h>
#include <string.h>

/* --- The table --- */

static int
by_task_run_and_attempt(const void *a, const void *b)
{
    const struct pawl_lost_run *left = a, *right = b;

    if (left->seq != right->seq)
        return left->seq < right->seq ? -1 : 1;
    if (left->run != right->run)
        return left->run < right->run ? -1 : 1;
    return left->attempt < right->attempt ? -1 : left->attempt > right->attempt;
}

int
pawl_lost_runs_read(struct pawl_lost_runs *lost, const struct pawl_runtable *table)
{
    size_t n = 0;

    for (uint32_t i = 0; i < table->nslots; i++)
        n += atomic_load_explicit(&table->slots[i].state, memory_order_relaxed) != 0;
    lost->runs = calloc(n + 1, sizeof *lost->runs);
    if (!lost->runs)
        return PAWL_ENOMEM;
    for (uint32_t i = 0; i < table->nslots; i++) {
        const struct pawl_slot *slot = &table->slots[i];

        if (atomic_load_explicit(&slot->state, memory_order_relaxed) == 0)
            continue;
        lost->runs[lost->n++] = (struct pawl_lost_run) {
            .seq = slot->seq, .run = slot->run, .version = slot->version,
            .scheduled = {slot->scheduled_ns, (slot->flags & PAWL_SLOT_WALL) != 0},
            .is_asked = (slot->flags & PAWL_SLOT_ASKED) != 0,
            .is_tree = (slot->flags & PAWL_SLOT_TREE) != 0,
            .overlaps = (slot->flags & PAWL_SLOT_OVERLAPS) != 0,
            .has_ended = (atomic_load_explicit(&slot->state, memory_order_relaxed) &
                          PAWL_SLOT_ENDED) != 0,
            .is_written = (atomic_load_explicit(&slot->state, memory_order_relaxed) &
                           PAWL_SLOT_WRITTEN) != 0,
            .attempt = slot->flags >> PAWL_SLOT_ATTEMPT,
            .started_ns = slot->started_ns,
            .started_elapsed_ns = slot->started_elapsed_ns, .slot = i,
            .pid = atomic_load_explicit(&slot->pid, memory_order_relaxed),
        };
    }
    qsort(lost->runs, lost->n, sizeof *lost->runs, by_task_run_and_attempt);
    return PAWL_OK;
}

void
pawl_lost_runs_sort_out(const struct pawl_lost_runs *lost, struct pawl_runtable *table)
{
    const struct pawl_lost_run *last = NULL;        /* that was claimed */

    for (size_t i = 0; i < lost->n; i++) {
        const struct pawl_lost_run *run = &lost->runs[i];

        if (!run->is_claimed) {
            pawl_slot_clear(table, run->slot);
            continue;
        }
        table->slots[run->slot].previous = last && last->seq == run->seq ? last->slot + 1 : 0;
        if (run->overlaps)      /* no worker will say that it has ended; relaxed: none is there yet */
            atomic_store_explicit(&table->slots[run->slot].state, PAWL_SLOT_USED | PAWL_SLOT_ENDED,
                                  memory_order_relaxed);
        last = run;
    }
}

void
pawl_lost_runs_free(struct pawl_lost_runs *lost)
{
    free(lost->runs);
}

/* The runs of the task that the table knows, oldest first: *out_n of them; all get to know its id. */
static struct pawl_lost_run *
find_lost(const struct pawl_lost_runs *lost, const struct pawl_record *record, size_t *out_n)
{
    size_t low = 0, high = lost->n, first;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (lost->runs[middle].seq < record->seq)
            low = middle + 1;
        else
            high = middle;
    }
    for (first = low; low < lost->n && lost->runs[low].seq == record->seq; low++) {
        lost->runs[low].id_len = (uint8_t) record->id_len;
        memcpy(lost->runs[low].id, record->id, record->id_len);
    }
    *out_n = low - first;
    return lost->runs + first;
}

/* --- One task --- */

/* Whether the slot tells more than the record: that run began after the last commit, or it is the
 * one that is in progress by the record. */
static bool
is_news(const struct pawl_lost_run *run, const struct pawl_snapshot *first)
{
    if (run->run > first->run_count ||
        (run->run == first->run_count && first->running == 0 && run->attempt > 1))
        return run->version > first->version;   /* else it was not to start after all */
    return run->run == first->run_count && first->running > 0;
}

/* The due times from the record's next one to that of the slot's run, of which nruns were run: the
 * others passed during a run. */
static uint64_t
count_skipped(const struct pawl_restorer *restorer, const struct pawl_snapshot *first,
              struct pawl_due scheduled, uint64_t nruns)
{
    int64_t offset_ns = restorer->engine->scale.offset_ns;
    int64_t fired_ns = pawl_def_fires_ns(first->def, scheduled, offset_ns);
    struct pawl_now then = {fired_ns, fired_ns + offset_ns, INT64_MIN, INT64_MIN};
    struct pawl_due next = pawl_snapshot_due(first);
    uint64_t passed = pawl_def_pass(first->def, &next, &then);

    return passed > nruns ? passed - nruns : 0;
}

/* The slot's run is a new one: the schedule goes on behind it. */
void
pawl_lost_begin(const struct pawl_restorer *restorer, struct pawl_snapshot *first,
                const struct pawl_lost_run *run)
{
    struct pawl_due scheduled = pawl_restorer_due(restorer, run->scheduled);
    struct pawl_now now = pawl_restorer_now(restorer);

    if (first->def->type == PAWL_CRON && !first->is_paused && !run->is_asked)   /* else they still wait */
        first->skipped_overlap += count_skipped(restorer, first, scheduled,
                                                run->run - first->run_count);
    first->run_count = run->run;
    first->asked_count += run->is_asked;
    if (first->status == PAWL_STOPPED || pawl_snapshot_is_used_up(first) ||
        first->def->type == PAWL_DELAY)
        pawl_snapshot_set_due(first, (struct pawl_due) {PAWL_NO_TIME, false});
    else if (!run->is_asked)
        pawl_snapshot_set_due(first, pawl_def_next(first->def, scheduled, &now, false));
}

/* Brings the state to the start of the slot's run, which began after the last commit. */
static void
catch_up_with_slot(const struct pawl_restorer *restorer, struct pawl_snapshot *first,
                   const struct pawl_lost_run *run)
{
    if (run->run > first->run_count)
        pawl_lost_begin(restorer, first, run);   /* else another attempt of the newest run */
    if (first->has_wait)
        pawl_wait_reset(pawl_wait_of(first));
    if (pawl_def_policy(first->def))
        pawl_wait_of(first)->attempt = run->attempt & 0xFFFF;
    first->is_asked = false;
    first->version = run->version;
    first->previous_ns = run->started_ns;
    first->running = 1;
    if (first->status != PAWL_STOPPED)
        first->status = PAWL_EXECUTING;
}

void
pawl_lost_add(struct pawl_restorer *restorer, struct pawl_snapshot *first,
              const struct pawl_result *known, const char *why)
{
    struct pawl_result result = {
        .run = known->run, .attempt = known->attempt > 0 ? known->attempt : 1, .outcome = PAWL_LOST,
        .exit_code = -1, .scheduled_ns = known->scheduled_ns, .started_ns = known->started_ns,
        .ended_ns = restorer->wall_ns, .out = "", .err = why, .err_len = strlen(why), .error = why,
    };
    struct pawl_result_box *box = pawl_result_box_new(&result);
    struct pawl_results *before = first->results, *results = NULL;
    bool failed = !box;

    if (box)
        results = pawl_results_append(before, box, first->def->keep_results, &failed);
    if (!failed) {
        first->results = results;
        pawl_results_unref(before);
    }
    if (box)
        pawl_result_unref(&box->result);
}

/* When the newest run was due, as far as the record tells (wall). */
static int64_t
due_of_newest(const struct pawl_restorer *restorer, const struct pawl_record *record,
              const struct pawl_snapshot *first)
{
    if (pawl_def_schedule(first->def))
        return first->previous_ns;
    if (first->def->type == PAWL_DELAY)
        return pawl_schedule_after(record->created_ns, first->def->time_ns);
    if (!pawl_due_is_set(pawl_snapshot_due(first)))
        return PAWL_NO_TIME;
    return first->due_ns - first->def->time_ns + restorer->engine->scale.offset_ns;
}

/* What the table tells of a run; NULL: nothing. The run is claimed. */
static const struct pawl_lost_run *
claim(struct pawl_lost_run *runs, size_t n, uint64_t number)
{
    for (size_t i = n; i-- > 0;) {          /* of several attempts the newest */
        if (runs[i].run == number) {
            runs[i].is_claimed = true;
            return &runs[i];
        }
    }
    return NULL;
}

/* A run that is lost has failed. False: it is not tried again. */
static bool
retry_lost(const struct pawl_restorer *restorer, const struct pawl_lost_run *run,
           struct pawl_snapshot *first)
{
    const struct pawl_policy *policy = pawl_def_policy(first->def);
    struct pawl_due due = run ? pawl_restorer_due(restorer, run->scheduled)
                              : (struct pawl_due) {first->previous_ns, true};
    unsigned attempt = policy ? pawl_wait_of(first)->attempt : 0;

    if (!policy || !pawl_policy_retries(policy, attempt, -1))
        return false;
    *pawl_wait_of(first) = (struct pawl_wait) {
        .tally = pawl_wait_of(first)->tally,
        .attempt = attempt & 0xFFFF, .is_retry = true, .retried_ns = due.ns,
        .is_retried_wall = due.is_wall,
        .not_before_ns = pawl_schedule_after(
            restorer->elapsed_ns,
            pawl_policy_retry_delay(policy, attempt, (uint64_t) first->previous_ns)),
    };
    first->status = first->def->type == PAWL_CRON ? PAWL_WAIT_FOR_NEXT : PAWL_TO_BE_EXECUTED;
    return true;
}

/* What comes after the run that is lost. */
void
pawl_lost_end(const struct pawl_restorer *restorer, struct pawl_snapshot *first)
{
    struct pawl_now now = pawl_restorer_now(restorer);

    if (first->has_wait)
        pawl_wait_reset(pawl_wait_of(first));
    if (!pawl_snapshot_is_used_up(first))
        pawl_snapshot_set_due(first, pawl_def_after_run(first->def, pawl_snapshot_due(first), &now));
    first->status = first->due_ns != PAWL_NO_TIME ? PAWL_WAIT_FOR_NEXT : PAWL_EXECUTED;
    if (first->status != PAWL_EXECUTED)
        return;
    first->end_reason = pawl_snapshot_end_reason(first, &now, PAWL_END_LOST) & 7;
    first->is_paused = false;
}

/* Of runs that came one after the other it is the newest ones that have no end in the record. */
static bool
resolve_lost(struct pawl_restorer *restorer, const struct pawl_record *record,
             struct pawl_snapshot *first, struct pawl_lost_run *runs, size_t nruns)
{
    uint64_t known_before = first->run_count - first->running, known;
    uint64_t keep = first->def->keep_results;
    const struct pawl_scale *scale = &restorer->engine->scale;
    const struct pawl_lost_run *newest = nruns > 0 ? &runs[nruns - 1] : NULL;
    const struct pawl_wait *wait = pawl_snapshot_wait(first);
    const struct pawl_lost_run *last = NULL;
    int64_t due_ns;

    if (newest && is_news(newest, first) && (newest->run > first->run_count || first->running == 0))
        catch_up_with_slot(restorer, first, newest);
    if (first->running == 0 && first->status == PAWL_EXECUTING)
        first->running = 1;
    if (first->running == 0)
        return false;
    known = known_before < first->run_count - 1 ? known_before : first->run_count - 1;
    due_ns = due_of_newest(restorer, record, first);
    for (uint64_t number = known + 1; number <= first->run_count; number++) {
        const struct pawl_lost_run *run = claim(runs, nruns, number);
        bool is_newest = number == first->run_count;

        if (run && is_newest) {
            first->slot = run->slot;
            last = run;
        }
        if (first->run_count - number >= keep)
            continue;
        pawl_lost_add(restorer, first, &(struct pawl_result) {
            .run = number,
            .attempt = (int) (run ? run->attempt : is_newest && wait ? wait->attempt : 1u),
            .scheduled_ns = run ? pawl_due_wall(pawl_restorer_due(restorer, run->scheduled),
                                                scale->offset_ns)
                                : is_newest ? due_ns : PAWL_NO_TIME,
            .started_ns = run ? run->started_ns : is_newest ? first->previous_ns : PAWL_NO_TIME,
        }, !is_newest ? "the daemon ended before the result of the run was stored"
           : run ? "the daemon ended while the script ran"
                 : "the daemon or its machine ended while the script ran");
    }
    first->failure_count += first->run_count - known;
    restorer->nlost += first->run_count - known;
    first->running = 0;
    first->version++;
    first->updated_ns = restorer->wall_ns;
    if (first->status != PAWL_EXECUTING) {
        if (pawl_def_policy(first->def))
            pawl_wait_of(first)->attempt = 0;
        return true;
    }
    if (retry_lost(restorer, last, first))
        first->failure_count--;                 /* it is for its last attempt to fail */
    else
        pawl_lost_end(restorer, first);
    return true;
}

bool
pawl_lost_resolve(struct pawl_restorer *restorer, const struct pawl_record *record,
                  const struct pawl_result *results, size_t nresults, struct pawl_snapshot *first)
{
    bool overlaps = pawl_def_overlaps(first->def) || first->running > 1;
    struct pawl_lost_run *runs;
    size_t nruns;

    runs = find_lost(restorer->lost, record, &nruns);
    for (size_t i = 0; i < nruns; i++)
        overlaps |= runs[i].overlaps;
    return overlaps ? pawl_lost_resolve_overlapping(restorer, results, nresults, runs, nruns, first)
                    : resolve_lost(restorer, record, first, runs, nruns);
}
