/*
 * Strings to values. Each parser looks at the whole string before it writes *ret, so that a
 * caller's default survives a typing error.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/mono.h"
#include "base/parse.h"

#define USEC_PER_HOUR    (60 * USEC_PER_MIN)
#define USEC_PER_DAY     (24 * USEC_PER_HOUR)
#define UNIX_PREFIX      "unix:"
#define V4_MAPPED_N_BITS 96u

static const char v4_mapped[] = "\0\0\0\0\0\0\0\0\0\0\xff\xff";

static const struct {
        const char *word;
        bool value;
} bool_words[] = {
        {"1",     true },
        {"yes",   true },
        {"y",     true },
        {"true",  true },
        {"t",     true },
        {"on",    true },
        {"0",     false},
        {"no",    false},
        {"n",     false},
        {"false", false},
        {"f",     false},
        {"off",   false},
};

static const struct {
        const char *word;
        uint64_t usec;
} duration_units[] = {
        {"us",        1               },
        {"usec",      1               },
        {"\xc2\xb5s", 1               }, /* U+00B5, the micro sign */
        {"\xce\xbcs", 1               }, /* U+03BC, the Greek letter */
        {"ms",        USEC_PER_MSEC   },
        {"msec",      USEC_PER_MSEC   },
        {"s",         USEC_PER_SEC    },
        {"sec",       USEC_PER_SEC    },
        {"second",    USEC_PER_SEC    },
        {"seconds",   USEC_PER_SEC    },
        {"m",         USEC_PER_MIN    },
        {"min",       USEC_PER_MIN    },
        {"minute",    USEC_PER_MIN    },
        {"minutes",   USEC_PER_MIN    },
        {"h",         USEC_PER_HOUR   },
        {"hr",        USEC_PER_HOUR   },
        {"hour",      USEC_PER_HOUR   },
        {"hours",     USEC_PER_HOUR   },
        {"d",         USEC_PER_DAY    },
        {"day",       USEC_PER_DAY    },
        {"days",      USEC_PER_DAY    },
        {"w",         7 * USEC_PER_DAY},
        {"week",      7 * USEC_PER_DAY},
        {"weeks",     7 * USEC_PER_DAY},
};

/* Reads digits, at least one, and moves *s behind them. */
static int scan_u64(const char **s, uint64_t *ret)
{
        const char *p = *s;
        uint64_t v = 0;

        if (*p < '0' || *p > '9')
                return -EINVAL;
        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(v, 10u, &v) ||
                    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
                        return -ERANGE;
        *s = p;
        *ret = v;
        return 0;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
        uint64_t v;
        int r;

        if (s[strspn(s, "0123456789")])
                return -EINVAL;
        r = scan_u64(&s, &v);
        if (r < 0)
                return r;
        if (v < min || v > max)
                return -ERANGE;
        *ret = v;
        return 0;
}

int parse_bool(const char *s, bool *ret)
{
        for (size_t i = 0; i < ELEMENTSOF(bool_words); i++)
                if (strcasecmp(s, bool_words[i].word) == 0) {
                        *ret = bool_words[i].value;
                        return 0;
                }
        return -EINVAL;
}

/* The longest run of unit letters must be a unit: "mi" is not "m" and a rest. */
static int scan_unit(const char **s, uint64_t *ret_usec)
{
        size_t n = strcspn(*s, " 0123456789.");

        for (size_t i = 0; i < ELEMENTSOF(duration_units); i++)
                if (strlen(duration_units[i].word) == n &&
                    memcmp(*s, duration_units[i].word, n) == 0) {
                        *s += n;
                        *ret_usec = duration_units[i].usec;
                        return 0;
                }
        return -EINVAL;
}

/* The decimals of "1.5": as @unit still has parts, then they no longer count. */
static int scan_fraction(const char **s, uint64_t unit, uint64_t *ret_usec)
{
        const char *p = *s;
        uint64_t sum = 0;

        if (*p < '0' || *p > '9')
                return -EINVAL;
        for (uint64_t part = unit; *p >= '0' && *p <= '9'; p++) {
                sum += part * (uint64_t)(*p - '0') / 10;
                part /= 10;
        }
        *s = p;
        *ret_usec = sum;
        return 0;
}

