#pragma once

/*
 * The descriptor that an archive goes into, and what limits it. A floor of free space is looked at before every
 * few MiB, for all of them, so that we never cross it ourselves. One thread.
 */

#include "base/err.h"

#define ARCHIVE_OUT_CHECK_BYTES (UINT64_C(4) << 20)

struct archive_out {
        int fd; /* borrowed, blocking */
        uint64_t free_floor, max_bytes;
        uint64_t n_written;
        uint64_t n_granted; /* up to here there is room, as far as was looked */
        struct err e;       /* of the last failure */
};

/** archive_out_check() - is there room for @n more? 0, -ENOSPC, -EFBIG, -errno */
int archive_out_check(struct archive_out *o, uint64_t n);

/** archive_out_write() - all of it, as archive_out_check() allows */
int archive_out_write(struct archive_out *o, const void *data, size_t n);

/** archive_out_copy() - @n bytes from the position of @fd, by reading and writing */
int archive_out_copy(struct archive_out *o, int fd, uint64_t n);

/** archive_out_splice() - the same; the kernel copies them, or shares them, where it can */
int archive_out_splice(struct archive_out *o, int fd, uint64_t n);
