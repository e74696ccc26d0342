#pragma once

/* Where other machines reach this node: of all that it listens on, what is best announced. */

#include "base/parse.h"

#define OUTSIDE_ADDRESSES_MAX 8u

struct outside {
        char address[INET6_ADDRSTRLEN]; /* "": other machines do not reach us */
        uint16_t port;                  /* there */
        /* All that are known, the first one, too. */
        char addresses[OUTSIDE_ADDRESSES_MAX][INET6_ADDRSTRLEN];
        size_t n_addresses;
        char own[INET6_ADDRSTRLEN]; /* as it was begun with */
        bool is_own;                /* address is */
};

/** outside_begin() - @own: the address by which this node is known; "": none yet */
void outside_begin(struct outside *o, const char *own);

/**
 * outside_add() - the node listens there, too
 * @both: on a wildcard of IPv6, for IPv4 as well
 *
 * Where the node is reached by its own address, that counts; else the first one that is no wildcard.
 */
void outside_add(struct outside *o, const struct sock_address *listens, bool both);
