/* tags.h: the words that a task is labelled with: what they may be, keeping them, looking for them.
 * Pure; any thread. */
#ifndef PAWL_TAGS_H
#define PAWL_TAGS_H

#include <pawl.h>

/* The tags of one task: immutable, one block, which free() frees. */
struct pawl_tags {
    size_t n;
    const char *tags[];                 /* NUL-terminated, in the order given */
};

/* Errors: PAWL_EINVAL, err names "tags". */
int
pawl_tag_check(const char *tag, size_t len, struct pawl_err *err);
/* The same of the name of a group; err names "group". */
int
pawl_group_name_check(const char *name, size_t len, struct pawl_err *err);
int
pawl_tags_check(const char *const *tags, size_t n, struct pawl_err *err);

/* What their texts take. */
size_t
pawl_tags_bytes(const char *const *tags, size_t n);

/* Keeps each of them once. Owns: copies, gives. NULL: out of memory. */
struct pawl_tags *
pawl_tags_new(const char *const *tags, size_t n);

/* Whether all that the filter asks for are among them; tags may be NULL. */
bool
pawl_tags_pass(const struct pawl_tags *tags, const struct pawl_filter *filter);

#endif
