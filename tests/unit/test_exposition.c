/* It writes families and samples as Prometheus reads them. */

#include "api/exposition.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

/* clang-format off */
static const struct {
        const char *value, *want;
} values[] = {
        {"",                            "x{l=\"\"} 1\n"},
        {"a.service",                   "x{l=\"a.service\"} 1\n"},
        {"dev-\\x2d.mount",             "x{l=\"dev-\\\\x2d.mount\"} 1\n"},
        {"say \"hi\"",                  "x{l=\"say \\\"hi\\\"\"} 1\n"},
        {"two\nlines",                  "x{l=\"two\\nlines\"} 1\n"},
        {"\\n",                         "x{l=\"\\\\n\"} 1\n"},
        {"\"} 7\nother{l=\"",           "x{l=\"\\\"} 7\\nother{l=\\\"\"} 1\n"},
        {"\\",                          "x{l=\"\\\\\"} 1\n"},
        {"{},= #",                      "x{l=\"{},= #\"} 1\n"},
        {"\t\r",                        "x{l=\"\t\r\"} 1\n"},
        {"Größe 😀",                    "x{l=\"Größe 😀\"} 1\n"},
        {"\xff" "a\xc3",                "x{l=\"\xef\xbf\xbd" "a\xef\xbf\xbd\"} 1\n"},
        {"\xed\xa0\x80",                "x{l=\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"} 1\n"},
};

static const struct {
        uint64_t usec;
        const char *want;
} times[] = {
        {0,                         "x 0.000000\n"},
        {1,                         "x 0.000001\n"},
        {1500 * USEC_PER_MSEC,      "x 1.500000\n"},
        {UINT64_C(1795219447123456), "x 1795219447.123456\n"},
        {USEC_INFINITY,             "x +Inf\n"},
};
/* clang-format on */

START_TEST(escapes_values_of_labels)
{
        const struct exposition_label labels[] = {
                {"l", values[_i].value},
                {0  }
        };
        _cleanup_(buf_done) struct buf b = {0};

        exposition_uint(&b, "x", labels, 1);
        ck_assert_str_eq(buf_cstr(&b), values[_i].want);
}
END_TEST

START_TEST(writes_seconds)
{
        _cleanup_(buf_done) struct buf b = {0};

        exposition_seconds(&b, "x", NULL, times[_i].usec);
        ck_assert_str_eq(buf_cstr(&b), times[_i].want);
}
END_TEST

START_TEST(writes_families)
{
        const struct exposition_label none[] =
                {
                        {0}
        },
                                      two[] = {{"a", "1"}, {"b", "2"}, {0}};
        _cleanup_(buf_done) struct buf b = {0};

        exposition_family(&b, "x_total", "counter", "How many, it says.");
        exposition_uint(&b, "x_total", none, UINT64_MAX);
        exposition_seconds(&b, "x_total", two, 2 * USEC_PER_SEC);
        ck_assert_str_eq(buf_cstr(&b), "# HELP x_total How many, it says.\n"
                                       "# TYPE x_total counter\n"
                                       "x_total 18446744073709551615\n"
                                       "x_total{a=\"1\",b=\"2\"} 2.000000\n");
}
END_TEST

int main(void)
{
        Suite *s = suite_create("exposition");
        TCase *tc = tcase_create("exposition");

        tcase_add_loop_test(tc, escapes_values_of_labels, 0, ELEMENTSOF(values));
        tcase_add_loop_test(tc, writes_seconds, 0, ELEMENTSOF(times));
        tcase_add_test(tc, writes_families);
        suite_add_tcase(s, tc);
        return test_main(s);
}
