/* What is around the entries: frames, an end that comes too early, limits, time; and copying what was good. */

#include <zstd.h>

#include "base/mono.h"
#include "tests/unit/fragments.h"

/* --- around it --------------------------------------------------------------------------------------- */

/* A frame with one raw block of @tar, by hand: @head is what stands before the block. */
static void put_raw_frame(struct buf *out, const void *head, size_t n_head, const struct buf *tar)
{
        uint32_t block = (uint32_t)tar->n << 3 | 1; /* the last one, raw */

        buf_append(out, head, n_head);
        buf_append(out, &block, 3);
        buf_append(out, tar->data, tar->n);
}

#define ZSTD_MAGIC "\x28\xb5\x2f\xfd"

static const struct {
        const char *name;
        enum archive_format format;
        const char *before; /* the frame of the second entry */
        size_t n_before;
        const char *fault;
        uint64_t n_entries;
} frames[] = {
        {"skippable frame",           ARCHIVE_TAR_ZSTD, BYTES("\x50\x2a\x4d\x18\4\0\0\0abcd"),                   "else than",
         1                                                                                                                                },
        {"empty skippable frame",     ARCHIVE_TAR_ZSTD, BYTES("\x5f\x2a\x4d\x18\0\0\0\0"),                       "else than",
         1                                                                                                                                },
        {"frame of zstd 0.7",         ARCHIVE_TAR_ZSTD, BYTES("\x27\xb5\x2f\xfd\0\0\0\0"),                       "else than",            1},
        {"xz",                        ARCHIVE_TAR_ZSTD,
         BYTES("\xfd"
               "7zXZ"),
         "else than",                                                                                                                    1},
        {"gzip in zstd",              ARCHIVE_TAR_ZSTD, BYTES("\x1f\x8b\x08\0"),                                 "else than",            1},
        {"zeros",                     ARCHIVE_TAR_ZSTD, BYTES("\0\0\0\0\0\0\0\0"),                               "else than",            1},
        {"dictionary",                ARCHIVE_TAR_ZSTD, BYTES(ZSTD_MAGIC "\x01\x40\x01\0\0"),                    "dictionary",           1},
        {"dictionary with a long id", ARCHIVE_TAR_ZSTD, BYTES(ZSTD_MAGIC "\x03\x40\1\1\1\1\0"),
         "dictionary",                                                                                                                   1},
        {"large window",              ARCHIVE_TAR_ZSTD, BYTES(ZSTD_MAGIC "\x00\x69\1\0\0"),                      "window",               1},
        {"very large window",         ARCHIVE_TAR_ZSTD, BYTES(ZSTD_MAGIC "\x00\xff\1\0\0"),                      "window",               1},
        {"large single segment",      ARCHIVE_TAR_ZSTD, BYTES(ZSTD_MAGIC "\xa0\x01\0\x80\0\1\0\0"),
         "window",                                                                                                                       1},
        {"huge single segment",       ARCHIVE_TAR_ZSTD, BYTES(ZSTD_MAGIC "\xe0\0\0\0\0\0\0\0\x80\1\0\0"),
         "window",                                                                                                                       1},
        {"largest window",            ARCHIVE_TAR_ZSTD, BYTES(ZSTD_MAGIC "\x00\x68\1\0\0"),                      "",                     2},
        {"empty frame",               ARCHIVE_TAR_ZSTD, BYTES(ZSTD_MAGIC "\x20\x00\1\0\0"),                      "",                     2},
        {"reserved bit",              ARCHIVE_TAR_ZSTD, BYTES(ZSTD_MAGIC "\x08\x40\1\0\0"),                      "",                     1},
        {"reserved block",            ARCHIVE_TAR_ZSTD, BYTES(ZSTD_MAGIC "\x00\x40\7\0\0"),                      "",                     1},
        {"zstd in gzip",              ARCHIVE_TAR_GZIP, BYTES(ZSTD_MAGIC),                                       "else than",            1},
        {"zeros",                     ARCHIVE_TAR_GZIP, BYTES("\0\0\0\0\0\0\0\0"),                               "else than",            1},
        {"name",                      ARCHIVE_TAR_GZIP, BYTES("\x1f\x8b\x08\x08\0\0\0\0\0\3name\0"),             "else than",            1},
        {"extra field",               ARCHIVE_TAR_GZIP, BYTES("\x1f\x8b\x08\x04\0\0\0\0\0\3\1\0x"),              "else than",
         1                                                                                                                                },
        {"another method",            ARCHIVE_TAR_GZIP, BYTES("\x1f\x8b\x07\0\0\0\0\0\0\3"),                     "else than",            1},
        {"empty member",              ARCHIVE_TAR_GZIP, BYTES("\x1f\x8b\x08\0\0\0\0\0\0\3\3\0\0\0\0\0\0\0\0\0"),
         "",                                                                                                                             2},
        {"wrong checksum",            ARCHIVE_TAR_GZIP,
         BYTES("\x1f\x8b\x08\0\0\0\0\0\0\3\3\0\1\0\0\0\0\0\0\0"),                                                "incorrect data check", 1},
        {"wrong length",              ARCHIVE_TAR_GZIP, BYTES("\x1f\x8b\x08\0\0\0\0\0\0\3\3\0\0\0\0\0\1\0\0\0"),
         "incorrect length check",                                                                                                       1},
        {"reserved block",            ARCHIVE_TAR_GZIP, BYTES("\x1f\x8b\x08\0\0\0\0\0\0\3\7\0\0\0"),
         "invalid block type",                                                                                                           1},
};

