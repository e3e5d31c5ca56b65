/* policy_model.h: the whole life of a task by a slow, obvious model, written from docs/protocol.md and not
 * from the engine: it keeps a list of all due times that came and were neither run nor counted, and
 * says of each event whether it is accepted and what the task is afterwards.
 *
 * Due times are on elapsed time; the wall clock is not set here (test_when_model.c does that). */
#ifndef PAWL_POLICY_MODEL_H
#define PAWL_POLICY_MODEL_H

#include "when_fixture.h"

#define DUES_MAX 20000
#define RESULTS_MAX 4096

struct model_result {
    uint64_t run;
    int attempt;
    int64_t scheduled_ns;           /* elapsed */
    bool failed;
};

/* A run in progress. */
struct model_run {
    uint64_t run;
    int attempt;
    int64_t due_ns;                 /* elapsed */
    bool is_asked;
    struct pawl_due started;        /* as the engine gave it */
};

#define RUNS_MAX 8

struct model {
    uint64_t seed;
    /* What the task is. */
    enum pawl_type type;
    struct pawl_policy policy;
    bool has_policy;
    int64_t span_ns, cron_ns;       /* 0: no such trigger; the second: the minutes of an hour that it divides */
    int64_t at_ns;                  /* elapsed, PAWL_NO_TIME: none */
    int64_t start_ns, end_ns;       /* elapsed, PAWL_NO_TIME: none */
    int64_t jitter_ns;
    uint64_t max_runs;
    bool runs_on_start, from_completion, has_condition, has_group;
    int keep_results;
    /* What time it is. */
    int64_t now_ns, offset_ns, created_ns;
    /* The due times: those that came and wait, and from when on others come. */
    int64_t wait[DUES_MAX];
    size_t nwait;
    size_t nmissed_first;           /* of them the first: they were missed, and are made up for one by one */
    bool is_queued;                 /* what waits is to be run whatever its age */
    int64_t looked_ns;              /* all due times up to here are in the list */
    int64_t span_due_ns;            /* from_completion: the next one; PAWL_NO_TIME: none */
    bool is_used_up;                /* it has had its last due time */
    enum pawl_end_reason delay_end; /* what became of the one run of a delay task */
    /* What it is now. */
    enum pawl_status status;
    int running;
    struct model_run now[RUNS_MAX];
    bool is_paused, is_asked, is_retry, is_replaced;
    int attempt;
    int64_t not_before_ns, run_due_ns;      /* of what was to begin last */
    int64_t newest_due_ns;          /* the due time up to which something has begun */
    int64_t version, updated_ns;
    uint64_t runs, asked, failures, skipped, skipped_condition, skipped_group, missed, missed_paused;
    uint64_t nothing;               /* of those that were skipped: runs that were asked for, no due times */
    uint64_t came;                  /* due times, all of them */
    uint64_t dropped;               /* of them, those behind the last run, or in a task that is deleted */
    uint64_t started;               /* of them, those that were run */
    struct model_result results[RESULTS_MAX];
    size_t nresults;
    char trail[65536];
    size_t ntrail;
};

static inline int64_t
pick(struct model *m, int64_t from, int64_t to)
{
    m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
    return from + (int64_t) ((m->seed >> 33) % (uint64_t) (to - from + 1));
}

__attribute__((format(printf, 2, 3))) static inline void
note(struct model *m, const char *format, ...)
{
    va_list args;

    if (m->ntrail > sizeof m->trail - 200)
        return;
    va_start(args, format);
    m->ntrail += (size_t) vsnprintf(m->trail + m->ntrail, 200, format, args);
    va_end(args);
}

/* --- Due times --- */

static inline bool
is_over(const struct model *m)
{
    return m->status == PAWL_EXECUTED || m->status == PAWL_STOPPED;
}

/* So many runs are in progress as may be at a time: what is made up for comes one by one. */
static inline bool
is_full(const struct model *m)
{
    return m->running >= (m->policy.overlap == PAWL_OVERLAP_ALLOW && m->nmissed_first == 0
                              ? (int) m->policy.max_running : 1);
}

