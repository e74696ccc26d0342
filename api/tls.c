/*
 * The door to GnuTLS. libmicrohttpd asks clients for a certificate and serves them whether or not there is
 * one, and whoever has signed it: what it is worth is found out here, once the handshake is over.
 */

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "api/tls.h"
#include "base/fs.h"
#include "base/mono.h"

#define KEY_ID_BYTES 32u /* SHA-256 */

/* A chain of certificates, and a request for one that names many CAs, fit in. GnuTLS would take 128 KiB. */
#define HANDSHAKE_BYTES_MAX 32768u

/* --- what a certificate says -------------------------------------------------------------------- */

bool tls_identity_has_name(const struct tls_identity *i, const char *name)
{
        for (const char *s = i->names; s < i->names + i->n_names_bytes; s += strlen(s) + 1)
                if (strcasecmp(s, name) == 0)
                        return true;
        return false;
}

bool tls_identity_has_role(const struct tls_identity *i, const char *cluster, enum diag_role role)
{
        for (size_t k = 0; k < i->n_roles; k++)
                if (i->roles[k].role == role && streq(i->roles[k].cluster, cluster))
                        return true;
        return false;
}

void tls_identity_add_uri(struct tls_identity *i, const char *uri)
{
        static const char scheme[] = "diag://";
        const char *cluster = uri + sizeof(scheme) - 1, *slash;
        enum diag_role role;
        size_t n;

        if (i->n_roles == TLS_ROLES_MAX || strncmp(uri, scheme, sizeof(scheme) - 1) != 0)
                return;
        slash = strchr(cluster, '/');
        n = slash ? (size_t)(slash - cluster) : 0;
        if (n == 0 || n >= TLS_CLUSTER_MAX || diag_role_from_string(slash + 1, &role) < 0)
                return;
        memcpy(i->roles[i->n_roles].cluster, cluster, n);
        i->roles[i->n_roles].cluster[n] = '\0';
        i->roles[i->n_roles++].role = role;
}

/* A NUL within a name is an old way to have one CA sign what another program reads. */
static bool is_printable(const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (s[i] < ' ' || s[i] > '~')
                        return false;
        return n > 0;
}

static void add_name(struct tls_identity *i, const char *name, size_t n)
{
        if (!is_printable(name, n) || n >= sizeof(i->names) - i->n_names_bytes)
                return;
        memcpy(i->names + i->n_names_bytes, name, n);
        i->names[i->n_names_bytes + n] = '\0';
        i->n_names_bytes += n + 1;
        if (!*i->name)
                (void)snprintf(i->name, sizeof(i->name), "%.*s", (int)n, name);
}

/* What is no text comes as '#' and hexadecimal digits, a '#' that is part of the name as "\#" (RFC 4514). */
static void read_common_name(struct tls_identity *i, gnutls_x509_crt_t crt)
{
        char text[TLS_NAMES_BYTES_MAX];
        size_t n = sizeof(text);

        if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, text, &n) >= 0 &&
            text[0] != '#')
                add_name(i, text, n);
}

static void read_alt_names(struct tls_identity *i, gnutls_x509_crt_t crt)
{
        for (unsigned k = 0; k < TLS_ALT_NAMES_MAX; k++) {
                char text[TLS_NAMES_BYTES_MAX + 1];
                size_t n = sizeof(text) - 1;
                int kind = gnutls_x509_crt_get_subject_alt_name(crt, k, text, &n, NULL);

                if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
                        return;
                if (kind == GNUTLS_SAN_DNSNAME)
                        add_name(i, text, n);
                if (kind != GNUTLS_SAN_URI || !is_printable(text, n))
                        continue;
                text[n] = '\0';
                tls_identity_add_uri(i, text);
        }
}

static uint64_t usec_of(time_t t)
{
        if (t == GNUTLS_X509_NO_WELL_DEFINED_EXPIRATION)
                return USEC_INFINITY;
        return t > 0 ? (uint64_t)t * USEC_PER_SEC : 0;
}

static void read_identity(struct tls_identity *ret, gnutls_x509_crt_t crt)
{
        *ret = (struct tls_identity){
                .valid_from_wall_usec = usec_of(gnutls_x509_crt_get_activation_time(crt)),
                .valid_until_wall_usec = usec_of(gnutls_x509_crt_get_expiration_time(crt)),
        };
        read_common_name(ret, crt);
        read_alt_names(ret, crt);
}

/* --- our own ------------------------------------------------------------------------------------ */

/* Certificates of one file. */
struct chain {
        gnutls_x509_crt_t *crts;
        unsigned n;
};