START_TEST(reads_frames)
{
        _cleanup_(buf_done) struct buf one = {0}, two = {0}, fragment = {0}, behind = {0};
        enum archive_format f = frames[_i].format;
        struct fragment_result r;
        _cleanup_(seen_done) struct seen s = {0};

        put_file(&one, PREFIX "/one", "first");
        put_file(&two, PREFIX "/two", "two");
        put_frame(&fragment, f, one.data, one.n);
        put_frame(&behind, f, one.data, one.n);
        buf_append(&fragment, frames[_i].before, frames[_i].n_before);
        put_frame(&fragment, f, two.data, two.n);
        ck_assert_int_eq(walk_bytes(&r, &s, fragment.data, fragment.n, f), 0);
        ck_assert_msg(strstr(r.fault, frames[_i].fault) != NULL, "%s: \"%s\"", frames[_i].name,
                      r.fault);
        ck_assert_int_eq(r.whole, frames[_i].n_entries == 2);
        ck_assert_uint_eq(r.n_entries, frames[_i].n_entries);

        /* At its very end, too. */
        seen_done(&s);
        s = (struct seen){0};
        buf_append(&behind, frames[_i].before, frames[_i].n_before);
        ck_assert_int_eq(walk_bytes(&r, &s, behind.data, behind.n, f), 0);
        ck_assert_int_eq(r.whole, frames[_i].n_entries == 2);
        ck_assert_uint_eq(r.n_entries, 1);
}
END_TEST

/* What zstd(1) makes of a small file: one segment, with its size; and raw blocks. */
START_TEST(reads_single_segments)
{
        _cleanup_(buf_done) struct buf tar = {0}, fragment = {0}, raw = {0}, large = {0};
        char head[6] = ZSTD_MAGIC "\x00";

        put_file(&tar, PREFIX "/one", "first");
        fragment.data = malloc(ZSTD_compressBound(tar.n));
        fragment.n = ZSTD_compress(fragment.data, ZSTD_compressBound(tar.n), tar.data, tar.n, 1);
        ck_assert(fragment.data[4] & 0x20);
        must_be("single segment", &fragment, ARCHIVE_TAR_ZSTD, "", 1);
        head[5] = 0x40;
        put_raw_frame(&raw, head, sizeof(head), &tar);
        must_be("raw block", &raw, ARCHIVE_TAR_ZSTD, "", 1);
        head[5] = 0x69;
        put_raw_frame(&large, head, sizeof(head), &tar);
        must_be("raw block in a large window", &large, ARCHIVE_TAR_ZSTD, "window", 0);
}
END_TEST