/* A due time finds runs in its way. A run is in progress until its last attempt has ended. */
static inline bool
is_busy(const struct model *m)
{
    return is_full(m) || m->is_retry;
}

/* The first time of the grid from base in steps after a moment. */
static inline int64_t
grid_after(int64_t base_ns, int64_t step_ns, int64_t after_ns)
{
    int64_t k = (after_ns - base_ns) / step_ns;

    while (base_ns + k * step_ns > after_ns)
        k--;
    while (base_ns + k * step_ns <= after_ns)
        k++;
    return base_ns + k * step_ns;
}

static inline int64_t
next_of_cron(const struct model *m, int64_t after_ns)
{
    int64_t wall_ns = after_ns + m->offset_ns;

    if (m->cron_ns == 0)
        return PAWL_NO_TIME;
    if (m->start_ns != PAWL_NO_TIME && after_ns < m->start_ns)
        wall_ns = m->start_ns + m->offset_ns - 1;
    return grid_after(0, m->cron_ns, wall_ns) - m->offset_ns;      /* it divides the hour */
}

static inline int64_t
next_of_span(const struct model *m, int64_t after_ns)
{
    if (m->span_ns == 0)
        return PAWL_NO_TIME;
    if (m->from_completion)
        return m->span_due_ns != PAWL_NO_TIME && m->span_due_ns > after_ns ? m->span_due_ns
                                                                           : PAWL_NO_TIME;
    if (m->start_ns == PAWL_NO_TIME)
        return grid_after(m->created_ns, m->span_ns, after_ns);
    return after_ns < m->start_ns ? m->start_ns : grid_after(m->start_ns, m->span_ns, after_ns);
}

/* The first due time after a moment at or after the submission; PAWL_NO_TIME: none. */
static inline int64_t
next_due(const struct model *m, int64_t after_ns)
{
    int64_t cron_ns, span_ns, due_ns;

    if (m->type == PAWL_DELAY) {
        due_ns = m->at_ns != PAWL_NO_TIME ? m->at_ns : m->created_ns + m->span_ns;
        return due_ns > after_ns ? due_ns : PAWL_NO_TIME;
    }
    if (m->is_used_up)
        return PAWL_NO_TIME;
    if (after_ns < m->created_ns)
        return m->runs_on_start ? m->created_ns : next_due(m, m->created_ns);
    cron_ns = next_of_cron(m, after_ns);
    span_ns = next_of_span(m, after_ns);
    due_ns = cron_ns == PAWL_NO_TIME || (span_ns != PAWL_NO_TIME && span_ns < cron_ns) ? span_ns
                                                                                       : cron_ns;
    return m->end_ns != PAWL_NO_TIME && due_ns > m->end_ns ? PAWL_NO_TIME : due_ns;
}

/* Puts all that has come by now into the list. */
static inline void
let_come(struct model *m)
{
    int64_t due_ns;

    if (is_over(m))
        return;
    while ((due_ns = next_due(m, m->looked_ns)) != PAWL_NO_TIME &&
           due_ns + m->jitter_ns <= m->now_ns) {
        assert_true(m->nwait < DUES_MAX);
        m->wait[m->nwait++] = due_ns;
        m->came++;
        m->looked_ns = due_ns;
    }
}

/* Takes the oldest n out of the list. */
static inline void
take(struct model *m, size_t n)
{
    assert_true(n <= m->nwait);
    m->nwait -= n;
    m->nmissed_first -= n < m->nmissed_first ? n : m->nmissed_first;
    memmove(m->wait, m->wait + n, m->nwait * sizeof m->wait[0]);
}

/* From the end of a run, and from where a due time was given up, the span is counted anew. It
 * is one only where no other trigger comes before it. */
