#pragma once

/*
 * tar in frames. Small entries share one, so that what is alike in them is seen; what does not fit into a buffer is
 * compressed into a memory file until its size, and so its header, is known. One thread.
 */

#include "bundles/archive.h"
#include "bundles/archive_out.h"

struct archive_tar;

/** archive_tar_new() - @out: borrowed. 0, -EINVAL (the level), -ENOMEM, -errno */
int archive_tar_new(struct archive_tar **ret, struct archive_out *out, enum archive_format format,
                    int level);
struct archive_tar *archive_tar_free(struct archive_tar *t);

/* 0, or -errno; what it is about stands in @out if that failed. @path: clean, and there until the entry ends. */
void archive_tar_begin(struct archive_tar *t, const char *path, uint64_t mtime_sec);
int archive_tar_append(struct archive_tar *t, const void *data, size_t n);
int archive_tar_end(struct archive_tar *t);
int archive_tar_flush(struct archive_tar *t);

/** archive_tar_finish() - tar's end, in the frame that is open */
int archive_tar_finish(struct archive_tar *t);

DEFINE_CLEANUP(struct archive_tar *, archive_tar_free);
