/* What it writes is opened by those who will open it: GNU tar, bsdtar, Python, unzip. */

#include <signal.h>
#include <sys/wait.h>

#include "bundles/fragment.h"
#include "tests/unit/archives.h"

#define MTIME_USEC UINT64_C(1700000000000000)
#define SMALL      131072u /* up to here entries share a frame */

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
        const char *path;
        size_t size, at_once; /* appended so many bytes at a time */
} entries[] = {
        {"empty",                                                    0,         1     },
        {"one",                                                      1,         1     },
        {"almost a block",                                           511,       100   },
        {"dir/block",                                                512,       512   },
        {"dir/more",                                                 513,       7     },
        {"units/dev-disk-by\\x2dlabel.device",                       1000,      1000  },
        {"gr\xc3\xbc\xc3\x9f"
         "e/\xe6\x97\xa5\xe6\x9c\xac",                      2000,      999   },
        {"hundred/" TEN TEN TEN TEN TEN TEN TEN TEN TEN "12",        300,       300   }, /* as ustar has room for */
        {"hundred/" TEN TEN TEN TEN TEN TEN TEN TEN TEN "123",       300,       300   }, /* one more */
        {"cut at a slash/" TEN TEN TEN TEN TEN TEN TEN TEN "1234/x", 10,        10    },
        {"long/" HUNDRED "/" HUNDRED "/" HUNDRED "/" HUNDRED "/" HUNDRED "/" HUNDRED "/" HUNDRED
         "/" HUNDRED "/" HUNDRED,
         5000,                                                                  5000  },
        {"as large as small ones get",                               SMALL,     1000  },
        {"the first large one",                                      SMALL + 1, SMALL },
        {"large at once",                                            700000,    700000},
        {"large in parts",                                           1500001,   4096  },
        {"after it",                                                 42,        42    },
};

/* Into @a; what is to be listed and read goes into the others. */
static void add_entries(struct archive *a, const char *prefix, struct buf *list, struct buf *all)
{
        for (size_t i = 0; i < ELEMENTSOF(entries); i++) {
                _cleanup_(buf_done) struct buf data = {0}, path = {0};
                struct archive_entry entry;
                uint8_t digest[DIGEST_BYTES];
                char hex[DIGEST_HEX];
                _cleanup_(digest_freep) struct digest *d = NULL;

                append_lines(&data, entries[i].size, (unsigned)i);
                buf_printf(&path, "%s%s", prefix, entries[i].path);
                ck_assert_int_eq(archive_begin(a, buf_cstr(&path), MTIME_USEC), 0);
                for (size_t at = 0, n; at < data.n; at += n) {
                        n = data.n - at < entries[i].at_once ? data.n - at : entries[i].at_once;
                        ck_assert_int_eq(archive_append(a, data.data + at, n), 0);
                }
                ck_assert_int_eq(archive_end(a, &entry), 0);
                ck_assert_uint_eq(entry.size, data.n);
                ck_assert_int_eq(digest_new(&d), 0);
                ck_assert_int_eq(digest_add(d, buf_cstr(&data), data.n), 0);
                ck_assert_int_eq(digest_end(d, digest), 0);
                digest_to_hex(hex, digest);
                ck_assert_str_eq(entry.sha256, hex);
                buf_printf(list, "%zu %s\n", data.n, buf_cstr(&path));
                buf_append(all, buf_cstr(&data), data.n);
        }
}

START_TEST(is_opened_by_everybody)
{
        _cleanup_(buf_done) struct buf list = {0}, all = {0};
        _cleanup_(closep) int fd = memory_file();
        _cleanup_(archive_freep) struct archive *a = new_archive(_i, false, fd);

        add_entries(a, "", &list, &all);
        ck_assert_int_eq(archive_finish(a), 0);
        ck_assert_uint_eq(archive_written(a), size_of(fd));
        ck_assert_int_eq(archive_error(a)->code, 0);
        must_be_listed(_i, fd, buf_cstr(&list), &all);
}
END_TEST

