/* how.h: what the flags of pawl submit say of how a script is run, and of what happens when
 * something is in the way. Used by one thread. */
#ifndef PAWL_HOW_H
#define PAWL_HOW_H

#include "command.h"

/* Adds it to a task document. Returns the exit status. */
int pawl_how_build(struct pawl_cli *cli, json_t *task, struct pawl_fail *fail);

#endif