static inline void
count_span_anew(struct model *m)
{
    int64_t cron_ns, due_ns = m->now_ns + m->span_ns;

    if (!m->from_completion || m->span_ns == 0 || m->nwait > 0 || m->is_used_up)
        return;
    if (m->start_ns != PAWL_NO_TIME && m->now_ns < m->start_ns)
        due_ns = m->start_ns;
    cron_ns = next_due(m, m->looked_ns);
    if (cron_ns != PAWL_NO_TIME && cron_ns <= m->now_ns)        /* it waits for its jitter */
        return;
    cron_ns = next_of_cron(m, m->now_ns);
    m->span_due_ns = cron_ns == PAWL_NO_TIME || due_ns < cron_ns ? due_ns : PAWL_NO_TIME;
}

/* --- What becomes of those that wait --- */

/* Due times that came during a run: as many as overlap says stay, the newest ones. Nothing is
 * given up while others are made up for. */
static inline uint64_t
count_overlapping(const struct model *m)
{
    uint64_t keep = m->policy.overlap == PAWL_OVERLAP_QUEUE ? m->policy.queue_limit
                    : m->policy.overlap == PAWL_OVERLAP_REPLACE ? 1 : 0;

    if (m->nmissed_first > 0 || m->nwait <= keep)
        return 0;
    return m->nwait - keep;
}

static inline void
give_up_overlapping(struct model *m)
{
    uint64_t n = count_overlapping(m);

    m->skipped += n;
    take(m, n);
}

static inline bool
is_too_late(const struct model *m, int64_t due_ns, bool is_down)
{
    int64_t late_ns = m->now_ns - due_ns - m->jitter_ns, grace_ns = m->policy.misfire_grace_ns;

    if (m->policy.misfire == PAWL_MISFIRE_SKIP && is_down)
        return true;
    if (m->policy.misfire == PAWL_MISFIRE_SKIP && grace_ns == 0)
        grace_ns = 60 * SECOND;
    return grace_ns > 0 && late_ns > grace_ns;
}

/* Due times that came while nothing could start: as many as misfire says stay, the newest ones. */
static inline void
give_up_missed(struct model *m, bool is_down)
{
    size_t keep = m->policy.misfire == PAWL_MISFIRE_ALL ? m->policy.misfire_limit : 1, n = 0;

    while (m->nwait > keep) {
        take(m, 1);
        m->missed++;
    }
    while (n < m->nwait && is_too_late(m, m->wait[n], is_down))
        n++;
    take(m, n);
    m->missed += n;
    m->delay_end = PAWL_END_MISSED;
    if (n > 0)
        count_span_anew(m);
    m->nmissed_first = m->policy.misfire == PAWL_MISFIRE_ALL ? m->nwait : 0;
    m->is_queued = m->nmissed_first > 0;
}

static inline void
grow(struct model *m)
{
    m->version++;
    m->updated_ns = m->now_ns;
}

/* No due time is left, and no run in progress. */
static inline bool
ends(struct model *m)
{
    if (m->nwait > 0 || next_due(m, m->looked_ns) != PAWL_NO_TIME)
        return false;
    m->status = PAWL_EXECUTED;
    m->is_paused = false;
    return true;
}

/* --- Events --- */

enum started { REFUSED, RUNS, MAKES_ROOM, PASSES };

/* Whether the run in progress, or the attempt that waits, is to make room for what came. */
static inline bool
must_make_room(const struct model *m)
{
    return m->policy.overlap == PAWL_OVERLAP_REPLACE && is_busy(m) && !m->is_paused && !is_over(m) &&
           m->nwait > 0 && m->nmissed_first == 0 && !m->is_replaced;
}

static inline bool
can_start(const struct model *m)
{
    if (must_make_room(m))
        return true;
    if (is_full(m) || m->status == PAWL_STOPPED)
        return false;
    if (m->is_asked)
        return true;
    if (is_over(m) || m->is_paused)
        return false;
    return m->is_retry ? m->not_before_ns <= m->now_ns : m->nwait > 0;
}

static inline void
begin(struct model *m, int attempt, bool is_asked)
{
    m->status = PAWL_EXECUTING;
    m->newest_due_ns = m->run_due_ns - (is_asked ? m->jitter_ns : 0);
    assert_true(m->running < RUNS_MAX);
    m->now[m->running++] = (struct model_run) {m->runs, attempt, m->run_due_ns, is_asked, {0}};
    m->attempt = attempt;
    grow(m);
}

