/* It takes what can be a node, and says of everything else why it cannot. */

#include <errno.h>
#include <stdio.h>

#include "cli/cert_subject.h"
#include "tests/unit/test_main.h"

#define TEN     "abcdefghij"
#define SIXTY   TEN TEN TEN TEN TEN TEN
#define LABEL63 SIXTY "klm"
#define LABEL64 SIXTY "klmn"
#define DNS253  LABEL63 "." LABEL63 "." LABEL63 "." SIXTY "k"

static const struct {
        const char *name, *role;
        const char *address, *dns; /* what it is by itself; NULL: nothing */
        const char *says;          /* NULL: it is taken */
} names[] = {
        {"m1",               "master",       NULL,       "m1",               NULL                                },
        {"M1.example",       "agent",        NULL,       "M1.example",       NULL                                },
        {"10.0.0.1",         "agent_public", "10.0.0.1", NULL,               NULL                                },
        {"node_7",           "agent",        NULL,       NULL,               NULL                                },
        {"7",                "agent",        NULL,       NULL,               NULL                                },
        {"10.0.0.300",       "agent",        NULL,       NULL,               NULL                                },
        {"a..b",             "agent",        NULL,       NULL,               NULL                                },
        {"xn--bcher-kva.1a", "agent",        NULL,       "xn--bcher-kva.1a", NULL                                },
        {LABEL64,            "agent",        NULL,       NULL,               NULL                                },
        {LABEL64 "x",        "agent",        NULL,       NULL,               "cannot be the name of a node"      },
        {"",                 "agent",        NULL,       NULL,               "\"\" cannot be the name of a node" },
        {".",                "agent",        NULL,       NULL,               "cannot be the name of a node"      },
        {"..",               "agent",        NULL,       NULL,               "cannot be the name of a node"      },
        {"-x",               "agent",        NULL,       NULL,               "cannot be the name of a node"      },
        {"a/b",              "agent",        NULL,       NULL,               "\"a/b\" cannot be the name of"     },
        {"a b",              "agent",        NULL,       NULL,               "cannot be the name of a node"      },
        {"a\nb",             "agent",        NULL,       NULL,               "cannot be the name of a node"      },
        {"\xc3\xa4",         "agent",        NULL,       NULL,               "cannot be the name of a node"      },
        {"m1",               "Master",       NULL,       NULL,               "\"Master\" is no role: master, age"},
        {"m1",               "",             NULL,       NULL,               "\"\" is no role"                   },
};

START_TEST(judges_name)
{
        struct cert_subject s;
        struct err e = {0};
        int r = cert_subject_init(&s, names[_i].name, names[_i].role, &e);

        if (names[_i].says) {
                ck_assert_int_eq(r, -EINVAL);
                ck_assert_msg(strstr(e.text, names[_i].says) != NULL, "%s", e.text);
                return;
        }
        ck_assert_msg(r == 0, "%s", e.text);
        ck_assert_str_eq(s.name, names[_i].name);
        ck_assert_str_eq(diag_role_to_string(s.role), names[_i].role);
        ck_assert_uint_eq(s.addresses.n, names[_i].address ? 1 : 0);
        ck_assert_uint_eq(s.dns.n, names[_i].dns ? 1 : 0);
        ck_assert_str_eq(s.dns.n ? s.dns.items[0] : "", str_or(names[_i].dns, ""));
        ck_assert_str_eq(s.addresses.n ? s.addresses.items[0] : "", str_or(names[_i].address, ""));
        ck_assert_int_eq(cert_subject_check(&s, &e), names[_i].address ? 0 : -EINVAL);
        cert_subject_done(&s);
}
END_TEST