START_TEST(is_an_archive_without_entries)
{
        _cleanup_(closep) int fd = memory_file();
        _cleanup_(archive_freep) struct archive *a = new_archive(_i, false, fd);

        ck_assert_int_eq(archive_finish(a), 0);
        if (_i != ARCHIVE_ZIP) /* unzip and Python have words for one */
                must_be_listed(_i, fd, "", NULL);
}
END_TEST

/* Three nodes' fragments, as they are; then what the master adds; then the end. */
START_TEST(joins_fragments)
{
        static const char *const prefixes[] = {"10.0.0.1_master/", "10.0.0.2_agent/",
                                               "10.0.0.3_agent_public/"};
        _cleanup_(buf_done) struct buf list = {0}, all = {0};
        _cleanup_(closep) int fd = memory_file();
        _cleanup_(archive_freep) struct archive *a = new_archive(_i, false, fd);

        ck_assert_int_eq(archive_add(a, "README.txt", MTIME_USEC, "hello\n", 6), 0);
        buf_puts(&list, "6 README.txt\n");
        buf_puts(&all, "hello\n");
        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++) {
                _cleanup_(closep) int part_fd = memory_file();
                _cleanup_(archive_freep) struct archive *part = new_archive(_i, true, part_fd);

                add_entries(part, prefixes[i], &list, &all);
                ck_assert_int_eq(archive_finish(part), 0);
                ck_assert_int_eq(lseek(part_fd, 0, SEEK_SET), 0);
                ck_assert_int_eq(archive_splice(a, part_fd, size_of(part_fd)), 0);
        }
        ck_assert_int_eq(archive_add(a, "manifest.json", MTIME_USEC, "{}", 2), 0);
        buf_puts(&list, "2 manifest.json\n");
        buf_puts(&all, "{}");
        ck_assert_int_eq(archive_finish(a), 0);
        ck_assert_uint_eq(archive_written(a), size_of(fd));
        must_be_listed(_i, fd, buf_cstr(&list), &all);
}
END_TEST

/* --- where it goes ----------------------------------------------------------------------------------- */

static int file_in_tmp(int flags)
{
        int fd = open(P_tmpdir, O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);

        ck_assert_int_ge(fd, 0);
        return fd;
}

/* Whatever @out_fd is; what arrives behind it, all of it, is @want. */
static void splice_one(int out_fd, const struct buf *want)
{
        _cleanup_(closep) int from_fd = file_in_tmp(0);
        _cleanup_(archive_freep) struct archive *a = new_archive(ARCHIVE_TAR_ZSTD, true, out_fd);

        ck_assert_int_eq(write(from_fd, buf_cstr(want), want->n), (ssize_t)want->n);
        ck_assert_int_eq(lseek(from_fd, 0, SEEK_SET), 0);
        ck_assert_int_eq(archive_splice(a, from_fd, want->n), 0);
        ck_assert_uint_eq(archive_written(a), want->n);
        ck_assert_int_eq(archive_splice(a, from_fd, 1), -ENODATA); /* there is no more */
        ck_assert_int_eq(archive_finish(a), -ENODATA);
}

START_TEST(splices_into_whatever_it_is)
{
        _cleanup_(buf_done) struct buf want = {0};
        int kinds[] = {file_in_tmp(0), file_in_tmp(O_APPEND), memory_file()};

        append_lines(&want, 5000000, 1);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                _cleanup_(buf_done) struct buf got = {0};

                splice_one(kinds[i], &want);
                slurp(&got, kinds[i]);
                ck_assert_uint_eq(got.n, want.n);
                ck_assert_int_eq(memcmp(buf_cstr(&got), buf_cstr(&want), want.n), 0);
                (void)close(kinds[i]);
        }
}
END_TEST

