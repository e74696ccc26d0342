/* It grows, stops at its ceiling, and remembers its first failure. */

#include <errno.h>

#include "base/buf.h"
#include "tests/unit/test_main.h"

START_TEST(is_empty_before_anything)
{
        _cleanup_(buf_done) struct buf b = {0};
        size_t n = 9;
        char *data;

        ck_assert_str_eq(buf_cstr(&b), "");
        buf_drop_front(&b, 0);
        buf_clear(&b);
        data = buf_take(&b, &n);
        ck_assert_str_eq(data, "");
        ck_assert_uint_eq(n, 0);
        free(data);
}
END_TEST

START_TEST(appends_in_order)
{
        _cleanup_(buf_done) struct buf b = {0};

        buf_append(&b, "a\0b", 3);
        buf_putc(&b, 'c');
        buf_puts(&b, "de");
        buf_printf(&b, "%d-%s", 12, "x");
        ck_assert_uint_eq(b.n, 10);
        ck_assert_mem_eq(b.data, "a\0bcde12-x", 11);
}
END_TEST

START_TEST(grows_over_many_sizes)
{
        _cleanup_(buf_done) struct buf b = {0};

        for (unsigned i = 0; i < 1000; i++)
                buf_printf(&b, "%*u", (int)(i % 70), i);
        ck_assert_int_eq(b.error, 0);
        ck_assert_uint_eq(b.n, strlen(b.data));
        ck_assert_uint_lt(b.n, b.n_alloc);
}
END_TEST

/* Exactly the ceiling, and one byte more. */
START_TEST(stops_at_its_ceiling)
{
        _cleanup_(buf_done) struct buf b = {.max = 4};

        buf_puts(&b, "abc");
        buf_puts(&b, _i ? "de" : "d");
        buf_puts(&b, "");
        ck_assert_int_eq(b.error, _i ? -E2BIG : 0);
        ck_assert_str_eq(buf_cstr(&b), _i ? "" : "abcd");
        buf_printf(&b, "%d", 7);
        ck_assert_int_eq(b.error, -E2BIG);
        ck_assert_uint_eq(b.n, _i ? 3 : 4);
        ck_assert_ptr_null(buf_take(&b, NULL));
        buf_clear(&b);
        buf_puts(&b, "abcd");
        ck_assert_str_eq(buf_cstr(&b), "abcd");
}
END_TEST

START_TEST(refuses_sizes_beyond_memory)
{
        _cleanup_(buf_done) struct buf b = {0};

        buf_append(&b, "", SIZE_MAX);
        ck_assert_int_eq(b.error, -E2BIG);
}
END_TEST

START_TEST(drops_the_oldest)
{
        _cleanup_(buf_done) struct buf b = {0};

        buf_puts(&b, "abcdef");
        buf_drop_front(&b, 2);
        ck_assert_str_eq(buf_cstr(&b), "cdef");
        buf_drop_front(&b, 4);
        ck_assert_str_eq(buf_cstr(&b), "");
        buf_puts(&b, "x");
        ck_assert_str_eq(buf_cstr(&b), "x");
}
END_TEST

START_TEST(gives_its_bytes_away)
{
        _cleanup_(buf_done) struct buf b = {.max = 9};
        _cleanup_(freep) char *data = NULL;
        size_t n;

        buf_puts(&b, "abc");
        data = buf_take(&b, &n);
        ck_assert_str_eq(data, "abc");
        ck_assert_uint_eq(n, 3);
        ck_assert_uint_eq(b.n, 0);
        ck_assert_uint_eq(b.max, 9);
        ck_assert_ptr_null(b.data);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("buf");
        TCase *tc = tcase_create("bytes");

        tcase_add_test(tc, is_empty_before_anything);
        tcase_add_test(tc, appends_in_order);
        tcase_add_test(tc, grows_over_many_sizes);
        tcase_add_loop_test(tc, stops_at_its_ceiling, 0, 2);
        tcase_add_test(tc, refuses_sizes_beyond_memory);
        tcase_add_test(tc, drops_the_oldest);
        tcase_add_test(tc, gives_its_bytes_away);
        suite_add_tcase(s, tc);
        return test_main(s);
}
