#pragma once

/* Fragments that are made byte by byte, around headers that are right but for what a case changes; and their walk. */

#include "bundles/compress.h"
#include "bundles/fragment.h"
#include "bundles/tar_header.h"
#include "tests/unit/archives.h"

#define PREFIX      "10.0.0.9_agent"
#define MTIME_USEC  UINT64_C(1700000000000000)
#define NAME_AT     0u /* of ustar's fields */
#define MODE_AT     100u
#define UID_AT      108u
#define GID_AT      116u
#define SIZE_AT     124u
#define MTIME_AT    136u
#define CHECKSUM_AT 148u
#define TYPE_AT     156u
#define LINK_AT     157u
#define MAGIC_AT    257u
#define USER_AT     265u
#define MAJOR_AT    329u
#define MINOR_AT    337u
#define PREFIX_AT   345u
#define REST_AT     500u

/* --- making fragments -------------------------------------------------------------------------------- */

static inline void fix_checksum(char *block)
{
        unsigned sum = 0;

        memset(block + CHECKSUM_AT, ' ', 8);
        for (size_t i = 0; i < TAR_BLOCK; i++)
                sum += (unsigned char)block[i];
        (void)snprintf(block + CHECKSUM_AT, 7, "%06o", sum);
}

/* A header as it should be; a path that ustar has room for. */
static inline void make_header(char block[static TAR_BLOCK], const char *path, uint64_t size)
{
        char header[TAR_HEADERS_MAX];

        ck_assert_uint_eq(tar_header_write(header, path, size, 1700000000), TAR_BLOCK);
        memcpy(block, header, TAR_BLOCK);
}

static inline void put_data(struct buf *tar, const void *data, size_t n)
{
        static const char zeros[TAR_BLOCK];

        buf_append(tar, data, n);
        buf_append(tar, zeros, tar_padding(n));
}

static inline void put_file(struct buf *tar, const char *path, const char *content)
{
        char block[TAR_BLOCK];

        make_header(block, path, strlen(content));
        buf_append(tar, block, sizeof(block));
        put_data(tar, content, strlen(content));
}

static inline void put_records(struct buf *tar, const char *records, size_t n)
{
        char block[TAR_BLOCK];

        make_header(block, TAR_EXTENDED_NAME, n);
        block[TYPE_AT] = 'x';
        fix_checksum(block);
        buf_append(tar, block, sizeof(block));
        put_data(tar, records, n);
}

static inline int to_buf(const void *data, size_t n, void *userdata)
{
        buf_append(userdata, data, n);
        return 0;
}

/* One frame, behind what is in @out. */
static inline void put_frame(struct buf *out, enum archive_format format, const void *data,
                             size_t n)
{
        _cleanup_(compress_freep) struct compress *c = NULL;

        ck_assert_int_eq(compress_new(&c, format, 0, to_buf, out), 0);
        ck_assert_int_eq(compress_append(c, data, n), 0);
        ck_assert_int_eq(compress_end(c), 0);
}

/* --- walking ----------------------------------------------------------------------------------------- */

struct seen {
        struct buf list, content;
        size_t n_begun, n_ended;
        uint64_t n_left;
        int fail_begin, fail_data, fail_end;
};

static inline int on_begin(const struct fragment_entry *entry, void *userdata)
{
        struct seen *s = userdata;

        ck_assert_uint_eq(s->n_begun, s->n_ended);
        s->n_begun++;
        s->n_left = entry->size;
        return s->fail_begin;
}

static inline int on_data(const void *data, size_t n, void *userdata)
{
        struct seen *s = userdata;

        ck_assert_uint_le(n, s->n_left);
        s->n_left -= n;
        buf_append(&s->content, data, n);
        return s->fail_data;
}

static inline int on_end(const struct fragment_entry *entry, void *userdata)
{
        struct seen *s = userdata;

        ck_assert_uint_eq(s->n_left, 0);
        ck_assert_uint_eq(strlen(entry->sha256), DIGEST_HEX - 1);
        s->n_ended++;
        buf_printf(&s->list, "%llu %s\n", (unsigned long long)entry->size, entry->path);
        return s->fail_end;
}

static inline void seen_done(struct seen *s)
{
        buf_done(&s->list);
        buf_done(&s->content);
}

static inline int walk_bytes(struct fragment_result *ret, struct seen *s, const void *data,
                             size_t n, enum archive_format format)
{
        struct fragment_terms terms = {.format = format, .prefix = PREFIX};
        struct fragment_visitor visitor = {on_begin, on_data, on_end, s};
        _cleanup_(closep) int fd = memory_file_of(data, n);
        struct err e = {0};
        int k = fragment_walk(fd, &terms, &visitor, ret, &e);

        ck_assert_int_eq(e.code, k);
        return k;
}

/* Good up to its second entry, which is as @fault says; or whole, with two, for "". */
static inline void must_be(const char *name, const struct buf *fragment, enum archive_format format,
                           const char *fault, uint64_t n_entries)
{
        _cleanup_(seen_done) struct seen s = {0};
        struct fragment_result r;

        ck_assert_int_eq(walk_bytes(&r, &s, buf_cstr(fragment), fragment->n, format), 0);
        ck_assert_msg(*fault ? strstr(r.fault, fault) != NULL : !r.fault[0],
                      "%s: \"%s\", not \"%s\"", name, r.fault, fault);
        ck_assert_msg(r.whole == !*fault && r.n_entries == n_entries && s.n_ended == n_entries,
                      "%s: %llu entries", name, (unsigned long long)r.n_entries);
}

static inline void tar_must_be(const char *name, const struct buf *tar, const char *fault,
                               uint64_t n_entries)
{
        for (enum archive_format f = ARCHIVE_TAR_ZSTD; f <= ARCHIVE_TAR_GZIP; f++) {
                _cleanup_(buf_done) struct buf fragment = {0};

                put_frame(&fragment, f, tar->data, tar->n);
                must_be(name, &fragment, f, fault, n_entries);
        }
}

#define BYTES(s) s, sizeof(s) - 1
