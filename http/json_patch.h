/* json_patch.h: a change of a task document, as RFC 7396 says it: the fields that it gives, null for
 * those that are to be as by default; objects in it are merged in the same way.
 *
 * Beside that, what cannot stand together is not asked of the client: one of `time`, `at`, `cron`,
 * `calendar` and `triggers` takes the place of the one that the task has, a `script` that of an `action`
 * and the other way round. */
#ifndef PAWL_JSON_PATCH_H
#define PAWL_JSON_PATCH_H

#include "buffer.h"
#include "json_read.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Appends to out the document of a submit that view shows and patch changes, to be read by
 * pawl_json_read_task(), for which there is room behind it; fields of an answer in the patch stay in it. The patch is text as that call
 * takes it. On failure out_problem says what to answer. What the reader gave before is lost.
 * Threads: the reader's. Blocks: no. Locks: none. Owns: borrows. Errors: PAWL_EINVAL, PAWL_ENOMEM. */
int
pawl_json_merge(struct pawl_json_reader *reader, const struct pawl_view *view, char *patch,
                size_t len, size_t cap, struct pawl_buffer *out, struct pawl_problem *out_problem);

#ifdef __cplusplus
}
#endif
#endif
