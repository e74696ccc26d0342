/*
 * Frames begin where we say so: the head of each is looked at here before the library sees it, because
 * zstd's silently skips what is to be skipped and opens windows of any size when the output fits into one call, and
 * zlib's takes any number of optional fields.
 */

#include <errno.h>

#include <zlib.h>
#include <zstd.h>

#include "bundles/decompress.h"
#include "bundles/fragment.h"

#define IN_BYTES  (128u * 1024u)
#define GZIP_BITS (16 + MAX_WBITS)

/* RFC 8878, 3.1.1.1: magic number, descriptor, window, up to 8 bytes of the content's size. */
#define ZSTD_HEAD_MAX   14u
#define ZSTD_MAGIC      "\x28\xb5\x2f\xfd"
#define ZSTD_DICTIONARY 0x03u
#define ZSTD_SINGLE     0x20u
#define GZIP_HEAD       "\x1f\x8b\x08\x00" /* RFC 1952: deflate, no optional fields */

/* What yields nothing costs time: empty frames, empty blocks. Honest ones are smaller than their content, but for what is
 * taken ahead: a block of zstd comes out only when all 128 KiB of it are there. */
#define SLACK_BYTES (256u * 1024u)

struct decompress {
        ZSTD_DCtx *zstd;
        z_stream gzip;
        bool has_gzip, in_frame, input_ended;
        int failed;
        const char *fault;
        decompress_source_fn source;
        void *userdata;
        uint64_t n_read, n_decoded;
        size_t at, n_in;
        unsigned char in[IN_BYTES];
};

static int prepare_zstd(struct decompress *d)
{
        d->zstd = ZSTD_createDCtx();
        if (!d->zstd)
                return -ENOMEM;
        return ZSTD_isError(
                       ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, FRAGMENT_WINDOW_LOG))
                       ? -EINVAL
                       : 0;
}

static int prepare_gzip(struct decompress *d)
{
        if (inflateInit2(&d->gzip, GZIP_BITS) != Z_OK)
                return -ENOMEM;
        d->has_gzip = true;
        return 0;
}

int decompress_new(struct decompress **ret, enum archive_format format, decompress_source_fn source,
                   void *userdata)
{
        _cleanup_(decompress_freep) struct decompress *d = malloc(sizeof(*d));
        int k;

        if (!d)
                return -ENOMEM;
        memset(d, 0, offsetof(struct decompress, in));
        d->fault = "";
        d->source = source;
        d->userdata = userdata;
        k = format == ARCHIVE_TAR_ZSTD   ? prepare_zstd(d)
            : format == ARCHIVE_TAR_GZIP ? prepare_gzip(d)
                                         : -EINVAL;
        if (k < 0)
                return k;
        *ret = TAKE_PTR(d);
        return 0;
}

struct decompress *decompress_free(struct decompress *d)
{
        if (!d)
                return NULL;
        ZSTD_freeDCtx(d->zstd);
        if (d->has_gzip)
                (void)inflateEnd(&d->gzip);
        free(d);
        return NULL;
}

static int fault(struct decompress *d, const char *why)
{
        d->fault = why;
        return -EBADMSG;
}

/* More input behind what is left of it. */
static int refill(struct decompress *d)
{
        ssize_t n;

        memmove(d->in, d->in + d->at, d->n_in - d->at);
        d->n_in -= d->at;
        d->at = 0;
        if (d->input_ended)
                return 0;
        n = d->source(d->in + d->n_in, sizeof(d->in) - d->n_in, d->userdata);
        if (n < 0)
                return (int)n;
        d->input_ended = n == 0;
        d->n_in += (size_t)n;
        d->n_read += (uint64_t)n;
        if (d->n_read > d->n_decoded + d->n_decoded / 4 + SLACK_BYTES + sizeof(d->in))
                return fault(d, "compressed data that hold next to nothing");
        return 0;
}

static uint64_t little_endian(const unsigned char *s, size_t n)
{
        uint64_t value = 0;

        while (n > 0)
                value = value << 8 | s[--n];
        return value;
}

/* How much memory a frame asks for; what is not there yet counts as zero. */
static uint64_t zstd_window(const unsigned char *head)
{
        static const size_t n_sizes[] = {1, 2, 4, 8};
        unsigned descriptor = head[4];
        uint64_t base;

        if (descriptor & ZSTD_SINGLE)
                return little_endian(head + 5, n_sizes[descriptor >> 6]);
        base = UINT64_C(1) << (10 + (head[5] >> 3));
        return base + base / 8 * (head[5] & 7);
}

