/* It reads whole small files and replaces them. */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "tests/unit/test_main.h"

static char dir[] = "/tmp/test_fs.XXXXXX";

static void make_dir(void)
{
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(chdir(dir), 0);
}

static void remove_dir(void)
{
        char command[sizeof(dir) + 16];

        (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(system(command), 0);
}

static const struct {
        const char *bytes;
        size_t n, n_max;
        int r;
} contents[] = {
        {"",     0, 1, 0     },
        {"abc",  3, 3, 0     },
        {"a\0b", 3, 9, 0     },
        {"abcd", 4, 3, -E2BIG},
};

START_TEST(reads_what_it_wrote)
{
        _cleanup_(freep) char *data = NULL;
        struct err e = {0};
        size_t n = 99;

        ck_assert_int_eq(fs_replace("f", contents[_i].bytes, contents[_i].n, 0600, &e), 0);
        ck_assert_int_eq(fs_read("f", contents[_i].n_max, &data, &n, &e), contents[_i].r);
        if (contents[_i].r < 0) {
                ck_assert_str_eq(e.text, "f is larger than 3 bytes");
                ck_assert_ptr_null(data);
                ck_assert_uint_eq(n, 99);
                return;
        }
        ck_assert_uint_eq(n, contents[_i].n);
        ck_assert_mem_eq(data, contents[_i].bytes, n + 1);
}
END_TEST

START_TEST(reads_files_without_a_size)
{
        _cleanup_(freep) char *data = NULL;
        size_t n = 0;

        ck_assert_int_eq(fs_read("/proc/self/stat", 4096, &data, &n, NULL), 0);
        ck_assert_uint_gt(n, 0);
        ck_assert_uint_eq(strlen(data), n);
}
END_TEST

START_TEST(refuses_what_is_no_file)
{
        static const char *const paths[] = {"fifo", "/dev/zero", ".", "link"};
        struct err e = {0};
        char *data = NULL;
        size_t n;

        ck_assert_int_eq(mkfifo("fifo", 0600), 0);
        ck_assert_int_eq(symlink("fifo", "link"), 0);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                ck_assert_int_eq(fs_read(paths[i], 9, &data, &n, &e), -EINVAL);
                ck_assert_ptr_nonnull(strstr(e.text, "is not a regular file"));
        }
        ck_assert_int_eq(fs_read("none", 9, &data, &n, &e), -ENOENT);
        ck_assert_str_eq(e.text, "cannot open none: No such file or directory");
}
END_TEST

START_TEST(replaces_with_the_mode_it_is_told)
{
        _cleanup_(freep) char *data = NULL;
        struct stat st;
        size_t n;

        (void)umask(077);
        ck_assert_int_eq(fs_replace("f", "old", 3, 0600, NULL), 0);
        ck_assert_int_eq(fs_replace("f", "new!", 4, 0644, NULL), 0);
        ck_assert_int_eq(stat("f", &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0644);
        ck_assert_int_eq(fs_read("f", 9, &data, &n, NULL), 0);
        ck_assert_str_eq(data, "new!");
}
END_TEST

START_TEST(removes)
{
        struct err e = {0};

        ck_assert_int_eq(fs_replace("f", "x", 1, 0600, &e), 0);
        ck_assert_int_eq(fs_remove("f", &e), 0);
        ck_assert_int_lt(access("f", F_OK), 0);
        ck_assert_int_eq(fs_remove("f", &e), 0);
        ck_assert_int_eq(mkdir("d", 0700), 0);
        ck_assert_int_eq(fs_remove("d", &e), -EISDIR);
        ck_assert_str_eq(e.text, "cannot remove d: Is a directory");
        ck_assert_int_eq(rmdir("d"), 0);
}
END_TEST

START_TEST(leaves_no_temporary_behind)
{
        struct err e = {0};

        ck_assert_int_eq(mkdir("d", 0700), 0);
        ck_assert_int_eq(fs_replace("d", "x", 1, 0600, &e), -EISDIR);
        ck_assert_str_eq(e.text, "cannot write d: Is a directory");
        ck_assert_int_eq(fs_replace("none/f", "x", 1, 0600, &e), -ENOENT);
        ck_assert_int_eq(rmdir("d"), 0);
        ck_assert_int_eq(rmdir(dir), 0); /* only an empty one can go */
        ck_assert_int_eq(mkdir(dir, 0700), 0);
        ck_assert_int_eq(chdir(dir), 0);
}
END_TEST

START_TEST(takes_absolute_paths)
{
        char path[sizeof(dir) + 8];

        (void)snprintf(path, sizeof(path), "%s/f", dir);
        ck_assert_int_eq(fs_replace(path, "x", 1, 0600, NULL), 0);
        ck_assert_int_eq(access("f", F_OK), 0);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("fs");
        TCase *tc = tcase_create("files");

        tcase_add_checked_fixture(tc, make_dir, remove_dir);
        tcase_add_loop_test(tc, reads_what_it_wrote, 0, ELEMENTSOF(contents));
        tcase_add_test(tc, reads_files_without_a_size);
        tcase_add_test(tc, refuses_what_is_no_file);
        tcase_add_test(tc, replaces_with_the_mode_it_is_told);
        tcase_add_test(tc, removes);
        tcase_add_test(tc, leaves_no_temporary_behind);
        tcase_add_test(tc, takes_absolute_paths);
        suite_add_tcase(s, tc);
        return test_main(s);
}
