/* json_read.h: reads a task document.
 *
 * A reader owns the parser and the memory of the strings it gives; it is used by one
 * thread at a time, usually one a thread. It checks what is about JSON: the grammar,
 * names, types, and that what is required is there. What the values must be is the
 * engine's (pawl_submit()).
 *
 * Field names are matched without case. Out fields of the document are skipped, any
 * other unknown field is refused, and so is a field given twice. A byte order mark at
 * the start is skipped. All of the document must be well-formed, also what is skipped,
 * and not nested past PAWL_JSON_DEPTH. */
#ifndef PAWL_JSON_READ_H
#define PAWL_JSON_READ_H

#include <stddef.h>

#include "json_locate.h"
#include "pawl.h"
#include "problem.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PAWL_JSON_PADDING 64    /* bytes after the text that a read may look at */

struct pawl_json_reader;

/* Makes a reader. Threads: any. Blocks: no. Locks: none. Owns: gives, to be freed with
 * pawl_json_reader_free(). Errors: PAWL_ENOMEM. */
int
pawl_json_reader_new(struct pawl_json_reader **out_reader);

/* Frees a reader and the strings it gave. NULL is accepted. Threads: any. Blocks: no. */
void
pawl_json_reader_free(struct pawl_json_reader *reader);

/* Reads one document of len bytes at text, where cap >= len + PAWL_JSON_PADDING bytes
 * can be read. Neither the text nor what follows is changed, whatever it is. Strings in
 * out_spec, out_spec->when and out_spec->action live until the next read or trim with this reader. The
 * strings end with a NUL of their own, and may hold NULs, which the engine refuses. On failure
 * out_problem says what to answer: 400, or 503 when out of memory.
 * Threads: the reader's. Blocks: no. Locks: none. Owns: borrows text for the call.
 * Errors: PAWL_EINVAL, PAWL_ENOMEM. */
int
pawl_json_read_task(struct pawl_json_reader *reader, char *text, size_t len, size_t cap,
                    struct pawl_spec *out_spec, struct pawl_problem *out_problem);

/* Reads the document that says the size of a group, {"size":4}, in the same way. Errors: as above. */
int
pawl_json_read_size(struct pawl_json_reader *reader, char *text, size_t len, size_t cap,
                    uint64_t *out_size, struct pawl_problem *out_problem);

/* After the engine refused the spec of the last read for what says when: adds to problem
 * where in which expression it is wrong. Costs a parse of each expression.
 * Threads: the reader's. Blocks: no. Owns: problem->field lives until the next read. */
void
pawl_json_locate_refusal(struct pawl_json_reader *reader, const struct pawl_spec *spec,
                         struct pawl_problem *problem);

/* Gives the id of the last document, also of a refused one as long as it was
 * well-formed; NULL when it had none that is a string. Lives as the strings above. For
 * the errors of a batch.
 * Threads: the reader's. Blocks: no. Locks: none. Owns: borrowed. */
const char *
pawl_json_last_id(const struct pawl_json_reader *reader, size_t *out_len);

/* Gives back what a large document made the reader allocate (up to 14 times its size),
 * and with it the strings. A read of a small document does the same first.
 * Threads: the reader's. Blocks: no. Locks: none. */
void
pawl_json_reader_trim(struct pawl_json_reader *reader);

#ifdef __cplusplus
}
#endif
#endif
