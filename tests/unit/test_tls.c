/* It knows whether three files belong together, and what a certificate is worth. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#include "api/tls.h"
#include "base/fs.h"
#include "base/mono.h"
#include "tests/unit/certificates.h"
#include "tests/unit/test_main.h"

#define MASTER "diag://prod/master"

static char directory[] = "/tmp/diag-test-XXXXXX";
static char path_text[TLS_FILES][64];
static const char *const paths[TLS_FILES] = {path_text[0], path_text[1], path_text[2]};
static struct certificate ca, other_ca, node, foreign;

static void write_file(enum tls_file file, const char *text)
{
        ck_assert_int_eq(fs_replace(paths[file], text, strlen(text), 0600, NULL), 0);
}

static void set_up(void)
{
        static const char *const names[] = {"ca.pem", "node.pem", "node.key"};

        ck_assert_ptr_nonnull(mkdtemp(directory));
        for (size_t i = 0; i < TLS_FILES; i++)
                (void)snprintf(path_text[i], sizeof(path_text[i]), "%s/%s", directory, names[i]);
        ca = certificate_make_ca("the CA");
        other_ca = certificate_make_ca("another CA");
        node = certificate_make(
                &(struct certificate_wish){.cn = "m1", .uri = MASTER, .dns = "M1.example"}, &ca);
        foreign =
                certificate_make(&(struct certificate_wish){.cn = "m1", .uri = MASTER}, &other_ca);
        write_file(TLS_CA, ca.pem);
        write_file(TLS_CERTIFICATE, node.pem);
        write_file(TLS_KEY, node.key_pem);
}

static void tear_down(void)
{
        for (size_t i = 0; i < TLS_FILES; i++)
                ck_assert_int_eq(fs_remove(paths[i], NULL), 0);
        ck_assert_int_eq(rmdir(directory), 0);
        certificates_done();
}

/* --- our own ------------------------------------------------------------------------------------ */

START_TEST(loads_files_that_belong_together)
{
        struct tls_files f;
        struct err e = {0};

        ck_assert_msg(tls_files_load(&f, paths, &e) == 0, "%s", e.text);
        ck_assert_str_eq(f.ca_pem, ca.pem);
        ck_assert_str_eq(f.certificate_pem, node.pem);
        ck_assert_str_eq(f.key_pem, node.key_pem);
        ck_assert_str_eq(f.self.name, "m1");
        ck_assert(tls_identity_has_role(&f.self, "prod", DIAG_ROLE_MASTER));
        ck_assert_uint_gt(f.self.valid_until_wall_usec, now_wall_usec());
        ck_assert_uint_lt(f.self.valid_from_wall_usec, now_wall_usec());
        tls_files_done(&f);
}
END_TEST

START_TEST(loads_a_chain_and_several_cas)
{
        struct certificate middle = certificate_make(
                                   &(struct certificate_wish){.cn = "middle", .is_ca = true}, &ca),
                           own = certificate_make(&(struct certificate_wish){.cn = "own"}, &middle);
        _cleanup_(freep) char *chain = NULL, *cas = NULL;
        struct tls_files f;
        struct err e = {0};

        ck_assert_int_gt(asprintf(&chain, "%s%s", own.pem, middle.pem), 0);
        ck_assert_int_gt(asprintf(&cas, "%s%s", other_ca.pem, ca.pem), 0);
        write_file(TLS_CA, cas);
        write_file(TLS_CERTIFICATE, chain);
        write_file(TLS_KEY, own.key_pem);
        ck_assert_msg(tls_files_load(&f, paths, &e) == 0, "%s", e.text);
        ck_assert_str_eq(f.self.name, "own");
        tls_files_done(&f);
        write_file(TLS_CERTIFICATE, own.pem); /* without what stands between */
        ck_assert_int_eq(tls_files_load(&f, paths, &e), -EINVAL);
}
END_TEST

