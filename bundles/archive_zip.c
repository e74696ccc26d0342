/*
 * libarchive takes names in the character set of the thread's locale, and says "UTF-8" in the zip only when it is
 * that: so its calls are made in a locale of our own, and the process may be in "C", as services are.
 */

#include <errno.h>
#include <locale.h>
#include <stdio.h>

#include <archive.h>
#include <archive_entry.h>

#include "bundles/archive_zip.h"

#define FAST      1
#define LEVEL_MAX 9

struct archive_zip {
        struct archive *writer; /* libarchive's */
        struct archive_entry *entry;
        locale_t utf8;
        archive_zip_sink_fn sink;
        void *userdata;
        int sink_result; /* of its first failure; then nothing is written any more */
};

static int failed(const struct archive_zip *z, struct err *e)
{
        int error = archive_errno(z->writer);

        if (z->sink_result < 0)
                return err_set(e, z->sink_result, "cannot write");
        return err_set(e, error > 0 ? -error : -EIO, "zip: %s",
                       str_or(archive_error_string(z->writer), "libarchive does not say why"));
}

static int done(const struct archive_zip *z, bool ok, struct err *e)
{
        return ok && z->sink_result == 0 ? 0 : failed(z, e);
}

/*
 * libarchive never hears of a failure: an entry that it could not end would leak its compressor. What follows one
 * goes nowhere.
 */
static la_ssize_t on_bytes(_unused_ struct archive *writer, void *userdata, const void *data,
                           size_t n)
{
        struct archive_zip *z = userdata;

        if (z->sink_result == 0)
                z->sink_result = z->sink(data, n, z->userdata);
        return (la_ssize_t)n;
}

static int open_writer(struct archive_zip *z, int level)
{
        char digit[2] = {(char)('0' + (level ? level : FAST)), '\0'};

        /* Unblocked: or what was ended would stay inside until the next entry. */
        return archive_write_set_format_zip(z->writer) != ARCHIVE_OK ||
                               archive_write_set_format_option(z->writer, "zip",
                                                               "compression-level",
                                                               digit) != ARCHIVE_OK ||
                               archive_write_set_format_option(z->writer, "zip", "hdrcharset",
                                                               "UTF-8") != ARCHIVE_OK ||
                               archive_write_set_bytes_per_block(z->writer, 0) != ARCHIVE_OK ||
                               archive_write_open(z->writer, z, NULL, on_bytes, NULL) != ARCHIVE_OK
                       ? -1
                       : 0;
}

int archive_zip_new(struct archive_zip **ret, int level, archive_zip_sink_fn sink, void *userdata,
                    struct err *e)
{
        _cleanup_(archive_zip_freep) struct archive_zip *z = calloc(1, sizeof(*z));
        locale_t before;
        int k;

        if (level < 0 || level > LEVEL_MAX)
                return err_set(e, -EINVAL, "zip: no level %d", level);
        if (!z)
                return err_set(e, -ENOMEM, "out of memory");
        z->sink = sink;
        z->userdata = userdata;
        z->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
        z->writer = archive_write_new();
        z->entry = archive_entry_new();
        if (!z->utf8 || !z->writer || !z->entry)
                return err_set(e, -ENOMEM, "out of memory");
        before = uselocale(z->utf8);
        k = open_writer(z, level);
        (void)uselocale(before);
        if (k < 0)
                return failed(z, e);
        *ret = TAKE_PTR(z);
        return 0;
}

struct archive_zip *archive_zip_free(struct archive_zip *z)
{
        if (!z)
                return NULL;
        if (z->sink_result == 0)
                z->sink_result = -ECANCELED; /* or it would write a directory now */
        if (z->writer)
                (void)archive_write_free(z->writer);
        archive_entry_free(z->entry);
        if (z->utf8)
                freelocale(z->utf8);
        free(z);
        return NULL;
}

int archive_zip_begin(struct archive_zip *z, const char *path, uint64_t mtime_sec, struct err *e)
{
        locale_t before = uselocale(z->utf8);
        int result;

        archive_entry_clear(z->entry);
        archive_entry_copy_pathname(z->entry, path);
        archive_entry_set_filetype(z->entry, AE_IFREG);
        archive_entry_set_perm(z->entry, 0644);
        archive_entry_set_mtime(z->entry, (time_t)mtime_sec, 0);
        result = archive_write_header(z->writer, z->entry);
        (void)uselocale(before);
        return done(z, result == ARCHIVE_OK, e);
}

int archive_zip_append(struct archive_zip *z, const void *data, size_t n, struct err *e)
{
        const char *at = data;

        while (n > 0) {
                la_ssize_t n_now = archive_write_data(z->writer, at, n);

                if (n_now <= 0 || z->sink_result < 0)
                        return failed(z, e);
                at += n_now;
                n -= (size_t)n_now;
        }
        return 0;
}

int archive_zip_end(struct archive_zip *z, struct err *e)
{
        return done(z, archive_write_finish_entry(z->writer) == ARCHIVE_OK, e);
}

int archive_zip_finish(struct archive_zip *z, struct err *e)
{
        return done(z, archive_write_close(z->writer) == ARCHIVE_OK, e);
}