static const struct {
        const char *text;
        bool is_dns;
        const char *want; /* NULL: refused */
} aliases[] = {
        {"10.0.0.1",        false, "10.0.0.1"      },
        {"127.0.0.1",       false, "127.0.0.1"     },
        {"2001:DB8:0::1",   false, "2001:db8::1"   },
        {"::1",             false, "::1"           },
        {"0.0.0.0",         false, NULL            },
        {"255.255.255.255", false, NULL            },
        {"224.0.0.1",       false, NULL            },
        {"::",              false, NULL            },
        {"ff02::1",         false, NULL            },
        {"fe80::1%eth0",    false, NULL            },
        {"10.0.0.1/8",      false, NULL            },
        {"10.0.0.1:1050",   false, NULL            },
        {"[::1]",           false, NULL            },
        {"10.0.1",          false, NULL            },
        {" 10.0.0.1",       false, NULL            },
        {"m1",              false, NULL            },
        {"",                false, NULL            },
        {"m1",              true,  "m1"            },
        {"m1.example",      true,  "m1.example"    },
        {"3.pool.example",  true,  "3.pool.example"},
        {LABEL63,           true,  LABEL63         },
        {LABEL64,           true,  NULL            },
        {DNS253,            true,  DNS253          },
        {DNS253 "l",        true,  NULL            },
        {"m1.",             true,  NULL            },
        {".m1",             true,  NULL            },
        {"a..b",            true,  NULL            },
        {"-a.example",      true,  NULL            },
        {"a-.example",      true,  NULL            },
        {"*.example",       true,  NULL            },
        {"node_7",          true,  NULL            },
        {"10.0.0.1",        true,  NULL            },
        {"example.1",       true,  NULL            },
        {"",                true,  NULL            },
};

START_TEST(judges_alias)
{
        struct cert_subject s;
        struct err e = {0};
        const struct string_list *l = aliases[_i].is_dns ? &s.dns : &s.addresses;
        int r;

        ck_assert_int_eq(cert_subject_init(&s, "node_7", "agent", NULL), 0);
        for (unsigned i = 0; i < 2; i++) { /* once is enough */
                r = aliases[_i].is_dns ? cert_subject_add_dns(&s, aliases[_i].text, &e)
                                       : cert_subject_add_address(&s, aliases[_i].text, &e);
                ck_assert_msg(r == (aliases[_i].want ? 0 : -EINVAL), "%s: %d", aliases[_i].text, r);
        }
        ck_assert_uint_eq(l->n, aliases[_i].want ? 1 : 0);
        if (aliases[_i].want)
                ck_assert_str_eq(l->items[0], aliases[_i].want);
        else
                ck_assert_msg(strstr(e.text, aliases[_i].text) ||
                                      strlen(e.text) > CERT_DNS_MAX - 10,
                              "%s", e.text);
        cert_subject_done(&s);
}
END_TEST

START_TEST(bounds_aliases)
{
        struct cert_subject s;
        struct err e = {0};
        char address[32];

        ck_assert_int_eq(cert_subject_init(&s, "m1", "master", NULL), 0);
        for (unsigned i = 0; i < CERT_ALIASES_MAX; i++) {
                (void)snprintf(address, sizeof(address), "10.0.0.%u", i);
                ck_assert_int_eq(cert_subject_add_address(&s, address, &e), 0);
        }
        ck_assert_int_eq(cert_subject_add_address(&s, "10.0.1.0", &e), -E2BIG);
        ck_assert_str_eq(e.text, "m1 has more than 64 addresses or names");
        cert_subject_done(&s);
}
END_TEST

static const struct {
        const char *text;
        size_t n;         /* nodes */
        const char *last; /* the last one's name */
        const char *says; /* NULL: it is taken */
} lists[] = {
        {"m1 master 10.0.0.1",                                       1, "m1",       NULL                                    },
        {"m1 master 10.0.0.1\nm2\tmaster 10.0.0.2 m2.example ::1\n", 2, "m2",       NULL                                    },
        {"# all\n\n  m1 master 10.0.0.1 # the first\r\n \t\n",       1, "m1",       NULL                                    },
        {"10.0.0.1 agent\n",                                         1, "10.0.0.1", NULL                                    },
        {"",                                                         0, NULL,       "FILE names no node"                    },
        {"# nobody\n",                                               0, NULL,       "FILE names no node"                    },
        {"m1\n",                                                     0, NULL,       "FILE:1: what is the role of m1? master"},
        {"\nm1 master\n",                                            0, NULL,       "FILE:2: what is the address of m1?"    },
        {"m1 boss 10.0.0.1\n",                                       0, NULL,       "FILE:1: \"boss\" is no role"           },
        {"m1 master 10.0.0.1\n../x agent 10.0.0.2\n",                0, NULL,
         "FILE:2: \"../x\" cannot be the name"                                                                              },
        {"m1 master 10.0.0.300\n",                                   0, NULL,       "FILE:1: \"10.0.0.300\" is neither"     },
        {"m1 master 10.0.0.1,10.0.0.2\n",                            0, NULL,       "FILE:1: \"10.0.0.1,10.0.0.2\" is"      },
        {"m1 master 10.0.0.1\nM1 agent 10.0.0.2\n",                  0, NULL,       "FILE:2: M1 is there twice"             },
};

