/*
 * libarchive's streaming reader of zip, and only that. What it says of an entry is a proposal: path, kind and
 * method are looked at here before a byte of it is decoded.
 */

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/mono.h"
#include "bundles/archive_paths.h"
#include "bundles/unzip.h"

#define IN_BYTES (64u * 1024u)

struct unzip {
        int fd;
        const struct unzip_terms *terms;
        const struct unzip_visitor *visitor;
        struct unzip_result *result;
        struct err *e;
        struct archive *reader; /* libarchive's */
        struct archive_paths *paths;
        int source_result; /* of reading, when that failed */
        bool faulty;       /* it goes no further, by its own fault */
        bool by_visitor;   /* … or because the visitor has said so */
        uint64_t n_headers;
        struct unzip_entry entry;
        char path[ARCHIVE_PATH_MAX];
        char in[IN_BYTES];
};

/* --- bytes ------------------------------------------------------------------------------------------- */

static int out_of_time(struct unzip *z)
{
        return err_set(z->e, -ETIMEDOUT, "a zip took too long");
}

static bool is_late(const struct unzip *z)
{
        return z->terms->deadline_mono_usec && now_mono_usec() >= z->terms->deadline_mono_usec;
}

static int wait_for_input(struct unzip *z)
{
        struct pollfd p = {.fd = z->fd, .events = POLLIN};
        int k = 0;

        while (z->terms->deadline_mono_usec && k == 0) {
                uint64_t left = usec_since(z->terms->deadline_mono_usec, now_mono_usec());

                if (left == 0)
                        return out_of_time(z);
                k = poll(&p, 1, (int)(left / USEC_PER_MSEC % INT32_MAX) + 1);
                if (k < 0 && errno != EINTR)
                        return err_set(z->e, -errno, "cannot wait for a zip: %s", strerror(errno));
                k = k < 0 ? 0 : k;
        }
        return 0;
}

static la_ssize_t on_source(struct archive *reader, void *userdata, const void **ret)
{
        struct unzip *z = userdata;
        ssize_t n = 0;
        int k = wait_for_input(z);

        if (k >= 0)
                do
                        n = read(z->fd, z->in, sizeof(z->in));
                while (n < 0 && errno == EINTR);
        if (n < 0)
                k = err_set(z->e, -errno, "cannot read a zip: %s", strerror(errno));
        if (k < 0) {
                z->source_result = k;
                archive_set_error(reader, -k, "cannot read");
                return -1;
        }
        z->result->n_compressed += (uint64_t)n;
        *ret = z->in;
        return n;
}

/* --- what is said about it --------------------------------------------------------------------------- */

/* The first one stays. What comes from the zip is cleaned by err_set(). */
static void note(char *at, size_t n, const char *what, const char *why)
{
        struct err said = {0};

        if (at[0])
                return;
        (void)err_set(&said, -EBADMSG, "%.80s: %s", str_or(what, "an entry"), why);
        (void)snprintf(at, n, "%.*s", (int)n - 1, said.text);
}

static void note_fault(struct unzip *z, const char *what, const char *why)
{
        note(z->result->fault, sizeof(z->result->fault), what, why);
}

/* It goes no further. */
static int stop(struct unzip *z, const char *what, const char *why)
{
        note_fault(z, what, why);
        z->faulty = true;
        return -EBADMSG;
}

static int skip(struct unzip *z, const char *path, const char *why)
{
        z->result->n_skipped++;
        note(z->result->skipped, sizeof(z->result->skipped), path, why);
        return 0;
}

static const char *reader_says(const struct unzip *z)
{
        return str_or(archive_error_string(z->reader), "it is cut short, or no zip");
}

static int check_limits(struct unzip *z)
{
        const struct unzip_result *r = z->result;

        if (z->terms->max_bytes && r->n_bytes > z->terms->max_bytes)
                return stop(z, z->path, "it would be more bytes than it may have");
        if (r->n_bytes > UNZIP_RATIO_BYTES && r->n_bytes / UNZIP_RATIO_MAX > r->n_compressed)
                return stop(z, z->path, "too many bytes made of too few");
        return is_late(z) ? out_of_time(z) : 0;
}

/* --- entries ----------------------------------------------------------------------------------------- */

/* 0: z->path is it; 1: it cannot be had below the prefix; -errno */
static int take_path(struct unzip *z, const char *path)
{
        const char *prefix = z->terms->prefix;
        int n;

        while (path[0] == '/' || (path[0] == '.' && path[1] == '/'))
                path += path[0] == '/' ? 1 : 2;
        if (!archive_path_is_clean(path, strnlen(path, ARCHIVE_PATH_MAX)))
                return 1;
        n = snprintf(z->path, sizeof(z->path), "%s%s%s", prefix, *prefix ? "/" : "", path);
        return n < 0 || (size_t)n >= sizeof(z->path) ? 1 : 0;
}

static bool is_plain_method(const struct unzip *z)
{
        const char *name = str_or(archive_format_name(z->reader), "");

        return strstr(name, "(deflation)") || strstr(name, "(uncompressed)");
}

