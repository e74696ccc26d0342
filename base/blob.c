/* A counted, immutable byte string. */

#include "base/blob.h"
#include "base/ref.h"

struct blob {
        struct ref ref;
        size_t n;
        char *data;
};

struct blob *blob_new_take(struct buf *b)
{
        struct blob *blob = calloc(1, sizeof(*blob));

        if (!blob)
                return NULL;
        blob->data = buf_take(b, &blob->n);
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
