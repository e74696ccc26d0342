#pragma once

/*
 * Whom a limit is counted for: an IPv4 address without its port, the first 64 bits of an IPv6 address (one
 * machine may have all that begin so), or a uid. Zero bytes where it is shorter. ::1 is 127.0.0.1.
 */

#include <sys/socket.h>

#include "base/cleanup.h"

struct peer {
        unsigned family; /* AF_INET, AF_INET6, AF_UNIX; 0: nobody */
        unsigned char bytes[16];
};

static inline bool peer_same(const struct peer *a, const struct peer *b)
{
        return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/** peer_is_loopback() - one of 127.0.0.0/8: whoever has one of these addresses has all of them */
static inline bool peer_is_loopback(const struct peer *p)
{
        return p->family == AF_INET && p->bytes[0] == 127;
}
