/* Over TLS it believes those whom it was told to believe, and nobody else; and says who it is. */

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>

#include "tests/unit/fetch_asked.h"

#define DAY_SEC    86400L
#define PEM_MAX    8192u
#define CLIENT_MAX 16u

/* --- certificates --------------------------------------------------------------------------------- */

/* A key, and what somebody says of it. */
struct identity {
        EVP_PKEY *key;
        X509 *certificate;
        char certificate_pem[PEM_MAX], key_pem[PEM_MAX];
};

static struct identity authority, renewed_authority, other_authority, ours;

static void write_pem(struct identity *x)
{
        BIO *bio = BIO_new(BIO_s_mem());
        int n;

        ck_assert_int_eq(PEM_write_bio_X509(bio, x->certificate), 1);
        n = BIO_read(bio, x->certificate_pem, PEM_MAX - 1);
        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, x->key, NULL, NULL, 0, NULL, NULL), 1);
        n = BIO_read(bio, x->key_pem, PEM_MAX - 1);
        ck_assert_int_gt(n, 0);
        BIO_free(bio);
}

static void add_extension(X509 *x, int nid, const char *value)
{
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

        ck_assert_ptr_nonnull(extension);
        ck_assert_int_eq(X509_add_ext(x, extension, -1), 1);
        X509_EXTENSION_free(extension);
}

/* @issuer: NULL: itself; @names: as in openssl.cnf; NULL: an authority. */
static void identity_make_called(struct identity *x, const char *called,
                                 const struct identity *issuer, const char *names, long valid_sec)
{
        static int serial;
        X509_NAME *name;
        X509 *c = X509_new();

        x->key = EVP_EC_gen("P-256");
        ck_assert_ptr_nonnull(x->key);
        ck_assert_int_eq(X509_set_version(c, X509_VERSION_3), 1);
        ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial), 1);
        ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(c), -2 * DAY_SEC));
        ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(c), valid_sec));
        name = X509_get_subject_name(c);
        ck_assert_int_eq(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                    (const unsigned char *)called, -1, -1, 0),
                         1);
        ck_assert_int_eq(
                X509_set_issuer_name(c, issuer ? X509_get_subject_name(issuer->certificate) : name),
                1);
        ck_assert_int_eq(X509_set_pubkey(c, x->key), 1);
        add_extension(c, NID_basic_constraints, names ? "CA:FALSE" : "critical,CA:TRUE");
        if (names)
                add_extension(c, NID_subject_alt_name, names);
        ck_assert_int_gt(X509_sign(c, issuer ? issuer->key : x->key, EVP_sha256()), 0);
        x->certificate = c;
        write_pem(x);
}

static void identity_make(struct identity *x, const struct identity *issuer, const char *names,
                          long valid_sec)
{
        identity_make_called(x, "node", issuer, names, valid_sec);
}

static void identity_done(struct identity *x)
{
        X509_free(x->certificate);
        EVP_PKEY_free(x->key);
}

/* --- a server ------------------------------------------------------------------------------------- */

/* One thread for those who come, and one for each of them: answers each request with the name it was called. */
static struct {
        SSL_CTX *ctx;
        int listen_fd;
        pthread_t thread, clients[CLIENT_MAX];
        int fds[CLIENT_MAX];
        unsigned n;        /* clients so far */
        unsigned patience; /* requests that each is answered; 0: all */
        char url[URL_MAX];
} server;

static void answer(SSL *ssl)
{
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        char request[SCRIPTED_REQUEST_MAX], reply[2 * URL_MAX];
        X509 *peer = SSL_get1_peer_certificate(ssl);
        unsigned n_answered = 0;
        int n;

        (void)snprintf(reply, sizeof(reply), OK_HEAD "Content-Length: %zu\r\n\r\n%s %s",
                       strlen(name ? name : "-") + 2, name ? name : "-", peer ? "+" : "-");
        X509_free(peer);
        while ((n = SSL_read(ssl, request, sizeof(request))) > 0 &&
               (!server.patience || n_answered++ < server.patience))
                if (SSL_write(ssl, reply, (int)strlen(reply)) <= 0)
                        break;
}

