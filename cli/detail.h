/* detail.h: one task, or what changed in it, as lines for people. Pure. */
#ifndef PAWL_DETAIL_H
#define PAWL_DETAIL_H

#include "text.h"

#include <jansson.h>
#include <stdbool.h>
#include <time.h>

/* Appends all of a task: a line per field, its script, its results. colour: the state is
 * coloured. */
void pawl_detail_task(struct pawl_text *out, const json_t *task,
    const struct timespec *now, bool has_colour);

/* Appends what a watcher who has seen `before` has not: the state in one line, and the
 * results that are new. */
void pawl_detail_change(struct pawl_text *out, const json_t *before, const json_t *task,
    const struct timespec *now, bool has_colour);

/* The index of the first result of task that `before` did not have. */
size_t pawl_detail_first_new(const json_t *before, const json_t *task);

#endif