static inline void
model_end(struct model *m, bool was_busy)
{
    if (!m->is_paused && was_busy)
        give_up_overlapping(m);
    m->is_queued = m->nwait > 0 && !m->is_paused && was_busy;
    m->is_replaced = m->is_retry = false;
    m->attempt = m->running > 0;
    count_span_anew(m);
    if (m->running > 0)
        m->status = PAWL_EXECUTING;
    else if (!ends(m))
        m->status = PAWL_WAIT_FOR_NEXT;
}

/* The group of the task is full: what was to begin passes. */
static inline enum started
model_skip_for_group(struct model *m, bool is_asked)
{
    enum pawl_end_reason was = m->delay_end;
    bool was_over = m->status == PAWL_EXECUTED;

    m->runs--;
    m->skipped_group++;
    if (is_asked) {
        m->asked--;
        m->nothing += m->type == PAWL_CRON || was_over;
    }
    if (!is_asked || (m->type == PAWL_DELAY && !was_over))
        m->started--;
    if (m->is_used_up && !is_asked) {
        m->is_used_up = false;
        m->came -= m->dropped;
        m->dropped = 0;
        m->looked_ns = m->run_due_ns;
        let_come(m);
    }
    count_span_anew(m);
    m->is_queued &= m->nwait > 0;
    m->delay_end = was_over ? was : PAWL_END_SKIPPED;
    if (m->running == 0 && ends(m) && !was_over)
        grow(m);
    return PASSES;
}

/* is_group_full: there is no place for a run in its group. */
static inline enum started
model_start(struct model *m, bool is_group_full)
{
    let_come(m);
    if (!can_start(m))
        return REFUSED;
    if (must_make_room(m) && m->running > 0) {          /* replace: there is one */
        m->is_replaced = true;
        return MAKES_ROOM;
    }
    if (must_make_room(m)) {                    /* no further attempt */
        m->is_retry = false;
        m->failures++;
        give_up_overlapping(m);
        m->is_queued = true;
    }
    if (m->is_retry && is_group_full) {
        m->is_asked = false;
        m->failures++;
        m->delay_end = PAWL_END_DONE;
        model_end(m, true);
        if (is_over(m))
            grow(m);
        return PASSES;
    }
    if (m->is_retry) {
        m->is_retry = m->is_asked = false;
        begin(m, m->attempt + 1, false);
        return RUNS;
    }
    m->runs++;
    if (m->is_asked) {
        m->is_asked = false;
        m->asked++;
        m->run_due_ns = m->now_ns;
        if (m->type == PAWL_DELAY && m->status == PAWL_TO_BE_EXECUTED) {    /* it is its run */
            if (m->nwait == 0)
                m->came++;
            m->started++;
            take(m, m->nwait);
            m->is_queued = false;
            m->looked_ns = INT64_MAX;
        }
        if (m->policy.overlap == PAWL_OVERLAP_REPLACE && m->nmissed_first == 0 && !m->is_paused) {
            m->skipped += m->nwait;
            take(m, m->nwait);
        }
        if (is_group_full)
            return model_skip_for_group(m, true);
        begin(m, 1, true);
        return RUNS;
    }
    if (!m->is_queued)
        give_up_missed(m, false);
    if (m->nwait == 0) {
        m->runs--;
        if (m->running == 0 && ends(m))
            grow(m);
        return PASSES;
    }
    m->run_due_ns = m->wait[0];
    m->started++;
    take(m, 1);
    if (m->from_completion && m->looked_ns < INT64_MAX)
        m->span_due_ns = PAWL_NO_TIME;
    if (m->max_runs > 0 && m->runs - m->asked - m->skipped_condition == m->max_runs) {
        m->is_used_up = true;
        m->is_queued = false;
        m->dropped += m->nwait;
        take(m, m->nwait);
    }
    if (is_group_full)
        return model_skip_for_group(m, false);
    begin(m, 1, false);
    return RUNS;
}

