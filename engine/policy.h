/* policy.h: what a task's policies say: which due times that passed are made up for, and when a run
 * that failed is tried again. Pure; any thread. */
#ifndef PAWL_POLICY_H
#define PAWL_POLICY_H

#include "def.h"

/* The policies of a definition; those of most tasks are one constant. */
const struct pawl_policy *
pawl_policy_of(const struct pawl_def *def);

/* Due times from *due on have come. Moves *due on to the one that is to be run next, which may be to
 * come, or none; gives how many were missed. is_down: they passed while nothing could start, as is
 * known; else how late they are must tell. *out_left: so many from *due on are to be run one by one;
 * 0: at most *due. */
uint64_t
pawl_policy_make_up(const struct pawl_def *def, struct pawl_due *due, const struct pawl_now *now,
                    bool is_down, uint32_t *out_left);

/* Due times from *due on have come during a run; keep: how many of them are to be run after it.
 * Moves *due on to the first of those, or to one that is to come; gives how many were skipped. */
uint64_t
pawl_policy_pass(const struct pawl_def *def, struct pawl_due *due, const struct pawl_now *now,
                 uint32_t keep);

/* Whether only some exit statuses are tried again. */
bool
pawl_policy_has_statuses(const struct pawl_policy *policy);

/* Whether an attempt, from 1, that failed is tried again. exit_code: -1: there is none. */
bool
pawl_policy_retries(const struct pawl_policy *policy, unsigned attempt, int exit_code);

/* How long after the end of an attempt the next one begins; seed: makes the jitter, and is another for
 * each task, as tasks that are due together fail together. */
int64_t
pawl_policy_retry_delay(const struct pawl_policy *policy, unsigned attempt, uint64_t seed);

/* Whether it says no more than the defaults do. */
bool
pawl_policy_is_usual(const struct pawl_policy *policy);

/* Refuses what is out of bounds: each value for itself; and with that what would come to nothing
 * without another field. Errors: PAWL_EINVAL, err names the field. */
int
pawl_policy_check_values(const struct pawl_policy *policy, struct pawl_err *err);
int
pawl_policy_check(const struct pawl_policy *policy, struct pawl_err *err);

#endif
