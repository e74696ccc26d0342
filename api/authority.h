#pragma once

/*
 * Who may what. Authority is a fact about the caller, never about the door it came through:
 *
 *   caller                                  health  read  operate   outputs in health answers
 *   Unix socket: root, group diag           yes     yes   yes       yes
 *   Unix socket: a TrustedProxy=            as it was granted       yes
 *   Unix socket: anybody else               yes     -     -         yes
 *   TCP from this machine                   yes     -     -         yes
 *   TCP from AllowFrom= (needs Insecure=)   yes     -     -         no
 *
 * The first row that fits counts. OutputInHealth= overrides the last column for all but root and group
 * diag. A proxy on TCP has no identity: TCP from this machine is network, not local authority.
 */

#include "api/peer.h"
#include "base/parse.h"

#define AUTHORITY_NETWORKS_MAX 64u
#define AUTHORITY_PROXIES_MAX  16u
#define AUTHORITY_HOSTS_MAX    64u
#define AUTHORITY_GROUPS_MAX   256u /* of a caller; of more, only these are looked at */

enum authority_class {
        AUTHORITY_NONE = 0,
        AUTHORITY_HEALTH,
        AUTHORITY_READ,
        AUTHORITY_OPERATE,
};

/** authority_class_to_string() - "none", "health", "read", "operate" */
const char *authority_class_to_string(enum authority_class class);

struct authority_verdict {
        enum authority_class class;
        bool output; /* may read what components printed, in answers of class health */
        bool many;   /* root, or a proxy, who asks for many: limits for one client are not for it */
        bool reserve; /* root, group diag: may have the places of a listener that nobody else gets */
};

enum authority_output { AUTHORITY_OUTPUT_DEFAULT = 0, AUTHORITY_OUTPUT_YES, AUTHORITY_OUTPUT_NO };

/** What the configuration says. A plain value; the server keeps a copy. */
struct authority {
        struct ip_prefix networks[AUTHORITY_NETWORKS_MAX];
        size_t n_networks;
        bool insecure; /* without it, networks count for nothing */
        struct {
                uid_t uid;
                enum authority_class grants;
        } proxies[AUTHORITY_PROXIES_MAX];
        size_t n_proxies;
        gid_t operators; /* group diag; (gid_t)-1: there is none */
        enum authority_output output;
        /* Host: of requests over TCP, beside IP literals and localhost; "*": any. */
        char *hosts[AUTHORITY_HOSTS_MAX]; /* owned by whoever holds the struct; lower case */
        size_t n_hosts;
};

/** authority_copy() - with hosts of its own. 0 or -ENOMEM. */
int authority_copy(struct authority *ret, const struct authority *a);

/** authority_done() - frees the hosts */
void authority_done(struct authority *a);

/** Who is asking, as the kernel says; taken once per connection. All zero: nobody. */
struct authority_caller {
        struct sock_address peer; /* AF_UNIX: the rest counts */
        uid_t uid;
        gid_t groups[AUTHORITY_GROUPS_MAX]; /* the primary one first */
        size_t n_groups;
};

/** authority_caller_from_fd() - SO_PEERCRED, SO_PEERGROUPS, getpeername(). 0 or -errno: nobody. */
int authority_caller_from_fd(struct authority_caller *ret, int fd);

/** authority_caller_name() - for logs and records: "uid 1000", "10.0.0.7". @buf is returned. */
#define AUTHORITY_NAME_MAX 64
char *authority_caller_name(char buf[static AUTHORITY_NAME_MAX], const struct authority_caller *c);

/** authority_caller_peer() - whom its connections and waiting requests are counted for */
struct peer authority_caller_peer(const struct authority_caller *c);

/** authority_judge() - Pure. */
struct authority_verdict authority_judge(const struct authority *a,
                                         const struct authority_caller *c);

/** authority_host_is_ours() - may a request over TCP name this Host? Pure. Fuzzed. */
bool authority_host_is_ours(const struct authority *a, const char *host);
