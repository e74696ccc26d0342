#pragma once

/*
 * Who may ask. Authority is a fact about the caller, never about the door it came through. So far
 * there is one class, "health": the local socket and loopback have it, others when their network is
 * on the list (classes read and operate come with what needs them).
 */

#include "base/parse.h"

#define AUTHORITY_NETWORKS_MAX 64u

struct authority {
        struct ip_prefix networks[AUTHORITY_NETWORKS_MAX];
        size_t n_networks;
};

/** authority_may_ask() - @peer: address of the caller as the kernel gave it. Pure. */
bool authority_may_ask(const struct authority *a, const struct sockaddr *peer);
