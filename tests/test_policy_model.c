/* test_policy_model.c: the state table against a slow model of the whole life of a task
 * (policy_model.h): random tasks with random policies, random spans of time, machines that sleep, runs that
 * end well and badly, and all that can be asked of a task. After each event the task is what the model
 * says, and each due time that came waits, or has ended in one run or in one count. PAWL_TEST_SEED and
 * PAWL_TEST_ROUNDS choose the lives. */
#include "policy_life.h"

#include "committer.h"
#include "lost.h"
#include "order.h"
#include "restore.h"

#define STEPS 60

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS 2000
#else
#define ROUNDS 20000
#endif

/* --- Tasks --- */

static void
make_policy(struct model *m)
{
    struct pawl_policy *policy = &m->policy;

    pawl_policy_init(policy);
    m->has_policy = pick(m, 0, 9) > 0;
    if (!m->has_policy)
        return;
    policy->overlap = (enum pawl_overlap) pick(m, 0, PAWL_NOVERLAP - 1);
    policy->queue_limit = (uint32_t) pick(m, 1, 4);
    policy->max_running = (uint32_t) pick(m, 1, 4);
    policy->misfire = (enum pawl_misfire) pick(m, 0, PAWL_MISFIRE_ALL);
    policy->misfire_grace_ns = pick(m, 0, 2) == 0 ? pick(m, 0, 60) * MINUTE : 0;
    policy->misfire_limit = (uint32_t) (pick(m, 0, 4) == 0 ? 100 : pick(m, 1, 5));
    policy->retries = (uint32_t) (pick(m, 0, 1) == 0 ? pick(m, 1, 3) : 0);
    if (policy->overlap == PAWL_OVERLAP_ALLOW)      /* both are refused together */
        policy->retries = 0;
    policy->retry_delay_ns = pick(m, 0, 2) == 0 ? 0 : pick(m, 0, 60) * MINUTE / 2;
    policy->retry_backoff = (double) pick(m, 1, 3);
    policy->retry_max_delay_ns = pick(m, 0, 1) * pick(m, 1, 90) * MINUTE;
    if (pick(m, 0, 3) == 0)
        policy->retry_on[0] |= 1 << 3, policy->retry_on[75 / 8] |= 1 << 75 % 8;
    note(m, "overlap %d/%d/%d misfire %d/%d grace %d retries %d*%d*%d<%d%s ", policy->overlap,
         (int) policy->queue_limit, (int) policy->max_running, policy->misfire, (int) policy->misfire_limit,
         (int) (policy->misfire_grace_ns / SECOND), (int) policy->retries,
         (int) (policy->retry_delay_ns / SECOND), (int) policy->retry_backoff,
         (int) (policy->retry_max_delay_ns / SECOND), policy->retry_on[0] ? " on 3, 75" : "");
}

static void
make_delay(struct model *m)
{
    if (pick(m, 0, 2) > 0)
        m->span_ns = pick(m, 0, 1) * pick(m, 0, 200) * MINUTE;
    else
        m->at_ns = m->created_ns + pick(m, -60, 120) * MINUTE;
    m->looked_ns = INT64_MIN / 4;
}

static void
make_cron(struct model *m)
{
    int what = (int) pick(m, 0, 9);

    if (what < 8)
        m->span_ns = pick(m, 2, 60) * MINUTE + pick(m, 0, 1) * 7 * MS;
    if (what > 5)
        m->cron_ns = (int[]) {5, 10, 15, 30, 60}[pick(m, 0, 4)] * MINUTE;
    if (m->span_ns > 0 && m->cron_ns > 0) {      /* thousands of moments where both meet may count twice */
        m->span_ns += 20 * MINUTE;
        m->cron_ns = m->cron_ns < 15 * MINUTE ? 15 * MINUTE : m->cron_ns;
    }
    m->from_completion = m->span_ns > 0 && pick(m, 0, 3) == 0;
    m->runs_on_start = pick(m, 0, 5) == 0;
    if (pick(m, 0, 4) == 0 && !(m->from_completion && m->runs_on_start))
        m->start_ns = m->created_ns + pick(m, m->from_completion ? 1 : -100, 100) * MINUTE;
    if (pick(m, 0, 3) == 0)
        m->end_ns = (m->start_ns == PAWL_NO_TIME ? m->created_ns : m->start_ns) + pick(m, 60, 400) * MINUTE;
    if (pick(m, 0, 3) == 0)
        m->max_runs = (uint64_t) pick(m, 1, 8);
    m->looked_ns = m->created_ns - 1;
    if (m->from_completion && !m->runs_on_start) {
        int64_t due_ns = m->start_ns == PAWL_NO_TIME ? m->created_ns + m->span_ns : m->start_ns;
        int64_t cron_ns = next_of_cron(m, m->created_ns);

        m->span_due_ns = cron_ns == PAWL_NO_TIME || due_ns <= cron_ns ? due_ns : PAWL_NO_TIME;
    }
}