static inline bool
is_retried(const struct model *m, int exit_code)
{
    bool names_any = false;

    for (int i = 0; i < 256; i++)
        names_any |= m->policy.retry_on[i / 8] >> i % 8 & 1;
    return m->attempt <= (int) m->policy.retries &&
           (!names_any || (exit_code >= 0 && (m->policy.retry_on[exit_code / 8] >> exit_code % 8 & 1)));
}

static inline int64_t
retry_delay(const struct model *m)
{
    int64_t delay_ns = m->policy.retry_delay_ns, max_ns = m->policy.retry_max_delay_ns;

    for (int i = 1; i < m->attempt; i++) {
        delay_ns *= (int64_t) m->policy.retry_backoff;
        if (max_ns > 0 && delay_ns > max_ns)
            delay_ns = max_ns;
    }
    return max_ns > 0 && delay_ns > max_ns ? max_ns : delay_ns;
}

/* The condition of a run failed: it does not count for maxRuns, nor as one that was asked for. If it had
 * been the last one there are further due times, those that came meanwhile included. */
static inline void
model_skip(struct model *m, const struct model_run *run)
{
    m->skipped_condition++;
    m->nothing += run->is_asked && m->type == PAWL_CRON;
    m->asked -= run->is_asked;
    m->started -= !run->is_asked || m->type == PAWL_DELAY;
    if (!m->is_used_up || run->is_asked || m->status == PAWL_STOPPED)
        return;
    m->is_used_up = false;
    m->came -= m->dropped;
    m->dropped = 0;
    m->looked_ns = m->newest_due_ns;
    let_come(m);
}

/* run: which of those in progress. is_skip: its condition failed. */
static inline void
model_finish(struct model *m, int i, bool failed, int exit_code, bool is_skip)
{
    struct model_run run = m->now[i];
    bool makes_room, was_busy;

    let_come(m);
    was_busy = is_busy(m);
    makes_room = m->is_replaced || must_make_room(m) ||
                 (m->is_asked && m->policy.overlap == PAWL_OVERLAP_REPLACE);
    assert_true(m->nresults < RESULTS_MAX);
    if (!is_skip)
        m->results[m->nresults++] = (struct model_result) {run.run, run.attempt, run.due_ns, failed};
    m->delay_end = is_skip && run.attempt == 1 ? PAWL_END_SKIPPED : PAWL_END_DONE;
    memmove(&m->now[i], &m->now[i + 1], (size_t) (--m->running - i) * sizeof m->now[0]);
    grow(m);
    if (is_skip && run.attempt == 1) {
        model_skip(m, &run);
        if (m->status != PAWL_STOPPED)
            model_end(m, was_busy);
        else
            m->attempt = m->running > 0;
        return;
    }
    if (m->status == PAWL_STOPPED) {
        m->failures += failed;
        m->attempt = m->running > 0;
        return;
    }
    if (failed && !is_skip && !makes_room && is_retried(m, exit_code)) {
        m->is_retry = true;
        m->not_before_ns = m->now_ns + retry_delay(m);
        m->status = m->type == PAWL_CRON ? PAWL_WAIT_FOR_NEXT : PAWL_TO_BE_EXECUTED;
        return;
    }
    m->failures += failed;
    model_end(m, was_busy);
}

/* What came and will not be run is counted by what was in its way. */
static inline bool
model_stop(struct model *m)
{
    let_come(m);
    if (is_over(m) || (m->type == PAWL_DELAY && m->running > 0))
        return false;
    if (!m->is_paused && (is_busy(m) || m->is_queued)) {
        m->missed += m->nmissed_first;
        m->skipped += m->nwait - m->nmissed_first;
    } else {
        m->missed += m->nwait;
        m->missed_paused += m->is_paused ? m->nwait : 0;
    }
    take(m, m->nwait);
    m->failures += m->is_retry;
    if (m->running == 0)
        m->attempt = 0;
    m->is_paused = m->is_asked = m->is_retry = m->is_replaced = m->is_queued = false;
    m->status = PAWL_STOPPED;
    grow(m);
    return true;
}

