/* Who may what: taking down who asks, and judging it by a table. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "api/authority.h"

const char *authority_class_to_string(enum authority_class class)
{
        static const char *const words[] = {
                [AUTHORITY_NONE] = "none",
                [AUTHORITY_HEALTH] = "health",
                [AUTHORITY_READ] = "read",
                [AUTHORITY_OPERATE] = "operate",
        };

        return (size_t) class < ELEMENTSOF(words) ? words[class] : "none";
}

int authority_copy(struct authority *ret, const struct authority *a)
{
        struct authority copy = *a;

        copy.n_hosts = 0;
        for (size_t i = 0; i < a->n_hosts; i++) {
                copy.hosts[i] = strdup(a->hosts[i]);
                if (!copy.hosts[i]) {
                        authority_done(&copy);
                        return -ENOMEM;
                }
                copy.n_hosts++;
        }
        *ret = copy;
        return 0;
}

void authority_done(struct authority *a)
{
        for (size_t i = 0; i < a->n_hosts; i++)
                free(a->hosts[i]);
        a->n_hosts = 0;
}

/* --- who asks --------------------------------------------------------------------------------- */

/* All of them, so that the kernel gives any; most people are in a few, some services in thousands. */
static int take_groups(struct authority_caller *c, int fd)
{
        socklen_t n = AUTHORITY_GROUPS_MAX * sizeof(gid_t);
        _cleanup_(freep) gid_t *groups = malloc(n);
        size_t n_room = AUTHORITY_GROUPS_MAX - c->n_groups;

        if (!groups)
                return -ENOMEM;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0) {
                if (errno != ERANGE)
                        return -errno;
                free(groups);
                groups = malloc(n); /* it has said how many bytes */
                if (!groups)
                        return -ENOMEM;
                if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0)
                        return -errno;
        }
        if (n / sizeof(gid_t) < n_room)
                n_room = n / sizeof(gid_t);
        memcpy(c->groups + c->n_groups, groups, n_room * sizeof(gid_t));
        c->n_groups += n_room;
        return 0;
}

static int take_credentials(struct authority_caller *c, int fd)
{
        struct ucred cred;
        socklen_t n = sizeof(cred);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
                return -errno;
        c->uid = cred.uid;
        c->groups[0] = cred.gid;
        c->n_groups = 1;
        return take_groups(c, fd);
}

int authority_caller_from_fd(struct authority_caller *ret, int fd)
{
        struct authority_caller c = {.peer.n = sizeof(c.peer.storage)};
        int r;

        if (getpeername(fd, &c.peer.sa, &c.peer.n) < 0)
                return -errno;
        if (c.peer.sa.sa_family == AF_UNIX) {
                r = take_credentials(&c, fd);
                if (r < 0)
                        return r;
        }
        *ret = c;
        return 0;
}

/* An IPv4 peer of an IPv6 socket is that IPv4 peer. */
static struct peer exact_peer(const struct authority_caller *c)
{
        const struct in6_addr *in6 = &c->peer.in6.sin6_addr;
        struct peer p = {.family = c->peer.sa.sa_family};

        if (p.family == AF_UNIX) {
                memcpy(p.bytes, &c->uid, sizeof(c->uid));
        } else if (p.family == AF_INET) {
                memcpy(p.bytes, &c->peer.in.sin_addr, sizeof(struct in_addr));
        } else if (p.family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(in6)) {
                p.family = AF_INET;
                memcpy(p.bytes, &in6->s6_addr[12], sizeof(struct in_addr));
        } else if (p.family == AF_INET6) {
                memcpy(p.bytes, in6, sizeof(*in6));
        }
        return p;
}

struct peer authority_caller_peer(const struct authority_caller *c)
{
        static const struct peer loopback = {
                AF_INET, {127, 0, 0, 1}
        };
        struct peer p = exact_peer(c);

        if (p.family != AF_INET6)
                return p;
        if (sock_address_is_local(&c->peer))
                return loopback;
        memset(p.bytes + 8, 0, sizeof(p.bytes) - 8);
        return p;
}

char *authority_caller_name(char buf[static AUTHORITY_NAME_MAX], const struct authority_caller *c)
{
        struct peer p = exact_peer(c);

        if (p.family == AF_UNIX)
                (void)snprintf(buf, AUTHORITY_NAME_MAX, "uid %u", (unsigned)c->uid);
        else if (p.family == 0 || !inet_ntop((int)p.family, p.bytes, buf, AUTHORITY_NAME_MAX))
                (void)snprintf(buf, AUTHORITY_NAME_MAX, "somebody");
        return buf;
}

