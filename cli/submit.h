/* submit.h: what pawl edit shares with pawl submit. Calls return the exit status. Used by one thread. */
#ifndef PAWL_SUBMIT_H
#define PAWL_SUBMIT_H

#include "command.h"

/* Gives the script of -script or -script-file, one of which must be there. */
int pawl_submit_script(struct pawl_cli *cli, struct pawl_text *out, struct pawl_fail *fail);

/* Adds the tags, if any are given, to a task document. */
int pawl_submit_tags(const struct pawl_cli *cli, json_t *task, struct pawl_fail *fail);

#endif