static void chain_done(struct chain *c)
{
        for (unsigned i = 0; i < c->n; i++)
                gnutls_x509_crt_deinit(c->crts[i]);
        gnutls_free(c->crts);
}

static gnutls_datum_t datum_of(const char *text)
{
        return (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
}

static int chain_read(struct chain *ret, const char *text)
{
        gnutls_datum_t data = datum_of(text);

        return gnutls_x509_crt_list_import2(&ret->crts, &ret->n, &data, GNUTLS_X509_FMT_PEM, 0);
}

static void privkey_done(gnutls_x509_privkey_t *key)
{
        if (*key)
                gnutls_x509_privkey_deinit(*key);
}

static int check_key(const char *text, const char *const paths[static TLS_FILES],
                     gnutls_x509_crt_t crt, struct err *e)
{
        unsigned char of_key[KEY_ID_BYTES], of_crt[KEY_ID_BYTES];
        size_t n_of_key = sizeof(of_key), n_of_crt = sizeof(of_crt);
        _cleanup_(privkey_done) gnutls_x509_privkey_t key = NULL;
        gnutls_datum_t data = datum_of(text);

        if (gnutls_x509_privkey_init(&key) < 0)
                return -ENOMEM;
        if (gnutls_x509_privkey_import2(key, &data, GNUTLS_X509_FMT_PEM, NULL, 0) < 0)
                return err_set(e, -EINVAL,
                               "%s: there is no private key in it, or one that needs a "
                               "passphrase",
                               paths[TLS_KEY]);
        if (gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, of_key, &n_of_key) < 0 ||
            gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, of_crt, &n_of_crt) < 0 ||
            n_of_key != n_of_crt || memcmp(of_key, of_crt, n_of_key) != 0)
                return err_set(e, -EINVAL, "%s: this is not the key of the certificate %s",
                               paths[TLS_KEY], paths[TLS_CERTIFICATE]);
        return 0;
}

/* Return: GnuTLS's. */
static int verify_chain(const struct chain *ca, const struct chain *own, unsigned *ret_status)
{
        gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID,
                                         (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER, 0};
        gnutls_x509_trust_list_t list;
        int r = gnutls_x509_trust_list_init(&list, 0);

        if (r < 0)
                return r;
        r = gnutls_x509_trust_list_add_cas(list, ca->crts, ca->n, 0);
        if (r >= 0)
                r = gnutls_x509_trust_list_verify_crt2(list, own->crts, own->n, &purpose, 1,
                                                       GNUTLS_VERIFY_DISABLE_TIME_CHECKS,
                                                       ret_status, NULL);
        gnutls_x509_trust_list_deinit(list, 0);
        return r;
}

static int check_chain(const struct chain *ca, const struct chain *own,
                       const char *const paths[static TLS_FILES], struct err *e)
{
        const char *path = paths[TLS_CERTIFICATE];
        unsigned status = 0;
        int r = verify_chain(ca, own, &status);

        if (r == GNUTLS_E_MEMORY_ERROR)
                return -ENOMEM;
        if (r >= 0 && status == 0)
                return 0;
        if (r >= 0 && (status & GNUTLS_CERT_PURPOSE_MISMATCH))
                return err_set(e, -EINVAL,
                               "%s: this certificate is not meant for servers (extended "
                               "key usage)",
                               path);
        return err_set(e, -EINVAL, "%s: this certificate is not signed by a CA of %s", path,
                       paths[TLS_CA]);
}

static int chain_need(struct chain *ret, const char *text, const char *path, struct err *e)
{
        int r = chain_read(ret, text);

        if (r == GNUTLS_E_MEMORY_ERROR)
                return -ENOMEM;
        return r < 0 ? err_set(e, -EINVAL, "%s: this is no certificate (PEM)", path) : 0;
}

static int check_files(struct tls_files *f, const char *const paths[static TLS_FILES],
                       struct err *e)
{
        _cleanup_(chain_done) struct chain ca = {0}, own = {0};
        int r = chain_need(&ca, f->ca_pem, paths[TLS_CA], e);

        if (r >= 0)
                r = chain_need(&own, f->certificate_pem, paths[TLS_CERTIFICATE], e);
        if (r >= 0)
                r = check_key(f->key_pem, paths, own.crts[0], e);
        if (r >= 0)
                r = check_chain(&ca, &own, paths, e);
        if (r >= 0)
                read_identity(&f->self, own.crts[0]);
        return r;
}

