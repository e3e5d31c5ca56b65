/* etag.c: see etag.h. */
#include "etag.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

void
pawl_etag_write(const struct pawl_view *view, uint64_t epoch, char out[PAWL_ETAG_SIZE])
{
    /* Beside the changes themselves, what a document shows that time and other tasks change. */
    const uint64_t shown[] = {
        epoch, view->seq, view->serial, view->skipped_overlap, view->nresults, view->waiting,
    };

    snprintf(out, PAWL_ETAG_SIZE, "W/\"%016" PRIx64 "\"", XXH3_64bits(shown, sizeof shown));
}

bool
pawl_etag_matches(const char *etag, const char *header, size_t len)
{
    const char *mine = etag + strlen("W/");
    size_t mine_len = strlen(mine);

    if (len == 0)
        return false;
    if (len == 1 && *header == '*')
        return true;
    return memmem(header, len, mine, mine_len) != NULL;     /* quotes and all: no part of another */
}
