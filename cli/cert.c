/*
 * gnutls, and nothing of it outside. To make a certificate is to fill a table of its fields and sign it;
 * the first field that cannot be written ends it, so that none is made with less than was meant.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mono.h"
#include "cli/cert.h"

#define SERIAL_BYTES    16u /* the first bit is the sign, so 127 are random */
#define KEY_ID_MAX      64u
#define SAN_BYTES       1024u
#define SHA256_BYTES    32u
#define USEC_PER_DAY    (24 * 60 * USEC_PER_MIN)
#define AUTHORITY_TITLE "diag CA"

struct chain {
        gnutls_x509_crt_t *certs;
        unsigned n;
};

struct cert_authority {
        char *pem;
        struct chain chain; /* the one that signs first */
        gnutls_x509_privkey_t key;
        char cluster[CERT_CLUSTER_MAX + 1];
        uint64_t from_wall_usec, until_wall_usec;
};

static void chain_done(struct chain *c)
{
        for (unsigned i = 0; i < c->n; i++)
                gnutls_x509_crt_deinit(c->certs[i]);
        gnutls_free(c->certs);
        *c = (struct chain){0};
}

static void crt_free(gnutls_x509_crt_t *crt)
{
        if (*crt)
                gnutls_x509_crt_deinit(*crt);
}

static void privkey_free(gnutls_x509_privkey_t *key)
{
        if (*key)
                gnutls_x509_privkey_deinit(*key);
}

static void datum_free(gnutls_datum_t *d)
{
        if (d->data)
                gnutls_memset(d->data, 0, d->size);
        gnutls_free(d->data);
}

static void secret_free(char **s)
{
        if (*s)
                explicit_bzero(*s, strlen(*s));
        free(*s);
        *s = NULL;
}

void cert_made_done(struct cert_made *m)
{
        free(m->cert);
        secret_free(&m->key);
        *m = (struct cert_made){0};
}

/* @r: what gnutls returned */
static int fail(struct err *e, int r, const char *what)
{
        return err_set(e, r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EIO, "%s: %s", what,
                       gnutls_strerror(r));
}

/* --- read ----------------------------------------------------------------------------------------- */

static int chain_from_pem(struct chain *ret, char *pem, size_t n, const char *path, struct err *e)
{
        gnutls_datum_t data = {.data = (unsigned char *)pem, .size = (unsigned)n};
        struct chain c = {0};
        int r = gnutls_x509_crt_list_import2(&c.certs, &c.n, &data, GNUTLS_X509_FMT_PEM, 0);

        if (r == GNUTLS_E_MEMORY_ERROR) {
                (void)err_set(e, -ENOMEM, "cannot read %s: %s", path, strerror(ENOMEM));
                return -ENOMEM;
        }
        if (r < 0 || c.n == 0) {
                (void)err_set(e, -EINVAL, "%s holds no certificate in PEM: %s", path,
                              gnutls_strerror(r));
                return -EINVAL;
        }
        if (c.n > CERT_CHAIN_MAX) {
                chain_done(&c);
                (void)err_set(e, -E2BIG, "%s holds more than %u certificates", path,
                              CERT_CHAIN_MAX);
                return -E2BIG;
        }
        *ret = c;
        return 0;
}

static int chain_read(struct chain *ret, const char *path, char **ret_pem, struct err *e)
{
        _cleanup_(freep) char *pem = NULL;
        size_t n;
        int r = fs_read(path, CERT_FILE_MAX, &pem, &n, e);

        if (r >= 0)
                r = chain_from_pem(ret, pem, n, path, e);
        if (r >= 0)
                *ret_pem = TAKE_PTR(pem);
        return r;
}

/* A certificate counts seconds; who asked for a day shall not get less. */
static time_t seconds_of(uint64_t wall_usec)
{
        return (time_t)((wall_usec + USEC_PER_SEC - 1) / USEC_PER_SEC);
}

/* gnutls says (time_t)-1 for what is no time. */
static uint64_t wall_of(time_t t)
{
        return t > 0 ? (uint64_t)t * USEC_PER_SEC : 0;
}