static int check_zstd(struct decompress *d, const unsigned char head[static ZSTD_HEAD_MAX],
                      size_t n)
{
        if (memcmp(head, ZSTD_MAGIC, n < 4 ? n : 4) != 0)
                return fault(d, "something else than a zstd frame");
        if (n < 6)
                return fault(d, "cut short");
        if (head[4] & ZSTD_DICTIONARY)
                return fault(d, "a zstd frame with a dictionary");
        if (zstd_window(head) > UINT64_C(1) << FRAGMENT_WINDOW_LOG)
                return fault(d, "a zstd frame with too large a window");
        return 0;
}

static int check_gzip(struct decompress *d, const unsigned char *head, size_t n)
{
        if (memcmp(head, GZIP_HEAD, n < 4 ? n : 4) != 0)
                return fault(d, "something else than a plain gzip member");
        return n < 4 ? fault(d, "cut short") : 0;
}

/* 1: there is one, its head is as it should be; 0: the input ends here; -errno */
static int begin_frame(struct decompress *d)
{
        unsigned char head[ZSTD_HEAD_MAX] = {0};
        size_t n;
        int k = 0;

        while (d->n_in - d->at < sizeof(head) && !d->input_ended && k >= 0)
                k = refill(d);
        if (k < 0)
                return k;
        n = d->n_in - d->at < sizeof(head) ? d->n_in - d->at : sizeof(head);
        if (n == 0)
                return 0;
        memcpy(head, d->in + d->at, n);
        k = d->zstd ? check_zstd(d, head, n) : check_gzip(d, head, n);
        d->in_frame = k >= 0;
        return k < 0 ? k : 1;
}

static int step_zstd(struct decompress *d, void *data, size_t n, size_t *ret_n)
{
        ZSTD_inBuffer in = {.src = d->in, .size = d->n_in, .pos = d->at};
        ZSTD_outBuffer out = {.dst = data, .size = n};
        size_t left = ZSTD_decompressStream(d->zstd, &out, &in);

        if (ZSTD_isError(left))
                return fault(d, ZSTD_getErrorName(left));
        d->at = in.pos;
        d->in_frame = left > 0;
        *ret_n = out.pos;
        return 0;
}

static int step_gzip(struct decompress *d, void *data, size_t n, size_t *ret_n)
{
        int result;

        d->gzip.next_in = d->in + d->at;
        d->gzip.avail_in = (uInt)(d->n_in - d->at);
        d->gzip.next_out = data;
        d->gzip.avail_out = (uInt)n;
        result = inflate(&d->gzip, Z_NO_FLUSH);
        if (result == Z_MEM_ERROR)
                return -ENOMEM;
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
                return fault(d, d->gzip.msg ? d->gzip.msg : "not what gzip writes");
        d->at = d->n_in - d->gzip.avail_in;
        *ret_n = n - d->gzip.avail_out;
        if (result == Z_STREAM_END) {
                d->in_frame = false;
                (void)inflateReset(&d->gzip);
        }
        return 0;
}

/* One turn. 1: go on; 0: *ret_n bytes came, or, when it is 0, the input ended; -errno */
static int turn(struct decompress *d, void *data, size_t n, size_t *ret_n)
{
        int k = 1;

        *ret_n = 0;
        if (!d->in_frame)
                k = begin_frame(d);
        if (k <= 0)
                return k;
        if (d->at == d->n_in)
                k = refill(d);
        if (k >= 0)
                k = d->zstd ? step_zstd(d, data, n, ret_n) : step_gzip(d, data, n, ret_n);
        if (k < 0 || *ret_n > 0)
                return k;
        if (d->in_frame && d->input_ended && d->at == d->n_in)
                return fault(d, "cut short");
        return 1;
}

ssize_t decompress_read(struct decompress *d, void *data, size_t n)
{
        size_t n_got = 0;
        int k = d->failed;

        n = n > INT32_MAX ? INT32_MAX : n;
        if (k == 0)
                while ((k = turn(d, data, n, &n_got)) > 0)
                        ;
        d->failed = k;
        d->n_decoded += n_got;
        return k < 0 ? k : (ssize_t)n_got;
}

const char *decompress_fault(const struct decompress *d)
{
        return d->fault;
}

uint64_t decompress_n_read(const struct decompress *d)
{
        return d->n_read;
}

uint64_t decompress_n_decoded(const struct decompress *d)
{
        return d->n_decoded;
}
