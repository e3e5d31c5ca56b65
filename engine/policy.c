/* policy.c: see policy.h. */
#include "policy.h"

#include "err.h"
#include "tags.h"

#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#define SKIP_GRACE_NS INT64_C(60000000000)
#define DELAY_MAX_NS (INT64_C(366) * 86400 * 1000000000)

static const struct pawl_policy usual = {
    .overlap = PAWL_OVERLAP_SKIP, .queue_limit = 1, .max_running = 10, .misfire = PAWL_MISFIRE_ONCE,
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
pawl_policy_has_statuses(const struct pawl_policy *policy)
{
    static const uint8_t any[sizeof policy->retry_on];

    return memcmp(policy->retry_on, any, sizeof any) != 0;
}

bool
pawl_policy_retries(const struct pawl_policy *policy, unsigned attempt, int exit_code)
{
    if (attempt > policy->retries)
        return false;
    if (!pawl_policy_has_statuses(policy))
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

static int
check_number(const char *field, uint32_t n, uint32_t least, uint32_t most, struct pawl_err *err)
{
    if (n >= least && n <= most)
        return PAWL_OK;
    return pawl_err_set(err, PAWL_EINVAL, field, "%s must be %" PRIu32 " to %" PRIu32, field, least,
                        most);
}

static int
check_span(const char *field, int64_t ns, struct pawl_err *err)
{
    if (ns >= 0 && ns <= DELAY_MAX_NS)
        return PAWL_OK;
    return pawl_err_set(err, PAWL_EINVAL, field, "%s must be 0 to 8784h (366 days)", field);
}

int
pawl_policy_check_values(const struct pawl_policy *policy, struct pawl_err *err)
{
    int code = PAWL_OK;

    if (policy->overlap >= PAWL_NOVERLAP)
        code = pawl_err_set(err, PAWL_EINVAL, "overlap", "overlap must be skip, queue, replace or allow");
    else if (policy->misfire >= PAWL_NMISFIRE)
        code = pawl_err_set(err, PAWL_EINVAL, "misfire", "misfire must be once, skip or all");
    else if (!(policy->retry_backoff >= 1 && policy->retry_backoff <= 100))
        code = pawl_err_set(err, PAWL_EINVAL, "retryBackoff", "retryBackoff must be 1 to 100");
    if (code == PAWL_OK)
        code = check_number("queueLimit", policy->queue_limit, 1, PAWL_QUEUE_MAX, err);
    if (code == PAWL_OK)
        code = check_number("maxRunning", policy->max_running, 1, PAWL_RUNNING_MAX, err);
    if (code == PAWL_OK)
        code = check_number("misfireLimit", policy->misfire_limit, 1, PAWL_QUEUE_MAX, err);
    if (code == PAWL_OK)
        code = check_number("retries", policy->retries, 0, PAWL_RETRIES_MAX, err);
    if (code == PAWL_OK)
        code = check_span("misfireGrace", policy->misfire_grace_ns, err);
    if (code == PAWL_OK)
        code = check_span("retryDelay", policy->retry_delay_ns, err);
    if (code == PAWL_OK)
        code = check_span("retryMaxDelay", policy->retry_max_delay_ns, err);
    if (code == PAWL_OK)
        code = check_span("retryJitter", policy->retry_jitter_ns, err);
    if (code == PAWL_OK && policy->group_overflow >= PAWL_NGROUP_OVERFLOW)
        code = pawl_err_set(err, PAWL_EINVAL, "groupOverflow", "groupOverflow must be wait or skip");
    if (code == PAWL_OK && policy->group[0] != '\0')
        code = pawl_group_name_check(policy->group, strnlen(policy->group, sizeof policy->group), err);
    return code;
}

/* What only says how runs are tried again, and is not as by default; or NULL. */
static const char *
retry_field(const struct pawl_policy *policy)
{
    return policy->retry_delay_ns != usual.retry_delay_ns ? "retryDelay"
         : policy->retry_backoff > usual.retry_backoff ? "retryBackoff"
         : policy->retry_max_delay_ns != 0 ? "retryMaxDelay"
         : policy->retry_jitter_ns != 0 ? "retryJitter"
         : memcmp(policy->retry_on, usual.retry_on, sizeof usual.retry_on) != 0 ? "retryOn" : NULL;
}

/* What would come to nothing, so that it was surely not meant. */
static int
check_together(const struct pawl_policy *policy, struct pawl_err *err)
{
    const char *field = retry_field(policy);

    if (policy->queue_limit != usual.queue_limit && policy->overlap != PAWL_OVERLAP_QUEUE)
        return pawl_err_set(err, PAWL_EINVAL, "queueLimit",
                            "queueLimit is of overlap queue: give \"overlap\":\"queue\", or leave it out");
    if (policy->max_running != usual.max_running && policy->overlap != PAWL_OVERLAP_ALLOW)
        return pawl_err_set(err, PAWL_EINVAL, "maxRunning",
                            "maxRunning is of overlap allow: give \"overlap\":\"allow\", or leave it out");
    if (policy->overlap == PAWL_OVERLAP_ALLOW && policy->retries > 0)
        return pawl_err_set(err, PAWL_EINVAL, "retries",
                            "a task with overlap allow has no retries, as its runs are beside each other: "
                            "give another overlap, or try again in the script");
    if (policy->misfire_limit != usual.misfire_limit && policy->misfire != PAWL_MISFIRE_ALL)
        return pawl_err_set(err, PAWL_EINVAL, "misfireLimit",
                            "misfireLimit is of misfire all: give \"misfire\":\"all\", or leave it out");
    if (field && policy->retries == 0)
        return pawl_err_set(err, PAWL_EINVAL, field,
                            "%s is given without retries: give retries, 1 to %d, or leave it out",
                            field, PAWL_RETRIES_MAX);
    if (policy->retry_on[0] & 1)
        return pawl_err_set(err, PAWL_EINVAL, "retryOn",
                            "retryOn has 0, which is success: give exit codes from 1 to 255");
    if (policy->retry_max_delay_ns > 0 && policy->retry_max_delay_ns < policy->retry_delay_ns)
        return pawl_err_set(err, PAWL_EINVAL, "retryMaxDelay",
                            "retryMaxDelay is below retryDelay (1s by default): give the longest delay "
                            "that there may be");
    if (policy->group_overflow != usual.group_overflow && policy->group[0] == '\0')
        return pawl_err_set(err, PAWL_EINVAL, "groupOverflow",
                            "groupOverflow is given without group: give one, or leave it out");
    return PAWL_OK;
}

int
pawl_policy_check(const struct pawl_policy *policy, struct pawl_err *err)
{
    int code = pawl_policy_check_values(policy, err);

    return code == PAWL_OK ? check_together(policy, err) : code;
}

bool
pawl_policy_is_usual(const struct pawl_policy *policy)
{
    return policy->overlap == usual.overlap && policy->misfire == usual.misfire &&
           policy->queue_limit == usual.queue_limit && policy->max_running == usual.max_running &&
           policy->misfire_limit == usual.misfire_limit &&
           policy->misfire_grace_ns == 0 && policy->retries == 0 && !retry_field(policy) &&
           policy->group[0] == '\0' && policy->group_overflow == usual.group_overflow;
}