static bool is_authority(gnutls_x509_crt_t crt)
{
        unsigned critical, ca = 0, usage = GNUTLS_KEY_KEY_CERT_SIGN;

        /* Who has no key usage at all may use it for everything. */
        return gnutls_x509_crt_get_basic_constraints(crt, &critical, &ca, NULL) >= 0 && ca &&
               (gnutls_x509_crt_get_key_usage(crt, &usage, &critical) < 0 ||
                (usage & GNUTLS_KEY_KEY_CERT_SIGN));
}

/* An address as text; what has no text of its own is not shown. NULs would hide what follows them. */
static int facts_add_san(struct cert_facts *f, int type, char *san, size_t n)
{
        char text[INET6_ADDRSTRLEN];
        int family = n == sizeof(struct in_addr) ? AF_INET : AF_INET6;

        if (type == GNUTLS_SAN_IPADDRESS)
                return (n == sizeof(struct in_addr) || n == sizeof(struct in6_addr)) &&
                                       inet_ntop(family, san, text, sizeof(text))
                               ? string_list_push(&f->addresses, text)
                               : 0;
        if (type != GNUTLS_SAN_DNSNAME && type != GNUTLS_SAN_URI)
                return 0;
        for (char *nul = memchr(san, '\0', n); nul;
             nul = memchr(nul, '\0', n - (size_t)(nul - san)))
                *nul = '?';
        san[n] = '\0';
        return string_list_push(type == GNUTLS_SAN_URI ? &f->uris : &f->dns, san);
}

static int facts_read_sans(struct cert_facts *f, gnutls_x509_crt_t crt)
{
        char san[SAN_BYTES + 1];
        int r = 0;

        for (unsigned i = 0; i < CERT_SAN_MAX && r >= 0; i++) {
                size_t n = SAN_BYTES;
                int type = gnutls_x509_crt_get_subject_alt_name(crt, i, san, &n, NULL);

                if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
                        break;
                if (type >= 0)
                        r = facts_add_san(f, type, san, n);
        }
        return r;
}

/* Of several no one is the cluster or the role: who looks is shown the URIs. */
static void facts_read_uris(struct cert_facts *f)
{
        char cluster[CERT_CLUSTER_MAX + 1];
        enum diag_role role;
        unsigned n = 0;

        for (size_t i = 0; i < f->uris.n; i++)
                if (cert_uri_parse(f->uris.items[i], cluster, &role) >= 0 && n++ == 0) {
                        memcpy(f->cluster, cluster, sizeof(cluster));
                        f->role = role;
                }
        if (n > 1) {
                *f->cluster = '\0';
                f->role = DIAG_ROLE_UNKNOWN;
        }
}

static int facts_read_fingerprint(struct cert_facts *f, gnutls_x509_crt_t crt)
{
        unsigned char sum[SHA256_BYTES];
        size_t n = sizeof(sum);
        int r = gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, sum, &n);

        for (size_t i = 0; r >= 0 && i < n; i++)
                (void)snprintf(f->fingerprint + 3 * i, 4, "%02X%s", sum[i], i + 1 < n ? ":" : "");
        return r;
}

static int copy_name(char **ret, gnutls_x509_crt_t crt,
                     int (*get)(gnutls_x509_crt_t, gnutls_datum_t *, unsigned))
{
        _cleanup_(datum_free) gnutls_datum_t name = {0};
        int r = get(crt, &name, 0);

        if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) /* an empty one */
                r = 0;
        *ret = r < 0 ? NULL : strndup(name.data ? (char *)name.data : "", name.size);
        return r < 0 || *ret ? r : GNUTLS_E_MEMORY_ERROR;
}

static void facts_done(struct cert_facts *f)
{
        free(f->subject);
        free(f->issuer);
        string_list_done(&f->dns);
        string_list_done(&f->addresses);
        string_list_done(&f->uris);
}

