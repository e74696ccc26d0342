#pragma once

/*
 * A large text of many parts, most of which it shares: with other ropes, with itself, with what follows
 * it. It is never copied into one piece of memory; what is its own is a table and the text between the
 * blobs. Sealed and counted, as a blob is. Any thread.
 */

#include "base/blob.h"

/**
 * What becomes a rope. Zeroed is empty. It remembers its first failure, so that a writer can append freely
 * and ask once, at the end.
 */
struct rope_builder {
        struct buf
                text; /* what is appended here stands behind all blobs so far, and before the next one */
        struct rope_piece *pieces; /* from here on its own */
        size_t n_pieces, n_pieces_alloc;
        size_t n_text_taken;
        uint64_t n_bytes;
        int error;
};

/** rope_builder_add() - @b comes next. It is borrowed, and counted as often as it is added. */
void rope_builder_add(struct rope_builder *rb, struct blob *b);
void rope_builder_done(struct rope_builder *rb);

struct rope;

/** rope_new_take() - what @rb holds becomes the rope; @rb is empty afterwards. NULL after a failure. */
struct rope *rope_new_take(struct rope_builder *rb);
struct rope *rope_ref(struct rope *r);
struct rope *rope_unref(struct rope *r);

/** rope_size() - bytes of the whole text */
uint64_t rope_size(const struct rope *r);

/** rope_own_bytes() - what it takes beside its blobs, which are taken for shared */
uint64_t rope_own_bytes(const struct rope *r);

/** rope_is_shared() - has anybody else a reference, now? */
bool rope_is_shared(const struct rope *r);

/** How far somebody has read. Zeroed is the beginning. */
struct rope_cursor {
        size_t piece;
        size_t offset; /* in it */
};

/** rope_read() - copy the next bytes. Return: how many; fewer than @n only at the end, where it is 0. */
size_t rope_read(const struct rope *r, struct rope_cursor *c, void *buf, size_t n);

/**
 * rope_gzip() - the same text as a gzip stream, itself a rope whose parts are shared
 * @n_fresh_max: most bytes to compress now; what has been compressed before does not count
 *
 * Each blob is compressed once, for all ropes (blob_gzip()), and the result is kept as long as @r is.
 * Return: a new reference; NULL when there is no memory, or more than @n_fresh_max bytes are fresh: then
 * so many have been compressed, and the next call gets farther.
 */
struct rope *rope_gzip(struct rope *r, uint64_t n_fresh_max);

DEFINE_CLEANUP(struct rope *, rope_unref);