/* 1: take it; 0: skipped; -errno. @path: as the zip has it, or NULL */
static int choose(struct unzip *z, struct archive_entry *entry, const char *path)
{
        int k;

        if (archive_entry_filetype(entry) == AE_IFDIR)
                return 0; /* what is in it brings it along */
        if (archive_entry_filetype(entry) != AE_IFREG)
                return skip(z, path, "not a regular file");
        if (archive_entry_is_encrypted(entry))
                return skip(z, path, "encrypted");
        if (!is_plain_method(z))
                return skip(z, path, "neither stored nor deflated");
        if (!path || take_path(z, path) != 0)
                return skip(z, path, "a path that is not clean");
        k = archive_paths_add(z->paths, z->path);
        if (k == -EEXIST)
                return skip(z, path, "a path that was there before");
        return k < 0 ? err_set(z->e, k, "cannot remember a path: %s", strerror(-k)) : 1;
}

/* Until its end, or its damage: then entry.whole is false. */
static int read_content(struct unzip *z)
{
        const void *data;
        la_int64_t offset;
        size_t n;
        int result, k = 0;

        while (k >= 0 &&
               (result = archive_read_data_block(z->reader, &data, &n, &offset)) == ARCHIVE_OK) {
                z->result->n_bytes += n;
                z->entry.size += n;
                k = check_limits(z);
                if (k < 0 || !z->visitor->on_data || n == 0)
                        continue;
                k = z->visitor->on_data(data, n, z->visitor->userdata);
                z->by_visitor = k < 0;
        }
        if (k < 0)
                return k;
        z->entry.whole = result == ARCHIVE_EOF;
        if (!z->entry.whole)
                note_fault(z, z->path, reader_says(z));
        if (z->source_result < 0)
                return z->source_result;
        return result == ARCHIVE_FATAL ? stop(z, z->path, reader_says(z)) : 0;
}

static int take(struct unzip *z, struct archive_entry *entry)
{
        time_t mtime = archive_entry_mtime_is_set(entry) ? archive_entry_mtime(entry) : 0;
        int k, k_end = 0;

        z->entry = (struct unzip_entry){
                .path = z->path, .mtime_usec = mtime > 0 ? (uint64_t)mtime * USEC_PER_SEC : 0};
        k = z->visitor->on_begin ? z->visitor->on_begin(&z->entry, z->visitor->userdata) : 0;
        if (k < 0)
                return k;
        k = read_content(z);
        if (z->by_visitor)
                return k;
        if (z->visitor->on_end)
                k_end = z->visitor->on_end(&z->entry, z->visitor->userdata);
        z->result->n_entries += z->entry.whole;
        z->result->n_damaged += !z->entry.whole;
        return k < 0 ? k : k_end;
}

/* 1: there may be more; 0: the end; -errno */
static int next(struct unzip *z)
{
        struct archive_entry *entry;
        int result = archive_read_next_header(z->reader, &entry), k;
        uint64_t max = z->terms->max_entries;

        if (z->source_result < 0)
                return z->source_result;
        if (result == ARCHIVE_EOF)
                return 0;
        if (result < ARCHIVE_WARN)
                return stop(z, "zip", reader_says(z));
        if (++z->n_headers > (max ? max : UNZIP_HEADERS_MAX))
                return stop(z, "zip", "more entries than it may have");
        if (is_late(z))
                return out_of_time(z);
        k = choose(z, entry, archive_entry_pathname(entry));
        if (k > 0)
                k = take(z, entry);
        z->path[0] = '\0';
        return k < 0 ? k : 1;
}

static int walk(struct unzip *z)
{
        int k = archive_paths_new(&z->paths);

        z->reader = archive_read_new();
        if (k < 0 || !z->reader ||
            archive_read_support_format_zip_streamable(z->reader) != ARCHIVE_OK)
                return err_set(z->e, -ENOMEM, "out of memory");
        if (archive_read_open(z->reader, z, NULL, on_source, NULL) != ARCHIVE_OK)
                return z->source_result < 0 ? z->source_result : stop(z, "zip", reader_says(z));
        while ((k = next(z)) > 0)
                ;
        return k;
}

int unzip_walk(int fd, const struct unzip_terms *terms, const struct unzip_visitor *visitor,
               struct unzip_result *ret, struct err *e)
{
        static const struct unzip_visitor nobody;
        struct err ignored = {0};
        struct unzip *z = malloc(sizeof(*z));
        locale_t utf8, before;
        bool faulty;
        int k;

        *ret = (struct unzip_result){0};
        e = e ? e : &ignored;
        e->code = 0;
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
        if (!z || !utf8) {
                free(z);
                if (utf8)
                        freelocale(utf8);
                return err_set(e, -ENOMEM, "out of memory");
        }
        memset(z, 0, offsetof(struct unzip, in));
        z->fd = fd;
        z->terms = terms;
        z->visitor = visitor ? visitor : &nobody;
        z->result = ret;
        z->e = e;
        before = uselocale(utf8); /* names are UTF-8, whatever the process's locale is */
        k = walk(z);
        (void)archive_read_free(z->reader);
        (void)uselocale(before);
        freelocale(utf8);
        archive_paths_free(z->paths);
        faulty = z->faulty;
        free(z);
        ret->whole = k == 0 && !ret->fault[0];
        if (faulty && k == -EBADMSG)
                return 0;
        return k < 0 && e->code != k ? err_set(e, k, "cannot read a zip: %s", strerror(-k)) : k;
}