/* A clock that is wrong must not keep a daemon from starting. */
START_TEST(loads_what_is_too_old_or_too_new)
{
        static const long times[][2] = {
                {-7200, -3600},
                {3600,  7200 }
        };
        struct certificate own =
                certificate_make(&(struct certificate_wish){.from_seconds = times[_i][0],
                                                            .until_seconds = times[_i][1]},
                                 &ca);
        struct tls_files f;
        struct err e = {0};

        write_file(TLS_CERTIFICATE, own.pem);
        write_file(TLS_KEY, own.key_pem);
        ck_assert_msg(tls_files_load(&f, paths, &e) == 0, "%s", e.text);
        ck_assert(_i == 0 ? f.self.valid_until_wall_usec < now_wall_usec()
                          : f.self.valid_from_wall_usec > now_wall_usec());
        tls_files_done(&f);
}
END_TEST

static const char *client_only(void)
{
        struct certificate_wish w = {.cn = "c", .purpose = GNUTLS_KP_TLS_WWW_CLIENT};

        node = certificate_make(&w, &ca);
        write_file(TLS_KEY, node.key_pem);
        return node.pem;
}

static const char *with_a_passphrase(void)
{
        gnutls_datum_t d;

        MADE(gnutls_x509_privkey_export2_pkcs8(node.key, GNUTLS_X509_FMT_PEM, "secret", 0, &d));
        certificates_keep(d.data, certificate_free_text);
        return (const char *)d.data;
}

static const char *too_large(void)
{
        static char text[TLS_FILE_BYTES_MAX + 2];

        memset(text, 'x', sizeof(text) - 1);
        return text;
}

static const char *foreign_pem(void)
{
        write_file(TLS_KEY, foreign.key_pem);
        return foreign.pem;
}

static const char *foreign_key(void)
{
        return foreign.key_pem;
}

static const char *other_ca_pem(void)
{
        return other_ca.pem;
}

static const char *no_ca(void)
{
        return foreign.pem;
}

static const char *rubbish(void)
{
        return "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
}

static const char *nothing(void)
{
        return "";
}

static const struct {
        enum tls_file file;
        const char *(*text)(void); /* NULL: there is no such file */
        int code;
        enum tls_file named;
        const char *words;
} faults[] = {
        {TLS_CA,          NULL,              -ENOENT, TLS_CA,          "No such file"        },
        {TLS_CERTIFICATE, NULL,              -ENOENT, TLS_CERTIFICATE, "No such file"        },
        {TLS_KEY,         NULL,              -ENOENT, TLS_KEY,         "No such file"        },
        {TLS_CA,          too_large,         -E2BIG,  TLS_CA,          "larger than"         },
        {TLS_CA,          nothing,           -EINVAL, TLS_CA,          "no certificate"      },
        {TLS_CA,          rubbish,           -EINVAL, TLS_CA,          "no certificate"      },
        {TLS_CA,          other_ca_pem,      -EINVAL, TLS_CERTIFICATE, "is not signed by"    },
        {TLS_CA,          no_ca,             -EINVAL, TLS_CERTIFICATE, "is not signed by"    },
        {TLS_CERTIFICATE, rubbish,           -EINVAL, TLS_CERTIFICATE, "no certificate"      },
        {TLS_CERTIFICATE, foreign_key,       -EINVAL, TLS_CERTIFICATE, "no certificate"      },
        {TLS_CERTIFICATE, foreign_pem,       -EINVAL, TLS_CERTIFICATE, "is not signed by"    },
        {TLS_CERTIFICATE, client_only,       -EINVAL, TLS_CERTIFICATE, "not meant for server"},
        {TLS_KEY,         nothing,           -EINVAL, TLS_KEY,         "no private key"      },
        {TLS_KEY,         rubbish,           -EINVAL, TLS_KEY,         "no private key"      },
        {TLS_KEY,         foreign_key,       -EINVAL, TLS_KEY,         "not the key of"      },
        {TLS_KEY,         with_a_passphrase, -EINVAL, TLS_KEY,         "needs a passphrase"  },
};

