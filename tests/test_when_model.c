/* test_when_model.c: the state table and the schedules together against a slow model of them: random
 * schedules, random spans of time, ends of runs, clocks that are set, due tasks that wait for room.
 * The model keeps a list of all due times that came and were not dealt with. Each must end in a run or in a
 * count, once. */
#include "cron.h"
#include "state.h"
#include "wall.h"
#include "when_fixture.h"

#define ROUNDS 4000
#define STEPS 60
#define DUES_MAX 65536

struct model {
    uint64_t seed;
    struct pawl_def *def;
    const struct pawl_schedule *schedule;
    const struct pawl_when *when;
    struct pawl_snapshot state;
    int64_t elapsed_ns, offset_ns, high_ns;
    int64_t first_ns;               /* wall: submitted */
    int64_t jitter_ns;
    struct pawl_cron crons[PAWL_TRIGGERS_MAX];
    bool has_wild, has_started;
    int64_t span_ns[PAWL_TRIGGERS_MAX];     /* the next due time of each span (elapsed) */
    int64_t dues[DUES_MAX];         /* elapsed if spans alone, else wall: came, in order, once each */
    size_t ndues;
    uint64_t nruns, npassed, ncame;
    char trail[8192];
    size_t ntrail;
};

static int64_t
pick(struct model *m, int64_t from, int64_t to)
{
    m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
    return from + (int64_t) ((m->seed >> 33) % (uint64_t) (to - from + 1));
}

static int64_t
wall(const struct model *m)
{
    return m->elapsed_ns + m->offset_ns;
}

__attribute__((format(printf, 2, 3))) static void
note(struct model *m, const char *format, ...)
{
    va_list args;

    if (m->ntrail > sizeof m->trail - 100)
        return;
    va_start(args, format);
    m->ntrail += (size_t) vsnprintf(m->trail + m->ntrail, 100, format, args);
    va_end(args);
}

static bool
is_within(const struct model *m, int64_t wall_ns)
{
    return (m->when->start_ns == PAWL_NO_TIME || wall_ns >= m->when->start_ns) &&
           (m->when->end_ns == PAWL_NO_TIME || wall_ns <= m->when->end_ns);
}

/* A due time, by the wall clock of now. */
static void
add_due(struct model *m, int64_t wall_ns)
{
    size_t i = m->ndues;

    if (!is_within(m, wall_ns))
        return;
    assert_true(m->ndues < DUES_MAX);
    while (i > 0 && m->dues[i - 1] > wall_ns)
        i--;
    if (i > 0 && m->dues[i - 1] == wall_ns)
        return;
    memmove(&m->dues[i + 1], &m->dues[i], (m->ndues - i) * sizeof m->dues[0]);
    m->dues[i] = wall_ns;
    m->ndues++;
    m->ncame++;
}

/* The times of day that the clock shows in (from, to]. */
static void
add_times_of_day(struct model *m, int64_t from_ns, int64_t to_ns)
{
    for (size_t i = 0; i < m->when->ntriggers; i++) {
        const struct pawl_trigger *trigger = &m->when->triggers[i];
        int64_t from = from_ns;

        if (trigger->kind == PAWL_BY_SPAN)
            continue;
        if (!m->has_wild && m->high_ns > from)
            from = m->high_ns;
        if (trigger->kind == PAWL_BY_AT) {
            if (trigger->at_ns > from && trigger->at_ns <= to_ns)
                add_due(m, trigger->at_ns);
            continue;
        }
        for (int64_t second = from / SECOND;
             (second = pawl_cron_next(&m->crons[i], second)) != PAWL_CRON_NEVER &&
             second <= to_ns / SECOND;)
            add_due(m, second * SECOND);
    }
}

static void
add_spans(struct model *m)
{
    for (size_t i = 0; i < m->when->ntriggers; i++) {
        const struct pawl_trigger *trigger = &m->when->triggers[i];

        if (trigger->kind != PAWL_BY_SPAN)
            continue;
        if (!m->has_started && m->when->start_ns != PAWL_NO_TIME && wall(m) >= m->when->start_ns) {
            add_due(m, m->when->start_ns);
            m->span_ns[i] = m->when->start_ns - m->offset_ns + trigger->time_ns;
        }
        if (m->when->start_ns != PAWL_NO_TIME && !m->has_started && wall(m) < m->when->start_ns)
            continue;
        for (; m->span_ns[i] <= m->elapsed_ns; m->span_ns[i] += trigger->time_ns)
            add_due(m, m->span_ns[i] + m->offset_ns);
    }
    m->has_started |= m->when->start_ns != PAWL_NO_TIME && wall(m) >= m->when->start_ns;
}

