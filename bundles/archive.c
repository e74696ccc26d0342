/*
 * What all formats have in common: entries in order, their sizes and digests, limits, and the first failure, after
 * which nothing more is written.
 */

#include <assert.h>
#include <errno.h>

#include "base/mono.h"
#include "bundles/archive.h"
#include "bundles/archive_out.h"
#include "bundles/archive_path.h"
#include "bundles/archive_paths.h"
#include "bundles/archive_tar.h"
#include "bundles/archive_zip.h"

struct archive {
        struct archive_out out;
        bool fragment;
        struct archive_tar *tar; /* one of the two */
        struct archive_zip *zip;
        struct archive_paths *paths;
        struct digest *digest;
        struct err error; /* the first one */
        bool in_entry, finished;
        uint64_t size; /* of the entry so far */
        char path[ARCHIVE_PATH_MAX];
};

static int on_zip(const void *data, size_t n, void *userdata)
{
        struct archive *a = userdata;

        return archive_out_write(&a->out, data, n);
}

static int open_format(struct archive *a, const struct archive_options *options, struct err *e)
{
        int k;

        if ((unsigned)options->format >= ARCHIVE_N_FORMATS ||
            (options->fragment && options->format == ARCHIVE_ZIP))
                return err_set(e, -EINVAL, "no such format of an archive");
        if (options->format == ARCHIVE_ZIP)
                return archive_zip_new(&a->zip, options->level, on_zip, a, e);
        k = archive_tar_new(&a->tar, &a->out, options->format, options->level);
        if (k == -EINVAL)
                return err_set(e, k, "%s: no level %d", archive_format_to_string(options->format),
                               options->level);
        return k < 0 ? err_set(e, k, "cannot begin an archive: %s", strerror(-k)) : 0;
}

int archive_new(struct archive **ret, const struct archive_options *options, struct err *e)
{
        _cleanup_(archive_freep) struct archive *a = calloc(1, sizeof(*a));
        int k;

        if (!a)
                return err_set(e, -ENOMEM, "out of memory");
        a->out = (struct archive_out){.fd = options->fd,
                                      .free_floor = options->free_floor,
                                      .max_bytes = options->max_bytes};
        a->fragment = options->fragment;
        k = open_format(a, options, e);
        if (k < 0)
                return k;
        if (archive_paths_new(&a->paths) < 0 || digest_new(&a->digest) < 0)
                return err_set(e, -ENOMEM, "out of memory");
        *ret = TAKE_PTR(a);
        return 0;
}

struct archive *archive_free(struct archive *a)
{
        if (!a)
                return NULL;
        archive_tar_free(a->tar);
        archive_zip_free(a->zip);
        archive_paths_free(a->paths);
        digest_free(a->digest);
        free(a);
        return NULL;
}

/* The last word on a step: its failure is remembered, with what the descriptor said if it was that. */
static int done(struct archive *a, int k, const struct err *e)
{
        if (k >= 0)
                return 0;
        if (a->out.e.code == k)
                a->error = a->out.e;
        else if (e && e->code == k)
                a->error = *e;
        else
                (void)err_set(&a->error, k, "%s", strerror(-k));
        if (a->path[0])
                (void)err_prefix(&a->error, "%s: ", a->path);
        return k;
}

int archive_begin(struct archive *a, const char *path, uint64_t mtime_usec)
{
        uint64_t mtime_sec = mtime_usec / USEC_PER_SEC;
        struct err e = {0};
        int k;

        if (a->error.code)
                return a->error.code;
        assert(!a->in_entry && !a->finished);
        if (!archive_path_is_clean(path, strnlen(path, ARCHIVE_PATH_MAX)))
                return -EINVAL;
        k = archive_paths_add(a->paths, path);
        if (k == -EEXIST)
                return k;
        memcpy(a->path, path, strlen(path) + 1);
        if (k >= 0 && a->zip)
                k = archive_zip_begin(a->zip, a->path, mtime_sec, &e);
        else if (k >= 0)
                archive_tar_begin(a->tar, a->path, mtime_sec);
        a->in_entry = k >= 0;
        a->size = 0;
        return done(a, k, &e);
}

int archive_append(struct archive *a, const void *data, size_t n)
{
        struct err e = {0};
        int k;

        if (a->error.code)
                return a->error.code;
        assert(a->in_entry);
        k = digest_add(a->digest, data, n);
        if (k >= 0)
                k = a->zip ? archive_zip_append(a->zip, data, n, &e)
                           : archive_tar_append(a->tar, data, n);
        a->size += n;
        return done(a, k, &e);
}

int archive_end(struct archive *a, struct archive_entry *ret)
{
        uint8_t digest[DIGEST_BYTES];
        struct err e = {0};
        int k;

        if (a->error.code)
                return a->error.code;
        assert(a->in_entry);
        a->in_entry = false;
        k = digest_end(a->digest, digest);
        if (k >= 0)
                k = a->zip ? archive_zip_end(a->zip, &e) : archive_tar_end(a->tar);
        k = done(a, k, &e);
        a->path[0] = '\0';
        if (k >= 0 && ret) {
                ret->size = a->size;
                digest_to_hex(ret->sha256, digest);
        }
        return k;
}

int archive_add(struct archive *a, const char *path, uint64_t mtime_usec, const void *data,
                size_t n)
{
        int k = archive_begin(a, path, mtime_usec);

        if (k >= 0)
                k = archive_append(a, data, n);
        return k < 0 ? k : archive_end(a, NULL);
}

int archive_flush(struct archive *a)
{
        if (a->error.code)
                return a->error.code;
        assert(!a->in_entry);
        return done(a, a->tar ? archive_tar_flush(a->tar) : 0, NULL);
}

int archive_splice(struct archive *a, int fd, uint64_t n_bytes)
{
        int k = archive_flush(a);

        assert(a->tar && !a->finished);
        return k < 0 ? k : done(a, archive_out_splice(&a->out, fd, n_bytes), NULL);
}

int archive_finish(struct archive *a)
{
        struct err e = {0};
        int k = archive_flush(a);

        if (k < 0)
                return k;
        assert(!a->finished);
        a->finished = true;
        if (a->zip)
                k = archive_zip_finish(a->zip, &e);
        else if (!a->fragment)
                k = archive_tar_finish(a->tar);
        return done(a, k, &e);
}

uint64_t archive_written(const struct archive *a)
{
        return a->out.n_written;
}

const struct err *archive_error(const struct archive *a)
{
        return &a->error;
}
