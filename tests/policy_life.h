/* policy_life.h: one task in the engine's hands, and the same in the model's (policy_model.h): each event happens
 * to both, and afterwards both are compared. Who wakes the task is looked at, too: a timer stands where the
 * engine was told to set one, and nothing starts but by it. */
#ifndef PAWL_POLICY_LIFE_H
#define PAWL_POLICY_LIFE_H

#include "policy_model.h"

#include "epoch.h"
#include "index.h"
#include "result.h"
#include "state.h"
#include "task.h"

struct life {
    struct model model;
    struct pawl_epoch epoch;
    struct pawl_epoch_thread *thread;
    struct pawl_index *index;
    struct pawl_task *task;
    int64_t begun_ns;                   /* elapsed: when the next life begins */
    int64_t armed_ns;                   /* when the task is looked at; PAWL_NO_TIME: never */
    struct pawl_view view;
};

/* The one whose failure is told. */
static struct life life;

/* --- What is compared --- */

static inline int64_t
since(int64_t ns)
{
    return ns == PAWL_NO_TIME ? -1 : (ns - life.model.created_ns) / SECOND;
}

static inline void
fail_life(int line, const char *what)
{
    const struct model *m = &life.model;
    const struct pawl_view *v = &life.view;

    fprintf(stderr, "%s\n", m->trail);           /* longer than cmocka prints */
    fail_msg("line %d: %s\n"
             "          status paused asked retry attempt version next runs asked failed skipped missed\n"
             "engine %9d %6d %5s %5d %7d %7d %4d %4d %5d %6d %7d %6d\n"
             "model  %9d %6d %5d %5d %7d %7d %4d %4d %5d %6d %7d %6d, %d wait (%d missed), %d came, %d dropped",
             line, what, v->status, v->is_paused, "", v->waits_for_retry, v->attempt,
             (int) v->version, (int) since(v->next_ns == PAWL_NO_TIME ? v->next_ns : v->next_ns - m->offset_ns),
             (int) v->run_count, (int) v->asked_count, (int) v->failure_count, (int) v->skipped_overlap,
             (int) v->missed, m->status, m->is_paused, m->is_asked, m->is_retry, m->attempt,
             (int) m->version, (int) since(model_next(m)), (int) m->runs, (int) m->asked, (int) m->failures,
             (int) model_skipped(m), (int) m->missed, (int) m->nwait, (int) m->nmissed_first, (int) m->came,
             (int) m->dropped);
}

