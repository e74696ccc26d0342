/*
 * The walk: bytes come out of the decompressor, and are either what the grammar wants next, or a fault. All limits
 * are looked at where bytes come in (walk_read()), so that no part of the grammar can forget them.
 */

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mono.h"
#include "bundles/archive_paths.h"
#include "bundles/decompress.h"
#include "bundles/fragment.h"
#include "bundles/tar_header.h"

#define DATA_BYTES (64u * 1024u)

struct walk {
        int fd;
        const struct fragment_terms *terms;
        const struct fragment_visitor *visitor;
        struct fragment_result *result;
        struct err *e;
        uint64_t max_entries_wanted; /* then it stops, and looks no further */
        struct decompress *decompress;
        struct archive_paths *paths;
        struct digest *digest;
        bool faulty;
        struct tar_header header;
        struct fragment_entry entry;
        char data[DATA_BYTES];
};

/* Everything that is the fragment's fault ends here. */
static int _printf_(2, 3) fault(struct walk *w, const char *fmt, ...)
{
        struct fragment_result *r = w->result;
        int n = snprintf(r->fault, sizeof(r->fault),
                         "entry %llu: ", (unsigned long long)r->n_entries + 1);
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(r->fault + n, sizeof(r->fault) - (size_t)n, fmt, ap);
        va_end(ap);
        w->faulty = true;
        return -EBADMSG;
}

/* --- bytes ------------------------------------------------------------------------------------------- */

static int out_of_time(struct walk *w)
{
        return err_set(w->e, -ETIMEDOUT, "a fragment took too long");
}

/* A file is always ready; a pipe may be silent for ever. */
static int wait_for_input(struct walk *w)
{
        struct pollfd p = {.fd = w->fd, .events = POLLIN};
        uint64_t deadline = w->terms->deadline_mono_usec, now;
        int k = 0;

        while (deadline && k == 0) {
                now = now_mono_usec();
                if (now >= deadline)
                        return out_of_time(w);
                k = poll(&p, 1, (int)((deadline - now) / USEC_PER_MSEC % INT32_MAX) + 1);
                if (k < 0 && errno != EINTR)
                        return err_set(w->e, -errno, "cannot wait for a fragment: %s",
                                       strerror(errno));
                k = k < 0 ? 0 : k;
        }
        return 0;
}

static ssize_t on_source(void *data, size_t n, void *userdata)
{
        struct walk *w = userdata;
        ssize_t n_now;
        int k = wait_for_input(w);

        if (k < 0)
                return k;
        do
                n_now = read(w->fd, data, n);
        while (n_now < 0 && errno == EINTR);
        return n_now < 0 ? err_set(w->e, -errno, "cannot read a fragment: %s", strerror(errno))
                         : n_now;
}

static int check_limits(struct walk *w)
{
        uint64_t n_decoded = decompress_n_decoded(w->decompress);
        uint64_t n_read = decompress_n_read(w->decompress);

        if (w->terms->max_bytes && n_decoded > w->terms->max_bytes)
                return fault(w, "more than %llu bytes", (unsigned long long)w->terms->max_bytes);
        if (n_decoded > FRAGMENT_RATIO_BYTES && n_decoded / FRAGMENT_RATIO_MAX > n_read)
                return fault(w, "more than %u bytes made of one", FRAGMENT_RATIO_MAX);
        return w->terms->deadline_mono_usec && now_mono_usec() >= w->terms->deadline_mono_usec
                       ? out_of_time(w)
                       : 0;
}

/* Up to @n bytes. 0: the end, where a frame ends. */
static ssize_t walk_read(struct walk *w, void *data, size_t n)
{
        ssize_t n_now = decompress_read(w->decompress, data, n);
        int k;

        w->result->n_compressed = decompress_n_read(w->decompress);
        if (n_now == -EBADMSG)
                return fault(w, "%s", decompress_fault(w->decompress));
        if (n_now == -ENOMEM)
                return err_set(w->e, -ENOMEM, "out of memory");
        k = n_now < 0 ? (int)n_now : check_limits(w);
        return k < 0 ? k : n_now;
}

/* 1: all of @n; 0: the end was where it would begin; -EBADMSG: in between; or another -errno */
static int walk_read_all(struct walk *w, char *data, size_t n)
{
        size_t n_got = 0;

        while (n_got < n) {
                ssize_t n_now = walk_read(w, data + n_got, n - n_got);

                if (n_now < 0)
                        return (int)n_now;
                if (n_now == 0)
                        return n_got == 0 ? 0 : fault(w, "cut short");
                n_got += (size_t)n_now;
        }
        return 1;
}

