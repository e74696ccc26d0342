/* What it listens on, seen from other machines. */

#include <arpa/inet.h>

#include "agentd/outside.h"

static void note(struct outside *o, const char *address)
{
        for (size_t i = 0; i < o->n_addresses; i++)
                if (streq(o->addresses[i], address))
                        return;
        if (o->n_addresses < OUTSIDE_ADDRESSES_MAX)
                memcpy(o->addresses[o->n_addresses++], address, strlen(address) + 1);
}

void outside_begin(struct outside *o, const char *own)
{
        *o = (struct outside){0};
        if (strlen(own) < sizeof(o->own))
                memcpy(o->own, own, strlen(own) + 1);
}

static void choose(struct outside *o, const char *address, uint16_t port, bool is_own)
{
        note(o, address);
        if (*o->address && (o->is_own || !is_own))
                return;
        memcpy(o->address, address, strlen(address) + 1);
        o->port = port;
        o->is_own = is_own;
}

/* Is it the same address, however it is written? */
static bool is_own(const struct outside *o, int family, const void *bytes)
{
        unsigned char own[sizeof(struct in6_addr)];

        return inet_pton(family, o->own, own) == 1 &&
               memcmp(own, bytes, family == AF_INET ? 4 : 16) == 0;
}

static void add(struct outside *o, int family, const void *bytes, uint16_t port)
{
        char text[INET6_ADDRSTRLEN];

        if (is_own(o, family, bytes))
                choose(o, o->own, port, true);
        else if (inet_ntop(family, bytes, text, sizeof(text)))
                choose(o, text, port, false);
}

static void add_wildcard(struct outside *o, bool v4, bool v6, uint16_t port)
{
        int family;

        if (parse_ip(o->own, &family) >= 0 && (family == AF_INET ? v4 : v6))
                choose(o, o->own, port, true);
}

void outside_add(struct outside *o, const struct sock_address *listens, bool both)
{
        const struct sock_address *l = listens;

        if (sock_address_is_local(l))
                return;
        if (l->sa.sa_family == AF_INET && l->in.sin_addr.s_addr == htonl(INADDR_ANY))
                add_wildcard(o, true, false, ntohs(l->in.sin_port));
        else if (l->sa.sa_family == AF_INET)
                add(o, AF_INET, &l->in.sin_addr, ntohs(l->in.sin_port));
        else if (IN6_IS_ADDR_UNSPECIFIED(&l->in6.sin6_addr))
                add_wildcard(o, both, true, ntohs(l->in6.sin6_port));
        else if (!IN6_IS_ADDR_LINKLOCAL(&l->in6.sin6_addr))
                add(o, AF_INET6, &l->in6.sin6_addr, ntohs(l->in6.sin6_port));
}
