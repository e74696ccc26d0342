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

int authority_class_from_string(const char *s, enum authority_class *ret)
{
        for (enum authority_class i = AUTHORITY_HEALTH; i <= AUTHORITY_OPERATE; i++)
                if (streq(s, authority_class_to_string(i))) {
                        *ret = i;
                        return 0;
                }
        return -EINVAL;
}

static int copy_names(char **ret, size_t *ret_n, char *const *names, size_t n)
{
        for (*ret_n = 0; *ret_n < n; ++*ret_n) {
                ret[*ret_n] = strdup(names[*ret_n]);
                if (!ret[*ret_n])
                        return -ENOMEM;
        }
        return 0;
}

int authority_copy(struct authority *ret, const struct authority *a)
{
        struct authority copy = *a;
        int r;

        copy.n_hosts = copy.n_masters = 0;
        r = copy_names(copy.hosts, &copy.n_hosts, a->hosts, a->n_hosts);
        if (r >= 0)
                r = copy_names(copy.masters, &copy.n_masters, a->masters, a->n_masters);
        if (r < 0) {
                authority_done(&copy);
                return r;
        }
        *ret = copy;
        return 0;
}

void authority_done(struct authority *a)
{
        while (a->n_hosts)
                free(a->hosts[--a->n_hosts]);
        while (a->n_masters)
                free(a->masters[--a->n_masters]);
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

static bool shows_good_certificate(const struct authority_caller *c)
{
        return c->tls && c->certificate && c->certificate->trust == TLS_TRUST_GOOD;
}

static void name_address(char buf[static AUTHORITY_NAME_MAX], const struct authority_caller *c)
{
        char address[INET6_ADDRSTRLEN];
        struct peer p = exact_peer(c);

        if (p.family == 0 || !inet_ntop((int)p.family, p.bytes, address, sizeof(address)))
                (void)snprintf(buf, AUTHORITY_NAME_MAX, "somebody");
        else if (shows_good_certificate(c))
                (void)snprintf(buf, AUTHORITY_NAME_MAX, "certificate %s (%s)",
                               str_or(c->certificate->identity.name, "without a name"), address);
        else
                (void)snprintf(buf, AUTHORITY_NAME_MAX, "%s", address);
}

char *authority_caller_name(char buf[static AUTHORITY_NAME_MAX], const struct authority_caller *c)
{
        if (c->peer.sa.sa_family != AF_UNIX)
                name_address(buf, c);
        else if (*c->forwarded.name)
                (void)snprintf(buf, AUTHORITY_NAME_MAX, "%s, forwarded by uid %u",
                               c->forwarded.name, (unsigned)c->uid);
        else
                (void)snprintf(buf, AUTHORITY_NAME_MAX, "uid %u", (unsigned)c->uid);
        return buf;
}

/* --- whom they ask for ------------------------------------------------------------------------ */

static bool comes_as_forwarder(const struct authority *a, const struct authority_caller *c)
{
        return a->has_forwarder && c->peer.sa.sa_family == AF_UNIX && c->uid == a->forwarder;
}

/* Nothing but blanks would be no name in a log. */
static bool is_forwarded_name(const char *s)
{
        if (strlen(s) >= AUTHORITY_FORWARDED_NAME_MAX || *s == ' ')
                return false;
        for (const char *p = s; *p; p++)
                if (*p < ' ' || *p > '~')
                        return false;
        return *s;
}

/* "CLASS OUTPUT NAME", one space between them. */
static int parse_forwarded(const char *s, struct authority_forwarded *ret)
{
        struct authority_forwarded f = {0};
        size_t n = strcspn(s, " ");
        char class[16];

        if (n >= sizeof(class))
                return -EINVAL;
        memcpy(class, s, n);
        class[n] = '\0';
        s += n;
        if (authority_class_from_string(class, &f.class) < 0 || s[0] != ' ' ||
            (s[1] != '0' && s[1] != '1') || s[2] != ' ' || !is_forwarded_name(s + 3))
                return -EINVAL;
        f.output = s[1] == '1';
        memcpy(f.name, s + 3, strlen(s + 3) + 1);
        *ret = f;
        return 0;
}

void authority_take_forwarded(struct authority_caller *c, const char *field, unsigned n_fields)
{
        c->forwarded = (struct authority_forwarded){0};
        if (c->peer.sa.sa_family == AF_UNIX && field && n_fields == 1)
                (void)parse_forwarded(field, &c->forwarded);
}

/* --- what they may ---------------------------------------------------------------------------- */

/* First of all: whoever it is in the group of, it must not lend that to whom it asks for. */
static bool is_forwarder(const struct authority *a, const struct authority_caller *c,
                         struct authority_verdict *v)
{
        bool said = c->forwarded.class != AUTHORITY_NONE;

        *v = (struct authority_verdict){said ? c->forwarded.class : AUTHORITY_HEALTH,
                                        said && c->forwarded.output, true};
        return comes_as_forwarder(a, c);
}

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

static bool is_master(const struct authority *a, const struct authority_caller *c,
                      struct authority_verdict *v)
{
        const struct tls_identity *i;

        *v = (struct authority_verdict){AUTHORITY_OPERATE, a->output != AUTHORITY_OUTPUT_NO, true};
        if (!shows_good_certificate(c))
                return false;
        i = &c->certificate->identity;
        for (size_t k = 0; k < a->n_masters; k++)
                if (tls_identity_has_name(i, a->masters[k]))
                        return true;
        return tls_identity_has_role(i, a->cluster, DIAG_ROLE_MASTER);
}

static bool is_of_our_ca(const struct authority *a, const struct authority_caller *c,
                         struct authority_verdict *v)
{
        *v = (struct authority_verdict){AUTHORITY_HEALTH, a->output == AUTHORITY_OUTPUT_YES};
        return shows_good_certificate(c);
}

static bool is_let_in(const struct authority *a, const struct authority_caller *c,
                      struct authority_verdict *v)
{
        bool here = a->open_here && sock_address_is_local(&c->peer);

        *v = (struct authority_verdict){AUTHORITY_OPERATE, a->output != AUTHORITY_OUTPUT_NO};
        if (c->tls || c->peer.sa.sa_family == AF_UNIX)
                return false;
        for (size_t i = 0; !here && i < a->n_open; i++)
                here = ip_prefix_contains(&a->open[i], &c->peer.sa);
        return here;
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
        for (size_t i = 0; (a->insecure || c->tls) && i < a->n_networks; i++)
                if (ip_prefix_contains(&a->networks[i], &c->peer.sa))
                        return true;
        return false;
}

/* Who asks for somebody else lends him nothing. The forwarder has nothing of its own to begin with. */
static void lower(struct authority_verdict *v, const struct authority_forwarded *f)
{
        if (f->class == AUTHORITY_NONE)
                return;
        if (v->class > f->class)
                v->class = f->class;
        v->output = v->output && f->output;
        v->reserve = false;
}

struct authority_verdict authority_judge(const struct authority *a,
                                         const struct authority_caller *c)
{
        static bool (*const rows[])(const struct authority *a, const struct authority_caller *c,
                                    struct authority_verdict *v) = {
                is_forwarder, is_operator, is_proxy,           is_master,
                is_of_our_ca, is_let_in,   is_on_this_machine, is_in_a_network,
        };
        struct authority_verdict v;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (rows[i](a, c, &v)) {
                        lower(&v, &c->forwarded);
                        return v;
                }
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