START_TEST(names_the_file_that_is_wrong)
{
        struct tls_files f;
        struct err e = {0};

        if (faults[_i].text)
                write_file(faults[_i].file, faults[_i].text());
        else
                ck_assert_int_eq(fs_remove(paths[faults[_i].file], NULL), 0);
        ck_assert_int_eq(tls_files_load(&f, paths, &e), faults[_i].code);
        ck_assert_int_eq(e.code, faults[_i].code);
        ck_assert_msg(strstr(e.text, paths[faults[_i].named]), "%s", e.text);
        ck_assert_msg(strstr(e.text, faults[_i].words), "%s", e.text);
        ck_assert_msg(!strstr(e.text, "BEGIN"), "%s", e.text);
}
END_TEST

/* --- identities --------------------------------------------------------------------------------- */

static const struct {
        const char *uri, *cluster;
        enum diag_role role;
        bool has;
} uris[] = {
        {"diag://prod/master",          "prod", DIAG_ROLE_MASTER,       true },
        {"diag://prod/agent",           "prod", DIAG_ROLE_AGENT,        true },
        {"diag://prod/agent_public",    "prod", DIAG_ROLE_AGENT_PUBLIC, true },
        {"diag://prod/agent",           "prod", DIAG_ROLE_MASTER,       false},
        {"diag://prod/master",          "test", DIAG_ROLE_MASTER,       false},
        {"diag://prod/master",          "",     DIAG_ROLE_MASTER,       false},
        {"diag:///master",              "",     DIAG_ROLE_MASTER,       false},
        {"diag://prod/Master",          "prod", DIAG_ROLE_MASTER,       false},
        {"diag://PROD/master",          "prod", DIAG_ROLE_MASTER,       false},
        {"diag://prod/master/",         "prod", DIAG_ROLE_MASTER,       false},
        {"diag://prod/masters",         "prod", DIAG_ROLE_MASTER,       false},
        {"diag://prod/",                "prod", DIAG_ROLE_UNKNOWN,      false},
        {"diag://prod",                 "prod", DIAG_ROLE_MASTER,       false},
        {"diag://a/diag://prod/master", "prod", DIAG_ROLE_MASTER,       false},
        {"spiffe://prod/master",        "prod", DIAG_ROLE_MASTER,       false},
        {"xdiag://prod/master",         "prod", DIAG_ROLE_MASTER,       false},
        {"",                            "prod", DIAG_ROLE_MASTER,       false},
};

START_TEST(reads_roles)
{
        struct tls_identity i = {0};

        tls_identity_add_uri(&i, uris[_i].uri);
        ck_assert_msg(tls_identity_has_role(&i, uris[_i].cluster, uris[_i].role) == uris[_i].has,
                      "%s", uris[_i].uri);
}
END_TEST

START_TEST(has_limits)
{
        struct tls_identity i = {0};
        char uri[TLS_CLUSTER_MAX + 32];

        (void)snprintf(uri, sizeof(uri), "diag://%0*d/master", TLS_CLUSTER_MAX, 1);
        tls_identity_add_uri(&i, uri);
        ck_assert_uint_eq(i.n_roles, 0);
        (void)snprintf(uri, sizeof(uri), "diag://%0*d/master", TLS_CLUSTER_MAX - 1, 1);
        for (size_t k = 0; k < TLS_ROLES_MAX + 2; k++)
                tls_identity_add_uri(&i, uri);
        ck_assert_uint_eq(i.n_roles, TLS_ROLES_MAX);
}
END_TEST

/* --- those of others: a handshake of two sessions, as libmicrohttpd has it ------------------------ */

static gnutls_session_t make_server(int fd)
{
        gnutls_datum_t trust = certificate_datum(ca.pem), crt = certificate_datum(node.pem),
                       key = certificate_datum(node.key_pem);
        gnutls_certificate_credentials_t credentials;
        gnutls_session_t session;

        MADE(gnutls_certificate_allocate_credentials(&credentials));
        certificates_keep(credentials, certificate_free_credentials);
        MADE(gnutls_certificate_set_x509_trust_mem(credentials, &trust, GNUTLS_X509_FMT_PEM));
        MADE(gnutls_certificate_set_x509_key_mem(credentials, &crt, &key, GNUTLS_X509_FMT_PEM));
        MADE(gnutls_init(&session, GNUTLS_SERVER));
        certificates_keep(session, certificate_free_session);
        MADE(gnutls_priority_set_direct(session, TLS_PRIORITIES, NULL));
        MADE(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials));
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
        tls_session_bound(session);
        gnutls_transport_set_int(session, fd);
        return session;
}

