#pragma once

/*
 * Certificates, and the only door to GnuTLS: the three files that make a daemon known to other machines,
 * and what the certificate says that somebody shows to us.
 *
 * What somebody may do stands in his certificate: a name (subject alternative name) of the kind URI,
 *
 *   diag://CLUSTER/ROLE         ROLE: master, agent, agent_public
 *
 * which counts where CLUSTER is that of our own certificate. CAs that give out no such names have their
 * masters listed by common name or DNS name: MasterNames=.
 */

#include "base/err.h"
#include "model/node.h"

#define TLS_FILE_BYTES_MAX 1048576u
#define TLS_CLUSTER_MAX    64 /* with its NUL; a longer one is none */
#define TLS_NAME_MAX       65 /* the same, of the name for people, which is cut */
#define TLS_NAMES_BYTES_MAX \
        1024 /* of all names of a certificate, each with its NUL; further ones are not seen */
#define TLS_ALT_NAMES_MAX 64u /* of a certificate, of all kinds; further ones are not seen */
#define TLS_ROLES_MAX     4u

/* TLS 1.2 and 1.3; no key exchange that opens the past to who steals a key, and none that is slow. */
#define TLS_PRIORITIES \
        "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:%SERVER_PRECEDENCE"

enum tls_file { TLS_CA, TLS_CERTIFICATE, TLS_KEY, TLS_FILES };

/** What a certificate says of whom it belongs to. A plain value. */
struct tls_identity {
        uint64_t valid_from_wall_usec, valid_until_wall_usec; /* USEC_INFINITY: for ever */
        char name
                [TLS_NAME_MAX]; /* for people, printable: the common name, else one of DNS, else "" */
        char names[TLS_NAMES_BYTES_MAX]; /* common and DNS names */
        size_t n_names_bytes;
        struct {
                char cluster[TLS_CLUSTER_MAX];
                enum diag_role role;
        } roles[TLS_ROLES_MAX];
        size_t n_roles;
};

/** tls_identity_has_name() - in whatever case. Pure. */
bool tls_identity_has_name(const struct tls_identity *i, const char *name);

/** tls_identity_has_role() - in @cluster; nobody has one in "". Pure. */
bool tls_identity_has_role(const struct tls_identity *i, const char *cluster, enum diag_role role);

/** tls_identity_add_uri() - a role, if that is what it is. Pure. Fuzzed. */
void tls_identity_add_uri(struct tls_identity *i, const char *uri);

/** Whom we believe, and what we show: PEM text, as libmicrohttpd and libcurl want it. */
struct tls_files {
        char *ca_pem, *certificate_pem, *key_pem; /* owned; each ends with a NUL */
        struct tls_identity self;                 /* what our certificate says */
};

/**
 * tls_files_load() - read the three files, and see that they belong together
 * @paths: of the CA's certificates, our own with those between, and its key, which has no passphrase
 * @e:     names the file
 *
 * The key must be that of the certificate, and the certificate of the CA, fit for a server. Its time may
 * be over, or yet to come: a clock can be wrong, and others will say so.
 * Return: 0, -EINVAL, -ENOMEM, or what kept a file from being read.
 */
int tls_files_load(struct tls_files *ret, const char *const paths[static TLS_FILES], struct err *e);

/** tls_files_done() - and leave nothing of the key behind */
void tls_files_done(struct tls_files *f);

/** What became of looking at somebody's certificate. */
enum tls_trust {
        TLS_TRUST_UNKNOWN = 0, /* nobody has looked */
        TLS_TRUST_GOOD,
        TLS_TRUST_NO_CERTIFICATE,
        TLS_TRUST_OTHER_CA,
        TLS_TRUST_EXPIRED,
        TLS_TRUST_TOO_EARLY,
        TLS_TRUST_NOT_FOR_CLIENTS,
        TLS_TRUST_BROKEN,
};

/** tls_trust_explain() - for people: "no certificate was shown" */
const char *tls_trust_explain(enum tls_trust trust);

/** Who is at the other end of a connection that speaks TLS. */
struct tls_peer {
        enum tls_trust trust;
        struct tls_identity identity; /* of those that are good */
};

/** tls_peer_from_session() - @session: libmicrohttpd's gnutls_session_t, the handshake behind it */
void tls_peer_from_session(struct tls_peer *ret, void *session);

/** tls_peer_look_again() - its time may have run out since. Pure. */
void tls_peer_look_again(struct tls_peer *p, uint64_t now_wall_usec);

/** tls_session_bound() - one that has not begun: what its handshake may have us keep in memory */
void tls_session_bound(void *session);