#define CHECK(condition)                                                                         \
    do {                                                                                         \
        if (!(condition))                                                                        \
            fail_life(__LINE__, #condition);                                                     \
    } while (0)

static inline int64_t
wall_of(const struct model *m, int64_t elapsed_ns)
{
    return elapsed_ns == PAWL_NO_TIME ? PAWL_NO_TIME : elapsed_ns + m->offset_ns;
}

static inline void
look(struct life *l)
{
    struct pawl_now now = {l->model.now_ns, wall_of(&l->model, l->model.now_ns), INT64_MIN, INT64_MIN};
    const struct pawl_snapshot *snapshot;

    pawl_epoch_begin(l->thread);
    snapshot = pawl_task_read(l->task, NULL);
    assert_non_null(snapshot);
    pawl_task_view(l->task, snapshot, &now, false, &l->view);
    pawl_epoch_end(l->thread);
}

static inline void
check_results(struct life *l)
{
    const struct model *m = &l->model;
    size_t keep = (size_t) m->keep_results;

    CHECK(l->view.nresults == (m->nresults < keep ? m->nresults : keep));
    for (size_t i = 0; i < l->view.nresults; i++) {
        const struct pawl_result *result = l->view.results[i];
        const struct model_result *wanted = &m->results[m->nresults - l->view.nresults + i];

        CHECK(result->run == wanted->run);
        CHECK(result->attempt == wanted->attempt);
        CHECK(result->scheduled_ns == wall_of(m, wanted->scheduled_ns));
        CHECK((result->outcome != PAWL_SUCCESS) == wanted->failed);
    }
}

static inline void
check_life(struct life *l)
{
    struct model *m = &l->model;

    let_come(m);
    look(l);
    CHECK(l->view.status == m->status);
    CHECK(l->view.version == m->version);
    CHECK(l->view.updated_ns == wall_of(m, m->updated_ns));
    CHECK(l->view.running == m->running);
    CHECK(l->view.is_paused == m->is_paused);
    CHECK(l->view.waits_for_retry == m->is_retry);
    CHECK(!m->has_policy || l->view.attempt == m->attempt);
    CHECK(l->view.run_count == m->runs);
    CHECK(l->view.asked_count == m->asked);
    CHECK(l->view.failure_count == m->failures);
    CHECK(l->view.skipped_overlap == model_skipped(m));
    CHECK(l->view.missed == m->missed);
    CHECK(l->view.missed_paused == m->missed_paused);
    CHECK(l->view.skipped_condition == m->skipped_condition);
    CHECK(l->view.skipped_group == m->skipped_group);
    CHECK(l->view.end_reason == model_end_reason(m));
    CHECK(l->view.next_ns == wall_of(m, model_next(m)));
    CHECK(m->came == m->started + m->skipped + (m->skipped_condition + m->skipped_group - m->nothing) + m->missed + m->dropped +
                      m->nwait);
    check_results(l);
    pawl_view_release(&l->view);
}

/* --- Events --- */

/* When the engine would look at the task. */
static inline int64_t
fires_ns(struct life *l)
{
    const struct pawl_snapshot *snapshot;
    int64_t at_ns;

    pawl_epoch_begin(l->thread);
    snapshot = pawl_task_read_decided(l->task, NULL);
    at_ns = snapshot ? pawl_snapshot_fires_ns(snapshot, l->model.offset_ns) : PAWL_NO_TIME;
    pawl_epoch_end(l->thread);
    return at_ns;
}

static inline int
apply(struct life *l, enum pawl_event_kind kind, struct pawl_event *event)
{
    struct model *m = &l->model;
    int code;

    event->kind = kind;
    event->now_ns = m->now_ns;
    event->wall_ns = wall_of(m, m->now_ns);
    event->high_ns = event->oldest_ns = INT64_MIN;
    event->keep_ns = INT64_MAX;
    code = pawl_task_apply(l->task, l->thread, event, NULL);
    pawl_snapshot_free_unused(event->spare);
    if (code == PAWL_OK && event->rearm)
        l->armed_ns = fires_ns(l);
    return code;
}

/* The timer rings, if it does: the task starts if the model says so, and the other way round. */
static inline void
try_start_in(struct life *l, bool is_group_full)
{
    struct pawl_event event = {.is_group_full = is_group_full};
    struct model *m = &l->model;
    bool rings = l->armed_ns != PAWL_NO_TIME && l->armed_ns <= m->now_ns;
    enum started wanted = REFUSED;
    uint64_t run = m->runs;
    int code;

    let_come(m);
    if (!rings) {
        CHECK(!can_start(m));
        return;
    }
    l->armed_ns = PAWL_NO_TIME;
    code = apply(l, PAWL_EVENT_START, &event);
    if (code != PAWL_OK)
        l->armed_ns = fires_ns(l);
    wanted = model_start(m, is_group_full);
    note(m, wanted == REFUSED ? "-" : wanted == RUNS ? "start#%d " : wanted == PASSES ? is_group_full ? "full " : "pass " : "kill ", (int) m->runs);
    CHECK(code == (wanted == REFUSED ? PAWL_ESTATE : PAWL_OK));
    if (code != PAWL_OK)
        return;
    CHECK(event.is_passed == (wanted != RUNS));
    CHECK(event.must_kill == (wanted == MAKES_ROOM));
    CHECK(wanted != MAKES_ROOM || event.run == run);
    if (wanted != RUNS) {
        check_life(l);
        return;
    }
    CHECK(event.run == m->runs);
    CHECK((int) event.attempt == m->attempt);
    CHECK(pawl_due_elapsed(event.due, m->offset_ns) == m->run_due_ns);
    m->now[m->running - 1].started = event.due;
    pawl_def_unref(event.def);
    check_life(l);
}

static inline void
try_start(struct life *l)
{
    try_start_in(l, false);
}

/* The end of one of the runs in progress. exit_code: negative: it was killed; is_skip: its condition
 * failed. */
static inline void
finish_one(struct life *l, int i, int exit_code, bool is_skip)
{
    struct model *m = &l->model;
    struct model_run run = m->now[i];
    struct pawl_result result = {
        .run = run.run, .attempt = run.attempt, .exit_code = exit_code,
        .outcome = exit_code == 0 ? PAWL_SUCCESS : exit_code > 0 ? PAWL_FAILURE : PAWL_KILLED,
        .scheduled_ns = pawl_due_wall(run.started, m->offset_ns), .out = "", .err = "",
    };
    struct pawl_event event = {
        .box = is_skip ? NULL : pawl_result_box_new(&result), .due = run.started,
        .failed = exit_code != 0, .exit_code = exit_code, .is_condition_skip = is_skip,
        .is_asked = run.is_asked,
    };

    note(m, is_skip ? "skip#%d " : "end#%d=%d ", (int) run.run, exit_code);
    CHECK(apply(l, PAWL_EVENT_FINISH, &event) == PAWL_OK);
    if (event.box)
        pawl_result_unref(&event.box->result);
    model_finish(m, i, exit_code != 0, exit_code, is_skip);
    check_life(l);
}

static inline void
finish(struct life *l, int exit_code)
{
    finish_one(l, 0, exit_code, false);
}

/* Gives whether it was accepted. */
static inline bool
ask(struct life *l, enum pawl_event_kind kind)
{
    struct model *m = &l->model;
    struct pawl_event event = {0};
    int code = apply(l, kind, &event);
    bool ok, kills = false;

    switch (kind) {
    case PAWL_EVENT_RUN:
        note(m, "run ");
        ok = model_run(m, &kills);
        CHECK(code != PAWL_OK || event.must_kill == kills);
        break;
    case PAWL_EVENT_PAUSE:
        note(m, "pause ");
        ok = model_pause(m);
        break;
    case PAWL_EVENT_RESUME:
        note(m, "resume ");
        ok = model_resume(m);
        break;
    default:
        note(m, "stop ");
        ok = model_stop(m);
        break;
    }
    if (!ok)
        note(m, "(refused) ");
    CHECK(code == (ok ? PAWL_OK : PAWL_ESTATE));
    check_life(l);
    return ok;
}

/* --- Life --- */

/* The schedule as the engine takes it; whether the task needs one at all. */
static inline bool
make_when(const struct model *m, struct pawl_when *when, struct pawl_trigger triggers[2])
{
    static const char *const exprs[] = {
        [5] = "*/5 * * * *", [10] = "*/10 * * * *", [15] = "*/15 * * * *", [30] = "*/30 * * * *",
        [60] = "0 * * * *",
    };

    *when = (struct pawl_when) {
        .triggers = triggers, .start_ns = wall_of(m, m->start_ns), .end_ns = wall_of(m, m->end_ns),
        .max_runs = m->max_runs, .jitter_ns = m->jitter_ns, .runs_on_start = m->runs_on_start,
        .from_completion = m->from_completion,
    };
    if (m->type == PAWL_DELAY && m->at_ns != PAWL_NO_TIME)
        triggers[when->ntriggers++] = (struct pawl_trigger) BY_AT(wall_of(m, m->at_ns));
    else if (m->type == PAWL_DELAY || m->span_ns > 0)
        triggers[when->ntriggers++] = (struct pawl_trigger) BY_SPAN(m->span_ns);
    if (m->cron_ns > 0)
        triggers[when->ntriggers++] = (struct pawl_trigger) BY_CRON(exprs[m->cron_ns / MINUTE], "UTC");
    return when->ntriggers > 1 || m->cron_ns > 0 || m->at_ns != PAWL_NO_TIME ||
           m->start_ns != PAWL_NO_TIME || m->end_ns != PAWL_NO_TIME || m->max_runs > 0 ||
           m->jitter_ns > 0 || m->runs_on_start || m->from_completion;
}

/* False: it would never fire, and is no task. */
static inline bool
submit_life(struct life *l)
{
    struct model *m = &l->model;
    struct pawl_trigger triggers[2];
    struct pawl_when when;
    bool has_when = make_when(m, &when, triggers);
    struct pawl_now now = {m->now_ns, wall_of(m, m->now_ns), INT64_MIN, INT64_MIN};
    struct pawl_schedule_basis basis = {
        .id = "model", .id_len = 5, .type = m->type, .created_ns = now.wall_ns,
        .origin_ns = m->start_ns == PAWL_NO_TIME ? m->now_ns : m->start_ns, .offset_ns = m->offset_ns,
    };
    struct pawl_spec spec = {
        .id = "model", .id_len = 5, .type = m->type, .time_ns = m->span_ns, .script = ":", .script_len = 1,
        .keep_results = m->keep_results, .policy = m->has_policy ? &m->policy : NULL,
        .when = has_when ? &when : NULL,
    };
    struct pawl_schedule *schedule = NULL;
    struct pawl_snapshot *first;
    struct pawl_err err = {0};

    if (has_when && pawl_schedule_new(&when, &basis, &schedule, &err) != PAWL_OK)
        fail_msg("%s", err.text);
    if (schedule && pawl_schedule_first(schedule, &now).ns == PAWL_NO_TIME) {
        free(schedule);
        return false;
    }
    if (schedule)
        m->jitter_ns = pawl_schedule_jitter(schedule, (struct pawl_due) {0});
    l->task = pawl_task_new(l->index, &spec, 10, schedule, &now, &first);
    m->has_policy = pawl_def_policy(first->def) != NULL;
    pawl_task_publish(l->task, l->thread, first);
    l->armed_ns = fires_ns(l);
    return true;
}

static inline void
end_life(struct life *l)
{
    struct pawl_event event = {0};

    assert_int_equal(apply(l, PAWL_EVENT_DELETE, &event), PAWL_OK);
    pawl_task_unref(l->task);
    pawl_epoch_rest(l->thread);
}


/* The life before a task: nothing of it is known. */
static inline void
clear_life(struct life *l, uint64_t seed)
{
    struct model *m = &l->model;

    memset(m, 0, offsetof(struct model, wait));
    memset(&m->nwait, 0, offsetof(struct model, results) - offsetof(struct model, nwait));
    m->nresults = m->ntrail = 0;
    m->trail[0] = '\0';
    m->seed = seed;
    for (int i = 0; i < 4; i++)
        pick(m, 0, 1);
    m->offset_ns = START_WALL - 1000 * SECOND;
    m->now_ns = m->created_ns = m->updated_ns = l->begun_ns;
    m->looked_ns = m->created_ns - 1;
    m->at_ns = m->start_ns = m->end_ns = m->span_due_ns = PAWL_NO_TIME;
    m->keep_results = 5;
    pawl_policy_init(&m->policy);
}

static inline void
open_lives(void)
{
    life.begun_ns = 1000 * SECOND;
    pawl_epoch_init(&life.epoch);
    life.index = pawl_index_new();
    life.thread = pawl_epoch_register(&life.epoch);
}

static inline void
close_lives(void)
{
    pawl_epoch_unregister(&life.epoch, life.thread);
    pawl_index_free(life.index);
    pawl_epoch_fini(&life.epoch);
}

#endif
