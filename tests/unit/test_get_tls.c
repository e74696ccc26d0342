/* It tells nobody anything before it knows who that is, and says why it does not, or why it is not heard. */

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>

#include <gnutls/gnutls.h>

#include "base/fs.h"
#include "base/mono.h"
#include "cli/cert.h"
#include "net/get.h"
#include "tests/fakes/scripted_server.h"
#include "tests/unit/test_main.h"

#define BODY_MAX 64u
#define TIMEOUT  (5 * USEC_PER_SEC)
#define LONG_AGO UINT64_C(946728000000000) /* 2000-01-01T12:00:00Z */
#define ANSWER   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

static char directory[40];

static const char *path_of(const char *name)
{
        static char paths[8][128];
        static unsigned n;
        char *path = paths[n++ % ELEMENTSOF(paths)];

        (void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
        return path;
}

static void put(const char *name, const char *text)
{
        ck_assert_int_eq(fs_replace(path_of(name), text, strlen(text), 0600, NULL), 0);
}

/* NAME.pem and NAME.key, signed by AUTHORITY.pem, for one address */
static void make_node(const char *authority, const char *name, const char *address)
{
        _cleanup_(cert_authority_freep) struct cert_authority *a = NULL;
        _cleanup_(cert_made_done) struct cert_made made = {0};
        struct cert_subject s;
        char file[64], key[64];
        struct err e = {0};

        (void)snprintf(file, sizeof(file), "%s.pem", authority);
        (void)snprintf(key, sizeof(key), "%s.key", authority);
        ck_assert_msg(cert_authority_load(&a, path_of(file), path_of(key), &e) == 0, "%s", e.text);
        ck_assert_int_eq(cert_subject_init(&s, "m1", "master", NULL), 0);
        ck_assert_int_eq(cert_subject_add_address(&s, address, NULL), 0);
        ck_assert_int_eq(cert_make_node(&made, a, "prod", &s, 10, NULL), 0);
        cert_subject_done(&s);
        (void)snprintf(file, sizeof(file), "%s.pem", name);
        (void)snprintf(key, sizeof(key), "%s.key", name);
        put(file, made.cert);
        put(key, made.key);
}

static void make_authority(const char *name)
{
        _cleanup_(cert_made_done) struct cert_made made = {0};
        char file[64];

        ck_assert_int_eq(cert_make_authority(&made, "prod", 20, NULL), 0);
        (void)snprintf(file, sizeof(file), "%s.pem", name);
        put(file, made.cert);
        (void)snprintf(file, sizeof(file), "%s.key", name);
        put(file, made.key);
}

static void set_up(void)
{
        uint64_t then = LONG_AGO;

        (void)snprintf(directory, sizeof(directory), "/tmp/diag-test-get-tls.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        make_authority("ca");
        make_authority("other-ca");
        make_node("ca", "here", "127.0.0.1");
        make_node("ca", "elsewhere", "127.0.0.2");
        make_node("other-ca", "stranger", "127.0.0.1");
        put("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        clock_fake(&then);
        make_authority("old-ca");
        make_node("old-ca", "old", "127.0.0.1");
        clock_fake(NULL);
}

static int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int type,
                      _unused_ struct FTW *at)
{
        return remove(path);
}

static void tear_down(void)
{
        ck_assert_int_eq(nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* --- a server ------------------------------------------------------------------------------------- */

enum server {
        SPEAKS_TLS = 0,
        SPEAKS_OLD_TLS,
        SPEAKS_PLAIN,
        HANGS_UP,
        WANTS_CERTIFICATE,
        HANGS_UP_AFTERWARDS, /* after the handshake */
};

/* One connection on a listening socket of a scripted server, which does the rest for it. */
struct tls_server {
        struct scripted_server tcp;
        enum server kind;
        const char *name; /* whose certificate it shows */
        char request[SCRIPTED_REQUEST_MAX];
};

static void speak_tls(struct tls_server *s, gnutls_session_t session)
{
        size_t n = 0;
        ssize_t k = 1;
        int r;

        do
                r = gnutls_handshake(session);
        while (r < 0 && !gnutls_error_is_fatal(r));
        if (r < 0) {
                (void)gnutls_alert_send_appropriate(session, r);
                return;
        }
        if (s->kind == HANGS_UP_AFTERWARDS)
                return;
        while (k > 0 && n + 1 < sizeof(s->request) && !strstr(s->request, "\r\n\r\n")) {
                k = gnutls_record_recv(session, s->request + n, sizeof(s->request) - 1 - n);
                n += k > 0 ? (size_t)k : 0;
        }
        (void)gnutls_record_send(session, ANSWER, strlen(ANSWER));
        (void)gnutls_bye(session, GNUTLS_SHUT_WR);
}

static void serve_tls(struct tls_server *s, int fd)
{
        gnutls_certificate_credentials_t own;
        gnutls_session_t session;
        char cert[64], key[64], rest[256];

        (void)snprintf(cert, sizeof(cert), "%s.pem", s->name);
        (void)snprintf(key, sizeof(key), "%s.key", s->name);
        gnutls_certificate_allocate_credentials(&own);
        gnutls_certificate_set_x509_key_file(own, path_of(cert), path_of(key), GNUTLS_X509_FMT_PEM);
        gnutls_certificate_set_x509_trust_file(own, path_of("ca.pem"), GNUTLS_X509_FMT_PEM);
        gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
        gnutls_priority_set_direct(
                session,
                s->kind == SPEAKS_OLD_TLS
                        ? "NORMAL:-VERS-ALL:+VERS-TLS1.1:%VERIFY_ALLOW_SIGN_WITH_SHA1"
                        : "NORMAL",
                NULL);
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, own);
        if (s->kind == WANTS_CERTIFICATE) {
                gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
                gnutls_session_set_verify_cert(session, NULL, 0);
        }
        gnutls_transport_set_int(session, fd);
        speak_tls(s, session);
        (void)shutdown(fd, SHUT_WR);
        while (recv(fd, rest, sizeof(rest), 0) > 0) /* or what we said last is lost by a reset */
                ;
        gnutls_deinit(session);
        gnutls_certificate_free_credentials(own);
}

static void *serve(void *arg)
{
        struct tls_server *s = arg;
        int fd = accept4(s->tcp.listen_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0 && s->kind == SPEAKS_PLAIN)
                scripted_answer(&(struct scripted_reply){.bytes = ANSWER}, fd);
        else if (fd >= 0 && s->kind != HANGS_UP)
                serve_tls(s, fd);
        if (fd >= 0)
                close(fd);
        return NULL;
}

/* --- questions ------------------------------------------------------------------------------------ */

static const struct {
        const char *name, *shows; /* whose certificate the server shows */
        enum server kind;
        int want;
        const char *ca, *cert, *key; /* ours */
        const char *says;            /* stands in what is said */
} questions[] = {
        {"trusted",                     "here",      SPEAKS_TLS,          0,             "ca.pem",      NULL,            NULL,            NULL           },
        {"trusted, and says who it is", "here",      WANTS_CERTIFICATE,   0,             "ca.pem",      "elsewhere.pem",
         "elsewhere.key",                                                                                                                 NULL           },
        {"shows what nobody wants",     "here",      SPEAKS_TLS,          0,             "ca.pem",      "stranger.pem",  "stranger.key",
         NULL                                                                                                                                            },
        {"another authority",           "stranger",  SPEAKS_TLS,          -EKEYREJECTED, "ca.pem",      NULL,            NULL,
         " cannot be trusted: SSL certificate problem: "                                                                                                 },
        {"another machine",             "elsewhere", SPEAKS_TLS,          -EKEYREJECTED, "ca.pem",      NULL,            NULL,
         " cannot be trusted: SSL: no alternative certificate subject name matches"                                                                      },
        {"out of date",                 "old",       SPEAKS_TLS,          -EKEYREJECTED, "old-ca.pem",  NULL,            NULL,
         " cannot be trusted: SSL certificate problem: certificate has expired"                                                                          },
        {"speaks plain HTTP",           "here",      SPEAKS_PLAIN,        -EPROTO,       "ca.pem",      NULL,            NULL,
         " does not speak TLS with us: "                                                                                                                 },
        {"speaks old TLS",              "here",      SPEAKS_OLD_TLS,      -EPROTO,       "ca.pem",      NULL,            NULL,
         " does not speak TLS with us: "                                                                                                                 },
        {"hangs up after it saw us",    "here",      HANGS_UP_AFTERWARDS, -EBADMSG,      "ca.pem",      NULL,            NULL,
         "; we showed no certificate"                                                                                                                    },
        {"hangs up",                    "here",      HANGS_UP,            -EPROTO,       "ca.pem",      NULL,            NULL,
         " does not speak TLS with us: "                                                                                                                 },
        {"wants to know who we are",    "here",      WANTS_CERTIFICATE,   -EKEYREJECTED, "ca.pem",      NULL,            NULL,
         " refuses us: certificate required; we showed no certificate"                                                                                   },
        {"does not know our authority", "here",      WANTS_CERTIFICATE,   -EKEYREJECTED, "ca.pem",
         "stranger.pem",                                                                                                 "stranger.key",  "/stranger.pem"},
        {"our key is another's",        "here",      SPEAKS_TLS,          -ENOKEY,       "ca.pem",      "here.pem",      "elsewhere.key",
         " cannot be asked: "                                                                                                                            },
        {"our key is no key",           "here",      SPEAKS_TLS,          -ENOKEY,       "ca.pem",      "here.pem",      "here.pem",
         " cannot be asked: "                                                                                                                            },
        {"our certificate is none",     "here",      SPEAKS_TLS,          -ENOKEY,       "ca.pem",      "here.key",      "here.key",
         " cannot be asked: "                                                                                                                            },
        {"our authority is none",       "here",      SPEAKS_TLS,          -ENOKEY,       "garbage.pem", NULL,            NULL,
         " cannot be asked: "                                                                                                                            },
        {"no such authority",           "here",      SPEAKS_TLS,          -ENOENT,       "missing",     NULL,            NULL,
         "/missing: No such file or directory"                                                                                                           },
        {"no such key",                 "here",      SPEAKS_TLS,          -ENOENT,       "ca.pem",      "here.pem",      "missing",
         "/missing: No such file or directory"                                                                                                           },
};

static int ask(struct tls_server *s, const char *url, const struct get_tls *tls,
               struct get_answer *a, struct err *e)
{
        const struct get_request q = {
                .url = url,
                .tls = tls,
                .headers = (const char *const[]){"X-Secret: of ours", NULL},
                .timeout_usec = TIMEOUT,
                .max_bytes = BODY_MAX,
        };
        int r;

        ck_assert_int_eq(pthread_create(&s->tcp.thread, NULL, serve, s), 0);
        r = get_perform(a, &q, e);
        (void)shutdown(s->tcp.listen_fd, SHUT_RDWR); /* it may never have been asked */
        (void)pthread_join(s->tcp.thread, NULL);
        close(s->tcp.listen_fd);
        return r;
}

START_TEST(asks_over_tls)
{
        struct tls_server s = {.kind = questions[_i].kind, .name = questions[_i].shows};
        const struct get_tls tls = {
                .ca_file = path_of(questions[_i].ca),
                .cert_file = questions[_i].cert ? path_of(questions[_i].cert) : NULL,
                .key_file = questions[_i].key ? path_of(questions[_i].key) : NULL,
        };
        _cleanup_(get_answer_done) struct get_answer a = {0};
        char url[SCRIPTED_REQUEST_MAX * 2];
        struct err e = {0};
        int r;

        scripted_server_on_loopback(&s.tcp);
        (void)snprintf(url, sizeof(url), "https%s/x", s.tcp.url + strlen("http"));
        r = ask(&s, url, &tls, &a, &e);
        ck_assert_msg(r == questions[_i].want, "%s: %d %s", questions[_i].name, r, e.text);
        if (r == 0) {
                ck_assert_str_eq(buf_cstr(&a.body), "hi");
                ck_assert_ptr_nonnull(strstr(s.request, "GET /x HTTP/1.1\r\n"));
                ck_assert_ptr_nonnull(strstr(s.request, "X-Secret: of ours\r\n"));
                return;
        }
        ck_assert_msg(strstr(e.text, questions[_i].says) != NULL, "%s: %s", questions[_i].name,
                      e.text);
        ck_assert_str_eq(s.request, "");
}
END_TEST

START_TEST(asks_nothing_in_the_clear)
{
        struct tls_server s = {.kind = SPEAKS_PLAIN};
        const struct get_tls tls = {.ca_file = path_of("ca.pem")};
        _cleanup_(get_answer_done) struct get_answer a = {0};
        struct err e = {0};

        scripted_server_on_loopback(&s.tcp);
        ck_assert_int_eq(ask(&s, s.tcp.url, &tls, &a, &e), -EBADMSG);
}
END_TEST

START_TEST(asks_over_tls_only_if_told_whom_to_trust)
{
        struct tls_server s = {.kind = SPEAKS_TLS, .name = "here"};
        _cleanup_(get_answer_done) struct get_answer a = {0};
        char url[SCRIPTED_REQUEST_MAX * 2];
        struct err e = {0};

        scripted_server_on_loopback(&s.tcp);
        (void)snprintf(url, sizeof(url), "https%s/x", s.tcp.url + strlen("http"));
        ck_assert_int_eq(ask(&s, url, NULL, &a, &e), -EBADMSG);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("get_tls");
        TCase *tc = tcase_create("get_tls");

        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_loop_test(tc, asks_over_tls, 0, ELEMENTSOF(questions));
        tcase_add_test(tc, asks_nothing_in_the_clear);
        tcase_add_test(tc, asks_over_tls_only_if_told_whom_to_trust);
        suite_add_tcase(s, tc);
        return test_main(s);
}