/* One "1.5h" or "20 s"; the unit may be missing where @alone says that nothing stands before it. */
static int scan_term(const char **s, bool alone, uint64_t *ret_usec)
{
        uint64_t whole, unit = USEC_PER_SEC, fraction = 0;
        const char *decimals = NULL;
        int r;

        r = scan_u64(s, &whole);
        if (r < 0)
                return r;
        if (**s == '.') {
                decimals = ++*s;
                *s += strspn(*s, "0123456789");
        }
        if (**s || !alone) {
                *s += strspn(*s, " ");
                r = scan_unit(s, &unit);
                if (r < 0)
                        return r;
        }
        if (decimals && scan_fraction(&decimals, unit, &fraction) < 0)
                return -EINVAL;
        if (__builtin_mul_overflow(whole, unit, &whole) ||
            __builtin_add_overflow(whole, fraction, ret_usec))
                return -ERANGE;
        return 0;
}

int parse_duration(const char *s, uint64_t *ret_usec)
{
        uint64_t sum = 0, term;
        bool first = true;
        int r;

        if (streq(s, "infinity")) {
                *ret_usec = USEC_INFINITY;
                return 0;
        }
        do {
                r = scan_term(&s, first, &term);
                if (r < 0)
                        return r;
                if (__builtin_add_overflow(sum, term, &sum) || sum == USEC_INFINITY)
                        return -ERANGE;
                if (*s == ' ' && s[strspn(s, " ")])
                        s += strspn(s, " ");
                first = false;
        } while (*s);
        *ret_usec = sum;
        return 0;
}

static int parse_port(const char *s, in_port_t *ret)
{
        uint64_t port;
        int r;

        r = parse_u64(s, 1, UINT16_MAX, &port);
        if (r < 0)
                return r;
        *ret = htons((uint16_t)port);
        return 0;
}

static int parse_unix(const char *path, struct sock_address *ret)
{
        struct sock_address a = {.un.sun_family = AF_UNIX};
        size_t n = strlen(path);

        if (*path != '/' || n >= sizeof(a.un.sun_path))
                return -EINVAL;
        memcpy(a.un.sun_path, path, n);
        a.n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
        *ret = a;
        return 0;
}

static int parse_inet(const char *host, const char *port, bool bracketed, struct sock_address *ret)
{
        struct sock_address a = {0};
        in_port_t p;
        int r;

        r = parse_port(port, &p);
        if (r < 0)
                return r;
        if (bracketed) {
                a.in6.sin6_family = AF_INET6;
                a.in6.sin6_port = p;
                a.n = sizeof(a.in6);
                r = inet_pton(AF_INET6, host, &a.in6.sin6_addr);
        } else {
                a.in.sin_family = AF_INET;
                a.in.sin_port = p;
                a.n = sizeof(a.in);
                r = inet_pton(AF_INET, host, &a.in.sin_addr);
        }
        if (r != 1)
                return -EINVAL;
        *ret = a;
        return 0;
}

