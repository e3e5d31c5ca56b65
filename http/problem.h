/* problem.h: what went wrong with a request, and its RFC 9457 document.
 *
 * A problem is the caller's storage, used by one thread. It is filled in where the
 * error is found and written as application/problem+json where the answer is made. */
#ifndef PAWL_PROBLEM_H
#define PAWL_PROBLEM_H

#include <stdarg.h>

#include "buffer.h"
#include "pawl.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pawl_problem {
    int status;                 /* of HTTP: 400 to 599 */
    int code;                   /* the pawl_code it came from, 0: none */
    const char *title;          /* a literal: the status in words */
    const char *field;          /* of the task document, or NULL. A literal, or text
                                 * of the JSON reader, dead with its next read */
    int line, column;           /* of malformed JSON, in bytes from 1; 0: not known */
    int position;               /* in an expression, in bytes from 1; 0: not known */
    int retry_after_s;          /* > 0: waiting helps; to be sent as Retry-After */
    char detail[512];           /* a sentence that a person can act on; valid UTF-8 */
};

/* Sets every member: field may be NULL, line and column become 0, title follows from
 * status. Text that is too long is cut at a character.
 * Threads: any. Blocks: no. Locks: none. Owns: borrows field for the problem's life. */
void
pawl_problem_set(struct pawl_problem *out_problem, int status, const char *field,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same with the arguments as a list. */
void
pawl_problem_vset(struct pawl_problem *out_problem, int status, const char *field,
                  const char *format, va_list args) __attribute__((format(printf, 4, 0)));

/* Sets every member from an error of the engine; err->code chooses status and
 * retry_after_s.
 * Threads: any. Blocks: no. Locks: none. Owns: copies err; its field is a literal. */
void
pawl_problem_from_err(struct pawl_problem *out_problem, const struct pawl_err *err);

/* Sets every member from an operation of the engine that ended with an error later.
 * Threads: any. Blocks: no. Locks: none. */
void
pawl_problem_from_op(struct pawl_problem *out_problem, const struct pawl_op *op);

/* Writes the document: type, title, status, detail, and field, line, column, position where known.
 * Threads: any. Blocks: no. Locks: none. */
void
pawl_problem_write(struct pawl_buffer *buffer, const struct pawl_problem *problem);

/* How much of a name or an id of len bytes an answer shows: what there is no bound for is
 * cut at a character. */
size_t
pawl_problem_cut(const char *text, size_t len);

/* The words of an HTTP status from 400 to 599, "Error" for one not known. A literal. */
const char *
pawl_problem_title(int status);

#ifdef __cplusplus
}
#endif
#endif
