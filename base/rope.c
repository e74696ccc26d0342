/* A sealed sequence of pieces: each a range of a blob, or of the rope's own text. */

#include <errno.h>

#include "base/ref.h"
#include "base/rope.h"

#define COPIED_MAX 32u  /* blobs up to here are copied: the table's entry would be as large */
#define PART_MIN   128u /* shorter blobs are compressed with what stands around them */

struct rope_piece {
        struct blob *blob; /* a reference; NULL: the rope's text */
        uint32_t offset, n;
};

struct rope {
        struct ref ref;
        struct rope_piece *pieces;
        size_t n_pieces;
        char *text;
        size_t n_text;
        uint64_t n_bytes;
        _Atomic(struct rope *) gzip; /* a reference; NULL until somebody asks for it */
};

/* --- building --------------------------------------------------------------------------------- */

static struct rope_piece *next_piece(struct rope_builder *rb)
{
        size_t n = rb->n_pieces_alloc ? rb->n_pieces_alloc * 2 : 16;
        struct rope_piece *p;

        if (rb->n_pieces < rb->n_pieces_alloc)
                return &rb->pieces[rb->n_pieces++];
        p = reallocarray(rb->pieces, n, sizeof(*p));
        if (!p)
                return NULL;
        rb->pieces = p;
        rb->n_pieces_alloc = n;
        return &rb->pieces[rb->n_pieces++];
}

static bool add_piece(struct rope_builder *rb, struct blob *b, size_t offset, size_t n)
{
        struct rope_piece *p = NULL;

        if (offset > UINT32_MAX || n > UINT32_MAX)
                rb->error = -E2BIG;
        else if (!(p = next_piece(rb)))
                rb->error = -ENOMEM;
        if (!p)
                return false;
        *p = (struct rope_piece){blob_ref(b), (uint32_t)offset, (uint32_t)n};
        rb->n_bytes += n;
        return true;
}

static bool add_text(struct rope_builder *rb)
{
        size_t from = rb->n_text_taken;

        if (rb->text.error && !rb->error)
                rb->error = rb->text.error;
        if (rb->error)
                return false;
        rb->n_text_taken = rb->text.n;
        return from == rb->text.n || add_piece(rb, NULL, from, rb->text.n - from);
}

static void add_range(struct rope_builder *rb, struct blob *b, size_t offset, size_t n)
{
        if (n <= COPIED_MAX)
                buf_append(&rb->text, blob_data(b) + offset, n);
        else if (add_text(rb))
                (void)add_piece(rb, b, offset, n);
}

void rope_builder_add(struct rope_builder *rb, struct blob *b)
{
        add_range(rb, b, 0, blob_size(b));
}

static void pieces_free(struct rope_piece *pieces, size_t n)
{
        for (size_t i = 0; i < n; i++)
                blob_unref(pieces[i].blob);
        free(pieces);
}

void rope_builder_done(struct rope_builder *rb)
{
        pieces_free(rb->pieces, rb->n_pieces);
        buf_done(&rb->text);
        *rb = (struct rope_builder){0};
}

/* --- life ------------------------------------------------------------------------------------- */

/* A rope is kept, and what grew by doubling may be twice as large as it is. */
static struct rope_piece *take_pieces(struct rope_builder *rb)
{
        struct rope_piece *all = TAKE_PTR(rb->pieces), *fitting = NULL;

        if (all && rb->n_pieces > 0)
                fitting = reallocarray(all, rb->n_pieces, sizeof(*all));
        return fitting ? fitting : all;
}

struct rope *rope_new_take(struct rope_builder *rb)
{
        struct rope *r = add_text(rb) ? calloc(1, sizeof(*r)) : NULL;

        if (r)
                r->text = buf_take(&rb->text, &r->n_text);
        if (!r || !r->text) {
                free(r);
                rope_builder_done(rb);
                return NULL;
        }
        ref_init(&r->ref);
        r->pieces = take_pieces(rb);
        r->n_pieces = rb->n_pieces;
        r->n_bytes = rb->n_bytes;
        *rb = (struct rope_builder){0};
        return r;
}

struct rope *rope_ref(struct rope *r)
{
        if (r)
                ref_inc(&r->ref);
        return r;
}

struct rope *rope_unref(struct rope *r)
{
        if (r && ref_dec(&r->ref)) {
                rope_unref(atomic_load_explicit(&r->gzip, memory_order_relaxed));
                pieces_free(r->pieces, r->n_pieces);
                free(r->text);
                free(r);
        }
        return NULL;
}

