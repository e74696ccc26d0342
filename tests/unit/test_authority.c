/* It lets the machine itself ask, and the networks that were configured. */

#include <arpa/inet.h>

#include "api/authority.h"
#include "tests/unit/test_main.h"

static const char *const networks[] = {"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"};

static const struct {
        const char *peer;
        bool nobody_listed, listed; /* may it ask, without and with the networks above? */
} cases[] = {
        {"unix",             true,  true },
        {"127.0.0.1",        true,  true },
        {"127.255.255.254",  true,  true },
        {"::1",              true,  true },
        {"::ffff:127.0.0.1", true,  true },
        {"10.0.0.0",         false, true },
        {"10.255.255.255",   false, true },
        {"::ffff:10.1.2.3",  false, true },
        {"192.0.2.7",        false, true },
        {"2001:db8:1::1",    false, true },
        {"11.0.0.1",         false, false},
        {"9.255.255.255",    false, false},
        {"192.0.2.8",        false, false},
        {"::ffff:192.0.2.8", false, false},
        {"2001:db9::1",      false, false},
        {"128.0.0.1",        false, false},
        {"0.0.0.0",          false, false},
        {"::",               false, false},
        {"::127.0.0.1",      false, false},
};

static void peer_parse(const char *s, struct sockaddr_storage *ret)
{
        *ret = (struct sockaddr_storage){.ss_family = AF_UNIX};
        if (inet_pton(AF_INET, s, &((struct sockaddr_in *)ret)->sin_addr) == 1)
                ret->ss_family = AF_INET;
        else if (inet_pton(AF_INET6, s, &((struct sockaddr_in6 *)ret)->sin6_addr) == 1)
                ret->ss_family = AF_INET6;
}

START_TEST(knows_who_may_ask)
{
        struct authority nobody = {}, some = {};
        struct sockaddr_storage peer;

        for (size_t i = 0; i < ELEMENTSOF(networks); i++)
                ck_assert_int_eq(parse_ip_prefix(networks[i], &some.networks[some.n_networks++]),
                                 0);
        peer_parse(cases[_i].peer, &peer);
        ck_assert_msg(authority_may_ask(&nobody, (struct sockaddr *)&peer) ==
                              cases[_i].nobody_listed,
                      "%s", cases[_i].peer);
        ck_assert_msg(authority_may_ask(&some, (struct sockaddr *)&peer) == cases[_i].listed, "%s",
                      cases[_i].peer);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("authority");
        TCase *tc = tcase_create("authority");

        tcase_add_loop_test(tc, knows_who_may_ask, 0, ELEMENTSOF(cases));
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
