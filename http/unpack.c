/* unpack.c: see unpack.h. Files that are put together from several (gzip's members, zstd's frames) are
 * read as one. */
#include "unpack.h"

#include <stdint.h>
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define PIECE_BYTES 65536
#define WINDOW_LOG_MAX 23               /* 8 MiB: what RFC 8878 wants every decoder to take */

struct pawl_unpack {
    enum pawl_coding coding;
    bool is_whole;
    bool is_too_wide;           /* zstd needs more memory than it may have */
    z_stream gzip;
    ZSTD_DStream *zstd;
    char piece[PIECE_BYTES];
};

static const char *const names[] = {
    [PAWL_CODING_NONE] = "identity", [PAWL_CODING_GZIP] = "gzip", [PAWL_CODING_ZSTD] = "zstd",
};

enum pawl_coding
pawl_coding_of(const char *text, size_t len)
{
    if (len == 0)
        return PAWL_CODING_NONE;
    for (int coding = PAWL_CODING_NONE; coding < PAWL_CODING_OTHER; coding++) {
        if (strncasecmp(text, names[coding], len) == 0 && names[coding][len] == '\0')
            return (enum pawl_coding) coding;
    }
    return len == 6 && strncasecmp(text, "x-gzip", len) == 0 ? PAWL_CODING_GZIP
                                                             : PAWL_CODING_OTHER;
}

const char *
pawl_coding_name(enum pawl_coding coding)
{
    return names[coding];
}

struct pawl_unpack *
pawl_unpack_new(enum pawl_coding coding)
{
    struct pawl_unpack *unpack = calloc(1, sizeof *unpack);
    bool is_ready;

    if (unpack == NULL)
        return NULL;
    unpack->coding = coding;
    if (coding == PAWL_CODING_GZIP) {
        is_ready = inflateInit2(&unpack->gzip, 15 + 16) == Z_OK;
    } else {
        unpack->zstd = ZSTD_createDStream();
        is_ready = unpack->zstd != NULL &&
            !ZSTD_isError(ZSTD_DCtx_setParameter(unpack->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX));
    }
    if (is_ready)
        return unpack;
    pawl_unpack_free(unpack);
    return NULL;
}

void
pawl_unpack_free(struct pawl_unpack *unpack)
{
    if (unpack == NULL)
        return;
    if (unpack->coding == PAWL_CODING_GZIP)
        inflateEnd(&unpack->gzip);
    ZSTD_freeDStream(unpack->zstd);
    free(unpack);
}

static bool
next_of_gzip(struct pawl_unpack *unpack, const char *data, size_t len, size_t *out_used,
             size_t *out_len)
{
    z_stream *gzip = &unpack->gzip;
    uInt most = len < PIECE_BYTES ? (uInt) len : PIECE_BYTES;
    int code;

    if (unpack->is_whole && len > 0 && inflateReset(gzip) != Z_OK)
        return false;                   /* another member follows */
    gzip->next_in = (Bytef *) (uintptr_t) data;
    gzip->avail_in = most;
    gzip->next_out = (Bytef *) unpack->piece;
    gzip->avail_out = PIECE_BYTES;
    if (unpack->is_whole && len == 0)
        return true;
    code = inflate(gzip, Z_NO_FLUSH);
    unpack->is_whole = code == Z_STREAM_END;
    *out_used = most - gzip->avail_in;
    *out_len = PIECE_BYTES - gzip->avail_out;
    return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR;
}

static bool
next_of_zstd(struct pawl_unpack *unpack, const char *data, size_t len, size_t *out_used,
             size_t *out_len)
{
    ZSTD_inBuffer in = {data, len, 0};
    ZSTD_outBuffer out = {unpack->piece, PIECE_BYTES, 0};
    size_t code;

    if (unpack->is_whole && len == 0)
        return true;
    code = ZSTD_decompressStream(unpack->zstd, &out, &in);
    unpack->is_whole = code == 0;
    *out_used = in.pos;
    *out_len = out.pos;
    unpack->is_too_wide = ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge;
    return !ZSTD_isError(code);
}

bool
pawl_unpack_next(struct pawl_unpack *unpack, const char *data, size_t len, size_t *out_used,
                 const char **out, size_t *out_len)
{
    *out_used = *out_len = 0;
    *out = unpack->piece;
    return unpack->coding == PAWL_CODING_GZIP
        ? next_of_gzip(unpack, data, len, out_used, out_len)
        : next_of_zstd(unpack, data, len, out_used, out_len);
}

const char *
pawl_unpack_fault(const struct pawl_unpack *unpack)
{
    return unpack->is_too_wide ? "needs a window of more than 8 MiB: pack it without --long and --ultra"
                               : "is damaged";
}

bool
pawl_unpack_is_whole(const struct pawl_unpack *unpack)
{
    return unpack->is_whole;
}
