/* Who may ask: the machine itself, and the networks that were configured. */

#include "api/authority.h"

/* By family, never by a length that came with the address: libmicrohttpd's may exceed what it copied. */
static socklen_t peer_size(const struct sockaddr *peer)
{
        switch (peer->sa_family) {
        case AF_INET:
                return sizeof(struct sockaddr_in);
        case AF_INET6:
                return sizeof(struct sockaddr_in6);
        default:
                return sizeof(sa_family_t);
        }
}

bool authority_may_ask(const struct authority *a, const struct sockaddr *peer)
{
        struct sock_address address = {.n = peer_size(peer)};

        memcpy(&address.storage, peer, address.n);
        if (sock_address_is_local(&address))
                return true;
        for (size_t i = 0; i < a->n_networks; i++)
                if (ip_prefix_contains(&a->networks[i], &address.sa))
                        return true;
        return false;
}
