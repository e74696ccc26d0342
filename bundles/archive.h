#pragma once

/*
 * An archive that is written front to back: to a pipe, to a socket or to a file, never read again, never seeked
 * in. Memory is bounded: an entry whose size is not known ahead is compressed as it comes, into an unlinked
 * memory file (memfd), and follows its header when it has ended.
 *
 * A fragment is a tar without its end, in frames (zstd) or members (gzip), as zstd(1) and gzip(1) read them
 * joined: so nodes' fragments, one behind the other, and then one end, are one archive. It keeps to the
 * grammar of bundles/fragment.h. A zip is for clients of the API that we replace.
 *
 * Blocking. One thread. Who writes into a pipe or a socket ignores SIGPIPE, or is killed by it when the reader goes;
 * then it is -EPIPE. About 3 MiB of memory at the fast levels. What is spooled is compressed, counts towards
 * max_bytes, and is memory of the cgroup, though of no process: as much as the largest entry is when compressed.
 */

#include "base/digest.h"
#include "base/err.h"
#include "bundles/archive_path.h"

enum archive_format { ARCHIVE_TAR_ZSTD = 0, ARCHIVE_TAR_GZIP, ARCHIVE_ZIP, ARCHIVE_N_FORMATS };
const char *archive_format_to_string(enum archive_format f) _const_; /* "tar.zst" … */

/** archive_format_from_string() - 0 or -EINVAL */
int archive_format_from_string(enum archive_format *ret, const char *s);

struct archive_options {
        enum archive_format format;
        bool fragment; /* without tar's end; not of a zip */
        int level;     /* of the compressor: zstd 1–19, others 1–9; 0: fast */
        int fd;        /* borrowed, blocking */

        /*
         * Of an fd in a file system: stop at so many bytes free in it (for whoever is not root), looked at
         * every few MiB; 0: do not look. Then what is written fails with -ENOSPC.
         */
        uint64_t free_floor;
        uint64_t max_bytes; /* of what is written, compressed; 0: no limit. -EFBIG */
};

struct archive;

/** archive_new() - 0, -EINVAL (of level and format), -ENOMEM, -errno. Writes nothing yet. */
int archive_new(struct archive **ret, const struct archive_options *options, struct err *e);

/*
 * Hidden, because libarchive has a function of that name, and calls it: it must find its own. Writes nothing; an
 * archive that was not finished stays as it is.
 */
struct archive *archive_free(struct archive *a) __attribute__((visibility("hidden")));

/**
 * archive_begin() - an entry: a regular file, 0644, of nobody
 * @path: relative and clean (bundles/archive_path.h)
 * @mtime_usec: CLOCK_REALTIME
 *
 * Return: 0; -EINVAL (the path) or -EEXIST (there is one already, that did not come by archive_splice()), which are
 * no failures of the archive: no entry is open; or -errno.
 */
int archive_begin(struct archive *a, const char *path, uint64_t mtime_usec);

/** archive_append() - the next bytes of the entry */
int archive_append(struct archive *a, const void *data, size_t n);

struct archive_entry {
        uint64_t size;
        char sha256[DIGEST_HEX];
};

/** archive_end() - of the entry; @ret may be NULL. A large entry is written now. */
int archive_end(struct archive *a, struct archive_entry *ret);

/** archive_add() - begin, append, end */
int archive_add(struct archive *a, const char *path, uint64_t mtime_usec, const void *data,
                size_t n);

/**
 * archive_splice() - append a fragment of the same format, that was checked, as it is
 * @fd: from its position, @n_bytes. Between entries only; not of a zip. What was ended stands before it
 *
 * Into a pipe the kernel may put the pages themselves: nobody may change the file as long as it is not read there.
 */
int archive_splice(struct archive *a, int fd, uint64_t n_bytes);

/**
 * archive_flush() - what was ended stands in the fd: complete frames. Between entries only
 *
 * A tar that is cut off behind what archive_written() says now can go on there, with another archive: so its end can
 * be written though a limit was reached later.
 */
int archive_flush(struct archive *a);

/** archive_finish() - write the end, if there is one. Nothing may follow. */
int archive_finish(struct archive *a);

/** archive_written() - bytes that went into the fd */
uint64_t archive_written(const struct archive *a);

/**
 * archive_error() - what the first failure was about
 * All of the above return it again, and do nothing, from then on.
 */
const struct err *archive_error(const struct archive *a);

DEFINE_CLEANUP(struct archive *, archive_free);
