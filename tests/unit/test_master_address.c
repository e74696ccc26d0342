/* It takes addresses and names as people write them, and nothing that means anything else in a URL. */

#include <errno.h>

#include "agentd/master_address.h"
#include "tests/unit/test_main.h"

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define LONGEST HUNDRED HUNDRED TEN TEN TEN TEN TEN ".com-"

/* clang-format off */
static const struct {
        const char *text, *want; /* NULL: it is refused */
        bool local;
} cases[] = {
        {"10.0.0.1", "10.0.0.1:1050", false},
        {"10.0.0.1:80", "10.0.0.1:80", false},
        {"10.0.0.1:65535", "10.0.0.1:65535", false},
        {"2001:db8::1", "[2001:db8::1]:1050", false},
        {"[2001:db8::1]", "[2001:db8::1]:1050", false},
        {"[2001:db8::1]:80", "[2001:db8::1]:80", false},
        {"::1", "[::1]:1050", true},
        {"127.0.0.1:1", "127.0.0.1:1", true},
        {"127.9.9.9", "127.9.9.9:1050", true},
        {"localhost", "localhost:1050", true},
        {"LocalHost", "LocalHost:1050", true},
        {"localhost.example.com", "localhost.example.com:1050", false},
        {"master.mesos", "master.mesos:1050", false},
        {"m-1_a.Example.com:1050", "m-1_a.Example.com:1050", false},
        {"1a", "1a:1050", false},
        {LONGEST, LONGEST ":1050", false},
        {LONGEST "x", NULL, false},
        {"", NULL, false},
        {":80", NULL, false},
        {"a:", NULL, false},
        {"a:0", NULL, false},
        {"a:65536", NULL, false},
        {"a:+1", NULL, false},
        {"a: 1", NULL, false},
        {"a:1:1", NULL, false},
        {"a:http", NULL, false},
        {"a b", NULL, false},
        {"a/b", NULL, false},
        {"a?b", NULL, false},
        {"a#b", NULL, false},
        {"u@a", NULL, false},
        {"a%62", NULL, false},
        {"http://a", NULL, false},
        {"-a", NULL, false},
        {".a", NULL, false},
        {"ä", NULL, false},
        {"10.0.0", NULL, false},
        {"10.0.0.256", NULL, false},
        {"[10.0.0.1]", NULL, false},
        {"[a]", NULL, false},
        {"[::1", NULL, false},
        {"[::1]80", NULL, false},
        {"[::1]:", NULL, false},
        {"[]", NULL, false},
        {"fe80::1%eth0", NULL, false},
        {"2001:db8::1:99999", NULL, false},
};
/* clang-format on */

START_TEST(takes_what_can_be_asked)
{
        struct master_address m = {.host = "untouched"}, again;
        char text[MASTER_ADDRESS_MAX];
        int k = master_address_parse(&m, cases[_i].text, MASTER_PORT);

        ck_assert_msg(k == (cases[_i].want ? 0 : -EINVAL), "%s", cases[_i].text);
        if (k < 0) {
                ck_assert_str_eq(m.host, "untouched");
                return;
        }
        ck_assert_str_eq(master_address_format(text, &m), cases[_i].want);
        ck_assert_int_eq(master_address_is_local(&m), cases[_i].local);
        ck_assert_int_eq(master_address_parse(&again, text, 7), 0);
        ck_assert(master_address_equal(&m, &again));
        again.port++;
        ck_assert(!master_address_equal(&m, &again));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("master_address");
        TCase *t = tcase_create("master_address");

        tcase_add_loop_test(t, takes_what_can_be_asked, 0, ELEMENTSOF(cases));
        suite_add_tcase(suite, t);
        return test_main(suite);
}