/* Returns what gnutls does; @f is to be done() whatever that is. */
static int facts_read(struct cert_facts *f, gnutls_x509_crt_t crt)
{
        int r = copy_name(&f->subject, crt, gnutls_x509_crt_get_dn3);

        if (r >= 0)
                r = copy_name(&f->issuer, crt, gnutls_x509_crt_get_issuer_dn3);
        if (r >= 0)
                r = facts_read_fingerprint(f, crt);
        if (r >= 0 && facts_read_sans(f, crt) < 0)
                r = GNUTLS_E_MEMORY_ERROR;
        if (r < 0)
                return r;
        facts_read_uris(f);
        f->from_wall_usec = wall_of(gnutls_x509_crt_get_activation_time(crt));
        f->until_wall_usec = wall_of(gnutls_x509_crt_get_expiration_time(crt));
        f->is_authority = is_authority(crt);
        return 0;
}

void cert_list_done(struct cert_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                facts_done(&l->items[i]);
        free(l->items);
        *l = (struct cert_list){0};
}

int cert_list_read(struct cert_list *ret, const char *path, struct err *e)
{
        _cleanup_(chain_done) struct chain chain = {0};
        _cleanup_(freep) char *pem = NULL;
        int r = chain_read(&chain, path, &pem, e);

        if (r < 0)
                return r;
        ret->items = calloc(chain.n, sizeof(*ret->items));
        if (!ret->items)
                return err_set(e, -ENOMEM, "cannot read %s: %s", path, strerror(ENOMEM));
        while (ret->n < chain.n && r >= 0) {
                r = facts_read(&ret->items[ret->n], chain.certs[ret->n]);
                ret->n++;
        }
        if (r < 0) {
                cert_list_done(ret);
                return fail(e, r, path);
        }
        return 0;
}

const char *cert_validity_to_string(enum cert_validity v)
{
        static const char *const words[] = {
                [CERT_VALIDITY_UNKNOWN] = "unknown",
                [CERT_VALID] = "valid",
                [CERT_NOT_YET_VALID] = "not-yet-valid",
                [CERT_EXPIRED] = "expired",
        };

        return words[v];
}

enum cert_validity cert_facts_validity(const struct cert_facts *f, uint64_t now_wall_usec)
{
        if (!f->from_wall_usec || !f->until_wall_usec)
                return CERT_VALIDITY_UNKNOWN;
        if (now_wall_usec < f->from_wall_usec)
                return CERT_NOT_YET_VALID;
        return now_wall_usec > f->until_wall_usec ? CERT_EXPIRED : CERT_VALID;
}

/* --- make ----------------------------------------------------------------------------------------- */

static int make_key(gnutls_x509_privkey_t *ret)
{
        int r = gnutls_x509_privkey_init(ret);

        return r < 0 ? r
                     : gnutls_x509_privkey_generate(
                               *ret, GNUTLS_PK_EC, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
                               0);
}

static int set_serial(gnutls_x509_crt_t crt)
{
        unsigned char serial[SERIAL_BYTES];
        int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

        serial[0] &= 0x7f;
        return r < 0 ? r : gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
}

static int set_name(gnutls_x509_crt_t crt, const char *name, const char *cluster)
{
        int r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_ORGANIZATION_NAME, 0, cluster,
                                              (unsigned)strlen(cluster));

        return r < 0 ? r
                     : gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                                     (unsigned)strlen(name));
}

static int set_times(gnutls_x509_crt_t crt, uint64_t from_wall_usec, uint64_t until_wall_usec)
{
        int r = gnutls_x509_crt_set_activation_time(crt, seconds_of(from_wall_usec));

        return r < 0 ? r : gnutls_x509_crt_set_expiration_time(crt, seconds_of(until_wall_usec));
}

static int add_san(gnutls_x509_crt_t crt, gnutls_x509_subject_alt_name_t type, const void *data,
                   size_t n)
{
        return gnutls_x509_crt_set_subject_alt_name(crt, type, data, (unsigned)n,
                                                    GNUTLS_FSAN_APPEND);
}

static int add_uri(gnutls_x509_crt_t crt, const char *cluster, enum diag_role role)
{
        char uri[CERT_URI_MAX];

        cert_uri_format(uri, cluster, role);
        return add_san(crt, GNUTLS_SAN_URI, uri, strlen(uri));
}

