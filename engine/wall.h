/* wall.h: what happens to times of day when the wall clock is set ("pawl-wall", a thread of its own).
 *
 * It sleeps until the clock is set; then it moves the due times of all tasks that follow the wall
 * clock, and has the new offset noted durably. Set forward, due times that were jumped over have
 * come: the newest of each task runs at once. Set back by less than three hours, fixed times of day
 * do not come a second time (the high mark in struct pawl_now), and schedules with wildcards
 * follow the clock at once, as in cronie; set back by more, it was a correction, and all follow. */
#ifndef PAWL_WALL_H
#define PAWL_WALL_H

#include "shared.h"

struct pawl_wall;

/* Starts the thread; what happened since engine->opened_offset_ns was measured it follows, too. Errors: PAWL_ENOMEM, PAWL_ESYS. */
int
pawl_wall_open(struct pawl *engine, struct pawl_wall **out_wall);
void
pawl_wall_stop(struct pawl_wall *wall);
/* NULL is accepted. */
void
pawl_wall_free(struct pawl_wall *wall);

/* The new high mark when the clock that was to show old_ns shows new_ns. One that the clock has passed
 * stays: tasks that are yet to be moved are, from where the clock was. Pure. */
int64_t
pawl_wall_high(int64_t high_ns, int64_t old_ns, int64_t new_ns);

/* A due time of the task was found by this offset, and is published: if the clock was set
 * meanwhile, it is moved. Threads: the handle's, outside a section, holding a reference. */
void
pawl_wall_check(struct pawl_handle *handle, struct pawl_task *task, int64_t offset_ns);

#endif