static int shake_hands(gnutls_session_t session)
{
        int r;

        do
                r = gnutls_handshake(session);
        while (r < 0 && !gnutls_error_is_fatal(r));
        return r;
}

struct client {
        gnutls_session_t session;
        int result;
};

static void *client_thread(void *userdata)
{
        struct client *c = userdata;

        c->result = shake_hands(c->session);
        return NULL;
}

/* NULL: the handshake failed. */
static gnutls_session_t accept_one(const struct certificate *own, const char *priorities)
{
        gnutls_session_t server;
        struct client client;
        pthread_t thread;
        int r, fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        server = make_server(fds[0]);
        client.session = certificate_client(own, fds[1], priorities);
        certificates_keep(client.session, certificate_free_session);
        ck_assert_int_eq(pthread_create(&thread, NULL, client_thread, &client), 0);
        r = shake_hands(server);
        if (r < 0)
                (void)shutdown(fds[0], SHUT_RDWR);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        return r < 0 || client.result < 0 ? NULL : server;
}

enum who { NOBODY, OURS, FOREIGN, ITSELF };

/* clang-format off */
static const struct {
        struct certificate_wish wish;
        const char *name; /* NULL: not to be known */
        enum who signer;
        enum tls_trust trust;
        bool master;
} peers[] = {
        {{0}, NULL, NOBODY, TLS_TRUST_NO_CERTIFICATE, false},
        {{.cn = "m1", .uri = MASTER}, "m1", OURS, TLS_TRUST_GOOD, true},
        {{.cn = "a1", .uri = "diag://prod/agent"}, "a1", OURS, TLS_TRUST_GOOD, false},
        {{.dns = "a1.example"}, "a1.example", OURS, TLS_TRUST_GOOD, false},
        {{.cn = "m\0evil", .n_cn = 6, .dns = "m2"}, "m2", OURS, TLS_TRUST_GOOD, false},
        {{0}, "", OURS, TLS_TRUST_GOOD, false},
        {{.cn = "m1", .uri = MASTER, .purpose = GNUTLS_KP_TLS_WWW_CLIENT}, "m1", OURS,
         TLS_TRUST_GOOD, true},
        {{.cn = "m1", .uri = MASTER, .purpose = GNUTLS_KP_TLS_WWW_SERVER}, NULL, OURS,
         TLS_TRUST_NOT_FOR_CLIENTS, false},
        {{.cn = "m1", .uri = MASTER, .from_seconds = -7200, .until_seconds = -3600}, NULL, OURS,
         TLS_TRUST_EXPIRED, false},
        {{.cn = "m1", .uri = MASTER, .from_seconds = 3600, .until_seconds = 7200}, NULL, OURS,
         TLS_TRUST_TOO_EARLY, false},
        {{.cn = "m1", .uri = MASTER}, NULL, FOREIGN, TLS_TRUST_OTHER_CA, false},
        {{.cn = "m1", .uri = MASTER, .from_seconds = -7200, .until_seconds = -3600}, NULL, FOREIGN,
         TLS_TRUST_OTHER_CA, false},
        {{.cn = "m1", .uri = MASTER}, NULL, ITSELF, TLS_TRUST_OTHER_CA, false},
        {{.cn = "the CA", .uri = MASTER, .is_ca = true}, NULL, ITSELF, TLS_TRUST_OTHER_CA, false},
};
/* clang-format on */