START_TEST(splices_into_a_pipe)
{
        _cleanup_(buf_done) struct buf want = {0};
        int fds[2], status;
        pid_t pid;

        append_lines(&want, 5000000, 1);
        ck_assert_int_eq(pipe(fds), 0);
        pid = fork();
        if (pid == 0) {
                size_t at = 0;
                char data[4096];
                ssize_t n;

                (void)close(fds[1]);
                while ((n = read(fds[0], data, sizeof(data))) > 0) {
                        if (at + (size_t)n > want.n || memcmp(want.data + at, data, (size_t)n) != 0)
                                _exit(1);
                        at += (size_t)n;
                }
                _exit(at == want.n ? 0 : 2);
        }
        (void)close(fds[0]);
        splice_one(fds[1], &want);
        (void)close(fds[1]);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
}
END_TEST

/* Noise: nothing of it goes away in a compressor. */
static int append_noise(struct archive *a, size_t n)
{
        static uint64_t x = 88172645463325252u, noise[512];
        int k = 0;

        for (size_t n_now; k >= 0 && n > 0; n -= n_now) {
                for (size_t i = 0; i < ELEMENTSOF(noise); i++) {
                        x ^= x << 13;
                        x ^= x >> 7;
                        x ^= x << 17;
                        noise[i] = x;
                }
                n_now = n < sizeof(noise) ? n : sizeof(noise);
                k = archive_append(a, noise, n_now);
        }
        return k;
}

static int add_noise(struct archive *a, const char *path, size_t n)
{
        int k = archive_begin(a, path, MTIME_USEC);

        if (k >= 0)
                k = append_noise(a, n);
        return k < 0 ? k : archive_end(a, NULL);
}

static void must_have_failed(struct archive *a, int code, const char *why)
{
        uint64_t n_written = archive_written(a);

        ck_assert_int_eq(archive_error(a)->code, code);
        ck_assert_msg(strstr(archive_error(a)->text, why) != NULL, "%s", archive_error(a)->text);
        ck_assert_int_eq(archive_begin(a, "another", 0), code);
        ck_assert_int_eq(archive_append(a, "x", 1), code);
        ck_assert_int_eq(archive_end(a, NULL), code);
        ck_assert_int_eq(archive_add(a, "another", 0, "x", 1), code);
        ck_assert_int_eq(archive_flush(a), code);
        ck_assert_int_eq(archive_finish(a), code);
        ck_assert_uint_eq(archive_written(a), n_written);
}

START_TEST(stops_at_its_limit)
{
        _cleanup_(closep) int fd = memory_file();
        struct archive_options options = {.format = _i, .fd = fd, .max_bytes = 300000};
        _cleanup_(archive_freep) struct archive *a = NULL;

        ck_assert_int_eq(archive_new(&a, &options, NULL), 0);
        ck_assert_int_eq(add_noise(a, "fits", 200000), 0);
        ck_assert_int_eq(add_noise(a, "does not fit", 400000), -EFBIG);
        must_have_failed(a, -EFBIG, "does not fit: it would be larger than 300000 bytes");
        ck_assert_uint_le(size_of(fd), 300000);
}
END_TEST

