/* daemon.h: pawld once its settings are known: opens everything, serves, ends it all in
 * order. */
#ifndef PAWL_DAEMON_H
#define PAWL_DAEMON_H

#include "limits.h"
#include "log.h"
#include "options.h"

/* Where root's daemon listens unless told otherwise: its directory is made. */
#define PAWL_ROOT_SOCKET "unix:/run/pawl/pawl.sock"

/* Runs until a signal or a failure. 0: told to stop; 1: something failed or did not
 * start; 2: the settings are wrong. What is wrong was said on stderr.
 * Threads: main, before there are others. Blocks: yes. Owns: borrows all. */
int
pawl_daemon_run(const struct pawl_settings *settings, const struct pawl_limits *limits,
                const struct pawl_log *log);

#endif
