/* suggest.h: "did you mean". Pure. */
#ifndef PAWL_SUGGEST_H
#define PAWL_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

/* What best starts at. */
#define PAWL_SUGGEST_NONE ((size_t)-1)

/* True if candidate is near enough to word to be meant, and nearer than best, which then
 * becomes its distance. */
bool pawl_suggest_is_closer(const char *word, const char *candidate, size_t *best);

#endif
