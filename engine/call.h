/* call.h: what the calls that change tasks share: call.c has it, and edit.c uses it, too. */
#ifndef PAWL_CALL_H
#define PAWL_CALL_H

#include "shared.h"

/* Compiles when the task fires, and refuses what never does. is_anew: the task was there before it had
 * this schedule. Threads: any. Owns: gives, free(). Errors: PAWL_EINVAL (the field is named), PAWL_ENOMEM. */
int
pawl_call_compile(const struct pawl_spec *spec, const struct pawl_now *now, bool is_anew,
                  struct pawl_schedule **out_schedule, struct pawl_err *err);

/* Whether what an action needs is here. Errors: PAWL_EINVAL. */
int
pawl_call_check_programs(const struct pawl *engine, const struct pawl_action *action,
                         struct pawl_err *err);

/* Whether the store takes what is new. Errors: PAWL_EFULL, PAWL_ESTORE. */
int
pawl_call_check_store(const struct pawl *engine, struct pawl_err *err);

/* Counts so many bytes more. Errors: PAWL_EBUDGET. */
int
pawl_call_take_memory(struct pawl *engine, int64_t bytes, struct pawl_err *err);

/* Lets the change of op happen once it is durable. op->task's reference goes with it. */
int
pawl_call_commit(struct pawl_handle *handle, struct pawl_op *op);

/* A refusal. One that rests on a change which is not durable yet (is_unsettled) is told when it is, by
 * why, a literal. Owns: takes the reference. */
int
pawl_call_refuse(struct pawl_handle *handle, struct pawl_op *op, struct pawl_task *task,
                 bool is_unsettled, int code, const char *why);

/* Gives PAWL_ENOENT. */
int
pawl_call_refuse_absent(const char *id, size_t id_len, struct pawl_err *err);

#endif
