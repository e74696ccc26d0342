/* It lets in who may come in, and tells the others what would help. */

#include <arpa/inet.h>

#include "api/gate.h"
#include "tests/unit/test_main.h"

#define NONE         SERVER_REFUSAL_NONE
#define NOT_ALLOWED  SERVER_REFUSAL_NOT_ALLOWED
#define WRONG_HOST   SERVER_REFUSAL_WRONG_HOST
#define CROSS_ORIGIN SERVER_REFUSAL_CROSS_ORIGIN

static struct authority_caller caller_of(const char *address)
{
        struct authority_caller c = {.uid = 1000, .groups = {1000}, .n_groups = 1};

        c.peer.sa.sa_family = AF_UNIX;
        c.peer.n = sizeof(sa_family_t);
        if (inet_pton(AF_INET, address, &c.peer.in.sin_addr) == 1) {
                c.peer.sa.sa_family = AF_INET;
                c.peer.n = sizeof(c.peer.in);
        }
        return c;
}

static void head_of(struct head *h, const char *version, const char *host, const char *origin)
{
        head_init(h, version);
        if (host)
                head_add(h, "Host", 4, host, strlen(host));
        if (origin)
                head_add(h, "Origin", 6, origin, strlen(origin));
}

static const struct {
        const char *caller, *version, *method, *host, *origin;
        enum server_refusal want;
} cases[] = {
        {"unix",      "HTTP/1.1", "GET",     "any",          NULL,          NONE        },
        {"unix",      "HTTP/1.1", "GET",     "",             NULL,          NONE        },
        {"unix",      "HTTP/1.0", "GET",     NULL,           NULL,          NONE        },
        {"127.0.0.1", "HTTP/1.1", "GET",     "127.0.0.1:80", NULL,          NONE        },
        {"127.0.0.1", "HTTP/1.1", "GET",     "localhost",    NULL,          NONE        },
        {"127.0.0.1", "HTTP/1.1", "GET",     "m1:1050",      NULL,          NONE        },
        {"127.0.0.1", "HTTP/1.0", "GET",     NULL,           NULL,          NONE        },
        {"127.0.0.1", "HTTP/1.0", "GET",     "evil",         NULL,          WRONG_HOST  },
        {"127.0.0.1", "HTTP/1.1", "GET",     "evil",         NULL,          WRONG_HOST  },
        {"127.0.0.1", "HTTP/1.1", "GET",     "",             NULL,          WRONG_HOST  },
        {"127.0.0.1", "HTTP/1.1", "GET",     NULL,           NULL,          WRONG_HOST  },
        {"10.0.0.7",  "HTTP/1.1", "GET",     "m1",           NULL,          NONE        },
        {"11.0.0.7",  "HTTP/1.1", "GET",     "m1",           NULL,          NOT_ALLOWED },
        {"11.0.0.7",  "HTTP/1.1", "GET",     "evil",         NULL,          NOT_ALLOWED },
 /* reading does no harm: a browser does not show the answer to that page */
        {"127.0.0.1", "HTTP/1.1", "GET",     "m1",           "http://evil", NONE        },
        {"127.0.0.1", "HTTP/1.1", "HEAD",    "m1",           "null",        NONE        },
        {"127.0.0.1", "HTTP/1.1", "OPTIONS", "m1",           "http://evil", NONE        },
        {"127.0.0.1", "HTTP/1.1", "PUT",     "m1",           NULL,          NONE        },
        {"127.0.0.1", "HTTP/1.1", "PUT",     "m1",           "http://m1",   NONE        },
        {"127.0.0.1", "HTTP/1.1", "PUT",     "m1",           "http://evil", CROSS_ORIGIN},
        {"127.0.0.1", "HTTP/1.1", "POST",    "m1",           "null",        CROSS_ORIGIN},
        {"127.0.0.1", "HTTP/1.1", "DELETE",  "m1",           "http://evil", CROSS_ORIGIN},
        {"127.0.0.1", "HTTP/1.1", "BREW",    "m1",           "http://evil", CROSS_ORIGIN},
        {"127.0.0.1", "HTTP/1.1", "get",     "m1",           "http://evil", CROSS_ORIGIN},
        {"127.0.0.1", "HTTP/1.1", "PUT",     "evil",         "http://evil", WRONG_HOST  },
        {"unix",      "HTTP/1.1", "PUT",     "any",          "http://evil", CROSS_ORIGIN},
        {"unix",      "HTTP/1.1", "PUT",     "any",          "http://any",  NONE        },
        {"unix",      "HTTP/1.0", "PUT",     NULL,           "http://any",  CROSS_ORIGIN},
};

