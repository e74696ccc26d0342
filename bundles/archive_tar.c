/*
 * Two compressors. The shared one writes into the archive: headers, small entries, tar's end. The other one
 * makes frames of their own for large entries, in the memory file ("the spool"), compressed; when such an entry ends,
 * its header goes through the shared one, whose frame is ended, and the spool is copied behind it.
 */

#include <errno.h>
#include <sys/mman.h>

#include "bundles/archive_tar.h"
#include "bundles/compress.h"
#include "bundles/tar_header.h"

#define SMALL_BYTES (128u * 1024u)

struct archive_tar {
        struct archive_out *out; /* borrowed */
        struct compress *shared, *own;
        int spool_fd;
        uint64_t n_spooled; /* of this entry, compressed */

        const char *path; /* of the entry that is open; borrowed */
        uint64_t mtime_sec, size;
        bool large;
        char small[SMALL_BYTES]; /* its content as long as it is not large */
};

static int on_shared(const void *data, size_t n, void *userdata)
{
        struct archive_tar *t = userdata;

        return archive_out_write(t->out, data, n);
}

/* It will have to go where the rest is: no use in spooling what there is no room for. */
static int on_own(const void *data, size_t n, void *userdata)
{
        struct archive_tar *t = userdata;
        const char *at = data;
        int k;

        k = archive_out_check(t->out, t->n_spooled + n);
        if (k < 0)
                return k;
        t->n_spooled += n;
        while (n > 0) {
                ssize_t n_now = write(t->spool_fd, at, n);

                if (n_now < 0 && errno != EINTR)
                        return err_set(&t->out->e, -errno, "cannot keep an entry in memory: %s",
                                       strerror(errno));
                if (n_now > 0) {
                        at += n_now;
                        n -= (size_t)n_now;
                }
        }
        return 0;
}

int archive_tar_new(struct archive_tar **ret, struct archive_out *out, enum archive_format format,
                    int level)
{
        _cleanup_(archive_tar_freep) struct archive_tar *t = malloc(sizeof(*t));
        int k;

        if (!t)
                return -ENOMEM;
        memset(t, 0, offsetof(struct archive_tar, small));
        t->out = out;
        t->spool_fd = memfd_create("diag-entry", MFD_CLOEXEC);
        if (t->spool_fd < 0)
                return -errno;
        k = compress_new(&t->shared, format, level, on_shared, t);
        if (k >= 0)
                k = compress_new(&t->own, format, level, on_own, t);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(t);
        return 0;
}

struct archive_tar *archive_tar_free(struct archive_tar *t)
{
        if (!t)
                return NULL;
        compress_free(t->shared);
        compress_free(t->own);
        closep(&t->spool_fd);
        free(t);
        return NULL;
}

void archive_tar_begin(struct archive_tar *t, const char *path, uint64_t mtime_sec)
{
        t->path = path;
        t->mtime_sec = mtime_sec;
        t->size = 0;
        t->large = false;
}

int archive_tar_append(struct archive_tar *t, const void *data, size_t n)
{
        uint64_t n_before = t->size;
        int k = 0;

        if (n == 0)
                return 0;
        t->size += n;
        if (t->size <= sizeof(t->small)) {
                memcpy(t->small + n_before, data, n);
                return 0;
        }
        if (!t->large && n_before > 0)
                k = compress_append(t->own, t->small, n_before);
        t->large = true;
        return k < 0 ? k : compress_append(t->own, data, n);
}

static int put_header(struct archive_tar *t)
{
        char header[TAR_HEADERS_MAX];
        size_t n = tar_header_write(header, t->path, t->size, t->mtime_sec);

        return compress_append(t->shared, header, n);
}

/* The memory goes back at once: the next entry may be long in coming. */
static int put_spool(struct archive_tar *t)
{
        uint64_t n = t->n_spooled;
        int k = 0;

        t->n_spooled = 0;
        if (lseek(t->spool_fd, 0, SEEK_SET) < 0)
                return -errno;
        k = archive_out_copy(t->out, t->spool_fd, n);
        if (k >= 0 && (ftruncate(t->spool_fd, 0) < 0 || lseek(t->spool_fd, 0, SEEK_SET) < 0))
                k = -errno;
        return k;
}

int archive_tar_end(struct archive_tar *t)
{
        static const char zeros[TAR_BLOCK];
        struct compress *content = t->large ? t->own : t->shared;
        int k = put_header(t);

        if (k >= 0 && !t->large)
                k = compress_append(content, t->small, t->size);
        if (k >= 0)
                k = compress_append(content, zeros, tar_padding(t->size));
        if (k < 0 || !t->large)
                return k;
        k = compress_end(t->own);
        if (k >= 0)
                k = compress_end(t->shared);
        return k < 0 ? k : put_spool(t);
}

int archive_tar_flush(struct archive_tar *t)
{
        return compress_end(t->shared);
}

int archive_tar_finish(struct archive_tar *t)
{
        static const char end[TAR_END_BYTES];
        int k = compress_append(t->shared, end, sizeof(end));

        return k < 0 ? k : compress_end(t->shared);
}