START_TEST(reads_list)
{
        struct cert_subjects l = {0};
        struct err e = {0};
        int r = cert_subjects_parse(&l, lists[_i].text, "FILE", &e);

        ck_assert_msg(r == (lists[_i].says ? -EINVAL : 0), "%d %s", r, e.text);
        ck_assert_uint_eq(l.n, lists[_i].n);
        if (lists[_i].says) {
                ck_assert_msg(strstr(e.text, lists[_i].says) == e.text, "%s", e.text);
                ck_assert_ptr_null(l.items);
        } else {
                ck_assert_str_eq(l.items[l.n - 1].name, lists[_i].last);
        }
        cert_subjects_done(&l);
}
END_TEST

START_TEST(sorts_aliases_of_list)
{
        struct cert_subjects l = {0};
        const struct cert_subject *s;

        ck_assert_int_eq(cert_subjects_parse(&l, "m1 agent ::1 m1.a 10.0.0.1 m1 ::0:1", "", NULL),
                         0);
        s = &l.items[0];
        ck_assert_uint_eq(s->addresses.n, 2);
        ck_assert_str_eq(s->addresses.items[0], "::1");
        ck_assert_str_eq(s->addresses.items[1], "10.0.0.1");
        ck_assert_uint_eq(s->dns.n, 2);
        ck_assert_str_eq(s->dns.items[0], "m1");
        ck_assert_str_eq(s->dns.items[1], "m1.a");
        cert_subjects_done(&l);
}
END_TEST

static const struct {
        const char *uri, *cluster; /* NULL: it says nothing to us */
        enum diag_role role;
} uris[] = {
        {"diag://prod/master",                                 "prod",    DIAG_ROLE_MASTER      },
        {"diag://P_1.x-y/agent",                               "P_1.x-y", DIAG_ROLE_AGENT       },
        {"diag://prod/agent_public",                           "prod",    DIAG_ROLE_AGENT_PUBLIC},
        {"diag://prod",                                        "prod",    DIAG_ROLE_UNKNOWN     },
        {"diag://" LABEL63 "/master",                          LABEL63,   DIAG_ROLE_MASTER      },
        {"diag://" LABEL64 "/master",                          NULL,      DIAG_ROLE_UNKNOWN     },
        {"diag://" LABEL63 "/agent_public_and_more_than_fits", NULL,      DIAG_ROLE_UNKNOWN     },
        {"diag://prod/",                                       NULL,      DIAG_ROLE_UNKNOWN     },
        {"diag://prod/boss",                                   NULL,      DIAG_ROLE_UNKNOWN     },
        {"diag://prod/master/",                                NULL,      DIAG_ROLE_UNKNOWN     },
        {"diag:///master",                                     NULL,      DIAG_ROLE_UNKNOWN     },
        {"diag://",                                            NULL,      DIAG_ROLE_UNKNOWN     },
        {"DIAG://prod/master",                                 NULL,      DIAG_ROLE_UNKNOWN     },
        {"diag://a b/master",                                  NULL,      DIAG_ROLE_UNKNOWN     },
        {"https://prod/master",                                NULL,      DIAG_ROLE_UNKNOWN     },
        {"",                                                   NULL,      DIAG_ROLE_UNKNOWN     },
};

START_TEST(reads_uri)
{
        char cluster[CERT_CLUSTER_MAX + 1] = "", again[CERT_URI_MAX];
        enum diag_role role = DIAG_ROLE_UNKNOWN;
        int r = cert_uri_parse(uris[_i].uri, cluster, &role);

        ck_assert_msg(r == (uris[_i].cluster ? 0 : -EINVAL), "%s: %d", uris[_i].uri, r);
        ck_assert_str_eq(cluster, str_or(uris[_i].cluster, ""));
        ck_assert_int_eq(role, uris[_i].role);
        if (r == 0)
                ck_assert_str_eq(cert_uri_format(again, cluster, role), uris[_i].uri);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("cert_subject");
        TCase *tc = tcase_create("cert_subject");

        tcase_add_loop_test(tc, judges_name, 0, ELEMENTSOF(names));
        tcase_add_loop_test(tc, judges_alias, 0, ELEMENTSOF(aliases));
        tcase_add_test(tc, bounds_aliases);
        tcase_add_loop_test(tc, reads_list, 0, ELEMENTSOF(lists));
        tcase_add_test(tc, sorts_aliases_of_list);
        tcase_add_loop_test(tc, reads_uri, 0, ELEMENTSOF(uris));
        suite_add_tcase(s, tc);
        return test_main(s);
}
