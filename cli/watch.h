/* watch.h: follows one task until nothing will happen to it any more. */
#ifndef PAWL_WATCH_H
#define PAWL_WATCH_H

#include "command.h"

/* Prints the task, then what changes. Returns 0 when it is final or was deleted, else the
 * exit status of what failed; an interrupt ends the program with 130. Blocks: yes. */
int pawl_watch_follow(struct pawl_cli *cli, const char *id);

#endif
