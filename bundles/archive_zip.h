#pragma once

/*
 * A zip, streamed: sizes stand behind the data, and in the directory at its end; Zip64 throughout. The door to
 * libarchive's writer, whose "struct archive" is not ours: this header names none. One thread.
 */

#include "base/err.h"

struct archive_zip;

/** Where it goes. A negative result is a failure, which the call that caused it returns. */
typedef int (*archive_zip_sink_fn)(const void *data, size_t n, void *userdata);

/** archive_zip_new() - @level: of deflate, 1–9; 0: fast. 0, -EINVAL, -ENOMEM, -errno with @e */
int archive_zip_new(struct archive_zip **ret, int level, archive_zip_sink_fn sink, void *userdata,
                    struct err *e);
struct archive_zip *archive_zip_free(struct archive_zip *z); /* writes nothing */

/* 0, or -errno with @e, which may be NULL. @path: clean. */
int archive_zip_begin(struct archive_zip *z, const char *path, uint64_t mtime_sec, struct err *e);
int archive_zip_append(struct archive_zip *z, const void *data, size_t n, struct err *e);
int archive_zip_end(struct archive_zip *z, struct err *e);
int archive_zip_finish(struct archive_zip *z, struct err *e);

DEFINE_CLEANUP(struct archive_zip *, archive_zip_free);
