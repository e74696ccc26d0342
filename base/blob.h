#pragma once

/* Bytes that nobody will change any more, with a count of owners. Any thread. */

#include "base/buf.h"

struct blob;

/** blob_new_take() - what @b holds becomes the blob; @b is empty afterwards. NULL after an error of @b. */
struct blob *blob_new_take(struct buf *b);
struct blob *blob_ref(struct blob *b);
struct blob *blob_unref(struct blob *b);
const char *blob_data(const struct blob *b); /* ends with a NUL that is not counted */
size_t blob_size(const struct blob *b);

/** blob_is_shared() - has anybody else a reference, now? */
bool blob_is_shared(const struct blob *b);

DEFINE_CLEANUP(struct blob *, blob_unref);
