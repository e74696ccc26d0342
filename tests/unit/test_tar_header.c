/* It writes headers as POSIX has them, and reads no others. */

#include <errno.h>
#include <stdio.h>

#include "bundles/tar_header.h"
#include "tests/unit/test_main.h"

#define TEN "0123456789"
#define N93 TEN TEN TEN TEN TEN TEN TEN TEN TEN "123"

static const struct {
        const char *path;
        uint64_t size, mtime_sec;
        const char *name;    /* in the header of the file */
        const char *records; /* NULL: no extended header */
} cases[] = {
        {"p/a",             0,                0,            "p/a",                                               NULL                                      },
        {"p/a",             TAR_SIZE_MAX,     TAR_SIZE_MAX, "p/a",                                               NULL                                      },
        {"p/123"
         "4/" N93,
         1,                                   2,            "p/1234/" N93,                                       NULL                                      },
        {"p/12345/" N93,    1,                2,            "p/12345/" TEN TEN TEN TEN TEN TEN TEN TEN TEN "12",
         "111 path=p/12345/" N93 "\n"                                                                                                                      },
        {"p/\xc3\xa9",      1,                2,            "p/__",                                              "13 path=p/\xc3\xa9\n"                    },
        {"p/1234" N93 "/x", 1,                2,            "p/1234" N93 "_",                                    "111 path=p/1234" N93 "/x\n"              },
        {"p/a",             TAR_SIZE_MAX + 1, 2,            "p/a",                                               "19 size=8589934592\n"                    },
        {"p/\xc3\xa9",      TAR_SIZE_MAX + 1, 2,            "p/__",                                              "13 path=p/\xc3\xa9\n19 size=8589934592\n"},
};

static void reads_it_again(const char *header, size_t n, size_t i)
{
        struct tar_header h, records = {0};
        const char *why = "";

        ck_assert_msg(tar_header_read(&h, header, &why) == 0, "%s", why);
        ck_assert_int_eq(h.extended, n > TAR_BLOCK);
        if (h.extended) {
                const char *data = header + TAR_BLOCK;

                if (cases[i].records)
                        ck_assert_mem_eq(data, cases[i].records, strlen(cases[i].records));
                ck_assert_msg(tar_records_read(&records, data, h.size, &why) == 0, "%s", why);
                ck_assert_uint_eq(n, 2 * TAR_BLOCK + h.size + tar_padding(h.size));
                ck_assert_int_eq(tar_header_read(&h, header + n - TAR_BLOCK, &why), 0);
        }
        ck_assert_str_eq(h.path, cases[i].name);
        ck_assert_msg(tar_header_apply(&h, &records, &why) == 0, "%s", why);
        ck_assert_str_eq(h.path, cases[i].path);
        ck_assert_uint_eq(h.size, cases[i].size);
        ck_assert_uint_eq(h.mtime_sec, cases[i].mtime_sec);
}

START_TEST(writes_and_reads)
{
        char header[TAR_HEADERS_MAX];
        size_t n = tar_header_write(header, cases[_i].path, cases[_i].size, cases[_i].mtime_sec);

        ck_assert_uint_eq(n % TAR_BLOCK, 0);
        ck_assert_int_eq(n > TAR_BLOCK, strlen(cases[_i].path) > 100 || cases[_i].records);
        reads_it_again(header, n, (size_t)_i);
}
END_TEST

/* The digits of a record's length count themselves: every length around where they become one more. */
START_TEST(counts_records_of_any_length)
{
        for (size_t n = 101; n < ARCHIVE_PATH_MAX; n++) {
                char path[ARCHIVE_PATH_MAX], header[TAR_HEADERS_MAX];
                struct tar_header h, records;
                const char *why = "";

                memset(path, 'a', n);
                path[n] = '\0';
                ck_assert_uint_gt(tar_header_write(header, path, UINT64_C(1) << 60, 1), TAR_BLOCK);
                ck_assert_int_eq(tar_header_read(&h, header, &why), 0);
                ck_assert_msg(tar_records_read(&records, header + TAR_BLOCK, h.size, &why) == 0,
                              "%zu: %s", n, why);
                ck_assert_str_eq(records.path, path);
                ck_assert_uint_eq(records.size, UINT64_C(1) << 60);
        }
}
END_TEST

START_TEST(cuts_times_that_do_not_fit)
{
        char header[TAR_HEADERS_MAX];
        struct tar_header h;
        const char *why = "";

        ck_assert_uint_eq(tar_header_write(header, "a", 0, UINT64_MAX), TAR_BLOCK);
        ck_assert_int_eq(tar_header_read(&h, header, &why), 0);
        ck_assert_uint_eq(h.mtime_sec, TAR_SIZE_MAX);
}
END_TEST

START_TEST(pads_to_blocks)
{
        ck_assert_uint_eq(tar_padding(0), 0);
        ck_assert_uint_eq(tar_padding(1), 511);
        ck_assert_uint_eq(tar_padding(512), 0);
        ck_assert_uint_eq(tar_padding(513), 511);
        ck_assert_uint_eq(tar_padding(UINT64_MAX), 1);
}
END_TEST

/* Any one byte of a header changed: it is refused, for the checksum if for nothing else. */
START_TEST(notices_every_changed_byte)
{
        char header[TAR_HEADERS_MAX];
        struct tar_header h;
        const char *why;

        ck_assert_uint_eq(tar_header_write(header, "p/a", 5, 7), TAR_BLOCK);
        for (size_t i = 0; i < TAR_BLOCK; i++) {
                header[i] ^= 1;
                ck_assert_int_eq(tar_header_read(&h, header, &why), -EBADMSG);
                header[i] ^= 1;
        }
        ck_assert_int_eq(tar_header_read(&h, header, &why), 0);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("tar_header");
        TCase *tc = tcase_create("tar_header");

        tcase_add_loop_test(tc, writes_and_reads, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, counts_records_of_any_length);
        tcase_add_test(tc, cuts_times_that_do_not_fit);
        tcase_add_test(tc, pads_to_blocks);
        tcase_add_test(tc, notices_every_changed_byte);
        suite_add_tcase(s, tc);
        return test_main(s);
}
