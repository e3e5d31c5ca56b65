/* unpack.h: request bodies that come packed: gzip (RFC 1952) and zstd (RFC 8878), piece by piece in
 * bounded memory, through zlib and libzstd.
 * Threads: the request's HTTP thread. Blocks: no. */
#ifndef PAWL_UNPACK_H
#define PAWL_UNPACK_H

#include <stdbool.h>
#include <stddef.h>

enum pawl_coding {
    PAWL_CODING_NONE,
    PAWL_CODING_GZIP,
    PAWL_CODING_ZSTD,
    PAWL_CODING_OTHER,                  /* none that is known */
};

struct pawl_unpack;

/* Which one a Content-Encoding names; without one (len 0) none. */
enum pawl_coding
pawl_coding_of(const char *text, size_t len);

/* "gzip" or "zstd". A literal. */
const char *
pawl_coding_name(enum pawl_coding coding);

/* Owns: gives. NULL: out of memory. */
struct pawl_unpack *
pawl_unpack_new(enum pawl_coding coding);
/* NULL is accepted. */
void
pawl_unpack_free(struct pawl_unpack *unpack);

/* Unpacks one piece more: *out_used bytes of data were read, and *out_len at *out came of them; both 0:
 * there is no more in data. False: the data is damaged, or asks for more than 8 MiB of memory.
 * Owns: borrows *out until the next call. */
bool
pawl_unpack_next(struct pawl_unpack *unpack, const char *data, size_t len, size_t *out_used,
                 const char **out, size_t *out_len);

/* What was wrong when the last call was false: "is damaged". A literal. */
const char *
pawl_unpack_fault(const struct pawl_unpack *unpack);

/* Whether all of it is there: the data so far does not end in the middle. */
bool
pawl_unpack_is_whole(const struct pawl_unpack *unpack);

#endif
