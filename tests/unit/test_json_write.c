/* It writes JSON that every reader takes for the same. */

#include <errno.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

static const struct {
        const char *in;
        size_t n;
        const char *want;
} strings[] = {
        {"",                                     0, "\"\""                                    },
        {"abc",                                  3, "\"abc\""                                 },
        {"a\0b",                                 3, "\"a\\u0000b\""                           },
        {"\"\\/",                                3, "\"\\\"\\\\/\""                           },
        {"\n\r\t\b\x1f\x7f",                     6, "\"\\n\\r\\t\\u0008\\u001f\\u007f\""      },
        {"<a&b>",                                5, "\"\\u003ca\\u0026b\\u003e\""             },
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\xe2\x80\xa8\xe2\x80\xa9",             6, "\"\\u2028\\u2029\""                      },
        {"a\xff"
         "b",                           3, "\"a\\ufffdb\""                           },
        {"\xc3",                                 1, "\"\\ufffd\""                             },
        {"\xc0\x80",                             2, "\"\\ufffd\\ufffd\""                      },
        {"\xed\xa0\x80",                         3, "\"\\ufffd\\ufffd\\ufffd\""               },
        {"\xe2\x82",                             2, "\"\\ufffd\\ufffd\""                      },
};

START_TEST(escapes_strings)
{
        _cleanup_(buf_done) struct buf b = {0};
        struct json_writer w = {.out = &b};

        jw_string_n(&w, strings[_i].in, strings[_i].n);
        ck_assert_str_eq(buf_cstr(&b), strings[_i].want);
}
END_TEST

static const struct {
        const char *bytes;
        size_t n, want;
} sequences[] = {
        {"",                 0, 0},
        {"\0",               1, 1},
        {"a",                1, 1},
        {"\x7f",             1, 1},
        {"\x80",             1, 0},
        {"\xc1\xbf",         2, 0},
        {"\xc2\x80",         2, 2},
        {"\xc2\x80",         1, 0},
        {"\xc2"
         "a",       2, 0},
        {"\xe0\x9f\xbf",     3, 0},
        {"\xe0\xa0\x80",     3, 3},
        {"\xed\x9f\xbf",     3, 3},
        {"\xed\xbf\xbf",     3, 0},
        {"\xee\x80\x80",     3, 3},
        {"\xf0\x8f\xbf\xbf", 4, 0},
        {"\xf0\x90\x80\x80", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"\xf4\x90\x80\x80", 4, 0},
        {"\xf5\x80\x80\x80", 4, 0},
        {"\xff",             1, 0},
};

START_TEST(knows_utf8)
{
        ck_assert_uint_eq(utf8_sequence(sequences[_i].bytes, sequences[_i].n), sequences[_i].want);
}
END_TEST

START_TEST(knows_what_a_terminal_obeys)
{
        static const struct {
                const char *bytes;
                size_t want;
        } cases[] = {
                {"a",            1},
                {"\n",           0},
                {"\x1b",         0},
                {"\x7f",         0},
                {"\xc2\x80",     0},
                {"\xc2\x9f",     0},
                {"\xc2\xa0",     2},
                {"\xc3\x80",     2},
                {"\xff",         0},
                {"\xe2\x82\xac", 3},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_uint_eq(utf8_harmless(cases[i].bytes, strlen(cases[i].bytes)),
                                  cases[i].want);
}
END_TEST

static const struct {
        uint64_t usec;
        const char *want;
} seconds[] = {
        {0,                 "0"                 },
        {999,               "0"                 },
        {1000,              "0.001"             },
        {1500000,           "1.5"               },
        {1050000,           "1.05"              },
        {20 * USEC_PER_SEC, "20"                },
        {USEC_INFINITY,     "18446744073709.551"},
};

START_TEST(writes_seconds)
{
        _cleanup_(buf_done) struct buf b = {0};
        struct json_writer w = {.out = &b};

        jw_seconds(&w, seconds[_i].usec);
        ck_assert_str_eq(buf_cstr(&b), seconds[_i].want);
}
END_TEST

START_TEST(puts_commas_where_they_belong)
{
        _cleanup_(buf_done) struct buf b = {0};
        struct json_writer w = {.out = &b};

        jw_begin_object(&w);
        jw_member_string(&w, "s", "x");
        jw_member_string(&w, "null", NULL);
        jw_member_string_or_null(&w, "empty", "");
        jw_member_string_or_null(&w, "full", "y");
        jw_member_uint(&w, "u", UINT64_MAX);
        jw_member_bool(&w, "b", true);
        jw_member_time(&w, "never", 0);
        jw_member_time(&w, "then", USEC_PER_SEC);
        jw_key(&w, "a");
        jw_begin_array(&w);
        jw_begin_object(&w);
        jw_end_object(&w);
        jw_begin_array(&w);
        jw_end_array(&w);
        jw_int(&w, INT64_MIN);
        jw_bool(&w, false);
        jw_null(&w);
        jw_end_array(&w);
        jw_end_object(&w);
        ck_assert_uint_eq(w.depth, 0);
        ck_assert_str_eq(buf_cstr(&b), "{\"s\":\"x\",\"null\":\"\",\"empty\":null,\"full\":\"y\","
                                       "\"u\":18446744073709551615,\"b\":true,\"never\":null,"
                                       "\"then\":\"1970-01-01T00:00:01.000Z\","
                                       "\"a\":[{},[],-9223372036854775808,false,null]}");
}
END_TEST

START_TEST(leaves_errors_to_the_buffer)
{
        _cleanup_(buf_done) struct buf b = {.max = 5};
        struct json_writer w = {.out = &b};

        jw_begin_array(&w);
        jw_string(&w, "too long");
        jw_end_array(&w);
        ck_assert_int_eq(b.error, -E2BIG);
        ck_assert_str_eq(buf_cstr(&b), "");
}
END_TEST

int main(void)
{
        Suite *s = suite_create("json_write");
        TCase *tc = tcase_create("values");

        tcase_add_loop_test(tc, escapes_strings, 0, ELEMENTSOF(strings));
        tcase_add_loop_test(tc, knows_utf8, 0, ELEMENTSOF(sequences));
        tcase_add_test(tc, knows_what_a_terminal_obeys);
        tcase_add_loop_test(tc, writes_seconds, 0, ELEMENTSOF(seconds));
        tcase_add_test(tc, puts_commas_where_they_belong);
        tcase_add_test(tc, leaves_errors_to_the_buffer);
        suite_add_tcase(s, tc);
        return test_main(s);
}
