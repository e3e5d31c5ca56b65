/* when_copy.h: copies of a schedule, an action and policies for tests, that live as long as they want
 * them to. Uses no test framework: planted programs have it, too. */
#ifndef PAWL_WHEN_COPY_H
#define PAWL_WHEN_COPY_H

#include "action.h"

#include <pawl.h>
#include <stdlib.h>
#include <string.h>

static inline char *
when_copy_text(const char *text, size_t len)
{
    char *copy = malloc(len + 1);

    if (!copy)
        abort();
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

/* NULL of NULL; when_free() frees it. */
static inline struct pawl_when *
when_copy(const struct pawl_when *when)
{
    struct pawl_when *copy = when ? malloc(sizeof *copy) : NULL;
    struct pawl_trigger *triggers = when ? calloc(when->ntriggers + 1, sizeof *triggers) : NULL;

    if (!when)
        return NULL;
    if (!copy || !triggers)
        abort();
    *copy = *when;
    copy->triggers = triggers;
    for (size_t i = 0; i < when->ntriggers; i++) {
        const struct pawl_trigger *from = &when->triggers[i];

        triggers[i] = *from;
        triggers[i].expr = when_copy_text(from->expr, from->expr_len);
        triggers[i].timezone = when_copy_text(from->timezone, from->timezone_len);
    }
    return copy;
}

static inline void
when_free(const struct pawl_when *when)
{
    if (!when)
        return;
    for (size_t i = 0; i < when->ntriggers; i++) {
        free((char *) when->triggers[i].expr);
        free((char *) when->triggers[i].timezone);
    }
    free((struct pawl_trigger *) when->triggers);
    free((struct pawl_when *) when);
}

/* NULL of NULL; free() frees it. */
static inline struct pawl_action *
action_copy(const struct pawl_action *action)
{
    struct pawl_action *copy;

    if (!action)
        return NULL;
    copy = pawl_action_copy(action, pawl_action_bytes(action));
    if (!copy)
        abort();
    return copy;
}

/* The same of policies. */
static inline struct pawl_policy *
policy_copy(const struct pawl_policy *policy)
{
    struct pawl_policy *copy = policy ? malloc(sizeof *copy) : NULL;

    if (!policy)
        return NULL;
    if (!copy)
        abort();
    *copy = *policy;
    return copy;
}

#endif