int parse_listen(const char *s, struct sock_address *ret)
{
        char host[INET6_ADDRSTRLEN];
        bool bracketed = *s == '[';
        const char *end;
        size_t n;

        if (strncmp(s, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
                return parse_unix(s + strlen(UNIX_PREFIX), ret);
        s += bracketed;
        end = strchr(s, bracketed ? ']' : ':');
        if (!end || (bracketed && end[1] != ':'))
                return -EINVAL;
        n = (size_t)(end - s);
        if (n >= sizeof(host))
                return -EINVAL;
        memcpy(host, s, n);
        host[n] = '\0';
        return parse_inet(host, end + 1 + bracketed, bracketed, ret);
}

char *sock_address_format(char buf[static SOCK_ADDRESS_MAX], const struct sock_address *a)
{
        char host[INET6_ADDRSTRLEN] = "";

        switch (a->sa.sa_family) {
        case AF_UNIX:
                /* A peer that did not bind has no path at all, and none has to end in NUL. */
                (void)snprintf(buf, SOCK_ADDRESS_MAX, UNIX_PREFIX "%.*s",
                               (int)(a->n - offsetof(struct sockaddr_un, sun_path)),
                               a->un.sun_path);
                break;
        case AF_INET:
                (void)inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
                (void)snprintf(buf, SOCK_ADDRESS_MAX, "%s:%u", host, ntohs(a->in.sin_port));
                break;
        case AF_INET6:
                (void)inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
                (void)snprintf(buf, SOCK_ADDRESS_MAX, "[%s]:%u", host, ntohs(a->in6.sin6_port));
                break;
        default:
                (void)snprintf(buf, SOCK_ADDRESS_MAX, "?");
        }
        return buf;
}

/* The bytes that tell where a peer is; a v4-mapped peer is an IPv4 peer. NULL without a network. */
static const unsigned char *ip_of(const struct sockaddr *sa, int *ret_family)
{
        const unsigned char *b;

        *ret_family = AF_INET;
        if (sa->sa_family == AF_INET)
                return (const unsigned char *)&((const struct sockaddr_in *)sa)->sin_addr;
        if (sa->sa_family != AF_INET6)
                return NULL;
        b = ((const struct sockaddr_in6 *)sa)->sin6_addr.s6_addr;
        if (memcmp(b, v4_mapped, V4_MAPPED_N_BITS / 8) == 0)
                return b + V4_MAPPED_N_BITS / 8;
        *ret_family = AF_INET6;
        return b;
}

bool sock_address_is_local(const struct sock_address *a)
{
        const unsigned char *b;
        int family;

        if (a->sa.sa_family == AF_UNIX)
                return true;
        b = ip_of(&a->sa, &family);
        if (!b)
                return false;
        return family == AF_INET ? b[0] == IN_LOOPBACKNET
                                 : memcmp(b, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
}

int parse_ip(const char *s, int *ret_family)
{
        unsigned char bytes[sizeof(struct in6_addr)];
        int family = strchr(s, ':') ? AF_INET6 : AF_INET;

        if (inet_pton(family, s, bytes) != 1)
                return -EINVAL;
        *ret_family = family;
        return 0;
}

static bool host_bits_are_zero(const struct ip_prefix *p)
{
        unsigned n_bytes = p->family == AF_INET ? 4 : 16;

        for (unsigned i = p->n_bits / 8; i < n_bytes; i++) {
                unsigned mask = i == p->n_bits / 8 ? 0xffu >> p->n_bits % 8 : 0xffu;

                if (p->bytes[i] & mask)
                        return false;
        }
        return true;
}

/* Mapped peers count as IPv4, so a network written in the mapped form must do so too. */
static void unmap(struct ip_prefix *p)
{
        if (p->family != AF_INET6 || p->n_bits < V4_MAPPED_N_BITS ||
            memcmp(p->bytes, v4_mapped, V4_MAPPED_N_BITS / 8) != 0)
                return;
        p->family = AF_INET;
        p->n_bits -= V4_MAPPED_N_BITS;
        memmove(p->bytes, p->bytes + V4_MAPPED_N_BITS / 8, 4);
        memset(p->bytes + 4, 0, sizeof(p->bytes) - 4);
}

int parse_ip_prefix(const char *s, struct ip_prefix *ret)
{
        struct ip_prefix p = {.family = strchr(s, ':') ? AF_INET6 : AF_INET};
        uint64_t n_bits = p.family == AF_INET ? 32 : 128;
        size_t n_host = strcspn(s, "/");
        char host[INET6_ADDRSTRLEN];
        int r;

        if (n_host >= sizeof(host))
                return -EINVAL;
        memcpy(host, s, n_host);
        host[n_host] = '\0';
        if (inet_pton(p.family, host, p.bytes) != 1)
                return -EINVAL;
        if (s[n_host]) {
                r = parse_u64(s + n_host + 1, 0, n_bits, &n_bits);
                if (r < 0)
                        return r;
        }
        p.n_bits = (unsigned)n_bits;
        if (!host_bits_are_zero(&p))
                return -EINVAL;
        unmap(&p);
        *ret = p;
        return 0;
}

bool ip_prefix_contains(const struct ip_prefix *p, const struct sockaddr *sa)
{
        unsigned n_whole = p->n_bits / 8, n_rest = p->n_bits % 8;
        const unsigned char *b;
        int family;

        b = ip_of(sa, &family);
        if (!b || family != p->family || memcmp(b, p->bytes, n_whole) != 0)
                return false;
        return !n_rest || (b[n_whole] ^ p->bytes[n_whole]) >> (8 - n_rest) == 0;
}
