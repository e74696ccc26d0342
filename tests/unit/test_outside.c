/* It knows where other machines reach this node, and when they do not. */

#include <stdio.h>

#include "agentd/outside.h"
#include "base/buf.h"
#include "tests/unit/test_main.h"

#define LISTENS_MAX 4

/* clang-format off */
static const struct {
        const char *own;
        const char *listens[LISTENS_MAX]; /* "+" in front: for IPv4, too */
        const char *want;                 /* "ADDRESS PORT: ALL OF THEM" */
} cases[] = {
        {"10.0.0.5", {NULL}, "none"},
        {"10.0.0.5", {"127.0.0.1:1050", "[::1]:1050", "unix:/run/x"}, "none"},
        {"10.0.0.5", {"0.0.0.0:1050"}, "10.0.0.5 1050: 10.0.0.5"},
        {"10.0.0.5", {"10.0.0.5:1050"}, "10.0.0.5 1050: 10.0.0.5"},
        {"10.0.0.5", {"127.0.0.1:1051", "10.0.0.5:1052"}, "10.0.0.5 1052: 10.0.0.5"},
        {"10.0.0.5", {"192.168.1.5:80"}, "192.168.1.5 80: 192.168.1.5"},
        {"10.0.0.5", {"192.168.1.5:80", "10.0.0.5:81"}, "10.0.0.5 81: 192.168.1.5 10.0.0.5"},
        {"10.0.0.5", {"192.168.1.5:80", "192.168.1.6:81"}, "192.168.1.5 80: 192.168.1.5 192.168.1.6"},
        {"10.0.0.5", {"10.0.0.5:80", "0.0.0.0:81"}, "10.0.0.5 80: 10.0.0.5"},
        {"10.0.0.5", {"[::]:1050"}, "none"},
        {"10.0.0.5", {"+[::]:1050"}, "10.0.0.5 1050: 10.0.0.5"},
        {"10.0.0.5", {"[2001:db8::5]:1050"}, "2001:db8::5 1050: 2001:db8::5"},
        {"10.0.0.5", {"[fe80::5]:1050"}, "none"},
        {"2001:db8::5", {"[::]:1050"}, "2001:db8::5 1050: 2001:db8::5"},
        {"2001:db8::5", {"0.0.0.0:1050"}, "none"},
        {"2001:0DB8:0::5", {"[2001:db8::5]:1050"}, "2001:0DB8:0::5 1050: 2001:0DB8:0::5"},
        {"", {"0.0.0.0:1050"}, "none"},
        {"", {"+[::]:1050"}, "none"},
        {"", {"10.0.0.5:1050"}, "10.0.0.5 1050: 10.0.0.5"},
};
/* clang-format on */

START_TEST(knows_where_it_is_reached)
{
        _cleanup_(buf_done) struct buf said = {0};
        struct outside o;

        outside_begin(&o, cases[_i].own);
        for (size_t i = 0; i < LISTENS_MAX && cases[_i].listens[i]; i++) {
                bool both = *cases[_i].listens[i] == '+';
                struct sock_address a;

                ck_assert_int_eq(parse_listen(cases[_i].listens[i] + both, &a), 0);
                outside_add(&o, &a, both);
        }
        if (*o.address)
                buf_printf(&said, "%s %u:", o.address, o.port);
        else
                buf_puts(&said, "none");
        for (size_t i = 0; i < o.n_addresses; i++)
                buf_printf(&said, " %s", o.addresses[i]);
        ck_assert_str_eq(buf_cstr(&said), cases[_i].want);
}
END_TEST

START_TEST(keeps_no_more_than_fit)
{
        struct sock_address a;
        struct outside o;

        outside_begin(&o, "");
        for (unsigned i = 0; i < 2 * OUTSIDE_ADDRESSES_MAX; i++) {
                char text[SOCK_ADDRESS_MAX];

                (void)snprintf(text, sizeof(text), "10.0.0.%u:%u", i, 1000 + i);
                ck_assert_int_eq(parse_listen(text, &a), 0);
                outside_add(&o, &a, false);
        }
        ck_assert_uint_eq(o.n_addresses, OUTSIDE_ADDRESSES_MAX);
        ck_assert_str_eq(o.address, "10.0.0.0");
        ck_assert_uint_eq(o.port, 1000);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("outside");
        TCase *t = tcase_create("outside");

        tcase_add_loop_test(t, knows_where_it_is_reached, 0, ELEMENTSOF(cases));
        tcase_add_test(t, keeps_no_more_than_fit);
        suite_add_tcase(suite, t);
        return test_main(suite);
}
