#pragma once

/*
 * zstd frames and gzip members, joined, from hostile hands: of windows up to 8 MiB, without dictionaries, without
 * frames to be skipped, without names and comments in gzip's headers; no other bytes before, between or behind
 * them. One thread for each.
 */

#include "bundles/archive.h"

struct decompress;

/** Up to @n more bytes of input; 0: its end; or -errno. */
typedef ssize_t (*decompress_source_fn)(void *data, size_t n, void *userdata);

/** decompress_new() - 0, -EINVAL (the format), -ENOMEM */
int decompress_new(struct decompress **ret, enum archive_format format, decompress_source_fn source,
                   void *userdata);
struct decompress *decompress_free(struct decompress *d);

/**
 * decompress_read() - up to @n bytes, at least one
 *
 * Return: how many; 0: the input ended where a frame does; -EBADMSG: see decompress_fault(); or what the source
 * returned, or -ENOMEM. After a failure, the same again.
 */
ssize_t decompress_read(struct decompress *d, void *data, size_t n);

const char *decompress_fault(const struct decompress *d);  /* in words; "" */
uint64_t decompress_n_read(const struct decompress *d);    /* bytes that came from the source */
uint64_t decompress_n_decoded(const struct decompress *d); /* … and that were made of them */

DEFINE_CLEANUP(struct decompress *, decompress_free);