static struct gate *make_gate(void)
{
        struct authority a = {
                .operators = (gid_t)-1, .insecure = true, .hosts = {(char *)"m1"}, .n_hosts = 1};
        struct gate *g;

        ck_assert_int_eq(parse_ip_prefix("10.0.0.0/8", &a.networks[a.n_networks++]), 0);
        ck_assert_int_eq(gate_new(&g, &a), 0);
        return g;
}

START_TEST(refuses)
{
        _cleanup_(gate_freep) struct gate *g = make_gate();
        struct authority_caller c = caller_of(cases[_i].caller);
        enum server_refusal got;
        struct head h;

        head_of(&h, cases[_i].version, cases[_i].host, cases[_i].origin);
        got = gate_refuses(g, &c, cases[_i].method, &h);
        ck_assert_msg(got == cases[_i].want, "%s %s to %s from %s: %s", cases[_i].caller,
                      cases[_i].method, str_or(cases[_i].host, "-"), str_or(cases[_i].origin, "-"),
                      server_refusal_to_string(got));
}
END_TEST

START_TEST(follows_a_new_authority)
{
        _cleanup_(gate_freep) struct gate *g = make_gate();
        struct authority_caller c = caller_of("10.0.0.7");
        struct authority none = {.operators = (gid_t)-1};
        struct head h;

        head_of(&h, "HTTP/1.1", "m1", NULL);
        ck_assert_int_eq(gate_refuses(g, &c, "GET", &h), NONE);
        ck_assert_int_eq(gate_set_authority(g, &none), 0);
        ck_assert_int_eq(gate_refuses(g, &c, "GET", &h), NOT_ALLOWED);
        c = caller_of("127.0.0.1");
        ck_assert_int_eq(gate_refuses(g, &c, "GET", &h), WRONG_HOST);
}
END_TEST

static const struct {
        enum server_refusal why;
        const char *caller;
        enum authority_class has, needed;
        const char *words[4];
} texts[] = {
        {NOT_ALLOWED,              "11.0.0.7", AUTHORITY_NONE,   AUTHORITY_HEALTH, {"address", "AllowFrom="}                                                    },
        {NOT_ALLOWED,              "unix",     AUTHORITY_NONE,   AUTHORITY_HEALTH, {"user", "TrustedProxy="}                                                    },
        {NOT_ALLOWED,
         "unix",                               AUTHORITY_HEALTH,
         AUTHORITY_READ,                                                           {"class read", "uid 1000 has class health", "run as root or join group diag"}},
        {NOT_ALLOWED,
         "10.0.0.7",                           AUTHORITY_HEALTH,
         AUTHORITY_OPERATE,                                                        {"class operate", "nobody has over TCP", "local socket", "group diag"}       },
        {WRONG_HOST,               "10.0.0.7", 0,                0,                {"\"evil:1050\"", "AllowedHosts="}                                           },
        {CROSS_ORIGIN,             "10.0.0.7", 0,                0,                {"\"http://page.evil\"", "Origin"}                                           },
        {SERVER_REFUSAL_TOO_LARGE, "unix",     0,                0,                {"too-large"}                                                                },
};