static void *serve(void *arg)
{
        int fd = *(int *)arg;
        SSL *ssl = SSL_new(server.ctx);

        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1)
                answer(ssl);
        SSL_free(ssl);
        (void)shutdown(fd, SHUT_RDWR);
        ERR_clear_error();
        return NULL;
}

static void *take_clients(_unused_ void *arg)
{
        int fd;

        while ((fd = accept4(server.listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                unsigned i = server.n;

                ck_assert_uint_lt(i, CLIENT_MAX);
                server.fds[i] = fd;
                ck_assert_int_eq(pthread_create(&server.clients[i], NULL, serve, &server.fds[i]),
                                 0);
                __atomic_add_fetch(&server.n, 1, __ATOMIC_SEQ_CST);
        }
        return NULL;
}

static void server_start(const struct identity *who, int version_max, int verify)
{
        struct scripted_server s = {0};

        memset(&server, 0, sizeof(server));
        server.ctx = SSL_CTX_new(TLS_server_method());
        ck_assert_int_eq(SSL_CTX_use_certificate(server.ctx, who->certificate), 1);
        ck_assert_int_eq(SSL_CTX_use_PrivateKey(server.ctx, who->key), 1);
        ck_assert_int_eq(SSL_CTX_set_cipher_list(server.ctx, "ALL:@SECLEVEL=0"), 1);
        ck_assert_int_eq(SSL_CTX_set_min_proto_version(server.ctx, TLS1_VERSION), 1);
        ck_assert_int_eq(SSL_CTX_set_max_proto_version(server.ctx, version_max), 1);
        if (verify) {
                SSL_CTX_set_verify(server.ctx, verify, NULL);
                X509_STORE_add_cert(SSL_CTX_get_cert_store(server.ctx), authority.certificate);
        }
        scripted_server_on_loopback(&s);
        server.listen_fd = s.listen_fd;
        (void)snprintf(server.url, sizeof(server.url), "https%s/", s.url + strlen("http"));
        ck_assert_int_eq(pthread_create(&server.thread, NULL, take_clients, NULL), 0);
}

static void server_stop(void)
{
        (void)shutdown(server.listen_fd, SHUT_RDWR);
        (void)pthread_join(server.thread, NULL);
        for (unsigned i = 0; i < server.n; i++) {
                (void)shutdown(server.fds[i], SHUT_RDWR);
                (void)pthread_join(server.clients[i], NULL);
                close(server.fds[i]);
        }
        close(server.listen_fd);
        SSL_CTX_free(server.ctx);
}

static unsigned server_n(void)
{
        return __atomic_load_n(&server.n, __ATOMIC_SEQ_CST);
}

/* --- we ------------------------------------------------------------------------------------------- */

static void setup(void)
{
        const struct fetcher_options options = {.n_kept_max = 10, .buffer_bytes = FETCH_BUFFER_MIN};

        ck_assert_int_eq(loop_new(&loop), 0);
        ck_assert_int_eq(fetcher_new(&fetcher, loop, &options), 0);
        identity_make_called(&authority, "ca", NULL, NULL, DAY_SEC);
        identity_make_called(&renewed_authority, "ca", NULL, NULL, DAY_SEC);
        identity_make_called(&other_authority, "other ca", NULL, NULL, DAY_SEC);
        identity_make(&ours, &authority, "IP:127.0.0.1,DNS:node.example", DAY_SEC);
        n_ended = 0;
}

static void teardown(void)
{
        fetcher = fetcher_free(fetcher);
        loop = loop_free(loop);
        identity_done(&ours);
        identity_done(&other_authority);
        identity_done(&renewed_authority);
        identity_done(&authority);
}

static void trust(const struct identity *ca, const struct identity *who)
{
        const struct fetch_tls tls = {
                .ca_pem = ca->certificate_pem,
                .certificate_pem = who ? who->certificate_pem : NULL,
                .key_pem = who ? who->key_pem : NULL,
        };
        struct err e = {0};

        ck_assert_msg(fetcher_set_tls(fetcher, &tls, &e) == 0, "%s", e.text);
}

/* @name: NULL: its address. */
static void start_asking(struct asked *a, const char *name)
{
        char url[URL_MAX];
        struct fetch_request q = {
                .url = server.url,
                .timeout_usec = TIMEOUT,
                .max_bytes = BODY_MAX,
        };

        if (name) {
                (void)snprintf(url, sizeof(url), "https://%s%s", name, strrchr(server.url, ':'));
                q.url = url;
                q.connect_to = "127.0.0.1";
        }
        *a = (struct asked){.then = free_self};
        ask(a, &q);
}

static void ask_server(struct asked *a, const char *name)
{
        start_asking(a, name);
        wait_for(a);
}

#define UNTRUSTED "its certificate cannot be trusted"
#define NO_TLS    "it does not speak TLS as we do"
#define CASE(n, a, s, v, c, u, t)                                                    \
        {                                                                            \
                .name = (n), .alt_names = (a), .valid_sec = (s), .version_max = (v), \
                .called = (c), .issuer = (u), .text = (t)                            \
        }

static const struct {
        const char *name, *alt_names;
        long valid_sec;
        int version_max;
        const char *called; /* NULL: by its address */
        const struct identity *issuer;
        const char *text; /* "": there is an answer */
} peers[] = {
        CASE("address", "IP:127.0.0.1", DAY_SEC, 0, NULL, &authority, ""),
        CASE("name", "DNS:node.example", DAY_SEC, 0, "node.example", &authority, ""),
        CASE("TLS 1.2", "IP:127.0.0.1", DAY_SEC, TLS1_2_VERSION, NULL, &authority, ""),
        CASE("TLS 1.1", "IP:127.0.0.1", DAY_SEC, TLS1_1_VERSION, NULL, &authority, NO_TLS),
        CASE("other address", "IP:127.0.0.2", DAY_SEC, 0, NULL, &authority, UNTRUSTED),
        CASE("address as a name", "DNS:127.0.0.1", DAY_SEC, 0, NULL, &authority, UNTRUSTED),
        CASE("other name", "DNS:node.example", DAY_SEC, 0, "other.example", &authority, UNTRUSTED),
        CASE("name instead of address", "DNS:node.example", DAY_SEC, 0, NULL, &authority,
             UNTRUSTED),
        CASE("address instead of name", "IP:127.0.0.1", DAY_SEC, 0, "node.example", &authority,
             UNTRUSTED),
        CASE("expired", "IP:127.0.0.1", -DAY_SEC, 0, NULL, &authority, UNTRUSTED),
        CASE("new key", "IP:127.0.0.1", DAY_SEC, 0, NULL, &renewed_authority, UNTRUSTED),
        CASE("other authority", "IP:127.0.0.1", DAY_SEC, 0, NULL, &other_authority, UNTRUSTED),
};

START_TEST(trusts_whom_it_should)
{
        struct identity who;
        char body[2 * URL_MAX];
        struct asked a;

        identity_make(&who, peers[_i].issuer, peers[_i].alt_names, peers[_i].valid_sec);
        server_start(&who, peers[_i].version_max, SSL_VERIFY_NONE);
        trust(&authority, NULL);
        ask_server(&a, peers[_i].called);
        ck_assert_msg(streq(a.result.text, peers[_i].text), "%s: %s", peers[_i].name,
                      a.result.text);
        ck_assert_int_eq(a.result.error, *peers[_i].text ? -EPROTO : 0);
        (void)snprintf(body, sizeof(body), "%s -", peers[_i].called ? peers[_i].called : "-");
        ck_assert_str_eq(a.body, *peers[_i].text ? "" : body);
        server_stop();
        identity_done(&who);
}
END_TEST

/* The ClientHello is no request, so the server takes it until it is full, or we hang up. */
START_TEST(does_not_take_plain_text_for_tls)
{
        struct asked a;

        crowd_open();
        (void)snprintf(server.url, sizeof(server.url), "https%.100s", strchr(crowd.url, ':'));
        trust(&authority, NULL);
        start_asking(&a, NULL);
        crowd_wait(1);
        crowd_answer(0);
        wait_for(&a);
        ck_assert_str_eq(a.result.text, NO_TLS);
        ck_assert_int_eq(a.result.error, -EPROTO);
        crowd_close();
}
END_TEST

/* To whom we have said nothing, the system's authorities count; none of them knows ours. */
START_TEST(trusts_the_system_by_default)
{
        const struct fetch_tls only_identity = {.certificate_pem = ours.certificate_pem,
                                                .key_pem = ours.key_pem};
        struct asked a;

        server_start(&ours, 0, SSL_VERIFY_NONE);
        ask_server(&a, NULL);
        ck_assert_str_eq(a.result.text, UNTRUSTED);
        ck_assert_int_eq(fetcher_set_tls(fetcher, &only_identity, NULL), 0);
        ask_server(&a, NULL);
        ck_assert_str_eq(a.result.text, UNTRUSTED);
        trust(&authority, NULL);
        ask_server(&a, NULL);
        ck_assert_int_eq(a.result.error, 0);
        ck_assert_int_eq(fetcher_set_tls(fetcher, NULL, NULL), 0);
        ask_server(&a, NULL);
        ck_assert_str_eq(a.result.text, UNTRUSTED);
        server_stop();
}
END_TEST

/* Both ways to say it: before TLS 1.3 within the handshake, then behind it. */
static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

START_TEST(says_who_it_is)
{
        struct identity stranger;
        struct asked a;

        identity_make(&stranger, &other_authority, "IP:127.0.0.1", DAY_SEC);
        server_start(&ours, versions[_i], SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
        trust(&authority, &ours);
        ask_server(&a, NULL);
        ck_assert_msg(a.result.error == 0, "%s", a.result.text);
        ck_assert_str_eq(a.body, "- +");
        trust(&authority, &stranger);
        ask_server(&a, NULL);
        ck_assert_str_eq(a.result.text, "it does not accept our certificate");
        ck_assert_int_eq(a.result.error, -EPROTO);
        trust(&authority, NULL);
        ask_server(&a, NULL);
        ck_assert_str_eq(a.result.text, _i ? "it does not accept our certificate" : NO_TLS);
        ck_assert_int_eq(a.result.error, -EPROTO);
        server_stop();
        identity_done(&stranger);
}
END_TEST

/* --- kept connections ----------------------------------------------------------------------------- */

START_TEST(uses_a_connection_again)
{
        struct asked a;

        server_start(&ours, 0, SSL_VERIFY_NONE);
        trust(&authority, NULL);
        for (unsigned i = 0; i < 3; i++) {
                ask_server(&a, NULL);
                ck_assert_int_eq(a.result.error, 0);
                ck_assert_int_eq(a.result.reused, i > 0);
                ck_assert_int_eq(a.result.connected_usec > 0, i == 0);
        }
        ck_assert_uint_eq(server_n(), 1);
        server_stop();
}
END_TEST

START_TEST(replaces_one_that_died)
{
        struct asked a;

        server_start(&ours, 0, SSL_VERIFY_NONE);
        server.patience = 1; /* it reads the second request, and hangs up */
        trust(&authority, NULL);
        for (unsigned i = 0; i < 3; i++) {
                ask_server(&a, NULL);
                ck_assert_msg(a.result.error == 0, "%s", a.result.text);
                ck_assert(!a.result.reused);
        }
        ck_assert_uint_eq(server_n(), 3);
        server_stop();
}
END_TEST

START_TEST(uses_none_that_was_made_with_other_credentials)
{
        struct asked a;

        server_start(&ours, 0, SSL_VERIFY_PEER);
        trust(&authority, NULL);
        ask_server(&a, NULL);
        ck_assert_int_eq(a.result.error, 0);
        trust(&authority, NULL);
        ask_server(&a, NULL);
        ck_assert(!a.result.reused);
        trust(&authority, &ours);
        ask_server(&a, NULL);
        ck_assert_str_eq(a.body, "- +");
        trust(&other_authority, &ours);
        ask_server(&a, NULL);
        ck_assert_str_eq(a.result.text, UNTRUSTED);
        server_stop();
}
END_TEST

/* --- bad PEM -------------------------------------------------------------------------------------- */

#define NOT_PEM "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

static void refuses(const char *ca, const char *certificate, const char *key, int want,
                    const char *says)
{
        const struct fetch_tls tls = {.ca_pem = ca, .certificate_pem = certificate, .key_pem = key};
        struct err e = {0};

        ck_assert_int_eq(fetcher_set_tls(fetcher, &tls, &e), want);
        ck_assert_msg(strstr(e.text, says) != NULL, "%s", e.text);
}

START_TEST(names_what_is_bad)
{
        static char two[2 * PEM_MAX], large[FETCH_PEM_MAX + 2];
        const char *certificate = ours.certificate_pem, *key = ours.key_pem;
        char encrypted[PEM_MAX] = "";
        BIO *bio = BIO_new(BIO_s_mem());

        refuses("", NULL, NULL, -EINVAL, "the certificate authorities");
        refuses("garbage", NULL, NULL, -EINVAL, "the certificate authorities");
        refuses(NOT_PEM, NULL, NULL, -EINVAL, "the certificate authorities");
        refuses(key, NULL, NULL, -EINVAL, "the certificate authorities");
        (void)snprintf(two, sizeof(two), "%s" NOT_PEM, authority.certificate_pem);
        refuses(two, NULL, NULL, -EINVAL, "the certificate authorities");
        memset(large, '\n', sizeof(large) - 1);
        refuses(large, NULL, NULL, -E2BIG, "the certificate authorities");
        refuses(NULL, certificate, NULL, -EINVAL, "come together");
        refuses(NULL, NULL, key, -EINVAL, "come together");
        refuses(NULL, "garbage", key, -EINVAL, "the certificate:");
        refuses(NULL, large, key, -E2BIG, "the certificate:");
        refuses(NULL, certificate, "garbage", -EINVAL, "the private key:");
        refuses(NULL, certificate, certificate, -EINVAL, "the private key:");
        refuses(NULL, certificate, large, -E2BIG, "the private key:");
        refuses(NULL, certificate, authority.key_pem, -EINVAL, "does not belong");
        ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, ours.key, EVP_aes_128_cbc(),
                                                  (const unsigned char *)"secret", 6, NULL, NULL),
                         1);
        ck_assert_int_gt(BIO_read(bio, encrypted, sizeof(encrypted) - 1), 0);
        BIO_free(bio);
        refuses(NULL, certificate, encrypted, -EINVAL, "the private key:");
}
END_TEST

START_TEST(keeps_what_it_had_when_the_new_is_bad)
{
        struct asked a;

        server_start(&ours, 0, SSL_VERIFY_NONE);
        trust(&authority, NULL);
        refuses("garbage", NULL, NULL, -EINVAL, "the certificate authorities");
        ask_server(&a, NULL);
        ck_assert_int_eq(a.result.error, 0);
        server_stop();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("fetch_tls");
        TCase *t = tcase_create("tls");

        (void)signal(SIGPIPE, SIG_IGN);
        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, trusts_whom_it_should, 0, ELEMENTSOF(peers));
        tcase_add_test(t, does_not_take_plain_text_for_tls);
        tcase_add_test(t, trusts_the_system_by_default);
        tcase_add_loop_test(t, says_who_it_is, 0, ELEMENTSOF(versions));
        tcase_add_test(t, uses_a_connection_again);
        tcase_add_test(t, replaces_one_that_died);
        tcase_add_test(t, uses_none_that_was_made_with_other_credentials);
        tcase_add_test(t, names_what_is_bad);
        tcase_add_test(t, keeps_what_it_had_when_the_new_is_bad);
        suite_add_tcase(suite, t);
        return test_main(suite);
}