/* How many due times are to be fired by now. */
static size_t
count_come(const struct model *m)
{
    size_t n = 0;

    while (n < m->ndues && m->dues[n] + m->jitter_ns <= wall(m))
        n++;
    return n;
}

static void
drop_first(struct model *m, size_t n)
{
    memmove(m->dues, m->dues + n, (m->ndues - n) * sizeof m->dues[0]);
    m->ndues -= n;
}

static int
decide(struct model *m, enum pawl_event_kind kind, int64_t old_wall_ns, struct pawl_event *out)
{
    struct pawl_snapshot next = m->state;
    int code;

    *out = (struct pawl_event) {
        .kind = kind, .now_ns = m->elapsed_ns, .wall_ns = wall(m), .high_ns = m->high_ns,
        .oldest_ns = INT64_MIN, .old_wall_ns = old_wall_ns, .keep_ns = INT64_MAX,
    };
    code = pawl_decide(&m->state, out, &next, NULL);
    if (code == PAWL_OK)
        m->state = next;
    return code;
}

#define CHECK(condition)                                                                         \
    do {                                                                                         \
        if (!(condition))                                                                        \
            fail_msg("line %d: %s\n%.300s ... %s\n%d runs, %d passed; %d and %d by the model, "      \
                     "%d wait", __LINE__, #condition, m->trail,                                  \
                     m->trail + (m->ntrail > 300 ? m->ntrail - 300 : 0),                         \
                     (int) m->state.run_count,                                                   \
                     (int) (m->state.missed + m->state.skipped_overlap), (int) m->nruns,         \
                     (int) m->npassed, (int) m->ndues);                                          \
    } while (0)

static void
try_start(struct model *m)
{
    struct pawl_event event;
    size_t ncome = count_come(m);
    bool is_idle = m->state.status == PAWL_TO_BE_EXECUTED || m->state.status == PAWL_WAIT_FOR_NEXT;
    int code = decide(m, PAWL_EVENT_START, 0, &event);

    if (!is_idle || ncome == 0) {
        CHECK(code == PAWL_ESTATE);
        return;
    }
    note(m, "start@%lld+%lld;", (long long) (wall(m) - m->first_ns) / MS, (long long) ncome);
    CHECK(code == PAWL_OK);
    CHECK(pawl_due_wall(event.due, m->offset_ns) == m->dues[ncome - 1]);
    m->nruns++;
    m->npassed += ncome - 1;
    drop_first(m, ncome);
    CHECK(m->state.run_count == m->nruns);
    CHECK(m->state.missed + m->state.skipped_overlap == m->npassed);
    if (m->when->max_runs > 0 && m->nruns == m->when->max_runs)
        m->ndues = 0;
}

static void
finish(struct model *m)
{
    struct pawl_event event;
    size_t ncome = count_come(m);

    note(m, "end@%lld;", (long long) (wall(m) - m->first_ns) / MS);
    CHECK(decide(m, PAWL_EVENT_FINISH, 0, &event) == PAWL_OK);
    if (m->when->max_runs > 0 && m->nruns == m->when->max_runs) {
        CHECK(m->state.status == PAWL_EXECUTED);
        return;
    }
    m->npassed += ncome;
    drop_first(m, ncome);
    CHECK(m->state.missed + m->state.skipped_overlap == m->npassed);
}

static void
advance(struct model *m, int64_t by_ns)
{
    int64_t from_ns = wall(m);

    note(m, "+%lld;", (long long) by_ns / MS);
    m->elapsed_ns += by_ns;
    add_times_of_day(m, from_ns, wall(m));
    add_spans(m);
    if (m->when->max_runs > 0 && m->nruns >= m->when->max_runs)
        m->ndues = 0;
}