/*
 * A bit changed in every byte of a frame. Some do not matter (when gzip's head was made; which of many zeros is
 * repeated): then it is as it was, to the byte.
 */
START_TEST(notices_damage)
{
        _cleanup_(buf_done) struct buf tar = {0}, fragment = {0};
        size_t n_whole = 0;

        put_file(&tar, PREFIX "/one", "first");
        put_frame(&fragment, _i, tar.data, tar.n);
        for (size_t at = 0; at < fragment.n; at++) {
                _cleanup_(seen_done) struct seen s = {0};
                struct fragment_result r;

                fragment.data[at] ^= 0x10;
                ck_assert_int_eq(walk_bytes(&r, &s, fragment.data, fragment.n, _i), 0);
                if (r.whole) {
                        ck_assert_uint_eq(r.n_entries, 1);
                        ck_assert_str_eq(buf_cstr(&s.content), "first");
                        n_whole++;
                }
                if (r.n_entries)
                        ck_assert_str_eq(buf_cstr(&s.list), "5 " PREFIX "/one\n");
                fragment.data[at] ^= 0x10;
        }
        ck_assert_uint_le(n_whole, 12);
}
END_TEST

/* --- cut short --------------------------------------------------------------------------------------- */

/* How many bytes libzstd itself gets out of it: the oracle. */
static size_t decodable(const struct buf *fragment, size_t n)
{
        static char out[1 << 16];
        ZSTD_DCtx *d = ZSTD_createDCtx();
        ZSTD_inBuffer in = {fragment->data, n, 0};
        size_t n_out = 0, n_before;

        do {
                ZSTD_outBuffer o = {out, sizeof(out), 0};

                n_before = in.pos;
                ck_assert(!ZSTD_isError(ZSTD_decompressStream(d, &o, &in)));
                n_out += o.pos;
        } while (in.pos < n && in.pos > n_before);
        ZSTD_freeDCtx(d);
        return n_out;
}

/* Two frames, three entries; good is what can be decoded, whole only what ends where a frame does. */
START_TEST(is_good_as_far_as_it_goes)
{
        static const char *const paths[] = {PREFIX "/one", PREFIX "/two", PREFIX "/gr\xc3\xbcn"};
        _cleanup_(buf_done) struct buf tar = {0}, fragment = {0};
        size_t ends[3], first_frame;

        for (size_t i = 0; i < 2; i++) {
                put_file(&tar, paths[i], i ? "" : "content of the first");
                ends[i] = tar.n;
        }
        put_frame(&fragment, _i, tar.data, tar.n);
        first_frame = fragment.n;
        {
                char header[TAR_HEADERS_MAX];
                size_t n = tar_header_write(header, paths[2], 700, 1);
                _cleanup_(buf_done) struct buf text = {0};

                append_lines(&text, 700, 3);
                buf_append(&tar, header, n);
                put_data(&tar, text.data, text.n);
                ends[2] = tar.n;
        }
        put_frame(&fragment, _i, tar.data + ends[1], tar.n - ends[1]);
        for (size_t n = 0; n <= fragment.n; n++) {
                _cleanup_(seen_done) struct seen s = {0};
                struct fragment_result r;
                bool whole = n == 0 || n == first_frame || n == fragment.n;

                ck_assert_int_eq(walk_bytes(&r, &s, fragment.data, n, _i), 0);
                ck_assert_msg(r.whole == whole, "%zu: \"%s\"", n, r.fault);
                ck_assert_uint_eq(r.n_compressed, n);
                ck_assert_uint_eq(s.n_ended, r.n_entries);
                ck_assert_uint_eq(r.n_bytes, r.n_entries ? ends[r.n_entries - 1] : 0);
                if (!whole)
                        ck_assert_ptr_nonnull(strstr(r.fault, "cut short"));
                if (_i == ARCHIVE_TAR_ZSTD) {
                        size_t n_decodable = decodable(&fragment, n), want = 0;

                        while (want < 3 && ends[want] <= n_decodable)
                                want++;
                        ck_assert_uint_eq(r.n_entries, want);
                }
                if (n >= first_frame)
                        ck_assert_uint_ge(r.n_entries, 2);
        }
}
END_TEST