START_TEST(knows_what_a_certificate_is_worth)
{
        static const char *const versions[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.3",
                                               "NORMAL:-VERS-ALL:+VERS-TLS1.2"};
        const struct certificate *const signers[] = {NULL, &ca, &other_ca, NULL};
        struct certificate own = certificate_make(&peers[_i].wish, signers[peers[_i].signer]);

        for (size_t i = 0; i < ELEMENTSOF(versions); i++) {
                gnutls_session_t s =
                        accept_one(peers[_i].signer == NOBODY ? NULL : &own, versions[i]);
                struct tls_peer p;

                ck_assert_ptr_nonnull(s);
                tls_peer_from_session(&p, s);
                ck_assert_msg(p.trust == peers[_i].trust, "%s", tls_trust_explain(p.trust));
                ck_assert_str_eq(p.identity.name, str_or(peers[_i].name, ""));
                ck_assert_int_eq(tls_identity_has_role(&p.identity, "prod", DIAG_ROLE_MASTER),
                                 peers[_i].master);
        }
}
END_TEST

START_TEST(knows_names)
{
        struct certificate_wish w = {.cn = "Master One", .dns = "M1.example"};
        struct certificate own = certificate_make(&w, &ca);
        struct tls_peer p;

        tls_peer_from_session(&p, accept_one(&own, "NORMAL"));
        ck_assert(tls_identity_has_name(&p.identity, "master one"));
        ck_assert(tls_identity_has_name(&p.identity, "m1.EXAMPLE"));
        ck_assert(!tls_identity_has_name(&p.identity, "m1"));
        ck_assert(!tls_identity_has_name(&p.identity, ""));
}
END_TEST

START_TEST(forgets_who_has_expired_meanwhile)
{
        struct tls_peer p;

        tls_peer_from_session(&p, accept_one(&node, "NORMAL"));
        tls_peer_look_again(&p, p.identity.valid_until_wall_usec);
        ck_assert_int_eq(p.trust, TLS_TRUST_GOOD);
        tls_peer_look_again(&p, p.identity.valid_until_wall_usec + 1);
        ck_assert_int_eq(p.trust, TLS_TRUST_EXPIRED);
        tls_peer_look_again(&p, 0);
        ck_assert_int_eq(p.trust, TLS_TRUST_EXPIRED);
}
END_TEST

START_TEST(speaks_no_old_versions)
{
        ck_assert_ptr_nonnull(accept_one(&node, "NORMAL:-VERS-ALL:+VERS-TLS1.2"));
        ck_assert_ptr_null(accept_one(&node, "NORMAL:-VERS-ALL:+VERS-TLS1.1"));
        ck_assert_ptr_null(accept_one(&node, "NORMAL:-VERS-ALL:+VERS-TLS1.0"));
        ck_assert_ptr_null(accept_one(&node, "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA"));
}
END_TEST

/* What would have to be kept until the handshake is over. */
START_TEST(bounds_a_handshake)
{
        static char long_name[48000];
        struct certificate own;

        memset(long_name, 'x', sizeof(long_name) - 1);
        own = certificate_make(&(struct certificate_wish){.dns = long_name}, &ca);
        ck_assert_ptr_null(accept_one(&own, "NORMAL"));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("tls");
        TCase *tc = tcase_create("tls");

        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_test(tc, loads_files_that_belong_together);
        tcase_add_test(tc, loads_a_chain_and_several_cas);
        tcase_add_loop_test(tc, loads_what_is_too_old_or_too_new, 0, 2);
        tcase_add_loop_test(tc, names_the_file_that_is_wrong, 0, ELEMENTSOF(faults));
        tcase_add_loop_test(tc, reads_roles, 0, ELEMENTSOF(uris));
        tcase_add_test(tc, has_limits);
        tcase_add_loop_test(tc, knows_what_a_certificate_is_worth, 0, ELEMENTSOF(peers));
        tcase_add_test(tc, knows_names);
        tcase_add_test(tc, forgets_who_has_expired_meanwhile);
        tcase_add_test(tc, speaks_no_old_versions);
        tcase_add_test(tc, bounds_a_handshake);
        suite_add_tcase(s, tc);
        return test_main(s);
}