/* The memory file that large entries go through: what it holds now. */
static uint64_t n_spooled(void)
{
        char path[64], target[64];

        for (int fd = 0; fd < 64; fd++) {
                ssize_t n;

                (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                n = readlink(path, target, sizeof(target) - 1);
                target[n < 0 ? 0 : n] = '\0';
                if (strstr(target, "diag-entry"))
                        return size_of(fd);
        }
        ck_abort_msg("there is none");
}

/* It gives its memory back with each entry, and takes no more than there is room for in the end. */
START_TEST(bounds_its_memory)
{
        _cleanup_(closep) int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        struct archive_options options = {.format = _i, .fd = fd, .max_bytes = 2000000};
        _cleanup_(archive_freep) struct archive *a = NULL;

        ck_assert_int_eq(archive_new(&a, &options, NULL), 0);
        ck_assert_int_eq(archive_begin(a, "one", MTIME_USEC), 0);
        ck_assert_int_eq(append_noise(a, 1000000), 0);
        ck_assert_uint_gt(n_spooled(), 500000);
        ck_assert_int_eq(archive_end(a, NULL), 0);
        ck_assert_uint_eq(n_spooled(), 0);
        ck_assert_int_eq(archive_begin(a, "two", MTIME_USEC), 0);
        ck_assert_int_eq(append_noise(a, 3000000), -EFBIG);
        ck_assert_uint_le(n_spooled(), 1000000);
}
END_TEST

START_TEST(leaves_free_space)
{
        _cleanup_(closep) int fd = file_in_tmp(0);
        struct archive_options options = {.format = _i, .fd = fd, .free_floor = UINT64_C(1) << 60};
        _cleanup_(archive_freep) struct archive *a = NULL;

        ck_assert_int_eq(archive_new(&a, &options, NULL), 0);
        ck_assert_int_eq(add_noise(a, "large", 400000), -ENOSPC);
        must_have_failed(a, -ENOSPC, "bytes are free, and 1152921504606846976 are to stay so");
        ck_assert_uint_eq(size_of(fd), 0);
        archive_free(TAKE_PTR(a));
        options.free_floor = 1;
        ck_assert_int_eq(archive_new(&a, &options, NULL), 0);
        ck_assert_int_eq(add_noise(a, "large", 400000), 0);
        ck_assert_int_eq(archive_finish(a), 0);
}
END_TEST

START_TEST(says_that_the_reader_has_gone)
{
        _cleanup_(archive_freep) struct archive *a = NULL;
        int fds[2];

        ck_assert_ptr_ne(signal(SIGPIPE, SIG_IGN), SIG_ERR);
        ck_assert_int_eq(pipe(fds), 0);
        (void)close(fds[0]);
        a = new_archive(_i, false, fds[1]);
        ck_assert_int_eq(add_noise(a, "large", 400000), -EPIPE);
        must_have_failed(a, -EPIPE, "whoever it was for has gone");
        (void)close(fds[1]);
}
END_TEST

START_TEST(says_that_the_disk_is_full)
{
        _cleanup_(closep) int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
        _cleanup_(archive_freep) struct archive *a = new_archive(_i, false, fd);

        ck_assert_int_eq(add_noise(a, "large", 400000), -ENOSPC);
        must_have_failed(a, -ENOSPC, "large: cannot write");
}
END_TEST

/* --- calls ------------------------------------------------------------------------------------------- */

static const struct {
        const char *path;
        size_t n; /* of its bytes; 0: to its NUL */
        bool clean;
} paths[] = {
        {"a",                                    0, true },
        {"a/b.c",                                0, true },
        {"..a/b../.c/...",                       0, true },
        {"a b",                                  0, true },
        {"a\\x2db",                              0, true },
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 0, true },
        {"",                                     0, false},
        {"/a",                                   0, false},
        {"a/",                                   0, false},
        {"a//b",                                 0, false},
        {".",                                    0, false},
        {"a/./b",                                0, false},
        {"a/.",                                  0, false},
        {"..",                                   0, false},
        {"../a",                                 0, false},
        {"a/..",                                 0, false},
        {"a/../b",                               0, false},
        {"a\\..\\b",                             0, false},
        {"..\\b",                                0, false},
        {"a/b\\..",                              0, false},
        {"a\nb",                                 0, false},
        {"a\x7f",                                0, false},
        {"a\0b",                                 3, false},
        {"\xc2\x9b",                             0, false}, /* CSI, to a terminal */
        {"\xc0\xae\xc0\xae/a",                   0, false}, /* "..", spelled too long */
        {"\xed\xa0\x80",                         0, false},
        {"\xf4\x90\x80\x80",                     0, false},
        {"\xff",                                 0, false},
        {"\xe2\x82",                             0, false},
        {"\xe2\x82/",                            0, false},
        {"\x80",                                 0, false},
};

