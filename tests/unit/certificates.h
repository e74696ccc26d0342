#pragma once

/*
 * Certificates for tests, made on the spot: keys of their own, a CA or two, what is good and what is not.
 * All texts are PEM. All of it is there until certificates_done().
 */

#include <check.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define CERTIFICATES_KEPT_MAX 256u

static struct {
        void *what;
        void (*done)(void *what);
} certificates_kept[CERTIFICATES_KEPT_MAX];
static size_t n_certificates_kept;

/** certificates_keep() - have @done called by certificates_done() */
static inline void certificates_keep(void *what, void (*done)(void *what))
{
        ck_assert_uint_lt(n_certificates_kept, CERTIFICATES_KEPT_MAX);
        certificates_kept[n_certificates_kept].what = what;
        certificates_kept[n_certificates_kept++].done = done;
}

static inline void certificates_done(void)
{
        while (n_certificates_kept) {
                n_certificates_kept--;
                certificates_kept[n_certificates_kept].done(
                        certificates_kept[n_certificates_kept].what);
        }
}

static inline void certificate_free_crt(void *crt)
{
        gnutls_x509_crt_deinit(crt);
}

static inline void certificate_free_key(void *key)
{
        gnutls_x509_privkey_deinit(key);
}

static inline void certificate_free_text(void *text)
{
        gnutls_free(text);
}

static inline void certificate_free_credentials(void *credentials)
{
        gnutls_certificate_free_credentials(credentials);
}

static inline void certificate_free_session(void *session)
{
        gnutls_deinit(session);
}

struct certificate {
        gnutls_x509_crt_t crt;
        gnutls_x509_privkey_t key;
        const char *pem, *key_pem;
};

/** What is asked for. NULL, 0: without, or as usual. */
struct certificate_wish {
        const char *cn, *uri, *dns, *purpose;
        long from_seconds, until_seconds; /* from now; 0: an hour ago, in an hour */
        bool is_ca;
        size_t n_cn; /* bytes of cn, when it has a NUL within */
};

#define MADE(call) ck_assert_int_ge((call), 0)

static inline const char *certificate_pem(gnutls_x509_crt_t crt)
{
        gnutls_datum_t d;

        MADE(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &d));
        certificates_keep(d.data, certificate_free_text);
        return (const char *)d.data;
}

static inline const char *certificate_key_pem(gnutls_x509_privkey_t key)
{
        gnutls_datum_t d;

        MADE(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &d));
        certificates_keep(d.data, certificate_free_text);
        return (const char *)d.data;
}

static inline void certificate_name(gnutls_x509_crt_t crt, const struct certificate_wish *w)
{
        if (w->cn)
                MADE(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, w->cn,
                                                   (unsigned)(w->n_cn ? w->n_cn : strlen(w->cn))));
        if (w->uri)
                MADE(gnutls_x509_crt_set_subject_alt_name(
                        crt, GNUTLS_SAN_URI, w->uri, (unsigned)strlen(w->uri), GNUTLS_FSAN_APPEND));
        if (w->dns)
                MADE(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, w->dns,
                                                          (unsigned)strlen(w->dns),
                                                          GNUTLS_FSAN_APPEND));
}

/** certificate_make() - signed by @ca, or by itself */
static inline struct certificate certificate_make(const struct certificate_wish *w,
                                                  const struct certificate *ca)
{
        static unsigned char serial;
        time_t now = time(NULL);
        struct certificate c;

        serial++;
        MADE(gnutls_x509_privkey_init(&c.key));
        certificates_keep(c.key, certificate_free_key);
        MADE(gnutls_x509_privkey_generate(c.key, GNUTLS_PK_ECDSA,
                                          GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
        MADE(gnutls_x509_crt_init(&c.crt));
        certificates_keep(c.crt, certificate_free_crt);
        MADE(gnutls_x509_crt_set_version(c.crt, 3));
        MADE(gnutls_x509_crt_set_serial(c.crt, &serial, 1));
        MADE(gnutls_x509_crt_set_key(c.crt, c.key));
        MADE(gnutls_x509_crt_set_activation_time(
                c.crt, now + (w->from_seconds ? w->from_seconds : -3600)));
        MADE(gnutls_x509_crt_set_expiration_time(
                c.crt, now + (w->until_seconds ? w->until_seconds : 3600)));
        MADE(gnutls_x509_crt_set_basic_constraints(c.crt, w->is_ca, -1));
        if (w->purpose)
                MADE(gnutls_x509_crt_set_key_purpose_oid(c.crt, w->purpose, 0));
        certificate_name(c.crt, w);
        MADE(gnutls_x509_crt_sign2(c.crt, ca ? ca->crt : c.crt, ca ? ca->key : c.key,
                                   GNUTLS_DIG_SHA256, 0));
        c.pem = certificate_pem(c.crt);
        c.key_pem = certificate_key_pem(c.key);
        return c;
}

static inline struct certificate certificate_make_ca(const char *cn)
{
        return certificate_make(&(struct certificate_wish){.cn = cn, .is_ca = true}, NULL);
}

static inline gnutls_datum_t certificate_datum(const char *text)
{
        return (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
}

/** certificate_client() - a session, the caller's, that shows @own (NULL: nothing), and takes any server for good */
static inline gnutls_session_t certificate_client(const struct certificate *own, int fd,
                                                  const char *priorities)
{
        gnutls_certificate_credentials_t credentials;
        gnutls_session_t session;

        MADE(gnutls_certificate_allocate_credentials(&credentials));
        certificates_keep(credentials, certificate_free_credentials);
        if (own) {
                gnutls_datum_t crt = certificate_datum(own->pem),
                               key = certificate_datum(own->key_pem);

                MADE(gnutls_certificate_set_x509_key_mem(credentials, &crt, &key,
                                                         GNUTLS_X509_FMT_PEM));
        }
        /* Shown even where the server asks for those of other CAs. */
        MADE(gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT));
        MADE(gnutls_priority_set_direct(session, priorities, NULL));
        MADE(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials));
        gnutls_transport_set_int(session, fd);
        return session;
}
