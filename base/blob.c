/* A counted, immutable byte string. */

#include "base/blob.h"
#include "base/ref.h"

struct blob {
        struct ref ref;
        size_t n;
        char *data;
        _Atomic(struct blob *) gzip; /* a reference; NULL until somebody asks for it */
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
                blob_unref(atomic_load_explicit(&b->gzip, memory_order_relaxed));
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

static struct blob *gzip_of(const struct blob *b, enum gzip_effort effort)
{
        _cleanup_(buf_done) struct buf out = {0};

        return gzip_bytes(&out, b->data, b->n, effort) < 0 ? NULL : blob_new_take(&out);
}

/* Two who ask at once both compress, and one of them in vain. */
struct blob *blob_gzip(struct blob *b, enum gzip_effort effort)
{
        struct blob *known = atomic_load_explicit(&b->gzip, memory_order_acquire), *made;

        if (known)
                return blob_ref(known);
        made = gzip_of(b, effort);
        if (!made)
                return NULL;
        if (atomic_compare_exchange_strong_explicit(&b->gzip, &known, made, memory_order_acq_rel,
                                                    memory_order_acquire))
                return blob_ref(made);
        blob_unref(made);
        return blob_ref(known);
}

bool blob_has_gzip(const struct blob *b)
{
        return atomic_load_explicit(&b->gzip, memory_order_acquire) != NULL;
}
