#pragma once

/*
 * Certificates and keys, made, signed and read: the door to gnutls. Files are only read here. All keys
 * that are made are on the curve P-256, all serial numbers random, and what is made is valid from some
 * minutes ago on, because clocks differ. Any thread.
 */

#include "cli/cert_subject.h"

#define CERT_FILE_MAX  (256u * 1024)
#define CERT_CHAIN_MAX 16u  /* certificates in one file */
#define CERT_SAN_MAX   256u /* names that are read of one certificate */
#define CERT_SKEW_USEC (5 * USEC_PER_MIN)
#define CERT_DAYS_MAX  36500u

/** What was made, as files hold it. */
struct cert_made {
        char *cert; /* one or more certificates, PEM; its own is the first */
        char *key;  /* PKCS #8, PEM, not encrypted */
        uint64_t until_wall_usec;
};
void cert_made_done(struct cert_made *m);

/**
 * cert_make_authority() - a new one, which may sign certificates of nodes and no other authorities
 * @ret: cert_made_done() it; untouched on failure
 */
int cert_make_authority(struct cert_made *ret, const char *cluster, unsigned n_days, struct err *e);

/** Who signs: a certificate, those above it, and its key. */
struct cert_authority;

/**
 * cert_authority_load() - from its two files
 * @cert_file: its first certificate signs; what follows is what that was signed by
 *
 * Return: 0, or -errno with @e naming the file: not there, no certificate or key of an authority, a key
 * that belongs to another certificate (-EKEYREJECTED), not valid today (-EKEYEXPIRED).
 */
int cert_authority_load(struct cert_authority **ret, const char *cert_file, const char *key_file,
                        struct err *e);
struct cert_authority *cert_authority_free(struct cert_authority *a);
DEFINE_CLEANUP(struct cert_authority *, cert_authority_free);

/** cert_authority_cluster() - "" when its certificate does not say. Borrowed. */
const char *cert_authority_cluster(const struct cert_authority *a) _pure_;

/** cert_authority_pem() - its certificates as they were read: what nodes trust. Borrowed. */
const char *cert_authority_pem(const struct cert_authority *a) _pure_;

/**
 * cert_make_node() - a new key and certificate, for both sides of a connection, signed by @a
 * @ret:    cert_made_done() it; untouched on failure; it ends no later than @a does
 * @s:      checked by cert_subject_check()
 * @n_days: 1 to CERT_DAYS_MAX
 */
int cert_make_node(struct cert_made *ret, const struct cert_authority *a, const char *cluster,
                   const struct cert_subject *s, unsigned n_days, struct err *e);

/** What a certificate says. Text is as it stands there: anybody's. */
struct cert_facts {
        char *subject, *issuer;                  /* RFC 4514 */
        char cluster[CERT_CLUSTER_MAX + 1];      /* "" unless exactly one URI says it */
        enum diag_role role;                     /* the same */
        struct string_list dns, addresses, uris; /* the first CERT_SAN_MAX of all of them */
        uint64_t from_wall_usec, until_wall_usec;
        char fingerprint[96]; /* SHA-256, as openssl(1) writes it: "AB:CD:…" */
        bool is_authority;
};

struct cert_list {
        struct cert_facts *items;
        size_t n;
};
void cert_list_done(struct cert_list *l);

/**
 * cert_list_read() - all certificates of a PEM file
 * @ret: zeroed; the caller's
 *
 * Nothing is verified. Return: 0, or -errno with @e naming the file; then @ret is empty.
 */
int cert_list_read(struct cert_list *ret, const char *path, struct err *e);

enum cert_validity {
        CERT_VALIDITY_UNKNOWN = 0,
        CERT_VALID,
        CERT_NOT_YET_VALID,
        CERT_EXPIRED,
};
const char *cert_validity_to_string(enum cert_validity v) _const_; /* "valid", "not-yet-valid", … */
enum cert_validity cert_facts_validity(const struct cert_facts *f, uint64_t now_wall_usec) _pure_;
