/* call.h: what the flags of pawl submit and edit say of the HTTP call that a task makes instead of
 * running a script. Used by one thread. */
#ifndef PAWL_CALL_H
#define PAWL_CALL_H

#include "command.h"

/* Whether one is asked for. */
bool pawl_call_is_given(const struct pawl_cli *cli);

/* Adds it to a task document, or to a change of one that has a call and so needs no URL. Returns the exit status. */
int pawl_call_build(struct pawl_cli *cli, bool has_call, json_t *task, struct pawl_fail *fail);

#endif
