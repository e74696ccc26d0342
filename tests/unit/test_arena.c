/* It hands out memory that ends together. */

#include "base/arena.h"
#include "tests/unit/test_main.h"

START_TEST(aligns_and_zeroes)
{
        static const size_t sizes[] = {1, 3, 16, 17, 4000, 4096, 5000, 100000, 0, 1};
        static const unsigned char zeros[100000];
        _cleanup_(arena_done) struct arena a = {0};

        for (unsigned round = 0; round < 50; round++)
                for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                        unsigned char *p = arena_alloc(&a, sizes[i]);

                        ck_assert_ptr_nonnull(p);
                        ck_assert_uint_eq((uintptr_t)p % _Alignof(max_align_t), 0);
                        ck_assert_mem_eq(p, zeros, sizes[i]);
                        memset(p, 0xff, sizes[i]);
                }
        ck_assert(!a.failed);
        ck_assert_uint_ge(a.n_bytes, 5656750);
}
END_TEST

START_TEST(remembers_failure)
{
        _cleanup_(arena_done) struct arena a = {0};

        ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX));
        ck_assert(a.failed);
        ck_assert_ptr_nonnull(arena_alloc(&a, 1));
        ck_assert(a.failed);
        arena_done(&a);
        ck_assert(!a.failed);
}
END_TEST

START_TEST(copies_strings)
{
        _cleanup_(arena_done) struct arena a = {0};
        char text[] = "abc";
        const char *copy = arena_strdup(&a, text);

        text[0] = 'x';
        ck_assert_str_eq(copy, "abc");
        ck_assert_str_eq(arena_strndup(&a, "abcdef", 3), "abc");
        ck_assert_str_eq(arena_strndup(&a, "abc", 9), "abc");
        ck_assert_str_eq(arena_strndup(&a, "abc", 0), "");
        ck_assert_str_eq(arena_strdup(&a, NULL), "");
        ck_assert_str_eq(arena_strdup(&a, ""), "");
        ck_assert_str_eq(arena_printf(&a, "%s-%d", "n", 7), "n-7");
        ck_assert_str_eq(arena_printf(&a, "%s", ""), "");
        ck_assert(!a.failed);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("arena");
        TCase *tc = tcase_create("memory");

        tcase_add_test(tc, aligns_and_zeroes);
        tcase_add_test(tc, remembers_failure);
        tcase_add_test(tc, copies_strings);
        suite_add_tcase(s, tc);
        return test_main(s);
}
