#pragma once

/* Bytes that nobody will change any more, with a count of owners. Any thread. */

#include <stdatomic.h>

#include "base/buf.h"
#include "base/gzip.h"

struct blob;

/** blob_new_take() - what @b holds becomes the blob; @b is empty afterwards. NULL after an error of @b. */
struct blob *blob_new_take(struct buf *b);
struct blob *blob_ref(struct blob *b);
struct blob *blob_unref(struct blob *b);
const char *blob_data(const struct blob *b); /* ends with a NUL that is not counted */
size_t blob_size(const struct blob *b);

/** blob_is_shared() - has anybody else a reference, now? */
bool blob_is_shared(const struct blob *b);

/**
 * A place in a sealed object for what is a pure function of it, and is made when somebody asks first. It is
 * the one part of such an object that is written: once, atomically, with what anybody else would have
 * written, too.
 *
 *     have = blob_memo_get(slot);  return have ? have : blob_memo_put(slot, render(object));
 */
typedef _Atomic(struct blob *) blob_memo;

/** blob_memo_get() - a reference, or NULL: nobody has made it yet. Any thread. */
struct blob *blob_memo_get(blob_memo *slot);

/** blob_memo_put() - a reference to @taken, or to what somebody else has put there first. NULL for NULL. */
struct blob *blob_memo_put(blob_memo *slot, struct blob *taken);
void blob_memo_done(blob_memo *slot);

/**
 * blob_gzip() - the same bytes as gzip_bytes() makes them
 * @effort: of the first call; what it makes is kept as long as @b is, so that all others cost nothing
 * Return: a new reference; NULL when there is no memory for it.
 */
struct blob *blob_gzip(struct blob *b, enum gzip_effort effort);

/** blob_has_gzip() - the next blob_gzip() costs nothing */
bool blob_has_gzip(const struct blob *b);

DEFINE_CLEANUP(struct blob *, blob_unref);