uint64_t rope_size(const struct rope *r)
{
        return r->n_bytes;
}

uint64_t rope_own_bytes(const struct rope *r)
{
        return sizeof(*r) + r->n_pieces * sizeof(r->pieces[0]) + r->n_text;
}

bool rope_is_shared(const struct rope *r)
{
        return atomic_load_explicit(&r->ref.n, memory_order_relaxed) > 1;
}

/* --- reading ---------------------------------------------------------------------------------- */

static const char *piece_data(const struct rope *r, const struct rope_piece *p)
{
        return (p->blob ? blob_data(p->blob) : r->text) + p->offset;
}

size_t rope_read(const struct rope *r, struct rope_cursor *c, void *buf, size_t n)
{
        size_t n_read = 0;

        while (n_read < n && c->piece < r->n_pieces) {
                const struct rope_piece *p = &r->pieces[c->piece];
                size_t n_left = p->n - c->offset;
                size_t n_now = n_left < n - n_read ? n_left : n - n_read;

                memcpy((char *)buf + n_read, piece_data(r, p) + c->offset, n_now);
                n_read += n_now;
                c->offset += n_now;
                if (c->offset == p->n)
                        *c = (struct rope_cursor){c->piece + 1, 0};
        }
        return n_read;
}

/* --- compressing ------------------------------------------------------------------------------ */

struct squeeze {
        const struct rope *from;
        struct gzip *gzip;
        struct rope_builder to;
        struct buf
                run; /* what is compressed with this rope, because it is too short, or the rope's own */
        uint64_t n_fresh_max;
};

static bool squeeze_may(struct squeeze *s, uint64_t n)
{
        if (n > s->n_fresh_max)
                return false;
        s->n_fresh_max -= n;
        return true;
}

static bool squeeze_run(struct squeeze *s)
{
        if (s->run.error || s->run.n > GZIP_RUN_BYTES_MAX || !squeeze_may(s, s->run.n))
                return false;
        gzip_run(s->gzip, &s->to.text, buf_cstr(&s->run), s->run.n);
        buf_clear(&s->run);
        return true;
}

static bool squeeze_part(struct squeeze *s, struct blob *b)
{
        _cleanup_(blob_unrefp) struct blob *twin = NULL;

        if (!squeeze_run(s) || (!blob_has_gzip(b) && !squeeze_may(s, blob_size(b))))
                return false;
        twin = blob_gzip(b, GZIP_WELL);
        if (!twin)
                return false;
        gzip_join(s->gzip, blob_data(twin), blob_size(twin));
        add_range(&s->to, twin, GZIP_HEAD_BYTES,
                  blob_size(twin) - GZIP_HEAD_BYTES - GZIP_TAIL_BYTES);
        return true;
}

static bool squeeze_piece(struct squeeze *s, const struct rope_piece *p)
{
        if (p->blob && p->n >= PART_MIN && p->n == blob_size(p->blob))
                return squeeze_part(s, p->blob);
        buf_append(&s->run, piece_data(s->from, p), p->n);
        return true;
}

static bool squeeze_all(struct squeeze *s)
{
        if (gzip_new(&s->gzip, GZIP_WELL) < 0)
                return false;
        gzip_begin(s->gzip, &s->to.text);
        for (size_t i = 0; i < s->from->n_pieces; i++)
                if (!squeeze_piece(s, &s->from->pieces[i]))
                        return false;
        if (!squeeze_run(s))
                return false;
        gzip_end(s->gzip, &s->to.text);
        return true;
}

static struct rope *squeeze(const struct rope *r, uint64_t n_fresh_max)
{
        struct squeeze s = {.from = r, .n_fresh_max = n_fresh_max};
        struct rope *made = squeeze_all(&s) ? rope_new_take(&s.to) : NULL;

        rope_builder_done(&s.to);
        buf_done(&s.run);
        gzip_free(s.gzip);
        return made;
}

/* As blob_gzip(). */
struct rope *rope_gzip(struct rope *r, uint64_t n_fresh_max)
{
        struct rope *known = atomic_load_explicit(&r->gzip, memory_order_acquire), *made;

        if (known)
                return rope_ref(known);
        made = squeeze(r, n_fresh_max);
        if (!made)
                return NULL;
        if (atomic_compare_exchange_strong_explicit(&r->gzip, &known, made, memory_order_acq_rel,
                                                    memory_order_acquire))
                return rope_ref(made);
        rope_unref(made);
        return rope_ref(known);
}
