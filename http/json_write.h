/* json_write.h: writes task documents and the pieces of other answers.
 *
 * Whatever the bytes, what comes out is valid JSON in UTF-8: bytes that are not UTF-8
 * become U+FFFD. Out of memory shows in buffer->failed and nowhere else. All calls:
 * Threads: any, the buffer's. Blocks: no. Locks: none. Owns: copies. */
#ifndef PAWL_JSON_WRITE_H
#define PAWL_JSON_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "pawl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The whole document with the newest `newest` results, oldest of them first; SIZE_MAX:
 * all. */
void
pawl_json_write_task(struct pawl_buffer *buffer, const struct pawl_view *view,
                     size_t newest);

/* The same in pieces: the head ends with `"results":[`, each result is an object
 * without a comma (between two of them the caller appends one), the tail closes the
 * array and the document. */
void
pawl_json_write_head(struct pawl_buffer *buffer, const struct pawl_view *view);
void
pawl_json_write_result(struct pawl_buffer *buffer, const struct pawl_result *result);
void
pawl_json_write_tail(struct pawl_buffer *buffer);

/* What stands behind `"timezone":` in the document of a task with view->when: the zone,
 * and all that says when, as a submit takes it. */
void
pawl_json_write_when(struct pawl_buffer *buffer, const struct pawl_view *view);

/* The members that count due times without a result, each with a comma in front. */
void
pawl_json_write_passed(struct pawl_buffer *buffer, const struct pawl_view *view);

/* The members that say how the script is run, each with a comma in front. */
void
pawl_json_write_action(struct pawl_buffer *buffer, const struct pawl_action *action);

/* The members that say what happens when something is in the way, likewise. */
void
pawl_json_write_policy(struct pawl_buffer *buffer, const struct pawl_policy *policy);

/* A string with its quotes, escaped as RFC 8259 asks and no further. */
void
pawl_json_write_string(struct pawl_buffer *buffer, const char *text, size_t len);

/* A number. */
void
pawl_json_write_int(struct pawl_buffer *buffer, int64_t value);
void
pawl_json_write_uint(struct pawl_buffer *buffer, uint64_t value);

/* A wall time as an RFC 3339 string, null for PAWL_NO_TIME. */
void
pawl_json_write_time(struct pawl_buffer *buffer, int64_t wall_ns);

/* The name of a signal as a string ("SIGKILL", "SIGRTMIN+2"), null for 0; "SIG123" for
 * a number that has no name. */
void
pawl_json_write_signal(struct pawl_buffer *buffer, int signal);

#ifdef __cplusplus
}
#endif
#endif
