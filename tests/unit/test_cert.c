/* What it makes says what it was told, and it signs with nothing that is not whole, right and in time. */

#include <errno.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/mono.h"
#include "cli/cert.h"
#include "tests/unit/test_main.h"

#define DAY  (24 * 60 * USEC_PER_MIN)
#define NOON UINT64_C(1795262400000000) /* 2026-11-21T12:00:00Z */

static char directory[40], ca_pem[64], ca_key[64], other_key[64], node_pem[64], node_key[64];
static uint64_t now;

static void put(const char *path, const char *text)
{
        ck_assert_int_eq(fs_replace(path, text, strlen(text), 0600, NULL), 0);
}

static void set_up(void)
{
        now = NOON;
        clock_fake(&now);
        (void)snprintf(directory, sizeof(directory), "/tmp/diag-test-cert.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        (void)snprintf(ca_pem, sizeof(ca_pem), "%s/ca.pem", directory);
        (void)snprintf(ca_key, sizeof(ca_key), "%s/ca.key", directory);
        (void)snprintf(other_key, sizeof(other_key), "%s/other.key", directory);
        (void)snprintf(node_pem, sizeof(node_pem), "%s/node.pem", directory);
        (void)snprintf(node_key, sizeof(node_key), "%s/node.key", directory);
}

static void tear_down(void)
{
        const char *const files[] = {ca_pem, ca_key, other_key, node_pem, node_key};

        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                (void)unlink(files[i]);
        (void)rmdir(directory);
}

static void make_authority(unsigned n_days)
{
        _cleanup_(cert_made_done) struct cert_made made = {0}, other = {0};
        struct err e = {0};

        ck_assert_msg(cert_make_authority(&made, "prod", n_days, &e) == 0, "%s", e.text);
        ck_assert_int_eq(cert_make_authority(&other, "prod", n_days, &e), 0);
        put(ca_pem, made.cert);
        put(ca_key, made.key);
        put(other_key, other.key);
}

static void make_node(unsigned n_days, struct cert_made *made)
{
        _cleanup_(cert_authority_freep) struct cert_authority *a = NULL;
        struct cert_subject s;
        struct err e = {0};

        ck_assert_int_eq(cert_subject_init(&s, "m1.example", "agent_public", NULL), 0);
        ck_assert_int_eq(cert_subject_add_address(&s, "10.0.0.1", NULL), 0);
        ck_assert_int_eq(cert_subject_add_address(&s, "2001:db8::1", NULL), 0);
        ck_assert_int_eq(cert_subject_add_dns(&s, "m1", NULL), 0);
        ck_assert_msg(cert_authority_load(&a, ca_pem, ca_key, &e) == 0, "%s", e.text);
        ck_assert_str_eq(cert_authority_cluster(a), "prod");
        ck_assert_msg(cert_make_node(made, a, "prod", &s, n_days, &e) == 0, "%s", e.text);
        cert_subject_done(&s);
        put(node_pem, made->cert);
        put(node_key, made->key);
}

START_TEST(makes_authority)
{
        _cleanup_(cert_list_done) struct cert_list l = {0};
        const struct cert_facts *f;

        make_authority(3650);
        ck_assert_int_eq(cert_list_read(&l, ca_pem, NULL), 0);
        ck_assert_uint_eq(l.n, 1);
        f = &l.items[0];
        ck_assert(f->is_authority);
        ck_assert_str_eq(f->subject, "CN=diag CA,O=prod");
        ck_assert_str_eq(f->issuer, "CN=diag CA,O=prod");
        ck_assert_str_eq(f->cluster, "prod");
        ck_assert_int_eq(f->role, DIAG_ROLE_UNKNOWN);
        ck_assert_uint_eq(f->from_wall_usec, NOON - CERT_SKEW_USEC);
        ck_assert_uint_eq(f->until_wall_usec, NOON + 3650 * DAY);
        ck_assert_uint_eq(strlen(f->fingerprint), 95);
}
END_TEST

START_TEST(makes_node)
{
        _cleanup_(cert_made_done) struct cert_made made = {0};
        _cleanup_(cert_list_done) struct cert_list l = {0};
        const struct cert_facts *f;

        make_authority(3650);
        now += 500; /* not a whole second */
        make_node(825, &made);
        ck_assert_uint_eq(made.until_wall_usec, NOON + USEC_PER_SEC + 825 * DAY);
        ck_assert_ptr_nonnull(strstr(made.key, "-----BEGIN PRIVATE KEY-----\n"));
        ck_assert_ptr_null(strstr(made.cert, "PRIVATE"));
        ck_assert_int_eq(cert_list_read(&l, node_pem, NULL), 0);
        ck_assert_uint_eq(l.n, 1);
        f = &l.items[0];
        ck_assert(!f->is_authority);
        ck_assert_str_eq(f->subject, "CN=m1.example,O=prod");
        ck_assert_str_eq(f->cluster, "prod");
        ck_assert_int_eq(f->role, DIAG_ROLE_AGENT_PUBLIC);
        ck_assert_uint_eq(f->addresses.n, 2);
        ck_assert_str_eq(f->addresses.items[0], "10.0.0.1");
        ck_assert_str_eq(f->addresses.items[1], "2001:db8::1");
        ck_assert_uint_eq(f->dns.n, 2);
        ck_assert_str_eq(f->dns.items[0], "m1.example");
        ck_assert_str_eq(f->dns.items[1], "m1");
        ck_assert_uint_eq(f->uris.n, 1);
        ck_assert_str_eq(f->uris.items[0], "diag://prod/agent_public");
        ck_assert_uint_eq(f->until_wall_usec, made.until_wall_usec);
}
END_TEST

START_TEST(ends_with_its_authority)
{
        _cleanup_(cert_made_done) struct cert_made made = {0};

        make_authority(30);
        make_node(31, &made);
        ck_assert_uint_eq(made.until_wall_usec, NOON + 30 * DAY);
}
END_TEST

START_TEST(makes_no_two_alike)
{
        _cleanup_(cert_made_done) struct cert_made one = {0}, two = {0};

        make_authority(30);
        make_node(30, &one);
        make_node(30, &two);
        ck_assert_str_ne(one.key, two.key);
        ck_assert_str_ne(one.cert, two.cert);
}
END_TEST

static const struct {
        uint64_t wall_usec;
        enum cert_validity want;
} moments[] = {
        {NOON - CERT_SKEW_USEC - 1, CERT_NOT_YET_VALID},
        {NOON - CERT_SKEW_USEC,     CERT_VALID        },
        {NOON + 30 * DAY,           CERT_VALID        },
        {NOON + 30 * DAY + 1,       CERT_EXPIRED      },
};

START_TEST(knows_when_it_is_valid)
{
        _cleanup_(cert_list_done) struct cert_list l = {0};

        make_authority(30);
        ck_assert_int_eq(cert_list_read(&l, ca_pem, NULL), 0);
        ck_assert_int_eq(cert_facts_validity(&l.items[0], moments[_i].wall_usec), moments[_i].want);
}
END_TEST

START_TEST(outlives_2050)
{
        _cleanup_(cert_list_done) struct cert_list l = {0};

        make_authority(CERT_DAYS_MAX);
        ck_assert_int_eq(cert_list_read(&l, ca_pem, NULL), 0);
        ck_assert_uint_eq(l.items[0].until_wall_usec, NOON + CERT_DAYS_MAX * DAY);
}
END_TEST

/* @cert, @key: NULL: not there; a path: the file; else its text */
static const struct {
        const char *name, *cert, *key;
        int64_t moves_usec; /* the clock, since the authority was made */
        int want;
        const char *says; /* after the name of the file */
} refusals[] = {
        {"no certificate",       "-",               ca_key,    0,                 -ENOENT,       "cannot open -: No such"         },
        {"no key",               ca_pem,            "-",       0,                 -ENOENT,       "cannot open -: No such"         },
        {"a key as certificate", ca_key,            ca_key,    0,                 -EINVAL,       "ca.key holds no certificate"    },
        {"a certificate as key", ca_pem,            ca_pem,    0,                 -EINVAL,       "ca.pem holds no private key"    },
        {"a directory",          "/",               ca_key,    0,                 -EINVAL,       "/ is not a regular file"        },
        {"nothing",              "/proc/self/comm", ca_key,    0,                 -EINVAL,       "comm holds no certificate"      },
        {"the key of another",   ca_pem,            other_key, 0,                 -EKEYREJECTED,
         "other.key is not the key of the"                                                                                        },
        {"a node's",             node_pem,          node_key,  0,                 -EINVAL,       "node.pem is not one of an autho"},
        {"too old",              ca_pem,            ca_key,    31 * (int64_t)DAY, -EKEYEXPIRED,
         "expired at 2026-12-21T12:00:00.000Z; make a new one"                                                                    },
        {"too new",              ca_pem,            ca_key,    -(int64_t)DAY,     -EKEYEXPIRED,
         "is not valid before 2026-11-21T11:55:00.000Z; is the clock right?"                                                      },
};

START_TEST(refuses_authority)
{
        _cleanup_(cert_made_done) struct cert_made made = {0};
        struct cert_authority *a = NULL;
        struct err e = {0};
        int r;

        make_authority(30);
        make_node(30, &made);
        now += (uint64_t)refusals[_i].moves_usec;
        r = cert_authority_load(&a, refusals[_i].cert, refusals[_i].key, &e);
        ck_assert_msg(r == refusals[_i].want, "%s: %d %s", refusals[_i].name, r, e.text);
        ck_assert_msg(strstr(e.text, refusals[_i].says) != NULL, "%s", e.text);
        ck_assert_ptr_null(a);
}
END_TEST

START_TEST(bounds_chain)
{
        char pem[32 * 1024], *end = pem, *one;
        struct cert_list l = {0};
        struct err e = {0};

        make_authority(30);
        ck_assert_int_eq(fs_read(ca_pem, CERT_FILE_MAX, &one, NULL, NULL), 0);
        for (unsigned i = 0; i <= CERT_CHAIN_MAX; i++)
                end = stpcpy(end, one);
        free(one);
        put(node_pem, pem);
        ck_assert_int_eq(cert_list_read(&l, node_pem, &e), -E2BIG);
        ck_assert_ptr_nonnull(strstr(e.text, "node.pem holds more than 16 certificates"));
        ck_assert_ptr_null(l.items);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("cert");
        TCase *tc = tcase_create("cert");

        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_test(tc, makes_authority);
        tcase_add_test(tc, makes_node);
        tcase_add_test(tc, ends_with_its_authority);
        tcase_add_test(tc, makes_no_two_alike);
        tcase_add_loop_test(tc, knows_when_it_is_valid, 0, ELEMENTSOF(moments));
        tcase_add_test(tc, outlives_2050);
        tcase_add_loop_test(tc, refuses_authority, 0, ELEMENTSOF(refusals));
        tcase_add_test(tc, bounds_chain);
        suite_add_tcase(s, tc);
        return test_main(s);
}
