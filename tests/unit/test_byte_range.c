/* It reads ranges and dates as HTTP has them, and what is not one as nothing. */

#include "api/byte_range.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

/* clang-format off */
static const struct {
        const char *header;
        uint64_t size;
        enum byte_range want;
        uint64_t from, n;
} ranges[] = {
        {"bytes=0-499", 1000, BYTE_RANGE_PART, 0, 500},
        {"bytes=500-999", 1000, BYTE_RANGE_PART, 500, 500},
        {"bytes=500-9999", 1000, BYTE_RANGE_PART, 500, 500},
        {"bytes=500-", 1000, BYTE_RANGE_PART, 500, 500},
        {"bytes=999-999", 1000, BYTE_RANGE_PART, 999, 1},
        {"BYTES= 0-0 ", 1000, BYTE_RANGE_PART, 0, 1},
        {"bytes=-1", 1000, BYTE_RANGE_PART, 999, 1},
        {"bytes=-5000", 1000, BYTE_RANGE_PART, 0, 1000},
        {"bytes=0-18446744073709551615", 1000, BYTE_RANGE_PART, 0, 1000},
        {"bytes=0-99999999999999999999999", 1000, BYTE_RANGE_PART, 0, 1000},
        {"bytes=-99999999999999999999999", 1000, BYTE_RANGE_PART, 0, 1000},
        {"bytes=1000-", 1000, BYTE_RANGE_BEYOND, 0, 0},
        {"bytes=99999999999999999999999-", 1000, BYTE_RANGE_BEYOND, 0, 0},
        {"bytes=-0", 1000, BYTE_RANGE_BEYOND, 0, 0},
        {"bytes=0-", 0, BYTE_RANGE_BEYOND, 0, 0},
        {"bytes=-5", 0, BYTE_RANGE_BEYOND, 0, 0},
        {"bytes=5-4", 1000, BYTE_RANGE_NONE, 0, 0},
        {"bytes=0-1,5-6", 1000, BYTE_RANGE_NONE, 0, 0},
        {"bytes=0-1, bytes=5-6", 1000, BYTE_RANGE_NONE, 0, 0},
        {"bytes=-1,5-6", 1000, BYTE_RANGE_NONE, 0, 0},
        {"bytes=", 1000, BYTE_RANGE_NONE, 0, 0},
        {"bytes=-", 1000, BYTE_RANGE_NONE, 0, 0},
        {"bytes=+1-2", 1000, BYTE_RANGE_NONE, 0, 0},
        {"bytes=1--2", 1000, BYTE_RANGE_NONE, 0, 0},
        {"bytes=1-2x", 1000, BYTE_RANGE_NONE, 0, 0},
        {"lines=1-2", 1000, BYTE_RANGE_NONE, 0, 0},
        {"", 1000, BYTE_RANGE_NONE, 0, 0},
        {NULL, 1000, BYTE_RANGE_NONE, 0, 0},
};

static const struct {
        const char *text;
        uint64_t seconds; /* 0: it is none */
} dates[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Sat, 21 Nov 2026 21:25:52 GMT", 1795296352},
        {"Friday, 01-Jan-27 00:00:00 GMT", 1798761600},
        {"Sun, 06 Nov 1994 08:49:37 CET", 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT, and more", 0},
        {"Sun, 06 Nov 1994 24:49:37 GMT", 0},
        {"Sun, 36 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1969 08:49:37 GMT", 0},
        {"Sun, -6 Nov 1994 08:49:37 GMT", 0},
        {"784111777", 0},
        {"", 0},
};
/* clang-format on */

START_TEST(reads_ranges)
{
        uint64_t from = 0, n = 0;

        ck_assert_msg(byte_range_read(ranges[_i].header, ranges[_i].size, &from, &n) ==
                              ranges[_i].want,
                      "%s", ranges[_i].header);
        ck_assert_uint_eq(from, ranges[_i].from);
        ck_assert_uint_eq(n, ranges[_i].n);
}
END_TEST

START_TEST(reads_dates)
{
        uint64_t usec = 0;
        int k = http_date_parse(&usec, dates[_i].text);

        ck_assert_msg((k == 0) == (dates[_i].seconds > 0), "%s", dates[_i].text);
        ck_assert_uint_eq(usec, dates[_i].seconds * USEC_PER_SEC);
}
END_TEST

START_TEST(writes_dates)
{
        char buf[HTTP_DATE_MAX];

        ck_assert_str_eq(http_date_format(buf, 784111777 * USEC_PER_SEC + 999999), dates[0].text);
        ck_assert_str_eq(http_date_format(buf, UINT64_MAX), "");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("byte_range");
        TCase *tc = tcase_create("byte_range");

        tcase_add_loop_test(tc, reads_ranges, 0, ELEMENTSOF(ranges));
        tcase_add_loop_test(tc, reads_dates, 0, ELEMENTSOF(dates));
        tcase_add_test(tc, writes_dates);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