START_TEST(knows_clean_paths)
{
        size_t n = paths[_i].n ? paths[_i].n : strlen(paths[_i].path);

        ck_assert_int_eq(archive_path_is_clean(paths[_i].path, n), paths[_i].clean);
}
END_TEST

START_TEST(limits_the_length_of_paths)
{
        char path[ARCHIVE_PATH_MAX + 1];

        memset(path, 'a', sizeof(path));
        ck_assert(archive_path_is_clean(path, ARCHIVE_PATH_MAX - 1));
        ck_assert(!archive_path_is_clean(path, ARCHIVE_PATH_MAX));
}
END_TEST

/* Refusing an entry costs the archive nothing. */
START_TEST(refuses_an_entry)
{
        _cleanup_(closep) int fd = memory_file();
        _cleanup_(archive_freep) struct archive *a = new_archive(_i, false, fd);

        ck_assert_int_eq(archive_begin(a, "../etc/passwd", 0), -EINVAL);
        ck_assert_int_eq(archive_add(a, "a", MTIME_USEC, "1", 1), 0);
        ck_assert_int_eq(archive_add(a, "a", MTIME_USEC, "2", 1), -EEXIST);
        ck_assert_int_eq(archive_begin(a, "/a", 0), -EINVAL);
        ck_assert_int_eq(archive_add(a, "b", MTIME_USEC, "3", 1), 0);
        ck_assert_int_eq(archive_finish(a), 0);
        must_be_listed(_i, fd, "1 a\n1 b\n", NULL);
}
END_TEST

START_TEST(remembers_very_many_paths)
{
        _cleanup_(closep) int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        _cleanup_(archive_freep) struct archive *a = new_archive(ARCHIVE_TAR_GZIP, true, fd);
        char path[32];

        for (int round = 0; round < 2; round++)
                for (int i = 0; i < 3000; i++) {
                        (void)snprintf(path, sizeof(path), "%d", i);
                        ck_assert_int_eq(archive_add(a, path, 0, "x", 1), round ? -EEXIST : 0);
                }
}
END_TEST

/* What was flushed can be read, and more can follow it, also of another archive. */
START_TEST(goes_on_behind_what_was_flushed)
{
        _cleanup_(closep) int fd = memory_file();
        struct archive_options options = {.format = _i, .fd = fd, .max_bytes = 250000};
        _cleanup_(archive_freep) struct archive *a = NULL;
        uint64_t n_good;

        ck_assert_int_eq(archive_new(&a, &options, NULL), 0);
        ck_assert_int_eq(archive_add(a, "one", MTIME_USEC, "1", 1), 0);
        ck_assert_int_eq(add_noise(a, "two", 200000), 0);
        ck_assert_int_eq(archive_add(a, "three", MTIME_USEC, "333", 3), 0);
        ck_assert_int_eq(archive_flush(a), 0);
        n_good = archive_written(a);
        ck_assert_int_eq(add_noise(a, "four", 40000), 0);
        ck_assert_int_eq(add_noise(a, "five", 200000), -EFBIG);
        archive_free(TAKE_PTR(a));

        ck_assert_int_eq(ftruncate(fd, (off_t)n_good), 0);
        ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)n_good);
        a = new_archive(_i, false, fd);
        ck_assert_int_eq(archive_add(a, "end", MTIME_USEC, "4444", 4), 0);
        ck_assert_int_eq(archive_finish(a), 0);
        must_be_listed(_i, fd, "1 one\n200000 two\n3 three\n4 end\n", NULL);
}
END_TEST