/* What the grammar says must follow. */
static int walk_need(struct walk *w, char *data, size_t n)
{
        int k = walk_read_all(w, data, n);

        return k == 0 ? fault(w, "cut short") : k < 0 ? k : 0;
}

static int walk_padding(struct walk *w, uint64_t size)
{
        char padding[TAR_BLOCK];
        size_t n = tar_padding(size);
        int k = n > 0 ? walk_need(w, padding, n) : 0;

        for (size_t i = 0; k >= 0 && i < n; i++)
                if (padding[i] != '\0')
                        k = fault(w, "padding that is not zero");
        return k;
}

/* --- the grammar ------------------------------------------------------------------------------------- */

static int read_header(struct walk *w, const char block[static TAR_BLOCK])
{
        const char *why;

        return tar_header_read(&w->header, block, &why) < 0 ? fault(w, "%s", why) : 0;
}

/* The records that w->header has announced, and the header that they are about. */
static int read_extended(struct walk *w)
{
        char data[TAR_EXTENDED_MAX], block[TAR_BLOCK];
        struct tar_header records;
        uint64_t size = w->header.size;
        const char *why;
        int k = walk_need(w, data, size);

        if (k >= 0)
                k = walk_padding(w, size);
        if (k >= 0 && tar_records_read(&records, data, size, &why) < 0)
                k = fault(w, "%s", why);
        if (k >= 0)
                k = walk_need(w, block, sizeof(block));
        if (k >= 0)
                k = read_header(w, block);
        if (k >= 0 && w->header.extended)
                k = fault(w, "an extended header behind another");
        if (k >= 0 && tar_header_apply(&w->header, &records, &why) < 0)
                k = fault(w, "%s", why);
        return k;
}

static int check_path(struct walk *w)
{
        const char *path = w->header.path;
        size_t n_prefix = strlen(w->terms->prefix);
        int k;

        if (!archive_path_is_clean(path, strlen(path)))
                return fault(w, "a path that is not clean");
        if (strncmp(path, w->terms->prefix, n_prefix) != 0 || path[n_prefix] != '/')
                return fault(w, "a path that is not below its directory");
        k = archive_paths_add(w->paths, path);
        if (k == -EEXIST)
                return fault(w, "a path that was there before");
        return k < 0 ? err_set(w->e, k, "cannot remember a path: %s", strerror(-k)) : 0;
}

static int check_size(struct walk *w)
{
        uint64_t n_decoded = decompress_n_decoded(w->decompress);

        if (w->terms->max_bytes &&
            (n_decoded > w->terms->max_bytes || w->header.size > w->terms->max_bytes - n_decoded))
                return fault(w, "more than %llu bytes", (unsigned long long)w->terms->max_bytes);
        return 0;
}

static int begin_entry(struct walk *w)
{
        int k = w->terms->max_entries && w->result->n_entries >= w->terms->max_entries
                        ? fault(w, "more than %llu entries",
                                (unsigned long long)w->terms->max_entries)
                        : 0;

        if (k >= 0)
                k = check_path(w);
        if (k >= 0)
                k = check_size(w);
        if (k < 0)
                return k;
        w->entry = (struct fragment_entry){.path = w->header.path,
                                           .size = w->header.size,
                                           .mtime_usec = w->header.mtime_sec * USEC_PER_SEC};
        return w->visitor->on_begin ? w->visitor->on_begin(&w->entry, w->visitor->userdata) : 0;
}

static int read_data(struct walk *w)
{
        uint64_t n_left = w->entry.size;

        while (n_left > 0) {
                ssize_t n =
                        walk_read(w, w->data, n_left < sizeof(w->data) ? n_left : sizeof(w->data));
                int k = 0;

                if (n == 0)
                        return fault(w, "cut short");
                if (n < 0)
                        return (int)n;
                k = digest_add(w->digest, w->data, (size_t)n);
                if (k >= 0 && w->visitor->on_data)
                        k = w->visitor->on_data(w->data, (size_t)n, w->visitor->userdata);
                if (k < 0)
                        return k;
                n_left -= (uint64_t)n;
        }
        return walk_padding(w, w->entry.size);
}

