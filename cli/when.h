/* when.h: what the flags of pawl submit say of when a task fires, and points in time of any
 * flag. Used by one thread. */
#ifndef PAWL_WHEN_H
#define PAWL_WHEN_H

#include <time.h>

#include "command.h"
#include "times.h"

/* Adds taskType and all that says when to a task document. What a time by the clock of this
 * machine was taken for is said on stderr. Returns the exit status. */
int pawl_when_build(struct pawl_cli *cli, json_t *task, struct pawl_fail *fail);

/* The same of a task of this type that is to be changed: what is not given stays. Returns the exit
 * status. */
int pawl_when_change(
    struct pawl_cli *cli, const char *type, json_t *change, struct pawl_fail *fail);

/* Adds value to a document and takes it; a string that is not UTF-8 is NULL here. Returns
 * the exit status. */
int pawl_when_add(
    json_t *object, const char *name, json_t *value, struct pawl_fail *fail);

/* Reads a point in time that a flag gives. One by the clock of this machine is in out_text
 * exactly, and said on stderr; of one that is exact as it was given out_text is empty. Returns
 * the exit status. */
int pawl_when_point(struct pawl_cli *cli, const char *flag, const char *value,
    struct timespec *out_point, char out_text[PAWL_TIMES_SIZE], struct pawl_fail *fail);

#endif
