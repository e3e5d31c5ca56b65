/* fields.h: the fields of a task document as text for people. Pure.
 * A field that is missing, null or of the wrong kind is shown as "-". */
#ifndef PAWL_FIELDS_H
#define PAWL_FIELDS_H

#include "text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* How a point in time is written: 15:04:05, or 2026-11-20 15:04:05, or that and "(in
 * 9s)". */
enum pawl_fields_style { PAWL_FIELDS_SHORT, PAWL_FIELDS_FULL, PAWL_FIELDS_RELATIVE };

/* A string field, NULL if there is none. out_len may be NULL. Owns: borrows from task. */
const char *pawl_fields_string(const json_t *task, const char *name, size_t *out_len);

/* An integer field, fallback if there is none. */
int64_t pawl_fields_number(const json_t *task, const char *name, int64_t fallback);

/* How many due times passed without a run, but those that were missed: all reasons together. */
int64_t pawl_fields_skipped(const json_t *task);

/* The state's name, from `state` or from the number in `status`. Owns: borrows. */
const char *pawl_fields_state(const json_t *task);

/* The colour of a state as an SGR number, NULL for none. */
const char *pawl_fields_colour(const char *state);

/* Whether nothing will happen to the task any more. */
bool pawl_fields_is_final(const json_t *task);

/* Appends what a task does: its script, or "GET https://..." when it calls a URL. */
void pawl_fields_add_what(struct pawl_text *out, const json_t *task);

/* Append a field's text: a number, a duration, a point in time. */
void pawl_fields_add_number(struct pawl_text *out, const json_t *task, const char *name);
void pawl_fields_add_duration(
    struct pawl_text *out, const json_t *task, const char *name);
void pawl_fields_add_point(struct pawl_text *out, const json_t *task, const char *name,
    const struct timespec *now, enum pawl_fields_style style);

/* Appends how a task, or one of its triggers, says when it fires: "1m30s", "30 2 * * *",
 * "at 18:00:00"; of several triggers the first, and how many more; in FULL with the zone
 * of an expression. It is not escaped. */
void pawl_fields_add_when(struct pawl_text *out, const json_t *task,
    const struct timespec *now, enum pawl_fields_style style);

#endif
