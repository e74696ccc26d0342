#pragma once

/* Kind=tcp: does somebody accept connections there? */

#include "base/parse.h"
#include "probes/probe.h"

extern const struct probe_ops probe_tcp;

/** tcp_parse_address() - as parse_listen(), and "localhost:PORT" for 127.0.0.1. No names: DNS is another probe. */
int tcp_parse_address(const char *s, struct sock_address *ret);

/**
 * tcp_is_connected_to_itself() - nobody listens, and yet @fd is connected
 *
 * A port that nobody listens on may be the very one that the kernel lends to us, and then TCP's
 * simultaneous open connects us to ourselves.
 */
bool tcp_is_connected_to_itself(int fd);

/**
 * tcp_judge() - what the result of connecting means
 * @error:   0, or errno: ETIMEDOUT also for our own deadline
 * @address: as a person wrote it
 *
 * What tells of the other side is unhealthy; what went wrong on ours (no descriptors, not allowed) tells
 * nothing. Pure.
 */
void tcp_judge(int error, const char *address, uint64_t timeout_usec, struct probe_verdict *ret);