static bool
begin_life(struct life *l, uint64_t seed)
{
    struct model *m = &l->model;

    clear_life(l, seed);
    m->now_ns += pick(m, 0, 1);
    m->created_ns = m->updated_ns = m->now_ns;
    m->type = pick(m, 0, 3) == 0 ? PAWL_DELAY : PAWL_CRON;
    m->keep_results = (int) pick(m, 0, 5);
    m->has_condition = pick(m, 0, 3) == 0;
    m->has_group = pick(m, 0, 3) == 0;
    make_policy(m);
    if (m->type == PAWL_DELAY)
        make_delay(m);
    else
        make_cron(m);
    /* Not told: which of those that are made up for a run was, when runs beside it were the last ones. */
    if (m->policy.overlap == PAWL_OVERLAP_ALLOW && m->policy.misfire == PAWL_MISFIRE_ALL && m->max_runs > 0)
        m->has_condition = m->has_group = false;
    if (pick(m, 0, 5) == 0)
        m->jitter_ns = pick(m, 1, 30) * MINUTE;
    note(m, "%s span %d cron %d at %d start %d end %d max %d%s%s jitter<%d: ",
         m->type == PAWL_CRON ? "cron" : "delay", (int) (m->span_ns / SECOND),
         (int) (m->cron_ns / SECOND), m->at_ns == PAWL_NO_TIME ? -1 : (int) ((m->at_ns - m->created_ns) / SECOND),
         m->start_ns == PAWL_NO_TIME ? -1 : (int) ((m->start_ns - m->created_ns) / SECOND),
         m->end_ns == PAWL_NO_TIME ? -1 : (int) ((m->end_ns - m->created_ns) / SECOND), (int) m->max_runs,
         m->runs_on_start ? " on start" : "", m->from_completion ? " from completion" : "",
         (int) (m->jitter_ns / SECOND));
    return submit_life(l);
}

static void
let_pass(struct model *m)
{
    int64_t what = pick(m, 0, 9), by_ns;

    by_ns = what == 0 ? 0 : what == 1 ? pick(m, 0, 600) * MINUTE : pick(m, 0, 1800) * SECOND;
    if (what == 2 && next_due(m, m->looked_ns) != PAWL_NO_TIME)        /* in the very moment */
        by_ns = next_due(m, m->looked_ns) + m->jitter_ns - m->now_ns;
    if (what == 3 && m->is_retry)
        by_ns = m->not_before_ns - m->now_ns;
    m->now_ns += by_ns > 0 ? by_ns : 0;
    note(m, "\n@%d ", (int) ((m->now_ns - m->created_ns) / SECOND));
}

static void
ask_something(struct life *l)
{
    int64_t what = pick(&l->model, 0, 99);

    ask(l, what < 40 ? PAWL_EVENT_RUN : what < 65 ? PAWL_EVENT_PAUSE : what < 95 ? PAWL_EVENT_RESUME
                                                                                 : PAWL_EVENT_STOP);
}

static void
end_something(struct life *l)
{
    static const int codes[] = {0, 0, 1, 3, 75, -1};
    struct model *m = &l->model;
    bool is_skip = m->has_condition && pick(m, 0, 2) == 0;

    finish_one(l, (int) pick(m, 0, m->running - 1), is_skip ? 1 : codes[pick(m, 0, 5)], is_skip);
}

