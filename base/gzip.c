/*
 * gzip of parts; the door to zlib. A run ends with a full flush, which is an empty stored block: what
 * follows begins at a whole byte. The stream ends with one more block, empty and marked as the last. So
 * a part is what lies between head and tail of a stream of its own, whose tail also tells its length
 * and checksum. Joining checksums is a multiplication by a number that depends on the length alone,
 * takes microseconds to find, and is therefore kept.
 */

#include <assert.h>
#include <errno.h>

#include <zlib.h>

#include "base/gzip.h"

#define CHUNK_BYTES    16384u
#define LAST_BYTES     2u  /* the last block */
#define STORED_MAX     32u /* shorter runs are not worth looking at */
#define SMALL_MAX      4096u
#define N_COMBINATIONS 256u

/* A window and tables of the size of what they are for: they are emptied before each run. */
struct deflater {
        z_stream z;
        bool ready;
};

struct combination {
        uint64_t n;
        unsigned long op; /* 0: none yet; no length has this one */
};

struct gzip {
        enum gzip_effort effort;
        uLong crc;
        uint64_t n;
        struct deflater small, large;
        struct combination combinations[N_COMBINATIONS];
};

int gzip_new(struct gzip **ret, enum gzip_effort effort)
{
        struct gzip *g = calloc(1, sizeof(*g));

        if (!g)
                return -ENOMEM;
        g->effort = effort;
        *ret = g;
        return 0;
}

static void deflater_done(struct deflater *d)
{
        if (d->ready)
                (void)deflateEnd(&d->z);
}

struct gzip *gzip_free(struct gzip *g)
{
        if (!g)
                return NULL;
        deflater_done(&g->small);
        deflater_done(&g->large);
        free(g);
        return NULL;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static void append_le32(struct buf *out, uint32_t v)
{
        const unsigned char bytes[4] = {v & 0xff, v >> 8 & 0xff, v >> 16 & 0xff, v >> 24};

        buf_append(out, bytes, sizeof(bytes));
}

static uint32_t le32(const unsigned char *p)
{
        return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void gzip_count(struct gzip *g, uLong crc, uint64_t n)
{
        struct combination *c = &g->combinations[n % N_COMBINATIONS];

        if (c->op == 0 || c->n != n)
                *c = (struct combination){n, crc32_combine_gen64((z_off64_t)n)};
        g->crc = crc32_combine_op(g->crc, crc, c->op);
        g->n += n;
}

/* --- runs ------------------------------------------------------------------------------------- */

static bool deflater_prepare(struct deflater *d, enum gzip_effort effort, bool small)
{
        int level = effort == GZIP_FAST ? Z_BEST_SPEED : Z_DEFAULT_COMPRESSION;

        if (d->ready)
                return deflateReset(&d->z) == Z_OK;
        d->ready = deflateInit2(&d->z, level, Z_DEFLATED, small ? -12 : -MAX_WBITS, small ? 5 : 8,
                                Z_DEFAULT_STRATEGY) == Z_OK;
        return d->ready;
}

static void deflate_run(struct gzip *g, struct buf *out, const void *data, size_t n)
{
        struct deflater *d = n <= SMALL_MAX ? &g->small : &g->large;
        unsigned char chunk[CHUNK_BYTES];

        if (!deflater_prepare(d, g->effort, n <= SMALL_MAX)) {
                out->error = out->error ? out->error : -ENOMEM;
                return;
        }
        d->z.next_in = (Bytef *)data;
        d->z.avail_in = (uInt)n;
        do {
                d->z.next_out = chunk;
                d->z.avail_out = sizeof(chunk);
                (void)deflate(&d->z, Z_FULL_FLUSH);
                buf_append(out, chunk, sizeof(chunk) - d->z.avail_out);
        } while (d->z.avail_out == 0);
}

/* A stored block (RFC 1951 §3.2.4). */
static void store_run(struct buf *out, const void *data, size_t n)
{
        const unsigned char head[5] = {0, (unsigned char)n, 0, (unsigned char)~n, 0xff};

        buf_append(out, head, sizeof(head));
        buf_append(out, data, n);
}

void gzip_run(struct gzip *g, struct buf *out, const void *data, size_t n)
{
        if (n == 0)
                return;
        assert(n <= GZIP_RUN_BYTES_MAX);
        if (n <= STORED_MAX)
                store_run(out, data, n);
        else
                deflate_run(g, out, data, n);
        gzip_count(g, crc32(0, data, (uInt)n), n);
}

/* --- streams ---------------------------------------------------------------------------------- */

void gzip_begin(struct gzip *g, struct buf *out)
{
        /* Deflated; no name, no time, no flags; written on a system that nobody asks for. */
        static const unsigned char head[GZIP_HEAD_BYTES] = {0x1f, 0x8b, Z_DEFLATED, [9] = 0xff};

        g->crc = crc32(0, NULL, 0);
        g->n = 0;
        buf_append(out, head, sizeof(head));
}

void gzip_join(struct gzip *g, const void *member, size_t n_member)
{
        const unsigned char *end = (const unsigned char *)member + n_member;

        assert(n_member >= GZIP_HEAD_BYTES + GZIP_TAIL_BYTES);
        gzip_count(g, le32(end - 8), le32(end - 4));
}

void gzip_end(struct gzip *g, struct buf *out)
{
        /* The last block, in the fixed code: nothing but its end. */
        static const unsigned char last[LAST_BYTES] = {0x03, 0x00};

        buf_append(out, last, sizeof(last));
        append_le32(out, (uint32_t)g->crc);
        append_le32(out, (uint32_t)g->n);
}

_Static_assert(LAST_BYTES + 4 + 4 == GZIP_TAIL_BYTES, "block, checksum, length");

int gzip_bytes(struct buf *out, const void *data, size_t n, enum gzip_effort effort)
{
        _cleanup_(gzip_freep) struct gzip *g = NULL;

        if (n > GZIP_RUN_BYTES_MAX)
                out->error = -E2BIG;
        else if (gzip_new(&g, effort) < 0)
                out->error = -ENOMEM;
        if (out->error)
                return out->error;
        gzip_begin(g, out);
        gzip_run(g, out, data, n);
        gzip_end(g, out);
        return out->error;
}