/* --- what they may ---------------------------------------------------------------------------- */

static bool is_operator(const struct authority *a, const struct authority_caller *c,
                        struct authority_verdict *v)
{
        bool root = c->uid == 0, member = false;

        if (c->peer.sa.sa_family != AF_UNIX)
                return false;
        for (size_t i = 0; a->operators != (gid_t)-1 && i < c->n_groups; i++)
                member |= c->groups[i] == a->operators;
        *v = (struct authority_verdict){AUTHORITY_OPERATE, .output = true, .many = root,
                                        .reserve = true};
        return root || member;
}

static bool is_proxy(const struct authority *a, const struct authority_caller *c,
                     struct authority_verdict *v)
{
        if (c->peer.sa.sa_family != AF_UNIX)
                return false;
        for (size_t i = 0; i < a->n_proxies; i++)
                if (a->proxies[i].uid == c->uid) {
                        *v = (struct authority_verdict){a->proxies[i].grants,
                                                        a->output != AUTHORITY_OUTPUT_NO, true};
                        return true;
                }
        return false;
}

static bool is_on_this_machine(const struct authority *a, const struct authority_caller *c,
                               struct authority_verdict *v)
{
        *v = (struct authority_verdict){AUTHORITY_HEALTH, a->output != AUTHORITY_OUTPUT_NO};
        return sock_address_is_local(&c->peer);
}

static bool is_in_a_network(const struct authority *a, const struct authority_caller *c,
                            struct authority_verdict *v)
{
        *v = (struct authority_verdict){AUTHORITY_HEALTH, a->output == AUTHORITY_OUTPUT_YES};
        for (size_t i = 0; a->insecure && i < a->n_networks; i++)
                if (ip_prefix_contains(&a->networks[i], &c->peer.sa))
                        return true;
        return false;
}

struct authority_verdict authority_judge(const struct authority *a,
                                         const struct authority_caller *c)
{
        static bool (*const rows[])(const struct authority *a, const struct authority_caller *c,
                                    struct authority_verdict *v) = {
                is_operator,
                is_proxy,
                is_on_this_machine,
                is_in_a_network,
        };
        struct authority_verdict v;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (rows[i](a, c, &v))
                        return v;
        return (struct authority_verdict){AUTHORITY_NONE};
}

/* --- whom they take us for -------------------------------------------------------------------- */

#define HOST_BYTES_MAX 253u /* of a name in DNS */

/* An empty port stands for none (RFC 3986 §3.2.3). */
static bool is_port(const char *s)
{
        return strlen(s) <= 5 && !s[strspn(s, "0123456789")];
}

static bool is_name_of_ours(const struct authority *a, const char *name)
{
        int family;

        if (parse_ip(name, &family) == 0)
                return family == AF_INET; /* the other one has brackets */
        if (strcasecmp(name, "localhost") == 0)
                return true;
        for (size_t i = 0; i < a->n_hosts; i++)
                if (strcasecmp(name, a->hosts[i]) == 0)
                        return true;
        return false;
}

static bool any_host_is_ours(const struct authority *a)
{
        for (size_t i = 0; i < a->n_hosts; i++)
                if (streq(a->hosts[i], "*"))
                        return true;
        return false;
}

/*
 * A page of somebody else may have had its name resolved to our address (DNS rebinding): then the
 * browser names that page's host. An address literal cannot be somebody else's name.
 */
bool authority_host_is_ours(const struct authority *a, const char *host)
{
        bool bracketed = *host == '[';
        size_t n = strcspn(host + bracketed, bracketed ? "]" : ":");
        const char *rest = host + bracketed + n + bracketed;
        char name[HOST_BYTES_MAX + 2];
        int family;

        if (any_host_is_ours(a))
                return true;
        if (n == 0 || n >= sizeof(name) || (bracketed && host[1 + n] != ']') ||
            (*rest && (*rest != ':' || !is_port(rest + 1))))
                return false;
        memcpy(name, host + bracketed, n);
        name[n] = '\0';
        if (bracketed)
                return parse_ip(name, &family) == 0 && family == AF_INET6;
        if (n > 1 && name[n - 1] == '.') /* the root of DNS, which most people leave out */
                name[n - 1] = '\0';
        return is_name_of_ours(a, name);
}
