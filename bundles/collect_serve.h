#pragma once

/*
 * The other end of /run/diag/collect.sock: one connection, which PID 1 accepted, one request with the descriptor to
 * write into, and events until it is done. Whoever closes the connection has had enough.
 */

#include "bundles/collect.h"

/**
 * collect_serve() - one request
 * @fd: a connected SOCK_SEQPACKET socket; closed
 * @t:  without a configuration, descriptors and callbacks, which are found here
 *
 * Return: 0, also when what was asked for was refused, which who asks is told; -errno with @e: there is nobody to
 * tell.
 */
int collect_serve(int taken_fd, const struct collect_terms *t, const char *conf_file,
                  struct err *e);
