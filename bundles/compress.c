/*
 * One buffer of output, full when it goes, but for the end of a frame. All that can fail in a compressor that is
 * used rightly is its memory.
 */

#include <errno.h>

#include <zlib.h>
#include <zstd.h>

#include "bundles/compress.h"

#define OUT_BYTES    (128u * 1024u)
#define FAST         1
#define ZSTD_MAX     19 /* from 20 on windows are larger than a fragment's may be */
#define GZIP_BITS    (16 + MAX_WBITS)
#define GZIP_MEMORY  8
#define ZLIB_AT_ONCE (1u << 30)

struct compress {
        enum archive_format format;
        ZSTD_CCtx *zstd;
        z_stream gzip;
        bool has_gzip, open;
        compress_sink_fn sink;
        void *userdata;
        size_t n_out;
        char out[OUT_BYTES];
};

static int prepare_zstd(struct compress *c, int level)
{
        if (level < 0 || level > ZSTD_MAX)
                return -EINVAL;
        c->zstd = ZSTD_createCCtx();
        if (!c->zstd)
                return -ENOMEM;
        if (ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel,
                                                level ? level : FAST)) ||
            ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1)))
                return -EINVAL;
        return 0;
}

static int prepare_gzip(struct compress *c, int level)
{
        if (level < 0 || level > Z_BEST_COMPRESSION)
                return -EINVAL;
        if (deflateInit2(&c->gzip, level ? level : FAST, Z_DEFLATED, GZIP_BITS, GZIP_MEMORY,
                         Z_DEFAULT_STRATEGY) != Z_OK)
                return -ENOMEM;
        c->has_gzip = true;
        return 0;
}

int compress_new(struct compress **ret, enum archive_format format, int level,
                 compress_sink_fn sink, void *userdata)
{
        _cleanup_(compress_freep) struct compress *c = malloc(sizeof(*c));
        int k;

        if (!c)
                return -ENOMEM;
        memset(c, 0, offsetof(struct compress, out)); /* the buffer's pages are not touched yet */
        c->format = format;
        c->sink = sink;
        c->userdata = userdata;
        k = format == ARCHIVE_TAR_ZSTD   ? prepare_zstd(c, level)
            : format == ARCHIVE_TAR_GZIP ? prepare_gzip(c, level)
                                         : -EINVAL;
        if (k < 0)
                return k;
        *ret = TAKE_PTR(c);
        return 0;
}

struct compress *compress_free(struct compress *c)
{
        if (!c)
                return NULL;
        ZSTD_freeCCtx(c->zstd);
        if (c->has_gzip)
                (void)deflateEnd(&c->gzip);
        free(c);
        return NULL;
}

static int drain(struct compress *c)
{
        size_t n = c->n_out;

        c->n_out = 0;
        return n ? c->sink(c->out, n, c->userdata) : 0;
}

static int run_zstd(struct compress *c, const void *data, size_t n, bool end)
{
        ZSTD_inBuffer in = {.src = data, .size = n};
        size_t n_left;

        do {
                ZSTD_outBuffer out = {.dst = c->out, .size = sizeof(c->out), .pos = c->n_out};
                int k = 0;

                n_left = ZSTD_compressStream2(c->zstd, &out, &in,
                                              end ? ZSTD_e_end : ZSTD_e_continue);
                if (ZSTD_isError(n_left))
                        return -ENOMEM;
                c->n_out = out.pos;
                if (c->n_out == sizeof(c->out))
                        k = drain(c);
                if (k < 0)
                        return k;
        } while (end ? n_left > 0 : in.pos < in.size);
        return 0;
}

static int run_gzip(struct compress *c, const void *data, size_t n, bool end)
{
        int result;

        c->gzip.next_in = (Bytef *)data;
        c->gzip.avail_in = (uInt)n;
        do {
                int k = 0;

                c->gzip.next_out = (Bytef *)c->out + c->n_out;
                c->gzip.avail_out = (uInt)(sizeof(c->out) - c->n_out);
                result = deflate(&c->gzip, end ? Z_FINISH : Z_NO_FLUSH);
                if (result == Z_STREAM_ERROR)
                        return -ENOMEM;
                c->n_out = sizeof(c->out) - c->gzip.avail_out;
                if (c->n_out == sizeof(c->out))
                        k = drain(c);
                if (k < 0)
                        return k;
        } while (end ? result != Z_STREAM_END : c->gzip.avail_in > 0);
        if (end)
                (void)deflateReset(&c->gzip);
        return 0;
}

int compress_append(struct compress *c, const void *data, size_t n)
{
        while (n > 0) {
                size_t n_now = n < ZLIB_AT_ONCE ? n : ZLIB_AT_ONCE;
                int k;

                c->open = true;
                k = c->zstd ? run_zstd(c, data, n_now, false) : run_gzip(c, data, n_now, false);
                if (k < 0)
                        return k;
                data = (const char *)data + n_now;
                n -= n_now;
        }
        return 0;
}

int compress_end(struct compress *c)
{
        int k;

        if (!c->open)
                return 0;
        k = c->zstd ? run_zstd(c, NULL, 0, true) : run_gzip(c, NULL, 0, true);
        if (k < 0)
                return k;
        c->open = false;
        return drain(c);
}