static void
set_clock(struct model *m, int64_t by_ns)
{
    struct pawl_event event;
    int64_t from_ns = wall(m);

    /* Not told by the model: what wildcards that waited are then, and what came to its end. */
    if (by_ns < 0 && ((m->ndues > 1 && m->has_wild) || m->state.due_ns == PAWL_NO_TIME))
        return;
    note(m, "set%+lld;", (long long) by_ns / MS);
    m->offset_ns += by_ns;
    if (by_ns > 0)
        add_times_of_day(m, from_ns, wall(m));
    m->high_ns = pawl_wall_high(m->high_ns, from_ns, wall(m));
    for (size_t i = 0; i < m->ndues && m->when->triggers[0].kind == PAWL_BY_SPAN; i++)
        m->dues[i] += by_ns;                /* a span is alone here */
    for (size_t i = 0; i < m->ndues && by_ns < 0 && m->when->triggers[0].kind != PAWL_BY_SPAN; i++) {
        /* What comes again is not due now. */
        if (m->dues[i] > wall(m) && (m->has_wild || m->high_ns == INT64_MIN)) {
            m->ncame -= m->ndues - i;
            m->ndues = i;
        }
    }
    add_spans(m);
    if (m->when->max_runs > 0 && m->nruns >= m->when->max_runs)
        m->ndues = 0;
    decide(m, PAWL_EVENT_RETIME, from_ns, &event);
}

static void
make(struct model *m, bool may_set, uint64_t seed)
{
    static const char *const wild[] = {"* * * * *", "*/7 * * * *", "5 * * * *", "*/10 * * * * *"};
    static const char *const fixed[] = {"30 8,9,10 * * *", "0,10,20,55 8-12 * * *", "15 0 9 * * *",
                                        "0,10,20,30 0,1 12 * * *", "0 12 * * mon"};
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York"};
    struct pawl_trigger triggers[4];
    struct pawl_when when = {.triggers = triggers, ALWAYS};
    struct pawl_schedule_basis basis = {.id = "model", .id_len = 5, .type = PAWL_CRON};
    struct pawl_spec spec = {.id = "model", .id_len = 5, .type = PAWL_CRON, .script = ":",
                             .script_len = 1, .keep_results = 0, .when = &when};
    struct pawl_schedule *schedule;
    struct pawl_err err = {0};
    int kind;
    bool has_span = false;

    *m = (struct model) {.seed = seed * 2654435761u + 99, .high_ns = INT64_MIN};
    m->elapsed_ns = 1000 * SECOND + pick(m, 0, SECOND);
    m->offset_ns = START_WALL - 1000 * SECOND + pick(m, 0, 6) * HOUR;
    m->first_ns = wall(m);
    kind = (int) pick(m, 0, may_set ? 1 : 2);       /* wild, fixed, mixed with spans */
    when.ntriggers = (size_t) (kind == 2 ? pick(m, 1, 4) : pick(m, 1, 2));
    if (may_set && pick(m, 0, 5) == 0)
        kind = 3, when.ntriggers = 1;               /* one span */
    for (size_t i = 0; i < when.ntriggers; i++) {
        const char *zone = zones[pick(m, 0, 2)];
        int what = kind == 2 ? (int) pick(m, 0, 3) : kind;

        if (what == 1 && pick(m, 0, 3) == 0)
            triggers[i] = (struct pawl_trigger) BY_AT(m->first_ns + pick(m, 0, 9) * HOUR / 3);
        else if (what < 2) {
            /* Of several triggers that meet, thousands of moments may count twice: not each second. */
            const char *text = what == 0 ? wild[pick(m, 0, when.ntriggers > 1 ? 2 : 3)]
                                         : fixed[pick(m, 0, 4)];

            triggers[i] = (struct pawl_trigger) BY_CRON(text, zone);
        } else {
            triggers[i] = (struct pawl_trigger) BY_SPAN(pick(m, 1, 90) * MINUTE / 2 + 7);
            has_span = true;
        }
    }
    if (pick(m, 0, 3) == 0 && (!may_set || !has_span))
        when.start_ns = m->first_ns + pick(m, -20, 20) * 5 * MINUTE;
    if (pick(m, 0, 3) == 0 && (!may_set || !has_span))
        when.end_ns = (when.start_ns != PAWL_NO_TIME ? when.start_ns : m->first_ns) +
                      pick(m, 1, 40) * 10 * MINUTE;
    if (pick(m, 0, 3) == 0)
        when.max_runs = (uint64_t) pick(m, 1, 12);
    if (pick(m, 0, 1) == 0 && kind != 3)
        when.jitter_ns = pick(m, 1, 100) * MINUTE;
    if (pick(m, 0, 5) == 0 && !may_set && (!has_span || when.start_ns == PAWL_NO_TIME || when.start_ns > m->first_ns))
        when.runs_on_start = true;
    basis.created_ns = m->first_ns;
    basis.origin_ns = when.start_ns == PAWL_NO_TIME ? m->elapsed_ns : when.start_ns - m->offset_ns;
    basis.offset_ns = m->offset_ns;
    if (pawl_schedule_new(&when, &basis, &schedule, &err) != PAWL_OK)
        fail_msg("%s", err.text);
    m->def = pawl_def_new(&spec, 0, schedule);
    m->schedule = schedule;
    m->when = &schedule->when;
    for (size_t i = 0; i < when.ntriggers; i++) {
        struct pawl_cron_options options = {.dst = PAWL_CRON_RUN_AFTER};

        note(m, "[%s %lld]", triggers[i].kind == PAWL_BY_CRON ? triggers[i].expr :
             triggers[i].kind == PAWL_BY_AT ? "at" : "span",
             triggers[i].kind == PAWL_BY_AT ? (long long) (triggers[i].at_ns - m->first_ns) / MS
             : (long long) triggers[i].time_ns / MS);
        m->span_ns[i] = m->elapsed_ns + triggers[i].time_ns;
        if (triggers[i].kind == PAWL_BY_SPAN && when.start_ns != PAWL_NO_TIME &&
            when.start_ns <= m->first_ns) {
            m->has_started = true;
            m->span_ns[i] = basis.origin_ns;
            while (m->span_ns[i] <= m->elapsed_ns)
                m->span_ns[i] += triggers[i].time_ns;
        }
        if (triggers[i].kind != PAWL_BY_CRON)
            continue;
        assert_int_equal(pawl_zone_load(triggers[i].timezone, triggers[i].timezone_len,
                                        &options.zone, NULL), PAWL_OK);
        assert_int_equal(pawl_cron_parse(&m->crons[i], triggers[i].expr, triggers[i].expr_len,
                                         &options, NULL, NULL), PAWL_OK);
        m->has_wild |= m->crons[i].is_wild;
    }
    note(m, "start%+lld end%+lld max %d jitter %lld onstart %d first %lld:",
         when.start_ns == PAWL_NO_TIME ? -1 : (long long) (when.start_ns - m->first_ns) / MS,
         when.end_ns == PAWL_NO_TIME ? -1 : (long long) (when.end_ns - m->first_ns) / MS,
         (int) when.max_runs, (long long) when.jitter_ns / MS, when.runs_on_start,
         (long long) m->first_ns / 1000000000);
}

