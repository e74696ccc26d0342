/*
 * Any bytes as a fragment. The first one says as what: bit 0: gzip, not zstd; bit 1: what follows is tar that is not
 * compressed yet, so that the fuzzer can reach the grammar. What is good of it can be copied, and is whole then, with the same
 * entries. (GNU tar and Python are asked about what is taken in tests/unit/test_fragment.c.)
 */

#include <sys/mman.h>

#include "bundles/archive_path.h"
#include "bundles/compress.h"
#include "bundles/fragment.h"
#include "tests/fuzz/fuzz.h"

#define PREFIX      "10.0.0.9_agent"
#define BYTES_MAX   (1u << 20)
#define ENTRIES_MAX 50u

struct seen {
        struct buf list;
        uint64_t n_begun, n_ended, n_left;
};

static int on_begin(const struct fragment_entry *entry, void *userdata)
{
        struct seen *s = userdata;

        MUST(s->n_begun == s->n_ended);
        MUST(archive_path_is_clean(entry->path, strlen(entry->path)));
        MUST(strncmp(entry->path, PREFIX "/", strlen(PREFIX "/")) == 0);
        MUST(entry->size <= BYTES_MAX);
        s->n_begun++;
        s->n_left = entry->size;
        return 0;
}

static int on_data(_unused_ const void *data, size_t n, void *userdata)
{
        struct seen *s = userdata;

        MUST(n <= s->n_left);
        s->n_left -= n;
        return 0;
}

static int on_end(const struct fragment_entry *entry, void *userdata)
{
        struct seen *s = userdata;

        MUST(s->n_left == 0);
        s->n_ended++;
        buf_printf(&s->list, "%llu %llu %s %s\n", (unsigned long long)entry->size,
                   (unsigned long long)entry->mtime_usec, entry->sha256, entry->path);
        return 0;
}

static int file_of(const void *data, size_t n)
{
        int fd = memfd_create("fuzz", MFD_CLOEXEC);

        MUST(fd >= 0);
        MUST(n == 0 || write(fd, data, n) == (ssize_t)n);
        MUST(lseek(fd, 0, SEEK_SET) == 0);
        return fd;
}

static int to_file(const void *data, size_t n, void *userdata)
{
        MUST(write(*(int *)userdata, data, n) == (ssize_t)n);
        return 0;
}

static int compressed_file_of(const void *data, size_t n, enum archive_format format)
{
        _cleanup_(compress_freep) struct compress *c = NULL;
        int fd = file_of(NULL, 0);

        MUST(compress_new(&c, format, 0, to_file, &fd) == 0);
        MUST(compress_append(c, data, n) == 0 && compress_end(c) == 0);
        MUST(lseek(fd, 0, SEEK_SET) == 0);
        return fd;
}

static void walk(int fd, const struct fragment_terms *terms, struct seen *s,
                 struct fragment_result *r)
{
        const struct fragment_visitor visitor = {on_begin, on_data, on_end, s};
        struct err e = {0};

        MUST(lseek(fd, 0, SEEK_SET) == 0);
        MUST(fragment_walk(fd, terms, &visitor, r, &e) == 0);
        MUST(r->whole == !r->fault[0]);
        MUST(r->n_entries == s->n_ended && r->n_entries <= ENTRIES_MAX);
        MUST(!r->whole || s->n_begun == s->n_ended);
        MUST(r->n_bytes <= BYTES_MAX);
}

/* By way of another format. */
static void copy(int fd, struct fragment_terms terms, const struct seen *s, uint64_t n_entries)
{
        _cleanup_(archive_freep) struct archive *a = NULL;
        _cleanup_(closep) int copy_fd = file_of(NULL, 0);
        struct archive_options options = {
                .format = ARCHIVE_TAR_GZIP, .fragment = true, .fd = copy_fd};
        struct fragment_result r;
        struct seen again = {0};

        MUST(archive_new(&a, &options, NULL) == 0);
        MUST(lseek(fd, 0, SEEK_SET) == 0);
        MUST(fragment_copy(fd, &terms, n_entries, a, NULL) == 0);
        MUST(archive_finish(a) == 0);
        terms.format = ARCHIVE_TAR_GZIP;
        terms.max_bytes = 0; /* it may be a few headers longer */
        walk(copy_fd, &terms, &again, &r);
        MUST(r.whole);
        MUST(again.list.n == s->list.n && streq(buf_cstr(&again.list), buf_cstr(&s->list)));
        buf_done(&again.list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct fragment_terms terms = {
                .prefix = PREFIX, .max_bytes = BYTES_MAX, .max_entries = ENTRIES_MAX};
        _cleanup_(closep) int fd = -1;
        struct fragment_result r;
        struct seen s = {0};

        if (size == 0)
                return 0;
        terms.format = data[0] & 1 ? ARCHIVE_TAR_GZIP : ARCHIVE_TAR_ZSTD;
        fd = data[0] & 2 ? compressed_file_of(data + 1, size - 1, terms.format)
                         : file_of(data + 1, size - 1);
        walk(fd, &terms, &s, &r);
        copy(fd, terms, &s, r.n_entries);
        buf_done(&s.list);
        return 0;
}