/* --- limits ------------------------------------------------------------------------------------------ */

/* @n zeros as an entry, in a frame that is a thousandth of it, or less. */
static void put_zeros(struct buf *fragment, const char *path, size_t n)
{
        _cleanup_(buf_done) struct buf tar = {0};
        _cleanup_(freep) char *zeros = calloc(1, n);
        char block[TAR_BLOCK];

        make_header(block, path, n);
        buf_append(&tar, block, sizeof(block));
        buf_append(&tar, zeros, n);
        put_frame(fragment, ARCHIVE_TAR_ZSTD, tar.data, tar.n);
}

static const struct {
        const char *name;
        struct fragment_terms terms;
        const char *fault;
        uint64_t n_entries;
} limits[] = {
        {"none",                       {0},                                      "more than 2000 bytes made of one", 2},
        {"entries",                    {.max_entries = 1},                       "more than 1 entries",              1},
        {"bytes",                      {.max_bytes = 20000},                     "more than 20000 bytes",            1},
        {"bytes, to a byte",           {.max_bytes = 512 + 16384 + 512 + 65536}, "more than 82944 bytes",            2},
        {"bytes, before a byte of it", {.max_bytes = 512 + 16384 + 512 + 65535}, "more than",                        1},
};

START_TEST(limits_what_it_decodes)
{
        _cleanup_(buf_done) struct buf fragment = {0};
        struct fragment_terms terms = limits[_i].terms;
        _cleanup_(closep) int fd = -1;
        struct fragment_result r;

        put_zeros(&fragment, PREFIX "/a", 16384);
        put_zeros(&fragment, PREFIX "/b", 65536);
        put_zeros(&fragment, PREFIX "/c", 64u << 20);
        fd = memory_file_of(fragment.data, fragment.n);
        terms.prefix = PREFIX;
        ck_assert_int_eq(fragment_walk(fd, &terms, NULL, &r, NULL), 0);
        ck_assert_msg(strstr(r.fault, limits[_i].fault) != NULL, "%s: %s", limits[_i].name,
                      r.fault);
        ck_assert(!r.whole);
        ck_assert_uint_eq(r.n_entries, limits[_i].n_entries);
}
END_TEST

START_TEST(refuses_a_flood_of_nothing)
{
        static const char empty[] = ZSTD_MAGIC "\x20\x00\1\0\0";
        _cleanup_(buf_done) struct buf fragment = {0};

        while (fragment.n < 1000000)
                buf_append(&fragment, BYTES(empty));
        must_be("empty frames", &fragment, ARCHIVE_TAR_ZSTD, "next to nothing", 0);
}
END_TEST

/* A pipe that says nothing, and one whose time is over before it is asked. */
START_TEST(does_not_wait_for_ever)
{
        struct fragment_terms terms = {.prefix = PREFIX};
        struct fragment_result r;
        int fds[2];

        ck_assert_int_eq(pipe(fds), 0);
        for (int i = 0; i < 2; i++) {
                struct err e = {0};

                terms.deadline_mono_usec = now_mono_usec() + (i ? 10000 : 0);
                ck_assert_int_eq(fragment_walk(fds[0], &terms, NULL, &r, &e), -ETIMEDOUT);
                ck_assert_str_eq(e.text, "a fragment took too long");
                ck_assert(!r.whole);
        }
        ck_assert_int_eq(
                fragment_walk(-1, &(struct fragment_terms){.prefix = PREFIX}, NULL, &r, NULL),
                -EBADF);
        terms.format = ARCHIVE_ZIP;
        ck_assert_int_eq(fragment_walk(fds[0], &terms, NULL, &r, NULL), -EINVAL);
        (void)close(fds[0]);
        (void)close(fds[1]);
}
END_TEST

