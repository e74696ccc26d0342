/*
 * Credentials. libcurl makes an SSL_CTX for each connection and lets us fill it: the certificates,
 * the key and the store go in by reference.
 *
 * libcurl does not see what we fill in, so it would take a kept connection that was made with other
 * credentials. What it compares is the name of the directory of authorities: ours is a number that is
 * never used again, and no directory is ever looked into, for the store is replaced.
 */

#include <errno.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/ref.h"
#include "net/credentials.h"

#define MARK_MAX 32u

/* Libcurl and libssl hold a buffer of each size for each connection; a question fits in one of 1 KiB. */
#define SEND_FRAGMENT_BYTES 1024u
#define UPLOAD_BYTES        16384L /* the least that libcurl takes */

struct credentials {
        struct ref ref;
        X509_STORE *store;
        X509 *certificate; /* NULL: none */
        STACK_OF(X509) * chain;
        EVP_PKEY *key;
        char mark[MARK_MAX];
};

struct credentials *credentials_ref(struct credentials *c)
{
        if (c)
                ref_inc(&c->ref);
        return c;
}

struct credentials *credentials_unref(struct credentials *c)
{
        if (!c || !ref_dec(&c->ref))
                return NULL;
        X509_STORE_free(c->store);
        X509_free(c->certificate);
        sk_X509_pop_free(c->chain, X509_free);
        EVP_PKEY_free(c->key);
        free(c);
        return NULL;
}

/* --- parsing -------------------------------------------------------------------------------------- */

static int no_passphrase(_unused_ char *buf, _unused_ int size, _unused_ int writing,
                         _unused_ void *userdata)
{
        return -1; /* libcrypto would ask on the terminal */
}

static int open_pem(BIO **ret, const char *pem, const char *what, struct err *e)
{
        size_t n = strlen(pem);

        if (n > FETCH_PEM_MAX)
                return err_set(e, -E2BIG, "%s: more than %u bytes", what, FETCH_PEM_MAX);
        *ret = BIO_new_mem_buf(pem, (int)n);
        return *ret ? 0 : err_set(e, -ENOMEM, "out of memory");
}

/* All of them: one that cannot be read in the middle must not hide those behind it. */
static int read_certificates(STACK_OF(X509) * *ret, const char *pem, const char *what,
                             struct err *e)
{
        STACK_OF(X509) *list = sk_X509_new_null();
        X509 *x = NULL;
        BIO *bio = NULL;
        int k = list ? open_pem(&bio, pem, what, e) : err_set(e, -ENOMEM, "out of memory");

        while (k >= 0 && (x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)))
                if (!sk_X509_push(list, x)) {
                        X509_free(x);
                        k = err_set(e, -ENOMEM, "out of memory");
                }
        if (k >= 0 && (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE ||
                       sk_X509_num(list) == 0))
                k = err_set(e, -EINVAL, "%s: not a certificate in PEM", what);
        ERR_clear_error();
        BIO_free(bio);
        if (k < 0)
                sk_X509_pop_free(list, X509_free);
        else
                *ret = list;
        return k;
}

static int read_authorities(struct credentials *c, const char *pem, struct err *e)
{
        STACK_OF(X509) *list = NULL;
        int k;

        c->store = X509_STORE_new();
        if (!c->store)
                return err_set(e, -ENOMEM, "out of memory");
        X509_STORE_set_flags(c->store, X509_V_FLAG_PARTIAL_CHAIN);
        if (!pem)
                return X509_STORE_set_default_paths(c->store)
                               ? 0
                               : err_set(e, -ENOMEM, "out of memory");
        k = read_certificates(&list, pem, "the certificate authorities", e);
        for (int i = 0; k >= 0 && i < sk_X509_num(list); i++)
                if (!X509_STORE_add_cert(c->store, sk_X509_value(list, i)))
                        k = err_set(e, -ENOMEM, "out of memory");
        sk_X509_pop_free(list, X509_free);
        return k;
}

