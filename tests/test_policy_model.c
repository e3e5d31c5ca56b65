/* test_policy_model.c: the state table against a slow model of the whole life of a task
 * (policy_model.h): random tasks with random policies, random spans of time, machines that sleep, runs that
 * end well and badly, and all that can be asked of a task. After each event the task is what the model
 * says, and each due time that came waits, or has ended in one run or in one count. PAWL_TEST_SEED and
 * PAWL_TEST_ROUNDS choose the lives. */
#include "policy_life.h"

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
    m->now_ns += pick(m, 0, SECOND);
    m->created_ns = m->updated_ns = m->now_ns;
    m->type = pick(m, 0, 3) == 0 ? PAWL_DELAY : PAWL_CRON;
    m->keep_results = (int) pick(m, 0, 5);
    m->has_condition = pick(m, 0, 3) == 0;
    make_policy(m);
    if (m->type == PAWL_DELAY)
        make_delay(m);
    else
        make_cron(m);
    /* Not told: which of those that are made up for a run was, when runs beside it were the last ones. */
    if (m->policy.overlap == PAWL_OVERLAP_ALLOW && m->policy.misfire == PAWL_MISFIRE_ALL && m->max_runs > 0)
        m->has_condition = false;
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
                try_start(l);
            else if (what < 9 && m->running > 0)
                end_something(l);
            else
                ask_something(l);
        }
        check_life(l);
    }
}

static void
test_life_of_a_task_is_that_of_the_model(void **state)
{
    const char *seed_text = getenv("PAWL_TEST_SEED"), *rounds_text = getenv("PAWL_TEST_ROUNDS");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : 1;
    uint64_t rounds = rounds_text ? strtoull(rounds_text, NULL, 0) : ROUNDS;

    (void) state;
    print_message("PAWL_TEST_SEED=%llu\n", (unsigned long long) seed);
    open_lives();
    for (uint64_t round = 0; round < rounds; round++) {
        if (!begin_life(&life, (seed << 32) + round))
            continue;
        live(&life);
        end_life(&life);
    }
    close_lives();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_task_is_that_of_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
