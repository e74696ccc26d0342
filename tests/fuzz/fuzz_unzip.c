/* Any bytes as a zip: paths are clean and below the prefix, what is begun is ended, and limits hold. */

#include <sys/mman.h>

#include "bundles/unzip.h"
#include "tests/fuzz/fuzz.h"

#define PREFIX      "10.0.0.9_agent"
#define BYTES_MAX   (1u << 20)
#define BLOCK_MAX   (256u * 1024u) /* that libarchive may give at once */
#define ENTRIES_MAX 50u

struct seen {
        uint64_t n_open, n_whole, n_damaged, n_bytes, size;
};

static int on_begin(const struct unzip_entry *entry, void *userdata)
{
        struct seen *s = userdata;

        MUST(s->n_open++ == 0);
        MUST(archive_path_is_clean(entry->path, strlen(entry->path)));
        MUST(strncmp(entry->path, PREFIX "/", strlen(PREFIX "/")) == 0);
        s->size = 0;
        return 0;
}

static int on_data(_unused_ const void *data, size_t n, void *userdata)
{
        struct seen *s = userdata;

        s->size += n;
        s->n_bytes += n;
        return 0;
}

static int on_end(const struct unzip_entry *entry, void *userdata)
{
        struct seen *s = userdata;

        MUST(s->n_open-- == 1);
        MUST(entry->whole ? entry->size == s->size : entry->size >= s->size);
        s->n_whole += entry->whole;
        s->n_damaged += !entry->whole;
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const struct unzip_terms terms = {
                .prefix = PREFIX, .max_bytes = BYTES_MAX, .max_entries = ENTRIES_MAX};
        struct seen s = {0};
        const struct unzip_visitor visitor = {on_begin, on_data, on_end, &s};
        _cleanup_(closep) int fd = memfd_create("fuzz", MFD_CLOEXEC);
        struct unzip_result r;
        struct err e = {0};

        MUST(fd >= 0);
        MUST(size == 0 || write(fd, data, size) == (ssize_t)size);
        MUST(lseek(fd, 0, SEEK_SET) == 0);
        MUST(unzip_walk(fd, &terms, &visitor, &r, &e) == 0);
        MUST(s.n_open == 0);
        MUST(r.n_entries == s.n_whole && r.n_damaged == s.n_damaged);
        MUST(r.whole == !r.fault[0] && (!r.whole || r.n_damaged == 0));
        MUST(r.n_entries + r.n_damaged + r.n_skipped <= ENTRIES_MAX);
        MUST(s.n_bytes <= BYTES_MAX && r.n_bytes <= BYTES_MAX + BLOCK_MAX);
        MUST(r.n_compressed <= size);
        return 0;
}
