/* It reads values as people write them. */

#include <arpa/inet.h>
#include <errno.h>

#include "base/mono.h"
#include "base/parse.h"
#include "tests/unit/test_main.h"

#define UNTOUCHED UINT64_C(0x5ca1ab1e)
#define PATH_107                                               \
        "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
        "/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const struct {
        const char *text;
        uint64_t min, max;
        int r;
        uint64_t want;
} numbers[] = {
        {"0",                        0, 9,          0,       0         },
        {"7",                        7, 7,          0,       7         },
        {"007",                      0, 9,          0,       7         },
        {"18446744073709551615",     0, UINT64_MAX, 0,       UINT64_MAX},
        {"18446744073709551616",     0, UINT64_MAX, -ERANGE, 0         },
        {"99999999999999999999999",  0, UINT64_MAX, -ERANGE, 0         },
        {"6",                        7, 9,          -ERANGE, 0         },
        {"10",                       7, 9,          -ERANGE, 0         },
        {"",                         0, 9,          -EINVAL, 0         },
        {" 1",                       0, 9,          -EINVAL, 0         },
        {"1 ",                       0, 9,          -EINVAL, 0         },
        {"+1",                       0, 9,          -EINVAL, 0         },
        {"-1",                       0, UINT64_MAX, -EINVAL, 0         },
        {"0x1",                      0, 9,          -EINVAL, 0         },
        {"1e1",                      0, 99,         -EINVAL, 0         },
        {"99999999999999999999999x", 0, UINT64_MAX, -EINVAL, 0         },
};

START_TEST(reads_numbers)
{
        uint64_t v = UNTOUCHED;

        ck_assert_int_eq(parse_u64(numbers[_i].text, numbers[_i].min, numbers[_i].max, &v),
                         numbers[_i].r);
        ck_assert_uint_eq(v, numbers[_i].r < 0 ? UNTOUCHED : numbers[_i].want);
}
END_TEST

static const struct {
        const char *text;
        int r;
        bool want;
} bools[] = {
        {"1",      0,       true },
        {"yes",    0,       true },
        {"Y",      0,       true },
        {"True",   0,       true },
        {"t",      0,       true },
        {"ON",     0,       true },
        {"0",      0,       false},
        {"no",     0,       false},
        {"N",      0,       false},
        {"FALSE",  0,       false},
        {"f",      0,       false},
        {"off",    0,       false},
        {"",       -EINVAL, false},
        {"2",      -EINVAL, false},
        {"yes ",   -EINVAL, false},
        {"enable", -EINVAL, false},
};

START_TEST(reads_booleans)
{
        bool v = !bools[_i].want;

        ck_assert_int_eq(parse_bool(bools[_i].text, &v), bools[_i].r);
        ck_assert(v == (bools[_i].r < 0 ? !bools[_i].want : bools[_i].want));
}
END_TEST

static const struct {
        const char *text;
        int r;
        uint64_t want;
} durations[] = {
        {"90",                         0,       90 * USEC_PER_SEC   },
        {"0",                          0,       0                   },
        {"1.5",                        0,       1500000             },
        {"1.5s",                       0,       1500000             },
        {"0.000001",                   0,       1                   },
        {"0.0000019",                  0,       1                   },
        {"2min 20s",                   0,       140 * USEC_PER_SEC  },
        {"1h30min",                    0,       90 * USEC_PER_MIN   },
        {"2 h  5 m",                   0,       125 * USEC_PER_MIN  },
        {"2d",                         0,       2880 * USEC_PER_MIN },
        {"1w",                         0,       10080 * USEC_PER_MIN},
        {"50ms",                       0,       50 * USEC_PER_MSEC  },
        {"7us",                        0,       7                   },
        {"7\xc2\xb5s",                 0,       7                   },
        {"7\xce\xbcs",                 0,       7                   },
        {"1.5min",                     0,       90 * USEC_PER_SEC   },
        {"3 hours 1 second",           0,       10801 * USEC_PER_SEC},
        {"infinity",                   0,       USEC_INFINITY       },
        {"18446744073709551614us",     0,       USEC_INFINITY - 1   },
        {"18446744073709551615us",     -ERANGE, 0                   },
        {"18446744073709551614us 1us", -ERANGE, 0                   },
        {"99999999999999999999",       -ERANGE, 0                   },
        {"30500568904944w",            -ERANGE, 0                   },
        {"",                           -EINVAL, 0                   },
        {" 1s",                        -EINVAL, 0                   },
        {"1s ",                        -EINVAL, 0                   },
        {"1 ",                         -EINVAL, 0                   },
        {"-1s",                        -EINVAL, 0                   },
        {"1.s",                        -EINVAL, 0                   },
        {".5s",                        -EINVAL, 0                   },
        {"1.2.3s",                     -EINVAL, 0                   },
        {"1h 30",                      -EINVAL, 0                   },
        {"1 1",                        -EINVAL, 0                   },
        {"1mi",                        -EINVAL, 0                   },
        {"1S",                         -EINVAL, 0                   },
        {"s",                          -EINVAL, 0                   },
        {"Infinity",                   -EINVAL, 0                   },
        {"infinity 1s",                -EINVAL, 0                   },
};