static int add_address(gnutls_x509_crt_t crt, const char *address)
{
        unsigned char bytes[sizeof(struct in6_addr)];
        bool is_ipv4 = inet_pton(AF_INET, address, bytes) == 1;

        if (!is_ipv4 && inet_pton(AF_INET6, address, bytes) != 1)
                return GNUTLS_E_INVALID_REQUEST;
        return add_san(crt, GNUTLS_SAN_IPADDRESS, bytes,
                       is_ipv4 ? sizeof(struct in_addr) : sizeof(struct in6_addr));
}

static int add_sans_of_node(gnutls_x509_crt_t crt, const char *cluster,
                            const struct cert_subject *s)
{
        int r = add_uri(crt, cluster, s->role);

        for (size_t i = 0; i < s->addresses.n && r >= 0; i++)
                r = add_address(crt, s->addresses.items[i]);
        for (size_t i = 0; i < s->dns.n && r >= 0; i++)
                r = add_san(crt, GNUTLS_SAN_DNSNAME, s->dns.items[i], strlen(s->dns.items[i]));
        return r;
}

/* By these ids a verifier tells authorities of the same name apart. */
static int set_key_id(gnutls_x509_crt_t crt)
{
        unsigned char id[KEY_ID_MAX];
        size_t n = sizeof(id);
        int r = gnutls_x509_crt_get_key_id(crt, 0, id, &n);

        return r < 0 ? r : gnutls_x509_crt_set_subject_key_id(crt, id, n);
}

static int set_issuer_key_id(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
        unsigned char id[KEY_ID_MAX];
        size_t n = sizeof(id);
        int r = gnutls_x509_crt_get_subject_key_id(issuer, id, &n, NULL);

        if (r ==
            GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) /* an authority made by others may have none */
                return 0;
        return r < 0 ? r : gnutls_x509_crt_set_authority_key_id(crt, id, n);
}

/* What every certificate has. */
static int begin(gnutls_x509_crt_t *ret, gnutls_x509_privkey_t key)
{
        int r = gnutls_x509_crt_init(ret);

        if (r >= 0)
                r = gnutls_x509_crt_set_version(*ret, 3);
        if (r >= 0)
                r = set_serial(*ret);
        if (r >= 0)
                r = gnutls_x509_crt_set_key(*ret, key);
        if (r >= 0)
                r = set_key_id(*ret);
        return r;
}

/* Which hash is the signing key's matter. */
static int sign(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer, gnutls_x509_privkey_t key)
{
        return gnutls_x509_crt_sign2(crt, issuer, key, GNUTLS_DIG_UNKNOWN, 0);
}

static int append_pem(struct buf *out, gnutls_x509_crt_t crt)
{
        _cleanup_(datum_free) gnutls_datum_t pem = {0};
        int r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);

        if (r >= 0)
                buf_append(out, pem.data, pem.size);
        return r < 0 || !out->error ? r : GNUTLS_E_MEMORY_ERROR;
}

/* @above: what the one that signed was signed by; who trusts the last of these needs the others. */
static int export_chain(char **ret, gnutls_x509_crt_t crt, const struct chain *above)
{
        _cleanup_(buf_done) struct buf out = {0};
        int r = append_pem(&out, crt);

        for (unsigned i = 0; above && i < above->n && r >= 0; i++)
                if (!gnutls_x509_crt_check_issuer(above->certs[i], above->certs[i]))
                        r = append_pem(&out, above->certs[i]);
        if (r < 0)
                return r;
        *ret = buf_take(&out, NULL);
        return *ret ? 0 : GNUTLS_E_MEMORY_ERROR;
}

static int export_key(char **ret, gnutls_x509_privkey_t key)
{
        _cleanup_(datum_free) gnutls_datum_t pem = {0};
        int r = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                                  &pem);

        if (r < 0)
                return r;
        *ret = strndup((char *)pem.data, pem.size);
        return *ret ? 0 : GNUTLS_E_MEMORY_ERROR;
}

