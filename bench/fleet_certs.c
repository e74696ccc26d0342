/* X.509 by OpenSSL, ECDSA on P-256 throughout. */

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "bench/fleet_certs.h"

#define DAY_SECONDS (24L * 3600)
#define CLUSTER     "diag://bench"
#define OWN_NAMES   "IP:127.0.0.1,IP:192.0.2.1,URI:" CLUSTER "/master" /* of the one who asks */

struct fleet_certs {
        EVP_PKEY *ca_key, *node_key;
        X509 *ca;
        X509 **nodes;
        size_t n;
        SSL_CTX *tls;
};

static void must(bool holds, const char *what)
{
        if (holds)
                return;
        (void)fprintf(stderr, "fleet: certificates: %s\n", what);
        ERR_print_errors_fp(stderr);
        exit(1);
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
        X509_EXTENSION *x;
        X509V3_CTX context;

        X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
        x = X509V3_EXT_conf_nid(NULL, &context, nid, value);
        must(x && X509_add_ext(cert, x, -1), value);
        X509_EXTENSION_free(x);
}

static X509 *begin_cert(EVP_PKEY *key, const char *name, long serial)
{
        X509 *cert = X509_new();

        must(cert && X509_set_version(cert, X509_VERSION_3), "a new one");
        ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
        X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_SECONDS);
        X509_gmtime_adj(X509_getm_notAfter(cert), DAY_SECONDS);
        X509_set_pubkey(cert, key);
        must(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                        (const unsigned char *)name, -1, -1, 0),
             name);
        return cert;
}

static void make_ca(struct fleet_certs *c)
{
        c->ca_key = EVP_EC_gen("P-256");
        must(c->ca_key != NULL, "the CA's key");
        c->ca = begin_cert(c->ca_key, "fleet CA", 1);
        X509_set_issuer_name(c->ca, X509_get_subject_name(c->ca));
        add_extension(c->ca, c->ca, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(c->ca, c->ca, NID_key_usage, "critical,keyCertSign,cRLSign");
        add_extension(c->ca, c->ca, NID_subject_key_identifier, "hash");
        add_extension(c->ca, c->ca, NID_subject_alt_name, "URI:" CLUSTER);
        must(X509_sign(c->ca, c->ca_key, EVP_sha256()) > 0, "the CA's signature");
}

static X509 *make_cert(struct fleet_certs *c, const char *name, const char *names, long serial)
{
        X509 *cert = begin_cert(c->node_key, name, serial);

        X509_set_issuer_name(cert, X509_get_subject_name(c->ca));
        add_extension(cert, c->ca, NID_basic_constraints, "critical,CA:FALSE");
        add_extension(cert, c->ca, NID_key_usage, "critical,digitalSignature");
        add_extension(cert, c->ca, NID_ext_key_usage, "serverAuth,clientAuth");
        add_extension(cert, c->ca, NID_subject_alt_name, names);
        add_extension(cert, c->ca, NID_authority_key_identifier, "keyid");
        must(X509_sign(cert, c->ca_key, EVP_sha256()) > 0, "a signature");
        return cert;
}

static X509 *make_node_cert(struct fleet_certs *c, const struct fleet_node *n)
{
        struct in_addr in = {htonl(fleet_address(n->index))};
        char ip[INET_ADDRSTRLEN], names[128];

        (void)inet_ntop(AF_INET, &in, ip, sizeof(ip));
        (void)snprintf(names, sizeof(names), "IP:%s,URI:" CLUSTER "/%s", ip,
                       diag_role_to_string(n->role));
        return make_cert(c, ip, names, 3 + (long)n->index);
}

static FILE *open_in(const char *dir, const char *name)
{
        char path[256];
        FILE *f;

        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        f = fopen(path, "we");
        must(f != NULL, path);
        return f;
}

static void write_files(struct fleet_certs *c, const char *dir)
{
        mode_t mask = umask(0077);
        FILE *ca = open_in(dir, "ca.pem"), *cert = open_in(dir, "node.pem"),
             *key = open_in(dir, "node.key");
        X509 *own = make_cert(c, "asking", OWN_NAMES, 2);

        must(PEM_write_X509(ca, c->ca) && PEM_write_X509(cert, own) &&
                     PEM_write_PrivateKey(key, c->node_key, NULL, NULL, 0, NULL, NULL),
             dir);
        must(fclose(ca) == 0 && fclose(cert) == 0 && fclose(key) == 0, dir);
        X509_free(own);
        (void)umask(mask);
}

static int choose_cert(SSL *tls, void *arg)
{
        const struct fleet_node *n = SSL_get_app_data(tls);
        struct fleet_certs *c = arg;

        return n && SSL_use_certificate(tls, c->nodes[n->index]) == 1 &&
               SSL_use_PrivateKey(tls, c->node_key) == 1;
}

static void make_server(struct fleet_certs *c)
{
        c->tls = SSL_CTX_new(TLS_server_method());
        must(c->tls && X509_STORE_add_cert(SSL_CTX_get_cert_store(c->tls), c->ca), "the server");
        SSL_CTX_set_cert_cb(c->tls, choose_cert, c);
        SSL_CTX_set_verify(c->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_options(c->tls, SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
        SSL_CTX_set_num_tickets(c->tls, 0);
        SSL_CTX_set_session_cache_mode(c->tls, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_mode(c->tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                         SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

struct fleet_certs *fleet_certs_new(const struct fleet_node *nodes, size_t n, const char *dir)
{
        struct fleet_certs *c = calloc(1, sizeof(*c));

        must(c && (c->nodes = calloc(n, sizeof(X509 *))), "no memory");
        c->n = n;
        c->node_key = EVP_EC_gen("P-256");
        must(c->node_key != NULL, "the nodes' key");
        make_ca(c);
        for (size_t i = 0; i < n; i++)
                c->nodes[i] = make_node_cert(c, &nodes[i]);
        write_files(c, dir);
        make_server(c);
        return c;
}

struct ssl_ctx_st *fleet_certs_server(struct fleet_certs *c)
{
        return c->tls;
}