START_TEST(reads_durations)
{
        uint64_t v = UNTOUCHED;

        ck_assert_int_eq(parse_duration(durations[_i].text, &v), durations[_i].r);
        ck_assert_uint_eq(v, durations[_i].r < 0 ? UNTOUCHED : durations[_i].want);
}
END_TEST

static const struct {
        const char *text;
        int r;
        bool local;
        const char *formatted; /* NULL: as @text */
} addresses[] = {
        {"127.0.0.1:1050",                                         0,       true,  NULL            },
        {"127.255.0.9:1",                                          0,       true,  NULL            },
        {"0.0.0.0:65535",                                          0,       false, NULL            },
        {"10.0.0.1:80",                                            0,       false, NULL            },
        {"[::1]:1050",                                             0,       true,  NULL            },
        {"[::]:1050",                                              0,       false, NULL            },
        {"[::ffff:127.0.0.1]:7",                                   0,       true,  NULL            },
        {"[::ffff:10.0.0.1]:7",                                    0,       false, NULL            },
        {"[2001:DB8::0]:7",                                        0,       false, "[2001:db8::]:7"},
        {"unix:/run/diag/agentd.sock",                             0,       true,  NULL            },
        {"unix:" PATH_107,                                         0,       true,  NULL            },
        {"unix:" PATH_107 "x",                                     -EINVAL, false, NULL            },
        {"unix:run/x",                                             -EINVAL, false, NULL            },
        {"unix:@x",                                                -EINVAL, false, NULL            },
        {"unix:",                                                  -EINVAL, false, NULL            },
        {"",                                                       -EINVAL, false, NULL            },
        {"1050",                                                   -EINVAL, false, NULL            },
        {":1050",                                                  -EINVAL, false, NULL            },
        {"localhost:1050",                                         -EINVAL, false, NULL            },
        {"127.1:1050",                                             -EINVAL, false, NULL            },
        {"127.0.0.1",                                              -EINVAL, false, NULL            },
        {"127.0.0.1:",                                             -EINVAL, false, NULL            },
        {"127.0.0.1:0",                                            -ERANGE, false, NULL            },
        {"127.0.0.1:65536",                                        -ERANGE, false, NULL            },
        {"127.0.0.1:+80",                                          -EINVAL, false, NULL            },
        {" 127.0.0.1:80",                                          -EINVAL, false, NULL            },
        {"::1:1050",                                               -EINVAL, false, NULL            },
        {"[::1]1050",                                              -EINVAL, false, NULL            },
        {"[::1",                                                   -EINVAL, false, NULL            },
        {"[127.0.0.1]:80",                                         -EINVAL, false, NULL            },
        {"[fe80::1%eth0]:80",                                      -EINVAL, false, NULL            },
        {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80", -EINVAL, false, NULL            },
};

START_TEST(reads_addresses)
{
        struct sock_address a = {.n = UNTOUCHED};
        char buf[SOCK_ADDRESS_MAX];

        ck_assert_int_eq(parse_listen(addresses[_i].text, &a), addresses[_i].r);
        if (addresses[_i].r < 0) {
                ck_assert_uint_eq(a.n, UNTOUCHED);
                return;
        }
        ck_assert_str_eq(sock_address_format(buf, &a),
                         addresses[_i].formatted ? addresses[_i].formatted : addresses[_i].text);
        ck_assert(sock_address_is_local(&a) == addresses[_i].local);
}
END_TEST

START_TEST(formats_peers_without_a_name)
{
        struct sock_address unbound = {.un.sun_family = AF_UNIX, .n = sizeof(sa_family_t)};
        struct sock_address other = {.sa.sa_family = AF_NETLINK, .n = sizeof(sa_family_t)};
        char buf[SOCK_ADDRESS_MAX];

        ck_assert_str_eq(sock_address_format(buf, &unbound), "unix:");
        ck_assert_str_eq(sock_address_format(buf, &other), "?");
        ck_assert(!sock_address_is_local(&other));
}
END_TEST

static const struct {
        const char *text;
        int r;
        int family;
        unsigned n_bits;
} prefixes[] = {
        {"10.0.0.0/8",          0,       AF_INET,  8  },
        {"0.0.0.0/0",           0,       AF_INET,  0  },
        {"10.1.2.3",            0,       AF_INET,  32 },
        {"10.1.2.3/32",         0,       AF_INET,  32 },
        {"10.128.0.0/9",        0,       AF_INET,  9  },
        {"2001:db8::/32",       0,       AF_INET6, 32 },
        {"::/0",                0,       AF_INET6, 0  },
        {"::1",                 0,       AF_INET6, 128},
        {"::ffff:10.0.0.0/104", 0,       AF_INET,  8  },
        {"10.0.0.1/8",          -EINVAL, 0,        0  },
        {"10.64.0.0/9",         -EINVAL, 0,        0  },
        {"2001:db8::1/127",     -EINVAL, 0,        0  },
        {"10.0.0.0/33",         -ERANGE, 0,        0  },
        {"::/129",              -ERANGE, 0,        0  },
        {"10.0.0.0/",           -EINVAL, 0,        0  },
        {"10.0.0.0/-1",         -EINVAL, 0,        0  },
        {"10.0.0.0/8/8",        -EINVAL, 0,        0  },
        {"10/8",                -EINVAL, 0,        0  },
        {"/8",                  -EINVAL, 0,        0  },
        {"",                    -EINVAL, 0,        0  },
        {"example.org/8",       -EINVAL, 0,        0  },
};

START_TEST(reads_networks)
{
        struct ip_prefix p = {.family = AF_UNSPEC};

        ck_assert_int_eq(parse_ip_prefix(prefixes[_i].text, &p), prefixes[_i].r);
        ck_assert_int_eq(p.family, prefixes[_i].family);
        ck_assert_uint_eq(p.n_bits, prefixes[_i].n_bits);
}
END_TEST

static const struct {
        const char *prefix, *peer;
        bool want;
} members[] = {
        {"10.0.0.0/8",          "10.255.0.1:1",        true },
        {"10.0.0.0/8",          "11.0.0.1:1",          false},
        {"10.128.0.0/9",        "10.127.255.255:1",    false},
        {"10.128.0.0/9",        "10.128.0.0:1",        true },
        {"10.0.0.0/8",          "[::ffff:10.0.0.1]:1", true },
        {"::ffff:10.0.0.0/104", "10.0.0.1:1",          true },
        {"0.0.0.0/0",           "192.0.2.1:1",         true },
        {"0.0.0.0/0",           "[2001:db8::1]:1",     false},
        {"::/0",                "[2001:db8::1]:1",     true },
        {"::/0",                "10.0.0.1:1",          false},
        {"::/0",                "[::ffff:10.0.0.1]:1", false},
        {"2001:db8::/32",       "[2001:db8:ffff::]:1", true },
        {"2001:db8::/33",       "[2001:db8:8000::]:1", false},
        {"::1",                 "[::1]:1",             true },
        {"::1",                 "[::2]:1",             false},
        {"0.0.0.0/0",           "unix:/x",             false},
};

START_TEST(knows_who_is_in_a_network)
{
        struct sock_address a;
        struct ip_prefix p;

        ck_assert_int_eq(parse_ip_prefix(members[_i].prefix, &p), 0);
        ck_assert_int_eq(parse_listen(members[_i].peer, &a), 0);
        ck_assert_msg(ip_prefix_contains(&p, &a.sa) == members[_i].want, "%s in %s",
                      members[_i].peer, members[_i].prefix);
}
END_TEST

static const struct {
        const char *text;
        int r, family;
} literals[] = {
        {"10.0.0.1",    0,       AF_INET  },
        {"::1",         0,       AF_INET6 },
        {"[::1]",       -EINVAL, AF_UNSPEC},
        {"10.0.0.1:80", -EINVAL, AF_UNSPEC},
        {"10.0.0.1/8",  -EINVAL, AF_UNSPEC},
        {"localhost",   -EINVAL, AF_UNSPEC},
        {"",            -EINVAL, AF_UNSPEC},
};

START_TEST(reads_address_literals)
{
        int family = AF_UNSPEC;

        ck_assert_int_eq(parse_ip(literals[_i].text, &family), literals[_i].r);
        ck_assert_int_eq(family, literals[_i].family);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("parse");
        TCase *tc = tcase_create("values");

        tcase_add_loop_test(tc, reads_numbers, 0, ELEMENTSOF(numbers));
        tcase_add_loop_test(tc, reads_booleans, 0, ELEMENTSOF(bools));
        tcase_add_loop_test(tc, reads_durations, 0, ELEMENTSOF(durations));
        tcase_add_loop_test(tc, reads_addresses, 0, ELEMENTSOF(addresses));
        tcase_add_test(tc, formats_peers_without_a_name);
        tcase_add_loop_test(tc, reads_networks, 0, ELEMENTSOF(prefixes));
        tcase_add_loop_test(tc, knows_who_is_in_a_network, 0, ELEMENTSOF(members));
        tcase_add_loop_test(tc, reads_address_literals, 0, ELEMENTSOF(literals));
        suite_add_tcase(s, tc);
        return test_main(s);
}