static int finish(struct cert_made *ret, gnutls_x509_crt_t crt, gnutls_x509_privkey_t key,
                  const struct chain *above)
{
        _cleanup_(secret_free) char *key_pem = NULL;
        _cleanup_(freep) char *cert_pem = NULL;
        int r = export_chain(&cert_pem, crt, above);

        if (r >= 0)
                r = export_key(&key_pem, key);
        if (r < 0)
                return r;
        *ret = (struct cert_made){
                .cert = TAKE_PTR(cert_pem),
                .key = TAKE_PTR(key_pem),
                .until_wall_usec = wall_of(gnutls_x509_crt_get_expiration_time(crt)),
        };
        return 0;
}

static uint64_t days_from(uint64_t now_wall_usec, unsigned n_days)
{
        return now_wall_usec + n_days * USEC_PER_DAY;
}

static int fill_authority(gnutls_x509_crt_t crt, const char *cluster, unsigned n_days)
{
        uint64_t now = now_wall_usec();
        int r = set_name(crt, AUTHORITY_TITLE, cluster);

        if (r >= 0)
                r = set_times(crt, now - CERT_SKEW_USEC, days_from(now, n_days));
        if (r >= 0)
                r = gnutls_x509_crt_set_basic_constraints(crt, 1, 0);
        if (r >= 0)
                r = gnutls_x509_crt_set_key_usage(crt,
                                                  GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
        if (r >= 0)
                r = add_uri(crt, cluster, DIAG_ROLE_UNKNOWN);
        return r;
}

int cert_make_authority(struct cert_made *ret, const char *cluster, unsigned n_days, struct err *e)
{
        _cleanup_(privkey_free) gnutls_x509_privkey_t key = NULL;
        _cleanup_(crt_free) gnutls_x509_crt_t crt = NULL;
        int r = make_key(&key);

        if (r >= 0)
                r = begin(&crt, key);
        if (r >= 0)
                r = fill_authority(crt, cluster, n_days);
        if (r >= 0)
                r = sign(crt, crt, key);
        if (r >= 0)
                r = finish(ret, crt, key, NULL);
        return r < 0 ? fail(e, r, "cannot make a certificate") : 0;
}

static int fill_node(gnutls_x509_crt_t crt, const struct cert_authority *a, const char *cluster,
                     const struct cert_subject *s, unsigned n_days)
{
        uint64_t now = now_wall_usec(), until = days_from(now, n_days);
        int r = set_name(crt, s->name, cluster);

        if (until > a->until_wall_usec)
                until = a->until_wall_usec;
        if (r >= 0)
                r = set_times(crt, now - CERT_SKEW_USEC, until);
        if (r >= 0)
                r = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
        if (r >= 0)
                r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
        if (r >= 0)
                r = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
        if (r >= 0)
                r = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_CLIENT, 0);
        if (r >= 0)
                r = set_issuer_key_id(crt, a->chain.certs[0]);
        if (r >= 0)
                r = add_sans_of_node(crt, cluster, s);
        return r;
}

int cert_make_node(struct cert_made *ret, const struct cert_authority *a, const char *cluster,
                   const struct cert_subject *s, unsigned n_days, struct err *e)
{
        _cleanup_(privkey_free) gnutls_x509_privkey_t key = NULL;
        _cleanup_(crt_free) gnutls_x509_crt_t crt = NULL;
        int r = make_key(&key);

        if (r >= 0)
                r = begin(&crt, key);
        if (r >= 0)
                r = fill_node(crt, a, cluster, s, n_days);
        if (r >= 0)
                r = sign(crt, a->chain.certs[0], a->key);
        if (r >= 0)
                r = finish(ret, crt, key, &a->chain);
        return r < 0 ? fail(e, r, "cannot make a certificate") : 0;
}

/* --- an authority --------------------------------------------------------------------------------- */

struct cert_authority *cert_authority_free(struct cert_authority *a)
{
        if (!a)
                return NULL;
        chain_done(&a->chain);
        privkey_free(&a->key);
        free(a->pem);
        free(a);
        return NULL;
}

const char *cert_authority_cluster(const struct cert_authority *a)
{
        return a->cluster;
}

