/* when.h: what the flags of pawl submit say of when a task fires. Used by one thread. */
#ifndef PAWL_WHEN_H
#define PAWL_WHEN_H

#include "command.h"

/* Adds taskType and all that says when to a task document. What a time by the clock of this
 * machine was taken for is said on stderr. Returns the exit status. */
int pawl_when_build(struct pawl_cli *cli, json_t *task, struct pawl_fail *fail);

/* Adds value to a document and takes it; a string that is not UTF-8 is NULL here. Returns
 * the exit status. */
int pawl_when_add(
    json_t *object, const char *name, json_t *value, struct pawl_fail *fail);

#endif
