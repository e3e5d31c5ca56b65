/* policy.c: see policy.h. */
#include "policy.h"

#include "err.h"

#include <string.h>
#include <xxhash.h>

#define SKIP_GRACE_NS INT64_C(60000000000)
#define DELAY_MAX_NS (INT64_C(366) * 86400 * 1000000000)

static const struct pawl_policy usual = {
    .overlap = PAWL_OVERLAP_SKIP, .queue_limit = 1, .misfire = PAWL_MISFIRE_ONCE,
    .misfire_limit = 100, .retry_delay_ns = INT64_C(1000000000), .retry_backoff = 1,
};

void
pawl_policy_init(struct pawl_policy *policy)
{
    *policy = usual;
}

const struct pawl_policy *
pawl_policy_of(const struct pawl_def *def)
{
    const struct pawl_policy *policy = pawl_def_policy(def);

    return policy ? policy : &usual;
}

static int64_t
lateness(const struct pawl_def *def, struct pawl_due due, const struct pawl_now *now)
{
    return now->elapsed_ns - pawl_def_fires_ns(def, due, now->wall_ns - now->elapsed_ns);
}

/* Whether a due time that has come is too late to be run. */
static bool
is_too_late(const struct pawl_def *def, struct pawl_due due, const struct pawl_now *now,
            bool is_down)
{
    const struct pawl_policy *policy = pawl_policy_of(def);
    int64_t grace_ns = policy->misfire_grace_ns;

    if (policy->misfire == PAWL_MISFIRE_SKIP && is_down)
        return true;
    if (policy->misfire == PAWL_MISFIRE_SKIP && grace_ns == 0)
        grace_ns = SKIP_GRACE_NS;
    return grace_ns > 0 && lateness(def, due, now) > grace_ns;
}

uint64_t
pawl_policy_make_up(const struct pawl_def *def, struct pawl_due *due, const struct pawl_now *now,
                    bool is_down, uint32_t *out_left)
{
    const struct pawl_policy *policy = pawl_policy_of(def);
    uint64_t missed;

    *out_left = 0;
    if (!pawl_def_has_come(def, *due, now))
        return 0;
    missed = pawl_def_keep(def, due, now,
                           policy->misfire == PAWL_MISFIRE_ALL ? policy->misfire_limit : 1);
    while (pawl_def_has_come(def, *due, now) && is_too_late(def, *due, now, is_down)) {
        *due = pawl_def_next(def, *due, now, true);
        missed++;
    }
    if (policy->misfire == PAWL_MISFIRE_ALL)
        *out_left = (uint32_t) pawl_def_count(def, *due, now);
    return missed;
}

uint64_t
pawl_policy_pass(const struct pawl_def *def, struct pawl_due *due, const struct pawl_now *now,
                 uint32_t keep)
{
    return keep == 0 ? pawl_def_pass(def, due, now) : pawl_def_keep(def, due, now, keep);
}

bool
pawl_policy_retries(const struct pawl_policy *policy, unsigned attempt, int exit_code)
{
    static const uint8_t any[sizeof policy->retry_on];

    if (attempt > policy->retries)
        return false;
    if (memcmp(policy->retry_on, any, sizeof any) == 0)
        return true;
    return exit_code >= 0 && exit_code < 256 &&
           (policy->retry_on[exit_code / 8] >> exit_code % 8 & 1);
}

int64_t
pawl_policy_retry_delay(const struct pawl_policy *policy, unsigned attempt, uint64_t seed)
{
    int64_t max_ns = policy->retry_max_delay_ns > 0 ? policy->retry_max_delay_ns : DELAY_MAX_NS;
    double delay_ns = (double) policy->retry_delay_ns;
    int64_t jitter_ns = 0;

    for (unsigned i = 1; i < attempt && delay_ns < (double) max_ns; i++)
        delay_ns *= policy->retry_backoff;
    if (policy->retry_jitter_ns > 0)
        jitter_ns = (int64_t) (XXH3_64bits_withSeed(&attempt, sizeof attempt, seed) %
                               ((uint64_t) policy->retry_jitter_ns + 1));
    return (delay_ns < (double) max_ns ? (int64_t) delay_ns : max_ns) + jitter_ns;
}

int
pawl_policy_check(const struct pawl_policy *policy, struct pawl_err *err)
{
    if (policy->overlap >= PAWL_NOVERLAP)
        return pawl_err_set(err, PAWL_EINVAL, "overlap", "overlap must be skip, queue or replace");
    if (policy->queue_limit < 1 || policy->queue_limit > PAWL_QUEUE_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "queueLimit", "queueLimit must be 1 to %d",
                            PAWL_QUEUE_MAX);
    if (policy->misfire >= PAWL_NMISFIRE)
        return pawl_err_set(err, PAWL_EINVAL, "misfire", "misfire must be once, skip or all");
    if (policy->misfire_grace_ns < 0 || policy->misfire_grace_ns > DELAY_MAX_NS)
        return pawl_err_set(err, PAWL_EINVAL, "misfireGrace", "misfireGrace must be 0 to a year");
    if (policy->misfire_limit < 1 || policy->misfire_limit > PAWL_QUEUE_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "misfireLimit", "misfireLimit must be 1 to %d",
                            PAWL_QUEUE_MAX);
    if (policy->retries > PAWL_RETRIES_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "retries", "retries must be 0 to %d",
                            PAWL_RETRIES_MAX);
    if (policy->retry_delay_ns < 0 || policy->retry_delay_ns > DELAY_MAX_NS)
        return pawl_err_set(err, PAWL_EINVAL, "retryDelay", "retryDelay must be 0 to a year");
    if (!(policy->retry_backoff >= 1 && policy->retry_backoff <= 100))
        return pawl_err_set(err, PAWL_EINVAL, "retryBackoff", "retryBackoff must be 1 to 100");
    if (policy->retry_max_delay_ns < 0 || policy->retry_max_delay_ns > DELAY_MAX_NS)
        return pawl_err_set(err, PAWL_EINVAL, "retryMaxDelay", "retryMaxDelay must be 0 to a year");
    if (policy->retry_jitter_ns < 0 || policy->retry_jitter_ns > DELAY_MAX_NS)
        return pawl_err_set(err, PAWL_EINVAL, "retryJitter", "retryJitter must be 0 to a year");
    return PAWL_OK;
}