const char *cert_authority_pem(const struct cert_authority *a)
{
        return a->pem;
}

static int authority_read_key(struct cert_authority *a, const char *path, struct err *e)
{
        _cleanup_(secret_free) char *pem = NULL;
        gnutls_datum_t data;
        size_t n;
        int r = fs_read(path, CERT_FILE_MAX, &pem, &n, e);

        if (r < 0)
                return r;
        data = (gnutls_datum_t){.data = (unsigned char *)pem, .size = (unsigned)n};
        r = gnutls_x509_privkey_init(&a->key);
        if (r < 0)
                return fail(e, r, path);
        r = gnutls_x509_privkey_import2(a->key, &data, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (r == GNUTLS_E_DECRYPTION_FAILED)
                return err_set(e, -EINVAL, "%s is encrypted; decrypt it first", path);
        return r < 0 ? err_set(e, -EINVAL, "%s holds no private key in PEM: %s", path,
                               gnutls_strerror(r))
                     : 0;
}

static bool authority_has_its_key(const struct cert_authority *a)
{
        unsigned char cert_id[KEY_ID_MAX], key_id[KEY_ID_MAX];
        size_t n_cert = sizeof(cert_id), n_key = sizeof(key_id);

        return gnutls_x509_crt_get_key_id(a->chain.certs[0], 0, cert_id, &n_cert) >= 0 &&
               gnutls_x509_privkey_get_key_id(a->key, 0, key_id, &n_key) >= 0 && n_cert == n_key &&
               memcmp(cert_id, key_id, n_key) == 0;
}

static int authority_read_facts(struct cert_authority *a, const char *path, struct err *e)
{
        _cleanup_(facts_done) struct cert_facts f = {0};
        int r = facts_read(&f, a->chain.certs[0]);

        if (r < 0)
                return fail(e, r, path);
        if (!f.is_authority)
                return err_set(e, -EINVAL, "the certificate in %s is not one of an authority",
                               path);
        memcpy(a->cluster, f.cluster, sizeof(a->cluster));
        a->from_wall_usec = f.from_wall_usec;
        a->until_wall_usec = f.until_wall_usec;
        return 0;
}

static int authority_check_times(const struct cert_authority *a, const char *path, struct err *e)
{
        const struct cert_facts times = {
                .from_wall_usec = a->from_wall_usec,
                .until_wall_usec = a->until_wall_usec,
        };
        char moment[RFC3339_MAX];

        switch (cert_facts_validity(&times, now_wall_usec())) {
        case CERT_EXPIRED:
                return err_set(e, -EKEYEXPIRED, "the authority in %s expired at %s; make a new one",
                               path, rfc3339_format(moment, a->until_wall_usec));
        case CERT_NOT_YET_VALID:
                return err_set(e, -EKEYEXPIRED,
                               "the authority in %s is not valid before %s; is the clock right?",
                               path, rfc3339_format(moment, a->from_wall_usec));
        case CERT_VALIDITY_UNKNOWN:
                return err_set(e, -EKEYEXPIRED, "the authority in %s is valid at no time", path);
        default:
                return 0;
        }
}

int cert_authority_load(struct cert_authority **ret, const char *cert_file, const char *key_file,
                        struct err *e)
{
        _cleanup_(cert_authority_freep) struct cert_authority *a = calloc(1, sizeof(*a));
        int r;

        if (!a)
                return err_set(e, -ENOMEM, "cannot read %s: %s", cert_file, strerror(ENOMEM));
        r = chain_read(&a->chain, cert_file, &a->pem, e);
        if (r >= 0)
                r = authority_read_facts(a, cert_file, e);
        if (r >= 0)
                r = authority_read_key(a, key_file, e);
        if (r >= 0 && !authority_has_its_key(a))
                r = err_set(e, -EKEYREJECTED, "%s is not the key of the certificate in %s",
                            key_file, cert_file);
        if (r >= 0)
                r = authority_check_times(a, cert_file, e);
        if (r >= 0)
                *ret = TAKE_PTR(a);
        return r;
}