static int end_entry(struct walk *w)
{
        uint8_t digest[DIGEST_BYTES];
        int k = digest_end(w->digest, digest);

        if (k < 0)
                return k;
        digest_to_hex(w->entry.sha256, digest);
        k = w->visitor->on_end ? w->visitor->on_end(&w->entry, w->visitor->userdata) : 0;
        if (k < 0)
                return k;
        w->result->n_entries++;
        w->result->n_bytes = decompress_n_decoded(w->decompress);
        return 0;
}

/* 1: an entry; 0: the end; -errno */
static int walk_entry(struct walk *w)
{
        char block[TAR_BLOCK];
        int k = walk_read_all(w, block, sizeof(block));

        if (k <= 0)
                return k;
        k = read_header(w, block);
        if (k >= 0 && w->header.extended)
                k = read_extended(w);
        if (k >= 0)
                k = begin_entry(w);
        if (k >= 0)
                k = read_data(w);
        if (k >= 0)
                k = end_entry(w);
        return k < 0 ? k : 1;
}

/* --- from outside ------------------------------------------------------------------------------------ */

static void walk_done(struct walk *w)
{
        decompress_free(w->decompress);
        archive_paths_free(w->paths);
        digest_free(w->digest);
}

/* 0: as many entries as were wanted, or the end, or a fault. */
static int walk_run(struct walk *w)
{
        int k = decompress_new(&w->decompress, w->terms->format, on_source, w);

        if (k >= 0)
                k = archive_paths_new(&w->paths);
        if (k >= 0)
                k = digest_new(&w->digest);
        if (k < 0)
                return k;
        k = 1;
        while (k > 0 && w->result->n_entries < w->max_entries_wanted)
                k = walk_entry(w);
        w->result->whole = k == 0;
        return w->faulty || k > 0 ? 0 : k;
}

static int walk(int fd, const struct fragment_terms *terms, uint64_t n_entries,
                const struct fragment_visitor *visitor, struct fragment_result *ret, struct err *e)
{
        static const struct fragment_visitor nobody;
        struct err ignored = {0};
        struct walk *w = malloc(sizeof(*w));
        int k;

        *ret = (struct fragment_result){0};
        e = e ? e : &ignored;
        e->code = 0;
        if (!w)
                return err_set(e, -ENOMEM, "out of memory");
        memset(w, 0, offsetof(struct walk, data));
        w->fd = fd;
        w->terms = terms;
        w->visitor = visitor ? visitor : &nobody;
        w->result = ret;
        w->e = e;
        w->max_entries_wanted = n_entries;
        k = walk_run(w);
        if (k < 0 && e->code != k)
                (void)err_set(e, k, "cannot walk a fragment: %s", strerror(-k));
        walk_done(w);
        free(w);
        return k;
}

int fragment_walk(int fd, const struct fragment_terms *terms,
                  const struct fragment_visitor *visitor, struct fragment_result *ret,
                  struct err *e)
{
        return walk(fd, terms, UINT64_MAX, visitor, ret, e);
}

struct copy {
        struct archive *into;
        bool in_entry;
};

static int on_copy_begin(const struct fragment_entry *entry, void *userdata)
{
        struct copy *c = userdata;
        int k = archive_begin(c->into, entry->path, entry->mtime_usec);

        c->in_entry = k >= 0;
        return k;
}

static int on_copy_data(const void *data, size_t n, void *userdata)
{
        struct copy *c = userdata;

        return archive_append(c->into, data, n);
}

static int on_copy_end(_unused_ const struct fragment_entry *entry, void *userdata)
{
        struct copy *c = userdata;

        c->in_entry = false;
        return archive_end(c->into, NULL);
}

int fragment_copy(int fd, const struct fragment_terms *terms, uint64_t n_entries,
                  struct archive *into, struct err *e)
{
        struct copy c = {.into = into};
        const struct fragment_visitor visitor = {.on_begin = on_copy_begin,
                                                 .on_data = on_copy_data,
                                                 .on_end = on_copy_end,
                                                 .userdata = &c};
        struct fragment_result result;
        int k = walk(fd, terms, n_entries, &visitor, &result, e);

        if (c.in_entry) /* it ends here, so that others can follow */
                (void)archive_end(into, NULL);
        if (k < 0 && archive_error(into)->code == k)
                return err_set(e, k, "%s", archive_error(into)->text);
        if (k >= 0 && result.n_entries < n_entries)
                return err_set(e, -EBADMSG, "it has only %llu good entries, and had %llu: %s",
                               (unsigned long long)result.n_entries, (unsigned long long)n_entries,
                               str_or(result.fault, "it ends there"));
        return k;
}
