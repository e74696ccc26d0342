#pragma once

/*
 * Headers of the one kind of tar that bundles are: POSIX 1003.1 ustar, regular files only, with an extended
 * header (pax) only where ustar has no room. What readers of tar disagree about does not occur in what is
 * written, and is refused in what is read; bundles/fragment.h has the grammar. Pure, any thread.
 */

#include "bundles/archive_path.h"

#define TAR_BLOCK        512u
#define TAR_END_BYTES    (2u * TAR_BLOCK)
#define TAR_EXTENDED_MAX 2048u /* bytes of records; whole blocks */
#define TAR_HEADERS_MAX  (2u * TAR_BLOCK + TAR_EXTENDED_MAX)
#define TAR_NAME_MAX     100u
#define TAR_SIZE_MAX     UINT64_C(077777777777) /* that ustar has room for, as for a time */
#define TAR_ANY_SIZE_MAX (UINT64_C(1) << 62)
#define TAR_EXTENDED_NAME \
        "././@PaxHeader" /* of every extended header: readers without pax leave it so */

/** tar_padding() - zeros after @size bytes of data */
static inline size_t tar_padding(uint64_t size)
{
        return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

/**
 * tar_header_write() - what stands before the data of a file
 * @path: a clean one
 *
 * Return: how many bytes, whole blocks.
 */
size_t tar_header_write(char ret[static TAR_HEADERS_MAX], const char *path, uint64_t size,
                        uint64_t mtime_sec);

/** What an extended header, or a header, says. Zeroed is a good start. */
struct tar_header {
        bool extended; /* size bytes of records follow, then the header that they are about */
        bool has_path, has_size, has_mtime; /* of records: each may be missing */
        char path[ARCHIVE_PATH_MAX];
        uint64_t size, mtime_sec;
};

/**
 * tar_header_read() - one block
 * @ret_why: what is wrong with it, in words
 *
 * Return: 0, or -EBADMSG.
 */
int tar_header_read(struct tar_header *ret, const char block[static TAR_BLOCK],
                    const char **ret_why);

/** tar_records_read() - what follows an extended header, without its padding. As above. */
int tar_records_read(struct tar_header *ret, const char *data, size_t n, const char **ret_why);

/** tar_header_apply() - @records are about @h: it has their path, size and time from now on. As above. */
int tar_header_apply(struct tar_header *h, const struct tar_header *records, const char **ret_why);