static void
live(struct life *l)
{
    struct model *m = &l->model;

    for (int step = 0; step < STEPS; step++) {
        let_pass(m);
        for (int64_t n = pick(m, 0, 3); n > 0; n--) {
            int64_t what = pick(m, 0, 9);

            if (what < 6)
                try_start_in(l, m->has_group && pick(m, 0, 3) == 0);
            else if (what < 9 && m->running > 0)
                end_something(l);
            else
                ask_something(l);
        }
        check_life(l);
    }
}

static uint64_t
chosen_seed(void)
{
    const char *text = getenv("PAWL_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 1;

    print_message("PAWL_TEST_SEED=%llu\n", (unsigned long long) seed);
    return seed << 32;
}

static uint64_t
chosen_rounds(uint64_t rounds)
{
    const char *text = getenv("PAWL_TEST_ROUNDS");

    return text ? strtoull(text, NULL, 0) : rounds;
}

static void
test_life_of_a_task_is_that_of_the_model(void **state)
{
    uint64_t seed = chosen_seed();

    (void) state;
    open_lives();
    for (uint64_t round = 0; round < chosen_rounds(ROUNDS); round++) {
        if (!begin_life(&life, seed + round))
            continue;
        live(&life);
        end_life(&life);
    }
    close_lives();
}

/* --- Restarts --- */

/* What a store would have of the task. Its pointers are those of the view, which holds them. */
static struct pawl_record
record_of(const struct pawl_snapshot *snapshot, const struct pawl_view *view, uint64_t seq, int64_t anchor_ns)
{
    const struct pawl_schedule *schedule = pawl_def_schedule(snapshot->def);
    const struct pawl_wait *wait = pawl_snapshot_wait(snapshot);
    bool is_over = pawl_snapshot_is_over(snapshot);
    struct pawl_record record = {
        .seq = seq, .id = "model", .id_len = 5, .type = view->type, .time_ns = view->time_ns,
        .script = view->script, .script_len = view->script_len, .keep_results = view->keep_results,
        .created_ns = view->created_ns, .when = view->when, .policy = view->policy,
        .origin_ns = schedule ? schedule->origin_ns + anchor_ns : 0,
        .since_ns = schedule ? schedule->created_ns : 0,
        .version = view->version, .status = view->status, .updated_ns = view->updated_ns,
        .due_ns = is_over ? PAWL_NO_TIME : snapshot->due_ns, .is_due_wall = snapshot->is_due_wall,
        .previous_ns = snapshot->previous_ns, .run_count = snapshot->run_count,
        .failure_count = snapshot->failure_count, .skipped_overlap = snapshot->skipped_overlap,
        .missed = snapshot->missed, .asked_count = snapshot->asked_count,
        .is_paused = snapshot->is_paused, .is_asked = snapshot->is_asked, .running = snapshot->running,
        .end_reason = (enum pawl_end_reason) snapshot->end_reason,
    };

    if (!record.is_due_wall && record.due_ns != PAWL_NO_TIME)
        record.due_ns += anchor_ns;
    if (!wait)
        return record;
    record.skipped_condition = wait->tally.skipped_condition;
    record.skipped_group = wait->tally.skipped_group;
    record.missed_paused = wait->tally.missed_paused;
    record.attempt = wait->attempt;
    record.is_retry = wait->is_retry;
    record.is_retried_wall = wait->is_retried_wall;
    record.not_before_ns = wait->not_before_ns + anchor_ns;
    record.retried_ns = wait->retried_ns + (wait->is_retried_wall ? 0 : anchor_ns);
    return record;
}

/* The run in progress as the table of runs has it. */
static struct pawl_lost_run
lost_run(const struct life *l, uint64_t seq, int64_t anchor_ns)
{
    const struct model_run *run = &l->model.now[0];
    struct pawl_lost_run lost = {
        .seq = seq, .run = run->run, .version = l->model.version, .started_ns = l->view.previous_ns,
        .scheduled = run->started, .slot = PAWL_SLOT_NONE, .attempt = (unsigned) run->attempt,
        .is_asked = run->is_asked,
    };

    if (!lost.scheduled.is_wall)
        lost.scheduled.ns += anchor_ns;
    return lost;
}

static void
remove_task(struct fixture *f, struct life *l)
{
    struct pawl_event event = {0};

    assert_int_equal(apply(l, PAWL_EVENT_DELETE, &event), PAWL_OK);
    pawl_shown(f->handle, l->task, true);
    pawl_task_unref(l->task);
}

/* The engine that restores tasks, on whose clock they live. It starts nothing: another run has all room. */
static void
restart(struct fixture *f, struct life *l)
{
    static uint64_t seq;
    struct model *m = &l->model;
    struct pawl_restorer restorer;
    struct pawl_lost_run run;
    struct pawl_lost_runs lost = {.runs = &run, .n = m->running > 0};
    struct pawl_result results[8];
    struct pawl_record record;

    note(m, "restart ");
    look(l);
    pawl_epoch_begin(l->thread);
    record = record_of(pawl_task_read_decided(l->task, NULL), &l->view, ++seq, f->engine->scale.anchor_ns);
    pawl_epoch_end(l->thread);
    run = lost_run(l, seq, f->engine->scale.anchor_ns);
    for (size_t i = 0; i < l->view.nresults; i++)
        results[i] = *l->view.results[i];
    remove_task(f, l);
    pawl_restorer_init(&restorer, f->engine, &lost, false);
    assert_int_equal(pawl_restore(&restorer, f->handle, &record, results, l->view.nresults, NULL), PAWL_OK);
    pawl_restorer_fini(&restorer);
    pawl_view_release(&l->view);
    l->task = pawl_handle_find(f->handle, "model", 5);
    assert_non_null(l->task);
    model_restart(m);
    l->armed_ns = fires_ns(l);
    check_life(l);
}

/* The first task of a life is made as pawl_submit() would make it; all others are restored. */
static void
place_first(struct fixture *f, struct life *l)
{
    assert_int_equal(pawl_index_put(f->engine->index, f->handle->epoch, &l->task->key, pawl_task_is_live),
                     PAWL_OK);
    l->task->seq = pawl_order_append(f->engine->order, f->handle->epoch, l->task);
    pawl_task_ref(l->task);
}

static void
live_through_restarts(struct fixture *f, struct life *l)
{
    struct model *m = &l->model;

    for (int step = 0; step < STEPS; step++) {
        let_pass(m);
        fixture_advance(f, m->now_ns - atomic_load(&f->clock.elapsed));
        if (pick(m, 0, 5) == 0)
            restart(f, l);
        for (int64_t n = pick(m, 0, 3); n > 0; n--) {
            int64_t what = pick(m, 0, 9);

            if (what < 6)
                try_start_in(l, m->has_group && pick(m, 0, 3) == 0);
            else if (what < 9 && m->running > 0)
                end_something(l);
            else
                ask_something(l);
        }
    }
}

static void
test_life_of_a_task_goes_on_over_restarts(void **state)
{
    struct pawl_options options;
    uint64_t seed = chosen_seed();
    struct fake_store fake;
    struct fixture f;

    (void) state;
    pawl_options_init(&options);
    options.nworkers = options.max_running = 1;
    options.keep_finished_ns = INT64_MAX;
    fake_store_init(&fake);
    durable_open_with(&f, &fake, &options);
    pawl_committer_stop(f.engine->committer);   /* tasks are restored before there is one */
    assert_true(pawl_engine_begin_run(f.engine));
    life.index = f.engine->index;
    life.thread = f.handle->epoch;
    for (uint64_t round = 0; round < chosen_rounds(ROUNDS / 10); round++) {
        life.begun_ns = atomic_load(&f.clock.elapsed);
        if (!begin_life(&life, seed + round))
            continue;
        place_first(&f, &life);
        if (life.model.policy.overlap != PAWL_OVERLAP_ALLOW)    /* runs that overlap: test_overlap.c */
            live_through_restarts(&f, &life);
        remove_task(&f, &life);
        pawl_rest(f.handle);
    }
    pawl_engine_end_run(f.engine);
    durable_close(&f, &fake);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_task_is_that_of_the_model),
        cmocka_unit_test(test_life_of_a_task_goes_on_over_restarts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
