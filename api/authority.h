#pragma once

/*
 * Who may what. Authority is a fact about the caller, never about the door it came through:
 *
 *   caller                                  health  read  operate   outputs in health answers
 *   Unix socket: the forwarder              what it says of whom it asks for
 *   Unix socket: root, group diag           yes     yes   yes       yes
 *   Unix socket: a TrustedProxy=            as it was granted       yes
 *   Unix socket: anybody else               yes     -     -         yes
 *   TLS: the certificate of a master        yes     yes   yes       yes
 *   TLS: another certificate of our CA      yes     -     -         no
 *   TCP, plain, LegacyOpenBundles=          yes     yes   yes       yes
 *   TCP from this machine                   yes     -     -         yes
 *   TLS from AllowFrom=, whatever is shown  yes     -     -         no
 *   TCP from AllowFrom= (needs Insecure=)   yes     -     -         no
 *
 * The first row that fits counts. OutputInHealth= overrides the last column for all but root, group diag
 * and the forwarder. A proxy on TCP has no identity: TCP from this machine is network, not local authority.
 *
 * The forwarder is the aggregator of this machine, by its user. It has judged its own caller, and says so in
 * the field Diag-Caller of each request:
 *
 *   Diag-Caller: CLASS OUTPUT NAME      health, read or operate; 0 or 1; printable ASCII
 *
 * Without it, or with anything else in it, that is health without outputs. Whoever else comes over a Unix
 * socket may say it, too, and then has at most that: an aggregator that somebody runs by hand lends nothing
 * of his. Over TCP it is ignored.
 */

#include "api/peer.h"
#include "api/tls.h"
#include "base/parse.h"

#define AUTHORITY_NETWORKS_MAX 64u
#define AUTHORITY_PROXIES_MAX  16u
#define AUTHORITY_HOSTS_MAX    64u
#define AUTHORITY_MASTERS_MAX  64u
#define AUTHORITY_GROUPS_MAX   256u /* of a caller; of more, only these are looked at */

enum authority_class {
        AUTHORITY_NONE = 0,
        AUTHORITY_HEALTH,
        AUTHORITY_READ,
        AUTHORITY_OPERATE,
};

/** authority_class_to_string() - "none", "health", "read", "operate" */
const char *authority_class_to_string(enum authority_class class);

/** authority_class_from_string() - of the last three. 0 or -EINVAL */
int authority_class_from_string(const char *s, enum authority_class *ret);

struct authority_verdict {
        enum authority_class class;
        bool output; /* may read what components printed, in answers of class health */
        bool many; /* root, a master, or a proxy, who asks for many: limits for one client are not for it */
        bool reserve; /* root, group diag: may have the places of a listener that nobody else gets */
};

enum authority_output { AUTHORITY_OUTPUT_DEFAULT = 0, AUTHORITY_OUTPUT_YES, AUTHORITY_OUTPUT_NO };

/** What the configuration says. A plain value; the server keeps a copy. */
struct authority {
        struct ip_prefix networks[AUTHORITY_NETWORKS_MAX];
        size_t n_networks;
        bool insecure; /* without it, networks count for nothing but TLS */
        struct {
                uid_t uid;
                enum authority_class grants;
        } proxies[AUTHORITY_PROXIES_MAX];
        size_t n_proxies;
        gid_t operators; /* group diag; (gid_t)-1: there is none */
        bool has_forwarder;
        uid_t forwarder;
        /* Whose certificate is that of a master: who has the role in this cluster ("": nobody), ... */
        char cluster[TLS_CLUSTER_MAX];
        char *masters[AUTHORITY_MASTERS_MAX]; /* ... or one of these names; owned as hosts are */
        size_t n_masters;
        /*
         * LegacyOpenBundles=: as the service that we replace, who comes in plain text from this machine, or from one
         * of these, may all. Behind that may be anybody whom a proxy there lets in.
         */
        bool open_here;
        struct ip_prefix open[AUTHORITY_NETWORKS_MAX];
        size_t n_open;
        enum authority_output output;
        /* Host: of requests over TCP, beside IP literals and localhost; "*": any. */
        char *hosts[AUTHORITY_HOSTS_MAX]; /* owned by whoever holds the struct; lower case */
        size_t n_hosts;
};

/** authority_copy() - with hosts and masters of its own. 0 or -ENOMEM. */
int authority_copy(struct authority *ret, const struct authority *a);

/** authority_done() - frees the hosts and masters */
void authority_done(struct authority *a);

#define AUTHORITY_FORWARDED_NAME_MAX 128 /* with its NUL; a longer one is not taken */

/** For whom the forwarder asks. */
struct authority_forwarded {
        enum authority_class class; /* NONE: nothing that can be understood was said */
        bool output;
        char name[AUTHORITY_FORWARDED_NAME_MAX];
};

/** Who is asking, as the kernel and his certificate say; taken once per connection. All zero: nobody. */
struct authority_caller {
        struct sock_address peer; /* AF_UNIX: the rest counts */
        uid_t uid;
        gid_t groups[AUTHORITY_GROUPS_MAX]; /* the primary one first */
        size_t n_groups;
        bool tls; /* TLS is spoken on this connection */
        const struct tls_peer
                *certificate; /* of who speaks TLS; borrowed. NULL: not looked at yet */
        struct authority_forwarded forwarded; /* of one request; see authority_take_forwarded() */
};

/** authority_caller_from_fd() - SO_PEERCRED, SO_PEERGROUPS, getpeername(). 0 or -errno: nobody. */
int authority_caller_from_fd(struct authority_caller *ret, int fd);

/**
 * authority_take_forwarded() - note for whom he asks this time; forget what was noted before
 * @field:    the value of Diag-Caller, NULL without one
 * @n_fields: how many there are; more than one are none
 *
 * Nothing is noted of who comes over TCP. Pure. Fuzzed.
 */
void authority_take_forwarded(struct authority_caller *c, const char *field, unsigned n_fields);

/**
 * authority_caller_name() - for logs and records: "uid 1000", "10.0.0.7", "certificate m1 (10.0.0.1)",
 * "10.0.0.7, forwarded by uid 990". @buf is returned.
 */
#define AUTHORITY_NAME_MAX 192
char *authority_caller_name(char buf[static AUTHORITY_NAME_MAX], const struct authority_caller *c);

/** authority_caller_peer() - whom its connections and waiting requests are counted for */
struct peer authority_caller_peer(const struct authority_caller *c);

/** authority_judge() - Pure. */
struct authority_verdict authority_judge(const struct authority *a,
                                         const struct authority_caller *c);

/** authority_host_is_ours() - may a request over TCP name this Host? Pure. Fuzzed. */
bool authority_host_is_ours(const struct authority *a, const char *host);