static int read_key(struct credentials *c, const char *pem, struct err *e)
{
        BIO *bio = NULL;
        int k = open_pem(&bio, pem, "the private key", e);

        if (k < 0)
                return k;
        c->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
        BIO_free(bio);
        if (!c->key)
                k = err_set(e, -EINVAL, "the private key: not an unencrypted key in PEM");
        else if (X509_check_private_key(c->certificate, c->key) != 1)
                k = err_set(e, -EINVAL, "the private key does not belong to the certificate");
        ERR_clear_error();
        return k;
}

static int read_identity(struct credentials *c, const struct fetch_tls *tls, struct err *e)
{
        int k;

        if (!tls->certificate_pem != !tls->key_pem)
                return err_set(e, -EINVAL, "a certificate and its private key come together");
        if (!tls->key_pem)
                return 0;
        k = read_certificates(&c->chain, tls->certificate_pem, "the certificate", e);
        if (k < 0)
                return k;
        c->certificate = sk_X509_shift(c->chain);
        return read_key(c, tls->key_pem, e);
}

static bool libcurl_uses_openssl(void)
{
        const char *name = curl_version_info(CURLVERSION_NOW)->ssl_version;

        return name && strncmp(name, "OpenSSL/", strlen("OpenSSL/")) == 0;
}

int credentials_new(struct credentials **ret, const struct fetch_tls *tls, struct err *e)
{
        static uint64_t n_made;
        _cleanup_(credentials_unrefp) struct credentials *c = calloc(1, sizeof(*c));
        int k;

        if (!c)
                return err_set(e, -ENOMEM, "out of memory");
        ref_init(&c->ref);
        if (!libcurl_uses_openssl())
                return err_set(e, -EOPNOTSUPP, "this libcurl does not use OpenSSL");
        (void)snprintf(c->mark, sizeof(c->mark), "/nonexistent/%ju", (uintmax_t)++n_made);
        k = read_authorities(c, tls->ca_pem, e);
        if (k >= 0)
                k = read_identity(c, tls, e);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(c);
        return 0;
}

/* --- using ---------------------------------------------------------------------------------------- */

/*
 * What a failed check of a signature leaves behind comes first in libcrypto's queue, and libcurl would
 * look no further: it would not know that the certificate was the reason.
 */
static int on_checked(int ok, _unused_ X509_STORE_CTX *store_ctx)
{
        if (!ok)
                ERR_clear_error();
        return ok;
}

static CURLcode fill(_unused_ CURL *easy, void *ssl_ctx, void *userdata)
{
        const struct credentials *c = userdata;

        SSL_CTX_set1_cert_store(ssl_ctx, c->store);
        SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, on_checked);
        SSL_CTX_set_max_send_fragment(ssl_ctx, SEND_FRAGMENT_BYTES);
        if (c->key && SSL_CTX_use_cert_and_key(ssl_ctx, c->certificate, c->key, c->chain, 1) != 1)
                return CURLE_OUT_OF_MEMORY;
        return CURLE_OK;
}

CURLcode credentials_apply(struct credentials *c, CURL *easy)
{
        const struct {
                CURLoption option;
                long value;
        } numbers[] = {
                {CURLOPT_SSL_VERIFYPEER,    1                      },
                {CURLOPT_SSL_VERIFYHOST,    2                      },
                {CURLOPT_SSLVERSION,        CURL_SSLVERSION_TLSv1_2},
                {CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BYTES           },
        };
        CURLcode k = curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);

        if (!k)
                k = curl_easy_setopt(easy, CURLOPT_CAPATH, c->mark);
        if (!k)
                k = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, fill);
        if (!k)
                k = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, c);
        for (size_t i = 0; i < ELEMENTSOF(numbers) && !k; i++)
                k = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
        return k;
}

/* The numbers of alerts are those of RFC 8446, 6.2. */
bool credentials_were_refused(const char *error_text)
{
        static const unsigned alerts[] = {42, 43, 44, 45, 46, 48, 49, 116};
        const char *code = strstr(error_text, "error:");
        int reason = code ? ERR_GET_REASON(strtoul(code + strlen("error:"), NULL, 16)) : 0;

        for (size_t i = 0; i < ELEMENTSOF(alerts); i++)
                if (reason == SSL_AD_REASON_OFFSET + (int)alerts[i])
                        return true;
        return false;
}
