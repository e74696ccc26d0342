#pragma once

/* Files: reads with a ceiling, writes that are whole or not at all. */

#include <sys/types.h>

#include "base/err.h"

/**
 * fs_read() - the whole of a small file
 * @ret:       the bytes and a NUL that is not counted; free()
 * @n_max:     a larger file is -E2BIG; /proc's files, whose size is 0, are read to their end
 * @e:         names the path; may be NULL
 *
 * Only regular files: a FIFO or device is -EINVAL and never waited for.
 */
int fs_read(const char *path, size_t n_max, char **ret, size_t *ret_n, struct err *e);

/** fs_replace() - write a temporary beside @path, sync it, rename it over @path. */
int fs_replace(const char *path, const void *data, size_t n, mode_t mode, struct err *e);

/** fs_remove() - no file of that name is no error. */
int fs_remove(const char *path, struct err *e);