static void
play(bool may_set)
{
    static struct model model;
    struct model *m = &model;

    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct pawl_now now;
        struct pawl_due due;

        make(m, may_set, round);
        now = (struct pawl_now) {m->elapsed_ns, wall(m), m->high_ns, INT64_MIN};
        due = pawl_schedule_first(m->schedule, &now);
        m->state = (struct pawl_snapshot) {.def = m->def, .status = PAWL_TO_BE_EXECUTED};
        pawl_snapshot_set_due(&m->state, due);
        if (due.ns == PAWL_NO_TIME) {
            pawl_def_unref(m->def);
            continue;
        }
        m->jitter_ns = pawl_schedule_jitter(m->schedule, due);
        note(m, "J%lld;", (long long) m->jitter_ns / MS);
        if (m->when->runs_on_start)
            m->dues[m->ndues++] = wall(m), m->ncame++;
        for (int step = 0; step < STEPS; step++) {
            int what = (int) pick(m, 0, 9);

            advance(m, pick(m, 0, 3) == 0 ? pick(m, 0, 200) * MINUTE
                                          : pick(m, 0, 600) * SECOND + pick(m, 0, 999) * MS);
            if (may_set && what == 0)
                set_clock(m, pick(m, 1, 3) == 1 ? pick(m, -40, 40) * 10 * MINUTE
                                                : pick(m, -900, 900) * SECOND);
            if (what < 8)                   /* else it waits for room */
                try_start(m);
            if (m->state.status == PAWL_EXECUTING && pick(m, 0, 2) > 0)
                finish(m);
        }
        pawl_def_unref(m->def);
    }
}

static void
test_each_due_time_ends_in_one_run_or_count(void **state)
{
    (void) state;
    play(false);
}

static void
test_each_due_time_ends_in_one_run_or_count_whatever_the_clock_does(void **state)
{
    (void) state;
    play(true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_due_time_ends_in_one_run_or_count),
        cmocka_unit_test(test_each_due_time_ends_in_one_run_or_count_whatever_the_clock_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