static inline bool
model_run(struct model *m, bool *out_kills)
{
    let_come(m);
    *out_kills = false;
    if (m->status == PAWL_STOPPED || m->is_asked ||
        (m->running > 0 && m->policy.overlap == PAWL_OVERLAP_SKIP) ||
        (m->running > 0 && m->policy.overlap == PAWL_OVERLAP_ALLOW && is_full(m)))
        return false;
    if (m->is_retry && !m->is_paused) {
        m->not_before_ns = m->now_ns;
        return true;
    }
    m->is_asked = true;
    *out_kills = m->running > 0 && m->policy.overlap == PAWL_OVERLAP_REPLACE;
    return true;
}

static inline bool
model_pause(struct model *m)
{
    let_come(m);
    if (is_over(m) || m->is_paused ||
        (m->type == PAWL_DELAY && m->running > 0 && m->policy.retries == 0))
        return false;
    if (is_busy(m))
        give_up_overlapping(m);
    m->is_paused = true;
    grow(m);
    return true;
}

static inline bool
model_resume(struct model *m)
{
    let_come(m);
    if (!m->is_paused)
        return false;
    m->is_paused = false;
    m->missed_paused -= m->missed;
    give_up_missed(m, true);
    m->missed_paused += m->missed;
    if (m->running == 0 && !m->is_retry)
        ends(m);
    grow(m);
    return true;
}

/* The daemon died, and another one starts: what ran is lost, which is a failure, and what came and was not run was
 * missed. */
static inline void
model_restart(struct model *m)
{
    int nlost = m->running;

    let_come(m);
    for (int i = 0; i < nlost; i++)
        m->results[m->nresults++] = (struct model_result) {m->now[i].run, m->now[i].attempt,
                                                           m->now[i].due_ns, true};
    m->running = 0;
    m->nmissed_first = 0;
    m->is_replaced = m->is_queued = false;
    if (nlost > 0)
        grow(m);
    if (nlost > 0 && m->status != PAWL_STOPPED && is_retried(m, -1)) {
        m->is_retry = true;
        m->not_before_ns = m->now_ns + retry_delay(m);
        m->status = m->type == PAWL_CRON ? PAWL_WAIT_FOR_NEXT : PAWL_TO_BE_EXECUTED;
    } else if (nlost > 0) {
        m->failures += (uint64_t) nlost;
        m->attempt = 0;
        m->delay_end = PAWL_END_LOST;
        if (m->status != PAWL_STOPPED) {
            count_span_anew(m);
            m->status = PAWL_WAIT_FOR_NEXT;
            ends(m);
        }
    }
    if (is_over(m) || m->is_paused)
        return;
    give_up_missed(m, true);
    if (!m->is_retry && ends(m))
        grow(m);
}

/* The next due time as readers see it (elapsed); PAWL_NO_TIME: none. */
static inline int64_t
model_next(const struct model *m)
{
    uint64_t passed = is_busy(m) && !m->is_paused ? count_overlapping(m) : 0;
    int64_t due_ns = m->nwait > passed ? m->wait[passed] : next_due(m, m->looked_ns);

    if (is_over(m) || m->is_paused)
        return PAWL_NO_TIME;
    if (due_ns != PAWL_NO_TIME)
        due_ns += m->jitter_ns;
    if (m->is_retry && (due_ns == PAWL_NO_TIME || m->policy.overlap != PAWL_OVERLAP_REPLACE ||
                        m->nmissed_first > 0 || m->not_before_ns < due_ns))
        return m->not_before_ns;
    return due_ns;
}

/* Why the task is over, as readers see it. */
static inline enum pawl_end_reason
model_end_reason(const struct model *m)
{
    if (m->status != PAWL_EXECUTED || m->is_asked)
        return PAWL_END_NONE;
    if (m->type == PAWL_DELAY)
        return m->delay_end;
    return m->is_used_up ? PAWL_END_MAX_RUNS : m->end_ns != PAWL_NO_TIME ? PAWL_END_AT : PAWL_END_NO_TIMES;
}

static inline uint64_t
model_skipped(const struct model *m)
{
    return m->skipped + (is_busy(m) && !m->is_paused && !is_over(m) ? count_overlapping(m) : 0);
}

#endif