int tls_files_load(struct tls_files *ret, const char *const paths[static TLS_FILES], struct err *e)
{
        struct tls_files f = {0};
        char **const texts[TLS_FILES] = {
                [TLS_CA] = &f.ca_pem,
                [TLS_CERTIFICATE] = &f.certificate_pem,
                [TLS_KEY] = &f.key_pem,
        };
        size_t n;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < TLS_FILES; i++)
                r = fs_read(paths[i], TLS_FILE_BYTES_MAX, texts[i], &n, e);
        if (r >= 0)
                r = check_files(&f, paths, e);
        if (r < 0) {
                tls_files_done(&f);
                return r == -ENOMEM ? err_set(e, r, "out of memory") : r;
        }
        *ret = f;
        return 0;
}

void tls_files_done(struct tls_files *f)
{
        if (f->key_pem)
                explicit_bzero(f->key_pem, strlen(f->key_pem));
        free(f->ca_pem);
        free(f->certificate_pem);
        free(f->key_pem);
        *f = (struct tls_files){0};
}

/* --- those of others ------------------------------------------------------------------------------ */

const char *tls_trust_explain(enum tls_trust trust)
{
        static const char *const words[] = {
                [TLS_TRUST_UNKNOWN] = "nobody has looked at the certificate",
                [TLS_TRUST_GOOD] = "the certificate is good",
                [TLS_TRUST_NO_CERTIFICATE] = "no certificate was shown",
                [TLS_TRUST_OTHER_CA] = "the certificate is not of the CA of this daemon",
                [TLS_TRUST_EXPIRED] = "the certificate has expired",
                [TLS_TRUST_TOO_EARLY] = "the certificate is not valid yet",
                [TLS_TRUST_NOT_FOR_CLIENTS] = "the certificate is not meant for clients",
                [TLS_TRUST_BROKEN] = "the certificate cannot be verified",
        };

        return (size_t)trust < ELEMENTSOF(words) ? words[trust] : words[TLS_TRUST_UNKNOWN];
}

/* Who has signed it decides first: of others, nothing that they say is worth repeating. */
static enum tls_trust trust_of_status(unsigned status)
{
        static const struct {
                unsigned bits;
                enum tls_trust trust;
        } rows[] = {
                {GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA, TLS_TRUST_OTHER_CA       },
                {GNUTLS_CERT_SIGNATURE_FAILURE,
                 TLS_TRUST_OTHER_CA                                                                 }, /* a CA made anew, of the old name */
                {GNUTLS_CERT_EXPIRED,                                      TLS_TRUST_EXPIRED        },
                {GNUTLS_CERT_NOT_ACTIVATED,                                TLS_TRUST_TOO_EARLY      },
                {GNUTLS_CERT_PURPOSE_MISMATCH,                             TLS_TRUST_NOT_FOR_CLIENTS},
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (status & rows[i].bits)
                        return rows[i].trust;
        return status == 0 ? TLS_TRUST_GOOD : TLS_TRUST_BROKEN;
}

static enum tls_trust verify_peer(gnutls_session_t session)
{
        gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID,
                                         (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0};
        unsigned status = 0;
        int r = gnutls_certificate_verify_peers(session, &purpose, 1, &status);

        if (r == GNUTLS_E_NO_CERTIFICATE_FOUND)
                return TLS_TRUST_NO_CERTIFICATE;
        return r < 0 ? TLS_TRUST_BROKEN : trust_of_status(status);
}

static int read_peer(struct tls_identity *ret, gnutls_session_t session)
{
        unsigned n = 0;
        const gnutls_datum_t *der = gnutls_certificate_get_peers(session, &n);
        gnutls_x509_crt_t crt;
        int r;

        if (!der || n == 0)
                return -EINVAL;
        if (gnutls_x509_crt_init(&crt) < 0)
                return -ENOMEM;
        r = gnutls_x509_crt_import(crt, &der[0], GNUTLS_X509_FMT_DER);
        if (r >= 0)
                read_identity(ret, crt);
        gnutls_x509_crt_deinit(crt);
        return r < 0 ? -EINVAL : 0;
}

void tls_peer_from_session(struct tls_peer *ret, void *session)
{
        *ret = (struct tls_peer){.trust = verify_peer(session)};
        if (ret->trust == TLS_TRUST_GOOD && read_peer(&ret->identity, session) < 0)
                ret->trust = TLS_TRUST_BROKEN;
}

void tls_peer_look_again(struct tls_peer *p, uint64_t now_wall_usec)
{
        if (p->trust == TLS_TRUST_GOOD && now_wall_usec > p->identity.valid_until_wall_usec)
                p->trust = TLS_TRUST_EXPIRED;
}

void tls_session_bound(void *session)
{
        gnutls_handshake_set_max_packet_length(session, HANDSHAKE_BYTES_MAX);
}