START_TEST(explains)
{
        struct authority_caller c = caller_of(texts[_i].caller);
        struct gate_refusal r = {.why = texts[_i].why,
                                 .caller = &c,
                                 .has = texts[_i].has,
                                 .needed = texts[_i].needed};
        char buf[GATE_TEXT_MAX];
        struct head h;

        head_of(&h, "HTTP/1.1", "evil:1050", "http://page.evil");
        r.head = &h;
        gate_explain(buf, &r);
        for (size_t i = 0; i < ELEMENTSOF(texts[0].words) && texts[_i].words[i]; i++)
                ck_assert_msg(strstr(buf, texts[_i].words[i]), "%s: %s", texts[_i].words[i], buf);
}
END_TEST

START_TEST(explains_what_is_wrong_with_a_certificate)
{
        static const struct {
                enum tls_trust trust;
                enum authority_class has, needed;
                const char *words[2];
        } said[] = {
                {TLS_TRUST_NO_CERTIFICATE,
                 AUTHORITY_NONE,   AUTHORITY_HEALTH,
                 {"no certificate was shown", "AllowFrom="}      },
                {TLS_TRUST_OTHER_CA,
                 AUTHORITY_NONE,   AUTHORITY_HEALTH,
                 {"not of the CA of this daemon", "[TLS]"}       },
                {TLS_TRUST_EXPIRED,
                 AUTHORITY_NONE,   AUTHORITY_OPERATE,
                 {"has expired", "AllowFrom="}                   },
                {TLS_TRUST_GOOD,
                 AUTHORITY_HEALTH, AUTHORITY_OPERATE,
                 {"class operate", "the certificate of a master"}},
                {TLS_TRUST_NO_CERTIFICATE,
                 AUTHORITY_HEALTH, AUTHORITY_READ,
                 {"class read", "MasterNames="}                  },
        };

        for (size_t i = 0; i < ELEMENTSOF(said); i++) {
                struct tls_peer p = {.trust = said[i].trust};
                struct authority_caller c = caller_of("10.0.0.7");
                const struct gate_refusal r = {NOT_ALLOWED, &c, NULL, said[i].has, said[i].needed};
                char buf[GATE_TEXT_MAX];

                c.tls = true;
                c.certificate = &p;
                gate_explain(buf, &r);
                for (size_t k = 0; k < 2; k++)
                        ck_assert_msg(strstr(buf, said[i].words[k]), "%s: %s", said[i].words[k],
                                      buf);
        }
}
END_TEST

/* Said twice it is worth nothing: whoever forwards has let something of his client's through. */
START_TEST(takes_what_the_forwarder_says_once)
{
        struct authority a = {.has_forwarder = true, .forwarder = 1000, .operators = (gid_t)-1};
        static const enum authority_class want[] = {AUTHORITY_HEALTH, AUTHORITY_OPERATE,
                                                    AUTHORITY_HEALTH};
        static const char value[] = "operate 1 x";
        struct authority_caller c = caller_of("unix");
        _cleanup_(gate_freep) struct gate *g = NULL;
        struct head h;

        ck_assert_int_eq(gate_new(&g, &a), 0);
        head_init(&h, "HTTP/1.1");
        for (size_t i = 0; i < ELEMENTSOF(want); i++) {
                gate_take_forwarded(g, &c, &h);
                ck_assert_int_eq(gate_judge(g, &c).class, want[i]);
                head_add(&h, "Diag-Caller", 11, value, sizeof(value) - 1);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("gate");
        TCase *tc = tcase_create("gate");

        tcase_add_loop_test(tc, refuses, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, follows_a_new_authority);
        tcase_add_loop_test(tc, explains, 0, ELEMENTSOF(texts));
        tcase_add_test(tc, explains_what_is_wrong_with_a_certificate);
        tcase_add_test(tc, takes_what_the_forwarder_says_once);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
