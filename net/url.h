#pragma once

/* How a node's daemon, or a master's, is asked. */

#include "base/cleanup.h"

#define NODE_URL_MAX 640u

/** address_is_loopback() - 127.0.0.0/8, ::1, localhost */
bool address_is_loopback(const char *address);

/**
 * node_url() - "http://10.0.0.1:1050/path", "https://[2001:db8::1]:1050/path"
 * @tls: in force; this machine's own loopback addresses speak plain text all the same
 * @buf: is returned. Cut where it does not fit: then nobody is there.
 */
char *node_url(char buf[static NODE_URL_MAX], const char *address, uint16_t port, bool tls,
               const char *path);
