/* limits.h: what the machine allows: open files, memory, cores; and the settings that
 * follow. */
#ifndef PAWL_LIMITS_H
#define PAWL_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

struct pawl_limits {
    uint64_t old_nofile;        /* soft limit of open files at our start: runs' */
    uint64_t nofile;            /* the limit now */
};

/* Raises the soft limit of open files to the hard one.
 * Threads: main. Blocks: no. */
void
pawl_limits_raise(struct pawl_limits *out_limits);

/* Replaces each 0 in settings by what fits, and lowers connections and runs so that
 * their descriptors fit together. out_lowered: what was asked for did not. Errors:
 * PAWL_EINVAL. */
int
pawl_limits_apply(const struct pawl_limits *limits, struct pawl_settings *settings,
                  bool *out_lowered, struct pawl_err *err);

#endif
