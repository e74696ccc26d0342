#pragma once

/*
 * zstd frames and gzip members behind one interface, written as they come. Half a MiB to two of memory at the
 * fast levels, whatever is compressed. One thread for each.
 */

#include "bundles/archive.h"

struct compress;

/** Where compressed bytes go, up to 128 KiB at a time. A negative result ends what was being done with it. */
typedef int (*compress_sink_fn)(const void *data, size_t n, void *userdata);

/**
 * compress_new() - nothing is written before the first byte to compress
 * @level: of zstd 1–19, of gzip 1–9; 0: fast
 *
 * Return: 0, -EINVAL (the level, the format), -ENOMEM.
 */
int compress_new(struct compress **ret, enum archive_format format, int level,
                 compress_sink_fn sink, void *userdata);
struct compress *compress_free(struct compress *c);

/** compress_append() - begins a frame if none is open. 0, -ENOMEM, or what the sink returned; it is of no use then */
int compress_append(struct compress *c, const void *data, size_t n);

/** compress_end() - of the frame, if one is open; all of it went to the sink then. As above. */
int compress_end(struct compress *c);

DEFINE_CLEANUP(struct compress *, compress_free);
