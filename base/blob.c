/* A counted, immutable byte string. */

#include "base/blob.h"
#include "base/ref.h"

struct blob {
        struct ref ref;
        size_t n;
        char *data;
        blob_memo gzip;
};

/* A buffer grows by doubling, and a blob is kept: what is a quarter too large, or more, is given back. */
static char *take_fitting(struct buf *b, size_t *ret_n)
{
        size_t n_alloc = b->n_alloc;
        char *data = buf_take(b, ret_n), *fitting = NULL;

        if (data && *ret_n + 1 < n_alloc - n_alloc / 4)
                fitting = realloc(data, *ret_n + 1);
        return fitting ? fitting : data;
}

struct blob *blob_new_take(struct buf *b)
{
        struct blob *blob = calloc(1, sizeof(*blob));

        if (!blob)
                return NULL;
        blob->data = take_fitting(b, &blob->n);
        if (!blob->data) {
                free(blob);
                return NULL;
        }
        ref_init(&blob->ref);
        return blob;
}

struct blob *blob_ref(struct blob *b)
{
        if (b)
                ref_inc(&b->ref);
        return b;
}

struct blob *blob_unref(struct blob *b)
{
        if (b && ref_dec(&b->ref)) {
                blob_memo_done(&b->gzip);
                free(b->data);
                free(b);
        }
        return NULL;
}

const char *blob_data(const struct blob *b)
{
        return b->data;
}

size_t blob_size(const struct blob *b)
{
        return b->n;
}

bool blob_is_shared(const struct blob *b)
{
        return atomic_load_explicit(&b->ref.n, memory_order_relaxed) > 1;
}

struct blob *blob_memo_get(blob_memo *slot)
{
        struct blob *have = atomic_load_explicit(slot, memory_order_acquire);

        return have ? blob_ref(have) : NULL;
}

struct blob *blob_memo_put(blob_memo *slot, struct blob *taken)
{
        struct blob *none = NULL;

        if (!taken)
                return NULL;
        if (atomic_compare_exchange_strong_explicit(slot, &none, blob_ref(taken),
                                                    memory_order_acq_rel, memory_order_acquire))
                return taken;
        blob_unref(taken); /* the slot's reference */
        blob_unref(taken);
        return blob_ref(none);
}

void blob_memo_done(blob_memo *slot)
{
        blob_unref(atomic_load_explicit(slot, memory_order_relaxed));
}

static struct blob *gzip_of(const struct blob *b, enum gzip_effort effort)
{
        _cleanup_(buf_done) struct buf out = {0};

        return gzip_bytes(&out, b->data, b->n, effort) < 0 ? NULL : blob_new_take(&out);
}

struct blob *blob_gzip(struct blob *b, enum gzip_effort effort)
{
        struct blob *have = blob_memo_get(&b->gzip);

        return have ? have : blob_memo_put(&b->gzip, gzip_of(b, effort));
}

bool blob_has_gzip(const struct blob *b)
{
        return atomic_load_explicit(&b->gzip, memory_order_acquire) != NULL;
}