START_TEST(ends_when_the_visitor_says_so)
{
        _cleanup_(buf_done) struct buf tar = {0}, fragment = {0};
        static const struct seen cases[] = {{.fail_begin = -ECANCELED},
                                            {.fail_data = -EBADMSG}, /* which is not our own then */
                                            {.fail_end = -EPIPE}};

        put_file(&tar, PREFIX "/one", "first");
        put_frame(&fragment, ARCHIVE_TAR_ZSTD, tar.data, tar.n);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(seen_done) struct seen s = cases[i];
                struct fragment_result r;

                ck_assert_int_eq(walk_bytes(&r, &s, fragment.data, fragment.n, ARCHIVE_TAR_ZSTD),
                                 s.fail_begin + s.fail_data + s.fail_end);
                ck_assert_uint_eq(r.n_entries, 0);
                ck_assert_str_eq(r.fault, "");
        }
}
END_TEST

/* --- copying ----------------------------------------------------------------------------------------- */

/* Of three entries the last one is cut: two go into every format. */
START_TEST(copies_what_was_good)
{
        _cleanup_(buf_done) struct buf tar = {0}, fragment = {0};
        struct fragment_terms terms = {.format = ARCHIVE_TAR_GZIP, .prefix = PREFIX};
        _cleanup_(closep) int fd = -1, out_fd = memory_file();
        _cleanup_(archive_freep) struct archive *a = new_archive(_i, false, out_fd);
        struct fragment_result r;
        struct err e = {0};

        put_file(&tar, PREFIX "/one", "first");
        put_file(&tar, PREFIX "/two", "");
        put_file(&tar, PREFIX "/three", "third");
        put_frame(&fragment, ARCHIVE_TAR_GZIP, tar.data, tar.n - 1);
        fd = memory_file_of(fragment.data, fragment.n);
        ck_assert_int_eq(fragment_walk(fd, &terms, NULL, &r, &e), 0);
        ck_assert_uint_eq(r.n_entries, 2);
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        ck_assert_int_eq(fragment_copy(fd, &terms, r.n_entries, a, &e), 0);

        /* It was longer when it was walked: what there is of the third is ended, and others can follow. */
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        terms.prefix = "10.0.0.8_agent";
        ck_assert_int_eq(fragment_copy(fd, &terms, 1, a, &e), -EBADMSG);
        ck_assert_str_eq(e.text,
                         "it has only 0 good entries, and had 1: entry 1: a path that is not "
                         "below its directory");
        ck_assert_int_eq(archive_add(a, "end", MTIME_USEC, "end", 3), 0);
        ck_assert_int_eq(archive_finish(a), 0);
        must_be_listed(_i, out_fd, "5 " PREFIX "/one\n0 " PREFIX "/two\n3 end\n", NULL);
}
END_TEST

START_TEST(ends_what_it_began_to_copy)
{
        _cleanup_(buf_done) struct buf tar = {0}, fragment = {0};
        struct fragment_terms terms = {.format = ARCHIVE_TAR_ZSTD, .prefix = PREFIX};
        _cleanup_(closep) int fd = -1, out_fd = memory_file();
        _cleanup_(archive_freep) struct archive *a = new_archive(ARCHIVE_ZIP, false, out_fd);
        struct err e = {0};

        put_file(&tar, PREFIX "/one", "first");
        put_frame(&fragment, ARCHIVE_TAR_ZSTD, tar.data, TAR_BLOCK + 3);
        fd = memory_file_of(fragment.data, fragment.n);
        ck_assert_int_eq(fragment_copy(fd, &terms, 1, a, &e), -EBADMSG);
        ck_assert_int_eq(archive_add(a, "end", MTIME_USEC, "end", 3), 0);
        ck_assert_int_eq(archive_finish(a), 0);
        must_be_listed(ARCHIVE_ZIP, out_fd, "3 " PREFIX "/one\n3 end\n", NULL);
}
END_TEST