/* Given up in an entry, and between entries: nothing more is written. */
START_TEST(leaves_what_is_given_up)
{
        for (int in_entry = 0; in_entry < 2; in_entry++) {
                _cleanup_(closep) int fd = memory_file();
                _cleanup_(archive_freep) struct archive *a = new_archive(_i, false, fd);
                uint64_t size;

                ck_assert_int_eq(add_noise(a, "one", 200000), 0);
                if (in_entry) {
                        ck_assert_int_eq(archive_begin(a, "two", 0), 0);
                        ck_assert_int_eq(archive_append(a, "x", 1), 0);
                }
                size = size_of(fd);
                ck_assert_uint_eq(size, archive_written(a));
                archive_free(TAKE_PTR(a));
                ck_assert_uint_eq(size_of(fd), size);
        }
}
END_TEST

START_TEST(refuses_what_there_is_not)
{
        static const struct archive_options cases[] = {
                {.format = ARCHIVE_N_FORMATS},
                { .format = ARCHIVE_ZIP,           .fragment = true},
                { .format = ARCHIVE_ZIP,                .level = 10},
                { .format = ARCHIVE_ZIP,                .level = -1},
                { .format = ARCHIVE_TAR_GZIP,                .level = 10},
                { .format = ARCHIVE_TAR_ZSTD,                .level = 20}, /* windows that we refuse ourselves */
                { .format = ARCHIVE_TAR_ZSTD,                .level = -1},
        };
        struct archive *a = NULL;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct err e = {0};

                ck_assert_int_eq(archive_new(&a, &cases[i], &e), -EINVAL);
                ck_assert_str_ne(e.text, "");
        }
        ck_assert_ptr_null(a);
}
END_TEST

START_TEST(names_its_formats)
{
        enum archive_format f;

        for (enum archive_format i = 0; i < ARCHIVE_N_FORMATS; i++) {
                ck_assert_int_eq(archive_format_from_string(&f, archive_format_to_string(i)), 0);
                ck_assert_int_eq(f, i);
        }
        ck_assert_str_eq(archive_format_to_string(ARCHIVE_TAR_ZSTD), "tar.zst");
        ck_assert_str_eq(archive_format_to_string(ARCHIVE_N_FORMATS), "");
        ck_assert_int_eq(archive_format_from_string(&f, "tar.xz"), -EINVAL);
        ck_assert_int_eq(archive_format_from_string(&f, ""), -EINVAL);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("archive");
        TCase *tc = tcase_create("archive");

        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, is_opened_by_everybody, 0, ARCHIVE_N_FORMATS);
        tcase_add_loop_test(tc, is_an_archive_without_entries, 0, ARCHIVE_N_FORMATS);
        tcase_add_loop_test(tc, joins_fragments, 0, ARCHIVE_ZIP);
        tcase_add_test(tc, splices_into_whatever_it_is);
        tcase_add_test(tc, splices_into_a_pipe);
        tcase_add_loop_test(tc, stops_at_its_limit, 0, ARCHIVE_N_FORMATS);
        tcase_add_loop_test(tc, bounds_its_memory, 0, ARCHIVE_ZIP);
        tcase_add_loop_test(tc, leaves_free_space, 0, ARCHIVE_N_FORMATS);
        tcase_add_loop_test(tc, says_that_the_reader_has_gone, 0, ARCHIVE_N_FORMATS);
        tcase_add_loop_test(tc, says_that_the_disk_is_full, 0, ARCHIVE_N_FORMATS);
        tcase_add_loop_test(tc, knows_clean_paths, 0, ELEMENTSOF(paths));
        tcase_add_test(tc, limits_the_length_of_paths);
        tcase_add_loop_test(tc, refuses_an_entry, 0, ARCHIVE_N_FORMATS);
        tcase_add_test(tc, remembers_very_many_paths);
        tcase_add_loop_test(tc, goes_on_behind_what_was_flushed, 0, ARCHIVE_ZIP);
        tcase_add_loop_test(tc, leaves_what_is_given_up, 0, ARCHIVE_N_FORMATS);
        tcase_add_test(tc, refuses_what_there_is_not);
        tcase_add_test(tc, names_its_formats);
        suite_add_tcase(s, tc);
        return test_main(s);
}
