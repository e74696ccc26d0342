#pragma once

/*
 * Whom a node's certificate is about, as an operator says it on a command line or in a file, and the
 * URI that says cluster and role in the certificate: "diag://CLUSTER/ROLE". An authority has
 * "diag://CLUSTER". Pure.
 */

#include "base/err.h"
#include "base/string_list.h"
#include "model/node.h"

#define CERT_NAME_MAX     64u  /* bytes of a common name, by X.509 */
#define CERT_CLUSTER_MAX  63u  /* the same of an organization, which we leave one byte below */
#define CERT_DNS_MAX      253u /* as everywhere in DNS */
#define CERT_ALIASES_MAX  64u  /* addresses of one node, and names of one */
#define CERT_URI_MAX      96u
#define CERT_SUBJECTS_MAX 16384u

struct cert_subject {
        char name[CERT_NAME_MAX + 1]; /* can be a directory's, too */
        enum diag_role role;
        struct string_list addresses, dns; /* each once; the name is in one of them, if it is one */
};
void cert_subject_done(struct cert_subject *s);

/**
 * cert_subject_init() - a node that has no addresses yet
 *
 * A @name that is an address or a name in DNS is one of the node's own at once.
 * Return: 0, -EINVAL with @e quoting what is wrong, -ENOMEM; then there is nothing to be done().
 */
int cert_subject_init(struct cert_subject *s, const char *name, const char *role, struct err *e);

/** Return: 0, -EINVAL or -E2BIG with @e quoting what is wrong, -ENOMEM. */
int cert_subject_add_address(struct cert_subject *s, const char *address, struct err *e);
int cert_subject_add_dns(struct cert_subject *s, const char *name, struct err *e);

/** cert_subject_check() - masters find a node by address: -EINVAL without one. */
int cert_subject_check(const struct cert_subject *s, struct err *e);

struct cert_subjects {
        struct cert_subject *items;
        size_t n;
};
void cert_subjects_done(struct cert_subjects *l);

/**
 * cert_subjects_parse() - many, one a line: "NAME ROLE ADDRESS…"
 * @ret:  zeroed; the caller's
 * @text: may hold empty lines and comments that begin with '#'. After the role, what is no address is a
 *        name in DNS
 * @who:  how @e names it: "FILE:12: …"
 *
 * Return: 0, -EINVAL also when there is none or a name comes twice, -E2BIG, -ENOMEM; then @ret is empty.
 */
int cert_subjects_parse(struct cert_subjects *ret, const char *text, const char *who,
                        struct err *e);

/** cert_cluster_is_valid() - letters, digits, '-', '_', '.', the first of them no mark. */
bool cert_cluster_is_valid(const char *cluster) _pure_;

/** cert_uri_format() - @role: DIAG_ROLE_UNKNOWN: that of an authority. @buf is returned. */
char *cert_uri_format(char buf[static CERT_URI_MAX], const char *cluster, enum diag_role role);

/** cert_uri_parse() - the same backwards. 0, or -EINVAL: it says neither a cluster nor a role of ours. */
int cert_uri_parse(const char *uri, char cluster[static CERT_CLUSTER_MAX + 1],
                   enum diag_role *ret_role);
