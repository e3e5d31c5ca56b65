/* action.h: how a task's script is run: the bounds of what a task may ask for, and the immutable
 * copy. Pure; any thread. */
#ifndef PAWL_ACTION_H
#define PAWL_ACTION_H

#include <pawl.h>

#define PAWL_INTERPRETER_MAX 64                 /* bytes of an interpreter's name */

/* Whether it is within the bounds. Errors: PAWL_EINVAL, err names the field. */
int
pawl_action_check(const struct pawl_action *action, struct pawl_err *err);

/* Whether a name of an interpreter is one. */
bool
pawl_action_is_name(const char *name, size_t len);

/* The bytes of a copy; 0: there is nothing to copy, because all of it is as by default. NULL is
 * accepted. */
size_t
pawl_action_bytes(const struct pawl_action *action);

/* A copy of so many bytes, strings and all; freed by free(). NULL: out of memory. */
struct pawl_action *
pawl_action_copy(const struct pawl_action *action, size_t bytes);

/* NULL is accepted. */
static inline bool
pawl_action_is_tree(const struct pawl_action *action)
{
    return action && action->kill_mode == PAWL_KILL_TREE;
}

/* NULL is accepted. */
static inline int64_t
pawl_action_kill_grace_ns(const struct pawl_action *action)
{
    return action && action->kill_grace_ns >= 0 ? action->kill_grace_ns : PAWL_KILL_GRACE_NS;
}

#endif