START_TEST(says_why_it_could_not_copy)
{
        _cleanup_(buf_done) struct buf tar = {0}, fragment = {0};
        struct fragment_terms terms = {.format = ARCHIVE_TAR_ZSTD, .prefix = PREFIX};
        _cleanup_(closep) int fd = -1, out_fd = memory_file();
        struct archive_options options = {.fd = out_fd, .max_bytes = 10};
        _cleanup_(archive_freep) struct archive *a = NULL;
        struct err e = {0};

        ck_assert_int_eq(archive_new(&a, &options, &e), 0);
        put_file(&tar, PREFIX "/one", "first");
        put_frame(&fragment, ARCHIVE_TAR_ZSTD, tar.data, tar.n);
        fd = memory_file_of(fragment.data, fragment.n);
        ck_assert_int_eq(fragment_copy(fd, &terms, 1, a, &e), 0); /* not written yet */
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        ck_assert_int_eq(fragment_copy(fd, &terms, 1, a, &e), -EEXIST);
        ck_assert_int_eq(archive_flush(a), -EFBIG);
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        ck_assert_int_eq(fragment_copy(fd, &terms, 1, a, &e), -EFBIG);
        ck_assert_str_eq(e.text, "it would be larger than 10 bytes");
}
END_TEST

/* What the writer makes is what the grammar says. */
START_TEST(takes_what_archives_are)
{
        _cleanup_(buf_done) struct buf list = {0}, text = {0};
        _cleanup_(closep) int fd = memory_file();
        _cleanup_(archive_freep) struct archive *a = new_archive(_i, true, fd);
        struct fragment_terms terms = {.format = _i, .prefix = PREFIX};
        _cleanup_(seen_done) struct seen s = {0};
        struct fragment_visitor visitor = {on_begin, on_data, on_end, &s};
        struct fragment_result r;
        char path[900];

        append_lines(&text, 300000, 1);
        for (size_t i = 0; i < 60; i++) {
                size_t n = i * i * 83;

                memset(path, 'a', sizeof(path));
                (void)snprintf(path, sizeof(path), PREFIX "/%zu/%s%0*zu", i,
                               i % 3 ? "" : "\xe2\x82\xac", (int)(i * 12), i);
                ck_assert_int_eq(archive_add(a, path, MTIME_USEC + i, text.data, n), 0);
                buf_printf(&list, "%zu %s\n", n, path);
                if (i % 10 == 0)
                        ck_assert_int_eq(archive_flush(a), 0);
        }
        ck_assert_int_eq(archive_finish(a), 0);
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        ck_assert_int_eq(fragment_walk(fd, &terms, &visitor, &r, NULL), 0);
        ck_assert_msg(r.whole, "%s", r.fault);
        ck_assert_str_eq(buf_cstr(&s.list), buf_cstr(&list));
        ck_assert_uint_eq(r.n_compressed, archive_written(a));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("fragment_frames");
        TCase *tc = tcase_create("fragment_frames");

        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, reads_frames, 0, ELEMENTSOF(frames));
        tcase_add_test(tc, reads_single_segments);
        tcase_add_loop_test(tc, notices_damage, 0, ARCHIVE_ZIP);
        tcase_add_loop_test(tc, is_good_as_far_as_it_goes, 0, ARCHIVE_ZIP);
        tcase_add_loop_test(tc, limits_what_it_decodes, 0, ELEMENTSOF(limits));
        tcase_add_test(tc, refuses_a_flood_of_nothing);
        tcase_add_test(tc, does_not_wait_for_ever);
        tcase_add_test(tc, ends_when_the_visitor_says_so);
        tcase_add_loop_test(tc, copies_what_was_good, 0, ARCHIVE_N_FORMATS);
        tcase_add_test(tc, ends_what_it_began_to_copy);
        tcase_add_test(tc, says_why_it_could_not_copy);
        tcase_add_loop_test(tc, takes_what_archives_are, 0, ARCHIVE_ZIP);
        suite_add_tcase(s, tc);
        return test_main(s);
}
